//! Calls of models.

use serde_json::{Value, json};

use super::*;

#[test]
fn a_plain_model_may_be_called_in_its_region() {
    assert_eq!(
        written(calls(json!({}))),
        json!([{
            "Sid": "InvokeFast",
            "Effect": "Allow",
            "Action": INVOKE,
            "Resource": format!("arn:aws:bedrock:eu-west-1::foundation-model/{MODEL}"),
        }])
    );
}

#[test]
fn without_streaming_only_whole_answers_are_allowed() {
    let actions = |spec: Value| {
        let statements = written(spec);
        statements.as_array().unwrap().iter().map(|statement| statement["Action"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(actions(calls(json!({"streaming": false}))), ["bedrock:InvokeModel"]);
    let guarded = calls(json!({"streaming": false, "guardrail": {"id": "gr1", "version": "3"}}));
    assert_eq!(actions(guarded), ["bedrock:InvokeModel", "bedrock:InvokeModel", "bedrock:ApplyGuardrail"]);
}

#[test]
fn a_profile_may_be_called_and_its_model_only_through_it() {
    let profile = format!("arn:aws:bedrock:eu-west-1:123456789012:inference-profile/{PROFILE}");
    assert_eq!(
        written(calls(json!({"inferenceProfileId": PROFILE, "destinationRegions": ["eu-west-1", "eu-north-1"]}))),
        json!([
            {"Sid": "InvokeFastProfile", "Effect": "Allow", "Action": INVOKE, "Resource": profile},
            {
                "Sid": "InvokeFastThroughProfile",
                "Effect": "Allow",
                "Action": INVOKE,
                "Resource": [
                    format!("arn:aws:bedrock:eu-west-1::foundation-model/{MODEL}"),
                    format!("arn:aws:bedrock:eu-north-1::foundation-model/{MODEL}"),
                ],
                "Condition": {"StringEquals": {"bedrock:InferenceProfileArn": profile}},
            },
        ])
    );
}

#[test]
fn a_global_profile_also_reaches_its_model_without_a_region() {
    let spec = calls(json!({"inferenceProfileId": format!("global.{MODEL}"), "destinationRegions": ["eu-west-1"]}));
    assert_eq!(
        written(spec)[1]["Resource"],
        json!([
            format!("arn:aws:bedrock:eu-west-1::foundation-model/{MODEL}"),
            format!("arn:aws:bedrock:::foundation-model/{MODEL}"),
        ])
    );
}

#[test]
fn a_guardrail_is_a_condition_of_every_call_at_its_version() {
    let foundation = format!("arn:aws:bedrock:eu-west-1::foundation-model/{MODEL}");
    let guardrail = "arn:aws:bedrock:eu-west-1:123456789012:guardrail/gr1";
    for (version, identifier) in [("3", format!("{guardrail}:3")), ("DRAFT", guardrail.to_string())] {
        assert_eq!(
            written(calls(json!({"guardrail": {"id": "gr1", "version": version}}))),
            json!([
                {
                    "Sid": "InvokeFast",
                    "Effect": "Allow",
                    "Action": INVOKE,
                    "Resource": foundation,
                    "Condition": {"StringEquals": {"bedrock:GuardrailIdentifier": identifier}},
                },
                {
                    "Sid": "RequireGuardrailForFast",
                    "Effect": "Deny",
                    "Action": INVOKE,
                    "Resource": foundation,
                    "Condition": {"StringNotEquals": {"bedrock:GuardrailIdentifier": identifier}},
                },
                {
                    "Sid": "ApplyGuardrailForFast",
                    "Effect": "Allow",
                    "Action": "bedrock:ApplyGuardrail",
                    "Resource": guardrail,
                },
            ])
        );
    }
}

#[test]
fn a_guardrail_holds_for_the_profile_and_for_the_model_behind_it() {
    let statements = written(calls(json!({
        "inferenceProfileId": PROFILE,
        "destinationRegions": ["eu-west-1"],
        "guardrail": {"id": "gr1", "version": "3"},
    })));
    let identifier = "arn:aws:bedrock:eu-west-1:123456789012:guardrail/gr1:3";
    let profile = format!("arn:aws:bedrock:eu-west-1:123456789012:inference-profile/{PROFILE}");
    let foundation = format!("arn:aws:bedrock:eu-west-1::foundation-model/{MODEL}");
    assert_eq!(
        statements[0]["Condition"],
        json!({"StringEquals": {"bedrock:GuardrailIdentifier": identifier}}),
        "the profile"
    );
    assert_eq!(
        statements[1]["Condition"],
        json!({"StringEquals": {"bedrock:GuardrailIdentifier": identifier, "bedrock:InferenceProfileArn": profile}}),
        "the model behind it"
    );
    assert_eq!(statements[2]["Effect"], "Deny");
    assert_eq!(statements[2]["Resource"], json!([profile, foundation]));
    assert_eq!(statements.as_array().unwrap().len(), 4);
}

#[test]
fn a_guardrail_that_works_across_regions_is_applied_through_its_profile_in_each() {
    let guardrail = json!({"id": "gr1", "version": "3", "guardrailProfileId": "eu.guardrail.v1:0"});
    let statements = written(calls(json!({"guardrail": guardrail})));
    let apply = statements.as_array().unwrap().iter().find(|it| it["Sid"] == "ApplyGuardrailForFast").unwrap();
    assert_eq!(apply["Action"], "bedrock:ApplyGuardrail");
    let mut regions = vec!["eu-west-1"];
    regions.extend(["eu-central-1", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-3", "il-central-1"]);
    let profiles = regions
        .iter()
        .map(|region| format!("arn:aws:bedrock:{region}:123456789012:guardrail-profile/eu.guardrail.v1:0"));
    let guardrail = "arn:aws:bedrock:eu-west-1:123456789012:guardrail/gr1".to_string();
    assert_eq!(apply["Resource"], json!(std::iter::once(guardrail).chain(profiles).collect::<Vec<_>>()));
}
