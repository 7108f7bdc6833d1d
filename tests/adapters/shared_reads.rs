//! Lists that all platforms of an account share: what is taken from them, and what never is.

use std::time::Duration;

use aiplatform::session::Session;
use aws_sdk_applicationautoscaling::types::{ScalableDimension, ServiceNamespace};
use aws_sdk_iam::types::Tag;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::drifts::{consumer_role, of_all_kinds};
use super::resync::{anything, count, in_sync, platform_of_the_bench, resync, writes};
use super::{Run, condition, message, ready, spec, trusting};

/// A period that no test outlasts: a snapshot stays as it is until something forbids its use.
const LONG: Duration = Duration::from_hours(1);

/// The calls for single roles that read.
const SINGLE: [&str; 4] = ["GetRole", "ListRolePolicies", "GetRolePolicy", "ListAttachedRolePolicies"];

const LIST: &str = "GetAccountAuthorizationDetails";

fn singles(calls: &[String]) -> usize {
    SINGLE.iter().map(|operation| count(calls, operation)).sum()
}

/// The calls of one more pass of the run, which nothing but the spec's edit asked for.
async fn edited(run: &mut Run, spec: Value) -> Vec<String> {
    let start = run.aws.call_count();
    run.edit(spec);
    run.settle().await;
    run.aws.calls_since(start)
}

#[tokio::test]
async fn a_resync_reads_all_roles_in_one_list() {
    let mut run = in_sync(platform_of_the_bench()).await;
    let (pass, calls) = resync(&mut run).await;
    assert_eq!((ready(&pass), writes(&calls)), ("True", Vec::new()));
    assert_eq!((count(&calls, LIST), singles(&calls)), (1, 0), "{calls:?}");
}

#[tokio::test]
async fn while_events_tell_of_changes_resyncs_take_lists_from_before() {
    let mut run = in_sync(platform_of_the_bench()).await;
    for (is_covered, lists) in [(true, 0), (false, 1), (true, 0)] {
        let since = Timestamp::from_second(run.clock).expect("the time exists");
        run.session.as_mut().expect("a session").cover(is_covered.then_some(since));
        let (pass, calls) = resync(&mut run).await;
        assert_eq!((ready(&pass), writes(&calls)), ("True", Vec::new()));
        for operation in [LIST, "ListEndpoints", "DescribeScalableTargets"] {
            assert_eq!(count(&calls, operation), lists, "{operation}, where events come: {is_covered}");
        }
        assert_eq!(singles(&calls), 0, "{calls:?}");
    }
}

#[tokio::test]
async fn what_a_list_shows_is_read_by_itself_before_anything_is_written() {
    let mut run = in_sync(of_all_kinds()).await;
    let (iam, role) = (run.aws.iam(), consumer_role(&run));
    let call = iam.put_role_policy().role_name(&role).policy_name("access").policy_document(anything());
    call.send().await.expect("put");
    let (_, calls) = resync(&mut run).await;
    let position = |operation: &str| calls.iter().position(|call| call == operation).expect("it is called");
    assert!(position(LIST) < position("GetRole") && position("GetRolePolicy") < position("PutRolePolicy"), "{calls:?}");
}

#[tokio::test]
async fn a_role_that_is_gone_is_made_again_although_a_list_never_says_that_it_is_absent() {
    let mut run = in_sync(of_all_kinds()).await;
    let (iam, role) = (run.aws.iam(), consumer_role(&run));
    iam.delete_role_policy().role_name(&role).policy_name("access").send().await.expect("gone");
    iam.delete_role().role_name(&role).send().await.expect("gone");
    let (_, calls) = resync(&mut run).await;
    let position = |operation: &str| calls.iter().position(|call| call == operation).expect("it is called");
    assert!(position(LIST) < position("GetRole") && position("GetRole") < position("CreateRole"), "{calls:?}");
}

#[tokio::test]
async fn what_the_user_asks_for_is_read_by_itself() {
    let mut run = in_sync(of_all_kinds()).await;
    let mut spec = of_all_kinds();
    spec["tags"]["wave"] = json!("3");
    let calls = edited(&mut run, spec).await;
    assert_eq!(count(&calls, LIST), 0, "{calls:?}");
    assert!(count(&calls, "GetRole") >= 2 && count(&calls, "TagRole") == 2, "{calls:?}");
}

