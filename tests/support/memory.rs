//! A provider whose world is in memory: AWS's semantics field by field, call by call, with a failure where a test
//! wants one.
//!
//! A further kind of resource is a field of [`World`] and an arm in `observe_one` and `apply_one`; counting calls,
//! failing and keeping the journal are the same for all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

use aiplatform::plan::{Action, Step};
use aiplatform::provider::{Applied, Class, Error, Place, Provider};
use aiplatform::resource::bucket::{
    Bucket, Encryption, LifecycleRule, PublicAccessBlock, RULE_PREFIX, SID_PREFIX, field,
};
use aiplatform::resource::{Contents, Kind, Observations, Observed, Owner, Request, Resource};
use aiplatform::tags::{self, Tags};
use serde_json::Value;

/// Everything there is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct World {
    pub buckets: BTreeMap<String, Stored>,
}

/// A bucket as AWS holds it: what is ours beside what is not.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    pub region: String,
    pub tags: Tags,
    pub public_access_block: PublicAccessBlock,
    pub object_ownership: Option<String>,
    pub encryption: Option<Encryption>,
    pub versioning: bool,
    pub statements: Vec<Value>,
    /// By the id that AWS knows.
    pub rules: BTreeMap<String, LifecycleRule>,
    /// Ids of rules with something in them that a write of ours would lose.
    pub opaque_rules: BTreeSet<String>,
    pub contents: Contents,
}

impl Stored {
    /// A bucket as `CreateBucket` leaves it.
    pub fn fresh(region: &str, tags: Tags) -> Self {
        Self {
            region: region.into(),
            tags,
            public_access_block: PublicAccessBlock::ALL,
            object_ownership: Some("BucketOwnerEnforced".into()),
            encryption: Some(Encryption::sse_s3()),
            versioning: false,
            statements: Vec::new(),
            rules: BTreeMap::new(),
            opaque_rules: BTreeSet::new(),
            contents: Contents::default(),
        }
    }

    /// A bucket that is exactly this.
    pub fn of(bucket: &Bucket) -> Self {
        let mut stored = Self::fresh(&bucket.region, Tags::new());
        for field in FIELDS {
            stored.write(field, bucket);
        }
        stored
    }

    /// What of it is ours, in canonical form.
    pub fn managed(&self, name: &str) -> Bucket {
        let ours = |statement: &&Value| sid(statement).is_some_and(|sid| sid.starts_with(SID_PREFIX));
        Bucket {
            name: name.into(),
            region: self.region.clone(),
            tags: tags::managed(&self.tags),
            public_access_block: self.public_access_block,
            object_ownership: self.object_ownership.clone(),
            encryption: self.encryption.clone(),
            versioning: self.versioning,
            policy: self
                .statements
                .iter()
                .filter(ours)
                .map(|statement| (sid(statement).unwrap_or_default().to_string(), statement.clone()))
                .collect(),
            lifecycle: self
                .rules
                .iter()
                .filter_map(|(id, rule)| Some((id.strip_prefix(RULE_PREFIX)?.to_string(), rule.clone())))
                .collect(),
        }
    }

    pub fn owner(&self) -> Option<&str> {
        self.tags.get(tags::OWNER).map(String::as_str)
    }

    /// One call of S3 that writes one field and, like an adapter, carries along what is not ours.
    fn write(&mut self, field: &str, desired: &Bucket) {
        match field {
            field::TAGS => self.tags = tags::merged(&self.tags, &desired.tags),
            field::PUBLIC_ACCESS_BLOCK => self.public_access_block = desired.public_access_block,
            field::OBJECT_OWNERSHIP => self.object_ownership.clone_from(&desired.object_ownership),
            field::ENCRYPTION => self.encryption.clone_from(&desired.encryption),
            field::VERSIONING => self.versioning = desired.versioning,
            field::POLICY => {
                self.statements.retain(|statement| !sid(statement).is_some_and(|sid| sid.starts_with(SID_PREFIX)));
                self.statements.extend(desired.policy.values().cloned());
            }
            field::LIFECYCLE => {
                self.rules.retain(|id, _| !id.starts_with(RULE_PREFIX));
                let ours = desired.lifecycle.iter().map(|(id, rule)| (format!("{RULE_PREFIX}{id}"), rule.clone()));
                self.rules.extend(ours);
                self.opaque_rules.clear();
            }
            other => panic!("no call of S3 writes {other}"),
        }
    }
}

