use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::sync::Barrier;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::api::ManagementPolicy;
use crate::desire::desire;
use crate::failure::Class;
use crate::lookup::{Answers, Lookup};
use crate::plan::{Intent, Refusal, plan};
use crate::platform::validate;
use crate::resource::{Kind, Observations, Observed, Request, Resource};
use crate::testing::{ACCOUNT, CLUSTER, REGION, bucket_key, failure, object, ours, refusal, step};

/// Long enough for any machine; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(10);

/// A provider that answers from a script and writes down what it was asked.
#[derive(Default)]
struct Script {
    answers: BTreeMap<&'static str, Result<Applied, Failures>>,
    /// Steps that only go on together with another of them.
    meeting: Option<(Barrier, &'static [&'static str])>,
    /// The step during which the operator is told to end, and how.
    ends: Option<(&'static str, CancellationToken)>,
    log: Mutex<Vec<String>>,
    running: AtomicUsize,
    most: AtomicUsize,
}

impl Script {
    fn answering<const N: usize>(answers: [(&'static str, Result<Applied, Failures>); N]) -> Self {
        Self { answers: answers.into(), ..Self::default() }
    }

    fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

impl Provider for Script {
    async fn account(&self, scope: &Scope) -> Result<String, crate::failure::Error> {
        Ok(scope.account_id.clone())
    }

    async fn look_up(&self, _: &Scope, _: &[Lookup], _: Duration) -> Answers {
        Answers::new()
    }

    async fn observe(&self, _: &Scope, _: &[Request]) -> Observations {
        Observations::new()
    }

    async fn apply(&self, _: &Scope, step: &Step) -> Result<Applied, Failures> {
        let name = step.key.name.as_str();
        self.log.lock().unwrap().push(format!("{name} begins"));
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(running, Ordering::SeqCst);
        if let Some((meeting, of)) = &self.meeting
            && of.contains(&name)
        {
            meeting.wait().await;
        }
        // Others get their turn, so that a step that did not wait for this one would begin before this one ends.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        if let Some((during, stop)) = &self.ends
            && *during == name
        {
            stop.cancel();
        }
        self.running.fetch_sub(1, Ordering::SeqCst);
        self.log.lock().unwrap().push(format!("{name} ends"));
        self.answers.get(name).cloned().unwrap_or(Ok(Applied::Ready))
    }
}

async fn carry_out(script: &Script, plan: &Plan, stop: &CancellationToken) -> (Plan, Outcomes) {
    let scope = Scope {
        region: REGION.into(),
        account_id: ACCOUNT.into(),
        owner: "c/n/p".into(),
        uid: "u".into(),
        assume_role: None,
    };
    let authority = Authority::unelected(stop.clone());
    tokio::time::timeout(PATIENCE, execute(script, &scope, plan, &authority)).await.expect("the run ends")
}

async fn run_until(script: &Script, steps: Vec<Step>, stop: &CancellationToken) -> Outcomes {
    carry_out(script, &Plan { namespace: "n".into(), name: "p".into(), steps }, stop).await.1
}

async fn run(script: &Script, steps: Vec<Step>) -> Outcomes {
    run_until(script, steps, &CancellationToken::new()).await
}

fn create(name: &str, needs: &[&str]) -> Step {
    step(name, Action::Create, needs)
}

fn outcomes<const N: usize>(expected: [(&str, Outcome); N]) -> Outcomes {
    expected.into_iter().map(|(name, outcome)| (bucket_key(name), outcome)).collect()
}

fn ready() -> Outcome {
    Outcome::Done(Applied::Ready)
}

fn blocked(on: &[&str]) -> Outcome {
    Outcome::Blocked(on.iter().map(|name| bucket_key(name)).collect())
}

#[tokio::test]
async fn an_empty_plan_ends_at_once() {
    assert_eq!(run(&Script::default(), vec![]).await, Outcomes::new());
}

#[tokio::test]
async fn a_step_begins_when_everything_it_needs_has_ended() {
    let script = Script::default();
    let steps = vec![create("a", &[]), create("b", &["a"]), create("c", &["a", "b"])];
    let found = run(&script, steps).await;
    assert_eq!(found, outcomes([("a", ready()), ("b", ready()), ("c", ready())]));
    assert_eq!(script.log(), ["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
}

#[tokio::test]
async fn independent_steps_run_side_by_side() {
    let script = Script { meeting: Some((Barrier::new(2), &["a", "b"])), ..Script::default() };
    let found = run(&script, vec![create("a", &[]), create("b", &[])]).await;
    assert_eq!(found, outcomes([("a", ready()), ("b", ready())]));
}

#[tokio::test]
async fn a_branch_does_not_wait_for_another_branch() {
    let script = Script { meeting: Some((Barrier::new(2), &["c", "x"])), ..Script::default() };
    let steps = vec![create("x", &[]), create("a", &[]), create("b", &["a"]), create("c", &["b"])];
    let found = run(&script, steps).await;
    assert!(found.values().all(|outcome| *outcome == ready()), "{found:?}");
}

#[tokio::test]
async fn one_platform_has_at_most_eight_calls_in_flight() {
    let script = Script::default();
    let names: Vec<String> = (0..20).map(|n| format!("bucket-{n}")).collect();
    let found = run(&script, names.iter().map(|name| create(name, &[])).collect()).await;
    assert_eq!(found.len(), 20);
    assert!(found.values().all(|outcome| *outcome == ready()), "{found:?}");
    assert_eq!(script.most.load(Ordering::SeqCst), CONCURRENT_STEPS);
}

#[tokio::test]
async fn a_failure_holds_up_its_own_branch_only() {
    let error = failure(Class::Transient);
    let script = Script::answering([("a", Err(error.clone().into()))]);
    let steps = vec![create("a", &[]), create("x", &[]), create("b", &["a"]), create("y", &["x"])];
    let found = run(&script, steps).await;
    let expected = [("a", Outcome::Failed(error.into())), ("b", blocked(&["a"])), ("x", ready()), ("y", ready())];
    assert_eq!(found, outcomes(expected));
    assert!(!script.log().contains(&"b begins".into()), "{:?}", script.log());
}

#[tokio::test]
async fn every_failure_is_collected() {
    let (one, two) = (failure(Class::Denied), failure(Class::Throttled));
    let script = Script::answering([("a", Err(one.clone().into())), ("b", Err(two.clone().into()))]);
    let found = run(&script, vec![create("a", &[]), create("b", &[])]).await;
    assert_eq!(found, outcomes([("a", Outcome::Failed(one.into())), ("b", Outcome::Failed(two.into()))]));
}

#[tokio::test]
async fn blocked_goes_on_down_the_branch_and_names_what_it_waits_for() {
    let error = failure(Class::Quota);
    let script = Script::answering([("a", Err(error.clone().into()))]);
    let steps = vec![create("a", &[]), create("b", &["a"]), create("c", &["b"]), create("d", &["c"])];
    let found = run(&script, steps).await;
    let expected =
        [("a", Outcome::Failed(error.into())), ("b", blocked(&["a"])), ("c", blocked(&["b"])), ("d", blocked(&["c"]))];
    assert_eq!(found, outcomes(expected));
}

#[tokio::test]
async fn what_is_on_its_way_is_not_ready_for_others() {
    let progressing = Applied::Progressing("creating".into());
    let script = Script::answering([("a", Ok(progressing.clone()))]);
    let found = run(&script, vec![create("a", &[]), create("b", &["a"])]).await;
    assert_eq!(found, outcomes([("a", Outcome::Done(progressing)), ("b", blocked(&["a"]))]));
}

#[tokio::test]
async fn deletion_goes_on_when_what_stood_in_the_way_is_gone() {
    let script = Script::answering([("a", Ok(Applied::Gone)), ("b", Ok(Applied::Gone))]);
    let delete = || Action::Delete { with_contents: false };
    let found = run(&script, vec![step("a", delete(), &[]), step("b", delete(), &["a"])]).await;
    assert_eq!(found, outcomes([("a", Outcome::Done(Applied::Gone)), ("b", Outcome::Done(Applied::Gone))]));
    assert_eq!(script.log(), ["a begins", "a ends", "b begins", "b ends"]);
}

#[tokio::test]
async fn what_is_kept_or_not_in_the_plan_is_there_to_be_used() {
    let script = Script::default();
    let steps = vec![step("kept", Action::Keep, &[]), create("a", &["kept", "elsewhere"])];
    let found = run(&script, steps).await;
    assert_eq!(found, outcomes([("kept", Outcome::NotTaken), ("a", ready())]));
}

#[tokio::test]
async fn steps_that_are_not_taken_hold_up_what_needs_them() {
    let actions = [
        Action::Retain("stays".into()),
        Action::Wait("creating".into()),
        Action::Blocked(vec![bucket_key("x")]),
        Action::Refuse(refusal("NotOwned", "not ours")),
        Action::Unreadable(failure(Class::Denied)),
    ];
    for action in actions {
        let script = Script::default();
        let found = run(&script, vec![step("a", action.clone(), &[]), create("b", &["a"])]).await;
        assert_eq!(found, outcomes([("a", Outcome::NotTaken), ("b", blocked(&["a"]))]), "{action:?}");
        assert_eq!(script.log(), Vec::<String>::new(), "{action:?}");
    }
}

#[tokio::test]
async fn what_is_not_applied_is_never_taken() {
    let script = Script::default();
    let not_applied = Step { not_applied: Some("managementPolicy is Observe"), ..create("a", &[]) };
    let found = run(&script, vec![not_applied, create("b", &["a"])]).await;
    assert_eq!(found, outcomes([("a", Outcome::NotTaken), ("b", blocked(&["a"]))]));
    assert_eq!(script.log(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_held_back_does_not_keep_the_rest_of_the_step_from_being_taken() {
    let held_back: Option<Refusal> = Some(refusal("Conflict", "a rule of others would be lost"));
    let script = Script::default();
    let found = run(&script, vec![Step { held_back, ..step("a", Action::Update(vec![]), &[]) }]).await;
    assert_eq!(found, outcomes([("a", ready())]));
}

#[tokio::test]
async fn an_operator_that_is_ending_begins_nothing() {
    let stop = CancellationToken::new();
    stop.cancel();
    let script = Script::default();
    let steps = vec![create("a", &[]), create("b", &["a"]), step("kept", Action::Keep, &[])];
    let found = run_until(&script, steps, &stop).await;
    let expected = [("a", Outcome::Interrupted), ("b", Outcome::Interrupted), ("kept", Outcome::NotTaken)];
    assert_eq!(found, outcomes(expected));
    assert_eq!(script.log(), Vec::<String>::new());
}

#[tokio::test]
async fn an_operator_told_to_end_finishes_what_it_has_in_hand_and_begins_nothing_new() {
    let stop = CancellationToken::new();
    let script = Script { ends: Some(("a", stop.clone())), ..Script::default() };
    let steps = vec![create("a", &[]), create("x", &[]), create("b", &["a"])];
    let found = run_until(&script, steps, &stop).await;
    assert_eq!(found, outcomes([("a", ready()), ("x", ready()), ("b", Outcome::Interrupted)]));
    assert!(!script.log().contains(&"b begins".into()), "{:?}", script.log());
}

/// A plan that makes two buckets, and a role that may use both. `live` is the role as it is found.
fn of_two_buckets(live: Option<Resource>) -> (Plan, Key) {
    let spec = json!({
        "storage": {"buckets": [{"name": "one", "bucketName": "bucket-one"}, {"name": "two", "bucketName": "bucket-two"}]},
        "access": [{
            "name": "api",
            "principalArns": ["arn:aws:iam::123456789012:role/api"],
            "buckets": [{"name": "one"}, {"name": "two"}],
        }],
    });
    let desired = desire(&validate(&object(spec)).unwrap(), CLUSTER);
    let role = desired.last().unwrap().resource.key();
    let mut observations: Observations = desired.iter().map(|item| (item.resource.key(), Observed::absent())).collect();
    observations.extend(live.map(|live| (live.key(), ours(&live))));
    (plan("n", "p", &desired, &observations, &Intent::keep(ManagementPolicy::Full)), role)
}

/// The role as the plan says that it was carried out, and which of the buckets it may use.
fn role_of<'a>(plan: &'a Plan, role: &Key) -> (&'a Step, [bool; 2]) {
    let step = plan.steps.iter().find(|step| step.key == *role).unwrap();
    let Some(Resource::Role(desired)) = &step.desired else { panic!("a role is desired") };
    let text = serde_json::to_string(&desired.policies).unwrap();
    (step, ["bucket-one", "bucket-two"].map(|bucket| text.contains(bucket)))
}

#[tokio::test]
async fn a_role_waits_for_its_buckets_whichever_way_they_end_and_gets_those_that_are_made() {
    for (answer, granted, needs_somebody) in [
        (Ok(Applied::Ready), true, None),
        (Err(failure(Class::Denied).into()), false, Some(true)),
        (Err(failure(Class::NotOwned).into()), false, Some(true)),
        (Err(failure(Class::Transient).into()), false, Some(false)),
        (Err(part("lifecycle")), true, None),
        // What was refused before it was taken over says nothing of its tags.
        (Err(silent("publicAccessBlock")), false, Some(false)),
        (Err(silent("tags")), false, Some(false)),
    ] {
        let (planned, role) = of_two_buckets(None);
        let script = Script::answering([("bucket-one", answer.clone())]);
        let (carried_out, outcomes) = carry_out(&script, &planned, &CancellationToken::new()).await;
        let (step, grants) = role_of(&carried_out, &role);
        assert_eq!(grants, [granted, true], "{answer:?}");
        assert_eq!(step.left_out.first().map(|left| left.needs_somebody), needs_somebody);
        assert_eq!(outcomes[&role], ready());
        let log = script.log();
        let place = |entry: String| log.iter().position(|it| *it == entry).unwrap();
        let begins = place(format!("{} begins", role.name));
        assert!(["bucket-one ends", "bucket-two ends"].iter().all(|it| place((*it).into()) < begins), "{log:?}");
    }
}

#[tokio::test]
async fn a_role_that_has_what_is_made_by_now_is_not_written_again() {
    let (planned, role) = of_two_buckets(None);
    let script = Script::answering([("bucket-one", Err(failure(Class::Denied).into()))]);
    let (narrow, _) = carry_out(&script, &planned, &CancellationToken::new()).await;
    let narrow = role_of(&narrow, &role).0.desired.clone();
    let whole = role_of(&planned, &role).0.desired.clone();
    for (live, answer, is_written) in [
        (narrow.clone(), Err(failure(Class::Denied).into()), false),
        (narrow, Ok(Applied::Ready), true),
        (whole.clone(), Ok(Applied::Ready), false),
        (whole.clone(), Err(failure(Class::Transient).into()), false),
        (whole, Err(failure(Class::Denied).into()), true),
    ] {
        let (planned, _) = of_two_buckets(live);
        let script = Script::answering([("bucket-one", answer.clone())]);
        let (carried_out, outcomes) = carry_out(&script, &planned, &CancellationToken::new()).await;
        let expected = if is_written { ready() } else { Outcome::NotTaken };
        assert_eq!(outcomes[&role], expected, "{answer:?}");
        assert_eq!(role_of(&carried_out, &role).0.action.writes(), is_written);
        assert_eq!(script.log().iter().any(|entry| entry.starts_with(&role.name)), is_written);
    }
}

#[tokio::test]
async fn an_operator_that_ends_grants_nothing_on_what_it_did_not_see_made() {
    let stop = CancellationToken::new();
    let (planned, role) = of_two_buckets(None);
    let script = Script { ends: Some(("bucket-one", stop.clone())), ..Script::default() };
    let (_, outcomes) = carry_out(&script, &planned, &stop).await;
    assert_eq!(outcomes[&role], Outcome::Interrupted);
    assert!(!script.log().iter().any(|entry| entry.starts_with(&role.name)), "{:?}", script.log());
}
/// The failure of one part of a step in which others were written.
fn part(name: &str) -> Failures {
    let mut parts = crate::failures::Parts::of_a_creation();
    parts.note::<()>(name, Err(failure(Class::Denied)));
    parts.end(Applied::Ready).unwrap_err()
}

/// The failure of a part of something of which nobody knows whose it is.
fn silent(name: &str) -> Failures {
    let mut parts = crate::failures::Parts::default();
    parts.note::<()>(name, Err(failure(Class::Transient)));
    parts.end(Applied::Ready).unwrap_err()
}

#[tokio::test]
async fn what_could_not_be_taken_over_holds_up_what_needs_it() {
    let mut owned = crate::failures::Parts::default();
    owned.own();
    owned.note::<()>("versioning", Err(failure(Class::Denied)));
    let of = |owner: Option<&str>| {
        let mut resource = crate::testing::wanted_bucket("any-bucket").resource;
        let Resource::Bucket(bucket) = &mut resource else { panic!("it is a bucket") };
        bucket.tags = owner.into_iter().map(|owner| (crate::tags::OWNER.to_string(), owner.to_string())).collect();
        Some(resource)
    };
    for (observed, failures, goes_on) in [
        (of(None), silent("tags"), false),
        (of(None), owned.end(Applied::Ready).unwrap_err(), true),
        (of(Some("us")), silent("tags"), true),
    ] {
        let update = Step { desired: of(Some("us")), observed, ..step("a", Action::Update(Vec::new()), &[]) };
        let script = Script::answering([("a", Err(failures.clone()))]);
        let found = run(&script, vec![update, create("b", &["a"])]).await;
        assert_eq!(found[&bucket_key("b")] == ready(), goes_on, "{failures:?}");
    }
}

#[tokio::test]
async fn a_refused_part_holds_up_only_what_needs_that_part() {
    let on = |kind: Kind, action: Action| {
        let mut first = step("a", action, &[]);
        first.key.kind = kind;
        let mut second = step("b", Action::Create, &[]);
        second.needs = vec![first.key.clone()];
        vec![first, second]
    };
    let update = || Action::Update(Vec::new());
    for (kind, action, failures, goes_on) in [
        (Kind::Bucket, update(), part("versioning"), true),
        (Kind::Bucket, Action::Create, part("lifecycle"), true),
        (Kind::Bucket, Action::Create, failure(Class::Denied).into(), false),
        (Kind::Role, update(), part("tags"), true),
        (Kind::Role, update(), part("policies.access"), false),
        (Kind::Role, Action::Create, part("policies.access"), false),
    ] {
        let script = Script::answering([("a", Err(failures))]);
        let steps = on(kind, action);
        let second = steps[1].key.clone();
        let outcomes = run_until(&script, steps, &CancellationToken::new()).await;
        assert_eq!(matches!(outcomes[&second], Outcome::Done(_)), goes_on, "{kind}: {:?}", outcomes[&second]);
    }
}
