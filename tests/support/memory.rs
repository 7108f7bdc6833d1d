//! A provider with a cloud in memory that holds every kind: each step reads, changes and writes state in one call, or in
//! one for each part that the plan knows. A failure comes where a test wants one. What happens between the calls of one
//! adapter is tested with the adapters, against the simulator.

mod endpoint;
mod granted;
mod lookups;
mod particular;
mod scaling;
mod store;

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use aiplatform::failure::{Class, Error};
use aiplatform::failures::Failures;
use aiplatform::kind::Listed;
use aiplatform::lookup::{Answers, Lookup};
use aiplatform::outcome::Applied;
use aiplatform::plan::{Action, Step};
use aiplatform::provider::Provider;
use aiplatform::resource::endpoint::REVISIONS;
use aiplatform::resource::{
    Departure, Endpoint, Freshness, Key, Kind, Observations, Observed, ObservedState, Owner, Request, Resource,
};
use aiplatform::scope::Scope;

pub use endpoint::Rollback;
pub use granted::Beyond;
pub use store::{FakeCloud, State, Stored};

/// The code of a failure that a test wanted.
const INJECTED: &str = "Injected";

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
    /// The name of the step's action.
    pub verb: &'static str,
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
struct Held {
    account: String,
    cloud: FakeCloud,
    fault: Option<Fault>,
    /// An action, and what it is denied on: everything, where nothing is named.
    denied: Option<(String, Option<String>)>,
    /// Buckets that roles may use although they are not ours.
    allowed: BTreeSet<String>,
    calls: Vec<Call>,
    struck: usize,
    writes: Vec<Write>,
}

/// The provider.
pub struct Memory {
    state: Mutex<Held>,
}

impl Memory {
    pub fn new(account: &str, cloud: FakeCloud) -> Self {
        Self { state: Mutex::new(Held { account: account.into(), cloud, ..Held::default() }) }
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
        state.struck = 0;
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
        self.failed_calls() > 0
    }

    /// How many calls the fault made fail.
    pub fn failed_calls(&self) -> usize {
        self.lock().struck
    }

