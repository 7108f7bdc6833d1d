//! What is read of EC2 where the VPC is known, and what may be in another one.

use std::time::Duration;

use aiplatform::resource::Freshness;
use aiplatform::session::Session;
use futures::future::join_all;
use serde_json::{Value, json};

use super::super::{aws_of, spec};
use super::shared::pass_of;
use super::{
    Network, Run, endpoint, endpoints, group, group_id, id, in_place, one_of_several, planted, ready, tag, with_network,
};

/// The filter of the list that platforms share.
fn of_platforms() -> (String, String) {
    ("tag-key".to_string(), "aiplatform.dev/owner".to_string())
}

/// The lists of endpoints and of groups that were read from a call on: each with the name and the values of its filters.
fn lists(run: &Run, start: usize) -> Vec<(String, Vec<(String, String)>)> {
    let calls = run.aws.calls().into_iter().skip(start);
    let is_list =
        |call: &Value| ["DescribeVpcEndpoints", "DescribeSecurityGroups"].iter().any(|it| call["operation"] == *it);
    let filters = |call: &Value| {
        let filters = call["parameters"]["Filters"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        filters.iter().map(|each| (text(&each["Name"]), text(&each["Values"][0]))).collect()
    };
    calls
        .filter(is_list)
        .map(|call| (call["operation"].as_str().unwrap_or_default().to_string(), filters(&call)))
        .collect()
}

#[tokio::test]
async fn a_pass_that_may_write_lists_the_vpc_of_the_platform_and_no_other() {
    let (mut run, network) = in_place().await;
    let start = run.aws.call_count();
    let pass = run.pass().await;
    assert_eq!(ready(&pass), "True");
    let of_vpc = || vec![("vpc-id".to_string(), network.vpc.clone())];
    let mut lists = lists(&run, start);
    lists.sort();
    let wanted = [("DescribeSecurityGroups".to_string(), of_vpc()), ("DescribeVpcEndpoints".to_string(), of_vpc())];
    assert_eq!(lists, wanted);
}

#[tokio::test]
async fn a_creation_lists_its_vpc_and_what_belongs_to_platforms_and_never_the_region() {
    let (mut run, network) = planted().await;
    run.session = Some(Session::default());
    run.settle_ready().await;
    let lists = lists(&run, 0);
    let of_vpc = ("vpc-id".to_string(), network.vpc.clone());
    for (operation, filters) in &lists {
        assert!(filters[0] == of_vpc || *filters == [of_platforms()], "{operation}: {filters:?}");
    }
    let count = |operation: &str| lists.iter().filter(|(each, _)| each == operation).count();
    assert!(count("DescribeVpcEndpoints") <= 4 && count("DescribeSecurityGroups") <= 3, "{lists:?}");
}

#[tokio::test]
async fn platforms_that_are_made_at_once_share_what_shows_that_earlier_ones_left_nothing_elsewhere() {
    let run = Run::new(spec(json!({}))).await;
    let platform = |index| one_of_several(&run, index, Network::plant(&run).fields(json!({})));
    let mut objects: Vec<_> = (0..5).map(platform).collect();
    let start = run.aws.call_count();
    // The first pass lists what will be made, one finds that the account is the right one, and the third makes it.
    for clock in 0..3 {
        join_all(objects.iter_mut().map(|object| pass_of(&run, object, clock, Freshness::Current))).await;
    }
    let lists = lists(&run, start);
    let of_all = lists.iter().filter(|(_, filters)| *filters == [of_platforms()]).count();
    let of_one = lists.iter().filter(|(_, filters)| filters.iter().any(|(name, _)| name.starts_with("tag:"))).count();
    assert_eq!((of_all, of_one), (2, 0), "{lists:?}");
    assert_eq!(endpoints(&run).await.len(), 10, "each has two");
}

#[tokio::test]
async fn what_an_earlier_platform_of_the_name_left_in_another_vpc_is_found_and_nothing_is_made_beside_it() {
    let (mut run, _) = in_place().await;
    let (before, its_group) = (endpoint(&run, ".bedrock-runtime").await, group(&run).await);
    let other = Network::plant(&run);
    run.edit(with_network(other.fields(json!({}))));
    // The process that made it reads it by itself, and another one in the list that platforms share.
    for is_another_process in [false, true] {
        if is_another_process {
            run.provider.aws = aws_of(&run.config, Duration::ZERO);
        }
        run.object.status = None;
        run.session = Some(Session::default());
        for _ in 0..4 {
            run.pass().await;
        }
        assert_eq!(id(&endpoint(&run, ".bedrock-runtime").await), id(&before));
        assert_eq!(group_id(&group(&run).await), group_id(&its_group));
    }
}

#[tokio::test]
async fn what_is_in_another_vpc_than_the_desired_one_is_found_and_nothing_is_made_beside_it() {
    let (mut run, _) = in_place().await;
    let (before, its_group) = (endpoint(&run, ".bedrock-runtime").await, group(&run).await);
    let other = Network::plant(&run);
    run.edit(with_network(other.fields(json!({}))));
    for _ in 0..3 {
        run.pass().await;
    }
    assert_eq!(id(&endpoint(&run, ".bedrock-runtime").await), id(&before));
    assert_eq!(group_id(&group(&run).await), group_id(&its_group));
    run.delete();
    assert!(run.settle().await.finished);
    assert_eq!(endpoints(&run).await, [], "it goes with the platform");
}

#[tokio::test]
async fn what_is_no_longer_declared_goes_from_whichever_vpc_it_is_in() {
    let (mut run, _) = in_place().await;
    let other = Network::plant(&run);
    run.edit(with_network(other.fields(json!({}))));
    run.pass().await;
    run.pass().await;
    run.edit(super::spec(json!({})));
    run.settle_ready().await;
    assert_eq!(endpoints(&run).await, []);
}

#[tokio::test]
async fn a_group_of_somebody_else_that_has_the_name_in_another_vpc_is_in_nobodys_way() {
    let (mut run, _) = in_place().await;
    let name = group(&run).await.group_name.expect("a name");
    run.delete();
    assert!(run.settle().await.finished);
    let (mut run, _) = planted().await;
    let elsewhere = Network::plant(&run);
    let call = run.aws.ec2().create_security_group().group_name(name).description("d").vpc_id(&elsewhere.vpc);
    let theirs = call.send().await.expect("made").group_id.expect("an id");
    run.settle_ready().await;
    assert_ne!(group_id(&group(&run).await), theirs);
}

#[tokio::test]
async fn groups_that_are_named_are_found_in_other_vpcs_too_so_that_the_message_says_where() {
    let (mut run, network) = planted().await;
    let elsewhere = Network::plant(&run);
    let call = run.aws.ec2().create_security_group().group_name("named").description("d").vpc_id(&elsewhere.vpc);
    let named = call.send().await.expect("made").group_id.expect("an id");
    run.edit(with_network(network.fields(json!({"securityGroupIds": [named]}))));
    let pass = run.settle().await;
    let message = super::message(&pass);
    assert!(message.contains(&named) && message.contains(&elsewhere.vpc), "{message}");
}

#[tokio::test]
async fn an_owner_tag_that_somebody_gives_to_an_endpoint_in_another_vpc_changes_nothing_here() {
    let (mut run, _) = in_place().await;
    let ours = endpoint(&run, ".bedrock-runtime").await;
    let elsewhere = Network::plant(&run);
    let call = run.aws.ec2().create_vpc_endpoint().vpc_id(&elsewhere.vpc).vpc_endpoint_type("Interface".into());
    let call = call.service_name(format!("com.amazonaws.{}.bedrock-runtime", super::REGION));
    let made = call.set_subnet_ids(Some(elsewhere.subnets.clone())).send().await.expect("made");
    let theirs = made.vpc_endpoint.expect("an endpoint");
    let owned = tag("aiplatform.dev/owner", "tests/support/assistant");
    run.aws.ec2().create_tags().resources(id(&theirs)).tags(owned).send().await.expect("tagged");
    let start = run.aws.call_count();
    run.settle_ready().await;
    assert_eq!(run.aws.writes_since_call(start), Vec::<String>::new());
    assert_eq!(run.resource("VpcEndpoint").id.as_deref(), Some(id(&ours)));
}
