use serde_json::{Value, json};

use super::*;
use crate::api::AIPlatform;
use crate::kind::Backend;
use crate::platform::validate;
use crate::resource::Kind;
use crate::tags;
use crate::testing::{CLUSTER, REPOSITORY, object};

fn desired(object: &AIPlatform) -> Vec<Desired> {
    crate::desire::desire(&validate(object).unwrap(), CLUSTER)
}

/// The body of the object of this kind, as it would be applied.
fn body(object: &AIPlatform, kind: Kind) -> Option<Value> {
    let Backend::Cluster(api) = kind.info().backend else { panic!("{kind} is not in the cluster") };
    desired(object).iter().find_map(|item| (api.body)(&item.resource).filter(|_| item.resource.kind() == kind))
}

fn pod(object: &AIPlatform) -> Value {
    body(object, Kind::Deployment).unwrap()["spec"]["template"]["spec"].take()
}

/// A platform with one model in the cluster, with these fields beside its engine and its source.
fn with(fields: &Value) -> AIPlatform {
    let mut model = json!({"engine": "VLLM", "source": {"huggingFace": {"repo": "Qwen/Qwen3-8B"}}});
    model.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    object(json!({
        "identity": {"irsa": {"oidcProviderArn": "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/0"}},
        "storage": {"buckets": [{"name": "weights", "bucketName": "weights-123"}]},
        "models": [{"name": "local", "kubernetes": model}],
    }))
}

#[test]
fn the_objects_of_the_example_are_these() {
    let text = std::fs::read_to_string(format!("{REPOSITORY}/examples/in-cluster.yaml")).unwrap();
    let platform: AIPlatform = serde_saphyr::from_str(&text).unwrap();
    let bodies = desired(&platform).into_iter().filter_map(|item| {
        let Backend::Cluster(api) = item.resource.kind().info().backend else { return None };
        Some(json!({item.resource.key().to_string(): (api.body)(&item.resource)}))
    });
    insta::assert_json_snapshot!("in_cluster", bodies.collect::<Vec<_>>());
}

#[test]
fn every_pod_passes_the_restricted_level_and_shares_nothing_of_its_node() {
    let sources = [
        json!({"huggingFace": {"repo": "a/b"}}),
        json!({"s3": {"bucket": "weights", "prefix": "qwen/"}}),
        json!({"pvc": {"claimName": "weights"}}),
    ];
    for source in sources {
        let pod = pod(&with(&json!({"source": source})));
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        assert_eq!((&pod["enableServiceLinks"], &pod["automountServiceAccountToken"]), (&json!(false), &json!(false)));
        let of = |field: &str| pod[field].as_array().cloned().unwrap_or_default();
        for container in of("containers").iter().chain(&of("initContainers")) {
            assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false, "{container:#}");
            assert_eq!(container["securityContext"]["capabilities"], json!({"drop": ["ALL"]}), "{container:#}");
        }
        for volume in of("volumes") {
            assert!(volume.get("hostPath").is_none() && volume.get("secret").is_none(), "{volume:#}");
        }
    }
}

#[test]
fn an_autoscaler_owns_the_number_of_pods() {
    let scaling = json!({"minReplicas": 2, "maxReplicas": 4, "target": {"cpuPercent": 70}});
    let resources = json!({"gpus": 0, "cpu": "4"});
    let scaled = with(&json!({"autoscaling": scaling, "resources": resources}));
    assert_eq!(body(&scaled, Kind::Deployment).unwrap()["spec"].get("replicas"), None);
    assert_eq!(body(&scaled, Kind::HorizontalPodAutoscaler).unwrap()["spec"]["minReplicas"], 2);
    assert_eq!(body(&scaled, Kind::PodDisruptionBudget).unwrap()["spec"]["maxUnavailable"], 1);
    let left_alone = with(&json!({}));
    assert_eq!(body(&left_alone, Kind::Deployment).unwrap()["spec"].get("replicas"), None);
    assert_eq!(body(&left_alone, Kind::PodDisruptionBudget), None, "nothing keeps the node of the only pod from going");
    let declared = with(&json!({"replicas": 3}));
    assert_eq!(body(&declared, Kind::Deployment).unwrap()["spec"]["replicas"], 3);
}

#[test]
fn a_rollout_needs_a_spare_gpu_only_where_that_is_asked_for() {
    let strategy =
        |fields: Value| body(&with(&fields), Kind::Deployment).unwrap()["spec"]["strategy"]["rollingUpdate"].take();
    assert_eq!(strategy(json!({})), json!({"maxSurge": 0, "maxUnavailable": 1}));
    assert_eq!(strategy(json!({"rollout": {"maxSurge": 2}})), json!({"maxSurge": 2, "maxUnavailable": 0}));
    assert_eq!(strategy(json!({"resources": {"gpus": 0}})), json!({"maxSurge": 1, "maxUnavailable": 0}));
}

