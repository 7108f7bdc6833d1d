//! What guardrails do to a pass.

use aiplatform::api::AIPlatform;
use aiplatform::api::status::Phase;
use aiplatform::guardrails::{Guardrails, Rule, Rules};
use aiplatform::resource::{Bucket, Contents};
use aiplatform::schedule::Next;
use serde_json::{Value, json};

use super::Run;
use super::scenario::{ACCOUNT, object};
use crate::support::memory::{FakeCloud, Memory};

fn guarded(object: AIPlatform, guardrails: Guardrails) -> Run {
    Run { guardrails, ..Run::new(Memory::new(ACCOUNT, FakeCloud::default()), object) }
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
    assert_eq!(run.converge().status.phase, Some(Phase::Ready));
}

#[test]
fn a_deletion_goes_on_although_the_guardrails_changed() {
    let mut run = guarded(one_bucket(), Guardrails::Absent);
    run.converge();
    let mut run = Run { guardrails: only_in("999999999999"), ..run.ending() };
    assert!(run.converge().finished);
    assert!(run.memory.cloud().resources.is_empty());
}

/// A platform with one bucket, and something in its spec that the guardrails or validation refuse.
fn with_bucket(policy: &str, fault: &Value) -> AIPlatform {
    let mut fields = json!({"storage": {"buckets": [{"name": "artifacts", "deletionPolicy": policy}]}});
    for (name, value) in fault.as_object().expect("an object") {
        fields[name] = value.clone();
    }
    object(fields)
}

/// What makes a spec one that is not accepted, each for another reason.
fn faults() -> [Value; 2] {
    let rank = json!({"name": "rank", "sagemaker": {
        "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:1",
        "modelData": {"uri": "s3://models-of-others/rank/model.tar.gz"},
        "instance": {"type": "ml.m5.large"},
    }});
    [json!({"models": [rank]}), json!({"tags": {"aws:mine": "x"}})]
}

fn fill(run: &Run) {
    run.memory.change(|cloud| {
        for bucket in cloud.resources.values_mut() {
            bucket.contents = Contents { versions: 3, ..Contents::default() };
        }
    });
}

/// The next generation of the object.
fn edited(mut run: Run, mut to: AIPlatform) -> Run {
    to.status = run.object.status.take();
    to.metadata.generation = Some(to.metadata.generation.unwrap_or_default() + run.passes + 1);
    Run { object: to, ..run }
}

#[test]
fn a_spec_that_was_never_accepted_takes_nothing_away() {
    for fault in faults() {
        let mut earlier = guarded(with_bucket("Retain", &json!({})), Guardrails::Absent);
        earlier.converge();
        fill(&earlier);
        let mut earlier = earlier.ending();
        assert!(earlier.converge().finished);
        let kept = earlier.memory.cloud();
        assert_eq!(kept.all::<Bucket>().count(), 1);

        let object = with_bucket("DeleteWithContents", &fault);
        let mut run = Run { guardrails: Guardrails::Absent, ..Run::new(earlier.memory, object) };
        assert_eq!(run.converge().status.phase, Some(Phase::Stalled));
        let mut run = run.ending();
        assert!(run.converge().finished, "{fault}: nothing was made for it");
        assert_eq!(run.memory.cloud().resources, kept.resources, "{fault}");
    }
}

#[test]
fn an_edit_that_is_not_accepted_loosens_no_end_and_may_tighten_one() {
    // Accepted, edited to, and what is left when the object goes.
    for (accepted, edited_to, is_kept) in [
        ("Retain", "DeleteWithContents", true),
        ("Retain", "Delete", true),
        ("DeleteWithContents", "Retain", true),
        ("DeleteWithContents", "DeleteWithContents", false),
    ] {
        for fault in faults() {
            for is_seen in [true, false] {
                let mut run = guarded(with_bucket(accepted, &json!({})), Guardrails::Absent);
                run.converge();
                fill(&run);
                let mut run = edited(run, with_bucket(edited_to, &fault));
                if is_seen {
                    assert_eq!(run.converge().status.phase, Some(Phase::Stalled));
                }
                let mut run = run.ending();
                assert!(run.converge().finished, "{accepted} {edited_to} {fault}");
                assert_eq!(run.memory.cloud().all::<Bucket>().count() == 1, is_kept, "{accepted} {edited_to} {fault}");
            }
        }
    }
}

#[test]
fn an_edit_that_is_accepted_at_the_time_of_the_deletion_counts_although_no_pass_saw_it() {
    let mut run = guarded(with_bucket("Retain", &json!({})), Guardrails::Absent);
    run.converge();
    fill(&run);
    let mut run = edited(run, with_bucket("DeleteWithContents", &json!({}))).ending();
    assert!(run.converge().finished);
    assert_eq!(run.memory.cloud().all::<Bucket>().count(), 0);
}

#[test]
fn an_edit_that_is_not_accepted_does_not_lift_what_keeps_everything() {
    let accepted = [json!({"deletionPolicy": "Retain"}), json!({"managementPolicy": "NoDelete"})];
    for (fields, mut fault) in accepted.iter().flat_map(|fields| faults().map(|fault| (fields, fault))) {
        let mut run = guarded(with_bucket("DeleteWithContents", fields), Guardrails::Absent);
        run.converge();
        fill(&run);
        fault["deletionPolicy"] = json!("Delete");
        let mut run = edited(run, with_bucket("DeleteWithContents", &fault)).ending();
        assert!(run.converge().finished);
        assert_eq!(run.memory.cloud().all::<Bucket>().count(), 1, "{fields} {fault}");
    }
}

#[test]
fn where_nobody_knows_what_was_accepted_a_deletion_waits() {
    for mut fault in faults() {
        let mut run = guarded(with_bucket("Delete", &json!({})), Guardrails::Absent);
        run.converge();
        let mut run = edited(run, with_bucket("Delete", &fault)).ending();
        run.object.status.as_mut().expect("a status").deletion_policy = None;
        let writes = run.memory.writes();
        let pass = run.converge();
        assert!(!pass.finished && run.memory.writes() == writes, "{fault}");
        let ready = &pass.status.conditions[0];
        assert!(ready.message.contains("set spec.deletionPolicy to Retain"), "{}", ready.message);

        fault["deletionPolicy"] = json!("Retain");
        let mut run = edited(run, with_bucket("Delete", &fault)).ending();
        assert!(run.converge().finished);
        assert_eq!(run.memory.cloud().all::<Bucket>().count(), 1);
    }
}

#[test]
fn a_deletion_does_not_work_through_a_role_that_is_no_longer_permitted() {
    let mut run = guarded(working_through_a_role(), Guardrails::Unbounded);
    run.converge();
    let calls = run.memory.calls();
    let mut run = Run { guardrails: only_in(ACCOUNT), ..run.ending() };
    let pass = run.pass();
    assert!(!pass.finished);
    assert_eq!(pass.status.conditions[0].reason, "NotPermitted");
    run.object.spec.ownership.team.clear();
    assert_eq!(run.pass().status.conditions[0].reason, "NotPermitted", "an invalid spec is no way around it");
    assert_eq!(run.memory.calls(), calls);
}
