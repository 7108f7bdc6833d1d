//! Models on SageMaker that AWS would refuse.

use serde_json::{Value, json};

use super::Case;
use crate::support::test_env::spec;

const IMAGE: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:1.4.0";
const PRINCIPAL: &str = "arn:aws:iam::123456789012:role/batch";

/// A good platform with a model that uses all there is.
pub fn good() -> Value {
    platform(json!({
        "image": IMAGE,
        "modelData": {"bucket": "a", "key": "models/rank/1.4.0/model.tar.gz"},
        "environment": {"LOG_LEVEL": "info"},
        "networkIsolation": false,
        "instance": {"type": "ml.g5.xlarge", "count": 2, "volumeSizeGiB": 64, "startupTimeoutSeconds": 900, "modelDownloadTimeoutSeconds": 900},
        "async": {"output": {"bucket": "a", "prefix": "async/"}, "maxConcurrentInvocationsPerInstance": 4},
        "dataCapture": {"destination": {"bucket": "a", "prefix": "capture/"}, "samplingPercent": 20},
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
        "logs": {"retentionDays": 30},
    }))
}

/// A good platform with a model on a serverless endpoint that is scaled.
pub fn good_serverless() -> Value {
    platform(json!({
        "image": IMAGE,
        "modelData": {"uri": "s3://models-of-somebody/rank.tar.gz"},
        "executionRoleArn": "arn:aws:iam::123456789012:role/own",
        "serverless": {"memoryMiB": 4096, "maxConcurrency": 20, "provisionedConcurrency": 2},
        "autoscaling": {"minInstances": 2, "maxInstances": 20, "target": {"provisionedConcurrencyUtilization": {"value": 0.7}}},
        "rollout": {},
    }))
}

fn platform(model: Value) -> Value {
    let mut spec = spec(json!([{"name": "a"}]));
    spec["models"] = json!([{"name": "rank", "sagemaker": model}]);
    spec["access"] = json!([{"name": "batch", "principalArns": [PRINCIPAL], "models": ["rank"]}]);
    spec
}

/// `good` with this value at this place of the model; null takes the field out.
fn changed(mut spec: Value, path: &str, value: Value) -> Value {
    let (parent, field) = path.rsplit_once('/').expect("a path begins with a slash");
    let place = format!("/models/0/sagemaker{parent}");
    let parent = spec.pointer_mut(&place).unwrap_or_else(|| panic!("no {place}"));
    if value.is_null() {
        parent.as_object_mut().expect("fields").remove(field).unwrap_or_else(|| panic!("no {field}"));
    } else {
        parent[field] = value;
    }
    spec
}

fn with(path: &str, value: Value) -> Value {
    changed(good(), path, value)
}

fn serverless(path: &str, value: Value) -> Value {
    changed(good_serverless(), path, value)
}

pub fn cases() -> Vec<Case> {
    [models(), capacities(), places(), scaling(), rollouts()].concat()
}

fn models() -> Vec<Case> {
    let both = {
        let mut spec = good();
        spec["models"][0]["bedrock"] = json!({"modelId": "amazon.nova-lite-v1:0"});
        spec
    };
    let many: serde_json::Map<_, _> = (0..101).map(|n| (format!("KEY_{n}"), "x".into())).collect();
    vec![
        (both, "a model has exactly one backend: bedrock, sagemaker or kubernetes"),
        (with("/image", json!("vllm/vllm-openai:v0.20.0")), "spec.models[0].sagemaker.image"),
        (with("/image", Value::Null), "spec.models[0].sagemaker.image: Required value"),
        (with("/environment", Value::Object(many)), "must have at most 100"),
        (with("/environment", json!({"A": "x".repeat(1025)})), "spec.models[0].sagemaker.environment.A"),
        (with("/image", json!(IMAGE.replace("rank", "ml/../rank"))), "spec.models[0].sagemaker.image"),
        (with("/image", json!(IMAGE.replace("rank", "ml//rank"))), "spec.models[0].sagemaker.image"),
        (with("/executionRoleArn", json!("arn:aws:iam::123456789012:role/ml/../rank")), "executionRoleArn"),
        (with("/executionRoleArn", json!("arn:aws:iam::123456789012:role/ml//rank")), "executionRoleArn"),
        (with("/executionRoleArn", json!("rank")), "spec.models[0].sagemaker.executionRoleArn"),
        (with("/executionRoleArn", json!("arn:aws:iam::123456789012:user/rank")), "executionRoleArn"),
        (with("/keepRevisions", json!(11)), "spec.models[0].sagemaker.keepRevisions"),
        (with("/keepRevisions", json!(-1)), "spec.models[0].sagemaker.keepRevisions"),
        (with("/logs", json!({"retentionDays": 91})), "spec.models[0].sagemaker.logs.retentionDays"),
        (with("/logs", json!({"kmsKeyArn": "alias/logs"})), "spec.models[0].sagemaker.logs.kmsKeyArn"),
    ]
}

