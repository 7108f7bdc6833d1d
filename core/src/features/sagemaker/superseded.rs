//! The needs of the revisions besides the declared one in a role that SageMaker assumes: as long as one of them is
//! there, an instance of it may have to start at any time, also in the midst of a rollout away from it.
//!
//! Each policy is computed from what is seen of its revision, so that one which somebody planted under the name of a
//! revision is drift like any other.

use crate::grants::revision::{Buckets, Revision};
use crate::grants::{revision_policy_name, tell_apart};
use crate::guardrails::Allowed;
use crate::names::is_revision_of;
use crate::policy::{Policy, Statement, statements};
use crate::resource::endpoint::Status;
use crate::resource::endpoint_config::revision_of;
use crate::resource::role::Served;
use crate::resource::{
    Desired, Endpoint, EndpointConfig, Key, Kind, Model, Observations, Observed, ObservedState, Owner, Resource, Role,
    model,
};

/// Everything that says what a revision may do.
pub(super) struct Superseded<'a> {
    pub desired: &'a [Desired],
    pub observations: &'a Observations,
    /// Artifacts that may be loaded although their bucket is not the platform's.
    pub artifacts: &'a Allowed,
}

/// A revision, as far as it is known.
enum Known<T> {
    Seen(T),
    /// It is not there, or somebody else's.
    Nothing,
    /// It could not be read.
    Unreadable,
}

