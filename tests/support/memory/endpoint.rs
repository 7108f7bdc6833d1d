//! Endpoints as SageMaker runs them: the states they go through, and what they refuse meanwhile.
//!
//! There is no clock: an endpoint in transition comes further whenever somebody reads it.

use std::collections::{BTreeMap, BTreeSet};

use aiplatform::failure::Class;
use aiplatform::grants::revision_policy_name;
use aiplatform::kind::Listed;
use aiplatform::plan::Step;
use aiplatform::resource::endpoint::{self, Attempt, EndpointUpdate, Status, field};
use aiplatform::resource::endpoint_config::{Capacity, Content, revision_of};
use aiplatform::resource::scaling::Bounds;
use aiplatform::resource::{
    Endpoint, EndpointConfig, Facts, Key, Model, ObservedState, Resource, Role, ScalableTarget,
};

use super::FakeCloud;
use super::store::timestamp;

/// The behaviour of SageMaker, as a test wants it, and what it has seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SageMaker {
    /// The number of reads that find an endpoint in transition, in each transition.
    pub reads: usize,
    /// Images with which no container comes up, and how an update to one ends.
    pub broken: BTreeMap<String, Rollback>,
    /// How many more creations of a model find that its role is not visible yet.
    pub roles_unseen_by_models: usize,
    /// How many more deployments find the same when they start their containers.
    pub roles_unseen_by_endpoints: usize,
    /// Every configuration that ever answered calls.
    pub ran: BTreeSet<String>,
    /// Endpoints that answered calls when they were deleted.
    pub taken_down: BTreeSet<String>,
}

/// How a failed update ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rollback {
    Works,
    Fails,
}

/// What an endpoint runs, is to run and remembers.
#[derive(Clone, Debug, PartialEq)]
pub struct Serving {
    pub status: Status,
    pub running: Option<Fleet>,
    pub pending: Option<Fleet>,
    pub failure: Option<String>,
    /// Moves with whatever happens to it, except to its tags.
    pub modified: i64,
    /// The fewest that ever ran.
    pub fewest: Option<i32>,
    attempt: Option<Attempt>,
    history: Vec<String>,
    bounds: Option<Bounds>,
    /// The number of reads that find it where it is, while it is in transition.
    left: usize,
    /// Why it will not get where it is going.
    doom: Option<(String, Rollback)>,
}

/// What runs or is to run: a copy, since configuration and model may be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fleet {
    pub config: String,
    pub model: String,
    pub instance_type: Option<String>,
    pub current: i32,
    pub desired: i32,
}

impl Fleet {
    fn new(config: &str, content: &Content) -> Self {
        let desired = match &content.capacity {
            Capacity::Instance(instance) => instance.count,
            Capacity::Serverless(serverless) => serverless.provisioned_concurrency.unwrap_or_default(),
        };
        let instance_type = content.capacity.instance_type().map(ToString::to_string);
        Self { config: config.into(), model: content.model.clone(), instance_type, current: 0, desired }
    }
}

impl Serving {
    /// What it runs and what it is to run.
    pub fn fleets(&self) -> impl Iterator<Item = &Fleet> {
        self.running.iter().chain(&self.pending)
    }

    pub(super) fn state(&self) -> ObservedState {
        let status = self.status.name().to_string();
        match self.status {
            Status::InService => ObservedState::Ready,
            busy if busy.is_busy() => ObservedState::Progressing(status),
            _ => ObservedState::Failed(self.failure.clone().unwrap_or(status)),
        }
    }

    pub(super) fn facts(&self) -> Box<Facts> {
        let capacity = |fleet: &Fleet| endpoint::Capacity { current: fleet.current, desired: fleet.desired };
        Endpoint::boxed_facts(endpoint::Facts {
            status: self.status,
            failure: self.failure.clone(),
            modified: timestamp(self.modified),
            attempt: self.attempt.clone(),
            history: self.history.clone(),
            bounds: self.bounds,
            capacity: self.running.as_ref().map(capacity),
        })
    }

    /// Remembers what the update says; what it does not speak of stays.
    pub(super) fn remember(&mut self, update: &EndpointUpdate) {
        self.attempt = Some(update.attempt.clone());
        if !update.history.is_empty() {
            self.history.clone_from(&update.history);
        }
        self.bounds = update.bounds.or(self.bounds);
    }