fn capacities() -> Vec<Case> {
    let one_of = "a SageMaker model takes exactly one of instance and serverless";
    let goes_without = "serverless goes without async, dataCapture and networkIsolation";
    let place = json!({"bucket": "a", "prefix": "a/"});
    vec![
        (with("/instance", Value::Null), one_of),
        (with("/serverless", json!({"memoryMiB": 1024, "maxConcurrency": 1})), one_of),
        (with("/instance/type", json!("g5.xlarge")), "spec.models[0].sagemaker.instance.type"),
        (with("/instance/type", json!("ml.g5.*")), "spec.models[0].sagemaker.instance.type"),
        (with("/instance/count", json!(0)), "spec.models[0].sagemaker.instance.count"),
        (with("/instance/volumeSizeGiB", json!(513)), "spec.models[0].sagemaker.instance.volumeSizeGiB"),
        (with("/instance/startupTimeoutSeconds", json!(59)), "instance.startupTimeoutSeconds"),
        (with("/instance/modelDownloadTimeoutSeconds", json!(3601)), "instance.modelDownloadTimeoutSeconds"),
        (serverless("/serverless/memoryMiB", json!(2000)), "should be a multiple of 1024"),
        (serverless("/serverless/memoryMiB", json!(7168)), "spec.models[0].sagemaker.serverless.memoryMiB"),
        (serverless("/serverless/maxConcurrency", json!(201)), "spec.models[0].sagemaker.serverless.maxConcurrency"),
        (
            serverless("/serverless/provisionedConcurrency", json!(21)),
            "provisionedConcurrency is at most maxConcurrency",
        ),
        (serverless("/async", json!({"output": place})), goes_without),
        (serverless("/dataCapture", json!({"destination": place})), goes_without),
        (serverless("/networkIsolation", json!(true)), goes_without),
        (serverless("/rollout", json!({"strategy": "Rolling", "stepPercent": 5})), "goes without a Rolling rollout"),
        (serverless("/modelData", json!({"uri": "s3://bucket/a/"})), "takes only a compressed artifact"),
        (serverless("/modelData", json!({"bucket": "a", "key": "a/"})), "takes only a compressed artifact"),
    ]
}

fn places() -> Vec<Case> {
    let either = "modelData takes either bucket and key, or uri";
    let data = |data: Value| with("/modelData", data);
    vec![
        (data(json!({})), either),
        (data(json!({"bucket": "a"})), either),
        (data(json!({"bucket": "a", "key": "a/", "uri": "s3://bucket/a/"})), either),
        (data(json!({"bucket": "a", "key": "model.zip"})), "spec.models[0].sagemaker.modelData.key"),
        (data(json!({"bucket": "a", "key": "/a/"})), "spec.models[0].sagemaker.modelData.key"),
        (data(json!({"bucket": "a", "key": "a*/"})), "spec.models[0].sagemaker.modelData.key"),
        (data(json!({"uri": "https://bucket/a/"})), "spec.models[0].sagemaker.modelData.uri"),
        (
            data(json!({"bucket": "b", "key": "a/"})),
            "modelData names a bucket that spec.storage.buckets does not declare",
        ),
        (
            with("/async/output/bucket", json!("b")),
            "async.output names a bucket that spec.storage.buckets does not declare",
        ),
        (
            with("/dataCapture/destination/bucket", json!("b")),
            "dataCapture.destination names a bucket that spec.storage.buckets does not declare",
        ),
        (with("/async/output/prefix", json!("a")), "spec.models[0].sagemaker.async.output.prefix"),
        (with("/async/output/prefix", json!("a*/")), "spec.models[0].sagemaker.async.output.prefix"),
        (with("/async/maxConcurrentInvocationsPerInstance", json!(0)), "async.maxConcurrentInvocationsPerInstance"),
        (with("/dataCapture/samplingPercent", json!(0)), "spec.models[0].sagemaker.dataCapture.samplingPercent"),
    ]
}

