//! How objects come to be, change and go.

use aiplatform::outcome::Applied;
use aiplatform::plan::{Action, Step};
use aiplatform::resource::{Kind, ObservedState, Owner, Resource};
use aiplatform::tags;
use kube::api::{DynamicObject, PostParams};
use serde_json::{Value, json};

use super::{Env, MODEL, PLATFORM, deployment_spec, edit, is_update, key};
use aiplatform::features::inference::{Deployment, Service};

fn ours(object: &Value) -> Vec<&Value> {
    let entries = object["metadata"]["managedFields"].as_array().expect("entries").iter();
    entries.filter(|entry| entry["manager"] == "aiplatform").collect()
}

fn names(object: &Value) -> Vec<&str> {
    let env = object["spec"]["template"]["spec"]["containers"][0]["env"].as_array().expect("a list");
    env.iter().filter_map(|item| item["name"].as_str()).collect()
}

/// Of the variables, only one is declared still.
fn only_b(spec: &mut Value) {
    spec["template"]["spec"]["containers"][0]["env"] = json!([{"name": "B", "value": "2"}]);
}

#[tokio::test]
async fn what_is_created_is_managed_as_applied_so_that_what_is_taken_out_later_goes() {
    let env = Env::new("created").await;
    let mut deployment = env.deployment("r1", Some(1));
    deployment.manifest = deployment.manifest.labelled([("team", "search")]);
    assert_eq!(env.put(deployment.clone()).await.action, Action::Create);
    let live = env.live(Kind::Deployment, MODEL).await;
    let entries = ours(&live);
    assert_eq!(entries.len(), 1, "{entries:#?}");
    assert_eq!(entries[0]["operation"], "Apply");
    assert!(entries[0]["fieldsV1"]["f:spec"].get("f:revisionHistoryLimit").is_none(), "a default is not ours");
    assert_eq!(live["metadata"]["labels"][tags::PLATFORM_LABEL], PLATFORM);
    let step = env.step(deployment.clone()).await;
    assert!(!step.action.writes(), "{step:#?}");
    deployment.manifest.labels.remove("team");
    edit(&mut deployment, only_b);
    let step = env.put(deployment.clone()).await;
    let Action::Update(changes) = &step.action else { panic!("{step:#?}") };
    let paths: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
    assert_eq!(paths, ["labels.team", "spec.template.spec.containers[engine].env[A]"]);
    let live = env.live(Kind::Deployment, MODEL).await;
    assert_eq!((live["metadata"]["labels"].get("team"), names(&live)), (None, vec!["B"]));
}

#[tokio::test]
async fn a_creation_that_was_cut_off_is_taken_up_where_it_was() {
    let env = Env::new("cut-off").await;
    let deployment = env.deployment("r1", None);
    let mut spec = deployment_spec("r1", Some(3));
    spec["template"]["spec"]["containers"][0]["env"][0]["value"] = json!("before");
    let object: DynamicObject = serde_json::from_value(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "name": MODEL,
            "annotations": {tags::OWNER: env.scope().owner, "aiplatform.dev/created": "true"},
            "labels": {tags::PLATFORM_LABEL: PLATFORM, tags::MODEL_LABEL: MODEL},
        },
        "spec": spec,
    }))
    .expect("an object");
    let parameters = PostParams { field_manager: Some("aiplatform".into()), ..PostParams::default() };
    env.api(Kind::Deployment).create(&parameters, &object).await.expect("made");
    assert!(is_update(&env.put(deployment.clone()).await));
    let live = env.live(Kind::Deployment, MODEL).await;
    assert_eq!(ours(&live).iter().map(|entry| &entry["operation"]).collect::<Vec<_>>(), ["Apply"]);
    assert_eq!(live["spec"]["replicas"], 3, "the count is nobody's to reset");
    assert!(!env.step(deployment.clone()).await.action.writes());
    let mut without = deployment;
    edit(&mut without, only_b);
    env.put(without).await;
    assert_eq!(names(&env.live(Kind::Deployment, MODEL).await), ["B"]);
}

