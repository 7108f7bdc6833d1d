//! Reading what scales endpoints: all targets in one call, the policies and scheduled actions of each endpoint in one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_applicationautoscaling::Client;
use aws_sdk_applicationautoscaling::types::{self, PolicyType, ServiceNamespace};
use futures::future::{join, join_all};

use super::refusal::refused;
use super::{Autoscaling, action};
use crate::failure::{Class, Error};
use crate::permissions::autoscaling::NAMESPACE;
use crate::provider::aws::snapshots::{MOST_PAGES, View};
use crate::resource::scaling::{Bounds, Dimension, ScalableResource, Tracking};
use crate::resource::{
    Key, Kind, Observed, Owner, Request, Resource, ScalableTarget, ScalingPolicy, ScheduledAction, TAGS,
};
use crate::scope::Scope;
use crate::tags::{self, Tags};

/// The most resources that one call describes the targets of.
const RESOURCES_PER_CALL: usize = 50;

/// Targets of a page, the most that Application Auto Scaling gives: `DescribeScalableTargets`, Application Auto Scaling API
/// reference.
const TARGETS_PER_PAGE: i32 = 50;

/// The default cooldown, in seconds.
const COOLDOWN: i32 = 300;

/// A request about one variant of an endpoint.
#[derive(Default)]
struct VariantRequest {
    targets: Vec<Key>,
    policies: Vec<Key>,
    actions: Vec<Key>,
    thorough: bool,
    /// True when something about it has to be read as it is now.
    is_current: bool,
}

impl VariantRequest {
    /// True when every requested target is among those that were listed: what a list lacks is not said to be absent.
    fn is_within(&self, listed: &[types::ScalableTarget]) -> bool {
        let keys: BTreeSet<Key> = listed.iter().filter_map(|target| Some(scaled_by_target(target)?.key())).collect();
        self.targets.iter().all(|key| keys.contains(key))
    }

    /// The selection of policies: requested themselves, or as parts of targets.
    fn policy_selection(&self) -> Selection<'_> {
        if self.policies.is_empty() {
            Selection::PartsOf(&self.targets, POLICIES)
        } else {
            Selection::Only(&self.policies)
        }
    }

    /// The selection of scheduled actions: requested themselves, or as parts of targets.
    fn action_selection(&self) -> Selection<'_> {
        if self.actions.is_empty() {
            Selection::PartsOf(&self.targets, ACTIONS)
        } else {
            Selection::Only(&self.actions)
        }
    }
}

/// The selection of what is read below a target.
#[derive(Clone, Copy)]
enum Selection<'a> {
    /// These resources.
    Only(&'a [Key]),
    /// Parts of these targets: what else is below them.
    PartsOf(&'a [Key], &'static str),
}

/// The other things that scale a target, as parts of it that could not be read.
const POLICIES: &str = "scalingPolicies";
const ACTIONS: &str = "scheduledActions";