#[tokio::test]
async fn a_list_from_before_a_write_is_not_used_for_what_was_written() {
    let mut run = in_sync(of_all_kinds()).await;
    run.restart(LONG);
    let (_, calls) = resync(&mut run).await;
    assert_eq!((count(&calls, LIST), singles(&calls)), (1, 0), "{calls:?}");
    let (_, calls) = resync(&mut run).await;
    assert_eq!((count(&calls, LIST), singles(&calls)), (0, 0), "the list is shared: {calls:?}");
    let mut spec = of_all_kinds();
    spec["tags"]["wave"] = json!("3");
    edited(&mut run, spec).await;
    let (pass, calls) = resync(&mut run).await;
    assert_eq!((ready(&pass), writes(&calls)), ("True", Vec::new()));
    assert_eq!((count(&calls, LIST), count(&calls, "GetRole")), (0, 2), "it is from before: {calls:?}");
}

#[tokio::test]
async fn what_somebody_else_made_since_a_list_is_left_alone() {
    let mut run = in_sync(of_all_kinds()).await;
    run.restart(LONG);
    resync(&mut run).await;
    let (iam, role) = (run.aws.iam(), consumer_role(&run));
    iam.delete_role_policy().role_name(&role).policy_name("access").send().await.expect("gone");
    iam.delete_role().role_name(&role).send().await.expect("gone");
    let theirs = Tag::builder().key("aiplatform.dev/owner").value("other/team/platform").build().expect("a tag");
    let trust = trusting(json!({"AWS": "arn:aws:iam::123456789012:root"}));
    let call = iam.create_role().role_name(&role).path("/aiplatform/").assume_role_policy_document(trust).tags(theirs);
    call.send().await.expect("made");
    // Something else has to be written.
    run.aws.s3().delete_public_access_block().bucket(run.name("Bucket")).send().await.expect("gone");
    let (pass, calls) = resync(&mut run).await;
    assert_eq!((writes(&calls), count(&calls, LIST)), (vec!["PutPublicAccessBlock"], 0));
    assert!(message(&pass).contains("other/team/platform"), "{}", message(&pass));
}

#[tokio::test]
async fn where_the_list_is_denied_each_role_is_read_by_itself_and_nobody_is_alarmed() {
    let mut run = in_sync(of_all_kinds()).await;
    run.aws.control("deny", json!({"action": "iam:GetAccountAuthorizationDetails"}));
    let (pass, calls) = resync(&mut run).await;
    assert_eq!((ready(&pass), writes(&calls)), ("True", Vec::new()));
    assert_eq!((count(&calls, LIST), count(&calls, "GetRole")), (1, 2), "{calls:?}");
    let (pass, calls) = resync(&mut run).await;
    assert_eq!((ready(&pass), condition(&pass, "Stalled")), ("True", None));
    assert_eq!((count(&calls, LIST), count(&calls, "GetRole")), (0, 2), "it is remembered: {calls:?}");
}

#[tokio::test]
async fn a_list_that_fails_hides_nothing() {
    let mut run = in_sync(of_all_kinds()).await;
    run.refuse("GetAccountAuthorizationDetails", "Throttling", 400, "Rate exceeded");
    let (pass, calls) = resync(&mut run).await;
    assert_eq!((ready(&pass), writes(&calls), count(&calls, "GetRole")), ("True", Vec::new(), 2));
}

#[tokio::test]
async fn after_a_restart_the_first_pass_is_served_by_lists() {
    let mut run = in_sync(platform_of_the_bench()).await;
    run.restart(Duration::ZERO);
    let (pass, calls) = resync(&mut run).await;
    assert_eq!((ready(&pass), writes(&calls)), ("True", Vec::new()));
    assert_eq!((count(&calls, LIST), singles(&calls)), (1, 0), "{calls:?}");
}

/// A platform with one endpoint that scales, and nothing beside it.
fn scaling() -> Value {
    spec(json!({"models": [{"name": "rank", "sagemaker": {
        "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:1",
        "instance": {"type": "ml.m5.large", "count": 2},
        "autoscaling": {"minInstances": 2, "maxInstances": 8, "target": {"invocationsPerInstance": {"value": 600}}},
    }}]}))
}

#[tokio::test]
async fn an_endpoint_that_the_list_shows_unchanged_is_not_described() {
    let mut run = in_sync(scaling()).await;
    let (pass, calls) = resync(&mut run).await;
    assert_eq!((ready(&pass), writes(&calls)), ("True", Vec::new()));
    for (operation, times) in [("ListEndpoints", 1), ("DescribeEndpoint", 0), ("ListTags", 0)] {
        assert_eq!(count(&calls, operation), times, "{operation}: {calls:?}");
    }
}

