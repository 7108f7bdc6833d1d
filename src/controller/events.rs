//! Kubernetes events: what `kubectl describe` and `kubectl events` show. A pass that changes nothing publishes nothing.

use kube::Resource;
use tracing::warn;

use super::Context;
use crate::api::AIPlatform;
use crate::api::status::{AIPlatformStatus, ModelStatus, ResourceStatus, State};
use crate::drift::Repair;
use crate::exposure::Exposure;
use crate::failure::Error;
use crate::outcome::Applied;
use crate::outcome::Outcome;
use crate::plan::{Action, Step};
use crate::reconcile::Pass;
use crate::render;
use crate::request_id::without;
use crate::status::ROLLED_BACK;

/// The longest note that the events API takes, in bytes. Source: `NoteLengthLimit` in the API
/// server's validation of events.
pub(super) const NOTE_LIMIT: usize = 1024;

/// Stands between the resources in one note.
const SEPARATOR: &str = "; ";

/// Something worth telling.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Note {
    pub(super) warning: bool,
    pub(super) reason: String,
    pub(super) action: &'static str,
    pub(super) message: String,
    pub(super) about: Option<About>,
}

/// The one resource that a note is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct About {
    pub(super) kind: String,
    pub(super) name: String,
}

pub(super) async fn publish<P>(object: &AIPlatform, pass: &Pass, repairs: &[Repair], context: &Context<P>) {
    let reference = object.object_ref(&());
    for note in notes(object.status.as_ref(), pass, repairs) {
        if let Err(error) = context.recorder.publish(note, &reference).await {
            warn!(%error, "an event could not be published");
        }
    }
}

/// The changes since the previous status.
fn notes(previous: Option<&AIPlatformStatus>, pass: &Pass, repairs: &[Repair]) -> Vec<Note> {
    let mut notes: Vec<Note> = Vec::new();
    for repair in repairs {
        notes.push(Note {
            warning: false,
            reason: "DriftRepaired".into(),
            action: "Update",
            message: repair.describe(),
            about: Some(about(repair.key.kind.name(), &repair.key.name)),
        });
    }
    notes.extend(taken(pass, repairs));
    notes.extend(pass.plan.steps.iter().flat_map(|step| exposed(previous, step)));
    for resource in &pass.status.resources {
        let before = previous.and_then(|status| status.resources.iter().find(|before| same(before, resource)));
        // Of a resource that fails, each refused part is reported by itself.
        if refusals(&mut notes, pass, before, resource) {
            continue;
        }
        let is_new = before.is_none_or(|before| before.state != resource.state || before.reason != resource.reason);
        let warning = is_warning(resource);
        if is_new && (warning || resource.state == State::Retained) {
            notes.push(Note {
                warning,
                reason: resource.reason.clone().unwrap_or_else(|| "Failed".into()),
                action: "Reconcile",
                message: format!(
                    "{} {}: {}",
                    resource.kind,
                    resource.name,
                    resource.message.as_deref().unwrap_or_default()
                ),
                about: Some(about(&resource.kind, &resource.name)),
            });
        }
    }
    let milestones = pass.status.models.iter().filter_map(|model| {
        let before = previous.and_then(|status| status.models.iter().find(|before| before.name == model.name));
        milestone(before, model, &pass.status.resources)
    });
    let mut turned = turned(previous, pass);
    for milestone in milestones {
        match turned.as_mut().filter(|turned| !turned.warning && !milestone.warning) {
            // That the platform became ready and that its models are served is one piece of news.
            Some(turned) if has_room(turned, &milestone) => append(turned, &milestone),
            _ => notes.push(milestone),
        }
    }
    notes.extend(turned);
    notes
}

/// True when an event can hold both messages.
fn has_room(note: &Note, other: &Note) -> bool {
    note.message.len() + SEPARATOR.len() + other.message.len() <= NOTE_LIMIT
}

fn append(note: &mut Note, other: &Note) {
    note.message.push_str(SEPARATOR);
    note.message.push_str(&other.message);
}

/// The steps that the pass took, repairs of drift aside: one note for each reason, which names the resources in the order
/// of the plan; several where it would be longer than an event may be.
fn taken(pass: &Pass, repairs: &[Repair]) -> Vec<Note> {
    let mut notes: Vec<Note> = Vec::new();
    for step in pass.plan.steps.iter().filter(|step| !repairs.iter().any(|repair| repair.key == step.key)) {
        let Some(note) = step_taken(step, pass.outcomes.get(&step.key)) else { continue };
        // The last one of the reason, so that the order of the plan holds over several.
        match notes.iter_mut().rfind(|before| before.reason == note.reason) {
            Some(before) if has_room(before, &note) => {
                append(before, &note);
                before.about = None;
            }
            _ => notes.push(note),
        }
    }
    notes
}

