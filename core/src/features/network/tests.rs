use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::preconditions::unmet;
use super::vpc_endpoint::{EndpointFacts, EndpointType, OtherEndpoint, POLICY, VpcEndpoint};
use crate::api::ManagementPolicy::Full;
use crate::desire::{desire, desire_with};
use crate::kind::Listed;
use crate::lookup::{Answer, Answers, Caller, EndpointService, Lookup, NetworkFacts, Subnet, Vpc, lookups};
use crate::plan::{Action, Intent, Plan, Step, check, plan};
use crate::platform::{Platform, validate};
use crate::resource::reference::{KNOWN_AFTER_APPLY, link};
use crate::resource::{Desired, Key, Kind, Observations, Observed, ObservedState, Owner, Resource};
use crate::testing::{CLUSTER, object, ours};

mod vpc_endpoint_only;

pub(super) const VPC: &str = "vpc-0a1b";
const OPERATOR: &str = "arn:aws:sts::123456789012:assumed-role/operator/session";

fn spec(network: Value) -> Value {
    let mut spec = json!({
        "network": {"vpcId": VPC, "subnetIds": ["subnet-0a", "subnet-0b"], "routeTableIds": ["rtb-0a"]},
        "storage": {"buckets": [{"name": "artifacts"}]},
        "models": [
            {"name": "fast", "bedrock": {"modelId": "anthropic.claude-haiku-4-5-20251001-v1:0"}},
            {"name": "rank", "sagemaker": {
                "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:1",
                "instance": {"type": "ml.g5.xlarge"},
            }},
        ],
    });
    let Value::Object(fields) = network else { panic!("fields of a network: {network}") };
    for (field, value) in fields {
        spec["network"][field] = value;
    }
    spec
}

fn platform(network: Value) -> Platform {
    validate(&object(spec(network))).unwrap()
}

fn service(name: &str, is_interface: bool) -> EndpointService {
    EndpointService {
        name: format!("com.amazonaws.eu-west-1.{name}"),
        is_interface,
        zones: ["eu-west-1a", "eu-west-1b"].map(ToString::to_string).into(),
        private_dns_name: is_interface.then(|| format!("{name}.eu-west-1.amazonaws.com")),
        takes_policies: true,
    }
}

pub(super) fn facts() -> NetworkFacts {
    let subnet = |zone: &str| Subnet { vpc_id: VPC.into(), zone: format!("eu-west-1{zone}") };
    NetworkFacts {
        vpc: Some(Vpc { cidrs: ["10.0.0.0/16".to_string()].into(), dns_support: true, dns_hostnames: true }),
        subnets: [("subnet-0a".to_string(), subnet("a")), ("subnet-0b".to_string(), subnet("b"))].into(),
        route_tables: [("rtb-0a".to_string(), VPC.to_string())].into(),
        security_groups: BTreeMap::new(),
        public_subnets: BTreeSet::new(),
        services: vec![service("bedrock-runtime", true), service("sagemaker.runtime", true), service("s3", false)],
    }
}

fn answers(platform: &Platform, facts: &NetworkFacts) -> Answers {
    let answer = |lookup: &Lookup| match lookup {
        Lookup::Network(_) => Answer::Network(facts.clone()),
        Lookup::Caller => Answer::Caller(Caller { arn: OPERATOR.into() }),
        Lookup::Api(_) => Answer::Api(true),
        Lookup::Owner(_) | Lookup::Borrowers { .. } => panic!("nothing is shared: {lookup:?}"),
    };
    lookups(platform).into_iter().map(|lookup| (lookup.clone(), Ok(answer(&lookup)))).collect()
}

pub(super) fn wanted(network: Value) -> Vec<Desired> {
    let platform = platform(network);
    desire_with(&platform, CLUSTER, &answers(&platform, &facts()))
}

pub(super) fn planned(desired: &[Desired], observations: &Observations) -> Plan {
    let intent = Intent::keep(Full);
    let plan = plan("support", "assistant", desired, observations, &intent);
    assert_eq!(check(&plan, desired, &[], observations, &intent), Ok(()));
    plan
}

pub(super) fn step<'a>(plan: &'a Plan, kind: Kind, name: &str) -> &'a Step {
    let is_it = |step: &&Step| step.key.kind == kind && step.key.name.contains(name);
    plan.steps.iter().find(is_it).unwrap_or_else(|| panic!("no step for {kind} {name}"))
}

