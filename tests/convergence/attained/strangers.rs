//! What others do to what the platform works with.

use aiplatform::grants::revision_policy_name;
use aiplatform::policy::Policy;
use aiplatform::resource::endpoint_config::{Async, DataCapture};
use aiplatform::resource::model::Data;
use aiplatform::resource::{EndpointConfig, Model, Role};
use aiplatform::tags::{OWNER, Tags};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::json;

use super::super::scenario::{OURS, THEIRS};
use crate::support::memory::FakeCloud;

/// The hash of what is forged.
const FORGED: &str = "f04ed000";

/// Whose something is.
#[derive(Clone, Copy, Debug)]
pub enum Holder {
    Ours,
    Theirs,
    Nobody,
}

impl Holder {
    /// The tags that say so.
    pub fn tags(self) -> Tags {
        let owner = match self {
            Self::Ours => Some(OURS),
            Self::Theirs => Some(THEIRS),
            Self::Nobody => None,
        };
        owner.map(|owner| (OWNER.to_string(), owner.to_string())).into_iter().collect()
    }

    /// Says so where something is tagged already.
    pub fn tag(self, tags: &mut Tags) {
        tags.remove(OWNER);
        tags.extend(self.tags());
    }
}

pub fn holder() -> impl Strategy<Value = Holder> {
    select(vec![Holder::Ours, Holder::Theirs, Holder::Nobody])
}

/// A pair that looks like a revision of the endpoint and works with a bucket.
pub fn forge(cloud: &mut FakeCloud, holder: Holder, part: &str, uri: &str) {
    let (Some(model), Some(config)) = (cloud.all::<Model>().next(), cloud.all::<EndpointConfig>().next()) else {
        return;
    };
    let renamed = |name: &str| format!("{}-{FORGED}", name.rsplit_once('-').expect("a hash").0);
    let mut model = Model { name: renamed(&model.name), tags: holder.tags(), ..model.clone() };
    let mut config = EndpointConfig { name: renamed(&config.name), tags: holder.tags(), ..config.clone() };
    config.content.model.clone_from(&model.name);
    match part {
        "artifact" => model.content.data = Some(Data { uri: uri.into() }),
        "answers" => {
            config.content.asynchronous =
                Some(Async { output_uri: uri.into(), max_concurrent_invocations_per_instance: None });
        }
        _ => config.content.data_capture = Some(DataCapture { destination_uri: uri.into(), sampling_percent: 100 }),
    }
    cloud.put(model);
    cloud.put(config);
}

/// A policy on one of the roles, under a name that it has, that a revision would have, or that nothing has.
pub fn plant(cloud: &mut FakeCloud, role: Index, name: Index) {
    let revisions = cloud.all::<EndpointConfig>().map(|config| revision_policy_name(config.revision()));
    let others = ["access".to_string(), "mine".to_string(), revision_policy_name(FORGED)];
    let names: Vec<String> = revisions.chain(others).collect();
    let statement = json!({"Sid": "All", "Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::payroll/*"});
    let policy = Policy::new(&json!({"Version": "2012-10-17", "Statement": [statement]}));
    let roles: Vec<String> = cloud.all::<Role>().map(|role| role.name.clone()).collect();
    if !roles.is_empty() {
        let name = names[name.index(names.len())].clone();
        cloud.change::<Role>(&roles[role.index(roles.len())], |role| drop(role.policies.insert(name, policy)));
    }
}
