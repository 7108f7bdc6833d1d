//! Openings that others made in what is ours: statements in a bucket's policy that let somebody in from beyond the
//! account, and managed policies attached to a role. They are not ours to remove, and must not go unnoticed.
//!
//! Source: "How Amazon S3 authorizes a request" and "The meaning of public", Amazon S3 user guide; "AWS JSON policy
//! elements: Principal", IAM user guide.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::policy;

/// One opening.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exposure {
    /// How far it opens.
    pub extent: Extent,
    /// What opens what to whom.
    pub message: String,
}

/// How far an opening goes, the widest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// Everybody is let in.
    Everybody,
    /// Somebody beyond the account may change or delete.
    Changes,
    /// Somebody beyond the account may read.
    Reads,
    /// A role can do more than what is declared.
    Attached,
    /// An AWS service is let in, for whichever account it acts.
    Service,
}

/// The opening that a managed policy makes in a role it was attached to.
#[must_use]
pub fn attached(role: &str, policy: &str) -> Exposure {
    let message = format!("policy {policy} was attached to role {role} by somebody else and is left alone");
    Exposure { extent: Extent::Attached, message }
}

/// What a statement of others in the policy of `bucket` opens beyond `account`, if anything.
#[must_use]
pub fn of_statement(bucket: &str, account: &str, statement: &Value) -> Option<Exposure> {
    if statement.get("Effect").and_then(Value::as_str) != Some("Allow") || is_bound(statement, account) {
        return None;
    }
    let (extent, whom) = match beyond(statement, account) {
        Beyond::Nobody => return None,
        Beyond::Everybody if is_narrowed(statement) => {
            (by_actions(statement), "everybody who meets its conditions".into())
        }
        Beyond::Everybody => (Extent::Everybody, "everybody".into()),
        Beyond::Named(names) => (by_actions(statement), listed(&names)),
        Beyond::Services(names) => (Extent::Service, format!("{} for any account", listed(&names))),
    };
    let name = match statement.get("Sid").and_then(Value::as_str) {
        Some(sid) => format!("statement {sid:?}"),
        None => "a statement without Sid".into(),
    };
    let message = format!(
        "{name} of somebody else in the policy of bucket {bucket} lets in {whom} ({}): it is left alone; remove it, or \
         bind it to aws:PrincipalAccount or aws:SourceAccount {account}",
        listed(&actions(statement))
    );
    Some(Exposure { extent, message })
}

enum Beyond {
    Nobody,
    Everybody,
    Named(Vec<String>),
    Services(Vec<String>),
}

fn beyond(statement: &Value, account: &str) -> Beyond {
    if statement.get("NotPrincipal").is_some() {
        return Beyond::Everybody;
    }
    let kinds = match statement.get("Principal") {
        Some(Value::Object(kinds)) => kinds,
        // Whatever else stands there is `"*"`, or nothing that S3 takes.
        Some(_) => return Beyond::Everybody,
        None => return Beyond::Nobody,
    };
    let (mut named, mut services) = (Vec::new(), Vec::new());
    for (kind, value) in kinds {
        for name in texts(value) {
            match kind.as_str() {
                "Service" => services.push(name),
                "AWS" if name == "*" => return Beyond::Everybody,
                "AWS" if is_of(&name, account) || policy::is_unique_id(&name) => {}
                _ => named.push(name),
            }
        }
    }
    if !named.is_empty() {
        return Beyond::Named(named);
    }
    if services.is_empty() { Beyond::Nobody } else { Beyond::Services(services) }
}

/// Whether a principal belongs to the account.
fn is_of(principal: &str, account: &str) -> bool {
    principal == account || principal.split(':').nth(4) == Some(account)
}

/// Keys that bind a statement to the account, when they equal it.
const ACCOUNT_KEYS: [&str; 4] =
    ["aws:principalaccount", "aws:sourceaccount", "aws:sourceowner", "s3:dataaccesspointaccount"];

/// Keys that narrow a statement to somebody. Source: "The meaning of public", Amazon S3 user guide.
const NARROWING: [&str; 10] = [
    "aws:sourceip",
    "aws:sourcearn",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:principalarn",
    "aws:userid",
    "aws:sourceorgid",
    "s3:dataaccesspointarn",
];

/// Whether a condition lets in nobody beyond the account.
fn is_bound(statement: &Value, account: &str) -> bool {
    conditions(statement).any(|(operator, key, values)| {
        is_positive(operator)
            && ACCOUNT_KEYS.contains(&key.to_ascii_lowercase().as_str())
            && !values.is_empty()
            && values.iter().all(|value| value == account)
    })
}

/// Whether a condition narrows who is let in.
fn is_narrowed(statement: &Value) -> bool {
    conditions(statement).any(|(operator, key, values)| {
        let key = key.to_ascii_lowercase();
        let is_fixed = |value: &String| {
            if key == "aws:sourceip" { !value.ends_with("/0") } else { !value.contains(['*', '?']) }
        };
        let narrows = NARROWING.contains(&key.as_str()) || ACCOUNT_KEYS.contains(&key.as_str());
        narrows && is_positive(operator) && values.iter().all(is_fixed)
    })
}

