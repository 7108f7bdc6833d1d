//! Models that pods in the cluster serve, from one object: on a control plane with nodes, whose kubelets are played.

mod add_ons;
mod changes;
mod requests;
mod rollouts;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Pod, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::support::cluster;
use crate::support::test_env::{TestEnv, condition, spec, version};

async fn env(name: &str) -> TestEnv {
    TestEnv::on(cluster::with_nodes(), name, &["--resync", "1h"]).await
}

/// A platform with one model that runs on any node, with these fields in place of its own.
fn serving(fields: Value) -> Value {
    let mut model = json!({
        "engine": "VLLM", "source": {"huggingFace": {"repo": "Qwen/Qwen3-8B"}},
        "resources": {"gpus": 0, "cpu": "100m", "memory": "1Gi", "sharedMemory": "64Mi"}, "replicas": 2,
    });
    for (field, value) in fields.as_object().expect("fields") {
        model[field] = value.clone();
    }
    model.as_object_mut().expect("fields").retain(|_, value| !value.is_null());
    let mut wanted = spec(json!([]));
    wanted["models"] = json!([{"name": "local", "kubernetes": model}]);
    wanted
}

/// The same with its weights in a bucket of the platform.
fn with_weights_in_a_bucket() -> Value {
    let mut wanted = serving(json!({"source": {"s3": {"bucket": "weights", "prefix": "qwen/"}}}));
    wanted["storage"] = json!({"buckets": [{"name": "weights"}]});
    wanted["identity"] = json!({"irsa": {"oidcProviderArn":
        "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC"}});
    wanted
}

fn api<K>(env: &TestEnv) -> Api<K>
where
    K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
{
    Api::namespaced(env.client.clone(), &env.namespace)
}

async fn deployment(env: &TestEnv) -> Deployment {
    api::<Deployment>(env).get("assistant-local").await.expect("a deployment")
}

async fn pods(env: &TestEnv) -> Vec<Pod> {
    let selector = ListParams::default().labels("app.kubernetes.io/instance=assistant-local");
    let listed = api::<Pod>(env).list(&selector).await.expect("a list");
    listed.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect()
}

#[tokio::test]
async fn a_model_is_served_where_only_restricted_pods_are_admitted() {
    let env = env("served").await;
    let namespaces: Api<Namespace> = Api::all(env.client.clone());
    let restricted = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    let parameters = PatchParams::default();
    namespaces.patch(&env.namespace, &parameters, &Patch::Merge(restricted)).await.expect("labelled");
    env.apply("assistant", &serving(json!({}))).await;
    let object = env.wait_ready("assistant").await;
    let status = object.status.expect("a status");
    let model = &status.models[0];
    assert_eq!((model.backend.as_str(), model.ready, model.outcome.as_deref()), ("Kubernetes", true, Some("Serving")));
    let url = format!("http://assistant-local.{}.svc:8000/v1", env.namespace);
    assert_eq!(model.endpoint.as_deref(), Some(url.as_str()));
    assert_eq!(model.instances.map(|it| (it.current, it.desired)), Some((2, 2)));
    assert!(model.revision.is_some() && model.revision == model.attempted_revision, "{model:?}");
    assert_eq!(pods(&env).await.len(), 2);
    for (kind, count) in [("Deployment", 1), ("Service", 1), ("PodDisruptionBudget", 1), ("NetworkPolicy", 1)] {
        let found = status.resources.iter().filter(|resource| resource.kind == kind).count();
        assert_eq!(found, count, "{kind}: {:#?}", status.resources);
    }
    let owned = deployment(&env).await.metadata.owner_references.unwrap_or_default();
    assert_eq!(owned[0].uid, object.metadata.uid.expect("a UID"));
    let budgets = api::<PodDisruptionBudget>(&env);
    env.wait("the budget knows the pods", async || {
        let budget = budgets.get("assistant-local").await.expect("a budget");
        budget.status.and_then(|status| status.disruptions_allowed) == Some(1)
    })
    .await;
    let service = api::<Service>(&env).get("assistant-local").await.expect("a service").spec.expect("a spec");
    assert_eq!(service.ports.expect("ports")[0].port, 8000);
}