fn endpoints(desired: &[Desired]) -> BTreeMap<&str, &VpcEndpoint> {
    desired.iter().filter_map(|item| VpcEndpoint::of(&item.resource)).map(|it| (it.name.as_str(), it)).collect()
}

/// Everything that is desired is there, with ids, as EC2 describes it.
fn everything(desired: &[Desired]) -> Observations {
    let mut seen = Observations::new();
    for (number, item) in desired.iter().enumerate() {
        let mut observed = ours(&item.resource);
        if item.resource.kind().info().part == crate::kind::Part::Network {
            observed.id = Some(format!("id-{number}"));
        }
        seen.insert(item.resource.key(), observed);
    }
    let ids: BTreeMap<Key, String> =
        seen.iter().filter_map(|(key, observed)| Some((key.clone(), observed.id.clone()?))).collect();
    for observed in seen.values_mut() {
        let Some(resource) = &mut observed.resource else { continue };
        resource.resolve(&mut |reference| {
            reference.resolve(|key| ids.get(key).cloned());
            reference.key = None;
        });
    }
    link(&mut seen);
    seen
}

#[test]
fn endpoints_follow_from_what_the_platform_uses() {
    let desired = wanted(json!({}));
    let endpoints = endpoints(&desired);
    assert_eq!(endpoints.keys().copied().collect::<Vec<_>>(), ["bedrock-runtime", "s3", "sagemaker.runtime"]);
    assert_eq!(endpoints["s3"].endpoint_type, EndpointType::Gateway);
    assert_eq!(endpoints["s3"].route_table_ids, ["rtb-0a".to_string()].into());
    assert!(endpoints["bedrock-runtime"].private_dns);
    let irsa = json!({"irsa": {"oidcProviderArn":
        "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC"}});
    let mut with_identity = spec(json!({"endpoints": {"additional": [{"service": "kms"}, {"service": "s3"}]}}));
    with_identity["identity"] = irsa;
    let platform = validate(&object(with_identity)).unwrap();
    let names: Vec<String> = platform.network.unwrap().endpoints.into_keys().collect();
    assert_eq!(names, ["bedrock-runtime", "kms", "s3", "s3-interface", "sagemaker.runtime", "sts"]);
    let by_hand = wanted(json!({"endpoints": {"auto": false, "additional": [{"service": "s3", "type": "Gateway"}]}}));
    assert_eq!(self::endpoints(&by_hand).len(), 1);
}

#[test]
fn what_a_spec_says_of_endpoints_is_checked_all_at_once() {
    let bad = json!({"routeTableIds": [], "allowFrom": {"cidrs": ["10.0.0.0"]}, "vpcId": "vpc", "endpoints": {
        "policy": {"kms": "Full", "s3": "Scoped"}, "additional": [{"service": "sts"}]}});
    let problems: Vec<String> = validate(&object(spec(bad))).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "spec.network.endpoints.policy.kms: there is no endpoint for \"kms\": there are endpoints for \
             bedrock-runtime, s3, sagemaker.runtime, sts",
            "spec.network.routeTableIds: is empty, and spec.models[1], spec.storage.buckets[0] wants a gateway endpoint \
             for s3: name the route tables of the subnets",
            "spec.network.allowFrom.cidrs[0]: \"10.0.0.0\" is not a CIDR block, such as 10.0.0.0/16",
            "spec.network.vpcId: \"vpc\" is not an id of EC2, such as vpc-0a1b2c3d",
        ]
    );
}

#[test]
fn ids_are_known_after_apply_and_the_group_comes_first() {
    let desired = desire(&platform(json!({})), CLUSTER);
    let plan = planned(&desired, &Observations::new());
    let endpoint = step(&plan, Kind::VpcEndpoint, "bedrock-runtime");
    let shown = serde_json::to_value(&endpoint.desired).unwrap();
    assert_eq!(shown["securityGroupIds"], json!([KNOWN_AFTER_APPLY]));
    assert!(endpoint.needs.iter().any(|need| need.kind == Kind::SecurityGroup), "{:?}", endpoint.needs);
    let group = step(&plan, Kind::SecurityGroup, "-endpoints-");
    assert!(group.needs.iter().any(|need| need.name.contains("-models-")), "its rule names the models' group");
    let model = step(&plan, Kind::SageMakerModel, "rank");
    assert!(model.needs.iter().any(|need| need.name.contains("-models-")));
}

