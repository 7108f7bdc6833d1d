//! Findings about models.

use super::{Context, Hit, hit};
use crate::api::access::{Consumer, Mode};
use crate::api::models::Bedrock;
use crate::api::sagemaker::{SageMaker, Strategy};
use crate::desire::sagemaker::{WAIT, data_uri};
use crate::grants::model_buckets::{Use, used};
use crate::platform::Bucket;

/// Models of Bedrock, by name.
fn bedrock<'a>(context: &Context<'a>) -> impl Iterator<Item = (&'a str, &'a Bedrock)> {
    context.platform.models.iter().filter_map(|model| Some((model.name.as_str(), model.bedrock()?)))
}

/// Models of SageMaker, by name.
fn sagemaker<'a>(context: &Context<'a>) -> impl Iterator<Item = (&'a str, &'a SageMaker)> {
    context.platform.models.iter().filter_map(|model| Some((model.name.as_str(), model.sagemaker()?)))
}

/// True when Bedrock applies guardrails to calls of the model at all. Embedding, reranking and speech take none.
/// Source: "Supported Regions and models for Amazon Bedrock Guardrails", Amazon Bedrock user guide.
fn takes_guardrails(model_id: &str) -> bool {
    const WITHOUT: [&str; 4] = ["embed", "rerank", "sonic", "marengo"];
    !WITHOUT.iter().any(|part| model_id.contains(part))
}

pub(super) fn without_guardrail(context: &Context) -> Vec<Hit> {
    if !context.is_production() {
        return Vec::new();
    }
    bedrock(context)
        .filter(|(_, model)| model.guardrail.is_none() && takes_guardrails(&model.model_id))
        .map(|(name, model)| {
            let message = format!("{} answers without a guardrail: set bedrock.guardrail", model.model_id);
            hit(format!("model {name}"), message)
        })
        .collect()
}

pub(super) fn draft(context: &Context) -> Vec<Hit> {
    bedrock(context)
        .filter_map(|(name, model)| {
            let guardrail = model.guardrail.as_ref().filter(|guardrail| guardrail.version == "DRAFT")?;
            let message = format!("guardrail {} is used at DRAFT: publish a version and name it", guardrail.id);
            Some(hit(format!("model {name}"), message))
        })
        .collect()
}

/// Models that are called through a profile, where the data has a class that somebody has to keep to.
fn abroad<'a>(context: &Context<'a>) -> impl Iterator<Item = (&'a str, &'a Bedrock, &'a str, &'a str)> {
    let classification = context.platform.ownership.data_classification.as_deref();
    bedrock(context)
        .filter_map(move |(name, model)| Some((name, model, model.inference_profile_id.as_deref()?, classification?)))
}

fn geography(region: &str) -> &str {
    region.split('-').next().unwrap_or_default()
}

pub(super) fn leaves_region(context: &Context) -> Vec<Hit> {
    let own = &context.platform.region;
    abroad(context)
        .filter_map(|(name, model, profile, classification)| {
            let others: Vec<&str> =
                model.destination_regions.iter().map(String::as_str).filter(|region| region != own).collect();
            let message =
                format!("profile {profile} also sends {classification} data from {own} to {}", others.join(", "));
            (!others.is_empty()).then(|| hit(format!("model {name}"), message))
        })
        .collect()
}

pub(super) fn leaves_geography(context: &Context) -> Vec<Hit> {
    let own = geography(&context.platform.region);
    abroad(context)
        .filter_map(|(name, model, profile, classification)| {
            let others: Vec<&str> = model
                .destination_regions
                .iter()
                .map(String::as_str)
                .filter(|region| geography(region) != own)
                .chain(profile.starts_with("global.").then_some("any region that AWS adds"))
                .collect();
            let message = format!(
                "profile {profile} sends {classification} data out of {own}, to {}: take a profile of {own}",
                others.join(", ")
            );
            (!others.is_empty()).then(|| hit(format!("model {name}"), message))
        })
        .collect()
}

