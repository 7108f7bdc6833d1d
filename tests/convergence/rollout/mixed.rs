//! Edits, load, schedules, failures and the end of the process in any order.

use aiplatform::failure::Class;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::check;
use super::spec::{self, MORNING, Served, image, scaled, served};
use super::ways::{LOSSES, assert_gone};
use super::*;
use crate::support::memory::Rollback;

/// Something that happens.
#[derive(Clone, Debug)]
enum Event {
    Edit(Option<Served>),
    /// So many passes.
    Passes(usize),
    /// Passes with a failure on the way.
    Fault(Fault),
    Load(i32),
    Schedule,
    /// SageMaker is found in transition by so many reads, in each, from now on.
    Reads(usize),
    /// The role is not visible for a while.
    Unseen(usize, usize),
    /// Somebody takes away one of the things that can be lost.
    Loss(usize),
    /// So many passes in which one action is denied.
    Denial(&'static str, usize),
}

/// What the operator may not be allowed for a while.
const DENIABLE: [&str; 13] = [
    "iam:ReadRole",
    "iam:UpdateRole",
    "sagemaker:ReadSageMakerModel",
    "sagemaker:ReadSageMakerEndpointConfig",
    "sagemaker:ReadSageMakerEndpoint",
    "sagemaker:ListSageMakerEndpoint",
    "sagemaker:UpdateSageMakerEndpoint attempt",
    "sagemaker:UpdateSageMakerEndpoint config",
    "sagemaker:DeleteSageMakerEndpoint",
    "sagemaker:DeleteSageMakerEndpointConfig",
    "autoscaling:ReadScalableTarget",
    "autoscaling:CreateScalableTarget",
    "autoscaling:DeleteScalableTarget",
];

fn any_served() -> impl Strategy<Value = Served> {
    let bounds = option::weighted(0.7, prop_oneof![Just((2, 8)), Just((3, 9)), Just((6, 6))]);
    let instance = select(vec!["ml.m5.large", "ml.m5.xlarge"]);
    let image = select(vec!['a', 'b', 'c', 'x', 'y']);
    (image, instance, select(vec![2, 4]), bounds, option::of(Just(4)), 0..=2u8).prop_map(
        |(image, instance, count, bounds, schedule, keep)| Served { image, instance, count, bounds, schedule, keep },
    )
}

fn any_fault() -> impl Strategy<Value = Fault> {
    // Not that something is not there: of what is to be deleted that would be believed.
    let class = select(vec![Class::Transient, Class::Conflict, Class::Throttled, Class::Denied]);
    (0..60usize, any::<bool>(), class, any::<bool>()).prop_map(|(call, after_the_effect, class, for_good)| Fault {
        call,
        after_the_effect,
        class,
        for_good,
    })
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => any_served().prop_map(|served| Event::Edit(Some(served))),
        1 => Just(Event::Edit(None)),
        4 => (1..8usize).prop_map(Event::Passes),
        4 => any_fault().prop_map(Event::Fault),
        2 => (1..10i32).prop_map(Event::Load),
        1 => Just(Event::Schedule),
        1 => (0..3usize).prop_map(Event::Reads),
        1 => (0..LOSSES.len()).prop_map(Event::Loss),
        2 => (select(DENIABLE.to_vec()), 1..8usize).prop_map(|(action, passes)| Event::Denial(action, passes)),
        1 => (0..3usize, 0..3usize).prop_map(|(models, endpoints)| Event::Unseen(models, endpoints)),
    ]
}

fn happen(run: &mut Run, event: &Event) {
    match event {
        Event::Edit(served) => edit(run, served.as_ref()),
        Event::Passes(passes) => {
            for _ in 0..*passes {
                run.pass();
            }
        }
        Event::Fault(fault) => {
            strike(run, *fault);
        }
        Event::Load(instances) => run.memory.change(|cloud| {
            let target = cloud.target(&scaled());
            // What load does stays within bounds; what somebody does by hand is pulled back into them, in time.
            let count = target.map_or(*instances, |target| {
                (*instances).clamp(target.bounds.min_capacity, target.bounds.max_capacity)
            });
            let _ = cloud.scale(&endpoint_name(), count);
        }),
        Event::Schedule => run.memory.change(|cloud| {
            let _ = cloud.fire(&scaled(), MORNING);
        }),
        Event::Reads(reads) => run.memory.change(|cloud| cloud.sagemaker.reads = *reads),
        Event::Loss(index) => run.memory.change(LOSSES[*index]),
        Event::Denial(action, passes) => {
            run.memory.deny(Some((action, None)));
            happen(run, &Event::Passes(*passes));
            run.memory.deny(None);
        }
        Event::Unseen(models, endpoints) => run.memory.change(|cloud| {
            cloud.sagemaker.roles_unseen_by_models = *models;
            cloud.sagemaker.roles_unseen_by_endpoints = *endpoints;
        }),
    }
}

/// A spec that can work: no image of it is broken.
fn sound() -> impl Strategy<Value = Served> {
    any_served().prop_filter("it works", |served| !['x', 'y'].contains(&served.image))
}

#[test]
fn whatever_happens_the_last_spec_is_reached_and_nothing_is_left_over() {
    check(&(vec(event(), 0..10), sound(), any::<bool>(), any::<bool>()), |(events, last, ends, remembers)| {
        let mut run = in_an_account_of_others(Some(&served()));
        run.session = remembers.then(Session::default);
        run.memory.change(|cloud| {
            cloud.sagemaker.broken.insert(image('x'), Rollback::Works);
            cloud.sagemaker.broken.insert(image('y'), Rollback::Fails);
        });
        for event in &events {
            happen(&mut run, event);
        }
        // What was seen too late, or could not be seen, is seen in the end, and the user asks for it once more, with the
        // annotation that has everything read.
        happen(&mut run, &Event::Unseen(0, 0));
        run.object
            .metadata
            .annotations
            .get_or_insert_default()
            .insert("aiplatform.dev/reconcile-at".into(), "now".into());
        edit(&mut run, Some(&last));
        converge(&mut run);
        let cloud = run.memory.cloud();
        run.memory.change(|cloud| cloud.sagemaker.taken_down.clear());
        let removed = events.iter().any(|event| matches!(event, Event::Edit(None)));
        assert!(removed || cloud.sagemaker.taken_down.is_empty(), "an endpoint that answered calls was deleted");
        assert_arrived(&mut run);
        assert_eq!(spec::wanted_endpoint(&run.object).map(|it| it.name), Some(endpoint_name()));
        if ends {
            let mut run = run.ending();
            assert!(converge(&mut run).finished);
            assert_gone(&run);
        }
    });
}
