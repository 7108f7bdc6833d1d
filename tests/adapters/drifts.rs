//! What somebody changes by hand, in every part of every kind that is written by a call of its own.

use aws_sdk_applicationautoscaling::types::{ScalableDimension, ServiceNamespace};
use aws_sdk_s3::types::{
    BucketVersioningStatus, ObjectOwnership, OwnershipControls, OwnershipControlsRule, PublicAccessBlockConfiguration,
    ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
    Tag, Tagging, VersioningConfiguration,
};
use serde_json::{Value, json};

use super::{Run, spec};

/// A platform with one resource of every kind that has parts.
pub fn of_all_kinds() -> Value {
    let rules = json!([{"id": "old", "expiration": {"days": 20}}]);
    spec(json!({
        "tags": {"wave": "2"},
        "identity": {"podIdentity": {"clusterArn": "arn:aws:eks:eu-west-1:123456789012:cluster/prod"}},
        "storage": {"buckets": [{"name": "runs", "lifecycle": {"rules": rules}}]},
        "access": [{"name": "api", "serviceAccount": {"name": "api"}, "buckets": [{"name": "runs", "mode": "Read"}]}],
        "models": [{"name": "rank", "sagemaker": {
            "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:1",
            "instance": {"type": "ml.m5.large", "count": 2},
            "autoscaling": {"minInstances": 2, "maxInstances": 8, "target": {"invocationsPerInstance": {"value": 600}}},
        }}],
    }))
}

/// A run of that platform, ready.
pub async fn ready_run() -> Run {
    let mut run = Run::new(of_all_kinds()).await;
    run.aws.control("eks/cluster", serde_json::json!({"name": "prod", "region": "eu-west-1"}));
    run.settle_ready().await;
    run
}

/// Changes every part of everything, each in a way that has to be changed back.
pub async fn spoil(run: &Run) {
    bucket(run).await;
    role(run).await;
    association(run).await;
    scaling(run).await;
    serving(run).await;
}

async fn bucket(run: &Run) {
    let (s3, bucket) = (run.aws.s3(), run.name("Bucket"));
    let open = PublicAccessBlockConfiguration::builder().block_public_acls(true).build();
    let call = s3.put_public_access_block().bucket(&bucket).public_access_block_configuration(open);
    call.send().await.expect("opened");
    s3.delete_bucket_policy().bucket(&bucket).send().await.expect("gone");
    let rule = OwnershipControlsRule::builder().object_ownership(ObjectOwnership::BucketOwnerPreferred).build();
    let controls = OwnershipControls::builder().rules(rule.expect("a rule")).build().expect("controls");
    s3.put_bucket_ownership_controls().bucket(&bucket).ownership_controls(controls).send().await.expect("put");
    let by_default = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(ServerSideEncryption::AwsKms)
        .kms_master_key_id("arn:aws:kms:eu-west-1:123456789012:key/1")
        .build()
        .expect("a default");
    let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(by_default).build();
    let encryption = ServerSideEncryptionConfiguration::builder().rules(rule).build().expect("encryption");
    let call = s3.put_bucket_encryption().bucket(&bucket).server_side_encryption_configuration(encryption);
    call.send().await.expect("put");
    let suspended = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended).build();
    s3.put_bucket_versioning().bucket(&bucket).versioning_configuration(suspended).send().await.expect("suspended");
    s3.delete_bucket_lifecycle().bucket(&bucket).send().await.expect("gone");
    let tags = s3.get_bucket_tagging().bucket(&bucket).send().await.expect("tags").tag_set;
    let tags = tags.into_iter().map(|tag| {
        let value = if tag.key == "aiplatform.dev/team" { "raiders" } else { tag.value() }.to_string();
        Tag::builder().key(tag.key()).value(value).build().expect("a tag")
    });
    let tagging = Tagging::builder().set_tag_set(Some(tags.collect())).build().expect("tags");
    s3.put_bucket_tagging().bucket(&bucket).tagging(tagging).send().await.expect("put");
}

