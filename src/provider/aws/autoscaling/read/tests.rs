use aws_sdk_applicationautoscaling::primitives::DateTime;
use aws_sdk_applicationautoscaling::types::{
    CustomizedMetricSpecification, MetricType, PredefinedMetricSpecification, ScalableDimension, ScalableTargetAction,
    TargetTrackingScalingPolicyConfiguration, builders::ScalingPolicyBuilder,
};

use super::super::write;
use super::*;
use crate::resource::{Departure, Freshness, ObservedState};

const RESOURCE: &str = "endpoint/s-a-rank-0a1b2c3d/variant/AllTraffic";

fn request(kind: Kind, name: &str, thorough: bool) -> Request {
    Request {
        key: Key { kind, name: name.into() },
        adopt: false,
        pruning: false,
        may_be_made: false,
        thorough,
        omitted: &[],
        freshness: Freshness::Current,
        departure: Departure::default(),
        vpc_id: None,
    }
}

fn instances() -> ScalableResource {
    ScalableResource::of("s-a-rank-0a1b2c3d", Dimension::Instances)
}

fn tracked() -> Tracking {
    Tracking {
        metric: "SageMakerVariantInvocationsPerInstance".into(),
        target_value: 600.0,
        scale_in_cooldown_seconds: 300,
        scale_out_cooldown_seconds: 60,
        disable_scale_in: true,
    }
}

fn described_policy(kind: PolicyType) -> ScalingPolicyBuilder {
    types::ScalingPolicy::builder()
        .policy_arn("arn:p")
        .policy_name("invocations-per-instance")
        .service_namespace(ServiceNamespace::Sagemaker)
        .resource_id(RESOURCE)
        .scalable_dimension(ScalableDimension::SageMakerVariantDesiredInstanceCount)
        .policy_type(kind)
        .creation_time(DateTime::from_secs(0))
}

fn reported_action() -> types::ScheduledAction {
    types::ScheduledAction::builder()
        .scheduled_action_name("morning")
        .scheduled_action_arn("arn:a")
        .service_namespace(ServiceNamespace::Sagemaker)
        .schedule("cron(0 7 ? * MON-FRI *)")
        .resource_id(RESOURCE)
        .scalable_dimension(ScalableDimension::SageMakerVariantDesiredInstanceCount)
        .scalable_target_action(ScalableTargetAction::builder().min_capacity(4).build())
        .creation_time(DateTime::from_secs(0))
        .build()
        .unwrap()
}

fn error() -> Error {
    Error {
        class: Class::Denied,
        action: action::DESCRIBE_POLICIES.into(),
        subject: RESOURCE.into(),
        code: "AccessDeniedException".into(),
        message: String::new(),
        request_id: None,
    }
}

fn policy_of(tracking: Option<Tracking>) -> Resource {
    Resource::ScalingPolicy(ScalingPolicy { name: "p".into(), scaled: instances(), tracking, derivation: None })
}

#[test]
fn what_is_put_is_read_back() {
    let configuration = write::tracking(&tracked()).unwrap();
    let found =
        described_policy(PolicyType::TargetTrackingScaling).target_tracking_scaling_policy_configuration(configuration);
    let policy = policy(&found.build().unwrap()).unwrap();
    assert_eq!((policy.scaled, policy.tracking), (instances(), Some(tracked())));
}

#[test]
fn cooldowns_that_are_not_returned_are_the_usual_ones() {
    let metric = PredefinedMetricSpecification::builder()
        .predefined_metric_type(MetricType::SageMakerVariantInvocationsPerInstance)
        .build()
        .unwrap();
    let configuration = TargetTrackingScalingPolicyConfiguration::builder()
        .target_value(1.0)
        .predefined_metric_specification(metric)
        .build()
        .unwrap();
    let found =
        described_policy(PolicyType::TargetTrackingScaling).target_tracking_scaling_policy_configuration(configuration);
    let tracking = tracking(&found.build().unwrap()).unwrap();
    assert_eq!((tracking.scale_in_cooldown_seconds, tracking.scale_out_cooldown_seconds), (300, 300));
    assert!(!tracking.disable_scale_in);
}

