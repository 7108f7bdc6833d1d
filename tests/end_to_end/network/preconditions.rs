//! What AWS would refuse later is found before anything is made.

use super::*;

#[tokio::test]
async fn everything_that_is_in_the_way_is_said_before_any_write_and_heals_by_itself() {
    let env = TestEnv::with("network-unmet", &["--transition-poll", "200ms"]).await;
    let region = "eu-west-1";
    env.aws.control("ec2/vpc", json!({"region": region, "vpcId": VPC, "dnsHostnames": false}));
    env.aws.control("ec2/vpc", json!({"region": region, "vpcId": "vpc-0f0f0f0f", "cidrs": ["10.1.0.0/16"]}));
    let subnet =
        |id: &str, vpc: &str, zone: &str| json!({"region": region, "vpcId": vpc, "subnetId": id, "zone": zone});
    env.aws.control("ec2/subnet", subnet(SUBNETS[0], VPC, "eu-west-1a"));
    env.aws.control("ec2/subnet", subnet(SUBNETS[1], "vpc-0f0f0f0f", "eu-west-1b"));
    env.apply("assistant", &bedrock_only(json!({}))).await;
    let message = env.wait_stalled("assistant", "Prerequisite").await;
    for said in ["enableDnsHostnames", "subnet-0000000b is in vpc-0f0f0f0f", "there is no route table rtb-0a1b2c3d"] {
        assert!(message.contains(said), "{said}: {message}");
    }
    assert_eq!(env.aws.writes_since_call(0), Vec::<String>::new());
    env.aws.control(
        "ec2/route-table",
        json!({"region": region, "vpcId": VPC, "routeTableId": TABLE, "subnetIds": [SUBNETS[0]]}),
    );
    let on = aws_sdk_ec2::types::AttributeBooleanValue::builder().value(true).build();
    env.aws.ec2().modify_vpc_attribute().vpc_id(VPC).enable_dns_hostnames(on).send().await.expect("on");
    env.apply("assistant", &bedrock_only(json!({"subnetIds": [SUBNETS[0]]}))).await;
    env.wait_ready("assistant").await;
}

#[tokio::test]
async fn a_service_that_the_region_lacks_is_said_before_anything_is_made() {
    let env = env("network-lacks").await;
    env.aws.control("ec2/endpoint-service", json!({"region": "eu-west-1", "name": "bedrock-runtime", "remove": true}));
    env.apply("assistant", &bedrock_only(json!({}))).await;
    let message = env.wait_stalled("assistant", "Unavailable").await;
    assert!(message.contains("spec.models[0]") && message.contains("bedrock-runtime"), "{message}");
    assert_eq!(env.aws.writes_since_call(0), Vec::<String>::new());
}

#[tokio::test]
async fn the_api_server_refuses_what_it_can_see() {
    let env = TestEnv::new("network-refused").await;
    for (network, said) in [
        (json!({"vpcId": VPC}), "subnetIds is empty"),
        (json!({"subnetIds": SUBNETS}), "vpcId"),
        (json!({"vpcId": VPC, "subnetIds": SUBNETS, "from": {"namespace": "a", "name": "b"}}), "from"),
        (
            json!({"from": {"namespace": "a", "name": "b"}, "routeTableIds": [TABLE]}),
            "leave out everything beside from",
        ),
        (json!({"vpcId": VPC, "subnetIds": [SUBNETS[0], SUBNETS[0]]}), "names a subnet twice"),
        (json!({"vpcId": VPC, "subnetIds": SUBNETS, "allowFrom": {}}), "allowFrom names nobody"),
        (
            json!({"vpcId": VPC, "subnetIds": SUBNETS, "endpoints": {"additional": [{"service": "s3", "type": "Gateway"}]}}),
            "routeTableIds",
        ),
    ] {
        let mut wanted = spec(json!([]));
        wanted["network"] = network;
        let error = env.try_apply("assistant", &wanted).await.expect_err("refused").to_string();
        assert!(error.contains(said), "{said}: {error}");
    }
    let mut wanted = spec(json!([]));
    wanted["network"] = json!({"vpcId": VPC, "subnetIds": SUBNETS});
    env.apply("assistant", &wanted).await;
    wanted["network"]["vpcId"] = json!("vpc-0f0f0f0f");
    let error = env.try_apply("assistant", &wanted).await.expect_err("refused").to_string();
    assert!(error.contains("vpcId is immutable"), "{error}");
}

#[tokio::test]
async fn guardrails_bind_the_vpc() {
    let env = TestEnv::guarded("network-bound", "rules: [{vpcs: [vpc-0f0f0f0f]}]").await;
    plant(&env);
    env.apply("assistant", &bedrock_only(json!({}))).await;
    let message = env.wait_stalled("assistant", "NotPermitted").await;
    assert!(message.contains("spec.network.vpcId") && message.contains("vpc-0f0f0f0f"), "{message}");
    assert_eq!(env.aws.calls_since(0).iter().filter(|it| it.contains("Vpc")).count(), 0, "EC2 is not asked");
}
