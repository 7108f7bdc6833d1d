//! The rollout of an endpoint: from the configuration it runs to the desired one.
//!
//! There is no state machine: every phase follows from what is observed, so that a restart anywhere goes on from
//! there. What cannot be seen in AWS, such as what was tried last, is remembered in the endpoint's tags.

mod handover;
mod steps;

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{initial_capacity, log_group};
use crate::names::is_revision_of;
use crate::outcome::{Outcome, Outcomes};
use crate::plan::rules::{Refine, Refined};
use crate::plan::{Action, Intent, Plan, Purpose, Refusal, Step};
use crate::resource::endpoint::{Attempt, Endpoint, EndpointUpdate, Facts, Status, field};
use crate::resource::endpoint_config::{Capacity, EndpointConfig};
use crate::resource::{Desired, Key, Kind, Observations, Observed, ObservedState, Owner, Recreation, Resource};
use handover::{deregistrations, remembering};
use steps::{endpoint_step, revision_step};

/// The number of times that an endpoint which failed to come up for a transient reason is created again.
const MOST_RECREATIONS: u32 = 3;

/// Failures that pass by themselves: IAM is eventually consistent, and so is SageMaker's capacity.
const PASSING: [&str; 4] =
    ["assume role", "execution role", "Could not access model data", "Request to service failed"];

/// Refines the steps for endpoints and their revisions.
pub(super) fn refine<'a>(desired: &'a [Desired], observations: &'a Observations, intent: &'a Intent) -> Refine<'a> {
    let rollouts = Rollouts::of(desired, observations, &intent.denied);
    Box::new(move |step| {
        let step = log_group::of_own_endpoint(rollouts.direct(step, observations), observations);
        Refined { before: deregistrations(&step, desired, observations), step }
    })
}

/// Moves that cannot succeed before somebody acts, and for which scaling was taken off.
pub(super) fn denied_moves(plan: &Plan, outcomes: &Outcomes) -> BTreeMap<Key, Refusal> {
    let denied = plan.steps.iter().filter_map(|step| match outcomes.get(&step.key) {
        Some(Outcome::Failed(failures)) if step.write_of::<Endpoint>()?.changes_instance_type => {
            let refused = failures.refused().iter().find(|refused| {
                let is_move = refused.part.as_deref().is_none_or(|part| part == field::CONFIG);
                is_move && refused.error.needs_somebody()
            })?;
            let refusal = Refusal { reason: refused.error.reason(), message: refused.error.to_string() };
            Some((step.key.clone(), refusal))
        }
        _ => None,
    });
    denied.collect()
}

/// Decisions about every desired endpoint in this pass.
struct Rollouts {
    decisions: BTreeMap<Key, Decision>,
    /// The endpoint that each wanted model and configuration is for.
    endpoints: BTreeMap<Key, Key>,
}

/// A decision about one endpoint.
enum Decision {
    /// It does not exist and is created.
    Create(EndpointUpdate),
    /// It runs the desired configuration.
    UpToDate(Option<EndpointUpdate>),
    /// It runs the desired configuration and is being scaled by somebody else, which is not ours to wait for.
    Scaling(String),
    /// It is updated to the desired configuration.
    Update(EndpointUpdate),
    /// It is about to be updated, and first has to remember what would be lost.
    RecordAttempt(EndpointUpdate),
    /// It runs an older configuration and stays there. Where that is news, it is recorded.
    HoldBack(Refusal, Option<EndpointUpdate>),
    /// It can neither be updated nor left as it is.
    Refuse(Refusal),
    /// It never came up and serves nobody: it is deleted, and the next pass creates it again. The number is kept for
    /// failures that are retried without a request of the user.
    Recreate(Option<Recreation>),
    /// It cannot be updated now.
    Wait(String),
    /// It belongs to somebody else, or is not known well enough.
    NotOurs,
}

