//! Registering targets, putting policies and scheduled actions, and taking all of it away.

use aws_sdk_applicationautoscaling::error::BuildError;
use aws_sdk_applicationautoscaling::types::{
    MetricType, PolicyType, PredefinedMetricSpecification, ScalableDimension, ScalableTargetAction, ServiceNamespace,
    TargetTrackingScalingPolicyConfiguration,
};

use super::super::failure;
use super::refusal::{gone, refused};
use super::{Autoscaling, action};
use crate::diff::Change;
use crate::failure::Error;
use crate::failures::{Failures, Parts};
use crate::outcome::Applied;
use crate::plan::Step;
use crate::resource::scaling::{Dimension, ScalableResource, Tracking, field};
use crate::resource::{Resource, ScalableTarget, ScalingPolicy, ScheduledAction};
use crate::tags::{self, Tags};

/// The bounds of a target, which one call writes together.
const BOUNDS: &str = "bounds";

impl Autoscaling {
    /// Makes a target or sets the bounds of one that is there. Tags are taken only where it is made.
    pub(super) async fn register(&self, desired: &ScalableTarget, tags: Option<&Tags>) -> Result<Applied, Error> {
        let scaled = &desired.scaled;
        let registered = self
            .client
            .register_scalable_target()
            .service_namespace(ServiceNamespace::Sagemaker)
            .resource_id(&scaled.resource_id)
            .scalable_dimension(dimension(scaled.dimension))
            .min_capacity(desired.bounds.min_capacity)
            .max_capacity(desired.bounds.max_capacity)
            .set_tags(tags.map(|tags| tags.clone().into_iter().collect()))
            .send()
            .await
            .map_err(|error| refused(action::REGISTER, &scaled.resource_id, &error))?;
        // The field is optional in the service's model.
        Ok(registered.scalable_target_arn.map_or(Applied::Ready, |arn| Applied::ReadyAs { arn }))
    }

    pub(super) async fn update_target(
        &self,
        step: &Step,
        desired: &ScalableTarget,
        observed: &ScalableTarget,
        changes: &[Change],
    ) -> Result<Applied, Failures> {
        let differs = |names: &[&str]| changes.iter().any(|change| names.contains(&change.field()));
        let mut parts = Parts::default();
        let known = |change: &&Change| change.field() == field::TAGS || field::BOUNDS.contains(&change.field());
        for change in changes.iter().filter(|change| !known(change)) {
            parts.note::<()>(change.field(), Err(Error::unknown_field(step, change.field())));
        }
        if differs(&field::BOUNDS) {
            parts.note(BOUNDS, self.register(desired, None).await);
        }
        if differs(&[field::TAGS]) {
            self.put_tags(step, desired, &observed.tags, &mut parts).await;
        }
        parts.end(Applied::Ready)
    }

    /// Stale tags go first. Where they do not, the tag that says which keys are ours stays as it is.
    async fn put_tags(&self, step: &Step, desired: &ScalableTarget, observed: &Tags, parts: &mut Parts) {
        let resource_id = &desired.scaled.resource_id;
        let stale = tags::stale(&desired.tags, observed);
        let mut written = tags::changed(&desired.tags, observed);
        if !stale.is_empty() {
            let call = self.client.untag_resource().set_resource_arn(step.arn.clone()).set_tag_keys(Some(stale));
            let untagged = call.send().await.map_err(|error| refused(action::UNTAG, resource_id, &error));
            if parts.note(field::TAGS, untagged).is_none() {
                written.remove(tags::TAG_KEYS);
            }
        }
        if written.is_empty() {
            return;
        }
        let call = self.client.tag_resource().set_resource_arn(step.arn.clone());
        let call = call.set_tags(Some(written.into_iter().collect()));
        parts.note(field::TAGS, call.send().await.map_err(|error| refused(action::TAG, resource_id, &error)));
    }

    pub(super) async fn deregister(&self, scaled: &ScalableResource) -> Result<Applied, Error> {
        let call = self
            .client
            .deregister_scalable_target()
            .service_namespace(ServiceNamespace::Sagemaker)
            .resource_id(&scaled.resource_id)
            .scalable_dimension(dimension(scaled.dimension));
        gone(call.send().await.map_err(|error| refused(action::DEREGISTER, &scaled.resource_id, &error)))
    }

