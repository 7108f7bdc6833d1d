//! Of several operators one works, whatever happens to the network, to the process or to the clock.

use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::operator::Operator;
use crate::support::proxy::Proxy;
use crate::support::test_env::{TestEnv, environment, spec};

/// An environment without an operator, in whose namespace a Lease may be held.
async fn env(name: &str) -> TestEnv {
    let mut env = TestEnv::new(name).await;
    env.operator.kill();
    env.cluster.grant_leases(&env.client, &env.namespace).await;
    env
}

/// A candidate that works there once it leads.
fn candidate(env: &TestEnv, kubeconfig: &str, arguments: &[&str]) -> Operator {
    let mut environment = environment(env.cluster, &env.aws).to_vec();
    environment.retain(|(name, _)| *name != "KUBECONFIG");
    environment.push(("KUBECONFIG", kubeconfig.into()));
    environment.push(("POD_NAMESPACE", env.namespace.clone()));
    let mut all = vec!["--namespace", &env.namespace, "--cluster-name", "tests", "--leader-elect"];
    all.extend(["--lease-name", "aiplatform"]);
    all.extend(arguments);
    Operator::start(&all, &environment)
}

fn leases(env: &TestEnv) -> Api<Lease> {
    Api::namespaced(env.client.clone(), &env.namespace)
}

async fn holder(env: &TestEnv) -> Option<String> {
    let lease = leases(env).get_opt("aiplatform").await.expect("an answer")?;
    lease.spec.and_then(|spec| spec.holder_identity)
}

/// A Lease that was given back, so that the first candidate need not wait for a leader that nobody knows of.
async fn free(env: &TestEnv) {
    hold(env, json!({"holderIdentity": "", "leaseDurationSeconds": 1, "leaseTransitions": 1})).await;
}

/// Writes a record into the Lease.
async fn hold(env: &TestEnv, spec: Value) {
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "aiplatform"}, "spec": spec});
    let parameters = PatchParams::apply("somebody").force();
    leases(env).patch("aiplatform", &parameters, &Patch::Apply(lease)).await.expect("the Lease is written");
}

fn two_buckets() -> Value {
    spec(json!([{"name": "a", "deletionPolicy": "Delete"}, {"name": "b", "deletionPolicy": "Delete"}]))
}

/// The calls that could change something, or that look whether they should.
fn work(env: &TestEnv) -> usize {
    env.aws.operations().len()
}

#[tokio::test]
async fn a_leader_that_loses_the_api_server_stops_before_another_leads() {
    let env = env("partitioned").await;
    free(&env).await;
    let network = Proxy::to(&env.cluster.address());
    let restricted = env.cluster.operator_kubeconfig();
    let kubeconfig =
        env.cluster.kubeconfig_with(&restricted, "partitioned", &env.cluster.address(), &network.address());
    let mut first = candidate(&env, &kubeconfig, &["--resync", "1s"]);
    first.wait_for_log("leading");
    env.apply("assistant", &two_buckets()).await;
    env.wait_ready("assistant").await;
    let second = candidate(&env, &restricted, &[]);
    second.wait_for_log("the lease is held");

    network.cut();
    first.wait_for_log("the lease is lost");
    let at_the_end = work(&env);
    assert_eq!(first.wait_until_gone().code(), Some(1), "{}", first.log());
    assert!(!second.log().contains("leading"), "{}", second.log());
    assert_eq!(work(&env), at_the_end, "nothing is asked of AWS any more");

    second.wait_for_log("leading");
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    let writes = env.aws.writes_since(0);
    // What was held back arrives.
    network.mend();
    env.wait("the lease is the second's", async || holder(&env).await.is_some()).await;
    assert_eq!(env.aws.writes_since(0), writes, "what the new leader deleted is not made again");
}

#[tokio::test]
async fn a_leader_that_was_stopped_for_longer_than_the_lease_does_nothing_when_it_wakes() {
    let env = env("stopped").await;
    free(&env).await;
    let kubeconfig = env.cluster.operator_kubeconfig();
    let mut first = candidate(&env, &kubeconfig, &[]);
    first.wait_for_log("leading");
    env.aws.control("latency", json!({"ms": 1000}));
    env.apply("assistant", &two_buckets()).await;
    let creates = async || env.aws.operations().iter().any(|operation| operation == "CreateBucket");
    env.wait("a step in hand", creates).await;
    first.signal("STOP");

    let second = candidate(&env, &kubeconfig, &[]);
    second.wait_for_log("the lease is held");
    second.wait_for_log("leading");
    env.aws.control("latency", json!({"ms": 0}));
    env.wait_ready("assistant").await;
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    let (calls, reads) = (env.aws.calls_since(0), second.log());

    first.signal("CONT");
    assert_eq!(first.wait_until_gone().code(), Some(1), "{}", first.log());
    let after = env.aws.calls_since(calls.len());
    assert!(after.iter().all(|operation| operation == "GetCallerIdentity"), "{after:?}\n{}\n{reads}", first.log());
}

