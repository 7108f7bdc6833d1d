//! What somebody changes by hand is put back, and never with a moment without access.

use aws_sdk_ec2::types::{AttributeBooleanValue, IpPermission, IpRange, Tag};

use super::super::drift_events::wait_flowing;
use super::*;

#[tokio::test]
async fn a_rule_that_somebody_added_goes_and_one_that_somebody_took_comes_back() {
    let env = env("network-rules").await;
    env.apply("assistant", &bedrock_only(json!({}))).await;
    env.wait_ready("assistant").await;
    let own = group(&env, "endpoints").await.group_id.expect("an id");
    let open = || {
        let range = IpRange::builder().cidr_ip("0.0.0.0/0").build();
        IpPermission::builder().ip_protocol("tcp").from_port(443).to_port(443).ip_ranges(range).build()
    };
    let ec2 = env.aws.ec2();
    ec2.authorize_security_group_ingress().group_id(&own).ip_permissions(open()).send().await.expect("added");
    env.poke("assistant").await;
    let is_as_declared = async || {
        let rules = format!("{:?}", group(&env, "endpoints").await.ip_permissions());
        !rules.contains("0.0.0.0/0") && rules.contains("10.0.0.0/16")
    };
    env.wait("the rule is gone", is_as_declared).await;
    env.at_rest().await;
    let declared = IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(443)
        .to_port(443)
        .ip_ranges(IpRange::builder().cidr_ip("10.0.0.0/16").build())
        .build();
    ec2.authorize_security_group_ingress().group_id(&own).ip_permissions(open()).send().await.expect("added");
    ec2.revoke_security_group_ingress().group_id(&own).ip_permissions(declared).send().await.expect("taken");
    let calls = env.aws.call_count();
    env.poke("assistant").await;
    env.wait("the rules are back", is_as_declared).await;
    let writes: Vec<String> = env.aws.writes_since_call(calls);
    let place = |operation: &str| writes.iter().position(|it| it == operation).expect("it was called");
    assert!(
        place("AuthorizeSecurityGroupIngress") < place("RevokeSecurityGroupIngress"),
        "there is no moment without access: {writes:?}"
    );
}

#[tokio::test]
async fn each_part_of_an_endpoint_is_put_back() {
    let env = env("network-drift").await;
    env.apply("assistant", &bedrock_only(json!({}))).await;
    env.wait_ready("assistant").await;
    let found = endpoint(&env, "bedrock-runtime").await;
    let (found, policy) = (id(&found), found.policy_document.expect("a policy"));
    let ec2 = env.aws.ec2();
    let full = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#;
    ec2.modify_vpc_endpoint().vpc_endpoint_id(&found).policy_document(full).send().await.expect("opened");
    ec2.modify_vpc_endpoint().vpc_endpoint_id(&found).remove_subnet_ids(SUBNETS[1]).send().await.expect("removed");
    ec2.modify_vpc_endpoint().vpc_endpoint_id(&found).private_dns_enabled(false).send().await.expect("off");
    ec2.delete_tags()
        .resources(&found)
        .tags(Tag::builder().key("aiplatform.dev/team").build())
        .send()
        .await
        .expect("gone");
    env.poke("assistant").await;
    let is_as_declared = async || {
        let endpoint = endpoint(&env, "bedrock-runtime").await;
        let has_team = endpoint.tags().iter().any(|tag| tag.key() == Some("aiplatform.dev/team"));
        endpoint.private_dns_enabled == Some(true)
            && endpoint.subnet_ids().len() == 2
            && endpoint.policy_document() == Some(policy.as_str())
            && has_team
    };
    env.wait("everything is put back", is_as_declared).await;
    env.wait_ready("assistant").await;
    assert_eq!(id(&endpoint(&env, "bedrock-runtime").await), found, "the endpoint is the same");
}

#[tokio::test]
async fn an_endpoint_whose_owner_tag_is_gone_is_not_taken_for_another_one_and_the_way_out_is_said() {
    let env = env("network-untagged").await;
    env.apply("assistant", &bedrock_only(json!({}))).await;
    env.wait_ready("assistant").await;
    let found = id(&endpoint(&env, "bedrock-runtime").await);
    let tag = Tag::builder().key("aiplatform.dev/owner").build();
    env.aws.ec2().delete_tags().resources(&found).tags(tag).send().await.expect("gone");
    env.poke("assistant").await;
    let message = env.wait_stalled("assistant", "Conflict").await;
    assert!(message.contains(&found) && message.contains("which no platform owns"), "{message}");
    assert_eq!(endpoints(&env).await.len(), 2, "nothing is made beside it");
    let owner = format!("tests/{}/assistant", env.namespace);
    let tag = Tag::builder().key("aiplatform.dev/owner").value(owner).build();
    env.aws.ec2().create_tags().resources(&found).tags(tag).send().await.expect("back");
    env.poke("assistant").await;
    env.wait_ready("assistant").await;
}

#[tokio::test]
async fn an_endpoint_that_somebody_deleted_is_made_again() {
    let env = env("network-deleted").await;
    env.apply("assistant", &bedrock_only(json!({}))).await;
    env.wait_ready("assistant").await;
    let found = id(&endpoint(&env, "bedrock-runtime").await);
    env.aws.ec2().delete_vpc_endpoints().vpc_endpoint_ids(&found).send().await.expect("deleted");
    env.poke("assistant").await;
    let is_another = async || {
        let endpoints = endpoints(&env).await;
        endpoints.len() == 2 && endpoints.iter().all(|endpoint| id(endpoint) != found)
    };
    env.wait("another one", is_another).await;
    env.wait_ready("assistant").await;
}

#[tokio::test]
async fn what_somebody_takes_from_the_network_is_told_by_its_event_and_so_is_that_it_is_back() {
    let env = TestEnv::with("network-told", &["--transition-poll", "200ms", "--drift-events"]).await;
    plant(&env);
    env.apply("assistant", &bedrock_only(json!({}))).await;
    env.wait_ready("assistant").await;
    wait_flowing(&env, "assistant").await;
    let set = async |on: bool| {
        let value = AttributeBooleanValue::builder().value(on).build();
        env.aws.ec2().modify_vpc_attribute().vpc_id(VPC).enable_dns_support(value).send().await.expect("set");
    };
    set(false).await;
    let message = env.wait_stalled("assistant", "Prerequisite").await;
    assert!(message.contains("enableDnsSupport"), "{message}");
    set(true).await;
    env.wait_ready("assistant").await;
}
