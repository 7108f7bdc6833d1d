//! Problems with `spec.models[].sagemaker.rollout`.

#![expect(clippy::needless_pass_by_value, reason = "json!({...}) reads better without a reference")]

use serde_json::{Value, json};

use super::is_fine;
use super::sagemaker::{refused, with};
use crate::api::AIPlatform;

fn rollout(fields: Value) -> AIPlatform {
    with(json!({"rollout": fields}))
}

/// A rollout of this strategy in the smallest steps it allows, and these fields.
fn of(strategy: &str, fields: Value) -> AIPlatform {
    let mut whole = json!({"strategy": strategy});
    let least = match strategy {
        "Canary" => Some(1),
        "Linear" => Some(10),
        "Rolling" => Some(5),
        _ => None,
    };
    whole["stepPercent"] = least.into();
    for (field, value) in fields.as_object().unwrap() {
        whole[field] = value.clone();
    }
    rollout(whole)
}

#[test]
fn every_strategy_has_its_steps() {
    is_fine(&rollout(json!({})));
    is_fine(&of("AllAtOnce", json!({"waitSeconds": 60, "terminationWaitSeconds": 60})));
    refused(&of("AllAtOnce", json!({"stepPercent": 10})), ".rollout.stepPercent", "does not go with AllAtOnce");
    for (strategy, least) in [("Canary", 1), ("Linear", 10), ("Rolling", 5)] {
        is_fine(&of(strategy, json!({})));
        is_fine(&of(strategy, json!({"stepPercent": 50})));
        let telling = format!("is missing: {strategy} moves {least} to 50 percent in a step");
        refused(&of(strategy, json!({"stepPercent": null})), ".rollout.stepPercent", &telling);
        for bad in [least - 1, 51] {
            let telling = format!("{bad} is out of range: {least} to 50 are allowed for {strategy}");
            refused(&of(strategy, json!({"stepPercent": bad})), ".rollout.stepPercent", &telling);
        }
    }
}

#[test]
fn times_keep_to_sagemakers_limits() {
    for (field, least, most) in
        [("waitSeconds", 0, 3600), ("terminationWaitSeconds", 0, 3600), ("maximumExecutionSeconds", 600, 28800)]
    {
        is_fine(&of("Canary", json!({field: least})));
        is_fine(&of("Canary", json!({field: most})));
        for bad in [least - 1, most + 1] {
            refused(&of("Canary", json!({field: bad})), &format!(".rollout.{field}"), "is out of range");
        }
    }
    let telling = "does not go with Rolling";
    refused(&of("Rolling", json!({"terminationWaitSeconds": 0})), ".rollout.terminationWaitSeconds", telling);
}

#[test]
fn a_rollout_has_time_for_what_it_waits_for() {
    let times = |strategy: &str, wait: Option<i32>, termination: Option<i32>, most: i32| {
        let fields =
            json!({"waitSeconds": wait, "terminationWaitSeconds": termination, "maximumExecutionSeconds": most});
        of(strategy, fields)
    };
    is_fine(&times("Canary", Some(300), Some(299), 600));
    is_fine(&times("AllAtOnce", None, Some(599), 600));
    is_fine(&times("Rolling", None, None, 600));
    for bad in [
        times("Canary", Some(300), Some(300), 600),
        times("Linear", None, Some(300), 600),
        times("Rolling", Some(600), None, 600),
        times("AllAtOnce", None, Some(600), 600),
    ] {
        refused(&bad, ".rollout.maximumExecutionSeconds", "600 is too short: it has to be more than waitSeconds");
    }
}

#[test]
fn few_alarms_are_watched_each_once() {
    let alarms = |alarms: Vec<String>| rollout(json!({"rollbackAlarms": alarms}));
    let many = |count: usize| (0..count).map(|n| format!("alarm {n}")).collect();
    is_fine(&alarms(many(10)));
    is_fine(&alarms(vec!["é".repeat(255)]));
    refused(&alarms(many(11)), ".rollout.rollbackAlarms", "11 alarms are too many: SageMaker watches 10");
    refused(&alarms(vec!["a".into(), "b".into(), "a".into()]), ".rollout.rollbackAlarms[2]", "\"a\" is named twice");
    for blank in ["", " "] {
        refused(&alarms(vec![blank.into()]), ".rollout.rollbackAlarms[0]", "is not the name of an alarm");
    }
    refused(&alarms(vec!["x".repeat(256)]), ".rollout.rollbackAlarms[0]", "has 256 characters");
}
