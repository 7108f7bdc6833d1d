#![expect(clippy::needless_pass_by_value, reason = "json!({...}) reads better without a reference")]

use serde_json::{Value, json};

use super::sharing::{borrowers, formerly_borrowed, lookup_of_borrowers, outline, still_borrowing};
use super::tests::{VPC, facts};
use super::vpc_endpoint::VpcEndpoint;
use crate::api::AIPlatform;
use crate::kind::Listed;
use crate::lookup::{Answer, Answers, Caller, Informed, Lookup, informed, lookups};
use crate::plan::{Action, Intent, Plan, check, plan};
use crate::platform::{Platform, validate};
use crate::resource::{Kind, Observations, Resource};
use crate::testing::{CLUSTER, object};

fn named(namespace: &str, name: &str, spec: Value) -> AIPlatform {
    let mut object = object(spec);
    object.metadata.namespace = Some(namespace.into());
    object.metadata.name = Some(name.into());
    object
}

/// The owner of a network: it has no models of its own.
fn owner(network: Value) -> AIPlatform {
    let mut spec = json!({"network": {"vpcId": VPC, "subnetIds": ["subnet-0a", "subnet-0b"], "routeTableIds": ["rtb-0a"],
        "shareWith": {"namespaces": ["search"]}}});
    for (field, value) in network.as_object().cloned().unwrap_or_default() {
        spec["network"][field] = value;
    }
    named("platform", "shared", spec)
}

fn borrower(namespace: &str, status: Value) -> AIPlatform {
    let mut object = named(
        namespace,
        "assistant",
        json!({
            "network": {"from": {"namespace": "platform", "name": "shared"}},
            "models": [
                {"name": "fast", "bedrock": {"modelId": "anthropic.claude-haiku-4-5-20251001-v1:0"}},
                {"name": "rank", "sagemaker": {
                    "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:1",
                    "instance": {"type": "ml.g5.xlarge"},
                }},
            ],
        }),
    );
    object.status = serde_json::from_value(status).unwrap();
    object
}

/// A status as a pass leaves it, with these resources.
fn status(reason: &str, resources: &Value) -> Value {
    let condition = json!({"type": "Ready", "status": "Unknown", "reason": reason, "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z"});
    json!({"conditions": [condition], "resources": resources})
}

fn answers(platform: &Platform, owner: Option<&AIPlatform>, borrowers: &[AIPlatform]) -> Answers {
    let answer = |lookup: Lookup| {
        let answer = match lookup {
            Lookup::Network(_) => Answer::Network(facts()),
            Lookup::Owner(_) => Answer::Owner(owner.cloned().map(Box::new)),
            Lookup::Borrowers { .. } => Answer::Borrowers(borrowers.to_vec()),
            Lookup::Caller => Answer::Caller(Caller { arn: "arn:aws:iam::123456789012:user/operator".into() }),
            Lookup::Api(_) => Answer::Api(true),
        };
        Ok(answer)
    };
    lookups(platform).into_iter().map(|lookup| (lookup.clone(), answer(lookup))).collect()
}

fn of_owner(borrowers: &[AIPlatform]) -> Vec<VpcEndpoint> {
    let platform = validate(&owner(json!({}))).unwrap();
    let informed = informed(platform.clone(), CLUSTER, &answers(&platform, None, borrowers)).unwrap();
    informed.desired.iter().filter_map(|item| VpcEndpoint::of(&item.resource)).cloned().collect()
}

fn of_borrower(owner: Option<&AIPlatform>) -> Result<Informed, Vec<String>> {
    let platform = validate(&borrower("search", Value::Null)).unwrap();
    informed(platform.clone(), CLUSTER, &answers(&platform, owner, &[]))
        .map_err(|unmet| unmet.iter().map(|unmet| format!("{} {}", unmet.reason, unmet.problem)).collect())
}