impl Autoscaling {
    /// Observes the requested resources, and reports what else scales the same variants.
    pub(in super::super) async fn observe(&self, scope: &Scope, requests: &[&Request]) -> Vec<(Key, Observed)> {
        let variants = by_variant(requests);
        let untagged: BTreeSet<&Key> =
            requests.iter().filter(|request| !request.reads(TAGS)).map(|request| &request.key).collect();
        let covered = requests.iter().filter_map(|request| request.freshness.covered()).min();
        let view = self.view(covered).await;
        let shared = |(resource_id, variant): (&String, &VariantRequest)| {
            let view = view.as_ref().filter(|_| !variant.is_current)?;
            let found = view.entry(resource_id).filter(|found| variant.is_within(found))?;
            Some((resource_id.clone(), found))
        };
        let shared: BTreeMap<String, _> = variants.iter().filter_map(shared).collect();
        let resource_ids: Vec<&String> = variants.keys().filter(|id| !shared.contains_key(*id)).collect();
        let chunks = resource_ids.chunks(RESOURCES_PER_CALL).map(|chunk| self.targets(scope, chunk, &untagged));
        let listed = shared.values().map(|found| self.described(scope, found, &untagged));
        let (single, listed) = join(join_all(chunks), join_all(listed)).await;
        let mut listed: Vec<_> = listed.into_iter().flatten().collect();
        for target in listed.iter_mut().filter_map(|(_, target)| target.as_mut().ok()) {
            target.is_shared = true;
        }
        let targets: Vec<_> = single.into_iter().flatten().chain(listed).collect();
        // What has no target has nothing below it.
        let registered: BTreeSet<&String> = targets.iter().map(|(scaled, _)| &scaled.resource_id).collect();
        let with_targets = variants.iter().filter(|(resource_id, _)| registered.contains(resource_id));
        let below =
            with_targets.map(|(resource_id, variant)| async move { (variant, self.below(resource_id, variant).await) });
        let below = join_all(below).await;
        let mut seen: BTreeMap<Key, Observed> =
            requests.iter().map(|request| (request.key.clone(), Observed::absent())).collect();
        let mut owners = BTreeMap::new();
        for (scaled, target) in targets {
            let key = scaled.key();
            owners.insert(scaled, target.as_ref().map(|target| target.owner.clone()).map_err(Clone::clone));
            match target {
                Ok(target) => _ = seen.insert(key, target),
                Err(error) => unreadable(&mut seen, &[key], &error),
            }
        }
        for (variant, (policies, actions)) in below {
            record(&mut seen, &owners, policies, variant.policy_selection());
            record(&mut seen, &owners, actions, variant.action_selection());
        }
        seen.into_iter().collect()
    }

    /// The targets of some variants, in whatever dimension. An error stands for both dimensions of each.
    async fn targets(
        &self,
        scope: &Scope,
        resource_ids: &[&String],
        untagged: &BTreeSet<&Key>,
    ) -> Vec<(ScalableResource, Result<Observed, Error>)> {
        let pages = self
            .client
            .describe_scalable_targets()
            .service_namespace(ServiceNamespace::Sagemaker)
            .set_resource_ids(Some(resource_ids.iter().map(ToString::to_string).collect()))
            .into_paginator()
            .items()
            .send();
        let found: Result<Vec<types::ScalableTarget>, _> = pages.collect().await;
        let subject = || resource_ids.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(", ");
        match found.map_err(|error| refused(action::DESCRIBE_TARGETS, &subject(), &error)) {
            Ok(found) => self.described(scope, &found, untagged).await,
            Err(error) => {
                let both = |resource_id: &&String| {
                    let resource_id = (*resource_id).clone();
                    Dimension::ALL.map(|dimension| ScalableResource { resource_id: resource_id.clone(), dimension })
                };
                resource_ids.iter().flat_map(both).map(|scaled| (scaled, Err(error.clone()))).collect()
            }
        }
    }

    /// The targets that were described, but for those in dimensions that we never scale.
    async fn described(
        &self,
        scope: &Scope,
        found: &[types::ScalableTarget],
        untagged: &BTreeSet<&Key>,
    ) -> Vec<(ScalableResource, Result<Observed, Error>)> {
        let targets = found.iter().filter_map(|target| {
            let scaled = scaled_by_target(target)?;
            let reads_tags = !untagged.contains(&scaled.key());
            Some(async move { (scaled.clone(), self.target(scope, scaled, target, reads_tags).await) })
        });
        join_all(targets).await
    }

