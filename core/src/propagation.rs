//! Late IAM: what was just written about a role is known everywhere only a moment later. Until then, a refusal that
//! speaks of the role or of permissions proves nothing, in whatever words; afterwards somebody has to look at it.
//!
//! Source: "Changes that I make are not always immediately visible", IAM user guide.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::failure::{Class, Error};
use crate::kind::MakesRole;
use crate::outcome::Applied;
use crate::outcome::{Outcome, Outcomes};
use crate::plan::{Action, Plan, Step};
use crate::resource::{Key, Kind};

/// The time after a write of a role or its policies in which a refusal proves nothing.
pub const WINDOW: Duration = Duration::from_mins(2);

/// The times at which roles were last written, as far as this process knows. What was written before it began counts as
/// written when it began.
#[derive(Clone, Debug, Default)]
pub struct RoleWrites {
    began: Option<Timestamp>,
    written: BTreeMap<Key, Timestamp>,
}

impl RoleWrites {
    /// Takes note of the roles that a pass wrote.
    pub fn record(&mut self, plan: &Plan, outcomes: &Outcomes, now: Timestamp) {
        self.began.get_or_insert(now);
        for step in plan.steps.iter().filter(|step| step.is_taken() && makes_role(step.key.kind)) {
            let is_written = match outcomes.get(&step.key) {
                Some(Outcome::Done(Applied::Gone)) => {
                    self.written.remove(&step.key);
                    continue;
                }
                Some(Outcome::Done(
                    Applied::Ready | Applied::ReadyAs { .. } | Applied::Progressing(_) | Applied::Created { .. },
                )) => true,
                Some(Outcome::Failed(failures)) => failures.wrote(),
                Some(Outcome::Blocked(_) | Outcome::Interrupted | Outcome::NotTaken) | None => continue,
            };
            if is_written {
                self.written.insert(step.key.clone(), now);
            } else {
                // What it is refused for may itself have been made a moment ago.
                self.written.entry(step.key.clone()).or_insert(now);
            }
        }
    }

    /// The outcomes of a pass that was recorded, with those failures as passing that IAM's delay explains.
    #[must_use]
    pub fn explain(&self, plan: &Plan, outcomes: Outcomes, now: Timestamp) -> Outcomes {
        let explained = |(key, outcome): (Key, Outcome)| {
            let outcome = match (outcome, plan.steps.iter().find(|step| step.key == key)) {
                (Outcome::Failed(failures), Some(step)) => {
                    Outcome::Failed(failures.map(|error| self.explained(step, plan, error, now)))
                }
                (outcome, _) => outcome,
            };
            (key, outcome)
        };
        outcomes.into_iter().map(explained).collect()
    }

    fn explained(&self, step: &Step, plan: &Plan, error: Error, now: Timestamp) -> Error {
        let is_explained = match step.action {
            Action::Create | Action::Update(_) if step.key.kind.info().makes_role == MakesRole::Itself => {
                speaks_of_boundary(&error) && self.written.get(&step.key).is_none_or(|at| is_recent(*at, now))
            }
            Action::Create | Action::Update(_) => {
                let roles = roles_behind(step, plan);
                let is_recent = |role: &&Key| {
                    self.written.get(role).copied().or(self.began).is_none_or(|written| is_recent(written, now))
                };
                let recent: BTreeSet<&Key> = roles.iter().filter(is_recent).collect();
                !recent.is_empty() && speaks_of_roles(&error, &recent)
            }
            _ => false,
        };
        if is_explained { Error { class: Class::Propagating, ..error } } else { error }
    }
}

fn is_recent(written: Timestamp, now: Timestamp) -> bool {
    now.duration_since(written).unsigned_abs() < WINDOW
}

fn makes_role(kind: Kind) -> bool {
    kind.info().makes_role != MakesRole::No
}

/// The roles that a step stands on, however far below it.
fn roles_behind(step: &Step, plan: &Plan) -> BTreeSet<Key> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&Key> = step.needs.iter().collect();
    while let Some(key) = open.pop() {
        if found.insert(key.clone()) {
            open.extend(plan.steps.iter().filter(|step| step.key == *key).flat_map(|step| &step.needs));
        }
    }
    found.retain(|key| makes_role(key.kind));
    found
}

/// Words of refusals for which a role, or what it may do, can be the cause.
const SIGNS: [&str; 9] =
    ["role", "permission", "authoriz", "authoris", "assum", "access", "grant", "principal", "trust"];

