//! Ways to install the operator, and what it says when one is not complete.

use std::time::Instant;

use serde_json::{Value, json};

use crate::support::operator::{Operator, command};
use crate::support::proxy::Proxy;
use crate::support::world::{World, environment, spec};

/// The environment of an operator with another kubeconfig than the one of the tests.
fn with_kubeconfig(world: &World, kubeconfig: &str) -> Vec<(&'static str, String)> {
    let mut environment = environment(world.cluster, &world.aws).to_vec();
    environment.retain(|(name, _)| *name != "KUBECONFIG");
    environment.push(("KUBECONFIG", kubeconfig.into()));
    environment
}

/// A world whose operator has the rights of `manifests/rbac-namespaced.yaml` in its namespace, and no others.
async fn namespaced(name: &str) -> (World, Vec<(&'static str, String)>) {
    let mut world = World::new(name).await;
    world.operator.kill();
    let user = format!("operator-of-{}", world.namespace);
    let manifest = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/rbac-namespaced.yaml"));
    let manifest = manifest.expect("the manifest").replace("team-a", &world.namespace);
    world.cluster.kubectl(&["apply", "-f", "-"], &manifest).expect("the manifest is taken");
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "operator-of-the-tests", "namespace": world.namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "aiplatform"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    });
    world.cluster.kubectl(&["apply", "-f", "-"], &binding.to_string()).expect("the binding is taken");
    let list =
        json!({"group": "aiplatform.dev", "resource": "aiplatforms", "verb": "list", "namespace": world.namespace});
    world.cluster.wait_allowed(&world.client, &user, &list).await;
    let environment = with_kubeconfig(&world, &world.cluster.kubeconfig_as(&user));
    (world, environment)
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
    let (mut world, environment) = namespaced("namespaced").await;
    let arguments = ["--namespace", &world.namespace, "--cluster-name", "tests"];
    world.operator = Operator::start(&arguments, &environment);
    world.apply("assistant", &with_service_account()).await;
    world.wait_ready("assistant").await;
    assert!(world.service_account("api").await.is_some(), "made");
    assert!(!world.events("assistant").await.is_empty(), "told");
    assert_eq!(world.operator.page("/readyz").0, 200);
    world.delete("assistant").await;
    world.wait_until_gone("assistant").await;
    assert!(world.service_account("api").await.is_none(), "and deleted");
    let elsewhere = ["auth", "can-i", "delete", "serviceaccounts", "-n", "default", "--as"];
    let user = format!("operator-of-{}", world.namespace);
    let answer = world.cluster.kubectl(&[&elsewhere[..], &[user.as_str()]].concat(), "");
    assert!(answer.is_err_and(|told| !told.contains("yes")), "it may not delete service accounts elsewhere");
}

#[tokio::test]
async fn a_cluster_that_may_not_be_asked_for_its_name_is_an_obstacle_with_a_way_out() {
    let (mut world, environment) = namespaced("unnamed").await;
    world.operator = Operator::start(&["--namespace", &world.namespace], &environment);
    let line = world.operator.wait_for_log("kube-system");
    assert!(line.contains("WARN") && line.contains("forbidden") && line.contains("set --cluster-name"), "{line}");
    let (status, text) = world.operator.page("/readyz");
    assert_eq!(status, 503);
    assert!(text.contains("cluster name:") && text.contains("--cluster-name"), "{text}");
}

#[tokio::test]
async fn objects_that_may_not_be_watched_are_an_obstacle() {
    let (mut world, environment) = namespaced("unwatched").await;
    world.operator = Operator::start(&["--cluster-name", "tests"], &environment);
    let told = async || {
        let (status, text) = world.operator.page("/readyz");
        status == 503 && text.contains("watch:") && text.contains("forbidden")
    };
    world.wait("told", told).await;
}

#[tokio::test]
async fn an_api_server_that_swallows_everything_is_noticed_within_seconds() {
    let mut world = World::new("swallowed").await;
    world.operator.kill();
    let network = Proxy::to(&world.cluster.address());
    let (before, after) = (world.cluster.address(), network.address());
    let kubeconfig = world.cluster.kubeconfig_with(&world.cluster.operator_kubeconfig(), "swallowed", &before, &after);
    let arguments = ["--namespace", &world.namespace, "--cluster-name", "tests"];
    world.operator = Operator::start(&arguments, &with_kubeconfig(&world, &kubeconfig));
    world.wait("ready", async || world.operator.page("/readyz").0 == 200).await;
    network.cut();
    let began = Instant::now();
    let noticed = async || world.operator.page("/readyz").1.contains("the API server does not answer");
    world.wait("not ready", noticed).await;
    eprintln!("noticed after {:?}", began.elapsed());
    network.mend();
    world.wait("ready again", async || world.operator.page("/readyz").0 == 200).await;
}

#[tokio::test]
async fn a_namespace_that_is_named_twice_is_watched_once() {
    let mut world = World::new("twice").await;
    world.operator.kill();
    let mut environment = environment(world.cluster, &world.aws).to_vec();
    environment.push(("AIPLATFORM_NAMESPACE", format!("{0},{0}", world.namespace)));
    for arguments in [vec!["--namespace", &world.namespace, "--namespace", &world.namespace], vec![]] {
        let environment =
            if arguments.is_empty() { environment.clone() } else { environment[..environment.len() - 1].to_vec() };
        let all: Vec<&str> = arguments.iter().copied().chain(["--cluster-name", "tests"]).collect();
        world.operator = Operator::start(&all, &environment);
        let name = format!("assistant-{}", all.len());
        let creations = || world.aws.operations().iter().filter(|name| *name == "CreateBucket").count();
        let before = creations();
        world.apply(&name, &spec(json!([{"name": "a"}]))).await;
        world.wait_ready(&name).await;
        assert_eq!(creations(), before + 1);
        assert!(!world.operator.log().contains("ERROR"), "{}", world.operator.log());
        world.operator.kill();
    }
}

#[test]
fn a_name_that_no_namespace_can_have_is_refused() {
    for name in ["", "a,", "Team", "a/b", "-a"] {
        let output = command().args(["run".to_string(), format!("--namespace={name}")]).output().expect("it ends");
        assert_eq!(output.status.code(), Some(2), "{name:?}");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains("is not the name of a namespace"), "{told}");
    }
}

#[tokio::test]
async fn a_platform_that_is_set_aside_shows_in_metrics_and_events() {
    let world = World::new("set-aside").await;
    let mut wanted = with_service_account();
    world.apply("assistant", &wanted).await;
    world.wait_ready("assistant").await;
    wanted["suspend"] = json!(true);
    world.apply("assistant", &wanted).await;
    world.wait_for("assistant", "suspended", |status| format!("{:?}", status.phase) == "Some(Suspended)").await;
    let metric = "aiplatform_platforms_set_aside{reason=\"Suspended\"}";
    assert_eq!(world.operator.metric(metric), 1);
    let told = async || {
        world
            .events("assistant")
            .await
            .iter()
            .any(|(reason, note)| reason == "Suspended" && note.contains("1 of them roles"))
    };
    world.wait("an event", told).await;
    wanted["suspend"] = json!(false);
    world.apply("assistant", &wanted).await;
    world.wait_ready("assistant").await;
    assert_eq!(world.operator.metric(metric), 0);
}