fn policy(endpoints: &[VpcEndpoint], name: &str) -> String {
    endpoints.iter().find(|endpoint| endpoint.name == name).unwrap().document().unwrap().to_string()
}

#[test]
fn the_owner_makes_what_its_borrowers_use_and_lets_their_attained_models_be_called() {
    assert!(of_owner(&[]).is_empty());
    assert!(of_owner(&[borrower("search", Value::Null)]).is_empty(), "no pass was taken over it yet");
    let accepted = borrower("search", status("Progressing", &json!([])));
    let endpoints = of_owner(std::slice::from_ref(&accepted));
    let names: Vec<&str> = endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
    assert_eq!(names, ["bedrock-runtime", "s3", "sagemaker.runtime"]);
    assert!(policy(&endpoints, "bedrock-runtime").contains("claude-haiku"));
    assert!(policy(&endpoints, "sagemaker.runtime").contains("Deny"), "its endpoint is not there yet");
    let endpoint = crate::desire::sagemaker::endpoint_name(&validate(&accepted).unwrap(), "rank");
    let there = json!([{"kind": "SageMakerEndpoint", "name": endpoint, "state": "Ready"}]);
    let attained = of_owner(&[borrower("search", status("Ready", &there))]);
    assert!(policy(&attained, "sagemaker.runtime").contains(&endpoint));
    let refused = json!([{"kind": "SageMakerEndpoint", "name": endpoint, "state": "Refused"}]);
    let refused = of_owner(&[borrower("search", status("NotOwned", &refused))]);
    assert!(!policy(&refused, "sagemaker.runtime").contains(&endpoint), "it is somebody else's");
}

#[test]
fn nobody_borrows_who_is_not_let_or_not_accepted() {
    let platform = validate(&owner(json!({}))).unwrap();
    let borrowing = |object: AIPlatform| borrowers(&platform, &answers(&platform, None, &[object])).len();
    assert_eq!(borrowing(borrower("search", status("Ready", &json!([])))), 1);
    assert_eq!(borrowing(borrower("platform", status("Ready", &json!([])))), 1, "its own namespace always may");
    assert_eq!(borrowing(borrower("sales", status("Ready", &json!([])))), 0);
    assert_eq!(borrowing(borrower("search", status("NotPermitted", &json!([])))), 0);
    let mut elsewhere = borrower("search", status("Ready", &json!([])));
    elsewhere.spec.region = "eu-west-2".into();
    assert_eq!(borrowing(elsewhere), 0);
}

#[test]
fn a_borrower_is_told_why_it_cannot_borrow() {
    let refused = |owner: Option<&AIPlatform>| of_borrower(owner).unwrap_err().join("\n");
    assert_eq!(
        refused(None),
        "Prerequisite spec.network.from: there is no AIPlatform platform/shared: name one that has a network and shares it"
    );
    assert_eq!(
        refused(Some(&owner(json!({"shareWith": {"namespaces": ["sales"]}})))),
        "NotPermitted spec.network.from: AIPlatform platform/shared does not share its network with namespace search: ask \
         its owners to add it to spec.network.shareWith.namespaces"
    );
    let borrowing = named("platform", "shared", json!({"network": {"from": {"namespace": "a", "name": "b"}}}));
    assert_eq!(
        refused(Some(&borrowing)),
        "Prerequisite spec.network.from: AIPlatform platform/shared borrows its network itself, from a/b: borrow from there"
    );
    assert!(refused(Some(&named("platform", "shared", json!({})))).contains("has no network"));
    let mut elsewhere = owner(json!({}));
    elsewhere.spec.account_id = "210987654321".into();
    assert!(refused(Some(&elsewhere)).contains("in eu-west-1 of account 210987654321"));
    assert!(refused(Some(&owner(json!({"routeTableIds": []})))).contains("has no routeTableIds"));
    let itself = named("platform", "shared", json!({"network": {"from": {"namespace": "platform", "name": "shared"}}}));
    let problems = validate(&itself).unwrap_err();
    assert!(problems[0].to_string().contains("names this platform itself"), "{problems:?}");
}

