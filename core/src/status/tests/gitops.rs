//! The statuses on which those who wait for an object are tested: what the operator writes, not what somebody imagines.

use serde_json::{Map, Value};

use super::*;

/// The file with the objects, from which `tests/installation` asks Argo CD's, Flux's and kubectl's own code.
const OBJECTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/installation/objects.json");

/// An object of generation 1, with a status.
struct Object {
    name: &'static str,
    generation: i64,
    deleting: bool,
    spec: Value,
    status: Option<AIPlatformStatus>,
}

impl Object {
    fn with(name: &'static str, status: AIPlatformStatus) -> Self {
        Self { name, generation: 1, deleting: false, spec: json!({}), status: Some(status) }
    }

    fn json(&self) -> Value {
        let mut object = json!({
            "apiVersion": "aiplatform.dev/v1alpha1", "kind": "AIPlatform",
            "metadata": {"name": self.name, "namespace": "default", "generation": self.generation},
            "spec": {"region": "eu-west-1", "accountId": "123456789012",
                "ownership": {"team": "support", "contact": "support-ml@example.com", "environment": "prod"}},
        });
        if self.deleting {
            object["metadata"]["deletionTimestamp"] = json!("1970-01-01T00:00:00Z");
            object["metadata"]["finalizers"] = json!(["aiplatform.dev/finalizer"]);
        }
        for (field, value) in self.spec.as_object().into_iter().flatten() {
            object["spec"][field] = value.clone();
        }
        if let Some(status) = &self.status {
            object["status"] = serde_json::to_value(status).unwrap();
        }
        object
    }
}

fn objects() -> Vec<Object> {
    let new = Subject { generation: Some(1), ..SUBJECT };
    let (announced, _) = status(new, &PassOutcome::Announced(&resources_named(&["one-bucket"])));
    let seen = Subject { previous: Some(&announced), is_new: false, ..new };
    let deleting = Subject { deleting: true, ..seen };
    let observing = Subject { observing: true, ..seen };
    let planned = |run: Run| run.status(seen).0;
    let going = Outcome::Done(Applied::Progressing("deleting".into()));
    let full = Action::Refuse(refusal("DeletionBlocked", "one-bucket still holds 3 object versions"));
    let ready = planned(Run::default().kept("one-bucket"));
    let problems = [Problem::new("spec.region", "is wrong")];
    vec![
        Object { status: None, ..Object::with("fresh", announced.clone()) },
        Object::with("announced", announced.clone()),
        Object::with(
            "converging",
            planned(Run::default().action("one-bucket", Action::Wait("it is being created".into()))),
        ),
        Object::with("retrying", planned(Run::default().failed("one-bucket", Class::Throttled))),
        Object::with("unreachable", status(seen, &PassOutcome::Retrying("the network is down".into())).0),
        Object::with("denied", planned(Run::default().failed("one-bucket", Class::Denied))),
        Object::with("invalid", status(seen, &PassOutcome::Invalid(&problems)).0),
        Object::with("stalled-beside-progress", {
            let wait = Action::Wait("it is being created".into());
            planned(Run::default().failed("one-bucket", Class::Denied).action("two-bucket", wait))
        }),
        Object::with("ready", ready.clone()),
        Object { generation: 2, ..Object::with("edited-while-ready", ready.clone()) },
        Object {
            generation: 2,
            ..Object::with("edited-while-stalled", status(seen, &PassOutcome::Invalid(&problems)).0)
        },
        Object { spec: json!({"suspend": true}), ..Object::with("suspended", status(seen, &PassOutcome::Suspended).0) },
        Object { deleting: true, generation: 2, ..Object::with("deletion-not-seen-yet", ready) },
        Object {
            deleting: true,
            ..Object::with("deleting", Run::default().deleted("one-bucket", going).status(deleting).0)
        },
        Object {
            deleting: true,
            ..Object::with("deletion-blocked", Run::default().action("one-bucket", full).status(deleting).0)
        },
        Object {
            spec: json!({"managementPolicy": "Observe"}),
            ..Object::with("observed-in-sync", Run::default().kept("one-bucket").status(observing).0)
        },
        Object {
            spec: json!({"managementPolicy": "Observe"}),
            ..Object::with("observed-with-differences", {
                let step = not_applied("one-bucket", Action::Create);
                Run::default().with(step, Outcome::NotTaken).status(observing).0
            })
        },
    ]
}

#[test]
fn the_objects_that_gitops_is_tested_on_are_what_the_operator_writes() {
    let made: Map<String, Value> = objects().iter().map(|object| (object.name.to_string(), object.json())).collect();
    let made = format!("{}\n", serde_json::to_string_pretty(&made).unwrap());
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(OBJECTS, &made).unwrap();
    }
    let kept = std::fs::read_to_string(OBJECTS).unwrap_or_default();
    assert_eq!(kept, made, "run this test with INSTA_UPDATE=always");
}
