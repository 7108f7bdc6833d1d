//! Specs of one model on SageMaker, and what has to be there for each.

use std::collections::BTreeSet;

use aiplatform::api::AIPlatform;
use aiplatform::desire::desire;
use aiplatform::grants::revision_policy_name;
use aiplatform::kind::Listed;
use aiplatform::platform::validate;
use aiplatform::resource::endpoint::Status;
use aiplatform::resource::endpoint_config::{Capacity, Content, Instance, revision_of};
use aiplatform::resource::scaling::{Bounds, Dimension, ScalableResource};
use aiplatform::resource::{Endpoint, EndpointConfig, Model, Owner, Resource, Role, ScalableTarget, ScalingPolicy};
use serde_json::json;

use super::super::scenario::{ACCOUNT, CLUSTER, OURS, REGION, object};
use crate::support::memory::FakeCloud;

/// What a spec says of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    pub image: char,
    pub instance: &'static str,
    pub count: i32,
    pub bounds: Option<(i32, i32)>,
    /// The fewest from a certain time on.
    pub schedule: Option<i32>,
    pub keep: u8,
}

/// Two instances, which load makes up to eight.
pub fn served() -> Served {
    Served { image: 'a', instance: "ml.m5.large", count: 2, bounds: Some((2, 8)), schedule: Some(4), keep: 1 }
}

/// The name of the scheduled action.
pub const MORNING: &str = "morning";

pub fn image(tag: char) -> String {
    format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/rank:{tag}")
}

/// The object with this model, or with none.
pub fn platform(served: Option<&Served>) -> AIPlatform {
    let model = |served: &Served| {
        let mut model = json!({
            "image": image(served.image),
            "instance": {"type": served.instance, "count": served.count},
            "keepRevisions": served.keep,
        });
        if let Some((least, most)) = served.bounds {
            let schedule = |least| json!({"name": MORNING, "schedule": "cron(0 7 ? * MON-FRI *)", "minInstances": least, "maxInstances": most});
            model["autoscaling"] = json!({
                "minInstances": least,
                "maxInstances": most,
                "target": {"invocationsPerInstance": {"value": 600}},
                "schedules": served.schedule.map(schedule).into_iter().collect::<Vec<_>>(),
            });
        }
        json!({"name": "rank", "sagemaker": model})
    };
    object(json!({"models": served.map(model).into_iter().collect::<Vec<_>>()}))
}

/// Everything that an object wants.
pub fn wanted(object: &AIPlatform) -> Vec<Resource> {
    let platform = validate(object).expect("the spec is valid");
    desire(&platform, CLUSTER).into_iter().map(|desired| desired.resource).collect()
}

/// Everything that an object wants in this cloud: a scaled endpoint in service keeps a configuration that differs in its
/// first count alone, for the count is not the user's any more.
pub fn wanted_in(cloud: &FakeCloud, object: &AIPlatform) -> Vec<Resource> {
    let mut wanted = wanted(object);
    let is_scaled = wanted.iter().any(|resource| matches!(resource, Resource::ScalableTarget(_)));
    let running = cloud.get::<Endpoint>(&endpoint_name());
    let Some(found) = running.and_then(|endpoint| cloud.get::<EndpointConfig>(&endpoint.config)) else {
        return wanted;
    };
    let name = &found.name;
    let config = wanted.iter().find_map(|resource| match resource {
        Resource::SageMakerEndpointConfig(config) => Some(config.clone()),
        _ => None,
    });
    let counted = |content: &Content| match &content.capacity {
        Capacity::Instance(instance) => {
            Content { capacity: Capacity::Instance(Instance { count: 1, ..instance.clone() }), ..content.clone() }
        }
        Capacity::Serverless(_) => content.clone(),
    };
    let Some(config) = config.filter(|config| is_scaled && counted(&config.content) == counted(&found.content)) else {
        return wanted;
    };
    for resource in &mut wanted {
        match resource {
            Resource::SageMakerEndpointConfig(config) => config.name.clone_from(name),
            Resource::SageMakerEndpoint(endpoint) => endpoint.config.clone_from(name),
            Resource::Role(role) => {
                if let Some(policy) = role.policies.remove(&revision_policy_name(config.revision())) {
                    role.policies.insert(revision_policy_name(revision_of(name)), policy);
                }
            }
            _ => {}
        }
    }
    wanted
}

/// The endpoint that an object wants.
pub fn wanted_endpoint(object: &AIPlatform) -> Option<Endpoint> {
    wanted(object).into_iter().find_map(|resource| match resource {
        Resource::SageMakerEndpoint(endpoint) => Some(endpoint),
        _ => None,
    })
}

/// The name of the only endpoint there ever is.
pub fn endpoint_name() -> String {
    wanted_endpoint(&platform(Some(&served()))).expect("a model wants an endpoint").name
}

/// What of the only endpoint is scaled.
pub fn scaled() -> ScalableResource {
    ScalableResource::of(&endpoint_name(), Dimension::Instances)
}

