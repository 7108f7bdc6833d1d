//! What an edit reads: what it is about, what that stands on and what it grants something on; and who notices what somebody
//! changed elsewhere a moment before.

use aiplatform::api::RECONCILE_AT;
use aws_sdk_s3::types::{Tag, Tagging};
use serde_json::{Value, json};

use super::drifts::{consumer_role, of_all_kinds};
use super::resync::{count, in_sync, platform_of_the_bench, resync, writes};
use super::{Run, ready};

/// Calls that read something of a bucket begin so.
const OF_BUCKETS: [&str; 4] = ["GetBucket", "GetPublicAccessBlock", "HeadBucket", "ListBuckets"];

fn of_buckets(calls: &[String]) -> usize {
    calls.iter().filter(|call| OF_BUCKETS.iter().any(|read| call.starts_with(read))).count()
}

/// The calls until an edit has been carried out.
async fn edited(run: &mut Run, spec: Value) -> Vec<String> {
    let start = run.aws.call_count();
    run.edit(spec);
    run.settle_ready().await;
    run.aws.calls_since(start)
}

fn with_image(mut spec: Value, image: &str) -> Value {
    spec["models"][0]["sagemaker"]["image"] =
        json!(format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:{image}"));
    spec
}

/// The model's execution role.
fn execution_role(run: &Run) -> String {
    let status = run.object.status.as_ref().expect("a status");
    let mut roles = status.resources.iter().filter(|resource| resource.kind == "Role");
    roles.find(|role| !role.name.contains("api")).expect("an execution role").name.clone()
}

async fn delete_role(run: &Run, role: &str) {
    let iam = run.aws.iam();
    let listed = iam.list_role_policies().role_name(role).send().await.expect("policies").policy_names;
    for policy in listed {
        iam.delete_role_policy().role_name(role).policy_name(policy).send().await.expect("gone");
    }
    iam.delete_role().role_name(role).send().await.expect("gone");
}

#[tokio::test]
async fn a_new_image_reads_the_model_and_its_role_and_nothing_else() {
    let mut run = in_sync(of_all_kinds()).await;
    let calls = edited(&mut run, with_image(of_all_kinds(), "2")).await;
    assert_eq!(count(&calls, "UpdateEndpoint"), 1, "{calls:?}");
    assert_eq!(of_buckets(&calls), 0, "{calls:?}");
    assert!(count(&calls, "GetRole") <= 2 && count(&calls, "DescribePodIdentityAssociation") == 0, "{calls:?}");
}

#[tokio::test]
async fn a_new_image_of_the_platform_of_the_bench_is_cheap() {
    let mut run = in_sync(platform_of_the_bench()).await;
    let calls = edited(&mut run, with_image(platform_of_the_bench(), "2")).await;
    assert_eq!(count(&calls, "UpdateEndpoint"), 1, "{calls:?}");
    assert!(calls.len() <= 45, "{}: {calls:?}", calls.len());
}

#[tokio::test]
async fn the_annotation_reads_everything() {
    let mut run = in_sync(of_all_kinds()).await;
    run.aws.s3().delete_public_access_block().bucket(run.name("Bucket")).send().await.expect("gone");
    run.object.metadata.annotations.get_or_insert_default().insert(RECONCILE_AT.into(), "now".into());
    let start = run.aws.call_count();
    run.settle_ready().await;
    let calls = run.aws.calls_since(start);
    assert!(of_buckets(&calls) >= 7 && count(&calls, "GetRole") >= 2, "{calls:?}");
    assert_eq!(writes(&calls), ["PutPublicAccessBlock"]);
}

#[tokio::test]
async fn an_edit_together_with_the_annotation_reads_everything() {
    let mut run = in_sync(of_all_kinds()).await;
    run.object.metadata.annotations.get_or_insert_default().insert(RECONCILE_AT.into(), "now".into());
    let calls = edited(&mut run, with_image(of_all_kinds(), "2")).await;
    assert!(of_buckets(&calls) >= 7 && count(&calls, "GetRole") >= 2, "{calls:?}");
}

#[tokio::test]
async fn what_somebody_changed_elsewhere_is_put_back_by_the_next_resync() {
    let mut run = in_sync(of_all_kinds()).await;
    let role = consumer_role(&run);
    delete_role(&run, &role).await;
    let calls = edited(&mut run, with_image(of_all_kinds(), "2")).await;
    assert_eq!(count(&calls, "CreateRole"), 0, "the edit is not about it: {calls:?}");
    let (_, calls) = resync(&mut run).await;
    assert_eq!(count(&calls, "CreateRole"), 1, "{calls:?}");
}

#[tokio::test]
async fn an_edit_that_comes_long_after_the_last_look_reads_everything() {
    let mut run = in_sync(of_all_kinds()).await;
    let role = consumer_role(&run);
    delete_role(&run, &role).await;
    run.clock += 601;
    let calls = edited(&mut run, with_image(of_all_kinds(), "2")).await;
    assert_eq!(count(&calls, "CreateRole"), 1, "{calls:?}");
}

#[tokio::test]
async fn what_an_edit_stands_on_is_read_and_made_again_where_it_is_gone() {
    let mut run = in_sync(of_all_kinds()).await;
    let role = execution_role(&run);
    delete_role(&run, &role).await;
    let mut spec = of_all_kinds();
    spec["models"][0]["sagemaker"]["autoscaling"]["maxInstances"] = json!(9);
    spec["models"][0]["sagemaker"]["environment"] = json!({"LOG_LEVEL": "debug"});
    let calls = edited(&mut run, spec).await;
    let position = |operation: &str| calls.iter().position(|call| call == operation).expect("it is called");
    assert!(position("CreateRole") < position("CreateModel"), "{calls:?}");
}

#[tokio::test]
async fn nothing_is_granted_on_a_bucket_that_changed_hands_before_the_edit() {
    let mut run = in_sync(of_all_kinds()).await;
    let bucket = run.name("Bucket");
    let theirs = Tag::builder().key("aiplatform.dev/owner").value("other/team/platform").build().expect("a tag");
    let tags = Tagging::builder().tag_set(theirs).build().expect("tags");
    run.aws.s3().put_bucket_tagging().bucket(&bucket).tagging(tags).send().await.expect("tagged");
    let mut spec = of_all_kinds();
    spec["access"][0]["buckets"][0]["mode"] = json!("ReadWrite");
    let start = run.aws.call_count();
    run.edit(spec);
    let pass = run.settle().await;
    assert_eq!(ready(&pass), "False");
    let role = consumer_role(&run);
    let policies = run.aws.iam().list_role_policies().role_name(&role).send().await.expect("policies").policy_names;
    for name in policies {
        let policy = run.aws.iam().get_role_policy().role_name(&role).policy_name(name).send().await.expect("a policy");
        assert!(!policy.policy_document.contains(&bucket), "{}", policy.policy_document);
    }
    let calls = run.aws.calls_since(start);
    assert!(count(&calls, "GetBucketTagging") >= 1, "{calls:?}");
}

#[tokio::test]
async fn what_an_edit_changes_is_compared_with_what_is_there_by_now() {
    let mut run = in_sync(of_all_kinds()).await;
    let mut spec = of_all_kinds();
    spec["models"][0]["sagemaker"]["autoscaling"]["maxInstances"] = json!(9);
    let call = run.aws.autoscaling().register_scalable_target().service_namespace("sagemaker".into());
    let call = call.resource_id(run.name("ScalableTarget")).min_capacity(2).max_capacity(9);
    let dimension = aws_sdk_applicationautoscaling::types::ScalableDimension::SageMakerVariantDesiredInstanceCount;
    call.scalable_dimension(dimension).send().await.expect("registered");
    let calls = edited(&mut run, spec).await;
    assert_eq!(writes(&calls), Vec::<&str>::new(), "somebody has done it already");
}
