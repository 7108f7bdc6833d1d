//! One provider serves every kind, by what the table of kinds says of it.

use std::collections::BTreeSet;

use aiplatform::api::AIPlatform;
use aiplatform::api::status::Phase;
use aiplatform::kind::Busy;
use aiplatform::plan::Action;
use aiplatform::resource::{Key, Kind, Owner, Removal};
use serde_json::{Value, json};

use super::Run;
use super::access::Identity;
use super::rollout::converge;
use super::scenario::{ACCOUNT, OURS, REGION, object};
use crate::support::memory::{FakeCloud, Memory, State};

/// The edition in which nothing belongs to anything else any more.
const LAST: i32 = 3;

/// A platform that wants something of every kind, but for what only the other identity takes. Another edition wants
/// something else of each: a new kind is declared here, with a field that differs.
fn everything(identity: Identity, edition: i32) -> AIPlatform {
    let bedrock = json!({"modelId": format!("anthropic.claude-haiku-4-5-2025100{edition}-v1:0")});
    let least = edition + 1;
    let schedule = json!({"name": "morning", "schedule": "cron(0 7 ? * MON-FRI *)", "minInstances": least + 1});
    let autoscaling = json!({
        "minInstances": least,
        "maxInstances": 8,
        "target": {"invocationsPerInstance": {"value": 600 + edition}},
        "schedules": [schedule],
    });
    let rank = json!({
        "image": format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/rank:1"),
        "instance": {"type": "ml.m5.large", "count": 4},
        "logs": {"retentionDays": if edition == 1 { 30 } else { 60 }},
        "autoscaling": if edition == LAST { Value::Null } else { autoscaling },
    });
    let in_cluster = |name: &str, target: Value| {
        let autoscaling = json!({"minReplicas": least, "maxReplicas": least + 1, "target": target});
        let engine = json!({
            "engine": if edition == 1 { "TGI" } else { "VLLM" },
            "source": {"huggingFace": {"repo": "Qwen/Qwen3-8B"}},
            "resources": {"cpu": "4", "memory": "16Gi"},
            "env": [{"name": "EDITION", "value": edition.to_string()}],
            "allowFrom": [{"podLabels": {"edition": edition.to_string()}}],
            "autoscaling": if edition == LAST { Value::Null } else { autoscaling },
        });
        json!({"name": name, "kubernetes": engine})
    };
    let mut object = object(json!({
        "identity": identity.to_json(),
        "network": {
            "vpcId": "vpc-0a",
            "subnetIds": ["subnet-0a", "subnet-0b"],
            "routeTableIds": ["rtb-0a"],
            "allowFrom": {"cidrs": [format!("10.{edition}.0.0/16")]},
        },
        "storage": {"buckets": [{"name": "artifacts", "versioning": edition == 1, "deletionPolicy": "Delete"}]},
        "models": [
            {"name": "fast", "bedrock": bedrock},
            {"name": "rank", "sagemaker": rank},
            in_cluster("by-cpu", json!({"cpuPercent": 60 + edition})),
            in_cluster("by-queue", json!({"queueDepth": 5 + edition})),
        ],
        "access": [
            {"name": format!("consumer-{edition}"), "serviceAccount": {"name": "api"}, "models": ["fast"]},
        ],
        "tags": {"edition": edition.to_string()},
    }));
    object.metadata.generation = Some(edition.into());
    object
}

fn in_an_empty_account(identity: Identity) -> Run {
    Run::new(Memory::new(ACCOUNT, FakeCloud::default()), everything(identity, 1))
}

fn edited(mut run: Run, identity: Identity, edition: i32) -> Run {
    let status = run.object.status.take();
    run.object = everything(identity, edition);
    run.object.status = status;
    run
}

/// Every kind that something of ours is of.
fn kinds(run: &Run) -> BTreeSet<Kind> {
    let holders = run.memory.cloud().holders(OURS).into_iter();
    holders.filter(|(_, holder)| *holder == Owner::Ours).map(|(key, _)| key.kind).collect()
}

fn is_kept_by_nature(kind: Kind) -> bool {
    kind.info().removal == Removal::Retain && kind.info().adopted_by.is_none()
}

