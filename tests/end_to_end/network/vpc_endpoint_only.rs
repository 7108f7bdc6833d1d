//! Buckets whose objects are reached through the platform's endpoints alone.

use aws_sdk_s3::primitives::ByteStream;

use super::*;
use crate::support::test_env::resource_names;

const SID: &str = "AipVpcEndpointOnly";
const OPERATOR: &str = "arn:aws:iam::123456789012:user/operator";

/// A platform with a network and one bucket, of which objects are reached through the endpoint alone.
fn closed(bucket: Value) -> Value {
    let mut wanted = spec(json!([{"name": "artifacts", "vpcEndpointOnly": true}]));
    for (field, value) in bucket.as_object().cloned().unwrap_or_default() {
        wanted["storage"]["buckets"][0][field] = value;
    }
    wanted["network"] = network(json!({}));
    wanted
}

/// The same without the limit, and without a network.
fn opened() -> Value {
    spec(json!([{"name": "artifacts"}]))
}

/// The Sids in the bucket's policy.
async fn sids(env: &TestEnv, bucket: &str) -> Vec<String> {
    let policy = env.aws.s3().get_bucket_policy().bucket(bucket).send().await.expect("a policy").policy;
    let policy: Value = serde_json::from_str(&policy.expect("a document")).expect("JSON");
    let statements = policy["Statement"].as_array().expect("statements").iter();
    statements.filter_map(|statement| Some(statement["Sid"].as_str()?.to_string())).collect()
}

/// Whether a user who may do everything can do this with an object, from there.
fn allowed(env: &TestEnv, bucket: &str, action: &str, place: Value) -> bool {
    let everything = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}});
    let mut call = json!({
        "principal": "arn:aws:iam::123456789012:user/reader", "action": action,
        "resource": format!("arn:aws:s3:::{bucket}/key"), "identityPolicies": [everything],
    });
    for (field, value) in place.as_object().cloned().unwrap_or_default() {
        call[field] = value;
    }
    env.aws.ask("evaluate", call)["allowed"].as_bool().expect("an answer")
}

/// The place of the last call of this operation among all calls.
fn last(env: &TestEnv, operation: &str) -> usize {
    env.aws.calls_since(0).iter().rposition(|called| called == operation).unwrap_or_else(|| panic!("no {operation}"))
}

/// The bucket, once the platform is ready.
async fn ready(env: &TestEnv) -> String {
    let object = env.wait_ready("assistant").await;
    let status = object.status.as_ref().expect("a status");
    let bucket = status.resources.iter().find(|resource| resource.kind == "Bucket").expect("it is listed");
    assert_eq!(condition(status, "StorageReady").map(|ready| ready.status.as_str()), Some("True"));
    bucket.name.clone()
}

#[tokio::test]
async fn objects_are_reached_through_the_endpoint_alone_once_it_is_available() {
    let env = env("only").await;
    env.aws.control("ec2/next-endpoint", json!({"service": "s3", "state": "pendingAcceptance"}));
    env.apply("assistant", &closed(json!({}))).await;
    let waits = |status: &aiplatform::api::status::AIPlatformStatus| {
        condition(status, "StorageReady").is_some_and(|ready| {
            ready.status == "Unknown" && ready.message.contains("it waits until VpcEndpoint s3 is available")
        })
    };
    let object = env.wait_for("assistant", "waiting for the endpoint", waits).await;
    let name = resource_names(&object).remove(0);
    assert_eq!(sids(&env, &name).await, ["AipTlsOnly"], "everything else is in place");
    assert!(allowed(&env, &name, "s3:GetObject", json!({})));

    let found = id(&endpoint(&env, "s3").await);
    env.aws.control("ec2/endpoint-state", json!({"endpointId": found, "state": "available"}));
    env.poke("assistant").await;
    assert_eq!(ready(&env).await, name);
    assert_eq!(sids(&env, &name).await, ["AipTlsOnly", SID]);
    for action in ["s3:GetObject", "s3:PutObject", "s3:DeleteObjectVersion", "s3:PutObjectAcl", "s3:RestoreObject"] {
        assert!(!allowed(&env, &name, action, json!({})), "{action} from elsewhere");
        assert!(allowed(&env, &name, action, json!({"endpointId": found})), "{action} through the endpoint");
        assert!(allowed(&env, &name, action, json!({"viaService": "athena.amazonaws.com"})), "{action} by a service");
        assert!(allowed(&env, &name, action, json!({"principal": OPERATOR})), "{action} by the operator");
    }
    let bucket = format!("arn:aws:s3:::{name}");
    for action in ["s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"] {
        assert!(allowed(&env, &name, action, json!({"resource": bucket})), "nobody is locked out of the policy itself");
    }
    let calls = env.aws.call_count();
    env.look("assistant").await;
    assert!(env.aws.call_count() > calls + 5, "everything is read");
    ready(&env).await;
    assert_eq!(env.aws.writes_since_call(calls), Vec::<String>::new(), "it is as desired");
}

