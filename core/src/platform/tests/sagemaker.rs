//! Problems with `spec.models[].sagemaker`, its scaling and its rollout aside.

#![expect(clippy::needless_pass_by_value, reason = "json!({...}) reads better without a reference")]

use serde_json::{Value, json};

use super::{is_fine, is_refused, problems};
use crate::api::AIPlatform;
use crate::grants;
use crate::platform::validate;
use crate::testing::object;

const IMAGE: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:1.4.0";

/// An object with a bucket called `artifacts`, whose only model has these fields of `sagemaker`; one that is null is
/// left out.
pub(super) fn with(fields: Value) -> AIPlatform {
    elsewhere("eu-west-1", fields)
}

fn elsewhere(region: &str, fields: Value) -> AIPlatform {
    let mut model = json!({"image": IMAGE, "instance": {"type": "ml.g5.xlarge"}});
    for (field, value) in fields.as_object().unwrap() {
        model[field] = value.clone();
    }
    model.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    object(json!({
        "region": region,
        "storage": {"buckets": [{"name": "artifacts"}]},
        "models": [{"name": "rank", "sagemaker": model}],
    }))
}

/// The same on a serverless endpoint.
pub(super) fn serverless(serverless: Value, fields: Value) -> AIPlatform {
    let mut without_instance = json!({"instance": null, "serverless": {"memoryMiB": 4096, "maxConcurrency": 20}});
    for (field, value) in serverless.as_object().unwrap() {
        without_instance["serverless"][field] = value.clone();
    }
    for (field, value) in fields.as_object().unwrap() {
        without_instance[field] = value.clone();
    }
    with(without_instance)
}

pub(super) fn refused(object: &AIPlatform, field: &str, telling: &str) {
    is_refused(object, &format!("spec.models[0].sagemaker{field}"), telling);
}

#[test]
fn a_model_with_everything_is_fine() {
    let rank = json!({
        "image": IMAGE,
        "modelData": {"bucket": "artifacts", "key": "models/rank/1.4.0/model.tar.gz"},
        "environment": {"LOG_LEVEL": "info"},
        "executionRoleArn": "arn:aws:iam::123456789012:role/service/rank",
        "networkIsolation": false,
        "instance": {"type": "ml.g5.xlarge", "count": 2, "volumeSizeGiB": 64, "startupTimeoutSeconds": 900, "modelDownloadTimeoutSeconds": 900},
        "async": {"output": {"bucket": "artifacts", "prefix": "async/"}, "maxConcurrentInvocationsPerInstance": 4},
        "dataCapture": {"destination": {"bucket": "artifacts", "prefix": "capture/"}, "samplingPercent": 20},
        "autoscaling": {
            "minInstances": 2,
            "maxInstances": 8,
            "target": {"invocationsPerInstance": {"loadTest": {"maxRequestsPerSecond": 20, "safetyFactor": 0.5}}},
            "scaleInCooldownSeconds": 300,
            "scaleOutCooldownSeconds": 60,
            "disableScaleIn": false,
            "schedules": [{"name": "morning", "schedule": "cron(0 7 ? * MON-FRI *)", "timezone": "Europe/Dublin", "minInstances": 4, "maxInstances": 8}],
        },
        "rollout": {
            "strategy": "Canary",
            "stepPercent": 10,
            "waitSeconds": 300,
            "terminationWaitSeconds": 60,
            "maximumExecutionSeconds": 1800,
            "rollbackAlarms": ["rank-5xx"],
        },
        "keepRevisions": 1,
    });
    is_fine(&with(rank));
    is_fine(&with(json!({})));
    is_fine(&serverless(json!({}), json!({})));
}

