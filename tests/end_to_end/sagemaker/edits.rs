//! Edits at the worst time: what runs is not harmed, and nothing is left behind.

use super::*;

#[tokio::test]
async fn an_endpoint_that_cannot_become_serverless_scales_on() {
    let env = env("stays").await;
    in_service(&env).await;
    let serverless = json!({
        "instance": null,
        "serverless": {"memoryMiB": 2048, "maxConcurrency": 10, "provisionedConcurrency": 2},
        "autoscaling": {"minInstances": 1, "maxInstances": 5, "target": {"provisionedConcurrencyUtilization": {"value": 0.7}}},
    });
    env.apply("assistant", &ranking(serverless)).await;
    let message = env.wait_stalled("assistant", "InvalidSpec").await;
    assert!(message.contains("serverless"), "{message}");
    env.look("assistant").await;
    assert_eq!(bounds(&env).await, Some((2, 8)));
    assert_eq!(count(&env, "DeleteScalingPolicy"), 0);
    env.apply("assistant", &ranking(json!({}))).await;
    env.wait_ready("assistant").await;
    assert_eq!(bounds(&env).await, Some((2, 8)));
}

#[tokio::test]
async fn several_failures_in_a_row_leave_no_pair_behind() {
    let env = env("unlucky").await;
    let name = in_service(&env).await;
    for tag in ["2", "3", "4"] {
        env.aws.control("fail-next-update", json!({"endpoint": name, "reason": format!("no {tag}")}));
        env.apply("assistant", &ranking(json!({"image": image(tag)}))).await;
        env.wait_for("assistant", "rolled back", |status| {
            condition(status, "Stalled").is_some_and(|it| it.message.contains(&format!("no {tag}")))
        })
        .await;
    }
    env.apply("assistant", &ranking(json!({"image": image("5")}))).await;
    env.wait_ready("assistant").await;
    let two = async || pairs(&env).await.0.len() == 2 && pairs(&env).await.1.len() == 2;
    env.wait("the first and the last are left", two).await;
    env.wait("and their policies", async || execution_policies(&env).await.len() == 3).await;
}

#[tokio::test]
async fn a_role_goes_only_with_the_last_revision_that_works_with_it() {
    let env =
        TestEnv::guarded("own-role", "rules: [{executionRoles: [\"arn:aws:iam::123456789012:role/theirs\"]}]").await;
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    let iam = env.aws.iam();
    iam.create_role().role_name("theirs").assume_role_policy_document(trust.to_string()).send().await.expect("made");
    let all = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
    iam.put_role_policy()
        .role_name("theirs")
        .policy_name("all")
        .policy_document(all.to_string())
        .send()
        .await
        .expect("put");
    env.apply("assistant", &ranking(json!({}))).await;
    env.wait_ready("assistant").await;
    let theirs = json!({"executionRoleArn": "arn:aws:iam::123456789012:role/theirs"});
    env.apply("assistant", &ranking(theirs.clone())).await;
    env.wait_ready("assistant").await;
    assert_eq!(count(&env, "DeleteRole"), 0, "the kept revision works with it");
    assert_eq!(execution_policies(&env).await.len(), 2);
    env.apply("assistant", &ranking(json!({}))).await;
    env.wait_ready("assistant").await;
    assert_eq!(count(&env, "DeleteRole"), 0);
    let mut last = theirs;
    last["keepRevisions"] = json!(0);
    env.apply("assistant", &ranking(last)).await;
    env.wait("the role goes", async || count(&env, "DeleteRole") == 1).await;
    env.wait_ready("assistant").await;
    assert!(iam.get_role().role_name("theirs").send().await.is_ok());
}

