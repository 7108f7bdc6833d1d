//! What a single pass may and may not do.

use aiplatform::api::FINALIZER;
use aiplatform::api::status::{AccountCheck, Phase};
use aiplatform::failure::Class;
use aiplatform::guardrails::Guardrails;
use aiplatform::leadership::Authority;
use aiplatform::reconcile::{PlanError, dry_run};
use aiplatform::resource::Bucket;
use aiplatform::schedule::Next;
use aiplatform::session::Session;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::scenario::{ACCOUNT, made_by_s3, object, wanted};
use super::{Run, wait_for};
use crate::support::memory::{FakeCloud, Fault, Memory};

fn one_bucket() -> aiplatform::api::AIPlatform {
    object(json!({"storage": {"buckets": [{"name": "artifacts", "deletionPolicy": "Delete"}]}}))
}

fn in_an_empty_account(object: aiplatform::api::AIPlatform) -> Run {
    Run::new(Memory::new(ACCOUNT, FakeCloud::default()), object)
}

fn ready_reason(run: &Run) -> &str {
    let status = run.object.status.as_ref().unwrap();
    &status.conditions.iter().find(|condition| condition.type_ == "Ready").unwrap().reason
}

fn transient(call: usize) -> Fault {
    Fault { call, after_the_effect: false, class: Class::Transient, for_good: false }
}

#[test]
fn the_first_pass_says_what_it_will_make_before_any_call() {
    let mut run = in_an_empty_account(one_bucket());
    let pass = run.pass();
    assert_eq!(run.memory.calls(), 0);
    assert_eq!(pass.next, Next::Now);
    assert_eq!(pass.status.observed_generation, Some(2));
    assert_eq!(ready_reason(&run), "Pending");
    assert_eq!(pass.status.resources[0].name, wanted(&run.object)[0].name);
}

#[test]
fn once_the_account_is_found_right_a_pass_makes_it_and_the_next_finds_it() {
    let mut run = in_an_empty_account(one_bucket());
    run.pass();
    assert_eq!(run.pass().status.account_check, Some(AccountCheck::Passed));
    assert_eq!(run.memory.writes(), []);
    assert_eq!(run.pass().status.phase, Some(Phase::Ready));
    assert_eq!(run.memory.writes()[0].action, "s3:CreateBucket");
    run.assert_at_rest();
}

#[test]
fn a_new_generation_is_announced_again() {
    let mut run = in_an_empty_account(one_bucket());
    run.converge();
    let calls = run.memory.calls();
    run.object.metadata.generation = Some(3);
    assert_eq!(run.pass().status.observed_generation, Some(3));
    assert_eq!(ready_reason(&run), "Pending");
    assert_eq!(run.memory.calls(), calls);
}

#[test]
fn nothing_is_made_that_the_status_does_not_know_of() {
    let mut run = in_an_empty_account(one_bucket());
    run.converge();
    // Somebody took the inventory away; the generation is the same.
    run.object.status.as_mut().unwrap().resources.clear();
    run.memory.change(|cloud| cloud.resources.clear());
    let writes = run.memory.writes().len();
    assert_eq!(run.pass().next, Next::Now);
    assert_eq!(run.memory.writes().len(), writes, "it is listed first");
    assert_eq!(run.converge().status.phase, Some(Phase::Ready));
}

#[test]
fn a_suspended_object_makes_no_call_even_when_it_is_deleted() {
    for ending in [false, true] {
        let mut run = in_an_empty_account(one_bucket());
        run.converge();
        run.object.spec.suspend = true;
        run.object.metadata.generation = Some(3);
        let mut run = if ending { run.ending() } else { run };
        let calls = run.memory.calls();
        let pass = run.pass();
        assert!(!pass.finished);
        assert_eq!((pass.status.phase, pass.next), (Some(Phase::Suspended), Next::Never));
        assert_eq!(run.memory.calls(), calls);
        run.object.spec.suspend = false;
        assert_eq!(run.converge().finished, ending);
    }
}

#[test]
fn an_invalid_spec_makes_no_call() {
    let mut run = in_an_empty_account(object(json!({"storage": {"buckets": [{"name": "Not A Label"}]}})));
    let pass = run.pass();
    assert_eq!((ready_reason(&run), pass.next), ("InvalidSpec", Next::Slow));
    assert_eq!(run.memory.calls(), 0);
}

#[test]
fn another_account_stops_everything_before_a_write_and_names_both() {
    let mut run = Run::new(Memory::new("210987654321", FakeCloud::default()), one_bucket());
    run.pass();
    let pass = run.pass();
    assert_eq!((ready_reason(&run), pass.next), ("AccountMismatch", Next::Slow));
    let message = &pass.status.conditions[0].message;
    assert!(message.contains(ACCOUNT) && message.contains("210987654321"), "{message}");
    assert_eq!(run.memory.calls(), 1);
    assert_eq!(run.memory.writes(), []);
}

