use std::collections::BTreeMap;

use proptest::collection::{btree_map, btree_set};
use proptest::prelude::*;

use super::*;
use crate::api::DeletionPolicy;
use crate::api::ManagementPolicy::Full;
use crate::failure::Class;
use crate::plan::{Plan, check};
use crate::resource::Contents;
use crate::resource::endpoint_config::{Capacity, Content, EndpointConfig, Instance};
use crate::tags::Tags;
use crate::testing::{failure, wanted_bucket};

/// The case in which a resource was observed.
#[derive(Clone, Copy, Debug)]
enum Case {
    Absent,
    Ours,
    OursAndFull,
    Theirs,
    Unreadable,
    Progressing,
}

const KINDS: [Kind; 3] = [Kind::Bucket, Kind::SageMakerEndpointConfig, Kind::Role];

/// The place of a kind among those above, and a number.
type Name = (usize, u8);

/// Resources, each with the case it was observed in and with arbitrary needs.
fn resources() -> impl Strategy<Value = BTreeMap<Name, (Case, BTreeSet<Name>)>> {
    let case = prop::sample::select(vec![
        Case::Absent,
        Case::Ours,
        Case::Ours,
        Case::OursAndFull,
        Case::Theirs,
        Case::Unreadable,
        Case::Progressing,
    ]);
    let name = || (0..KINDS.len(), 0_u8..4);
    btree_map(name(), (case, btree_set(name(), 0..4)), 0..10)
}

fn key((kind, name): &Name) -> Key {
    Key { kind: KINDS[*kind], name: format!("it-{name}") }
}

/// A configuration stands for everything that can need anything.
fn resource(key: &Key, needs: Vec<Key>) -> Resource {
    match key.kind {
        Kind::SageMakerEndpointConfig => Resource::SageMakerEndpointConfig(EndpointConfig {
            name: key.name.clone(),
            arn: String::new(),
            tags: Tags::new(),
            content: Content {
                model: String::new(),
                capacity: Capacity::Instance(Instance {
                    kind: "ml.m5.large".into(),
                    count: 1,
                    volume_size_gib: None,
                    startup_timeout_seconds: None,
                    model_download_timeout_seconds: None,
                }),
                asynchronous: None,
                data_capture: None,
            },
            needs,
        }),
        _ => wanted_bucket(&key.name).resource,
    }
}

fn observed(key: &Key, case: Case, needs: Vec<Key>) -> Observed {
    let present = |owner| Observed::present(resource(key, needs), owner);
    match case {
        Case::Absent => Observed::absent(),
        Case::Ours => present(Owner::Ours),
        Case::OursAndFull => {
            Observed { contents: Some(Contents { versions: 1, ..Contents::default() }), ..present(Owner::Ours) }
        }
        Case::Theirs => present(Owner::Theirs("another".into())),
        Case::Unreadable => Observed::unreadable(failure(Class::Denied)),
        Case::Progressing => Observed { state: ObservedState::Progressing("busy".into()), ..present(Owner::Ours) },
    }
}

proptest! {
    /// Whatever needs whatever, in a circle too, and whatever may need whatever where it could not be read.
    #[test]
    fn nothing_is_left_out_and_everything_comes_after_what_it_needs(
        resources in resources(),
        may_need in btree_set((0..KINDS.len(), 0..KINDS.len()), 0..9),
    ) {
        let observations: Observations = resources
            .iter()
            .map(|(name, (case, needs))| {
                let key = key(name);
                let observed = observed(&key, *case, needs.iter().map(self::key).collect());
                (key, observed)
            })
            .collect();
        let kind = |kind: Kind| KINDS.iter().position(|it| *it == kind).expect("one of them");
        let may_need = |one: Kind, other: Kind| may_need.contains(&(kind(one), kind(other)));
        let intent = Intent::delete(Full, DeletionPolicy::Delete, &[]);
        let steps =
            ordered(&[], &BTreeSet::new(), &BTreeSet::new(), &observations, &intent, may_need);
        let plan = Plan { steps, ..Plan::default() };
        prop_assert_eq!(check(&plan, &[], observations.keys(), &observations, &intent), Ok(()));
        for step in &plan.steps {
            let holds_up = |it: &&Step| match &it.observed {
                Some(resource) => it.key != step.key && resource.needs().contains(&step.key),
                None => it.key != step.key && may_need(it.key.kind, step.key.kind),
            };
            if matches!(step.action, Action::Delete { .. }) {
                let goes = |it: &Step| matches!(it.action, Action::Delete { .. }) && step.needs.contains(&it.key);
                prop_assert!(plan.steps.iter().filter(holds_up).all(goes), "{} goes too early", step.key);
            }
        }
    }
}