    /// All targets of endpoints, whoever registered them.
    async fn view(&self, covered: Option<Duration>) -> Option<View<'_, Vec<types::ScalableTarget>>> {
        let client = self.client.clone();
        self.targets.view(covered?, || listed(client)).await
    }

    async fn target(
        &self,
        scope: &Scope,
        scaled: ScalableResource,
        found: &types::ScalableTarget,
        reads_tags: bool,
    ) -> Result<Observed, Error> {
        let found_tags =
            if reads_tags { self.tags(&scaled, found.scalable_target_arn()).await } else { Ok(Tags::new()) };
        let found_tags = match found_tags {
            Ok(found_tags) => found_tags,
            // Deregistered since the description.
            Err(error) if error.class == Class::NotFound => return Ok(Observed::absent()),
            Err(error) => return Err(error),
        };
        // Of one without a tag, the endpoint says whose it is.
        let owner = Owner::of(&found_tags, &scope.owner);
        let target = ScalableTarget {
            scaled,
            bounds: Bounds { min_capacity: found.min_capacity, max_capacity: found.max_capacity },
            tags: tags::managed(&found_tags),
            scheduled: Vec::new(),
        };
        let seen = Observed::present(Resource::ScalableTarget(target), owner);
        Ok(Observed { arn: found.scalable_target_arn.clone(), ..seen })
    }

    async fn tags(&self, scaled: &ScalableResource, arn: Option<&str>) -> Result<Tags, Error> {
        let call = self.client.list_tags_for_resource().set_resource_arn(arn.map(Into::into));
        let answer = call.send().await.map_err(|error| refused(action::LIST_TAGS, &scaled.resource_id, &error))?;
        Ok(answer.tags.unwrap_or_default().into_iter().collect())
    }

    /// The policies and the scheduled actions of a variant, each where it is worth a call.
    async fn below(
        &self,
        resource_id: &str,
        variant: &VariantRequest,
    ) -> (Result<Vec<Resource>, Error>, Result<Vec<Resource>, Error>) {
        let is_needed = |keys: &[Key]| !keys.is_empty() || (variant.thorough && !variant.targets.is_empty());
        let policies =
            async { if is_needed(&variant.policies) { self.policies(resource_id).await } else { Ok(Vec::new()) } };
        let actions =
            async { if is_needed(&variant.actions) { self.actions(resource_id).await } else { Ok(Vec::new()) } };
        futures::join!(policies, actions)
    }

    async fn policies(&self, resource_id: &str) -> Result<Vec<Resource>, Error> {
        let pages = self
            .client
            .describe_scaling_policies()
            .service_namespace(ServiceNamespace::Sagemaker)
            .resource_id(resource_id)
            .into_paginator()
            .items()
            .send();
        let found: Vec<types::ScalingPolicy> = pages
            .collect::<Result<_, _>>()
            .await
            .map_err(|error| refused(action::DESCRIBE_POLICIES, resource_id, &error))?;
        Ok(found.iter().filter_map(policy).map(Resource::ScalingPolicy).collect())
    }

    async fn actions(&self, resource_id: &str) -> Result<Vec<Resource>, Error> {
        let pages = self
            .client
            .describe_scheduled_actions()
            .service_namespace(ServiceNamespace::Sagemaker)
            .resource_id(resource_id)
            .into_paginator()
            .items()
            .send();
        let found: Vec<types::ScheduledAction> = pages
            .collect::<Result<_, _>>()
            .await
            .map_err(|error| refused(action::DESCRIBE_ACTIONS, resource_id, &error))?;
        Ok(found.iter().filter_map(scheduled).map(Resource::ScheduledAction).collect())
    }
}

/// The targets of all endpoints in a region, by resource id.
async fn listed(client: Client) -> Result<BTreeMap<String, Vec<types::ScalableTarget>>, Error> {
    let mut targets: BTreeMap<String, Vec<types::ScalableTarget>> = BTreeMap::new();
    let call = client.describe_scalable_targets().service_namespace(ServiceNamespace::Sagemaker);
    let mut pages = call.into_paginator().page_size(TARGETS_PER_PAGE).send();
    for _ in 0..MOST_PAGES {
        let Some(page) = pages.next().await else { break };
        let page = page.map_err(|error| refused(action::DESCRIBE_TARGETS, NAMESPACE, &error))?;
        for target in page.scalable_targets.unwrap_or_default() {
            targets.entry(target.resource_id.clone()).or_default().push(target);
        }
    }
    Ok(targets)
}

fn by_variant(requests: &[&Request]) -> BTreeMap<String, VariantRequest> {
    let mut variants: BTreeMap<String, VariantRequest> = BTreeMap::new();
    for request in requests {
        let Key { kind, name } = &request.key;
        let scaled = if *kind == Kind::ScalableTarget {
            ScalableResource::parse(name)
        } else {
            ScalableResource::of(name.split('/').next().unwrap_or_default(), Dimension::Instances)
        };
        let variant = variants.entry(scaled.resource_id).or_default();
        variant.thorough |= request.thorough;
        variant.is_current |= !request.freshness.is_shared();
        match kind {
            Kind::ScalableTarget => variant.targets.push(request.key.clone()),
            Kind::ScalingPolicy => variant.policies.push(request.key.clone()),
            _ => variant.actions.push(request.key.clone()),
        }
    }
    variants
}

