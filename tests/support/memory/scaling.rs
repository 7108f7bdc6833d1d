//! What Application Auto Scaling holds: scalable targets, and the policies and scheduled actions that vanish with them.

use std::collections::BTreeMap;

use aiplatform::diff::Change;
use aiplatform::failure::{Class, Error};
use aiplatform::failures::{Failures, Parts};
use aiplatform::outcome::Applied;
use aiplatform::plan::{Action, Step};
use aiplatform::resource::endpoint::Status;
use aiplatform::resource::scaling::{
    Bounds, Dimension, ScalableResource, ScalableTarget, ScalingPolicy, ScheduledAction, Tracking, field,
};
use aiplatform::resource::{Key, Kind, Observed, Owner, Resource};
use aiplatform::scope::Scope;
use aiplatform::tags::{self, Tags};

use super::{FakeCloud, Memory};

/// A target as Application Auto Scaling holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredTarget {
    pub bounds: Bounds,
    pub tags: Tags,
    /// `None` for a policy that does not track a predefined metric.
    pub policies: BTreeMap<String, Option<Tracking>>,
    pub actions: BTreeMap<String, ScheduledAction>,
}

impl StoredTarget {
    /// The keys of the target, its policies and its scheduled actions.
    pub fn keys(&self, scaled: &ScalableResource) -> Vec<Key> {
        let policies = self.policies(scaled).into_iter().map(|policy| policy.key());
        let actions = self.actions.values().map(ScheduledAction::key);
        [scaled.key()].into_iter().chain(policies).chain(actions).collect()
    }

    /// What of it is ours, in canonical form.
    pub fn managed(&self, scaled: &ScalableResource) -> ScalableTarget {
        let tags = tags::managed(&self.tags);
        ScalableTarget { scaled: scaled.clone(), bounds: self.bounds, tags, scheduled: Vec::new() }
    }

    /// Its policies, in canonical form.
    pub fn policies(&self, scaled: &ScalableResource) -> Vec<ScalingPolicy> {
        let policy = |(name, tracking): (&String, &Option<Tracking>)| ScalingPolicy {
            name: name.clone(),
            scaled: scaled.clone(),
            tracking: tracking.clone(),
            derivation: None,
        };
        self.policies.iter().map(policy).collect()
    }
}

impl FakeCloud {
    fn register(&mut self, scaled: &ScalableResource, bounds: Bounds, tags: &Tags) -> Result<(), Class> {
        let endpoint = self.sagemaker.endpoints.get(scaled.endpoint()).ok_or(Class::Conflict)?;
        if endpoint.status != Status::InService {
            return Err(Class::Conflict);
        }
        let capacity = endpoint.running.as_ref().expect("what is in service runs").desired;
        let fresh = || StoredTarget { bounds, tags: tags.clone(), policies: BTreeMap::new(), actions: BTreeMap::new() };
        self.sagemaker.targets.entry(scaled.clone()).or_insert_with(fresh).bounds = bounds;
        let within = capacity.clamp(bounds.min_capacity, bounds.max_capacity);
        if within == capacity { Ok(()) } else { self.scale(scaled.endpoint(), within) }
    }

    /// The time of a scheduled action comes.
    pub fn fire(&mut self, scaled: &ScalableResource, action: &str) -> Result<(), Class> {
        let target = self.sagemaker.targets.get(scaled).ok_or(Class::NotFound)?;
        let action = target.actions.get(action).ok_or(Class::NotFound)?;
        let bounds = Bounds {
            min_capacity: action.min_capacity.unwrap_or(target.bounds.min_capacity),
            max_capacity: action.max_capacity.unwrap_or(target.bounds.max_capacity),
        };
        self.register(scaled, bounds, &Tags::new())
    }

    fn target_mut(&mut self, scaled: &ScalableResource) -> Result<&mut StoredTarget, Class> {
        self.sagemaker.targets.get_mut(scaled).ok_or(Class::NotFound)
    }
}

