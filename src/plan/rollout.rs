//! How an endpoint gets from the configuration it runs to the one that is wanted.
//!
//! There is no state machine: every phase follows from what is observed, so that a restart anywhere goes on from
//! there. What cannot be seen in AWS, such as what was tried last, is remembered in the endpoint's tags.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Action, Refusal, Step};
use crate::diff::Change;
use crate::resource::endpoint::{Attempt, Attempting, Endpoint, Facts, Status, field};
use crate::resource::endpoint_config::{self, Capacity, EndpointConfig};
use crate::resource::scaling::Scaled;
use crate::resource::{Desired, Key, Kind, Observations, Observed, ObservedState, Owner, Resource};

/// How often an endpoint that failed to come up for a reason that passes is made again.
const MOST_RECREATIONS: u32 = 3;

/// Failures that pass by themselves: IAM is eventually consistent, and so is SageMaker's capacity.
const PASSING: [&str; 4] =
    ["assume role", "execution role", "Could not access model data", "Request to service failed"];

/// What becomes of every wanted endpoint in this pass.
pub(super) struct Rollouts {
    courses: BTreeMap<Key, Course>,
    /// The endpoint that each wanted model and configuration is for.
    endpoints: BTreeMap<Key, Key>,
}

/// What becomes of one endpoint.
enum Course {
    /// It is not there, and is made.
    Make(Attempting),
    /// It runs what is wanted.
    Stay(Option<Attempting>),
    /// It runs what is wanted, and somebody changes how much of it there is, which is not ours to wait for.
    Scale(String),
    /// It is moved to the wanted configuration.
    Move(Attempting),
    /// It is about to be moved, and first has to remember what would be lost.
    Note(Attempting),
    /// It runs an older configuration and stays there.
    Hold(Refusal),
    /// It can neither be moved nor left in peace.
    Refuse(Refusal),
    /// It never came up and serves nobody: it goes, and the next pass makes it again. The number is kept for failures
    /// that are tried again without being asked.
    Remake(Option<(String, u32)>),
    /// It cannot be moved now.
    Wait(String),
    /// It is not for us to say.
    Other,
}

impl Rollouts {
    /// `refused` are moves that AWS refused a moment ago.
    pub(super) fn of(wanted: &[Desired], observations: &Observations, refused: &BTreeMap<Key, Refusal>) -> Self {
        let (mut courses, mut endpoints) = (BTreeMap::new(), BTreeMap::new());
        for item in wanted {
            let Resource::Endpoint(endpoint) = &item.resource else { continue };
            let key = item.resource.key();
            let config = wanted.iter().find_map(|item| match &item.resource {
                Resource::EndpointConfig(config) if config.name == endpoint.config => Some(config),
                _ => None,
            });
            if let Some(config) = config {
                let name = config.content.model.clone();
                endpoints.insert(Key { kind: Kind::SageMakerModel, name }, key.clone());
                endpoints.insert(config_key(&config.name), key.clone());
            }
            let course = match (course(endpoint, config, observations), refused.get(&key)) {
                // What was taken off for the move comes back, and the move is tried again later.
                (Course::Move(Attempting { reshape: true, .. }), Some(refusal)) => Course::Hold(refusal.clone()),
                (Course::Move(attempting), _) if attempting.reshape => {
                    remembering(attempting, &key, wanted, observations)
                }
                (course, _) => course,
            };
            courses.insert(key, course);
        }
        Self { courses, endpoints }
    }

    /// What has to be taken off before this step moves its endpoint, because SageMaker refuses to change the instance
    /// type of what is registered for scaling. The number of instances stays what it is meanwhile. It is done when
    /// everything else is there that the move needs.
    pub(super) fn deregistrations(&self, step: &Step, wanted: &[Desired], observations: &Observations) -> Vec<Step> {
        let is_reshaped = step.attempting.as_ref().is_some_and(|attempting| attempting.reshape);
        let is_moved =
            matches!(&step.action, Action::Update(changes) if changes.iter().any(|it| it.field() == field::CONFIG));
        if !is_reshaped || !is_moved {
            return Vec::new();
        }
        let desired = |key: &Key| wanted.iter().map(|item| &item.resource).find(|it| it.key() == *key).cloned();
        let needs: Vec<Key> = step.needs.iter().filter(|need| need.kind != Kind::ScalableTarget).cloned().collect();
        registered(&step.key.name, observations)
            .map(|(target, observed)| Step {
                key: target.clone(),
                action: Action::Delete { with_contents: false },
                needs: needs.clone(),
                arn: observed.arn.clone(),
                id: observed.id.clone(),
                desired: desired(target),
                observed: observed.resource.clone(),
                held: None,
                withheld: None,
                remarks: Vec::new(),
                attempting: None,
                endpoint: None,
            })
            .collect()
    }

