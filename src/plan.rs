//! The plan: what has to be done to make the world as desired. Pure, so that it can be read before it happens.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::{DeletionPolicy, ManagementPolicy};
use crate::diff::{Change, changes};
use crate::provider::Error;
use crate::resource::{Desired, Key, Observations, Observed, ObservedState, Owner, Removal, Resource};

/// What is to be done with one resource.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Make it.
    Create,
    /// Change these fields.
    Update(Vec<Change>),
    /// Take it away; what is in it too, where that is allowed.
    Delete {
        /// Whether its contents go with it.
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

/// Why a resource may not be touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reason in conditions.
    pub reason: &'static str,
    /// What, where, and the way out.
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

    /// Whether it changes anything.
    #[must_use]
    pub fn writes(&self) -> bool {
        matches!(self, Self::Create | Self::Update(_) | Self::Delete { .. })
    }
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Which resource.
    pub key: Key,
    /// What is to be done.
    pub action: Action,
    /// What must have been done before: what it needs to be ready, or, when it goes, what needs it to be gone.
    pub needs: Vec<Key>,
    /// Its ARN, as far as it is known.
    pub arn: Option<String>,
    /// The identifier AWS chose, where it did.
    pub id: Option<String>,
    /// What it should be.
    pub desired: Option<Resource>,
    /// What it is.
    pub observed: Option<Resource>,
    /// Fields that should change and are left alone, because a write would lose something of others.
    pub held: Option<Refusal>,
    /// Why the step is shown and not taken.
    pub withheld: Option<&'static str>,
    /// What is worth telling although nothing is done about it.
    pub remarks: Vec<String>,
}

impl Step {
    /// Whether it is carried out.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.action.writes() && self.withheld.is_none()
    }
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

/// How many steps there are of each sort.
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

    /// Whether there is nothing to do and nothing in the way.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.steps.iter().all(|step| matches!(step.action, Action::Keep | Action::Retain(_)) && step.held.is_none())
    }
}

/// What the object as a whole asks for, beside the resources it desires.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Intent {
    /// The object is being deleted: nothing is desired any more.
    pub deleting: bool,
    /// What happens to AWS when the object is deleted.
    pub deletion_policy: DeletionPolicy,
    /// What the operator may do.
    pub management_policy: ManagementPolicy,
    /// What the spec says of each resource's end, while there is a spec that says so.
    pub removals: BTreeMap<Key, Removal>,
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
        Self { deleting: true, deletion_policy, management_policy, removals }
    }

    /// Why a deletion of the object takes nothing away, if so. AWS need not even be asked then.
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

    fn removal(&self, observed: &Resource) -> Result<Removal, &'static str> {
        if let Some(why) = self.retains_everything() {
            return Err(why);
        }
        match self.removals.get(&observed.key()).copied().unwrap_or_else(|| observed.removal()) {
            Removal::Retain => Err("no longer declared, and kept because its deletionPolicy is Retain"),
            removal => Ok(removal),
        }
    }
}

/// Compares what is desired with what was observed. `desired` comes in an order in which each follows what it needs.
#[must_use]
pub fn plan(namespace: &str, name: &str, desired: &[Desired], observations: &Observations, intent: &Intent) -> Plan {
    let wanted: &[Desired] = if intent.deleting { &[] } else { desired };
    let mut steps: Vec<Step> = Vec::new();
    let mut attainable = BTreeSet::new();
    for item in wanted {
        let step = towards(item, observations, &attainable);
        if matches!(step.action, Action::Create | Action::Update(_) | Action::Keep) {
            attainable.insert(step.key.clone());
        }
        steps.push(step);
    }
    let keys: BTreeSet<Key> = wanted.iter().map(|item| item.resource.key()).collect();
    steps.extend(leaving(&keys, &attainable, observations, intent));
    manage(intent.management_policy, Plan { namespace: namespace.into(), name: name.into(), steps })
}

/// The management policy is a function over a finished plan: what it forbids is shown and not taken.
fn manage(policy: ManagementPolicy, mut plan: Plan) -> Plan {
    for step in &mut plan.steps {
        match policy {
            ManagementPolicy::Observe if step.action.writes() => step.withheld = Some("managementPolicy is Observe"),
            ManagementPolicy::NoDelete
                if step.desired.is_none()
                    && matches!(step.action, Action::Delete { .. } | Action::Refuse(_) | Action::Blocked(_)) =>
            {
                step.action =
                    Action::Retain("no longer declared, and kept because managementPolicy is NoDelete".into());
            }
            _ => {}
        }
    }
    plan
}

