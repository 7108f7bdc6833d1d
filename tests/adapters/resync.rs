//! What a resync of a platform that is in sync reads, and when drift is noticed.

use aiplatform::manifest;
use aiplatform::reconcile::Pass;
use aiplatform::resource::Kind;
use aiplatform::session::Session;
use aws_sdk_applicationautoscaling::types::{ScalableDimension, ServiceNamespace};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, BucketVersioningStatus, ExpirationStatus, LifecycleExpiration, LifecycleRule,
    LifecycleRuleFilter, ObjectOwnership, OwnershipControls, OwnershipControlsRule, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tagging,
    VersioningConfiguration,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::drifts::{consumer_role, of_all_kinds};
use super::{Run, here, message, ready, trusting};

/// The default of `--resync`, in seconds.
const RESYNC: i64 = 600;

/// The most calls that a resync of the platform of the bench makes.
const MOST_CALLS: usize = 30;

/// Statements that let everybody do everything.
pub(super) fn anything() -> String {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}).to_string()
}

/// The platform of the bench: the example with two models of which one scales, and with one consumer.
pub(super) fn platform_of_the_bench() -> Value {
    let text = std::fs::read_to_string("examples/ranking.yaml").expect("the example");
    let input = manifest::parse("ranking.yaml", &text).expect("it parses");
    let mut spec = serde_json::to_value(&input.manifests[0].object.spec).expect("JSON");
    spec["models"][0]["sagemaker"]["modelData"] = json!({"uri": "s3://somebodys-artifacts/rank/model.tar.gz"});
    let unscaled = json!({"name": "embed", "sagemaker": {
        "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/embed:2.0.0",
        "instance": {"type": "ml.g5.xlarge", "count": 1},
    }});
    spec["models"].as_array_mut().expect("models").push(unscaled);
    spec["access"].as_array_mut().expect("consumers").truncate(1);
    spec
}

/// A platform of every kind, with a schedule.
fn of_every_kind() -> Value {
    let mut spec = of_all_kinds();
    let schedule = json!({"name": "morning", "schedule": "cron(0 7 ? * MON-FRI *)", "minInstances": 4});
    spec["models"][0]["sagemaker"]["autoscaling"]["schedules"] = json!([schedule]);
    spec
}

/// A run that remembers from pass to pass, ready, after its first resync.
pub(super) async fn in_sync(spec: Value) -> Run {
    let mut run = Run::new(spec).await;
    run.session = Some(Session::default());
    run.aws.control("eks/cluster", json!({"name": "prod", "region": "eu-west-1"}));
    let policy = run.aws.iam().create_policy().policy_name("ml-boundary").policy_document(anything());
    policy.send().await.expect("made");
    let s3 = run.aws.s3();
    s3.create_bucket().bucket("somebodys-artifacts").create_bucket_configuration(here()).send().await.expect("made");
    let object = s3.put_object().bucket("somebodys-artifacts").key("rank/model.tar.gz");
    object.body(ByteStream::from_static(b"x")).send().await.expect("put");
    run.settle_ready().await;
    let (_, calls) = resync(&mut run).await;
    assert_eq!(writes(&calls), Vec::<&str>::new());
    run
}

/// The pass that the resync interval asks for, and the calls that it makes.
pub(super) async fn resync(run: &mut Run) -> (Pass, Vec<String>) {
    let start = run.aws.call_count();
    run.clock += RESYNC;
    let pass = run.pass().await;
    (pass, run.aws.calls_since(start))
}

pub(super) fn writes(calls: &[String]) -> Vec<&str> {
    let is_read = |call: &&str| ["Get", "List", "Describe"].iter().any(|read| call.starts_with(read));
    calls.iter().map(String::as_str).filter(|call| !is_read(call)).collect()
}

pub(super) fn count(calls: &[String], operation: &str) -> usize {
    calls.iter().filter(|call| *call == operation).count()
}