impl Memory {
    /// The target, and every policy and scheduled action of it.
    pub(super) async fn observe_target(&self, scope: &Scope, key: &Key) -> Result<Vec<(Key, Observed)>, Error> {
        let scaled = ScalableResource::parse(&key.name);
        let describe = |cloud: &mut FakeCloud| Ok(cloud.sagemaker.targets.get(&scaled).cloned());
        let found = self.call("application-autoscaling:DescribeScalableTargets", &key.name, describe).await?;
        let Some(found) = found else { return Ok(vec![(key.clone(), Observed::absent())]) };
        let list = |cloud: &mut FakeCloud| {
            let holder = cloud.sagemaker.holder(key, &scope.owner).unwrap_or(Owner::Nobody);
            Ok((cloud.sagemaker.targets.get(&scaled).map(|it| it.tags.clone()), holder))
        };
        let (tags, holder) = self.call("application-autoscaling:ListTagsForResource", &key.name, list).await?;
        let tags = tags.unwrap_or_default();
        let target = Resource::ScalableTarget(StoredTarget { tags, ..found }.managed(&scaled));
        let mut all = vec![(key.clone(), Observed::present(target, holder))];
        for kind in [Kind::ScalingPolicy, Kind::ScheduledAction] {
            all.extend(self.parts(scope, kind, scaled.endpoint(), &[scaled.dimension]).await?);
        }
        Ok(all)
    }

    /// One policy or scheduled action, whose key does not say in which dimension it is.
    pub(super) async fn observe_part(&self, scope: &Scope, key: &Key) -> Result<Observed, Error> {
        let endpoint = key.name.split('/').next().unwrap_or_default();
        let parts = self.parts(scope, key.kind, endpoint, &Dimension::ALL).await?;
        let found = parts.into_iter().find(|(part, _)| part == key);
        Ok(found.map_or_else(Observed::absent, |(_, observed)| observed))
    }

    /// Policies or scheduled actions, which are whose the target is.
    async fn parts(
        &self,
        scope: &Scope,
        kind: Kind,
        endpoint: &str,
        dimensions: &[Dimension],
    ) -> Result<Vec<(Key, Observed)>, Error> {
        let action = if kind == Kind::ScalingPolicy { "DescribeScalingPolicies" } else { "DescribeScheduledActions" };
        let describe = |cloud: &mut FakeCloud| {
            let targets = dimensions.iter().filter_map(|dimension| {
                cloud.sagemaker.targets.get_key_value(&ScalableResource::of(endpoint, *dimension))
            });
            let parts = |(scaled, target): (&ScalableResource, &StoredTarget)| -> Vec<(Key, Observed)> {
                let parts: Vec<Resource> = match kind {
                    Kind::ScalingPolicy => target.policies(scaled).into_iter().map(Resource::ScalingPolicy).collect(),
                    _ => target.actions.values().cloned().map(Resource::ScheduledAction).collect(),
                };
                let holder = cloud.sagemaker.holder(&scaled.key(), &scope.owner).unwrap_or(Owner::Nobody);
                parts.into_iter().map(|part| (part.key(), Observed::present(part, holder.clone()))).collect()
            };
            Ok(targets.flat_map(parts).collect())
        };
        self.call(&format!("application-autoscaling:{action}"), endpoint, describe).await
    }

    pub(super) async fn apply_target(&self, scope: &Scope, step: &Step) -> Result<Applied, Failures> {
        let key = &step.key;
        let scaled = ScalableResource::parse(&key.name);
        match (&step.action, &step.desired, &step.observed) {
            (Action::Create, Some(Resource::ScalableTarget(desired)), _) => {
                self.register_target(scope, key, desired).await?;
            }
            (
                Action::Update(changes),
                Some(Resource::ScalableTarget(desired)),
                Some(Resource::ScalableTarget(observed)),
            ) => {
                let mut parts = Parts::default();
                if changes.iter().map(Change::field).any(|field| field != field::TAGS) {
                    parts.note("bounds", self.register_target(scope, key, desired).await);
                }
                if changes.iter().any(|change| change.field() == field::TAGS) {
                    let tagged = self.retag_target(scope, key, &observed.tags, &desired.tags).await;
                    parts.note(field::TAGS, tagged);
                }
                return parts.end(Applied::Ready);
            }
            (Action::Delete { .. }, ..) => {
                let forget = |cloud: &mut FakeCloud| cloud.sagemaker.targets.remove(&scaled);
                return Ok(self.remove(scope, "application-autoscaling:DeregisterScalableTarget", key, forget).await?);
            }
            other => panic!("{other:?} is not to be taken"),
        }
        Ok(Applied::Ready)
    }

