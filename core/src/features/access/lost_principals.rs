//! Principals that were deleted after a role had trusted them. AWS then shows an id in place of their ARN, and whoever
//! is made anew under the same name would be trusted as soon as the ARN is written again: that is for a person to say.
//!
//! Source: "AWS JSON policy elements: Principal", IAM user guide.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::plan::Refusal;
use crate::policy::{self, Policy};
use crate::resource::role::{self, Role};
use crate::resource::{Desired, Key, Observations, Owner, Resource};

/// The desired resources without the principals that were lost, and the reason for which each role concerned is not as
/// declared. The trust policy itself remembers whom it leaves out, so that it is not forgotten once the id is gone from
/// it.
pub(super) fn without_lost_principals(
    mut wanted: Vec<Desired>,
    observations: &Observations,
) -> (Vec<Desired>, BTreeMap<Key, Refusal>) {
    let mut refusals = BTreeMap::new();
    for item in &mut wanted {
        let key = item.resource.key();
        let observed = observations.get(&key).filter(|observed| observed.owner == Owner::Ours);
        let (Resource::Role(desired), Some(Some(Resource::Role(found)))) =
            (&mut item.resource, observed.map(|observed| &observed.resource))
        else {
            continue;
        };
        let lost = lost(desired, found);
        if !lost.is_empty() {
            desired.trust = narrowed(&desired.trust, &lost);
            refusals.insert(key, refusal(desired, &lost));
        }
    }
    (wanted, refusals)
}

/// The ARNs that the role is to trust and that are not to be written again.
fn lost(desired: &Role, found: &Role) -> Vec<String> {
    let trusted = principals(&found.trust);
    let has_lost_one = trusted.iter().any(|principal| policy::is_unique_id(principal));
    let left_out = role::left_out(&found.trust);
    let is_lost = |arn: &String| {
        left_out.contains(&role::mark_of(arn)) || (has_lost_one && is_identity(arn) && !trusted.contains(arn))
    };
    principals(&desired.trust).into_iter().filter(is_lost).collect()
}

/// True when a principal can be deleted and made again: a role or a user, not an account.
fn is_identity(arn: &str) -> bool {
    arn.contains(":role/") || arn.contains(":user/") || arn.contains(":assumed-role/")
}

fn principals(trust: &Policy) -> BTreeSet<String> {
    let statements = policy::statements(&trust.as_written());
    let named = statements.iter().filter_map(|statement| statement.get("Principal")?.get("AWS"));
    named.flat_map(|named| each(named).map(ToString::to_string).collect::<Vec<_>>()).collect()
}

fn each(named: &Value) -> impl Iterator<Item = &str> {
    let many = named.as_array().into_iter().flatten();
    many.chain(std::iter::once(named)).filter_map(Value::as_str)
}

/// The same policy without the lost principals. Where nobody is left, nobody may take the role.
fn narrowed(trust: &Policy, lost: &[String]) -> Policy {
    let mut document = trust.as_written();
    let mut statements: Vec<Value> =
        policy::statements(&document).into_iter().filter_map(|statement| without(statement, lost)).collect();
    if statements.is_empty() {
        let nobody = json!({"Sid": "Nobody", "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"});
        statements.push(nobody);
    }
    let sid = statements[0].get("Sid").and_then(Value::as_str).unwrap_or_default();
    statements[0]["Sid"] = json!(role::marked(sid, lost));
    document["Statement"] = Value::Array(statements);
    Policy::new(&document)
}

fn without(mut statement: Value, lost: &[String]) -> Option<Value> {
    let Some(named) = statement.get("Principal").and_then(|principal| principal.get("AWS")) else {
        return Some(statement);
    };
    let kept: Vec<String> =
        each(named).filter(|name| !lost.iter().any(|lost| lost == name)).map(ToString::to_string).collect();
    match kept.as_slice() {
        [] => return None,
        [one] => statement["Principal"]["AWS"] = json!(one),
        many => statement["Principal"]["AWS"] = json!(many),
    }
    Some(statement)
}

