//! Making models, configurations and endpoints, moving endpoints, and taking all of it away.

use aws_sdk_sagemaker::types::{VariantProperty, VariantPropertyType};

use super::deployment::deployment_config;
use super::read::arn_of;
use super::refusal::{if_there, refused};
use super::tagging::tag_list;
use super::{SageMaker, action, config, model};
use crate::diff::Change;
use crate::plan::Step;
use crate::provider::{Applied, Error, Place};
use crate::resource::endpoint::{self, Attempting};
use crate::resource::{Endpoint, EndpointConfig, Kind, Model, endpoint_config};
use crate::tags::{self, Tags};

impl SageMaker {
    pub(super) async fn create_model(&self, desired: &Model) -> Result<Applied, Error> {
        self.client
            .create_model()
            .model_name(&desired.name)
            .primary_container(model::container(&desired.content))
            .execution_role_arn(&desired.content.execution_role_arn)
            .enable_network_isolation(desired.content.network_isolation)
            .set_tags(Some(tag_list(&desired.tags)))
            .send()
            .await
            .map_err(|error| refused(action::CREATE_MODEL, &desired.arn, &error))?;
        Ok(Applied::Ready)
    }

    pub(super) async fn update_model(
        &self,
        desired: &Model,
        observed: &Model,
        changes: &[Change],
    ) -> Result<Applied, Error> {
        if differs(changes, endpoint_config::field::TAGS) {
            self.put_tags(&desired.arn, &desired.tags, &observed.tags).await?;
        }
        Ok(Applied::Ready)
    }

    pub(super) async fn delete_model(&self, place: &Place, name: &str) -> Result<Applied, Error> {
        let arn = arn_of(place, Kind::SageMakerModel, name);
        let call = self.client.delete_model().model_name(name);
        if_there(call.send().await.map_err(|error| refused(action::DELETE_MODEL, &arn, &error)))?;
        Ok(Applied::Gone)
    }

    pub(super) async fn create_config(&self, desired: &EndpointConfig) -> Result<Applied, Error> {
        let content = &desired.content;
        self.client
            .create_endpoint_config()
            .endpoint_config_name(&desired.name)
            .production_variants(config::variant(content))
            .set_async_inference_config(content.asynchronous.as_ref().map(config::async_config))
            .set_data_capture_config(content.data_capture.as_ref().map(config::capture_config))
            .set_tags(Some(tag_list(&desired.tags)))
            .send()
            .await
            .map_err(|error| refused(action::CREATE_CONFIG, &desired.arn, &error))?;
        Ok(Applied::Ready)
    }

    pub(super) async fn update_config(
        &self,
        desired: &EndpointConfig,
        observed: &EndpointConfig,
        changes: &[Change],
    ) -> Result<Applied, Error> {
        if differs(changes, endpoint_config::field::TAGS) {
            self.put_tags(&desired.arn, &desired.tags, &observed.tags).await?;
        }
        let counted = changes.iter().find(|change| change.field() == endpoint_config::field::RECREATED);
        if let Some(value) = counted.and_then(|change| change.to.as_str()) {
            self.tag(&desired.arn, &Tags::from([(tags::RECREATED.to_string(), value.to_string())])).await?;
        }
        Ok(Applied::Ready)
    }

    pub(super) async fn delete_config(&self, place: &Place, name: &str) -> Result<Applied, Error> {
        let arn = arn_of(place, Kind::SageMakerEndpointConfig, name);
        let call = self.client.delete_endpoint_config().endpoint_config_name(name);
        if_there(call.send().await.map_err(|error| refused(action::DELETE_CONFIG, &arn, &error)))?;
        Ok(Applied::Gone)
    }

    pub(super) async fn create_endpoint(&self, step: &Step, desired: &Endpoint) -> Result<Applied, Error> {
        let mut tags = desired.tags.clone();
        tags.extend(remembered(step));
        self.client
            .create_endpoint()
            .endpoint_name(&desired.name)
            .endpoint_config_name(&desired.config)
            .set_deployment_config(desired.deployment.as_ref().map(deployment_config))
            .set_tags(Some(tag_list(&tags)))
            .send()
            .await
            .map_err(|error| refused(action::CREATE_ENDPOINT, &desired.arn, &error))?;
        Ok(Applied::Progressing(format!("Creating with revision {}", desired.revision())))
    }

    /// What is tried is written down before it is tried.
    pub(super) async fn update_endpoint(
        &self,
        step: &Step,
        desired: &Endpoint,
        observed: &Endpoint,
        changes: &[Change],
    ) -> Result<Applied, Error> {
        let moves = differs(changes, endpoint::field::CONFIG);
        let mut written = Tags::new();
        if differs(changes, endpoint::field::TAGS) {
            self.untag(&desired.arn, &desired.tags, &observed.tags).await?;
            written = tags::changed(&desired.tags, &observed.tags);
        }
        if moves || differs(changes, endpoint::field::ATTEMPT) {
            written.extend(remembered(step));
        }
        self.tag(&desired.arn, &written).await?;
        if !moves {
            return Ok(if desired.config == observed.config || step.held.is_some() {
                Applied::Ready
            } else {
                Applied::Progressing(format!("about to be moved to revision {}", desired.revision()))
            });
        }
        let resize = step.attempting.as_ref().is_some_and(|attempting| attempting.resize);
        self.move_endpoint(desired, resize).await?;
        let confirmation = step.attempting.as_ref().and_then(Attempting::confirmation).unwrap_or_default();
        self.tag(&desired.arn, &confirmation).await?;
        Ok(Applied::Progressing(format!("Updating to revision {}", desired.revision())))
    }

    /// Whatever scaled the endpoint meanwhile keeps its say, unless the user has changed the number.
    async fn move_endpoint(&self, desired: &Endpoint, resize: bool) -> Result<(), Error> {
        let count =
            || VariantProperty::builder().variant_property_type(VariantPropertyType::DesiredInstanceCount).build();
        self.client
            .update_endpoint()
            .endpoint_name(&desired.name)
            .endpoint_config_name(&desired.config)
            .retain_all_variant_properties(true)
            .set_exclude_retained_variant_properties(resize.then(|| vec![count()]))
            .set_deployment_config(desired.deployment.as_ref().map(deployment_config))
            .send()
            .await
            .map_err(|error| refused(action::UPDATE_ENDPOINT, &desired.arn, &error))?;
        Ok(())
    }

    pub(super) async fn delete_endpoint(&self, place: &Place, name: &str) -> Result<Applied, Error> {
        let arn = arn_of(place, Kind::SageMakerEndpoint, name);
        let call = self.client.delete_endpoint().endpoint_name(name);
        let answer = call.send().await.map_err(|error| refused(action::DELETE_ENDPOINT, &arn, &error));
        Ok(if_there(answer)?.map_or(Applied::Gone, |_| Applied::Progressing("Deleting".into())))
    }
}

fn differs(changes: &[Change], field: &str) -> bool {
    changes.iter().any(|change| change.field() == field)
}

fn remembered(step: &Step) -> Tags {
    step.attempting.as_ref().map(Attempting::tags).unwrap_or_default()
}
