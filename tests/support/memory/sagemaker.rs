//! What Amazon SageMaker and Application Auto Scaling hold, and what a test may ask of their behaviour.
//!
//! There is no clock: an endpoint that SageMaker is at work on comes further whenever somebody looks at it.

use std::collections::{BTreeMap, BTreeSet};

use aiplatform::failure::{Class, Error};
use aiplatform::grants::revision_policy_name;
use aiplatform::outcome::Applied;
use aiplatform::resource::endpoint_config::revision_of;
use aiplatform::resource::scaling::ScalableResource;
use aiplatform::resource::{Key, Kind, Owner};
use aiplatform::scope::Scope;
use aiplatform::tags::{OWNER, Tags};
use jiff::Timestamp;

use super::endpoint::Fleet;
use super::{FakeCloud, Memory, StoredConfig, StoredEndpoint, StoredModel, StoredTarget, owner};

/// Endpoints, what they run and what scales them, all by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SageMaker {
    pub models: BTreeMap<String, StoredModel>,
    pub configs: BTreeMap<String, StoredConfig>,
    pub endpoints: BTreeMap<String, StoredEndpoint>,
    pub targets: BTreeMap<ScalableResource, StoredTarget>,
    /// How many looks find an endpoint still on its way, in each transition.
    pub looks: usize,
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
    /// Milliseconds that everything so far took.
    clock: i64,
}

/// How a failed update ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rollback {
    Works,
    Fails,
}

impl SageMaker {
    /// The time, which is another at each call.
    pub fn now(&mut self) -> i64 {
        self.clock += 1;
        self.clock
    }

    /// Everything that somebody could hold, with who does.
    pub fn holders(&self, ours: &str) -> BTreeMap<Key, Owner> {
        let models = self.models.keys().map(|name| Key { kind: Kind::SageMakerModel, name: name.clone() });
        let configs = self.configs.keys().map(|name| Key { kind: Kind::SageMakerEndpointConfig, name: name.clone() });
        let endpoints = self.endpoints.keys().map(|name| Key { kind: Kind::SageMakerEndpoint, name: name.clone() });
        let scaling = self.targets.iter().flat_map(|(scaled, target)| target.keys(scaled));
        let keys = models.chain(configs).chain(endpoints).chain(scaling);
        keys.filter_map(|key| Some((key.clone(), self.holder(&key, ours)?))).collect()
    }

    /// Who holds it, where it is there. Whatever scales an endpoint of ours is ours, unless somebody else of our kind
    /// has tagged it.
    pub fn holder(&self, key: &Key, ours: &str) -> Option<Owner> {
        let tags = match key.kind {
            Kind::ScalableTarget | Kind::ScalingPolicy | Kind::ScheduledAction => {
                let mut targets = self.targets.iter();
                let (scaled, target) = targets.find(|(scaled, target)| target.keys(scaled).contains(key))?;
                if target.tags.contains_key(OWNER) {
                    &target.tags
                } else {
                    &self.endpoints.get(scaled.endpoint())?.tags
                }
            }
            _ => self.tags(key)?,
        };
        Some(owner(tags, ours))
    }

    /// The tags of a model, a configuration or an endpoint.
    fn tags(&self, key: &Key) -> Option<&Tags> {
        match key.kind {
            Kind::SageMakerModel => self.models.get(&key.name).map(|it| &it.tags),
            Kind::SageMakerEndpointConfig => self.configs.get(&key.name).map(|it| &it.tags),
            Kind::SageMakerEndpoint => self.endpoints.get(&key.name).map(|it| &it.tags),
            other => panic!("SageMaker keeps no tags of a {other}"),
        }
    }

    fn tags_mut(&mut self, key: &Key) -> Option<&mut Tags> {
        match key.kind {
            Kind::SageMakerModel => self.models.get_mut(&key.name).map(|it| &mut it.tags),
            Kind::SageMakerEndpointConfig => self.configs.get_mut(&key.name).map(|it| &mut it.tags),
            Kind::SageMakerEndpoint => self.endpoints.get_mut(&key.name).map(|it| &mut it.tags),
            other => panic!("SageMaker keeps no tags of a {other}"),
        }
    }
}