#[test]
fn the_name_of_a_revision_does_not_depend_on_whether_an_id_is_known() {
    let name = |desired: &[Desired]| {
        let of_model = |item: &&Desired| item.resource.kind() == Kind::SageMakerModel;
        desired.iter().find(of_model).map(|item| item.resource.name())
    };
    let desired = wanted(json!({}));
    let resolved = crate::resource::reference::resolved(desired.clone(), &everything(&desired));
    assert_eq!(name(&desired), name(&resolved));
    assert_eq!(name(&desired), name(&desire(&platform(json!({})), CLUSTER)));
    let other = wanted(json!({"modelSecurityGroupIds": ["sg-0c"]}));
    assert_ne!(name(&desired), name(&other), "another group is another revision");
}

#[test]
fn what_is_as_desired_is_kept() {
    let desired = wanted(json!({}));
    let plan = planned(&desired, &everything(&desired));
    let open: Vec<&Step> = plan.steps.iter().filter(|step| !matches!(step.action, Action::Keep)).collect();
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn a_field_waits_for_what_it_needs_and_the_others_do_not() {
    let desired = wanted(json!({}));
    let mut seen = everything(&desired);
    let group = desired.iter().find(|item| item.resource.name().contains("-endpoints-")).unwrap().resource.key();
    let denied = crate::testing::failure(crate::failure::Class::Denied);
    seen.insert(group, Observed::unreadable(denied));
    let key = VpcEndpoint::key_of("bedrock-runtime");
    let Some(Resource::VpcEndpoint(endpoint)) = seen.get_mut(&key).and_then(|it| it.resource.as_mut()) else {
        panic!()
    };
    endpoint.private_dns = false;
    endpoint.security_group_ids.clear();
    let plan = planned(&desired, &seen);
    let Action::Update(changes) = &step(&plan, Kind::VpcEndpoint, "bedrock-runtime").action else {
        panic!("{:?}", step(&plan, Kind::VpcEndpoint, "bedrock-runtime").action)
    };
    let fields: Vec<&str> = changes.iter().map(crate::diff::Change::field).collect();
    assert_eq!(fields, ["privateDns"], "the group of endpoints is not known, and the rest does not wait for it");
    let mut seen = everything(&desired);
    let Some(Resource::VpcEndpoint(endpoint)) = seen.get_mut(&key).and_then(|it| it.resource.as_mut()) else {
        panic!()
    };
    endpoint.security_group_ids.clear();
    let plan = planned(&desired, &seen);
    assert!(matches!(step(&plan, Kind::VpcEndpoint, "bedrock-runtime").action, Action::Update(_)));
}

#[test]
fn endpoints_go_before_their_groups_and_the_group_whose_rule_names_another_before_that() {
    let desired = wanted(json!({}));
    let seen = everything(&desired);
    let intent = Intent::delete(Full, crate::api::DeletionPolicy::Delete, &desired);
    let plan = plan("support", "assistant", &[], &seen, &intent);
    let place = |kind: Kind, name: &str| {
        plan.steps.iter().position(|step| step.key.kind == kind && step.key.name.contains(name)).unwrap()
    };
    let (endpoints, models) = (place(Kind::SecurityGroup, "-endpoints-"), place(Kind::SecurityGroup, "-models-"));
    assert!(place(Kind::VpcEndpoint, "bedrock-runtime") < endpoints);
    assert!(endpoints < models);
    assert!(place(Kind::SageMakerModel, "rank") < models);
    assert!(plan.steps[endpoints].needs.iter().any(|need| need.kind == Kind::VpcEndpoint));
}

#[test]
fn an_endpoint_allows_what_is_attained_and_nothing_where_nothing_is() {
    let desired = wanted(json!({}));
    let plan = planned(&desired, &everything(&desired));
    let policy = |plan: &Plan, name: &str| match &step(plan, Kind::VpcEndpoint, name).desired {
        Some(Resource::VpcEndpoint(endpoint)) => endpoint.document().unwrap(),
        other => panic!("{other:?}"),
    };
    let text = policy(&plan, "sagemaker.runtime").to_string();
    assert!(text.contains("sagemaker:InvokeEndpoint") && text.contains("aws:PrincipalAccount"), "{text}");
    assert!(policy(&plan, "s3").to_string().contains("\"Action\":\"*\""), "Full by default");
    let mut seen = everything(&desired);
    let foreign = |key: &Key| key.kind == Kind::SageMakerEndpoint;
    for (_, observed) in seen.iter_mut().filter(|(key, _)| foreign(key)) {
        observed.owner = Owner::Theirs("another/one".into());
    }
    let plan = planned(&desired, &seen);
    let text = policy(&plan, "sagemaker.runtime").to_string();
    assert!(text.contains("\"Effect\":\"Deny\"") && !text.contains("InvokeEndpoint"), "{text}");
}

#[test]
fn a_scoped_policy_of_s3_lets_images_be_pulled() {
    let desired = wanted(json!({"endpoints": {"policy": {"s3": "Scoped"}}}));
    let endpoints = endpoints(&desired);
    let policy = &endpoints["s3"].policies.as_ref().unwrap()[POLICY];
    let text = policy.as_written().to_string();
    assert!(text.contains("prod-eu-west-1-starport-layer-bucket/*"), "{text}");
    assert!(text.contains("support-assistant-artifacts"), "{text}");
}

#[test]
fn a_policy_for_the_account_lets_pass_who_has_no_account_to_show() {
    let irsa = json!({"irsa": {"oidcProviderArn":
        "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC"}});
    let mut spec = spec(json!({"endpoints": {"policy": {"s3": "Account", "sts": "Account"}}}));
    spec["identity"] = irsa;
    let desired = desire(&validate(&object(spec)).unwrap(), CLUSTER);
    let endpoints = endpoints(&desired);
    let statements = |name: &str| endpoints[name].document().unwrap()["Statement"].clone();
    let [of_account, federated] = statements("sts").as_array().unwrap().clone().try_into().unwrap();
    assert_eq!(of_account["Condition"], json!({"StringEquals": {"aws:PrincipalAccount": "123456789012"}}));
    assert_eq!(
        federated,
        json!({
            "Sid": "FederatedCallers",
            "Effect": "Allow",
            "Principal": "*",
            "Action": ["sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity"],
            "Resource": "arn:aws:iam::123456789012:role/*",
        }),
        "roles of the account and of no other"
    );
    let [_, layers] = statements("s3").as_array().unwrap().clone().try_into().unwrap();
    assert_eq!(layers["Resource"], "arn:aws:s3:::prod-eu-west-1-starport-layer-bucket/*");
    assert_eq!(layers["Action"], "s3:GetObject");
    assert!(layers.get("Condition").is_none(), "whoever pulls an image comes with a link of Amazon ECR's");
}

#[test]
fn a_policy_for_a_service_that_takes_none_is_refused_where_it_is_declared_and_told_where_it_is_the_default() {
    let mut facts = facts();
    facts.services[0].takes_policies = false;
    let declared = |policy: &str| platform(json!({"endpoints": {"policy": {"bedrock-runtime": policy}}}));
    let problems = unmet(&declared("Account"), &facts);
    let problems: Vec<String> = problems.iter().map(|it| format!("{} {}", it.reason, it.problem)).collect();
    assert_eq!(
        problems,
        [
            "Unavailable spec.network.endpoints.policy.bedrock-runtime: is Account, and endpoints for bedrock-runtime take \
          no policy in eu-west-1: everything passes, so that Full is what can be declared"
        ]
    );
    assert!(unmet(&declared("Full"), &facts).is_empty());
    let by_default = platform(json!({}));
    assert!(unmet(&by_default, &facts).is_empty());
    let desired = desire_with(&by_default, CLUSTER, &answers(&by_default, &facts));
    let remarks = |name: &str| {
        let item = desired.iter().find(|item| item.resource.key() == VpcEndpoint::key_of(name)).unwrap();
        item.remarks.clone()
    };
    assert_eq!(
        remarks("bedrock-runtime"),
        ["endpoints for this service take no policy: everything passes, in place of Scoped"]
    );
    assert!(remarks("s3").is_empty() && remarks("sagemaker.runtime").is_empty());
}

#[test]
fn a_policy_of_a_shared_network_is_for_what_is_there_or_can_be_borrowed() {
    let problems = |policy: Value, network: Value| -> Vec<String> {
        let mut network = network;
        network["endpoints"] = json!({"auto": false, "policy": policy});
        let checked = validate(&object(spec(network)));
        checked.err().unwrap_or_default().iter().map(ToString::to_string).collect()
    };
    let shared = json!({"shareWith": {"namespaces": ["search"]}});
    assert!(problems(json!({"sts": "Account", "s3": "Scoped", "ecr.api": "Account"}), shared.clone()).is_empty());
    assert_eq!(
        problems(json!({"kms": "Account"}), shared),
        ["spec.network.endpoints.policy.kms: there is no endpoint for \"kms\": there are endpoints for \
          bedrock-runtime, ecr.api, ecr.dkr, s3, sagemaker.runtime, sts"]
    );
    assert_eq!(
        problems(json!({"kms": "Account"}), json!({})),
        [
            "spec.network.endpoints.policy.kms: there is no endpoint for \"kms\": take the policy out, or name the service in \
          spec.network.endpoints.additional"
        ]
    );
}

#[test]
fn an_additional_endpoint_that_would_be_taken_for_another_is_refused() {
    let problems = |additional: Value| -> Vec<String> {
        let checked = validate(&object(spec(json!({"endpoints": {"additional": additional}}))));
        checked.err().unwrap_or_default().iter().map(ToString::to_string).collect()
    };
    let fine = json!([{"service": "s3"}, {"service": "dynamodb", "type": "Gateway"}, {"service": "kms"}]);
    assert!(problems(fine).is_empty());
    assert_eq!(
        problems(json!([
            {"service": "sagemaker.runtime", "type": "Gateway"},
            {"service": "kms"},
            {"service": "kms"},
            {"service": "s3-interface"},
            {"service": "com.amazonaws.eu-west-1.ecr.api"},
        ])),
        [
            "spec.network.endpoints.additional[0].type: Gateway is for s3, dynamodb, s3express, which \"sagemaker.runtime\" \
             is not one of: leave type out",
            "spec.network.endpoints.additional[2]: \"kms\" stands there twice",
            "spec.network.endpoints.additional[3].service: \"s3-interface\" is what the endpoint is called: the service is s3",
            "spec.network.endpoints.additional[4].service: \"com.amazonaws.eu-west-1.ecr.api\" is the full name of a \
             service, of which the end is expected: ecr.api",
        ]
    );
}

#[test]
fn a_policy_that_ec2_would_refuse_for_its_length_is_refused_before_anything_is_looked_up() {
    let mut long = spec(json!({}));
    let model = |number: usize| {
        let id = format!("anthropic.claude-haiku-4-5-20251001-v{number}:0");
        let regions = ["eu-west-1", "eu-central-1", "eu-north-1", "eu-west-3", "eu-south-1"];
        json!({"name": format!("fast-{number}"), "bedrock": {
            "modelId": id, "inferenceProfileId": format!("eu.{id}"), "destinationRegions": regions}})
    };
    long["models"] = (0..32).map(model).collect();
    let problems: Vec<String> = validate(&object(long.clone())).unwrap_err().iter().map(ToString::to_string).collect();
    assert!(
        problems[0].contains("spec.network.endpoints.policy: the policy for bedrock-runtime takes"),
        "{problems:?}"
    );
    long["network"]["endpoints"] = json!({"policy": {"bedrock-runtime": "Account"}});
    assert!(validate(&object(long)).is_ok());
}

#[test]
fn peers_of_a_group_that_is_not_made_are_refused() {
    let both = json!({"securityGroupIds": ["sg-0c"], "allowFrom": {"cidrs": ["10.0.0.0/16"]}});
    let problems: Vec<String> = validate(&object(spec(both))).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "spec.network.allowFrom: is for the security group that is made where securityGroupIds is empty, and that names \
          sg-0c: leave one of them out"
        ]
    );
}

