//! Nothing is granted that is not attained: what is left of a role's policies when only those resources count that are
//! the platform's own.
//!
//! A role needs a bucket, or an endpoint, for the statements about it alone, and not as a whole: one bucket that is
//! refused takes away the access to that bucket and to nothing else.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::desired::difference;
use super::{Action, Refusal, Step};
use crate::features::network::vpc_endpoint_only;
use crate::policy::Policy;
use crate::render;
use crate::resource::role::field;
use crate::resource::{Desired, Key, Observations, ObservedState, Owner, Resource};

/// The attainment of a resource that a policy names.
#[derive(Clone, Debug, PartialEq)]
pub enum Attainment {
    /// It is the platform's own.
    Attained,
    /// A step of the plan makes it or takes it over, and what comes of that decides.
    Pending,
    /// It is somebody else's, or nobody can tell because the operator is not let.
    Refused(Refusal),
    /// It is not there, for this reason.
    Missing(String),
    /// It could not be read or made just now, for a reason that passes by itself.
    Unknown(String),
}

/// A resource that a policy would allow something on and does not, because it is not the platform's own; or one that a
/// denial waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The resource.
    pub about: Key,
    /// The reason in conditions.
    pub reason: &'static str,
    /// The statements that are left out, and the reason.
    pub message: String,
    /// True when somebody has to act before it can be granted.
    pub needs_somebody: bool,
}

/// The desired role, with what is attained or may be by the end of the plan; the steps on which the latter
/// depends; and what is left out. `steps` has those of everything that the role's policies name.
pub(super) fn granted<'a>(
    item: &'a Desired,
    steps: &[Step],
    observations: &Observations,
) -> (Cow<'a, Desired>, Vec<Key>, Vec<LeftOut>) {
    let Some(policies) = item.resource.policies() else { return (Cow::Borrowed(item), Vec::new(), Vec::new()) };
    let attainments = subjects(policies).map(|key| (key.clone(), attainment(key, steps, observations))).collect();
    let live = observations.get(&item.resource.key()).and_then(|observed| observed.resource.as_ref());
    let Narrowed { resource, left_out, remarks } = narrowed(&item.resource, policies, live, &attainments);
    let pending =
        attainments.into_iter().filter(|(_, attainment)| *attainment == Attainment::Pending).map(|(key, _)| key);
    let remarks = item.remarks.iter().cloned().chain(remarks).collect();
    (Cow::Owned(Desired { resource, remarks, ..item.clone() }), pending.collect(), left_out)
}

/// The resources on which it depends what a step would grant, or deny to all others. There are none where it grants nothing
/// anew.
pub fn grounds(step: &Step) -> impl Iterator<Item = &Key> {
    let desired = step.desired.as_ref().filter(|_| step.is_taken());
    let endpoints = desired.map(|_| vpc_endpoint_only::grounds(step)).unwrap_or_default();
    let policies = desired.and_then(Resource::policies).into_iter().flatten();
    let written = policies.filter(|(name, _)| is_written(step, name));
    written.flat_map(|(_, policy)| policy.subjects()).chain(endpoints)
}

/// True unless the step updates a role and leaves this policy as it is.
fn is_written(step: &Step, policy: &str) -> bool {
    let (Action::Update(changes), Some(Resource::Role(_))) = (&step.action, &step.desired) else { return true };
    let path = format!("{}.{policy}", field::POLICIES);
    changes.iter().any(|change| change.path == path || change.path.starts_with(&format!("{path}.")))
}

/// The step as it is to be taken when what it awaited has finished, in whichever way: `attainments` says which.
#[must_use]
pub fn settled(step: &Step, attainments: &BTreeMap<Key, Attainment>) -> Step {
    let Some((desired, policies)) = step.desired.as_ref().and_then(|it| Some((it, it.policies()?))) else {
        return step.clone();
    };
    // What is not awaited was attained, or is left as it was found, when the plan was made.
    let decided =
        subjects(policies).filter(|key| !step.awaits.contains(key)).map(|key| (key.clone(), Attainment::Attained));
    let awaited = step.awaits.iter().filter_map(|key| Some((key.clone(), attainments.get(key)?.clone())));
    let Narrowed { resource: desired, left_out, remarks } =
        narrowed(desired, policies, step.observed.as_ref(), &decided.chain(awaited).collect());
    let action = match &step.observed {
        None => step.action.clone(),
        Some(observed) => difference(&desired, observed, &BTreeMap::new(), &step.unknown).0,
    };
    let left_out = step.left_out.iter().cloned().chain(left_out).collect();
    let remarks = step.remarks.iter().cloned().chain(remarks).collect();
    Step { action, left_out, remarks, desired: Some(desired), awaits: Vec::new(), ..step.clone() }
}

