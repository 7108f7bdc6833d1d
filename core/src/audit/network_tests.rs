use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::tests::{example, page};
use super::text::Text;
use super::*;
use crate::desire::desire;
use crate::features::network::VpcEndpoint;
use crate::features::network::sharing::{Borrower, in_network};
use crate::features::network::vpc_endpoint::{EndpointFacts, EndpointType, OtherEndpoint};
use crate::kind::Listed;
use crate::plan::{Intent, Plan, plan};
use crate::platform::validate;
use crate::resource::{Key, Kind, Observations, Observed, Owner};
use crate::testing::{CLUSTER, object};

/// A platform in the network of another one.
pub(super) fn borrowing() -> Audit {
    let spec = json!({
        "network": {"from": {"namespace": "platform", "name": "shared"}},
        "models": [{"name": "fast", "bedrock": {"modelId": "anthropic.claude-haiku-4-5-20251001-v1:0"}}],
    });
    let mut object = object(spec);
    object.metadata.namespace = Some("search".into());
    audit(&validate(&object).expect("valid"), &Bounds::default())
}

fn text(audit: &Audit) -> String {
    Text { audit, colour: false }.to_string()
}

/// The plan for a platform of which everything is there as declared, but for what `change` makes of it.
fn live(platform: &Platform, change: impl Fn(&Key, &mut Observed)) -> Plan {
    let desired = desire(platform, CLUSTER);
    let observations: Observations = desired
        .iter()
        .map(|item| {
            let mut observed = Observed::present(item.resource.clone(), Owner::Ours);
            change(&item.resource.key(), &mut observed);
            (item.resource.key(), observed)
        })
        .collect();
    plan(&platform.namespace, &platform.name, &desired, &observations, &Intent::default())
}

fn allowed(audit: &Audit, endpoint: &str) -> Vec<String> {
    let found = audit.endpoint_policies.iter().find(|policy| policy.name == endpoint);
    found.expect("an endpoint").statements.iter().map(|statement| statement.sid.clone()).collect()
}

fn rules(audit: &Audit) -> Vec<(&str, &str, &str)> {
    let network = ["endpoint-of-others", "subnet-public"];
    let findings = audit.findings.iter().filter(|finding| network.contains(&finding.rule));
    findings.map(|finding| (finding.rule, finding.subject.as_str(), finding.message.as_str())).collect()
}

#[test]
fn an_audit_of_a_network_reads_well() {
    let text = text(&example("private.yaml"));
    let (_, network) = text.split_once("\n  Paths to models\n").expect("paths");
    let (paths, rest) = network.split_once("\n  Consumer").expect("consumers");
    let (_, endpoints) = rest.split_once("\n  VPC endpoint").expect("endpoints");
    insta::assert_snapshot!(format!("Paths to models\n{paths}\n  VPC endpoint{endpoints}"));
}

#[test]
fn endpoint_policies_are_what_is_written_to_aws() {
    let audit = example("private.yaml");
    let written = serde_json::to_value(&audit).expect("JSON");
    let policies = written["endpointPolicies"].as_array().expect("policies");
    let desired = desire(&audit.platform, CLUSTER);
    let endpoints: Vec<&VpcEndpoint> = desired.iter().filter_map(|item| VpcEndpoint::of(&item.resource)).collect();
    assert_eq!(policies.len(), endpoints.len());
    for endpoint in endpoints {
        let policy = policies.iter().find(|policy| policy["endpoint"] == endpoint.name.as_str()).expect("it is there");
        assert_eq!(Some(&policy["document"]), endpoint.document().as_ref(), "{}", endpoint.name);
    }
    let services: Vec<&Value> = policies.iter().map(|policy| &policy["service"]).collect();
    assert_eq!(services, ["bedrock-runtime", "kms", "s3", "sagemaker.runtime", "sts"]);
}

#[test]
fn an_endpoint_that_allows_nothing_says_so() {
    let spec = json!({
        "network": {"vpcId": "vpc-0a", "subnetIds": ["subnet-0a"], "routeTableIds": ["rtb-0a"],
            "endpoints": {"additional": [{"service": "bedrock-runtime"}]}},
    });
    let platform = validate(&object(spec)).expect("valid");
    let audit = audit(&platform, &Bounds::default());
    assert_eq!(allowed(&audit, "bedrock-runtime"), ["NothingYet"]);
    let written = serde_json::to_value(&audit).expect("JSON");
    let desired = desire(&platform, CLUSTER);
    let endpoint = desired.iter().find_map(|item| VpcEndpoint::of(&item.resource)).expect("an endpoint");
    assert_eq!(Some(&written["endpointPolicies"][0]["document"]), endpoint.document().as_ref());
}