/// Whether an operator demands the value, and is not met where the key is missing.
fn is_positive(operator: &str) -> bool {
    let operator = operator.to_ascii_lowercase();
    !operator.contains("not")
        && !operator.ends_with("ifexists")
        && operator != "null"
        && !operator.starts_with("forallvalues:")
}

fn conditions(statement: &Value) -> impl Iterator<Item = (&str, &str, Vec<String>)> {
    let operators = statement.get("Condition").and_then(Value::as_object).into_iter().flatten();
    operators.flat_map(|(operator, keys)| {
        let keys = keys.as_object().into_iter().flatten();
        keys.map(move |(key, values)| (operator.as_str(), key.as_str(), texts(values)))
    })
}

/// Reading is what begins with one of these; everything else may change something.
const READS: [&str; 2] = ["s3:get", "s3:list"];

fn by_actions(statement: &Value) -> Extent {
    let named = actions(statement);
    let reads = |action: &String| READS.iter().any(|read| action.to_ascii_lowercase().starts_with(read));
    let is_reading = statement.get("NotAction").is_none() && !named.is_empty() && named.iter().all(reads);
    if is_reading { Extent::Reads } else { Extent::Changes }
}

fn actions(statement: &Value) -> BTreeSet<String> {
    let excepted = statement.get("NotAction").map(texts).unwrap_or_default();
    let excepted = excepted.into_iter().map(|action| format!("all but {action}"));
    statement.get("Action").map(texts).unwrap_or_default().into_iter().chain(excepted).collect()
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::String(text) => vec![text.clone()],
        other => vec![other.to_string()],
    }
}

fn listed<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    names.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ACCOUNT: &str = "123456789012";

    fn extent(statement: &Value) -> Option<Extent> {
        let mut whole = json!({"Sid": "Theirs", "Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::b/*"});
        for (name, value) in statement.as_object().unwrap() {
            whole[name] = value.clone();
        }
        of_statement("b", ACCOUNT, &whole).map(|exposure| exposure.extent)
    }

    #[test]
    fn what_is_opened_beyond_the_account_is_told_by_how_far_it_opens() {
        let stranger = json!({"AWS": "arn:aws:iam::666666666666:root"});
        for (statement, expected) in [
            (json!({"Principal": stranger}), Some(Extent::Changes)),
            (json!({"Principal": {"AWS": "666666666666"}}), Some(Extent::Changes)),
            (json!({"Principal": stranger, "Action": ["s3:GetObject", "s3:ListBucket"]}), Some(Extent::Reads)),
            (json!({"Principal": stranger, "Action": ["s3:GetObject", "s3:DeleteObject"]}), Some(Extent::Changes)),
            (json!({"Principal": "*", "Action": "s3:GetObject"}), Some(Extent::Everybody)),
            (json!({"Principal": {"AWS": ["*"]}}), Some(Extent::Everybody)),
            (json!({"NotPrincipal": {"AWS": "arn:aws:iam::123456789012:root"}}), Some(Extent::Everybody)),
            (json!({"Principal": {"CanonicalUser": "0a1b"}, "Action": "s3:GetObject"}), Some(Extent::Reads)),
            (json!({"Principal": {"Service": "logging.s3.amazonaws.com"}}), Some(Extent::Service)),
        ] {
            assert_eq!(extent(&statement), expected, "{statement}");
        }
    }

    #[test]
    fn what_stays_within_the_account_or_denies_opens_nothing() {
        for statement in [
            json!({"Principal": {"AWS": "arn:aws:iam::123456789012:role/reader"}}),
            json!({"Principal": {"AWS": ["123456789012", "AROAQWERTYUIOPASDFGHJ"]}}),
            json!({"Principal": "*", "Effect": "Deny"}),
            json!({"Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}}),
            json!({"Principal": {"Service": "logging.s3.amazonaws.com"},
                "Condition": {"StringEquals": {"AWS:SourceAccount": [ACCOUNT]}}}),
        ] {
            assert_eq!(extent(&statement), None, "{statement}");
        }
    }

    #[test]
    fn a_condition_narrows_only_if_it_must_be_met() {
        let with =
            |condition: Value| extent(&json!({"Principal": "*", "Action": "s3:GetObject", "Condition": condition}));
        assert_eq!(with(json!({"StringEquals": {"aws:PrincipalOrgID": "o-1"}})), Some(Extent::Reads));
        assert_eq!(with(json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})), Some(Extent::Reads));
        for open in [
            json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}),
            json!({"StringEqualsIfExists": {"aws:PrincipalAccount": ACCOUNT}}),
            json!({"StringNotEquals": {"aws:PrincipalAccount": ACCOUNT}}),
            json!({"StringLike": {"aws:PrincipalAccount": "*"}}),
            json!({"Bool": {"aws:SecureTransport": "true"}}),
        ] {
            assert_eq!(with(open.clone()), Some(Extent::Everybody), "{open}");
        }
    }

    #[test]
    fn the_message_names_statement_bucket_principal_and_actions() {
        let statement =
            json!({"Effect": "Allow", "Principal": {"AWS": "666666666666"}, "Action": "s3:*", "Resource": "*"});
        let message = of_statement("b", ACCOUNT, &statement).unwrap().message;
        for part in ["without Sid", "bucket b", "666666666666", "s3:*", ACCOUNT] {
            assert!(message.contains(part), "{part} in {message}");
        }
    }
}