    /// From here on everything works.
    pub fn recover(&self) {
        self.lock().fault = None;
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
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
        let endpoints = state.cloud.endpoints().map(|endpoint| endpoint.status.name()).collect();
        let after = state.writes.len();
        state.calls.push(Call { action: action.into(), subject: subject.into(), writes, after, endpoints });
        let fault = state.fault.filter(|fault| number == fault.call || (fault.for_good && number > fault.call));
        let failed = |class, code: &str| Error {
            class,
            action: action.into(),
            subject: subject.into(),
            code: code.into(),
            message: String::new(),
            request_id: None,
        };
        if let Some(fault) = fault {
            state.struck += 1;
            if fault.after_the_effect && number == fault.call {
                // Whatever AWS answered, nobody hears it.
                let _ = effect(&mut state.cloud);
            }
            return Err(failed(fault.class, INJECTED));
        }
        let is_denied = |(denied, on): &(String, Option<String>)| {
            let is_of_it =
                action.strip_prefix(denied.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
            is_of_it && on.as_ref().is_none_or(|on| on == subject)
        };
        if state.denied.as_ref().is_some_and(is_denied) {
            return Err(failed(Class::Denied, "AccessDeniedException"));
        }
        effect(&mut state.cloud).map_err(|class| failed(class, "Refused"))
    }

    /// A call that changes a resource, which stands in the journal if it had an effect.
    async fn write(
        &self,
        scope: &Scope,
        step: &Step,
        fields: &[&str],
        effect: impl FnOnce(&mut FakeCloud) -> Result<Applied, Class>,
    ) -> Result<Applied, Error> {
        let (key, verb) = (&step.key, step.action.name());
        let action = format!("{} {}", action(verb, key.kind), fields.join(" "));
        let action = action.trim_end();
        let mut entry = None;
        let allowed = self.lock().allowed.clone();
        let answer = self
            .any_call(action, &key.name, true, |cloud| {
                let holder = cloud.holder(key, &scope.owner);
                let dangled = cloud.dangling(&scope.owner);
                let granted = cloud.granted_beyond(&scope.owner, &allowed);
                let applied = effect(cloud)?;
                let left_dangling = cloud.dangling(&scope.owner).difference(&dangled).cloned().collect();
                let grants = cloud.granted_beyond(&scope.owner, &allowed);
                let granted_beyond = grants.difference(&granted).cloned().collect();
                let (action, key) = (action.into(), key.clone());
                entry = Some(Write { action, verb, key, holder, left_dangling, granted_beyond });
                Ok(applied)
            })
            .await;
        self.lock().writes.extend(entry);
        answer
    }

    async fn observe_one(&self, scope: &Scope, request: &Request) -> Result<Observed, Error> {
        let Request { key, .. } = request;
        self.call(&action("Read", key.kind), &key.name, |cloud| Ok(cloud.observe(request, &scope.owner))).await
    }

    /// The keys of what is read along with a resource, and why some may be missing.
    async fn others(&self, request: &Request, seen: &Observed) -> (Vec<Key>, Option<Error>) {
        let key = &request.key;
        if key.kind == Endpoint::KIND && request.thorough {
            let action = action("List", key.kind);
            let listed = self.call(&action, &key.name, |cloud| Ok(particular::revisions(cloud, key))).await;
            return listed.map_or_else(|error| (Vec::new(), Some(error)), |revisions| (revisions, None));
        }
        let is_read = !matches!(seen.state, ObservedState::Unreadable(_));
        let belonging = if is_read { self.lock().cloud.belonging_to(key) } else { Vec::new() };
        (belonging, None)
    }

    async fn update(
        &self,
        scope: &Scope,
        step: &Step,
        desired: &Resource,
        parts: Vec<Vec<&str>>,
    ) -> Result<Applied, Error> {
        let mut applied = Applied::Ready;
        for fields in parts {
            let written =
                self.write(scope, step, &fields, |cloud| cloud.update(&scope.owner, step, desired, &fields)).await;
            if written.as_ref().is_err_and(Error::needs_somebody) {
                self.change(|cloud| cloud.forget_attempt(step));
            }
            applied = written?;
        }
        Ok(applied)
    }

    /// What is gone already is gone.
    async fn delete(&self, scope: &Scope, step: &Step, with_contents: bool) -> Result<Applied, Error> {
        match self.write(scope, step, &[], |cloud| cloud.delete(step, with_contents)).await {
            Err(error) if error.class == Class::NotFound && error.code != INJECTED => Ok(Applied::Gone),
            answer => answer,
        }
    }
}

/// The action of a call, with the service in front where it is one of AWS.
fn action(verb: &str, kind: Kind) -> String {
    match kind.info().backend.service() {
        Some(service) => format!("{}:{verb}{kind}", service.name()),
        None => format!("{verb}{kind}"),
    }
}

impl Provider for Memory {
    async fn account(&self, scope: &Scope) -> Result<String, Error> {
        let account = self.lock().account.clone();
        self.call("sts:GetCallerIdentity", &scope.account_id, |_| Ok(account)).await
    }

    async fn look_up(&self, scope: &Scope, lookups: &[Lookup], _: Duration) -> Answers {
        lookups.iter().map(|lookup| (lookup.clone(), Ok(lookups::answer(&scope.region, lookup)))).collect()
    }

    async fn observe(&self, scope: &Scope, requests: &[Request]) -> Observations {
        let mut observations = Observations::new();
        let asked: BTreeSet<&Key> = requests.iter().map(|request| &request.key).collect();
        for request in requests {
            let mut seen = self.observe_one(scope, request).await.unwrap_or_else(Observed::unreadable);
            let (others, unknown) = self.others(request, &seen).await;
            seen.unknown.extend(unknown.map(|error| (REVISIONS.to_string(), error)));
            observations.insert(request.key.clone(), seen);
            for key in others.into_iter().filter(|key| !asked.contains(key)) {
                let request = Request {
                    key,
                    adopt: false,
                    pruning: false,
                    may_be_made: false,
                    thorough: false,
                    omitted: &[],
                    freshness: Freshness::Current,
                    departure: Departure::default(),
                    vpc_id: None,
                };
                let seen = self.observe_one(scope, &request).await.unwrap_or_else(Observed::unreadable);
                observations.insert(request.key, seen);
            }
        }
        observations
    }

    async fn apply(&self, scope: &Scope, step: &Step) -> Result<Applied, Failures> {
        match (&step.action, &step.desired) {
            (Action::Create, Some(desired)) => {
                Ok(self.write(scope, step, &[], |cloud| cloud.create(&scope.owner, step, desired)).await?)
            }
            (Action::Update(changes), Some(desired)) => {
                Ok(self.update(scope, step, desired, particular::parts(step.key.kind, changes)).await?)
            }
            (Action::Delete { with_contents }, _) => Ok(self.delete(scope, step, *with_contents).await?),
            _ => Err(Error::unknown_step(step).into()),
        }
    }
}
