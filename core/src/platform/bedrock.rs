//! Validation of `spec.models[].bedrock`.

use super::{Problem, geography, is_region};
use crate::api::AIPlatformSpec;
use crate::api::models::{Bedrock, Guardrail};
use crate::arn;

pub(super) fn validate(spec: &AIPlatformSpec, bedrock: &Bedrock, path: &str, problems: &mut Vec<Problem>) {
    if arn::partition(&spec.region) == "aws-cn" {
        let message =
            format!("Amazon Bedrock does not exist in the China regions, and spec.region is {:?}", spec.region);
        problems.push(Problem::new(path, message));
    }
    validate_ids(spec, bedrock, path, problems);
    match (&bedrock.inference_profile_id, bedrock.destination_regions.is_empty()) {
        (Some(profile), true) => {
            let message = format!(
                "is empty: name every region of profile {profile} (aws bedrock get-inference-profile lists them); the policy \
                 has to name the model in each of them"
            );
            problems.push(Problem::new(format!("{path}.destinationRegions"), message));
        }
        (None, false) => {
            let message = "means something only with inferenceProfileId: name the profile, or leave the regions out";
            problems.push(Problem::new(format!("{path}.destinationRegions"), message));
        }
        _ => {}
    }
    let profile = bedrock.inference_profile_id.as_deref().and_then(geography::split);
    let mut seen = Vec::new();
    for (index, region) in bedrock.destination_regions.iter().enumerate() {
        let path = format!("{path}.destinationRegions[{index}]");
        if !is_region(region) {
            problems
                .push(Problem::new(path, format!("{region:?} is not the name of an AWS region, such as eu-west-1")));
        } else if arn::partition(region) != arn::partition(&spec.region) {
            let message = format!("{region:?} is in another partition of AWS than spec.region, {:?}", spec.region);
            problems.push(Problem::new(path, message));
        } else if seen.contains(&region) {
            problems.push(Problem::new(path, format!("{region:?} is named twice")));
        } else if let Some((geography, _)) = profile.filter(|(geography, _)| !geography::has(geography, region)) {
            let message = format!(
                "{region:?} is no region of a profile of geography {geography:?}: name the regions that aws bedrock \
                 get-inference-profile lists"
            );
            problems.push(Problem::new(path, message));
        }
        seen.push(region);
    }
    if let Some(guardrail) = &bedrock.guardrail {
        let number = guardrail.version.parse::<u32>().is_ok_and(|number| number > 0);
        if !number && guardrail.version != "DRAFT" {
            let message = format!("{:?} is not a version: a number such as \"3\", or DRAFT", guardrail.version);
            problems.push(Problem::new(format!("{path}.guardrail.version"), message));
        }
        validate_guardrail(spec, guardrail, &format!("{path}.guardrail"), problems);
    }
}

/// Ids that are well formed one by one and cannot be what they are said to be, or cannot belong together.
fn validate_ids(spec: &AIPlatformSpec, bedrock: &Bedrock, path: &str, problems: &mut Vec<Problem>) {
    let Bedrock { model_id, inference_profile_id, .. } = bedrock;
    let path = |field: &str| format!("{path}.{field}");
    if model_id.starts_with("arn:") {
        problems.push(Problem::new(path("modelId"), not_an_arn(model_id, "foundation-model/")));
        return;
    }
    if let Some((geography, model)) = geography::split(model_id) {
        let message = format!(
            "{model_id:?} is the id of an inference profile: modelId is the model's own id, {model:?}; the profile goes into \
             inferenceProfileId, with its destinationRegions (geography {geography:?})"
        );
        problems.push(Problem::new(path("modelId"), message));
        return;
    }
    let Some(profile) = inference_profile_id else { return };
    let message = match geography::split(profile) {
        _ if profile.starts_with("arn:") => {
            let why = not_an_arn(profile, "inference-profile/");
            format!("{why}; application inference profiles cannot be named here")
        }
        _ if profile == model_id => format!(
            "{profile:?} is the model's own id: leave the field out to call the model in {}, or name a cross-region profile, \
             such as eu.{model_id}",
            spec.region
        ),
        _ if !profile.ends_with(&format!(".{model_id}")) => format!(
            "{profile:?} is no profile of model {model_id:?}: the id of a cross-region profile is a geography, such as eu, a \
             dot and the model's id"
        ),
        Some((geography, _)) if !geography::has(geography, &spec.region) => {
            another_geography(profile, geography, &spec.region)
        }
        _ => return,
    };
    problems.push(Problem::new(path("inferenceProfileId"), message));
}

fn validate_guardrail(spec: &AIPlatformSpec, guardrail: &Guardrail, path: &str, problems: &mut Vec<Problem>) {
    if guardrail.id.starts_with("arn:") {
        let why = not_an_arn(&guardrail.id, "guardrail/");
        let message = format!("{why}; the guardrail is one of the platform's account and region");
        problems.push(Problem::new(format!("{path}.id"), message));
    }
    let Some(profile) = &guardrail.guardrail_profile_id else { return };
    let message = match geography::split(profile) {
        _ if profile.starts_with("arn:") => not_an_arn(profile, "guardrail-profile/"),
        Some((geography, _)) if !geography::has(geography, &spec.region) => {
            another_geography(profile, geography, &spec.region)
        }
        _ if geography::guardrail_regions(profile, &spec.region).is_empty() => format!(
            "{profile:?} is not the id of a guardrail profile: it begins with a geography that has guardrail profiles, us, \
             us-gov, eu, uk, apac, au or ca, such as eu.guardrail.v1:0"
        ),
        _ => return,
    };
    problems.push(Problem::new(format!("{path}.guardrailProfileId"), message));
}

fn not_an_arn(value: &str, before: &str) -> String {
    match value.split_once(before) {
        Some((_, id)) if !id.is_empty() => format!("{value:?} is an ARN, and an id is expected: {id:?}"),
        _ => format!("{value:?} is an ARN, and an id is expected, what follows {before}"),
    }
}

fn another_geography(profile: &str, geography: &str, region: &str) -> String {
    format!(
        "{profile:?} is a profile of geography {geography:?}, which cannot be called from spec.region {region:?}: take the \
         profile of the region's own geography, or a global one"
    )
}