#[tokio::test]
async fn nothing_is_written_where_everything_is_as_declared() {
    let env = env("idle").await;
    env.apply("assistant", &serving(json!({}))).await;
    env.wait_ready("assistant").await;
    let before =
        (version(&env.api().get("assistant").await.expect("it")), deployment(&env).await.metadata.resource_version);
    env.look("assistant").await;
    env.wait_ready("assistant").await;
    let after = deployment(&env).await.metadata.resource_version;
    assert_eq!(before.1, after, "the deployment was not written");
}

#[tokio::test]
async fn what_is_deleted_by_hand_comes_back_and_what_others_set_stays() {
    let env = env("by-hand").await;
    env.apply("assistant", &serving(json!({}))).await;
    env.wait_ready("assistant").await;
    let services = api::<Service>(&env);
    let note = json!({"metadata": {"labels": {"team.example.com/note": "mine"}}, "spec": {"minReadySeconds": 1}});
    api::<Deployment>(&env)
        .patch("assistant-local", &PatchParams::default(), &Patch::Merge(note))
        .await
        .expect("patched");
    services.delete("assistant-local", &DeleteParams::default()).await.expect("deleted");
    let is_back = async || services.get_opt("assistant-local").await.expect("an answer").is_some();
    env.wait("the service is back", is_back).await;
    let change = json!({"spec": {"progressDeadlineSeconds": 5}});
    api::<Deployment>(&env)
        .patch("assistant-local", &PatchParams::default(), &Patch::Merge(change))
        .await
        .expect("patched");
    let is_mended =
        async || deployment(&env).await.spec.expect("a spec").progress_deadline_seconds.is_some_and(|it| it > 5);
    env.wait("the deadline is back", is_mended).await;
    let found = deployment(&env).await;
    assert_eq!(found.metadata.labels.expect("labels").get("team.example.com/note").map(String::as_str), Some("mine"));
    assert_eq!(found.spec.expect("a spec").min_ready_seconds, Some(1));
}

#[tokio::test]
async fn what_is_no_longer_declared_goes_and_so_does_everything_with_its_platform() {
    let env = env("pruned").await;
    env.apply("assistant", &serving(json!({}))).await;
    env.wait_ready("assistant").await;
    env.apply("assistant", &serving(json!({"replicas": 1}))).await;
    let budgets = api::<PodDisruptionBudget>(&env);
    let is_gone = async || budgets.get_opt("assistant-local").await.expect("an answer").is_none();
    env.wait("the budget of a single pod is gone", is_gone).await;
    env.wait_ready("assistant").await;
    env.apply("assistant", &spec(json!([]))).await;
    env.wait_ready("assistant").await;
    assert!(api::<Deployment>(&env).get_opt("assistant-local").await.expect("an answer").is_none());
    assert!(api::<NetworkPolicy>(&env).get_opt("assistant-local").await.expect("an answer").is_none());
    assert_eq!(env.service_account("assistant-local").await, None);
    env.apply("assistant", &serving(json!({}))).await;
    env.wait_ready("assistant").await;
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    env.wait("the pods are gone", async || pods(&env).await.is_empty()).await;
    assert_eq!(env.service_account("assistant-local").await, None);
}

#[tokio::test]
async fn a_deployment_that_somebody_made_is_left_alone() {
    let env = env("foreign-model").await;
    let labels = json!({"app": "theirs"});
    let theirs: Deployment = serde_json::from_value(json!({
        "metadata": {"name": "assistant-local"},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
            "spec": {"containers": [{"name": "app", "image": "theirs:1"}]}}},
    }))
    .expect("a deployment");
    api::<Deployment>(&env).create(&PostParams::default(), &theirs).await.expect("made");
    env.apply("assistant", &serving(json!({}))).await;
    let message = env.wait_stalled("assistant", "NotOwned").await;
    assert!(message.contains("Deployment") && message.contains("assistant-local"), "{message}");
    let found = deployment(&env).await.spec.expect("a spec");
    assert_eq!(found.template.spec.expect("a pod").containers[0].image.as_deref(), Some("theirs:1"));
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    deployment(&env).await;
}

#[tokio::test]
async fn of_two_platforms_whose_objects_have_one_name_the_first_has_them() {
    let env = env("collision").await;
    let mut first = serving(json!({}));
    first["models"][0]["name"] = json!("b-c");
    env.apply("a", &first).await;
    env.wait_ready("a").await;
    let mut second = serving(json!({}));
    second["models"][0]["name"] = json!("c");
    env.apply("a-b", &second).await;
    let message = env.wait_stalled("a-b", "NotOwned").await;
    assert!(
        message.contains(&format!("{}/a ", env.namespace)) || message.contains(&format!("{}/a", env.namespace)),
        "{message}"
    );
    env.wait_ready("a").await;
}