#[tokio::test]
async fn a_bucket_stays_while_a_revision_loads_from_it() {
    let env = env("moved-bucket").await;
    let with_bucket = |bucket: &str, fields: Value| {
        let mut wanted = ranking(fields);
        wanted["storage"]["buckets"][0]["bucketName"] = json!(format!("{bucket}-{}", env.namespace));
        wanted
    };
    let data = |tag: &str| json!({"image": image(tag), "modelData": {"bucket": "artifacts", "key": "m/model.tar.gz"}, "keepRevisions": 0});
    let upload = async |bucket: &str| {
        let s3 = env.aws.s3();
        let bucket = format!("{bucket}-{}", env.namespace);
        env.wait("the bucket", async || s3.head_bucket().bucket(&bucket).send().await.is_ok()).await;
        let body = aws_sdk_s3::primitives::ByteStream::from_static(b"weights");
        s3.put_object().bucket(&bucket).key("m/model.tar.gz").body(body).send().await.expect("uploaded");
        env.poke("assistant").await;
    };
    env.apply("assistant", &with_bucket("old", data("1"))).await;
    upload("old").await;
    let name = endpoint_name(&env.wait_ready("assistant").await);
    env.apply("assistant", &with_bucket("new", data("2"))).await;
    env.wait_for("assistant", "waiting for its artifact", |status| {
        condition(status, "Ready").expect("a condition").message.contains("s3://new-")
    })
    .await;
    assert_eq!(count(&env, "DeleteBucket"), 0);
    assert_eq!(image_in_service(&env, &name).await, "1");
    upload("new").await;
    env.wait_ready("assistant").await;
    env.wait("the old bucket goes", async || count(&env, "DeleteBucket") == 1).await;
    env.wait_ready("assistant").await;
}

#[tokio::test]
async fn suspended_in_the_midst_of_a_rollout_it_goes_on_when_resumed() {
    let env = env("suspended").await;
    let name = in_service(&env).await;
    transitions_take(&env, UNTIL_TOLD);
    let mut wanted = ranking(json!({"image": image("2"), "instance": {"type": "ml.c5.xlarge", "count": 2}}));
    env.apply("assistant", &wanted).await;
    wait_for_status(&env, &name, "Updating").await;
    wanted["suspend"] = json!(true);
    env.apply("assistant", &wanted).await;
    env.wait_for("assistant", "suspended", |status| status.phase == Some(aiplatform::api::status::Phase::Suspended))
        .await;
    transitions_take(&env, 0);
    wait_for_status(&env, &name, "InService").await;
    assert_eq!(bounds(&env).await, None);
    wanted["suspend"] = json!(false);
    env.apply("assistant", &wanted).await;
    env.wait_ready("assistant").await;
    assert_eq!(bounds(&env).await, Some((2, 8)));
    assert_eq!(count(&env, "UpdateEndpoint"), 1);
}

#[tokio::test]
async fn only_observing_shows_the_rollout_and_makes_none() {
    let env = env("observing").await;
    let name = in_service(&env).await;
    let mut wanted = ranking(json!({"image": image("2"), "instance": {"type": "ml.c5.xlarge", "count": 2}}));
    wanted["managementPolicy"] = json!("Observe");
    let start = env.aws.call_count();
    env.apply("assistant", &wanted).await;
    let object = env
        .wait_for("assistant", "observing", |status| {
            condition(status, "Ready").is_some_and(|it| it.reason == "Observing")
        })
        .await;
    let plan = object.status.expect("a status").plan;
    let reported: Vec<String> = plan.iter().map(|step| format!("{} {}", step.action, step.kind)).collect();
    let expected = [
        "Update Role",
        "Create SageMakerModel",
        "Create SageMakerEndpointConfig",
        "Delete ScalableTarget",
        "Update SageMakerEndpoint",
    ];
    assert_eq!(reported, expected);
    let writes: Vec<String> = env
        .aws
        .calls_since(start)
        .into_iter()
        .filter(|it| {
            !(it.starts_with("Get") || it.starts_with("List") || it.starts_with("Describe") || it.starts_with("Head"))
        })
        .collect();
    assert!(writes.is_empty(), "{writes:?}");
    assert_eq!(image_in_service(&env, &name).await, "1");
    wanted["managementPolicy"] = json!("NoDelete");
    wanted["models"][0]["sagemaker"]["keepRevisions"] = json!(0);
    env.apply("assistant", &wanted).await;
    env.wait_ready("assistant").await;
    assert_eq!(image_in_service(&env, &name).await, "2");
    assert_eq!(bounds(&env).await, Some((2, 8)));
    assert_eq!(count(&env, "DeleteModel") + count(&env, "DeleteEndpointConfig"), 0);
}

#[tokio::test]
async fn a_retained_endpoint_serves_on_and_keeps_its_tags() {
    let env = env("retained").await;
    let mut wanted = ranking(json!({}));
    wanted["deletionPolicy"] = json!("Retain");
    env.apply("assistant", &wanted).await;
    let name = endpoint_name(&env.wait_ready("assistant").await);
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    assert_eq!(image_in_service(&env, &name).await, "1");
    assert_eq!(bounds(&env).await, Some((2, 8)));
    env.apply("assistant", &ranking(json!({}))).await;
    env.wait_ready("assistant").await;
    assert_eq!(count(&env, "CreateEndpoint"), 1);
}

