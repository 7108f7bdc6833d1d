//! A provider with a cloud in memory: AWS's semantics field by field, call by call, with a failure where a test
//! wants one.
//!
//! A further kind of resource is a field of [`FakeCloud`] and an arm in `observe_one` and `apply_one`; counting calls,
//! failing and keeping the journal are the same for all.

mod association;
mod bucket;
mod endpoint;
mod endpoint_calls;
mod endpoint_config;
mod granted;
mod model;
mod plain;
mod role;
mod sagemaker;
mod scaling;
mod service_account;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

use aiplatform::failure::{Class, Error};
use aiplatform::failures::Failures;
use aiplatform::outcome::Applied;
use aiplatform::plan::Step;
use aiplatform::provider::Provider;
use aiplatform::resource::{Key, Kind, Observations, Observed, Owner, Request, Resource};
use aiplatform::scope::Scope;
use aiplatform::tags::{self, Tags};

pub use association::StoredAssociation;
pub use bucket::Stored;
pub use endpoint::StoredEndpoint;
pub use endpoint_config::StoredConfig;
pub use granted::Beyond;
pub use model::StoredModel;
pub use role::StoredRole;
pub use sagemaker::{Rollback, SageMaker};
pub use scaling::StoredTarget;
pub use service_account::{CREATED, StoredAccount};

/// Everything there is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FakeCloud {
    pub buckets: BTreeMap<String, Stored>,
    pub roles: BTreeMap<String, StoredRole>,
    /// By cluster, namespace and service account, of which each has one at most.
    pub associations: BTreeMap<String, StoredAssociation>,
    /// By namespace and name.
    pub service_accounts: BTreeMap<String, StoredAccount>,
    pub sagemaker: SageMaker,
    /// Resources that are nothing but their fields.
    pub plain: BTreeMap<Key, Resource>,
    /// Associations made so far: the next one gets an id that no other ever had.
    associations_made: usize,
}

impl FakeCloud {
    /// Everything that somebody could hold, with who does, as a platform sees it that owns things as `ours`.
    pub fn holders(&self, ours: &str) -> BTreeMap<Key, Owner> {
        let key = |kind: Kind, name: &String| Key { kind, name: name.clone() };
        let buckets = self.buckets.iter().map(|(name, it)| (key(Kind::Bucket, name), owner(&it.tags, ours)));
        let roles = self.roles.iter().map(|(name, it)| (key(Kind::Role, name), owner(&it.tags, ours)));
        let associations =
            self.associations.iter().map(|(name, it)| (key(Kind::PodIdentityAssociation, name), it.owner(ours)));
        let accounts = self.service_accounts.iter().map(|(name, it)| (key(Kind::ServiceAccount, name), it.owner(ours)));
        let serving = self.sagemaker.holders(ours);
        buckets
            .chain(roles)
            .chain(associations)
            .chain(accounts)
            .chain(serving)
            .chain(self.plain_holders(ours))
            .collect()
    }

    /// What is ours and stands on something that does not exist.
    fn dangling(&self, platform: &str) -> BTreeSet<Key> {
        let ours = |owner: Owner| owner == Owner::Ours;
        let key = |kind: Kind, name: &String| Key { kind, name: name.clone() };
        let associations =
            self.associations.iter().filter(|(_, it)| !self.has_role(&it.role_arn) && ours(it.owner(platform)));
        let accounts = self
            .service_accounts
            .iter()
            .filter(|(_, it)| it.role_arn().is_some_and(|arn| !self.has_role(arn)) && ours(it.owner(platform)));
        let associations = associations.map(|(name, _)| key(Kind::PodIdentityAssociation, name));
        let accounts = accounts.map(|(name, _)| key(Kind::ServiceAccount, name));
        let serving = self.dangling_in_sagemaker(platform);
        associations.chain(accounts).chain(serving).collect()
    }

    fn holder(&self, key: &Key, ours: &str) -> Option<Owner> {
        match key.kind {
            Kind::Bucket => self.buckets.get(&key.name).map(|it| owner(&it.tags, ours)),
            Kind::Role => self.roles.get(&key.name).map(|it| owner(&it.tags, ours)),
            Kind::PodIdentityAssociation => self.associations.get(&key.name).map(|it| it.owner(ours)),
            Kind::ServiceAccount => self.service_accounts.get(&key.name).map(|it| it.owner(ours)),
            Kind::LogGroup | Kind::ConfigMap => self.plain_holder(key, ours),
            Kind::SageMakerModel
            | Kind::SageMakerEndpointConfig
            | Kind::SageMakerEndpoint
            | Kind::ScalableTarget
            | Kind::ScalingPolicy
            | Kind::ScheduledAction => self.sagemaker.holder(key, ours),
        }
    }