fn sid(statement: &Value) -> Option<&str> {
    statement.get("Sid").and_then(Value::as_str)
}

/// The fields of a bucket in the order in which they are written.
const FIELDS: [&str; 7] = [
    field::TAGS,
    field::PUBLIC_ACCESS_BLOCK,
    field::OBJECT_OWNERSHIP,
    field::ENCRYPTION,
    field::VERSIONING,
    field::POLICY,
    field::LIFECYCLE,
];

/// Where a run goes wrong.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// The number of the call, from 0, counted from when the fault was set.
    pub call: usize,
    /// Whether AWS did what was asked and only the answer was lost.
    pub after_the_effect: bool,
    /// What AWS says.
    pub class: Class,
    /// Whether every later call fails too, as when the process dies.
    pub for_good: bool,
}

/// A call that changed something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    pub action: String,
    pub name: String,
    /// Who held it before, and `None` where it did not exist.
    pub holder: Option<Owner>,
}

#[derive(Default)]
struct State {
    account: String,
    world: World,
    fault: Option<Fault>,
    calls: usize,
    struck: bool,
    writes: Vec<Write>,
}

/// The provider.
pub struct Memory {
    state: Mutex<State>,
}

impl Memory {
    pub fn new(account: &str, world: World) -> Self {
        Self { state: Mutex::new(State { account: account.into(), world, ..State::default() }) }
    }

    pub fn world(&self) -> World {
        self.lock().world.clone()
    }

    /// Changes the world behind the operator's back.
    pub fn change(&self, change: impl FnOnce(&mut World)) {
        change(&mut self.lock().world);
    }

    /// Every write so far.
    pub fn writes(&self) -> Vec<Write> {
        self.lock().writes.clone()
    }

    /// Calls so far, since the last fault was set.
    pub fn calls(&self) -> usize {
        self.lock().calls
    }

    /// Sets a fault, and counts calls from here.
    pub fn fail(&self, fault: Fault) {
        let mut state = self.lock();
        state.fault = Some(fault);
        state.calls = 0;
        state.struck = false;
    }

    /// Whether the fault came.
    pub fn has_failed(&self) -> bool {
        self.lock().struck
    }

    /// From here on everything works.
    pub fn recover(&self) {
        self.lock().fault = None;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the world")
    }

    /// One call: counted, and failed where the fault says so. Others get their turn before it, as over a network.
    async fn call<T>(
        &self,
        action: &str,
        subject: &str,
        effect: impl FnOnce(&mut World) -> Result<T, Class>,
    ) -> Result<T, Error> {
        tokio::task::yield_now().await;
        let mut state = self.lock();
        let number = state.calls;
        state.calls += 1;
        let fault = state.fault.filter(|fault| number == fault.call || (fault.for_good && number > fault.call));
        let failed = |class, code: &str| Error {
            class,
            action: action.into(),
            subject: subject.into(),
            code: code.into(),
            message: String::new(),
        };
        if let Some(fault) = fault {
            state.struck = true;
            if fault.after_the_effect && number == fault.call {
                // Whatever AWS answered, nobody hears it.
                let _ = effect(&mut state.world);
            }
            return Err(failed(fault.class, "Injected"));
        }
        effect(&mut state.world).map_err(|class| failed(class, "Refused"))
    }

    /// A call that changes a bucket, which stands in the journal if it had an effect.
    async fn write<T>(
        &self,
        place: &Place,
        action: &str,
        name: &str,
        effect: impl FnOnce(&mut World) -> Result<T, Class>,
    ) -> Result<T, Error> {
        let mut entry = None;
        let answer = self
            .call(action, name, |world| {
                let holder = world.buckets.get(name).map(|stored| owner(stored, place));
                let answer = effect(world);
                if answer.is_ok() {
                    entry = Some(Write { action: action.into(), name: name.into(), holder });
                }
                answer
            })
            .await;
        self.lock().writes.extend(entry);
        answer
    }

    async fn observe_one(&self, place: &Place, request: &Request) -> Result<Observed, Error> {
        match request.key.kind {
            Kind::Bucket => self.observe_bucket(place, request).await,
            other => panic!("no {other} in this world"),
        }
    }