#[test]
fn an_account_that_cannot_be_read_is_requested_again() {
    for (class, reason, next) in
        [(Class::Transient, "ProgressingWithRetry", Next::Retry), (Class::Denied, "AccessDenied", Next::Slow)]
    {
        let mut run = in_an_empty_account(one_bucket());
        run.pass();
        run.memory.fail(Fault { class, ..transient(0) });
        let pass = run.pass();
        assert_eq!((ready_reason(&run), pass.next), (reason, next));
        assert_eq!(run.memory.writes(), []);
        assert_eq!(run.converge().status.phase, Some(Phase::Ready));
    }
}

#[test]
fn an_operator_that_is_ending_writes_nothing_more() {
    let mut run = in_an_empty_account(one_bucket());
    run.pass();
    run.pass();
    let stop = CancellationToken::new();
    stop.cancel();
    let pass = wait_for(aiplatform::reconcile::reconcile(
        &run.memory,
        &run.object,
        run.context(),
        &aiplatform::session::PassInput::default(),
        jiff::Timestamp::UNIX_EPOCH,
        &Authority::unelected(stop),
    ));
    assert_eq!(run.memory.writes(), []);
    assert_eq!(pass.status.resources[0].reason.as_deref(), Some("Interrupted"));
}

#[test]
fn a_deletion_is_finished_only_when_a_read_confirms_it() {
    let mut run = in_an_empty_account(one_bucket());
    run.converge();
    let mut run = run.ending();
    run.object.metadata.generation = Some(3);
    assert!(!run.pass().finished, "announced");
    let deleting = run.pass();
    assert!(!deleting.finished && deleting.next == Next::Now, "deleted");
    assert!(run.memory.cloud().resources.is_empty());
    let writes = run.memory.writes();
    assert!(run.pass().finished);
    assert_eq!(run.memory.writes(), writes);
}

#[test]
fn a_deletion_is_not_finished_while_something_cannot_be_read() {
    let mut run = in_an_empty_account(one_bucket());
    run.converge();
    let mut run = run.ending();
    run.memory.fail(Fault { class: Class::Denied, ..transient(1) });
    let pass = run.pass();
    assert!(!pass.finished);
    assert_eq!(pass.next, Next::Slow);
    assert!(run.converge().finished);
}

#[test]
fn a_deletion_goes_on_although_the_spec_is_no_longer_valid() {
    let mut run = in_an_empty_account(one_bucket());
    run.converge();
    let mut run = run.ending();
    run.object.spec.ownership.team.clear();
    run.object.metadata.generation = Some(3);
    assert!(run.converge().finished);
    assert!(run.memory.cloud().resources.is_empty());
}

#[test]
fn an_object_deleted_before_its_first_pass_leaves_nothing() {
    let mut run = in_an_empty_account(one_bucket()).ending();
    assert!(run.converge().finished);
    assert_eq!(run.memory.writes(), []);
}

#[test]
fn an_object_whose_account_was_never_right_can_be_deleted() {
    let stranger = || Run::new(Memory::new("210987654321", FakeCloud::default()), one_bucket());
    let unasked = |class| {
        let run = in_an_empty_account(one_bucket());
        run.memory.fail(Fault { class, for_good: true, ..transient(0) });
        run
    };
    for mut run in [stranger(), unasked(Class::Denied), unasked(Class::Transient)] {
        run.pass();
        assert!(!run.pass().finished);
        let mut run = run.ending();
        run.object.metadata.generation = Some(3);
        assert!(run.converge().finished, "{}", ready_reason(&run));
        assert_eq!(run.memory.writes(), []);
    }
}

#[test]
fn an_object_for_which_something_may_have_been_made_stays_and_names_the_way_out() {
    let made = |run: &mut Run| {
        run.converge();
    };
    // The process dies between the creation and the status that tells of it.
    let killed = |run: &mut Run| {
        run.pass();
        run.pass();
        run.lost_pass();
        assert_eq!(run.object.status.as_ref().unwrap().ready.as_deref(), Some("0/1"));
    };
    // An operator from before did not say whether the account was right.
    let from_before = |run: &mut Run| {
        run.converge();
        run.object.status.as_mut().unwrap().account_check = None;
    };
    // Somebody took the status away, or restored the object without it.
    let without_status = |run: &mut Run| {
        run.converge();
        run.object.metadata.finalizers = Some(vec![FINALIZER.into()]);
        run.object.status = None;
    };
    let histories: [&dyn Fn(&mut Run); 4] = [&made, &killed, &from_before, &without_status];
    for history in histories {
        let mut run = in_an_empty_account(one_bucket());
        history(&mut run);
        run.memory.fail(Fault { class: Class::Denied, for_good: true, ..transient(0) });
        let mut run = run.ending();
        let pass = run.converge();
        assert!(!pass.finished);
        let message = &pass.status.conditions[0].message;
        assert!(message.contains("set spec.deletionPolicy to Retain"), "{message}");
        run.memory.recover();
        assert!(run.converge().finished);
        assert!(run.memory.cloud().resources.is_empty(), "no orphan");
    }
}