#[tokio::test]
async fn a_resync_of_a_platform_in_sync_makes_thirty_calls_at_most() {
    let mut run = in_sync(platform_of_the_bench()).await;
    let resources = &run.object.status.as_ref().expect("a status").resources;
    let number = |kind: Kind| resources.iter().filter(|resource| resource.kind == kind.name()).count();
    let (buckets, roles, endpoints) = (number(Kind::Bucket), number(Kind::Role), number(Kind::SageMakerEndpoint));
    assert_eq!((resources.len(), buckets, roles, endpoints), (19, 2, 3, 2));
    for _ in 0..4 {
        let (pass, calls) = resync(&mut run).await;
        assert_eq!((ready(&pass), writes(&calls)), ("True", Vec::new()));
        assert!(calls.len() <= MOST_CALLS, "{}: {calls:#?}", calls.len());
        for (operations, times) in [
            (["GetBucketPolicy", "GetPublicAccessBlock", "GetBucketOwnershipControls"].as_slice(), buckets),
            (&["GetBucketTagging", "GetBucketEncryption"], 0),
            (&["GetAccountAuthorizationDetails"], 1),
            (&["GetRole", "ListRolePolicies", "ListAttachedRolePolicies"], 0),
            (&["ListEndpoints"], 1),
            (&["DescribeEndpoint", "ListTags"], 0),
            (&["DescribeScalableTargets"], 1),
        ] {
            for operation in operations {
                assert_eq!(count(&calls, operation), times, "{operation}");
            }
        }
    }
    // What was read when it was made is due in the next pass, and what was read by the first resync in the one after.
    let mut due = resync(&mut run).await.1;
    due.extend(resync(&mut run).await.1);
    for (operations, times) in [
        (["GetBucketVersioning", "GetBucketLifecycleConfiguration"].as_slice(), buckets),
        (&["GetBucketTagging", "GetBucketEncryption"], buckets),
        (&["ListTagsForResource", "DescribeScalingPolicies", "DescribeScheduledActions"], 1),
        (&["DescribeModel", "DescribeEndpointConfig"], endpoints),
    ] {
        for operation in operations {
            assert!(count(&due, operation) >= times, "{operation} is due after an hour: {due:?}");
        }
    }
    let reads_the_rest =
        ["DescribeModel", "DescribeScalingPolicies", "DescribeScheduledActions", "GetBucketVersioning"];
    let (_, calls) = resync(&mut run).await;
    assert!(calls.len() <= MOST_CALLS && reads_the_rest.iter().all(|it| count(&calls, it) == 0), "{calls:?}");
}

#[tokio::test]
async fn what_opens_something_is_put_back_by_the_next_resync() {
    let mut run = in_sync(of_every_kind()).await;
    let (s3, iam) = (run.aws.s3(), run.aws.iam());
    let (bucket, consumer) = (run.name("Bucket"), consumer_role(&run));

    s3.delete_public_access_block().bucket(&bucket).send().await.expect("gone");
    assert_eq!(writes(&resync(&mut run).await.1), ["PutPublicAccessBlock"]);
    s3.delete_bucket_policy().bucket(&bucket).send().await.expect("gone");
    assert_eq!(writes(&resync(&mut run).await.1), ["PutBucketPolicy"]);
    let rule = OwnershipControlsRule::builder().object_ownership(ObjectOwnership::ObjectWriter).build();
    let controls = OwnershipControls::builder().rules(rule.expect("a rule")).build().expect("controls");
    s3.put_bucket_ownership_controls().bucket(&bucket).ownership_controls(controls).send().await.expect("put");
    assert_eq!(writes(&resync(&mut run).await.1), ["PutBucketOwnershipControls"]);

    let call = iam.put_role_policy().role_name(&consumer).policy_name("access").policy_document(anything());
    call.send().await.expect("put");
    assert_eq!(writes(&resync(&mut run).await.1), ["PutRolePolicy"], "a document under the same name");
    let call = iam.put_role_policy().role_name(&consumer).policy_name("backdoor").policy_document(anything());
    call.send().await.expect("put");
    assert_eq!(writes(&resync(&mut run).await.1), ["DeleteRolePolicy"]);
    let trust = trusting(json!({"AWS": "arn:aws:iam::666666666666:root"}));
    iam.update_assume_role_policy().role_name(&consumer).policy_document(trust).send().await.expect("put");
    assert_eq!(writes(&resync(&mut run).await.1), ["UpdateAssumeRolePolicy"]);
    let boundary = "arn:aws:iam::123456789012:policy/ml-boundary";
    iam.put_role_permissions_boundary().role_name(&consumer).permissions_boundary(boundary).send().await.expect("put");
    assert_eq!(writes(&resync(&mut run).await.1), ["DeleteRolePermissionsBoundary"]);
    iam.attach_role_policy().role_name(&consumer).policy_arn(boundary).send().await.expect("attached");
    let (pass, _) = resync(&mut run).await;
    let told = pass.plan.steps.iter().flat_map(|step| &step.exposures).any(|it| it.message.contains(boundary));
    assert!(told, "{:#?}", pass.plan);
}

