#![expect(clippy::needless_pass_by_value, reason = "json!({...}) reads better without a reference")]

mod bedrock;
mod execution;
mod limits;
mod sagemaker;
mod storage;
mod trust;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::*;
use crate::api::AIPlatform;
use crate::platform::validate;
use crate::policy::reasons;
use crate::testing::object;

const PROFILE: &str = "eu.anthropic.claude-haiku-4-5-20251001-v1:0";
const MODEL: &str = "anthropic.claude-haiku-4-5-20251001-v1:0";
const INVOKE: [&str; 2] = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"];

fn irsa() -> Value {
    json!({"irsa": {"oidcProviderArn": "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC"}})
}

/// An object whose consumers are IRSA service accounts, unless `spec` says otherwise.
fn platform(spec: Value) -> Platform {
    let mut whole = json!({"identity": irsa()});
    merge(&mut whole, spec);
    validate(&object(whole)).unwrap()
}

fn merge(whole: &mut Value, fields: Value) {
    let Value::Object(fields) = fields else { panic!("fields stand in an object: {fields}") };
    for (field, value) in fields {
        whole[field] = value;
    }
}

/// A consumer `api` of one model `fast` that is served by this.
fn calls(bedrock: Value) -> Value {
    let mut whole = json!({"modelId": MODEL});
    merge(&mut whole, bedrock);
    json!({
        "models": [{"name": "fast", "bedrock": whole}],
        "access": [{"name": "api", "serviceAccount": {"name": "api"}, "models": ["fast"]}],
    })
}

/// A model `rank` on SageMaker with these fields, beside a bucket `artifacts` with those. The artifact is in it.
fn serves(sagemaker: Value, bucket: Value) -> Value {
    let mut model = json!({
        "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/search/rank:1.4.0",
        "modelData": {"bucket": "artifacts", "key": "models/rank/model.tar.gz"},
        "instance": {"type": "ml.g5.xlarge"},
    });
    merge(&mut model, sagemaker);
    let mut spec = uses(bucket, json!([]));
    spec["models"] = json!([{"name": "rank", "sagemaker": model}]);
    spec["access"] = json!([]);
    spec
}

/// A consumer `api` that uses the bucket `artifacts`, which has these fields, in these ways.
fn uses(bucket: Value, ways: Value) -> Value {
    let mut whole = json!({"name": "artifacts", "bucketName": "the-bucket"});
    merge(&mut whole, bucket);
    json!({
        "storage": {"buckets": [whole]},
        "access": [{"name": "api", "serviceAccount": {"name": "api"}, "buckets": ways}],
    })
}

fn only(spec: Value) -> Grant {
    let mut grants = grants(&platform(spec)).unwrap();
    assert_eq!(grants.len(), 1);
    grants.remove(0)
}

/// The statements of a grant's only policy, as IAM takes them.
fn written(spec: Value) -> Value {
    let grant = only(spec);
    let [(name, statements)] = grant.policies.as_slice() else { panic!("one policy is enough: {:?}", grant.policies) };
    assert_eq!(name, "access");
    let document = document(statements);
    assert_eq!(document["Version"], "2012-10-17");
    document["Statement"].clone()
}

#[test]
fn what_a_consumer_does_not_name_is_not_in_its_policy() {
    let spec = json!({
        "models": [
            {"name": "fast", "bedrock": {"modelId": MODEL}},
            {"name": "other", "bedrock": {"modelId": "amazon.nova-lite-v1:0"}},
        ],
        "storage": {"buckets": [{"name": "artifacts", "bucketName": "the-bucket"}, {"name": "logs", "bucketName": "the-logs"}]},
        "access": [
            {"name": "api", "serviceAccount": {"name": "api"}, "models": ["fast"], "buckets": [{"name": "logs"}]},
            {"name": "batch", "serviceAccount": {"name": "batch"}, "models": ["other"]},
        ],
    });
    let grants = grants(&platform(spec)).unwrap();
    let text = |index: usize| document(&grants[index].policies[0].1).to_string();
    let (api, batch): (String, String) = (text(0), text(1));
    assert!(api.contains(MODEL) && api.contains("the-logs") && !api.contains("nova") && !api.contains("the-bucket"));
    assert!(batch.contains("nova") && !batch.contains(MODEL) && !batch.contains("s3:"));
    assert_ne!(grants[0].role, grants[1].role);
}

