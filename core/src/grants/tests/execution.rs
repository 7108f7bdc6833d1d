//! Roles that SageMaker runs models with.

use serde_json::{Value, json};

use super::*;
use crate::desire::sagemaker::{config_name, endpoint_name};
use crate::resource::endpoint_config::revision_of;

const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd";

/// The statements of a policy, by Sid.
fn by_sid(grant: &Grant, policy: &str) -> BTreeMap<String, Value> {
    let named = grant.policies.iter().find(|(name, _)| name.starts_with(policy)).expect("the policy is there");
    named.1.iter().map(|statement| (statement.sid.clone(), statement.to_value())).collect()
}

fn names(statements: &BTreeMap<String, Value>) -> Vec<&str> {
    statements.keys().map(String::as_str).collect()
}

fn problems(spec: Value) -> Vec<String> {
    let mut whole = json!({"identity": irsa()});
    merge(&mut whole, spec);
    validate(&object(whole)).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn sagemaker_takes_the_role_for_this_account_only() {
    let grant = only(serves(json!({}), json!({})));
    assert_eq!((grant.purpose, grant.name.as_str()), (Purpose::Execution, "rank"));
    assert_eq!(grant.subject.to_string(), "SageMaker, for model rank");
    assert!(grant.role.starts_with("support-assistant-rank-execution-"), "{}", grant.role);
    assert_eq!(grant.arn, format!("arn:aws:iam::123456789012:role/aiplatform/{}", grant.role));
    assert_eq!(
        grant.trust_policy().as_written(),
        json!({"Version": "2012-10-17", "Statement": [{
            "Sid": "SageMaker",
            "Effect": "Allow",
            "Principal": {"Service": "sagemaker.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
        }]})
    );
}

#[test]
fn consumers_come_first_and_a_role_of_ones_own_is_not_made() {
    let mut spec = served();
    let listed = |spec: &Value| {
        let grants = grants(&platform(spec.clone())).unwrap();
        grants.into_iter().map(|grant| grant.whose()).collect::<Vec<_>>()
    };
    assert_eq!(listed(&spec), ["consumer api", "model rank", "model later"]);
    spec["models"][0]["sagemaker"]["executionRoleArn"] = "arn:aws:iam::123456789012:role/own".into();
    assert_eq!(listed(&spec), ["consumer api", "model later"]);
}

#[test]
fn a_model_that_keeps_nothing_needs_its_image_its_artifact_and_a_place_to_log() {
    let platform = platform(serves(json!({}), json!({})));
    let grant = grants(&platform).unwrap().remove(0);
    let group = format!(
        "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/sagemaker/Endpoints/{}",
        endpoint_name(&platform, "rank")
    );
    let standing = by_sid(&grant, "access");
    assert_eq!(names(&standing), ["Logs", "Metrics", "RegistryToken"]);
    assert_eq!(standing["Logs"]["Resource"], json!([group, format!("{group}:*")]));
    assert_eq!(
        (&standing["Metrics"]["Resource"], &standing["Metrics"]["Condition"]),
        (&json!("*"), &json!({"StringEquals": {"cloudwatch:namespace": "/aws/sagemaker/Endpoints"}}))
    );
    assert_eq!(standing["RegistryToken"]["Action"], "ecr:GetAuthorizationToken");
    let revision = by_sid(&grant, "revision-");
    assert_eq!(names(&revision), ["Artifact", "Image"]);
    assert_eq!(
        revision["Artifact"],
        json!({
            "Sid": "Artifact",
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::the-bucket/models/rank/model.tar.gz",
            "Condition": {"StringEquals": {"aws:ResourceAccount": "123456789012"}},
        })
    );
    assert_eq!(revision["Image"]["Resource"], "arn:aws:ecr:eu-west-1:123456789012:repository/search/rank");
}

#[test]
fn what_a_revision_needs_is_named_after_it() {
    let platform_of = |image: &str| platform(serves(json!({"image": image}), json!({})));
    let policies = |platform: &Platform| -> Vec<String> {
        let grant = grants(platform).unwrap().remove(0);
        grant.policies.into_iter().map(|(name, _)| name).collect()
    };
    let first = platform_of("123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:1");
    let spec = first.models[0].sagemaker().unwrap();
    let config = config_name(&first, "rank", spec);
    assert_eq!(policies(&first), ["access".to_string(), format!("revision-{}", revision_of(&config))]);
    let second = platform_of("123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:2");
    assert_ne!(policies(&second), policies(&first));
}

#[test]
fn an_artifact_that_is_a_prefix_is_listed_too() {
    let grant = only(serves(json!({"modelData": {"bucket": "artifacts", "key": "models/rank/1/"}}), json!({})));
    let revision = by_sid(&grant, "revision-");
    assert_eq!(revision["Artifact"]["Resource"], "arn:aws:s3:::the-bucket/models/rank/1/*");
    assert_eq!(
        revision["ListArtifact"],
        json!({
            "Sid": "ListArtifact",
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": "arn:aws:s3:::the-bucket",
            "Condition": {
                "StringEquals": {"aws:ResourceAccount": "123456789012"},
                "StringLike": {"s3:prefix": "models/rank/1/*"},
            },
        })
    );
}

#[test]
fn an_artifact_is_decrypted_with_the_key_of_its_bucket_however_it_is_named() {
    let named = [
        json!({"bucket": "artifacts", "key": "models/model.tar.gz"}),
        json!({"uri": "s3://the-bucket/models/model.tar.gz"}),
    ];
    for data in named {
        let grant = only(serves(json!({"modelData": data}), json!({"encryption": {"kmsKeyArn": KEY}})));
        let key = &by_sid(&grant, "revision-")["KeyOfArtifacts"];
        assert_eq!((&key["Action"], &key["Resource"]), (&json!("kms:Decrypt"), &json!(KEY)));
    }
    let elsewhere = json!({"modelData": {"uri": "s3://others/models/model.tar.gz"}});
    let grant = only(serves(elsewhere, json!({"encryption": {"kmsKeyArn": KEY}})));
    let revision = by_sid(&grant, "revision-");
    assert_eq!(names(&revision), ["Artifact", "Image"]);
    assert_eq!(revision["Artifact"]["Resource"], "arn:aws:s3:::others/models/model.tar.gz");
    let in_image = only(serves(json!({"modelData": null}), json!({})));
    assert_eq!(names(&by_sid(&in_image, "revision-")), ["Image"]);
}

#[test]
fn a_revision_is_about_its_buckets_but_for_an_artifact_that_the_guardrails_allow() {
    let about = |data: Value| {
        let fields = json!({"modelData": data, "async": {"output": {"bucket": "artifacts", "prefix": "async/"}}});
        let grant = only(serves(fields, json!({"encryption": {"kmsKeyArn": KEY}})));
        let statements = grant.policies.into_iter().flat_map(|(_, statements)| statements);
        let about: BTreeMap<String, Option<String>> =
            statements.map(|it| (it.sid, it.about.map(|key| key.to_string()))).collect();
        about
    };
    let bucket = Some("Bucket the-bucket".to_string());
    let declared = about(json!({"bucket": "artifacts", "key": "models/model.tar.gz"}));
    for (sid, expected) in [
        ("Artifact", &bucket),
        ("RequestsAndAnswers", &bucket),
        ("ListRequestsAndAnswers", &bucket),
        ("KeyOfArtifacts", &bucket),
        ("Image", &None),
        ("Logs", &None),
    ] {
        assert_eq!(&declared[sid], expected, "{sid}");
    }
    let named = about(json!({"uri": "s3://the-bucket/models/model.tar.gz"}));
    assert_eq!((&named["Artifact"], &named["KeyOfArtifacts"]), (&None, &bucket));
}

#[test]
fn captured_calls_are_only_written() {
    let alias = "arn:aws:kms:eu-west-1:123456789012:alias/data";
    let capture = json!({"dataCapture": {"destination": {"bucket": "artifacts", "prefix": "capture/"}}});
    let grant = only(serves(capture, json!({"encryption": {"kmsKeyArn": alias}})));
    let revision = by_sid(&grant, "revision-");
    assert_eq!(revision["Capture"]["Action"], "s3:PutObject");
    assert_eq!(revision["Capture"]["Resource"], "arn:aws:s3:::the-bucket/capture/*");
    assert_eq!(
        revision["KeyOfArtifacts"],
        json!({
            "Sid": "KeyOfArtifacts",
            "Effect": "Allow",
            "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
            "Resource": "arn:aws:kms:eu-west-1:123456789012:key/*",
            "Condition": {
                "ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/data"},
                "StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"},
                "StringLike": {
                    "kms:EncryptionContext:aws:s3:arn": ["arn:aws:s3:::the-bucket", "arn:aws:s3:::the-bucket/*"],
                },
            },
        })
    );
}

