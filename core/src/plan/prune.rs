//! Pruning: the steps for resources that exist and are no longer desired.

use std::collections::BTreeSet;

use super::rules::{BeforeEnd, End};
use super::{Action, Intent, Purpose, Refusal, Step, rules};
use crate::diff::{Change, changes};
use crate::kind::Busy;
use crate::resource::{CONTENTS, Desired, Key, Kind, Observations, Observed, ObservedState, Owner, Removal, Resource};

/// The steps for resources that exist and are no longer desired, each after everything that needs it: what is deleted too, and what stays
/// and still has to be turned to something else. `placed` has steps already; `attainable` is what those steps reach.
pub(super) fn prune(
    wanted: &[Desired],
    placed: &BTreeSet<Key>,
    attainable: &BTreeSet<Key>,
    observations: &Observations,
    intent: &Intent,
) -> Vec<Step> {
    ordered(wanted, placed, attainable, observations, intent, Kind::may_need)
}

/// `may_need` says whether a resource of the one kind can need one of the other.
fn ordered(
    wanted: &[Desired],
    placed: &BTreeSet<Key>,
    attainable: &BTreeSet<Key>,
    observations: &Observations,
    intent: &Intent,
    may_need: impl Fn(Kind, Kind) -> bool,
) -> Vec<Step> {
    let mut rest: Vec<(&Key, &Observed)> = observations.iter().filter(|(key, _)| !placed.contains(key)).collect();
    let dependants = |key: &Key| -> Vec<Key> {
        let needs = |other: &Key, observed: &Observed| match (&observed.state, &observed.resource) {
            _ if other == key => false,
            // Whatever could not be read may need whatever it could need.
            (ObservedState::Unreadable(_), _) => may_need(other.kind, key.kind),
            (_, Some(resource)) => {
                observed.owner == Owner::Ours && (resource.needs().contains(key) || rules::outlives(key, other))
            }
            (_, None) => false,
        };
        observations.iter().filter(|(other, observed)| needs(other, observed)).map(|(other, _)| other.clone()).collect()
    };
    let mut steps: Vec<Step> = Vec::new();
    let mut placed = placed.clone();
    let mut done = attainable.clone();
    let mut retained: BTreeSet<Key> = BTreeSet::new();
    while !rest.is_empty() {
        // What could not be read is not touched, so that it waits for nothing.
        let (mut ready, mut later): (Vec<_>, Vec<_>) = rest.into_iter().partition(|(key, observed)| {
            matches!(observed.state, ObservedState::Unreadable(_))
                || dependants(key).iter().all(|dependant| placed.contains(dependant))
        });
        if ready.is_empty() {
            // They need each other, so that none can go before the others: each is shown with what holds it up.
            ready.push(later.remove(0));
        }
        for (key, observed) in ready {
            let needs: Vec<Key> = dependants(key).into_iter().chain(rules::replacements(observed, wanted)).collect();
            let mut open: Vec<Key> = needs.iter().filter(|need| !done.contains(need)).cloned().collect();
            open.extend(
                rules::held_by(key, observed, observations).into_iter().filter(|holder| !needs.contains(holder)),
            );
            let earlier = needs.into_iter().filter(|need| placed.contains(need)).collect();
            placed.insert(key.clone());
            let Some(mut step) = prune_step(key, observed, earlier, intent) else { continue };
            if matches!(step.action, Action::Delete { .. } | Action::Refuse(_)) {
                if let Some(why) = rules::retain(key, wanted, observations) {
                    step.action = Action::Retain(why);
                } else if let Some(dependant) = open.iter().find(|dependant| retained.contains(dependant)) {
                    step.action = Action::Retain(format!("kept because {dependant} needs it"));
                }
            }
            step = before_end(step, observed, observations, intent);
            if matches!(step.action, Action::Delete { .. }) {
                if open.is_empty() {
                    done.insert(key.clone());
                } else {
                    step.action = Action::Blocked(open);
                }
            }
            if matches!(step.action, Action::Retain(_)) {
                retained.insert(key.clone());
            }
            steps.push(step);
        }
        rest = later;
    }
    steps
}

