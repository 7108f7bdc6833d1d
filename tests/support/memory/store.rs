//! The store: every resource of every kind, written whole and read whole. What differs between kinds comes from the
//! table of kinds; the few that have states or facts of their own have them in `particular`.

use std::collections::{BTreeMap, BTreeSet};

use aiplatform::diff::{Change, changes};
use aiplatform::exposure::Exposure;
use aiplatform::failure::Class;
use aiplatform::kind::{Backend, Busy, Extent, Identity, Listed, OwnedBy};
use aiplatform::outcome::Applied;
use aiplatform::plan::Step;
use aiplatform::policy::Policy;
use aiplatform::resource::{
    Contents, Facts, Key, Kind, Observed, ObservedState, Owner, Request, Resource, ScalableTarget,
};
use aiplatform::tags;
use jiff::Timestamp;
use serde_json::json;

use super::endpoint::{SageMaker, Serving};
use super::particular;

/// Everything there is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FakeCloud {
    pub resources: BTreeMap<Key, Stored>,
    /// Kinds whose creation and deletion take time, with the number of reads that find one in transition.
    pub slow: BTreeMap<Kind, usize>,
    pub sagemaker: SageMaker,
    /// Milliseconds that everything so far took.
    clock: i64,
}

/// A resource as its backend holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// The fields that the operator manages, in the form in which they are read.
    pub resource: Resource,
    /// The owner in the annotation of an object in the cluster.
    pub mark: Option<String>,
    /// True when the operator made the object in the cluster, rather than adopting it.
    pub is_created: bool,
    /// Annotations that others set on an object in the cluster.
    pub annotations: BTreeMap<String, String>,
    /// The time at which it was made. No two resources have the same, so that one that is made again is another.
    pub made: i64,
    pub state: State,
    /// Facts beside the fields.
    pub facts: Option<Box<Facts>>,
    /// Fields that hold something of others that a write would lose.
    pub protected_fields: BTreeMap<&'static str, String>,
    pub exposures: Vec<Exposure>,
    pub contents: Contents,
    /// What an endpoint runs.
    pub serving: Option<Box<Serving>>,
}

/// The state of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Ready,
    /// In transition for this number of reads; at its end it is ready, or gone.
    InProgress {
        words: &'static str,
        reads: usize,
        leaves: bool,
    },
    Failed(String),
}

impl Stored {
    /// The identifier that AWS chose.
    pub fn id(&self) -> String {
        format!("id-{}", self.made)
    }

    /// Says whether we created it, where the object itself shows that too.
    pub fn set_created(&mut self, is_created: bool) {
        self.is_created = is_created;
        if let Resource::ServiceAccount(account) = &mut self.resource {
            account.predates_platform = !is_created;
        }
    }

    pub fn state(&self) -> ObservedState {
        if let Some(serving) = &self.serving {
            return serving.state();
        }
        match &self.state {
            State::Ready => ObservedState::Ready,
            State::InProgress { words, .. } => ObservedState::Progressing((*words).into()),
            State::Failed(words) => ObservedState::Failed(words.clone()),
        }
    }

    fn facts(&self) -> Option<Box<Facts>> {
        self.serving.as_ref().map(|serving| serving.facts()).or_else(|| self.facts.clone())
    }

    fn refuses_writes(&self) -> bool {
        let busy = self.resource.kind().info().busy;
        busy == Busy::RefusesWrites && matches!(self.state(), ObservedState::Progressing(_))
    }

    /// The outcome of a write that was accepted.
    fn applied(&self) -> Applied {
        match self.state() {
            ObservedState::Ready => Applied::Ready,
            ObservedState::Progressing(words) | ObservedState::Failed(words) => Applied::Progressing(words),
            ObservedState::Absent | ObservedState::Unreadable(_) => unreachable!("it is in the store"),
        }
    }
}

/// A resource in the form in which it is read back: without anything that its backend does not keep.
///
/// # Errors
/// [`Class::Bug`] where the description of a kind in the cluster cannot write or read it.
pub fn as_read(resource: &Resource, mark: Option<&str>, is_created: bool) -> Result<Resource, Class> {
    if let Backend::Cluster(api) = resource.kind().info().backend {
        let mut object = (api.body)(resource).ok_or(Class::Bug)?;
        if let Some(owner) = mark {
            object["metadata"]["annotations"][tags::OWNER] = json!(owner);
        }
        if is_created {
            object["metadata"]["annotations"][tags::CREATED] = json!("true");
        }
        return (api.read)(&resource.name(), &object.into()).ok_or(Class::Bug);
    }
    let mut read = resource.clone();
    for policy in read.policies_mut().into_iter().flat_map(BTreeMap::values_mut) {
        *policy = Policy::new(&policy.as_written());
    }
    particular::forget_what_is_not_kept(&mut read);
    Ok(read)
}

