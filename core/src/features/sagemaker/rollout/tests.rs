use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::ManagementPolicy::{Full, NoDelete};
use crate::desire::desire;
use crate::kind::Listed;
use crate::plan::{Action, Intent, Plan, Refusal, Step, plan};
use crate::platform::validate;
use crate::resource::endpoint::{Attempt, Capacity, Endpoint, Facts, Status};
use crate::resource::endpoint_config::revision_of;
use crate::resource::scaling::Bounds;
use crate::resource::{
    Desired, EndpointConfig, Key, Kind, Model, Observations, Observed, ObservedState, Owner, Recreation, Resource,
    Revision,
};

use crate::testing::{CLUSTER, at, object};

/// A revision that was never made again.
const MADE: Revision = Revision { created: Timestamp::UNIX_EPOCH, recreated: None };

/// The desired resources of a platform whose only model has these fields besides or in place of the usual ones.
fn wanted(fields: Value) -> Vec<Desired> {
    let mut sagemaker = json!({
        "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:1",
        "instance": {"type": "ml.m5.large", "count": 2},
        "autoscaling": {
            "minInstances": 2,
            "maxInstances": 8,
            "target": {"concurrentRequestsPerModel": {"value": 4}},
            "schedules": [{"name": "morning", "schedule": "cron(0 7 ? * MON-FRI *)", "minInstances": 4}],
        },
    });
    let Value::Object(fields) = fields else { panic!("fields are an object: {fields}") };
    for (field, value) in fields {
        if value.is_null() {
            sagemaker.as_object_mut().unwrap().remove(&field);
        } else {
            sagemaker[field] = value;
        }
    }
    let object = object(json!({"models": [{"name": "rank", "sagemaker": sagemaker}]}));
    desire(&validate(&object).expect("the spec is valid"), CLUSTER)
}

