use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use serde_json::json;

use super::*;
use crate::api::status::ResourceStatus;
use crate::failure::{Class, Error};
use crate::outcome::Applied;
use crate::plan::attainment::LeftOut;
use crate::resource::{Key, Kind, Removal};
use crate::testing::{at, bucket_key, failure, refusal, step, wanted, wanted_bucket};

mod gitops;

const SUBJECT: Subject<'static> = Subject {
    accepted_end: None,
    generation: Some(3),
    deleting: false,
    observing: false,
    previous: None,
    is_new: true,
    now: Timestamp::UNIX_EPOCH,
    facts: None,
};

/// A plan and what came of it, and the status that follows.
#[derive(Default)]
struct Run {
    plan: Plan,
    outcomes: Outcomes,
}

impl Run {
    fn with(mut self, step: Step, outcome: Outcome) -> Self {
        self.outcomes.insert(step.key.clone(), outcome);
        self.plan.steps.push(step);
        self
    }

    fn action(self, name: &str, action: Action) -> Self {
        self.with(step(name, action, &[]), Outcome::NotTaken)
    }

    fn kept(self, name: &str) -> Self {
        self.action(name, Action::Keep)
    }

    fn created(self, name: &str, outcome: Outcome) -> Self {
        self.with(step(name, Action::Create, &[]), outcome)
    }

    fn deleted(self, name: &str, outcome: Outcome) -> Self {
        self.with(step(name, Action::Delete { with_contents: false }, &[]), outcome)
    }

    fn failed(self, name: &str, class: Class) -> Self {
        self.created(name, Outcome::Failed(error_on(name, class).into()))
    }

    fn status(&self, subject: Subject) -> (AIPlatformStatus, Next) {
        status(subject, &PassOutcome::Planned(&self.plan, &self.outcomes))
    }
}

fn error_on(name: &str, class: Class) -> Error {
    Error { subject: format!("arn:aws:s3:::{name}"), ..failure(class) }
}

fn done() -> Outcome {
    Outcome::Done(Applied::Ready)
}

fn condition<'a>(status: &'a AIPlatformStatus, kind: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.type_ == kind)
}

/// Every condition as `Type=Status Reason`, in order.
fn conditions_of(status: &AIPlatformStatus) -> Vec<String> {
    status.conditions.iter().map(|found| format!("{}={} {}", found.type_, found.status, found.reason)).collect()
}

fn message_of(status: &AIPlatformStatus) -> &str {
    &condition(status, "Ready").unwrap().message
}

fn resource<'a>(status: &'a AIPlatformStatus, name: &str) -> &'a ResourceStatus {
    status.resources.iter().find(|resource| resource.name == name).unwrap()
}

/// The state of each resource, as `name State Reason`.
fn resources_of(status: &AIPlatformStatus) -> Vec<String> {
    let shown =
        |found: &ResourceStatus| format!("{} {:?} {}", found.name, found.state, found.reason.as_deref().unwrap_or("-"));
    status.resources.iter().map(shown).collect()
}

fn resources_named(names: &[&str]) -> Vec<Resource> {
    let buckets: Vec<_> = names.iter().map(|name| json!({"name": name, "bucketName": name})).collect();
    wanted(buckets.into()).into_iter().map(|desired| desired.resource).collect()
}

/// The outcome gives this phase, this next pass and these conditions.
fn gives(run: &Run, subject: Subject, phase: Phase, next: Next, conditions: &[&str]) -> AIPlatformStatus {
    let (status, found) = run.status(subject);
    assert_eq!(conditions_of(&status), conditions);
    assert_eq!(status.phase, Some(phase));
    assert_eq!(found, next);
    assert_eq!(status.observed_generation, Some(3));
    assert!(status.conditions.iter().all(|condition| condition.observed_generation == Some(3)));
    status
}

#[test]
fn a_new_generation_is_announced_with_everything_it_wants() {
    let resources = resources_named(&["one-bucket", "two-bucket"]);
    let (status, next) = status(SUBJECT, &PassOutcome::Announced(&resources));
    assert_eq!(status.phase, Some(Phase::Pending));
    assert_eq!(next, Next::Now);
    assert_eq!(
        conditions_of(&status),
        ["Ready=Unknown Pending", "Reconciling=True Pending", "StorageReady=Unknown Pending"]
    );
    assert_eq!(resources_of(&status), ["one-bucket Progressing Pending", "two-bucket Progressing Pending"]);
    assert_eq!(resource(&status, "one-bucket").arn.as_deref(), Some("arn:aws:s3:::one-bucket"));
    assert_eq!(status.ready.as_deref(), Some("0/2"));
    assert_eq!(inventory(Some(&status)), [bucket_key("one-bucket"), bucket_key("two-bucket")]);
}

#[test]
fn an_announcement_forgets_nothing_that_was_known_before() {
    let (before, _) = Run::default().kept("old-bucket").kept("one-bucket").status(SUBJECT);
    let subject = Subject { previous: Some(&before), now: at(60), ..SUBJECT };
    let (status, _) = status(subject, &PassOutcome::Announced(&resources_named(&["one-bucket", "new-bucket"])));
    assert_eq!(resources_of(&status), ["one-bucket Ready -", "new-bucket Progressing Pending", "old-bucket Ready -"]);
    assert_eq!(resource(&status, "one-bucket").since, Some(Time(SUBJECT.now)));
    assert_eq!(resource(&status, "new-bucket").since, Some(Time(at(60))));
}

#[test]
fn a_deletion_is_announced_as_one() {
    let (before, _) = Run::default().kept("one-bucket").status(SUBJECT);
    let subject = Subject { deleting: true, previous: Some(&before), ..SUBJECT };
    let (status, next) = status(subject, &PassOutcome::Announced(&[]));
    assert_eq!(status.phase, Some(Phase::Deleting));
    assert_eq!(next, Next::Now);
    assert_eq!(inventory(Some(&status)), [bucket_key("one-bucket")]);
}

#[test]
fn suspended_means_unknown_and_nothing_to_come() {
    for (deleting, telling) in [(false, "set spec.suspend to false to go on"), (true, "the deletion waits")] {
        let (status, next) = status(Subject { deleting, ..SUBJECT }, &PassOutcome::Suspended);
        assert_eq!(conditions_of(&status), ["Ready=Unknown Suspended"]);
        assert_eq!(status.phase, Some(Phase::Suspended));
        assert_eq!(next, Next::Never);
        assert!(message_of(&status).contains(telling), "{}", message_of(&status));
    }
}

