//! The plan: the steps by which AWS and the cluster become as desired. Pure, so that it can be read before it happens.

pub mod attainment;
mod check;
mod desired;
mod prune;
pub mod rules;

use std::collections::{BTreeMap, BTreeSet};

use crate::api::{DeletionPolicy, ManagementPolicy};
use crate::diff::Change;
use crate::exposure::Exposure;
use crate::failure::Error;
use crate::guardrails::Allowed;
use crate::kind::Listed;
use crate::lookup::Caller;
use crate::resource::reference;
use crate::resource::{Desired, Facts, Key, Observations, Removal, Resource, Write};
use crate::tags;
use attainment::{LeftOut, granted};
pub use check::{Flaw, check};
use desired::step_for;
use prune::prune;
use rules::{Adjusted, Refined};

/// The action that a step takes on its resource.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Make it.
    Create,
    /// Change these fields.
    Update(Vec<Change>),
    /// Take it away; what is in it too, where that is allowed.
    Delete {
        /// True when its contents go with it.
        with_contents: bool,
    },
    /// It is as desired.
    Keep,
    /// It is no longer desired and stays, for this reason.
    Retain(String),
    /// AWS is at work on it.
    Wait(String),
    /// These are not ready.
    Blocked(Vec<Key>),
    /// It may not be touched.
    Refuse(Refusal),
    /// It could not be read.
    Unreadable(Error),
}

/// The reason for which a resource may not be touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reason in conditions.
    pub reason: &'static str,
    /// The message: what, where, and the way out.
    pub message: String,
}

impl Action {
    /// The action as it stands in plans and status.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Create => "Create",
            Self::Update(_) => "Update",
            Self::Delete { .. } => "Delete",
            Self::Keep => "Keep",
            Self::Retain(_) => "Retain",
            Self::Wait(_) => "Wait",
            Self::Blocked(_) => "Blocked",
            Self::Refuse(_) => "Refuse",
            Self::Unreadable(_) => "Unreadable",
        }
    }

    /// True when it changes anything.
    #[must_use]
    pub fn writes(&self) -> bool {
        matches!(self, Self::Create | Self::Update(_) | Self::Delete { .. })
    }
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The resource.
    pub key: Key,
    /// The action.
    pub action: Action,
    /// The steps that must have been done before: its dependencies, or, when it is deleted, its dependants.
    pub needs: Vec<Key>,
    /// Its ARN, as far as it is known.
    pub arn: Option<String>,
    /// The identifier AWS chose, where it did.
    pub id: Option<String>,
    /// The desired resource.
    pub desired: Option<Resource>,
    /// The observed resource.
    pub observed: Option<Resource>,
    /// The reason for which some of its fields are held back: a write would lose something of others, say.
    pub held_back: Option<Refusal>,
    /// Parts that could not be read, by their path: they are neither compared nor written.
    pub unknown: BTreeMap<String, Error>,
    /// Exposures that others opened in it.
    pub exposures: Vec<Exposure>,
    /// The reason for which the step is shown and not applied.
    pub not_applied: Option<&'static str>,
    /// Remarks about what is worth knowing although nothing is done about it.
    pub remarks: Vec<String>,
    /// The parameters of the write besides the fields.
    pub write: Option<Box<Write>>,
    /// Facts observed besides the fields.
    pub facts: Option<Box<Facts>>,
    /// The steps that have to have been tried before, whichever way they end: their outcomes settle this step, see
    /// [`attainment::settled`].
    pub awaits: Vec<Key>,
    /// Permissions that a role's policies would grant and do not.
    pub left_out: Vec<LeftOut>,
    /// The purpose of the step.
    pub purpose: Purpose,
}

/// The purpose of a step, which decides what of it a management policy forbids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// Its own resource.
    #[default]
    Own,
    /// Taking its resource away for a while: it comes back.
    Suspension,
    /// Taking its resource away so that it is made again.
    Replacement,
    /// Changing its resource, which is no longer desired, before it ends.
    Preparation,
    /// The change of this field only prepares that something else is replaced.
    Prelude(&'static str),
}

