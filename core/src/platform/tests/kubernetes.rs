use serde_json::{Value, json};

use super::{is_fine, is_refused, problems};
use crate::api::AIPlatform;
use crate::platform::validate;
use crate::testing::object;

/// A valid object with one model in the cluster, with these fields in place of its own; null takes one out.
fn with(fields: Value) -> AIPlatform {
    let mut model = json!({
        "engine": "VLLM", "source": {"huggingFace": {"repo": "Qwen/Qwen3-8B"}}, "resources": {"cpu": "4", "memory": "32Gi"},
    });
    let Value::Object(fields) = fields else { panic!("fields are an object") };
    for (name, value) in fields {
        model[name] = value;
    }
    model.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    object(json!({"models": [{"name": "local", "kubernetes": model}]}))
}

fn refused(fields: Value, field: &str, telling: &str) {
    is_refused(&with(fields), &format!("spec.models[0].kubernetes{field}"), telling);
}

#[test]
fn an_engine_with_weights_is_all_that_is_needed() {
    is_fine(&with(json!({})));
    is_fine(&with(json!({"resources": null})));
    is_fine(&with(json!({"engine": "Custom", "image": "registry.example.com/server:1", "source": null})));
    is_fine(&with(json!({"source": {"pvc": {"claimName": "weights", "path": "/qwen"}}, "replicas": 0})));
}

#[test]
fn weights_are_in_exactly_one_place_that_the_pods_can_read() {
    refused(json!({"source": null}), ".source", "say where the weights are");
    refused(json!({"source": {}}), ".source", "exactly one");
    let two = json!({"huggingFace": {"repo": "a/b"}, "pvc": {"claimName": "weights"}});
    refused(json!({"source": two}), ".source", "exactly one");
    refused(json!({"source": {"pvc": {"claimName": "weights", "path": "/a/../b"}}}), ".source.pvc.path", "without ..");
    let uri = |uri: &str| json!({"source": {"s3": {"uri": uri}}});
    refused(uri("s3://weights/qwen/"), ".source.s3", "spec.identity");
    let problems = problems(&with(json!({"source": {"s3": {"bucket": "nowhere", "prefix": "qwen"}}})));
    let paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
    let source = "spec.models[0].kubernetes.source.s3";
    assert_eq!(paths, [source, &format!("{source}.bucket"), &format!("{source}.prefix")], "{problems:#?}");
    let served = json!({"engine": "TorchServe"});
    refused(served, ".source.huggingFace", "model archives");
}

#[test]
fn the_number_of_pods_has_one_owner() {
    let scaling = json!({"minReplicas": 1, "maxReplicas": 4, "target": {"queueDepth": 5}});
    is_fine(&with(json!({"autoscaling": scaling})));
    refused(json!({"autoscaling": scaling, "replicas": 2}), ".replicas", "owns the number");
    let target = |target: Value| json!({"minReplicas": 1, "maxReplicas": 4, "target": target});
    refused(json!({"autoscaling": target(json!({}))}), ".autoscaling.target", "exactly one");
    let both = target(json!({"queueDepth": 5, "cpuPercent": 70}));
    refused(json!({"autoscaling": both}), ".autoscaling.target", "exactly one");
    let wrong = json!({"minReplicas": 5, "maxReplicas": 4, "target": {"cpuPercent": 70}});
    refused(json!({"autoscaling": wrong}), ".autoscaling.minReplicas", "greater than maxReplicas 4");
    let cpu = target(json!({"cpuPercent": 70}));
    refused(
        json!({"autoscaling": cpu, "resources": {"memory": "4Gi"}}),
        ".autoscaling.target.cpuPercent",
        "resources.cpu",
    );
    let custom = json!({"engine": "Custom", "image": "server:1", "autoscaling": target(json!({"queueDepth": 5}))});
    refused(custom, ".autoscaling.target.queueDepth", "cpuPercent");
}

#[test]
fn resources_are_quantities_that_fit_into_each_other() {
    for (field, value) in [("cpu", "four"), ("memory", "32 GB"), ("sharedMemory", "Gi"), ("cpu", "0"), ("memory", "-1")]
    {
        let mut resources = json!({"cpu": "4"});
        resources[field] = json!(value);
        refused(json!({"resources": resources}), &format!(".resources.{field}"), &format!("{value:?}"));
    }
    is_fine(&with(json!({"resources": {"memory": "2048Mi", "sharedMemory": "2Gi"}})));
    let small = json!({"memory": "1Gi", "sharedMemory": "2Gi"});
    refused(json!({"resources": small}), ".resources.sharedMemory", "more than memory");
    refused(json!({"resources": {"gpuResource": "gpu"}}), ".resources.gpuResource", "nvidia.com/gpu");
    refused(json!({"resources": {"gpus": 65}}), ".resources.gpus", "0 to 64");
}

