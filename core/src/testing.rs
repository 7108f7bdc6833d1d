//! Building blocks for the tests of several modules: objects as users write them, and observations as a provider makes them.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "a fixture that is wrong fails the test"
)]

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::AIPlatform;
use crate::desire::desire;
use crate::failure::{Class, Error};
use crate::plan::{Action, Plan, Refusal, Step};
use crate::platform::validate;
use crate::resource::{Bucket, Desired, Key, Kind, Observations, Observed, Owner, Resource};

/// The repository.
pub const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// The name of the cluster in owner tags.
pub const CLUSTER: &str = "cluster-1";
/// A region.
pub const REGION: &str = "eu-west-1";
/// An account.
pub const ACCOUNT: &str = "123456789012";

/// A valid object, with the fields of `spec` in place of its own.
pub fn object(spec: Value) -> AIPlatform {
    let mut object = json!({
        "apiVersion": "aiplatform.dev/v1alpha1",
        "kind": "AIPlatform",
        "metadata": {"name": "assistant", "namespace": "support", "generation": 1},
        "spec": {
            "region": REGION,
            "accountId": ACCOUNT,
            "ownership": {"team": "support", "contact": "support-ml@example.com", "environment": "prod"},
        },
    });
    let Value::Object(fields) = spec else { panic!("a spec is an object: {spec}") };
    for (field, value) in fields {
        object["spec"][field] = value;
    }
    serde_json::from_value(object).expect("the object parses")
}

/// A valid object with these buckets.
pub fn with_buckets(buckets: Value) -> AIPlatform {
    let mut spec = json!({"storage": {}});
    spec["storage"]["buckets"] = buckets;
    object(spec)
}

/// The desired resources of a platform with these buckets.
pub fn wanted(buckets: Value) -> Vec<Desired> {
    desire(&validate(&with_buckets(buckets)).expect("the spec is valid"), CLUSTER)
}

/// The desired resource of a platform whose only bucket is called `name` in AWS.
pub fn wanted_bucket(name: &str) -> Desired {
    wanted(json!([{"name": "only", "bucketName": name}])).remove(0)
}

/// The bucket behind a resource, to look into or to change.
pub fn bucket_of(resource: &mut Resource) -> &mut Bucket {
    match resource {
        Resource::Bucket(bucket) => bucket,
        other => panic!("not a bucket: {other:?}"),
    }
}

/// The same resource with its bucket changed, as somebody may have done by hand.
pub fn changed(resource: &Resource, change: impl FnOnce(&mut Bucket)) -> Resource {
    let mut resource = resource.clone();
    change(bucket_of(&mut resource));
    resource
}

/// The key of a bucket.
pub fn bucket_key(name: &str) -> Key {
    Key { kind: Kind::Bucket, name: name.into() }
}

/// It is there, and it is ours.
pub fn ours(resource: &Resource) -> Observed {
    Observed::present(resource.clone(), Owner::Ours)
}

/// Observations, by the name of each bucket.
pub fn seen<const N: usize>(observed: [(&str, Observed); N]) -> Observations {
    observed.into_iter().map(|(name, observed)| (bucket_key(name), observed)).collect()
}

/// AWS's answer when a call of `s3:PutBucketVersioning` fails.
pub fn failure(class: Class) -> Error {
    Error {
        class,
        action: "s3:PutBucketVersioning".into(),
        subject: "arn:aws:s3:::one".into(),
        code: "SomeCode".into(),
        message: "said AWS".into(),
        request_id: None,
    }
}

/// A step on a bucket, made by hand so that it may need what no bucket needs.
pub fn step(name: &str, action: Action, needs: &[&str]) -> Step {
    Step {
        needs: needs.iter().map(|need| bucket_key(need)).collect(),
        arn: Some(format!("arn:aws:s3:::{name}")),
        ..Step::new(bucket_key(name), action)
    }
}

/// A plan with these steps, and observations of each.
pub fn plan_of(actions: &[(&str, Kind, Action)]) -> (Plan, Observations) {
    let mut steps = Vec::new();
    let mut observations = Observations::new();
    for (name, kind, action) in actions {
        let mut step = step(name, action.clone(), &[]);
        step.key.kind = *kind;
        observations.insert(step.key.clone(), Observed::absent());
        steps.push(step);
    }
    (Plan { steps, ..Plan::default() }, observations)
}

/// A refusal.
pub fn refusal(reason: &'static str, message: &str) -> Refusal {
    Refusal { reason, message: message.into() }
}

/// So many seconds after the tests began.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::new(1_800_000_000 + seconds, 0).expect("the time exists")
}
