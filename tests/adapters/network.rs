//! VPC endpoints and security groups, as EC2 has them.

mod deletion;
mod drifts;
mod lost;
mod permissions;
mod shared;
mod states;
mod vpcs;

use aiplatform::api::AIPlatform;
use aws_sdk_ec2::types::{Filter, IpPermission, IpRange, SecurityGroup, Tag, VpcEndpoint};
use serde_json::{Value, json};

use super::{Run, condition, message, ready, spec};

const REGION: &str = "eu-west-1";

/// A network in the simulator.
struct Network {
    vpc: String,
    subnets: Vec<String>,
    table: String,
}

impl Network {
    /// A VPC with a subnet in each of two zones.
    fn plant(run: &Run) -> Self {
        let planted = run.aws.ask("ec2/vpc", json!({"region": REGION}));
        let vpc = text(&planted["vpcId"]);
        let subnets = ["a", "b"].map(|zone| subnet(run, &vpc, zone)).to_vec();
        Self { vpc, subnets, table: text(&planted["mainRouteTableId"]) }
    }

    /// The usual fields of a spec, and these.
    fn fields(&self, more: Value) -> Value {
        let mut network = json!({"vpcId": self.vpc, "subnetIds": self.subnets, "routeTableIds": [self.table]});
        for (field, value) in more.as_object().expect("fields") {
            network[field] = value.clone();
        }
        network
    }
}

fn subnet(run: &Run, vpc: &str, zone: &str) -> String {
    let given = json!({"region": REGION, "vpcId": vpc, "zone": format!("{REGION}{zone}")});
    text(&run.aws.ask("ec2/subnet", given)["subnetId"])
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_string()
}

/// A platform with a model on Bedrock and a bucket: an interface endpoint and a gateway, and a group.
fn with_network(network: Value) -> Value {
    spec(json!({
        "network": network,
        "storage": {"buckets": [{"name": "artifacts"}]},
        "models": [{"name": "fast", "bedrock": {"modelId": "anthropic.claude-haiku-4-5-20251001-v1:0"}}],
    }))
}

/// A run of that platform, which has made nothing yet.
async fn planted() -> (Run, Network) {
    let mut run = Run::new(spec(json!({}))).await;
    let network = Network::plant(&run);
    run.object.spec = serde_json::from_value(with_network(network.fields(json!({})))).expect("the spec parses");
    (run, network)
}

/// The same, ready.
async fn in_place() -> (Run, Network) {
    let (mut run, network) = planted().await;
    run.settle_ready().await;
    // By now everything was listed.
    run.settle_ready().await;
    (run, network)
}

/// One of several platforms with a network of these fields, of which nothing was made.
fn one_of_several(run: &Run, index: usize, network: Value) -> AIPlatform {
    let mut object = run.object.clone();
    object.status = None;
    object.metadata.name = Some(format!("assistant-{index}"));
    object.metadata.uid = Some(format!("0a1b2c3d-0000-4000-8000-1000000000{index:02}"));
    object.spec = serde_json::from_value(with_network(network)).expect("the spec parses");
    object
}

fn take(run: &Run, timings: Value) {
    run.aws.control("timings", timings);
}

async fn endpoints(run: &Run) -> Vec<VpcEndpoint> {
    run.aws.ec2().describe_vpc_endpoints().send().await.expect("endpoints").vpc_endpoints.unwrap_or_default()
}

/// The endpoint for a service.
async fn endpoint(run: &Run, service: &str) -> VpcEndpoint {
    let all = endpoints(run).await;
    let ends = |endpoint: &VpcEndpoint| endpoint.service_name().is_some_and(|name| name.ends_with(service));
    let mut found = all.into_iter().filter(ends);
    let first = found.next().unwrap_or_else(|| panic!("an endpoint for {service}"));
    assert_eq!(found.next(), None, "one endpoint");
    first
}

fn id(endpoint: &VpcEndpoint) -> &str {
    endpoint.vpc_endpoint_id().expect("an id")
}

