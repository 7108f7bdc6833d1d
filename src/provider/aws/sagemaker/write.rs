//! Making models, configurations and endpoints, moving endpoints, and taking all of it away.

use aws_sdk_sagemaker::types::{VariantProperty, VariantPropertyType};

use super::deployment::deployment_config;
use super::read::arn_of;
use super::refusal::{if_there, refused};
use super::tagging::tag_list;
use super::{SageMaker, action, config, model};
use crate::diff::Change;
use crate::failure::Error;
use crate::failures::{Failures, Parts};
use crate::outcome::Applied;
use crate::plan::Step;
use crate::resource::endpoint::{self, EndpointUpdate};
use crate::resource::{Endpoint, EndpointConfig, Kind, Model, endpoint_config};
use crate::scope::Scope;
use crate::tags::{self, Tags};

impl SageMaker {
    pub(super) async fn create_model(&self, desired: &Model) -> Result<Applied, Error> {
        self.client
            .create_model()
            .model_name(&desired.name)
            .primary_container(model::container(&desired.content))
            .execution_role_arn(&desired.content.execution_role_arn)
            .enable_network_isolation(desired.content.network_isolation)
            .set_vpc_config(model::vpc_config(desired)?)
            .set_tags(Some(tag_list(&desired.tags)))
            .send()
            .await
            .map_err(|error| refused(action::CREATE_MODEL, &desired.arn, &error))?;
        Ok(Applied::Ready)
    }

    pub(super) async fn update_model(
        &self,
        step: &Step,
        desired: &Model,
        observed: &Model,
        changes: &[Change],
    ) -> Result<Applied, Failures> {
        let mut parts = known_fields(step, changes, &[endpoint_config::field::TAGS]);
        if differs(changes, endpoint_config::field::TAGS) {
            self.put_tags(&desired.arn, &desired.tags, &observed.tags, &mut parts).await;
        }
        parts.end(Applied::Ready)
    }

    pub(super) async fn delete_model(&self, scope: &Scope, name: &str) -> Result<Applied, Error> {
        let arn = arn_of(scope, Kind::SageMakerModel, name);
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
        step: &Step,
        desired: &EndpointConfig,
        observed: &EndpointConfig,
        changes: &[Change],
    ) -> Result<Applied, Failures> {
        use endpoint_config::field;
        let mut parts = known_fields(step, changes, &[field::TAGS, field::RECREATED]);
        if differs(changes, field::TAGS) {
            self.put_tags(&desired.arn, &desired.tags, &observed.tags, &mut parts).await;
        }
        let counted = changes.iter().find(|change| change.field() == field::RECREATED);
        if let Some(value) = counted.and_then(|change| change.to.as_str()) {
            let memory = Tags::from([(tags::RECREATED.to_string(), value.to_string())]);
            parts.note(field::RECREATED, self.tag(&desired.arn, &memory).await);
        }
        parts.end(Applied::Ready)
    }