#[test]
fn pods_reach_names_and_their_weights_and_nothing_else() {
    let ports = |source: Value| -> Vec<i64> {
        let policy = body(&with(&json!({"source": source})), Kind::NetworkPolicy).unwrap();
        let rules = policy["spec"]["egress"].as_array().cloned().unwrap();
        rules
            .iter()
            .flat_map(|rule| rule["ports"].as_array().cloned().unwrap())
            .map(|it| it["port"].as_i64().unwrap())
            .collect()
    };
    assert_eq!(ports(json!({"pvc": {"claimName": "weights"}})), [53, 53]);
    assert_eq!(ports(json!({"huggingFace": {"repo": "a/b"}})), [53, 53, 443]);
    assert_eq!(ports(json!({"s3": {"bucket": "weights", "prefix": "qwen/"}})), [53, 53, 443]);
}

#[test]
fn keda_is_let_in_where_it_reads_a_metric_and_nowhere_else() {
    let is_let_in = |target: Value| {
        let scaling = json!({"minReplicas": 1, "maxReplicas": 2, "target": target});
        let platform = with(&json!({"autoscaling": scaling, "resources": {"cpu": "4"}}));
        body(&platform, Kind::NetworkPolicy).unwrap().to_string().contains("keda-operator")
    };
    assert!(is_let_in(json!({"queueDepth": 5})) && is_let_in(json!({"concurrentRequests": 5})));
    assert!(!is_let_in(json!({"cpuPercent": 70})));
}

#[test]
fn whoever_is_let_in_is_let_in_by_name() {
    let mut platform = with(&json!({"allowFrom": [{"podLabels": {"app": "indexer"}}]}));
    let consumer =
        json!({"name": "api", "serviceAccount": {"name": "api", "namespace": "search"}, "models": ["local"]});
    platform.spec.access = vec![serde_json::from_value(consumer).unwrap()];
    let policy = body(&platform, Kind::NetworkPolicy).unwrap();
    let namespace = |name: &str| json!({"matchLabels": {"kubernetes.io/metadata.name": name}});
    let callers = json!([
        {"podSelector": {"matchLabels": {"app": "indexer"}}}, {"namespaceSelector": namespace("search")},
    ]);
    assert_eq!(policy["spec"]["ingress"][0]["from"], callers);
    for peer in policy["spec"]["ingress"][1]["from"].as_array().unwrap() {
        assert!(peer.get("namespaceSelector").is_some() && peer.get("podSelector").is_some(), "{peer:#}");
    }
}

#[test]
fn the_pods_of_a_model_in_s3_may_read_its_weights_and_nothing_else() {
    let source = json!({"s3": {"bucket": "weights", "prefix": "qwen/"}});
    let platform = validate(&with(&json!({"source": source}))).unwrap();
    let [grant] = platform.grants.as_slice() else { panic!("one role is enough: {:#?}", platform.grants) };
    assert_eq!(grant.subject.to_string(), "service account support/assistant-local (IRSA)");
    let statements = &grant.policies[0].1;
    let actions: Vec<&str> = statements.iter().flat_map(|statement| &statement.actions).map(AsRef::as_ref).collect();
    assert_eq!(actions, ["s3:GetObject", "s3:ListBucket"]);
    assert_eq!(statements[0].resources, ["arn:aws:s3:::weights-123/qwen/*"]);
    assert!(statements.iter().all(|statement| statement.about.is_some()), "both wait for the bucket: {statements:#?}");
}

#[test]
fn pods_that_eks_vouches_for_are_made_after_their_association() {
    let source = json!({"s3": {"bucket": "weights", "prefix": "qwen/"}});
    let mut object = with(&json!({"source": source}));
    let cluster = json!({"podIdentity": {"clusterArn": "arn:aws:eks:eu-west-1:123456789012:cluster/prod"}});
    object.spec.identity = serde_json::from_value(cluster).unwrap();
    let desired = desired(&object);
    let place = |kind: Kind| desired.iter().position(|item| item.resource.kind() == kind).unwrap();
    let deployment = &desired[place(Kind::Deployment)].resource;
    let association = &desired[place(Kind::PodIdentityAssociation)].resource;
    assert!(deployment.needs().contains(&association.key()), "{:?}", deployment.needs());
    assert!(place(Kind::PodIdentityAssociation) < place(Kind::Deployment));
}

#[test]
fn the_revision_is_what_the_pods_are_made_of() {
    let revision = |fields: Value| {
        let deployment = body(&with(&fields), Kind::Deployment).unwrap();
        deployment["spec"]["template"]["metadata"]["labels"][tags::REVISION_LABEL].as_str().unwrap().to_string()
    };
    assert_eq!(revision(json!({})), revision(json!({"replicas": 3, "allowFrom": [{"podLabels": {"a": "b"}}]})));
    assert_ne!(revision(json!({})), revision(json!({"args": ["--max-model-len", "8192"]})));
}