#[test]
fn what_is_wrong_with_the_spec_is_reported_all_at_once_and_somebody_has_to_act() {
    let problems = [Problem::new("spec.region", "is wrong"), Problem::new("spec.accountId", "is wrong too")];
    let (status, next) = status(SUBJECT, &PassOutcome::Invalid(&problems));
    assert_eq!(conditions_of(&status), ["Ready=False InvalidSpec", "Stalled=True InvalidSpec"]);
    assert_eq!(status.phase, Some(Phase::Stalled));
    assert_eq!(next, Next::Slow);
    assert_eq!(message_of(&status), "spec.region: is wrong; spec.accountId: is wrong too");
}

#[test]
fn an_endless_message_is_cut_where_kubernetes_would_refuse_it_and_between_letters() {
    let problems = [Problem::new("p", format!("x{}", "é".repeat(20_000)))];
    let (status, _) = status(SUBJECT, &PassOutcome::Invalid(&problems));
    assert!((32_760..=32_768).contains(&message_of(&status).len()), "{}", message_of(&status).len());
}

#[test]
fn what_stalls_the_whole_object_stalls_it() {
    let (status, next) = status(SUBJECT, &PassOutcome::Stalled("AccountMismatch", "two accounts".into()));
    assert_eq!(conditions_of(&status), ["Ready=False AccountMismatch", "Stalled=True AccountMismatch"]);
    assert_eq!(status.phase, Some(Phase::Stalled));
    assert_eq!(next, Next::Slow);
    assert_eq!(condition(&status, "Stalled").unwrap().message, "two accounts");
}

#[test]
fn what_passes_by_itself_is_tried_again() {
    let (status, next) = status(SUBJECT, &PassOutcome::Retrying("the network is down".into()));
    assert_eq!(conditions_of(&status), ["Ready=False ProgressingWithRetry", "Reconciling=True ProgressingWithRetry"]);
    assert_eq!(status.phase, Some(Phase::Degraded));
    assert_eq!(next, Next::Retry);
}

#[test]
fn what_stands_in_the_way_of_the_whole_object_leaves_the_resources_as_they_were() {
    let (before, _) = Run::default().kept("one-bucket").failed("two-bucket", Class::Denied).status(SUBJECT);
    for pass_outcome in [
        PassOutcome::Suspended,
        PassOutcome::Invalid(&[]),
        PassOutcome::Stalled("AccountMismatch", String::new()),
        PassOutcome::Retrying(String::new()),
    ] {
        let subject = Subject { previous: Some(&before), now: at(60), ..SUBJECT };
        let (status, _) = status(subject, &pass_outcome);
        assert_eq!(status.resources, before.resources, "{pass_outcome:?}");
        assert_eq!(status.ready.as_deref(), Some("1/2"), "{pass_outcome:?}");
    }
}

#[test]
fn everything_as_declared_is_ready() {
    let run = Run::default().kept("one-bucket").created("two-bucket", done());
    let conditions = ["Ready=True Ready", "StorageReady=True Ready"];
    let status = gives(&run, SUBJECT, Phase::Ready, Next::Resync, &conditions);
    assert_eq!(message_of(&status), "2 resources in sync");
    assert_eq!(condition(&status, "StorageReady").unwrap().message, "2 of 2 ready");
    assert_eq!(status.ready.as_deref(), Some("2/2"));
    assert_eq!(resources_of(&status), ["one-bucket Ready -", "two-bucket Ready -"]);
    assert!(status.plan.is_empty());
}

#[test]
fn a_platform_without_resources_is_ready_and_has_no_condition_for_a_part() {
    let status = gives(&Run::default(), SUBJECT, Phase::Ready, Next::Resync, &["Ready=True Ready"]);
    assert_eq!(message_of(&status), "nothing is declared");
    assert_eq!(status.ready.as_deref(), Some("0/0"));
}

#[test]
fn what_is_on_its_way_is_observed_again_soon() {
    let progressing = || Outcome::Done(Applied::Progressing("creating".into()));
    for (run, state) in [
        (Run::default().created("one-bucket", progressing()), "one-bucket Progressing Progressing"),
        (Run::default().deleted("one-bucket", progressing()), "one-bucket Deleting Progressing"),
        (Run::default().action("one-bucket", Action::Wait("creating".into())), "one-bucket Progressing Progressing"),
    ] {
        let conditions =
            ["Ready=Unknown Progressing", "Reconciling=True Progressing", "StorageReady=Unknown Progressing"];
        let status = gives(&run, SUBJECT, Phase::Progressing, Next::Transition, &conditions);
        assert_eq!(resources_of(&status), [state]);
        assert_eq!(message_of(&status), "Bucket one-bucket: creating");
    }
}

#[test]
fn what_waits_for_another_resource_is_blocked() {
    let on = || vec![bucket_key("two-bucket")];
    for run in [
        Run::default().created("one-bucket", Outcome::Blocked(on())),
        Run::default().action("one-bucket", Action::Blocked(on())),
    ] {
        let conditions = ["Ready=Unknown Progressing", "Reconciling=True Progressing", "StorageReady=Unknown Blocked"];
        let status = gives(&run, SUBJECT, Phase::Progressing, Next::Transition, &conditions);
        assert_eq!(resources_of(&status), ["one-bucket Blocked Blocked"]);
        assert_eq!(resource(&status, "one-bucket").message.as_deref(), Some("waits for Bucket two-bucket"));
        assert_eq!(status.plan.len(), 1);
    }
}

#[test]
fn what_the_end_of_the_operator_cut_off_is_shown_as_still_to_do() {
    let run = Run::default().created("one-bucket", Outcome::Interrupted);
    let conditions = ["Ready=Unknown Progressing", "Reconciling=True Progressing", "StorageReady=Unknown Interrupted"];
    let status = gives(&run, SUBJECT, Phase::Progressing, Next::Transition, &conditions);
    assert_eq!(status.plan[0].action, "Create");
}

