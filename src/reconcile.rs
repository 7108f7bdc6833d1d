//! One pass over one object: observe -> plan -> execute -> status. The only place where the pure half meets I/O.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;

use crate::api::status::{AIPlatformStatus, AccountCheck};
use crate::api::{AIPlatform, AIPlatformSpec, DeletionPolicy, FINALIZER, ManagementPolicy};
use crate::desire::{desire, removals as removals_of};
use crate::execute::execute;
use crate::failure::Error;
use crate::features::network::preconditions::Unmet;
use crate::features::network::sharing::{
    formerly_borrowed, is_of_another_network, lookup_of_borrowers, still_borrowing,
};
use crate::first_attempts::{explained, found_a_name_taken, unread, without_overwrites};
use crate::guardrails::{Guardrails, Labels};
use crate::leadership::Authority;
use crate::lookup::{Answers, Informed, Lookup, caller, informed, lookups};
use crate::outcome::{Applied, Outcome, Outcomes};
use crate::plan::attainment::grounds;
use crate::plan::{Action, Flaw, Intent, Plan, Refusal, Step, check, plan, rules};
use crate::platform::{Network, Platform, Problem, validate};
use crate::provider::Provider;
use crate::reread::{contradicted, unsettled, unverified};
use crate::resource::reference::link;
use crate::resource::{Desired, Freshness, Key, Observations, Observed, ObservedState, Request, Resource};
use crate::schedule::Next;
use crate::scope::Scope;
use crate::session::{PassInput, PassResult};
use crate::status::{
    PassOutcome, Subject, accepted_end, facts, inventory, never_attempted, of_unknown_kinds, removals, status,
};
use crate::tags;

/// The context of a pass: everything that it needs besides the object.
#[derive(Clone, Copy, Debug)]
pub struct PassContext<'a> {
    /// The cluster's name in owner tags.
    pub cluster: &'a str,
    /// The guardrails, which limit what the object may request.
    pub guardrails: &'a Guardrails,
    /// The labels of the object's namespace, where the guardrails need them; or why they cannot be read.
    pub labels: Result<Option<&'a Labels>, &'a Error>,
}

/// The result of a pass.
#[derive(Clone, Debug)]
pub struct Pass {
    /// The status to write.
    pub status: AIPlatformStatus,
    /// The time of the next pass.
    pub next: Next,
    /// True when the object is being deleted and nothing is left to delete.
    pub finished: bool,
    /// The observations, where the pass came that far. A pass that ends before its plan is carried out hands it to the next.
    pub observations: Observations,
    /// The plan, where the pass came that far.
    pub plan: Plan,
    /// The outcomes of its steps.
    pub outcomes: Outcomes,
    /// Writes that were denied, see [`denied`].
    pub denied: BTreeMap<Key, Refusal>,
}

impl Pass {
    /// A pass that came to nothing but this status.
    #[must_use]
    pub fn of(status: AIPlatformStatus) -> Self {
        Self {
            status,
            next: Next::Never,
            finished: false,
            observations: Observations::new(),
            plan: Plan::default(),
            outcomes: Outcomes::new(),
            denied: BTreeMap::new(),
        }
    }

    /// The result, as far as the next pass has to know of it.
    #[must_use]
    pub fn result(&self) -> PassResult<'_> {
        let Self { plan, outcomes, observations, denied, next, .. } = self;
        PassResult { plan, outcomes, observations, denied, next: *next }
    }

    /// True when the next pass is to see how far AWS is with something: the platform is not Ready before.
    #[must_use]
    pub fn awaits_aws(&self) -> bool {
        let is_awaited = |step: &Step| match self.outcomes.get(&step.key) {
            Some(Outcome::Done(Applied::Progressing(_) | Applied::Created { waits_for: Some(_), .. })) => true,
            // What is not there waits for something else.
            _ => matches!(step.action, Action::Wait(_)) && step.observed.is_some(),
        };
        self.next == Next::Transition && self.plan.steps.iter().any(|step| step.key.is_in_aws() && is_awaited(step))
    }

    /// The reason for which everything that was made for the object is left as it is, whatever changed around it: roles too.
    #[must_use]
    pub fn set_aside(&self) -> Option<&'static str> {
        let ready = self.status.conditions.iter().find(|condition| condition.type_ == "Ready")?;
        let reason = ["Suspended", "InvalidSpec", "NotPermitted"].into_iter().find(|reason| *reason == ready.reason);
        reason.filter(|_| self.plan.steps.is_empty())
    }
}