/// A time of the store's clock.
pub fn timestamp(clock: i64) -> Timestamp {
    Timestamp::from_millisecond(1_700_000_000_000 + clock).expect("the time exists")
}

fn is_in_aws(kind: Kind) -> bool {
    matches!(kind.info().backend, Backend::Aws(_))
}

/// What tests put, read and change.
impl FakeCloud {
    /// Puts a resource as somebody made it who is not the operator: whose it is, its tags say.
    pub fn put(&mut self, resource: impl Into<Resource>) -> &mut Stored {
        self.insert(&resource.into(), None).expect("its description writes and reads it")
    }

    /// Puts a resource as the operator made it for this owner.
    pub fn put_as(&mut self, owner: &str, resource: impl Into<Resource>) -> &mut Stored {
        self.insert(&resource.into(), Some(owner)).expect("its description writes and reads it")
    }

    pub fn stored<T: Listed>(&self, name: &str) -> Option<&Stored> {
        self.resources.get(&T::key_of(name))
    }

    pub fn stored_mut<T: Listed>(&mut self, name: &str) -> Option<&mut Stored> {
        self.resources.get_mut(&T::key_of(name))
    }

    pub fn get<T: Listed>(&self, name: &str) -> Option<&T> {
        self.stored::<T>(name).and_then(|stored| T::of(&stored.resource))
    }

    pub fn all<T: Listed + 'static>(&self) -> impl Iterator<Item = &T> {
        self.resources.values().filter_map(|stored| T::of(&stored.resource))
    }

    /// Changes a resource where it is there.
    pub fn change<T: Listed + Into<Resource>>(&mut self, name: &str, change: impl FnOnce(&mut T)) {
        if let Some(stored) = self.stored_mut::<T>(name)
            && let Some(found) = T::of(&stored.resource)
        {
            let mut changed = found.clone();
            change(&mut changed);
            stored.resource = changed.into();
        }
    }

    /// Changes every resource of a kind.
    pub fn change_all<T: Listed + Into<Resource> + 'static>(&mut self, change: impl Fn(&mut T)) {
        let names: Vec<String> = self.all::<T>().map(T::name).collect();
        for name in names {
            self.change(&name, &change);
        }
    }

    /// Takes a resource away, with everything that goes with it.
    pub fn remove(&mut self, key: &Key) {
        let goes_with = |stored: &Stored| {
            let parent = stored.resource.kind().info().owned_by;
            parent == OwnedBy::Parent(key.kind) && stored.resource.needs().contains(key)
        };
        self.resources.retain(|other, stored| other != key && !goes_with(stored));
    }

    /// Everything there is, with who holds it, as a platform sees it that owns things as `ours`.
    pub fn holders(&self, ours: &str) -> BTreeMap<Key, Owner> {
        self.resources.keys().filter_map(|key| Some((key.clone(), self.holder(key, ours)?))).collect()
    }

    /// The holder of a resource that is there.
    pub fn holder(&self, key: &Key, ours: &str) -> Option<Owner> {
        let Stored { resource, mark, annotations, .. } = self.resources.get(key)?;
        let parent = |kind: Kind| {
            let parent = resource.needs().into_iter().find(|need| need.kind == kind)?;
            self.holder(&parent, ours)
        };
        let info = key.kind.info();
        Some(match (info.owned_by, info.backend) {
            (OwnedBy::Parent(kind), _) => parent(kind).unwrap_or(Owner::Nobody),
            (OwnedBy::Annotation, Backend::Cluster(api)) => match mark {
                Some(owner) if owner == ours => Owner::Ours,
                Some(owner) => Owner::Theirs(owner.clone()),
                None => (api.claimed)(annotations).map_or(Owner::Nobody, Owner::Theirs),
            },
            (OwnedBy::Tag | OwnedBy::Annotation, _) => match resource.tags().map(|tags| Owner::of(tags, ours)) {
                // What scales an endpoint of ours is ours, unless somebody else of our kind has tagged it.
                Some(Owner::Nobody) if key.kind == ScalableTarget::KIND => {
                    parent(Kind::SageMakerEndpoint).unwrap_or(Owner::Nobody)
                }
                Some(known) => known,
                None => Owner::Nobody,
            },
        })
    }
}

