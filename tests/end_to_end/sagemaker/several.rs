//! Models beside each other: what befalls one does not befall the other.

use super::*;

/// A spec with models of these names, each with these fields in place of the usual ones.
fn serving(models: &[(&str, Value)]) -> Value {
    let mut wanted = ranking(json!({}));
    let all = models.iter().map(|(name, fields)| {
        let sagemaker = ranking(fields.clone())["models"][0]["sagemaker"].clone();
        json!({"name": name, "sagemaker": sagemaker})
    });
    wanted["models"] = all.collect();
    wanted
}

fn named<'a>(object: &'a AIPlatform, name: &str) -> &'a ModelStatus {
    let models = &object.status.as_ref().expect("a status").models;
    models.iter().find(|model| model.name == name).expect("the model")
}

fn name_of(object: &AIPlatform, model: &str) -> String {
    named(object, model).endpoint.clone().expect("an endpoint")
}

/// How often an operation was called about something of this name.
fn calls_about(env: &TestEnv, operation: &str, field: &str, name: &str) -> usize {
    let calls = env.aws.calls();
    calls.iter().filter(|call| call["operation"] == operation && call["parameters"][field] == name).count()
}

#[tokio::test]
async fn a_model_that_was_rolled_back_does_not_hold_up_another() {
    let env = env("beside").await;
    let both = |rank: &str, embed: Value| serving(&[("rank", json!({"image": image(rank)})), ("embed", embed)]);
    env.apply("assistant", &both("1", json!({}))).await;
    let object = env.wait_ready("assistant").await;
    let (rank, embed) = (name_of(&object, "rank"), name_of(&object, "embed"));
    env.aws.control("fail-next-update", json!({"endpoint": rank, "reason": "no"}));
    env.apply("assistant", &both("2", json!({}))).await;
    env.wait_stalled("assistant", "RolledBack").await;

    let before = named(&object, "embed").revision.clone();
    transitions_take(&env, 1_500);
    env.aws.control("fail-next-update", json!({"endpoint": rank, "reason": "no"}));
    let moved = json!({"image": image("2"), "instance": {"type": "ml.c5.xlarge", "count": 2}});
    env.apply("assistant", &both("2", moved)).await;
    let object = env
        .wait_for("assistant", "served by the new revision of embed", |status| {
            let embed = status.models.iter().find(|it| it.name == "embed").expect("it");
            embed.ready && embed.revision != before && embed.outcome.as_deref() == Some("InService")
        })
        .await;
    assert_eq!(image_in_service(&env, &embed).await, "2");
    assert!(!named(&object, "rank").ready);
    let scaled = async || {
        let call = env.aws.autoscaling().describe_scalable_targets().service_namespace(ServiceNamespace::Sagemaker);
        call.send().await.expect("targets").scalable_targets.unwrap_or_default().len() == 2
    };
    env.wait("both scale", scaled).await;
}

#[tokio::test]
async fn a_model_that_is_added_beside_a_stalled_one_comes_up_at_once() {
    let env = env("added").await;
    env.apply("assistant", &serving(&[("rank", json!({}))])).await;
    let object = env.wait_ready("assistant").await;
    env.aws.control("fail-next-update", json!({"endpoint": name_of(&object, "rank"), "reason": "no"}));
    env.apply("assistant", &serving(&[("rank", json!({"image": image("2")}))])).await;
    env.wait_stalled("assistant", "RolledBack").await;
    env.aws.control("fail-next-update", json!({"endpoint": name_of(&object, "rank"), "reason": "no"}));
    let message = "Could not assume role arn:aws:iam::123456789012:role/x. Please ensure that the role exists and allows \
                   principal 'sagemaker.amazonaws.com' to assume the role.";
    let error = json!({"code": "ValidationException", "status": 400, "message": message});
    let fault =
        json!({"service": "sagemaker", "operation": "CreateModel", "when": "before", "times": 2, "error": error});
    transitions_take(&env, 1_000);
    env.aws.control("faults", fault);
    let both = serving(&[("rank", json!({"image": image("2")})), ("embed", json!({}))]);
    env.apply("assistant", &both).await;
    env.wait_for("assistant", "served by embed", |status| {
        status.models.iter().any(|it| it.name == "embed" && it.ready)
    })
    .await;
}