/// Encrypts with a key of somebody else, suspends versioning, takes the lifecycle rules away and leaves one of somebody else that lets everything expire.
async fn endanger_objects(run: &Run) {
    let (s3, bucket) = (run.aws.s3(), run.name("Bucket"));
    let by_default = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(ServerSideEncryption::AwsKms)
        .kms_master_key_id("arn:aws:kms:eu-west-1:666666666666:key/1")
        .build();
    let rule = ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(by_default.expect("a default"))
        .build();
    let encryption = ServerSideEncryptionConfiguration::builder().rules(rule).build().expect("encryption");
    let call = s3.put_bucket_encryption().bucket(&bucket).server_side_encryption_configuration(encryption);
    call.send().await.expect("put");
    let suspended = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended).build();
    s3.put_bucket_versioning().bucket(&bucket).versioning_configuration(suspended).send().await.expect("suspended");
    let rule = LifecycleRule::builder()
        .id("theirs")
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix(String::new()).build())
        .expiration(LifecycleExpiration::builder().days(1).build());
    let rules = BucketLifecycleConfiguration::builder().rules(rule.build().expect("a rule")).build();
    let call = s3.put_bucket_lifecycle_configuration().bucket(&bucket);
    call.lifecycle_configuration(rules.expect("rules")).send().await.expect("put");
}

#[tokio::test]
async fn what_is_read_hourly_is_put_back_after_the_hour() {
    let mut run = in_sync(of_every_kind()).await;
    endanger_objects(&run).await;
    let (scaling, resource_id) = (run.aws.autoscaling(), run.name("ScalableTarget"));
    let call = scaling.delete_scheduled_action().service_namespace(ServiceNamespace::Sagemaker);
    let call = call.scheduled_action_name("morning").resource_id(&resource_id);
    let call = call.scalable_dimension(ScalableDimension::SageMakerVariantDesiredInstanceCount);
    call.send().await.expect("deleted");
    let call = scaling.delete_scaling_policy().service_namespace(ServiceNamespace::Sagemaker);
    let call = call.policy_name("invocations-per-instance").resource_id(&resource_id);
    let call = call.scalable_dimension(ScalableDimension::SageMakerVariantDesiredInstanceCount);
    call.send().await.expect("deleted");
    let call = scaling.describe_scalable_targets().service_namespace(ServiceNamespace::Sagemaker);
    let found = call.send().await.expect("targets").scalable_targets.unwrap_or_default();
    let arn = found[0].scalable_target_arn.clone().expect("an ARN");
    scaling.tag_resource().resource_arn(arn).tags("aiplatform.dev/team", "raiders").send().await.expect("tagged");
    for _ in 0..5 {
        assert_eq!(writes(&resync(&mut run).await.1), Vec::<&str>::new());
    }
    let (pass, calls) = resync(&mut run).await;
    let mut written = writes(&calls);
    written.sort_unstable();
    let of_the_bucket = ["PutBucketEncryption", "PutBucketLifecycleConfiguration", "PutBucketVersioning"];
    assert_eq!(written, [&of_the_bucket[..], &["PutScalingPolicy", "PutScheduledAction", "TagResource"]].concat());
    let told = pass.plan.steps.iter().flat_map(|step| &step.exposures).any(|it| it.message.contains("theirs"));
    assert!(told, "the rule of somebody else is told: {:#?}", pass.plan);
}