    fn has_role(&self, arn: &str) -> bool {
        arn.rsplit('/').next().is_some_and(|name| self.roles.get(name).is_some_and(|role| role.arn == arn))
    }
}

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
    pub key: Key,
    /// Who held it before, and `None` where it did not exist.
    pub holder: Option<Owner>,
    /// What of ours stands on something that does not exist, since this call.
    pub left_dangling: BTreeSet<Key>,
    /// What roles of ours may do with what is not ours, since this call.
    pub granted_beyond: BTreeSet<Beyond>,
}

/// A call, as far as it matters to what comes of its failure.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    pub action: String,
    pub subject: String,
    pub writes: bool,
    /// How many writes had an effect before.
    after: usize,
    /// How every endpoint is.
    endpoints: Vec<&'static str>,
}

#[derive(Default)]
struct State {
    account: String,
    cloud: FakeCloud,
    fault: Option<Fault>,
    /// An action, and what it is denied on: everything, where nothing is named.
    denied: Option<(String, Option<String>)>,
    /// Buckets that roles may use although they are not ours.
    allowed: BTreeSet<String>,
    calls: Vec<Call>,
    struck: bool,
    writes: Vec<Write>,
}

/// The provider.
pub struct Memory {
    state: Mutex<State>,
}

impl Memory {
    pub fn new(account: &str, cloud: FakeCloud) -> Self {
        Self { state: Mutex::new(State { account: account.into(), cloud, ..State::default() }) }
    }

    pub fn cloud(&self) -> FakeCloud {
        self.lock().cloud.clone()
    }

    /// Changes the cloud behind the operator's back.
    pub fn change(&self, change: impl FnOnce(&mut FakeCloud)) {
        change(&mut self.lock().cloud);
    }

    /// Every write so far.
    pub fn writes(&self) -> Vec<Write> {
        self.lock().writes.clone()
    }

    /// How many calls there were since the last fault was set.
    pub fn calls(&self) -> usize {
        self.lock().calls.len()
    }

    /// The calls since the last fault was set.
    pub fn trace(&self) -> Vec<Call> {
        self.lock().calls.clone()
    }

    /// Sets a fault, and counts calls from here.
    pub fn fail(&self, fault: Fault) {
        let mut state = self.lock();
        state.fault = Some(fault);
        state.calls.clear();
        state.struck = false;
    }

    /// Denies an action on one subject or on all, or nothing.
    pub fn deny(&self, denied: Option<(&str, Option<&str>)>) {
        self.lock().denied = denied.map(|(action, subject)| (action.into(), subject.map(Into::into)));
    }

    /// Lets roles use these buckets although they are not ours.
    pub fn allow(&self, buckets: impl IntoIterator<Item = String>) {
        self.lock().allowed.extend(buckets);
    }

    /// What roles of ours may do with what is not ours.
    pub fn granted_beyond(&self, ours: &str) -> BTreeSet<Beyond> {
        let state = self.lock();
        state.cloud.granted_beyond(ours, &state.allowed)
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
        self.state.lock().expect("no test panics while it holds the cloud")
    }

    /// A call that only reads.
    async fn call<T>(
        &self,
        action: &str,
        subject: &str,
        effect: impl FnOnce(&mut FakeCloud) -> Result<T, Class>,
    ) -> Result<T, Error> {
        self.any_call(action, subject, false, effect).await
    }

