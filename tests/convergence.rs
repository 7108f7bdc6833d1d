//! From any state of the cloud, with any failure, repeated passes reach what is declared, and nothing that is not ours is touched.

mod access;
mod attained;
mod bindings;
mod guarded;
mod kinds;
mod network;
mod passes;
mod rollout;
mod scenario;

use std::collections::{BTreeMap, BTreeSet};

use aiplatform::api::AIPlatform;
use aiplatform::api::status::{AccountCheck, Phase};
use aiplatform::guardrails::Guardrails;
use aiplatform::leadership::Authority;
use aiplatform::reconcile::{Pass, PassContext, reconcile};
use aiplatform::resource::{Bucket, Contents, Key, Kind, Owner};
use aiplatform::schedule::Next;
use aiplatform::session::{PassInput, Session};
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::memory::{FakeCloud, Fault, Memory, Write};
use scenario::{ACCOUNT, CLUSTER, End, OURS, Scenario, assert_ended, crash, fault, scenario, wanted};

/// At most: announced, admitted, done, seen to be done, broken off while looking once more, mended, and found as before.
const PASSES: usize = 8;

/// Draws cases and checks each; proptest makes a failing one as small as it can.
fn check<S: Strategy>(strategy: &S, property: impl Fn(S::Value)) {
    // Half of proptest's own number, which PROPTEST_CASES raises for a longer search.
    let cases = Config::default().cases / 2;
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let holds = TestRunner::new(config).run(strategy, |case| {
        property(case);
        Ok(())
    });
    holds.unwrap_or_else(|broken| panic!("{broken}"));
}

fn wait_for<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime starts").block_on(future)
}

/// An object and the cloud it lives in, pass after pass, as the controller runs them.
struct Run {
    memory: Memory,
    object: AIPlatform,
    guardrails: Guardrails,
    passes: i64,
    /// The operator's memory, where it matters.
    session: Option<Session>,
}

impl Run {
    fn new(memory: Memory, object: AIPlatform) -> Self {
        Self { memory, object, guardrails: Guardrails::Unbounded, passes: 0, session: None }
    }

    fn context(&self) -> PassContext<'_> {
        PassContext { cluster: CLUSTER, guardrails: &self.guardrails, labels: Ok(None) }
    }

    fn of(scenario: &Scenario) -> Self {
        Self::new(Memory::new(ACCOUNT, scenario.cloud()), scenario.object())
    }

    /// The same, with the object on its way out.
    fn ending(mut self) -> Self {
        self.object.metadata.deletion_timestamp =
            Some(serde_json::from_value(json!("2026-01-01T00:00:00Z")).expect("the time parses"));
        self
    }

    /// One pass, a minute after the last, whose status is kept.
    fn pass(&mut self) -> Pass {
        let pass = self.lost_pass();
        self.object.status = Some(pass.status.clone());
        pass
    }

    /// One pass whose status never reaches the object.
    fn lost_pass(&mut self) -> Pass {
        self.passes += 1;
        let now = Timestamp::new(1_800_000_000 + 60 * self.passes, 0).expect("the time exists");
        let authority = Authority::unelected(CancellationToken::new());
        let session = self.session.as_mut();
        let input = session.map_or_else(PassInput::default, |session| session.begin(&self.object, now));
        let writes = self.memory.writes().len();
        let pass = wait_for(reconcile(&self.memory, &self.object, self.context(), &input, now, &authority));
        let admitted = self.object.status.as_ref().and_then(|status| status.account_check);
        assert!(
            self.memory.writes().len() == writes || admitted != Some(AccountCheck::Pending),
            "something was written before it is known that something may be"
        );
        if let Some(session) = &mut self.session {
            session.end(&input, &pass.result(), now);
        }
        pass
    }

    /// Passes until a resync has nothing more to do and says what the pass before said, or the object is gone. An edit alone
    /// need not find what somebody changed in what it leaves as it is.
    fn converge(&mut self) -> Pass {
        let mut last = Next::Now;
        for _ in 0..PASSES {
            let (status, writes) = (self.object.status.clone(), self.memory.writes().len());
            let pass = self.pass();
            let idle = Some(&pass.status) == status.as_ref() && self.memory.writes().len() == writes;
            let leads_to_resync = |next: Next| matches!(next, Next::Resync | Next::Slow | Next::Never);
            let is_seen = leads_to_resync(last) || !leads_to_resync(pass.next);
            if pass.finished || (idle && is_seen && pass.next != Next::Now) {
                return pass;
            }
            last = pass.next;
        }
        panic!("{PASSES} passes were not enough: {:#?}", self.object.status)
    }

    /// Passes until the process has died in the midst of one, whose status is lost with it.
    fn crash(&mut self, crash: Fault) {
        self.memory.fail(crash);
        for _ in 0..PASSES {
            let pass = self.lost_pass();
            if self.memory.has_failed() || pass.finished {
                break;
            }
            self.object.status = Some(pass.status);
        }
        self.memory.recover();
    }

    /// Another pass plans nothing, writes nothing and says the same.
    fn assert_at_rest(&mut self) {
        let (status, writes) = (self.object.status.clone(), self.memory.writes());
        let pass = self.pass();
        let taken: Vec<_> = pass.plan.steps.iter().filter(|step| step.is_taken()).collect();
        assert!(taken.is_empty(), "{taken:#?}");
        assert_eq!(self.memory.writes(), writes);
        assert_eq!(Some(pass.status), status);
    }

    /// Nothing was written that is somebody else's, or nobody's and not to be adopted; and nothing of ours was made or
    /// left to stand on something that is not there.
    fn assert_only_ours_was_written(&self, adopted: &BTreeSet<Key>) {
        for Write { action, verb, key, holder, left_dangling, granted_beyond } in self.memory.writes() {
            // What we delete ourselves is named until the role follows in the same pass.
            assert!(
                granted_beyond.is_empty() || key.kind != Kind::Role,
                "{action} on {key} grants what is not ours: {granted_beyond:#?}"
            );
            let allowed = match holder {
                None => verb == "Create",
                Some(Owner::Ours) => true,
                // Ownership comes with the settings or before them.
                Some(Owner::Nobody) => adopted.contains(&key) && (key.kind != Kind::Bucket || action.contains(" tags")),
                Some(Owner::Theirs(_)) => false,
            };
            assert!(allowed, "{action} on {key}, held by {holder:?}");
            assert!(
                left_dangling.is_empty(),
                "{action} on {key} leaves something missing that {left_dangling:?} needs: {:#?}",
                self.memory.writes().iter().map(|it| format!("{} on {}", it.action, it.key)).collect::<Vec<_>>()
            );
        }
    }

    /// Whatever is ours is known to the object.
    fn assert_nothing_is_forgotten(&self) {
        let known = aiplatform::status::inventory(self.object.status.as_ref());
        let ours = self.memory.cloud().holders(OURS).into_iter().filter(|(_, holder)| *holder == Owner::Ours);
        for (key, _) in ours {
            assert!(known.contains(&key), "{key} is forgotten");
        }
    }
}