fn step_taken(step: &Step, outcome: Option<&Outcome>) -> Option<Note> {
    let (reason, action) = match (&step.action, outcome) {
        (Action::Create, Some(Outcome::Done(_))) => ("Created", "Create"),
        (Action::Create, Some(Outcome::Failed(failures))) if failures.wrote() => ("Created", "Create"),
        (Action::Update(_), Some(Outcome::Done(_))) => ("Updated", "Update"),
        (Action::Update(_), Some(Outcome::Failed(failures))) if failures.wrote() => ("Updated", "Update"),
        (Action::Delete { .. }, Some(Outcome::Done(Applied::Gone))) => ("Deleted", "Delete"),
        (Action::Delete { .. }, Some(Outcome::Done(Applied::Progressing(_)))) => ("Deleting", "Delete"),
        _ => return None,
    };
    let is_written = |field: &String| match outcome {
        Some(Outcome::Failed(failures)) => !failures.concerns(field),
        _ => true,
    };
    let fields: Vec<String> = render::fields(&step.action).into_iter().filter(is_written).collect();
    let fields = fields.join(", ");
    let message = if fields.is_empty() { step.key.to_string() } else { format!("{}: {fields}", step.key) };
    let about = Some(about(step.key.kind.name(), &step.key.name));
    Some(Note { warning: false, reason: reason.into(), action, message, about })
}

/// Tells each part of a resource that could not be written or read, once for as long as it stays so. Whether there is
/// one.
fn refusals(notes: &mut Vec<Note>, pass: &Pass, before: Option<&ResourceStatus>, resource: &ResourceStatus) -> bool {
    let is_about = |step: &&Step| step.key.kind.name() == resource.kind && step.key.name == resource.name;
    let Some(step) = pass.plan.steps.iter().find(is_about) else { return false };
    let failed = match pass.outcomes.get(&step.key) {
        Some(Outcome::Failed(failures)) => failures.errors().collect(),
        _ => Vec::new(),
    };
    let errors: Vec<&Error> = failed.into_iter().chain(step.unknown.values()).collect();
    for error in &errors {
        if is_reported(before, error)
            || notes.iter().any(|note| without(&note.message).contains(&*without(&error.to_string())))
        {
            continue;
        }
        notes.push(Note {
            warning: true,
            reason: error.reason().into(),
            action: "Reconcile",
            message: format!("{} {}: {error}", resource.kind, resource.name),
            about: Some(about(&resource.kind, &resource.name)),
        });
    }
    !errors.is_empty()
}

/// True when the status before says so already, as far as it does not differ from call to call.
fn is_reported(before: Option<&ResourceStatus>, error: &Error) -> bool {
    let message = before.filter(|before| before.state == State::Failed).and_then(|before| before.message.as_deref());
    let call = format!("{} on {}", error.action, error.subject);
    message.is_some_and(|message| message.contains(&call) && message.contains(&error.code))
}

/// Exposures by others, reported when they are first observed.
fn exposed(previous: Option<&AIPlatformStatus>, step: &Step) -> Vec<Note> {
    let is_same = |resource: &&ResourceStatus| resource.kind == step.key.kind.name() && resource.name == step.key.name;
    let before = previous.and_then(|status| status.resources.iter().find(is_same));
    let said = before.and_then(|before| before.message.as_deref()).unwrap_or_default();
    let new = step.exposures.iter().filter(|exposure| !said.contains(&exposure.message));
    let note = |exposure: &Exposure| Note {
        warning: true,
        reason: exposure.extent.reason().into(),
        action: "Reconcile",
        message: format!("{}: {}", step.key, exposure.message),
        about: Some(about(step.key.kind.name(), &step.key.name)),
    };
    new.map(note).collect()
}

/// The progress of a rollout. Its beginning, failure or rollback is reported for its resources.
fn milestone(before: Option<&ModelStatus>, model: &ModelStatus, resources: &[ResourceStatus]) -> Option<Note> {
    let (outcome, endpoint) = (model.outcome.as_deref()?, model.endpoint.as_deref()?);
    let revision = model.revision.as_deref().unwrap_or_default();
    let was = before.and_then(|before| before.outcome.as_deref());
    let ran = before.and_then(|before| before.revision.as_deref());
    let (warning, message) = match outcome {
        "InService" if model.ready && (ran != Some(revision) || was == Some(ROLLED_BACK)) => {
            let count = model.instances.map(|instances| format!(", capacity {}", instances.current));
            (false, format!("model {} is served by revision {revision}{}", model.name, count.unwrap_or_default()))
        }
        "RollingBack" if was != Some("RollingBack") => {
            (true, format!("model {} goes back to revision {revision}", model.name))
        }
        _ => return None,
    };
    let served = resources.iter().find(|resource| resource.name == endpoint);
    let about = served.map(|resource| about(&resource.kind, &resource.name));
    Some(Note { warning, reason: outcome.into(), action: "Rollout", message, about })
}