    /// The step as the rollout has it, where it is part of one.
    pub(super) fn direct(&self, step: Step, observations: &Observations) -> Step {
        if let Some(course) = self.courses.get(&step.key) {
            return along(course, step, observations);
        }
        match self.endpoints.get(&step.key).and_then(|endpoint| Some((endpoint, self.courses.get(endpoint)?))) {
            Some((endpoint, course)) => beside(course, endpoint, step),
            None => step,
        }
    }
}

fn course(wanted: &Endpoint, config: Option<&EndpointConfig>, observations: &Observations) -> Course {
    let key = Key { kind: Kind::SageMakerEndpoint, name: wanted.name.clone() };
    let attempt = |modified_before: Timestamp| Attempt {
        revision: wanted.revision().to_string(),
        modified_before,
        asked: wanted.asked.clone(),
    };
    let observed = observations.get(&key).filter(|observed| !matches!(observed.state, ObservedState::Absent));
    let Some(observed) = observed else {
        let attempt = attempt(Timestamp::UNIX_EPOCH);
        return Course::Make(Attempting { attempt, history: Vec::new(), resize: false, reshape: false, bounds: None });
    };
    let (Some(facts), Some(Resource::Endpoint(running)), Owner::Ours) =
        (&observed.endpoint, &observed.resource, &observed.owner)
    else {
        return Course::Other;
    };
    let is_asked_anew =
        facts.attempt.as_ref().is_none_or(|last| last.asked != wanted.asked || last.revision != wanted.revision());
    let runs = |config: &str| match observations.get(&config_key(config)).and_then(|seen| seen.resource.as_ref()) {
        Some(Resource::EndpointConfig(config)) => Some(&config.content.capacity),
        _ => None,
    };
    let before = runs(&running.config);
    let after = config.map(|config| &config.content.capacity);
    let go = || {
        Course::Move(Attempting {
            attempt: attempt(facts.modified),
            history: history(running, facts),
            resize: is_resized(before, after),
            reshape: before.map(Capacity::instance_type) != after.map(Capacity::instance_type),
            bounds: None,
        })
    };
    match facts.status {
        Status::InService if running.config == wanted.config => {
            let is_other = facts.attempt.as_ref().is_some_and(|last| last.revision != wanted.revision());
            Course::Stay(is_other.then(|| Attempting {
                attempt: attempt(facts.modified),
                history: facts.history.clone(),
                resize: false,
                reshape: false,
                bounds: None,
            }))
        }
        Status::InService
            if matches!((before, after), (Some(Capacity::Instance(_)), Some(Capacity::Serverless(_)))) =>
        {
            Course::Hold(Refusal {
                reason: "InvalidSpec",
                message: format!(
                    "endpoint {} runs on instances, and SageMaker makes no serverless endpoint of such a one: give the \
                     serverless model another name",
                    wanted.name
                ),
            })
        }
        Status::InService => match rolled_back(wanted, running, facts) {
            Some(refusal) if !is_asked_anew => Course::Hold(refusal),
            _ => go(),
        },
        Status::UpdateRollbackFailed if is_asked_anew => go(),
        Status::Failed if is_asked_anew => Course::Remake(None),
        Status::Failed => failed(wanted, facts, observations),
        Status::UpdateRollbackFailed | Status::OutOfService => Course::Refuse(stuck(wanted, facts)),
        Status::Updating | Status::SystemUpdating
            if running.config == wanted.config && !is_on_its_way(facts, running) =>
        {
            Course::Scale(scaling(facts))
        }
        Status::Creating | Status::Updating | Status::SystemUpdating | Status::RollingBack | Status::Deleting => {
            Course::Wait(facts.status.name().to_string())
        }
    }
}

