//! The status: a function of what was before, what was planned and what came of it.

mod access;
mod conditions;
mod facts;
mod finding;
mod inventory;
mod models;
mod progress;
mod removals;
mod summary;
pub mod undecodable;
mod unknown_kinds;

use std::borrow::Cow;

use jiff::Timestamp;

use crate::api::DeletionPolicy;
use crate::api::status::{AIPlatformStatus, AccountCheck, Phase, PlannedStep, State};
use crate::outcome::{Outcome, Outcomes};
use crate::plan::{Action, Plan, Step};
use crate::platform::Problem;
use crate::printable::printable;
use crate::render;
use crate::request_id;
use crate::resource::Resource;
use crate::schedule::Next;

pub use facts::{Facts, facts};
use finding::{Finding, finding, outdated};
use inventory::{announced, attempted, passed_over};
pub use inventory::{inventory, never_attempted};
pub use models::ROLLED_BACK;
pub use progress::is_only_progress;
pub use removals::{accepted_end, removals};
use summary::{Summary, begun, summarise};
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

#[cfg(test)]
mod tests;