#[test]
fn a_failure_that_passes_by_itself_degrades_and_is_tried_again() {
    for (class, reason) in [
        (Class::Transient, "Transient"),
        (Class::Throttled, "Throttled"),
        (Class::Conflict, "Conflict"),
        (Class::NotFound, "NotFound"),
    ] {
        let unreadable = Action::Unreadable(error_on("one-bucket", class));
        for run in [Run::default().failed("one-bucket", class), Run::default().action("one-bucket", unreadable)] {
            let part = format!("StorageReady=False {reason}");
            let conditions = ["Ready=False ProgressingWithRetry", "Reconciling=True ProgressingWithRetry", &part];
            let status = gives(&run, SUBJECT, Phase::Degraded, Next::Retry, &conditions);
            assert_eq!(resources_of(&status), [format!("one-bucket Failed {reason}")]);
            assert!(message_of(&status).contains("SomeCode: said AWS"), "{}", message_of(&status));
        }
    }
}

#[test]
fn a_failure_that_somebody_has_to_mend_stalls() {
    for (class, reason) in [
        (Class::Denied, "AccessDenied"),
        (Class::Invalid, "InvalidSpec"),
        (Class::Quota, "QuotaExceeded"),
        (Class::NotOwned, "NotOwned"),
    ] {
        let unreadable = Action::Unreadable(error_on("one-bucket", class));
        for run in [Run::default().failed("one-bucket", class), Run::default().action("one-bucket", unreadable)] {
            let expected = ["Ready=False", "Stalled=True", "StorageReady=False"].map(|head| format!("{head} {reason}"));
            let conditions: Vec<&str> = expected.iter().map(String::as_str).collect();
            let status = gives(&run, SUBJECT, Phase::Stalled, Next::Slow, &conditions);
            assert_eq!(resources_of(&status), [format!("one-bucket Failed {reason}")]);
        }
    }
}

#[test]
fn a_missing_permission_names_the_action_and_the_resource() {
    let (status, _) = Run::default().failed("one-bucket", Class::Denied).status(SUBJECT);
    assert_eq!(
        message_of(&status),
        "AWS denies s3:PutBucketVersioning on arn:aws:s3:::one-bucket (SomeCode: said AWS): allow that action for the operator"
    );
}

#[test]
fn what_may_not_be_touched_stalls_and_is_shown_as_a_step_not_taken() {
    let run = Run::default().action("one-bucket", Action::Refuse(refusal("NotOwned", "Bucket one-bucket is theirs")));
    let conditions = ["Ready=False NotOwned", "Stalled=True NotOwned", "StorageReady=False NotOwned"];
    let status = gives(&run, SUBJECT, Phase::Stalled, Next::Slow, &conditions);
    assert_eq!(resources_of(&status), ["one-bucket Refused NotOwned"]);
    assert_eq!(message_of(&status), "Bucket one-bucket is theirs");
    let shown = PlannedStep {
        action: "Refuse".into(),
        kind: "Bucket".into(),
        name: "one-bucket".into(),
        fields: vec![],
        message: Some("Bucket one-bucket is theirs".into()),
    };
    assert_eq!(status.plan, [shown]);
}

#[test]
fn a_field_held_back_stalls_although_the_rest_was_written() {
    let held_back = Some(refusal("Conflict", "a rule of others would be lost"));
    for action in [Action::Update(vec![]), Action::Create] {
        let run = Run::default().with(Step { held_back: held_back.clone(), ..step("one-bucket", action, &[]) }, done());
        let conditions = ["Ready=False Conflict", "Stalled=True Conflict", "StorageReady=False Conflict"];
        let status = gives(&run, SUBJECT, Phase::Stalled, Next::Slow, &conditions);
        assert_eq!(resources_of(&status), ["one-bucket Refused Conflict"]);
        assert_eq!(status.plan[0].message.as_deref(), Some("a rule of others would be lost"));
    }
}

#[test]
fn the_heaviest_finding_decides_and_lighter_ones_do_not_hide_it() {
    let moving = |run: Run| run.action("moving", Action::Wait("creating".into()));
    let failing = |run: Run| run.failed("failing", Class::Throttled);
    let stuck = |run: Run| run.failed("stuck", Class::Denied);
    let settled = || Run::default().kept("settled").action("gone", Action::Retain("kept".into()));
    for (run, phase, next, reason) in [
        (settled(), Phase::Ready, Next::Resync, "Ready"),
        (moving(settled()), Phase::Progressing, Next::Transition, "Progressing"),
        (failing(moving(settled())), Phase::Degraded, Next::Retry, "ProgressingWithRetry"),
        (moving(failing(settled())), Phase::Degraded, Next::Retry, "ProgressingWithRetry"),
        (stuck(moving(settled())), Phase::Stalled, Next::Slow, "AccessDenied"),
        (stuck(failing(moving(settled()))), Phase::Stalled, Next::Retry, "AccessDenied"),
        (failing(moving(stuck(settled()))), Phase::Stalled, Next::Retry, "AccessDenied"),
    ] {
        let (status, found) = run.status(SUBJECT);
        assert_eq!((status.phase, found), (Some(phase), next), "{reason}");
        assert_eq!(condition(&status, "Ready").unwrap().reason, reason);
    }
}

#[test]
fn what_somebody_has_to_mend_does_not_hold_up_what_aws_is_at_work_on() {
    let stuck = || Run::default().failed("stuck", Class::Denied);
    let begun = Outcome::Done(Applied::Progressing("Creating".into()));
    let mut observed = step("observed", Action::Wait("Updating".into()), &[]);
    observed.observed = resources_named(&["observed"]).pop();
    for run in [stuck().created("begun", begun), stuck().with(observed, Outcome::NotTaken)] {
        let (status, next) = run.status(SUBJECT);
        assert_eq!((status.phase, next), (Some(Phase::Stalled), Next::Transition));
        assert_eq!(condition(&status, "Ready").unwrap().reason, "AccessDenied");
    }
}

#[test]
fn reconciling_and_stalled_are_there_only_while_they_are_true() {
    for (run, present) in [
        (Run::default().kept("a"), [false, false]),
        (Run::default().action("a", Action::Wait("creating".into())), [true, false]),
        (Run::default().failed("a", Class::Transient), [true, false]),
        (Run::default().failed("a", Class::Denied), [false, true]),
    ] {
        let (status, _) = run.status(SUBJECT);
        let found = ["Reconciling", "Stalled"].map(|kind| condition(&status, kind));
        assert_eq!(found.map(|condition| condition.is_some()), present);
        assert!(found.into_iter().flatten().all(|condition| condition.status == "True"));
    }
}