#[tokio::test]
async fn what_somebody_else_made_is_never_written_to() {
    let env = Env::new("theirs").await;
    let service = Service(env.manifest("web", json!({"selector": {"app": "web"}, "ports": [{"port": 80}]})));
    let planned = env.step(service.clone()).await;
    assert_eq!(planned.action, Action::Create);
    env.kubectl(&["create", "service", "clusterip", "web", "--tcp=80:80"]);
    let before = env.live(Kind::Service, "web").await;
    // Nobody says whose it is, so the step that was planned before must not take it over either.
    let step = env.step(service.clone()).await;
    assert!(matches!(&step.action, Action::Refuse(refusal) if refusal.reason == "NotOwned"), "{step:#?}");
    assert_eq!(env.observe(&key(&service)).await.owner, Owner::Nobody);
    env.adapter.apply(&env.scope(), &planned).await.expect_err("somebody was faster");
    assert_eq!(env.live(Kind::Service, "web").await, before);
}

#[tokio::test]
async fn what_waits_for_a_finalizer_is_not_gone() {
    let env = Env::new("finalizer").await;
    let service = Service(env.manifest("web", json!({"selector": {"app": "web"}, "ports": [{"port": 80}]})));
    env.put(service.clone()).await;
    let service_key = key(&service);
    env.kubectl(&[
        "patch",
        "service",
        "web",
        "--type=merge",
        "-p",
        r#"{"metadata":{"finalizers":["example.com/hold"]}}"#,
    ]);
    for _ in 0..2 {
        let applied = env.prune(&service_key).await;
        assert!(matches!(&applied, Applied::Progressing(why) if why.contains("example.com/hold")), "{applied:?}");
    }
    env.kubectl(&["patch", "service", "web", "--type=merge", "-p", r#"{"metadata":{"finalizers":null}}"#]);
    env.wait(&service_key, "gone", |observed| observed.resource.is_none()).await;
}

#[tokio::test]
async fn a_quota_and_the_end_of_a_namespace_are_told_apart_from_missing_rights() {
    let env = Env::new("forbidden").await;
    let refused = async || {
        let desired: Resource = env.deployment("r1", Some(1)).into();
        let step = Step { desired: Some(desired.clone()), ..Step::new(desired.key(), Action::Create) };
        env.adapter.apply(&env.scope(), &step).await.expect_err("it is refused")
    };
    env.hold_by_quota("count/deployments.apps=0").await;
    let failures = refused().await;
    assert_eq!(failures.reason(), "QuotaExceeded", "{failures}");
    assert!(failures.to_string().contains("exceeded quota: none"), "{failures}");
    env.kubectl(&["delete", "quota", "none"]);
    env.kubectl(&["create", "configmap", "held"]);
    let held = r#"{"metadata":{"finalizers":["tests.aiplatform.dev/held"]}}"#;
    env.kubectl(&["patch", "configmap", "held", "--type=merge", "-p", held]);
    env.kubectl(&["delete", "namespace", &env.namespace, "--wait=false"]);
    let failures = refused().await;
    assert_eq!(failures.reason(), "Transient", "{failures}");
    env.kubectl(&["patch", "configmap", "held", "--type=merge", "-p", r#"{"metadata":{"finalizers":null}}"#]);
}

#[tokio::test]
async fn a_deployment_that_was_written_is_not_called_ready_before_it_is_read_again() {
    let env = Env::new("written").await;
    let desired = env.deployment("r1", Some(0));
    env.put(desired.clone()).await;
    env.wait(&key(&desired), "at rest", |observed| matches!(observed.state, ObservedState::Ready)).await;
    let labelled = Deployment::from(desired.manifest.labelled([("example.com/note", "x")]));
    let step = env.step(labelled).await;
    assert!(is_update(&step), "{step:#?}");
    let applied = env.adapter.apply(&env.scope(), &step).await;
    assert!(matches!(applied, Ok(Applied::Progressing(_))), "{applied:?}");
}