/// The reason for which there is no plan.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PlanError {
    /// The spec cannot be planned.
    #[error("{}", listed(.0))]
    Invalid(Vec<Problem>),
    /// The operator's guardrails refuse what the spec asks for.
    #[error("{}", listed(.0))]
    NotPermitted(Vec<Problem>),
    /// The credentials belong to another account.
    #[error(
        "spec.accountId is {declared}, and the operator's credentials belong to {actual}: give the operator credentials \
         for {declared}, or make the object again with the right account, which cannot be changed"
    )]
    AccountMismatch {
        /// The account in the spec.
        declared: String,
        /// The account that STS reports.
        actual: String,
    },
    /// AWS does not say whose the credentials are.
    #[error("{0}")]
    Account(#[from] Error),
    /// The object's namespace cannot be read, so that nobody knows which guardrails hold for it.
    #[error("{0}; which of the operator's guardrails hold here follows from the labels of the namespace")]
    Namespace(Error),
    /// Something that the spec names is not as AWS demands it.
    #[error("{}", listed(&.0.iter().map(|unmet| &unmet.problem).collect::<Vec<_>>()))]
    Unmet(Vec<Unmet>),
    /// Other platforms borrow the network that would go.
    #[error(
        "its network is borrowed by {}: delete them first, or give them a network of their own",
        .0.join(", ")
    )]
    InUse(Vec<String>),
    /// Something that the spec names cannot be looked up.
    #[error("{0}")]
    Lookup(Error),
    /// The plan leaves something out.
    #[error(
        "the plan is incomplete and nothing was changed: {}; this is a fault of the operator: report it, and go on with \
         the version that ran before",
        listed(.0)
    )]
    Incomplete(Vec<Flaw>),
}

impl PlanError {
    /// The reason in conditions.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "InvalidSpec",
            Self::NotPermitted(_) => "NotPermitted",
            Self::AccountMismatch { .. } => "AccountMismatch",
            Self::InUse(_) => "InUse",
            Self::Unmet(unmet) => unmet.first().map_or("Prerequisite", |unmet| unmet.reason),
            Self::Account(error) | Self::Namespace(error) | Self::Lookup(error) => error.reason(),
            Self::Incomplete(_) => "IncompletePlan",
        }
    }

    fn pass_outcome(&self) -> PassOutcome<'_> {
        match self {
            Self::Invalid(problems) => PassOutcome::Invalid(problems),
            Self::Account(error) | Self::Namespace(error) | Self::Lookup(error) if !error.needs_somebody() => {
                PassOutcome::Retrying(self.to_string())
            }
            _ => PassOutcome::Stalled(self.reason(), self.to_string()),
        }
    }
}