#[test]
fn every_kind_is_created_observed_updated_and_deleted_by_what_the_table_says_of_it() {
    for slow in [None, Some(0), Some(2)] {
        let mut done = BTreeSet::new();
        for identity in [Identity::PodIdentity, Identity::Irsa] {
            let mut run = in_an_empty_account(identity);
            let slow = slow.into_iter().flat_map(|reads| Kind::ALL.iter().map(move |kind| (*kind, reads)));
            run.memory.change(|cloud| cloud.slow = slow.collect());
            let mut seen = BTreeSet::new();
            for edition in 1..=LAST {
                run = edited(run, identity, edition);
                assert_eq!(converge(&mut run).status.phase, Some(Phase::Ready), "{:#?}", run.object.status);
                run.assert_at_rest();
                run.assert_nothing_is_forgotten();
                seen.extend(kinds(&run));
            }
            let mut run = run.ending();
            assert!(converge(&mut run).finished, "{:#?}", run.object.status);
            assert!(kinds(&run).into_iter().all(is_kept_by_nature), "{:?}", kinds(&run));
            run.assert_only_ours_was_written(&BTreeSet::new());
            done.extend(seen.into_iter().map(|kind| (kind, "Observe")));
            done.extend(run.memory.writes().into_iter().map(|write| (write.key.kind, write.verb)));
        }
        for kind in Kind::ALL {
            let verbs = ["Observe", "Create", "Update", "Delete"].into_iter();
            let missing: Vec<&str> = verbs.filter(|verb| !done.contains(&(*kind, *verb))).collect();
            assert!(missing.is_empty() || (missing == ["Delete"] && is_kept_by_nature(*kind)), "{missing:?} of {kind}");
        }
    }
}

/// A run for every resource that is there in the end; of an endpoint, what it runs says how it is.
fn for_each_resource(property: impl Fn(&mut Run, &Key)) {
    let mut run = in_an_empty_account(Identity::Irsa);
    converge(&mut run);
    let cloud = run.memory.cloud();
    for (key, _) in cloud.resources.iter().filter(|(_, stored)| stored.serving.is_none()) {
        let mut run = Run::new(Memory::new(ACCOUNT, cloud.clone()), run.object.clone());
        property(&mut run, key);
    }
}

fn set_state(run: &Run, key: &Key, state: State) {
    run.memory.change(|cloud| cloud.resources.get_mut(key).expect("it is there").state = state);
}

/// The action of the next pass on a resource.
fn next_action(run: &mut Run, key: &Key) -> Action {
    let pass = run.pass();
    pass.plan.steps.into_iter().find(|step| step.key == *key).expect("it is in the plan").action
}

#[test]
fn whatever_is_in_transition_is_waited_for_and_whatever_failed_is_reported() {
    for_each_resource(|run, key| {
        set_state(run, key, State::InProgress { words: "Modifying", reads: 1, leaves: false });
        let action = next_action(run, key);
        assert!(matches!(&action, Action::Wait(words) if words == "Modifying"), "{key}: {action:?}");
        assert_ne!(run.object.status.as_ref().and_then(|status| status.phase), Some(Phase::Ready), "{key}");
        assert_eq!(next_action(run, key), Action::Keep, "{key}");
        set_state(run, key, State::Failed("it broke".into()));
        let action = next_action(run, key);
        assert!(matches!(&action, Action::Refuse(refusal) if refusal.message == "it broke"), "{key}: {action:?}");
        assert_ne!(run.object.status.as_ref().and_then(|status| status.phase), Some(Phase::Ready), "{key}");
    });
}

#[test]
fn what_is_in_transition_is_written_to_only_where_its_kind_accepts_that() {
    for_each_resource(|run, key| {
        set_state(run, key, State::InProgress { words: "Modifying", reads: 99, leaves: false });
        let (status, writes) = (run.object.status.take(), run.memory.writes().len());
        run.object = everything(Identity::Irsa, 2);
        run.object.status = status;
        for _ in 0..5 {
            run.pass();
        }
        let is_written = run.memory.writes().split_off(writes).iter().any(|write| write.key == *key);
        assert!(!is_written || key.kind.info().busy == Busy::AcceptsWrites, "{key}");
    });
}
