//! Problems with `spec.models[].sagemaker.autoscaling`.

#![expect(clippy::needless_pass_by_value, reason = "json!({...}) reads better without a reference")]

use serde_json::{Value, json};

use super::sagemaker::{refused, serverless, with};
use super::{is_fine, problems};
use crate::api::AIPlatform;
use crate::testing::object;

/// Autoscaling with these fields.
fn whole(fields: Value) -> Value {
    let mut autoscaling =
        json!({"minInstances": 2, "maxInstances": 8, "target": {"concurrentRequestsPerModel": {"value": 4}}});
    for (field, value) in fields.as_object().unwrap() {
        autoscaling[field] = value.clone();
    }
    autoscaling
}

fn scaled(fields: Value) -> AIPlatform {
    with(json!({"autoscaling": whole(fields)}))
}

fn bounds(least: i32, most: i32) -> AIPlatform {
    scaled(json!({"minInstances": least, "maxInstances": most}))
}

fn target(target: Value) -> AIPlatform {
    scaled(json!({"target": target}))
}

/// With one schedule of these fields.
fn scheduled(fields: Value) -> AIPlatform {
    let mut schedule = json!({"name": "morning", "schedule": "rate(1 day)", "minInstances": 4});
    for (field, value) in fields.as_object().unwrap() {
        schedule[field] = value.clone();
    }
    scaled(json!({"schedules": [schedule]}))
}

/// A serverless endpoint, scaled.
fn concurrency(serverless_fields: Value, fields: Value) -> AIPlatform {
    let utilization = json!({"target": {"provisionedConcurrencyUtilization": {"value": 0.7}}});
    let mut autoscaling = whole(utilization);
    for (field, value) in fields.as_object().unwrap() {
        autoscaling[field] = value.clone();
    }
    serverless(serverless_fields, json!({"autoscaling": autoscaling}))
}

#[test]
fn the_least_is_at_most_the_most() {
    is_fine(&bounds(1, 1));
    is_fine(&bounds(1, 1000));
    let image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:1.4.0";
    let rank =
        json!({"image": image, "instance": {"type": "ml.g5.xlarge"}, "autoscaling": whole(json!({"minInstances": 9}))});
    let second = object(json!({"models": [
        {"name": "fast", "bedrock": {"modelId": "amazon.nova-lite-v1:0"}},
        {"name": "rank", "sagemaker": rank},
    ]}));
    assert_eq!(
        problems(&second)[0].to_string(),
        "spec.models[1].sagemaker.autoscaling.minInstances: 9 is greater than maxInstances 8"
    );
    refused(&bounds(1001, 1000), ".autoscaling.minInstances", "1 to 1000 are allowed");
    refused(&bounds(1, 1001), ".autoscaling.maxInstances", "1 to 1000 are allowed");
    refused(&bounds(-1, 1), ".autoscaling.minInstances", "1 to 1000 are allowed");
}

#[test]
fn nothing_scales_to_zero_yet() {
    let telling = "0 is not possible yet: to scale to zero takes a step policy and an alarm that wake the endpoint";
    refused(&bounds(0, 8), ".autoscaling.minInstances", telling);
    refused(&scheduled(json!({"minInstances": 0})), ".autoscaling.schedules[0].minInstances", telling);
}

#[test]
fn there_is_one_target_and_it_has_a_value() {
    for good in [
        json!({"invocationsPerInstance": {"value": 600}}),
        json!({"invocationsPerInstance": {"value": 0.5}}),
        json!({"invocationsPerInstance": {"loadTest": {"maxRequestsPerSecond": 20}}}),
        json!({"invocationsPerInstance": {"loadTest": {"maxRequestsPerSecond": 0.5, "safetyFactor": 1}}}),
        json!({"concurrentRequestsPerModel": {"value": 4}}),
    ] {
        is_fine(&target(good));
    }
    for bad in [
        json!({}),
        json!({"invocationsPerInstance": {"value": 1}, "concurrentRequestsPerModel": {"value": 1}}),
        json!({"invocationsPerInstance": {"value": 1}, "provisionedConcurrencyUtilization": {"value": 1}}),
    ] {
        refused(&target(bad), ".autoscaling.target", "takes exactly one of invocationsPerInstance");
    }
    for bad in [json!({}), json!({"value": 1, "loadTest": {"maxRequestsPerSecond": 20}})] {
        let telling = "takes exactly one of value and loadTest";
        refused(&target(json!({"invocationsPerInstance": bad})), ".autoscaling.target.invocationsPerInstance", telling);
    }
    let test = |requests: f64, factor: f64| {
        let test = json!({"maxRequestsPerSecond": requests, "safetyFactor": factor});
        target(json!({"invocationsPerInstance": {"loadTest": test}}))
    };
    let within = ".autoscaling.target.invocationsPerInstance";
    for bad in [-1.0, 0.0, 1.01] {
        refused(&test(20.0, bad), &format!("{within}.loadTest.safetyFactor"), "0.01 to 1 are allowed");
    }
    for bad in [-1.0, 0.0, 2e6] {
        refused(&test(bad, 0.5), &format!("{within}.loadTest.maxRequestsPerSecond"), "0.01 to 1000000 are allowed");
    }
    for bad in [-1.0, 0.0, 2e9] {
        let telling = "0.01 to 1000000000 are allowed";
        refused(&target(json!({"invocationsPerInstance": {"value": bad}})), &format!("{within}.value"), telling);
        let requests = json!({"concurrentRequestsPerModel": {"value": bad}});
        refused(&target(requests), ".autoscaling.target.concurrentRequestsPerModel.value", telling);
    }
}

