//! Amazon SageMaker: models, endpoint configurations and the endpoints that run them.
//!
//! Models and configurations never change: of them only tags are written. An endpoint is told first, by its tags, what
//! is tried with it, and moved then, so that a crash in between loses nothing.

mod config;
mod deployment;
mod endpoint;
mod model;
mod read;
mod refusal;
mod revisions;
mod snapshot;
mod tagging;
mod time;
mod write;

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sagemaker::Client;
use aws_sdk_sagemaker::primitives::DateTime;

use super::recent::Recent;
use super::requests::Measured;
use super::snapshots::Snapshot;
use crate::failure::Error;
use crate::failures::Failures;
use crate::outcome::Applied;
pub use crate::permissions::sagemaker::action;
use crate::plan::{Action, Step};
use crate::resource::{Kind, Resource};
use crate::scope::Scope;
use crate::tags::Tags;
use endpoint::Description;
use read::arn_of;
use snapshot::ListedEndpoint;

/// The time for which what was read of an endpoint is remembered: its tags hold for that long, and its description unless
/// the list shows a change.
const REMEMBERED: Duration = Duration::from_hours(1);

/// SageMaker in one region.
pub(super) struct SageMaker {
    client: Client,
    endpoints: Snapshot<ListedEndpoint>,
    /// Descriptions of endpoints, by ARN: as long as the list shows no change, they hold.
    descriptions: Recent<String, Description>,
    /// Tags of endpoints, by ARN, with the time at which the endpoint was made.
    tags_of_endpoints: Recent<String, (Option<DateTime>, Tags)>,
}

impl SageMaker {
    pub(super) fn new(config: &SdkConfig, measured: Measured, shared_for: Duration) -> Self {
        let config = aws_sdk_sagemaker::config::Builder::from(config).interceptor(measured).build();
        Self {
            client: Client::from_conf(config),
            endpoints: Snapshot::new(action::LIST_ENDPOINTS, shared_for),
            descriptions: Recent::new(REMEMBERED),
            tags_of_endpoints: Recent::new(REMEMBERED),
        }
    }

    /// Forgets what is remembered of an endpoint.
    fn forget_endpoint(&self, arn: &str) {
        self.descriptions.drop_key(&arn.to_string());
        self.tags_of_endpoints.drop_key(&arn.to_string());
    }

    /// Forgets what a step changes about an endpoint. One that is deleted keeps its tags to the end.
    fn forget_after(&self, arn: &str, action: &Action) {
        match action {
            Action::Delete { .. } => self.descriptions.drop_key(&arn.to_string()),
            _ => self.forget_endpoint(arn),
        }
    }

    pub(super) async fn apply(&self, scope: &Scope, step: &Step) -> Result<Applied, Failures> {
        if step.key.kind != Kind::SageMakerEndpoint {
            return self.write(scope, step).await;
        }
        let _touching = self.endpoints.touch(&step.key.name);
        let arn = arn_of(scope, Kind::SageMakerEndpoint, &step.key.name);
        let _forgetting = Forgetting { sagemaker: self, arn, action: &step.action };
        self.write(scope, step).await
    }

    async fn write(&self, scope: &Scope, step: &Step) -> Result<Applied, Failures> {
        match (&step.action, &step.desired, &step.observed) {
            (Action::Create, Some(Resource::SageMakerModel(desired)), _) => Ok(self.create_model(desired).await?),
            (Action::Create, Some(Resource::SageMakerEndpointConfig(desired)), _) => {
                Ok(self.create_config(desired).await?)
            }
            (Action::Create, Some(Resource::SageMakerEndpoint(desired)), _) => {
                Ok(self.create_endpoint(step, desired).await?)
            }
            (
                Action::Update(changes),
                Some(Resource::SageMakerModel(desired)),
                Some(Resource::SageMakerModel(observed)),
            ) => self.update_model(step, desired, observed, changes).await,
            (
                Action::Update(changes),
                Some(Resource::SageMakerEndpointConfig(desired)),
                Some(Resource::SageMakerEndpointConfig(observed)),
            ) => self.update_config(step, desired, observed, changes).await,
            (
                Action::Update(changes),
                Some(Resource::SageMakerEndpoint(desired)),
                Some(Resource::SageMakerEndpoint(observed)),
            ) => self.update_endpoint(step, desired, observed, changes).await,
            (Action::Delete { .. }, ..) => match step.key.kind {
                Kind::SageMakerModel => Ok(self.delete_model(scope, &step.key.name).await?),
                Kind::SageMakerEndpointConfig => Ok(self.delete_config(scope, &step.key.name).await?),
                Kind::SageMakerEndpoint => Ok(self.delete_endpoint(scope, &step.key.name).await?),
                _ => Err(Error::unknown_step(step).into()),
            },
            _ => Err(Error::unknown_step(step).into()),
        }
    }
}

/// A write of an endpoint. When it ends, however it does, nothing is remembered of what it changes.
struct Forgetting<'a> {
    sagemaker: &'a SageMaker,
    arn: String,
    action: &'a Action,
}

impl Drop for Forgetting<'_> {
    fn drop(&mut self) {
        self.sagemaker.forget_after(&self.arn, self.action);
    }
}