#[test]
fn a_policy_of_another_kind_tracks_nothing_we_know() {
    assert_eq!(policy(&described_policy(PolicyType::StepScaling).build().unwrap()).unwrap().tracking, None);
    let configuration = TargetTrackingScalingPolicyConfiguration::builder()
        .target_value(1.0)
        .customized_metric_specification(CustomizedMetricSpecification::builder().metric_name("m").build())
        .build()
        .unwrap();
    let found =
        described_policy(PolicyType::TargetTrackingScaling).target_tracking_scaling_policy_configuration(configuration);
    assert_eq!(policy(&found.build().unwrap()).unwrap().tracking, None);
}

#[test]
fn an_action_without_a_time_zone_is_in_utc() {
    let action = scheduled(&reported_action()).unwrap();
    assert_eq!((action.timezone.as_str(), action.min_capacity, action.max_capacity), ("UTC", Some(4), None));
    assert_eq!(action.scaled, instances());
}

#[test]
fn what_we_never_scale_is_passed_over() {
    assert_eq!(scaled("inference-component/x", "sagemaker:inference-component:DesiredCopyCount"), None);
    let concurrency = scaled(RESOURCE, "sagemaker:variant:DesiredProvisionedConcurrency").unwrap();
    assert_eq!(concurrency.dimension, Dimension::ProvisionedConcurrency);
}

#[test]
fn requests_about_one_endpoint_go_together() {
    let requests = [
        request(Kind::ScalableTarget, RESOURCE, false),
        request(Kind::ScalableTarget, &format!("{RESOURCE}/provisioned-concurrency"), true),
        request(Kind::ScalingPolicy, "s-a-rank-0a1b2c3d/invocations-per-instance", false),
        request(Kind::ScheduledAction, "other-0a1b2c3d/morning", false),
    ];
    let variants = by_variant(&requests.iter().collect::<Vec<_>>());
    assert_eq!(
        variants.keys().collect::<Vec<_>>(),
        [RESOURCE, "endpoint/other-0a1b2c3d/variant/AllTraffic"].iter().rev().collect::<Vec<_>>()
    );
    let asked = &variants[RESOURCE];
    assert_eq!((asked.targets.len(), asked.policies.len(), asked.actions.len()), (2, 1, 0));
    assert!(asked.thorough);
    let Selection::PartsOf(targets, ACTIONS) = asked.action_selection() else { panic!("nobody named an action") };
    assert_eq!(targets, asked.targets, "an unread list of actions nobody named is not passed over");
}

#[test]
fn whoever_holds_a_target_holds_what_is_below_it() {
    for (owner, expected) in [
        (Some(Ok(Owner::Theirs("c/n/other".into()))), Owner::Theirs("c/n/other".into())),
        (Some(Ok(Owner::Ours)), Owner::Ours),
        (Some(Ok(Owner::Nobody)), Owner::Nobody),
        (None, Owner::Nobody),
    ] {
        let owners = owner.map(|owner| (instances(), owner)).into_iter().collect();
        let mut seen = BTreeMap::new();
        record(&mut seen, &owners, Ok(vec![policy_of(None)]), Selection::Only(&[]));
        assert_eq!(seen.values().next().unwrap().owner, expected);
    }
}

#[test]
fn what_cannot_be_read_is_reported_of_what_was_requested() {
    let [asked, other] = [policy_of(None).key(), instances().key()];
    let mut seen = BTreeMap::from([(asked.clone(), Observed::absent()), (other.clone(), Observed::absent())]);
    record(&mut seen, &BTreeMap::new(), Err(error()), Selection::Only(std::slice::from_ref(&asked)));
    assert!(matches!(seen[&asked].state, ObservedState::Unreadable(_)));
    assert!(matches!(seen[&other].state, ObservedState::Absent));
    let owners = BTreeMap::from([(instances(), Err(error()))]);
    record(&mut seen, &owners, Ok(vec![policy_of(Some(tracked()))]), Selection::Only(&[]));
    assert!(matches!(seen[&asked].state, ObservedState::Unreadable(_)), "nobody knows whose it is");
}

#[test]
fn what_else_scales_a_target_is_a_part_of_it_that_is_unknown() {
    let target = instances().key();
    let there = Observed { state: ObservedState::Ready, owner: Owner::Ours, ..Observed::absent() };
    let mut seen = BTreeMap::from([(target.clone(), there)]);
    record(&mut seen, &BTreeMap::new(), Err(error()), Selection::PartsOf(std::slice::from_ref(&target), ACTIONS));
    assert!(matches!(seen[&target].state, ObservedState::Ready), "its bounds and tags are known all the same");
    assert!(seen[&target].unknown.contains_key(ACTIONS));
}