#[test]
fn the_message_names_three_and_counts_the_rest() {
    let run =
        ["a", "b", "c", "d", "e"].into_iter().fold(Run::default(), |run, name| run.failed(name, Class::Transient));
    let (status, _) = run.status(SUBJECT);
    let message = message_of(&status);
    assert!(message.ends_with("; and 2 more"), "{message}");
    for (name, named) in [("a", true), ("b", true), ("c", true), ("d", false)] {
        assert_eq!(message.contains(&format!("arn:aws:s3:::{name} ")), named, "{message}");
    }
}

#[test]
fn the_condition_of_a_part_names_what_is_broken_before_what_is_on_its_way() {
    let run = Run::default()
        .kept("kept-bucket")
        .action("moving-bucket", Action::Wait("creating".into()))
        .action("broken-bucket", Action::Refuse(refusal("NotOwned", "not ours")));
    let (status, _) = run.status(SUBJECT);
    let storage = condition(&status, "StorageReady").unwrap();
    assert_eq!((storage.status.as_str(), storage.reason.as_str()), ("False", "NotOwned"));
    assert_eq!(storage.message, "1 of 3 ready; Bucket broken-bucket: not ours");
}

#[test]
fn what_is_retained_is_listed_and_not_counted() {
    let run =
        Run::default().kept("one-bucket").action("old-bucket", Action::Retain("kept because of its policy".into()));
    let status = gives(&run, SUBJECT, Phase::Ready, Next::Resync, &["Ready=True Ready", "StorageReady=True Ready"]);
    assert_eq!(status.ready.as_deref(), Some("1/1"));
    assert_eq!(condition(&status, "StorageReady").unwrap().message, "1 of 1 ready");
    assert_eq!(resources_of(&status), ["one-bucket Ready -", "old-bucket Retained Retained"]);
    assert_eq!(resource(&status, "old-bucket").message.as_deref(), Some("kept because of its policy"));
    assert_eq!(message_of(&status), "1 resource in sync");
    assert!(status.plan.is_empty());
}

#[test]
fn a_platform_that_only_retains_declares_nothing() {
    let run = Run::default().action("old-bucket", Action::Retain("kept".into()));
    let status = gives(&run, SUBJECT, Phase::Ready, Next::Resync, &["Ready=True Ready"]);
    assert_eq!(status.ready.as_deref(), Some("0/0"));
    assert_eq!(message_of(&status), "nothing is declared");
}

#[test]
fn what_is_gone_is_listed_until_a_pass_confirms_it() {
    let run = Run::default().kept("one-bucket").deleted("old-bucket", Outcome::Done(Applied::Gone));
    let conditions = ["Ready=Unknown Progressing", "Reconciling=True Progressing", "StorageReady=Unknown Deleted"];
    let status = gives(&run, SUBJECT, Phase::Progressing, Next::Now, &conditions);
    assert_eq!(resources_of(&status), ["one-bucket Ready -", "old-bucket Deleting Deleted"]);
}

#[test]
fn a_deletion_keeps_its_phase_whatever_happens() {
    let subject = Subject { deleting: true, ..SUBJECT };
    let blocked = Action::Refuse(refusal("DeletionBlocked", "one-bucket still holds 3 object versions"));
    for (run, next, ready) in [
        (Run::default(), Next::Now, "Ready=Unknown Deleting"),
        (Run::default().deleted("a", Outcome::Done(Applied::Gone)), Next::Now, "Ready=Unknown Progressing"),
        (Run::default().action("a", Action::Retain("kept".into())), Next::Now, "Ready=Unknown Deleting"),
        (
            Run::default().deleted("a", Outcome::Done(Applied::Progressing("deleting".into()))),
            Next::Transition,
            "Ready=Unknown Progressing",
        ),
        (
            Run::default().deleted("a", Outcome::Failed(failure(Class::Transient).into())),
            Next::Retry,
            "Ready=False ProgressingWithRetry",
        ),
        (Run::default().action("one-bucket", blocked), Next::Slow, "Ready=False DeletionBlocked"),
    ] {
        let (status, found) = run.status(subject);
        assert_eq!(status.phase, Some(Phase::Deleting), "{ready}");
        assert_eq!(found, next, "{ready}");
        assert_eq!(conditions_of(&status)[0], ready);
        assert_eq!(condition(&status, "Stalled").is_some(), next == Next::Slow, "{ready}");
    }
    for pass_outcome in [PassOutcome::Stalled("AccountMismatch", String::new()), PassOutcome::Retrying(String::new())] {
        assert_eq!(status(subject, &pass_outcome).0.phase, Some(Phase::Deleting), "{pass_outcome:?}");
    }
}

/// The step as `managementPolicy: Observe` leaves it.
fn not_applied(name: &str, action: Action) -> Step {
    Step { not_applied: Some("managementPolicy is Observe"), ..step(name, action, &[]) }
}

#[test]
fn observing_counts_what_would_be_done_and_shows_it() {
    let change = crate::diff::Change { path: "versioning".into(), from: json!(false), to: json!(true) };
    let run = Run::default()
        .with(not_applied("new-bucket", Action::Create), Outcome::NotTaken)
        .with(not_applied("drifted-bucket", Action::Update(vec![change])), Outcome::NotTaken)
        .with(not_applied("old-bucket", Action::Delete { with_contents: true }), Outcome::NotTaken)
        .kept("kept-bucket");
    let subject = Subject { observing: true, ..SUBJECT };
    let conditions = ["Ready=False Observing", "StorageReady=Unknown Observing"];
    let status = gives(&run, subject, Phase::Degraded, Next::Resync, &conditions);
    assert_eq!(
        message_of(&status),
        "managementPolicy is Observe: 1 to create, 1 to update, 1 to delete; see status.plan"
    );
    let shown: Vec<(&str, &str)> = status.plan.iter().map(|step| (step.action.as_str(), step.name.as_str())).collect();
    assert_eq!(shown, [("Create", "new-bucket"), ("Update", "drifted-bucket"), ("Delete", "old-bucket")]);
    assert_eq!(status.plan[1].fields, ["versioning"]);
    assert_eq!(status.ready.as_deref(), Some("1/4"));
    assert_eq!(resource(&status, "new-bucket").message.as_deref(), Some("to create: managementPolicy is Observe"));
}