/// Records what was found below targets. Whoever holds a target holds what is below it.
fn record(
    seen: &mut BTreeMap<Key, Observed>,
    owners: &BTreeMap<ScalableResource, Result<Owner, Error>>,
    found: Result<Vec<Resource>, Error>,
    selection: Selection<'_>,
) {
    let found = match (found, selection) {
        (Ok(found), _) => found,
        (Err(error), Selection::Only(keys)) => return unreadable(seen, keys, &error),
        (Err(error), Selection::PartsOf(targets, part)) => {
            for key in targets {
                if let Some(target) = seen.get_mut(key) {
                    target.unknown.insert(part.into(), error.clone());
                }
            }
            return;
        }
    };
    for resource in found {
        let owner = match scaled_by(&resource).and_then(|scaled| owners.get(scaled)) {
            Some(Ok(owner)) => owner.clone(),
            Some(Err(error)) => {
                seen.insert(resource.key(), Observed::unreadable(error.clone()));
                continue;
            }
            // Registered since the targets were described: the endpoint says whose it is.
            None => Owner::Nobody,
        };
        seen.insert(resource.key(), Observed::present(resource, owner));
    }
}

fn scaled_by(resource: &Resource) -> Option<&ScalableResource> {
    match resource {
        Resource::ScalingPolicy(policy) => Some(&policy.scaled),
        Resource::ScheduledAction(action) => Some(&action.scaled),
        _ => None,
    }
}

/// Records requested resources that could not be read.
fn unreadable(seen: &mut BTreeMap<Key, Observed>, keys: &[Key], error: &Error) {
    for key in keys {
        if let Some(observed) = seen.get_mut(key) {
            *observed = Observed::unreadable(error.clone());
        }
    }
}

/// The scaled resource, unless it is something that we never scale.
fn scaled(resource_id: &str, dimension: &str) -> Option<ScalableResource> {
    let dimension = Dimension::ALL.into_iter().find(|known| known.name() == dimension)?;
    Some(ScalableResource { resource_id: resource_id.to_string(), dimension })
}

fn scaled_by_target(found: &types::ScalableTarget) -> Option<ScalableResource> {
    scaled(&found.resource_id, found.scalable_dimension.as_str())
}

fn policy(found: &types::ScalingPolicy) -> Option<ScalingPolicy> {
    Some(ScalingPolicy {
        name: found.policy_name.clone(),
        scaled: scaled(&found.resource_id, found.scalable_dimension.as_str())?,
        tracking: tracking(found),
        derivation: None,
    })
}

/// Nothing for a policy that is of another type or tracks another metric than a predefined one of the whole variant.
fn tracking(found: &types::ScalingPolicy) -> Option<Tracking> {
    let configuration = found.target_tracking_scaling_policy_configuration().filter(|configuration| {
        found.policy_type == PolicyType::TargetTrackingScaling
            && configuration.customized_metric_specification().is_none()
    })?;
    let metric = configuration.predefined_metric_specification().filter(|metric| metric.resource_label().is_none())?;
    Some(Tracking {
        metric: metric.predefined_metric_type.as_str().to_string(),
        target_value: configuration.target_value,
        scale_in_cooldown_seconds: configuration.scale_in_cooldown.unwrap_or(COOLDOWN),
        scale_out_cooldown_seconds: configuration.scale_out_cooldown.unwrap_or(COOLDOWN),
        disable_scale_in: configuration.disable_scale_in.unwrap_or_default(),
    })
}

fn scheduled(found: &types::ScheduledAction) -> Option<ScheduledAction> {
    let bounds = found.scalable_target_action();
    Some(ScheduledAction {
        name: found.scheduled_action_name.clone(),
        scaled: scaled(&found.resource_id, found.scalable_dimension()?.as_str())?,
        schedule: found.schedule.clone(),
        timezone: found.timezone().unwrap_or("UTC").to_string(),
        min_capacity: bounds.and_then(types::ScalableTargetAction::min_capacity),
        max_capacity: bounds.and_then(types::ScalableTargetAction::max_capacity),
    })
}

#[cfg(test)]
mod tests;