impl Rollouts {
    /// `refused` are moves that AWS refused a moment ago.
    fn of(wanted: &[Desired], observations: &Observations, refused: &BTreeMap<Key, Refusal>) -> Self {
        let (mut decisions, mut endpoints) = (BTreeMap::new(), BTreeMap::new());
        for item in wanted {
            let Resource::SageMakerEndpoint(endpoint) = &item.resource else { continue };
            let key = item.resource.key();
            let config = wanted.iter().find_map(|item| match &item.resource {
                Resource::SageMakerEndpointConfig(config) if config.name == endpoint.config => Some(config),
                _ => None,
            });
            if let Some(config) = config {
                let name = config.content.model.clone();
                endpoints.insert(Key { kind: Kind::SageMakerModel, name }, key.clone());
                endpoints.insert(config_key(&config.name), key.clone());
            }
            let is_scaled = initial_capacity::is_scaled(endpoint, wanted);
            let decision = match (decide(endpoint, config, is_scaled, observations), refused.get(&key)) {
                // What was taken off for the move comes back, and the move is tried again later.
                (Decision::Update(EndpointUpdate { changes_instance_type: true, .. }), Some(refusal)) => {
                    Decision::HoldBack(refusal.clone(), None)
                }
                (Decision::Update(update), _) if update.changes_instance_type => {
                    remembering(update, &key, wanted, observations)
                }
                (decision, _) => decision,
            };
            decisions.insert(key, decision);
        }
        Self { decisions, endpoints }
    }

    /// The step as the rollout has it, where it is part of one.
    fn direct(&self, step: Step, observations: &Observations) -> Step {
        if let Some(decision) = self.decisions.get(&step.key) {
            return endpoint_step(decision, step, observations);
        }
        match self.endpoints.get(&step.key).and_then(|endpoint| Some((endpoint, self.decisions.get(endpoint)?))) {
            Some((endpoint, decision)) => revision_step(decision, endpoint, step),
            None => step,
        }
    }
}