impl Superseded<'_> {
    /// The role with a policy for every revision of its model that is there, and what is worth telling about them.
    /// `live` is the role as it was found.
    pub(super) fn widen(&self, role: &mut Role, served: &Served, live: Option<&Role>) -> Vec<String> {
        let mut remarks = Vec::new();
        for (key, observed) in self.observations {
            if key.kind != Kind::SageMakerEndpointConfig || !is_revision_of(&key.name, &served.endpoint) {
                continue;
            }
            let revision = revision_of(&key.name);
            let name = revision_policy_name(revision);
            if role.policies.contains_key(&name) {
                continue;
            }
            match self.of_config(served, observed) {
                Known::Seen(statements) if self.is_idle(served, &key.name) => {
                    insert(role, name, Policy::from(statements.as_slice()).idle());
                }
                Known::Seen(statements) => insert(role, name, Policy::from(statements.as_slice())),
                Known::Nothing => {}
                // Neither what it needs can be told, nor that it needs nothing.
                Known::Unreadable => {
                    if let Some(found) = live.and_then(|live| live.policies.get(&name)) {
                        remarks.push(format!(
                            "policy {name} is left as it was found while revision {revision} cannot be read"
                        ));
                        role.policies.insert(name, found.clone());
                    }
                }
            }
        }
        self.running(role, served);
        remarks
    }

    fn of_config(&self, served: &Served, observed: &Observed) -> Known<Vec<Statement>> {
        let config = match seen(Some(observed)) {
            Known::Seen(Resource::SageMakerEndpointConfig(config)) => config,
            Known::Unreadable => return Known::Unreadable,
            Known::Seen(_) | Known::Nothing => return Known::Nothing,
        };
        let model = match self.model(config) {
            Known::Seen(model) => Some(&model.content),
            Known::Nothing => None,
            Known::Unreadable => return Known::Unreadable,
        };
        Known::Seen(served.statements(&Revision { model, config: Some(&config.content) }, self))
    }

    /// A name holds the hash of the content, so that a declared model of the same name says the same.
    fn model(&self, config: &EndpointConfig) -> Known<&Model> {
        let key = Key { kind: Kind::SageMakerModel, name: config.content.model.clone() };
        let desired = self.desired.iter().map(|item| &item.resource).find(|resource| resource.key() == key);
        if let Some(Resource::SageMakerModel(model)) = desired {
            return Known::Seen(model);
        }
        match self.observations.get(&key).map(|observed| seen(Some(observed))) {
            Some(Known::Seen(Resource::SageMakerModel(model))) => Known::Seen(model),
            Some(Known::Seen(_) | Known::Nothing) => Known::Nothing,
            Some(Known::Unreadable) | None => Known::Unreadable,
        }
    }

    /// A revision that runs keeps its needs although somebody deleted its configuration. Which model that named is no
    /// longer known, so that those of all models that are left stand for it.
    fn running(&self, role: &mut Role, served: &Served) {
        let key = Key { kind: Kind::SageMakerEndpoint, name: served.endpoint.clone() };
        let Known::Seen(Resource::SageMakerEndpoint(endpoint)) = seen(self.observations.get(&key)) else { return };
        let config = Key { kind: Kind::SageMakerEndpointConfig, name: endpoint.config.clone() };
        let is_gone =
            self.observations.get(&config).is_none_or(|observed| matches!(observed.state, ObservedState::Absent));
        let name = revision_policy_name(endpoint.revision());
        if !is_gone || role.policies.contains_key(&name) || !is_revision_of(&endpoint.config, &endpoint.name) {
            return;
        }
        let models = self
            .observations
            .iter()
            .filter(|(key, _)| key.kind == Kind::SageMakerModel && is_revision_of(&key.name, &served.endpoint));
        let contents: Vec<&model::Content> = models
            .filter_map(|(_, observed)| match seen(Some(observed)) {
                Known::Seen(Resource::SageMakerModel(model)) => Some(&model.content),
                _ => None,
            })
            .collect();
        let each = contents.into_iter().map(|model| Revision { model: Some(model), config: None });
        let mut statements: Vec<Statement> = each.flat_map(|revision| served.statements(&revision, self)).collect();
        tell_apart(&mut statements);
        insert(role, name, Policy::from(statements.as_slice()));
    }

    /// True when the endpoint is at rest and runs something else.
    fn is_idle(&self, served: &Served, config: &str) -> bool {
        let key = Key { kind: Kind::SageMakerEndpoint, name: served.endpoint.clone() };
        let observed = self.observations.get(&key);
        let is_busy = observed
            .and_then(|observed| observed.facts_of::<Endpoint>())
            .is_some_and(|facts| facts.status.is_busy() || facts.status == Status::UpdateRollbackFailed);
        match seen(observed) {
            Known::Seen(Resource::SageMakerEndpoint(endpoint)) => !is_busy && endpoint.config != config,
            Known::Seen(_) | Known::Unreadable => false,
            Known::Nothing => true,
        }
    }

    fn bucket(&self, name: &str) -> Option<&crate::resource::Bucket> {
        let key = Key { kind: Kind::Bucket, name: name.into() };
        let desired = self.desired.iter().map(|item| &item.resource).find(|resource| resource.key() == key);
        match desired.or_else(|| match seen(self.observations.get(&key)) {
            Known::Seen(found) => Some(found),
            Known::Nothing | Known::Unreadable => None,
        }) {
            Some(Resource::Bucket(bucket)) => Some(bucket),
            _ => None,
        }
    }
}

impl Buckets for Superseded<'_> {
    fn find(&self, bucket_name: &str) -> Option<(String, Option<String>)> {
        let bucket = self.bucket(bucket_name)?;
        let key = bucket.encryption.as_ref().and_then(|encryption| encryption.kms_key_arn.clone());
        Some((bucket.name.clone(), key))
    }

    fn is_allowed(&self, uri: &str) -> bool {
        self.artifacts.allows(uri)
    }
}

/// The part of something that is the platform's own.
fn seen(observed: Option<&Observed>) -> Known<&Resource> {
    match observed.map(|observed| (&observed.state, &observed.owner, &observed.resource)) {
        Some((ObservedState::Unreadable(_), ..)) => Known::Unreadable,
        Some((_, Owner::Ours, Some(resource))) => Known::Seen(resource),
        Some(_) | None => Known::Nothing,
    }
}

/// IAM takes no policy without statements.
fn insert(role: &mut Role, name: String, policy: Policy) {
    if !statements(&policy.as_written()).is_empty() {
        role.policies.insert(name, policy);
    }
}

#[cfg(test)]
mod tests;