fn subjects(policies: &BTreeMap<String, Policy>) -> impl Iterator<Item = &Key> {
    policies.values().flat_map(Policy::subjects)
}

/// Whose a resource is decides, and not how it is: one that cannot be written just now is the platform's own all the
/// same.
fn attainment(key: &Key, steps: &[Step], observations: &Observations) -> Attainment {
    let observed = observations.get(key);
    match observed.map(|observed| (&observed.owner, &observed.state)) {
        Some((Owner::Ours, _)) => return Attainment::Attained,
        // S3 answers that access is denied for a bucket of another account, too.
        Some((_, ObservedState::Unreadable(error))) if error.needs_somebody() => {
            return Attainment::Refused(Refusal { reason: error.reason(), message: error.to_string() });
        }
        Some((_, ObservedState::Unreadable(error))) => return Attainment::Unknown(error.to_string()),
        _ => {}
    }
    let Some(step) = steps.iter().find(|step| step.key == *key) else {
        return Attainment::Missing("it is not the platform's, or no longer".into());
    };
    match &step.action {
        Action::Create | Action::Update(_) => Attainment::Pending,
        Action::Refuse(refusal) => Attainment::Refused(refusal.clone()),
        other => Attainment::Missing(render::message(step).unwrap_or_else(|| format!("its step is {}", other.name()))),
    }
}

/// The resource without the statements about what is not attained. Those about what is unknown are neither added nor taken
/// away: a service that does not answer for a moment must not cut production off from its data, and must not open
/// anything either.
fn narrowed(
    resource: &Resource,
    declared: &BTreeMap<String, Policy>,
    live: Option<&Resource>,
    attainments: &BTreeMap<Key, Attainment>,
) -> Narrowed {
    let live = live.and_then(Resource::policies);
    let (mut dropped, mut dropped_idle) = (BTreeSet::new(), BTreeSet::new());
    let mut policies = BTreeMap::new();
    for (name, policy) in declared {
        let left = policy.without(|about, statement| {
            let is_left_out = match attainments.get(about) {
                Some(Attainment::Attained | Attainment::Pending) => false,
                Some(Attainment::Unknown(_)) => {
                    !live.is_some_and(|live| live.values().any(|policy| policy.says(statement)))
                }
                Some(Attainment::Refused(_) | Attainment::Missing(_)) | None => true,
            };
            if is_left_out {
                if policy.is_idle() { &mut dropped_idle } else { &mut dropped }.insert(about.clone());
            }
            is_left_out
        });
        policies.extend(left.map(|left| (name.clone(), left)));
    }
    let remarks = dropped_idle.difference(&dropped).map(|about| {
        let LeftOut { message, .. } = left_out(about.clone(), attainments);
        format!("a revision that is kept and does not run: {message}")
    });
    let mut narrowed = resource.clone();
    if let Some(declared) = narrowed.policies_mut() {
        *declared = policies;
    }
    Narrowed {
        remarks: remarks.collect(),
        left_out: dropped.iter().map(|about| left_out(about.clone(), attainments)).collect(),
        resource: narrowed,
    }
}

/// A resource that carries policies, without what is not attained.
struct Narrowed {
    resource: Resource,
    left_out: Vec<LeftOut>,
    /// Remarks about what is left out of the policies of something that does not run, which holds nothing up.
    remarks: Vec<String>,
}

fn left_out(about: Key, attainments: &BTreeMap<Key, Attainment>) -> LeftOut {
    let (reason, why, needs_somebody) = match attainments.get(&about) {
        Some(Attainment::Refused(refusal)) => (refusal.reason, refusal.message.as_str(), true),
        Some(Attainment::Missing(why)) => ("Blocked", why.as_str(), false),
        Some(Attainment::Unknown(why)) => ("Unknown", why.as_str(), false),
        Some(Attainment::Attained | Attainment::Pending) | None => ("Unknown", "nothing is known of it", false),
    };
    LeftOut { reason, message: format!("{about} is not granted: {why}"), needs_somebody, about }
}

#[cfg(test)]
mod tests;
