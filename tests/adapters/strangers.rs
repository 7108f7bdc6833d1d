//! What a forged status or a step that nobody knows asks of the adapters.

use aiplatform::diff::Change;
use aiplatform::plan::{Action, Step};
use aiplatform::resource::{Key, Kind};
use aiplatform::scope::Scope;
use serde_json::{Value, json};

use super::Run;
use super::drifts::ready_run;

/// Adds an entry to the status, as whoever may write it can.
fn forge(run: &mut Run, kind: &str, name: &str) {
    let mut status = serde_json::to_value(&run.object.status).expect("JSON");
    let entry = json!({"kind": kind, "name": name, "state": "Ready"});
    status["resources"].as_array_mut().expect("a list").push(entry);
    run.object.status = serde_json::from_value(status).expect("a status");
}

#[tokio::test]
async fn a_status_that_names_scaling_of_others_takes_nothing_from_them() {
    let mut run = ready_run().await;
    victim(&run, None).await;
    victim(&run, Some("somewhere/else/entirely")).await;
    for endpoint in ["victim", "victim-tagged"] {
        forge(&mut run, "ScalableTarget", &format!("endpoint/{endpoint}/variant/AllTraffic"));
        forge(&mut run, "ScalingPolicy", &format!("{endpoint}/by-hand"));
        forge(&mut run, "SageMakerEndpoint", endpoint);
    }
    let before = run.aws.call_count();
    run.settle_ready().await;
    let written = run.aws.writes_since_call(before);
    assert_eq!(written, Vec::<String>::new());
    let status = serde_json::to_string(&run.object.status).expect("JSON");
    assert!(!status.contains("victim"), "it is not even listed: {status}");
}

/// An endpoint of somebody else with a scalable target and a policy, none of which carries a tag of its own.
async fn victim(run: &Run, owner: Option<&str>) {
    let name = if owner.is_some() { "victim-tagged" } else { "victim" };
    let (sagemaker, scaling) = (run.aws.sagemaker(), run.aws.autoscaling());
    let ours = run.resource("SageMakerModel").name.clone();
    let variant = aws_sdk_sagemaker::types::ProductionVariant::builder()
        .variant_name("AllTraffic")
        .model_name(ours)
        .initial_instance_count(1)
        .instance_type(aws_sdk_sagemaker::types::ProductionVariantInstanceType::MlM5Large)
        .build();
    sagemaker
        .create_endpoint_config()
        .endpoint_config_name(name)
        .production_variants(variant)
        .send()
        .await
        .expect("made");
    let tag = |owner: &str| aws_sdk_sagemaker::types::Tag::builder().key("aiplatform.dev/owner").value(owner).build();
    let call = sagemaker.create_endpoint().endpoint_name(name).endpoint_config_name(name);
    call.set_tags(owner.map(|owner| vec![tag(owner)])).send().await.expect("made");
    let service = || aws_sdk_applicationautoscaling::types::ServiceNamespace::Sagemaker;
    let dimension = || aws_sdk_applicationautoscaling::types::ScalableDimension::SageMakerVariantDesiredInstanceCount;
    let resource_id = format!("endpoint/{name}/variant/AllTraffic");
    loop {
        let call = scaling.register_scalable_target().service_namespace(service()).resource_id(&resource_id);
        if call.scalable_dimension(dimension()).min_capacity(1).max_capacity(3).send().await.is_ok() {
            break;
        }
        tokio::task::yield_now().await;
    }
    let metric = aws_sdk_applicationautoscaling::types::PredefinedMetricSpecification::builder()
        .predefined_metric_type(
            aws_sdk_applicationautoscaling::types::MetricType::SageMakerVariantInvocationsPerInstance,
        )
        .build()
        .expect("a metric");
    let tracking = aws_sdk_applicationautoscaling::types::TargetTrackingScalingPolicyConfiguration::builder()
        .target_value(70.0)
        .predefined_metric_specification(metric)
        .build()
        .expect("a configuration");
    let call = scaling.put_scaling_policy().service_namespace(service()).resource_id(&resource_id);
    let call = call
        .scalable_dimension(dimension())
        .policy_name("by-hand")
        .target_tracking_scaling_policy_configuration(tracking);
    call.policy_type(aws_sdk_applicationautoscaling::types::PolicyType::TargetTrackingScaling)
        .send()
        .await
        .expect("put");
}

#[tokio::test]
async fn a_target_of_ours_that_lost_its_tag_is_known_by_its_endpoint() {
    let mut run = ready_run().await;
    let scaling = run.aws.autoscaling();
    let call = scaling.describe_scalable_targets();
    let call = call.service_namespace(aws_sdk_applicationautoscaling::types::ServiceNamespace::Sagemaker);
    let targets = call.send().await.expect("targets").scalable_targets.unwrap_or_default();
    let arn = targets[0].scalable_target_arn.clone();
    let call = scaling.untag_resource().set_resource_arn(arn.clone()).tag_keys("aiplatform.dev/owner");
    call.send().await.expect("untagged");
    run.settle_ready().await;
    let tags = scaling.list_tags_for_resource().set_resource_arn(arn).send().await.expect("tags").tags;
    assert!(tags.unwrap_or_default().contains_key("aiplatform.dev/owner"), "it is put back");
}

#[tokio::test]
async fn what_an_adapter_does_not_know_is_a_bug_and_no_success() {
    let run = ready_run().await;
    let plan = run.plan().await;
    let scope = Scope {
        region: "eu-west-1".into(),
        account_id: "123456789012".into(),
        owner: "tests/support/assistant".into(),
        uid: String::new(),
        assume_role: None,
    };
    let novelty = || Change { path: "novelty.depth".into(), from: Value::Null, to: json!(1) };
    let mut kinds = std::collections::BTreeSet::new();
    for step in plan.steps.iter().filter(|step| step.key.kind.info().backend.service().is_some()) {
        kinds.insert(step.key.kind);
        let is_whole = matches!(step.key.kind, Kind::ScalingPolicy | Kind::ScheduledAction);
        let unknown = (!is_whole).then(|| Action::Update(vec![novelty()]));
        for action in [Some(Action::Keep), unknown].into_iter().flatten() {
            let asked = Step { action: action.clone(), ..step.clone() };
            let failures = run.provider.aws.apply(&scope, &asked).await.expect_err("it is no success");
            assert_eq!(failures.reason(), "Bug", "{} {action:?}: {failures}", step.key);
        }
    }
    assert_eq!(kinds.len(), 9, "{kinds:?}");
    let elsewhere = Step { key: Key { kind: Kind::ServiceAccount, name: "n/a".into() }, ..plan.steps[0].clone() };
    assert_eq!(run.provider.aws.apply(&scope, &elsewhere).await.expect_err("not in AWS").reason(), "Bug");
    assert!(!plan.steps.is_empty());
}