fn towards(item: &Desired, observations: &Observations, attainable: &BTreeSet<Key>) -> Step {
    let key = item.resource.key();
    let absent = Observed::absent();
    let observed = observations.get(&key).unwrap_or(&absent);
    let needs = item.resource.needs();
    let missing: Vec<Key> = needs.iter().filter(|need| !attainable.contains(need)).cloned().collect();
    let mut held = None;
    let action = match (&observed.state, &observed.owner) {
        (ObservedState::Unreadable(error), _) => Action::Unreadable(error.clone()),
        (ObservedState::Absent, _) if !missing.is_empty() => Action::Blocked(missing),
        (ObservedState::Absent, _) => Action::Create,
        (ObservedState::Failed(why), _) => Action::Refuse(Refusal { reason: "Conflict", message: why.clone() }),
        (_, Owner::Theirs(holder)) => Action::Refuse(Refusal {
            reason: "NotOwned",
            message: format!(
                "{key} exists and belongs to {holder}: it is left alone; take another name, or delete it there first"
            ),
        }),
        (_, Owner::Nobody) if !item.adopt => Action::Refuse(Refusal {
            reason: "NotOwned",
            message: format!(
                "{key} exists and was not made by this platform: it is left alone; take another name, or set adopt: true to manage it"
            ),
        }),
        (ObservedState::Progressing(why), _) => Action::Wait(why.clone()),
        (ObservedState::Ready, _) => {
            let (action, kept_back) = difference(&item.resource, observed);
            held = kept_back;
            if !missing.is_empty() && action.writes() { Action::Blocked(missing) } else { action }
        }
    };
    Step {
        arn: item.resource.arn().or_else(|| observed.arn.clone()),
        id: observed.id.clone(),
        remarks: observed.remarks.clone(),
        desired: Some(item.resource.clone()),
        observed: observed.resource.clone(),
        key,
        action,
        needs,
        held,
        withheld: None,
    }
}

/// An update of the fields that differ and can be written, and a refusal for those that cannot.
fn difference(desired: &Resource, observed: &Observed) -> (Action, Option<Refusal>) {
    let Some(resource) = &observed.resource else { return (Action::Create, None) };
    let (kept_back, writable): (Vec<Change>, Vec<Change>) = changes(&resource.comparable(), &desired.comparable())
        .into_iter()
        .partition(|change| observed.held.contains_key(change.field()));
    let refusal = kept_back
        .first()
        .and_then(|change| observed.held.get(change.field()))
        .map(|why| Refusal { reason: "Conflict", message: why.clone() });
    match (writable.is_empty(), refusal) {
        (false, refusal) => (Action::Update(writable), refusal),
        (true, Some(refusal)) => (Action::Refuse(refusal), None),
        (true, None) => (Action::Keep, None),
    }
}

/// Steps for what is there and no longer desired, each after everything that needs it: what goes too, and what stays
/// and still has to be turned to something else.
fn leaving(
    wanted: &BTreeSet<Key>,
    attainable: &BTreeSet<Key>,
    observations: &Observations,
    intent: &Intent,
) -> Vec<Step> {
    let mut rest: Vec<(&Key, &Observed)> = observations.iter().filter(|(key, _)| !wanted.contains(key)).collect();
    let dependants = |key: &Key| -> Vec<Key> {
        let needs = |other: &Key, observed: &Observed| match (&observed.state, &observed.resource) {
            // Whatever could not be read may need whatever it could need.
            (ObservedState::Unreadable(_), _) => other.kind.may_need(key.kind),
            (_, Some(resource)) => observed.owner == Owner::Ours && resource.needs().contains(key),
            (_, None) => false,
        };
        observations.iter().filter(|(other, observed)| needs(other, observed)).map(|(other, _)| other.clone()).collect()
    };
    let mut steps: Vec<Step> = Vec::new();
    let mut placed = wanted.clone();
    let mut done = attainable.clone();
    while !rest.is_empty() {
        let (ready, later): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|(key, _)| dependants(key).iter().all(|dependant| placed.contains(dependant)));
        if ready.is_empty() {
            break;
        }
        for (key, observed) in ready {
            placed.insert(key.clone());
            let needs = dependants(key);
            let open: Vec<Key> = needs.iter().filter(|need| !done.contains(need)).cloned().collect();
            let Some(mut step) = away(key, observed, needs, intent) else { continue };
            if matches!(step.action, Action::Delete { .. }) {
                if open.is_empty() {
                    done.insert(key.clone());
                } else {
                    step.action = Action::Blocked(open);
                }
            }
            steps.push(step);
        }
        rest = later;
    }
    steps
}

fn away(key: &Key, observed: &Observed, needs: Vec<Key>, intent: &Intent) -> Option<Step> {
    let action = match (&observed.state, &observed.resource) {
        (ObservedState::Absent, _) => return None,
        (ObservedState::Unreadable(error), _) => Action::Unreadable(error.clone()),
        _ if observed.owner != Owner::Ours => return None,
        (ObservedState::Progressing(why), _) => Action::Wait(why.clone()),
        (_, None) => return None,
        (_, Some(resource)) => match intent.removal(resource) {
            Err(why) => Action::Retain(why.into()),
            Ok(Removal::WithContents) => Action::Delete { with_contents: true },
            Ok(_) => match observed.contents.filter(|contents| !contents.is_empty()) {
                Some(contents) => Action::Refuse(Refusal {
                    reason: "DeletionBlocked",
                    message: format!(
                        "{key} still holds {contents}: empty it, or set its deletionPolicy to Retain or DeleteWithContents"
                    ),
                }),
                None => Action::Delete { with_contents: false },
            },
        },
    };
    Some(Step {
        key: key.clone(),
        action,
        needs,
        arn: observed.resource.as_ref().and_then(Resource::arn).or_else(|| observed.arn.clone()),
        id: observed.id.clone(),
        remarks: Vec::new(),
        desired: None,
        observed: observed.resource.clone(),
        held: None,
        withheld: None,
    })
}

#[cfg(test)]
mod tests;
