//! The IAM permissions of the operator, held against its own policies by IAM's simulation.
//!
//! Source: `SimulatePrincipalPolicy`, IAM API reference. One result comes for each action, with the decision about each
//! resource under it; resources need not exist, and may hold wildcards, which then stand for themselves.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Check, Finding};
use crate::failure::{Class, Error};
use crate::operator_policy::{OperatorPolicy, is_of_operator};

/// Calls that nobody makes: a statement of the operator's policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulation {
    /// The name of the statement.
    pub sid: String,
    /// The IAM actions.
    pub actions: Vec<String>,
    /// ARNs; none stands for every resource.
    pub resources: Vec<String>,
    /// Condition keys with the values that the operator's requests have.
    pub context: BTreeMap<String, String>,
}

/// The decision of the simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is allowed.
    Allowed,
    /// A statement denies it.
    ExplicitDeny,
    /// Nothing allows it.
    ImplicitDeny,
    /// Something that this version does not know.
    Unknown,
}

/// The decision about one action on one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulated {
    /// The action.
    pub action: String,
    /// The resource, where the simulation was about some.
    pub resource: Option<String>,
    /// The decision.
    pub decision: Decision,
    /// Condition keys that policies ask for, and that were not given.
    pub missing_context: Vec<String>,
    /// The policies that decided.
    pub policies: Vec<String>,
    /// False where a permissions boundary, or a policy of the organisation, does not allow it.
    pub is_within_boundary: bool,
    /// See above.
    pub is_within_organization: bool,
}

/// The simulations for the operator's own policies, with the account and the region in the place of any.
#[must_use]
pub fn simulations(policies: &[OperatorPolicy], account: &str, region: &str) -> Vec<Simulation> {
    let own = policies.iter().filter(|policy| is_of_operator(&policy.name));
    let statements = own.flat_map(|policy| policy.document["Statement"].as_array().into_iter().flatten());
    statements.map(|statement| simulation(statement, account, region)).collect()
}

/// The lines about policies that belong on the roles which the operator works through: they are in other hands.
#[must_use]
pub fn of_others(policies: &[OperatorPolicy]) -> Vec<Finding> {
    let others = policies.iter().map(|policy| &policy.name).filter(|name| !is_of_operator(name));
    let lines = others.map(|name| {
        Finding::unknown(
            Check::Permission,
            format!("{name} belongs on a role that the operator works through"),
            "run this with --role-arn and credentials of its account",
        )
    });
    lines.collect()
}

fn simulation(statement: &Value, account: &str, region: &str) -> Simulation {
    let arns = strings(&statement["Resource"]);
    let arns: BTreeSet<String> = arns.iter().map(|arn| in_place(arn, account, region)).collect();
    let is_any = arns.contains("*");
    let mut context = BTreeMap::new();
    for (key, wanted) in statement["Condition"]
        .as_object()
        .into_iter()
        .flatten()
        .flat_map(|(_, keys)| keys.as_object().into_iter().flatten())
    {
        // One of several is enough, and a pattern covers itself.
        if let Some(value) = strings(wanted).first() {
            context.insert(key.clone(), value.replace(OWN_ACCOUNT, account));
        }
    }
    context.insert("aws:PrincipalAccount".into(), account.into());
    Simulation {
        sid: statement["Sid"].as_str().unwrap_or_default().into(),
        actions: strings(&statement["Action"]),
        resources: if is_any { Vec::new() } else { arns.into_iter().collect() },
        context,
    }
}

/// The account of the credentials in policies.
const OWN_ACCOUNT: &str = "${aws:PrincipalAccount}";

/// An ARN with the account and the region in the place of any. The account of a role may stand behind the region's place.
fn in_place(arn: &str, account: &str, region: &str) -> String {
    let arn = arn.replace(OWN_ACCOUNT, account);
    let mut parts: Vec<&str> = arn.splitn(6, ':').collect();
    if parts.len() < 6 {
        return arn;
    }
    for (at, own) in [(3, region), (4, account)] {
        if parts[at] == "*" {
            parts[at] = own;
        }
    }
    parts.join(":")
}

fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(Into::into).collect(),
        other => other.as_str().into_iter().map(Into::into).collect(),
    }
}

/// The lines about all statements, by the results of their simulations in the same order. Those after the first that failed
/// are not known.
#[must_use]
pub fn report(holder: &str, simulations: &[Simulation], results: &[Result<Vec<Simulated>, Error>]) -> Vec<Finding> {
    let judged = simulations.iter().zip(results).flat_map(|(simulation, result)| match result {
        Ok(results) => judge(holder, simulation, results),
        Err(error) => vec![unanswered(holder, error)],
    });
    judged.collect()
}