/// `is_scaled` says whether Application Auto Scaling owns the number of instances.
fn decide(
    wanted: &Endpoint,
    config: Option<&EndpointConfig>,
    is_scaled: bool,
    observations: &Observations,
) -> Decision {
    let key = Key { kind: Kind::SageMakerEndpoint, name: wanted.name.clone() };
    let attempt = |modified_before: Timestamp, unconfirmed: bool| Attempt {
        revision: wanted.revision().to_string(),
        modified_before,
        request_hash: wanted.request_hash.clone(),
        rolled_back: false,
        unconfirmed,
    };
    let observed = observations.get(&key).filter(|observed| !matches!(observed.state, ObservedState::Absent));
    let Some(observed) = observed else {
        let attempt = attempt(Timestamp::UNIX_EPOCH, false);
        return Decision::Create(EndpointUpdate {
            attempt,
            history: Vec::new(),
            apply_instance_count: false,
            changes_instance_type: false,
            bounds: None,
        });
    };
    let (Some(facts), Some(running), Owner::Ours) =
        (observed.facts_of::<Endpoint>(), observed.resource_of::<Endpoint>(), &observed.owner)
    else {
        return Decision::NotOurs;
    };
    let is_new_request = facts
        .attempt
        .as_ref()
        .is_none_or(|last| last.request_hash != wanted.request_hash || last.revision != wanted.revision());
    let runs = |config: &str| match observations.get(&config_key(config)).and_then(|seen| seen.resource.as_ref()) {
        Some(Resource::SageMakerEndpointConfig(config)) => Some(&config.content.capacity),
        _ => None,
    };
    let is_unreadable =
        |seen: &Observed| matches!(seen.state, ObservedState::Unreadable(_)) && running.config != wanted.config;
    if observations.get(&config_key(&running.config)).is_some_and(is_unreadable) && !facts.status.is_busy() {
        return Decision::Wait(format!("on configuration {}, which cannot be read", running.config));
    }
    let before = runs(&running.config);
    let after = config.map(|config| &config.content.capacity);
    let noted = |attempt: Attempt| EndpointUpdate {
        attempt,
        history: facts.history.clone(),
        apply_instance_count: false,
        changes_instance_type: false,
        bounds: None,
    };
    let go = || {
        Decision::Update(EndpointUpdate {
            attempt: attempt(facts.modified, facts.failure.is_some()),
            history: history(running, facts),
            apply_instance_count: !is_scaled && is_resized(before, after),
            changes_instance_type: before.map(Capacity::instance_type) != after.map(Capacity::instance_type),
            bounds: None,
        })
    };
    match facts.status {
        Status::InService if running.config == wanted.config => {
            let is_over = |last: &Attempt| last.revision != wanted.revision() || last.rolled_back;
            let is_other = facts.attempt.as_ref().is_some_and(is_over);
            Decision::UpToDate(is_other.then(|| noted(attempt(facts.modified, false))))
        }
        Status::InService
            if matches!((before, after), (Some(Capacity::Instance(_)), Some(Capacity::Serverless(_)))) =>
        {
            Decision::Refuse(Refusal {
                reason: "InvalidSpec",
                message: format!(
                    "endpoint {} runs on instances, and SageMaker makes no serverless endpoint of such a one: give the \
                     serverless model another name",
                    wanted.name
                ),
            })
        }
        Status::InService => match rolled_back(wanted, running, facts) {
            // The first observation of a rollback answers whatever was asked for by then.
            Some((last, refusal)) if !last.rolled_back => {
                let last = Attempt { request_hash: wanted.request_hash.clone(), rolled_back: true, ..last.clone() };
                Decision::HoldBack(refusal, Some(noted(last)))
            }
            // A version that compared the whole spec noted it: an upgrade of the operator is no request.
            Some((last, refusal)) if last.is_of_whole_spec() => {
                let last = Attempt { request_hash: wanted.request_hash.clone(), ..last.clone() };
                Decision::HoldBack(refusal, Some(noted(last)))
            }
            Some((_, refusal)) if !is_new_request => Decision::HoldBack(refusal, None),
            _ => go(),
        },
        Status::UpdateRollbackFailed | Status::OutOfService if is_new_request || was_never_made(facts) => go(),
        Status::Failed if is_new_request => Decision::Recreate(None),
        Status::Failed => failed(wanted, facts, observations),
        Status::UpdateRollbackFailed | Status::OutOfService => Decision::Refuse(stuck(wanted, facts)),
        Status::Updating | Status::SystemUpdating
            if running.config == wanted.config && !is_on_its_way(facts, running) =>
        {
            Decision::Scaling(scaling(facts))
        }
        Status::Creating | Status::Updating | Status::SystemUpdating | Status::RollingBack | Status::Deleting => {
            Decision::Wait(facts.status.name().to_string())
        }
    }
}

/// True when the call of the last attempt was never made: the attempt is recorded before it, and the call failed or a
/// crash came between.
fn was_never_made(facts: &Facts) -> bool {
    facts.attempt.as_ref().is_some_and(|last| last.modified_before == facts.modified)
}

/// A rollback leaves the endpoint in service, changed since the attempt, with a reason and still on its old
/// configuration. Attempted and unchanged since means that the call was never made; so does a change since, of the
/// capacity perhaps, where the reason may be an older one and the call was not confirmed. The reason may be gone when
/// the endpoint is scaled later, so that a rollback is noted when it is first seen.
fn rolled_back<'a>(wanted: &Endpoint, running: &Endpoint, facts: &'a Facts) -> Option<(&'a Attempt, Refusal)> {
    let attempt = facts.attempt.as_ref().filter(|last| last.revision == wanted.revision())?;
    let is_its_own = facts.modified > attempt.modified_before && !attempt.unconfirmed;
    let is_seen_now = facts.failure.is_some() && is_its_own;
    let why = facts.failure.as_deref().unwrap_or("SageMaker no longer says why");
    let refusal = || Refusal {
        reason: "RolledBack",
        message: format!(
            "endpoint {} rolled back to revision {} when it was to run revision {}: {why}; it is tried again when this \
             model's part of the spec changes or the object is annotated with {}",
            wanted.name,
            running.revision(),
            wanted.revision(),
            crate::api::RECONCILE_AT
        ),
    };
    (is_seen_now || attempt.rolled_back).then(|| (attempt, refusal()))
}

