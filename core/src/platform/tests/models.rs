//! Problems with `spec.models`.

#![expect(clippy::needless_pass_by_value, reason = "json!({...}) reads better without a reference")]

use serde_json::{Value, json};

use super::{is_fine, is_refused, problems};
use crate::api::AIPlatform;
use crate::testing::object;

const PROFILE: &str = "eu.amazon.nova-lite-v1:0";

/// An object whose only model has these fields of `bedrock`.
fn bedrock(fields: Value) -> AIPlatform {
    with_region("eu-west-1", fields)
}

fn with_region(region: &str, fields: Value) -> AIPlatform {
    let mut bedrock = json!({"modelId": "amazon.nova-lite-v1:0"});
    for (field, value) in fields.as_object().unwrap() {
        bedrock[field] = value.clone();
    }
    object(json!({"region": region, "models": [{"name": "fast", "bedrock": bedrock}]}))
}

fn regions(regions: Value) -> AIPlatform {
    bedrock(json!({"inferenceProfileId": PROFILE, "destinationRegions": regions}))
}

#[test]
fn models_have_names_of_their_own() {
    let model = json!({"name": "fast", "bedrock": {"modelId": "amazon.nova-lite-v1:0"}});
    let object = object(json!({"models": [model, model]}));
    is_refused(&object, "spec.models[1].name", "\"fast\" is the name of spec.models[0] too: names are unique");
}

#[test]
fn a_model_has_a_backend() {
    is_refused(&object(json!({"models": [{"name": "fast"}]})), "spec.models[0]", "is served by bedrock");
}

#[test]
fn a_model_has_one_backend() {
    let image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:1.4.0";
    let both = json!({
        "name": "fast",
        "bedrock": {"modelId": "amazon.nova-lite-v1:0"},
        "sagemaker": {"image": image, "instance": {"type": "ml.g5.xlarge"}},
    });
    is_refused(&object(json!({"models": [both]})), "spec.models[0]", "has several backends");
}

#[test]
fn the_name_of_a_model_becomes_part_of_other_names() {
    let named =
        |name: &str| object(json!({"models": [{"name": name, "bedrock": {"modelId": "amazon.nova-lite-v1:0"}}]}));
    for name in ["a", "a-1", "1", &"x".repeat(63)] {
        is_fine(&named(name));
    }
    for name in ["", "Fast", "a.b", "-a", "a-", "a_b", &"x".repeat(64)] {
        is_refused(&named(name), "spec.models[0].name", "is not a name: 1 to 63 lower-case letters");
    }
}

#[test]
fn there_is_no_bedrock_in_china() {
    is_refused(&with_region("cn-north-1", json!({})), "spec.models[0].bedrock", "does not exist in the China regions");
    is_fine(&with_region("us-gov-west-1", json!({})));
}

#[test]
fn a_profile_and_its_regions_go_together() {
    let path = "spec.models[0].bedrock.destinationRegions";
    is_fine(&regions(json!(["eu-west-1", "eu-north-1"])));
    is_fine(&bedrock(json!({})));
    is_refused(
        &bedrock(json!({"inferenceProfileId": PROFILE})),
        path,
        "is empty: name every region of profile eu.amazon",
    );
    is_refused(
        &bedrock(json!({"destinationRegions": ["eu-west-1"]})),
        path,
        "means something only with inferenceProfileId",
    );
}

#[test]
fn destination_regions_are_regions_of_the_partition_each_named_once() {
    for (second, telling) in [
        ("Ireland", "is not the name of an AWS region"),
        ("*", "is not the name of an AWS region"),
        ("us-gov-west-1", "is in another partition of AWS than spec.region, \"eu-west-1\""),
        ("eu-west-1", "is named twice"),
    ] {
        is_refused(&regions(json!(["eu-west-1", second])), "spec.models[0].bedrock.destinationRegions[1]", telling);
    }
}

#[test]
fn a_guardrail_has_a_version_that_is_a_number_or_draft() {
    let guarded = |version: &str| bedrock(json!({"guardrail": {"id": "gr1abc", "version": version}}));
    for version in ["1", "12345678", "DRAFT"] {
        is_fine(&guarded(version));
    }
    for version in ["", "0", "-1", "1.0", "draft", "latest", "3 "] {
        let telling = "is not a version: a number such as \"3\", or DRAFT";
        is_refused(&guarded(version), "spec.models[0].bedrock.guardrail.version", telling);
    }
}

#[test]
fn everything_wrong_with_models_is_said_at_once() {
    let object = object(json!({"models": [
        {"name": "fast", "bedrock": {"modelId": "amazon.nova-lite-v1:0", "inferenceProfileId": PROFILE}},
        {"name": "fast"},
        {"name": "smart", "bedrock": {
            "modelId": "amazon.nova-pro-v1:0",
            "destinationRegions": ["eu-west-1", "x"],
            "guardrail": {"id": "gr1", "version": "x"},
        }},
    ]}));
    let paths: Vec<String> = problems(&object).into_iter().map(|problem| problem.path).collect();
    assert_eq!(
        paths,
        [
            "spec.models[0].bedrock.destinationRegions",
            "spec.models[1].name",
            "spec.models[1]",
            "spec.models[2].bedrock.destinationRegions",
            "spec.models[2].bedrock.destinationRegions[1]",
            "spec.models[2].bedrock.guardrail.version",
        ]
    );
}