/// The line where the simulation itself was refused or failed.
fn unanswered(holder: &str, error: &Error) -> Finding {
    let way_out = match error.class {
        Class::Denied => {
            "ask with credentials that may call iam:SimulatePrincipalPolicy, such as an administrator's, and --role-arn"
        }
        _ => "see to that first",
    };
    Finding::unknown(Check::Permission, format!("what the policies of {holder} allow is not known ({error})"), way_out)
}

/// The lines about one statement: what is allowed in one, and one for each action that is not.
fn judge(holder: &str, simulation: &Simulation, results: &[Simulated]) -> Vec<Finding> {
    let Simulation { sid, actions, .. } = simulation;
    let (mut allowed, mut findings) = (Vec::new(), Vec::new());
    for action in actions {
        let of_action: Vec<&Simulated> =
            results.iter().filter(|result| result.action.eq_ignore_ascii_case(action)).collect();
        // What decides is the resource on which it is not allowed.
        match of_action.iter().find(|result| result.decision != Decision::Allowed) {
            None if of_action.is_empty() => findings.push(Finding::unknown(
                Check::Permission,
                format!("the simulation said nothing of {action} ({sid})"),
                "try it on a platform",
            )),
            None => allowed.push(action.as_str()),
            Some(result) => findings.push(not_allowed(holder, sid, result)),
        }
    }
    if !allowed.is_empty() {
        findings.insert(0, Finding::ok(Check::Permission, format!("{sid}: {}", allowed.join(", "))));
    }
    findings
}