#[tokio::test]
async fn a_pass_that_writes_stands_on_nothing_that_was_read_earlier() {
    let mut run = in_sync(of_every_kind()).await;
    endanger_objects(&run).await;
    run.aws.s3().delete_public_access_block().bucket(run.name("Bucket")).send().await.expect("gone");
    let (_, calls) = resync(&mut run).await;
    let mut written = writes(&calls);
    written.sort_unstable();
    let of_the_bucket = ["PutBucketEncryption", "PutBucketLifecycleConfiguration", "PutBucketVersioning"];
    assert_eq!(written, [&of_the_bucket[..], &["PutPublicAccessBlock"]].concat());
    let (_, calls) = resync(&mut run).await;
    assert_eq!((count(&calls, "GetBucketVersioning"), writes(&calls)), (1, Vec::new()), "the pass after it reads all");
    let (_, calls) = resync(&mut run).await;
    assert_eq!(count(&calls, "GetBucketVersioning"), 0);
}

#[tokio::test]
async fn what_goes_with_a_target_is_made_again_with_it() {
    let mut run = in_sync(of_every_kind()).await;
    let call = run.aws.autoscaling().deregister_scalable_target().service_namespace(ServiceNamespace::Sagemaker);
    let call = call.resource_id(run.name("ScalableTarget"));
    let call = call.scalable_dimension(ScalableDimension::SageMakerVariantDesiredInstanceCount);
    call.send().await.expect("deregistered");
    let (pass, calls) = resync(&mut run).await;
    let mut written = writes(&calls);
    assert_eq!(written.remove(0), "RegisterScalableTarget");
    written.sort_unstable();
    assert_eq!(written, ["PutScalingPolicy", "PutScheduledAction"], "both are read hourly otherwise");
    assert_eq!(ready(&pass), "True", "{}", message(&pass));
}

#[tokio::test]
async fn a_bucket_without_its_owner_tag_is_let_go_within_the_hour_and_before_anything_is_written_to_it() {
    let mut run = in_sync(of_every_kind()).await;
    let (s3, bucket) = (run.aws.s3(), run.name("Bucket"));
    let nobody = Tagging::builder().set_tag_set(Some(Vec::new())).build().expect("no tags");
    s3.put_bucket_tagging().bucket(&bucket).tagging(nobody).send().await.expect("put");
    s3.delete_public_access_block().bucket(&bucket).send().await.expect("gone");
    let (pass, calls) = resync(&mut run).await;
    assert!(message(&pass).contains("was not created by this platform"), "{}", message(&pass));
    assert_eq!(writes(&calls).iter().filter(|call| call.contains("Bucket")).count(), 0, "{calls:?}");

    let mut run = in_sync(of_every_kind()).await;
    let (s3, bucket) = (run.aws.s3(), run.name("Bucket"));
    let nobody = Tagging::builder().set_tag_set(Some(Vec::new())).build().expect("no tags");
    s3.put_bucket_tagging().bucket(&bucket).tagging(nobody).send().await.expect("put");
    let mut last = resync(&mut run).await.0;
    for _ in 0..6 {
        last = resync(&mut run).await.0;
    }
    assert!(message(&last).contains("was not created by this platform"), "{}", message(&last));
}

#[tokio::test]
async fn a_bucket_that_is_gone_is_made_again_by_the_next_resync() {
    let mut run = in_sync(of_every_kind()).await;
    run.aws.s3().delete_bucket().bucket(run.name("Bucket")).send().await.expect("gone");
    let (_, calls) = resync(&mut run).await;
    assert_eq!(count(&calls, "CreateBucket"), 1, "{calls:?}");
}

#[tokio::test]
async fn while_events_come_an_hourly_resync_reads_lists_alone_and_once_a_day_everything() {
    let mut run = in_sync(platform_of_the_bench()).await;
    let since = Timestamp::from_second(1_700_000_000).expect("the time exists");
    for hour in 0..30 {
        run.clock += 3600 - RESYNC;
        run.session.as_mut().expect("a session").cover(Some(since));
        let (pass, calls) = resync(&mut run).await;
        assert_eq!((ready(&pass), writes(&calls)), ("True", Vec::new()));
        let of_buckets = calls.iter().filter(|call| call.starts_with("GetBucket")).count();
        assert_eq!(of_buckets > 0, hour == 23, "in hour {hour}: {calls:?}");
        if of_buckets == 0 {
            assert!(calls.len() <= 4, "in hour {hour}: {calls:?}");
        }
    }
    run.session.as_mut().expect("a session").cover(None);
    run.clock += 3600;
    let (_, calls) = resync(&mut run).await;
    assert!(calls.len() > 20, "any doubt and everything is read: {calls:?}");
}
