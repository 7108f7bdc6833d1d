//! Specs at the edges of what is allowed, against the API server: what `plan` takes, it takes as well, each object that
//! is made of it included, and keeps it so that nothing differs afterwards.

use aiplatform::api::AIPlatform;
use aiplatform::desire::desire;
use aiplatform::manifest;
use aiplatform::platform::Platform;
use aiplatform::resource::Freshness;
use kube::api::PostParams;

use super::*;
use crate::support::test_env::spec;

/// A platform's name, and its spec.
type Case = (String, Value);

/// A model in the cluster without pods, with these fields in place of its own.
fn model(fields: &Value) -> Value {
    let mut model = json!({
        "engine": "Custom", "image": "registry.example.com/server:1", "resources": {"gpus": 0}, "replicas": 0,
    });
    for (field, value) in fields.as_object().expect("fields") {
        model[field] = value.clone();
    }
    model.as_object_mut().expect("fields").retain(|_, value| !value.is_null());
    model
}

fn serving(name: &str, fields: &Value) -> Value {
    let mut wanted = spec(json!([]));
    wanted["models"] = json!([{"name": name, "kubernetes": model(fields)}]);
    wanted
}

/// One field at a time, with values at its edges.
#[expect(clippy::too_many_lines, reason = "a table of specs")]
fn cases() -> Vec<Case> {
    let texts = |texts: &[&str]| texts.iter().map(|text| json!(text)).collect::<Vec<_>>();
    let long = |length: usize| "a".repeat(length);
    let amounts = texts(&[
        "0",
        "1",
        "1m",
        "1n",
        "0.0001",
        "0.0000001",
        "1e-9",
        "100m",
        "0.1",
        ".5",
        "5.",
        "1e3",
        "1E3",
        "1e18",
        "1e19",
        "1e30",
        "1e99",
        "9223372036854775807",
        "9223372036854775808",
        "8Ei",
        "7Ei",
        "9E",
        "10E",
        "1.5Gi",
        "0.1Ki",
        "1.0001",
        "1.5",
        "0.5m",
        "00012",
        "1024Mi",
        "1Gi",
    ]);
    let keys = texts(&["a", ".", "..", "...", "..a", "a..b", "-", "a.b_c-D", &long(253), &long(254)]);
    let names = texts(&["a", "a.b", "a..b", "a.-b", "a-.b", &long(63), &long(64), &long(253), &long(254)]);
    let long_domain = |length: usize| {
        let domain = [long(60), long(60), long(60), long(length - 183)].join(".");
        json!(format!("{domain}/gpu"))
    };
    let mut devices = texts(&[
        "nvidia.com/gpu",
        "nvidia.com/mig-1g.5gb",
        "requests.nvidia.com/gpu",
        "kubernetes.io/gpu",
        "x.kubernetes.io/gpu",
        "requests.kubernetes.io/gpu",
        "a/b",
        "a/B_c",
        "a..b/gpu",
        "a-.b/gpu",
        "cpu",
        "hugepages-2Mi",
        "attachable-volumes-x/y",
        "nvidia.com/requests.gpu",
    ]);
    devices.extend([
        long_domain(243),
        long_domain(244),
        long_domain(245),
        long_domain(253),
        json!(format!("a.b/{}", long(63))),
    ]);
    let on_gpus = |device: &Value| json!({"resources": {"gpus": 1, "gpuResource": device}});
    let label_maps = [
        json!({"a": ""}),
        json!({"a": "b"}),
        json!({"a/b": "c"}),
        json!({"A/b": "c"}),
        json!({"a_b/c": "d"}),
        json!({"a..b/c": "d"}),
        json!({(long(63)): "b"}),
        json!({(long(64)): "b"}),
        json!({(format!("{}/a", long(253))): "b"}),
        json!({"a": long(63)}),
        json!({"a": "-"}),
        json!({"": "b"}),
    ];
    let tolerations = [
        json!({"operator": "Exists"}),
        json!({"key": "a"}),
        json!({"key": "a", "value": ""}),
        json!({"key": "a", "operator": "Exists", "value": ""}),
        json!({"key": "a/b", "effect": "NoExecute", "tolerationSeconds": 0}),
        json!({"key": "a", "effect": "NoExecute", "tolerationSeconds": -1}),
        json!({"key": "a", "effect": "NoExecute", "tolerationSeconds": i64::MAX}),
        json!({"key": "a..b"}),
        json!({"key": "a b"}),
        json!({"key": ""}),
        json!({"operator": "Equal", "value": "x"}),
        json!({"key": long(64)}),
    ];
    let variables = texts(&["A", "a.b", "_", "A-B", "a..b", "1A", "A=B", "", &long(256)]);
    let texts_of_values =
        texts(&["", " ", "$(A)", "$$(A)", "yes", "null", "1e3", "a\nb", "é\u{2028}", "\u{1b}[2J", "\t"]);
    let images = texts(&[
        "a",
        "a:b",
        "registry.example.com:5000/a/b:1",
        &format!("a@sha256:{}", "0".repeat(64)),
        "a//b",
        "a:",
        "A:b",
        "a:b:c",
        "a/",
        "registry/A",
        "a b",
        &long(512),
    ]);
    let claims = |claim: &Value| json!({"source": {"pvc": {"claimName": claim}}});
    let folders = texts(&[
        "/", "/a", "//a//", "/a/../b", "/..", "/..a", "/a..", "/a\nb", "/a\\b", "/./a", "/.", "/ ", "/a:b", "/a,b",
    ]);
    let folder = |folder: &Value| json!({"source": {"pvc": {"claimName": "weights", "path": folder}}});
    let secret = |field: &str, value: &Value| {
        let mut secret = json!({"name": "s", "key": "k"});
        secret[field] = value.clone();
        secret
    };
    let scaling = |target: Value| json!({"replicas": null, "autoscaling": {"minReplicas": 1, "maxReplicas": 1000, "target": target}});
    let mut fields: Vec<Value> = Vec::new();
    for field in ["cpu", "memory", "sharedMemory"] {
        fields.extend(amounts.iter().map(|amount| json!({"resources": {"gpus": 0, (field): amount}})));
    }
    fields.extend(devices.iter().map(on_gpus));
    for (field, values) in [("name", &names), ("key", &keys)] {
        for value in values {
            let secret = secret(field, value);
            fields.push(json!({"apiKeySecretRef": secret}));
            fields.push(json!({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": secret}}]}));
            fields.push(json!({"engine": "VLLM", "image": null, "source": {"huggingFace": {"repo": "a/b", "tokenSecretRef": secret}}}));
        }
    }
    fields.extend(label_maps.iter().map(|labels| json!({"nodeSelector": labels})));
    fields.extend(label_maps.iter().map(|labels| json!({"allowFrom": [{"podLabels": labels}]})));
    fields.extend(label_maps.iter().map(|labels| json!({"allowFrom": [{"namespaceLabels": labels}]})));
    fields.extend(tolerations.iter().map(|toleration| json!({"tolerations": [toleration]})));
    fields.extend(variables.iter().map(|name| json!({"env": [{"name": name, "value": "x"}]})));
    fields.extend(texts_of_values.iter().map(|value| json!({"env": [{"name": "A", "value": value}], "args": [value]})));
    fields.push(json!({"env": [{"name": "A"}, {"name": "A"}]}));
    fields.push(json!({"allowFrom": [{"podLabels": {"a": "b"}}, {"podLabels": {"a": "b"}}]}));
    fields.push(json!({"tolerations": [{"key": "a"}, {"key": "a"}]}));
    fields.extend(images.iter().map(|image| json!({"image": image})));
    fields.extend(names.iter().map(claims));
    fields.extend(folders.iter().map(folder));
    fields.extend([30, 31, 86400].map(|seconds| json!({"startupTimeoutSeconds": seconds})));
    fields.extend([0, 1, 100].map(|surge| json!({"rollout": {"maxSurge": surge}})));
    fields.extend([1, 1000].map(|percent| {
        let mut fields = scaling(json!({"cpuPercent": percent}));
        fields["resources"] = json!({"gpus": 0, "cpu": "1"});
        fields
    }));
    fields.extend(["queueDepth", "concurrentRequests"].map(|metric| {
        let mut fields = scaling(json!({(metric): 100_000}));
        fields["engine"] = json!("TGI");
        fields["source"] = json!({"pvc": {"claimName": "weights"}});
        fields
    }));
    fields.extend(["TGI", "VLLM", "TorchServe"].into_iter().flat_map(|engine| {
        let source = json!({"pvc": {"claimName": "weights"}});
        [0, 1, 2, 64]
            .map(|gpus| json!({"engine": engine, "image": null, "source": source, "resources": {"gpus": gpus}}))
    }));
    let on_volume = |source: Value| json!({"engine": "TorchServe", "image": null, "source": source});
    let target = |target: Value| scaling(target);
    fields.extend([
        json!({"image": null}),
        json!({"source": {}}),
        json!({"source": {"pvc": {"claimName": "a"}, "huggingFace": {"repo": "a/b"}}}),
        json!({"engine": "VLLM"}),
        on_volume(json!({"huggingFace": {"repo": "a/b"}})),
        json!({"engine": "TorchServe", "source": {"pvc": {"claimName": "a"}}, "apiKeySecretRef": {"name": "a", "key": "b"}}),
        json!({"source": {"s3": {"bucket": "a"}}}),
        json!({"source": {"s3": {"prefix": "a/"}}}),
        json!({"source": {"s3": {"bucket": "a", "prefix": "a/", "uri": "s3://abc/d/"}}}),
        json!({"source": {"s3": {}}}),
        json!({"replicas": 1, "autoscaling": {"minReplicas": 1, "maxReplicas": 2, "target": {"cpuPercent": 1}}}),
        json!({"replicas": null, "autoscaling": {"minReplicas": 3, "maxReplicas": 2, "target": {"cpuPercent": 1}}}),
        target(json!({})),
        target(json!({"cpuPercent": 1})),
        target(json!({"queueDepth": 1})),
        target(json!({"queueDepth": 1, "concurrentRequests": 1})),
        json!({"env": [{"name": "A", "value": "", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}]}),
        json!({"env": [{"name": "A", "valueFrom": {}}]}),
        json!({"allowFrom": [{}]}),
        json!({"allowFrom": [{"podLabels": {}}]}),
        json!({"rollout": {}}),
        json!({"rollout": {"maxSurge": 101}}),
        json!({"replicas": -1}),
        json!({"replicas": 1001}),
        json!({"startupTimeoutSeconds": 29}),
        json!({"servedName": "a b"}),
        json!({"servedName": "-a"}),
        json!({"servedName": "a/b:c"}),
    ]);
    let mut cases: Vec<Case> = fields.iter().map(|fields| ("edges".into(), serving("local", fields))).collect();
    for length in [1, 31, 53, 54, 55, 62, 63] {
        cases.push(("edges".into(), serving(&long(length), &json!({}))));
    }
    for name in [
        long(53),
        long(63),
        long(64),
        format!("{}.{}", long(63), long(63)),
        format!("{}-.b", "a"),
        "a.b".into(),
        "1a".into(),
    ] {
        cases.push((name, serving("local", &json!({}))));
    }
    for (field, value) in [
        ("team", "a b"),
        ("team", "é"),
        ("environment", "+=,."),
        ("environment", "_"),
        ("contact", "a@b.c"),
        ("costCenter", "- -"),
        ("dataClassification", "(x)"),
    ] {
        let mut wanted = serving("local", &json!({}));
        wanted["ownership"][field] = json!(value);
        cases.push(("edges".into(), wanted));
    }
    cases
}

/// The objects in the cluster that cannot be made of a platform, or that differ from it when they were.
async fn unmade(env: &Env, platform: &Platform, index: usize) -> Vec<String> {
    let mut wrong = Vec::new();
    let scope = Scope { owner: format!("{CLUSTER}/{}/{}", env.namespace, platform.name), ..env.scope() };
    let desired = desire(platform, CLUSTER);
    let in_cluster = desired.into_iter().map(|item| item.resource);
    for resource in in_cluster.filter(|resource| matches!(resource.kind().info().backend, Backend::Cluster(_))) {
        let key = resource.key();
        let step = Step { desired: Some(resource.clone()), ..Step::new(key.clone(), Action::Create) };
        if let Err(error) = env.adapter.apply(&scope, &step).await {
            wrong.push(format!("{index}: {key} is refused: {error}"));
            continue;
        }
        let request = Request {
            key: key.clone(),
            adopt: false,
            pruning: false,
            may_be_made: false,
            thorough: true,
            omitted: &[],
            freshness: Freshness::Current,
            departure: Departure::default(),
            vpc_id: None,
        };
        let observed = env.adapter.observe(&scope, &request).await.expect("an answer");
        let (found, wanted) = observed.resource.expect("it is there").compared(&resource);
        let changes = aiplatform::diff::changes(&found, &wanted);
        if !changes.is_empty() {
            wrong.push(format!("{index}: {key} differs for ever: {changes:?}"));
        }
        let gone = env.adapter.apply(&scope, &Step::new(key.clone(), Action::Delete { with_contents: false })).await;
        assert!(gone.is_ok(), "{key}: {gone:?}");
    }
    wrong
}

#[tokio::test]
async fn what_plan_takes_is_taken_by_the_api_server_and_stays_as_it_was_declared() {
    let env = Env::new("edges").await;
    env.cluster.install(&env.client).await;
    install_optional_apis(env.cluster, &env.adapter).await;
    let objects: Api<DynamicObject> =
        Api::namespaced_with(env.client.clone(), &env.namespace, &ApiResource::erase::<AIPlatform>(&()));
    let mut wrong = Vec::new();
    let (mut taken, mut refused) = (0, 0);
    for (index, (name, spec)) in cases().into_iter().enumerate() {
        let object = json!({"apiVersion": "aiplatform.dev/v1alpha1", "kind": "AIPlatform",
            "metadata": {"name": name, "namespace": env.namespace}, "spec": spec});
        let dry_run = PostParams { dry_run: true, ..PostParams::default() };
        let sent = serde_json::from_value(object.clone()).expect("an object");
        let of_server = objects.create(&dry_run, &sent).await;
        let of_plan = manifest::parse("edges.yaml", &object.to_string());
        let shown = spec["models"][0].to_string();
        let found = match (of_plan, of_server) {
            (Ok(_), Err(error)) => vec![format!("plan takes what the API server refuses: {error}")],
            (Err(_), _) => {
                refused += 1;
                Vec::new()
            }
            (Ok(input), Ok(_)) => {
                taken += 1;
                let platform = input.manifests[0].platform().expect("it is valid");
                unmade(&env, &platform, index).await
            }
        };
        wrong.extend(found.into_iter().map(|why| format!("{name} {shown}\n    {why}")));
    }
    assert!(wrong.is_empty(), "{} of {taken} are not as they should be:\n{}", wrong.len(), wrong.join("\n"));
    assert!(taken > 100 && refused > 50, "{taken} taken, {refused} refused");
}
