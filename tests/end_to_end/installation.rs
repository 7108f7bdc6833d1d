//! Ways to install the operator, and what it says when one is not complete.

use std::time::Instant;

use serde_json::{Value, json};

use crate::support::operator::{Operator, command};
use crate::support::proxy::Proxy;
use crate::support::test_env::{TestEnv, environment, file, spec};

/// The environment of an operator with another kubeconfig than the one of the tests.
fn with_kubeconfig(env: &TestEnv, kubeconfig: &str) -> Vec<(&'static str, String)> {
    let mut environment = environment(env.cluster, &env.aws).to_vec();
    environment.retain(|(name, _)| *name != "KUBECONFIG");
    environment.push(("KUBECONFIG", kubeconfig.into()));
    environment
}

/// An environment whose operator has the rights of `manifests/rbac-namespaced.yaml` in its namespace, and no others.
async fn namespaced(name: &str) -> (TestEnv, Vec<(&'static str, String)>) {
    namespaced_without(name, "").await
}

/// The same, without one of the rules of the manifest.
async fn namespaced_without(name: &str, rule: &str) -> (TestEnv, Vec<(&'static str, String)>) {
    let mut env = TestEnv::new(name).await;
    env.operator.kill();
    let user = format!("operator-of-{}", env.namespace);
    let manifest = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/rbac-namespaced.yaml"));
    let manifest = manifest.expect("the manifest").replace("team-a", &env.namespace);
    assert!(manifest.contains(rule), "no {rule} in {manifest}");
    let manifest = if rule.is_empty() { manifest } else { manifest.replacen(rule, "", 1) };
    env.cluster.kubectl(&["apply", "-f", "-"], &manifest).expect("the manifest is taken");
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "operator-of-the-tests", "namespace": env.namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "aiplatform"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    });
    env.cluster.kubectl(&["apply", "-f", "-"], &binding.to_string()).expect("the binding is taken");
    let list =
        json!({"group": "aiplatform.dev", "resource": "aiplatforms", "verb": "list", "namespace": env.namespace});
    env.cluster.wait_allowed(&env.client, &user, &list).await;
    let environment = with_kubeconfig(&env, &env.cluster.kubeconfig_as(&user));
    (env, environment)
}

fn with_service_account() -> Value {
    let mut wanted = spec(json!([{"name": "a", "deletionPolicy": "Delete"}]));
    wanted["identity"] = json!({"irsa": {"oidcProviderArn": "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC"}});
    wanted["access"] =
        json!([{"name": "api", "serviceAccount": {"name": "api"}, "buckets": [{"name": "a", "mode": "Read"}]}]);
    wanted
}

#[tokio::test]
async fn one_namespace_needs_no_right_outside_of_it() {
    let (mut env, environment) = namespaced("namespaced").await;
    let arguments = ["--namespace", &env.namespace, "--cluster-name", "tests"];
    env.operator = Operator::start(&arguments, &environment);
    env.apply("assistant", &with_service_account()).await;
    env.wait_ready("assistant").await;
    assert!(env.service_account("api").await.is_some(), "made");
    assert!(!env.events("assistant").await.is_empty(), "told");
    env.wait("ready", async || env.operator.page("/readyz").0 == 200).await;
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    assert!(env.service_account("api").await.is_none(), "and deleted");
    let elsewhere = ["auth", "can-i", "delete", "serviceaccounts", "-n", "default", "--as"];
    let user = format!("operator-of-{}", env.namespace);
    let answer = env.cluster.kubectl(&[&elsewhere[..], &[user.as_str()]].concat(), "");
    assert!(answer.is_err_and(|reported| !reported.contains("yes")), "it may not delete service accounts elsewhere");
}

const NAMESPACES: &str = "- apiGroups: [\"\"]\n  resources: [namespaces]\n  verbs: [get]\n";
const STATUS: &str = "- apiGroups: [aiplatform.dev]\n  resources: [aiplatforms/status]\n  verbs: [patch]\n";

/// Waits until the operator says in `/readyz` and in its log that it lacks a right for an object.
async fn wait_obstacle(env: &TestEnv, right: &str) {
    let part = format!("{}/assistant:", env.namespace);
    let reported = async || {
        let (status, text) = env.operator.page("/readyz");
        status == 503 && text.lines().any(|line| line.contains(&part) && line.contains(right))
    };
    env.wait("an obstacle", reported).await;
    env.operator.wait_for_log(right);
}

