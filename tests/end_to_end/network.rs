//! VPC endpoints and security groups: private paths to what a platform uses.

mod audit;
mod conflicts;
mod drift;
mod preconditions;
mod sharing;
mod vpc_endpoint_only;

use aws_sdk_ec2::types::{Filter, SecurityGroup, VpcEndpoint};
use serde_json::{Value, json};

use crate::support::test_env::{TestEnv, condition, spec};

const VPC: &str = "vpc-0a1b2c3d";
const SUBNETS: [&str; 2] = ["subnet-0000000a", "subnet-0000000b"];
const TABLE: &str = "rtb-0a1b2c3d";

/// An environment with a VPC, a subnet in each of two zones, and a route table.
async fn env(name: &str) -> TestEnv {
    let env = TestEnv::with(name, &["--transition-poll", "200ms"]).await;
    plant(&env);
    env
}

fn plant(env: &TestEnv) {
    let region = "eu-west-1";
    env.aws.control("ec2/vpc", json!({"region": region, "vpcId": VPC}));
    for (subnet, zone) in SUBNETS.iter().zip(["eu-west-1a", "eu-west-1b"]) {
        env.aws.control("ec2/subnet", json!({"region": region, "vpcId": VPC, "subnetId": subnet, "zone": zone}));
    }
    env.aws.control(
        "ec2/route-table",
        json!({"region": region, "vpcId": VPC, "routeTableId": TABLE, "subnetIds": SUBNETS}),
    );
}

fn network(fields: Value) -> Value {
    let mut network = json!({"vpcId": VPC, "subnetIds": SUBNETS, "routeTableIds": [TABLE]});
    for (field, value) in fields.as_object().cloned().unwrap_or_default() {
        network[field] = value;
    }
    network
}

/// A platform with a bucket, a model on Bedrock, a model on SageMaker and a network with these fields.
fn private(fields: Value) -> Value {
    let mut wanted = spec(json!([{"name": "artifacts", "deletionPolicy": "DeleteWithContents"}]));
    wanted["network"] = network(fields);
    wanted["models"] = json!([
        {"name": "fast", "bedrock": {"modelId": "anthropic.claude-haiku-4-5-20251001-v1:0"}},
        {"name": "rank", "sagemaker": {
            "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:1",
            "instance": {"type": "ml.m5.large", "count": 1},
        }},
    ]);
    wanted
}