/// The cloud has what the object wants, and beyond it only what is to be kept.
pub fn assert_serves(cloud: &FakeCloud, object: &AIPlatform) {
    let wanted = wanted_in(cloud, object);
    for resource in &wanted {
        assert_is_there(cloud, resource);
    }
    let ours: BTreeSet<String> = cloud
        .holders(OURS)
        .into_iter()
        .filter(|(_, holder)| *holder == Owner::Ours)
        .map(|(key, _)| key.to_string())
        .collect();
    let kept = kept(cloud, object);
    let mut expected: BTreeSet<String> = wanted.iter().map(|resource| resource.key().to_string()).collect();
    for config in &kept {
        expected.insert(format!("SageMakerEndpointConfig {config}"));
        let model = &cloud.get::<EndpointConfig>(config).expect("it is kept").content.model;
        // One that somebody took away comes back when its revision is wanted again.
        if cloud.get::<Model>(model).is_some() {
            expected.insert(format!("SageMakerModel {model}"));
        }
    }
    assert_eq!(ours, expected, "beyond what is wanted, {kept:?} may be kept");
    assert_eq!(cloud.sagemaker.taken_down, BTreeSet::new(), "an endpoint that answered calls was deleted");
}

pub fn assert_is_there(cloud: &FakeCloud, resource: &Resource) {
    let key = resource.key();
    match resource {
        Resource::SageMakerEndpoint(endpoint) => {
            let found = cloud.get::<Endpoint>(&key.name).unwrap_or_else(|| panic!("{key} is missing"));
            let serving = cloud.serving(&key.name).expect("an endpoint serves");
            assert_eq!((serving.status, &found.config), (Status::InService, &endpoint.config));
            let running = serving.running.as_ref().expect("what is in service runs");
            assert_eq!(running.current, running.desired);
            for target in cloud.all::<ScalableTarget>() {
                let Bounds { min_capacity, max_capacity } = target.bounds;
                let is_within = (min_capacity..=max_capacity).contains(&running.current);
                assert!(
                    target.scaled.endpoint() != key.name || is_within,
                    "{} run of {:?}",
                    running.current,
                    target.bounds
                );
            }
        }
        Resource::ScalableTarget(wanted) => {
            let mut managed = cloud.target(&wanted.scaled).unwrap_or_else(|| panic!("{key} is missing")).clone();
            let by_schedule = wanted.scheduled.contains(&managed.bounds);
            assert!(managed.bounds == wanted.bounds || by_schedule, "{:?} of {key}", managed.bounds);
            (managed.bounds, managed.scheduled) = (wanted.bounds, wanted.scheduled.clone());
            assert_eq!(&managed, wanted);
        }
        Resource::ScalingPolicy(wanted) => {
            let found = cloud.get::<ScalingPolicy>(&key.name).map(|policy| &policy.tracking);
            assert_eq!(found, Some(&wanted.tracking), "{key}");
        }
        Resource::ScheduledAction(wanted) => {
            assert_eq!(cloud.get(&key.name), Some(wanted), "{key}");
        }
        Resource::Role(wanted) => assert_can(cloud, wanted),
        _ => {
            let there = cloud.holders(OURS).get(&key) == Some(&Owner::Ours);
            assert!(there, "{key} is missing");
        }
    }
}

/// The role can do what is wanted, and beyond it only what a revision needs that is still there.
fn assert_can(cloud: &FakeCloud, wanted: &Role) {
    let mut managed = cloud.get::<Role>(&wanted.name).unwrap_or_else(|| panic!("{} is missing", wanted.name)).clone();
    managed.policies.retain(|name, _| {
        let still_there = |config: &EndpointConfig| *name == revision_policy_name(config.revision());
        wanted.policies.contains_key(name) || !cloud.all().any(still_there)
    });
    assert_eq!(&managed, wanted);
}

/// The configurations that are there beyond the wanted one: they ran once, and are not more than is wanted.
pub fn kept(cloud: &FakeCloud, object: &AIPlatform) -> BTreeSet<String> {
    let endpoint = wanted_in(cloud, object).into_iter().find_map(|resource| match resource {
        Resource::SageMakerEndpoint(endpoint) => Some(endpoint),
        _ => None,
    });
    let keep = endpoint.as_ref().map_or(0, |endpoint| endpoint.keep_revisions);
    let ours = |name: &&String| cloud.holder(&EndpointConfig::key_of(*name), OURS) == Some(Owner::Ours);
    let is_wanted = |name: &&String| endpoint.as_ref().is_some_and(|endpoint| endpoint.config == **name);
    let kept: BTreeSet<String> = cloud
        .all()
        .map(|config: &EndpointConfig| &config.name)
        .filter(ours)
        .filter(|it| !is_wanted(it))
        .cloned()
        .collect();
    assert!(kept.len() <= keep, "{kept:?} are kept, and not more than {keep} should be");
    for config in &kept {
        assert!(cloud.sagemaker.ran.contains(config), "{config} is kept and never ran");
    }
    kept
}