fn planned(informed: &Informed) -> Plan {
    let (observations, intent): (Observations, Intent) = (informed.borrowed.clone(), Intent::default());
    let plan = plan("search", "assistant", &informed.desired, &observations, &intent);
    assert_eq!(check(&plan, &informed.desired, &[], &observations, &intent), Ok(()));
    plan
}

#[test]
fn a_borrower_waits_for_what_the_owner_has_not_made_and_never_writes_it() {
    let nothing_yet = owner(json!({}));
    let plan = planned(&of_borrower(Some(&nothing_yet)).unwrap());
    let of_network = |plan: &Plan| -> Vec<(String, Action)> {
        let network = plan.steps.iter().filter(|step| step.key.name.starts_with("platform/shared/"));
        network.map(|step| (step.key.name.clone(), step.action.clone())).collect()
    };
    for (name, action) in of_network(&plan) {
        assert!(matches!(action, Action::Wait(_)), "{name}: {action:?}");
    }
    let model = plan.steps.iter().find(|step| step.key.kind == Kind::SageMakerModel).unwrap();
    assert!(matches!(&model.action, Action::Blocked(on) if on.len() == 1), "{:?}", model.action);
    let mut ready = owner(json!({}));
    let group = crate::desire::security_group_name(
        &validate(&nothing_yet).unwrap(),
        &crate::api::network::PlatformRef { namespace: "platform".into(), name: "shared".into() },
        crate::desire::MODELS,
    );
    let resource = |kind: &str, name: &str, id: &str| json!({"kind": kind, "name": name, "id": id, "state": "Ready"});
    ready.status = serde_json::from_value(status(
        "Ready",
        &json!([
            resource("SecurityGroup", &group, "sg-0a"),
            resource("VpcEndpoint", "bedrock-runtime", "vpce-0a"),
            resource("VpcEndpoint", "s3", "vpce-0b"),
            resource("VpcEndpoint", "sagemaker.runtime", "vpce-0c"),
        ]),
    ))
    .unwrap();
    let plan = planned(&of_borrower(Some(&ready)).unwrap());
    let network = of_network(&plan);
    assert_eq!(network.len(), 4);
    for (name, action) in network {
        assert_eq!(action, Action::Keep, "{name}");
    }
    let model = plan.steps.iter().find(|step| step.key.kind == Kind::SageMakerModel).unwrap();
    let Some(Resource::SageMakerModel(model)) = &model.desired else { panic!() };
    let vpc = model.content.vpc.as_ref().unwrap();
    assert_eq!(vpc.security_group_ids[0].text(), "sg-0a");
    assert!(vpc.subnet_ids.contains("subnet-0a"));
}

#[test]
fn an_owner_learns_who_still_borrows_whatever_its_spec_says_otherwise() {
    let owner = owner(json!({"routeTableIds": ["nonsense"]}));
    let lookup = lookup_of_borrowers(&owner).unwrap();
    let mut other = borrower("search", Value::Null);
    other.spec.network.as_mut().unwrap().from.as_mut().unwrap().name = "another".into();
    let answers =
        Answers::from([(lookup.clone(), Ok(Answer::Borrowers(vec![borrower("search", Value::Null), other])))]);
    assert_eq!(still_borrowing(&lookup, &answers), ["search/assistant"]);
}

fn endpoint_of_owner(id: &str) -> Value {
    json!({"kind": "VpcEndpoint", "name": "platform/shared/s3", "id": id, "state": "Progressing"})
}