#[tokio::test]
async fn labels_that_may_not_be_read_stall_the_object_and_show_in_readiness() {
    let (mut env, environment) = namespaced_without("unlabelled", NAMESPACES).await;
    let guardrails = file("rules: [{namespaces: {labels: {tier: prod}}}, {regions: [eu-west-1]}]");
    let path = guardrails.to_str().expect("a path");
    let plain = ["--namespace", &env.namespace, "--cluster-name", "tests"];
    let guarded = [&plain[..], &["--guardrails", path]].concat();

    env.operator = Operator::start(&plain, &environment);
    let mut wanted = with_service_account();
    env.apply("settled", &wanted).await;
    env.wait_ready("settled").await;
    env.operator.kill();
    env.operator = Operator::start(&guarded, &environment);
    env.apply("assistant", &wanted).await;
    wanted["tags"] = json!({"a": "b"});
    env.apply("settled", &wanted).await;
    for name in ["assistant", "settled"] {
        let reported = env.wait_stalled(name, "AccessDenied").await;
        for part in ["the API server denies get namespaces", "forbidden", "manifests/rbac.yaml", "guardrails"] {
            assert!(reported.contains(part), "{part}: {reported}");
        }
    }
    wait_obstacle(&env, "get namespaces").await;
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    let is_reported = |text: &str| text.contains(&format!("{}/assistant:", env.namespace));
    env.wait("forgotten", async || !is_reported(&env.operator.page("/readyz").1)).await;
    env.delete("settled").await;
    // What was permitted once can go, whatever the guardrails say now.
    env.wait_until_gone("settled").await;
    env.wait("ready", async || env.operator.page("/readyz").0 == 200).await;
}

#[tokio::test]
async fn a_status_that_may_not_be_written_is_reported_where_it_can_be() {
    let (mut env, environment) = namespaced_without("speechless", STATUS).await;
    let arguments = ["--namespace", &env.namespace, "--cluster-name", "tests"];
    env.operator = Operator::start(&arguments, &environment);
    env.apply("assistant", &with_service_account()).await;
    wait_obstacle(&env, "patch aiplatforms/status").await;
    let reported = async || env.events("assistant").await.iter().any(|(reason, _)| reason == "AccessDenied");
    env.wait("an event", reported).await;
    assert_eq!(env.aws.operations().iter().filter(|name| *name == "CreateBucket").count(), 0);
}

#[tokio::test]
async fn a_status_that_the_api_server_rejects_is_reported_where_it_can_be() {
    let env = TestEnv::new("rejected").await;
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": env.namespace},
        "spec": {
            "matchConstraints": {"resourceRules": [{"apiGroups": ["aiplatform.dev"], "apiVersions": ["*"],
                "operations": ["UPDATE"], "resources": ["aiplatforms/status"]}]},
            "validations": [{"expression": "false", "message": "no status today", "reason": "Invalid"}],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": env.namespace},
        "spec": {"policyName": env.namespace, "validationActions": ["Deny"], "matchResources": {"namespaceSelector":
            {"matchLabels": {"kubernetes.io/metadata.name": env.namespace}}}},
    });
    for object in [policy, binding] {
        env.cluster.kubectl(&["apply", "-f", "-"], &object.to_string()).expect("it is taken");
    }
    // A policy holds a moment after it was made.
    let holds = async || {
        let probe =
            format!("probe-{:?}", Instant::now()).to_lowercase().replace(|sign: char| !sign.is_alphanumeric(), "-");
        let name = probe.trim_matches('-').to_string();
        env.apply(
            &name,
            &json!({"suspend": true, "region": "eu-west-1", "accountId": "123456789012",
            "ownership": {"team": "a", "contact": "b", "environment": "c"}}),
        )
        .await;
        let reported = async || !env.events(&name).await.is_empty();
        let written = async || env.api().get(&name).await.expect("it").status.is_some();
        env.wait("an answer", async || reported().await || written().await).await;
        !written().await
    };
    env.wait("the policy holds", holds).await;
    env.apply("assistant", &with_service_account()).await;
    let reported = async || {
        let events = env.events("assistant").await;
        events.iter().any(|(reason, note)| reason == "StatusRejected" && note.contains("no status today"))
    };
    env.wait("an event", reported).await;
    assert!(env.operator.metric("aiplatform_failures_total{reason=\"StatusRejected\"}") > 0);
    assert_eq!(env.aws.operations().iter().filter(|name| *name == "CreateBucket").count(), 0);
}

#[tokio::test]
async fn a_cluster_that_may_not_be_described_is_an_obstacle_with_a_way_out() {
    let (mut env, environment) = namespaced("unnamed").await;
    env.operator = Operator::start(&["--namespace", &env.namespace], &environment);
    let line = env.operator.wait_for_log("kube-system");
    assert!(line.contains("WARN") && line.contains("forbidden") && line.contains("set --cluster-name"), "{line}");
    let (status, text) = env.operator.page("/readyz");
    assert_eq!(status, 503);
    assert!(text.contains("cluster name:") && text.contains("--cluster-name"), "{text}");
}

#[tokio::test]
async fn objects_that_may_not_be_watched_are_an_obstacle() {
    let (mut env, environment) = namespaced("unwatched").await;
    env.operator = Operator::start(&["--cluster-name", "tests"], &environment);
    let reported = async || {
        let (status, text) = env.operator.page("/readyz");
        status == 503 && text.contains("watch:") && text.contains("forbidden")
    };
    env.wait("told", reported).await;
    // It stays told while the watch begins again and again: a success is only what the API server has answered.
    let began = Instant::now();
    while began.elapsed() < std::time::Duration::from_secs(5) {
        assert_eq!(env.operator.page("/readyz").0, 503);
        tokio::time::sleep(crate::support::PERIOD).await;
    }
}

