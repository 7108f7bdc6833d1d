//! Endpoints as SageMaker runs them: the states they go through, and what they refuse meanwhile.

use aiplatform::failure::Class;
use aiplatform::resource::endpoint::Status;
use aiplatform::resource::endpoint_config::{Capacity, Content};
use aiplatform::tags::Tags;

use super::FakeCloud;
use super::sagemaker::Rollback;

/// An endpoint as SageMaker holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEndpoint {
    pub arn: String,
    pub tags: Tags,
    pub status: Status,
    /// The configuration it was made with, which is all there is to see of one that never came up.
    pub made_with: String,
    pub running: Option<Fleet>,
    pub pending: Option<Fleet>,
    pub failure: Option<String>,
    /// Moves with whatever happens to it, except to its tags.
    pub modified: i64,
    /// The fewest that ever ran.
    pub fewest: Option<i32>,
    /// How many looks find it where it is, while it is on its way.
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

impl StoredEndpoint {
    /// What it runs and what it is to run.
    pub fn fleets(&self) -> impl Iterator<Item = &Fleet> {
        self.running.iter().chain(&self.pending)
    }

    /// The configuration that `DescribeEndpoint` names.
    pub fn config(&self) -> &str {
        self.running.as_ref().map_or(&self.made_with, |fleet| &fleet.config)
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
    /// A look at an endpoint, which finds what it came to since the last.
    pub(super) fn observe_endpoint(&mut self, name: &str) -> Option<StoredEndpoint> {
        let looks = self.sagemaker.looks;
        loop {
            let now = self.sagemaker.now();
            let endpoint = self.sagemaker.endpoints.get_mut(name)?;
            if !endpoint.status.is_busy() {
                return Some(endpoint.clone());
            }
            if endpoint.left > 0 {
                endpoint.left -= 1;
                return Some(endpoint.clone());
            }
            (endpoint.left, endpoint.modified) = (looks, now);
            let stays = endpoint.advance();
            let running = endpoint.running.as_ref().map(|fleet| fleet.config.clone());
            self.sagemaker.ran.extend(running);
            if !stays {
                self.sagemaker.endpoints.remove(name);
            }
        }
    }

    pub(super) fn create_endpoint(&mut self, name: &str, arn: &str, config: &str, tags: Tags) -> Result<(), Class> {
        if self.sagemaker.endpoints.contains_key(name) {
            return Err(Class::Conflict);
        }
        let (pending, doom) = self.deployment(config)?;
        let endpoint = StoredEndpoint {
            arn: arn.into(),
            tags,
            status: Status::Creating,
            made_with: config.into(),
            running: None,
            pending: Some(pending),
            failure: None,
            modified: self.sagemaker.now(),
            fewest: None,
            left: self.sagemaker.looks,
            doom,
        };
        self.sagemaker.endpoints.insert(name.into(), endpoint);
        Ok(())
    }

    /// `UpdateEndpoint` with `RetainAllVariantProperties`; `apply_instance_count` excludes the number of instances from what is
    /// retained.
    pub(super) fn update_endpoint(
        &mut self,
        name: &str,
        config: &str,
        apply_instance_count: bool,
    ) -> Result<(), Class> {
        let endpoint = self.sagemaker.endpoints.get(name).ok_or(Class::NotFound)?;
        if endpoint.status.is_busy() {
            return Err(Class::Conflict);
        }
        let running = endpoint.running.clone().ok_or(Class::Invalid)?;
        if running.config == config && endpoint.status != Status::UpdateRollbackFailed {
            return Err(Class::Conflict);
        }
        let content = &self.sagemaker.configs.get(config).ok_or(Class::Conflict)?.content;
        let other_type = running.instance_type.as_deref() != content.capacity.instance_type();
        if other_type && self.sagemaker.targets.keys().any(|scaled| scaled.endpoint() == name) {
            return Err(Class::Conflict);
        }
        let (mut pending, doom) = self.deployment(config)?;
        if pending.instance_type.is_some() && running.instance_type.is_some() && !apply_instance_count {
            pending.desired = running.desired;
        }
        let endpoint = self.begin(name, Status::Updating);
        (endpoint.pending, endpoint.doom, endpoint.failure) = (Some(pending), doom, None);
        Ok(())
    }

    /// `DeleteEndpoint`; its variants are scaled no more from now on.
    pub(super) fn delete_endpoint(&mut self, name: &str) -> Result<(), Class> {
        let endpoint = self.sagemaker.endpoints.get(name).ok_or(Class::NotFound)?;
        if endpoint.status.is_busy() {
            return Err(Class::Conflict);
        }
        if endpoint.running.is_some() {
            self.sagemaker.taken_down.insert(name.into());
        }
        self.sagemaker.targets.retain(|scaled, _| scaled.endpoint() != name);
        self.begin(name, Status::Deleting);
        Ok(())
    }

    /// Somebody, or Application Auto Scaling, gives an endpoint another capacity; not while it is on its way.
    pub fn scale(&mut self, name: &str, count: i32) -> Result<(), Class> {
        let endpoint = self.sagemaker.endpoints.get_mut(name).ok_or(Class::NotFound)?;
        if endpoint.status != Status::InService {
            return Err(Class::Conflict);
        }
        endpoint.running.as_mut().expect("what is in service runs").desired = count;
        self.begin(name, Status::Updating);
        Ok(())
    }

    fn begin(&mut self, name: &str, status: Status) -> &mut StoredEndpoint {
        let (now, looks) = (self.sagemaker.now(), self.sagemaker.looks);
        let endpoint = self.sagemaker.endpoints.get_mut(name).expect("the endpoint is there");
        (endpoint.status, endpoint.left, endpoint.modified) = (status, looks, now);
        endpoint
    }

    /// What is to run with a configuration, and why it will not come up.
    fn deployment(&mut self, config: &str) -> Result<(Fleet, Option<(String, Rollback)>), Class> {
        let content = &self.sagemaker.configs.get(config).ok_or(Class::Conflict)?.content;
        let model = self.sagemaker.models.get(&content.model).ok_or(Class::Conflict)?.content.clone();
        let fleet = Fleet::new(config, content);
        let mut unseen = self.sagemaker.roles_unseen_by_endpoints;
        let visible = self.sees_role(&model.execution_role_arn, &mut unseen);
        self.sagemaker.roles_unseen_by_endpoints = unseen;
        let doom = if visible {
            let broken = self.sagemaker.broken.get(&model.image);
            broken.map(|rollback| (format!("{} did not pass the ping health check", model.image), *rollback))
        } else {
            let role = &model.execution_role_arn;
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
