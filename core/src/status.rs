//! The status: a function of what was before, what was planned and what came of it.

mod access;
mod conditions;
mod facts;
mod models;
mod progress;
mod removals;
pub mod undecodable;
mod unknown_kinds;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::DeletionPolicy;
use crate::api::status::{AIPlatformStatus, AccountCheck, Phase, PlannedStep, ResourceStatus, State};
use crate::failure::Error;
use crate::outcome::Applied;
use crate::outcome::{Outcome, Outcomes};
use crate::plan::attainment::LeftOut;
use crate::plan::{Action, Plan, Purpose, Step};
use crate::platform::Problem;
use crate::printable::printable;
use crate::render;
use crate::request_id;
use crate::resource::{Key, Kind, Removal, Resource};
use crate::schedule::Next;

pub use facts::{Facts, facts};
pub use models::ROLLED_BACK;
pub use progress::is_only_progress;
use removals::removal;
pub use removals::{accepted_end, removals};
pub use unknown_kinds::of_unknown_kinds;

/// The version of the operator, as it stands in `status.writtenBy`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The outcome of a pass, for the status.
#[derive(Clone, Debug)]
pub enum PassOutcome<'a> {
    /// This generation was not reconciled yet; these resources will be. Written before any call that makes something, so
    /// that nothing is made that the object does not know of.
    Announced(&'a [Resource]),
    /// The account is the right one, and these steps are about to be taken. Written before the first write to AWS, so that
    /// it is known of every object, and of everything it lists, whether anything can have been made for it.
    Admitted(&'a Plan),
    /// Suspended: nothing was done.
    Suspended,
    /// The spec cannot be planned.
    Invalid(&'a [Problem]),
    /// Something stands in the way of the whole object, and somebody has to act.
    Stalled(&'static str, String),
    /// Something stands in the way of the whole object, and passes by itself.
    Retrying(String),
    /// The plan was made and, where allowed, carried out.
    Planned(&'a Plan, &'a Outcomes),
}

impl PassOutcome<'_> {
    /// The same for an object on its way out that cannot go on, with what lets it go.
    #[must_use]
    pub fn with_way_out(self) -> Self {
        const WAY_OUT: &str = "to let the object go and leave AWS as it is, set spec.deletionPolicy to Retain";
        match self {
            Self::Stalled(reason, message) => Self::Stalled(reason, format!("{message}; {WAY_OUT}")),
            Self::Retrying(message) => Self::Retrying(format!("{message}; {WAY_OUT}")),
            Self::Invalid(problems) => Self::Stalled(INVALID, format!("{}; {WAY_OUT}", listed(problems))),
            other => other,
        }
    }
}

/// The reason in conditions and of resources where something is on its way.
const PROGRESSING: &str = "Progressing";

const FIRST_RECONCILE: &str = "waiting for the first reconcile";

/// The reason in conditions where the spec cannot be planned.
const INVALID: &str = "InvalidSpec";

fn listed(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The subject of a status.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The generation of the object.
    pub generation: Option<i64>,
    /// True when the object is being deleted.
    pub deleting: bool,
    /// True when the management policy is Observe.
    pub observing: bool,
    /// The status before.
    pub previous: Option<&'a AIPlatformStatus>,
    /// True when no pass was ever taken over the object: it has neither a status nor our finalizer.
    pub is_new: bool,
    /// The time of this pass.
    pub now: Timestamp,
    /// Facts that follow from the spec alone, where it is valid.
    pub facts: Option<&'a Facts>,
    /// The deletion policy of the spec, where the spec is valid and permitted.
    pub accepted_end: Option<DeletionPolicy>,
}

/// The status to write, and the time of the next pass.
#[must_use]
pub fn status(subject: Subject, pass_outcome: &PassOutcome) -> (AIPlatformStatus, Next) {
    let before = subject.previous.cloned().unwrap_or_default();
    let mut status = AIPlatformStatus { observed_generation: subject.generation, plan: Vec::new(), ..before.clone() };
    if let Some(facts) = subject.facts {
        status.models = models::declared(&facts.models, &before.models);
        status.access = access::declared(&facts.access, &before.access);
    }
    status.account_check = match pass_outcome {
        PassOutcome::Admitted(_) | PassOutcome::Planned(..) => Some(AccountCheck::Passed),
        _ if subject.is_new => Some(AccountCheck::Pending),
        _ => before.account_check,
    };
    if let Some(end) = subject.accepted_end {
        status.deletion_policy = Some(removals::end_name(end).into());
    }
    let summary = match pass_outcome {
        PassOutcome::Announced(resources) => {
            status.resources = announced(&before, resources, subject.now);
            let message = if subject.deleting { "deletion started" } else { FIRST_RECONCILE };
            Summary::unknown(Phase::Pending, "Pending", message, Next::Now)
        }
        PassOutcome::Admitted(plan) => {
            status.resources = attempted(&before, plan, subject.now);
            begun(plan)
        }
        PassOutcome::Suspended => {
            let message = if subject.deleting {
                "suspended: the deletion waits until spec.suspend is false"
            } else {
                "suspended: set spec.suspend to false to go on"
            };
            Summary { reconciling: false, ..Summary::unknown(Phase::Suspended, "Suspended", message, Next::Never) }
        }
        PassOutcome::Invalid(problems) => Summary::stalled(INVALID, listed(problems)),
        PassOutcome::Stalled(reason, message) => Summary::stalled(reason, message.clone()),
        PassOutcome::Retrying(message) => Summary::retrying(message.clone()),
        PassOutcome::Planned(plan, outcomes) => {
            let outdated = outdated(plan, outcomes);
            let found: Vec<Finding> = plan
                .steps
                .iter()
                .map(|step| match outdated.get(&step.key) {
                    Some(made) => Finding::outdated(step, made),
                    None => finding(step, outcomes.get(&step.key)),
                })
                .collect();
            let known = found.iter().map(|finding| finding.resource(&before, subject.now));
            let known = known.chain(of_unknown_kinds(subject.previous).cloned());
            status.resources = known.chain(passed_over(&before, subject, plan)).collect();
            status.plan =
                plan.steps.iter().filter(|step| is_open(step, outcomes.get(&step.key))).map(planned).collect();
            status.models = models::seen(&status.models, plan, outcomes);
            status.access = access::granted(&status.access, plan, outcomes);
            let summary = summarise(&found, subject, plan);
            match unknown_kinds::unknown_kinds(&before, subject.deleting) {
                Some(unknown_kinds) => unknown_kinds.add_to(summary),
                None => summary,
            }
        }
    };
    let summary = if subject.deleting && summary.phase != Phase::Suspended {
        Summary { phase: Phase::Deleting, ..summary }
    } else {
        summary
    };
    let counted = status.resources.iter().filter(|resource| resource.state != State::Retained);
    let ready = counted.clone().filter(|resource| resource.state == State::Ready).count();
    status.ready = Some(format!("{ready}/{}", counted.count()));
    status.models_ready = models::ready(&status.models);
    status.phase = Some(summary.phase);
    status.written_by = unknown_kinds::written_by(&before);
    status.conditions = conditions::conditions(&before.conditions, &summary, &status, subject);
    show(&mut status);
    keep_request_ids(&before, &mut status);
    (status, summary.next)
}

/// Messages hold what the user wrote and what AWS answers, and people read them at a terminal.
fn show(status: &mut AIPlatformStatus) {
    let conditions = status.conditions.iter_mut().map(|condition| &mut condition.message);
    let resources = status.resources.iter_mut().filter_map(|resource| resource.message.as_mut());
    let steps = status.plan.iter_mut().filter_map(|step| step.message.as_mut());
    for message in conditions.chain(resources).chain(steps) {
        if let Cow::Owned(shown) = printable(message) {
            *message = shown;
        }
    }
}

/// Leaves messages as they were that differ in nothing but the ids of requests, which are others at every attempt: a
/// failure that goes on is written once, with the id of its first request.
fn keep_request_ids(before: &AIPlatformStatus, status: &mut AIPlatformStatus) {
    for condition in &mut status.conditions {
        let known = before.conditions.iter().find(|known| known.type_ == condition.type_);
        request_id::keep(known.map(|known| &known.message), &mut condition.message);
    }
    for resource in &mut status.resources {
        let known = before.resources.iter().find(|known| known.kind == resource.kind && known.name == resource.name);
        request_id::keep_optional(known.and_then(|known| known.message.as_ref()), resource.message.as_mut());
    }
    for step in &mut status.plan {
        let known = before.plan.iter().find(|known| known.kind == step.kind && known.name == step.name);
        request_id::keep_optional(known.and_then(|known| known.message.as_ref()), step.message.as_mut());
    }
    for model in &mut status.models {
        let known = before.models.iter().find(|known| known.name == model.name);
        request_id::keep_optional(known.and_then(|known| known.message.as_ref()), model.message.as_mut());
    }
}

/// The object as a whole.
#[derive(Clone, Debug)]
struct Summary {
    phase: Phase,
    ready: &'static str,
    reason: String,
    message: String,
    reconciling: bool,
    stalled: bool,
    next: Next,
}

impl Summary {
    fn unknown(phase: Phase, reason: &str, message: &str, next: Next) -> Self {
        Self {
            phase,
            ready: "Unknown",
            reason: reason.into(),
            message: message.into(),
            reconciling: true,
            stalled: false,
            next,
        }
    }

    fn stalled(reason: &str, message: String) -> Self {
        Self {
            phase: Phase::Stalled,
            ready: "False",
            reason: reason.into(),
            message,
            reconciling: false,
            stalled: true,
            next: Next::Slow,
        }
    }

    fn retrying(message: String) -> Self {
        Self {
            phase: Phase::Degraded,
            ready: "False",
            reason: "ProgressingWithRetry".into(),
            message,
            reconciling: true,
            stalled: false,
            next: Next::Retry,
        }
    }

    fn ready(message: String) -> Self {
        Self {
            phase: Phase::Ready,
            ready: "True",
            reason: "Ready".into(),
            message,
            reconciling: false,
            stalled: false,
            next: Next::Resync,
        }
    }
}

/// One resource, as this pass left it.
struct Finding<'a> {
    step: &'a Step,
    state: State,
    reason: Option<&'static str>,
    message: Option<String>,
    weight: Weight,
    /// True when something of it failed that passes by itself, whatever else of it somebody has to mend.
    retries: bool,
    /// True when AWS is at work on it, which ends by itself, whatever else of it is unknown or failed. What is not
    /// there and waits for something is not.
    underway: bool,
}

/// The weight of a finding for the whole: the heaviest decides.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    Settled,
    Confirming,
    Moving,
    Failing,
    Stuck,
}

