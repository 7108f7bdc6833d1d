use serde_json::{Value, json};

use super::*;
use crate::api::DeletionPolicy;
use crate::api::ManagementPolicy::{NoDelete, Observe};
use crate::audit::{Bounds, audit, text::Text};
use crate::failure::Class;
use crate::grants::{OBJECT_ACTIONS, vpc_endpoint_only};
use crate::plan::Purpose;
use crate::plan::attainment::grounds;
use crate::policy::statement_meaning;
use crate::resource::Bucket;
use crate::resource::bucket::{TLS_ONLY, VPC_ENDPOINT_ONLY};
use crate::testing::{bucket_of, failure};

const BUCKET: &str = "ours";
const S3: &str = "s3";

/// A platform whose bucket is reached through its endpoints alone.
fn spec_of(bucket: Value, network: Value) -> Value {
    let mut spec = spec(network);
    spec["models"] = json!([]);
    spec["storage"]["buckets"] = json!([{"name": "artifacts", "bucketName": BUCKET, "vpcEndpointOnly": true}]);
    let Value::Object(fields) = bucket else { panic!("fields of a bucket: {bucket}") };
    for (field, value) in fields {
        spec["storage"]["buckets"][0][field] = value;
    }
    spec
}

fn wanted_with(bucket: Value, network: Value) -> Vec<Desired> {
    let platform = validate(&object(spec_of(bucket, network))).unwrap();
    desire_with(&platform, CLUSTER, &answers(&platform, &facts()))
}

fn both() -> Value {
    json!({"endpoints": {"additional": [{"service": "s3"}]}})
}

fn denial(ids: &[&str]) -> Value {
    let ids = ids.iter().map(ToString::to_string).collect();
    let operator = Caller { arn: OPERATOR.into() }.principals();
    vpc_endpoint_only("eu-west-1", BUCKET, Some(ids), Some(operator)).to_value()
}

/// Everything is there, without the denial: a pass before the endpoints were ready.
fn before(desired: &[Desired]) -> Observations {
    let mut seen = everything(desired);
    bucket_in(&mut seen).pending_policy.clear();
    seen.insert(VpcEndpoint::key_of(S3), endpoint("vpce-1", desired));
    seen
}

fn endpoint(id: &str, desired: &[Desired]) -> Observed {
    let is_it = |item: &&Desired| item.resource.key() == VpcEndpoint::key_of(S3);
    let resource = &desired.iter().find(is_it).unwrap().resource;
    Observed { id: Some(id.into()), ..ours(resource) }
}

/// Everything is there, and the denial names these endpoints.
fn with_denial(desired: &[Desired], ids: &[&str]) -> Observations {
    let mut seen = before(desired);
    bucket_in(&mut seen).policy.insert(VPC_ENDPOINT_ONLY.into(), denial(ids));
    seen
}

fn bucket_in(seen: &mut Observations) -> &mut Bucket {
    bucket_of(seen.get_mut(&Bucket::key_of(BUCKET)).unwrap().resource.as_mut().unwrap())
}

fn bucket_step(plan: &Plan) -> &Step {
    step(plan, Kind::Bucket, BUCKET)
}

/// The ids that the bucket's denial will name after the plan, where there is one.
fn allowed(step: &Step) -> Option<Vec<String>> {
    let Some(Resource::Bucket(bucket)) = &step.desired else { return None };
    let ids =
        &statement_meaning(bucket.policy.get(VPC_ENDPOINT_ONLY)?)["Condition"]["StringNotEquals"]["aws:SourceVpce"];
    Some(match ids {
        Value::String(id) => vec![id.clone()],
        other => serde_json::from_value(other.clone()).unwrap(),
    })
}

fn fields(step: &Step) -> Vec<&str> {
    let Action::Update(changes) = &step.action else { panic!("{:?}", step.action) };
    changes.iter().map(|change| change.path.as_str()).collect()
}

fn state(state: ObservedState, desired: &[Desired]) -> Observed {
    Observed { state, ..endpoint("vpce-1", desired) }
}