#[test]
fn a_borrowed_network_says_whose_it_is() {
    let audit = borrowing();
    assert!(audit.endpoint_policies.is_empty(), "they are in the owner's audit");
    let line = "VPC endpoint bedrock-runtime of AIPlatform platform/shared, policy in the audit of platform/shared";
    assert!(text(&audit).contains(line), "{}", text(&audit));
    assert!(page(&[audit]).contains("VPC endpoint bedrock-runtime of AIPlatform platform/shared"));
}

#[test]
fn a_model_without_an_endpoint_is_called_over_the_public_one_alone() {
    let audit = example("assistant.yaml");
    assert!(audit.paths().iter().all(|path| path.endpoint.is_none()));
    assert!(text(&audit).contains("    rank (sagemaker.runtime)\n      over   the service's public endpoint"));
    let embed = audit.paths().into_iter().find(|path| path.model == "embed").expect("it is there");
    assert_eq!(embed.consumers, ["indexer"]);
}

#[test]
fn what_borrowers_may_call_is_part_of_the_owners_audit_with_their_names() {
    let platform = example("private.yaml").platform;
    let borrower = Borrower { platform: borrowing().platform, attained: BTreeSet::new() };
    let mut network = platform.network.clone().expect("a network");
    network.borrowers = vec![borrower];
    let audit = audit(&in_network(platform, network).expect("the roles fit"), &Bounds::default());
    let text = text(&audit);
    let reason = "model fast may be called through the endpoint (AIPlatform search/assistant borrows the network)";
    assert!(text.contains(reason), "{text}");
    assert!(text.contains("from   AIPlatform search/assistant spec.models[0]"), "{text}");
}

#[test]
fn live_shows_what_an_endpoint_allows_of_what_is_there() {
    let platform = example("private.yaml").platform;
    let plan = live(&platform, |key, observed| {
        if key.kind == Kind::SageMakerEndpoint {
            observed.owner = Owner::Theirs("c/other/p".into());
        }
    });
    assert_eq!(allowed(&example("private.yaml"), "sagemaker.runtime"), ["InvokeTriage"]);
    let audit = example("private.yaml").compared_with(&plan);
    assert_eq!(allowed(&audit, "sagemaker.runtime"), ["NothingYet"]);
    assert_eq!(
        allowed(&audit, "bedrock-runtime"),
        ["InvokeDraft", "RequireGuardrailForDraft", "ApplyGuardrailForDraft"]
    );
}

#[test]
fn an_adopted_endpoint_is_reported_and_its_policy_is_not_claimed() {
    let mut platform = example("private.yaml").platform;
    platform.network.as_mut().expect("a network").on_conflict = crate::api::network::OnConflict::Adopt;
    let plan = live(&platform, |key, observed| {
        if *key == VpcEndpoint::key_of("bedrock-runtime") {
            let other = OtherEndpoint {
                id: "vpce-0f".into(),
                endpoint_type: EndpointType::Interface,
                vpc_id: "vpc-0a1b2c3d4e5f60718".into(),
                private_dns: true,
                route_table_ids: BTreeSet::new(),
                dns_names: Vec::new(),
                is_available: true,
                owner: Owner::Nobody,
            };
            let facts = EndpointFacts { dns_names: Vec::new(), others: vec![other], ..EndpointFacts::default() };
            *observed = Observed { facts: Some(VpcEndpoint::boxed_facts(facts)), ..Observed::absent() };
        }
    });
    let audit = audit(&platform, &Bounds::default()).compared_with(&plan);
    assert!(!audit.endpoint_policies.iter().any(|policy| policy.name == "bedrock-runtime"));
    assert_eq!(
        rules(&audit),
        [(
            "endpoint-of-others",
            "VPC endpoint bedrock-runtime",
            "vpce-0f is used as it is: read its policy and its security groups too"
        )]
    );
    assert!(text(&audit).contains("VPC endpoint bedrock-runtime of somebody else, policy of its owner"));
    let page = page(&[audit]);
    assert!(!page.contains("href=\"#claims/private/vpc/endpoint/bedrock-runtime\""), "{page}");
}

#[test]
fn a_subnet_that_leads_to_the_internet_is_reported() {
    let public: BTreeSet<String> = ["subnet-0a1b2c3d4e5f60712".to_string(), "subnet-0f".to_string()].into();
    let audit = example("private.yaml").with_public_subnets(&public);
    assert_eq!(
        rules(&audit),
        [(
            "subnet-public",
            "spec.network.subnetIds[1]",
            "subnet-0a1b2c3d4e5f60712 has a route to an internet gateway: take a private subnet"
        )]
    );
    assert_eq!(rules(&example("private.yaml").with_public_subnets(&BTreeSet::new())), []);
}