fn listed<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Takes one pass over the object.
pub async fn reconcile<P: Provider>(
    provider: &P,
    object: &AIPlatform,
    context: PassContext<'_>,
    input: &PassInput,
    now: Timestamp,
    authority: &Authority,
) -> Pass {
    let deleting = object.metadata.deletion_timestamp.is_some();
    let checked = validate(object);
    let facts = checked.as_ref().ok().map(facts);
    let subject = Subject {
        generation: object.metadata.generation,
        deleting,
        observing: object.spec.management_policy == ManagementPolicy::Observe,
        previous: object.status.as_ref(),
        is_new: !deleting
            && object.status.is_none()
            && !object.finalizers().iter().any(|finalizer| finalizer == FINALIZER),
        now,
        facts: facts.as_ref(),
        accepted_end: None,
    };
    // Whatever the spec names was there before the object, or belongs to somebody else.
    if deleting && nothing_was_made(subject.previous) {
        return Pass { finished: true, ..ended(subject, &PassOutcome::Announced(&[])) };
    }
    if object.spec.suspend {
        return ended(subject, &PassOutcome::Suspended);
    }
    let goal = match Goal::of(object, checked, context) {
        Ok(goal) => goal,
        Err(error) => return stopped(subject, &error),
    };
    if goal.intent.retains_everything().is_some() {
        return Pass { finished: true, ..ended(subject, &PassOutcome::Planned(&Plan::default(), &Outcomes::new())) };
    }
    let subject = Subject { accepted_end: goal.accepted_end, ..subject };
    let ended = |pass_outcome: PassOutcome| ended(subject, &pass_outcome);
    let stopped = |error: &PlanError| stopped(subject, error);
    let generation_seen = subject.previous.and_then(|status| status.observed_generation);
    if generation_seen != subject.generation {
        let resources: Vec<Resource> = goal.desired.iter().map(|desired| desired.resource.clone()).collect();
        return ended(PassOutcome::Announced(if deleting { &[] } else { &resources }));
    }
    if let Err(error) = check_account(provider, &goal.scope).await {
        return stopped(&error);
    }
    if deleting && let Err(error) = check_borrowers(provider, &goal.scope, object).await {
        return stopped(&error);
    }
    let goal = match goal.looked_up(provider, input.freshness.covered()).await {
        Ok(goal) => goal,
        Err(error) => return stopped(&error),
    };
    let (plan, observations) = match observe_and_plan(provider, &goal, subject.previous, input).await {
        Ok((plan, observations)) => (input.guard.check(plan), observations),
        Err(error) => return stopped(&error),
    };
    let attempted = attempted(subject.previous);
    let is_first = |step: &Step| step.may_be_taken() && step.desired.is_some() && !attempted.contains(&step.key);
    if nothing_was_made(subject.previous) || plan.steps.iter().any(is_first) {
        return Pass { observations, ..ended(PassOutcome::Admitted(&plan)) };
    }
    let plan = without_overwrites(plan, &observations);
    let (plan, outcomes) = execute(provider, &goal.scope, &plan, authority).await;
    let outcomes = explained(&plan, outcomes, &observations);
    let mut role_writes = input.role_writes.clone();
    role_writes.record(&plan, &outcomes, now);
    let outcomes = role_writes.explain(&plan, outcomes, now);
    let (status, next) = status(subject, &PassOutcome::Planned(&plan, &outcomes));
    let finished = deleting
        && input.departed.assumed.is_empty()
        && plan.steps.iter().all(|step| matches!(step.action, Action::Retain(_)))
        && of_unknown_kinds(subject.previous).next().is_none();
    let denied = rules::denied(&plan, &outcomes);
    let is_more = !denied.is_empty() || found_a_name_taken(&plan, &outcomes, &observations);
    let next = if is_more { Next::Now } else { next };
    Pass { status, next, finished, observations, plan, outcomes, denied }
}

/// A pass that ends with this outcome and took no step.
fn ended(subject: Subject, pass_outcome: &PassOutcome) -> Pass {
    let (status, next) = status(subject, pass_outcome);
    Pass { next, ..Pass::of(status) }
}

fn stopped(subject: Subject, error: &PlanError) -> Pass {
    let pass_outcome = error.pass_outcome();
    ended(subject, &if subject.deleting { pass_outcome.with_way_out() } else { pass_outcome })
}

/// The plan for a live object, without any change to AWS or the cluster.
///
/// # Errors
/// The reason for which there is no plan.
pub async fn dry_run<P: Provider>(
    provider: &P,
    object: &AIPlatform,
    context: PassContext<'_>,
) -> Result<DryRun, PlanError> {
    let goal = Goal::of(object, validate(object), context)?;
    if goal.intent.deleting && nothing_was_made(object.status.as_ref()) {
        let plan = Plan { namespace: goal.namespace, name: goal.name, steps: Vec::new() };
        return Ok(DryRun { plan, network: None, public_subnets: BTreeSet::new() });
    }
    check_account(provider, &goal.scope).await?;
    let goal = goal.looked_up(provider, None).await?;
    let (plan, _) = observe_and_plan(provider, &goal, object.status.as_ref(), &PassInput::default()).await?;
    let network = goal.platform.and_then(|platform| platform.network);
    Ok(DryRun { plan, network, public_subnets: goal.public_subnets })
}