#[test]
fn observing_what_is_as_declared_is_ready() {
    let subject = Subject { observing: true, ..SUBJECT };
    let run = Run::default().kept("one-bucket").action("old-bucket", Action::Retain("kept".into()));
    let status = gives(&run, subject, Phase::Ready, Next::Resync, &["Ready=True Ready", "StorageReady=True Ready"]);
    assert!(status.plan.is_empty());
}

#[test]
fn observing_reports_what_it_could_not_see() {
    let subject = Subject { observing: true, ..SUBJECT };
    let run = Run::default().action("one-bucket", Action::Unreadable(error_on("one-bucket", Class::Denied)));
    let (denied, next) = run.status(subject);
    assert_eq!(conditions_of(&denied)[..2], ["Ready=False AccessDenied", "Stalled=True AccessDenied"]);
    assert_eq!(next, Next::Slow);
    let run = Run::default().action("one-bucket", Action::Unreadable(error_on("one-bucket", Class::Throttled)));
    let (throttled, next) = run.status(subject);
    assert_eq!(
        conditions_of(&throttled)[..2],
        ["Ready=False ProgressingWithRetry", "Reconciling=True ProgressingWithRetry"]
    );
    assert_eq!(next, Next::Retry);
}

#[test]
fn a_deletion_is_no_longer_observed() {
    let subject = Subject { observing: true, deleting: true, ..SUBJECT };
    let (status, next) = Run::default().action("a", Action::Retain("kept".into())).status(subject);
    assert_eq!(conditions_of(&status)[0], "Ready=Unknown Deleting");
    assert_eq!(next, Next::Now);
}

#[test]
fn a_second_pass_that_finds_the_same_gives_the_same_status() {
    let runs = [
        Run::default(),
        Run::default().kept("a"),
        Run::default().kept("a").action("b", Action::Retain("kept".into())),
        Run::default().action("a", Action::Wait("creating".into())),
        Run::default().failed("a", Class::Transient).created("b", Outcome::Blocked(vec![bucket_key("a")])),
        Run::default().failed("a", Class::Denied),
        Run::default().action("a", Action::Refuse(refusal("NotOwned", "not ours"))),
        Run::default().with(not_applied("a", Action::Create), Outcome::NotTaken),
    ];
    for run in &runs {
        for (deleting, observing) in [(false, false), (true, false), (false, true)] {
            let subject = Subject { deleting, observing, now: at(0), ..SUBJECT };
            let (first, next) = run.status(subject);
            let (second, again) = run.status(Subject { previous: Some(&first), now: at(60), ..subject });
            assert_eq!(second, first);
            assert_eq!(again, next);
        }
    }
}

#[test]
fn other_outcomes_repeat_themselves_too() {
    let problems = [Problem::new("spec.region", "is wrong")];
    let resources = resources_named(&["one-bucket"]);
    for pass_outcome in [
        PassOutcome::Announced(&resources),
        PassOutcome::Suspended,
        PassOutcome::Invalid(&problems),
        PassOutcome::Stalled("AccountMismatch", "two accounts".into()),
        PassOutcome::Retrying("the network is down".into()),
    ] {
        let (first, _) = status(Subject { now: at(0), ..SUBJECT }, &pass_outcome);
        let (second, _) = status(Subject { previous: Some(&first), now: at(60), ..SUBJECT }, &pass_outcome);
        assert_eq!(second, first, "{pass_outcome:?}");
    }
}

/// The transition times of `Ready` and `StorageReady`.
fn turned(status: &AIPlatformStatus) -> [Timestamp; 2] {
    ["Ready", "StorageReady"].map(|kind| condition(status, kind).unwrap().last_transition_time.0)
}

#[test]
fn transition_times_move_only_when_a_status_flips() {
    let wait = || Run::default().action("a", Action::Wait("creating".into()));
    let step = |before: &AIPlatformStatus, run: Run, now: i64| {
        run.status(Subject { previous: Some(before), now: at(now), ..SUBJECT }).0
    };
    let first = wait().status(Subject { now: at(0), ..SUBJECT }).0;
    assert_eq!(turned(&first), [at(0), at(0)]);

    let other_words = Run::default().action("a", Action::Wait("still creating".into()));
    let second = step(&first, other_words, 60);
    assert_eq!(turned(&second), [at(0), at(0)]);
    assert_ne!(message_of(&second), message_of(&first));

    let ready = step(&second, Run::default().kept("a"), 120);
    assert_eq!(turned(&ready), [at(120), at(120)]);

    let denied = step(&ready, Run::default().kept("a").failed("b", Class::Denied), 180);
    assert_eq!(turned(&denied), [at(180), at(180)]);

    // Another reason for the same False is no flip.
    let throttled = step(&denied, Run::default().kept("a").failed("b", Class::Throttled), 240);
    assert_eq!(turned(&throttled), [at(180), at(180)]);
    assert_eq!(condition(&throttled, "Reconciling").unwrap().last_transition_time.0, at(240));
}

#[test]
fn since_is_kept_while_state_and_reason_are_the_same() {
    let since = |status: &AIPlatformStatus| resource(status, "a").since.clone().unwrap().0;
    let step = |before: &AIPlatformStatus, run: Run, now: i64| {
        run.status(Subject { previous: Some(before), now: at(now), ..SUBJECT }).0
    };
    let first = Run::default().action("a", Action::Wait("creating".into())).status(Subject { now: at(0), ..SUBJECT }).0;
    assert_eq!(since(&first), at(0));
    let second = step(&first, Run::default().action("a", Action::Wait("almost there".into())), 60);
    assert_eq!(since(&second), at(0));
    let denied = step(&second, Run::default().failed("a", Class::Denied), 120);
    assert_eq!(since(&denied), at(120));
    let throttled = step(&denied, Run::default().failed("a", Class::Throttled), 180);
    assert_eq!(since(&throttled), at(180));
    let ready = step(&throttled, Run::default().kept("a"), 240);
    assert_eq!(since(&ready), at(240));
    assert_eq!(since(&step(&ready, Run::default().created("a", done()), 300)), at(240));
}