    async fn register_target(&self, scope: &Scope, key: &Key, desired: &ScalableTarget) -> Result<(), Error> {
        self.write(scope, "application-autoscaling:RegisterScalableTarget", key, |cloud| {
            cloud.register(&desired.scaled, desired.bounds, &desired.tags)
        })
        .await
    }

    async fn retag_target(&self, scope: &Scope, key: &Key, observed: &Tags, desired: &Tags) -> Result<(), Error> {
        let scaled = ScalableResource::parse(&key.name);
        let stale: Vec<&String> = observed.keys().filter(|key| !desired.contains_key(*key)).collect();
        if !stale.is_empty() {
            self.write(scope, "application-autoscaling:UntagResource", key, |cloud| {
                cloud.target_mut(&scaled)?.tags.retain(|key, _| !stale.contains(&key));
                Ok(())
            })
            .await?;
        }
        self.write(scope, "application-autoscaling:TagResource", key, |cloud| {
            cloud.target_mut(&scaled)?.tags.extend(desired.clone());
            Ok(())
        })
        .await
    }

    pub(super) async fn apply_policy(&self, scope: &Scope, step: &Step) -> Result<Applied, Error> {
        match (&step.action, &step.desired, &step.observed) {
            (Action::Create | Action::Update(_), Some(Resource::ScalingPolicy(desired)), observed) => {
                // A policy of another type cannot become one that tracks a target.
                if let Some(Resource::ScalingPolicy(ScalingPolicy { tracking: None, .. })) = observed {
                    let forget =
                        |cloud: &mut FakeCloud| cloud.target_mut(&desired.scaled).ok()?.policies.remove(&desired.name);
                    self.remove(scope, "application-autoscaling:DeleteScalingPolicy", &step.key, forget).await?;
                }
                self.write(scope, "application-autoscaling:PutScalingPolicy", &step.key, |cloud| {
                    let target = cloud.target_mut(&desired.scaled).map_err(|_| Class::Conflict)?;
                    target.policies.insert(desired.name.clone(), desired.tracking.clone());
                    Ok(())
                })
                .await?;
                Ok(Applied::Ready)
            }
            (Action::Delete { .. }, _, Some(Resource::ScalingPolicy(observed))) => {
                let forget =
                    |cloud: &mut FakeCloud| cloud.target_mut(&observed.scaled).ok()?.policies.remove(&observed.name);
                self.remove(scope, "application-autoscaling:DeleteScalingPolicy", &step.key, forget).await
            }
            other => panic!("{other:?} is not to be taken"),
        }
    }

    pub(super) async fn apply_scheduled_action(&self, scope: &Scope, step: &Step) -> Result<Applied, Error> {
        match (&step.action, &step.desired, &step.observed) {
            (Action::Create | Action::Update(_), Some(Resource::ScheduledAction(desired)), _) => {
                self.write(scope, "application-autoscaling:PutScheduledAction", &step.key, |cloud| {
                    let target = cloud.target_mut(&desired.scaled).map_err(|_| Class::Conflict)?;
                    target.actions.insert(desired.name.clone(), desired.clone());
                    Ok(())
                })
                .await?;
                Ok(Applied::Ready)
            }
            (Action::Delete { .. }, _, Some(Resource::ScheduledAction(observed))) => {
                let forget =
                    |cloud: &mut FakeCloud| cloud.target_mut(&observed.scaled).ok()?.actions.remove(&observed.name);
                self.remove(scope, "application-autoscaling:DeleteScheduledAction", &step.key, forget).await
            }
            other => panic!("{other:?} is not to be taken"),
        }
    }
}
