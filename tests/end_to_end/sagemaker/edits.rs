//! Edits at the worst time: what runs is not harmed, and nothing is left behind.

use super::*;

#[tokio::test]
async fn an_endpoint_that_cannot_become_serverless_scales_on() {
    let world = world("stays").await;
    in_service(&world).await;
    let serverless = json!({
        "instance": null,
        "serverless": {"memoryMiB": 2048, "maxConcurrency": 10, "provisionedConcurrency": 2},
        "autoscaling": {"minInstances": 1, "maxInstances": 5, "target": {"provisionedConcurrencyUtilization": {"value": 0.7}}},
    });
    world.apply("assistant", &ranking(serverless)).await;
    let message = world.wait_stalled("assistant", "InvalidSpec").await;
    assert!(message.contains("serverless"), "{message}");
    let before = count(&world, "DescribeEndpoint");
    world.poke("assistant").await;
    world.wait("a further look", async || count(&world, "DescribeEndpoint") > before).await;
    assert_eq!(bounds(&world).await, Some((2, 8)));
    assert_eq!(count(&world, "DeleteScalingPolicy"), 0);
    world.apply("assistant", &ranking(json!({}))).await;
    world.wait_ready("assistant").await;
    assert_eq!(bounds(&world).await, Some((2, 8)));
}

#[tokio::test]
async fn several_failures_in_a_row_leave_no_pair_behind() {
    let world = world("unlucky").await;
    let name = in_service(&world).await;
    for tag in ["2", "3", "4"] {
        world.aws.control("fail-next-update", json!({"endpoint": name, "reason": format!("no {tag}")}));
        world.apply("assistant", &ranking(json!({"image": image(tag)}))).await;
        world
            .wait_for("assistant", "rolled back", |status| {
                condition(status, "Stalled").is_some_and(|it| it.message.contains(&format!("no {tag}")))
            })
            .await;
    }
    world.apply("assistant", &ranking(json!({"image": image("5")}))).await;
    world.wait_ready("assistant").await;
    let two = async || pairs(&world).await.0.len() == 2 && pairs(&world).await.1.len() == 2;
    world.wait("the first and the last are left", two).await;
    world.wait("and their policies", async || execution_policies(&world).await.len() == 3).await;
}

#[tokio::test]
async fn a_role_goes_only_with_the_last_revision_that_works_with_it() {
    let world =
        World::guarded("own-role", "rules: [{executionRoles: [\"arn:aws:iam::123456789012:role/theirs\"]}]").await;
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    let iam = world.aws.iam();
    iam.create_role().role_name("theirs").assume_role_policy_document(trust.to_string()).send().await.expect("made");
    let all = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
    iam.put_role_policy()
        .role_name("theirs")
        .policy_name("all")
        .policy_document(all.to_string())
        .send()
        .await
        .expect("put");
    world.apply("assistant", &ranking(json!({}))).await;
    world.wait_ready("assistant").await;
    let theirs = json!({"executionRoleArn": "arn:aws:iam::123456789012:role/theirs"});
    world.apply("assistant", &ranking(theirs.clone())).await;
    world.wait_ready("assistant").await;
    assert_eq!(count(&world, "DeleteRole"), 0, "the kept revision works with it");
    assert_eq!(execution_policies(&world).await.len(), 2);
    world.apply("assistant", &ranking(json!({}))).await;
    world.wait_ready("assistant").await;
    assert_eq!(count(&world, "DeleteRole"), 0);
    let mut last = theirs;
    last["keepRevisions"] = json!(0);
    world.apply("assistant", &ranking(last)).await;
    world.wait("the role goes", async || count(&world, "DeleteRole") == 1).await;
    world.wait_ready("assistant").await;
    assert!(iam.get_role().role_name("theirs").send().await.is_ok());
}

