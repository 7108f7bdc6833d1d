//! What is served.

use super::{Context, Hit, hit};
use crate::api::models::Bedrock;

/// Models of Bedrock, by name.
fn bedrock<'a>(context: &Context<'a>) -> impl Iterator<Item = (&'a str, &'a Bedrock)> {
    context.platform.models.iter().filter_map(|model| Some((model.name.as_str(), model.bedrock.as_ref()?)))
}

/// Whether Bedrock applies guardrails to calls of the model at all. Embedding, reranking and speech take none.
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

pub(super) fn unused(context: &Context) -> Vec<Hit> {
    let models = context.platform.models.iter();
    let unused = models.filter(|model| !context.platform.access.iter().any(|who| who.models.contains(&model.name)));
    unused.map(|model| hit(format!("model {}", model.name), "no consumer may call it")).collect()
}