fn scaling() -> Vec<Case> {
    let target = |target: Value| with("/autoscaling/target", target);
    let invocations = |invocations: Value| target(json!({"invocationsPerInstance": invocations}));
    let schedule = |field: &str, value: Value| with(&format!("/autoscaling/schedules/0/{field}"), value);
    let one_target = "target takes exactly one of";
    let one_value = "invocationsPerInstance takes exactly one of value and loadTest";
    let morning = json!({"name": "morning", "schedule": "rate(1 day)", "minInstances": 4});
    vec![
        (with("/autoscaling/minInstances", json!(9)), "minInstances is at most maxInstances"),
        (with("/autoscaling/minInstances", json!(0)), "scaling to zero needs a step policy and an alarm"),
        (with("/autoscaling/maxInstances", json!(1001)), "spec.models[0].sagemaker.autoscaling.maxInstances"),
        (with("/autoscaling/scaleInCooldownSeconds", json!(-1)), "autoscaling.scaleInCooldownSeconds"),
        (with("/autoscaling/scaleOutCooldownSeconds", json!(3601)), "autoscaling.scaleOutCooldownSeconds"),
        (target(json!({})), one_target),
        (
            target(json!({"invocationsPerInstance": {"value": 1}, "concurrentRequestsPerModel": {"value": 1}})),
            one_target,
        ),
        (target(json!({"provisionedConcurrencyUtilization": {"value": 0.7}})), "is the target of serverless endpoints"),
        (invocations(json!({})), one_value),
        (invocations(json!({"value": 1, "loadTest": {"maxRequestsPerSecond": 1}})), one_value),
        (invocations(json!({"value": 0})), "target.invocationsPerInstance.value: Invalid value: 0: is more than 0"),
        (invocations(json!({"loadTest": {"maxRequestsPerSecond": 0}})), "loadTest.maxRequestsPerSecond"),
        (invocations(json!({"loadTest": {"maxRequestsPerSecond": 1, "safetyFactor": 1.5}})), "loadTest.safetyFactor"),
        (target(json!({"concurrentRequestsPerModel": {"value": 0}})), "target.concurrentRequestsPerModel.value"),
        (with("/instance/type", json!("ml.t2.medium")), "Application Auto Scaling scales no burstable instances"),
        (serverless("/serverless/provisionedConcurrency", Value::Null), "set serverless.provisionedConcurrency"),
        (
            serverless("/autoscaling/target", json!({"concurrentRequestsPerModel": {"value": 4}})),
            "is the target of serverless endpoints",
        ),
        (serverless("/autoscaling/maxInstances", json!(21)), "scales up to serverless.maxConcurrency at most"),
        (
            serverless("/autoscaling/schedules", json!([{"name": "a", "schedule": "rate(1 day)", "minInstances": 21}])),
            "scales up to serverless.maxConcurrency at most",
        ),
        (schedule("name", json!("Morning")), "autoscaling.schedules[0].name"),
        (schedule("schedule", json!("daily")), "autoscaling.schedules[0].schedule"),
        (schedule("timezone", json!("Europe Dublin")), "autoscaling.schedules[0].timezone"),
        (schedule("maxInstances", json!(3)), "minInstances is at most maxInstances"),
        (
            with("/autoscaling/schedules", json!([{"name": "a", "schedule": "rate(1 day)"}])),
            "sets minInstances, maxInstances or both",
        ),
        (with("/autoscaling/schedules", json!([morning, morning])), "Duplicate value: {\"name\":\"morning\"}"),
    ]
}

fn rollouts() -> Vec<Case> {
    let rollout = |rollout: Value| with("/rollout", rollout);
    let step = "stepPercent goes with Canary, Linear and Rolling, and not with AllAtOnce";
    let steps = "stepPercent is 1 to 50 for Canary, 10 to 50 for Linear, 5 to 50 for Rolling";
    let too_short = "maximumExecutionSeconds is more than waitSeconds";
    vec![
        (
            rollout(json!({"strategy": "Slowly"})),
            "supported values: \"AllAtOnce\", \"Canary\", \"Linear\", \"Rolling\"",
        ),
        (rollout(json!({"stepPercent": 10})), step),
        (rollout(json!({"strategy": "Canary"})), step),
        (rollout(json!({"strategy": "Linear", "stepPercent": 9})), steps),
        (rollout(json!({"strategy": "Rolling", "stepPercent": 4})), steps),
        (rollout(json!({"strategy": "Canary", "stepPercent": 51})), "spec.models[0].sagemaker.rollout.stepPercent"),
        (rollout(json!({"strategy": "Canary", "stepPercent": 0})), "spec.models[0].sagemaker.rollout.stepPercent"),
        (
            rollout(json!({"strategy": "Rolling", "stepPercent": 5, "terminationWaitSeconds": 0})),
            "terminationWaitSeconds does not go with Rolling",
        ),
        (rollout(json!({"waitSeconds": 3601})), "spec.models[0].sagemaker.rollout.waitSeconds"),
        (rollout(json!({"terminationWaitSeconds": -1})), "spec.models[0].sagemaker.rollout.terminationWaitSeconds"),
        (rollout(json!({"maximumExecutionSeconds": 599})), "spec.models[0].sagemaker.rollout.maximumExecutionSeconds"),
        (rollout(json!({"terminationWaitSeconds": 600, "maximumExecutionSeconds": 600})), too_short),
        (
            rollout(
                json!({"strategy": "Linear", "stepPercent": 10, "terminationWaitSeconds": 300, "maximumExecutionSeconds": 600}),
            ),
            too_short,
        ),
        (rollout(json!({"rollbackAlarms": ["a", "a"]})), "Duplicate value: \"a\""),
        (rollout(json!({"rollbackAlarms": [""]})), "spec.models[0].sagemaker.rollout.rollbackAlarms[0]"),
    ]
}