#[test]
fn an_endpoint_stays_as_long_as_the_status_of_anybody_names_it() {
    let bucket = json!({"kind": "Bucket", "name": "ours", "state": "Failed"});
    let relying = json!([endpoint_of_owner("vpce-1"), bucket]);
    let alone = |reason: &str, resources: &Value| {
        let mut object = borrower("search", status(reason, resources));
        object.spec.network = None;
        object
    };
    let elsewhere = |object: &AIPlatform| {
        let mut object = object.clone();
        let from = json!({"from": {"namespace": "a", "name": "b"}});
        object.spec.network = serde_json::from_value(from).unwrap();
        object
    };
    let names = |object: AIPlatform| -> Vec<String> { of_owner(&[object]).into_iter().map(|it| it.name).collect() };
    let former = alone("Progressing", &relying);
    assert_eq!(names(former.clone()), ["s3"]);
    assert_eq!(names(elsewhere(&former)), ["s3"]);
    assert_eq!(names(borrower("search", status("InvalidSpec", &relying))), ["s3"], "nobody can tell what it wants");
    assert_eq!(names(borrower("search", status("NotPermitted", &relying))), ["s3"]);
    assert!(names(alone("Ready", &json!([bucket]))).is_empty(), "it has let go of it");
    let announced = json!([{"kind": "VpcEndpoint", "name": "platform/shared/s3", "state": "Progressing"}]);
    assert!(names(borrower("search", status("AccountMismatch", &announced))).is_empty(), "it never was there");
    let mut abroad = former.clone();
    abroad.spec.region = "eu-west-2".into();
    assert!(names(abroad).is_empty());
    let lookup = lookup_of_borrowers(&owner(json!({}))).unwrap();
    let answers = Answers::from([(lookup.clone(), Ok(Answer::Borrowers(vec![former.clone()])))]);
    assert_eq!(still_borrowing(&lookup, &answers), ["search/assistant"], "and the owner stays, too");
    assert!(outline(&former).is_some(), "the owner follows it");
    assert_ne!(outline(&former), outline(&alone("Ready", &json!([bucket]))));
}

#[test]
fn what_a_former_borrower_has_behind_an_endpoint_goes_on_to_pass_it() {
    let bucket = json!({"kind": "Bucket", "name": "ours", "state": "Ready"});
    let mut former = borrower("search", status("InvalidSpec", &json!([endpoint_of_owner("vpce-1"), bucket])));
    former.spec.models.clear();
    let platform = validate(&owner(json!({"endpoints": {"policy": {"s3": "Scoped"}}}))).unwrap();
    let informed = informed(platform.clone(), CLUSTER, &answers(&platform, None, &[former])).unwrap();
    let endpoints: Vec<VpcEndpoint> =
        informed.desired.iter().filter_map(|item| VpcEndpoint::of(&item.resource)).cloned().collect();
    assert!(policy(&endpoints, "s3").contains("arn:aws:s3:::ours/*"), "{}", policy(&endpoints, "s3"));
}

#[test]
fn a_former_borrower_names_an_endpoint_until_no_bucket_is_behind_it_and_never_writes_it() {
    let mut object = borrower("search", status("Progressing", &json!([endpoint_of_owner("vpce-1")])));
    object.spec.network = None;
    object.spec.models.clear();
    let buckets = json!({"buckets": [{"name": "artifacts", "bucketName": "ours"}]});
    object.spec.storage = serde_json::from_value(buckets).unwrap();
    let platform = validate(&object).unwrap();
    let desired = crate::desire::desire(&platform, CLUSTER);
    let bucket = desired.iter().find(|item| item.resource.kind() == Kind::Bucket).unwrap();
    let key = VpcEndpoint::key_of("platform/shared/s3");
    for (behind, is_named) in [(Some("vpce-1"), true), (Some("vpce-2"), false), (None, false)] {
        let mut observed = crate::testing::ours(&bucket.resource);
        if let (Some(Resource::Bucket(bucket)), Some(id)) = (&mut observed.resource, behind) {
            let denial = crate::grants::vpc_endpoint_only("eu-west-1", "ours", Some(vec![id.into()]), Some(Vec::new()));
            bucket.policy.insert("AipVpcEndpointOnly".into(), denial.to_value());
        }
        let mut observations = Observations::from([(bucket.resource.key(), observed)]);
        observations.extend(formerly_borrowed(object.status.as_ref(), &desired, &observations));
        let plan = plan("search", "assistant", &desired, &observations, &Intent::default());
        assert_eq!(check(&plan, &desired, std::slice::from_ref(&key), &observations, &Intent::default()), Ok(()));
        let step = plan.steps.iter().find(|step| step.key == key);
        let waits = |step: &crate::plan::Step| matches!(&step.action, Action::Wait(why) if why.contains("the policy of Bucket ours may still name it"));
        assert_eq!(step.map(waits), is_named.then_some(true), "{behind:?}: {step:?}");
    }
}