impl FakeCloud {
    /// What is ours of SageMaker's and stands on something that is not there, or may not do what it must be able to do
    /// at any time: start another instance of what it runs.
    pub(super) fn dangling_in_sagemaker(&self, ours: &str) -> BTreeSet<Key> {
        let SageMaker { models, configs, endpoints, .. } = &self.sagemaker;
        let is_whole = |fleet: &Fleet| configs.contains_key(&fleet.config) && self.may_run(fleet);
        let key = |kind: Kind, name: &String| Key { kind, name: name.clone() };
        let without_role = models.iter().filter(|(_, it)| !self.has_role(&it.content.execution_role_arn));
        let without_model = configs.iter().filter(|(_, it)| !models.contains_key(&it.content.model));
        let in_parts = endpoints.iter().filter(|(_, it)| !it.fleets().all(is_whole));
        without_role
            .map(|(name, _)| key(Kind::SageMakerModel, name))
            .chain(without_model.map(|(name, _)| key(Kind::SageMakerEndpointConfig, name)))
            .chain(in_parts.map(|(name, _)| key(Kind::SageMakerEndpoint, name)))
            .filter(|key| self.sagemaker.holder(key, ours) == Some(Owner::Ours))
            .collect()
    }

    /// Whether the role of what runs can do what that revision needs, where it is a role that we made for it.
    fn may_run(&self, fleet: &Fleet) -> bool {
        let model = self.sagemaker.models.get(&fleet.model);
        let role = model.and_then(|model| self.roles.get(model.content.execution_role_arn.rsplit('/').next()?));
        role.is_none_or(|role| role.policies.contains_key(&revision_policy_name(revision_of(&fleet.config))))
    }

    /// Whether SageMaker can work with a role now: what is not visible yet is seen the next time.
    pub(super) fn sees_role(&self, arn: &str, unseen: &mut usize) -> bool {
        let hidden = *unseen > 0;
        *unseen = unseen.saturating_sub(1);
        !hidden && self.has_role(arn)
    }
}

impl Memory {
    pub(super) async fn list_tags(&self, key: &Key) -> Result<Option<Tags>, Error> {
        self.call("sagemaker:ListTags", &key.name, |cloud| Ok(cloud.sagemaker.tags(key).cloned())).await
    }

    pub(super) async fn add_tags(&self, scope: &Scope, key: &Key, tags: Tags) -> Result<(), Error> {
        if tags.is_empty() {
            return Ok(());
        }
        self.write(scope, "sagemaker:AddTags", key, |cloud| {
            cloud.sagemaker.tags_mut(key).ok_or(Class::NotFound)?.extend(tags);
            Ok(())
        })
        .await
    }

    /// What is stale goes first, as with roles.
    pub(super) async fn retag(&self, scope: &Scope, key: &Key, observed: &Tags, desired: Tags) -> Result<(), Error> {
        let stale: Vec<&String> = observed.keys().filter(|key| !desired.contains_key(*key)).collect();
        if !stale.is_empty() {
            self.write(scope, "sagemaker:DeleteTags", key, |cloud| {
                cloud.sagemaker.tags_mut(key).ok_or(Class::NotFound)?.retain(|key, _| !stale.contains(&key));
                Ok(())
            })
            .await?;
        }
        self.add_tags(scope, key, desired).await
    }

    /// A deletion of what may be gone already.
    pub(super) async fn remove<T>(
        &self,
        scope: &Scope,
        action: &str,
        key: &Key,
        effect: impl FnOnce(&mut FakeCloud) -> Option<T>,
    ) -> Result<Applied, Error> {
        match self.write(scope, action, key, |cloud| effect(cloud).ok_or(Class::NotFound)).await {
            Ok(_) => Ok(Applied::Gone),
            Err(error) if error.class == Class::NotFound => Ok(Applied::Gone),
            Err(error) => Err(error),
        }
    }
}

/// A time of this clock as AWS tells it.
pub(super) fn timestamp(clock: i64) -> Timestamp {
    Timestamp::from_millisecond(1_700_000_000_000 + clock).expect("the time exists")
}

/// Whether a model or a configuration is a revision of what an endpoint runs: the hash of where they are is the same.
pub(super) fn is_revision(name: &str, endpoint: &str) -> bool {
    let hash = endpoint.rsplit('-').next().unwrap_or_default();
    name.rsplit('-').nth(1) == Some(hash)
}
