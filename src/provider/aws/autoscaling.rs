//! Application Auto Scaling: what scales SageMaker endpoints.
//!
//! It keeps the bounds of an endpoint's capacity, the target to keep and bounds at certain times, all of them below the
//! endpoint. The alarms that follow from a target are its own and never touched here.

mod read;
mod refusal;
mod write;

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_applicationautoscaling::Client;
use aws_sdk_applicationautoscaling::types::ScalableTarget;

use super::requests::Measured;
use super::snapshots::Snapshot;
use crate::failure::Error;
use crate::failures::Failures;
use crate::outcome::Applied;
pub use crate::permissions::autoscaling::action;
use crate::plan::{Action, Step};
use crate::resource::scaling::ScalableResource;
use crate::resource::{Kind, Resource};

/// Application Auto Scaling in one region.
pub(super) struct Autoscaling {
    client: Client,
    /// By resource id.
    targets: Snapshot<Vec<ScalableTarget>>,
}

impl Autoscaling {
    pub(super) fn new(config: &SdkConfig, measured: Measured, shared_for: Duration) -> Self {
        let config = aws_sdk_applicationautoscaling::config::Builder::from(config).interceptor(measured).build();
        Self { client: Client::from_conf(config), targets: Snapshot::new(action::DESCRIBE_TARGETS, shared_for) }
    }

    pub(super) async fn apply(&self, step: &Step) -> Result<Applied, Failures> {
        let scaled = ScalableResource::parse(&step.key.name);
        let _touching = (step.key.kind == Kind::ScalableTarget).then(|| self.targets.touch(&scaled.resource_id));
        match (&step.action, &step.desired, &step.observed) {
            (Action::Create, Some(Resource::ScalableTarget(desired)), _) => {
                Ok(self.register(desired, Some(&desired.tags)).await?)
            }
            (
                Action::Update(changes),
                Some(Resource::ScalableTarget(desired)),
                Some(Resource::ScalableTarget(observed)),
            ) => self.update_target(step, desired, observed, changes).await,
            (Action::Create | Action::Update(_), Some(Resource::ScalingPolicy(desired)), observed) => {
                Ok(self.put_policy(step, desired, observed.as_ref()).await?)
            }
            (Action::Create | Action::Update(_), Some(Resource::ScheduledAction(desired)), _) => {
                Ok(self.put_action(desired).await?)
            }
            (Action::Delete { .. }, _, Some(Resource::ScalingPolicy(observed))) => {
                Ok(self.delete_policy(observed).await?)
            }
            (Action::Delete { .. }, _, Some(Resource::ScheduledAction(observed))) => {
                Ok(self.delete_action(observed).await?)
            }
            (Action::Delete { .. }, ..) if step.key.kind == Kind::ScalableTarget => {
                Ok(self.deregister(&scaled).await?)
            }
            _ => Err(Error::unknown_step(step).into()),
        }
    }
}