/// A step is of one instance at least, so how many there are depends on how many instances serve by then.
pub(super) fn rollout_without_time(context: &Context) -> Vec<Hit> {
    const LONGEST: i32 = 28800;
    let slow = sagemaker(context).filter_map(|(name, model)| {
        let rollout = model.rollout.as_ref()?;
        let percent = rollout.step_percent.filter(|_| matches!(rollout.strategy, Strategy::Linear | Strategy::Rolling))?;
        let count = model.autoscaling.as_ref().map(|autoscaling| autoscaling.max_instances);
        let count = count.or(model.instance.as_ref().map(|instance| instance.count))?;
        let waits = (99 / percent.max(1)).min(count.saturating_sub(1));
        let wait = rollout.wait_seconds.unwrap_or(WAIT);
        let needed = waits.saturating_mul(wait).saturating_add(rollout.termination_wait_seconds.unwrap_or(0));
        let most = rollout.maximum_execution_seconds.unwrap_or(LONGEST);
        let message = format!(
            "with {count} instances, {waits} waits of {wait} s between the steps of a rollout take {needed} s or more, and it may \
             take {most} s: take larger steps, shorter waits or more time"
        );
        (needed >= most).then(|| hit(format!("model {name}"), message))
    });
    slow.collect()
}

/// Source: `InvokeModelWithBidirectionalStream`, Amazon Bedrock API reference.
pub(super) fn streams_all_the_same(context: &Context) -> Vec<Hit> {
    bedrock(context)
        .filter(|(_, model)| !model.streaming && model.model_id.contains("sonic"))
        .map(|(name, _)| {
            let message = "streaming is false, and InvokeModelWithBidirectionalStream is allowed all the same: what allows \
                           InvokeModel allows it";
            hit(format!("model {name}"), message)
        })
        .collect()
}

/// The consumers that may write an object of a bucket, or, where the key ends in a slash, something below it.
pub(super) fn writers<'a>(
    context: &Context<'a>,
    bucket: &'a Bucket,
    key: &'a str,
) -> impl Iterator<Item = &'a Consumer> {
    context.platform.access.iter().filter(move |consumer| {
        consumer.buckets.iter().any(|access| {
            let prefix = access.prefix.as_deref().unwrap_or_default();
            let below = key.starts_with(prefix) || key.ends_with('/') && prefix.starts_with(key);
            access.name == bucket.name && access.mode == Mode::ReadWrite && below
        })
    })
}

pub(super) fn artifact_writable(context: &Context) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (name, model) in sagemaker(context) {
        let loaded = used(context.platform, model).into_iter().filter(|(how, ..)| *how == Use::ModelData);
        for (_, bucket, key) in loaded {
            hits.extend(writers(context, bucket, &key).map(|consumer| {
                let message = format!(
                    "consumer {} may write {key} in bucket {}, which the model loads: give it another prefix",
                    consumer.name, bucket.name
                );
                hit(format!("model {name}"), message)
            }));
        }
    }
    hits
}

pub(super) fn artifact_elsewhere(context: &Context) -> Vec<Hit> {
    sagemaker(context)
        .filter_map(|(name, model)| {
            let uri = data_uri(context.platform, model.model_data.as_ref()?)?;
            let ours = used(context.platform, model).iter().any(|(how, ..)| *how == Use::ModelData);
            let message = format!("loads {uri}: keep artifacts in a bucket of spec.storage.buckets");
            (!ours).then(|| hit(format!("model {name}"), message))
        })
        .collect()
}

pub(super) fn role_not_made_here(context: &Context) -> Vec<Hit> {
    sagemaker(context)
        .filter_map(|(name, model)| {
            let role = model.execution_role_arn.as_ref()?;
            let message = format!("runs as {role}: read its policies too, or leave executionRoleArn out");
            Some(hit(format!("model {name}"), message))
        })
        .collect()
}

pub(super) fn reaches_networks(context: &Context) -> Vec<Hit> {
    let open = sagemaker(context).filter(|(_, model)| model.serverless.is_none() && !model.network_isolation);
    open.map(|(name, _)| {
        let message = "its container may open connections: set networkIsolation where it only answers requests";
        hit(format!("model {name}"), message)
    })
    .collect()
}

pub(super) fn unused(context: &Context) -> Vec<Hit> {
    let models = context.platform.models.iter();
    let unused = models.filter(|model| !context.platform.access.iter().any(|who| who.models.contains(&model.name)));
    unused.map(|model| hit(format!("model {}", model.name), "no consumer may call it")).collect()
}