#[tokio::test]
async fn a_spec_that_became_invalid_in_the_midst_of_a_rollout_leaves_it_alone() {
    let env = env("invalid").await;
    let name = in_service(&env).await;
    transitions_take(&env, UNTIL_TOLD);
    env.apply("assistant", &ranking(json!({"image": image("2")}))).await;
    wait_for_status(&env, &name, "Updating").await;
    let elsewhere = "123456789012.dkr.ecr.us-east-1.amazonaws.com/rank:3";
    env.apply("assistant", &ranking(json!({"image": elsewhere}))).await;
    let message = env.wait_stalled("assistant", "InvalidSpec").await;
    assert!(message.contains("spec.models[0].sagemaker.image"), "{message}");
    transitions_take(&env, 0);
    wait_for_status(&env, &name, "InService").await;
    assert_eq!(image_in_service(&env, &name).await, "2");
    env.apply("assistant", &ranking(json!({"image": image("3")}))).await;
    env.wait_ready("assistant").await;
    assert_eq!(image_in_service(&env, &name).await, "3");
    let two = async || pairs(&env).await.0.len() == 2 && pairs(&env).await.1.len() == 2;
    env.wait("two pairs", two).await;
}

#[tokio::test]
async fn tags_changed_while_the_endpoint_is_updated_reach_everything() {
    let env = env("tags").await;
    let name = in_service(&env).await;
    transitions_take(&env, UNTIL_TOLD);
    let mut wanted = ranking(json!({"image": image("2")}));
    env.apply("assistant", &wanted).await;
    wait_for_status(&env, &name, "Updating").await;
    wanted["tags"] = json!({"project": "assistant"});
    env.apply("assistant", &wanted).await;
    env.wait_for("assistant", "updating", |_| true).await;
    transitions_take(&env, 0);
    env.wait_ready("assistant").await;
    let arn = endpoint(&env, &name).await.endpoint_arn.expect("an ARN");
    let tags = env.aws.sagemaker().list_tags().resource_arn(arn).send().await.expect("tags").tags.unwrap_or_default();
    assert!(tags.iter().any(|tag| tag.key.as_deref() == Some("project")), "{tags:?}");
    assert_eq!(count(&env, "UpdateEndpoint"), 1);
}

#[tokio::test]
async fn more_instances_requested_at_least_are_made_and_it_stays_ready() {
    let env = env("raised").await;
    let name = in_service(&env).await;
    transitions_take(&env, 500);
    let autoscaling =
        json!({"minInstances": 4, "maxInstances": 8, "target": {"invocationsPerInstance": {"value": 600}}});
    env.apply("assistant", &ranking(json!({"autoscaling": autoscaling}))).await;
    env.wait("four instances", async || instances(&env, &name).await == 4).await;
    env.wait_ready("assistant").await;
    assert_eq!(count(&env, "UpdateEndpoint"), 0);
}

#[tokio::test]
async fn fewer_kept_revisions_while_rolled_back_take_only_what_is_not_in_use() {
    let env = env("fewer").await;
    for tag in ["1", "2"] {
        env.apply("assistant", &ranking(json!({"image": image(tag)}))).await;
        env.wait_ready("assistant").await;
    }
    let name = endpoint_name(&env.api().get("assistant").await.expect("it"));
    env.aws.control("fail-next-update", json!({"endpoint": name, "reason": "no ping"}));
    env.apply("assistant", &ranking(json!({"image": image("3")}))).await;
    env.wait_stalled("assistant", "RolledBack").await;
    assert_eq!(pairs(&env).await.1.len(), 3);
    env.aws.control("fail-next-update", json!({"endpoint": name, "reason": "no ping"}));
    env.apply("assistant", &ranking(json!({"image": image("3"), "keepRevisions": 0}))).await;
    env.wait("the oldest goes", async || pairs(&env).await.1.len() == 2 && pairs(&env).await.0.len() == 2).await;
    env.wait_stalled("assistant", "RolledBack").await;
    assert_eq!(image_in_service(&env, &name).await, "2");
    let running = endpoint(&env, &name).await.endpoint_config_name.expect("it");
    assert!(pairs(&env).await.1.contains(&running));
}