async fn role(run: &Run) {
    let (iam, role) = (run.aws.iam(), consumer_role(run));
    let anything = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
    for name in ["access", "backdoor"] {
        let call = iam.put_role_policy().role_name(&role).policy_name(name).policy_document(anything.to_string());
        call.send().await.expect("put");
    }
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"AWS": "arn:aws:iam::666666666666:root"}}]});
    let call = iam.update_assume_role_policy().role_name(&role).policy_document(trust.to_string());
    call.send().await.expect("put");
    let made = iam.create_policy().policy_name("boundary").policy_document(anything.to_string()).send().await;
    let is_there = made.map_or_else(|error| error.into_service_error().is_entity_already_exists_exception(), |_| true);
    assert!(is_there, "the boundary is there");
    let boundary = "arn:aws:iam::123456789012:policy/boundary";
    iam.put_role_permissions_boundary().role_name(&role).permissions_boundary(boundary).send().await.expect("put");
    let tag = aws_sdk_iam::types::Tag::builder().key("aiplatform.dev/team").value("raiders").build().expect("a tag");
    let stale = aws_sdk_iam::types::Tag::builder().key("aiplatform.dev/stale").value("1").build().expect("a tag");
    iam.tag_role().role_name(&role).tags(tag).tags(stale).send().await.expect("tagged");
}

/// The role of the consumer, which is not the model's.
pub fn consumer_role(run: &Run) -> String {
    let status = run.object.status.as_ref().expect("a status");
    let roles = status.resources.iter().filter(|resource| resource.kind == "Role");
    roles.map(|role| role.name.clone()).find(|name| name.contains("-api-")).expect("a role")
}

async fn association(run: &Run) {
    let eks = run.aws.eks();
    let listed = eks.list_pod_identity_associations().cluster_name("prod").send().await.expect("associations");
    let summary = listed.associations().first().expect("one").clone();
    let execution = run.object.status.as_ref().expect("a status").resources.iter();
    let execution =
        execution.filter(|it| it.kind == "Role").find(|it| it.name.contains("-execution-")).expect("a role");
    eks.update_pod_identity_association()
        .cluster_name("prod")
        .set_association_id(summary.association_id)
        .set_role_arn(execution.arn.clone())
        .send()
        .await
        .expect("moved");
    let arn = summary.association_arn;
    let call = eks.tag_resource().set_resource_arn(arn).tags("aiplatform.dev/team", "raiders");
    call.tags("aiplatform.dev/stale", "1").send().await.expect("tagged");
}

async fn scaling(run: &Run) {
    let scaling = run.aws.autoscaling();
    let resource_id = run.name("ScalableTarget");
    let call = scaling.describe_scalable_targets().service_namespace(ServiceNamespace::Sagemaker);
    let found = call.send().await.expect("targets").scalable_targets.unwrap_or_default();
    let arn = found.first().and_then(|target| target.scalable_target_arn.clone()).expect("an ARN");
    let call = scaling.tag_resource().resource_arn(arn).tags("aiplatform.dev/team", "raiders");
    call.tags("aiplatform.dev/stale", "1").send().await.expect("tagged");
    let call = scaling
        .register_scalable_target()
        .service_namespace(ServiceNamespace::Sagemaker)
        .resource_id(&resource_id)
        .scalable_dimension(ScalableDimension::SageMakerVariantDesiredInstanceCount);
    call.min_capacity(1).max_capacity(9).send().await.expect("registered");
}

async fn serving(run: &Run) {
    let sagemaker = run.aws.sagemaker();
    for kind in ["SageMakerModel", "SageMakerEndpointConfig", "SageMakerEndpoint"] {
        let arn = run.resource(kind).arn.clone();
        let tag = |key: &str, value: &str| aws_sdk_sagemaker::types::Tag::builder().key(key).value(value).build();
        let tags = vec![tag("aiplatform.dev/team", "raiders"), tag("aiplatform.dev/stale", "1")];
        sagemaker.add_tags().set_resource_arn(arn).set_tags(Some(tags)).send().await.expect("tagged");
    }
}