#[test]
fn the_denial_is_about_objects_and_excepts_services_and_the_operator() {
    let statement = denial(&["vpce-1", "vpce-2"]);
    assert_eq!(
        statement["Condition"],
        json!({
            "StringNotEquals": {"aws:SourceVpce": ["vpce-1", "vpce-2"]},
            "BoolIfExists": {"aws:PrincipalIsAWSService": "false", "aws:ViaAWSService": "false"},
            "ArnNotLike": {"aws:PrincipalArn": [
                "arn:aws:iam::123456789012:role/operator", "arn:aws:iam::123456789012:role/*/operator",
            ]},
        })
    );
    assert_eq!(
        (&statement["Effect"], &statement["Principal"], &statement["Resource"], &statement["Action"]),
        (&json!("Deny"), &json!("*"), &json!("arn:aws:s3:::ours/*"), &json!(OBJECT_ACTIONS))
    );
    assert!(
        !OBJECT_ACTIONS.iter().any(|action| action.contains("Policy") || *action == "s3:*"),
        "nobody is locked out"
    );
}

#[test]
fn it_is_put_in_place_once_an_endpoint_is_ready_and_the_bucket_waits_for_nothing_else() {
    let desired = wanted_with(json!({}), json!({}));
    for (what, seen) in [
        ("nothing is there", Observations::new()),
        ("absent", [(VpcEndpoint::key_of(S3), Observed::absent())].into()),
        ("pending", [(VpcEndpoint::key_of(S3), state(ObservedState::Progressing("pending".into()), &desired))].into()),
        ("failed", [(VpcEndpoint::key_of(S3), state(ObservedState::Failed("failed".into()), &desired))].into()),
        ("unreadable", [(VpcEndpoint::key_of(S3), Observed::unreadable(failure(Class::Denied)))].into()),
    ] {
        let plan = planned(&desired, &seen);
        let step = bucket_step(&plan);
        assert_eq!((&step.action, allowed(step)), (&Action::Create, None), "{what}");
        let messages: Vec<&str> = step.left_out.iter().map(|left| left.message.as_str()).collect();
        let expected = "AipVpcEndpointOnly is not in force: it waits until VpcEndpoint s3 is available";
        assert_eq!(messages, [expected], "{what}");
        assert!(!step.left_out[0].needs_somebody && !plan.is_settled());
    }
    let plan = planned(&desired, &before(&desired));
    let step = bucket_step(&plan);
    assert_eq!((fields(step), allowed(step)), (vec!["policy.AipVpcEndpointOnly"], Some(vec!["vpce-1".into()])));
    assert!(step.left_out.is_empty());
    let on: Vec<&Key> = grounds(step).collect();
    assert_eq!(on, [&VpcEndpoint::key_of(S3)], "whether the endpoint is ready is read in the same pass");
    let plan = planned(&desired, &with_denial(&desired, &["vpce-1"]));
    assert_eq!(bucket_step(&plan).action, Action::Keep);
    assert!(plan.is_settled());
    let mut fresh = before(&desired);
    fresh.insert(Bucket::key_of(BUCKET), Observed::absent());
    let plan = planned(&desired, &fresh);
    assert_eq!(allowed(bucket_step(&plan)), Some(vec!["vpce-1".into()]), "a new bucket has it from the beginning");
}

#[test]
fn what_is_not_known_yet_prints_as_such_and_is_never_written() {
    let platform = validate(&object(spec_of(json!({}), json!({})))).unwrap();
    let plan = planned(&desire(&platform, CLUSTER), &Observations::new());
    let Some(Resource::Bucket(bucket)) = &bucket_step(&plan).desired else { panic!() };
    assert_eq!(bucket.policy.keys().collect::<Vec<_>>(), [TLS_ONLY]);
    let pending = &bucket.pending_policy[VPC_ENDPOINT_ONLY]["Condition"];
    assert_eq!(pending["StringNotEquals"]["aws:SourceVpce"], KNOWN_AFTER_APPLY);
    assert_eq!(pending["ArnNotLike"]["aws:PrincipalArn"], KNOWN_AFTER_APPLY);
    assert_eq!(Resource::from(bucket.clone()).comparable().get("pendingPolicy"), None);
    let shown = plan.to_string();
    for text in ["AipVpcEndpointOnly is not in force", "aws:SourceVpce: (known after apply)", "has no access"] {
        assert!(shown.contains(text), "{text} in {shown}");
    }
    // The endpoint is ready, and nobody knows who the operator is: it would be locked out.
    let desired = desire(&platform, CLUSTER);
    let plan = planned(&desired, &before(&desired));
    let step = bucket_step(&plan);
    assert_eq!((&step.action, allowed(step)), (&Action::Keep, None));
    assert!(step.left_out[0].message.contains("under which identity the operator works"));
    let plan = planned(&desired, &with_denial(&desired, &["vpce-1"]));
    assert_eq!(bucket_step(&plan).action, Action::Keep, "what is in force stays");
}

