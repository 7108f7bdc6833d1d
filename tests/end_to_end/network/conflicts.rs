//! An endpoint of somebody else that has the DNS name.

use aws_sdk_ec2::types::VpcEndpointType;

use super::*;

/// Somebody else's endpoint for Bedrock, with the private DNS name.
async fn foreign(env: &TestEnv) -> String {
    let made = env
        .aws
        .ec2()
        .create_vpc_endpoint()
        .vpc_id(VPC)
        .service_name("com.amazonaws.eu-west-1.bedrock-runtime")
        .vpc_endpoint_type(VpcEndpointType::Interface)
        .subnet_ids(SUBNETS[0])
        .send()
        .await
        .expect("made");
    id(&made.vpc_endpoint.expect("an endpoint"))
}

fn on_conflict(way: &str) -> Value {
    bedrock_only(json!({"endpoints": {"onConflict": way}}))
}

#[tokio::test]
async fn by_default_it_is_named_and_nothing_is_made_beside_it() {
    let env = env("conflict-fail").await;
    let theirs = foreign(&env).await;
    env.apply("assistant", &on_conflict("Fail")).await;
    let message = env.wait_stalled("assistant", "Conflict").await;
    assert!(message.contains(&theirs) && message.contains("onConflict"), "{message}");
    env.wait("the rest is made", async || endpoints(&env).await.len() == 2).await;
    env.aws.ec2().delete_vpc_endpoints().vpc_endpoint_ids(&theirs).send().await.expect("deleted");
    env.poke("assistant").await;
    env.wait_ready("assistant").await;
}

#[tokio::test]
async fn an_adopted_one_is_used_and_never_touched() {
    let env = env("conflict-adopt").await;
    let theirs = foreign(&env).await;
    env.apply("assistant", &on_conflict("Adopt")).await;
    let object = env.wait_ready("assistant").await;
    let status = object.status.expect("a status");
    let shown = status.resources.iter().find(|resource| resource.name == "bedrock-runtime").expect("it is listed");
    assert_eq!(shown.id.as_deref(), Some(theirs.as_str()));
    assert!(shown.message.as_deref().is_some_and(|message| message.contains("adopted")), "{shown:?}");
    let touched = |env: &TestEnv| {
        env.aws.calls().iter().filter(|call| call.to_string().contains(&theirs)).any(|call| {
            ["ModifyVpcEndpoint", "CreateTags", "DeleteTags"].contains(&call["operation"].as_str().unwrap_or_default())
        })
    };
    assert!(!touched(&env));
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    let left: Vec<String> = endpoints(&env).await.iter().map(id).collect();
    assert_eq!(left, std::slice::from_ref(&theirs));
    assert!(!touched(&env));
}

#[tokio::test]
async fn without_private_dns_there_are_names_of_its_own_where_applications_look() {
    use k8s_openapi::api::core::v1::ConfigMap;
    let env = env("conflict-beside").await;
    foreign(&env).await;
    env.apply("assistant", &on_conflict("WithoutPrivateDns")).await;
    env.wait_ready("assistant").await;
    assert_eq!(endpoints(&env).await.len(), 3);
    let maps: kube::Api<ConfigMap> = kube::Api::namespaced(env.client.clone(), &env.namespace);
    let variable = async || {
        let map = maps.get_opt("assistant-endpoints").await.expect("an answer")?;
        map.data?.get("AWS_ENDPOINT_URL_BEDROCK_RUNTIME").cloned()
    };
    env.wait("the variable", async || variable().await.is_some()).await;
    let url = variable().await.expect("it is there");
    assert!(url.starts_with("https://vpce-") && url.ends_with(".vpce.amazonaws.com"), "{url}");
}