#[tokio::test]
async fn an_endpoint_that_somebody_moved_is_described_and_moved_back() {
    let mut run = in_sync(scaling()).await;
    let (sagemaker, endpoint) = (run.aws.sagemaker(), run.name("SageMakerEndpoint"));
    let config = run.name("SageMakerEndpointConfig");
    let described = sagemaker.describe_endpoint_config().endpoint_config_name(&config).send().await.expect("a config");
    let call = sagemaker.create_endpoint_config().endpoint_config_name("theirs");
    call.set_production_variants(described.production_variants).send().await.expect("made");
    let call = sagemaker.update_endpoint().endpoint_name(&endpoint).endpoint_config_name("theirs");
    call.send().await.expect("moved");
    let start = run.aws.call_count();
    let (_, calls) = resync(&mut run).await;
    assert!(count(&calls, "ListEndpoints") == 1 && count(&calls, "DescribeEndpoint") >= 1, "{calls:?}");
    run.settle_ready().await;
    assert_eq!(count(&run.aws.calls_since(start), "UpdateEndpoint"), 1);
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_made_again_although_a_list_never_says_that_it_is_absent() {
    let mut run = in_sync(scaling()).await;
    let (sagemaker, endpoint) = (run.aws.sagemaker(), run.name("SageMakerEndpoint"));
    sagemaker.delete_endpoint().endpoint_name(&endpoint).send().await.expect("it goes");
    while sagemaker.describe_endpoint().endpoint_name(&endpoint).send().await.is_ok() {}
    let start = run.aws.call_count();
    resync(&mut run).await;
    let calls = run.aws.calls_since(start);
    let position = |operation: &str| calls.iter().position(|call| call == operation).expect("it is called");
    assert!(position("ListEndpoints") < position("DescribeEndpoint"), "{calls:?}");
    assert!(position("DescribeEndpoint") < position("CreateEndpoint"), "{calls:?}");
    run.settle_ready().await;
}

#[tokio::test]
async fn while_an_endpoint_is_made_a_poll_of_it_is_one_call() {
    let mut run = Run::new(scaling()).await;
    run.session = Some(Session::default());
    run.aws.control("timings", json!({"sagemaker.endpoint.create": 3_600_000}));
    run.announce().await;
    while !is_creating(&run) {
        run.pass().await;
    }
    run.pass().await;
    for _ in 0..3 {
        let start = run.aws.call_count();
        run.pass().await;
        assert_eq!(run.aws.calls_since(start), ["DescribeEndpoint"]);
    }
}

fn is_creating(run: &Run) -> bool {
    let resources = run.object.status.iter().flat_map(|status| &status.resources);
    let mut endpoints = resources.filter(|resource| resource.kind == "SageMakerEndpoint");
    endpoints.any(|endpoint| endpoint.message.as_ref().is_some_and(|message| message.contains("Creating")))
}

#[tokio::test]
async fn a_target_in_a_list_is_described_by_itself_before_it_is_written() {
    let mut run = in_sync(scaling()).await;
    let (pass, calls) = resync(&mut run).await;
    assert_eq!((ready(&pass), count(&calls, "DescribeScalableTargets")), ("True", 1), "{calls:?}");
    let call = run.aws.autoscaling().register_scalable_target().service_namespace(ServiceNamespace::Sagemaker);
    let call = call.resource_id(run.name("ScalableTarget")).min_capacity(1).max_capacity(9);
    let call = call.scalable_dimension(ScalableDimension::SageMakerVariantDesiredInstanceCount);
    call.send().await.expect("registered");
    let (_, calls) = resync(&mut run).await;
    assert_eq!(writes(&calls), ["RegisterScalableTarget"]);
    assert_eq!(count(&calls, "DescribeScalableTargets"), 2, "once for all and once for it: {calls:?}");
}

#[tokio::test]
async fn where_lists_are_denied_nobody_is_alarmed() {
    let mut run = in_sync(scaling()).await;
    run.aws.control("deny", json!({"action": "sagemaker:ListEndpoints"}));
    let (pass, calls) = resync(&mut run).await;
    assert_eq!((ready(&pass), writes(&calls)), ("True", Vec::new()));
    assert_eq!((count(&calls, "ListEndpoints"), count(&calls, "DescribeEndpoint")), (1, 1), "{calls:?}");
    let (pass, calls) = resync(&mut run).await;
    assert_eq!((ready(&pass), count(&calls, "ListEndpoints"), count(&calls, "DescribeEndpoint")), ("True", 0, 1));
}