/// True when a refusal by AWS can be about one of these roles, and not about what the operator itself may not do.
fn speaks_of_roles(error: &Error, roles: &BTreeSet<&Key>) -> bool {
    let is_aws = error.action.contains(':');
    let text = format!("{} {}", error.code, error.message);
    match error.class {
        Class::Invalid => is_aws && has_sign(&text),
        Class::Denied => match denied_principal(&error.message) {
            // Whoever is named was denied: one of the roles, or the operator.
            Some(principal) => roles.iter().any(|role| principal.split('/').any(|part| part == role.name)),
            None => is_aws && has_sign(&without_denial(&text)),
        },
        _ => false,
    }
}

fn has_sign(text: &str) -> bool {
    let text = text.to_lowercase();
    SIGNS.iter().any(|sign| text.contains(sign))
}

/// The words that every denial has, which say nothing about its cause.
fn without_denial(text: &str) -> String {
    text.to_lowercase().replace("accessdenied", "").replace("access denied", "")
}

/// The principal that was denied, in AWS's usual words: `User: arn:... is not authorized to perform: ...`.
fn denied_principal(message: &str) -> Option<&str> {
    let (before, _) = message.split_once(" is not authorized to perform")?;
    before.rsplit(' ').next()
}

/// True when IAM says that a permissions boundary is not there.
fn speaks_of_boundary(error: &Error) -> bool {
    error.class == Class::Invalid && error.message.contains("Scope ARN")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failures::{Failures, Parts};
    use crate::testing::{at, step};

    const ECR: &str = "The repository of your image does not grant ecr:GetDownloadUrlForLayer permission to \
                       sagemaker.amazonaws.com service principal.";

    fn key(kind: Kind, name: &str) -> Key {
        Key { kind, name: name.into() }
    }

    fn on(kind: Kind, name: &str, action: Action, needs: Vec<Key>) -> Step {
        Step { key: key(kind, name), needs, ..step(name, action, &[]) }
    }

    fn refusal(class: Class, code: &str, message: &str) -> Error {
        Error {
            class,
            action: "sagemaker:CreateModel".into(),
            subject: "arn:m".into(),
            code: code.into(),
            message: message.into(),
            request_id: None,
        }
    }

    fn invalid(message: &str) -> Error {
        refusal(Class::Invalid, "ValidationException", message)
    }

    fn plan(role: Action) -> Plan {
        let steps = vec![
            on(Kind::Role, "r", role, Vec::new()),
            on(Kind::SageMakerModel, "m", Action::Create, vec![key(Kind::Role, "r")]),
            on(Kind::SageMakerEndpointConfig, "c", Action::Create, vec![key(Kind::SageMakerModel, "m")]),
            on(Kind::SageMakerModel, "theirs", Action::Create, Vec::new()),
        ];
        Plan { steps, ..Plan::default() }
    }

    /// A memory of a process that began long ago and wrote the role at this time.
    fn wrote_at(seconds: i64) -> RoleWrites {
        let mut writes = RoleWrites::default();
        writes.record(&Plan::default(), &Outcomes::new(), at(-3600));
        let done = Outcomes::from([(key(Kind::Role, "r"), Outcome::Done(Applied::Ready))]);
        writes.record(&plan(Action::Create), &done, at(seconds));
        writes
    }

    fn class_of(writes: &RoleWrites, plan: &Plan, step: &Key, error: Error, seconds: i64) -> Class {
        let outcomes = Outcomes::from([(step.clone(), Outcome::Failed(error.into()))]);
        match &writes.explain(plan, outcomes, at(seconds))[step] {
            Outcome::Failed(failures) => failures.errors().next().unwrap().class,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_refusal_that_speaks_of_permissions_passes_for_two_minutes_after_the_role_was_written() {
        let (writes, plan, model) = (wrote_at(0), plan(Action::Keep), key(Kind::SageMakerModel, "m"));
        for message in [
            ECR,
            "Could not assume role arn:aws:iam::1:role/r. Please ensure that the role exists",
            "The execution role ARN \"x\" is invalid.",
            "You are not authorized to use this image",
        ] {
            assert_eq!(class_of(&writes, &plan, &model, invalid(message), 1), Class::Propagating, "{message}");
            assert_eq!(class_of(&writes, &plan, &model, invalid(message), 119), Class::Propagating, "{message}");
            assert_eq!(class_of(&writes, &plan, &model, invalid(message), 120), Class::Invalid, "{message}");
        }
        let other = invalid("Requested image x not found.");
        assert_eq!(class_of(&writes, &plan, &model, other, 1), Class::Invalid, "it speaks of something else");
    }

    #[test]
    fn only_what_stands_on_a_role_that_was_written_is_explained() {
        let (writes, plan) = (wrote_at(0), plan(Action::Keep));
        let above = key(Kind::SageMakerEndpointConfig, "c");
        assert_eq!(
            class_of(&writes, &plan, &above, invalid(ECR), 1),
            Class::Propagating,
            "needs reach down to the role"
        );
        let theirs = key(Kind::SageMakerModel, "theirs");
        assert_eq!(class_of(&writes, &plan, &theirs, invalid(ECR), 1), Class::Invalid, "a role that is not ours");
    }

    #[test]
    fn a_restart_counts_as_a_write() {
        let mut writes = RoleWrites::default();
        let (plan, model) = (plan(Action::Keep), key(Kind::SageMakerModel, "m"));
        writes.record(&plan, &Outcomes::new(), at(0));
        assert_eq!(class_of(&writes, &plan, &model, invalid(ECR), 60), Class::Propagating);
        writes.record(&plan, &Outcomes::new(), at(60));
        assert_eq!(class_of(&writes, &plan, &model, invalid(ECR), 121), Class::Invalid, "later passes do not move it");
    }

    #[test]
    fn a_denial_of_the_operator_itself_is_for_somebody() {
        let (writes, plan, model) = (wrote_at(0), plan(Action::Keep), key(Kind::SageMakerModel, "m"));
        for (message, expected) in [
            (
                "User: arn:aws:sts::1:assumed-role/aiplatform/x is not authorized to perform: sagemaker:CreateModel on resource: arn:m",
                Class::Denied,
            ),
            (
                "User: arn:aws:sts::1:assumed-role/aiplatform/x is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/aiplatform/r",
                Class::Denied,
            ),
            ("Access Denied", Class::Denied),
            (
                "User: arn:aws:sts::1:assumed-role/r/SageMaker is not authorized to perform: ecr:BatchGetImage",
                Class::Propagating,
            ),
            ("Access denied while assuming the role", Class::Propagating),
        ] {
            let denied = refusal(Class::Denied, "AccessDeniedException", message);
            assert_eq!(class_of(&writes, &plan, &model, denied, 1), expected, "{message}");
        }
    }

    #[test]
    fn a_boundary_that_is_not_there_passes_for_two_minutes_from_the_first_try() {
        let boundary =
            || refusal(Class::Invalid, "NoSuchEntity", "Scope ARN: arn:b does not exist or is not attachable.");
        let (plan, role) = (plan(Action::Create), key(Kind::Role, "r"));
        let mut writes = RoleWrites::default();
        writes.record(&Plan::default(), &Outcomes::new(), at(-3600));
        for (seconds, expected) in [(0, Class::Propagating), (60, Class::Propagating), (120, Class::Invalid)] {
            let failed = Outcomes::from([(role.clone(), Outcome::Failed(boundary().into()))]);
            writes.record(&plan, &failed, at(seconds));
            assert_eq!(class_of(&writes, &plan, &role, boundary(), seconds), expected, "after {seconds} s");
        }
        let grammar = refusal(Class::Invalid, "MalformedPolicyDocument", "Invalid principal in policy");
        assert_eq!(class_of(&wrote_at(0), &plan, &role, grammar, 1), Class::Invalid);
    }

    #[test]
    fn a_role_of_which_a_part_was_written_was_written() {
        let mut parts = Parts::of_a_creation();
        parts.note::<()>("policies.access", Err(refusal(Class::Quota, "LimitExceeded", "")));
        let failures: Failures = parts.end(Applied::Ready).unwrap_err();
        let mut writes = wrote_at(-600);
        writes.record(
            &plan(Action::Create),
            &Outcomes::from([(key(Kind::Role, "r"), Outcome::Failed(failures))]),
            at(0),
        );
        let plan = plan(Action::Keep);
        assert_eq!(class_of(&writes, &plan, &key(Kind::SageMakerModel, "m"), invalid(ECR), 1), Class::Propagating);
    }

    #[test]
    fn what_goes_and_what_the_cluster_refuses_is_not_explained() {
        let mut going = plan(Action::Keep);
        going.steps[1].action = Action::Delete { with_contents: false };
        let model = key(Kind::SageMakerModel, "m");
        assert_eq!(class_of(&wrote_at(0), &going, &model, invalid(ECR), 1), Class::Invalid);
        let mut bound = plan(Action::Keep);
        bound.steps[1].key = key(Kind::ServiceAccount, "n/a");
        let forbidden =
            Error { action: "patch serviceaccounts".into(), ..refusal(Class::Denied, "Forbidden", "no role") };
        assert_eq!(class_of(&wrote_at(0), &bound, &bound.steps[1].key, forbidden, 1), Class::Denied);
    }
}