#[test]
fn what_is_in_force_stays_while_the_endpoint_is_made_again_or_cannot_be_read() {
    let desired = wanted_with(json!({}), json!({}));
    for observed in [
        Observed::absent(),
        Observed::unreadable(failure(Class::Throttled)),
        Observed::unreadable(failure(Class::Denied)),
        Observed { id: Some("vpce-2".into()), ..state(ObservedState::Progressing("pending".into()), &desired) },
        state(ObservedState::Failed("failed".into()), &desired),
    ] {
        let mut seen = with_denial(&desired, &["vpce-1"]);
        let what = format!("{:?}", observed.state);
        seen.insert(VpcEndpoint::key_of(S3), observed);
        let plan = planned(&desired, &seen);
        let step = bucket_step(&plan);
        assert_eq!((&step.action, allowed(step)), (&Action::Keep, Some(vec!["vpce-1".into()])), "{what}");
        assert!(
            step.remarks.iter().any(|remark| remark.contains("stays as it is until")),
            "{what}: {:?}",
            step.remarks
        );
        bucket_in(&mut seen).policy.get_mut(VPC_ENDPOINT_ONLY).unwrap()["Action"] = json!("s3:GetObject");
        let plan = planned(&desired, &seen);
        let step = bucket_step(&plan);
        assert_eq!(allowed(step), Some(vec!["vpce-1".into()]));
        assert!(fields(step)[0].starts_with("policy.AipVpcEndpointOnly"), "the rest of it is put back all the same");
    }
    let mut seen = with_denial(&desired, &["vpce-1"]);
    seen.insert(VpcEndpoint::key_of(S3), endpoint("vpce-2", &desired));
    let plan = planned(&desired, &seen);
    assert_eq!(allowed(bucket_step(&plan)), Some(vec!["vpce-2".into()]), "the id that is gone goes");
}

#[test]
fn several_endpoints_count_as_far_as_they_are_ready() {
    let desired = wanted_with(json!({}), both());
    let interface = VpcEndpoint::key_of("s3-interface");
    let mut seen = before(&desired);
    let id = seen[&interface].id.clone().unwrap();
    let allowed_with = |seen: &Observations| allowed(bucket_step(&planned(&desired, seen)));
    let of = |ids: &[&str]| Some(ids.iter().map(ToString::to_string).collect::<Vec<_>>());
    assert_eq!(allowed_with(&seen), of(&[&id, "vpce-1"]));
    seen.insert(interface.clone(), Observed::absent());
    assert_eq!(allowed_with(&seen), of(&["vpce-1"]), "nobody comes through what is not there");
    seen.insert(interface.clone(), Observed::unreadable(failure(Class::Throttled)));
    assert_eq!(allowed_with(&seen), None, "nobody is cut off because we could not tell");
    let mut seen = with_denial(&desired, &["vpce-0", "vpce-1"]);
    seen.insert(interface, Observed::unreadable(failure(Class::Throttled)));
    seen.insert(VpcEndpoint::key_of(S3), endpoint("vpce-2", &desired));
    assert_eq!(allowed_with(&seen), of(&["vpce-0", "vpce-1", "vpce-2"]));
}

#[test]
fn an_adopted_endpoint_counts_once_it_is_available() {
    let adopting = |is_available: bool| {
        let desired = wanted_with(json!({}), json!({"endpoints": {"onConflict": "Adopt"}}));
        let mut seen = before(&desired);
        let adopted = OtherEndpoint { is_available, ..other(EndpointType::Gateway) };
        let others = with_others(&desired, S3, vec![adopted]).remove(&VpcEndpoint::key_of(S3)).unwrap();
        seen.insert(VpcEndpoint::key_of(S3), others);
        allowed(bucket_step(&planned(&desired, &seen)))
    };
    assert_eq!(adopting(true), Some(vec!["vpce-0f".into()]));
    assert_eq!(adopting(false), None);
}

