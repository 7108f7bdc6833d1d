//! A network goes: endpoints first, and each group when nothing holds it any more.

use super::{Filter, condition, endpoint, endpoints, group, group_id, hand_to_a_rival, id, in_place, json, take, text};

async fn groups_left(run: &super::Run) -> usize {
    let owned = Filter::builder().name("tag-key").values("aiplatform.dev/owner").build();
    let found = run.aws.ec2().describe_security_groups().filters(owned).send().await.expect("groups");
    found.security_groups().len()
}

#[tokio::test]
async fn endpoints_go_before_their_group_and_nothing_is_refused() {
    let (mut run, _) = in_place().await;
    take(&run, json!({"ec2.endpoint.delete": 300}));
    run.delete();
    let start = run.aws.call_count();
    assert!(run.settle().await.finished);
    assert_eq!((endpoints(&run).await.len(), groups_left(&run).await), (0, 0));
    let writes = run.aws.writes_since_call(start);
    let position = |operation: &str| writes.iter().position(|call| call == operation);
    assert!(position("DeleteVpcEndpoints") < position("DeleteSecurityGroup"), "{writes:?}");
    let count = |operation: &str| writes.iter().filter(|call| *call == operation).count();
    assert_eq!((count("DeleteVpcEndpoints"), count("DeleteSecurityGroup")), (2, 1), "{writes:?}");
}

#[tokio::test]
async fn a_group_waits_for_the_interfaces_that_hold_it_and_names_them() {
    let (mut run, network) = in_place().await;
    let found = group(&run).await;
    let given = json!({"region": "eu-west-1", "subnetId": network.subnets[0], "groupIds": [group_id(&found)]});
    let interface = text(&run.aws.ask("ec2/interface", given)["interfaceId"]);
    run.delete();
    let mut last = None;
    for _ in 0..6 {
        let pass = run.pass().await;
        assert!(!pass.finished);
        assert_eq!(condition(&pass, "Stalled"), None, "{:#?}", pass.status);
        last = Some(pass);
    }
    let last = last.expect("a pass");
    let listed = last.status.resources.iter().find(|resource| resource.kind == "SecurityGroup").expect("listed");
    let said = listed.message.as_deref().unwrap_or_default();
    assert!(said.contains(&interface), "{said}");
    let gone = json!({"region": "eu-west-1", "subnetId": network.subnets[0], "interfaceId": interface, "remove": true});
    run.aws.control("ec2/interface", gone);
    assert!(run.settle().await.finished);
    assert_eq!(groups_left(&run).await, 0);
}

#[tokio::test]
async fn a_group_that_a_rule_of_another_refers_to_names_that_one() {
    let (mut run, network) = in_place().await;
    let (ec2, found) = (run.aws.ec2(), group(&run).await);
    let other = ec2.create_security_group().group_name("other").description("d").vpc_id(&network.vpc);
    let other = other.send().await.expect("made").group_id.expect("an id");
    let pair = aws_sdk_ec2::types::UserIdGroupPair::builder().group_id(group_id(&found)).build();
    let rule = aws_sdk_ec2::types::IpPermission::builder().ip_protocol("-1").user_id_group_pairs(pair).build();
    ec2.authorize_security_group_ingress().group_id(&other).ip_permissions(rule).send().await.expect("allowed");
    run.delete();
    for _ in 0..5 {
        run.pass().await;
    }
    let status = run.object.status.as_ref().expect("a status");
    let listed = status.resources.iter().find(|resource| resource.kind == "SecurityGroup").expect("listed");
    let said = listed.message.as_deref().unwrap_or_default();
    assert!(said.contains(&other), "{said}");
    ec2.delete_security_group().group_id(&other).send().await.expect("deleted");
    assert!(run.settle().await.finished);
}

#[tokio::test]
async fn what_ec2_does_not_delete_is_told_with_its_reason() {
    let (mut run, _) = in_place().await;
    let made = endpoint(&run, ".bedrock-runtime").await;
    let refusal = json!({"endpointId": id(&made), "code": "OperationNotPermitted", "message": "it is in use"});
    run.aws.control("ec2/refuse-deletion", refusal);
    run.delete();
    for _ in 0..3 {
        assert!(!run.pass().await.finished);
    }
    let status = format!("{:?}", run.object.status);
    assert!(status.contains("OperationNotPermitted: it is in use"), "{status}");
    run.aws.control("ec2/refuse-deletion", json!({"endpointId": id(&made), "code": "x", "remove": true}));
    assert!(run.settle().await.finished);
    assert_eq!(endpoints(&run).await, []);
}

#[tokio::test]
async fn what_is_theirs_by_now_is_not_deleted() {
    let (mut run, _) = in_place().await;
    run.delete();
    run.pass().await;
    let plan = run.plan().await;
    hand_to_a_rival(&run).await;
    let start = run.aws.call_count();
    super::super::ownership::carry_out(&run, &plan).await;
    let writes = run.aws.writes_since_call(start);
    let of_ec2 = writes.iter().filter(|call| ["DeleteVpcEndpoints", "DeleteSecurityGroup"].contains(&call.as_str()));
    assert_eq!(of_ec2.count(), 1, "the gateway alone: {writes:?}");
    endpoint(&run, ".bedrock-runtime").await;
}
