//! One owner, many borrowers.

use super::*;

fn borrowing(env: &TestEnv, models: Value) -> Value {
    let mut wanted = spec(json!([]));
    wanted["network"] = json!({"from": {"namespace": env.namespace, "name": "shared"}});
    wanted["models"] = models;
    wanted
}

fn bedrock(name: &str, id: &str) -> Value {
    json!({"name": name, "bedrock": {"modelId": id}})
}

fn owner() -> Value {
    let mut wanted = spec(json!([]));
    wanted["network"] = network(json!({"shareWith": {"namespaces": []}}));
    wanted
}

async fn policy(env: &TestEnv) -> String {
    let found = endpoints(env).await;
    let is_it = |endpoint: &&VpcEndpoint| endpoint.service_name().is_some_and(|name| name.ends_with("bedrock-runtime"));
    found.iter().find(is_it).and_then(|it| it.policy_document.clone()).unwrap_or_default()
}

const HAIKU: &str = "anthropic.claude-haiku-4-5-20251001-v1:0";
const SONNET: &str = "anthropic.claude-sonnet-4-5-20250929-v1:0";

#[tokio::test]
async fn borrowers_come_and_go_and_the_owner_follows() {
    let env = env("shared").await;
    env.apply("shared", &owner()).await;
    env.wait_ready("shared").await;
    assert!(endpoints(&env).await.is_empty(), "nobody uses anything yet");

    env.apply("one", &borrowing(&env, json!([bedrock("fast", HAIKU)]))).await;
    let object = env.wait_ready("one").await;
    let status = object.status.expect("a status");
    assert_eq!(condition(&status, "NetworkReady").map(|ready| ready.status.as_str()), Some("True"));
    let borrowed = status.resources.iter().find(|resource| resource.kind == "VpcEndpoint").expect("it is listed");
    assert!(borrowed.message.as_deref().is_some_and(|message| message.contains("borrowed")), "{borrowed:?}");
    assert!(policy(&env).await.contains(HAIKU));

    env.apply("two", &borrowing(&env, json!([bedrock("smart", SONNET)]))).await;
    env.wait_ready("two").await;
    let has = async |id: &str| policy(&env).await.contains(id);
    env.wait("both may be called", async || has(HAIKU).await && has(SONNET).await).await;
    assert_eq!(endpoints(&env).await.len(), 1, "one endpoint for both");

    env.delete("shared").await;
    let message = env.wait_stalled("shared", "InUse").await;
    assert!(message.contains("/one") && message.contains("/two"), "{message}");
    assert_eq!(endpoints(&env).await.len(), 1, "nothing is taken away");

    env.delete("one").await;
    env.wait_until_gone("one").await;
    env.delete("two").await;
    env.wait_until_gone("two").await;
    env.wait_until_gone("shared").await;
    assert!(endpoints(&env).await.is_empty() && groups(&env).await.is_empty());
}

#[tokio::test]
async fn a_policy_is_narrowed_when_a_borrower_goes() {
    let env = env("narrowed").await;
    env.apply("shared", &owner()).await;
    env.apply("one", &borrowing(&env, json!([bedrock("fast", HAIKU)]))).await;
    env.apply("two", &borrowing(&env, json!([bedrock("smart", SONNET)]))).await;
    env.wait_ready("one").await;
    env.wait_ready("two").await;
    let says = async |id: &str| policy(&env).await.contains(id);
    env.wait("both may be called", async || says(HAIKU).await && says(SONNET).await).await;
    env.delete("two").await;
    env.wait_until_gone("two").await;
    env.wait("it is narrowed", async || says(HAIKU).await && !says(SONNET).await).await;
    env.apply("one", &borrowing(&env, json!([]))).await;
    env.wait("nothing needs an endpoint", async || endpoints(&env).await.is_empty()).await;
}