/// The step, or the one that has to come before, in a pass of its own.
fn before_end(step: Step, observed: &Observed, observations: &Observations, intent: &Intent) -> Step {
    let end = End { key: &step.key, observed, action: &step.action, observations, intent };
    match rules::before_end(&end) {
        None => step,
        Some(BeforeEnd::Unreadable(error)) => Step { action: Action::Unreadable(error), ..step },
        Some(BeforeEnd::Update(resource, field, remark)) => {
            let before = observed.resource.as_ref().map(Resource::comparable).unwrap_or_default();
            let changes = changes(&before, &resource.comparable()).into_iter().filter(|change| change.field() == field);
            let changes: Vec<Change> = changes.collect();
            if changes.is_empty() {
                return step;
            }
            let remarks = step.remarks.iter().cloned().chain([remark]).collect();
            let (action, purpose) = (Action::Update(changes), Purpose::Preparation);
            Step { action, desired: Some(*resource), remarks, purpose, ..step }
        }
    }
}

fn prune_step(key: &Key, observed: &Observed, needs: Vec<Key>, intent: &Intent) -> Option<Step> {
    let action = match (&observed.state, &observed.resource) {
        // It is gone and holds nothing up; what belongs to it may still be there, and nothing must say that all is gone.
        (ObservedState::Absent, _) => {
            let error = observed.unknown.values().next()?;
            match intent.removal(key, None) {
                Err(_) => return None,
                Ok(_) => Action::Unreadable(error.clone()),
            }
        }
        // Somebody else has it for certain, and would keep it if it could be read.
        (ObservedState::Unreadable(_), _) if matches!(observed.owner, Owner::Theirs(_)) => return None,
        // Nothing would be done with it: no answer is needed for that.
        (ObservedState::Unreadable(error), _) => match intent.removal(key, None) {
            Err(why) => Action::Retain(format!("{why}; it could not be read: {error}")),
            Ok(_) => Action::Unreadable(error.clone()),
        },
        _ if observed.owner != Owner::Ours => return None,
        (ObservedState::Progressing(why), _) if key.kind.info().busy == Busy::RefusesWrites => {
            Action::Wait(rules::busy(observed).map_or_else(|| why.clone(), |more| format!("{why}: {more}")))
        }
        (_, None) => return None,
        (_, Some(resource)) => match intent.removal(key, Some(resource.removal())) {
            Err(why) => Action::Retain(why),
            Ok(Some(Removal::WithContents)) => Action::Delete { with_contents: true },
            Ok(_) if observed.unknown.contains_key(CONTENTS) => Action::Unreadable(observed.unknown[CONTENTS].clone()),
            Ok(_) => match observed.contents.filter(|contents| !contents.is_empty()) {
                Some(contents) => Action::Refuse(Refusal {
                    reason: "DeletionBlocked",
                    message: format!("{key} still holds {contents}: empty it, or {}", other_end(intent)),
                }),
                None => Action::Delete { with_contents: false },
            },
        },
    };
    Some(Step {
        needs,
        arn: observed.resource.as_ref().and_then(Resource::arn).or_else(|| observed.arn.clone()),
        id: observed.id.clone(),
        observed: observed.resource.clone(),
        facts: observed.facts.clone(),
        ..Step::new(key.clone(), action)
    })
}

/// The ways to let a resource be deleted that is not empty.
fn other_end(intent: &Intent) -> &'static str {
    if intent.is_unaccepted {
        "set its deletionPolicy to Retain; DeleteWithContents counts only in a spec that is valid and permitted"
    } else {
        "set its deletionPolicy to Retain or DeleteWithContents"
    }
}

#[cfg(test)]
mod tests;