impl<'a> Finding<'a> {
    /// It was seen before something was made again that it needs.
    fn outdated(step: &'a Step, made: &Key) -> Self {
        let message = format!("{made}, which it needs, was created again: it is read once more");
        let (state, reason) = (State::Progressing, Some(PROGRESSING));
        Self { step, state, reason, message: Some(message), weight: Weight::Confirming, retries: false, underway: true }
    }

    fn resource(&self, before: &AIPlatformStatus, now: Timestamp) -> ResourceStatus {
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
        if self.step.key.kind != Kind::Bucket {
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

    fn describe(&self) -> String {
        let message = self.message.as_deref().unwrap_or_default();
        let name = self.step.key.to_string();
        if message.contains(&self.step.key.name) { message.to_string() } else { format!("{name}: {message}") }
    }

    /// True when nothing is to be reported of it but that something is not granted.
    fn leaves_out(&self) -> bool {
        matches!(self.state, State::Refused | State::Blocked) && !self.step.left_out.is_empty()
    }
}

fn is(resource: &ResourceStatus, key: &Key) -> bool {
    resource.kind == key.kind.name() && resource.name == key.name
}

/// The finding about one step, with everything that could not be read or written of it, each reported once.
fn finding<'a>(step: &'a Step, outcome: Option<&Outcome>) -> Finding<'a> {
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

/// Resources that were kept as observed, although something that they need was created or deleted after that: AWS may
/// have dropped it too. Each with what was made. What was written to in between was still there, and so is what needs
/// that.
fn outdated<'a>(plan: &'a Plan, outcomes: &Outcomes) -> BTreeMap<&'a Key, &'a Key> {
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

/// The finding about what is not granted: the first thing that somebody has to act on, or else the first, and all of it
/// told.
fn left_out(step: &Step) -> Option<(&LeftOut, String)> {
    let first = step.left_out.iter().find(|left| left.needs_somebody).or(step.left_out.first())?;
    Some((first, render::message(step).unwrap_or_default()))
}

fn remarks(step: &Step) -> Option<String> {
    (!step.remarks.is_empty()).then(|| step.remarks.join("; "))
}

/// The summary of a plan whose steps are about to be taken.
fn begun(plan: &Plan) -> Summary {
    let steps = plan.steps.iter().filter(|step| step.may_be_taken());
    let count = |name: &str| steps.clone().filter(|step| step.action.name() == name).count();
    match (count("Create"), count("Update"), count("Delete")) {
        (0, 0, 0) => Summary::unknown(Phase::Pending, "Pending", FIRST_RECONCILE, Next::Now),
        (create, update, delete) => {
            let message = format!("{create} to create, {update} to update, {delete} to delete");
            Summary::unknown(Phase::Progressing, PROGRESSING, &message, Next::Now)
        }
    }
}

fn summarise(found: &[Finding], subject: Subject, plan: &Plan) -> Summary {
    // Counts mean nothing while something could not be read.
    let unread = plan.steps.iter().any(|step| matches!(step.action, Action::Unreadable(_)) || !step.unknown.is_empty());
    if subject.observing && !subject.deleting && !unread {
        return observing(plan);
    }
    let heaviest = found.iter().map(|finding| finding.weight).max().unwrap_or(Weight::Settled);
    let of_weight: Vec<&Finding> = found.iter().filter(|finding| finding.weight == heaviest).collect();
    // What is not granted for a reason that is reported for the resource itself is reported once.
    let is_echo = |finding: &&&Finding| {
        let is_reported = |about: &Key| of_weight.iter().any(|other| other.step.key == *about);
        finding.leaves_out() && finding.step.left_out.iter().all(|left| is_reported(&left.about))
    };
    let messages = || {
        let each: Vec<&&Finding> = of_weight.iter().filter(|finding| !is_echo(finding)).collect();
        let first: Vec<String> = each.iter().take(3).map(|finding| finding.describe()).collect();
        let more = each.len().saturating_sub(3);
        if more == 0 { first.join("; ") } else { format!("{}; and {more} more", first.join("; ")) }
    };
    let summary = match heaviest {
        Weight::Settled if subject.deleting => {
            Summary::unknown(Phase::Deleting, "Deleting", "nothing is left to delete", Next::Now)
        }
        // A change is observed once more, to see that it stayed.
        Weight::Settled => {
            let changed = found.iter().any(|finding| matches!(finding.step.action, Action::Update(_)));
            let next = if changed { Next::Transition } else { Next::Resync };
            Summary { next, ..Summary::ready(settled(found)) }
        }
        Weight::Confirming | Weight::Moving => {
            Summary::unknown(Phase::Progressing, PROGRESSING, &messages(), Next::Transition)
        }
        Weight::Failing => Summary::retrying(messages()),
        Weight::Stuck => {
            Summary::stalled(of_weight.first().and_then(|finding| finding.reason).unwrap_or("Failed"), messages())
        }
    };
    let next = soonest(found).filter(|_| heaviest == Weight::Stuck).unwrap_or(summary.next);
    let confirming = found.iter().any(|finding| finding.weight == Weight::Confirming);
    Summary { next: if confirming { Next::Now } else { next }, ..summary }
}

/// A stalled resource does not hold up the others.
fn soonest(found: &[Finding]) -> Option<Next> {
    if found.iter().any(|finding| finding.retries) {
        return Some(Next::Retry);
    }
    found.iter().any(|finding| finding.underway).then_some(Next::Transition)
}

fn observing(plan: &Plan) -> Summary {
    if plan.is_settled() {
        return Summary::ready("everything is in sync; managementPolicy is Observe".into());
    }
    let summary = plan.summary();
    let message = format!(
        "managementPolicy is Observe: {} to create, {} to update, {} to delete; see status.plan",
        summary.create, summary.update, summary.delete
    );
    Summary {
        phase: Phase::Degraded,
        ready: "False",
        reason: "Observing".into(),
        message,
        reconciling: false,
        stalled: false,
        next: Next::Resync,
    }
}

fn settled(found: &[Finding]) -> String {
    match found.iter().filter(|finding| finding.state != State::Retained).count() {
        0 => "nothing is declared".into(),
        1 => "1 resource in sync".into(),
        count => format!("{count} resources in sync"),
    }
}

/// True when a step is still to be taken after this pass.
fn is_open(step: &Step, outcome: Option<&Outcome>) -> bool {
    match &step.action {
        Action::Keep | Action::Retain(_) => {
            step.held_back.is_some() || !step.left_out.is_empty() || !step.unknown.is_empty()
        }
        Action::Wait(_) | Action::Blocked(_) | Action::Refuse(_) | Action::Unreadable(_) => true,
        Action::Create | Action::Update(_) | Action::Delete { .. } => {
            step.not_applied.is_some()
                || step.held_back.is_some()
                || !step.left_out.is_empty()
                || !step.unknown.is_empty()
                || matches!(outcome, Some(Outcome::Blocked(_) | Outcome::Interrupted))
        }
    }
}

fn planned(step: &Step) -> PlannedStep {
    PlannedStep {
        action: step.action.name().into(),
        kind: step.key.kind.name().into(),
        name: step.key.name.clone(),
        fields: render::fields(&step.action),
        message: render::message(step),
    }
}

/// The inventory: known resources stay, and new ones are listed before they are created.
fn announced(before: &AIPlatformStatus, resources: &[Resource], now: Timestamp) -> Vec<ResourceStatus> {
    let mut listed: Vec<ResourceStatus> = Vec::new();
    for resource in resources {
        let key = resource.key();
        let known = before.resources.iter().find(|known| is(known, &key)).cloned();
        // What the spec says now holds from here on.
        let deletion_policy = (key.kind == Kind::Bucket).then(|| resource.removal().name().to_string());
        let known = known.map(|known| ResourceStatus { deletion_policy: deletion_policy.clone(), ..known });
        listed.push(known.unwrap_or_else(|| ResourceStatus {
            kind: key.kind.name().into(),
            name: key.name.clone(),
            id: None,
            arn: resource.arn(),
            state: State::Progressing,
            reason: Some("Pending".into()),
            message: None,
            deletion_policy,
            never_attempted: true,
            since: Some(Time(now)),
        }));
    }
    let rest = before.resources.iter().filter(|known| !resources.iter().any(|resource| is(known, &resource.key())));
    let rest: Vec<ResourceStatus> = rest.cloned().collect();
    listed.extend(rest);
    listed
}

/// The listed resources, and those that the plan creates besides; of what its steps are for, something may have been
/// made from here on.
fn attempted(before: &AIPlatformStatus, plan: &Plan, now: Timestamp) -> Vec<ResourceStatus> {
    let resources: Vec<Resource> = plan.steps.iter().filter_map(|step| step.desired.clone()).collect();
    let mut listed = announced(before, &resources, now);
    for step in plan.steps.iter().filter(|step| step.may_be_taken()) {
        for resource in listed.iter_mut().filter(|resource| is(resource, &step.key)) {
            resource.never_attempted = false;
        }
    }
    listed
}

/// Resources that were never attempted and have no step while the object is being deleted: each is declared until the
/// end, and the next pass has to know of it too.
fn passed_over(before: &AIPlatformStatus, subject: Subject, plan: &Plan) -> Vec<ResourceStatus> {
    let untouched = before.resources.iter().filter(|resource| subject.deleting && resource.never_attempted);
    untouched.filter(|resource| !plan.steps.iter().any(|step| is(resource, &step.key))).cloned().collect()
}

/// Whatever the status lists and no step was ever taken for: nothing of it can exist.
#[must_use]
pub fn never_attempted(status: Option<&AIPlatformStatus>) -> BTreeSet<Key> {
    let resources = status.map(|status| status.resources.as_slice()).unwrap_or_default();
    let untouched = resources.iter().filter(|resource| resource.never_attempted);
    untouched
        .filter_map(|resource| Some(Key { kind: Kind::named(&resource.kind)?, name: resource.name.clone() }))
        .collect()
}

/// The resources a status knows of, so that what is no longer declared is not forgotten.
#[must_use]
pub fn inventory(status: Option<&AIPlatformStatus>) -> Vec<Key> {
    let resources = status.map(|status| status.resources.as_slice()).unwrap_or_default();
    resources
        .iter()
        .filter_map(|resource| Kind::named(&resource.kind).map(|kind| Key { kind, name: resource.name.clone() }))
        .collect()
}

#[cfg(test)]
mod tests;
