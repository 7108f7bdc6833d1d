//! What the roles of models and of their consumers may do follows what the platform holds and what runs.

use serde_json::Map;

use super::*;
use crate::support::test_env::resource_names;

const PROVIDER: &str = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC";

/// The usual platform with a consumer of the model, and a bucket of a name that is not generated.
fn consumed(fields: Value) -> Value {
    let mut wanted = ranking(fields);
    wanted["storage"]["buckets"].as_array_mut().expect("buckets").push(json!({
        "name": "answers", "bucketName": "answers-of-others", "deletionPolicy": "DeleteWithContents",
    }));
    wanted["identity"] = json!({"irsa": {"oidcProviderArn": PROVIDER}});
    wanted["access"] = json!([{"name": "api", "serviceAccount": {"name": "api"}, "models": ["rank"]}]);
    wanted
}

async fn make_foreign_bucket(env: &TestEnv, name: &str) {
    use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
    let place = BucketLocationConstraint::from("eu-west-1");
    let configuration = CreateBucketConfiguration::builder().location_constraint(place).build();
    let call = env.aws.s3().create_bucket().bucket(name).create_bucket_configuration(configuration);
    call.send().await.expect("made");
}

async fn role(env: &TestEnv, part: &str) -> String {
    let roles = env.aws.iam().list_roles().path_prefix("/aiplatform/").send().await.expect("roles").roles;
    let mut names = roles.into_iter().map(|role| role.role_name);
    names.find(|name| name.contains(part)).unwrap_or_else(|| panic!("no role {part}"))
}

/// The inline policies of a role, by name.
async fn policies(env: &TestEnv, role: &str) -> Map<String, Value> {
    let iam = env.aws.iam();
    let mut found = Map::new();
    for name in iam.list_role_policies().role_name(role).send().await.expect("policies").policy_names {
        let read = iam.get_role_policy().role_name(role).policy_name(&name).send().await;
        // The operator may take one away between the list and this.
        let Ok(read) = read else { continue };
        let text = percent_encoding::percent_decode_str(read.policy_document()).decode_utf8_lossy().into_owned();
        found.insert(name, serde_json::from_str(&text).expect("JSON"));
    }
    found
}

async fn plant(env: &TestEnv, role: &str, name: &str, document: &Value) {
    let call = env.aws.iam().put_role_policy().role_name(role).policy_name(name);
    call.policy_document(document.to_string()).send().await.expect("planted");
}

fn anything() -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"}]})
}

#[tokio::test]
async fn a_new_revision_gets_no_right_to_a_bucket_that_is_refused() {
    for (name, fields) in [
        ("captures", json!({"dataCapture": {"destination": {"bucket": "answers", "prefix": "capture/"}}})),
        ("answers", json!({"async": {"output": {"bucket": "answers", "prefix": "async/"}}, "autoscaling": null})),
    ] {
        let env = env(name).await;
        make_foreign_bucket(&env, "answers-of-others").await;
        let mut wanted = consumed(json!({}));
        wanted["storage"]["buckets"].as_array_mut().expect("buckets").pop();
        env.apply("assistant", &wanted).await;
        env.wait_ready("assistant").await;
        env.apply("assistant", &consumed(fields)).await;
        let reported = env.wait_stalled("assistant", "NotOwned").await;
        assert!(reported.contains("answers-of-others"), "{reported}");
        let execution = role(&env, "-rank-execution-").await;
        let found = policies(&env, &execution).await;
        assert!(!Value::from(found.clone()).to_string().contains("answers-of-others"), "{found:#?}");
        let status = env.api().get("assistant").await.expect("it").status.expect("a status");
        let reported = status.resources.iter().find(|it| it.name == execution).expect("the role");
        assert!(reported.message.as_ref().is_some_and(|it| it.contains("answers-of-others")), "{reported:?}");

        env.aws.s3().delete_bucket().bucket("answers-of-others").send().await.expect("it goes");
        env.poke("assistant").await;
        env.wait_ready("assistant").await;
        let found = policies(&env, &execution).await;
        assert!(Value::from(found).to_string().contains("answers-of-others"), "it is the platform's now");
    }
}