#[test]
fn cooldowns_are_an_hour_at_most() {
    for field in ["scaleInCooldownSeconds", "scaleOutCooldownSeconds"] {
        is_fine(&scaled(json!({field: 0})));
        is_fine(&scaled(json!({field: 3600})));
        for bad in [-1, 3601] {
            refused(&scaled(json!({field: bad})), &format!(".autoscaling.{field}"), "0 to 3600 are allowed");
        }
    }
}

#[test]
fn burstable_instances_cannot_be_scaled() {
    let of = |kind: &str| with(json!({"instance": {"type": kind}, "autoscaling": whole(json!({}))}));
    for burstable in ["ml.t2.medium", "ml.t3.large", "ml.t4g.xlarge"] {
        refused(&of(burstable), ".autoscaling", &format!("is not possible with {burstable}"));
    }
    is_fine(&of("ml.trn1.2xlarge"));
}

#[test]
fn a_serverless_endpoint_scales_its_provisioned_concurrency() {
    let provisioned = json!({"provisionedConcurrency": 2});
    is_fine(&concurrency(provisioned.clone(), json!({})));
    is_fine(&concurrency(provisioned.clone(), json!({"maxInstances": 20})));
    refused(&concurrency(json!({}), json!({})), ".autoscaling", "needs serverless.provisionedConcurrency");
    let requests = json!({"target": {"concurrentRequestsPerModel": {"value": 4}}});
    let telling = "has to be provisionedConcurrencyUtilization";
    refused(&concurrency(provisioned.clone(), requests), ".autoscaling.target", telling);
    let telling = "is the target of serverless endpoints alone";
    let utilization = |value: f64| json!({"provisionedConcurrencyUtilization": {"value": value}});
    let field = ".autoscaling.target.provisionedConcurrencyUtilization";
    refused(&target(utilization(0.7)), field, telling);
    for bad in [0.0, 1.1] {
        let share = concurrency(provisioned.clone(), json!({"target": utilization(bad)}));
        refused(&share, &format!("{field}.value"), "0.01 to 1 are allowed");
    }
    let telling = "21 is greater than serverless.maxConcurrency 20";
    refused(&concurrency(provisioned.clone(), json!({"maxInstances": 21})), ".autoscaling.maxInstances", telling);
    for bounds in ["minInstances", "maxInstances"] {
        let schedule = json!({"schedules": [{"name": "a", "schedule": "rate(1 day)", bounds: 21}]});
        let field = format!(".autoscaling.schedules[0].{bounds}");
        refused(&concurrency(provisioned.clone(), schedule), &field, telling);
    }
}

#[test]
fn schedules_have_names_of_their_own_and_change_something() {
    let schedule = json!({"name": "morning", "schedule": "rate(1 day)", "minInstances": 4});
    let twice = scaled(json!({"schedules": [schedule, schedule]}));
    let telling = "\"morning\" is the name of schedules[0] too";
    refused(&twice, ".autoscaling.schedules[1].name", telling);
    for name in ["", "Morning", "a b", "a:b"] {
        refused(&scheduled(json!({"name": name})), ".autoscaling.schedules[0].name", "is not a name");
    }
    is_fine(&scheduled(json!({"minInstances": 9})));
    is_fine(&scheduled(json!({"minInstances": null, "maxInstances": 1})));
    refused(&scheduled(json!({"minInstances": null})), ".autoscaling.schedules[0]", "changes nothing");
    let telling = "4 is greater than maxInstances 3";
    refused(&scheduled(json!({"maxInstances": 3})), ".autoscaling.schedules[0].minInstances", telling);
    refused(&scheduled(json!({"maxInstances": 0})), ".autoscaling.schedules[0].maxInstances", "1 to 1000 are allowed");
    let many: Vec<Value> =
        (0..17).map(|n| json!({"name": format!("s{n}"), "schedule": "rate(1 day)", "minInstances": 1})).collect();
    refused(&scaled(json!({"schedules": many})), ".autoscaling.schedules", "17 schedules are too many");
}

#[test]
fn the_time_of_a_schedule_is_reported_with_its_place() {
    let field = ".autoscaling.schedules[0]";
    refused(&scheduled(json!({"schedule": "daily"})), &format!("{field}.schedule"), "\"daily\" is not a schedule: at(");
    let telling = "\"Europe/Atlantis\" is not a time zone of the IANA database";
    refused(&scheduled(json!({"timezone": "Europe/Atlantis"})), &format!("{field}.timezone"), telling);
}
