//! What happens to the objects of a platform, and to the pods beneath them, wakes it, and asks nothing of AWS.

use serde_json::{Value, json};

use super::deployment_spec;
use crate::support::test_env::{PASSES, TestEnv, spec};

#[tokio::test]
async fn whatever_happens_to_a_deployment_or_its_pods_wakes_the_platform_and_asks_nothing_of_aws() {
    let env = TestEnv::with("watched", &["--resync", "1h"]).await;
    env.apply("assistant", &spec(json!([{"name": "prompts"}]))).await;
    env.wait_ready("assistant").await;
    env.at_rest().await;
    // What was made is read once.
    let mut calls = None;
    let written = env.operator.metric("aiplatform_status_writes_total");
    let create = |object: &Value| {
        let arguments = ["-n", env.namespace.as_str(), "create", "-f", "-"];
        env.cluster.kubectl(&arguments, &object.to_string()).expect("made");
    };
    let change = |arguments: &[&str]| {
        let arguments: Vec<&str> = ["-n", &env.namespace].into_iter().chain(arguments.iter().copied()).collect();
        env.cluster.kubectl(&arguments, "").expect("done");
    };
    let labels = json!({"aiplatform.dev/platform": "assistant", "app": "local"});
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "local", "labels": labels}, "spec": deployment_spec("r1", Some(1))});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "local-1", "labels": labels},
        "spec": {"containers": [{"name": "engine", "image": "example.invalid/engine:1"}]}});
    let status = |status: &Value| json!({"status": status}).to_string();
    let replicas = status(&json!({"replicas": 1, "observedGeneration": 1}));
    let failing = status(
        &json!({"containerStatuses": [{"name": "engine", "image": "i", "imageID": "", "ready": false, "restartCount": 3}]}),
    );
    let happenings: [(&str, &dyn Fn()); 6] = [
        ("a deployment", &|| create(&deployment)),
        ("its status", &|| {
            change(&["patch", "deployment", "local", "--subresource=status", "--type=merge", "-p", &replicas]);
        }),
        ("its scale", &|| change(&["scale", "deployment", "local", "--replicas=2"])),
        ("a pod", &|| create(&pod)),
        ("a pod's status", &|| {
            change(&["patch", "pod", "local-1", "--subresource=status", "--type=merge", "-p", &failing]);
        }),
        ("a deletion", &|| change(&["delete", "deployment", "local"])),
    ];
    for (what, happen) in happenings {
        env.at_rest().await;
        let before = env.operator.metric(PASSES);
        happen();
        env.wait(what, async || env.operator.metric(PASSES) > before).await;
        env.at_rest().await;
        let calls = *calls.get_or_insert_with(|| env.aws.call_count());
        assert_eq!(env.aws.calls_since(calls), Vec::<String>::new(), "{what}: nothing of AWS has changed");
    }
    assert_eq!(env.operator.metric("aiplatform_status_writes_total"), written);
    let (code, page) = env.operator.page("/readyz");
    assert_eq!(code, 200, "an API that the cluster lacks is no obstacle: {page}");
    let log = env.operator.log();
    assert!(!log.contains("scaledobjects") && !log.contains("podmonitors"), "{log}");
}