#[tokio::test]
async fn a_bucket_stays_while_a_revision_loads_from_it() {
    let world = world("moved-bucket").await;
    let with_bucket = |bucket: &str, fields: Value| {
        let mut wanted = ranking(fields);
        wanted["storage"]["buckets"][0]["bucketName"] = json!(format!("{bucket}-{}", world.namespace));
        wanted
    };
    let data = |tag: &str| json!({"image": image(tag), "modelData": {"bucket": "artifacts", "key": "m/model.tar.gz"}, "keepRevisions": 0});
    let upload = async |bucket: &str| {
        let s3 = world.aws.s3();
        let bucket = format!("{bucket}-{}", world.namespace);
        world.wait("the bucket", async || s3.head_bucket().bucket(&bucket).send().await.is_ok()).await;
        let body = aws_sdk_s3::primitives::ByteStream::from_static(b"weights");
        s3.put_object().bucket(&bucket).key("m/model.tar.gz").body(body).send().await.expect("uploaded");
        world.poke("assistant").await;
    };
    world.apply("assistant", &with_bucket("old", data("1"))).await;
    upload("old").await;
    let name = endpoint_name(&world.wait_ready("assistant").await);
    world.apply("assistant", &with_bucket("new", data("2"))).await;
    world
        .wait_for("assistant", "waiting for its artifact", |status| {
            condition(status, "Ready").expect("a condition").message.contains("s3://new-")
        })
        .await;
    assert_eq!(count(&world, "DeleteBucket"), 0);
    assert_eq!(image_in_service(&world, &name).await, "1");
    upload("new").await;
    world.wait_ready("assistant").await;
    world.wait("the old bucket goes", async || count(&world, "DeleteBucket") == 1).await;
    world.wait_ready("assistant").await;
}

#[tokio::test]
async fn suspended_in_the_midst_of_a_rollout_it_goes_on_when_resumed() {
    let world = world("suspended").await;
    let name = in_service(&world).await;
    transitions_take(&world, 800);
    let mut wanted = ranking(json!({"image": image("2"), "instance": {"type": "ml.c5.xlarge", "count": 2}}));
    world.apply("assistant", &wanted).await;
    wait_for_status(&world, &name, "Updating").await;
    wanted["suspend"] = json!(true);
    world.apply("assistant", &wanted).await;
    world
        .wait_for("assistant", "suspended", |status| status.phase == Some(aiplatform::api::status::Phase::Suspended))
        .await;
    wait_for_status(&world, &name, "InService").await;
    assert_eq!(bounds(&world).await, None);
    wanted["suspend"] = json!(false);
    world.apply("assistant", &wanted).await;
    world.wait_ready("assistant").await;
    assert_eq!(bounds(&world).await, Some((2, 8)));
    assert_eq!(count(&world, "UpdateEndpoint"), 1);
}

#[tokio::test]
async fn only_observing_shows_the_rollout_and_makes_none() {
    let world = world("observing").await;
    let name = in_service(&world).await;
    let mut wanted = ranking(json!({"image": image("2"), "instance": {"type": "ml.c5.xlarge", "count": 2}}));
    wanted["managementPolicy"] = json!("Observe");
    let start = world.aws.calls().len();
    world.apply("assistant", &wanted).await;
    let object = world
        .wait_for("assistant", "observing", |status| {
            condition(status, "Ready").is_some_and(|it| it.reason == "Observing")
        })
        .await;
    let plan = object.status.expect("a status").plan;
    let told: Vec<String> = plan.iter().map(|step| format!("{} {}", step.action, step.kind)).collect();
    let expected = [
        "Update Role",
        "Create SageMakerModel",
        "Create SageMakerEndpointConfig",
        "Delete ScalableTarget",
        "Update SageMakerEndpoint",
    ];
    assert_eq!(told, expected);
    let writes: Vec<String> = world
        .aws
        .calls_since(start)
        .into_iter()
        .filter(|it| {
            !(it.starts_with("Get") || it.starts_with("List") || it.starts_with("Describe") || it.starts_with("Head"))
        })
        .collect();
    assert!(writes.is_empty(), "{writes:?}");
    assert_eq!(image_in_service(&world, &name).await, "1");
    wanted["managementPolicy"] = json!("NoDelete");
    wanted["models"][0]["sagemaker"]["keepRevisions"] = json!(0);
    world.apply("assistant", &wanted).await;
    world.wait_ready("assistant").await;
    assert_eq!(image_in_service(&world, &name).await, "2");
    assert_eq!(bounds(&world).await, Some((2, 8)));
    assert_eq!(count(&world, "DeleteModel") + count(&world, "DeleteEndpointConfig"), 0);
}

