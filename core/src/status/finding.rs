//! The finding about each resource of a plan, as a pass left it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::PROGRESSING;
use super::inventory::is;
use super::removals::removal;
use crate::api::status::{AIPlatformStatus, ResourceStatus, State};
use crate::failure::Error;
use crate::outcome::{Applied, Outcome, Outcomes};
use crate::plan::attainment::LeftOut;
use crate::plan::{Action, Plan, Purpose, Step};
use crate::render;
use crate::request_id;
use crate::resource::{Key, Removal, Resource};

/// The finding about one step, with everything that could not be read or written of it, each reported once.
pub(super) fn finding<'a>(step: &'a Step, outcome: Option<&Outcome>) -> Finding<'a> {
    let found = outcome_of(step, outcome);
    let failed = match outcome {
        Some(Outcome::Failed(failures)) => failures.errors().collect(),
        _ => Vec::new(),
    };
    let troubles: Vec<&Error> = failed.into_iter().chain(step.unknown.values()).collect();
    if troubles.is_empty() || step.not_applied.is_some() {
        return found;
    }
    let held_back = step.held_back.as_ref().map(|held_back| held_back.message.clone());
    let messages = request_id::distinct(troubles.iter().map(ToString::to_string).chain(held_back));
    let stuck = troubles.iter().find(|error| error.needs_somebody());
    let reason = stuck.map(|error| error.reason()).or(step.held_back.as_ref().map(|held_back| held_back.reason));
    let is_stuck = reason.is_some();
    Finding {
        state: State::Failed,
        reason: reason.or_else(|| troubles.first().map(|error| error.reason())),
        message: Some(messages.join("; ")),
        weight: if is_stuck { Weight::Stuck } else { Weight::Failing },
        retries: troubles.iter().any(|error| !error.needs_somebody()),
        ..found
    }
}

/// Resources that were kept as observed, although something that they need was created or deleted after that: AWS may
/// have dropped it too. Each with what was made. What was written to in between was still there, and so is what needs
/// that.
pub(super) fn outdated<'a>(plan: &'a Plan, outcomes: &Outcomes) -> BTreeMap<&'a Key, &'a Key> {
    let mut beneath: BTreeMap<&Key, &Key> = BTreeMap::new();
    let mut outdated = BTreeMap::new();
    for step in plan.steps.iter().filter(|step| step.desired.is_some()) {
        let is_made = matches!(step.action, Action::Create | Action::Delete { .. })
            && matches!(outcomes.get(&step.key), Some(Outcome::Done(_)));
        let made = step.needs.iter().find_map(|need| beneath.get(need).copied()).filter(|_| !step.is_taken());
        if let Some(made) = made.filter(|_| step.action == Action::Keep) {
            outdated.insert(&step.key, made);
        }
        if let Some(made) = if is_made { Some(&step.key) } else { made } {
            beneath.insert(&step.key, made);
        }
    }
    outdated
}

/// One resource, as this pass left it.
pub(super) struct Finding<'a> {
    pub(super) step: &'a Step,
    pub(super) state: State,
    pub(super) reason: Option<&'static str>,
    pub(super) message: Option<String>,
    pub(super) weight: Weight,
    /// True when something of it failed that passes by itself, whatever else of it somebody has to mend.
    pub(super) retries: bool,
    /// True when AWS is at work on it, which ends by itself, whatever else of it is unknown or failed. What is not
    /// there and waits for something is not.
    pub(super) underway: bool,
}

/// The weight of a finding for the whole: the heaviest decides.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    Settled,
    Confirming,
    Moving,
    Failing,
    Stuck,
}

impl<'a> Finding<'a> {
    /// It was seen before something was made again that it needs.
    pub(super) fn outdated(step: &'a Step, made: &Key) -> Self {
        let message = format!("{made}, which it needs, was created again: it is read once more");
        let (state, reason) = (State::Progressing, Some(PROGRESSING));
        Self { step, state, reason, message: Some(message), weight: Weight::Confirming, retries: false, underway: true }
    }

    pub(super) fn resource(&self, before: &AIPlatformStatus, now: Timestamp) -> ResourceStatus {
        let key = &self.step.key;
        let previous = before.resources.iter().find(|resource| is(resource, key));
        let reason = self.reason.map(ToString::to_string);
        let since = previous
            .filter(|previous| previous.state == self.state && previous.reason == reason)
            .and_then(|previous| previous.since.clone())
            .unwrap_or(Time(now));
        ResourceStatus {
            kind: key.kind.name().into(),
            name: key.name.clone(),
            id: self.step.id.clone().or_else(|| previous.and_then(|previous| previous.id.clone())),
            arn: self.step.arn.clone().or_else(|| previous.and_then(|previous| previous.arn.clone())),
            state: self.state.clone(),
            reason,
            message: self.with_exposures(),
            deletion_policy: self.removal(previous).map(|removal| removal.name().to_string()),
            never_attempted: previous.is_some_and(|previous| previous.never_attempted),
            since: Some(since),
        }
    }

    /// The removal that the spec declares, or that the last spec declared, which no tag on the resource can loosen.
    fn removal(&self, previous: Option<&ResourceStatus>) -> Option<Removal> {
        if !self.step.key.kind.info().has_deletion_policy {
            return None;
        }
        let declared = self.step.desired.as_ref().map(Resource::removal);
        let tagged = || self.step.observed.as_ref().map(Resource::removal);
        let kept = (self.state == State::Retained).then_some(Removal::Retain);
        declared.or_else(|| previous.and_then(removal)).or_else(tagged).or(kept)
    }

