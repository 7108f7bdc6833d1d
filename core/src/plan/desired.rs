//! The step for a desired resource.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Refusal, Step, is_unknown};
use crate::diff::{Change, changes};
use crate::failure::Error;
use crate::kind::{Busy, Info, OwnedBy};
use crate::resource::{Desired, Key, Observations, Observed, ObservedState, Owner, Resource};
use crate::tags;

pub(super) fn step_for(item: &Desired, observations: &Observations, attainable: &BTreeSet<Key>) -> Step {
    let key = item.resource.key();
    let absent = Observed::absent();
    let observed = observations.get(&key).unwrap_or(&absent);
    let needs = item.resource.needs();
    let missing: Vec<Key> = needs.iter().filter(|need| !attainable.contains(need)).cloned().collect();
    let refuses_writes = key.kind.info().busy == Busy::RefusesWrites;
    let mut held_back = None;
    let action = match (&observed.state, &observed.owner) {
        (ObservedState::Unreadable(error), _) => Action::Unreadable(error.clone()),
        (ObservedState::Absent, _) if !missing.is_empty() => Action::Blocked(missing),
        (ObservedState::Absent, _) => Action::Create,
        (_, Owner::Theirs(holder)) => Action::Refuse(Refusal {
            reason: "NotOwned",
            message: format!(
                "{key} exists, is owned by {holder} and was not modified: choose another name, or delete it there first"
            ),
        }),
        (ObservedState::Failed(why), _) if refuses_writes => failed(why),
        (_, Owner::Nobody) if !item.adopt => Action::Refuse(Refusal {
            reason: "NotOwned",
            message: format!(
                "{key} exists, was not created by this platform and was not modified: choose another name, or {}",
                adoption_hint(&item.resource)
            ),
        }),
        (ObservedState::Progressing(why), _) if refuses_writes => Action::Wait(why.clone()),
        (state @ (ObservedState::Ready | ObservedState::Progressing(_) | ObservedState::Failed(_)), _) => {
            let (action, unwritable) = match &observed.resource {
                Some(resource) => difference(&item.resource, resource, &observed.protected_fields, &observed.unknown),
                None => (Action::Create, None),
            };
            held_back = unwritable;
            let (action, missing) = without_waiting(action, &item.resource, missing);
            match (action, state) {
                (action, _) if action.writes() && !missing.is_empty() => Action::Blocked(missing),
                (Action::Keep, ObservedState::Progressing(why)) => Action::Wait(why.clone()),
                (Action::Keep, ObservedState::Failed(why)) => failed(why),
                (action, _) => action,
            }
        }
    };
    Step {
        needs,
        arn: item.resource.arn().or_else(|| observed.arn.clone()),
        id: observed.id.clone(),
        desired: Some(item.resource.clone()),
        observed: observed.resource.clone(),
        held_back,
        unknown: observed.unknown.clone(),
        exposures: observed.exposures.clone(),
        remarks: item.remarks.iter().chain(&observed.remarks).cloned().collect(),
        facts: observed.facts.clone(),
        ..Step::new(key, action)
    }
}

/// The update without the fields that wait for what only they need, and what the rest of it waits for. Where nothing else
/// changes, it is all of it.
fn without_waiting(action: Action, desired: &Resource, missing: Vec<Key>) -> (Action, Vec<Key>) {
    let Action::Update(changes) = action else { return (action, missing) };
    let field_needs = desired.field_needs();
    let of_field = |key: &Key| field_needs.iter().any(|(_, need)| need == key);
    let waits =
        |change: &Change| field_needs.iter().any(|(field, need)| *field == change.field() && missing.contains(need));
    let (waiting, free): (Vec<Change>, Vec<Change>) = changes.into_iter().partition(waits);
    let rest: Vec<Key> = missing.iter().filter(|key| !of_field(key)).cloned().collect();
    if free.is_empty() && !waiting.is_empty() {
        (Action::Update(waiting), missing)
    } else {
        (Action::Update(free), rest)
    }
}

fn failed(why: &str) -> Action {
    Action::Refuse(Refusal { reason: "Conflict", message: why.to_string() })
}

/// Advice by which something that exists becomes the platform's.
fn adoption_hint(resource: &Resource) -> String {
    let Info { adopted_by, owned_by, .. } = resource.kind().info();
    match (adopted_by, owned_by, resource.tags().and_then(|tags| tags.get(tags::OWNER))) {
        (Some(field), ..) => format!("set {field} to manage it"),
        (None, OwnedBy::Tag, Some(owner)) => format!("tag it {}={owner} to manage it", tags::OWNER),
        (None, OwnedBy::Tag, None) | (None, OwnedBy::Annotation | OwnedBy::Parent(_), _) => "delete it".into(),
    }
}

/// An update of the fields that differ and can be written, and a refusal for those that cannot.
pub(super) fn difference(
    desired: &Resource,
    observed: &Resource,
    protected_fields: &BTreeMap<&'static str, String>,
    unknown: &BTreeMap<String, Error>,
) -> (Action, Option<Refusal>) {
    let (from, to) = observed.compared(desired);
    let (unwritable, writable): (Vec<Change>, Vec<Change>) = changes(&from, &to)
        .into_iter()
        .filter(|change| !is_unknown(unknown, &change.path))
        .partition(|change| protected_fields.contains_key(change.field()));
    let mut why: Vec<&str> =
        unwritable.iter().filter_map(|change| protected_fields.get(change.field())).map(String::as_str).collect();
    why.dedup();
    let refusal = (!why.is_empty()).then(|| Refusal { reason: "Conflict", message: why.join("; ") });
    match (writable.is_empty(), refusal) {
        (false, refusal) => (Action::Update(writable), refusal),
        (true, Some(refusal)) => (Action::Refuse(refusal), None),
        (true, None) => (Action::Keep, None),
    }
}