#[test]
fn requests_are_read_where_answers_are_written() {
    let place = |prefix: &str| json!({"bucket": "artifacts", "prefix": prefix});
    let fields = json!({"async": {"output": place("async/")}, "dataCapture": {"destination": place("capture/")}});
    let grant = only(serves(fields, json!({"encryption": {"kmsKeyArn": KEY}})));
    let revision = by_sid(&grant, "revision-");
    let keys = revision.keys().filter(|sid| sid.starts_with("Key")).count();
    assert_eq!(keys, 1, "one bucket, one key, once");
    let both = &revision["RequestsAndAnswers"];
    assert_eq!(both["Action"], json!(["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"]));
    assert_eq!(both["Resource"], "arn:aws:s3:::the-bucket/async/*");
    assert_eq!(revision["ListRequestsAndAnswers"]["Condition"]["StringLike"], json!({"s3:prefix": "async/*"}));
}

#[test]
fn alarms_are_read_by_name() {
    let rollout = json!({"rollout": {"strategy": "Canary", "stepPercent": 10, "rollbackAlarms": ["a", "b c"]}});
    let alarms = &by_sid(&only(serves(rollout, json!({}))), "access")["RollbackAlarms"];
    assert_eq!(alarms["Action"], "cloudwatch:DescribeAlarms");
    let alarm = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:";
    assert_eq!(alarms["Resource"], json!([format!("{alarm}a"), format!("{alarm}b c")]));
}

