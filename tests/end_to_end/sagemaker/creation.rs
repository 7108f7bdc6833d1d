//! From a YAML to an endpoint that answers.

use super::*;

#[tokio::test]
async fn an_endpoint_comes_up_with_its_role_and_its_scaling() {
    let env = env("endpoint").await;
    let mut wanted = ranking(json!({
        "networkIsolation": true,
        "environment": {"LOG_LEVEL": "info"},
        "dataCapture": {"destination": {"bucket": "artifacts", "prefix": "capture/"}, "samplingPercent": 20},
        "instance": {"type": "ml.m5.large", "count": 2, "volumeSizeGiB": 64, "startupTimeoutSeconds": 900},
    }));
    wanted["tags"] = json!({"project": "assistant"});
    transitions_take(&env, 500);
    env.apply("assistant", &wanted).await;
    let object = env.wait_ready("assistant").await;
    let status = object.status.clone().expect("a status");
    let model = model(&object);
    assert_eq!((model.backend.as_str(), model.ready, model.outcome.as_deref()), ("SageMaker", true, Some("InService")));
    assert_eq!(model.revision, model.attempted_revision);
    assert_eq!(model.instances.map(|it| (it.current, it.desired)), Some((2, 2)));
    assert_eq!(status.models_ready.as_deref(), Some("1/1"));
    assert_eq!(condition(&status, "ModelsReady").map(|ready| ready.status.as_str()), Some("True"));
    let kinds: Vec<&str> = status.resources.iter().map(|resource| resource.kind.as_str()).collect();
    let expected = [
        "Bucket",
        "Role",
        "SageMakerModel",
        "SageMakerEndpointConfig",
        "SageMakerEndpoint",
        "ScalableTarget",
        "ScalingPolicy",
        "LogGroup",
        "ConfigMap",
    ];
    assert_eq!(kinds, expected);

    let name = endpoint_name(&object);
    assert!(name.starts_with(&format!("{}-assistant-rank-", env.namespace)), "{name}");
    let found = endpoint(&env, &name).await;
    assert!(found.endpoint_config_name.expect("a config").ends_with(model.revision.as_deref().expect("a revision")));
    let created = last(&env, "CreateModel");
    assert_eq!(created["EnableNetworkIsolation"], json!(true));
    assert_eq!(created["PrimaryContainer"]["Environment"], json!({"LOG_LEVEL": "info"}));
    let role = created["ExecutionRoleArn"].as_str().expect("a role");
    assert!(role.contains(":role/aiplatform/") && role.contains("-rank-execution-"), "{role}");
    let config = last(&env, "CreateEndpointConfig");
    assert_eq!(config["ProductionVariants"][0]["VolumeSizeInGB"], json!(64));
    assert_eq!(config["ProductionVariants"][0]["ContainerStartupHealthCheckTimeoutInSeconds"], json!(900));
    assert_eq!(config["DataCaptureConfig"]["InitialSamplingPercentage"], json!(20));
    let uri = config["DataCaptureConfig"]["DestinationS3Uri"].as_str().expect("a destination");
    assert!(uri.starts_with("s3://") && uri.ends_with("/capture/"), "{uri}");
    for operation in ["CreateModel", "CreateEndpointConfig", "CreateEndpoint", "RegisterScalableTarget"] {
        let tags = last(&env, operation)["Tags"].to_string();
        assert!(tags.contains("aiplatform.dev/owner") && tags.contains("project"), "{operation}: {tags}");
    }

    assert_eq!(bounds(&env).await, Some((2, 8)));
    let tracking = last(&env, "PutScalingPolicy")["TargetTrackingScalingPolicyConfiguration"].clone();
    assert_eq!(tracking["TargetValue"], json!(600.0));
    let metric = &tracking["PredefinedMetricSpecification"]["PredefinedMetricType"];
    assert_eq!(*metric, json!("SageMakerVariantInvocationsPerInstance"));
    let events = env.events("assistant").await;
    assert!(
        events.iter().any(|(reason, note)| reason == "Ready" && note.contains("model rank is served by revision")),
        "{events:?}"
    );
}

#[tokio::test]
async fn a_model_waits_for_its_artifact_and_says_where_it_is_to_be() {
    let env = env("artifact").await;
    let key = "models/rank/1/model.tar.gz";
    env.apply("assistant", &ranking(json!({"modelData": {"bucket": "artifacts", "key": key}}))).await;
    let waiting = env
        .wait_for("assistant", "waiting for its artifact", |status| {
            let ready = condition(status, "Ready").expect("a condition");
            ready.reason == "ProgressingWithRetry" && ready.message.contains(key)
        })
        .await;
    let bucket = aiplatform_bucket(&waiting);
    let message = condition(waiting.status.as_ref().expect("a status"), "Ready").expect("it").message.clone();
    assert!(message.contains(&format!("s3://{bucket}/{key}")), "{message}");
    let body = aws_sdk_s3::primitives::ByteStream::from_static(b"weights");
    env.aws.s3().put_object().bucket(&bucket).key(key).body(body).send().await.expect("uploaded");
    env.poke("assistant").await;
    let ready = env.wait_ready("assistant").await;
    let described = last(&env, "CreateModel");
    assert_eq!(described["PrimaryContainer"]["ModelDataUrl"], json!(format!("s3://{bucket}/{key}")));
    assert!(model(&ready).ready);
}