    fn arrive(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.running = Some(pending);
            self.failure = None;
        }
        if let Some(running) = &mut self.running {
            running.current = running.desired;
            self.fewest = Some(self.fewest.map_or(running.current, |fewest| fewest.min(running.current)));
        }
        self.status = Status::InService;
    }

    /// What comes after the state it is in; `false` when it is gone.
    fn advance(&mut self) -> bool {
        match (self.status, self.doom.clone()) {
            (Status::Deleting, _) => return false,
            (Status::RollingBack, Some((_, Rollback::Fails))) => {
                self.status = Status::UpdateRollbackFailed;
                self.doom = None;
            }
            (Status::RollingBack, _) => {
                self.status = Status::InService;
                self.doom = None;
            }
            (Status::Creating, Some((reason, _))) => {
                (self.status, self.failure, self.pending, self.doom) = (Status::Failed, Some(reason), None, None);
            }
            (Status::Updating, Some((reason, _))) => {
                (self.status, self.failure, self.pending) = (Status::RollingBack, Some(reason), None);
            }
            (Status::Creating | Status::Updating, None) => self.arrive(),
            (other, _) => panic!("nothing follows {other:?} by itself"),
        }
        true
    }
}

impl FakeCloud {
    /// What every endpoint runs.
    pub fn endpoints(&self) -> impl Iterator<Item = &Serving> {
        self.resources.values().filter_map(|stored| stored.serving.as_deref())
    }

    pub fn endpoints_mut(&mut self) -> impl Iterator<Item = &mut Serving> {
        self.resources.values_mut().filter_map(|stored| stored.serving.as_deref_mut())
    }

    /// What an endpoint runs.
    pub fn serving(&self, endpoint: &str) -> Option<&Serving> {
        self.stored::<Endpoint>(endpoint).and_then(|stored| stored.serving.as_deref())
    }

    /// Somebody, or Application Auto Scaling, gives an endpoint another capacity; not while it is in transition.
    pub fn scale(&mut self, endpoint: &str, count: i32) -> Result<(), Class> {
        let reads = self.sagemaker.reads;
        let now = self.now();
        let serving = self.serving_mut(endpoint).ok_or(Class::NotFound)?;
        if serving.status != Status::InService {
            return Err(Class::Conflict);
        }
        serving.running.as_mut().expect("what is in service runs").desired = count;
        (serving.status, serving.left, serving.modified) = (Status::Updating, reads, now);
        Ok(())
    }

    fn serving_mut(&mut self, endpoint: &str) -> Option<&mut Serving> {
        self.stored_mut::<Endpoint>(endpoint).and_then(|stored| stored.serving.as_deref_mut())
    }

    /// Whether everything is there that it takes to start another instance of what runs, which may be at any time: the
    /// configuration, and a role that can do what the revision needs, where it is one that we made for it.
    pub(super) fn may_start_instances(&self, serving: &Serving) -> bool {
        let may_run = |fleet: &Fleet| {
            let model = self.get::<Model>(&fleet.model);
            let role = model.and_then(|model| self.get::<Role>(model.content.execution_role_arn.rsplit('/').next()?));
            role.is_none_or(|role| role.policies.contains_key(&revision_policy_name(revision_of(&fleet.config))))
        };
        serving.fleets().all(|fleet| self.get::<EndpointConfig>(&fleet.config).is_some() && may_run(fleet))
    }

    /// An endpoint is read, and is found where it came to since the last read.
    pub(super) fn proceed_with_endpoint(&mut self, key: &Key) {
        let reads = self.sagemaker.reads;
        loop {
            let now = self.now();
            let Some(serving) = self.resources.get_mut(key).and_then(|stored| stored.serving.as_deref_mut()) else {
                return;
            };
            if !serving.status.is_busy() {
                return;
            }
            if serving.left > 0 {
                serving.left -= 1;
                return;
            }
            (serving.left, serving.modified) = (reads, now);
            let stays = serving.advance();
            if let Some(config) = serving.running.as_ref().map(|fleet| fleet.config.clone()) {
                self.sagemaker.ran.insert(config.clone());
                self.change::<Endpoint>(&key.name, |endpoint| endpoint.config = config);
            }
            if !stays {
                self.remove(key);
            }
        }
    }

