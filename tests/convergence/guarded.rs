//! What guardrails do to a pass.

use aiplatform::api::AIPlatform;
use aiplatform::api::status::Phase;
use aiplatform::guardrails::{Guardrails, Rule, Rules};
use aiplatform::schedule::Next;
use serde_json::json;

use super::Run;
use super::scenario::{ACCOUNT, object};
use crate::support::memory::{Memory, World};

fn guarded(object: AIPlatform, guardrails: Guardrails) -> Run {
    Run { guardrails, ..Run::new(Memory::new(ACCOUNT, World::default()), object) }
}

fn only_in(account: &str) -> Guardrails {
    Guardrails::Given(Rules { rules: vec![Rule { accounts: Some(vec![account.into()]), ..Rule::default() }] })
}

fn one_bucket() -> AIPlatform {
    object(json!({"storage": {"buckets": [{"name": "artifacts", "deletionPolicy": "Delete"}]}}))
}

fn working_through_a_role() -> AIPlatform {
    let mut object = one_bucket();
    let role = json!({"roleArn": format!("arn:aws:iam::{ACCOUNT}:role/deployer")});
    object.spec.assume_role = Some(serde_json::from_value(role).expect("a role"));
    object
}

#[test]
fn what_is_not_permitted_stalls_before_any_call() {
    for (object, guardrails) in
        [(one_bucket(), only_in("999999999999")), (working_through_a_role(), Guardrails::Absent)]
    {
        let mut run = guarded(object, guardrails);
        let pass = run.pass();
        let ready = &pass.status.conditions[0];
        assert_eq!((ready.reason.as_str(), pass.next), ("NotPermitted", Next::Slow));
        assert!(ready.message.contains("is not allowed here"), "{}", ready.message);
        assert_eq!(run.memory.calls(), 0);
    }
}

#[test]
fn what_is_permitted_again_heals() {
    let mut run = guarded(one_bucket(), only_in("999999999999"));
    run.pass();
    run.guardrails = only_in(ACCOUNT);
    assert_eq!(run.settle().status.phase, Some(Phase::Ready));
}

#[test]
fn a_deletion_goes_on_although_the_guardrails_changed() {
    let mut run = guarded(one_bucket(), Guardrails::Absent);
    run.settle();
    let mut run = Run { guardrails: only_in("999999999999"), ..run.ending() };
    assert!(run.settle().finished);
    assert_eq!(run.memory.world(), World::default());
}

#[test]
fn a_deletion_does_not_work_through_a_role_that_is_no_longer_permitted() {
    let mut run = guarded(working_through_a_role(), Guardrails::Unbounded);
    run.settle();
    let calls = run.memory.calls();
    let mut run = Run { guardrails: only_in(ACCOUNT), ..run.ending() };
    let pass = run.pass();
    assert!(!pass.finished);
    assert_eq!(pass.status.conditions[0].reason, "NotPermitted");
    run.object.spec.ownership.team.clear();
    assert_eq!(run.pass().status.conditions[0].reason, "NotPermitted", "an invalid spec is no way around it");
    assert_eq!(run.memory.calls(), calls);
}