#[test]
fn it_is_taken_off_before_the_endpoint_goes() {
    let flagged = wanted_with(json!({}), json!({}));
    let mut unflagged = spec_of(json!({"vpcEndpointOnly": false}), json!({}));
    unflagged.as_object_mut().unwrap().remove("network");
    let unflagged = desire(&validate(&object(unflagged)).unwrap(), CLUSTER);
    let key = VpcEndpoint::key_of(S3);
    let seen = with_denial(&flagged, &["vpce-1"]);
    let plan = planned(&unflagged, &seen);
    assert_eq!((fields(bucket_step(&plan)), allowed(bucket_step(&plan))), (vec!["policy.AipVpcEndpointOnly"], None));
    let blocked = Action::Blocked(vec![Bucket::key_of(BUCKET)]);
    assert_eq!(step(&plan, Kind::VpcEndpoint, S3).action, blocked, "it goes when the bucket was seen without");
    let mut unread = seen.clone();
    let unreadable = failure(Class::Denied);
    unread.get_mut(&Bucket::key_of(BUCKET)).unwrap().unknown.insert("policy".into(), unreadable.clone());
    assert_eq!(step(&planned(&unflagged, &unread), Kind::VpcEndpoint, S3).action, blocked, "the policy was not read");
    unread.insert(Bucket::key_of(BUCKET), Observed::unreadable(unreadable));
    assert_eq!(step(&planned(&unflagged, &unread), Kind::VpcEndpoint, S3).action, blocked, "nor was the bucket");
    let gone = Action::Delete { with_contents: false };
    let plan = planned(&unflagged, &before(&flagged));
    assert_eq!(step(&plan, Kind::VpcEndpoint, S3).action, gone);
    let mut elsewhere = seen.clone();
    elsewhere.insert(key, Observed { id: Some("vpce-9".into()), ..endpoint("vpce-9", &flagged) });
    let plan = planned(&unflagged, &elsewhere);
    assert_eq!(step(&plan, Kind::VpcEndpoint, S3).action, gone, "the denial does not name it");
}

#[test]
fn a_bucket_that_stays_is_released_first_and_the_endpoint_goes_after() {
    let desired = wanted_with(json!({}), json!({}));
    let deletion = |management, seen: &Observations| {
        let intent = Intent::delete(management, DeletionPolicy::Delete, &desired);
        let plan = plan("support", "assistant", &desired[..0], seen, &intent);
        assert_eq!(check(&plan, &[], &[], seen, &intent), Ok(()));
        plan
    };
    let seen = with_denial(&desired, &["vpce-1"]);
    let first = deletion(Full, &seen);
    let released = bucket_step(&first);
    assert_eq!((fields(released), allowed(released)), (vec!["policy.AipVpcEndpointOnly"], None));
    let Some(Resource::Bucket(bucket)) = &released.desired else { panic!() };
    assert!(bucket.policy.contains_key(TLS_ONLY), "everything else of ours stays");
    assert_eq!(released.purpose, Purpose::Preparation);
    assert!(released.remarks[0].contains("is taken off before"), "{:?}", released.remarks);
    assert_eq!(step(&first, Kind::VpcEndpoint, S3).action, Action::Blocked(vec![Bucket::key_of(BUCKET)]));
    let second = deletion(Full, &before(&desired));
    assert!(matches!(bucket_step(&second).action, Action::Retain(_)));
    assert_eq!(step(&second, Kind::VpcEndpoint, S3).action, Action::Delete { with_contents: false });
    for careful in [NoDelete, Observe] {
        let kept = deletion(careful, &seen);
        assert!(kept.steps.iter().all(|step| matches!(step.action, Action::Retain(_))), "the endpoint stays as well");
    }
    let mut unread = seen.clone();
    unread.get_mut(&Bucket::key_of(BUCKET)).unwrap().unknown.insert("policy".into(), failure(Class::Denied));
    assert!(matches!(bucket_step(&deletion(Full, &unread)).action, Action::Unreadable(_)));
    unread.insert(Bucket::key_of(BUCKET), Observed::unreadable(failure(Class::Denied)));
    let plan = deletion(Full, &unread);
    assert!(matches!(bucket_step(&plan).action, Action::Unreadable(_)));
    assert!(matches!(step(&plan, Kind::VpcEndpoint, S3).action, Action::Blocked(_)));
    unread.retain(|key, _| key.kind != Kind::VpcEndpoint);
    assert!(matches!(bucket_step(&deletion(Full, &unread)).action, Action::Retain(_)), "it never had endpoints");
}