fn not_allowed(holder: &str, sid: &str, result: &Simulated) -> Finding {
    let Simulated { action, resource, decision, missing_context, policies, .. } = result;
    let place = resource.as_ref().map(|arn| format!(" on {arn}")).unwrap_or_default();
    let what = format!("{action}{place} ({sid})");
    let missing = |message: String, way_out: &str| Finding::missing(Check::Permission, message, way_out);
    match decision {
        Decision::ExplicitDeny if policies.is_empty() => missing(
            format!("{holder} is denied {what}"),
            "look for a denial in its policies, its boundary and those of the organisation",
        ),
        Decision::ExplicitDeny => missing(
            format!("{holder} is denied {what} by {}", policies.join(", ")),
            "take the denial out of that policy",
        ),
        Decision::ImplicitDeny if !result.is_within_organization => missing(
            format!("the organisation does not allow {holder} {what}"),
            "have its service control policies changed",
        ),
        Decision::ImplicitDeny if !result.is_within_boundary => {
            missing(format!("the permissions boundary of {holder} does not allow {what}"), "allow it in the boundary")
        }
        Decision::ImplicitDeny if !missing_context.is_empty() => Finding::unknown(
            Check::Permission,
            format!("whether {holder} may {what} depends on {}", missing_context.join(", ")),
            "compare its policies with those of aiplatform operator-policy",
        ),
        Decision::ImplicitDeny => {
            missing(format!("{holder} may not {what}"), "attach the policies that aiplatform operator-policy prints")
        }
        Decision::Allowed | Decision::Unknown => Finding::unknown(
            Check::Permission,
            format!("the simulation answered something unknown about {what}"),
            "try it on a platform",
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::guardrails::Guardrails;
    use crate::install_check::Outcome;
    use crate::operator_policy::{Extent, policies};
    use crate::permissions::permissions;

    const ROLE: &str = "arn:aws:iam::123456789012:role/operator";

    fn policy(name: &str, statement: &Value) -> OperatorPolicy {
        OperatorPolicy { name: name.into(), document: json!({"Statement": [statement]}) }
    }

    #[test]
    fn a_statement_becomes_calls_that_nobody_makes() {
        let statement = json!({
            "Sid": "MakeRoles", "Action": ["iam:CreateRole"],
            "Resource": ["arn:aws:iam::*:role/aiplatform/*", "arn:aws:eks:*:*:cluster/*"],
            "Condition": {"StringLike": {"aws:RequestTag/aiplatform.dev/owner": ["prod/*/*", "other/*/*"]},
                "StringEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}},
        });
        let found = simulations(&[policy("aiplatform-operator-iam", &statement)], "123456789012", "eu-west-1");
        let context = [
            ("aws:PrincipalAccount", "123456789012"),
            ("aws:RequestTag/aiplatform.dev/owner", "prod/*/*"),
            ("aws:ResourceAccount", "123456789012"),
        ];
        assert_eq!(
            found,
            [Simulation {
                sid: "MakeRoles".into(),
                actions: vec!["iam:CreateRole".into()],
                resources: vec![
                    "arn:aws:eks:eu-west-1:123456789012:cluster/*".into(),
                    "arn:aws:iam::123456789012:role/aiplatform/*".into(),
                ],
                context: context.map(|(key, value)| (key.to_string(), value.to_string())).into(),
            }]
        );
        let any = json!({"Sid": "List", "Action": "s3:ListAllMyBuckets", "Resource": "*"});
        assert_eq!(simulations(&[policy("aiplatform-operator-s3", &any)], "1", "a")[0].resources, Vec::<String>::new());
    }

    #[test]
    fn every_action_of_the_operators_policies_is_simulated() {
        let extent =
            Extent { platforms: None, guardrails: &Guardrails::Unbounded, cluster: Some("prod"), bucket_names: &[] };
        let printed = policies(&permissions(), &extent).unwrap();
        let simulated: BTreeSet<String> =
            simulations(&printed, "123456789012", "eu-west-1").into_iter().flat_map(|each| each.actions).collect();
        // A role to work through is known only where the guardrails, or platforms, name one.
        let declared: BTreeSet<String> = permissions()
            .iter()
            .flat_map(|(_, permissions)| permissions)
            .flat_map(|permission| permission.actions)
            .map(ToString::to_string)
            .filter(|action| action != "sts:AssumeRole")
            .collect();
        assert_eq!(simulated, declared);
    }

    #[test]
    fn policies_on_other_roles_are_not_the_operators() {
        let other = policy("aiplatform-through-210987654321-deployer-s3", &json!({"Sid": "A", "Action": "s3:Get"}));
        assert_eq!(simulations(std::slice::from_ref(&other), "1", "a"), []);
        let lines = of_others(&[other]);
        assert_eq!((lines.len(), lines[0].outcome), (1, Outcome::Unknown));
    }

    #[test]
    fn a_simulation_that_is_refused_leaves_the_rest_unknown() {
        let simulation = |sid: &str| Simulation {
            sid: sid.into(),
            actions: vec!["a:B".into()],
            resources: vec![],
            context: BTreeMap::new(),
        };
        let refused = |class| Error {
            class,
            action: "iam:SimulatePrincipalPolicy".into(),
            subject: ROLE.into(),
            code: "AccessDenied".into(),
            message: "no".into(),
            request_id: None,
        };
        let results = [Ok(vec![simulated("a:B", Decision::Allowed)]), Err(refused(Class::Denied))];
        let found = report(ROLE, &["A", "B", "C"].map(simulation), &results);
        let outcomes: Vec<Outcome> = found.iter().map(|finding| finding.outcome).collect();
        assert_eq!(outcomes, [Outcome::Ok, Outcome::Unknown]);
        assert!(found[1].to_string().contains("--role-arn"), "{}", found[1]);
        let throttled = report(ROLE, &[simulation("A")], &[Err(refused(Class::Throttled))]);
        assert!(!throttled[0].to_string().contains("--role-arn"), "{}", throttled[0]);
    }

    fn simulated(action: &str, decision: Decision) -> Simulated {
        Simulated {
            action: action.into(),
            resource: Some("arn:a".into()),
            decision,
            missing_context: Vec::new(),
            policies: Vec::new(),
            is_within_boundary: true,
            is_within_organization: true,
        }
    }

    #[test]
    fn each_decision_has_its_way_out() {
        let one = |result: Simulated| {
            let simulation = Simulation {
                sid: "S".into(),
                actions: vec!["a:B".into()],
                resources: vec![],
                context: BTreeMap::new(),
            };
            let found = judge(ROLE, &simulation, &[simulated("a:B", Decision::Allowed), result]);
            assert_eq!(found.len(), 1);
            (found[0].outcome, found[0].to_string())
        };
        let implicit = || simulated("a:B", Decision::ImplicitDeny);
        let explicit = || simulated("a:B", Decision::ExplicitDeny);
        for (result, outcome, part) in [
            (simulated("a:b", Decision::Allowed), Outcome::Ok, "S: a:B"),
            (implicit(), Outcome::Missing, "aiplatform operator-policy prints"),
            (explicit(), Outcome::Missing, "look for a denial"),
            (Simulated { policies: vec!["p".into()], ..explicit() }, Outcome::Missing, "by p: take the denial out"),
            (Simulated { is_within_boundary: false, ..implicit() }, Outcome::Missing, "in the boundary"),
            (Simulated { is_within_organization: false, ..implicit() }, Outcome::Missing, "service control policies"),
            (Simulated { missing_context: vec!["k".into()], ..implicit() }, Outcome::Unknown, "depends on k"),
            (simulated("a:B", Decision::Unknown), Outcome::Unknown, "something unknown"),
        ] {
            let (found, text) = one(result);
            assert_eq!(found, outcome, "{text}");
            assert!(text.contains(part), "{text}");
        }
        let simulation =
            Simulation { sid: "S".into(), actions: vec!["a:B".into()], resources: vec![], context: BTreeMap::new() };
        let silent = judge(ROLE, &simulation, &[]);
        assert_eq!(silent[0].outcome, Outcome::Unknown, "what is not said is not allowed");
    }
}