pub(super) fn other(endpoint_type: EndpointType) -> OtherEndpoint {
    OtherEndpoint {
        id: "vpce-0f".into(),
        endpoint_type,
        vpc_id: VPC.into(),
        private_dns: endpoint_type == EndpointType::Interface,
        route_table_ids: BTreeSet::from(["rtb-0a".to_string()]),
        dns_names: Vec::new(),
        is_available: true,
        owner: Owner::Nobody,
    }
}

pub(super) fn with_others(desired: &[Desired], name: &str, others: Vec<OtherEndpoint>) -> Observations {
    let mut seen = everything(desired);
    let facts = EndpointFacts { others, ..EndpointFacts::default() };
    let observed = Observed { facts: Some(VpcEndpoint::boxed_facts(facts)), ..Observed::absent() };
    seen.insert(VpcEndpoint::key_of(name), observed);
    seen
}

#[test]
fn an_endpoint_of_somebody_else_is_refused_adopted_or_lived_with() {
    let conflict = |on_conflict: &str, name: &str, endpoint_type: EndpointType| {
        let desired = wanted(json!({"endpoints": {"onConflict": on_conflict}}));
        let seen = with_others(&desired, name, vec![other(endpoint_type)]);
        let plan = planned(&desired, &seen);
        step(&plan, Kind::VpcEndpoint, name).clone()
    };
    let refused = conflict("Fail", "bedrock-runtime", EndpointType::Interface);
    let Action::Refuse(refusal) = &refused.action else { panic!("{:?}", refused.action) };
    assert_eq!(refusal.reason, "Conflict");
    assert_eq!(
        refusal.message,
        "vpce-0f, which no platform owns, has the private DNS name of com.amazonaws.eu-west-1.bedrock-runtime in \
         vpc-0a1b: set spec.network.endpoints.onConflict to Adopt to use it, or WithoutPrivateDns for one with DNS names \
         of its own, or delete it"
    );
    let adopted = conflict("Adopt", "bedrock-runtime", EndpointType::Interface);
    assert_eq!((&adopted.action, adopted.id.as_deref()), (&Action::Keep, Some("vpce-0f")));
    let beside = conflict("WithoutPrivateDns", "bedrock-runtime", EndpointType::Interface);
    let Some(Resource::VpcEndpoint(endpoint)) = &beside.desired else { panic!() };
    assert!(beside.action == Action::Create && !endpoint.private_dns);
    let gateway = conflict("WithoutPrivateDns", "s3", EndpointType::Gateway);
    assert!(matches!(gateway.action, Action::Refuse(_)), "a gateway has no other way");
    let desired = wanted(json!({}));
    let elsewhere = OtherEndpoint { vpc_id: "vpc-0f".into(), ..other(EndpointType::Interface) };
    let plan = planned(&desired, &with_others(&desired, "bedrock-runtime", vec![elsewhere]));
    assert_eq!(step(&plan, Kind::VpcEndpoint, "bedrock-runtime").action, Action::Create);
}