fn failed(wanted: &Endpoint, facts: &Facts, observations: &Observations) -> Decision {
    let why = facts.failure.as_deref().unwrap_or_default();
    let remembered = observations
        .get(&config_key(&wanted.config))
        .and_then(|observed| observed.facts_of::<EndpointConfig>())
        .and_then(|revision| revision.recreated.as_ref())
        .filter(|last| last.request_hash == wanted.request_hash);
    if remembered.is_some_and(|last| last.failed == facts.modified) {
        return Decision::Recreate(None);
    }
    let times = remembered.map_or(0, |last| last.times) + 1;
    if PASSING.iter().any(|sign| why.contains(sign)) && times <= MOST_RECREATIONS {
        Decision::Recreate(Some(Recreation {
            request_hash: wanted.request_hash.clone(),
            times,
            failed: facts.modified,
        }))
    } else {
        Decision::Refuse(stuck(wanted, facts))
    }
}

fn stuck(wanted: &Endpoint, facts: &Facts) -> Refusal {
    let why = facts.failure.as_deref().unwrap_or("SageMaker gives no reason");
    let name = &wanted.name;
    let again = format!(
        "when this model's part of the spec changes or the object is annotated with {}",
        crate::api::RECONCILE_AT
    );
    let message = match facts.status {
        Status::UpdateRollbackFailed => format!(
            "endpoint {name} could neither be updated nor brought back, and some of its instances run the old \
             configuration and some the new: {why}; it is updated again {again}"
        ),
        Status::OutOfService => {
            format!("endpoint {name} is not serving traffic (OutOfService): {why}; it is updated again {again}")
        }
        _ => format!(
            "endpoint {name} did not come up: {why}; SageMaker can only delete it, so it is deleted and made again {again}"
        ),
    };
    Refusal { reason: facts.status.name(), message }
}

/// The revisions it ran before, the newest first, with the one it runs now.
fn history(running: &Endpoint, facts: &Facts) -> Vec<String> {
    /// The most that fit into a tag's value.
    const MOST: usize = 28;
    let now = running.revision();
    let before = facts.history.iter().map(String::as_str).filter(|revision| *revision != now);
    // A configuration that somebody made by hand is nobody's to keep.
    let ours = is_revision_of(&running.config, &running.name).then_some(now);
    ours.into_iter().chain(before).take(MOST).map(ToString::to_string).collect()
}

/// True when a busy endpoint is on its way to another revision than it runs.
fn is_on_its_way(facts: &Facts, running: &Endpoint) -> bool {
    facts.attempt.as_ref().is_some_and(|last| last.revision != running.revision())
}

fn scaling(facts: &Facts) -> String {
    match facts.capacity {
        Some(capacity) => format!("on its way from {} to {}", capacity.current, capacity.desired),
        None => format!("is {}", facts.status.name()),
    }
}

/// True when the user changed the number of instances. Otherwise it belongs to whoever scales the endpoint.
fn is_resized(before: Option<&Capacity>, after: Option<&Capacity>) -> bool {
    match (before, after) {
        (Some(Capacity::Instance(before)), Some(Capacity::Instance(after))) => before.count != after.count,
        _ => false,
    }
}

fn config_key(name: &str) -> Key {
    Key { kind: Kind::SageMakerEndpointConfig, name: name.to_string() }
}

#[cfg(test)]
mod tests;
