use serde_json::{Value, json};

use super::*;
use crate::api::ManagementPolicy::Full;
use crate::desire::desire;
use crate::failure::Class;
use crate::plan::{Action, Intent, Plan, Step, plan};
use crate::platform::validate;
use crate::resource::endpoint_config::{Async, DataCapture};
use crate::resource::model::Data;
use crate::testing::{CLUSTER, failure, object, ours};

/// A platform with a model that works with a bucket in every way, and a consumer. The image tells the revisions apart.
fn wanted(image: &str) -> Vec<Desired> {
    let key = "arn:aws:kms:eu-west-1:123456789012:key/1";
    let uses = json!({
        "modelData": {"bucket": "own", "key": "rank/model.tar.gz"},
        "async": {"output": {"bucket": "own", "prefix": "answers/"}},
        "dataCapture": {"destination": {"bucket": "own", "prefix": "capture/"}},
    });
    let bucket = json!({"name": "own", "bucketName": "own-bucket", "encryption": {"kmsKeyArn": key}});
    platform(image, &json!([bucket]), &uses)
}

fn platform(image: &str, buckets: &Value, uses: &Value) -> Vec<Desired> {
    let mut model = json!({
        "image": format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/{image}:1"),
        "instance": {"type": "ml.m5.large"},
    });
    for (field, value) in uses.as_object().unwrap() {
        model[field] = value.clone();
    }
    let spec = json!({
        "storage": {"buckets": buckets},
        "models": [{"name": "rank", "sagemaker": model}],
        "access": [{"name": "api", "principalArns": ["arn:aws:iam::123456789012:role/api"], "models": ["rank"]}],
    });
    desire(&validate(&object(spec)).unwrap(), CLUSTER)
}

/// Everything that was declared before is there, and ours.
fn there(before: &[Desired]) -> Observations {
    before.iter().map(|item| (item.resource.key(), ours(&item.resource))).collect()
}

fn key_of(desired: &[Desired], kind: Kind) -> Key {
    desired.iter().map(|item| item.resource.key()).find(|key| key.kind == kind).unwrap()
}

fn role_of(desired: &[Desired]) -> Role {
    let found = desired.iter().find_map(|item| match &item.resource {
        Resource::Role(role) if item.served.is_some() => Some(role.clone()),
        _ => None,
    });
    found.unwrap()
}

fn policy_name(desired: &[Desired]) -> String {
    revision_policy_name(revision_of(&key_of(desired, Kind::SageMakerEndpointConfig).name))
}

fn planned(desired: &[Desired], observations: &Observations) -> Plan {
    plan("support", "assistant", desired, observations, &Intent::keep(Full))
}

/// The step of the model's own role.
fn step<'a>(plan: &'a Plan, desired: &[Desired]) -> &'a Step {
    let name = role_of(desired).name;
    plan.steps.iter().find(|step| step.key.kind == Kind::Role && step.key.name == name).unwrap()
}

/// The policies of the model's own role as they would be.
fn policies(desired: &[Desired], observations: &Observations) -> std::collections::BTreeMap<String, Policy> {
    match &step(&planned(desired, observations), desired).desired {
        Some(Resource::Role(role)) => role.policies.clone(),
        other => panic!("a role is desired: {other:?}"),
    }
}

fn model_mut<'a>(observations: &'a mut Observations, key: &Key) -> &'a mut crate::resource::model::Content {
    match observations.get_mut(key).and_then(|observed| observed.resource.as_mut()) {
        Some(Resource::SageMakerModel(model)) => &mut model.content,
        other => panic!("a model is there: {other:?}"),
    }
}

fn config_mut<'a>(observations: &'a mut Observations, key: &Key) -> &'a mut crate::resource::endpoint_config::Content {
    match observations.get_mut(key).and_then(|observed| observed.resource.as_mut()) {
        Some(Resource::SageMakerEndpointConfig(config)) => &mut config.content,
        other => panic!("a configuration is there: {other:?}"),
    }
}

fn anything() -> Policy {
    let statement = json!({"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"});
    Policy::new(&json!({"Version": "2012-10-17", "Statement": [statement]}))
}