    pub(super) async fn delete_config(&self, scope: &Scope, name: &str) -> Result<Applied, Error> {
        let arn = arn_of(scope, Kind::SageMakerEndpointConfig, name);
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

    /// Records the attempt before the call. Tags that are refused do not keep the endpoint from its update.
    pub(super) async fn update_endpoint(
        &self,
        step: &Step,
        desired: &Endpoint,
        observed: &Endpoint,
        changes: &[Change],
    ) -> Result<Applied, Failures> {
        use endpoint::field;
        let mut parts = known_fields(step, changes, &[field::TAGS, field::CONFIG, field::ATTEMPT]);
        let moves = differs(changes, field::CONFIG);
        let mut written = Tags::new();
        if differs(changes, field::TAGS) {
            written = tags::changed(&desired.tags, &observed.tags);
            if parts.note(field::TAGS, self.untag(&desired.arn, &desired.tags, &observed.tags).await).is_none() {
                written.remove(tags::TAG_KEYS);
            }
        }
        let memory = if moves || differs(changes, field::ATTEMPT) { remembered(step) } else { Tags::new() };
        let remembers = self.tag_and_remember(desired, written, memory, moves, &mut parts).await;
        if !moves {
            let is_there = desired.config == observed.config || step.held_back.is_some();
            let about = || Applied::Progressing(format!("about to be moved to revision {}", desired.revision()));
            return parts.end(if is_there { Applied::Ready } else { about() });
        }
        if remembers {
            let apply_instance_count = step.write_of::<Endpoint>().is_some_and(|update| update.apply_instance_count);
            if parts.note(field::CONFIG, self.move_endpoint(desired, apply_instance_count).await).is_some() {
                let confirmation =
                    step.write_of::<Endpoint>().and_then(EndpointUpdate::confirmation).unwrap_or_default();
                parts.note(field::ATTEMPT, self.tag(&desired.arn, &confirmation).await);
            }
        }
        parts.end(Applied::Progressing(format!("Updating to revision {}", desired.revision())))
    }

    /// Writes tags and memory in one call or, where that is refused, each by itself. Whether the memory is written.
    async fn tag_and_remember(
        &self,
        desired: &Endpoint,
        written: Tags,
        memory: Tags,
        moves: bool,
        parts: &mut Parts,
    ) -> bool {
        use endpoint::field;
        let of_memory = if moves { field::CONFIG } else { field::ATTEMPT };
        let mut together = written.clone();
        together.extend(memory.clone());
        match self.tag(&desired.arn, &together).await {
            Ok(()) => true,
            Err(error) if written.is_empty() => parts.note::<()>(of_memory, Err(error)).is_some(),
            Err(error) => {
                parts.note::<()>(field::TAGS, Err(error));
                memory.is_empty() || parts.note(of_memory, self.tag(&desired.arn, &memory).await).is_some()
            }
        }
    }

    /// Whatever scaled the endpoint meanwhile keeps its say, unless the user has changed the number.
    async fn move_endpoint(&self, desired: &Endpoint, apply_instance_count: bool) -> Result<(), Error> {
        let count =
            || VariantProperty::builder().variant_property_type(VariantPropertyType::DesiredInstanceCount).build();
        self.client
            .update_endpoint()
            .endpoint_name(&desired.name)
            .endpoint_config_name(&desired.config)
            .retain_all_variant_properties(true)
            .set_exclude_retained_variant_properties(apply_instance_count.then(|| vec![count()]))
            .set_deployment_config(desired.deployment.as_ref().map(deployment_config))
            .send()
            .await
            .map_err(|error| refused(action::UPDATE_ENDPOINT, &desired.arn, &error))?;
        Ok(())
    }

    pub(super) async fn delete_endpoint(&self, scope: &Scope, name: &str) -> Result<Applied, Error> {
        let arn = arn_of(scope, Kind::SageMakerEndpoint, name);
        let call = self.client.delete_endpoint().endpoint_name(name);
        let answer = call.send().await.map_err(|error| refused(action::DELETE_ENDPOINT, &arn, &error));
        Ok(if_there(answer)?.map_or(Applied::Gone, |_| Applied::Progressing("Deleting".into())))
    }
}

/// The parts of an update, with a failure for every field that no call writes.
fn known_fields(step: &Step, changes: &[Change], known: &[&str]) -> Parts {
    let mut parts = Parts::default();
    for change in changes.iter().filter(|change| !known.contains(&change.field())) {
        parts.note::<()>(change.field(), Err(Error::unknown_field(step, change.field())));
    }
    parts
}

fn differs(changes: &[Change], field: &str) -> bool {
    changes.iter().any(|change| change.field() == field)
}

fn remembered(step: &Step) -> Tags {
    step.write_of::<Endpoint>().map(EndpointUpdate::tags).unwrap_or_default()
}