#[test]
fn an_arn_once_known_stays_known() {
    let (before, _) = Run::default().kept("a").status(SUBJECT);
    let unreadable = Step { arn: None, ..step("a", Action::Unreadable(failure(Class::Throttled)), &[]) };
    let run = Run::default().with(unreadable, Outcome::NotTaken);
    let (status, _) = run.status(Subject { previous: Some(&before), ..SUBJECT });
    assert_eq!(resource(&status, "a").arn.as_deref(), Some("arn:aws:s3:::a"));
}

#[test]
fn the_inventory_leaves_out_kinds_that_nobody_knows() {
    let (mut status, _) = Run::default().kept("a").kept("b").status(SUBJECT);
    status.resources[0].kind = "FlyingCarpet".into();
    assert_eq!(inventory(Some(&status)), [bucket_key("b")]);
    assert_eq!(inventory(None), []);
}

/// A status with a resource of a kind of the future beside a bucket.
fn of_the_future() -> AIPlatformStatus {
    let status = json!({
        "phase": "Hibernating",
        "resources": [
            {"kind": "Bucket", "name": "one-bucket", "state": "Ready"},
            {"kind": "VectorStore", "name": "memory", "id": "vs-1", "state": "Dreaming", "reason": "Night", "since": "2027-01-15T08:00:00Z"},
        ],
        "writtenBy": "9.9.9",
    });
    serde_json::from_value(status).expect("words of later versions are taken")
}

#[test]
fn what_a_later_version_made_is_carried_through_every_status() {
    let before = of_the_future();
    let of_future = serde_json::to_value(&before.resources[1]).unwrap();
    let subject = Subject { previous: Some(&before), ..SUBJECT };
    let run = Run::default().kept("one-bucket");
    for pass_outcome in [
        PassOutcome::Planned(&run.plan, &run.outcomes),
        PassOutcome::Announced(&[]),
        PassOutcome::Suspended,
        PassOutcome::Retrying("AWS is away".into()),
    ] {
        let (after, _) = status(subject, &pass_outcome);
        let carried = after.resources.iter().find(|resource| resource.kind == "VectorStore").unwrap();
        assert_eq!(serde_json::to_value(carried).unwrap(), of_future);
        assert_eq!(after.written_by.as_deref(), Some("9.9.9"), "the version that knows the kind");
    }
    let (after, _) = Run::default().kept("one-bucket").status(SUBJECT);
    assert_eq!(after.written_by.as_deref(), Some(VERSION));
}

#[test]
fn an_object_with_what_a_later_version_made_is_not_ready_and_says_which_version_to_run() {
    let before = of_the_future();
    let subject = Subject { previous: Some(&before), ..SUBJECT };
    let run = Run::default().kept("one-bucket");
    let expected = ["Ready=False UnknownKind", "Stalled=True UnknownKind", "StorageReady=True Ready"];
    let after = gives(&run, subject, Phase::Stalled, Next::Slow, &expected);
    for part in ["VectorStore memory", VERSION, "9.9.9"] {
        assert!(message_of(&after).contains(part), "{part}: {}", message_of(&after));
    }
    let (after, next) = run.status(Subject { observing: true, ..subject });
    assert_eq!((conditions_of(&after)[0].as_str(), next), ("Ready=False UnknownKind", Next::Slow));

    let moving = Run::default().action("one-bucket", Action::Wait("busy".into()));
    let (after, next) = moving.status(subject);
    assert_eq!(next, Next::Transition, "what goes on beside it goes on");
    assert!(message_of(&after).contains("busy"), "{}", message_of(&after));

    let (after, next) = Run::default().status(Subject { deleting: true, ..subject });
    assert_eq!((after.phase, next), (Some(Phase::Deleting), Next::Slow));
    assert!(message_of(&after).contains("Retain"), "{}", message_of(&after));
    let (after, next) = Run::default().deleted("one-bucket", done()).status(Subject { deleting: true, ..subject });
    assert_eq!(next, Next::Now, "{after:?}");
}

#[test]
fn what_stood_on_something_that_was_made_again_is_not_called_ready_before_it_is_seen_again() {
    let on = |name: &str, action: Action, needs: &[&str]| {
        let mut step = step(name, action, needs);
        step.desired = resources_named(&[name]).pop();
        step
    };
    let run = Run::default()
        .with(on("target", Action::Create, &[]), done())
        .with(on("policy", Action::Keep, &["target"]), Outcome::NotTaken)
        .with(on("on-top", Action::Keep, &["policy"]), Outcome::NotTaken)
        .with(on("beside", Action::Keep, &[]), Outcome::NotTaken);
    let expected = ["Ready=Unknown Progressing", "Reconciling=True Progressing", "StorageReady=Unknown Progressing"];
    let after = gives(&run, SUBJECT, Phase::Progressing, Next::Now, &expected);
    let found =
        ["target Ready -", "policy Progressing Progressing", "on-top Progressing Progressing", "beside Ready -"];
    assert_eq!(resources_of(&after), found);

    let changed = Action::Update(Vec::new());
    let run = Run::default()
        .with(on("config", Action::Create, &[]), done())
        .with(on("endpoint", changed, &["config"]), done())
        .with(on("target", Action::Keep, &["endpoint"]), Outcome::NotTaken);
    let (after, _) = run.status(SUBJECT);
    assert_eq!(message_of(&after), "3 resources in sync", "the endpoint was there all the time");
}

#[test]
fn a_model_that_was_not_observed_is_unknown_and_not_counted() {
    let model = |name: &str, backend: &str, outcome: &str, ready: bool| {
        let model = json!({"name": name, "backend": backend, "ready": ready, "outcome": outcome});
        serde_json::from_value::<crate::api::status::ModelStatus>(model).unwrap()
    };
    let object =
        crate::testing::object(json!({"models": [{"name": "fast", "bedrock": {"modelId": "amazon.nova-lite-v1:0"}}]}));
    let facts = facts(&crate::platform::validate(&object).expect("valid"));
    // An earlier version took it for ready.
    let before = AIPlatformStatus { models: vec![model("fast", "Bedrock", "", true)], ..AIPlatformStatus::default() };
    let subject = Subject { facts: Some(&facts), previous: Some(&before), ..SUBJECT };
    let (after, _) = Run::default().status(subject);
    let [fast] = after.models.as_slice() else { panic!("{:?}", after.models) };
    assert_eq!((fast.ready, fast.outcome.as_deref()), (false, Some("Unknown")));
    assert!(fast.message.as_ref().is_some_and(|message| message.contains("not checked")), "{fast:?}");
    assert_eq!(after.models_ready, None);
    assert_eq!(conditions_of(&after), ["Ready=True Ready", "ModelsReady=Unknown Unknown"]);
    let mut both = after.models.clone();
    both.push(model("rank", "SageMaker", "InService", true));
    assert_eq!(models::ready(&both).as_deref(), Some("1/1"));
}

