//! Models, identities and consumers of which no role could be made.

use serde_json::{Value, json};

use super::Case;
use crate::support::test_env::spec;

const PRINCIPAL: &str = "arn:aws:iam::123456789012:role/batch";

/// A good platform with a model, an identity and a consumer.
pub fn good() -> Value {
    let mut spec = spec(json!([{"name": "a"}]));
    spec["identity"] = json!({"podIdentity": {"clusterArn": "arn:aws:eks:eu-west-1:123456789012:cluster/prod"}});
    spec["models"] = json!([{"name": "fast", "bedrock": {"modelId": "amazon.nova-lite-v1:0"}}]);
    spec["access"] = json!([{"name": "api", "serviceAccount": {"name": "api"}, "models": ["fast"]}]);
    spec
}

/// The good platform with this value at this place.
fn with(path: &str, value: Value) -> Value {
    let mut spec = good();
    let (parent, field) = path.rsplit_once('/').expect("a path begins with a slash");
    spec.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}"))[field] = value;
    spec
}

fn without(field: &str) -> Value {
    let mut spec = good();
    spec.as_object_mut().expect("fields").remove(field).unwrap_or_else(|| panic!("no {field}"));
    spec
}

fn consumer(consumer: Value) -> Value {
    with("/access", json!([consumer]))
}

fn bucket(way: Value) -> Value {
    with("/access/0/buckets", json!([way]))
}

pub fn cases() -> Vec<Case> {
    [models(), identities(), consumers()].concat()
}

fn models() -> Vec<Case> {
    let bedrock = |field: &str, value: Value| with(&format!("/models/0/bedrock/{field}"), value);
    let guardrail = |id: &str, version: &str| bedrock("guardrail", json!({"id": id, "version": version}));
    let profile = |regions: Value| {
        let model = json!({"modelId": "amazon.nova-lite-v1:0", "inferenceProfileId": "eu.amazon.nova-lite-v1:0", "destinationRegions": regions});
        with("/models/0/bedrock", model)
    };
    let model = json!({"name": "fast", "bedrock": {"modelId": "amazon.nova-lite-v1:0"}});
    vec![
        (
            with("/models", json!([{"name": "fast"}])),
            "a model has exactly one backend: bedrock, sagemaker or kubernetes",
        ),
        (with("/models", json!([model, model])), "Duplicate value: {\"name\":\"fast\"}"),
        (bedrock("inferenceProfileId", json!("eu.amazon.nova-lite-v1:0")), "go together"),
        (bedrock("destinationRegions", json!(["eu-west-1"])), "go together"),
        (profile(json!([])), "go together"),
        (profile(json!(["eu-west-1", "eu-west-1"])), "Duplicate value: \"eu-west-1\""),
        (profile(json!(["Ireland"])), "destinationRegions[0]"),
        (bedrock("modelId", json!("nova")), "spec.models[0].bedrock.modelId"),
        (bedrock("modelId", json!("amazon.nova/*")), "spec.models[0].bedrock.modelId"),
        (
            bedrock("inferenceProfileId", json!("arn:aws:bedrock:eu-west-1:123456789012:inference-profile/x")),
            "inferenceProfileId",
        ),
        (guardrail("gr1", "latest"), "spec.models[0].bedrock.guardrail.version"),
        (guardrail("gr1", "0"), "spec.models[0].bedrock.guardrail.version"),
        (guardrail("gr1", "+3"), "spec.models[0].bedrock.guardrail.version"),
        (guardrail("GR-1", "3"), "spec.models[0].bedrock.guardrail.id"),
    ]
}

fn identities() -> Vec<Case> {
    let provider = "arn:aws:iam::123456789012:oidc-provider/oidc.example.com";
    let cluster = "arn:aws:eks:eu-west-1:123456789012:cluster/prod";
    let one_of = "identity takes exactly one of irsa and podIdentity";
    let both = json!({"irsa": {"oidcProviderArn": provider}, "podIdentity": {"clusterArn": cluster}});
    vec![
        (with("/identity", json!({})), one_of),
        (with("/identity", both), one_of),
        (with("/identity", json!({"irsa": {"oidcProviderArn": cluster}})), "spec.identity.irsa.oidcProviderArn"),
        (with("/identity", json!({"irsa": {}})), "spec.identity.irsa.oidcProviderArn: Required value"),
        (with("/identity", json!({"podIdentity": {"clusterArn": "prod"}})), "spec.identity.podIdentity.clusterArn"),
        (without("identity"), "a consumer with a serviceAccount needs spec.identity"),
        (with("/permissionsBoundaryArn", json!("boundary")), "spec.permissionsBoundaryArn"),
        (with("/permissionsBoundaryArn", json!(PRINCIPAL)), "spec.permissionsBoundaryArn"),
        (with("/assumeRole", json!({"roleArn": provider})), "spec.assumeRole.roleArn"),
        (with("/assumeRole", json!({"roleArn": PRINCIPAL, "externalId": "x"})), "spec.assumeRole.externalId"),
    ]
}

fn consumers() -> Vec<Case> {
    let one_of = "a consumer has exactly one of serviceAccount and principalArns";
    let principals = |names: Value| consumer(json!({"name": "api", "principalArns": names, "models": ["fast"]}));
    let api = json!({"name": "api", "serviceAccount": {"name": "api"}, "models": ["fast"]});
    vec![
        (consumer(json!({"name": "api", "models": ["fast"]})), one_of),
        (with("/access/0/principalArns", json!([PRINCIPAL])), one_of),
        (principals(json!([])), one_of),
        (with("/access", json!([api, api])), "Duplicate value: {\"name\":\"api\"}"),
        (with("/access/0/name", json!("The API")), "spec.access[0].name"),
        (with("/access/0/serviceAccount", json!({"name": "API"})), "spec.access[0].serviceAccount.name"),
        (with("/access/0/serviceAccount", json!({"name": "api", "namespace": "a.b"})), "serviceAccount.namespace"),
        (with("/access/0/models", json!(["slow"])), "access names a model that spec.models does not declare"),
        (without("models"), "access names a model that spec.models does not declare"),
        (with("/access/0/models", json!(["fast", "fast"])), "Duplicate value: \"fast\""),
        (bucket(json!({"name": "b"})), "access names a bucket that spec.storage.buckets does not declare"),
        (bucket(json!({"name": "a", "prefix": "a/*"})), "spec.access[0].buckets[0].prefix"),
        (bucket(json!({"name": "a", "prefix": "${aws:username}/"})), "spec.access[0].buckets[0].prefix"),
        (bucket(json!({"name": "a", "mode": "Write"})), "supported values: \"Read\", \"ReadWrite\""),
        (principals(json!(["batch"])), "spec.access[0].principalArns[0]"),
        (principals(json!(["arn:aws:iam::123456789012:role/a/../b"])), "spec.access[0].principalArns[0]"),
        (principals(json!(["*"])), "spec.access[0].principalArns[0]"),
        (principals(json!(["arn:aws:iam::123456789012:root"])), "spec.access[0].principalArns[0]"),
        (principals(json!([PRINCIPAL, PRINCIPAL])), "Duplicate value"),
    ]
}