/// The resources that a policy names, as text.
fn named(policy: &Policy) -> String {
    let resources: Vec<Value> =
        crate::policy::statements(&policy.as_written()).iter().map(|statement| statement["Resource"].clone()).collect();
    Value::from(resources).to_string()
}

#[test]
fn a_superseded_revision_may_do_what_it_might_when_it_was_declared() {
    let (before, after) = (wanted("one"), wanted("two"));
    let policies = policies(&after, &there(&before));
    let names: Vec<&String> = policies.keys().collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert_eq!(policies[&policy_name(&before)], role_of(&before).policies[&policy_name(&before)]);
    assert_eq!(policies[&policy_name(&after)], role_of(&after).policies[&policy_name(&after)]);
}

#[test]
fn what_stands_under_the_name_of_a_revision_is_computed_and_never_taken_over() {
    let (before, after) = (wanted("one"), wanted("two"));
    let mut observations = there(&before);
    let mut live = role_of(&before);
    for name in [policy_name(&before), policy_name(&after), revision_policy_name("00000000")] {
        live.policies.insert(name, anything());
    }
    observations.insert(Resource::Role(live.clone()).key(), ours(&Resource::Role(live)));
    let plan = planned(&after, &observations);
    let Action::Update(changes) = &step(&plan, &after).action else { panic!("it is drift: {plan}") };
    assert!(changes.iter().any(|change| change.path.contains(&policy_name(&before))), "{changes:?}");
    assert!(!policies(&after, &observations).values().any(|policy| *policy == anything()));
    assert_eq!(policies(&after, &observations), policies(&after, &there(&before)));
}

#[test]
fn a_consumers_role_has_no_policies_of_revisions() {
    let desired = wanted("one");
    let mut observations = there(&desired);
    let Some(Resource::Role(consumer)) = desired
        .iter()
        .map(|item| &item.resource)
        .find(|resource| matches!(resource, Resource::Role(role) if *role != role_of(&desired)))
    else {
        panic!("a consumer has a role")
    };
    let mut live = consumer.clone();
    live.policies.insert(policy_name(&desired), role_of(&desired).policies[&policy_name(&desired)].clone());
    let key = Resource::Role(live.clone()).key();
    observations.insert(key.clone(), ours(&Resource::Role(live)));
    let plan = planned(&desired, &observations);
    let step = plan.steps.iter().find(|step| step.key == key).unwrap();
    assert!(matches!(step.action, Action::Update(_)), "{:?}", step.action);
    assert_eq!(step.desired, Some(Resource::Role(consumer.clone())));
}