/// The platform as a whole became ready, stalled or suspended. What is reported for a resource is not reported again.
fn turned(previous: Option<&AIPlatformStatus>, pass: &Pass) -> Option<Note> {
    let status = &pass.status;
    let now = status.conditions.iter().find(|condition| condition.type_ == "Ready")?;
    let before = previous.and_then(|status| status.conditions.iter().find(|condition| condition.type_ == "Ready"));
    if before.is_some_and(|before| before.status == now.status && before.reason == now.reason) {
        return None;
    }
    let stalled = status.conditions.iter().any(|condition| condition.type_ == "Stalled");
    let set_aside = pass.set_aside().filter(|_| !status.resources.is_empty());
    if now.status != "True" && !stalled && set_aside.is_none() {
        return None;
    }
    let is_reported = |resource: &ResourceStatus| is_warning(resource) && resource.reason.as_ref() == Some(&now.reason);
    if stalled && set_aside.is_none() && status.resources.iter().any(is_reported) {
        return None;
    }
    let message = if set_aside.is_some() {
        let (all, roles) = (&status.resources, status.resources.iter().filter(|resource| resource.kind == "Role"));
        format!(
            "{}; nothing of it is changed meanwhile: {} in all, {} of them roles, stay as they are, whatever the \
             guardrails ask for by now",
            now.message,
            all.len(),
            roles.count()
        )
    } else {
        now.message.clone()
    };
    let warning = stalled || set_aside.is_some();
    Some(Note { warning, reason: now.reason.clone(), action: "Reconcile", message, about: None })
}

fn is_warning(resource: &ResourceStatus) -> bool {
    matches!(resource.state, State::Failed | State::Refused)
}

fn about(kind: &str, name: &str) -> About {
    About { kind: kind.into(), name: name.into() }
}