/// Passes over the object lead to where the scenario must end.
fn reaches_its_end(run: &mut Run, scenario: &Scenario) {
    let last = run.converge();
    run.memory.recover();
    assert_ended(&scenario.ends(), &scenario.cloud(), &run.memory.cloud());
    access::assert_is(&run.memory.cloud(), &scenario.access_ends());
    if scenario.management_policy != "Observe" {
        assert_eq!(run.memory.granted_beyond(OURS), BTreeSet::new());
    }
    run.assert_at_rest();
    run.assert_only_ours_was_written(&scenario.adopted());
    run.assert_nothing_is_forgotten();
    if scenario.management_policy != "Observe" {
        let ready = last.status.conditions.iter().any(|found| found.type_ == "Ready" && found.status == "True");
        assert_eq!(ready, scenario.can_be_ready(), "{:#?}", last.status);
        assert_eq!(last.plan.is_settled(), ready, "{}", last.plan);
    }
}

/// Passes over the deleted object lead to where the scenario must end.
fn ends_as_it_must(run: &mut Run, scenario: &Scenario) {
    let (ends, full) = scenario.ends_of_deletion();
    let mut last = run.converge();
    run.memory.recover();
    let mut before = scenario.cloud();
    if !full.is_empty() {
        assert!(!last.finished, "finished although {full:?} held something");
        assert_eq!(last.status.phase, Some(Phase::Deleting));
        assert!(last.status.conditions.iter().any(|found| found.type_ == "Stalled"), "{:#?}", last.status);
        run.assert_at_rest();
        let empty = |cloud: &mut FakeCloud| {
            for name in &full {
                let bucket = cloud.stored_mut::<Bucket>(name);
                bucket.unwrap_or_else(|| panic!("{name} went with what was in it")).contents = Contents::default();
            }
        };
        empty(&mut before);
        run.memory.change(empty);
        last = run.converge();
    }
    assert!(last.finished, "{:#?}", last.status);
    assert_ended(&ends, &before, &run.memory.cloud());
    access::assert_is(&run.memory.cloud(), &scenario.access_ends_of_deletion());
    run.assert_only_ours_was_written(&BTreeSet::new());
    let calls = run.memory.writes();
    assert!(run.pass().finished);
    assert_eq!(run.memory.writes(), calls);
}

