//! What somebody changes by hand in a network, and how it is put back.

use super::{
    Run, blocks, endpoint, from, group, group_id, hand_to_a_rival, id, in_place, json, subnet, tag, with_network,
};

/// Takes away the declared rule of the group, and opens it to everybody.
async fn swap_rules(run: &Run) {
    let (ec2, found) = (run.aws.ec2(), group(run).await);
    let revoke = ec2.revoke_security_group_ingress().group_id(group_id(&found)).ip_permissions(from("10.0.0.0/16"));
    revoke.send().await.expect("revoked");
    let open = ec2.authorize_security_group_ingress().group_id(group_id(&found)).ip_permissions(from("0.0.0.0/0"));
    open.send().await.expect("opened");
}

#[tokio::test]
async fn what_a_group_lets_in_is_put_back_without_a_moment_in_which_it_lets_in_nothing() {
    let (mut run, _) = in_place().await;
    swap_rules(&run).await;
    let start = run.aws.call_count();
    run.settle_ready().await;
    let writes = run.aws.writes_since_call(start);
    assert_eq!(writes, ["AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"]);
    assert_eq!(blocks(&group(&run).await), ["10.0.0.0/16"]);
}

#[tokio::test]
async fn what_nobody_wants_is_revoked_even_where_what_is_wanted_is_refused() {
    let (mut run, _) = in_place().await;
    swap_rules(&run).await;
    run.aws.control("deny", json!({"action": "ec2:AuthorizeSecurityGroupIngress"}));
    let pass = run.pass().await;
    assert_eq!(super::condition(&pass, "Stalled").map(|it| it.reason.as_str()), Some("AccessDenied"));
    assert!(blocks(&group(&run).await).is_empty());
}

#[tokio::test]
async fn the_rules_of_a_group_that_are_there_already_are_no_error() {
    let (mut run, network) = in_place().await;
    let allowed = network.fields(json!({"allowFrom": {"cidrs": ["10.0.0.0/16", "192.168.7.9/16"]}}));
    run.edit(with_network(allowed));
    // Only a plan of a moment ago can want what is there.
    run.pass().await;
    let plan = run.plan().await;
    let found = group(&run).await;
    let authorize = run.aws.ec2().authorize_security_group_ingress().group_id(group_id(&found));
    authorize.ip_permissions(from("192.168.0.0/16")).send().await.expect("opened");
    let (_, outcomes) = super::super::ownership::carry_out(&run, &plan).await;
    assert!(!format!("{outcomes:?}").contains("Failed"), "{outcomes:#?}");
    run.settle_ready().await;
    let mut found = blocks(&group(&run).await).into_iter().map(ToString::to_string).collect::<Vec<_>>();
    found.sort();
    assert_eq!(found, ["10.0.0.0/16", "192.168.0.0/16"]);
    let start = run.aws.call_count();
    run.settle_ready().await;
    assert_eq!(run.aws.writes_since_call(start), Vec::<String>::new(), "a block is what EC2 makes of it");
}

#[tokio::test]
async fn tags_are_put_back_and_those_of_others_stay() {
    let (mut run, _) = in_place().await;
    let (ec2, found, made) = (run.aws.ec2(), group(&run).await, endpoint(&run, ".bedrock-runtime").await);
    for number in [group_id(&found), id(&made)] {
        let tags = [tag("aiplatform.dev/team", "raiders"), tag("aiplatform.dev/stray", "x"), tag("cost", "7")];
        ec2.create_tags().resources(number).set_tags(Some(tags.into())).send().await.expect("tagged");
    }
    run.settle_ready().await;
    for tags in [group(&run).await.tags.unwrap_or_default(), endpoint(&run, ".bedrock-runtime").await.tags.unwrap()] {
        let value = |key: &str| tags.iter().find(|tag| tag.key() == Some(key)).and_then(|tag| tag.value());
        assert_eq!(value("aiplatform.dev/team"), Some("support"));
        assert_eq!((value("aiplatform.dev/stray"), value("cost")), (None, Some("7")));
    }
}