    fn with_exposures(&self) -> Option<String> {
        let exposed = self.step.exposures.iter().map(|exposure| exposure.message.as_str());
        let messages: Vec<&str> = self.message.as_deref().into_iter().chain(exposed).collect();
        (!messages.is_empty()).then(|| messages.join("; "))
    }

    pub(super) fn describe(&self) -> String {
        let message = self.message.as_deref().unwrap_or_default();
        let name = self.step.key.to_string();
        if message.contains(&self.step.key.name) { message.to_string() } else { format!("{name}: {message}") }
    }

    /// True when nothing is to be reported of it but that something is not granted.
    pub(super) fn leaves_out(&self) -> bool {
        matches!(self.state, State::Refused | State::Blocked) && !self.step.left_out.is_empty()
    }
}

fn outcome_of<'a>(step: &'a Step, outcome: Option<&Outcome>) -> Finding<'a> {
    let message = render::message(step);
    let found = |state, reason, message, weight| Finding {
        step,
        state,
        reason,
        message,
        weight,
        retries: weight == Weight::Failing,
        underway: match weight {
            Weight::Moving => {
                let waits_for_another = matches!(step.action, Action::Wait(_)) && step.observed.is_none();
                reason == Some(PROGRESSING) && !waits_for_another
            }
            Weight::Confirming => true,
            Weight::Settled | Weight::Failing | Weight::Stuck => false,
        },
    };
    if let Some(not_applied) = step.not_applied {
        let message = format!("to {}: {not_applied}", step.action.name().to_lowercase());
        return found(State::Blocked, Some("Observing"), Some(message), Weight::Moving);
    }
    match (&step.action, outcome) {
        (_, Some(Outcome::Failed(failures))) => {
            let weight = if failures.needs_somebody() { Weight::Stuck } else { Weight::Failing };
            found(State::Failed, Some(failures.reason()), Some(failures.to_string()), weight)
        }
        (_, Some(Outcome::Blocked(on))) => {
            let names = on.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            found(State::Blocked, Some("Blocked"), Some(format!("waits for {names}")), Weight::Moving)
        }
        (_, Some(Outcome::Interrupted)) => found(
            State::Progressing,
            Some("Interrupted"),
            Some("the operator ended before this step".into()),
            Weight::Moving,
        ),
        // It stays listed until a read confirms that it is gone.
        (Action::Delete { .. }, Some(Outcome::Done(Applied::Gone | Applied::Ready))) => found(
            State::Deleting,
            Some("Deleted"),
            Some("deleted; the next pass confirms it".into()),
            Weight::Confirming,
        ),
        (Action::Delete { .. }, Some(Outcome::Done(Applied::Progressing(why)))) => {
            found(State::Deleting, Some(PROGRESSING), Some(why.clone()), Weight::Moving)
        }
        (Action::Update(_), Some(Outcome::Done(Applied::Ready))) if step.purpose == Purpose::Preparation => {
            found(State::Progressing, Some(PROGRESSING), remarks(step), Weight::Confirming)
        }
        (_, Some(Outcome::Done(Applied::Progressing(why) | Applied::Created { waits_for: Some(why), .. }))) => {
            found(State::Progressing, Some(PROGRESSING), Some(why.clone()), Weight::Moving)
        }
        (_, Some(Outcome::Done(_))) | (Action::Keep, _) => match (&step.held_back, left_out(step)) {
            (Some(held_back), _) => {
                found(State::Refused, Some(held_back.reason), Some(held_back.message.clone()), Weight::Stuck)
            }
            (None, Some((first, all))) if first.needs_somebody => {
                found(State::Refused, Some(first.reason), Some(all), Weight::Stuck)
            }
            (None, Some((_, all))) => found(State::Blocked, Some("Blocked"), Some(all), Weight::Moving),
            (None, None) => found(State::Ready, None, remarks(step), Weight::Settled),
        },
        (Action::Retain(_), _) => found(State::Retained, Some("Retained"), message, Weight::Settled),
        (Action::Wait(_), _) => found(State::Progressing, Some(PROGRESSING), message, Weight::Moving),
        (Action::Blocked(_), _) => found(State::Blocked, Some("Blocked"), message, Weight::Moving),
        (Action::Refuse(refusal), _) => found(State::Refused, Some(refusal.reason), message, Weight::Stuck),
        (Action::Unreadable(error), _) => {
            let weight = if error.needs_somebody() { Weight::Stuck } else { Weight::Failing };
            found(State::Failed, Some(error.reason()), message, weight)
        }
        (Action::Create | Action::Update(_) | Action::Delete { .. }, _) => {
            found(State::Progressing, Some("Pending"), None, Weight::Moving)
        }
    }
}

/// The finding about what is not granted: the first thing that somebody has to act on, or else the first, and all of it
/// told.
fn left_out(step: &Step) -> Option<(&LeftOut, String)> {
    let first = step.left_out.iter().find(|left| left.needs_somebody).or(step.left_out.first())?;
    Some((first, render::message(step).unwrap_or_default()))
}

fn remarks(step: &Step) -> Option<String> {
    (!step.remarks.is_empty()).then(|| step.remarks.join("; "))
}