    /// One call: counted, and failed where the fault says so. Others get their turn before it, as over a network.
    async fn any_call<T>(
        &self,
        action: &str,
        subject: &str,
        writes: bool,
        effect: impl FnOnce(&mut FakeCloud) -> Result<T, Class>,
    ) -> Result<T, Error> {
        tokio::task::yield_now().await;
        let mut state = self.lock();
        let number = state.calls.len();
        let endpoints = state.cloud.sagemaker.endpoints.values().map(|endpoint| endpoint.status.name()).collect();
        let after = state.writes.len();
        state.calls.push(Call { action: action.into(), subject: subject.into(), writes, after, endpoints });
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
                let _ = effect(&mut state.cloud);
            }
            return Err(failed(fault.class, "Injected"));
        }
        let is_denied =
            |(denied, on): &(String, Option<String>)| denied == action && on.as_ref().is_none_or(|on| on == subject);
        if state.denied.as_ref().is_some_and(is_denied) {
            return Err(failed(Class::Denied, "AccessDeniedException"));
        }
        effect(&mut state.cloud).map_err(|class| failed(class, "Refused"))
    }

    /// A call that changes a resource, which stands in the journal if it had an effect.
    async fn write<T>(
        &self,
        scope: &Scope,
        action: &str,
        key: &Key,
        effect: impl FnOnce(&mut FakeCloud) -> Result<T, Class>,
    ) -> Result<T, Error> {
        let mut entry = None;
        let allowed = self.lock().allowed.clone();
        let answer = self
            .any_call(action, &key.name, true, |cloud| {
                let holder = cloud.holder(key, &scope.owner);
                let dangled = cloud.dangling(&scope.owner);
                let granted = cloud.granted_beyond(&scope.owner, &allowed);
                let answer = effect(cloud);
                if answer.is_ok() {
                    let left_dangling = cloud.dangling(&scope.owner).difference(&dangled).cloned().collect();
                    let grants = cloud.granted_beyond(&scope.owner, &allowed);
                    let granted_beyond = grants.difference(&granted).cloned().collect();
                    let (action, key) = (action.into(), key.clone());
                    entry = Some(Write { action, key, holder, left_dangling, granted_beyond });
                }
                answer
            })
            .await;
        self.lock().writes.extend(entry);
        answer
    }

    /// What is asked about and, around it, what is not `asked` about on its own.
    async fn observe_one(
        &self,
        scope: &Scope,
        request: &Request,
        asked: &BTreeSet<&Key>,
    ) -> Result<Vec<(Key, Observed)>, Error> {
        let key = &request.key;
        let seen = match key.kind {
            Kind::Bucket => self.observe_bucket(scope, request).await?,
            Kind::Role => self.observe_role(scope, request).await?,
            Kind::PodIdentityAssociation => self.observe_association(scope, request).await?,
            Kind::ServiceAccount => self.observe_service_account(scope, request).await?,
            Kind::SageMakerModel => self.observe_model(scope, key).await?,
            Kind::SageMakerEndpointConfig => self.observe_config(scope, key).await?,
            Kind::SageMakerEndpoint => return self.observe_endpoint(scope, request, asked).await,
            Kind::ScalableTarget => return self.observe_target(scope, key).await,
            Kind::ScalingPolicy | Kind::ScheduledAction => self.observe_part(scope, key).await?,
            Kind::LogGroup | Kind::ConfigMap => self.observe_plain(scope, key).await?,
        };
        Ok(vec![(key.clone(), seen)])
    }

    async fn apply_one(&self, scope: &Scope, step: &Step) -> Result<Applied, Failures> {
        match step.key.kind {
            Kind::Bucket => self.apply_bucket(scope, step).await,
            Kind::Role => self.apply_role(scope, step).await,
            Kind::PodIdentityAssociation => self.apply_association(scope, step).await,
            Kind::ServiceAccount => Ok(self.apply_service_account(scope, step).await?),
            Kind::SageMakerModel => Ok(self.apply_model(scope, step).await?),
            Kind::SageMakerEndpointConfig => self.apply_config(scope, step).await,
            Kind::SageMakerEndpoint => Ok(self.apply_endpoint(scope, step).await?),
            Kind::ScalableTarget => self.apply_target(scope, step).await,
            Kind::ScalingPolicy => Ok(self.apply_policy(scope, step).await?),
            Kind::ScheduledAction => Ok(self.apply_scheduled_action(scope, step).await?),
            Kind::LogGroup | Kind::ConfigMap => self.apply_plain(scope, step).await,
        }
    }
}

/// Who holds what carries these tags.
fn owner(tags: &Tags, ours: &str) -> Owner {
    match tags.get(tags::OWNER) {
        None => Owner::Nobody,
        Some(owner) if owner == ours => Owner::Ours,
        Some(other) => Owner::Theirs(other.clone()),
    }
}

impl Provider for Memory {
    async fn account(&self, scope: &Scope) -> Result<String, Error> {
        let account = self.lock().account.clone();
        self.call("sts:GetCallerIdentity", &scope.account_id, |_| Ok(account)).await
    }

    async fn observe(&self, scope: &Scope, requests: &[Request]) -> Observations {
        let mut observations = Observations::new();
        let asked: BTreeSet<&Key> = requests.iter().map(|request| &request.key).collect();
        for request in requests {
            match self.observe_one(scope, request, &asked).await {
                Ok(observed) => observations.extend(observed),
                Err(error) => {
                    observations.insert(request.key.clone(), Observed::unreadable(error));
                }
            }
        }
        observations
    }

    async fn apply(&self, scope: &Scope, step: &Step) -> Result<Applied, Failures> {
        self.apply_one(scope, step).await
    }
}