    pub(super) async fn put_policy(
        &self,
        step: &Step,
        desired: &ScalingPolicy,
        observed: Option<&Resource>,
    ) -> Result<Applied, Error> {
        // A policy of another type cannot become one that tracks a target.
        if let Some(Resource::ScalingPolicy(other)) = observed
            && other.tracking.is_none()
        {
            self.delete_policy(other).await?;
        }
        let Some(tracked) = &desired.tracking else {
            return Err(Error::bug(
                step.action.name(),
                &step.key.to_string(),
                "a policy that tracks nothing is desired",
            ));
        };
        let subject = subject("scaling policy", &desired.name, &desired.scaled);
        let tracked = tracking(tracked).map_err(|error| failure::unexpected(action::PUT_POLICY, &subject, error))?;
        self.client
            .put_scaling_policy()
            .service_namespace(ServiceNamespace::Sagemaker)
            .resource_id(&desired.scaled.resource_id)
            .scalable_dimension(dimension(desired.scaled.dimension))
            .policy_name(&desired.name)
            .policy_type(PolicyType::TargetTrackingScaling)
            .target_tracking_scaling_policy_configuration(tracked)
            .send()
            .await
            .map_err(|error| refused(action::PUT_POLICY, &subject, &error))?;
        Ok(Applied::Ready)
    }

    pub(super) async fn delete_policy(&self, observed: &ScalingPolicy) -> Result<Applied, Error> {
        let subject = subject("scaling policy", &observed.name, &observed.scaled);
        let call = self
            .client
            .delete_scaling_policy()
            .service_namespace(ServiceNamespace::Sagemaker)
            .resource_id(&observed.scaled.resource_id)
            .scalable_dimension(dimension(observed.scaled.dimension))
            .policy_name(&observed.name);
        gone(call.send().await.map_err(|error| refused(action::DELETE_POLICY, &subject, &error)))
    }

    pub(super) async fn put_action(&self, desired: &ScheduledAction) -> Result<Applied, Error> {
        let subject = subject("scheduled action", &desired.name, &desired.scaled);
        let bounds = ScalableTargetAction::builder()
            .set_min_capacity(desired.min_capacity)
            .set_max_capacity(desired.max_capacity)
            .build();
        self.client
            .put_scheduled_action()
            .service_namespace(ServiceNamespace::Sagemaker)
            .resource_id(&desired.scaled.resource_id)
            .scalable_dimension(dimension(desired.scaled.dimension))
            .scheduled_action_name(&desired.name)
            .schedule(&desired.schedule)
            .timezone(&desired.timezone)
            .scalable_target_action(bounds)
            .send()
            .await
            .map_err(|error| refused(action::PUT_ACTION, &subject, &error))?;
        Ok(Applied::Ready)
    }

    pub(super) async fn delete_action(&self, observed: &ScheduledAction) -> Result<Applied, Error> {
        let subject = subject("scheduled action", &observed.name, &observed.scaled);
        let call = self
            .client
            .delete_scheduled_action()
            .service_namespace(ServiceNamespace::Sagemaker)
            .resource_id(&observed.scaled.resource_id)
            .scalable_dimension(dimension(observed.scaled.dimension))
            .scheduled_action_name(&observed.name);
        gone(call.send().await.map_err(|error| refused(action::DELETE_ACTION, &subject, &error)))
    }
}

fn subject(what: &str, name: &str, scaled: &ScalableResource) -> String {
    format!("{what} {name} of {}", scaled.resource_id)
}

fn dimension(dimension: Dimension) -> ScalableDimension {
    ScalableDimension::from(dimension.name())
}

/// A tracked target as Application Auto Scaling takes it.
pub(super) fn tracking(desired: &Tracking) -> Result<TargetTrackingScalingPolicyConfiguration, BuildError> {
    let metric = PredefinedMetricSpecification::builder()
        .predefined_metric_type(MetricType::from(desired.metric.as_str()))
        .build()?;
    TargetTrackingScalingPolicyConfiguration::builder()
        .target_value(desired.target_value)
        .predefined_metric_specification(metric)
        .scale_in_cooldown(desired.scale_in_cooldown_seconds)
        .scale_out_cooldown(desired.scale_out_cooldown_seconds)
        .disable_scale_in(desired.disable_scale_in)
        .build()
}