#[test]
fn any_state_becomes_as_declared_with_one_failure_on_the_way() {
    check(&(scenario(), fault()), |(scenario, fault)| {
        let mut run = Run::of(&scenario);
        run.memory.fail(fault);
        reaches_its_end(&mut run, &scenario);
    });
}

#[test]
fn any_state_becomes_as_declared_after_a_crash_at_any_call() {
    check(&(scenario(), crash()), |(scenario, crash)| {
        let mut run = Run::of(&scenario);
        run.crash(crash);
        reaches_its_end(&mut run, &scenario);
    });
}

#[test]
fn a_deletion_leaves_what_is_to_be_retained_with_one_failure_on_the_way() {
    check(&(scenario(), fault()), |(scenario, fault)| {
        let mut run = Run::of(&scenario).ending();
        run.memory.fail(fault);
        ends_as_it_must(&mut run, &scenario);
    });
}

#[test]
fn a_deletion_leaves_what_is_to_be_retained_after_a_crash_at_any_call() {
    check(&(scenario(), crash()), |(scenario, crash)| {
        let mut run = Run::of(&scenario).ending();
        run.crash(crash);
        ends_as_it_must(&mut run, &scenario);
    });
}

/// What a spec says of three buckets and three consumers: of some of them nothing.
#[derive(Clone, Debug)]
struct Edition {
    buckets: Vec<Option<scenario::Shape>>,
    identity: access::Identity,
    consumers: Vec<Option<access::Consumer>>,
    /// Which service account each consumer takes.
    accounts: Vec<usize>,
}

fn edition() -> impl Strategy<Value = Edition> {
    use proptest::{collection::vec, option::weighted};
    let buckets = vec(weighted(0.7, scenario::shape()), 3);
    let consumers = vec(weighted(0.6, access::consumer()), 3);
    (buckets, access::identity(), consumers, Just(vec![0, 1, 2]).prop_shuffle())
        .prop_map(|(buckets, identity, consumers, accounts)| Edition { buckets, identity, consumers, accounts })
}

fn spec_of(edition: &Edition, generation: i64) -> AIPlatform {
    let shapes = edition.buckets.iter().enumerate().filter_map(|(index, shape)| Some((index, shape.as_ref()?)));
    let bucket = shapes.clone().next().map(|(index, _)| format!("bucket-{index}"));
    let consumers = edition.consumers.iter().zip(&edition.accounts).enumerate();
    let consumers = consumers.filter_map(|(index, (consumer, account))| {
        let consumer = consumer.as_ref()?;
        Some(consumer.to_json(&format!("consumer-{index}"), &format!("account-{account}"), bucket.as_deref()))
    });
    let mut object = scenario::object(json!({
        "identity": edition.identity.to_json(),
        "models": access::models_json(),
        "access": consumers.collect::<Vec<_>>(),
        "storage": {"buckets": scenario::buckets_json(shapes)},
    }));
    object.metadata.generation = Some(generation);
    object
}

#[test]
fn an_edited_spec_is_reached_and_what_it_leaves_out_goes_as_the_old_one_said() {
    check(&(edition(), edition(), fault(), any::<bool>()), |(old, new, failure, crashes)| {
        let (old_object, mut new_object) = (spec_of(&old, 1), spec_of(&new, 2));
        let mut first = FakeCloud::default();
        first.put(access::unbound("support", "account-0"));
        let mut run = Run::new(Memory::new(ACCOUNT, first.clone()), old_object.clone());
        run.converge();
        new_object.status = run.object.status.take();
        run.object = new_object;
        let before = run.memory.cloud();
        if crashes {
            run.crash(Fault { for_good: true, ..failure });
        } else {
            run.memory.fail(failure);
        }
        run.converge();
        run.memory.recover();

        let shapes = old.buckets.iter().flatten();
        let mut ends: BTreeMap<String, End> = wanted(&old_object)
            .into_iter()
            .zip(shapes)
            .map(|(bucket, shape)| {
                (bucket.name, if shape.deletion_policy == "Retain" { End::Untouched } else { End::Gone })
            })
            .collect();
        ends.extend(
            wanted(&run.object)
                .into_iter()
                .map(|bucket| (bucket.name.clone(), End::As(Box::new(bucket), BTreeSet::new()))),
        );
        assert_ended(&ends, &before, &run.memory.cloud());
        for wanted in access::wanted(&run.object) {
            access::converge(&mut first, &wanted);
        }
        access::assert_is(&run.memory.cloud(), &first);
        run.assert_at_rest();
        run.assert_only_ours_was_written(&[&old_object, &run.object].into_iter().flat_map(access::adoptable).collect());
        run.assert_nothing_is_forgotten();
    });
}