#[test]
fn a_bucket_that_is_no_longer_declared_is_released_while_the_platform_lives() {
    let desired = wanted_with(json!({}), json!({}));
    let rest: Vec<Desired> = desired.iter().filter(|item| item.resource.kind() != Kind::Bucket).cloned().collect();
    let plan = planned(&rest, &with_denial(&desired, &["vpce-1"]));
    assert_eq!((fields(bucket_step(&plan)), allowed(bucket_step(&plan))), (vec!["policy.AipVpcEndpointOnly"], None));
    let plan = planned(&rest, &before(&desired));
    assert!(matches!(bucket_step(&plan).action, Action::Retain(_)));
}

#[test]
fn a_bucket_that_goes_with_its_contents_lets_the_operator_in_whoever_that_is_by_now() {
    let desired = wanted_with(json!({"deletionPolicy": "DeleteWithContents"}), json!({}));
    let deletion = |arn: Option<&str>| {
        let caller = arn.map(|arn| Caller { arn: arn.into() });
        let intent = Intent { caller, ..Intent::delete(Full, DeletionPolicy::Delete, &desired) };
        let plan = plan("support", "assistant", &[], &with_denial(&desired, &["vpce-1"]), &intent);
        assert!(matches!(step(&plan, Kind::VpcEndpoint, S3).action, Action::Blocked(_)), "the bucket goes first");
        bucket_step(&plan).clone()
    };
    for known in [Some(OPERATOR), None] {
        assert_eq!(deletion(known).action, Action::Delete { with_contents: true });
    }
    let other = deletion(Some("arn:aws:iam::123456789012:user/breakglass"));
    assert_eq!(allowed(&other), Some(vec!["vpce-1".into()]), "it is not opened for anybody else");
    assert!(fields(&other)[0].starts_with("policy.AipVpcEndpointOnly.Condition.ArnNotLike"));
}

#[test]
fn a_spec_without_a_way_in_is_refused() {
    let problems =
        |spec: Value| -> Vec<String> { validate(&object(spec)).unwrap_err().iter().map(ToString::to_string).collect() };
    let mut without = spec_of(json!({}), json!({}));
    without.as_object_mut().unwrap().remove("network");
    assert_eq!(
        problems(without),
        [
            "spec.storage.buckets[0].vpcEndpointOnly: true needs a VPC endpoint for S3, and spec.network is missing: declare \
          it, or leave vpcEndpointOnly out"
        ]
    );
    let by_hand = json!({"endpoints": {"auto": false, "additional": [{"service": "sts"}]}});
    assert_eq!(
        problems(spec_of(json!({}), by_hand)),
        ["spec.storage.buckets[0].vpcEndpointOnly: true needs a VPC endpoint for S3, and spec.network has none: set \
          spec.network.endpoints.auto to true, add {service: s3, type: Gateway} to spec.network.endpoints.additional, or \
          leave vpcEndpointOnly out"]
    );
    let added = json!({"endpoints": {"auto": false, "additional": [{"service": "s3"}]}});
    assert!(validate(&object(spec_of(json!({}), added))).is_ok());
    for data in [json!({"bucket": "artifacts", "key": "m.tar.gz"}), json!({"uri": "s3://ours/m.tar.gz"})] {
        let field = if data.get("uri").is_some() { "uri" } else { "bucket" };
        let mut serverless = spec_of(json!({}), json!({}));
        serverless["models"] = json!([{"name": "rank", "sagemaker": {
            "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:1",
            "modelData": data, "serverless": {"memoryMiB": 2048, "maxConcurrency": 1},
        }}]);
        let way_out = "run the model on an instance, or take a bucket without vpcEndpointOnly";
        let expected = format!(
            "spec.models[0].sagemaker.modelData.{field}: bucket \"artifacts\" has vpcEndpointOnly, and serverless models do \
             not run in the VPC, so that they have no access: {way_out}"
        );
        assert_eq!(problems(serverless.clone()), [expected]);
        serverless["models"][0]["sagemaker"]["serverless"] = Value::Null;
        serverless["models"][0]["sagemaker"]["instance"] = json!({"type": "ml.g5.xlarge"});
        assert!(validate(&object(serverless)).is_ok(), "models on instances load through the VPC");
    }
}

#[test]
fn an_audit_shows_it_with_its_reason() {
    let platform = validate(&object(spec_of(json!({}), json!({})))).unwrap();
    let audit = audit(&platform, &Bounds::default());
    let text = Text { audit: &audit, colour: false }.to_string();
    for part in ["AipVpcEndpointOnly", "spec.storage.buckets[0].vpcEndpointOnly", "objects are read and written only"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}
