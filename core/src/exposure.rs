//! Exposures: what others did to resources of ours and is not ours to undo, namely statements in a bucket's policy that
//! let somebody in from beyond the account, lifecycle rules that take objects away, and managed policies attached to a
//! role. It must not go unnoticed.
//!
//! Source: "How Amazon S3 authorizes a request" and "The meaning of public", Amazon S3 user guide; "AWS JSON policy
//! elements: Principal", IAM user guide.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::policy;
use crate::resource::bucket::{self, LifecycleRule};
use crate::resource::role;

/// One opening.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exposure {
    /// The extent of the opening.
    pub extent: Extent,
    /// The finding in words: what opens what to whom.
    pub message: String,
}

/// The extent of an opening, the widest first.
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
    /// Objects expire, or can no longer be read at once.
    Objects,
    /// An AWS service is let in, for whichever account it acts.
    Service,
}

impl Extent {
    /// The part of the resource that opens it.
    #[must_use]
    pub fn part(self) -> &'static str {
        match self {
            Self::Everybody | Self::Changes | Self::Reads | Self::Service => bucket::field::POLICY,
            Self::Objects => bucket::field::LIFECYCLE,
            Self::Attached => role::ATTACHED,
        }
    }

    /// The reason of the event that reports it.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Everybody | Self::Changes | Self::Reads | Self::Attached | Self::Service => "OpenedByOthers",
            Self::Objects => "LifecycleOfOthers",
        }
    }
}

/// The opening that a managed policy makes in a role it was attached to.
#[must_use]
pub fn attached(role: &str, policy: &str) -> Exposure {
    let message = format!("policy {policy} was attached to role {role} by somebody else and is left alone");
    Exposure { extent: Extent::Attached, message }
}

/// Objects that an enabled lifecycle rule of others takes away from `bucket`, if anything. Objects in the other storage
/// classes can be read as before.
///
/// Source: "Amazon S3 Glacier storage classes", Amazon S3 user guide.
#[must_use]
pub fn of_lifecycle_rule(bucket: &str, id: Option<&str>, rule: &LifecycleRule) -> Option<Exposure> {
    const ARCHIVES: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];
    let removes_markers_alone = |days: Option<i32>, date: Option<&String>| days.is_none() && date.is_none();
    let expires = rule.noncurrent_expiration.is_some()
        || rule.expiration.as_ref().is_some_and(|it| !removes_markers_alone(it.days, it.date.as_ref()));
    let current = rule.transitions.iter().map(|transition| &transition.storage_class);
    let noncurrent = rule.noncurrent_transitions.iter().map(|transition| &transition.storage_class);
    let archives = current.chain(noncurrent).any(|class| ARCHIVES.contains(&class.as_str()));
    let does = match (expires, archives) {
        _ if !rule.enabled => return None,
        (false, false) => return None,
        (true, false) => "lets objects expire",
        (false, true) => "archives objects",
        (true, true) => "archives objects and lets them expire",
    };
    let name = id.map_or_else(|| "without an id".into(), |id| format!("{id:?}"));
    let of = rule.filter.prefix.as_ref().map_or_else(String::new, |prefix| format!(" below {prefix:?}"));
    let message = format!(
        "lifecycle rule {name} of somebody else {does}{of} in bucket {bucket}: it is left alone; remove it, or declare what \
         you want of it"
    );
    Some(Exposure { extent: Extent::Objects, message })
}