#[tokio::test]
async fn a_namespace_that_may_not_be_watched_is_not_hidden_by_one_that_may() {
    let (mut env, environment) = namespaced("half-watched").await;
    let arguments = ["--namespace", &env.namespace, "--namespace", "default", "--cluster-name", "tests"];
    env.operator = Operator::start(&arguments, &environment);
    let reported = async || {
        let (status, text) = env.operator.page("/readyz");
        status == 503 && text.contains("watch of default:") && text.contains("forbidden")
    };
    env.wait("told", reported).await;
    env.apply("assistant", &with_service_account()).await;
    env.wait_ready("assistant").await;
    assert!(reported().await, "what the other watch hears changes nothing: {}", env.operator.page("/readyz").1);
}

#[tokio::test]
async fn an_api_server_that_swallows_what_is_asked_of_it_is_noticed_within_seconds() {
    let mut env = TestEnv::new("swallowed").await;
    env.operator.kill();
    let network = Proxy::to(&env.cluster.address());
    let (before, after) = (env.cluster.address(), network.address());
    let kubeconfig = env.cluster.kubeconfig_with(&env.cluster.operator_kubeconfig(), "swallowed", &before, &after);
    let arguments = ["--namespace", &env.namespace, "--cluster-name", "tests", "--resync", "1s"];
    env.operator = Operator::start(&arguments, &with_kubeconfig(&env, &kubeconfig));
    env.apply("assistant", &spec(json!([{"name": "a"}]))).await;
    let resources = env.wait_ready("assistant").await.status.expect("a status").resources;
    let bucket = resources.iter().find(|resource| resource.kind == "Bucket").expect("a bucket");
    env.wait("ready", async || env.operator.page("/readyz").0 == 200).await;
    network.cut();
    let began = Instant::now();
    // An operator that has nothing to ask probes, but not each second. A repair is something to tell.
    env.aws.s3().delete_bucket_policy().bucket(&bucket.name).send().await.expect("it goes");
    let noticed = async || env.operator.page("/readyz").1.contains("the API server does not answer");
    env.wait("not ready", noticed).await;
    eprintln!("noticed after {:?}", began.elapsed());
    network.mend();
    env.wait("ready again", async || env.operator.page("/readyz").0 == 200).await;
}

#[tokio::test]
async fn a_namespace_that_is_named_twice_is_watched_once() {
    let mut env = TestEnv::new("twice").await;
    env.operator.kill();
    let mut environment = environment(env.cluster, &env.aws).to_vec();
    environment.push(("AIPLATFORM_NAMESPACE", format!("{0},{0}", env.namespace)));
    for arguments in [vec!["--namespace", &env.namespace, "--namespace", &env.namespace], vec![]] {
        let environment =
            if arguments.is_empty() { environment.clone() } else { environment[..environment.len() - 1].to_vec() };
        let all: Vec<&str> = arguments.iter().copied().chain(["--cluster-name", "tests"]).collect();
        env.operator = Operator::start(&all, &environment);
        let name = format!("assistant-{}", all.len());
        let creations = || env.aws.operations().iter().filter(|name| *name == "CreateBucket").count();
        let before = creations();
        env.apply(&name, &spec(json!([{"name": "a"}]))).await;
        env.wait_ready(&name).await;
        assert_eq!(creations(), before + 1);
        assert!(!env.operator.log().contains("ERROR"), "{}", env.operator.log());
        env.operator.kill();
    }
}

#[test]
fn a_name_that_no_namespace_can_have_is_refused() {
    for name in ["", "a,", "Team", "a/b", "-a"] {
        let output = command().args(["run".to_string(), format!("--namespace={name}")]).output().expect("it ends");
        assert_eq!(output.status.code(), Some(2), "{name:?}");
        let reported = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(reported.contains("is not the name of a namespace"), "{reported}");
    }
}

#[tokio::test]
async fn a_platform_that_is_set_aside_shows_in_metrics_and_events() {
    let env = TestEnv::new("set-aside").await;
    let mut wanted = with_service_account();
    env.apply("assistant", &wanted).await;
    env.wait_ready("assistant").await;
    wanted["suspend"] = json!(true);
    env.apply("assistant", &wanted).await;
    env.wait_for("assistant", "suspended", |status| format!("{:?}", status.phase) == "Some(Suspended)").await;
    let metric = "aiplatform_platforms_set_aside{reason=\"Suspended\"}";
    assert_eq!(env.operator.metric(metric), 1);
    let reported = async || {
        env.events("assistant")
            .await
            .iter()
            .any(|(reason, note)| reason == "Suspended" && note.contains("1 of them roles"))
    };
    env.wait("an event", reported).await;
    wanted["suspend"] = json!(false);
    env.apply("assistant", &wanted).await;
    env.wait_ready("assistant").await;
    assert_eq!(env.operator.metric(metric), 0);
}