#[tokio::test]
async fn a_borrowers_model_runs_in_the_owners_network() {
    let env = env("borrowed-model").await;
    env.apply("shared", &owner()).await;
    let model = json!({"name": "rank", "sagemaker": {
        "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:1",
        "instance": {"type": "ml.m5.large", "count": 1},
    }});
    env.apply("one", &borrowing(&env, json!([model]))).await;
    env.wait_ready("one").await;
    let own = group(&env, "models").await.group_id.expect("an id");
    let found = env.aws.sagemaker().list_models().send().await.expect("models").models.unwrap_or_default().remove(0);
    let found = env.aws.sagemaker().describe_model().model_name(found.model_name.expect("a name")).send().await;
    let vpc = found.expect("a model").vpc_config.expect("it runs in the VPC");
    assert_eq!(vpc.security_group_ids(), [own]);
    let policy = async || endpoint(&env, "sagemaker.runtime").await.policy_document.unwrap_or_default();
    env.wait("its endpoint may be called", async || policy().await.contains(":endpoint/")).await;
    env.delete("one").await;
    env.wait_until_gone("one").await;
    env.delete("shared").await;
    env.wait_until_gone("shared").await;
    assert!(groups(&env).await.is_empty());
}

#[tokio::test]
async fn whoever_is_not_let_is_told_so_and_gets_nothing() {
    let env = env("not-shared").await;
    let mut wanted = owner();
    wanted["network"].as_object_mut().expect("fields").remove("shareWith");
    env.apply("shared", &wanted).await;
    env.wait_ready("shared").await;
    env.apply("one", &borrowing(&env, json!([bedrock("fast", HAIKU)]))).await;
    let message = env.wait_stalled("one", "NotPermitted").await;
    assert!(message.contains("does not share its network"), "{message}");
    assert!(endpoints(&env).await.is_empty());
    env.apply("shared", &owner()).await;
    env.wait_ready("one").await;
}

/// A borrower with one bucket, of which objects are reached through the owner's endpoint alone.
fn closed(env: &TestEnv) -> Value {
    let mut wanted = borrowing(env, json!([]));
    wanted["storage"] =
        json!({"buckets": [{"name": "artifacts", "vpcEndpointOnly": true, "deletionPolicy": "DeleteWithContents"}]});
    wanted
}

#[tokio::test]
async fn an_endpoint_stays_until_no_bucket_of_a_former_borrower_is_behind_it() {
    let env = env("former").await;
    env.apply("shared", &owner()).await;
    env.apply("one", &closed(&env)).await;
    env.wait_ready("one").await;
    env.wait_ready("shared").await;
    env.aws.control("deny", json!({"action": "s3:PutBucketPolicy"}));
    let mut alone = closed(&env);
    alone.as_object_mut().expect("fields").remove("network");
    alone["storage"]["buckets"][0]["vpcEndpointOnly"] = json!(false);
    env.apply("one", &alone).await;
    env.wait_stalled("one", "AccessDenied").await;
    for name in ["one", "shared"] {
        env.look(name).await;
    }
    env.wait_ready("shared").await;
    assert_eq!(endpoints(&env).await.len(), 1, "the policy of the bucket names it");
    env.delete("shared").await;
    let message = env.wait_stalled("shared", "InUse").await;
    assert!(message.contains("/one"), "{message}");
    env.aws.control("deny", json!({"action": "s3:PutBucketPolicy", "remove": true}));
    env.poke("one").await;
    env.wait_until_gone("shared").await;
    env.wait_ready("one").await;
    assert!(endpoints(&env).await.is_empty());
    let calls = env.aws.calls_since(0);
    let last = |operation: &str| calls.iter().rposition(|called| called == operation);
    assert!(last("PutBucketPolicy") < last("DeleteVpcEndpoints"));
}

#[tokio::test]
async fn a_mistake_in_the_spec_of_a_borrower_takes_no_endpoint_away() {
    let env = env("mistake").await;
    env.apply("shared", &owner()).await;
    env.apply("one", &closed(&env)).await;
    env.wait_ready("one").await;
    let mut mistaken = closed(&env);
    mistaken["access"] = json!([{"name": "api", "principalArns": ["arn:aws:iam::210987654321:role/stranger"],
        "buckets": [{"name": "artifacts", "mode": "Read"}]}]);
    env.apply("one", &mistaken).await;
    env.wait_stalled("one", "NotPermitted").await;
    env.look("shared").await;
    env.wait_ready("shared").await;
    assert_eq!(endpoints(&env).await.len(), 1, "nobody can tell what the borrower wants");
}
