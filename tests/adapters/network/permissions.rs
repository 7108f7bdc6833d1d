//! The permissions that calls of EC2 need, against the policies that the operator prints for itself.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Run, endpoint, from, group, group_id, id, in_place, tag, text, with_network};
use crate::end_to_end::operator_policy::{Call, actions, assert_allowed, calls_of, printed, statements};
use crate::support::test_env::file;

fn is_of_networks(action: &str) -> bool {
    action.starts_with("ec2:") || action.starts_with("route53:")
}

/// The statements about networks.
fn of_networks(policies: &Value) -> Vec<Value> {
    let all = statements(policies, "aiplatform-operator-ec2");
    assert!(!all.is_empty(), "{policies:#}");
    all
}

/// Changes everything that can be changed.
async fn spoil(run: &Run, table: &str) {
    let (ec2, found, made) = (run.aws.ec2(), group(run).await, endpoint(run, ".bedrock-runtime").await);
    for number in [group_id(&found), id(&made)] {
        let tags = [tag("aiplatform.dev/team", "raiders"), tag("aiplatform.dev/stray", "x")];
        ec2.create_tags().resources(number).set_tags(Some(tags.into())).send().await.expect("tagged");
    }
    let rules = ec2.revoke_security_group_ingress().group_id(group_id(&found)).ip_permissions(from("10.0.0.0/16"));
    rules.send().await.expect("revoked");
    let rules = ec2.authorize_security_group_ingress().group_id(group_id(&found)).ip_permissions(from("0.0.0.0/0"));
    rules.send().await.expect("opened");
    let modify = || ec2.modify_vpc_endpoint().vpc_endpoint_id(id(&made));
    modify().reset_policy(true).send().await.expect("opened");
    modify().remove_subnet_ids(&made.subnet_ids()[0]).send().await.expect("moved");
    modify().private_dns_enabled(false).send().await.expect("off");
    let gateway = endpoint(run, ".s3").await;
    let call = ec2.modify_vpc_endpoint().vpc_endpoint_id(id(&gateway)).remove_route_table_ids(table);
    call.send().await.expect("led elsewhere");
}

#[tokio::test]
async fn every_call_about_a_network_is_allowed_and_nothing_is_allowed_for_nothing() {
    let (mut run, network) = in_place().await;
    spoil(&run, &network.table).await;
    run.settle_ready().await;
    let ec2 = run.aws.ec2();
    let other = ec2.create_security_group().group_name("other").description("d").vpc_id(&network.vpc);
    let other = other.send().await.expect("made").group_id.expect("an id");
    let spec = with_network(network.fields(json!({"securityGroupIds": [other]})));
    run.edit(spec.clone());
    run.settle_ready().await;
    let own = with_network(network.fields(json!({})));
    run.edit(own.clone());
    run.settle_ready().await;
    let found = group(&run).await;
    let given = json!({"region": "eu-west-1", "subnetId": network.subnets[0], "groupIds": [group_id(&found)]});
    let interface = text(&run.aws.ask("ec2/interface", given)["interfaceId"]);
    run.delete();
    for _ in 0..5 {
        assert!(!run.pass().await.finished);
    }
    let gone = json!({"region": "eu-west-1", "subnetId": network.subnets[0], "interfaceId": interface, "remove": true});
    run.aws.control("ec2/interface", gone);
    assert!(run.settle().await.finished);

    let mut calls: Vec<Call> = calls_of(&run.aws);
    calls.retain(|call| call.actions().any(is_of_networks));
    for arguments in [vec![], vec!["--cluster-name", "tests"]] {
        let allowed = of_networks(&printed(&arguments));
        assert_eq!(assert_allowed(&allowed, calls.iter()), actions(&allowed));
    }
    let object = |spec: &Value| {
        json!({"apiVersion": "aiplatform.dev/v1alpha1", "kind": "AIPlatform",
            "metadata": {"name": "assistant", "namespace": "support"}, "spec": spec})
    };
    let mut used = BTreeSet::new();
    let mut wanted = BTreeSet::new();
    let both = [&spec, &own].map(|spec| {
        let platforms = file(&object(spec).to_string());
        of_networks(&printed(&["-f", platforms.to_str().expect("a path"), "--cluster-name", "tests"]))
    });
    let narrowed = both.concat();
    used.extend(assert_allowed(&narrowed, calls.iter()));
    wanted.extend(actions(&narrowed));
    assert_eq!(used, wanted);
}