#[tokio::test]
async fn a_retained_endpoint_serves_on_and_keeps_its_tags() {
    let world = world("retained").await;
    let mut wanted = ranking(json!({}));
    wanted["deletionPolicy"] = json!("Retain");
    world.apply("assistant", &wanted).await;
    let name = endpoint_name(&world.wait_ready("assistant").await);
    world.delete("assistant").await;
    world.wait_until_gone("assistant").await;
    assert_eq!(image_in_service(&world, &name).await, "1");
    assert_eq!(bounds(&world).await, Some((2, 8)));
    world.apply("assistant", &ranking(json!({}))).await;
    world.wait_ready("assistant").await;
    assert_eq!(count(&world, "CreateEndpoint"), 1);
}

#[tokio::test]
async fn a_spec_that_became_invalid_in_the_midst_of_a_rollout_leaves_it_alone() {
    let world = world("invalid").await;
    let name = in_service(&world).await;
    transitions_take(&world, 800);
    world.apply("assistant", &ranking(json!({"image": image("2")}))).await;
    wait_for_status(&world, &name, "Updating").await;
    let elsewhere = "123456789012.dkr.ecr.us-east-1.amazonaws.com/rank:3";
    world.apply("assistant", &ranking(json!({"image": elsewhere}))).await;
    let message = world.wait_stalled("assistant", "InvalidSpec").await;
    assert!(message.contains("spec.models[0].sagemaker.image"), "{message}");
    wait_for_status(&world, &name, "InService").await;
    assert_eq!(image_in_service(&world, &name).await, "2");
    world.apply("assistant", &ranking(json!({"image": image("3")}))).await;
    world.wait_ready("assistant").await;
    assert_eq!(image_in_service(&world, &name).await, "3");
    let two = async || pairs(&world).await.0.len() == 2 && pairs(&world).await.1.len() == 2;
    world.wait("two pairs", two).await;
}

#[tokio::test]
async fn tags_changed_while_the_endpoint_is_updated_reach_everything() {
    let world = world("tags").await;
    let name = in_service(&world).await;
    transitions_take(&world, 800);
    let mut wanted = ranking(json!({"image": image("2")}));
    world.apply("assistant", &wanted).await;
    wait_for_status(&world, &name, "Updating").await;
    wanted["tags"] = json!({"project": "assistant"});
    world.apply("assistant", &wanted).await;
    world.wait_ready("assistant").await;
    let arn = endpoint(&world, &name).await.endpoint_arn.expect("an ARN");
    let tags = world.aws.sagemaker().list_tags().resource_arn(arn).send().await.expect("tags").tags.unwrap_or_default();
    assert!(tags.iter().any(|tag| tag.key.as_deref() == Some("project")), "{tags:?}");
    assert_eq!(count(&world, "UpdateEndpoint"), 1);
}

#[tokio::test]
async fn more_instances_asked_for_at_least_are_made_and_it_stays_ready() {
    let world = world("raised").await;
    let name = in_service(&world).await;
    transitions_take(&world, 500);
    let autoscaling =
        json!({"minInstances": 4, "maxInstances": 8, "target": {"invocationsPerInstance": {"value": 600}}});
    world.apply("assistant", &ranking(json!({"autoscaling": autoscaling}))).await;
    world.wait("four instances", async || instances(&world, &name).await == 4).await;
    world.wait_ready("assistant").await;
    assert_eq!(count(&world, "UpdateEndpoint"), 0);
}

#[tokio::test]
async fn fewer_kept_revisions_while_rolled_back_take_only_what_is_not_in_use() {
    let world = world("fewer").await;
    for tag in ["1", "2"] {
        world.apply("assistant", &ranking(json!({"image": image(tag)}))).await;
        world.wait_ready("assistant").await;
    }
    let name = endpoint_name(&world.api().get("assistant").await.expect("it"));
    world.aws.control("fail-next-update", json!({"endpoint": name, "reason": "no ping"}));
    world.apply("assistant", &ranking(json!({"image": image("3")}))).await;
    world.wait_stalled("assistant", "RolledBack").await;
    assert_eq!(pairs(&world).await.1.len(), 3);
    world.aws.control("fail-next-update", json!({"endpoint": name, "reason": "no ping"}));
    world.apply("assistant", &ranking(json!({"image": image("3"), "keepRevisions": 0}))).await;
    world.wait("the oldest goes", async || pairs(&world).await.1.len() == 2 && pairs(&world).await.0.len() == 2).await;
    world.wait_stalled("assistant", "RolledBack").await;
    assert_eq!(image_in_service(&world, &name).await, "2");
    let running = endpoint(&world, &name).await.endpoint_config_name.expect("it");
    assert!(pairs(&world).await.1.contains(&running));
}
