//! `instance.count` under autoscaling is the first count: once the endpoint is there, the number of instances belongs to
//! Application Auto Scaling.

use super::*;

fn counting(count: i32, fields: Value) -> Value {
    let mut fields = fields;
    fields["instance"] = json!({"type": "ml.m5.large", "count": count});
    ranking(fields)
}

/// An endpoint that autoscaling let grow to six instances; its name.
async fn grown(env: &TestEnv) -> String {
    let name = in_service(env).await;
    env.aws.control("scale", json!({"endpoint": name, "variant": "AllTraffic", "count": 6}));
    assert_eq!(instances(env, &name).await, 6);
    name
}

#[tokio::test]
async fn an_edit_of_the_first_count_makes_no_revision_and_takes_no_instance_away() {
    let env = TestEnv::with("first-count", &["--transition-poll", "200ms", "--resync", "1s"]).await;
    let name = grown(&env).await;
    let (before, revision) = (pairs(&env).await, model(&env.api().get("assistant").await.expect("it")).revision);
    let start = env.aws.call_count();
    env.apply("assistant", &counting(3, json!({}))).await;
    let object = env.wait_ready("assistant").await;
    assert_eq!(model(&object).revision, revision);
    wait_for_passes(&env, 2).await;
    let version = crate::support::test_env::version(&env.api().get("assistant").await.expect("it"));
    wait_for_passes(&env, 3).await;
    assert_eq!(instances(&env, &name).await, 6);
    assert_eq!(pairs(&env).await, before);
    let is_read = |operation: &String| ["Get", "List", "Describe"].iter().any(|read| operation.starts_with(read));
    let writes: Vec<String> = env.aws.calls_since(start).into_iter().filter(|it| !is_read(it)).collect();
    assert!(writes.is_empty(), "{writes:?}");
    let after = env.api().get("assistant").await.expect("it");
    assert_eq!(crate::support::test_env::version(&after), version, "and the object is at rest");
    assert!(execution_policies(&env).await.contains(&format!("revision-{}", revision.expect("a revision"))));
}

#[tokio::test]
async fn another_image_with_another_count_leaves_the_number_of_instances_alone() {
    let env = env("count-and-image").await;
    let name = grown(&env).await;
    env.apply("assistant", &counting(3, json!({"image": image("2")}))).await;
    env.wait_ready("assistant").await;
    assert_eq!(image_in_service(&env, &name).await, "2");
    assert_eq!(instances(&env, &name).await, 6);
}

#[tokio::test]
async fn a_fleet_that_was_deleted_starts_with_the_count_of_the_spec() {
    let env = env("count-anew").await;
    let name = grown(&env).await;
    env.apply("assistant", &counting(3, json!({}))).await;
    env.wait_ready("assistant").await;
    env.aws.sagemaker().delete_endpoint().endpoint_name(&name).send().await.expect("deleted");
    env.poke("assistant").await;
    env.wait("made again", async || count(&env, "CreateEndpoint") == 2).await;
    env.at_rest().await;
    env.wait_ready("assistant").await;
    assert_eq!(instances(&env, &name).await, 3);
    env.wait("one pair", async || pairs(&env).await.1.len() == 1).await;
}

#[tokio::test]
async fn without_autoscaling_the_count_is_the_users() {
    let env = env("count-alone").await;
    let name = grown(&env).await;
    env.apply("assistant", &counting(3, json!({"autoscaling": null}))).await;
    env.wait_ready("assistant").await;
    assert_eq!(instances(&env, &name).await, 3, "autoscaling went in the same edit");
    env.apply("assistant", &counting(4, json!({"autoscaling": null}))).await;
    env.wait_ready("assistant").await;
    assert_eq!(instances(&env, &name).await, 4);
    assert_eq!(bounds(&env).await, None);
}

#[tokio::test]
async fn what_may_not_be_deleted_keeps_its_instances_too() {
    let env = env("count-no-delete").await;
    let name = grown(&env).await;
    let mut wanted = counting(3, json!({"keepRevisions": 0}));
    wanted["managementPolicy"] = json!("NoDelete");
    env.apply("assistant", &wanted).await;
    env.wait_ready("assistant").await;
    assert_eq!((instances(&env, &name).await, count(&env, "UpdateEndpoint")), (6, 0));
    let schedules = json!([{"name": "night", "schedule": "cron(0 22 * * ? *)", "minInstances": 3, "maxInstances": 4}]);
    wanted["models"][0]["sagemaker"]["autoscaling"]["schedules"] = schedules;
    wanted["models"][0]["sagemaker"]["instance"]["count"] = json!(5);
    env.apply("assistant", &wanted).await;
    env.wait_ready("assistant").await;
    assert_eq!((instances(&env, &name).await, count(&env, "UpdateEndpoint")), (6, 0));
    assert_eq!(pairs(&env).await.1.len(), 1);
}