/// What is registered goes with its bounds, and those that a schedule has set hold until its next time: they are written
/// down before, to come back with it.
fn remembering(attempting: Attempting, key: &Key, wanted: &[Desired], observations: &Observations) -> Course {
    let registered = registered(&key.name, observations).find_map(|(target, observed)| match &observed.resource {
        Some(Resource::ScalableTarget(found)) => Some((target, found.bounds)),
        _ => None,
    });
    let Some((target, bounds)) = registered else { return Course::Move(attempting) };
    let is_scheduled = wanted.iter().any(|item| match &item.resource {
        Resource::ScalableTarget(wanted) => wanted.scaled.key() == *target && wanted.scheduled.contains(&bounds),
        _ => false,
    });
    let remembered = observations.get(key).and_then(|observed| observed.endpoint.as_ref()?.bounds);
    let attempting = Attempting { bounds: Some(bounds), ..attempting };
    if is_scheduled && remembered != Some(bounds) { Course::Note(attempting) } else { Course::Move(attempting) }
}

/// A rollback leaves the endpoint in service, changed since the attempt, with a reason and still on its old
/// configuration. Attempted and unchanged since means that the call was never made.
fn rolled_back(wanted: &Endpoint, running: &Endpoint, facts: &Facts) -> Option<Refusal> {
    let attempt = facts.attempt.as_ref().filter(|last| last.revision == wanted.revision())?;
    let why = facts.failure.as_ref()?;
    (facts.modified > attempt.modified_before).then(|| Refusal {
        reason: "RolledBack",
        message: format!(
            "endpoint {} rolled back to revision {} when it was to run revision {}: {why}; it is tried again when the spec \
             changes or the object is annotated with {}",
            wanted.name,
            running.revision(),
            wanted.revision(),
            crate::api::RECONCILE_AT
        ),
    })
}

fn failed(wanted: &Endpoint, facts: &Facts, observations: &Observations) -> Course {
    let why = facts.failure.as_deref().unwrap_or_default();
    let remembered = observations
        .get(&config_key(&wanted.config))
        .and_then(|observed| observed.revision.as_ref())
        .and_then(|revision| revision.recreated.as_ref())
        .filter(|(asked, _)| *asked == wanted.asked)
        .map_or(0, |(_, times)| *times);
    if PASSING.iter().any(|sign| why.contains(sign)) && remembered < MOST_RECREATIONS {
        Course::Remake(Some((wanted.asked.clone(), remembered + 1)))
    } else {
        Course::Refuse(stuck(wanted, facts))
    }
}

fn stuck(wanted: &Endpoint, facts: &Facts) -> Refusal {
    let why = facts.failure.as_deref().unwrap_or("SageMaker gives no reason");
    let name = &wanted.name;
    let again = format!("when the spec changes or the object is annotated with {}", crate::api::RECONCILE_AT);
    let message = match facts.status {
        Status::UpdateRollbackFailed => format!(
            "endpoint {name} could neither be updated nor brought back, and some of its instances run the old \
             configuration and some the new: {why}; it is updated again {again}"
        ),
        Status::OutOfService => format!("endpoint {name} is out of service: {why}"),
        _ => format!(
            "endpoint {name} did not come up: {why}; SageMaker can only delete it, so it is deleted and made again {again}"
        ),
    };
    Refusal { reason: facts.status.name(), message }
}

/// What it ran before, the newest first, with what it runs now.
fn history(running: &Endpoint, facts: &Facts) -> Vec<String> {
    /// The most that fit into a tag's value.
    const MOST: usize = 28;
    let now = running.revision().to_string();
    let before = facts.history.iter().filter(|revision| **revision != now).cloned();
    std::iter::once(now.clone()).chain(before).take(MOST).collect()
}

/// Whether a busy endpoint is on its way to another revision than it runs.
fn is_on_its_way(facts: &Facts, running: &Endpoint) -> bool {
    facts.attempt.as_ref().is_some_and(|last| last.revision != running.revision())
}

fn scaling(facts: &Facts) -> String {
    match facts.capacity {
        Some(capacity) => format!("on its way from {} to {}", capacity.current, capacity.desired),
        None => format!("is {}", facts.status.name()),
    }
}

/// Whether the user changed the number of instances. Otherwise it belongs to whoever scales the endpoint.
fn is_resized(before: Option<&Capacity>, after: Option<&Capacity>) -> bool {
    match (before, after) {
        (Some(Capacity::Instance(before)), Some(Capacity::Instance(after))) => before.count != after.count,
        _ => false,
    }
}

