//! Whatever fails, and wherever the process dies: what comes after leads to the same end.

use aiplatform::failure::Class;
use aiplatform::resource::endpoint::Status;

use super::spec::{MORNING, Served, image, scaled, served};
use super::ways::{assert_gone, in_the_midst};
use super::*;
use crate::support::memory::{Call, Rollback};

/// A rollout from where a run is to where another spec leads.
struct Story {
    start: Run,
    /// What becomes of the endpoint's capacity between two passes.
    load: Option<i32>,
    /// The fewest that must run at all times.
    never_below: i32,
    /// At most this often may the endpoint be moved.
    updates: usize,
}

impl Story {
    fn of(start: Run) -> Self {
        Self { start, load: None, never_below: 0, updates: 0 }
    }

    /// The same from the same place, with a process that knows nothing yet.
    fn begin(&self) -> Run {
        let mut run = Run::new(Memory::new(ACCOUNT, self.start.memory.cloud()), self.start.object.clone());
        (run.passes, run.session) = (self.start.passes, Some(Session::default()));
        run
    }

    /// Tells it once for every call and every way in which the call can fail, and looks at the end.
    fn ends(&self, end: impl Fn(&mut Run)) {
        let calls = self.trace();
        for (action, subject) in calls.iter().map(|call| (&call.action, &call.subject)).collect::<BTreeSet<_>>() {
            let mut run = self.begin();
            run.memory.deny(Some((action, Some(subject))));
            for _ in 0..PASSES / 3 {
                if run.pass().finished {
                    break;
                }
            }
            run.memory.deny(None);
            self.assert_end(&mut run, &format!("{action} on {subject} was denied for a while"), &end);
        }
        for fault in faults(calls) {
            let mut run = self.begin();
            assert!(strike(&mut run, fault), "{fault:?} did not come");
            self.assert_end(&mut run, &format!("{fault:?}"), &end);
        }
    }

    fn assert_end(&self, run: &mut Run, after: &str, end: &impl Fn(&mut Run)) {
        if let Some(load) = self.load {
            scale(run, load);
        }
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            converge(run);
            end(run);
            assert_never_below(run, self.never_below);
            let updates = count(run, "sagemaker:UpdateSageMakerEndpoint config");
            assert!(updates <= self.updates, "{updates} updates");
        }));
        if let Err(panic) = outcome {
            eprintln!("after {after}");
            for write in run.memory.writes() {
                eprintln!("  {} {}", write.action, write.key);
            }
            std::panic::resume_unwind(panic);
        }
    }

    /// The calls when nothing fails.
    fn trace(&self) -> Vec<Call> {
        let mut run = self.begin();
        let never = Fault { call: usize::MAX, after_the_effect: false, class: Class::Transient, for_good: false };
        assert!(!strike(&mut run, never));
        run.memory.trace()
    }
}

/// A failure of every call, but for those that come to the same: a read that is repeated while nothing changes, the
/// answer to a read that is lost, and an end of the process before a read.
fn faults(calls: Vec<Call>) -> Vec<Fault> {
    let mut reported = BTreeSet::new();
    let mut faults = Vec::new();
    for (call, it) in calls.into_iter().enumerate() {
        let writes = it.writes;
        if !reported.insert(it) {
            continue;
        }
        for (after_the_effect, for_good) in [(false, false), (false, true), (true, false), (true, true)] {
            if writes || !(after_the_effect || for_good) {
                faults.push(Fault { call, after_the_effect, class: Class::Transient, for_good });
            }
        }
    }
    assert!(faults.len() > 20, "{faults:?}");
    faults
}

fn slowly(run: Run) -> Run {
    run.memory.change(|cloud| cloud.sagemaker.reads = 1);
    run
}

fn changed(from: &Served, to: &Served) -> Story {
    let mut start = slowly(at_rest(from, 5));
    edit(&mut start, Some(to));
    Story { load: Some(6), never_below: 5, updates: 1, ..Story::of(start) }
}

#[test]
fn a_first_creation_survives_a_failure_of_any_call() {
    Story::of(slowly(in_an_account_of_others(Some(&served())))).ends(assert_arrived);
}

#[test]
fn another_image_survives_a_failure_of_any_call() {
    changed(&served(), &Served { image: 'b', ..served() }).ends(assert_arrived);
}

#[test]
fn another_instance_type_survives_a_failure_of_any_call() {
    changed(&served(), &Served { instance: "ml.m5.xlarge", ..served() }).ends(assert_arrived);
}