#[test]
fn an_image_is_in_ecr_of_the_platforms_region() {
    let image = |image: &str| with(json!({"image": image}));
    for good in [
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank",
        "763104351884.dkr.ecr.eu-west-1.amazonaws.com/team/rank_a.b-c:1.4.0_X-y",
        "123456789012.dkr.ecr-fips.eu-west-1.amazonaws.com/rank@sha256:0123abc",
    ] {
        is_fine(&image(good));
    }
    for bad in [
        "",
        "rank:1.4.0",
        "docker.io/library/rank:1",
        "12345678901.dkr.ecr.eu-west-1.amazonaws.com/rank",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/Rank",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ml/../secret/x:1",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ml//x:1",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ml/./x:1",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ml/:1",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ml/x..y:1",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ml/x-:1",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:a b",
        "123456789012.dkr.ecr.eu-west-1.example.com/rank",
        "123456789012.dkr.ecr..amazonaws.com/rank",
        "https://123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank",
    ] {
        let telling = "is not an image in Amazon ECR, such as ACCOUNT.dkr.ecr.eu-west-1.amazonaws.com/REPOSITORY:TAG";
        refused(&image(bad), ".image", telling);
    }
    refused(
        &image("123456789012.dkr.ecr.us-east-1.amazonaws.com/rank:1"),
        ".image",
        "is in us-east-1, and SageMaker takes images of its own region alone, eu-west-1",
    );
    refused(&image("123456789012.dkr.ecr.eu-west-1.amazonaws.eu/rank"), ".image", "registries end in amazonaws.com");
    let long = format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/{}", "x".repeat(211));
    refused(&image(&long), ".image", "has 256 characters: SageMaker allows 255");
    for (region, suffix) in
        [("cn-north-1", "amazonaws.com.cn"), ("eusc-de-east-1", "amazonaws.eu"), ("us-gov-west-1", "amazonaws.com")]
    {
        is_fine(&elsewhere(region, json!({"image": format!("123456789012.dkr.ecr.{region}.{suffix}/rank")})));
    }
}

#[test]
fn an_artifact_is_in_one_place() {
    let data = |data: Value| with(json!({"modelData": data}));
    let bucket = "artifacts";
    for good in [
        json!({"bucket": bucket, "key": "a.tar.gz"}),
        json!({"bucket": bucket, "key": "a/b/"}),
        json!({"uri": "s3://somebody-elses.bucket/a/model.tar.gz"}),
        json!({"uri": "s3://somebody-elses.bucket/a/"}),
    ] {
        is_fine(&data(good));
    }
    for neither in [
        json!({}),
        json!({"bucket": bucket}),
        json!({"key": "a/"}),
        json!({"bucket": bucket, "uri": "s3://one/a/"}),
        json!({"bucket": bucket, "key": "a/", "uri": "s3://one/a/"}),
    ] {
        refused(&data(neither), ".modelData", "takes either bucket and key, or uri");
    }
    let unknown = data(json!({"bucket": "models", "key": "a/"}));
    refused(&unknown, ".modelData.bucket", "\"models\" is not in spec.storage.buckets, which has artifacts");
    for (key, telling) in [
        ("", "ends neither in .tar.gz"),
        ("model.zip", "ends neither in .tar.gz"),
        ("/a/", "begins with /"),
        ("/", "begins with /"),
        (".tar.gz", "is nothing but an ending"),
        ("a*/", "has one of * ? $"),
        ("${aws:username}/", "has one of * ? $"),
        (&format!("{}/", "x".repeat(900)), "has 901 bytes"),
    ] {
        refused(&data(json!({"bucket": bucket, "key": key})), ".modelData.key", telling);
    }
    for (uri, telling) in [
        ("", "is not an S3 URI"),
        ("https://bucket/a/", "is not an S3 URI"),
        ("s3://bucket", "is not an S3 URI"),
        ("s3://Bucket/a/", "is not an S3 URI"),
        ("s3://b/a/", "is not an S3 URI"),
        ("s3://bucket/", "ends neither in .tar.gz"),
        ("s3://bucket//", "begins with /"),
        ("s3://bucket/a?/", "has one of * ? $"),
    ] {
        refused(&data(json!({"uri": uri})), ".modelData.uri", telling);
    }
    let prefix = |data: Value| serverless(json!({}), json!({"modelData": data}));
    is_fine(&prefix(json!({"bucket": bucket, "key": "a.tar.gz"})));
    refused(&prefix(json!({"bucket": bucket, "key": "a/"})), ".modelData.key", "takes only a compressed artifact");
    refused(&prefix(json!({"uri": "s3://bucket/a/"})), ".modelData.uri", "takes only a compressed artifact");
}

