//! The process dies right after a call has taken effect, before its answer comes: between any two calls of any step, what
//! comes after leads to the same end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use aiplatform::plan::Step;
use aiplatform::propagation::RoleWrites;
use aws_sdk_applicationautoscaling::types::ServiceNamespace;
use aws_sdk_s3::primitives::ByteStream;
use serde_json::{Value, json};

use super::drifts::of_all_kinds;
use super::{PATIENCE, Run, ready};
use crate::support::memory::{FakeCloud, Memory};
use crate::support::simulator::Simulator;

fn everything() -> Value {
    let mut spec = of_all_kinds();
    spec["storage"]["buckets"][0]["deletionPolicy"] = json!("DeleteWithContents");
    spec["models"][0]["sagemaker"]["autoscaling"]["schedules"] =
        json!([{"name": "morning", "schedule": "cron(0 7 ? * MON-FRI *)", "minInstances": 3}]);
    spec
}

/// The same with something else in every part, so that the endpoint is moved and scaling taken off for it.
fn everything_else() -> Value {
    let mut spec = everything();
    spec["tags"] = json!({"wave": "3", "more": "yes"});
    spec["storage"]["buckets"][0]["versioning"] = json!(false);
    spec["access"][0]["buckets"][0]["mode"] = json!("ReadWrite");
    spec["models"][0]["sagemaker"]["image"] = json!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:2");
    spec["models"][0]["sagemaker"]["instance"]["type"] = json!("ml.m5.xlarge");
    spec["models"][0]["sagemaker"]["autoscaling"]["maxInstances"] = json!(9);
    spec
}

/// An account with nothing in it, and an object that no pass has seen.
async fn begin(run: &mut Run) {
    run.aws.control("reset", json!({}));
    run.aws.control("eks/cluster", json!({"name": "prod", "region": "eu-west-1"}));
    run.provider.cluster = Memory::new("123456789012", FakeCloud::default());
    run.role_writes = RoleWrites::default();
    (run.object.status, run.object.metadata.deletion_timestamp) = (None, None);
    run.edit(everything());
    run.announce().await;
}

/// The names of everything there is in AWS.
async fn inventory(aws: &Simulator) -> BTreeMap<&'static str, BTreeSet<String>> {
    let buckets = aws.s3().list_buckets().send().await.expect("buckets");
    let buckets = buckets.buckets().iter().filter_map(|it| it.name.clone()).collect();
    let roles = aws.iam().list_roles().send().await.expect("roles");
    let mut policies = BTreeSet::new();
    for role in roles.roles() {
        let listed = aws.iam().list_role_policies().role_name(role.role_name()).send().await.expect("policies");
        policies.extend(listed.policy_names.into_iter().map(|policy| format!("{}/{policy}", role.role_name())));
    }
    let roles = roles.roles().iter().map(|it| it.role_name.clone()).collect();
    let associations = aws.eks().list_pod_identity_associations().cluster_name("prod").send().await.expect("some");
    let associations = associations.associations().iter().filter_map(|it| it.service_account.clone()).collect();
    let sagemaker = aws.sagemaker();
    let models = sagemaker.list_models().send().await.expect("models");
    let configs = sagemaker.list_endpoint_configs().send().await.expect("configurations");
    let endpoints = sagemaker.list_endpoints().send().await.expect("endpoints");
    let scaling = aws.autoscaling();
    let targets = scaling.describe_scalable_targets().service_namespace(ServiceNamespace::Sagemaker).send().await;
    let targets = targets.expect("targets").scalable_targets.unwrap_or_default();
    let actions = scaling.describe_scheduled_actions().service_namespace(ServiceNamespace::Sagemaker).send().await;
    let actions = actions.expect("actions").scheduled_actions.unwrap_or_default();
    BTreeMap::from([
        ("buckets", buckets),
        ("roles", roles),
        ("policies", policies),
        ("associations", associations),
        ("models", models.models().iter().filter_map(|it| it.model_name.clone()).collect()),
        (
            "configurations",
            configs.endpoint_configs().iter().filter_map(|it| it.endpoint_config_name.clone()).collect(),
        ),
        ("endpoints", endpoints.endpoints().iter().filter_map(|it| it.endpoint_name.clone()).collect()),
        ("targets", targets.into_iter().map(|it| it.resource_id).collect()),
        ("actions", actions.into_iter().map(|it| it.scheduled_action_name).collect()),
    ])
}

