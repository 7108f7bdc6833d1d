//! Conditions by the conventions of kstatus and Flux: `Ready` always, `Reconciling` and `Stalled` only while they are
//! true, and one positive condition per part in use.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::{Subject, Summary, models};
use crate::api::status::{AIPlatformStatus, ResourceStatus, State};
use crate::kind::Part;
use crate::resource::Kind;

/// The longest message the Kubernetes API allows in a condition.
const MESSAGE_LIMIT: usize = 32_768;

pub(super) fn conditions(
    before: &[Condition],
    summary: &Summary,
    status: &AIPlatformStatus,
    subject: Subject,
) -> Vec<Condition> {
    let mut found = vec![("Ready", summary.ready, summary.reason.clone(), summary.message.clone())];
    if summary.reconciling {
        found.push(("Reconciling", "True", summary.reason.clone(), summary.message.clone()));
    }
    if summary.stalled {
        found.push(("Stalled", "True", summary.reason.clone(), summary.message.clone()));
    }
    for part in Part::ALL {
        let members: Vec<&ResourceStatus> = status
            .resources
            .iter()
            .filter(|resource| resource.state != State::Retained && is_of(resource, part))
            .collect();
        if !members.is_empty() {
            found.push(if summary.reason == "Pending" {
                (part.condition(), "Unknown", summary.reason.clone(), summary.message.clone())
            } else {
                part_condition(part.condition(), &members)
            });
        }
    }
    if let Some(unknown) = models::unknown(&status.models).filter(|_| subject.facts.is_some()) {
        match found.iter_mut().find(|(kind, ..)| *kind == MODELS) {
            Some((.., message)) => *message = format!("{message}; {unknown}"),
            None => found.push((MODELS, "Unknown", models::UNKNOWN.into(), unknown)),
        }
    }
    found
        .into_iter()
        .map(|(kind, status, reason, mut message)| {
            let end = message.floor_char_boundary(MESSAGE_LIMIT);
            message.truncate(end);
            Condition {
                last_transition_time: transition_time(before, kind, status, subject.now),
                observed_generation: subject.generation,
                type_: kind.into(),
                status: status.into(),
                reason,
                message,
            }
        })
        .collect()
}

/// The condition of models, of which some need no resource.
const MODELS: &str = Part::Models.condition();

fn is_of(resource: &ResourceStatus, part: Part) -> bool {
    Kind::named(&resource.kind).is_some_and(|kind| kind.info().part == part)
}

fn part_condition(part: &'static str, members: &[&ResourceStatus]) -> (&'static str, &'static str, String, String) {
    let open: Vec<&&ResourceStatus> = members.iter().filter(|member| member.state != State::Ready).collect();
    let Some(first) = open.iter().find(|member| is_broken(member)).or(open.first()) else {
        return (part, "True", "Ready".into(), format!("{} of {} ready", members.len(), members.len()));
    };
    let status = if is_broken(first) { "False" } else { "Unknown" };
    let message = format!(
        "{} of {} ready; {} {}: {}",
        members.len() - open.len(),
        members.len(),
        first.kind,
        first.name,
        first.message.as_deref().unwrap_or("on its way")
    );
    (part, status, first.reason.clone().unwrap_or_else(|| "Progressing".into()), message)
}

fn is_broken(resource: &ResourceStatus) -> bool {
    matches!(resource.state, State::Failed | State::Refused)
}

/// Moves only when the status flips.
fn transition_time(before: &[Condition], kind: &str, status: &str, now: Timestamp) -> Time {
    before
        .iter()
        .find(|condition| condition.type_ == kind && condition.status == status)
        .map_or(Time(now), |condition| condition.last_transition_time.clone())
}
