//! `instance.count` under autoscaling is the first count: once the endpoint is there, the number of instances belongs to
//! Application Auto Scaling.

use super::*;

fn counting(count: i32, fields: Value) -> Value {
    let mut fields = fields;
    fields["instance"] = json!({"type": "ml.m5.large", "count": count});
    ranking(fields)
}

/// An endpoint that autoscaling let grow to six instances; its name.
async fn grown(world: &World) -> String {
    let name = in_service(world).await;
    world.aws.control("scale", json!({"endpoint": name, "variant": "AllTraffic", "count": 6}));
    assert_eq!(instances(world, &name).await, 6);
    name
}

#[tokio::test]
async fn an_edit_of_the_first_count_makes_no_revision_and_takes_no_instance_away() {
    let world = World::with("first-count", &["--transition-poll", "200ms", "--resync", "1s"]).await;
    let name = grown(&world).await;
    let (before, revision) = (pairs(&world).await, model(&world.api().get("assistant").await.expect("it")).revision);
    let start = world.aws.calls().len();
    world.apply("assistant", &counting(3, json!({}))).await;
    let object = world.wait_ready("assistant").await;
    assert_eq!(model(&object).revision, revision);
    look_again(&world, 2).await;
    let version = crate::support::world::version(&world.api().get("assistant").await.expect("it"));
    look_again(&world, 3).await;
    assert_eq!(instances(&world, &name).await, 6);
    assert_eq!(pairs(&world).await, before);
    let is_read = |operation: &String| ["Get", "List", "Describe"].iter().any(|read| operation.starts_with(read));
    let writes: Vec<String> = world.aws.calls_since(start).into_iter().filter(|it| !is_read(it)).collect();
    assert!(writes.is_empty(), "{writes:?}");
    let after = world.api().get("assistant").await.expect("it");
    assert_eq!(crate::support::world::version(&after), version, "and the object is at rest");
    assert!(execution_policies(&world).await.contains(&format!("revision-{}", revision.expect("a revision"))));
}

#[tokio::test]
async fn another_image_with_another_count_leaves_the_number_of_instances_alone() {
    let world = world("count-and-image").await;
    let name = grown(&world).await;
    world.apply("assistant", &counting(3, json!({"image": image("2")}))).await;
    world.wait_ready("assistant").await;
    assert_eq!(image_in_service(&world, &name).await, "2");
    assert_eq!(instances(&world, &name).await, 6);
}

#[tokio::test]
async fn a_fleet_that_was_deleted_starts_with_the_count_of_the_spec() {
    let world = world("count-anew").await;
    let name = grown(&world).await;
    world.apply("assistant", &counting(3, json!({}))).await;
    world.wait_ready("assistant").await;
    world.aws.sagemaker().delete_endpoint().endpoint_name(&name).send().await.expect("deleted");
    world.poke("assistant").await;
    world.wait("made again", async || count(&world, "CreateEndpoint") == 2).await;
    world.wait_ready("assistant").await;
    assert_eq!(instances(&world, &name).await, 3);
    world.wait("one pair", async || pairs(&world).await.1.len() == 1).await;
}

#[tokio::test]
async fn without_autoscaling_the_count_is_the_users() {
    let world = world("count-alone").await;
    let name = grown(&world).await;
    world.apply("assistant", &counting(3, json!({"autoscaling": null}))).await;
    world.wait_ready("assistant").await;
    assert_eq!(instances(&world, &name).await, 3, "autoscaling went in the same edit");
    world.apply("assistant", &counting(4, json!({"autoscaling": null}))).await;
    world.wait_ready("assistant").await;
    assert_eq!(instances(&world, &name).await, 4);
    assert_eq!(bounds(&world).await, None);
}

#[tokio::test]
async fn what_may_not_be_deleted_keeps_its_instances_too() {
    let world = world("count-no-delete").await;
    let name = grown(&world).await;
    let mut wanted = counting(3, json!({"keepRevisions": 0}));
    wanted["managementPolicy"] = json!("NoDelete");
    world.apply("assistant", &wanted).await;
    world.wait_ready("assistant").await;
    assert_eq!((instances(&world, &name).await, count(&world, "UpdateEndpoint")), (6, 0));
    let schedules = json!([{"name": "night", "schedule": "cron(0 22 * * ? *)", "minInstances": 3, "maxInstances": 4}]);
    wanted["models"][0]["sagemaker"]["autoscaling"]["schedules"] = schedules;
    wanted["models"][0]["sagemaker"]["instance"]["count"] = json!(5);
    world.apply("assistant", &wanted).await;
    world.wait_ready("assistant").await;
    assert_eq!((instances(&world, &name).await, count(&world, "UpdateEndpoint")), (6, 0));
    assert_eq!(pairs(&world).await.1.len(), 1);
}