#[test]
fn an_environment_keeps_to_sagemakers_limits_and_its_values_are_not_shown() {
    let environment = |entries: Vec<(String, String)>| {
        let entries: serde_json::Map<_, _> = entries.into_iter().map(|(key, value)| (key, value.into())).collect();
        with(json!({"environment": entries}))
    };
    let one = |key: &str, value: &str| environment(vec![(key.into(), value.into())]);
    let many = |count: usize, length: usize| {
        environment((0..count).map(|n| (format!("KEY_{n:03}"), "x".repeat(length))).collect())
    };
    is_fine(&one("_a1", "any\nthing at all: é"));
    is_fine(&one(&"x".repeat(1024), &"x".repeat(1024)));
    is_fine(&many(100, 10));
    is_fine(&many(32, 1017));
    for key in ["", "1A", "A-B", "A.B", "É"] {
        refused(&one(key, "x"), &format!(".environment[{key:?}]"), "is not the name of a variable");
    }
    let long = "x".repeat(1025);
    refused(&one(&long, "x"), &format!(".environment[{long:?}]"), "its name is 1025 bytes long");
    let reported = problems(&one("TOKEN", &"é".repeat(513)));
    assert!(
        reported.len() == 1 && reported[0].message == "its value is 1026 bytes long: SageMaker allows 1024",
        "{reported:?}"
    );
    refused(&many(101, 10), ".environment", "101 variables are too many: SageMaker allows 100");
    refused(&many(32, 1018), ".environment", "is 32800 bytes long: SageMaker allows 32768");
}

#[test]
fn a_role_is_one_of_the_platforms_own_account() {
    let role = |role: &str| with(json!({"executionRoleArn": role}));
    is_fine(&role("arn:aws:iam::123456789012:role/path/of/rank+=,.@_-"));
    for (arn, telling) in [
        ("rank", "is not an ARN"),
        ("arn:aws:sagemaker:eu-west-1:123456789012:model/rank", "one of iam is expected"),
        ("arn:aws-cn:iam::123456789012:role/rank", "is in partition aws-cn"),
        ("arn:aws:iam::123456789012:user/rank", "is not a role, such as arn:aws:iam::123456789012:role/NAME"),
        ("arn:aws:iam::123456789012:role/", "has an empty part in its path, or one of dots alone"),
        ("arn:aws:iam::123456789012:role/ml/../Admin", "has an empty part in its path, or one of dots alone"),
        ("arn:aws:iam::123456789012:role/ml//Admin", "has an empty part in its path, or one of dots alone"),
        ("arn:aws:iam::123456789012:role/./Admin", "has an empty part in its path, or one of dots alone"),
        ("arn:aws:iam::123456789012:role/ml/", "has an empty part in its path, or one of dots alone"),
        ("arn:aws:iam::123456789012:role/a b", "is not a role"),
        ("arn:aws:iam::123456789012:role/*", "is not a role"),
        ("arn:aws:iam:eu-west-1:123456789012:role/rank", "is not a role"),
        ("arn:aws:iam::1234:role/rank", "is not a role"),
        ("arn:aws:iam::210987654321:role/rank", "is a role of account 210987654321"),
        (&format!("arn:aws:iam::123456789012:role/{}", "x".repeat(482)), "has 513 characters"),
    ] {
        refused(&role(arn), ".executionRoleArn", telling);
    }
}

#[test]
fn a_model_runs_on_instances_or_on_none() {
    let telling = "takes exactly one of instance and serverless";
    refused(&with(json!({"instance": null})), "", telling);
    refused(&with(json!({"serverless": {"memoryMiB": 1024, "maxConcurrency": 1}})), "", telling);
}