#[tokio::test]
async fn a_policy_that_somebody_plants_under_the_name_of_a_revision_goes() {
    let env = env("planted").await;
    env.apply("assistant", &consumed(json!({}))).await;
    env.wait_ready("assistant").await;
    env.apply("assistant", &consumed(json!({"image": image("2")}))).await;
    env.wait_ready("assistant").await;
    let (execution, consumer) = (role(&env, "-rank-execution-").await, role(&env, "-api-").await);
    let settled = policies(&env, &execution).await;
    assert_eq!(settled.len(), 3, "all revisions, and the two that are there: {settled:#?}");
    let of_consumer = policies(&env, &consumer).await;
    let revisions: Vec<&String> = settled.keys().filter(|name| name.starts_with("revision-")).collect();

    for name in &revisions {
        plant(&env, &execution, name, &anything()).await;
        plant(&env, &consumer, name, &settled[*name]).await;
    }
    plant(&env, &execution, "revision-00000000", &anything()).await;
    let calls = env.aws.call_count();
    env.poke("assistant").await;
    let restored =
        async || policies(&env, &execution).await == settled && policies(&env, &consumer).await == of_consumer;
    env.wait("only what is needed is left", restored).await;
    env.wait_ready("assistant").await;
    let written = env.aws.calls_since(calls);
    let count = |operation: &str| written.iter().filter(|it| *it == operation).count();
    assert_eq!((count("PutRolePolicy"), count("DeleteRolePolicy")), (2, 3), "{written:?}");
}

#[tokio::test]
async fn an_endpoint_that_another_claims_is_no_longer_granted() {
    let env = env("claimed").await;
    env.apply("assistant", &consumed(json!({}))).await;
    let ready = env.wait_ready("assistant").await;
    let name = endpoint_name(&ready);
    let consumer = role(&env, "-api-").await;
    let granted = async || Value::from(policies(&env, &consumer).await).to_string();
    assert!(granted().await.contains(&name), "{}", granted().await);

    let arn = endpoint(&env, &name).await.endpoint_arn.expect("an ARN");
    let theirs = aws_sdk_sagemaker::types::Tag::builder();
    let theirs = theirs.key("aiplatform.dev/owner").value("tests/other/platform").build();
    env.aws.sagemaker().add_tags().resource_arn(arn).tags(theirs).send().await.expect("tagged");
    env.poke("assistant").await;
    let reported = env.wait_stalled("assistant", "NotOwned").await;
    assert!(reported.contains("tests/other/platform"), "{reported}");
    assert!(!granted().await.contains(&name), "{}", granted().await);
    assert!(resource_names(&ready).contains(&consumer));
}

#[tokio::test]
async fn a_kept_revision_whose_bucket_is_gone_holds_nothing_up() {
    let env = env("idle").await;
    let capture = json!({"dataCapture": {"destination": {"bucket": "answers", "prefix": "capture/"}}});
    env.apply("assistant", &consumed(capture)).await;
    env.wait_ready("assistant").await;
    let mut wanted = consumed(json!({"image": image("2")}));
    wanted["storage"]["buckets"].as_array_mut().expect("buckets").pop();
    env.apply("assistant", &wanted).await;
    env.wait_ready("assistant").await;
    // The revision that is kept keeps it, and somebody deletes it all the same.
    env.aws.s3().delete_bucket().bucket("answers-of-others").send().await.expect("it goes");
    env.poke("assistant").await;
    let execution = role(&env, "-rank-execution-").await;
    let reported = |status: &aiplatform::api::status::AIPlatformStatus| {
        let found = status.resources.iter().find(|it| it.name == execution);
        let message = found.and_then(|it| it.message.as_deref()).unwrap_or_default();
        message.contains("does not run") && message.contains("answers-of-others")
    };
    env.wait_for("assistant", "told", reported).await;
    env.wait_ready("assistant").await;
    let found = policies(&env, &execution).await;
    assert_eq!(found.len(), 3, "the revision is kept: {found:#?}");
    assert!(!Value::from(found).to_string().contains("answers-of-others"));
}