/// The same without a model on SageMaker.
fn bedrock_only(fields: Value) -> Value {
    let mut wanted = private(fields);
    wanted["models"].as_array_mut().expect("models").pop();
    wanted
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

/// The endpoints in the VPC, but for those on their way out.
async fn endpoints(env: &TestEnv) -> Vec<VpcEndpoint> {
    let found = env.aws.ec2().describe_vpc_endpoints().filters(filter("vpc-id", VPC)).send().await.expect("endpoints");
    let there = |endpoint: &VpcEndpoint| {
        !["deleting", "deleted"]
            .contains(&endpoint.state().map(|state| state.as_str().to_lowercase()).unwrap_or_default().as_str())
    };
    found.vpc_endpoints.unwrap_or_default().into_iter().filter(there).collect()
}

async fn endpoint(env: &TestEnv, service: &str) -> VpcEndpoint {
    let name = format!("com.amazonaws.eu-west-1.{service}");
    let found = endpoints(env).await;
    let names: Vec<String> = found.iter().filter_map(|it| it.service_name.clone()).collect();
    let is_it = |endpoint: &VpcEndpoint| endpoint.service_name() == Some(&name);
    found.into_iter().find(is_it).unwrap_or_else(|| panic!("no endpoint for {service}: {names:?}"))
}

/// The groups of the VPC beside its default one.
async fn groups(env: &TestEnv) -> Vec<SecurityGroup> {
    let found = env.aws.ec2().describe_security_groups().filters(filter("vpc-id", VPC)).send().await.expect("groups");
    let made = |group: &SecurityGroup| group.group_name() != Some("default");
    found.security_groups.unwrap_or_default().into_iter().filter(made).collect()
}

async fn group(env: &TestEnv, part: &str) -> SecurityGroup {
    let found = groups(env).await;
    let is_it = |group: &SecurityGroup| group.group_name().is_some_and(|name| name.contains(&format!("-{part}-")));
    found.into_iter().find(is_it).unwrap_or_else(|| panic!("no group for {part}"))
}

fn id(endpoint: &VpcEndpoint) -> String {
    endpoint.vpc_endpoint_id.clone().expect("an id")
}

/// How often EC2 was asked for this.
fn count(env: &TestEnv, operation: &str) -> usize {
    env.aws.calls_since(0).iter().filter(|called| *called == operation).count()
}

#[tokio::test]
async fn a_network_makes_the_endpoints_that_the_platform_uses_and_no_others() {
    let env = env("private").await;
    env.apply("assistant", &private(json!({}))).await;
    let object = env.wait_ready("assistant").await;
    let status = object.status.expect("a status");
    assert_eq!(condition(&status, "NetworkReady").map(|ready| ready.status.as_str()), Some("True"));
    let found = endpoints(&env).await;
    let mut services: Vec<&str> =
        found.iter().filter_map(|it| it.service_name()?.rsplit_once("eu-west-1.")).map(|it| it.1).collect();
    services.sort_unstable();
    assert_eq!(services, ["bedrock-runtime", "s3", "sagemaker.runtime"]);
    for resource in status.resources.iter().filter(|resource| resource.kind == "VpcEndpoint") {
        assert!(resource.id.as_ref().is_some_and(|id| id.starts_with("vpce-")), "{resource:?}");
    }
    let bedrock = endpoint(&env, "bedrock-runtime").await;
    assert_eq!(bedrock.private_dns_enabled, Some(true));
    assert_eq!(bedrock.subnet_ids().len(), 2);
    let own = group(&env, "endpoints").await;
    assert_eq!(bedrock.groups()[0].group_id(), own.group_id());
    let shown = status.resources.iter().find(|resource| resource.name == "bedrock-runtime").expect("it is listed");
    assert!(shown.message.as_deref().is_some_and(|message| message.contains(".vpce.amazonaws.com")), "{shown:?}");
    let policy = bedrock.policy_document().expect("a policy");
    assert!(policy.contains("claude-haiku") && policy.contains("aws:PrincipalAccount"), "{policy}");
    let models = group(&env, "models").await;
    assert!(models.ip_permissions().is_empty(), "nothing reaches models");
    let rules: Vec<String> = own.ip_permissions().iter().map(|rule| format!("{rule:?}")).collect();
    let all = rules.join(" ");
    assert!(
        all.contains("443") && all.contains("10.0.0.0/16") && all.contains(models.group_id().expect("an id")),
        "{all}"
    );
    let model = env.aws.sagemaker().list_models().send().await.expect("models").models.unwrap_or_default().remove(0);
    let model =
        env.aws.sagemaker().describe_model().model_name(model.model_name.expect("a name")).send().await.expect("it");
    let vpc = model.vpc_config.expect("it runs in the VPC");
    assert_eq!(vpc.security_group_ids(), [models.group_id().expect("an id")]);
    assert_eq!(vpc.subnets().len(), 2);

    let calls = env.aws.call_count();
    env.look("assistant").await;
    assert!(env.aws.call_count() > calls + 10, "everything is read");
    env.wait_ready("assistant").await;
    assert_eq!(env.aws.writes_since_call(calls), Vec::<String>::new(), "what EC2 adds by itself is no drift");

    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    assert!(endpoints(&env).await.is_empty());
    assert!(groups(&env).await.is_empty());
}

#[tokio::test]
async fn killed_between_any_two_calls_nothing_is_made_twice() {
    let mut env = env("network-killed").await;
    for (number, killed_after) in
        ["CreateSecurityGroup", "AuthorizeSecurityGroupIngress", "CreateVpcEndpoint"].iter().enumerate()
    {
        let name = format!("platform-{number}");
        env.aws.control("latency", json!({"ms": 100}));
        let calls = env.aws.call_count();
        env.apply(&name, &bedrock_only(json!({}))).await;
        let reached = async || env.aws.calls_since(calls).iter().any(|operation| operation == killed_after);
        env.wait(killed_after, reached).await;
        env.operator.kill();
        env.aws.control("latency", json!({"ms": 0}));
        env.restart_operator();
        env.wait_ready(&name).await;
        assert_eq!(endpoints(&env).await.len(), 2, "bedrock-runtime and s3 after {killed_after}");
        assert_eq!(groups(&env).await.len(), 1, "after {killed_after}");
        env.delete(&name).await;
        env.wait_until_gone(&name).await;
    }
}

#[tokio::test]
async fn a_network_is_added_to_a_running_platform_and_taken_from_it_by_a_rollout() {
    let env = env("network-added").await;
    let mut wanted = private(json!({}));
    let declared = wanted.as_object_mut().expect("fields").remove("network").expect("a network");
    env.apply("assistant", &wanted).await;
    env.wait_ready("assistant").await;
    let updates = count(&env, "UpdateEndpoint");
    wanted["network"] = declared;
    env.apply("assistant", &wanted).await;
    env.wait_ready("assistant").await;
    assert_eq!(count(&env, "UpdateEndpoint"), updates + 1, "another revision runs in the network");
    assert_eq!(endpoints(&env).await.len(), 3);
    wanted.as_object_mut().expect("fields").remove("network");
    env.apply("assistant", &wanted).await;
    env.wait_ready("assistant").await;
    env.wait("the endpoints are gone", async || endpoints(&env).await.is_empty()).await;
    assert_eq!(count(&env, "UpdateEndpoint"), updates + 2);
}

#[tokio::test]
async fn a_group_goes_once_nothing_holds_it_and_until_then_it_is_waited_for() {
    let env = env("network-held").await;
    env.apply("assistant", &bedrock_only(json!({}))).await;
    env.wait_ready("assistant").await;
    let own = group(&env, "endpoints").await.group_id.expect("an id");
    let held = json!({"region": "eu-west-1", "subnetId": SUBNETS[0], "interfaceId": "eni-0a1b2c3d", "groupIds": [own]});
    env.aws.control("ec2/interface", held);
    env.delete("assistant").await;
    let waiting = |status: &aiplatform::api::status::AIPlatformStatus| {
        let group = status.resources.iter().find(|resource| resource.kind == "SecurityGroup");
        group.and_then(|group| group.message.as_deref()).is_some_and(|message| message.contains("eni-0a1b2c3d"))
    };
    let object = env.wait_for("assistant", "waiting for the interface", waiting).await;
    assert!(condition(&object.status.expect("a status"), "Stalled").is_none(), "it passes by itself");
    env.aws.control("ec2/interface", json!({"region": "eu-west-1", "interfaceId": "eni-0a1b2c3d", "remove": true}));
    env.wait_until_gone("assistant").await;
    assert!(groups(&env).await.is_empty());
}

#[tokio::test]
async fn what_is_pending_is_waited_for_and_can_be_deleted() {
    let env = env("network-pending").await;
    env.aws.control("ec2/next-endpoint", json!({"service": "bedrock-runtime", "state": "pendingAcceptance"}));
    env.apply("assistant", &bedrock_only(json!({}))).await;
    let pending = |status: &aiplatform::api::status::AIPlatformStatus| {
        let found = status.resources.iter().find(|resource| resource.name == "bedrock-runtime");
        found
            .and_then(|found| found.message.as_deref())
            .is_some_and(|message| message.to_lowercase().contains("pendingacceptance"))
    };
    env.wait_for("assistant", "waiting for somebody to accept", pending).await;
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    assert!(endpoints(&env).await.is_empty());
}

#[tokio::test]
async fn a_creation_that_fails_is_shown_in_the_words_of_aws() {
    let env = env("network-failed").await;
    let failure = json!({"service": "bedrock-runtime", "state": "failed", "code": "InsufficientFreeAddressesInSubnet",
        "message": "no free addresses", "times": 9});
    env.aws.control("ec2/next-endpoint", failure);
    env.apply("assistant", &bedrock_only(json!({}))).await;
    let failed = |status: &aiplatform::api::status::AIPlatformStatus| {
        let ready = condition(status, "NetworkReady");
        ready.is_some_and(|ready| ready.status == "False" && ready.message.contains("InsufficientFreeAddresses"))
    };
    env.wait_for("assistant", "failed", failed).await;
}