/// What the provider does.
impl FakeCloud {
    /// The time, which is another at each call.
    pub(super) fn now(&mut self) -> i64 {
        self.clock += 1;
        self.clock
    }

    /// What is ours and stands on something that does not exist.
    pub(super) fn dangling(&self, ours: &str) -> BTreeSet<Key> {
        let is_there = |need: &Key| self.resources.contains_key(need);
        let is_whole = |stored: &Stored| match &stored.serving {
            Some(serving) => self.may_start_instances(serving),
            None => stored.resource.needs().iter().all(is_there),
        };
        let in_parts = self.resources.iter().filter(|(_, stored)| !is_whole(stored)).map(|(key, _)| key);
        in_parts.filter(|key| self.holder(key, ours) == Some(Owner::Ours)).cloned().collect()
    }

    /// A read, which finds what became of a transition since the last.
    pub(super) fn observe(&mut self, request: &Request, ours: &str) -> Observed {
        self.proceed(&request.key);
        let (Some(found), Some(owner)) = (self.resources.get(&request.key), self.holder(&request.key, ours)) else {
            return Observed::absent();
        };
        let is_worth_reading = owner == Owner::Ours || (owner == Owner::Nobody && request.adopt);
        let hides = particular::is_read_only_when_ours(request.key.kind) && !is_worth_reading;
        let info = request.key.kind.info();
        Observed {
            resource: (!hides).then(|| found.resource.clone()),
            state: found.state(),
            protected_fields: found.protected_fields.clone(),
            exposures: found.exposures.clone(),
            contents: request.pruning.then_some(found.contents),
            id: (info.identity == Identity::AssignedByAws).then(|| found.id()),
            facts: found.facts(),
            owner,
            ..Observed::absent()
        }
    }

    /// What is read along with a resource: whatever belongs to it.
    pub(super) fn belonging_to(&self, key: &Key) -> Vec<Key> {
        let belongs = |stored: &&Stored| {
            let is_child = stored.resource.kind().info().owned_by == OwnedBy::Parent(key.kind);
            is_child && stored.resource.needs().contains(key)
        };
        self.resources.values().filter(belongs).map(|stored| stored.resource.key()).collect()
    }

    pub(super) fn create(&mut self, owner: &str, step: &Step, desired: &Resource) -> Result<Applied, Class> {
        if self.resources.contains_key(&step.key) || self.lacks_a_need_of(&as_read(desired, None, false)?) {
            return Err(Class::Conflict);
        }
        self.admit(desired)?;
        let serving = self.first_deployment(step, desired)?;
        let slow = self.slow.get(&step.key.kind).copied();
        let stored = self.insert(&self.with_ids(desired), Some(owner))?;
        stored.serving = serving;
        if let Some(reads) = slow {
            stored.state = State::InProgress { words: "Creating", reads, leaves: false };
        }
        Ok(stored.applied())
    }

    pub(super) fn update(
        &mut self,
        owner: &str,
        step: &Step,
        desired: &Resource,
        fields: &[&str],
    ) -> Result<Applied, Class> {
        let found = self.found(step)?.clone();
        let desired_as_read = as_read(&self.with_ids(desired), Some(owner), found.is_created)?;
        if desired_as_read.needs() != found.resource.needs() && self.lacks_a_need_of(&desired_as_read) {
            return Err(Class::Conflict);
        }
        self.move_endpoint(step, desired, fields)?;
        self.change_bounds(desired, fields)?;
        let stored = self.resources.get_mut(&step.key).ok_or(Class::NotFound)?;
        particular::remember(stored, step, fields);
        stored.resource = written(&found.resource, desired_as_read, fields)?;
        // As to IAM, a policy that means the same is not written, whatever its statements are called.
        for (name, policy) in stored.resource.policies_mut().into_iter().flatten() {
            let before = found.resource.policies().and_then(|policies| policies.get(name));
            if let Some(before) = before.filter(|before| *before == policy) {
                policy.clone_from(before);
            }
        }
        if let Backend::Cluster(api) = step.key.kind.info().backend {
            stored.mark = Some(owner.into());
            // Server-side apply takes over what others set of the same name.
            let body = (api.body)(desired).unwrap_or_default();
            stored.annotations.retain(|name, _| body["metadata"]["annotations"].get(name).is_none());
        }
        Ok(particular::outcome_before_a_move(step, desired, fields).unwrap_or_else(|| stored.applied()))
    }