#[test]
fn the_steps_not_taken_are_shown_and_those_taken_are_not() {
    let run = Run::default()
        .kept("kept")
        .created("created", done())
        .failed("failed", Class::Transient)
        .action("retained", Action::Retain("kept".into()))
        .action("waiting", Action::Wait("creating".into()))
        .created("blocked", Outcome::Blocked(vec![bucket_key("failed")]))
        .created("interrupted", Outcome::Interrupted)
        .action("unreadable", Action::Unreadable(failure(Class::Denied)));
    let (status, _) = run.status(SUBJECT);
    let shown: Vec<&str> = status.plan.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(shown, ["waiting", "blocked", "interrupted", "unreadable"]);
}

/// A step of a role that leaves out what it would grant on a bucket.
fn role_step(name: &str, action: Action, left: &[(&str, &'static str, bool)]) -> Step {
    let left_out = left.iter().map(|(bucket, reason, needs_somebody)| LeftOut {
        about: bucket_key(bucket),
        reason,
        message: format!("Bucket {bucket} is not granted: not ours"),
        needs_somebody: *needs_somebody,
    });
    Step { key: Key { kind: Kind::Role, name: name.into() }, left_out: left_out.collect(), ..step(name, action, &[]) }
}

#[test]
fn what_is_not_granted_is_reported_of_the_role_and_once_of_the_whole() {
    let refused = || Run::default().action("theirs", Action::Refuse(refusal("NotOwned", "theirs is not ours")));
    for (action, outcome) in [(Action::Keep, Outcome::NotTaken), (Action::Create, done())] {
        let role = role_step("api", action, &[("theirs", "NotOwned", true)]);
        let (status, next) = refused().with(role, outcome).status(SUBJECT);
        assert_eq!(next, Next::Slow);
        assert_eq!(message_of(&status), "theirs is not ours");
        let access = condition(&status, "AccessReady").unwrap();
        assert_eq!((access.status.as_str(), access.reason.as_str()), ("False", "NotOwned"));
        assert!(access.message.contains("Bucket theirs is not granted: not ours"), "{}", access.message);
        assert_eq!(resource(&status, "api").state, State::Refused);
        assert!(status.plan.iter().any(|step| step.kind == "Role"), "{:?}", status.plan);
    }
}

#[test]
fn what_is_not_granted_for_a_moment_is_on_its_way() {
    let role = role_step("api", Action::Keep, &[("slow", "Unknown", false)]);
    let (status, _) = Run::default().with(role, Outcome::NotTaken).status(SUBJECT);
    assert_eq!(resource(&status, "api").state, State::Blocked);
    assert!(message_of(&status).contains("Bucket slow is not granted"), "{}", message_of(&status));
    assert_eq!(condition(&status, "AccessReady").unwrap().status, "Unknown");
}

#[test]
fn what_somebody_has_to_mend_comes_before_what_passes() {
    let left = [("slow", "Unknown", false), ("theirs", "NotOwned", true)];
    let role = role_step("api", Action::Keep, &left);
    let (status, _) = Run::default().with(role, Outcome::NotTaken).status(SUBJECT);
    let found = resource(&status, "api");
    assert_eq!((found.state.clone(), found.reason.as_deref()), (State::Refused, Some("NotOwned")));
    assert!(condition(&status, "Stalled").is_some());
    let reported = found.message.clone().unwrap();
    assert!(reported.contains("Bucket slow") && reported.contains("Bucket theirs"), "{reported}");
}

/// The outcome of a step of which several parts were refused.
fn refused_parts(name: &str, classes: &[Class]) -> Outcome {
    let mut parts = crate::failures::Parts::of_a_creation();
    for (index, class) in classes.iter().enumerate() {
        let error = Error { code: format!("Code{index}"), ..error_on(name, *class) };
        parts.note::<()>(&format!("part-{index}"), Err(error));
    }
    Outcome::Failed(parts.end(Applied::Ready).unwrap_err())
}

#[test]
fn every_refused_part_is_reported_and_the_heaviest_decides() {
    let update = || Action::Update(Vec::new());
    let both = Run::default()
        .with(step("a", update(), &[]), refused_parts("a", &[Class::Throttled, Class::Denied, Class::Transient]));
    let (status, next) = both.status(SUBJECT);
    assert_eq!(resources_of(&status), ["a Failed AccessDenied"]);
    assert!(condition(&status, "Stalled").is_some() && condition(&status, "Reconciling").is_none());
    for code in ["Code0", "Code1", "Code2"] {
        assert_eq!(message_of(&status).matches(code).count(), 1, "{}", message_of(&status));
    }
    assert_eq!(next, Next::Retry, "what passes by itself does not wait for what somebody has to mend");
    let passing =
        Run::default().with(step("a", update(), &[]), refused_parts("a", &[Class::Throttled, Class::Conflict]));
    let (status, next) = passing.status(SUBJECT);
    assert_eq!((resources_of(&status), next), (vec!["a Failed Throttled".to_string()], Next::Retry));
    assert!(condition(&status, "Reconciling").is_some() && condition(&status, "Stalled").is_none());
    let stuck = Run::default().with(step("a", update(), &[]), refused_parts("a", &[Class::Denied, Class::Invalid]));
    assert_eq!(stuck.status(SUBJECT).1, Next::Slow);
}

#[test]
fn what_is_unknown_is_never_ready() {
    for (class, reason, next) in
        [(Class::Denied, "AccessDenied", Next::Slow), (Class::Transient, "Transient", Next::Retry)]
    {
        for (action, outcome) in [(Action::Keep, Outcome::NotTaken), (Action::Update(Vec::new()), done())] {
            let mut step = step("a", action, &[]);
            step.unknown.insert("lifecycle".into(), error_on("a", class));
            let (status, found) = Run::default().with(step, outcome).status(SUBJECT);
            assert_eq!((resources_of(&status), found), (vec![format!("a Failed {reason}")], next));
            assert_eq!(status.ready.as_deref(), Some("0/1"));
            assert_eq!(status.plan.len(), 1, "it is still open");
        }
    }
}

#[test]
fn what_the_spec_said_of_the_end_of_a_bucket_is_remembered() {
    let mut desired = resources_named(&["one-bucket"]);
    let declared = |status: &AIPlatformStatus| resource(status, "one-bucket").deletion_policy.clone();
    let (announced, _) = status(SUBJECT, &PassOutcome::Announced(&desired));
    assert_eq!(declared(&announced).as_deref(), Some("Retain"));
    let after = Subject { previous: Some(&announced), ..SUBJECT };
    // Somebody changed the tag, and the bucket is no longer declared.
    crate::testing::bucket_of(&mut desired[0])
        .tags
        .insert(crate::tags::DELETION_POLICY.into(), "DeleteWithContents".into());
    let mut left = step("one-bucket", Action::Retain("kept".into()), &[]);
    left.observed = Some(desired[0].clone());
    let (status, _) = Run::default().with(left, Outcome::NotTaken).status(after);
    assert_eq!(declared(&status).as_deref(), Some("Retain"));
    assert_eq!(removals(Some(&status))[&bucket_key("one-bucket")], Removal::Retain);
}

#[test]
fn a_bucket_retained_by_a_version_that_remembered_nothing_stays_retained() {
    let mut status = AIPlatformStatus {
        resources: Run::default().action("a", Action::Retain("kept".into())).status(SUBJECT).0.resources,
        ..AIPlatformStatus::default()
    };
    status.resources[0].deletion_policy = None;
    assert_eq!(removals(Some(&status))[&bucket_key("a")], Removal::Retain);
    status.resources[0].deletion_policy = Some("Whatever".into());
    assert_eq!(removals(Some(&status))[&bucket_key("a")], Removal::Retain, "what nobody knows is kept");
}

#[test]
fn what_could_not_be_read_aside_does_not_slow_down_what_is_underway() {
    let mut making = step("one-bucket", Action::Create, &[]);
    making.unknown.insert("revisions".into(), error_on("one-bucket", Class::Denied));
    let progressing = Outcome::Done(Applied::Progressing("Creating".into()));
    let conditions = ["Ready=False AccessDenied", "Stalled=True AccessDenied", "StorageReady=False AccessDenied"];
    let run = Run::default().with(making.clone(), progressing);
    gives(&run, SUBJECT, Phase::Stalled, Next::Transition, &conditions);
    let waiting = Step { action: Action::Wait("Creating".into()), observed: making.desired.clone(), ..making.clone() };
    let observed = Some(wanted_bucket("one-bucket").resource);
    let run = Run::default().with(Step { observed, ..waiting }, Outcome::NotTaken);
    gives(&run, SUBJECT, Phase::Stalled, Next::Transition, &conditions);
    let settled = Step { action: Action::Keep, ..making };
    gives(&Run::default().with(settled, Outcome::NotTaken), SUBJECT, Phase::Stalled, Next::Slow, &conditions);
}

#[test]
fn what_was_announced_is_attempted_from_just_before_its_first_step_on() {
    let untouched = |status: &AIPlatformStatus| -> Vec<String> {
        never_attempted(Some(status)).into_iter().map(|key| key.name).collect()
    };
    let resources = resources_named(&["aaa", "bbb", "ccc"]);
    let (announced, _) = status(SUBJECT, &PassOutcome::Announced(&resources));
    assert_eq!(untouched(&announced), ["aaa", "bbb", "ccc"]);
    let subject = Subject { previous: Some(&announced), ..SUBJECT };
    let wanted = |index: usize, action: Action| Step {
        desired: Some(resources[index].clone()),
        ..step(["aaa", "bbb", "ccc"][index], action, &[])
    };
    let mut awaiting = wanted(2, Action::Keep);
    awaiting.awaits = vec![bucket_key("aaa")];
    let steps = vec![
        wanted(0, Action::Create),
        wanted(1, Action::Unreadable(error_on("bbb", Class::Denied))),
        awaiting,
        Step { desired: resources_named(&["ddd"]).pop(), ..step("ddd", Action::Create, &[]) },
    ];
    let plan = Plan { steps, ..Plan::default() };
    let (admitted, next) = status(subject, &PassOutcome::Admitted(&plan));
    assert_eq!((untouched(&admitted), next), (vec!["bbb".to_string()], Next::Now));
    assert_eq!(admitted.account_check, Some(AccountCheck::Passed));
    assert_eq!(message_of(&admitted), "2 to create, 0 to update, 0 to delete");
    assert_eq!(inventory(Some(&admitted)).len(), 4, "what the plan makes beside is listed");
    let (planned, _) =
        status(Subject { previous: Some(&admitted), ..SUBJECT }, &PassOutcome::Planned(&plan, &Outcomes::new()));
    assert_eq!(untouched(&planned), ["bbb"], "it is remembered");
    let text = serde_json::to_string(&planned.resources).unwrap();
    assert_eq!(text.matches("neverAttempted").count(), 1, "{text}");
    let (again, _) = status(Subject { previous: Some(&planned), ..SUBJECT }, &PassOutcome::Announced(&resources));
    assert_eq!(untouched(&again), ["bbb"], "what was attempted once stays so");
}

#[test]
fn a_failure_that_goes_on_is_written_once_with_the_id_of_its_first_request() {
    let run = |id: &str, class: Class| {
        let error = Error { request_id: Some(id.into()), ..error_on("one-bucket", class) };
        Run::default().created("one-bucket", Outcome::Failed(error.into()))
    };
    let (first, _) = run("A1", Class::Denied).status(SUBJECT);
    assert!(message_of(&first).contains("[AWS request id A1]"), "{}", message_of(&first));
    let later = Subject { previous: Some(&first), now: at(60), ..SUBJECT };
    let (second, _) = run("B2", Class::Denied).status(later);
    assert_eq!(second, first);
    let (other, _) = run("B2", Class::Quota).status(later);
    assert!(message_of(&other).contains("[AWS request id B2]"), "{}", message_of(&other));
}
