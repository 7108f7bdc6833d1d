use serde_json::json;

use super::cost::remarks;
use super::tests::{other, planned, step, wanted, with_others};
use super::vpc_endpoint::{EndpointType, VpcEndpoint};
use crate::kind::Listed;
use crate::plan::{Action, Intent, plan};
use crate::resource::{Kind, Observations, Owner, Resource};
use crate::testing::ours;

fn all_there(desired: &[crate::resource::Desired]) -> Observations {
    desired.iter().map(|item| (item.resource.key(), ours(&item.resource))).collect()
}

#[test]
fn a_plan_says_what_is_billed_by_the_hour() {
    let plan = planned(&wanted(json!({})), &Observations::new());
    let line = "2 interface endpoints in 2 zones: 4 endpoint-zones, each billed by the hour";
    assert_eq!(remarks(&plan), [line]);
    assert!(plan.to_string().ends_with(&format!(" 0 to keep\n  {line}\n")), "{plan}");
    assert!(!serde_json::to_string(&plan).unwrap().contains("billed"), "the JSON has its own form");
    let one = json!({"subnetIds": ["subnet-0a"], "endpoints": {"auto": false, "additional": [{"service": "kms"}]}});
    let one = planned(&wanted(one), &Observations::new());
    assert_eq!(remarks(&one), ["1 interface endpoint in 1 zone: 1 endpoint-zone, each billed by the hour"]);
}

#[test]
fn gateways_cost_nothing_and_what_stays_is_not_repeated() {
    let gateway = json!({"endpoints": {"auto": false, "additional": [{"service": "s3", "type": "Gateway"}]}});
    assert!(remarks(&planned(&wanted(gateway), &Observations::new())).is_empty());
    let desired = wanted(json!({}));
    assert!(remarks(&planned(&desired, &all_there(&desired))).is_empty());
}

#[test]
fn a_change_is_told_with_what_was_before() {
    let desired = wanted(json!({}));
    let mut seen = all_there(&desired);
    seen.remove(&VpcEndpoint::key_of("bedrock-runtime"));
    let more = planned(&desired, &seen);
    let line = "2 interface endpoints in 2 zones: 4 endpoint-zones, each billed by the hour (now 2)";
    assert_eq!(remarks(&more), [line]);
    let fewer_subnets = wanted(json!({"subnetIds": ["subnet-0a"]}));
    let fewer = planned(&fewer_subnets, &all_there(&desired));
    assert_eq!(remarks(&fewer), ["2 interface endpoints in 1 zone: 2 endpoint-zones, each billed by the hour (now 4)"]);
    let intent = Intent::delete(crate::api::ManagementPolicy::Full, crate::api::DeletionPolicy::Delete, &desired);
    let gone = plan("support", "assistant", &[], &all_there(&desired), &intent);
    assert_eq!(remarks(&gone), ["no interface endpoint is left: nothing is billed by the hour (now 4 endpoint-zones)"]);
}

#[test]
fn what_others_pay_is_not_counted() {
    let desired = wanted(json!({"endpoints": {"onConflict": "Adopt"}}));
    let adopted = planned(&desired, &with_others(&desired, "bedrock-runtime", vec![other(EndpointType::Interface)]));
    assert_eq!(step(&adopted, Kind::VpcEndpoint, "bedrock-runtime").action, Action::Keep);
    assert!(remarks(&adopted).is_empty(), "{:?}", remarks(&adopted));
    let mut theirs = all_there(&desired);
    for observed in theirs.values_mut() {
        if matches!(observed.resource, Some(Resource::VpcEndpoint(_))) {
            observed.owner = Owner::Theirs("c/other/p".into());
        }
    }
    assert!(remarks(&planned(&desired, &theirs)).is_empty());
}