/// The result of a pass that writes nothing.
#[derive(Clone, Debug)]
pub struct DryRun {
    /// The plan.
    pub plan: Plan,
    /// The platform's network, with what sharing adds to it.
    pub network: Option<Network>,
    /// Subnets of the network with a route to an internet gateway.
    pub public_subnets: BTreeSet<String>,
}

/// True when it is certain that no pass over this object ever wrote to AWS: the status says before the first write that
/// the account was found to be the right one. Where it says nothing, an operator from before may have written.
fn nothing_was_made(status: Option<&AIPlatformStatus>) -> bool {
    status.and_then(|status| status.account_check) == Some(AccountCheck::Pending)
}

/// The resources that were made, or may have been.
fn attempted(status: Option<&AIPlatformStatus>) -> BTreeSet<Key> {
    let never = never_attempted(status);
    inventory(status).into_iter().filter(|key| !never.contains(key)).collect()
}

/// Checks that the credentials belong to the account that the object is for.
async fn check_account<P: Provider>(provider: &P, scope: &Scope) -> Result<(), PlanError> {
    let actual = provider.account(scope).await?;
    if actual == scope.account_id {
        return Ok(());
    }
    Err(PlanError::AccountMismatch { declared: scope.account_id.clone(), actual })
}

/// The goal of a pass: everything that follows from the object alone.
struct Goal {
    namespace: String,
    name: String,
    scope: Scope,
    /// The platform, where the spec is accepted and the object is not being deleted: what its lookups are made for.
    platform: Option<Platform>,
    cluster: String,
    desired: Vec<Desired>,
    /// Observations of desired resources that are another platform's.
    borrowed: Observations,
    /// Subnets of the network with a route to an internet gateway.
    public_subnets: BTreeSet<String>,
    intent: Intent,
    /// The deletion policy of the spec, where the spec is accepted.
    accepted_end: Option<DeletionPolicy>,
}

impl Goal {
    fn of(
        object: &AIPlatform,
        checked: Result<Platform, Vec<Problem>>,
        context: PassContext<'_>,
    ) -> Result<Self, PlanError> {
        let PassContext { cluster, guardrails, labels } = context;
        let labels = || labels.map_err(|error| PlanError::Namespace(error.clone()));
        let deleting = object.metadata.deletion_timestamp.is_some();
        let spec = &object.spec;
        let namespace = object.namespace().unwrap_or_else(|| "default".into());
        let name = object.name_any();
        let accepted = checked
            .map_err(PlanError::Invalid)
            .and_then(|platform| guardrails.apply(platform, labels()?).map_err(PlanError::NotPermitted));
        let platform = accepted.as_ref().ok().filter(|_| !deleting).cloned();
        let accepted = accepted.map(|platform| desire(&platform, cluster));
        if deleting && let Some(role) = &spec.assume_role {
            guardrails.permit_role(&namespace, labels()?, Some(role)).map_err(PlanError::NotPermitted)?;
        }
        let accepted_end = accepted.as_ref().ok().map(|_| end_of(spec));
        let (desired, intent) = match accepted {
            Ok(desired) if deleting => {
                let intent = Intent::delete(spec.management_policy, spec.deletion_policy, &desired);
                (desired, intent)
            }
            Ok(desired) => {
                let artifacts = guardrails.artifacts(&namespace, labels()?);
                (desired, Intent { artifacts, ..Intent::keep(spec.management_policy) })
            }
            // What was made of an accepted spec can go all the same: the status knows it, and says how with its tags.
            Err(error) if deleting => {
                let policy = accepted_end_before(object).ok_or(error)?;
                let removals = removals_of(spec, &namespace, &name);
                (Vec::new(), Intent::delete_unaccepted(spec.management_policy, spec.deletion_policy, policy, removals))
            }
            Err(error) => return Err(error),
        };
        let intent = Intent { remembered: removals(object.status.as_ref()), ..intent };
        let scope = Scope {
            region: spec.region.clone(),
            account_id: spec.account_id.clone(),
            owner: tags::owner(cluster, &namespace, &name),
            uid: object.uid().unwrap_or_default(),
            assume_role: spec.assume_role.clone(),
        };
        let cluster = cluster.to_string();
        let (borrowed, public_subnets) = (Observations::new(), BTreeSet::new());
        Ok(Self { namespace, name, scope, platform, cluster, desired, borrowed, public_subnets, intent, accepted_end })
    }
}