#[test]
fn an_image_is_in_the_account_and_the_region_that_its_host_names() {
    let image = |spec: Value| by_sid(&only(spec), "revision-")["Image"].clone();
    let another = "210987654321.dkr.ecr.eu-west-1.amazonaws.com/a/b@sha256:0123abcd";
    let statement = image(serves(json!({"image": another}), json!({})));
    assert_eq!(statement["Resource"], "arn:aws:ecr:eu-west-1:210987654321:repository/a/b");
    let pulling = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];
    assert_eq!(statement["Action"], json!(pulling));
    let fips = "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com/rank";
    let mut spec = serves(json!({"image": fips}), json!({}));
    spec["region"] = "us-gov-west-1".into();
    spec["identity"] = Value::Null;
    let statement = image(spec.clone());
    assert_eq!(statement["Resource"], "arn:aws-us-gov:ecr:us-gov-west-1:123456789012:repository/rank");
    let grant = only(spec);
    for (_, statements) in &grant.policies {
        let text = document(statements).to_string();
        assert!(text.contains("arn:aws-us-gov:") && !text.contains("arn:aws:"), "{text}");
    }
}

#[test]
fn every_statement_goes_back_to_the_field_that_asks_for_it() {
    let grants = grants(&platform(served())).unwrap();
    let (_, later) = (&grants[1], &grants[2]);
    let reported: BTreeMap<&str, &str> = later
        .policies
        .iter()
        .flat_map(|(_, statements)| statements)
        .chain(&later.trust)
        .map(|statement| {
            let field = statement.source.strip_prefix("spec.models[1].sagemaker").expect("the model's");
            (statement.sid.as_str(), field)
        })
        .collect();
    assert_eq!(
        reported,
        BTreeMap::from([
            ("Artifact", ".modelData"),
            ("Capture", ".dataCapture"),
            ("Image", ".image"),
            ("KeyOfArtifacts", ".modelData"),
            ("ListArtifact", ".modelData"),
            ("ListRequestsAndAnswers", ".async"),
            ("Logs", ""),
            ("Metrics", ""),
            ("RegistryToken", ".image"),
            ("RequestsAndAnswers", ".async"),
            ("RollbackAlarms", ".rollout.rollbackAlarms"),
            ("SageMaker", ""),
        ])
    );
}