/// The platform's only security group.
async fn group(run: &Run) -> SecurityGroup {
    let owned = Filter::builder().name("tag-key").values("aiplatform.dev/owner").build();
    let found = run.aws.ec2().describe_security_groups().filters(owned).send().await.expect("groups");
    let mut found = found.security_groups.unwrap_or_default();
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

fn group_id(group: &SecurityGroup) -> &str {
    group.group_id().expect("an id")
}

fn from(block: &str) -> IpPermission {
    let range = IpRange::builder().cidr_ip(block).build();
    IpPermission::builder().ip_protocol("tcp").from_port(443).to_port(443).ip_ranges(range).build()
}

/// The CIDR blocks that a group lets in.
fn blocks(group: &SecurityGroup) -> Vec<&str> {
    group.ip_permissions().iter().flat_map(IpPermission::ip_ranges).filter_map(IpRange::cidr_ip).collect()
}

/// Gives the group and the endpoint for Bedrock the owner tag of another platform.
async fn hand_to_a_rival(run: &Run) {
    let (found, made) = (group(run).await, endpoint(run, ".bedrock-runtime").await);
    for number in [group_id(&found), id(&made)] {
        let theirs = tag("aiplatform.dev/owner", "tests/support/rival");
        run.aws.ec2().create_tags().resources(number).tags(theirs).send().await.expect("tagged");
    }
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

fn owner(tags: &[Tag]) -> Option<&str> {
    tags.iter().find(|tag| tag.key() == Some("aiplatform.dev/owner")).and_then(Tag::value)
}

#[tokio::test]
async fn a_network_is_made_with_owner_tags_and_with_all_that_its_endpoints_need() {
    let (mut run, network) = planted().await;
    run.announce().await;
    let start = run.aws.call_count();
    run.settle_ready().await;
    let writes = run.aws.writes_since_call(start);
    let count = |operation: &str| writes.iter().filter(|call| *call == operation).count();
    assert_eq!((count("CreateSecurityGroup"), count("AuthorizeSecurityGroupIngress")), (1, 1), "{writes:?}");
    assert_eq!((count("CreateVpcEndpoint"), count("ModifyVpcEndpoint"), count("CreateTags")), (2, 0, 0), "{writes:?}");

    let group = group(&run).await;
    assert_eq!((group.vpc_id(), blocks(&group)), (Some(network.vpc.as_str()), vec!["10.0.0.0/16"]));
    assert_eq!(owner(group.tags()), Some("tests/support/assistant"));
    let bedrock = endpoint(&run, ".bedrock-runtime").await;
    let (mut subnets, mut wanted) = (bedrock.subnet_ids().to_vec(), network.subnets.clone());
    subnets.sort();
    wanted.sort();
    assert_eq!(subnets, wanted);
    assert_eq!(bedrock.groups()[0].group_id(), group.group_id());
    assert_eq!((bedrock.private_dns_enabled(), owner(bedrock.tags())), (Some(true), Some("tests/support/assistant")));
    let policy = bedrock.policy_document().expect("a policy");
    assert!(policy.contains("anthropic.claude-haiku"), "{policy}");
    let gateway = endpoint(&run, ".s3").await;
    assert_eq!(gateway.route_table_ids(), [network.table]);

    let status = run.object.status.as_ref().expect("a status");
    let listed = status.resources.iter().find(|resource| resource.name == "bedrock-runtime").expect("listed");
    assert_eq!(listed.id.as_deref(), bedrock.vpc_endpoint_id());
    let arn = format!("arn:aws:ec2:eu-west-1:123456789012:vpc-endpoint/{}", id(&bedrock));
    assert_eq!(listed.arn.as_deref(), Some(arn.as_str()));

    let start = run.aws.call_count();
    run.settle_ready().await;
    assert_eq!(run.aws.writes_since_call(start), Vec::<String>::new());
}

#[tokio::test]
async fn an_endpoint_of_somebody_else_that_has_the_name_is_a_conflict_until_it_goes() {
    let (mut run, network) = planted().await;
    let call = run.aws.ec2().create_vpc_endpoint().vpc_id(&network.vpc).vpc_endpoint_type("Interface".into());
    let call = call.service_name(format!("com.amazonaws.{REGION}.bedrock-runtime")).private_dns_enabled(true);
    let theirs = call.set_subnet_ids(Some(network.subnets.clone())).send().await.expect("made");
    let theirs = theirs.vpc_endpoint.expect("an endpoint");
    let pass = run.settle().await;
    assert_eq!(condition(&pass, "Stalled").map(|it| it.reason.as_str()), Some("Conflict"), "{:#?}", pass.status);
    assert!(message(&pass).contains(id(&theirs)), "{}", message(&pass));

    let adopting = network.fields(json!({"endpoints": {"onConflict": "Adopt"}}));
    run.edit(with_network(adopting));
    run.settle_ready().await;
    assert_eq!(owner(endpoint(&run, ".bedrock-runtime").await.tags()), None, "it is used as it is");

    let beside = network.fields(json!({"endpoints": {"onConflict": "WithoutPrivateDns"}}));
    run.edit(with_network(beside));
    run.settle_ready().await;
    let all = endpoints(&run).await;
    let ours = all.iter().find(|endpoint| owner(endpoint.tags()).is_some() && !endpoint.subnet_ids().is_empty());
    let ours = ours.expect("one of its own");
    assert_eq!(ours.private_dns_enabled(), Some(false));

    run.aws.ec2().delete_vpc_endpoints().vpc_endpoint_ids(id(&theirs)).send().await.expect("deleted");
    run.settle_ready().await;
    assert_eq!(endpoint(&run, ".bedrock-runtime").await.private_dns_enabled(), Some(true));
}

#[tokio::test]
async fn what_a_network_lacks_is_named_before_anything_is_made_and_noticed_as_mended() {
    let (mut run, network) = planted().await;
    let off = |on: bool| {
        let value = aws_sdk_ec2::types::AttributeBooleanValue::builder().value(on).build();
        run.aws.ec2().modify_vpc_attribute().vpc_id(&network.vpc).enable_dns_hostnames(value).send()
    };
    off(false).await.expect("off");
    let off = off(true);
    let pass = run.settle().await;
    assert_eq!(condition(&pass, "Stalled").map(|it| it.reason.as_str()), Some("Prerequisite"));
    assert!(message(&pass).contains("enableDnsHostnames"), "{}", message(&pass));
    assert_eq!(endpoints(&run).await, []);
    off.await.expect("on");
    run.settle_ready().await;
}

#[tokio::test]
async fn an_id_that_does_not_exist_or_is_elsewhere_is_named_with_its_field() {
    let (mut run, network) = planted().await;
    let other = text(&run.aws.ask("ec2/vpc", json!({"region": REGION, "cidrs": ["10.1.0.0/16"]}))["vpcId"]);
    let elsewhere = subnet(&run, &other, "b");
    let wrong = json!({
        "subnetIds": [network.subnets[0], elsewhere],
        "routeTableIds": ["rtb-0123456789abcdef0"],
        "securityGroupIds": ["sg-0123456789abcdef0"],
    });
    run.edit(with_network(network.fields(wrong)));
    let pass = run.settle().await;
    let found = message(&pass);
    for part in [
        format!("spec.network.subnetIds[1]: {elsewhere} is in {other}"),
        "spec.network.routeTableIds[0]".into(),
        "spec.network.securityGroupIds[0]".into(),
    ] {
        assert!(found.contains(&part), "{part}: {found}");
    }
    run.edit(with_network(network.fields(json!({"vpcId": "vpc-0123456789abcdef0"}))));
    let pass = run.settle().await;
    assert!(message(&pass).contains("vpc-0123456789abcdef0"), "{}", message(&pass));
    run.edit(with_network(network.fields(json!({}))));
    run.settle_ready().await;
}