#[test]
fn the_id_of_a_profile_is_no_model() {
    for geography in ["us", "eu", "apac", "jp", "au", "ca", "us-gov", "global"] {
        let id = format!("{geography}.anthropic.claude-haiku-4-5-20251001-v1:0");
        let object = bedrock(json!({"modelId": id}));
        is_refused(&object, "spec.models[0].bedrock.modelId", "is the id of an inference profile");
        let reported = problems(&object);
        assert_eq!(reported.len(), 1, "{reported:?}");
        for part in ["\"anthropic.claude-haiku-4-5-20251001-v1:0\"", "inferenceProfileId", "destinationRegions"] {
            assert!(reported[0].message.contains(part), "{part}: {}", reported[0]);
        }
    }
    for model in ["zai.glm-4.7", "deepseek.v3.2", "openai.gpt-oss-120b-1:0", "ai21.jamba-1-5-large-v1:0", "usa.x"] {
        is_fine(&bedrock(json!({"modelId": model})));
    }
}

#[test]
fn an_arn_is_no_id() {
    let arn = |rest: &str| format!("arn:aws:bedrock:eu-west-1:123456789012:{rest}");
    let field = |field: &str| format!("spec.models[0].bedrock.{field}");
    let model = "arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-lite-v1:0";
    let object = bedrock(json!({"modelId": model}));
    is_refused(&object, &field("modelId"), "an id is expected: \"amazon.nova-lite-v1:0\"");
    let profile = |id: String| bedrock(json!({"inferenceProfileId": id, "destinationRegions": ["eu-west-1"]}));
    let object = profile(arn("inference-profile/eu.amazon.nova-lite-v1:0"));
    is_refused(&object, &field("inferenceProfileId"), "an id is expected: \"eu.amazon.nova-lite-v1:0\"");
    let object = profile(arn("application-inference-profile/a1b2c3"));
    is_refused(&object, &field("inferenceProfileId"), "application inference profiles cannot be named here");
    let guardrail = |fields: Value| bedrock(json!({"guardrail": fields}));
    let object = guardrail(json!({"id": arn("guardrail/gr1abc"), "version": "1"}));
    is_refused(&object, &field("guardrail.id"), "an id is expected: \"gr1abc\"");
    let object = guardrail(
        json!({"id": "gr1", "version": "1", "guardrailProfileId": arn("guardrail-profile/eu.guardrail.v1:0")}),
    );
    is_refused(&object, &field("guardrail.guardrailProfileId"), "an id is expected: \"eu.guardrail.v1:0\"");
}

#[test]
fn a_profile_belongs_to_its_model_and_to_the_region_it_is_called_from() {
    let profile = |region: &str, id: &str, destination: &str| {
        with_region(region, json!({"inferenceProfileId": id, "destinationRegions": [destination]}))
    };
    let field = "spec.models[0].bedrock.inferenceProfileId";
    let nova = "amazon.nova-lite-v1:0";
    is_refused(&profile("eu-west-1", "eu.amazon.nova-pro-v1:0", "eu-west-1"), field, "is no profile of model");
    is_refused(&profile("eu-west-1", nova, "eu-west-1"), field, "is the model's own id");
    is_refused(&profile("us-east-1", &format!("eu.{nova}"), "eu-west-1"), field, "cannot be called from spec.region");
    let reported = problems(&profile("us-gov-west-1", &format!("us.{nova}"), "us-gov-west-1"));
    assert!(reported[0].path == field && reported[0].message.contains("cannot be called from"), "{reported:?}");
    for (region, geography, destination) in [
        ("eu-central-1", "eu", "eu-north-1"),
        ("ca-central-1", "us", "us-west-2"),
        ("ca-central-1", "ca", "ca-west-1"),
        ("ap-southeast-2", "au", "ap-southeast-4"),
        ("sa-east-1", "global", "us-east-1"),
        ("us-gov-west-1", "us-gov", "us-gov-east-1"),
        ("eu-west-1", "atlantis", "us-east-1"),
    ] {
        is_fine(&profile(region, &format!("{geography}.{nova}"), destination));
    }
}

#[test]
fn a_profile_has_regions_of_its_own_geography() {
    let object = regions(json!(["eu-west-1", "us-east-1"]));
    is_refused(
        &object,
        "spec.models[0].bedrock.destinationRegions[1]",
        "is no region of a profile of geography \"eu\"",
    );
    is_fine(&regions(json!(["eu-west-1", "il-central-1"])));
}

#[test]
fn a_guardrail_profile_is_one_of_the_regions_geography() {
    let guarded = |region: &str, profile: &str| {
        let guardrail = json!({"id": "gr1", "version": "1", "guardrailProfileId": profile});
        with_region(region, json!({"guardrail": guardrail}))
    };
    let field = "spec.models[0].bedrock.guardrail.guardrailProfileId";
    is_fine(&guarded("eu-central-1", "eu.guardrail.v1:0"));
    is_fine(&guarded("us-gov-west-1", "us-gov.guardrail.v1:0"));
    is_refused(&guarded("eu-central-1", "us.guardrail.v1:0"), field, "cannot be called from spec.region");
    is_refused(&guarded("ap-northeast-1", "jp.guardrail.v1:0"), field, "a geography that has guardrail profiles");
    is_refused(&guarded("eu-central-1", "europe.guardrail.v1:0"), field, "is not the id of a guardrail profile");
}