#[tokio::test]
async fn it_is_taken_off_before_the_endpoint_goes() {
    let env = env("only-off").await;
    env.apply("assistant", &closed(json!({}))).await;
    let name = ready(&env).await;
    assert_eq!(sids(&env, &name).await, ["AipTlsOnly", SID]);
    env.aws.control("deny", json!({"action": "s3:PutBucketPolicy"}));
    env.apply("assistant", &opened()).await;
    env.wait_stalled("assistant", "AccessDenied").await;
    assert_eq!(endpoints(&env).await.len(), 1, "it stays as long as the policy names it");
    env.aws.control("deny", json!({"action": "s3:PutBucketPolicy", "remove": true}));
    env.poke("assistant").await;
    env.wait("the endpoint is gone", async || endpoints(&env).await.is_empty()).await;
    env.wait_ready("assistant").await;
    assert_eq!(sids(&env, &name).await, ["AipTlsOnly"]);
    assert!(last(&env, "PutBucketPolicy") < last(&env, "DeleteVpcEndpoints"));
}

#[tokio::test]
async fn it_stays_while_the_endpoint_is_made_again() {
    let env = env("only-again").await;
    env.apply("assistant", &closed(json!({}))).await;
    let name = ready(&env).await;
    let found = id(&endpoint(&env, "s3").await);
    env.aws.control("ec2/next-endpoint", json!({"service": "s3", "state": "pendingAcceptance"}));
    env.aws.ec2().delete_vpc_endpoints().vpc_endpoint_ids(&found).send().await.expect("deleted");
    env.poke("assistant").await;
    let is_another = async || {
        let endpoints = endpoints(&env).await;
        endpoints.len() == 1 && id(&endpoints[0]) != found
    };
    env.wait("another one", is_another).await;
    let stays = |status: &aiplatform::api::status::AIPlatformStatus| {
        let bucket = status.resources.iter().find(|resource| resource.kind == "Bucket");
        bucket.and_then(|it| it.message.as_deref()).is_some_and(|message| message.contains("stays as it is until"))
    };
    env.wait_for("assistant", "what is in force stays", stays).await;
    assert!(!allowed(&env, &name, "s3:GetObject", json!({})), "nothing is opened meanwhile");
    let other = id(&endpoint(&env, "s3").await);
    env.aws.control("ec2/endpoint-state", json!({"endpointId": other, "state": "available"}));
    env.poke("assistant").await;
    let reached = async || allowed(&env, &name, "s3:GetObject", json!({"endpointId": other}));
    env.wait("the other endpoint is let in", reached).await;
    ready(&env).await;
    assert!(!allowed(&env, &name, "s3:GetObject", json!({})));
    assert_eq!(count(&env, "PutBucketPolicy"), 3, "TLS alone, then the endpoint, then the other one");
}

#[tokio::test]
async fn a_bucket_that_is_retained_is_released_and_then_the_endpoint_goes() {
    let env = env("only-retained").await;
    env.apply("assistant", &closed(json!({}))).await;
    let name = ready(&env).await;
    assert!(!allowed(&env, &name, "s3:GetObject", json!({})));
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    assert_eq!(sids(&env, &name).await, ["AipTlsOnly"]);
    assert!(allowed(&env, &name, "s3:GetObject", json!({})), "nobody is locked out for ever");
    assert!(endpoints(&env).await.is_empty());
    assert!(last(&env, "PutBucketPolicy") < last(&env, "DeleteVpcEndpoints"));
}

#[tokio::test]
async fn a_bucket_that_cannot_be_released_holds_the_deletion_up() {
    let env = env("only-held").await;
    env.apply("assistant", &closed(json!({}))).await;
    let name = ready(&env).await;
    env.aws.control("deny", json!({"action": "s3:GetBucketPolicy"}));
    env.delete("assistant").await;
    let message = env.wait_stalled("assistant", "AccessDenied").await;
    assert!(message.contains("s3:GetBucketPolicy"), "{message}");
    assert_eq!(endpoints(&env).await.len(), 1, "nothing goes that may be named");
    env.aws.control("deny", json!({"action": "s3:GetBucketPolicy", "remove": true}));
    env.poke("assistant").await;
    env.wait_until_gone("assistant").await;
    assert_eq!(sids(&env, &name).await, ["AipTlsOnly"]);
}

#[tokio::test]
async fn a_bucket_goes_with_its_contents() {
    let env = env("only-contents").await;
    env.apply("assistant", &closed(json!({"deletionPolicy": "DeleteWithContents"}))).await;
    let name = ready(&env).await;
    let put = env.aws.s3().put_object().bucket(&name).key("key").body(ByteStream::from_static(b"x"));
    put.send().await.expect("put");
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    assert!(env.aws.s3().head_bucket().bucket(&name).send().await.is_err());
    assert!(endpoints(&env).await.is_empty());
    assert!(last(&env, "DeleteBucket") < last(&env, "DeleteVpcEndpoints"));
}

#[tokio::test]
async fn a_bucket_without_a_way_in_is_refused_by_the_api_server() {
    let env = env("only-refused").await;
    let mut wanted = closed(json!({}));
    wanted["network"]["endpoints"] = json!({"auto": false});
    let error = env.try_apply("assistant", &wanted).await.expect_err("it is refused").to_string();
    assert!(error.contains("vpcEndpointOnly needs an endpoint for S3"), "{error}");
    wanted.as_object_mut().expect("fields").remove("network");
    let error = env.try_apply("assistant", &wanted).await.expect_err("it is refused").to_string();
    assert!(error.contains("vpcEndpointOnly needs an endpoint for S3"), "{error}");
}