#[test]
fn an_alarm_whose_name_would_be_a_pattern_is_refused_where_the_role_is_made_here() {
    let alarms = ["fine > 1%", "rank-*", "as?", "${aws:username}"];
    let fields = json!({"rollout": {"strategy": "Canary", "stepPercent": 10, "rollbackAlarms": alarms}});
    let found = problems(serves(fields.clone(), json!({})));
    assert_eq!(found.len(), 3, "{found:?}");
    for (index, problem) in found.iter().enumerate() {
        let place = format!("spec.models[0].sagemaker.rollout.rollbackAlarms[{}]: ", index + 1);
        assert!(problem.starts_with(&place), "{problem}");
        assert!(problem.ends_with("take another name, or name a role of your own in executionRoleArn"), "{problem}");
    }
    let mut own = serves(fields, json!({}));
    own["models"][0]["sagemaker"]["executionRoleArn"] = "arn:aws:iam::123456789012:role/own".into();
    assert!(grants(&platform(own)).unwrap().is_empty());
}

#[test]
fn more_revisions_than_their_policies_have_room_for_are_refused() {
    let kept = |count: u8, key: &str| {
        let key = format!("{key}/");
        serves(json!({"modelData": {"bucket": "artifacts", "key": key}, "keepRevisions": count}), json!({}))
    };
    assert!(grants(&platform(kept(10, "models/rank"))).is_ok(), "keys of an ordinary length leave room for all");
    let found = problems(kept(10, &"k".repeat(600)));
    let [problem] = found.as_slice() else { panic!("one problem: {found:?}") };
    assert!(
        problem.starts_with("spec.models[0].sagemaker.keepRevisions: 10 superseded revisions are too many"),
        "{problem}"
    );
    let most: u8 = problem.rsplit(' ').next().and_then(|most| most.parse().ok()).expect("how many fit");
    assert!(grants(&platform(kept(most, &"k".repeat(600)))).is_ok());
    assert_eq!(problems(kept(most + 1, &"k".repeat(600))).len(), 1);
}

#[test]
fn what_fits_into_no_policy_is_refused_with_the_way_out() {
    let alarms: Vec<String> = (0..10).map(|number| format!("{number}{}", "\"".repeat(254))).collect();
    let long = format!("{}/", "k".repeat(895));
    let fields = json!({
        "modelData": {"bucket": "artifacts", "key": long},
        "async": {"output": {"bucket": "artifacts", "prefix": format!("{}/", "a".repeat(390))}},
        "rollout": {"strategy": "Canary", "stepPercent": 10, "rollbackAlarms": alarms},
        "keepRevisions": 0,
    });
    let found = problems(serves(fields, json!({})));
    let [problem] = found.as_slice() else { panic!("one problem: {found:?}") };
    assert!(
        problem.starts_with("spec.models[0].sagemaker: the policies of the role made for model \"rank\" take"),
        "{problem}"
    );
    assert!(problem.contains("of which IAM allows 10240: name fewer rollbackAlarms or shorter keys"), "{problem}");
}