#[tokio::test]
async fn weights_in_a_bucket_are_read_through_a_role_of_the_pods_own() {
    let env = env("weights").await;
    env.apply("assistant", &with_weights_in_a_bucket()).await;
    env.wait_ready("assistant").await;
    let annotations = env.service_account("assistant-local").await.expect("an account of its own");
    let role = annotations.get("eks.amazonaws.com/role-arn").expect("its role");
    assert!(role.contains("assistant-local-workload"), "{role}");
    let pod = pods(&env).await.remove(0).spec.expect("a spec");
    let copying = &pod.init_containers.expect("what copies the weights")[0];
    let command = copying.command.as_ref().expect("a command").join(" ");
    assert!(command.contains("aws s3 sync") && command.contains("/qwen/ /mnt/models"), "{command}");
}

#[tokio::test]
async fn a_consumer_in_another_namespace_is_let_in() {
    let env = env("callers").await;
    let mut wanted = serving(json!({}));
    let account = json!({"name": "search-api", "namespace": "search"});
    wanted["access"] = json!([{"name": "search", "serviceAccount": account, "models": ["local"]}]);
    env.apply("assistant", &wanted).await;
    let status = env.wait_ready("assistant").await.status.expect("a status");
    assert_eq!(status.access, [], "nothing in AWS is used, so that there is no role");
    let policy = api::<NetworkPolicy>(&env).get("assistant-local").await.expect("a policy").spec.expect("a spec");
    let peers = policy.ingress.expect("rules")[0].from.clone().expect("peers");
    let namespaces: Vec<String> = peers
        .into_iter()
        .filter_map(|peer| peer.namespace_selector?.match_labels?.remove("kubernetes.io/metadata.name"))
        .collect();
    assert_eq!(namespaces, [env.namespace.clone(), "search".into()]);
}

#[tokio::test]
async fn what_plan_prints_as_manifests_is_taken_by_the_api_server() {
    let env = env("manifests").await;
    let mut object = json!({"apiVersion": "aiplatform.dev/v1alpha1", "kind": "AIPlatform"});
    object["metadata"] = json!({"name": "assistant", "namespace": env.namespace});
    object["spec"] = serving(
        json!({"autoscaling": {"minReplicas": 2, "maxReplicas": 4, "target": {"cpuPercent": 70}}, "replicas": null}),
    );
    let file = crate::support::test_env::file(&object.to_string());
    let output = crate::support::operator::command()
        .args(["plan", "-o", "yaml", "-f", file.to_str().expect("a path")])
        .output()
        .expect("it ends");
    let manifests = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let taken = env.cluster.kubectl(&["apply", "--dry-run=server", "-f", "-"], &manifests).expect("taken");
    assert!(taken.contains("deployment.apps/assistant-local created (server dry run)"), "{taken}");
    assert!(taken.contains("horizontalpodautoscaler.autoscaling/assistant-local created"), "{taken}");
}