impl Step {
    /// A step about which nothing else is to be said.
    #[must_use]
    pub fn new(key: Key, action: Action) -> Self {
        Self {
            key,
            action,
            needs: Vec::new(),
            arn: None,
            id: None,
            desired: None,
            observed: None,
            held_back: None,
            unknown: BTreeMap::new(),
            exposures: Vec::new(),
            not_applied: None,
            remarks: Vec::new(),
            write: None,
            facts: None,
            awaits: Vec::new(),
            left_out: Vec::new(),
            purpose: Purpose::Own,
        }
    }

    /// The parameters of the write, if it is about this kind.
    #[must_use]
    pub fn write_of<T: Listed>(&self) -> Option<&T::Write> {
        self.write.as_deref().and_then(T::write)
    }

    /// Facts observed besides the fields, if it is about this kind.
    #[must_use]
    pub fn facts_of<T: Listed>(&self) -> Option<&T::Facts> {
        self.facts.as_deref().and_then(T::facts)
    }

    /// True when it is carried out.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.action.writes() && self.not_applied.is_none()
    }

    /// True when it may be carried out, depending on what it awaits.
    #[must_use]
    pub fn may_be_taken(&self) -> bool {
        let is_open = matches!(self.action, Action::Create | Action::Update(_) | Action::Keep);
        self.is_taken() || (is_open && !self.awaits.is_empty() && self.not_applied.is_none())
    }

    /// True when it takes over something that carries no owner tag yet. Nothing in it may be changed before it does.
    #[must_use]
    pub fn adopts(&self) -> bool {
        let owner = |resource: &Option<Resource>| resource.as_ref()?.tags()?.get(tags::OWNER).cloned();
        matches!(self.action, Action::Update(_)) && owner(&self.desired) != owner(&self.observed)
    }

    /// True when everything is known of it that what needs it relies on.
    #[must_use]
    pub fn is_reliable(&self) -> bool {
        let relied_on = self.key.kind.info().relied_on;
        let is_relied_on = |part: &String| relied_on.is_on(part.split('.').next().unwrap_or_default());
        !self.unknown.keys().any(is_relied_on)
    }

    /// Holds some of its fields back, besides those that are held back already.
    pub(crate) fn hold_back(&mut self, refusal: Refusal) {
        self.held_back = Some(match self.held_back.take() {
            Some(held_back) => Refusal { message: format!("{}; {}", held_back.message, refusal.message), ..held_back },
            None => refusal,
        });
    }

    /// True when a part, or what it is a part of, could not be read.
    #[must_use]
    pub fn is_unknown(&self, path: &str) -> bool {
        is_unknown(&self.unknown, path)
    }
}

fn is_unknown(unknown: &BTreeMap<String, Error>, path: &str) -> bool {
    unknown.keys().any(|part| path == part || path.strip_prefix(part).is_some_and(|rest| rest.starts_with('.')))
}

/// Everything that has to be done for one platform, each step after those it needs.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Plan {
    /// The platform's namespace.
    pub namespace: String,
    /// The platform's name.
    pub name: String,
    /// The steps.
    pub steps: Vec<Step>,
}

/// The number of steps of each sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize)]
pub struct Summary {
    /// To be created.
    pub create: usize,
    /// To be changed.
    pub update: usize,
    /// To be taken away.
    pub delete: usize,
    /// Left as they are.
    pub keep: usize,
}

impl Plan {
    /// Counts the steps.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let count = |names: &[&str]| self.steps.iter().filter(|step| names.contains(&step.action.name())).count();
        Summary {
            create: count(&["Create"]),
            update: count(&["Update"]),
            delete: count(&["Delete"]),
            keep: count(&["Keep", "Retain"]),
        }
    }

    /// True when there is nothing to do and nothing in the way.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let is_settled = |step: &Step| {
            matches!(step.action, Action::Keep | Action::Retain(_))
                && step.held_back.is_none()
                && step.unknown.is_empty()
                && step.left_out.is_empty()
        };
        self.steps.iter().all(is_settled)
    }
}