#[test]
fn instances_keep_to_sagemakers_limits() {
    let instance = |field: &str, value: Value| {
        let mut instance = json!({"type": "ml.g5.xlarge"});
        instance[field] = value;
        with(json!({"instance": instance}))
    };
    for good in ["ml.m5.large", "ml.p4de.24xlarge", "ml.u-6tb1.metal", "ml.t2.medium"] {
        is_fine(&instance("type", good.into()));
    }
    for bad in [
        "",
        "g5.xlarge",
        "ml.g5",
        "ml..large",
        "ml.G5.xlarge",
        "ml.g5.xlarge.x",
        "ml.g*.xlarge",
        &format!("ml.{}.x", "g".repeat(21)),
    ] {
        refused(&instance("type", bad.into()), ".instance.type", "is not an instance type of SageMaker");
    }
    for (field, least, most) in [
        ("count", 1, 1000),
        ("volumeSizeGiB", 1, 512),
        ("startupTimeoutSeconds", 60, 3600),
        ("modelDownloadTimeoutSeconds", 60, 3600),
    ] {
        is_fine(&instance(field, least.into()));
        is_fine(&instance(field, most.into()));
        for bad in [least - 1, most + 1] {
            let telling = format!("{bad} is out of range: {least} to {most} are allowed");
            refused(&instance(field, bad.into()), &format!(".instance.{field}"), &telling);
        }
    }
}

#[test]
fn a_serverless_endpoint_keeps_to_sagemakers_limits() {
    let field = |field: &str, value: i32| serverless(json!({field: value}), json!({}));
    for good in [1024, 2048, 3072, 4096, 5120, 6144] {
        is_fine(&field("memoryMiB", good));
    }
    for bad in [-1024, 0, 512, 1025, 7168] {
        let telling = "is not one of 1024, 2048, 3072, 4096, 5120 and 6144";
        refused(&field("memoryMiB", bad), ".serverless.memoryMiB", telling);
    }
    for bad in [0, 201] {
        refused(&field("maxConcurrency", bad), ".serverless.maxConcurrency", "1 to 200 are allowed");
        refused(&field("provisionedConcurrency", bad), ".serverless.provisionedConcurrency", "1 to 200 are allowed");
    }
    is_fine(&field("provisionedConcurrency", 20));
    let telling = "21 is greater than maxConcurrency 20";
    refused(&field("provisionedConcurrency", 21), ".serverless.provisionedConcurrency", telling);
}

#[test]
fn what_serverless_endpoints_do_not_have_is_refused() {
    let place = json!({"bucket": "artifacts", "prefix": "a/"});
    for (field, at, value) in [
        ("async", ".async", json!({"output": place})),
        ("dataCapture", ".dataCapture", json!({"destination": place})),
        ("networkIsolation", ".networkIsolation", json!(true)),
        ("rollout", ".rollout.strategy", json!({"strategy": "Rolling", "stepPercent": 5})),
    ] {
        refused(&serverless(json!({}), json!({field: value})), at, "does not go with serverless");
    }
    is_fine(&serverless(
        json!({}),
        json!({"rollout": {"strategy": "Canary", "stepPercent": 5}, "networkIsolation": false}),
    ));
}

#[test]
fn what_is_written_goes_to_a_prefix_in_a_declared_bucket() {
    for (field, place, whole) in [
        ("async", ".async.output", (|it| json!({"output": it})) as fn(Value) -> Value),
        ("dataCapture", ".dataCapture.destination", |it| json!({"destination": it})),
    ] {
        let to = |bucket: &str, prefix: &str| with(json!({field: whole(json!({"bucket": bucket, "prefix": prefix}))}));
        is_fine(&to("artifacts", "a/b/"));
        refused(
            &to("logs", "a/"),
            &format!("{place}.bucket"),
            "\"logs\" is not in spec.storage.buckets, which has artifacts",
        );
        for (prefix, telling) in [
            ("", "does not end in /"),
            ("a", "does not end in /"),
            ("/", "begins with /"),
            ("/a/", "begins with /"),
            ("a*/", "has one of * ? $"),
            (&format!("{}/", "x".repeat(400)), "has 401 bytes"),
        ] {
            refused(&to("artifacts", prefix), &format!("{place}.prefix"), telling);
        }
    }
    let place = json!({"bucket": "artifacts", "prefix": "a/"});
    for bad in [0, 101] {
        let capture = json!({"dataCapture": {"destination": place, "samplingPercent": bad}});
        refused(&with(capture), ".dataCapture.samplingPercent", "1 to 100 are allowed");
    }
    for bad in [0, 1001] {
        let answers = json!({"async": {"output": place, "maxConcurrentInvocationsPerInstance": bad}});
        refused(&with(answers), ".async.maxConcurrentInvocationsPerInstance", "1 to 1000 are allowed");
    }
}