#[test]
fn another_partition_is_in_every_arn() {
    let spec = json!({
        "region": "us-gov-west-1",
        "identity": {"irsa": {"oidcProviderArn": "arn:aws-us-gov:iam::123456789012:oidc-provider/oidc.eks.us-gov-west-1.amazonaws.com/id/ABC"}},
        "models": [{"name": "fast", "bedrock": {
            "modelId": MODEL,
            "inferenceProfileId": format!("us-gov.{MODEL}"),
            "destinationRegions": ["us-gov-west-1", "us-gov-east-1"],
            "guardrail": {"id": "gr1", "version": "1"},
        }}],
        "storage": {"buckets": [{"name": "artifacts"}]},
        "access": [{"name": "api", "serviceAccount": {"name": "api"}, "models": ["fast"], "buckets": [{"name": "artifacts"}]}],
    });
    let grant = only(spec);
    assert!(grant.arn.starts_with("arn:aws-us-gov:iam::123456789012:role/aiplatform/"), "{}", grant.arn);
    let texts = [document(&grant.policies[0].1).to_string(), grant.trust_policy().as_written().to_string()];
    for text in texts {
        assert!(text.contains("arn:aws-us-gov:") && !text.contains("arn:aws:"), "{text}");
    }
}

#[test]
fn a_role_is_named_after_its_consumer_and_a_long_name_is_cut_before_the_hash() {
    let named = |name: &str| {
        let mut spec = calls(json!({}));
        spec["access"][0]["name"] = name.into();
        only(spec)
    };
    let short = named("api");
    assert_eq!(short.name, "api");
    assert!(short.role.starts_with("support-assistant-api-"), "{}", short.role);
    assert_eq!(short.arn, format!("arn:aws:iam::123456789012:role/aiplatform/{}", short.role));
    let (one, other) = (named(&"a".repeat(63)), named(&format!("{}b", "a".repeat(62))));
    for long in [&one, &other] {
        assert_eq!(long.role.len(), 64);
        assert!(long.role.starts_with("support-assistant-aaa"), "{}", long.role);
    }
    assert_ne!(one.role, other.role, "what is cut off is in the hash");
}

/// Models and buckets whose names run together once they are words of a Sid.
fn everything() -> Value {
    json!({
        "models": [
            {"name": "a1", "bedrock": {"modelId": MODEL}},
            {"name": "a-1", "bedrock": {"modelId": "amazon.nova-lite-v1:0", "guardrail": {"id": "gr1", "version": "DRAFT"}}},
            {"name": "a--1", "bedrock": {"modelId": MODEL, "inferenceProfileId": PROFILE, "destinationRegions": ["eu-west-1"]}},
            {"name": "a1-profile", "bedrock": {"modelId": "amazon.nova-pro-v1:0"}},
        ],
        "storage": {"buckets": [
            {"name": "b", "encryption": {"kmsKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/1"}},
            {"name": "b2", "encryption": {"kmsKeyArn": "arn:aws:kms:eu-west-1:123456789012:alias/2"}},
            {"name": "b-2"},
        ]},
        "access": [{
            "name": "api",
            "serviceAccount": {"name": "api"},
            "models": ["a1", "a-1", "a--1", "a1-profile"],
            "buckets": [
                {"name": "b"},
                {"name": "b", "prefix": "x/", "mode": "ReadWrite"},
                {"name": "b2", "mode": "ReadWrite"},
                {"name": "b-2"},
            ],
        }],
    })
}

/// Models on SageMaker that need everything a role can be given for them, and a consumer of both.
fn served() -> Value {
    let destination = |prefix: &str| json!({"bucket": "artifacts", "prefix": prefix});
    let rank = json!({
        "dataCapture": {"destination": destination("capture/")},
        "rollout": {"strategy": "Canary", "stepPercent": 10, "rollbackAlarms": ["rank-5xx", "rank slow"]},
        "modelData": {"bucket": "artifacts", "key": "models/rank/"},
    });
    let mut spec = serves(rank, json!({"encryption": {"kmsKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/1"}}));
    let mut later = spec["models"][0].clone();
    later["name"] = "later".into();
    later["sagemaker"]["async"] = json!({"output": destination("async/")});
    spec["models"].as_array_mut().unwrap().push(later);
    spec["access"] = json!([{"name": "api", "serviceAccount": {"name": "api"}, "models": ["rank", "later"]}]);
    spec
}