    pub(super) fn delete(&mut self, step: &Step, with_contents: bool) -> Result<Applied, Class> {
        let key = &step.key;
        let slow = self.slow.get(&key.kind).copied();
        let found = self.found(step)?;
        if !found.contents.is_empty() && !with_contents {
            return Err(Class::Conflict);
        }
        if found.serving.is_some() {
            self.take_down(key);
            return Ok(Applied::Progressing("Deleting".into()));
        }
        if let Backend::Cluster(api) = key.kind.info().backend
            && api.extent == Extent::Fields
            && (!found.is_created || !found.annotations.is_empty())
        {
            found.resource = (api.read)(&key.name, &json!({}).into()).ok_or(Class::Bug)?;
            (found.mark, found.is_created) = (None, false);
            return Ok(Applied::Gone);
        }
        if let Some(reads) = slow {
            if !matches!(found.state, State::InProgress { leaves: true, .. }) {
                found.state = State::InProgress { words: "Deleting", reads, leaves: true };
            }
            return Ok(found.applied());
        }
        self.remove(key);
        Ok(Applied::Gone)
    }

    /// The resource that a step means, where it can be written to: what AWS chose an id for is found by that alone.
    fn found(&mut self, step: &Step) -> Result<&mut Stored, Class> {
        let found = self.resources.get_mut(&step.key).ok_or(Class::NotFound)?;
        if step.key.kind.info().identity == Identity::AssignedByAws && step.id != Some(found.id()) {
            return Err(Class::NotFound);
        }
        if found.refuses_writes() { Err(Class::Conflict) } else { Ok(found) }
    }

    /// The resource with the ids of what it refers to: AWS takes nothing else.
    fn with_ids(&self, resource: &Resource) -> Resource {
        let mut resource = resource.clone();
        let id = |key: &Key| self.resources.get(key).map(Stored::id);
        resource.resolve(&mut |reference| reference.id = reference.key.as_ref().and_then(id).or(reference.id.take()));
        resource
    }

    /// AWS refuses what refers to something that is not there; the cluster does not look.
    fn lacks_a_need_of(&self, resource: &Resource) -> bool {
        is_in_aws(resource.kind()) && resource.needs().iter().any(|need| !self.resources.contains_key(need))
    }

    fn insert(&mut self, resource: &Resource, owner: Option<&str>) -> Result<&mut Stored, Class> {
        let made = self.now();
        let mark = owner.filter(|_| !is_in_aws(resource.kind())).map(ToString::to_string);
        let stored = Stored {
            resource: as_read(resource, owner, mark.is_some())?,
            is_created: mark.is_some(),
            mark,
            annotations: BTreeMap::new(),
            made,
            state: State::Ready,
            facts: particular::first_facts(resource, made),
            protected_fields: BTreeMap::new(),
            exposures: Vec::new(),
            contents: Contents::default(),
            serving: None,
        };
        let key = resource.key();
        self.resources.insert(key.clone(), stored);
        self.resources.get_mut(&key).ok_or(Class::Bug)
    }

    /// A transition comes further.
    fn proceed(&mut self, key: &Key) {
        self.proceed_with_endpoint(key);
        let Some(stored) = self.resources.get_mut(key) else { return };
        match &mut stored.state {
            State::Ready | State::Failed(_) => {}
            State::InProgress { reads, .. } if *reads > 0 => *reads -= 1,
            State::InProgress { leaves: true, .. } => self.remove(key),
            State::InProgress { leaves: false, .. } => stored.state = State::Ready,
        }
    }
}

/// The resource after a write of these fields alone. Where some that differ are not among them, the kind says how the
/// two are put together.
fn written(found: &Resource, desired: Resource, fields: &[&str]) -> Result<Resource, Class> {
    let changes = changes(&found.comparable(), &desired.comparable());
    let unwritten: BTreeSet<&str> = changes.iter().map(Change::field).filter(|field| !fields.contains(field)).collect();
    if unwritten.is_empty() { Ok(desired) } else { particular::put_together(found, desired, &unwritten) }
}
