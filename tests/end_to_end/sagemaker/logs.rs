//! The log group of an endpoint: it expires, carries the platform's tags, and outlives the platform.

use aws_sdk_cloudwatchlogs::types::LogGroup;

use super::*;

/// The log group of an endpoint, and its tags.
async fn group(env: &TestEnv, endpoint: &str) -> Option<(LogGroup, std::collections::HashMap<String, String>)> {
    let name = format!("/aws/sagemaker/Endpoints/{endpoint}");
    let logs = env.aws.logs();
    let found = logs.describe_log_groups().log_group_name_prefix(&name).send().await.expect("groups");
    let group =
        found.log_groups.unwrap_or_default().into_iter().find(|it| it.log_group_name.as_ref() == Some(&name))?;
    let arn = group.log_group_arn.clone().expect("an ARN");
    let tags = logs.list_tags_for_resource().resource_arn(arn).send().await.expect("tags");
    Some((group, tags.tags.unwrap_or_default()))
}

#[tokio::test]
async fn what_an_endpoint_logs_expires_after_ninety_days_and_carries_the_platforms_tags() {
    let env = env("logs").await;
    let name = in_service(&env).await;
    let (found, tags) = group(&env, &name).await.expect("a log group");
    assert_eq!(found.retention_in_days, Some(90));
    assert!(tags["aiplatform.dev/owner"].ends_with(&format!("/{}/assistant", env.namespace)), "{tags:?}");
    let calls = env.aws.calls_since(0);
    let position = |operation: &str| calls.iter().position(|it| it == operation).expect("it was called");
    assert!(position("CreateLogGroup") < position("CreateEndpoint"), "before anything can be logged without an end");
}

#[tokio::test]
async fn how_long_and_with_which_key_is_the_users_word_and_is_put_back() {
    let env = env("log-drift").await;
    let key = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let logs = json!({"retentionDays": 30, "kmsKeyArn": key});
    env.apply("assistant", &ranking(json!({"logs": logs}))).await;
    let name = endpoint_name(&env.wait_ready("assistant").await);
    let is = async |days: i32, key: Option<&str>| {
        let (found, _) = group(&env, &name).await.expect("a log group");
        found.retention_in_days == Some(days) && found.kms_key_id.as_deref() == key
    };
    assert!(is(30, Some(key)).await);
    let group_name = format!("/aws/sagemaker/Endpoints/{name}");
    env.aws.logs().delete_retention_policy().log_group_name(&group_name).send().await.expect("deleted");
    env.poke("assistant").await;
    env.wait("the retention is put back", async || is(30, Some(key)).await).await;
    let updates = count(&env, "UpdateEndpoint");
    env.apply("assistant", &ranking(json!({"logs": {"retentionDays": 365}}))).await;
    env.wait("another retention and no key", async || is(365, None).await).await;
    env.wait_ready("assistant").await;
    assert_eq!(count(&env, "UpdateEndpoint"), updates, "what is kept of logs is no revision");
}

#[tokio::test]
async fn a_group_that_sagemaker_made_first_is_taken_over() {
    let env = env("log-first").await;
    let name = in_service(&env).await;
    let group_name = format!("/aws/sagemaker/Endpoints/{name}");
    env.aws.logs().delete_log_group().log_group_name(&group_name).send().await.expect("deleted");
    env.aws.control("sagemaker/print", json!({"endpoint": name}));
    let (found, tags) = group(&env, &name).await.expect("SageMaker made it");
    assert_eq!((found.retention_in_days, tags.len()), (None, 0));
    env.poke("assistant").await;
    let is_taken_over = async || {
        let (found, tags) = group(&env, &name).await.expect("a log group");
        found.retention_in_days == Some(90) && tags.contains_key("aiplatform.dev/owner")
    };
    env.wait("it is taken over", is_taken_over).await;
}

#[tokio::test]
async fn the_group_of_somebody_elses_endpoint_is_left_alone() {
    let env = env("log-foreign").await;
    let name = in_service(&env).await;
    let arn = format!("arn:aws:sagemaker:eu-west-1:123456789012:endpoint/{name}");
    let theirs = aws_sdk_sagemaker::types::Tag::builder().key("aiplatform.dev/owner").value("other/n/p").build();
    env.aws.sagemaker().add_tags().resource_arn(arn).tags(theirs).send().await.expect("tagged");
    let group_name = format!("/aws/sagemaker/Endpoints/{name}");
    env.aws.logs().delete_log_group().log_group_name(&group_name).send().await.expect("deleted");
    env.aws.control("sagemaker/print", json!({"endpoint": name}));
    env.poke("assistant").await;
    let status = env
        .wait_for("assistant", "the group is refused", |status| {
            let group = status.resources.iter().find(|resource| resource.kind == "LogGroup");
            group.is_some_and(|group| group.reason.as_deref() == Some("NotOwned"))
        })
        .await;
    let (found, tags) = group(&env, &name).await.expect("a log group");
    assert_eq!((found.retention_in_days, tags.len()), (None, 0), "{status:?}");
}

#[tokio::test]
async fn logs_are_evidence_and_outlive_the_platform() {
    let env = env("log-evidence").await;
    let name = in_service(&env).await;
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    let (found, tags) = group(&env, &name).await.expect("the log group stays");
    assert_eq!(found.retention_in_days, Some(90), "and expires");
    assert!(tags.contains_key("aiplatform.dev/owner"), "and says whose it was: {tags:?}");
}