#[tokio::test]
async fn everything_about_an_endpoint_is_put_back() {
    let (mut run, network) = in_place().await;
    let (ec2, made) = (run.aws.ec2(), endpoint(&run, ".bedrock-runtime").await);
    let found = group(&run).await;
    let other = ec2.create_security_group().group_name("other").description("d").vpc_id(&network.vpc);
    let other = other.send().await.expect("made").group_id.expect("an id");
    let modify = || ec2.modify_vpc_endpoint().vpc_endpoint_id(id(&made));
    modify().reset_policy(true).send().await.expect("opened");
    modify()
        .add_security_group_ids(&other)
        .remove_security_group_ids(group_id(&found))
        .send()
        .await
        .expect("regrouped");
    modify().remove_subnet_ids(&network.subnets[0]).send().await.expect("moved");
    modify().private_dns_enabled(false).send().await.expect("off");
    let gateway = endpoint(&run, ".s3").await;
    let call = ec2.modify_vpc_endpoint().vpc_endpoint_id(id(&gateway)).remove_route_table_ids(&network.table);
    call.send().await.expect("led elsewhere");
    run.settle_ready().await;
    let put_back = endpoint(&run, ".bedrock-runtime").await;
    assert_eq!(put_back.vpc_endpoint_id, made.vpc_endpoint_id, "it is the same one");
    assert_eq!(put_back.policy_document, made.policy_document);
    assert_eq!(put_back.groups, made.groups);
    let mut subnets = put_back.subnet_ids().to_vec();
    subnets.sort();
    let mut wanted = network.subnets.clone();
    wanted.sort();
    assert_eq!((subnets, put_back.private_dns_enabled), (wanted, Some(true)));
    assert_eq!(endpoint(&run, ".s3").await.route_table_ids(), [network.table]);
}

/// Subnets of an endpoint after each of the operator's calls.
async fn subnets_over_time(run: &mut Run) -> Vec<usize> {
    let mut numbers = Vec::new();
    for _ in 0..8 {
        let pass = run.pass().await;
        numbers.push(endpoint(run, ".bedrock-runtime").await.subnet_ids().len());
        if super::ready(&pass) == "True" {
            return numbers;
        }
    }
    panic!("it never comes to rest: {:#?}", run.object.status);
}

#[tokio::test]
async fn all_subnets_can_be_replaced_and_one_stays_at_any_time() {
    let (mut run, network) = in_place().await;
    let zones = |zones: [&str; 2]| zones.map(|zone| subnet(&run, &network.vpc, zone)).to_vec();
    // The same zones, then others.
    for subnets in [zones(["a", "b"]), zones(["c", "a"])] {
        run.edit(with_network(network.fields(json!({"subnetIds": subnets}))));
        let numbers = subnets_over_time(&mut run).await;
        assert!(numbers.iter().all(|number| *number > 0), "{numbers:?}");
        let mut found = endpoint(&run, ".bedrock-runtime").await.subnet_ids.unwrap_or_default();
        let mut wanted = subnets.clone();
        found.sort();
        wanted.sort();
        assert_eq!(found, wanted);
    }
}

#[tokio::test]
async fn one_modification_at_a_time_is_nothing_that_needs_somebody() {
    let (mut run, network) = in_place().await;
    super::take(&run, json!({"ec2.endpoint.modify": 300}));
    let third = subnet(&run, &network.vpc, "c");
    let more = json!({"subnetIds": [network.subnets[0], third], "securityGroupIds": [], "endpoints": {"policy": {"bedrock-runtime": "Full"}}});
    run.edit(with_network(network.fields(more)));
    let began = std::time::Instant::now();
    loop {
        let pass = run.pass().await;
        assert_eq!(super::condition(&pass, "Stalled"), None, "{:#?}", pass.status);
        if super::ready(&pass) == "True" {
            break;
        }
        assert!(began.elapsed() < super::super::PATIENCE, "{:#?}", pass.status);
    }
    let found = endpoint(&run, ".bedrock-runtime").await;
    assert!(found.subnet_ids().contains(&third) && !found.subnet_ids().contains(&network.subnets[1]), "{found:#?}");
    let calls = run.aws.calls();
    let refused =
        calls.iter().filter(|call| call["operation"] == "ModifyVpcEndpoint" && call["result"]["status"] != 200);
    assert_eq!(refused.count(), 0, "no call is made that EC2 is known to refuse");
}

#[tokio::test]
async fn what_changed_hands_a_moment_ago_is_left_alone() {
    let (mut run, network) = in_place().await;
    run.edit(with_network(network.fields(json!({"allowFrom": {"cidrs": ["10.7.0.0/16"]},
        "endpoints": {"policy": {"bedrock-runtime": "Full"}}}))));
    run.pass().await;
    let plan = run.plan().await;
    hand_to_a_rival(&run).await;
    let start = run.aws.call_count();
    let (_, outcomes) = super::super::ownership::carry_out(&run, &plan).await;
    assert_eq!(run.aws.writes_since_call(start), Vec::<String>::new());
    let text = format!("{outcomes:?}");
    assert!(text.contains("OwnerChanged") && text.contains("tests/support/rival"), "{text}");
}
