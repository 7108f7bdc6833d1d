//! First attempts: what was never attempted is made without a read before, where the call that makes it is refused if its
//! name is taken, whoever has it. Then it is read, and what is there decides as always.

use std::collections::BTreeSet;

use crate::failure::Class;
use crate::failures::Failures;
use crate::kind::Creation;
use crate::outcome::{Outcome, Outcomes};
use crate::plan::{Action, Plan, Step};
use crate::resource::{Desired, Key, Observations};

/// The desired resources that need not be read before their first attempt. `desired` comes in an order in which each
/// follows what it needs.
#[must_use]
pub fn unread(desired: &[Desired], never_attempted: &BTreeSet<Key>) -> BTreeSet<Key> {
    let mut unread = BTreeSet::new();
    for Desired { resource, adopt, .. } in desired {
        let key = resource.key();
        let may_be_unread = match key.kind.info().creation {
            Creation::RefusedWhereTaken => resource.is_refused_where_taken(),
            Creation::ReadOnceNeedsAreThere => resource.needs().iter().any(|need| unread.contains(need)),
            Creation::ReadFirst => false,
        };
        if may_be_unread && !adopt && never_attempted.contains(&key) {
            unread.insert(key);
        }
    }
    unread
}

/// The plan, in which nothing is made unread that might be written over by that: it waits for what it needs.
#[must_use]
pub fn without_overwrites(mut plan: Plan, observations: &Observations) -> Plan {
    for step in plan.steps.iter_mut().filter(|step| is_first_attempt(step, observations)) {
        if step.key.kind.info().creation == Creation::ReadOnceNeedsAreThere {
            step.action = Action::Blocked(step.needs.clone());
        }
    }
    plan
}

/// The outcomes, in which a first attempt that was refused because the name is taken counts as not made: nothing is known
/// of what is there, which the next pass reads.
#[must_use]
pub fn explained(plan: &Plan, mut outcomes: Outcomes, observations: &Observations) -> Outcomes {
    for step in plan.steps.iter().filter(|step| is_first_attempt(step, observations)) {
        if matches!(outcomes.get(&step.key), Some(Outcome::Failed(failures)) if is_taken(failures)) {
            outcomes.insert(step.key.clone(), Outcome::NotTaken);
        }
    }
    outcomes
}

/// True when the next pass has to read what is there, because a first attempt found a name taken.
#[must_use]
pub fn found_a_name_taken(plan: &Plan, outcomes: &Outcomes, observations: &Observations) -> bool {
    let mut attempts = plan.steps.iter().filter(|step| is_first_attempt(step, observations));
    attempts.any(|step| outcomes.get(&step.key) == Some(&Outcome::NotTaken))
}

fn is_first_attempt(step: &Step, observations: &Observations) -> bool {
    step.action == Action::Create && observations.get(&step.key).is_some_and(|observed| observed.is_assumed)
}

fn is_taken(failures: &Failures) -> bool {
    !failures.wrote() && failures.errors().all(|error| matches!(error.class, Class::Conflict | Class::NotOwned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Kind, Observed};
    use crate::testing::{bucket_key, failure, step, wanted_bucket};

    fn bucket(name: &str, region: &str, adopt: bool) -> Desired {
        let mut desired = Desired { adopt, ..wanted_bucket(name) };
        if let crate::resource::Resource::Bucket(bucket) = &mut desired.resource {
            bucket.region = region.into();
        }
        desired
    }

    #[test]
    fn what_is_refused_where_it_is_there_and_was_never_attempted_need_not_be_read() {
        let desired = [
            bucket("new", "eu-west-1", false),
            bucket("adopted", "eu-west-1", true),
            bucket("attempted", "eu-west-1", false),
            bucket("oldest", "us-east-1", false),
        ];
        let never = ["new", "adopted", "oldest"].map(bucket_key).into();
        let names: Vec<String> = unread(&desired, &never).into_iter().map(|key| key.name).collect();
        assert_eq!(names, ["new"]);
    }

    #[test]
    fn a_name_that_is_taken_is_read_and_any_other_refusal_is_told() {
        let assumed = Observations::from([(bucket_key("a"), Observed::assumed_absent())]);
        let read = Observations::from([(bucket_key("a"), Observed::absent())]);
        let plan = Plan { steps: vec![step("a", Action::Create, &[])], ..Plan::default() };
        for (class, observations, is_found) in [
            (Class::Conflict, &assumed, true),
            (Class::NotOwned, &assumed, true),
            (Class::Denied, &assumed, false),
            (Class::Transient, &assumed, false),
            (Class::Conflict, &read, false),
        ] {
            let failed = Outcome::Failed(failure(class).into());
            let outcomes = explained(&plan, Outcomes::from([(bucket_key("a"), failed.clone())]), observations);
            assert_eq!(outcomes[&bucket_key("a")] == failed, !is_found, "{class:?}");
            assert_eq!(found_a_name_taken(&plan, &outcomes, observations), is_found, "{class:?}");
        }
    }

    #[test]
    fn what_may_be_written_over_waits_until_it_can_be_read() {
        let action = |kind: Kind, observed: Observed| {
            let mut plan = Plan { steps: vec![step("a", Action::Create, &[])], ..Plan::default() };
            plan.steps[0].key.kind = kind;
            let observations = Observations::from([(plan.steps[0].key.clone(), observed)]);
            without_overwrites(plan, &observations).steps.remove(0).action
        };
        assert!(matches!(action(Kind::ScalableTarget, Observed::assumed_absent()), Action::Blocked(_)));
        assert_eq!(action(Kind::ScalableTarget, Observed::absent()), Action::Create);
        assert_eq!(action(Kind::SageMakerModel, Observed::assumed_absent()), Action::Create);
    }
}