fn same(one: &ResourceStatus, other: &ResourceStatus) -> bool {
    one.kind == other.kind && one.name == other.name
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::diff::Change;
    use crate::testing::step;

    fn status(ready: &str, reason: &str, resources: &[Value]) -> AIPlatformStatus {
        let condition = |kind: &str, status: &str| {
            json!({"type": kind, "status": status, "reason": reason, "message": "as it is",
                "lastTransitionTime": "2026-01-01T00:00:00Z"})
        };
        let stalled = (ready == "False").then(|| condition("Stalled", "True"));
        let conditions: Vec<Value> = std::iter::once(condition("Ready", ready)).chain(stalled).collect();
        serde_json::from_value(json!({"conditions": conditions, "resources": resources})).unwrap()
    }

    fn resource(kind: &str, state: &str, reason: &str) -> Value {
        json!({"kind": kind, "name": "x", "state": state, "reason": reason, "message": "said AWS"})
    }

    fn published(before: &AIPlatformStatus, after: AIPlatformStatus) -> Vec<String> {
        let notes = notes(Some(before), &Pass::of(after), &[]);
        notes.into_iter().map(|note| format!("{} {} {}", note.warning, note.reason, note.message)).collect()
    }

    #[test]
    fn what_a_resource_reports_is_not_reported_again_of_the_platform() {
        let before = status("Unknown", "Progressing", &[resource("SageMakerEndpoint", "Progressing", "Progressing")]);
        let rolled_back = status("False", ROLLED_BACK, &[resource("SageMakerEndpoint", "Refused", ROLLED_BACK)]);
        assert_eq!(published(&before, rolled_back.clone()), ["true RolledBack SageMakerEndpoint x: said AWS"]);
        // It was reported for the resource in the pass before, while something else was still on its way.
        let reported_before = AIPlatformStatus { conditions: before.conditions.clone(), ..rolled_back.clone() };
        assert!(published(&reported_before, rolled_back).is_empty());
    }

    #[test]
    fn a_platform_that_becomes_ready_says_which_models_are_served_and_one_that_is_not_says_so_of_the_model() {
        let with_model = |ready: &str, reason: &str| {
            let model = json!({"name": "rank", "backend": "SageMaker", "ready": true, "endpoint": "x", "revision": "r1",
                "outcome": "InService"});
            AIPlatformStatus { models: vec![serde_json::from_value(model).unwrap()], ..status(ready, reason, &[]) }
        };
        let before = status("Unknown", "Progressing", &[]);
        let served = "model rank is served by revision r1";
        assert_eq!(published(&before, with_model("True", "Ready")), [format!("false Ready as it is; {served}")]);
        assert_eq!(published(&before, with_model("Unknown", "Progressing")), [format!("false InService {served}")]);
        let published = published(&before, with_model("False", "AccessDenied"));
        assert_eq!(published, [format!("false InService {served}"), "true AccessDenied as it is".into()]);
    }

    #[test]
    fn what_no_resource_reports_is_reported_of_the_platform() {
        let before = status("Unknown", "Pending", &[]);
        assert_eq!(published(&before, status("False", "AccountMismatch", &[])), ["true AccountMismatch as it is"]);
        assert_eq!(published(&before, status("True", "Ready", &[])), ["false Ready as it is"]);
        assert!(published(&before, status("Unknown", "Progressing", &[])).is_empty());
    }

    #[test]
    fn a_platform_that_is_set_aside_says_that_its_roles_stay_as_they_are() {
        let resources = [resource("Role", "Ready", ""), resource("Bucket", "Ready", "")];
        let before = status("True", "Ready", &resources);
        for (ready, reason) in [("Unknown", "Suspended"), ("False", "InvalidSpec"), ("False", "NotPermitted")] {
            let notes = published(&before, status(ready, reason, &resources));
            let [note] = notes.as_slice() else { panic!("{notes:?}") };
            assert!(note.starts_with(&format!("true {reason} ")) && note.contains("1 of them roles"), "{note}");
        }
        assert!(published(&status("Unknown", "Pending", &[]), status("Unknown", "Suspended", &[])).is_empty());
    }

    #[test]
    fn nothing_new_is_no_news() {
        let after = status("False", "AccessDenied", &[resource("Bucket", "Failed", "AccessDenied")]);
        assert!(published(&after.clone(), after).is_empty());
    }

    #[test]
    fn drift_is_reported_as_such_and_not_as_an_update_too() {
        let update = Change { path: "versioning".into(), from: json!("Suspended"), to: json!("Enabled") };
        let drifted = step("a", Action::Update(vec![update.clone()]), &[]);
        let key = drifted.key.clone();
        let mut pass = Pass::of(status("True", "Ready", &[]));
        pass.plan.steps = vec![drifted, step("b", Action::Update(vec![update.clone()]), &[])];
        pass.outcomes = pass.plan.steps.iter().map(|step| (step.key.clone(), Outcome::Done(Applied::Ready))).collect();
        let repairs = [Repair { key, changes: vec![update], touches: Vec::new() }];
        let notes = notes(Some(&status("True", "Ready", &[])), &pass, &repairs);
        let reported: Vec<String> =
            notes.into_iter().map(|note| format!("{}: {}", note.reason, note.message)).collect();
        assert_eq!(
            reported,
            [
                "DriftRepaired: Bucket a: changed back versioning from \"Suspended\" to \"Enabled\"",
                "Updated: Bucket b: versioning"
            ]
        );
    }

    #[test]
    fn what_one_pass_took_is_one_event_for_each_reason_in_the_order_of_the_plan() {
        let change = Change { path: "versioning".into(), from: json!("Suspended"), to: json!("Enabled") };
        let mut pass = Pass::of(status("True", "Ready", &[]));
        pass.plan.steps = vec![
            step("a", Action::Create, &[]),
            step("b", Action::Update(vec![change.clone()]), &[]),
            step("c", Action::Create, &[]),
            step("d", Action::Update(vec![change]), &[]),
            step("e", Action::Keep, &[]),
        ];
        pass.outcomes = pass.plan.steps.iter().map(|step| (step.key.clone(), Outcome::Done(Applied::Ready))).collect();
        let notes = taken(&pass, &[]);
        let reported: Vec<String> = notes.iter().map(|note| format!("{}: {}", note.reason, note.message)).collect();
        assert_eq!(reported, ["Created: Bucket a; Bucket c", "Updated: Bucket b: versioning; Bucket d: versioning"]);
        assert!(notes.iter().all(|note| note.about.is_none()), "neither is about one resource");
        pass.plan.steps.truncate(1);
        assert_eq!(taken(&pass, &[])[0].about, Some(about("Bucket", "a")));
    }

    #[test]
    fn more_than_an_event_holds_is_several_and_nothing_is_left_out() {
        let mut pass = Pass::of(status("True", "Ready", &[]));
        let names: Vec<String> = (0..100).map(|number| format!("support-assistant-artifacts-{number:03}")).collect();
        pass.plan.steps = names.iter().map(|name| step(name, Action::Create, &[])).collect();
        pass.outcomes = pass.plan.steps.iter().map(|step| (step.key.clone(), Outcome::Done(Applied::Ready))).collect();
        let notes = taken(&pass, &[]);
        assert!(notes.len() > 2 && notes.iter().all(|note| note.message.len() <= NOTE_LIMIT), "{}", notes.len());
        let listed: Vec<&str> = notes.iter().flat_map(|note| note.message.split(SEPARATOR)).collect();
        let made: Vec<String> = names.iter().map(|name| format!("Bucket {name}")).collect();
        assert_eq!(listed, made);
    }
}