#[test]
fn labels_variables_and_tolerations_are_as_the_api_server_takes_them() {
    refused(json!({"nodeSelector": {"a b": "c"}}), ".nodeSelector[\"a b\"]", "key of a label");
    refused(json!({"nodeSelector": {"a": "-"}}), ".nodeSelector[\"a\"]", "value of a label");
    refused(json!({"allowFrom": [{}]}), ".allowFrom[0]", "everybody");
    refused(json!({"tolerations": [{}]}), ".tolerations[0].key", "Exists");
    let exists = json!({"key": "gpu", "operator": "Exists", "value": "yes"});
    refused(json!({"tolerations": [exists]}), ".tolerations[0].value", "Equal");
    let seconds = json!({"key": "gpu", "operator": "Exists", "tolerationSeconds": 5});
    refused(json!({"tolerations": [seconds]}), ".tolerations[0].tolerationSeconds", "NoExecute");
    refused(json!({"env": [{"name": "A", "value": "1"}, {"name": "A"}]}), ".env[1].name", "unique");
    let both = json!({"name": "A", "value": "1", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}});
    refused(json!({"env": [both]}), ".env[0]", "not both");
    refused(json!({"env": [{"name": "A", "valueFrom": {}}]}), ".env[0].valueFrom", "exactly one");
}

#[test]
fn a_flag_that_has_a_field_is_refused_with_its_field() {
    refused(json!({"args": ["--max-model-len", "8192", "--port=1"]}), ".args[2]", "--port");
    refused(json!({"args": ["--served-model-name", "x"]}), ".args[0]", "servedName");
}

#[test]
fn a_model_has_one_backend() {
    let bedrock = json!({"modelId": "anthropic.claude-haiku-4-5-20251001-v1:0"});
    let kubernetes = json!({"engine": "Custom", "image": "server:1"});
    let object = object(json!({"models": [{"name": "both", "bedrock": bedrock, "kubernetes": kubernetes}]}));
    is_refused(&object, "spec.models[0]", "several backends");
}

#[test]
fn names_in_the_cluster_are_those_of_services_and_of_one_thing_each() {
    let mut object = with(json!({}));
    object.metadata.name = Some("3d".into());
    is_refused(&object, "spec.models[0].kubernetes", "begins with a letter");
    let mut object = with(json!({}));
    let consumer = |account: Value| {
        vec![serde_json::from_value(json!({"name": "api", "serviceAccount": account, "models": ["local"]})).unwrap()]
    };
    object.spec.access = consumer(json!({"name": "assistant-local"}));
    is_refused(&object, "spec.access[0].serviceAccount.name", "one of its own");
    object.spec.access = consumer(json!({"name": "assistant-local", "namespace": "other"}));
    is_fine(&object);
}

#[test]
fn a_consumer_of_models_in_the_cluster_needs_no_role_and_is_no_principal() {
    let mut object = with(json!({}));
    let consumer = json!({"name": "api", "serviceAccount": {"name": "api"}, "models": ["local"]});
    object.spec.access = vec![serde_json::from_value(consumer).unwrap()];
    assert_eq!(validate(&object).unwrap().grants, []);
    let principal = json!({"name": "api", "principalArns": ["arn:aws:iam::123456789012:role/ci"], "models": ["local"]});
    object.spec.access = vec![serde_json::from_value(principal).unwrap()];
    is_refused(&object, "spec.access[0].models[0]", "serviceAccount");
}

#[test]
fn an_amount_that_the_api_server_would_change_is_refused() {
    for (field, value, message) in [
        ("cpu", "0.0001", "finer than a thousandth"),
        ("cpu", "1.0001", "finer than a thousandth"),
        ("cpu", "8Ei", "more than the API server keeps"),
        ("memory", "1e19", "more than the API server keeps"),
        ("memory", "32m", "no whole number of bytes"),
        ("memory", "0.1Ki", "no whole number of bytes"),
        ("sharedMemory", "1500m", "no whole number of bytes"),
    ] {
        refused(json!({"resources": {(field): value}}), &format!(".resources.{field}"), message);
    }
}

#[test]
fn a_device_is_one_for_which_there_can_be_a_quota() {
    for domain in ["requests.nvidia.com".to_string(), "a".repeat(245)] {
        let resources = json!({"gpus": 1, "gpuResource": format!("{domain}/gpu")});
        refused(
            json!({"image": "a:1", "resources": resources}),
            ".resources.gpuResource",
            "is not the name of a device",
        );
    }
}