#[test]
fn another_count_survives_a_failure_of_any_call() {
    let fixed = Served { bounds: None, ..served() };
    let story = Story { load: None, ..changed(&fixed, &Served { image: 'b', count: 7, ..fixed.clone() }) };
    story.ends(|run| {
        assert_arrived(run);
        assert_eq!(instances(run), 7);
    });
}

#[test]
fn a_count_under_scaling_is_not_taken_whatever_fails() {
    let story = changed(&served(), &Served { image: 'b', count: 3, ..served() });
    story.ends(|run| {
        assert_arrived(run);
        assert!(instances(run) >= 5, "{} run", instances(run));
    });
}

#[test]
fn an_end_of_scaling_survives_a_failure_of_any_call() {
    let story = Story { updates: 0, ..changed(&served(), &Served { bounds: None, ..served() }) };
    story.ends(assert_arrived);
}

#[test]
fn a_beginning_of_scaling_survives_a_failure_of_any_call() {
    let story = Story { updates: 0, ..changed(&Served { bounds: None, ..served() }, &served()) };
    story.ends(assert_arrived);
}

#[test]
fn other_bounds_survive_a_failure_of_any_call() {
    let story = Story { updates: 0, ..changed(&served(), &Served { bounds: Some((6, 9)), ..served() }) };
    story.ends(assert_arrived);
}

#[test]
fn the_end_of_a_model_survives_a_failure_of_any_call() {
    let mut start = slowly(at_rest(&served(), 5));
    edit(&mut start, None);
    Story::of(start).ends(|run| {
        assert_gone(run);
        assert_at_peace(run);
    });
}

#[test]
fn a_deletion_in_any_state_survives_a_failure_of_any_call() {
    for status in [None, Some(Status::Creating), Some(Status::Updating)] {
        Story { updates: 1, ..Story::of(in_the_midst(status).ending()) }.ends(|run| assert_gone(run));
    }
}

#[test]
fn a_rollback_and_what_mends_it_survive_a_failure_of_any_call() {
    let start = slowly(at_rest(&served(), 5));
    start.memory.change(|cloud| {
        cloud.sagemaker.broken.insert(image('b'), Rollback::Works);
    });
    let mut failing = Run::new(Memory::new(ACCOUNT, start.memory.cloud()), start.object.clone());
    edit(&mut failing, Some(&Served { image: 'b', ..served() }));
    let rolled_back = |run: &mut Run| {
        let reason = &run.object.status.as_ref().expect("a status").conditions[0].reason;
        assert_eq!(reason, "RolledBack");
        assert_eq!(count(run, "sagemaker:UpdateSageMakerEndpoint config"), 1);
        assert_at_peace(run);
    };
    Story { never_below: 5, updates: 1, load: Some(6), ..Story::of(failing) }.ends(rolled_back);

    let mut mended = start;
    edit(&mut mended, Some(&Served { image: 'b', ..served() }));
    converge(&mut mended);
    edit(&mut mended, Some(&Served { image: 'c', ..served() }));
    Story { never_below: 5, updates: 1, load: Some(6), ..Story::of(mended) }.ends(assert_arrived);
}

#[test]
fn a_way_out_of_a_failed_rollback_survives_a_failure_of_any_call() {
    let mut start = at_rest(&served(), 5);
    start.memory.change(|cloud| {
        cloud.sagemaker.broken.insert(image('b'), Rollback::Fails);
        cloud.fire(&scaled(), MORNING).expect("the time comes");
    });
    edit(&mut start, Some(&Served { image: 'b', ..served() }));
    converge(&mut start);
    for mended in [served(), Served { instance: "ml.m5.xlarge", ..served() }] {
        let mut start = Run::new(Memory::new(ACCOUNT, start.memory.cloud()), start.object.clone());
        edit(&mut start, Some(&mended));
        Story { never_below: 5, updates: 1, ..Story::of(slowly(start)) }.ends(assert_arrived);
    }
}

#[test]
fn a_role_that_is_not_visible_yet_survives_a_failure_of_any_call() {
    let start = slowly(in_an_account_of_others(Some(&served())));
    start.memory.change(|cloud| {
        cloud.sagemaker.roles_unseen_by_models = 1;
        cloud.sagemaker.roles_unseen_by_endpoints = 1;
    });
    Story::of(start).ends(assert_arrived);
}
