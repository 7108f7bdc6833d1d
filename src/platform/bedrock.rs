//! Validation of `spec.models[].bedrock`.

use super::{Problem, is_region};
use crate::api::AIPlatformSpec;
use crate::api::models::Bedrock;
use crate::arn;

pub(super) fn validate(spec: &AIPlatformSpec, bedrock: &Bedrock, path: &str, problems: &mut Vec<Problem>) {
    if arn::partition(&spec.region) == "aws-cn" {
        let message =
            format!("Amazon Bedrock does not exist in the China regions, and spec.region is {:?}", spec.region);
        problems.push(Problem::new(path, message));
    }
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
        }
        seen.push(region);
    }
    if let Some(guardrail) = &bedrock.guardrail {
        let number = guardrail.version.parse::<u32>().is_ok_and(|number| number > 0);
        if !number && guardrail.version != "DRAFT" {
            let message = format!("{:?} is not a version: a number such as \"3\", or DRAFT", guardrail.version);
            problems.push(Problem::new(format!("{path}.guardrail.version"), message));
        }
    }
}