#[test]
fn what_a_forged_revision_names_is_no_pattern_and_nobody_elses() {
    let (before, after) = (wanted("one"), wanted("two"));
    let (model, config) = (key_of(&before, Kind::SageMakerModel), key_of(&before, Kind::SageMakerEndpointConfig));
    for uri in
        ["s3://own-*/x/", "s3://own-bucket/${aws:username}/", "s3://own-bucket/?/", "s3://payroll/x/", "s3:///x/"]
    {
        let mut observations = there(&before);
        model_mut(&mut observations, &model).data = Some(Data { uri: uri.into() });
        let content = config_mut(&mut observations, &config);
        content.asynchronous = Some(Async { output_uri: uri.into(), max_concurrent_invocations_per_instance: None });
        content.data_capture = Some(DataCapture { destination_uri: uri.into(), sampling_percent: 1 });
        let policy = &policies(&after, &observations)[&policy_name(&before)];
        assert!(named(policy).contains(":repository/one"), "{policy:?}");
        assert!(!named(policy).contains("s3:::"), "{uri}: {policy:?}");
    }
    let mut observations = there(&before);
    model_mut(&mut observations, &model).image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/*:1".into();
    assert!(!named(&policies(&after, &observations)[&policy_name(&before)]).contains("ecr"));
}

#[test]
fn an_artifact_elsewhere_is_loaded_while_the_guardrails_allow_it() {
    let (before, after) = (wanted("one"), wanted("two"));
    let mut observations = there(&before);
    let uri = "s3://models-of-all/rank/model.tar.gz";
    model_mut(&mut observations, &key_of(&before, Kind::SageMakerModel)).data = Some(Data { uri: uri.into() });
    for (globs, is_granted) in [(vec![], false), (vec!["s3://other/*"], false), (vec!["s3://models-of-all/*"], true)] {
        let artifacts = Allowed::Only(globs.into_iter().map(Into::into).collect());
        let intent = Intent { artifacts, ..Intent::keep(Full) };
        let plan = plan("support", "assistant", &after, &observations, &intent);
        let Some(Resource::Role(role)) = &step(&plan, &after).desired else { panic!("a role is desired") };
        let named = named(&role.policies[&policy_name(&before)]);
        assert_eq!(named.contains("s3:::models-of-all/rank/model.tar.gz"), is_granted, "{named}");
    }
}

#[test]
fn what_cannot_be_read_neither_opens_nor_closes_anything() {
    let (before, after) = (wanted("one"), wanted("two"));
    for kind in [Kind::SageMakerEndpointConfig, Kind::SageMakerModel] {
        for class in [Class::Denied, Class::Transient] {
            let mut observations = there(&before);
            observations.insert(key_of(&before, kind), Observed::unreadable(failure(class)));
            let mut live = role_of(&before);
            live.policies.insert(policy_name(&before), anything());
            observations.insert(Resource::Role(live.clone()).key(), ours(&Resource::Role(live)));
            assert_eq!(policies(&after, &observations)[&policy_name(&before)], anything());
            let plan = planned(&after, &observations);
            let remarks = step(&plan, &after).remarks.join("; ");
            assert!(
                remarks.contains(&policy_name(&before)) && remarks.contains("is left as it was found"),
                "{remarks}"
            );

            observations.remove(&key_of(&before, Kind::Role));
            assert!(!policies(&after, &observations).contains_key(&policy_name(&before)), "nothing is made of nothing");
        }
    }
}

#[test]
fn a_revision_of_somebody_else_gives_no_rights() {
    let (before, after) = (wanted("one"), wanted("two"));
    let mut observations = there(&before);
    for owner in [Owner::Nobody, Owner::Theirs("c/other/p".into())] {
        observations.get_mut(&key_of(&before, Kind::SageMakerEndpointConfig)).unwrap().owner = owner;
        assert!(!policies(&after, &observations).contains_key(&policy_name(&before)));
    }
}

#[test]
fn what_runs_keeps_what_it_may_need_although_its_configuration_is_gone() {
    let (before, after) = (wanted("one"), wanted("two"));
    let mut observations = there(&before);
    observations.insert(key_of(&before, Kind::SageMakerEndpointConfig), Observed::absent());
    let policy = &policies(&after, &observations)[&policy_name(&before)];
    assert!(named(policy).contains(":repository/one") && named(policy).contains("rank/model.tar.gz"), "{policy:?}");
    assert!(!named(policy).contains("answers/"), "where it wrote is no longer known");
}

#[test]
fn what_is_kept_and_does_not_run_holds_nothing_up() {
    let (before, after) = (wanted("one"), platform("two", &json!([]), &json!({})));
    // The bucket is declared no longer, and somebody else's by now.
    let bucket = key_of(&before, Kind::Bucket);
    let theirs = Observed { owner: Owner::Theirs("c/other/p".into()), ..there(&before)[&bucket].clone() };
    for (runs, is_reported) in [(&before, true), (&after, false)] {
        let mut observations = there(&before);
        observations.extend(there(&after));
        observations.insert(bucket.clone(), theirs.clone());
        let endpoint = key_of(&before, Kind::SageMakerEndpoint);
        let config = key_of(runs, Kind::SageMakerEndpointConfig).name;
        match observations.get_mut(&endpoint).and_then(|observed| observed.resource.as_mut()) {
            Some(Resource::SageMakerEndpoint(found)) => found.config = config,
            other => panic!("an endpoint is there: {other:?}"),
        }
        let plan = planned(&after, &observations);
        let step = step(&plan, &after);
        assert_eq!(!step.left_out.is_empty(), is_reported, "{:?}", step.left_out);
        let remarks = step.remarks.join("; ");
        assert_eq!(remarks.contains("does not run: Bucket own-bucket is not granted"), !is_reported, "{remarks}");
        let Some(Resource::Role(role)) = &step.desired else { panic!("a role is desired") };
        assert!(!serde_json::to_string(role).unwrap().contains("own-bucket"));
    }
}