#[test]
fn every_statement_has_a_sid_of_its_own_that_iam_takes() {
    for spec in [everything(), served()] {
        let platform = platform(spec);
        let grants = grants(&platform).unwrap();
        for (_, statements) in grants.iter().flat_map(|grant| &grant.policies) {
            let sids: BTreeSet<&str> = statements.iter().map(|statement| statement.sid.as_str()).collect();
            assert_eq!(sids.len(), statements.len(), "{sids:?}");
            for sid in sids {
                assert!(!sid.is_empty() && sid.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{sid}");
            }
        }
        assert_eq!(super::grants(&platform).unwrap(), grants, "and always the same ones");
    }
}

#[test]
fn every_statement_says_why_and_what_it_allows_is_listed() {
    let mut pods = everything();
    pods["identity"] = json!({"podIdentity": {"clusterArn": "arn:aws:eks:eu-west-1:123456789012:cluster/prod"}});
    let mut principals = everything();
    principals["access"][0]["serviceAccount"] = Value::Null;
    principals["access"][0]["principalArns"] = json!(["arn:aws:iam::123456789012:role/batch"]);
    let mut private = served();
    private["network"] =
        json!({"vpcId": "vpc-0a", "subnetIds": ["subnet-0a", "subnet-0b"], "routeTableIds": ["rtb-0a"]});
    let mut used = BTreeSet::new();
    let grants = [everything(), pods, principals, served(), private].map(|spec| grants(&platform(spec)).unwrap());
    for grant in grants.iter().flatten() {
        let all = grant.policies.iter().map(|(_, statements)| statements).chain([&grant.trust]);
        for statements in all {
            for (sid, reason) in reasons(statements) {
                assert!(!reason.is_empty(), "{sid} has no reason");
            }
            used.extend(statements.iter().flat_map(|statement| statement.actions.clone()));
        }
    }
    assert_eq!(used, ACTIONS.iter().map(ToString::to_string).collect(), "and nothing is listed that is never used");
}

#[test]
fn reasons_name_the_consumer_and_what_it_uses() {
    let grant = only(everything());
    let reason = |sid: &str| reasons(&grant.policies[0].1)[sid].clone();
    for (sid, telling) in [
        ("InvokeA1", "consumer api may call model a1"),
        ("ReadB", "consumer api may read bucket b, all of it"),
        ("WriteB2", "consumer api may read and write bucket b, below x/"),
        ("KeyOfB", "bucket b is encrypted with this key"),
    ] {
        assert!(reason(sid).starts_with(telling), "{sid}: {}", reason(sid));
    }
}

#[test]
fn the_digest_changes_with_what_is_allowed_and_with_nothing_else() {
    let digest = |spec: &Value| only(spec.clone()).policy_sha256();
    let mut base = everything();
    base["ownership"] = json!({"team": "support", "contact": "s@example.com", "environment": "prod"});
    let before = digest(&base);
    assert_eq!(before.len(), 64);
    assert!(before.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let same = [
        ("/access/0/name", json!("backend")),
        ("/access/0/serviceAccount", json!({"name": "other", "namespace": "search"})),
        ("/ownership/team", json!("sales")),
        ("/identity", json!({"podIdentity": {"clusterArn": "arn:aws:eks:eu-west-1:123456789012:cluster/prod"}})),
    ];
    let other = [
        ("/access/0/models", json!(["a1"])),
        ("/access/0/buckets/0/mode", json!("ReadWrite")),
        ("/access/0/buckets/1/prefix", json!("y/")),
        ("/models/0/bedrock/streaming", json!(false)),
        ("/models/1/bedrock/guardrail/version", json!("4")),
        ("/models/2/bedrock/destinationRegions", json!(["eu-west-1", "eu-west-2"])),
        ("/storage/buckets/0/encryption/kmsKeyArn", json!("arn:aws:kms:eu-west-1:123456789012:key/9")),
    ];
    base["identity"] = irsa();
    for (changes, cases) in [(false, &same[..]), (true, &other[..])] {
        for (path, value) in cases {
            let mut spec = base.clone();
            let (parent, field) = path.rsplit_once('/').unwrap();
            spec.pointer_mut(parent).unwrap()[field] = value.clone();
            assert_eq!(digest(&spec) != before, changes, "{path}");
        }
    }
}