fn refusal(role: &Role, lost: &[String]) -> Refusal {
    let names = lost.join(", ");
    let message = format!(
        "role {} does not trust {names}: a principal that it trusted was deleted, and one made anew under its name is not \
         trusted by itself; take it out of principalArns, apply, and put it in again if the new one is meant",
        role.name
    );
    Refusal { reason: "Conflict", message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Action, Intent, Plan, plan};
    use crate::resource::{Observed, Owner};

    const READER: &str = "arn:aws:iam::123456789012:role/reader";
    const WRITER: &str = "arn:aws:iam::123456789012:role/writer";
    const DELETED: &str = "AROAQWERTYUIOPASDFGHJ";

    fn trusting(names: &[&str]) -> Role {
        let trust = json!({"Version": "2012-10-17", "Statement": [{"Sid": "Principals", "Effect": "Allow",
            "Principal": {"AWS": names}, "Action": "sts:AssumeRole"}]});
        Role {
            name: "r".into(),
            arn: "arn:aws:iam::123456789012:role/aiplatform/r".into(),
            tags: [("aiplatform.dev/owner".to_string(), "c/n/p".to_string())].into(),
            trust: Policy::new(&trust),
            permissions_boundary: None,
            policies: BTreeMap::new(),
        }
    }

    fn planned(desired: &Role, found: &Role) -> Plan {
        let desired = [Desired::made(Resource::Role(desired.clone()))];
        let found = Resource::Role(found.clone());
        let observations = Observations::from([(found.key(), Observed::present(found, Owner::Ours))]);
        plan("n", "p", &desired, &observations, &Intent::default())
    }

    /// The role as the next pass finds it.
    fn after(plan: &Plan) -> Role {
        let step = &plan.steps[0];
        match (&step.action, &step.desired, &step.observed) {
            (Action::Update(_), Some(Resource::Role(role)), _) | (_, _, Some(Resource::Role(role))) => role.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_principal_that_was_deleted_is_not_trusted_again_by_itself() {
        let desired = trusting(&[READER, WRITER]);
        let first = planned(&desired, &trusting(&[DELETED, WRITER]));
        let narrowed = after(&first);
        assert_eq!(principals(&narrowed.trust), BTreeSet::from([WRITER.to_string()]));
        assert!(first.steps[0].held_back.as_ref().unwrap().message.contains(READER));
        let second = planned(&desired, &narrowed);
        assert!(matches!(second.steps[0].action, Action::Keep), "{second}");
        assert!(second.steps[0].held_back.is_some() && !second.is_settled(), "it is told until somebody acts");
    }

    #[test]
    fn taking_it_out_and_putting_it_in_again_trusts_the_new_one() {
        let both = trusting(&[READER, WRITER]);
        let narrowed = after(&planned(&both, &trusting(&[DELETED, WRITER])));
        let without = planned(&trusting(&[WRITER]), &narrowed);
        assert!(matches!(without.steps[0].action, Action::Update(_)), "the policy forgets whom it left out: {without}");
        assert_eq!(without.steps[0].held_back, None);
        let again = planned(&both, &after(&without));
        assert_eq!((principals(&after(&again).trust).len(), &again.steps[0].held_back), (2, &None));
    }

    #[test]
    fn where_nobody_is_left_nobody_may_take_the_role() {
        let plan = planned(&trusting(&[READER]), &trusting(&[DELETED]));
        let statements = policy::statements(&after(&plan).trust.as_written());
        assert_eq!((statements.len(), &statements[0]["Effect"]), (1, &json!("Deny")));
        assert!(matches!(planned(&trusting(&[READER]), &after(&plan)).steps[0].action, Action::Keep));
    }

    #[test]
    fn what_somebody_added_is_taken_away_all_the_same() {
        let plan = planned(&trusting(&[READER]), &trusting(&[DELETED, "arn:aws:iam::666666666666:root"]));
        assert!(!principals(&after(&plan).trust).contains("arn:aws:iam::666666666666:root"));
        assert!(plan.steps[0].held_back.is_some());
    }

    #[test]
    fn an_id_of_somebody_who_is_not_declared_is_simply_taken_away() {
        let plan = planned(&trusting(&[WRITER]), &trusting(&[DELETED, WRITER]));
        assert!(matches!(plan.steps[0].action, Action::Update(_)));
        assert_eq!(plan.steps[0].held_back, None);
        assert_eq!(after(&plan).trust, trusting(&[WRITER]).trust);
    }

    #[test]
    fn a_principal_that_is_new_in_the_spec_is_trusted() {
        let plan = planned(&trusting(&[READER, WRITER]), &trusting(&[WRITER]));
        assert_eq!((principals(&after(&plan).trust).len(), &plan.steps[0].held_back), (2, &None));
    }
}