#[tokio::test]
async fn two_platforms_with_models_of_one_name_do_not_touch_each_other() {
    let env = env("twins").await;
    for platform in ["assistant", "search"] {
        env.apply(platform, &ranking(json!({}))).await;
    }
    let assistant = endpoint_name(&env.wait_ready("assistant").await);
    let search = endpoint_name(&env.wait_ready("search").await);
    assert_ne!(assistant, search);
    env.aws.control("fail-next-update", json!({"endpoint": assistant, "reason": "no"}));
    for platform in ["assistant", "search"] {
        env.apply(platform, &ranking(json!({"image": image("2")}))).await;
    }
    env.wait_stalled("assistant", "RolledBack").await;
    env.wait_ready("search").await;
    assert_eq!(image_in_service(&env, &assistant).await, "1");
    assert_eq!(image_in_service(&env, &search).await, "2");
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    env.look("search").await;
    env.wait_ready("search").await;
    assert_eq!(image_in_service(&env, &search).await, "2");
    let (models, configs) = pairs(&env).await;
    assert_eq!((models.len(), configs.len()), (2, 2), "what the other keeps is left alone");
}

#[tokio::test]
async fn a_renamed_model_leaves_nothing_under_its_old_name() {
    let env = env("renamed").await;
    for tag in ["1", "2"] {
        env.apply("assistant", &serving(&[("rank", json!({"image": image(tag)}))])).await;
        env.wait_ready("assistant").await;
    }
    let old = endpoint_name(&env.api().get("assistant").await.expect("it"));
    transitions_take(&env, 500);
    env.apply("assistant", &serving(&[("ranking", json!({"image": image("2")}))])).await;
    let object = env.wait_ready("assistant").await;
    assert_ne!(name_of(&object, "ranking"), old);
    let (models, configs) = pairs(&env).await;
    assert_eq!((models.len(), configs.len()), (1, 1), "{models:?} {configs:?}");
    let kinds: Vec<String> = object.status.expect("a status").resources.into_iter().map(|it| it.kind).collect();
    assert_eq!(kinds.iter().filter(|it| *it == "Role").count(), 1, "{kinds:?}");
    assert_eq!(calls_about(&env, "DeleteEndpoint", "EndpointName", &old), 1);
}

#[tokio::test]
async fn a_model_goes_to_bedrock_and_comes_back_under_its_name() {
    let env = env("bedrock").await;
    env.apply("assistant", &ranking(json!({}))).await;
    let name = endpoint_name(&env.wait_ready("assistant").await);
    transitions_take(&env, UNTIL_TOLD);
    let mut bedrock = ranking(json!({}));
    bedrock["models"] = json!([{"name": "rank", "bedrock": {"modelId": "anthropic.claude-haiku-4-5-20251001-v1:0"}}]);
    env.apply("assistant", &bedrock).await;
    wait_for_status(&env, &name, "Deleting").await;
    // While it still goes, the user has it back.
    env.apply("assistant", &ranking(json!({"image": image("2")}))).await;
    env.wait_for("assistant", "told to come back", |_| true).await;
    transitions_take(&env, 0);
    let object = env.wait_ready("assistant").await;
    assert_eq!(endpoint_name(&object), name);
    assert_eq!(image_in_service(&env, &name).await, "2");
    assert_eq!(bounds(&env).await, Some((2, 8)));
    env.apply("assistant", &bedrock).await;
    let object = env.wait_ready("assistant").await;
    let reported = model(&object);
    assert_eq!(
        (reported.backend.as_str(), reported.revision, reported.outcome.as_deref()),
        ("Bedrock", None, Some("Unknown"))
    );
    assert_eq!(pairs(&env).await, (Vec::new(), Vec::new()));
}