#[tokio::test]
async fn what_plan_prints_as_manifests_means_what_the_spec_says_whatever_the_text() {
    let env = env("texts").await;
    let texts = [
        "",
        " ",
        " a ",
        "a\n",
        "\na",
        "a\r\nb",
        "a\tb",
        "\u{7f}",
        "\u{85}",
        "\u{2028}",
        "\u{feff}a",
        "\u{1b}[2J",
        "yes",
        "null",
        "~",
        "1e3",
        "0x1F",
        "0o7",
        "1_000",
        ".inf",
        ".nan",
        "=",
        "<<",
        "!!str",
        "&a",
        "*a",
        "|",
        ">",
        "%",
        "@",
        "`",
        "'",
        "\"",
        "\\",
        "- a",
        "a: b",
        "# a",
        "a # b",
        "---",
        "...",
        "{a",
        "[a",
        "2026-01-01",
        "12:30:45",
        "+1",
        "a\n---\nkind: Secret\n",
    ];
    let mut texts = texts.map(String::from).to_vec();
    texts.push("word ".repeat(500));
    let env_of: Vec<Value> =
        texts.iter().enumerate().map(|(index, text)| json!({"name": format!("T{index}"), "value": text})).collect();
    let mut object = json!({"apiVersion": "aiplatform.dev/v1alpha1", "kind": "AIPlatform"});
    object["metadata"] = json!({"name": "assistant", "namespace": env.namespace});
    object["spec"] = serving(json!({
        "engine": "Custom", "image": "registry.example.com/server:1", "source": null, "args": texts, "env": env_of,
    }));
    // YAML takes these in escapes alone.
    let escaped = |text: String, sign: char| text.replace(sign, &format!("\\u{:04x}", u32::from(sign)));
    let text = ['\u{7f}', '\u{85}', '\u{2028}', '\u{feff}'].into_iter().fold(object.to_string(), escaped);
    let file = crate::support::test_env::file(&text);
    let output = crate::support::operator::command()
        .args(["plan", "-o", "yaml", "-f", file.to_str().expect("a path")])
        .output()
        .expect("it ends");
    let manifests = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let taken =
        env.cluster.kubectl(&["create", "--dry-run=server", "-o", "json", "-f", "-"], &manifests).expect("taken");
    let kinds: Vec<Value> =
        serde_json::Deserializer::from_str(&taken).into_iter().map(|it| it.expect("JSON")).collect();
    let items = kinds.iter().flat_map(|it| it["items"].as_array().cloned().unwrap_or_else(|| vec![it.clone()]));
    let items: Vec<Value> = items.collect();
    assert!(!items.iter().any(|item| item["kind"] == "Secret"), "{manifests}");
    let deployment = items.iter().find(|item| item["kind"] == "Deployment").expect("a deployment");
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["args"], json!(texts), "{manifests}");
    let values = |index: usize| {
        let name = format!("T{index}");
        let found =
            container["env"].as_array().into_iter().flatten().find(|variable| variable["name"] == name.as_str());
        found.and_then(|variable| variable["value"].as_str()).unwrap_or_default().to_string()
    };
    assert_eq!((0..texts.len()).map(values).collect::<Vec<_>>(), texts);
}

#[tokio::test]
async fn a_platform_with_a_long_name_serves_and_is_woken_by_what_happens_to_its_objects() {
    let env = env("long-name").await;
    let platform = format!("{}.{}", "a".repeat(63), "b".repeat(40));
    env.apply(&platform, &serving(json!({}))).await;
    env.wait_ready(&platform).await;
    let services = api::<Service>(&env);
    let label = aiplatform::tags::platform_label(&platform);
    let selector = ListParams::default().labels(&format!("{}={label}", aiplatform::tags::PLATFORM_LABEL));
    let service = services.list(&selector).await.expect("a list").items.remove(0).metadata.name.expect("a name");
    services.delete(&service, &DeleteParams::default()).await.expect("deleted");
    let is_back = async || services.get_opt(&service).await.expect("an answer").is_some();
    env.wait("the service is back", is_back).await;
    env.delete(&platform).await;
    env.wait_until_gone(&platform).await;
    assert!(services.get_opt(&service).await.expect("an answer").is_none());
}

#[tokio::test]
async fn pods_never_run_as_an_account_that_somebody_else_made() {
    let env = env("strangers-account").await;
    env.cluster.kubectl(&["-n", &env.namespace, "create", "serviceaccount", "assistant-local"], "").expect("made");
    env.apply("assistant", &serving(json!({}))).await;
    let message = env.wait_stalled("assistant", "NotOwned").await;
    assert!(message.contains("ServiceAccount"), "{message}");
    let mut consuming = spec(json!([{"name": "prompts"}]));
    consuming["identity"] = json!({"irsa": {"oidcProviderArn":
        "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC"}});
    consuming["access"] =
        json!([{"name": "api", "serviceAccount": {"name": "assistant-local"}, "buckets": [{"name": "prompts"}]}]);
    env.apply("assistant", &consuming).await;
    env.wait_ready("assistant").await;
    env.apply("assistant", &serving(json!({}))).await;
    let message = env.wait_stalled("assistant", "NotOwned").await;
    assert!(message.contains("was there before this platform"), "{message}");
    assert!(api::<Deployment>(&env).get_opt("assistant-local").await.expect("an answer").is_none());
}

/// The Ready condition's message.
fn message(status: &aiplatform::api::status::AIPlatformStatus) -> String {
    condition(status, "Ready").map(|ready| ready.message.clone()).unwrap_or_default()
}
