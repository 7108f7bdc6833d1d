//! Nothing that the API server fills in, drops or spells anew is a difference, and everything that somebody changes is.

use aiplatform::api::ManagementPolicy;
use aiplatform::plan::{Action, Intent};
use aiplatform::resource::{Kind, Resource};

use super::{Env, deleting, everything, install_optional_apis, is_update};

#[tokio::test]
async fn what_was_applied_is_as_desired_and_what_somebody_changes_is_put_back() {
    let env = Env::new("compared").await;
    install_optional_apis(env.cluster, &env.adapter).await;
    let all = everything(&env, "local");
    for resource in &all {
        assert_eq!(env.put(resource.clone()).await.action, Action::Create);
    }
    let keep = Intent::keep(ManagementPolicy::Full);
    let plan = env.plan_of(&all, &[], &keep).await;
    assert!(!plan.steps.iter().any(|step| step.action.writes()), "{plan}");
    let versions = async || {
        let mut versions = Vec::new();
        for resource in &all {
            versions.push(env.live(resource.kind(), "local").await["metadata"]["generation"].clone());
        }
        versions
    };
    let before = versions().await;

    for (kind, patch) in [
        (Kind::NetworkPolicy, r#"{"spec":{"ingress":[{}]}}"#),
        (
            Kind::NetworkPolicy,
            r#"{"spec":{"ingress":[{"from":[{"podSelector":{"matchLabels":{"app":"web"}}}],"ports":[{"port":8000}]}]}}"#,
        ),
        (Kind::Service, r#"{"spec":{"selector":{"app":"another"}}}"#),
        (Kind::Deployment, r#"{"spec":{"template":{"spec":{"automountServiceAccountToken":null}}}}"#),
        (Kind::Deployment, r#"{"metadata":{"labels":{"aiplatform.dev/platform":null}}}"#),
        (Kind::PodDisruptionBudget, r#"{"spec":{"maxUnavailable":2}}"#),
        (Kind::HorizontalPodAutoscaler, r#"{"spec":{"maxReplicas":40}}"#),
        (Kind::ScaledObject, r#"{"spec":{"maxReplicaCount":40}}"#),
        (Kind::PodMonitor, r#"{"spec":{"podMetricsEndpoints":[]}}"#),
    ] {
        let resource: &Resource = all.iter().find(|resource| resource.kind() == kind).expect("one of each");
        env.kubectl(&["patch", &kind.name().to_lowercase(), "local", "--type=merge", "-p", patch]);
        let step = env.put(resource.clone()).await;
        assert!(is_update(&step), "{patch} goes unnoticed: {step:#?}");
        let step = env.step(resource.clone()).await;
        assert!(!step.action.writes(), "{patch} stays: {step:#?}");
    }
    assert_ne!(versions().await, before, "somebody did change them");

    let known: Vec<_> = all.iter().map(Resource::key).collect();
    let plan = env.plan_of(&all, &known, &deleting(&all)).await;
    assert!(plan.steps.iter().all(|step| matches!(step.action, Action::Delete { .. })), "{plan}");
    for step in &plan.steps {
        env.adapter.apply(&env.scope(), step).await.unwrap_or_else(|error| panic!("{error}"));
    }
    for key in &known {
        env.wait(key, "gone", |observed| observed.resource.is_none()).await;
    }
}