/// The intent of the object as a whole, besides the resources it desires.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Intent {
    /// The object is being deleted: nothing is desired any more.
    pub deleting: bool,
    /// The fate of AWS resources when the object is deleted.
    pub deletion_policy: DeletionPolicy,
    /// The management policy.
    pub management_policy: ManagementPolicy,
    /// The removal that the spec declares for each resource, while there is a spec that does.
    pub removals: BTreeMap<Key, Removal>,
    /// True when that can only add care: the spec is invalid or not permitted.
    pub is_unaccepted: bool,
    /// The removal that earlier specs declared for each resource, as the status remembers it.
    pub remembered: BTreeMap<Key, Removal>,
    /// Writes that were denied in the last pass, see [`rules::denied`].
    pub denied: BTreeMap<Key, Refusal>,
    /// The identity under which the operator works, where it matters and was looked up.
    pub caller: Option<Caller>,
    /// Artifacts that may be loaded although their bucket is not the platform's.
    pub artifacts: Allowed,
}

impl Intent {
    /// The intent of a live object.
    #[must_use]
    pub fn keep(management_policy: ManagementPolicy) -> Self {
        Self { management_policy, ..Self::default() }
    }

    /// The intent of an object on its way out.
    #[must_use]
    pub fn delete(management_policy: ManagementPolicy, deletion_policy: DeletionPolicy, desired: &[Desired]) -> Self {
        let removals = desired.iter().map(|desired| (desired.resource.key(), desired.removal)).collect();
        Self { deleting: true, deletion_policy, management_policy, removals, ..Self::default() }
    }

    /// The intent of an object on its way out whose spec is invalid or not permitted: what an accepted spec said decides,
    /// here of the object as a whole, and this one can only make it more careful.
    #[must_use]
    pub fn delete_unaccepted(
        management_policy: ManagementPolicy,
        deletion_policy: DeletionPolicy,
        accepted: DeletionPolicy,
        removals: BTreeMap<Key, Removal>,
    ) -> Self {
        let is_kept = [deletion_policy, accepted].contains(&DeletionPolicy::Retain);
        let deletion_policy = if is_kept { DeletionPolicy::Retain } else { DeletionPolicy::Delete };
        Self { deleting: true, deletion_policy, management_policy, removals, is_unaccepted: true, ..Self::default() }
    }

    /// The reason for which a deletion of the object deletes nothing in AWS, if so. AWS need not be read then.
    #[must_use]
    pub fn retains_everything(&self) -> Option<&'static str> {
        if self.deleting && self.deletion_policy == DeletionPolicy::Retain {
            return Some("kept because the platform's deletionPolicy is Retain");
        }
        if self.deleting && self.management_policy != ManagementPolicy::Full {
            return Some("kept because the managementPolicy allows no deletion");
        }
        None
    }

    /// True when it matters under which identity the operator works: something goes with its contents, which may be closed
    /// to others.
    #[must_use]
    pub fn needs_caller(&self) -> bool {
        let mut removals = self.removals.values().chain(self.remembered.values());
        self.deleting && self.retains_everything().is_none() && removals.any(|it| *it == Removal::WithContents)
    }

    /// The removal of something that is deleted, or the reason for which it stays. `tagged` is what its own tags say,
    /// where they were read.
    ///
    /// The removal that an accepted spec declares holds. Without one, the most careful of the tag, the status and
    /// whatever spec there is holds: whoever may only tag, or only write the status, or only ask for what is refused,
    /// cannot make us delete what was to be kept.
    fn removal(&self, key: &Key, tagged: Option<Removal>) -> Result<Option<Removal>, String> {
        if let Some(why) = self.retains_everything() {
            return Err(why.to_string());
        }
        let declared = self.removals.get(key).copied();
        let accepted = declared.filter(|_| !self.is_unaccepted);
        let careful = || self.remembered.get(key).copied().into_iter().chain(tagged).chain(declared).min();
        match accepted.or_else(careful) {
            Some(Removal::Retain) => {
                Err(format!("no longer declared, and kept because {}", key.kind.info().kept_because))
            }
            removal => Ok(removal),
        }
    }
}