    /// What an endpoint that is made begins with; nothing where something else is made.
    pub(super) fn first_deployment(&mut self, step: &Step, desired: &Resource) -> Result<Option<Box<Serving>>, Class> {
        let Some(endpoint) = Endpoint::of(desired) else { return Ok(None) };
        let (pending, doom) = self.deployment(&endpoint.config)?;
        let mut serving = Serving {
            status: Status::Creating,
            running: None,
            pending: Some(pending),
            failure: None,
            modified: self.now(),
            fewest: None,
            attempt: None,
            history: Vec::new(),
            bounds: None,
            left: self.sagemaker.reads,
            doom,
        };
        step.write_of::<Endpoint>().into_iter().for_each(|update| serving.remember(update));
        Ok(Some(Box::new(serving)))
    }

    /// `UpdateEndpoint` with `RetainAllVariantProperties`, where the configuration is among the fields: the number of
    /// instances is retained unless the step says otherwise.
    pub(super) fn move_endpoint(&mut self, step: &Step, desired: &Resource, fields: &[&str]) -> Result<(), Class> {
        let Some(endpoint) = Endpoint::of(desired).filter(|_| fields.contains(&field::CONFIG)) else { return Ok(()) };
        let serving = self.serving(&endpoint.name).ok_or(Class::NotFound)?;
        let running = serving.running.clone().ok_or(Class::Invalid)?;
        if running.config == endpoint.config && serving.status != Status::UpdateRollbackFailed {
            return Err(Class::Conflict);
        }
        let (mut pending, doom) = self.deployment(&endpoint.config)?;
        let is_scaled = self.all::<ScalableTarget>().any(|target| target.scaled.endpoint() == endpoint.name);
        if running.instance_type != pending.instance_type && is_scaled {
            return Err(Class::Conflict);
        }
        let update = step.write_of::<Endpoint>();
        let takes_count = update.is_some_and(|update| update.apply_instance_count);
        if pending.instance_type.is_some() && running.instance_type.is_some() && !takes_count {
            pending.desired = running.desired;
        }
        let (reads, now) = (self.sagemaker.reads, self.now());
        let serving = self.serving_mut(&endpoint.name).ok_or(Class::NotFound)?;
        (serving.status, serving.left, serving.modified) = (Status::Updating, reads, now);
        (serving.pending, serving.doom, serving.failure) = (Some(pending), doom, None);
        if let Some(attempt) = &mut serving.attempt {
            attempt.unconfirmed = false;
        }
        Ok(())
    }

    /// What was refused was never tried: the endpoint remembers again what it remembered before.
    pub(super) fn forget_attempt(&mut self, step: &Step) {
        if let Some(serving) = self.serving_mut(&step.key.name) {
            serving.attempt = step.facts_of::<Endpoint>().and_then(|facts| facts.attempt.clone());
        }
    }

    /// `DeleteEndpoint`; its variants are scaled no more from now on.
    pub(super) fn take_down(&mut self, key: &Key) {
        let (reads, now) = (self.sagemaker.reads, self.now());
        self.forget_targets(&key.name);
        if let Some(serving) = self.serving_mut(&key.name) {
            (serving.status, serving.left, serving.modified) = (Status::Deleting, reads, now);
            if serving.running.is_some() {
                self.sagemaker.taken_down.insert(key.name.clone());
            }
        }
    }

    /// What is to run with a configuration, and why it will not come up.
    fn deployment(&mut self, config: &str) -> Result<(Fleet, Option<(String, Rollback)>), Class> {
        let config = self.get::<EndpointConfig>(config).ok_or(Class::Conflict)?;
        let fleet = Fleet::new(&config.name, &config.content);
        let model = self.get::<Model>(&fleet.model).ok_or(Class::Conflict)?.content.clone();
        let role = &model.execution_role_arn;
        let is_hidden = self.sagemaker.roles_unseen_by_endpoints > 0;
        self.sagemaker.roles_unseen_by_endpoints = self.sagemaker.roles_unseen_by_endpoints.saturating_sub(1);
        let is_there = self.all::<Role>().any(|it| it.arn == *role);
        let doom = if is_there && !is_hidden {
            let broken = self.sagemaker.broken.get(&model.image);
            broken.map(|rollback| (format!("{} did not pass the ping health check", model.image), *rollback))
        } else {
            Some((
                format!(
                    "Could not assume role {role}. Please ensure that the role exists and allows principal \
                     'sagemaker.amazonaws.com' to assume the role."
                ),
                Rollback::Works,
            ))
        };
        Ok((fleet, doom))
    }
}