#[test]
fn an_adopted_endpoint_that_is_not_available_is_waited_for() {
    let desired = wanted(json!({"endpoints": {"onConflict": "Adopt"}}));
    let pending = OtherEndpoint { is_available: false, ..other(EndpointType::Interface) };
    let plan = planned(&desired, &with_others(&desired, "bedrock-runtime", vec![pending]));
    assert!(matches!(step(&plan, Kind::VpcEndpoint, "bedrock-runtime").action, Action::Wait(_)));
}

#[test]
fn an_endpoint_in_a_transition_or_failed_is_no_success() {
    let desired = wanted(json!({}));
    for (state, is_wait) in [
        (ObservedState::Progressing("pending".into()), true),
        (ObservedState::Failed("failed: InsufficientFreeAddressesInSubnet".into()), false),
    ] {
        let mut seen = everything(&desired);
        seen.get_mut(&VpcEndpoint::key_of("s3")).unwrap().state = state;
        let plan = planned(&desired, &seen);
        match &step(&plan, Kind::VpcEndpoint, "s3").action {
            Action::Wait(_) => assert!(is_wait),
            Action::Refuse(refusal) => assert!(!is_wait && refusal.message.contains("Insufficient")),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn preconditions_are_reported_all_at_once_with_their_reasons() {
    let unmet = |facts: &NetworkFacts| -> Vec<String> {
        let unmet = unmet(&platform(json!({"modelSecurityGroupIds": ["sg-0c"]})), facts);
        unmet.iter().map(|unmet| format!("{} {}", unmet.reason, unmet.problem)).collect()
    };
    let good = NetworkFacts { security_groups: [("sg-0c".to_string(), VPC.to_string())].into(), ..facts() };
    assert!(unmet(&good).is_empty());
    let mut bad = facts();
    bad.vpc.as_mut().unwrap().dns_hostnames = false;
    bad.subnets.get_mut("subnet-0b").unwrap().vpc_id = "vpc-0f".into();
    bad.subnets.get_mut("subnet-0b").unwrap().zone = "eu-west-1a".into();
    bad.route_tables.clear();
    bad.services.retain(|service| !service.name.ends_with("bedrock-runtime"));
    assert_eq!(
        unmet(&bad),
        [
            "Prerequisite spec.network.vpcId: vpc-0a1b has enableDnsHostnames off, and private DNS of endpoints needs it: \
             aws ec2 modify-vpc-attribute --vpc-id vpc-0a1b --enable-dns-hostnames",
            "Prerequisite spec.network.subnetIds[1]: subnet-0b is in vpc-0f: name a subnet of vpc-0a1b",
            "Prerequisite spec.network.subnetIds[1]: subnet-0b is in eu-west-1a, as subnet-0a is: an endpoint takes one \
             subnet of a zone",
            "Prerequisite spec.network.subnetIds: are all in eu-west-1a, and SageMaker wants subnets of two zones: add one",
            "Prerequisite spec.network.routeTableIds[0]: there is no route table rtb-0a in eu-west-1: name one that exists",
            "Prerequisite spec.network.modelSecurityGroupIds[0]: there is no security group sg-0c in eu-west-1: name one \
             that exists",
            "Unavailable spec.models[0]: wants a VPC endpoint of type Interface for bedrock-runtime, which eu-west-1 does \
             not have: take it out, or set spec.network.endpoints.auto to false and name the endpoints",
        ]
    );
    let mut without_zone = good;
    without_zone.services[0].zones.remove("eu-west-1b");
    assert_eq!(
        unmet(&without_zone),
        ["Unavailable spec.network.subnetIds[1]: subnet-0b is in eu-west-1b, where there are no endpoints for \
          bedrock-runtime: take a subnet of another zone"]
    );
    assert_eq!(
        unmet(&NetworkFacts::default())[0].split(": ").nth(1),
        Some("vpc-0a1b does not exist in eu-west-1 of account 123456789012")
    );
}

#[test]
fn a_region_with_names_of_its_own_is_understood() {
    let mut facts = facts();
    for service in &mut facts.services {
        service.name = format!("cn.{}", service.name);
    }
    let platform = platform(json!({}));
    assert!(unmet(&platform, &facts).is_empty());
    let desired = desire_with(&platform, CLUSTER, &answers(&platform, &facts));
    assert_eq!(endpoints(&desired)["s3"].service_name, "cn.com.amazonaws.eu-west-1.s3");
}

#[test]
fn the_names_of_an_endpoint_without_private_dns_are_where_applications_look() {
    let desired = wanted(json!({"endpoints": {"onConflict": "WithoutPrivateDns"}}));
    let mut seen = with_others(&desired, "bedrock-runtime", vec![other(EndpointType::Interface)]);
    let ours = EndpointFacts {
        dns_names: vec!["vpce-0a-x.bedrock-runtime.eu-west-1.vpce.amazonaws.com".into()],
        others: vec![other(EndpointType::Interface)],
        has_failed: false,
    };
    let observed = seen.get_mut(&VpcEndpoint::key_of("bedrock-runtime")).unwrap();
    observed.facts = Some(VpcEndpoint::boxed_facts(ours));
    let plan = planned(&desired, &seen);
    let map = plan.steps.iter().find(|step| step.key.kind == Kind::ConfigMap).unwrap();
    let Some(Resource::ConfigMap(map)) = &map.desired else { panic!() };
    assert_eq!(
        map.data["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"],
        "https://vpce-0a-x.bedrock-runtime.eu-west-1.vpce.amazonaws.com"
    );
    let with_private_dns = planned(&wanted(json!({})), &everything(&wanted(json!({}))));
    let map = with_private_dns.steps.iter().find(|step| step.key.kind == Kind::ConfigMap).unwrap();
    let Some(Resource::ConfigMap(map)) = &map.desired else { panic!() };
    assert!(!map.data.keys().any(|key| key.starts_with("AWS_")), "the private name leads there");
}