/// Access that a statement of others in the policy of `bucket` opens beyond `account`, if anything.
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
        for name in strings(value) {
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

/// True when a principal belongs to the account.
fn is_of(principal: &str, account: &str) -> bool {
    principal == account || principal.split(':').nth(4) == Some(account)
}

/// Keys that bind a statement to the account, when they equal it. That of an access point is none: it says whose the
/// access point is, and nothing about who comes through it.
const ACCOUNT_KEYS: [&str; 3] = ["aws:principalaccount", "aws:sourceaccount", "aws:sourceowner"];

/// The key whose values are ARNs of principals.
const PRINCIPAL_KEY: &str = "aws:principalarn";

/// Keys that narrow a statement to somebody. Source: "The meaning of public", Amazon S3 user guide.
const NARROWING: [&str; 11] = [
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
    "s3:dataaccesspointaccount",
];

/// True when a condition lets in nobody beyond the account.
fn is_bound(statement: &Value, account: &str) -> bool {
    is_clear(statement)
        && conditions(statement).any(|(operator, key, values)| {
            let key = key.to_ascii_lowercase();
            let binds = |value: &String| {
                (ACCOUNT_KEYS.contains(&key.as_str()) && value == account)
                    || (key == PRINCIPAL_KEY && is_principal_of(value, account))
            };
            demands_equality(operator) && !values.is_empty() && values.iter().all(binds)
        })
}

/// True when an ARN, or a pattern of ARNs, is of users and roles of the account alone: no wildcard comes before the
/// account.
fn is_principal_of(arn: &str, account: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    matches!(parts.as_slice(), ["arn", partition, "iam" | "sts", "", of, _]
        if *of == account && !partition.contains(['*', '?']))
}

/// True when a condition narrows who is let in.
fn is_narrowed(statement: &Value) -> bool {
    is_clear(statement)
        && conditions(statement).any(|(operator, key, values)| {
            let key = key.to_ascii_lowercase();
            let by_address = key == "aws:sourceip";
            let is_fixed =
                |value: &String| if by_address { !value.ends_with("/0") } else { !value.contains(['*', '?']) };
            let narrows = NARROWING.contains(&key.as_str()) || ACCOUNT_KEYS.contains(&key.as_str());
            let demands = if by_address { is_address(operator) } else { demands_equality(operator) };
            narrows && demands && !values.is_empty() && values.iter().all(is_fixed)
        })
}

/// True when an operator demands one of the values, and is not met where the key is missing.
///
/// Source: "IAM JSON policy elements: Condition operators", IAM user guide.
fn demands_equality(operator: &str) -> bool {
    const EQUAL: [&str; 5] = ["stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike"];
    let operator = operator.to_ascii_lowercase();
    EQUAL.contains(&operator.strip_prefix("foranyvalue:").unwrap_or(&operator))
}

fn is_address(operator: &str) -> bool {
    operator.eq_ignore_ascii_case("IpAddress")
}

/// True when no operator and no key of its condition stands there in two spellings, of which nobody says which one AWS
/// goes by.
fn is_clear(statement: &Value) -> bool {
    let Some(operators) = statement.get("Condition").and_then(Value::as_object) else { return true };
    let is_clear = |fields: &Map<String, Value>| {
        let names: BTreeSet<String> = fields.keys().map(|name| name.to_ascii_lowercase()).collect();
        names.len() == fields.len()
    };
    is_clear(operators) && operators.values().filter_map(Value::as_object).all(is_clear)
}

fn conditions(statement: &Value) -> impl Iterator<Item = (&str, &str, Vec<String>)> {
    let operators = statement.get("Condition").and_then(Value::as_object).into_iter().flatten();
    operators.flat_map(|(operator, keys)| {
        let keys = keys.as_object().into_iter().flatten();
        keys.map(move |(key, values)| (operator.as_str(), key.as_str(), strings(values)))
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
    let excepted = statement.get("NotAction").map(strings).unwrap_or_default();
    let excepted = excepted.into_iter().map(|action| format!("all but {action}"));
    statement.get("Action").map(strings).unwrap_or_default().into_iter().chain(excepted).collect()
}

fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(strings).collect(),
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
    fn what_is_opened_beyond_the_account_is_reported_by_how_far_it_opens() {
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
    fn only_what_demands_the_account_of_the_principal_binds_a_statement_to_it() {
        let stranger = json!({"AWS": "arn:aws:iam::666666666666:root"});
        let with = |condition: Value| extent(&json!({"Principal": stranger, "Condition": condition}));
        let (own, role) = (ACCOUNT, format!("arn:aws:iam::{ACCOUNT}:role/*"));
        for bound in [
            json!({"StringEquals": {"aws:PrincipalAccount": own}}),
            json!({"StringLike": {"aws:PrincipalAccount": [own]}}),
            json!({"ForAnyValue:StringEquals": {"aws:PrincipalAccount": own}}),
            json!({"ArnLike": {"aws:PrincipalArn": role}}),
            json!({"StringLike": {"aws:PrincipalArn": role}}),
            json!({"ArnEquals": {"aws:PrincipalArn": format!("arn:aws:iam::{ACCOUNT}:user/mara")}}),
        ] {
            assert_eq!(with(bound.clone()), None, "{bound}");
        }
        for open in [
            json!({"NumericGreaterThanEquals": {"aws:PrincipalAccount": own}}),
            json!({"NumericLessThan": {"aws:PrincipalAccount": own}}),
            json!({"StringEquals": {"s3:DataAccessPointAccount": own}}),
            json!({"StringEquals": {"aws:PrincipalAccount": []}}),
            json!({"StringEquals": {"aws:PrincipalAccount": [own, "666666666666"]}}),
            json!({"StringLike": {"aws:PrincipalAccount": "12345678901?"}}),
            json!({"ForAllValues:StringEquals": {"aws:PrincipalAccount": own}}),
            json!({"ArnLike": {"aws:PrincipalArn": format!("arn:aws:iam::*:role/{ACCOUNT}")}}),
            json!({"StringLike": {"aws:PrincipalArn": format!("arn:*:iam::{ACCOUNT}:role/x")}}),
            json!({"ArnNotLike": {"aws:PrincipalArn": role}}),
            json!({"StringEquals": {"aws:PrincipalAccount": own}, "stringequals": {"aws:PrincipalAccount": "666666666666"}}),
            json!({"StringEquals": {"aws:PrincipalAccount": own, "AWS:PrincipalAccount": "666666666666"}}),
        ] {
            assert_eq!(with(open.clone()), Some(Extent::Changes), "{open}");
        }
    }

    #[test]
    fn a_lifecycle_rule_of_others_matters_if_it_takes_objects_away() {
        use crate::resource::bucket::{Expiration, Filter, NoncurrentExpiration, Transition};
        let enabled = || LifecycleRule { enabled: true, ..LifecycleRule::default() };
        let expiration =
            |days, marker| Some(Expiration { days, expired_object_delete_marker: marker, ..Expiration::default() });
        let to = |class: &str| Transition { days: Some(1), date: None, storage_class: class.into() };
        for (rule, expected) in [
            (LifecycleRule { expiration: expiration(Some(3), false), ..enabled() }, Some("lets objects expire")),
            (
                LifecycleRule { noncurrent_expiration: Some(NoncurrentExpiration::default()), ..enabled() },
                Some("lets objects expire"),
            ),
            (LifecycleRule { transitions: vec![to("DEEP_ARCHIVE")], ..enabled() }, Some("archives objects")),
            (LifecycleRule { transitions: vec![to("STANDARD_IA"), to("GLACIER_IR")], ..enabled() }, None),
            (LifecycleRule { expiration: expiration(None, true), ..enabled() }, None),
            (LifecycleRule { abort_incomplete_multipart_upload_days: Some(1), ..enabled() }, None),
            (LifecycleRule { expiration: expiration(Some(3), false), ..LifecycleRule::default() }, None),
        ] {
            let found = of_lifecycle_rule("b", Some("theirs"), &rule);
            assert_eq!(found.as_ref().map(|found| found.extent), expected.map(|_| Extent::Objects), "{rule:?}");
            let message = found.map(|found| found.message).unwrap_or_default();
            assert!(message.contains(expected.unwrap_or_default()), "{message}");
        }
        let filter = Filter { prefix: Some("logs/".into()), ..Filter::default() };
        let rule = LifecycleRule { filter, expiration: expiration(Some(3), false), ..enabled() };
        let message = of_lifecycle_rule("b", None, &rule).unwrap().message;
        for part in ["without an id", "bucket b", "below \"logs/\"", "left alone"] {
            assert!(message.contains(part), "{part} in {message}");
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