impl Goal {
    /// The goal with what follows from lookups in AWS, which may be as old as is `covered` by events.
    async fn looked_up<P: Provider>(mut self, provider: &P, covered: Option<Duration>) -> Result<Self, PlanError> {
        let covered = covered.unwrap_or_default();
        if self.intent.needs_caller() {
            let answers = answered(provider, &self.scope, &[Lookup::Caller], covered).await?;
            self.intent.caller = caller(&answers).cloned();
        }
        let Some(platform) = self.platform.as_ref().filter(|platform| !lookups(platform).is_empty()) else {
            return Ok(self);
        };
        let answers = answered(provider, &self.scope, &lookups(platform), covered).await?;
        let informed = informed(platform.clone(), &self.cluster, &answers).map_err(PlanError::Unmet)?;
        let Informed { desired, borrowed, platform, public_subnets } = informed;
        Ok(Self { platform: Some(platform), desired, borrowed, public_subnets, ..self })
    }
}

/// The answers to lookups, all of them.
async fn answered<P: Provider>(
    provider: &P,
    scope: &Scope,
    lookups: &[Lookup],
    covered: Duration,
) -> Result<Answers, PlanError> {
    let answers = provider.look_up(scope, lookups, covered).await;
    match answers.values().find_map(|answer| answer.as_ref().err()) {
        Some(error) => Err(PlanError::Lookup(error.clone())),
        None => Ok(answers),
    }
}

/// Checks that nobody borrows the network that goes with the object.
async fn check_borrowers<P: Provider>(provider: &P, scope: &Scope, object: &AIPlatform) -> Result<(), PlanError> {
    let Some(lookup) = lookup_of_borrowers(object) else { return Ok(()) };
    let answers = answered(provider, scope, std::slice::from_ref(&lookup), Duration::ZERO).await?;
    let borrowing = still_borrowing(&lookup, &answers);
    if borrowing.is_empty() { Ok(()) } else { Err(PlanError::InUse(borrowing)) }
}

/// The fate of AWS resources when the object is deleted.
fn end_of(spec: &AIPlatformSpec) -> DeletionPolicy {
    match spec.management_policy {
        ManagementPolicy::Full => spec.deletion_policy,
        ManagementPolicy::NoDelete | ManagementPolicy::Observe => DeletionPolicy::Retain,
    }
}

/// The deletion policy of an object whose spec is not accepted. One that keeps everything needs no memory.
fn accepted_end_before(object: &AIPlatform) -> Option<DeletionPolicy> {
    let policy = end_of(&object.spec);
    accepted_end(object.status.as_ref()).or((policy == DeletionPolicy::Retain).then_some(policy))
}