/// Passes until the process has died in one, right after a call of the operation took effect.
async fn die_after(run: &mut Run, operation: &str) {
    let calls = run.aws.call_count();
    let fault = json!({"service": "*", "operation": operation, "when": "after", "error": "hang"});
    run.aws.control("faults", fault);
    let url = format!("{}/_sim/calls?since={calls}", run.aws.url());
    let hangs = || {
        let calls: Value = ureq::get(&url).call().expect("the call log").body_mut().read_json().expect("JSON");
        let calls = calls.as_array().expect("a list");
        calls.iter().any(|call| call["operation"] == operation && call["hangs"] == true)
    };
    let began = Instant::now();
    loop {
        let mut pass = Box::pin(run.pass());
        let is_dead = loop {
            tokio::select! {
                _ = &mut pass => break false,
                () = tokio::time::sleep(Duration::from_millis(20)) => {}
            }
            if hangs() {
                break true;
            }
        };
        drop(pass);
        if is_dead {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{operation} was never called");
    }
    run.role_writes = RoleWrites::default();
    run.aws.end_faults();
}

/// The process dies after each of the writes that lead from where `prepare` leaves a run to its end.
async fn converges_after_any_death(prepare: impl AsyncFn(&mut Run), expected: &[&str]) {
    let mut run = Run::new(everything()).await;
    begin(&mut run).await;
    prepare(&mut run).await;
    let before = run.aws.call_count();
    let last = run.settle().await;
    let whole = inventory(&run.aws).await;
    let writes: BTreeSet<String> = run.aws.writes_since_call(before).into_iter().collect();
    for operation in expected {
        assert!(writes.contains(*operation), "{operation} is not among {writes:?}");
    }
    for operation in &writes {
        begin(&mut run).await;
        prepare(&mut run).await;
        die_after(&mut run, operation).await;
        let pass = run.settle().await;
        assert_eq!(
            (pass.finished, ready(&pass)),
            (last.finished, ready(&last)),
            "after {operation}: {:#?}",
            pass.status
        );
        assert_eq!(inventory(&run.aws).await, whole, "after {operation}");
        if !pass.finished {
            let taken: Vec<_> = run.plan().await.steps.into_iter().filter(Step::is_taken).collect();
            assert!(taken.is_empty(), "after {operation}: {taken:#?}");
        }
    }
}

#[tokio::test]
async fn a_creation_survives_a_death_after_any_call() {
    let calls = [
        "CreateBucket",
        "PutPublicAccessBlock",
        "PutBucketVersioning",
        "PutBucketLifecycleConfiguration",
        "CreateRole",
        "PutRolePolicy",
        "CreatePodIdentityAssociation",
        "CreateLogGroup",
        "CreateModel",
        "CreateEndpointConfig",
        "CreateEndpoint",
        "RegisterScalableTarget",
        "PutScalingPolicy",
        "PutScheduledAction",
    ];
    converges_after_any_death(async |_: &mut Run| {}, &calls).await;
}

#[tokio::test]
async fn an_update_survives_a_death_after_any_call() {
    let calls = [
        "PutBucketTagging",
        "PutBucketVersioning",
        "PutRolePolicy",
        "TagRole",
        "DeregisterScalableTarget",
        "AddTags",
        "UpdateEndpoint",
        "RegisterScalableTarget",
        "PutScalingPolicy",
        "PutScheduledAction",
    ];
    let edited = async |run: &mut Run| {
        run.settle_ready().await;
        run.edit(everything_else());
    };
    converges_after_any_death(edited, &calls).await;
}

#[tokio::test]
async fn a_deletion_survives_a_death_after_any_call() {
    let calls = [
        "DeleteObjects",
        "DeleteBucket",
        "DeletePodIdentityAssociation",
        "DeleteRolePolicy",
        "DeleteRole",
        "DeleteEndpoint",
        "DeleteEndpointConfig",
        "DeleteModel",
        "DeregisterScalableTarget",
    ];
    let ending = async |run: &mut Run| {
        run.settle_ready().await;
        let put =
            run.aws.s3().put_object().bucket(run.name("Bucket")).key("kept/not").body(ByteStream::from_static(b"x"));
        put.send().await.expect("put");
        run.delete();
    };
    converges_after_any_death(ending, &calls).await;
}
