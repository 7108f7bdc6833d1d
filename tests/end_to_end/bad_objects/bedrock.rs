//! Ids of Amazon Bedrock that are well formed one by one and cannot be what they are said to be, or cannot belong
//! together: a policy with them would name what does not exist, and every call would be denied.

use serde_json::{Value, json};

use super::Case;
use crate::support::test_env::spec;

const HAIKU: &str = "anthropic.claude-haiku-4-5-20251001-v1:0";

fn model_in(region: &str, bedrock: Value) -> Value {
    let mut spec = spec(json!([]));
    spec["region"] = json!(region);
    spec["models"] = json!([{"name": "chat", "bedrock": bedrock}]);
    spec
}

fn model(bedrock: Value) -> Value {
    model_in("eu-west-1", bedrock)
}

fn profile(profile: &str, regions: &[&str]) -> Value {
    json!({"modelId": HAIKU, "inferenceProfileId": profile, "destinationRegions": regions})
}

fn guardrail(guardrail: Value) -> Value {
    model(json!({"modelId": HAIKU, "guardrail": guardrail}))
}

fn guardrail_profile(id: &str) -> Value {
    guardrail(json!({"id": "gr1abc", "version": "3", "guardrailProfileId": id}))
}

/// What looks odd and is right.
pub fn good() -> Vec<Value> {
    vec![
        model(json!({"modelId": "zai.glm-4.7"})),
        model(json!({"modelId": "deepseek.v3.2"})),
        model(json!({"modelId": "us-startup.model-1"})),
        model(profile(&format!("eu.{HAIKU}"), &["eu-west-1", "eu-central-1", "il-central-1"])),
        model(profile(&format!("global.{HAIKU}"), &["eu-west-1", "us-east-1", "ap-northeast-1"])),
        model_in("us-gov-west-1", profile(&format!("us-gov.{HAIKU}"), &["us-gov-west-1", "us-gov-east-1"])),
        model_in("ap-northeast-1", profile(&format!("jp.{HAIKU}"), &["ap-northeast-1", "ap-northeast-3"])),
        guardrail_profile("eu.guardrail.v1:0"),
    ]
}

pub fn cases() -> Vec<Case> {
    let geographies = ["eu", "us", "us-gov", "apac", "jp", "au", "ca", "uk", "global"];
    let profiles = geographies.map(|geography| model(json!({"modelId": format!("{geography}.{HAIKU}")})));
    let as_model = profiles.into_iter().map(|spec| (spec, "the profile goes into inferenceProfileId"));
    let arn = |rest: &str| format!("arn:aws:bedrock:eu-west-1:123456789012:{rest}");
    let of_another = "of another geography than spec.region";
    let no_region = "destinationRegions has a region that is not of the profile's geography";
    let no_profile = "inferenceProfileId is a cross-region profile of this very model";
    let others = vec![
        (model(json!({"modelId": format!("arn:aws:bedrock:eu-west-1::foundation-model/{HAIKU}")})), "modelId is an id"),
        (model(profile(&arn(&format!("inference-profile/eu.{HAIKU}")), &["eu-west-1"])), "inferenceProfileId is an id"),
        (model(profile(HAIKU, &["eu-west-1"])), no_profile),
        (model(profile("eu.amazon.nova-pro-v1:0", &["eu-west-1"])), no_profile),
        (model(profile(&format!("us.{HAIKU}"), &["us-east-1"])), of_another),
        (model(profile(&format!("us-gov.{HAIKU}"), &["us-gov-west-1"])), of_another),
        (model_in("us-gov-west-1", profile(&format!("us.{HAIKU}"), &["us-east-1"])), of_another),
        (model_in("us-gov-west-1", profile(&format!("global.{HAIKU}"), &["us-gov-west-1"])), of_another),
        (model(profile(&format!("eu.{HAIKU}"), &["eu-west-1", "us-east-1"])), no_region),
        (model_in("ap-northeast-1", profile(&format!("jp.{HAIKU}"), &["ap-northeast-2"])), no_region),
        (guardrail(json!({"id": arn("guardrail/gr1abc"), "version": "3"})), "guardrail.id is an id and not an ARN"),
        (guardrail_profile(&arn("guardrail-profile/eu.guardrail.v1:0")), "guardrailProfileId is an id and not an ARN"),
        (guardrail_profile("us.guardrail.v1:0"), of_another),
        (guardrail_profile("jp.guardrail.v1:0"), "begins with a geography that has guardrail profiles"),
        (guardrail_profile("gr1abc"), "guardrailProfileId"),
    ];
    as_model.chain(others).collect()
}
