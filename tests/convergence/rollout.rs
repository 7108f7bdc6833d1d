//! An endpoint gets to what is wanted whatever happens on the way, and loses nothing.

mod crashes;
mod mixed;
mod spec;
mod ways;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use aiplatform::api::AIPlatform;
use aiplatform::reconcile::Pass;
use aiplatform::resource::{EndpointConfig, Key, Model, Owner};
use aiplatform::schedule::Next;
use aiplatform::tags;

use super::scenario::{ACCOUNT, OURS, THEIRS};
use super::{Run, Session};
use crate::support::memory::{FakeCloud, Fault, Memory, Stored};
use spec::{Served, assert_serves, endpoint_name, platform, served};

/// More than any rollout here takes.
const PASSES: usize = 60;

/// What others have, some of it under names that could be ours.
fn bystanders() -> FakeCloud {
    static BYSTANDERS: OnceLock<FakeCloud> = OnceLock::new();
    BYSTANDERS.get_or_init(made_by_others).clone()
}

fn made_by_others() -> FakeCloud {
    let mut run = Run::new(Memory::new(ACCOUNT, FakeCloud::default()), platform(Some(&served())));
    converge(&mut run);
    let ours = run.memory.cloud();
    let mut cloud = FakeCloud::default();
    let with = |owner: Option<&str>| owner.map(|owner| (tags::OWNER.to_string(), owner.to_string()));
    for (suffix, owner) in [("0badc0de", Some(THEIRS)), ("0ddba115", None)] {
        for model in ours.all::<Model>() {
            let tags = with(owner).into_iter().collect();
            cloud.put(Model { name: renamed(&model.name, suffix), tags, ..model.clone() });
        }
        for config in ours.all::<EndpointConfig>() {
            let (name, tags) = (renamed(&config.name, suffix), with(owner).into_iter().collect());
            let mut config = EndpointConfig { name, tags, ..config.clone() };
            config.content.model = renamed(&config.content.model, suffix);
            cloud.put(config);
        }
    }
    cloud
}

/// The same name with another hash of the content.
fn renamed(name: &str, hash: &str) -> String {
    let (revised, _) = name.rsplit_once('-').expect("a revision's name ends in a hash");
    format!("{revised}-{hash}")
}

fn in_an_account_of_others(served: Option<&Served>) -> Run {
    Run::new(Memory::new(ACCOUNT, bystanders()), platform(served))
}

/// An endpoint that is as wanted, and that load has given so many instances.
fn at_rest(served: &Served, instances: i32) -> Run {
    let mut run = in_an_account_of_others(Some(served));
    converge(&mut run);
    scale(&run, instances);
    converge(&mut run);
    forget_the_past(&run);
    run
}

/// Whatever scales the endpoint gives it so many instances, unless SageMaker is at work on it.
fn scale(run: &Run, instances: i32) {
    run.memory.change(|cloud| {
        let _ = cloud.scale(&endpoint_name(), instances);
    });
}

/// From here on counts what is the fewest instances that ever ran.
fn forget_the_past(run: &Run) {
    run.memory.change(|cloud| {
        cloud.endpoints_mut().for_each(|endpoint| endpoint.fewest = None);
    });
}

/// The user writes another spec.
fn edit(run: &mut Run, served: Option<&Served>) {
    let AIPlatform { metadata, status, .. } = std::mem::replace(&mut run.object, platform(served));
    let generation = metadata.generation.map(|generation| generation + 1);
    run.object.metadata = metadata;
    run.object.metadata.generation = generation;
    run.object.status = status;
}

/// Passes until nothing is left to do and SageMaker is at work on nothing.
pub(super) fn converge(run: &mut Run) -> Pass {
    let mut last = Next::Now;
    for _ in 0..PASSES {
        let (status, writes) = (run.object.status.clone(), run.memory.writes().len());
        let pass = run.pass();
        let idle = Some(&pass.status) == status.as_ref() && run.memory.writes().len() == writes;
        // An edit alone need not find what somebody changed in what it leaves as it is: a resync does.
        if pass.finished || (idle && is_for_later(last) && is_for_later(pass.next) && !is_busy(run)) {
            return pass;
        }
        last = pass.next;
    }
    panic!("{PASSES} passes were not enough: {:#?}", run.object.status)
}

/// Whether nothing is on its way or to be tried again.
fn is_for_later(next: Next) -> bool {
    matches!(next, Next::Resync | Next::Slow | Next::Never)
}

fn is_busy(run: &Run) -> bool {
    run.memory.cloud().endpoints().any(|endpoint| endpoint.status.is_busy())
}

/// Passes with a failure on the way: of a failure for good, the status of the pass in which it comes is lost. Whether
/// it came at all.
fn strike(run: &mut Run, fault: Fault) -> bool {
    run.memory.fail(fault);
    for _ in 0..PASSES {
        let (status, writes) = (run.object.status.clone(), run.memory.writes().len());
        let pass = run.lost_pass();
        let struck = run.memory.has_failed();
        if struck && fault.for_good {
            run.session = run.session.take().map(|_| Session::default());
            break;
        }
        if pass.finished {
            break;
        }
        let idle = Some(&pass.status) == status.as_ref() && run.memory.writes().len() == writes;
        run.object.status = Some(pass.status);
        if struck || (idle && is_for_later(pass.next) && !is_busy(run)) {
            break;
        }
    }
    run.memory.recover();
    run.memory.has_failed()
}

/// What the spec wants is there, nothing is left over, nothing of others was touched, and all of that stays so.
fn assert_arrived(run: &mut Run) {
    let cloud = run.memory.cloud();
    assert_serves(&cloud, &run.object);
    assert_at_peace(run);
}

/// Nothing of others was touched, nothing is forgotten, and another pass has nothing to do.
fn assert_at_peace(run: &mut Run) {
    let cloud = run.memory.cloud();
    let theirs = |cloud: &FakeCloud| -> BTreeMap<Key, Stored> {
        let not_ours = |key: &Key| cloud.holder(key, OURS).is_some_and(|holder| holder != Owner::Ours);
        cloud.resources.clone().into_iter().filter(|(key, _)| not_ours(key)).collect()
    };
    assert_eq!(theirs(&cloud), theirs(&bystanders()));
    run.assert_at_rest();
    run.assert_only_ours_was_written(&BTreeSet::new());
    run.assert_nothing_is_forgotten();
}

/// So many instances ran at all times.
fn assert_never_below(run: &Run, instances: i32) {
    let cloud = run.memory.cloud();
    let fewest = cloud.serving(&endpoint_name()).and_then(|endpoint| endpoint.fewest);
    assert!(fewest.is_none_or(|fewest| fewest >= instances), "{fewest:?} ran, and it should have been {instances}");
}

/// How often a call was made that had an effect.
fn count(run: &Run, action: &str) -> usize {
    run.memory.writes().iter().filter(|write| write.action == action).count()
}

fn instances(run: &Run) -> i32 {
    let cloud = run.memory.cloud();
    let endpoint = cloud.serving(&endpoint_name()).expect("the endpoint is there");
    endpoint.running.as_ref().expect("it runs").current
}