/// Compares what is desired with what was observed. `desired` comes in an order in which each follows what it needs.
#[must_use]
pub fn plan(namespace: &str, name: &str, desired: &[Desired], observations: &Observations, intent: &Intent) -> Plan {
    let Adjusted { desired: wanted, held_back } = adjusted(desired, observations, intent);
    let refine = rules::refine(&wanted, observations, intent);
    let mut steps: Vec<Step> = Vec::new();
    let mut attainable = BTreeSet::new();
    let mut placed = BTreeSet::new();
    for item in &wanted {
        if !placed.insert(item.resource.key()) {
            continue;
        }
        let (item, awaits, left_out) = granted(item, &steps, observations);
        let Refined { before, mut step } = refine(step_for(&item, observations, &attainable));
        if matches!(step.action, Action::Create | Action::Update(_) | Action::Keep) {
            step.awaits = awaits;
            step.left_out.extend(left_out);
        }
        if let Some(refusal) = held_back.get(&step.key) {
            step.hold_back(refusal.clone());
        }
        for earlier in before {
            placed.insert(earlier.key.clone());
            steps.push(earlier);
        }
        if matches!(step.action, Action::Create | Action::Update(_) | Action::Keep) && step.is_reliable() {
            attainable.insert(step.key.clone());
        }
        steps.push(step);
    }
    steps.extend(prune(&wanted, &placed, &attainable, observations, intent));
    manage(intent.management_policy, Plan { namespace: namespace.into(), name: name.into(), steps })
}

/// The desired resources, with adjustments that follow from what is observed.
fn adjusted(desired: &[Desired], observations: &Observations, intent: &Intent) -> Adjusted {
    if intent.deleting {
        return Adjusted::default();
    }
    let Adjusted { desired, held_back } = rules::adjusted(desired, observations, intent);
    Adjusted { desired: reference::resolved(desired, observations), held_back }
}

/// The reason for which something that is no longer declared stays under a policy that forbids deletion.
const NOT_DELETED: &str = "no longer declared, and kept because managementPolicy is NoDelete";

/// The management policy is a function over a finished plan: what it forbids is shown and not taken.
fn manage(policy: ManagementPolicy, mut plan: Plan) -> Plan {
    for step in &mut plan.steps {
        if policy == ManagementPolicy::Observe {
            // Nothing comes of any step, so that none is settled by another.
            step.awaits.clear();
        }
        match policy {
            ManagementPolicy::Observe if step.action.writes() => step.not_applied = Some("managementPolicy is Observe"),
            ManagementPolicy::NoDelete
                if step.desired.is_none()
                    && matches!(step.action, Action::Delete { .. } | Action::Refuse(_) | Action::Blocked(_)) =>
            {
                step.action = Action::Retain(NOT_DELETED.into());
            }
            // Nothing would be done with it: no answer is needed for that.
            ManagementPolicy::NoDelete if step.desired.is_none() => {
                if let Action::Unreadable(error) = &step.action {
                    step.action = Action::Retain(format!("{NOT_DELETED}; it could not be read: {error}"));
                }
            }
            ManagementPolicy::NoDelete => match step.purpose {
                Purpose::Replacement if matches!(step.action, Action::Delete { .. }) => {
                    let message = format!(
                        "the {} failed and would be deleted and made again, and managementPolicy is NoDelete: delete it \
                         yourself, or allow deletion",
                        step.key.kind.info().noun
                    );
                    step.action = Action::Refuse(Refusal { reason: "Failed", message });
                }
                Purpose::Prelude(field) => {
                    if let Action::Update(changes) = &mut step.action {
                        changes.retain(|change| change.field() != field);
                        if changes.is_empty() {
                            step.action = Action::Keep;
                        }
                    }
                }
                Purpose::Own | Purpose::Suspension | Purpose::Replacement | Purpose::Preparation => {}
            },
            ManagementPolicy::Full | ManagementPolicy::Observe => {}
        }
    }
    plan
}

#[cfg(test)]
mod tests;