#[tokio::test]
async fn clocks_of_others_mean_nothing() {
    let (silent, alive) = tokio::join!(env("century"), env("jumping"));
    let record = |renewed: &str| json!({"holderIdentity": "another", "leaseDurationSeconds": 30, "renewTime": renewed, "leaseTransitions": 3});
    // A holder that has been silent since a time that has not come yet.
    hold(&silent, record("2099-01-01T00:00:00.000000Z")).await;
    hold(&alive, record("1970-01-01T00:00:00.000000Z")).await;
    let follows = candidate(&silent, &silent.cluster.operator_kubeconfig(), &[]);
    let waits = candidate(&alive, &alive.cluster.operator_kubeconfig(), &[]);
    follows.wait_for_log("the lease is held");
    waits.wait_for_log("the lease is held");
    assert!(!follows.log().contains("leading"), "it has to have been silent for a lease");
    let mut second = 0;
    let leads = async || {
        // A holder that is alive, and whose clock goes backwards.
        second += 1;
        hold(&alive, record(&format!("1969-12-31T{:02}:{:02}:59.000000Z", 23 - second / 60, 59 - second % 60))).await;
        follows.log().contains("leading")
    };
    silent.wait("the silent one is followed", leads).await;
    assert!(!waits.log().contains("leading"), "{}", waits.log());
}

#[tokio::test]
async fn a_lease_that_is_deleted_stays_with_its_leader() {
    let env = env("deleted-lease").await;
    free(&env).await;
    let kubeconfig = env.cluster.operator_kubeconfig();
    let first = candidate(&env, &kubeconfig, &[]);
    first.wait_for_log("leading");
    let second = candidate(&env, &kubeconfig, &[]);
    second.wait_for_log("the lease is held");
    let before = holder(&env).await;
    for _ in 0..3 {
        leases(&env).delete("aiplatform", &DeleteParams::default()).await.expect("deleted");
        env.wait("the leader makes it again", async || holder(&env).await == before).await;
    }
    assert!(!second.log().contains("leading") && !first.log().contains("lost"), "{}", second.log());
}

#[tokio::test]
async fn the_lease_is_given_back_after_the_step_in_hand() {
    let env = env("given-back").await;
    free(&env).await;
    let kubeconfig = env.cluster.operator_kubeconfig();
    let mut first = candidate(&env, &kubeconfig, &[]);
    first.wait_for_log("leading");
    let second = candidate(&env, &kubeconfig, &[]);
    second.wait_for_log("the lease is held");
    env.aws.control("latency", json!({"ms": 300}));
    env.apply("assistant", &two_buckets()).await;
    let creates = async || env.aws.operations().iter().any(|operation| operation == "CreateBucket");
    env.wait("a step in hand", creates).await;
    first.signal("TERM");
    second.wait_for_log("leading");
    let writes = |operation: &str| env.aws.writes_since(0).iter().filter(|name| *name == operation).count();
    assert_eq!(writes("CreateBucket"), writes("PutBucketPolicy"), "what the first began, it ended");
    assert_eq!(first.wait_until_gone().code(), Some(0), "{}", first.log());
    env.wait_ready("assistant").await;
}

#[tokio::test]
async fn a_leader_that_is_killed_is_followed_and_its_work_ended() {
    let env = env("killed-leader").await;
    free(&env).await;
    let kubeconfig = env.cluster.operator_kubeconfig();
    let mut first = candidate(&env, &kubeconfig, &[]);
    first.wait_for_log("leading");
    let second = candidate(&env, &kubeconfig, &[]);
    second.wait_for_log("the lease is held");
    env.aws.control("latency", json!({"ms": 300}));
    env.apply("assistant", &two_buckets()).await;
    let creates = || env.aws.operations().iter().filter(|operation| *operation == "CreateBucket").count();
    env.wait("a step in hand", async || creates() > 0).await;
    first.kill();
    let by_the_first = env.aws.call_count();
    assert!(!second.log().contains("leading"), "not while the first could be at work: {}", second.log());
    env.aws.control("latency", json!({"ms": 0}));
    second.wait_for_log("leading");
    let object = env.wait_ready("assistant").await;
    assert!(env.aws.call_count() > by_the_first);
    let buckets = env.aws.s3().list_buckets().prefix(&env.namespace).send().await.expect("a list");
    assert_eq!(buckets.buckets().len(), 2, "no duplicate and no orphan");
    assert_eq!(object.status.expect("a status").resources.len(), 2);
}