/// The plan, and the observations behind it. When the object is being deleted, only what was observed in the same
/// deletion is not read again: that a resource is gone has to be observed.
async fn observe_and_plan<P: Provider>(
    provider: &P,
    goal: &Goal,
    status: Option<&AIPlatformStatus>,
    input: &PassInput,
) -> Result<(Plan, Observations), PlanError> {
    let adopted: BTreeMap<Key, bool> =
        goal.desired.iter().map(|desired| (desired.resource.key(), desired.adopt)).collect();
    let mut keys: BTreeSet<Key> = inventory(status).into_iter().chain(adopted.keys().cloned()).collect();
    keys.retain(|key| !goal.borrowed.contains_key(key) && !is_of_another_network(key));
    let known = keys.clone();
    let deleting = goal.intent.deleting;
    let mut cached = if deleting { input.departed.observations.clone() } else { input.cached.clone() };
    cached.retain(|key, _| !is_of_another_network(key));
    keys.retain(|key| !cached.contains_key(key));
    let is_written = !deleting && goal.intent.management_policy != ManagementPolicy::Observe;
    let may_be_unread = is_written && input.may_attempt_unread;
    let mut unread = if may_be_unread { unread(&goal.desired, &never_attempted(status)) } else { BTreeSet::new() };
    unread.retain(|key| keys.contains(key) && !input.touched.contains(key));
    keys.retain(|key| !unread.contains(key));
    let mut cached_parts = Observations::new();
    if !deleting {
        cached_parts.clone_from(&input.cached_parts);
        cached_parts.retain(|key, _| keys.contains(key) && adopted.contains_key(key));
    }
    let desired = goal.desired.iter().map(|desired| &desired.resource);
    let vpc_of: BTreeMap<Key, &str> = desired.filter_map(|it| Some((it.key(), it.vpc_id()?))).collect();
    let request = |key: Key| Request {
        may_be_made: is_written && adopted.contains_key(&key),
        adopt: !deleting && adopted.get(&key).copied().unwrap_or_default(),
        pruning: deleting || !adopted.contains_key(&key),
        thorough: if deleting { !input.departed.is_any_waiting } else { input.thorough },
        omitted: &[],
        freshness: Freshness::Current,
        departure: input.departed.of(&key),
        vpc_id: vpc_of.get(&key).map(ToString::to_string),
        key,
    };
    // What goes has to be seen as it is, and so has what somebody changed.
    let is_current = |key: &Key| request(key.clone()).pruning || input.touched.contains(key);
    let freshness = |key: &Key| if is_current(key) { Freshness::Current } else { input.freshness };
    let omitted = |key: &Key| cached_parts.get(key).map_or(&[][..], |_| key.kind.info().reads.hourly_parts());
    let requests: Vec<Request> = keys
        .into_iter()
        .map(|key| Request { omitted: omitted(&key), freshness: freshness(&key), ..request(key) })
        .collect();
    let mut observations = provider.observe(&goal.scope, &requests).await;
    cached.retain(|key, _| !observations.contains_key(key));
    observations.extend(cached.clone());
    observations.extend(unread.into_iter().map(|key| (key, Observed::assumed_absent())));
    let mut doubtful = BTreeSet::new();
    for (key, earlier) in &cached_parts {
        if let Some(observed) = observations.get_mut(key).filter(|observed| observed.resource.is_some())
            && !observed.complete(earlier)
        {
            doubtful.insert(key.clone());
        }
    }
    // Where nothing can have been made, no answer is needed to let it go.
    for key in never_attempted(status).iter().filter(|key| deleting || !adopted.contains_key(*key)) {
        if let Some(observed) = observations.get_mut(key)
            && matches!(observed.state, ObservedState::Unreadable(_))
        {
            *observed = Observed::absent();
        }
    }
    observations.extend(goal.borrowed.clone());
    observations.extend(formerly_borrowed(status, &goal.desired, &observations));
    link(&mut observations);
    let intent = Intent { denied: input.denied.clone(), ..goal.intent.clone() };
    let plan = |seen: &Observations| plan(&goal.namespace, &goal.name, &goal.desired, seen, &intent);
    let mut planned = plan(&observations);
    // Nothing is granted on what was seen earlier: somebody else may hold it by now. Nor is anything on what is not there.
    let is_absent = |seen: &Observed| matches!(seen.state, ObservedState::Absent);
    let was_there = |key: &&Key| cached.get(*key).is_some_and(|seen| !is_absent(seen));
    let mut read_anew = BTreeSet::new();
    loop {
        doubtful.extend(planned.steps.iter().flat_map(grounds).filter(was_there).cloned());
        doubtful.extend(contradicted(&planned, &cached, &cached_parts));
        doubtful.extend(unverified(&planned, &observations));
        doubtful.extend(unsettled(&planned, &observations));
        let requests: Vec<Request> = doubtful.difference(&read_anew).cloned().map(request).collect();
        if requests.is_empty() {
            break;
        }
        read_anew.append(&mut doubtful);
        observations.extend(provider.observe(&goal.scope, &requests).await);
        observations.extend(formerly_borrowed(status, &goal.desired, &observations));
        link(&mut observations);
        planned = plan(&observations);
    }
    check(&planned, &goal.desired, &known, &observations, &intent).map_err(PlanError::Incomplete)?;
    Ok((planned, observations))
}