#[test]
fn what_was_made_through_a_role_is_not_deleted_through_one_that_is_not_permitted_any_more() {
    let role = json!({"roleArn": "arn:aws:iam::123456789012:role/deployer"});
    let buckets = json!({"buckets": [{"name": "artifacts", "deletionPolicy": "Delete"}]});
    let mut run = in_an_empty_account(object(json!({"storage": buckets, "assumeRole": role})));
    run.converge();
    run.guardrails = Guardrails::Absent;
    let mut run = run.ending();
    let pass = run.converge();
    assert!(!pass.finished);
    let message = &pass.status.conditions[0].message;
    assert!(message.contains("spec.assumeRole.roleArn") && message.contains("deletionPolicy to Retain"), "{message}");
    run.guardrails = Guardrails::Unbounded;
    assert!(run.converge().finished);
}

#[test]
fn a_live_object_is_never_finished_even_when_it_declares_nothing() {
    let mut run = in_an_empty_account(object(json!({})));
    for _ in 0..3 {
        assert!(!run.pass().finished);
    }
    assert_eq!(ready_reason(&run), "Ready");
}

#[test]
fn an_object_made_again_takes_its_resources_back() {
    let mut run = in_an_empty_account(one_bucket());
    run.converge();
    run.object.status = None;
    run.object.metadata.generation = Some(1);
    let writes = run.memory.writes();
    assert_eq!(run.converge().status.phase, Some(Phase::Ready));
    assert_eq!(run.memory.writes(), writes);
}

#[test]
fn a_dry_run_plans_and_writes_nothing() {
    let run = in_an_empty_account(one_bucket());
    let plan = wait_for(dry_run(&run.memory, &run.object, run.context())).unwrap().plan;
    assert_eq!(plan.summary().create, 1);
    assert_eq!(run.memory.writes(), []);
}

#[test]
fn a_dry_run_says_why_it_cannot_plan() {
    let why = |memory: &Memory, object: &aiplatform::api::AIPlatform| -> PlanError {
        let run = Run::new(Memory::new(ACCOUNT, FakeCloud::default()), object.clone());
        wait_for(dry_run(memory, object, run.context())).unwrap_err()
    };
    let stranger = Memory::new("210987654321", FakeCloud::default());
    assert_eq!(why(&stranger, &one_bucket()).reason(), "AccountMismatch");
    let invalid = object(json!({"accountId": "1"}));
    assert_eq!(why(&stranger, &invalid).reason(), "InvalidSpec");
}

#[test]
fn what_drifts_is_put_right_in_the_fields_that_drifted_and_no_others() {
    let mut run = in_an_empty_account(one_bucket());
    run.converge();
    let name = wanted(&run.object)[0].name.clone();
    run.memory.change(|cloud| cloud.change::<Bucket>(&name, |bucket| bucket.versioning = false));
    let writes = run.memory.writes().len();
    run.converge();
    let made: Vec<String> = run.memory.writes().split_off(writes).into_iter().map(|write| write.action).collect();
    assert_eq!(made, ["s3:UpdateBucket versioning"]);
}

#[test]
fn a_part_that_is_read_hourly_is_put_right_after_the_hour_and_any_other_at_once() {
    let drifted = |drift: fn(&mut Bucket)| {
        let mut run = in_an_empty_account(one_bucket());
        run.session = Some(Session::default());
        run.converge();
        // The pass that reads what was made.
        run.assert_at_rest();
        let name = wanted(&run.object)[0].name.clone();
        run.memory.change(|cloud| cloud.change(&name, drift));
        let writes = run.memory.writes().len();
        // A pass each minute.
        let passes = (1..=60).find(|_| {
            run.pass();
            run.memory.writes().len() > writes
        });
        let made: Vec<String> = run.memory.writes().split_off(writes).into_iter().map(|write| write.action).collect();
        (passes.expect("it is noticed"), made)
    };
    let (passes, made) = drifted(|bucket| bucket.versioning = false);
    assert!(passes > 50, "{passes}");
    assert_eq!(made, ["s3:UpdateBucket versioning"]);
    let (passes, made) = drifted(|bucket| bucket.public_access_block.block_public_policy = false);
    assert_eq!((passes, made), (1, vec!["s3:UpdateBucket publicAccessBlock".to_string()]));
    let (passes, made) = drifted(|bucket| {
        bucket.versioning = false;
        bucket.public_access_block.block_public_policy = false;
    });
    let both = "s3:UpdateBucket publicAccessBlock versioning".to_string();
    assert_eq!((passes, made), (1, vec![both]), "a pass that writes reads everything");
}

#[test]
fn a_bucket_somebody_else_takes_over_is_left_to_them() {
    let mut run = in_an_empty_account(one_bucket());
    run.converge();
    let name = wanted(&run.object)[0].name.clone();
    let theirs = made_by_s3(&name, [("aiplatform.dev/owner".into(), "cluster-2/sales/crm".into())].into());
    run.memory.change(|cloud| _ = cloud.put(theirs.clone()));
    run.converge();
    assert_eq!(ready_reason(&run), "NotOwned");
    let mut run = run.ending();
    assert!(run.converge().finished);
    assert_eq!(run.memory.cloud().get::<Bucket>(&name), Some(&theirs));
}