#[test]
fn what_is_borrowed_is_never_written_whatever_was_observed_of_it() {
    let informed = of_borrower(Some(&owner(json!({})))).unwrap();
    let plan = plan("search", "assistant", &informed.desired, &Observations::new(), &Intent::default());
    let borrowed: Vec<&crate::plan::Step> =
        plan.steps.iter().filter(|step| step.key.name.starts_with("platform/shared/")).collect();
    assert_eq!(borrowed.len(), 4);
    assert!(borrowed.iter().all(|step| matches!(step.action, Action::Wait(_))), "{borrowed:?}");
}

#[test]
fn the_outline_changes_with_what_others_go_by_and_with_nothing_else() {
    let before = borrower("search", status("Progressing", &json!([])));
    let mut told = before.clone();
    told.status.as_mut().unwrap().conditions[0].message = "another message".into();
    assert_eq!(outline(&before), outline(&told));
    assert_ne!(outline(&before), outline(&borrower("search", status("NotPermitted", &json!([])))));
    let there = json!([{"kind": "SageMakerEndpoint", "name": "rank", "state": "Ready"}]);
    assert_ne!(outline(&before), outline(&borrower("search", status("Progressing", &there))));
    assert_eq!(outline(&named("a", "b", json!({}))), None);
}

#[test]
fn a_bucket_of_a_borrower_is_reached_through_the_owners_endpoint() {
    let mut object = borrower("search", Value::Null);
    object.spec.models.clear();
    let buckets = json!({"buckets": [{"name": "artifacts", "bucketName": "ours", "vpcEndpointOnly": true}]});
    object.spec.storage = serde_json::from_value(buckets).unwrap();
    let platform = validate(&object).unwrap();
    for (state, expected) in [("Progressing", None), ("Ready", Some(json!("vpce-1")))] {
        let mut owner = owner(json!({}));
        let endpoint = json!([{"kind": "VpcEndpoint", "name": "s3", "id": "vpce-1", "state": state}]);
        owner.status = serde_json::from_value(status(state, &endpoint)).unwrap();
        let Informed { desired, borrowed, .. } =
            informed(platform.clone(), CLUSTER, &answers(&platform, Some(&owner), &[])).unwrap();
        let intent = Intent::keep(crate::api::ManagementPolicy::Full);
        let plan = plan("search", "assistant", &desired, &borrowed, &intent);
        assert_eq!(check(&plan, &desired, &[], &borrowed, &intent), Ok(()));
        let bucket = plan.steps.iter().find(|step| step.key.kind == Kind::Bucket).unwrap();
        let Some(Resource::Bucket(made)) = &bucket.desired else { panic!() };
        let denial = made.policy.get("AipVpcEndpointOnly");
        let ids = denial.map(|denial| denial["Condition"]["StringNotEquals"]["aws:SourceVpce"].clone());
        assert_eq!((ids, bucket.left_out.is_empty()), (expected.clone(), expected.is_some()), "{state}");
        assert!(bucket.remarks[0].contains("only from vpc-0a1b"), "{:?}", bucket.remarks);
    }
}
