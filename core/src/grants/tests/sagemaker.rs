//! Calls of endpoints.

use serde_json::{Value, json};

use super::*;

/// The permissions of a consumer of `rank`, where the model has these fields.
fn called(sagemaker: Value) -> Value {
    let mut spec = serves(sagemaker, json!({}));
    spec["access"] = json!([{"name": "api", "serviceAccount": {"name": "api"}, "models": ["rank"]}]);
    let grants = grants(&platform(spec)).unwrap();
    document(&grants[0].policies[0].1)["Statement"].clone()
}

#[test]
fn an_endpoint_may_be_called_by_its_arn_and_in_the_ways_it_answers() {
    let endpoint = "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/support-assistant-rank-";
    let serverless = json!({"memoryMiB": 2048, "maxConcurrency": 5});
    let whole = "sagemaker:InvokeEndpoint";
    let cases = [
        (json!({}), json!([whole, "sagemaker:InvokeEndpointWithResponseStream"])),
        (json!({"instance": null, "serverless": serverless}), json!(whole)),
        (
            json!({"async": {"output": {"bucket": "artifacts", "prefix": "async/"}}}),
            json!([whole, "sagemaker:InvokeEndpointAsync"]),
        ),
    ];
    for (fields, actions) in cases {
        let statements = called(fields);
        let [statement] = statements.as_array().unwrap().as_slice() else { panic!("one statement: {statements}") };
        assert_eq!((&statement["Sid"], &statement["Action"]), (&json!("InvokeRank"), &actions));
        let resource = statement["Resource"].as_str().unwrap();
        assert!(resource.starts_with(endpoint) && !resource.contains('*'), "{resource}");
        assert_eq!(statement["Condition"], Value::Null);
    }
}

#[test]
fn calling_a_model_goes_back_to_the_entry_that_names_it() {
    let grants = grants(&platform(served())).unwrap();
    let sources: Vec<&str> = grants[0].policies[0].1.iter().map(|statement| statement.source.as_str()).collect();
    assert_eq!(sources, ["spec.access[0].models[0]", "spec.access[0].models[1]"]);
}