    async fn observe_bucket(&self, place: &Place, request: &Request) -> Result<Observed, Error> {
        let name = &request.key.name;
        let found = self.call("s3:GetBucketTagging", name, |world| Ok(world.buckets.get(name).cloned())).await?;
        let Some(found) = found else { return Ok(Observed::absent()) };
        let owner = owner(&found, place);
        let mut observed = Observed::present(Resource::Bucket(found.managed(name)), owner.clone());
        let worth_reading = owner == Owner::Ours || (owner == Owner::Nobody && request.adopt);
        if !worth_reading {
            observed.resource = None;
            return Ok(observed);
        }
        let Some(read) = self.call("s3:GetBucket", name, |world| Ok(world.buckets.get(name).cloned())).await? else {
            return Ok(Observed::absent());
        };
        observed.resource = Some(Resource::Bucket(read.managed(name)));
        if !read.opaque_rules.is_empty() {
            observed.held.insert(field::LIFECYCLE, "a lifecycle rule of others would be lost".into());
        }
        if request.leaving {
            let contents = self.call("s3:ListBucketVersions", name, |_| Ok(read.contents)).await?;
            observed.contents = Some(contents);
        }
        Ok(observed)
    }

    async fn apply_one(&self, place: &Place, step: &Step) -> Result<Applied, Error> {
        match step.key.kind {
            Kind::Bucket => self.apply_bucket(place, step).await,
            other => panic!("no {other} in this world"),
        }
    }

    async fn apply_bucket(&self, place: &Place, step: &Step) -> Result<Applied, Error> {
        let name = &step.key.name;
        let fields: BTreeSet<&str> = match &step.action {
            Action::Create => FIELDS.into(),
            Action::Update(changes) => changes.iter().map(aiplatform::diff::Change::field).collect(),
            Action::Delete { with_contents } => {
                self.delete_bucket(place, name, *with_contents).await?;
                return Ok(Applied::Gone);
            }
            other => panic!("{other:?} is not to be taken"),
        };
        let Some(Resource::Bucket(desired)) = &step.desired else { panic!("nothing is desired of {name}") };
        if step.action == Action::Create {
            self.write(place, "s3:CreateBucket", name, |world| {
                if world.buckets.contains_key(name) {
                    return Err(Class::Conflict);
                }
                world.buckets.insert(name.clone(), Stored::fresh(&desired.region, desired.tags.clone()));
                Ok(())
            })
            .await?;
        }
        let unknown: Vec<_> = fields.iter().filter(|field| !FIELDS.contains(field)).collect();
        assert!(unknown.is_empty(), "no call of S3 writes {unknown:?}");
        for field in FIELDS.into_iter().filter(|field| fields.contains(field)) {
            self.write(place, &format!("s3:Put {field}"), name, |world| {
                world.buckets.get_mut(name).ok_or(Class::NotFound)?.write(field, desired);
                Ok(())
            })
            .await?;
        }
        Ok(Applied::Ready)
    }

    async fn delete_bucket(&self, place: &Place, name: &str, with_contents: bool) -> Result<(), Error> {
        if with_contents {
            self.write(place, "s3:DeleteObjects", name, |world| {
                world.buckets.get_mut(name).ok_or(Class::NotFound)?.contents = Contents::default();
                Ok(())
            })
            .await?;
        }
        self.write(place, "s3:DeleteBucket", name, |world| {
            if !world.buckets.get(name).ok_or(Class::NotFound)?.contents.is_empty() {
                return Err(Class::Conflict);
            }
            world.buckets.remove(name);
            Ok(())
        })
        .await
    }
}

fn owner(stored: &Stored, place: &Place) -> Owner {
    match stored.owner() {
        None => Owner::Nobody,
        Some(owner) if owner == place.owner => Owner::Ours,
        Some(other) => Owner::Theirs(other.into()),
    }
}

impl Provider for Memory {
    async fn account(&self, place: &Place) -> Result<String, Error> {
        let account = self.lock().account.clone();
        self.call("sts:GetCallerIdentity", &place.account_id, |_| Ok(account)).await
    }

    async fn observe(&self, place: &Place, requests: &[Request]) -> Observations {
        let mut observations = Observations::new();
        for request in requests {
            let observed = self.observe_one(place, request).await.unwrap_or_else(Observed::unreadable);
            observations.insert(request.key.clone(), observed);
        }
        observations
    }

    async fn apply(&self, place: &Place, step: &Step) -> Result<Applied, Error> {
        self.apply_one(place, step).await
    }
}