fn image(tag: &str) -> Value {
    json!({"image": format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:{tag}")})
}

fn other_type(tag: &str) -> Value {
    let image = image(tag)["image"].clone();
    json!({"image": image, "instance": {"type": "ml.c5.xlarge", "count": 2}})
}

fn endpoint_of(desired: &[Desired]) -> &Endpoint {
    let found = desired.iter().find_map(|item| match &item.resource {
        Resource::SageMakerEndpoint(endpoint) => Some(endpoint),
        _ => None,
    });
    found.expect("an endpoint is wanted")
}

fn revision(desired: &[Desired]) -> String {
    endpoint_of(desired).revision().to_string()
}

/// Observations of a platform that is in service as once desired.
struct Deployed(Observations);

impl Deployed {
    fn of(desired: &[Desired]) -> Self {
        let mut deployed = Self(Observations::new());
        deployed.make(desired);
        let request_hash = endpoint_of(desired).request_hash.clone();
        deployed.facts(|facts| {
            facts.attempt = Some(attempt(&revision(desired), 0, &request_hash));
        });
        deployed
    }

    /// Adds the resources of a revision, but for the endpoint and its scaling.
    fn make(&mut self, desired: &[Desired]) {
        for item in desired {
            let mut observed = Observed::present(item.resource.clone(), Owner::Ours);
            match &item.resource {
                Resource::SageMakerModel(_) => observed.facts = Some(Model::boxed_facts(MADE)),
                Resource::SageMakerEndpointConfig(_) => observed.facts = Some(EndpointConfig::boxed_facts(MADE)),
                Resource::SageMakerEndpoint(_) => observed.facts = Some(Endpoint::boxed_facts(in_service())),
                _ => {}
            }
            self.0.entry(item.resource.key()).or_insert(observed);
        }
    }

    fn make_revision(&mut self, desired: &[Desired]) {
        let of_revision = |item: &&Desired| {
            matches!(item.resource, Resource::SageMakerModel(_) | Resource::SageMakerEndpointConfig(_))
        };
        self.make(&desired.iter().filter(of_revision).cloned().collect::<Vec<_>>());
    }

    fn endpoint(&mut self) -> &mut Observed {
        let found = self.0.iter_mut().find(|(key, _)| key.kind == Kind::SageMakerEndpoint);
        found.expect("there is an endpoint").1
    }

    fn facts(&mut self, change: impl FnOnce(&mut Facts)) {
        let observed = self.endpoint();
        let mut facts = observed.facts_of::<Endpoint>().expect("its facts are known").clone();
        change(&mut facts);
        let status = facts.status;
        observed.facts = Some(Endpoint::boxed_facts(facts));
        observed.state = match status {
            Status::InService => ObservedState::Ready,
            Status::Failed | Status::OutOfService | Status::UpdateRollbackFailed => {
                ObservedState::Failed(status.name().into())
            }
            busy => ObservedState::Progressing(busy.name().into()),
        };
    }

    fn without(mut self, kind: Kind) -> Self {
        self.0.retain(|key, _| key.kind != kind);
        self
    }

    fn plan(&self, desired: &[Desired]) -> Plan {
        plan("support", "assistant", desired, &self.0, &Intent::keep(Full))
    }

    /// The steps about models and endpoints that do something, in the plan's order.
    fn reported(&self, desired: &[Desired]) -> Vec<String> {
        let plan = self.plan(desired);
        let open = plan.steps.iter().filter(|step| step.key.kind != Kind::Role);
        let open = open.filter(|step| !matches!(step.action, Action::Keep) || step.held_back.is_some());
        open.map(tell).collect()
    }
}

fn in_service() -> Facts {
    Facts {
        status: Status::InService,
        failure: None,
        modified: at(0),
        attempt: None,
        history: Vec::new(),
        bounds: None,
        capacity: Some(Capacity { current: 2, desired: 2 }),
    }
}

fn attempt(revision: &str, modified_before: i64, request_hash: &str) -> Attempt {
    Attempt {
        revision: revision.into(),
        modified_before: at(modified_before),
        request_hash: request_hash.into(),
        rolled_back: false,
        unconfirmed: false,
    }
}

fn tell(step: &Step) -> String {
    let fields = crate::render::fields(&step.action).join(" ");
    let held_back = step.held_back.as_ref().map(|held_back| format!(" ({})", held_back.reason)).unwrap_or_default();
    let refused = match &step.action {
        Action::Refuse(Refusal { reason, .. }) => format!(" ({reason})"),
        _ => String::new(),
    };
    format!("{} {} {fields}", step.action.name(), step.key.kind).trim().to_string() + &held_back + &refused
}

fn step(plan: &Plan, kind: Kind) -> &Step {
    plan.steps.iter().find(|step| step.key.kind == kind && step.desired.is_some()).expect("there is a step")
}

#[test]
fn what_runs_as_wanted_is_left_alone() {
    let desired = wanted(json!({}));
    let deployed = Deployed::of(&desired);
    assert!(deployed.reported(&desired).is_empty());
    assert!(deployed.plan(&desired).is_settled());
}

#[test]
fn from_nothing_everything_is_made_in_order() {
    let desired = wanted(json!({}));
    let plan = Deployed(Observations::new()).plan(&desired);
    let kinds: Vec<&str> = plan.steps.iter().map(|step| step.key.kind.name()).collect();
    let tail = &kinds[kinds.len() - 8..];
    let expected = [
        "SageMakerModel",
        "SageMakerEndpointConfig",
        "SageMakerEndpoint",
        "ScalableTarget",
        "ScalingPolicy",
        "ScheduledAction",
        "LogGroup",
        "ConfigMap",
    ];
    assert_eq!(tail, expected);
    let update = step(&plan, Kind::SageMakerEndpoint).write_of::<Endpoint>().expect("the attempt is remembered");
    assert_eq!(update.attempt.revision, revision(&desired));
}

#[test]
fn another_image_is_a_new_pair_and_one_update_that_keeps_the_number_of_instances() {
    let (before, after) = (wanted(json!({})), wanted(image("2")));
    let mut deployed = Deployed::of(&before);
    deployed.facts(|facts| facts.modified = at(7));
    let expected = [
        "Create SageMakerModel",
        "Create SageMakerEndpointConfig",
        "Update SageMakerEndpoint config",
        "Retain SageMakerEndpointConfig",
        "Retain SageMakerModel",
    ];
    assert_eq!(deployed.reported(&after), expected);
    let plan = deployed.plan(&after);
    let update = step(&plan, Kind::SageMakerEndpoint).write_of::<Endpoint>().expect("the attempt is remembered");
    assert_eq!((update.attempt.revision.as_str(), update.apply_instance_count), (revision(&after).as_str(), false));
    assert_eq!(update.attempt.modified_before, at(7));
    assert_eq!(update.history, [revision(&before)]);
}

#[test]
fn a_role_can_do_what_every_revision_needs_for_as_long_as_it_is_there() {
    let (before, after) = (wanted(json!({})), wanted(image("2")));
    let mut deployed = Deployed::of(&before);
    let role = |deployed: &Deployed| tell(step(&deployed.plan(&after), Kind::Role));
    let policy = |desired: &[Desired]| format!("policies.revision-{}", revision(desired));
    assert_eq!(role(&deployed), format!("Update Role {}", policy(&after)), "the new one joins the old one");

    for item in &after {
        if let Resource::Role(role) = &item.resource {
            let mut both = role.clone();
            for item in &before {
                if let Resource::Role(role) = &item.resource {
                    both.policies.extend(role.policies.clone());
                }
            }
            let both = Resource::Role(both);
            deployed.0.insert(both.key(), Observed::present(both, Owner::Ours));
        }
    }
    assert_eq!(role(&deployed), "Keep Role", "while the old one is there");
    let mut deployed = deployed.without(Kind::SageMakerEndpointConfig);
    assert_eq!(role(&deployed), "Keep Role", "while it runs, although somebody deleted its configuration");
    deployed.endpoint().resource = Some(Resource::SageMakerEndpoint(endpoint_of(&after).clone()));
    assert_eq!(role(&deployed), format!("Update Role {}", policy(&before)), "and goes with it");
}

fn starting_with(count: i32) -> Value {
    json!({"instance": {"type": "ml.m5.large", "count": count}})
}

/// The usual model, with these fields and the first count as well.
fn with_count(fields: Value, count: i32) -> Vec<Desired> {
    let mut fields = fields;
    fields["instance"] = starting_with(count)["instance"].clone();
    wanted(fields)
}

fn wanted_config(plan: &Plan) -> String {
    match &step(plan, Kind::SageMakerEndpoint).desired {
        Some(Resource::SageMakerEndpoint(endpoint)) => endpoint.config.clone(),
        other => panic!("not an endpoint: {other:?}"),
    }
}

#[test]
fn an_edit_of_nothing_but_the_first_count_of_what_is_scaled_changes_nothing() {
    let before = wanted(json!({}));
    let deployed = Deployed::of(&before);
    for count in [1, 3, 9] {
        let plan = deployed.plan(&with_count(json!({}), count));
        assert!(plan.is_settled(), "{plan}");
        assert_eq!(wanted_config(&plan), endpoint_of(&before).config);
    }
    let serverless = |concurrency| {
        let utilization = json!({"provisionedConcurrencyUtilization": {"value": 0.7}});
        wanted(json!({
            "instance": null,
            "serverless": {"memoryMiB": 2048, "maxConcurrency": 9, "provisionedConcurrency": concurrency},
            "autoscaling": {"minInstances": 1, "maxInstances": 5, "target": utilization},
        }))
    };
    let plan = Deployed::of(&serverless(2)).plan(&serverless(4));
    assert!(plan.is_settled(), "{plan}");
}

#[test]
fn a_count_that_is_edited_with_something_else_leaves_the_instances_of_what_is_scaled_alone() {
    let before = wanted(json!({}));
    for (after, resized) in [
        (with_count(image("2"), 5), false),
        (with_count(json!({"autoscaling": null}), 5), true),
        (with_count(json!({"autoscaling": null, "image": image("2")["image"]}), 5), true),
    ] {
        let plan = Deployed::of(&before).plan(&after);
        let update = step(&plan, Kind::SageMakerEndpoint).write_of::<Endpoint>().expect("it moves");
        assert_eq!((update.apply_instance_count, &update.attempt.revision), (resized, &revision(&after)));
    }
    let unscaled = wanted(json!({"autoscaling": null}));
    let plan = Deployed::of(&unscaled).plan(&with_count(json!({"autoscaling": null}), 5));
    assert!(
        step(&plan, Kind::SageMakerEndpoint).write_of::<Endpoint>().is_some_and(|it| it.apply_instance_count),
        "{plan}"
    );
}

#[test]
fn what_begins_to_scale_keeps_the_instances_that_it_has() {
    let deployed = Deployed::of(&wanted(json!({"autoscaling": null})));
    let reported = deployed.reported(&with_count(json!({}), 5));
    assert_eq!(reported, ["Create ScalableTarget", "Create ScalingPolicy", "Create ScheduledAction"]);
}

#[test]
fn a_fleet_that_is_made_again_starts_with_the_count_of_the_spec() {
    let (before, after) = (wanted(json!({})), with_count(json!({}), 5));
    let gone = Deployed::of(&before).without(Kind::SageMakerEndpoint);
    assert_eq!(wanted_config(&gone.plan(&after)), endpoint_of(&after).config);
    let mut failed = Deployed::of(&before);
    failed.facts(|facts| facts.status = Status::Failed);
    let plan = failed.plan(&after);
    assert_eq!(wanted_config(&plan), endpoint_of(&after).config);
    assert_eq!(tell(step(&plan, Kind::SageMakerEndpoint)), "Delete SageMakerEndpoint", "fewer may be there to be had");
}

#[test]
fn a_count_is_no_request_to_try_again_what_was_rolled_back() {
    let (before, after) = (wanted(json!({})), wanted(image("2")));
    let mut deployed = Deployed::of(&before);
    deployed.make_revision(&after);
    let request_hash = endpoint_of(&after).request_hash.clone();
    deployed.facts(|facts| {
        facts.attempt = Some(Attempt { rolled_back: true, ..attempt(&revision(&after), 0, &request_hash) });
        facts.modified = at(9);
    });
    assert_eq!(deployed.reported(&with_count(image("2"), 5))[0], "Keep SageMakerEndpoint (RolledBack)");
    let mut slower = image("2");
    slower["rollout"] = json!({"strategy": "Canary", "stepPercent": 10});
    assert_eq!(deployed.reported(&wanted(slower))[0], "Update SageMakerEndpoint config", "that may be the remedy");
}

#[test]
fn what_other_parts_of_the_spec_say_is_no_request_to_try_again_what_was_rolled_back() {
    let rank = json!({"name": "rank", "sagemaker": {
        "image": image("2")["image"],
        "instance": {"type": "ml.m5.large"},
    }});
    let request_hash = |spec: Value, annotation: Option<&str>| {
        let mut object = object(spec);
        let annotation = annotation.map(|value| (crate::api::RECONCILE_AT.to_string(), value.to_string()));
        object.metadata.annotations = Some(annotation.into_iter().collect());
        endpoint_of(&desire(&validate(&object).expect("the spec is valid"), CLUSTER)).request_hash.clone()
    };
    let bare = request_hash(json!({"models": [rank]}), None);
    let other = json!({"name": "tag", "sagemaker": rank["sagemaker"]});
    for spec in [
        json!({"models": [rank], "tags": {"project": "assistant"}}),
        json!({"models": [rank, other]}),
        json!({"models": [rank], "storage": {"buckets": [{"name": "artifacts"}]}}),
    ] {
        assert_eq!(request_hash(spec.clone(), None), bare, "{spec}");
    }
    assert_ne!(request_hash(json!({"models": [rank]}), Some("now")), bare);
    let mut edited = rank.clone();
    edited["sagemaker"]["keepRevisions"] = json!(2);
    assert_ne!(request_hash(json!({"models": [edited]}), None), bare);
}

#[test]
fn an_upgrade_of_the_operator_is_no_request_to_try_again_what_was_rolled_back() {
    let (before, mut after) = (wanted(json!({})), wanted(image("2")));
    let mut deployed = Deployed::of(&before);
    deployed.make_revision(&after);
    let of_the_whole_spec = "0123abcd";
    deployed.facts(|facts| {
        facts.attempt = Some(Attempt { rolled_back: true, ..attempt(&revision(&after), 0, of_the_whole_spec) });
        facts.modified = at(9);
    });
    let noted = step(&deployed.plan(&after), Kind::SageMakerEndpoint).clone();
    assert_eq!(tell(&noted), "Update SageMakerEndpoint attempt (RolledBack)");
    let noted = noted.write_of::<Endpoint>().expect("it is noted").attempt.clone();
    assert_eq!((&noted.request_hash, noted.rolled_back), (&endpoint_of(&after).request_hash, true));
    deployed.facts(|facts| facts.attempt = Some(noted));
    assert_eq!(deployed.reported(&after)[0], "Keep SageMakerEndpoint (RolledBack)");
    for item in &mut after {
        if let Resource::SageMakerEndpoint(endpoint) = &mut item.resource {
            endpoint.request_hash = crate::resource::endpoint::request_hash("another");
        }
    }
    assert_eq!(deployed.reported(&after)[0], "Update SageMakerEndpoint config", "the user asked again");
}

#[test]
fn an_endpoint_does_not_move_from_a_configuration_that_cannot_be_read() {
    let (before, after) = (wanted(json!({})), wanted(image("2")));
    let mut deployed = Deployed::of(&before);
    deployed.make_revision(&after);
    let running = Key { kind: Kind::SageMakerEndpointConfig, name: endpoint_of(&before).config.clone() };
    let denied = crate::testing::failure(crate::failure::Class::Denied);
    deployed.0.insert(running, Observed::unreadable(denied));
    let reported = deployed.reported(&after);
    assert!(reported.contains(&"Wait SageMakerEndpoint".to_string()), "{reported:?}");
}

#[test]
fn what_is_registered_for_scaling_is_taken_off_before_the_instance_type_changes() {
    let (before, after) = (wanted(json!({})), wanted(other_type("1")));
    let deployed = Deployed::of(&before);
    let reported = deployed.reported(&after);
    assert_eq!(
        reported[..4],
        [
            "Create SageMakerEndpointConfig",
            "Delete ScalableTarget",
            "Update SageMakerEndpoint config",
            "Retain SageMakerEndpointConfig"
        ]
    );
    let plan = deployed.plan(&after);
    let (target, endpoint) = (step(&plan, Kind::ScalableTarget), step(&plan, Kind::SageMakerEndpoint));
    assert!(endpoint.needs.contains(&target.key), "it waits for that");
    assert_eq!(target.needs, [step(&plan, Kind::SageMakerEndpointConfig).key.clone()], "and that for all else");
}

#[test]
fn bounds_that_a_schedule_has_set_come_back_with_the_target() {
    let (before, after) = (wanted(json!({})), wanted(other_type("1")));
    let bounds = Bounds { min_capacity: 4, max_capacity: 8 };
    let mut deployed = Deployed::of(&before);
    for observed in deployed.0.values_mut() {
        if let Some(Resource::ScalableTarget(target)) = &mut observed.resource {
            target.bounds = bounds;
        }
    }
    let reported = deployed.reported(&after);
    assert!(reported.contains(&"Update SageMakerEndpoint attempt".to_string()), "it is remembered first: {reported:?}");
    let noted =
        step(&deployed.plan(&after), Kind::SageMakerEndpoint).write_of::<Endpoint>().cloned().expect("what is noted");
    assert_eq!((noted.attempt.revision, noted.bounds), (revision(&before), Some(bounds)), "and nothing is tried yet");
    assert!(!reported.contains(&"Delete ScalableTarget".to_string()), "{reported:?}");
    deployed.facts(|facts| facts.bounds = Some(bounds));
    assert!(deployed.reported(&after).contains(&"Delete ScalableTarget".to_string()));

    let deployed = Deployed::of(&after).without(Kind::ScalableTarget);
    let target = |deployed: &Deployed| match &step(&deployed.plan(&after), Kind::ScalableTarget).desired {
        Some(Resource::ScalableTarget(target)) => target.bounds.min_capacity,
        other => panic!("not a target: {other:?}"),
    };
    assert_eq!(target(&deployed), 2);
    let mut deployed = deployed;
    deployed.facts(|facts| facts.bounds = Some(bounds));
    assert_eq!(target(&deployed), 4);
}

#[test]
fn a_target_that_was_taken_off_comes_back_when_the_endpoint_has_arrived_or_gone_back() {
    let (before, after) = (wanted(json!({})), wanted(other_type("1")));
    let mut deployed = Deployed::of(&before).without(Kind::ScalableTarget).without(Kind::ScalingPolicy);
    deployed.make_revision(&after);
    let request_hash = endpoint_of(&after).request_hash.clone();
    deployed.facts(|facts| {
        facts.status = Status::Updating;
        facts.attempt = Some(attempt(&revision(&after), 0, &request_hash));
    });
    let reported = deployed.reported(&after);
    assert!(
        reported.contains(&"Wait SageMakerEndpoint".to_string())
            && reported.contains(&"Blocked ScalableTarget".to_string()),
        "{reported:?}"
    );

    deployed.facts(|facts| {
        facts.status = Status::InService;
        facts.modified = at(9);
        facts.failure = Some("the container did not answer".into());
    });
    let reported = deployed.reported(&after);
    assert!(reported.contains(&"Update SageMakerEndpoint attempt (RolledBack)".to_string()), "{reported:?}");
    assert!(reported.contains(&"Create ScalableTarget".to_string()), "the old revision scales again: {reported:?}");
}

#[test]
fn a_rollout_that_was_rolled_back_is_not_tried_again_until_the_user_requests_it() {
    let (before, mut after) = (wanted(json!({})), wanted(image("2")));
    let mut deployed = Deployed::of(&before);
    deployed.make_revision(&after);
    let request_hash = endpoint_of(&after).request_hash.clone();
    deployed.facts(|facts| {
        facts.attempt = Some(attempt(&revision(&after), 0, &request_hash));
        facts.modified = at(9);
        facts.failure = Some("the container did not answer".into());
    });
    let reported = deployed.reported(&after);
    assert_eq!(reported[0], "Update SageMakerEndpoint attempt (RolledBack)");
    let held_back = step(&deployed.plan(&after), Kind::SageMakerEndpoint).held_back.clone().expect("it is held back");
    for part in ["the container did not answer", &revision(&before), &revision(&after), "reconcile-at"] {
        assert!(held_back.message.contains(part), "{part} is missing in {}", held_back.message);
    }
    // It is noted, and holds also when scaling has taken away SageMaker's reason.
    deployed.facts(|facts| {
        facts.attempt.as_mut().expect("it is noted").rolled_back = true;
        facts.modified = at(99);
        facts.failure = None;
    });
    assert_eq!(deployed.reported(&after)[0], "Keep SageMakerEndpoint (RolledBack)");

    for item in &mut after {
        if let Resource::SageMakerEndpoint(endpoint) = &mut item.resource {
            endpoint.request_hash = crate::resource::endpoint::request_hash("another");
        }
    }
    assert_eq!(deployed.reported(&after)[0], "Update SageMakerEndpoint config", "the user asked again");
}

#[test]
fn an_update_that_never_reached_sagemaker_is_made_again() {
    let (before, after) = (wanted(json!({})), wanted(image("2")));
    let request_hash = endpoint_of(&after).request_hash.clone();
    let mut deployed = Deployed::of(&before);
    deployed.facts(|facts| {
        facts.attempt = Some(attempt(&revision(&after), 0, &request_hash));
        facts.failure = Some("an older failure".into());
    });
    assert!(deployed.reported(&after).contains(&"Update SageMakerEndpoint config".to_string()));
}

#[test]
fn back_on_the_old_revision_the_failed_one_is_forgotten_and_goes() {
    let (before, failed) = (wanted(json!({})), wanted(image("2")));
    let mut deployed = Deployed::of(&before);
    deployed.make_revision(&failed);
    deployed.facts(|facts| {
        facts.attempt = Some(attempt(&revision(&failed), 0, "request"));
        facts.history = vec![revision(&before)];
        facts.modified = at(9);
        facts.failure = Some("the container did not answer".into());
    });
    let expected = ["Update SageMakerEndpoint attempt", "Delete SageMakerEndpointConfig", "Delete SageMakerModel"];
    assert_eq!(deployed.reported(&before), expected);
}

#[test]
fn while_the_endpoint_is_busy_nothing_is_made_for_an_edit_that_another_may_supersede() {
    let (before, after) = (wanted(json!({})), wanted(image("2")));
    for status in [Status::Creating, Status::Updating, Status::RollingBack, Status::SystemUpdating] {
        let mut deployed = Deployed::of(&before);
        deployed.facts(|facts| facts.status = status);
        let reported = deployed.reported(&after);
        let expected = ["Wait SageMakerModel", "Wait SageMakerEndpointConfig", "Wait SageMakerEndpoint"];
        assert_eq!(reported[..3], expected, "{status:?}");
        assert!(!reported.iter().any(|it| it.starts_with("Delete")), "{status:?}: {reported:?}");
    }
}

#[test]
fn an_endpoint_that_somebody_scales_is_as_declared() {
    let desired = wanted(json!({}));
    let mut deployed = Deployed::of(&desired);
    deployed.facts(|facts| {
        facts.status = Status::Updating;
        facts.capacity = Some(Capacity { current: 2, desired: 5 });
    });
    assert!(deployed.reported(&desired).is_empty());
    assert_eq!(step(&deployed.plan(&desired), Kind::SageMakerEndpoint).remarks, ["on its way from 2 to 5"]);
}

#[test]
fn as_many_superseded_revisions_stay_as_the_user_keeps() {
    let revisions: Vec<Vec<Desired>> = ["1", "2", "3", "4"].iter().map(|tag| wanted(image(tag))).collect();
    for (kept, left) in [(0, vec![]), (1, vec![2]), (2, vec![2, 1])] {
        let mut fields = image("4");
        fields["keepRevisions"] = json!(kept);
        let desired = wanted(fields);
        let mut deployed = Deployed::of(&desired);
        for older in &revisions[..3] {
            deployed.make_revision(older);
        }
        deployed.facts(|facts| facts.history = [2, 1, 0].iter().map(|it| revision(&revisions[*it])).collect());
        let plan = deployed.plan(&desired);
        let mut gone: BTreeMap<&str, bool> = BTreeMap::new();
        for step in
            plan.steps.iter().filter(|step| step.key.kind == Kind::SageMakerEndpointConfig && step.desired.is_none())
        {
            gone.insert(revision_of(&step.key.name), matches!(step.action, Action::Delete { .. }));
        }
        for (index, older) in revisions[..3].iter().enumerate() {
            assert_eq!(
                gone[revision(older).as_str()],
                !left.contains(&index),
                "keepRevisions {kept}, revision {index}"
            );
        }
    }
}

#[test]
fn an_endpoint_that_never_came_up_is_made_again_a_few_times_where_the_cause_passes() {
    let desired = wanted(json!({}));
    let request_hash = endpoint_of(&desired).request_hash.clone();
    let failed = |why: &str, times: Option<u32>, counted: bool| {
        let mut deployed = Deployed::of(&desired).without(Kind::ScalableTarget).without(Kind::ScalingPolicy);
        deployed.facts(|facts| {
            facts.status = Status::Failed;
            facts.failure = Some(why.into());
        });
        let since = at(if counted { 0 } else { -60 });
        let recreation = |times| Recreation { request_hash: request_hash.clone(), times, failed: since };
        let config =
            deployed.0.iter_mut().find(|(key, _)| key.kind == Kind::SageMakerEndpointConfig).expect("there is one").1;
        let revision = Revision { created: Timestamp::UNIX_EPOCH, recreated: times.map(recreation) };
        config.facts = Some(EndpointConfig::boxed_facts(revision));
        deployed.reported(&desired)
    };
    let not_visible = "Could not assume role arn:aws:iam::123456789012:role/x. Please ensure that the role exists";
    let again = ["Update SageMakerEndpointConfig recreated", "Delete SageMakerEndpoint"];
    assert_eq!(failed(not_visible, None, false)[..2], again);
    assert_eq!(failed(not_visible, Some(2), false)[..2], again);
    assert_eq!(failed(not_visible, Some(3), false)[0], "Refuse SageMakerEndpoint (Failed)", "not for ever");
    assert_eq!(failed(not_visible, Some(3), true)[0], "Delete SageMakerEndpoint", "it was counted and is still there");
    assert_eq!(failed("the container did not answer", None, false)[0], "Refuse SageMakerEndpoint (Failed)");
}

#[test]
fn what_may_not_be_deleted_is_not_made_again_and_not_counted() {
    let desired = wanted(json!({}));
    let mut deployed = Deployed::of(&desired);
    deployed.facts(|facts| {
        facts.status = Status::Failed;
        facts.failure = Some("Could not assume role arn:aws:iam::123456789012:role/x".into());
    });
    let plan = plan("support", "assistant", &desired, &deployed.0, &Intent::keep(NoDelete));
    assert_eq!(tell(step(&plan, Kind::SageMakerEndpointConfig)), "Keep SageMakerEndpointConfig");
    assert_eq!(tell(step(&plan, Kind::SageMakerEndpoint)), "Refuse SageMakerEndpoint (Failed)");
}

#[test]
fn a_failed_endpoint_is_made_again_when_the_user_requests_something_else() {
    let (before, after) = (wanted(json!({})), wanted(image("2")));
    let mut deployed = Deployed::of(&before);
    deployed.facts(|facts| {
        facts.status = Status::Failed;
        facts.failure = Some("the container did not answer".into());
    });
    assert!(deployed.reported(&after).contains(&"Delete SageMakerEndpoint".to_string()));
}

#[test]
fn a_failed_rollback_is_distinguished_and_every_revision_stays() {
    let (before, after) = (wanted(json!({})), wanted(image("2")));
    let request_hash = endpoint_of(&after).request_hash.clone();
    let mut deployed = Deployed::of(&before);
    deployed.make_revision(&after);
    deployed.facts(|facts| {
        facts.status = Status::UpdateRollbackFailed;
        facts.attempt = Some(attempt(&revision(&after), -60, &request_hash));
        facts.failure = Some("no capacity".into());
    });
    let reported = deployed.reported(&after);
    assert_eq!(reported[0], "Refuse SageMakerEndpoint (UpdateRollbackFailed)");
    assert!(!reported.iter().any(|it| it.starts_with("Delete")), "{reported:?}");
    let reported = deployed.reported(&before);
    assert!(
        reported.contains(&"Update SageMakerEndpoint config".to_string()),
        "either revision is a way out: {reported:?}"
    );

    deployed.facts(|facts| facts.attempt = Some(attempt(&revision(&after), 0, &request_hash)));
    let reported = deployed.reported(&after);
    assert!(
        reported.iter().any(|it| it.starts_with("Update SageMakerEndpoint ")),
        "the call was never made: {reported:?}"
    );
}

#[test]
fn instances_cannot_become_serverless() {
    let before = wanted(json!({"autoscaling": null}));
    let after =
        wanted(json!({"autoscaling": null, "instance": null, "serverless": {"memoryMiB": 2048, "maxConcurrency": 5}}));
    let reported = Deployed::of(&before).reported(&after);
    assert!(reported.contains(&"Refuse SageMakerEndpoint (InvalidSpec)".to_string()), "{reported:?}");
    assert!(
        Deployed::of(&after).reported(&before).contains(&"Update SageMakerEndpoint config".to_string()),
        "the other way works"
    );
}

#[test]
fn what_scales_instances_stays_while_the_endpoint_cannot_become_serverless() {
    let before = wanted(json!({}));
    let after = wanted(json!({
        "instance": null,
        "serverless": {"memoryMiB": 2048, "maxConcurrency": 5, "provisionedConcurrency": 2},
        "autoscaling": {
            "minInstances": 1, "maxInstances": 5,
            "target": {"provisionedConcurrencyUtilization": {"value": 0.7}},
        },
    }));
    let reported = Deployed::of(&before).reported(&after);
    let count = |action: &str| reported.iter().filter(|it| it.starts_with(action) && it.contains("Scal")).count();
    assert_eq!((count("Retain"), count("Blocked"), count("Delete"), count("Create")), (2, 2, 0, 0), "{reported:?}");
}

#[test]
fn a_policy_for_another_metric_is_there_before_the_old_one_goes() {
    let before = wanted(json!({}));
    let target = json!({"invocationsPerInstance": {"value": 600}});
    let after = wanted(json!({"autoscaling": {"minInstances": 2, "maxInstances": 8, "target": target}}));
    let plan = Deployed::of(&before).plan(&after);
    let policies = plan.steps.iter().filter(|step| step.key.kind == Kind::ScalingPolicy);
    let [new, old] = policies.collect::<Vec<_>>()[..] else { panic!("two policies: {plan}") };
    assert_eq!((tell(new), tell(old)), ("Create ScalingPolicy".into(), "Delete ScalingPolicy".into()));
    assert!(old.needs.contains(&new.key));
}

#[test]
fn steps_need_only_what_comes_before_them() {
    let (before, after) = (wanted(json!({})), wanted(other_type("2")));
    let mut theirs = Deployed::of(&before);
    for (key, observed) in &mut theirs.0 {
        if key.kind == Kind::ScalableTarget {
            observed.owner = Owner::Theirs("another".into());
        }
    }
    let mut held_up = Deployed::of(&before);
    let model =
        after.iter().find(|item| matches!(item.resource, Resource::SageMakerModel(_))).expect("a model is wanted");
    let refused = Observed { owner: Owner::Nobody, ..Observed::present(model.resource.clone(), Owner::Ours) };
    held_up.0.insert(model.resource.key(), refused);
    for deployed in [Deployed::of(&before), theirs, held_up] {
        let plan = deployed.plan(&after);
        for (index, step) in plan.steps.iter().enumerate() {
            let is_later = |need: &&Key| plan.steps[index..].iter().any(|later| later.key == **need);
            assert_eq!(step.needs.iter().find(is_later), None, "{} in {:?}", step.key, deployed.reported(&after));
        }
    }
}

#[test]
fn a_configuration_made_by_hand_takes_no_place_among_those_that_are_kept() {
    let (first, second) = (wanted(json!({})), wanted(image("2")));
    let mut deployed = Deployed::of(&second);
    deployed.make_revision(&first);
    deployed.facts(|facts| facts.history = vec![revision(&first)]);
    if let Some(Resource::SageMakerEndpoint(endpoint)) = &mut deployed.endpoint().resource {
        endpoint.config = "theirs".into();
    }
    let update = step(&deployed.plan(&second), Kind::SageMakerEndpoint)
        .write_of::<Endpoint>()
        .cloned()
        .expect("it is moved back");
    assert_eq!(update.history, [revision(&first)]);
}

#[test]
fn bounds_that_a_schedule_has_set_are_no_drift_and_others_are() {
    let desired = wanted(json!({}));
    for (bounds, drifted) in [((4, 8), false), ((2, 8), false), ((1, 8), true), ((4, 9), true)] {
        let mut deployed = Deployed::of(&desired);
        for observed in deployed.0.values_mut() {
            if let Some(Resource::ScalableTarget(target)) = &mut observed.resource {
                target.bounds = Bounds { min_capacity: bounds.0, max_capacity: bounds.1 };
            }
        }
        assert_eq!(!deployed.reported(&desired).is_empty(), drifted, "{bounds:?}");
    }
}

#[test]
fn on_its_way_out_scaling_goes_first_and_the_role_last() {
    let desired = wanted(json!({}));
    let deployed = Deployed::of(&desired);
    let intent = Intent::delete(Full, crate::api::DeletionPolicy::Delete, &desired);
    let plan = plan("support", "assistant", &desired, &deployed.0, &intent);
    let kinds: Vec<Kind> = plan.steps.iter().map(|step| step.key.kind).collect();
    let place = |kind: Kind| kinds.iter().position(|it| *it == kind).expect("it goes");
    let order = [
        Kind::ScalingPolicy,
        Kind::ScalableTarget,
        Kind::SageMakerEndpoint,
        Kind::SageMakerEndpointConfig,
        Kind::SageMakerModel,
    ];
    assert!(order.windows(2).all(|pair| place(pair[0]) < place(pair[1])), "{kinds:?}");
}

#[test]
fn an_endpoint_that_is_still_being_made_is_waited_for_and_keeps_what_it_is_made_of() {
    let desired = wanted(json!({}));
    let mut deployed = Deployed::of(&desired).without(Kind::ScalableTarget).without(Kind::ScalingPolicy);
    deployed.facts(|facts| facts.status = Status::Creating);
    let intent = Intent::delete(Full, crate::api::DeletionPolicy::Delete, &desired);
    let plan = plan("support", "assistant", &desired, &deployed.0, &intent);
    let endpoint = plan.steps.iter().find(|step| step.key.kind == Kind::SageMakerEndpoint).expect("it is there");
    assert!(matches!(&endpoint.action, Action::Wait(why) if why.starts_with("Creating")), "{:?}", endpoint.action);
    let blocked: Vec<&Key> =
        plan.steps.iter().filter(|step| matches!(step.action, Action::Blocked(_))).map(|step| &step.key).collect();
    assert!(blocked.iter().any(|key| key.kind == Kind::SageMakerEndpointConfig), "{blocked:?}");
}