#[test]
fn few_revisions_stay() {
    for good in [0, 10] {
        is_fine(&with(json!({"keepRevisions": good})));
    }
    refused(&with(json!({"keepRevisions": 11})), ".keepRevisions", "11 is out of range: 0 to 10 are allowed");
}

#[test]
fn logs_are_kept_for_days_that_cloudwatch_logs_knows_and_encrypted_with_a_key_of_the_region() {
    const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab";
    for good in [json!({}), json!({"retentionDays": 3653}), json!({"retentionDays": 1, "kmsKeyArn": KEY})] {
        is_fine(&with(json!({"logs": good})));
    }
    for days in [0, 2, 91, 3654] {
        let bad = with(json!({"logs": {"retentionDays": days}}));
        refused(&bad, ".logs.retentionDays", &format!("{days} is no number of days that CloudWatch Logs knows"));
    }
    for key in [
        "arn:aws:kms:eu-west-1:123456789012:alias/logs",
        "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab",
        "arn:aws-cn:kms:eu-west-1:123456789012:key/1234abcd-12ab",
        "arn:aws:kms:eu-west-1:123456789012:key/*",
        "1234abcd-12ab",
    ] {
        let expected = "is not the ARN of a KMS key in the platform's region";
        refused(&with(json!({"logs": {"kmsKeyArn": key}})), ".logs.kmsKeyArn", expected);
    }
}

#[test]
fn a_consumer_may_not_be_called_what_an_execution_role_is_called() {
    let both = |consumer: &str, role: Value| {
        let mut object = with(json!({"executionRoleArn": role}));
        let principal = "arn:aws:iam::123456789012:role/batch";
        let consumer = json!({"name": consumer, "principalArns": [principal], "buckets": [{"name": "artifacts"}]});
        object.spec.access = vec![serde_json::from_value(consumer).unwrap()];
        object
    };
    let free = both("execution", Value::Null);
    is_fine(&free);
    is_fine(&both("rank-execution", json!("arn:aws:iam::123456789012:role/own")));
    let telling = "is what the role is called that is made for spec.models[0]";
    is_refused(&both("rank-execution", Value::Null), "spec.access[0].name", telling);
    let platform = validate(&free).unwrap();
    assert_eq!(grants::execution_role_name(&platform, "rank"), grants::role_name(&platform, "rank-execution"));
}

#[test]
fn everything_wrong_with_a_model_is_said_at_once_and_in_the_order_of_the_spec() {
    let object = with(json!({
        "image": "rank",
        "modelData": {"bucket": "models", "key": "a"},
        "environment": {"1": "x"},
        "executionRoleArn": "rank",
        "instance": {"type": "g5", "count": 0},
        "async": {"output": {"bucket": "logs", "prefix": "a"}},
        "dataCapture": {"destination": {"bucket": "logs", "prefix": "a/"}, "samplingPercent": 0},
        "autoscaling": {"minInstances": 9, "maxInstances": 8, "target": {}, "scaleInCooldownSeconds": -1},
        "rollout": {"strategy": "Linear", "stepPercent": 5},
        "keepRevisions": 11,
    }));
    let paths: Vec<String> = problems(&object).into_iter().map(|problem| problem.path).collect();
    let expected = [
        "image",
        "modelData.bucket",
        "modelData.key",
        "environment[\"1\"]",
        "executionRoleArn",
        "instance.type",
        "instance.count",
        "async.output.bucket",
        "async.output.prefix",
        "dataCapture.destination.bucket",
        "dataCapture.samplingPercent",
        "autoscaling.minInstances",
        "autoscaling.target",
        "autoscaling.scaleInCooldownSeconds",
        "rollout.stepPercent",
        "keepRevisions",
    ];
    assert_eq!(paths, expected.map(|field| format!("spec.models[0].sagemaker.{field}")));
}