/// A platform with a label.
async fn labelled(env: &TestEnv, name: &str, shard: &str) {
    let object = json!({"apiVersion": "aiplatform.dev/v1alpha1", "kind": "AIPlatform",
        "metadata": {"name": name, "labels": {"aiplatform.dev/shard": shard}}, "spec": two_buckets()});
    let parameters = PatchParams::apply("tests").force();
    env.api().patch(name, &parameters, &Patch::Apply(object)).await.expect("applied");
}

/// An operator of the platforms of one shard, elected among those of the same shard.
fn shard(env: &TestEnv, number: &str) -> Operator {
    let mut environment = environment(env.cluster, &env.aws).to_vec();
    environment.push(("POD_NAMESPACE", env.namespace.clone()));
    let selector = format!("aiplatform.dev/shard={number}");
    let arguments = ["--label-selector", &selector, "--cluster-name", "tests", "--leader-elect"];
    Operator::start(&[&arguments[..], &["--namespace", &env.namespace]].concat(), &environment)
}

#[tokio::test]
async fn operators_of_different_shards_lead_side_by_side_and_each_reconciles_its_own() {
    let env = env("shards").await;
    let (first, second, third) = (shard(&env, "1"), shard(&env, "2"), shard(&env, "1"));
    for (name, number) in [("a", "1"), ("b", "2"), ("c", "1"), ("d", "2"), ("nobodys", "3")] {
        labelled(&env, name, number).await;
    }
    for name in ["a", "b", "c", "d"] {
        env.wait_ready(name).await;
    }
    let leases: Vec<String> = leases(&env)
        .list(&kube::api::ListParams::default())
        .await
        .expect("leases")
        .items
        .into_iter()
        .filter_map(|lease| lease.metadata.name)
        .collect();
    assert_eq!(leases.len(), 2, "one for each shard: {leases:?}");
    assert!(leases.iter().all(|name| name.starts_with("aiplatform-")), "{leases:?}");

    // Of the two of one shard one leads, and of each platform one operator speaks.
    let leads = |operator: &Operator| operator.log().contains("leading");
    assert!(leads(&second) && leads(&first) != leads(&third), "{}\n{}", first.log(), third.log());
    let of_one = if leads(&first) { &first } else { &third };
    let worked =
        |operator: &Operator, name: &str| operator.log().contains(&format!("platform={}/{name}", env.namespace));
    for (name, ours, theirs) in [("a", of_one, &second), ("c", of_one, &second), ("b", &second, of_one)] {
        assert!(worked(ours, name) && !worked(theirs, name), "{name}\n{}\n{}", ours.log(), theirs.log());
    }
    let creates = env.aws.operations().iter().filter(|operation| *operation == "CreateBucket").count();
    assert_eq!(creates, 8, "nothing is made twice");
    let unselected = env.api().get("nobodys").await.expect("it");
    assert!(
        unselected.status.is_none() && unselected.metadata.finalizers.is_none(),
        "an object of no shard is left alone"
    );

    // An object moves by its label: suspended meanwhile, so that what is in hand ends before another begins.
    let patch = async |value: Value| env.api().patch("a", &PatchParams::default(), &Patch::Merge(value)).await;
    patch(json!({"spec": {"suspend": true}})).await.expect("suspended");
    let suspended =
        |status: &aiplatform::api::status::AIPlatformStatus| format!("{:?}", status.phase) == "Some(Suspended)";
    env.wait_for("a", "suspended", suspended).await;
    let moved = json!({"metadata": {"labels": {"aiplatform.dev/shard": "2"}}, "spec": {"suspend": false}});
    patch(moved).await.expect("moved");
    env.wait_ready("a").await;
    let creates = env.aws.operations().iter().filter(|operation| *operation == "CreateBucket").count();
    assert_eq!(creates, 8, "what moves is not made again");
}
