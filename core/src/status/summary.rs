//! The summary of a platform, from the findings about its resources.

use super::finding::{Finding, Weight};
use super::{FIRST_RECONCILE, PROGRESSING, Subject};
use crate::api::status::{Phase, State};
use crate::plan::{Action, Plan};
use crate::resource::Key;
use crate::schedule::Next;

/// The object as a whole.
#[derive(Clone, Debug)]
pub(super) struct Summary {
    pub(super) phase: Phase,
    pub(super) ready: &'static str,
    pub(super) reason: String,
    pub(super) message: String,
    pub(super) reconciling: bool,
    pub(super) stalled: bool,
    pub(super) next: Next,
}

impl Summary {
    pub(super) fn unknown(phase: Phase, reason: &str, message: &str, next: Next) -> Self {
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

    pub(super) fn stalled(reason: &str, message: String) -> Self {
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

    pub(super) fn retrying(message: String) -> Self {
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

    pub(super) fn ready(message: String) -> Self {
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

/// The summary of a plan whose steps are about to be taken.
pub(super) fn begun(plan: &Plan) -> Summary {
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

pub(super) fn summarise(found: &[Finding], subject: Subject, plan: &Plan) -> Summary {
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