#[test]
fn two_that_cannot_be_read_and_may_need_each_other_are_both_shown() {
    let names = [(0, 0), (0, 1)].map(|name| key(&name));
    let observations: Observations =
        names.iter().map(|key| (key.clone(), observed(key, Case::Unreadable, Vec::new()))).collect();
    let intent = Intent::delete(Full, DeletionPolicy::Delete, &[]);
    let steps = ordered(&[], &BTreeSet::new(), &BTreeSet::new(), &observations, &intent, |_, _| true);
    assert_eq!(steps.iter().map(|step| step.key.clone()).collect::<Vec<_>>(), names);
    assert!(steps.iter().all(|step| matches!(step.action, Action::Unreadable(_))));
}

#[test]
fn what_needs_each_other_is_blocked_by_each_other() {
    let names = [(1, 0), (1, 1)].map(|name| key(&name));
    let [one, other] = &names;
    let observations = Observations::from([
        (one.clone(), observed(one, Case::Ours, vec![other.clone()])),
        (other.clone(), observed(other, Case::Ours, vec![one.clone()])),
    ]);
    let intent = Intent::delete(Full, DeletionPolicy::Delete, &[]);
    let steps = ordered(&[], &BTreeSet::new(), &BTreeSet::new(), &observations, &intent, |_, _| false);
    let actions: Vec<&Action> = steps.iter().map(|step| &step.action).collect();
    assert_eq!(actions, [&Action::Blocked(vec![other.clone()]), &Action::Blocked(vec![one.clone()])]);
}

#[test]
fn an_endpoint_that_is_gone_holds_up_nothing_while_its_revisions_cannot_be_listed() {
    let [config, role] = [(1, 0), (2, 0)].map(|name| key(&name));
    let endpoint = Key { kind: Kind::SageMakerEndpoint, name: "it".into() };
    let mut gone = Observed::absent();
    gone.unknown.insert(crate::resource::endpoint::REVISIONS.into(), failure(Class::Denied));
    let observations = Observations::from([
        (config.clone(), observed(&config, Case::Ours, vec![role.clone()])),
        (role.clone(), observed(&role, Case::Ours, Vec::new())),
        (endpoint.clone(), gone),
    ]);
    let steps = |policy| -> BTreeMap<Key, &str> {
        let removals = BTreeMap::from([(role.clone(), Removal::WhenEmpty)]);
        let intent = Intent { removals, ..Intent::delete(Full, policy, &[]) };
        let steps = prune(&[], &BTreeSet::new(), &BTreeSet::new(), &observations, &intent);
        steps.into_iter().map(|step| (step.key, step.action.name())).collect()
    };
    let expected = [(config.clone(), "Delete"), (role.clone(), "Delete"), (endpoint, "Unreadable")];
    assert_eq!(steps(DeletionPolicy::Delete), BTreeMap::from(expected));
    let kept = BTreeMap::from([(config, "Retain"), (role.clone(), "Retain")]);
    assert_eq!(steps(DeletionPolicy::Retain), kept, "nothing is listed for what stays");
}