#[tokio::test]
async fn files_below_a_prefix_are_an_artifact_too() {
    let env = env("prefix").await;
    env.apply("assistant", &ranking(json!({"modelData": {"bucket": "artifacts", "key": "models/rank/"}}))).await;
    let waiting = env.wait_for("assistant", "there", |status| !status.resources.is_empty()).await;
    let bucket = aiplatform_bucket(&waiting);
    let s3 = env.aws.s3();
    env.wait("the bucket", async || s3.head_bucket().bucket(&bucket).send().await.is_ok()).await;
    let body = aws_sdk_s3::primitives::ByteStream::from_static(b"weights");
    s3.put_object().bucket(&bucket).key("models/rank/weights.bin").body(body).send().await.expect("uploaded");
    env.poke("assistant").await;
    env.wait_ready("assistant").await;
    let source = last(&env, "CreateModel")["PrimaryContainer"]["ModelDataSource"]["S3DataSource"].clone();
    assert_eq!(source["S3DataType"], json!("S3Prefix"));
    assert_eq!(source["CompressionType"], json!("None"));
}

#[tokio::test]
async fn a_serverless_endpoint_scales_its_provisioned_concurrency() {
    let env = env("serverless").await;
    let wanted = ranking(json!({
        "instance": null,
        "serverless": {"memoryMiB": 2048, "maxConcurrency": 10, "provisionedConcurrency": 2},
        "autoscaling": {
            "minInstances": 1, "maxInstances": 5,
            "target": {"provisionedConcurrencyUtilization": {"value": 0.7}},
        },
    }));
    env.apply("assistant", &wanted).await;
    let object = env.wait_ready("assistant").await;
    assert_eq!(model(&object).instances.map(|it| it.current), Some(2));
    assert_eq!(bounds(&env).await, Some((1, 5)));
    let registered = last(&env, "RegisterScalableTarget");
    assert_eq!(registered["ScalableDimension"], json!("sagemaker:variant:DesiredProvisionedConcurrency"));
}

#[tokio::test]
async fn an_asynchronous_endpoint_writes_to_a_bucket_of_the_platform() {
    let env = env("async").await;
    let output = json!({"bucket": "artifacts", "prefix": "async/"});
    let wanted = ranking(json!({"async": {"output": output, "maxConcurrentInvocationsPerInstance": 4}}));
    env.apply("assistant", &wanted).await;
    env.wait_ready("assistant").await;
    let config = last(&env, "CreateEndpointConfig")["AsyncInferenceConfig"].clone();
    assert!(config["OutputConfig"]["S3OutputPath"].as_str().is_some_and(|uri| uri.ends_with("/async/")), "{config}");
    assert_eq!(config["ClientConfig"]["MaxConcurrentInvocationsPerInstance"], json!(4));
}

#[tokio::test]
async fn an_instance_with_disks_of_its_own_gets_no_volume_and_says_so() {
    let env = env("disks").await;
    let wanted = ranking(json!({"instance": {"type": "ml.g5.xlarge", "count": 2, "volumeSizeGiB": 64}}));
    env.apply("assistant", &wanted).await;
    let object = env.wait_ready("assistant").await;
    let resources = object.status.expect("a status").resources;
    let config = resources.iter().find(|it| it.kind == "SageMakerEndpointConfig").expect("a configuration");
    assert!(config.message.as_ref().is_some_and(|it| it.contains("volumeSizeGiB 64 is left out")), "{config:?}");
}

fn aiplatform_bucket(object: &AIPlatform) -> String {
    let resources = object.status.iter().flat_map(|status| &status.resources);
    resources.into_iter().find(|it| it.kind == "Bucket").expect("a bucket").name.clone()
}

#[tokio::test]
async fn scaling_does_not_wait_for_a_list_of_superseded_revisions() {
    for action in ["sagemaker:ListModels", "sagemaker:ListEndpointConfigs"] {
        let env = env("scaled-unlisted").await;
        env.aws.control("deny", json!({"action": action}));
        transitions_take(&env, 500);
        env.apply("assistant", &ranking(json!({}))).await;
        env.wait("scaling", async || bounds(&env).await == Some((2, 8))).await;
    }
}

#[tokio::test]
async fn killed_in_the_midst_of_a_creation_it_goes_on() {
    let mut env = env("killed-early").await;
    let calls = ["CreateRole", "PutRolePolicy", "CreateModel", "CreateEndpoint", "RegisterScalableTarget"];
    for (number, killed_after) in calls.iter().enumerate() {
        let name = format!("platform-{number}");
        transitions_take(&env, 300);
        env.aws.control("latency", json!({"ms": 60}));
        let before = env.aws.call_count();
        env.apply(&name, &ranking(json!({}))).await;
        env.wait(killed_after, async || env.aws.calls_since(before).iter().any(|it| it == killed_after)).await;
        env.operator.kill();
        env.aws.control("latency", json!({"ms": 0}));
        env.restart_operator();
        let object = env.wait_ready(&name).await;
        assert_eq!(instances(&env, &endpoint_name(&object)).await, 2, "after {killed_after}");
        let (models, configs) = pairs(&env).await;
        assert_eq!((models.len(), configs.len()), (number + 1, number + 1), "no orphan after {killed_after}");
        let roles = env.aws.iam().list_roles().path_prefix("/aiplatform/").send().await.expect("roles").roles;
        assert_eq!(roles.len(), number + 1, "no duplicate after {killed_after}");
    }
}