fn along(course: &Course, mut step: Step, observations: &Observations) -> Step {
    let old = |step: &Step| match &step.observed {
        Some(Resource::Endpoint(endpoint)) => Value::from(endpoint.config.clone()),
        _ => Value::Null,
    };
    let new = |step: &Step| match &step.desired {
        Some(Resource::Endpoint(endpoint)) => Value::from(endpoint.config.clone()),
        _ => Value::Null,
    };
    let tags = |step: &Step| match (&step.desired, &step.observed) {
        (Some(desired), Some(observed)) => crate::diff::changes(&observed.comparable(), &desired.comparable())
            .into_iter()
            .filter(|change| change.field() == field::TAGS)
            .collect(),
        _ => Vec::new(),
    };
    match course {
        Course::Make(attempting) => step.attempting = Some(attempting.clone()),
        Course::Stay(None) | Course::Other | Course::Wait(_) => {}
        Course::Scale(how) => {
            step.action = Action::Keep;
            step.remarks.push(how.clone());
        }
        Course::Stay(Some(attempting)) | Course::Note(attempting) => {
            let last = step.endpoint.as_ref().and_then(|facts| facts.attempt.as_ref());
            let change = Change {
                path: field::ATTEMPT.into(),
                from: json!(last.map(|last| &last.revision)),
                to: json!(attempting.attempt.revision),
            };
            let changes: Vec<Change> = std::iter::once(change).chain(tags(&step)).collect();
            step.action = Action::Update(changes);
            step.attempting = Some(attempting.clone());
        }
        Course::Move(attempting) => {
            let registered: Vec<(&Key, &Observed)> =
                if attempting.reshape { registered(&step.key.name, observations).collect() } else { Vec::new() };
            step.needs.extend(registered.iter().map(|(key, _)| (*key).clone()));
            let in_the_way: Vec<Key> = registered
                .iter()
                .filter(|(_, observed)| {
                    observed.owner != Owner::Ours || matches!(observed.state, ObservedState::Unreadable(_))
                })
                .map(|(key, _)| (*key).clone())
                .collect();
            step.attempting = Some(attempting.clone());
            if !in_the_way.is_empty() {
                step.action = Action::Blocked(in_the_way);
            } else if !matches!(step.action, Action::Blocked(_)) {
                let change = Change { path: field::CONFIG.into(), from: old(&step), to: new(&step) };
                let changes: Vec<Change> = std::iter::once(change).chain(tags(&step)).collect();
                step.action = Action::Update(changes);
            }
        }
        Course::Hold(refusal) => {
            let tags = tags(&step);
            step.action = if tags.is_empty() { Action::Keep } else { Action::Update(tags) };
            step.held = Some(refusal.clone());
        }
        Course::Refuse(refusal) => step.action = Action::Refuse(refusal.clone()),
        Course::Remake(times) => {
            let config = new(&step).as_str().map(config_key);
            step.needs = if times.is_some() { config.into_iter().collect() } else { Vec::new() };
            step.action = Action::Delete { with_contents: false };
        }
    }
    step
}

/// A model or a configuration for an endpoint on this course.
fn beside(course: &Course, endpoint: &Key, mut step: Step) -> Step {
    let is_absent = matches!(step.action, Action::Create | Action::Blocked(_)) && step.observed.is_none();
    match course {
        // What a later edit may supersede before the endpoint can take it is not made yet.
        Course::Wait(status) if is_absent => {
            step.action = Action::Wait(format!("made when {endpoint}, which is {status}, can take it"));
        }
        Course::Hold(_) | Course::Refuse(_) if is_absent => {
            step.action = Action::Wait(format!("made when {endpoint} can take it"));
        }
        Course::Remake(Some((asked, times)))
            if step.key.kind == Kind::SageMakerEndpointConfig
                && matches!(step.action, Action::Keep | Action::Update(_)) =>
        {
            let change = Change {
                path: endpoint_config::field::RECREATED.into(),
                from: Value::Null,
                to: json!(format!("{asked}/{times}")),
            };
            match &mut step.action {
                Action::Update(changes) => changes.push(change),
                action => *action = Action::Update(vec![change]),
            }
        }
        _ => {}
    }
    step
}

/// What is registered for scaling of an endpoint.
fn registered<'a>(
    endpoint: &'a str,
    observations: &'a Observations,
) -> impl Iterator<Item = (&'a Key, &'a Observed)> + 'a {
    observations.iter().filter(move |(key, observed)| {
        key.kind == Kind::ScalableTarget
            && Scaled::parse(&key.name).endpoint() == endpoint
            && !matches!(observed.state, ObservedState::Absent)
    })
}

fn config_key(name: &str) -> Key {
    Key { kind: Kind::SageMakerEndpointConfig, name: name.to_string() }
}

#[cfg(test)]
mod tests;
