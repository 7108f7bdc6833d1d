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
mod tagging;
mod time;
mod write;

use aws_config::SdkConfig;
use aws_sdk_sagemaker::Client;

use super::requests::Measured;
use crate::failure::Error;
use crate::failures::Failures;
use crate::outcome::Applied;
pub use crate::permissions::sagemaker::action;
use crate::plan::{Action, Step};
use crate::resource::{Kind, Resource};
use crate::scope::Scope;

/// SageMaker in one region.
pub(super) struct SageMaker {
    client: Client,
}

impl SageMaker {
    pub(super) fn new(config: &SdkConfig, measured: Measured) -> Self {
        let config = aws_sdk_sagemaker::config::Builder::from(config).interceptor(measured).build();
        Self { client: Client::from_conf(config) }
    }

    pub(super) async fn apply(&self, scope: &Scope, step: &Step) -> Result<Applied, Failures> {
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
