//! What is particular to a few kinds: what their backends demand, forget and remember. A kind that is nothing but its
//! fields has no line here.

use std::collections::BTreeSet;

use aiplatform::diff::Change;
use aiplatform::failure::Class;
use aiplatform::kind::{Backend, Listed, Service};
use aiplatform::outcome::Applied;
use aiplatform::plan::{Action, Step};
use aiplatform::resource::endpoint::field as endpoint;
use aiplatform::resource::endpoint_config::field as config;
use aiplatform::resource::{
    Endpoint, EndpointConfig, Facts, Key, Kind, Model, Resource, Revision, Role, ScalableTarget, TAGS, scaling,
};

use super::store::timestamp;
use super::{FakeCloud, Stored};

/// Reading all of a bucket or a role takes many calls, which the adapters save where it is somebody else's.
pub(super) fn is_read_only_when_ours(kind: Kind) -> bool {
    matches!(kind.info().backend, Backend::Aws(Service::S3 | Service::Iam))
}

/// Takes away what the fields say beyond what AWS keeps.
pub(super) fn forget_what_is_not_kept(resource: &mut Resource) {
    match resource {
        Resource::SageMakerModel(model) => {
            let role = model.content.execution_role_arn.rsplit('/').next().unwrap_or_default();
            model.needs = vec![Role::key_of(role)];
        }
        Resource::SageMakerEndpointConfig(config) => config.needs = vec![Model::key_of(&config.content.model)],
        Resource::SageMakerEndpoint(endpoint) => {
            (endpoint.deployment, endpoint.request_hash, endpoint.keep_revisions) = (None, String::new(), 0);
        }
        Resource::ScalableTarget(target) => target.scheduled = Vec::new(),
        Resource::ScalingPolicy(policy) => policy.derivation = None,
        _ => {}
    }
}

/// The resource of which these fields stay as they were found.
///
/// # Errors
/// [`Class::Bug`] where the kind has no such field that a plan leaves out.
pub(super) fn put_together(found: &Resource, desired: Resource, unwritten: &BTreeSet<&str>) -> Result<Resource, Class> {
    match (found, desired) {
        // Bounds that a schedule set.
        (Resource::ScalableTarget(found), Resource::ScalableTarget(desired))
            if unwritten.iter().all(|field| scaling::field::BOUNDS.contains(field)) =>
        {
            Ok(ScalableTarget { bounds: found.bounds, ..desired }.into())
        }
        // It names another configuration only when it has got there.
        (Resource::SageMakerEndpoint(found), Resource::SageMakerEndpoint(desired)) => {
            let tags = if unwritten.contains(TAGS) { &found.tags } else { &desired.tags }.clone();
            Ok(Endpoint { config: found.config.clone(), tags, ..desired }.into())
        }
        (found, mut desired) => {
            let is_whole = unwritten.iter().all(|field| desired.take_part(field, found));
            if is_whole { Ok(desired) } else { Err(Class::Bug) }
        }
    }
}

/// The facts beside the fields of what was just made.
pub(super) fn first_facts(resource: &Resource, made: i64) -> Option<Box<Facts>> {
    let revision = Revision { created: timestamp(made), recreated: None };
    match resource.kind() {
        Kind::SageMakerModel => Some(Model::boxed_facts(revision)),
        Kind::SageMakerEndpointConfig => Some(EndpointConfig::boxed_facts(revision)),
        _ => None,
    }
}

/// The parts of an update, each written by a call of its own: what is tried with an endpoint is remembered before it is
/// moved.
pub(super) fn parts(kind: Kind, changes: &[Change]) -> Vec<Vec<&str>> {
    let mut fields: BTreeSet<&str> = changes.iter().map(Change::field).collect();
    if kind == Endpoint::KIND && fields.remove(endpoint::CONFIG) {
        fields.insert(endpoint::ATTEMPT);
        return vec![fields.into_iter().collect(), vec![endpoint::CONFIG]];
    }
    vec![fields.into_iter().collect()]
}

/// Keeps what the step says beside the fields.
pub(super) fn remember(stored: &mut Stored, step: &Step, fields: &[&str]) {
    if let Some(serving) = &mut stored.serving
        && let Some(update) = step.write_of::<Endpoint>()
        && fields.contains(&endpoint::ATTEMPT)
    {
        serving.remember(update);
    }
    if let Action::Update(changes) = &step.action
        && let Some(Change { to, .. }) = changes.iter().find(|change| change.path == config::RECREATED)
        && let Some(Facts::SageMakerEndpointConfig(revision)) = stored.facts.as_deref_mut()
    {
        revision.recreated = to.as_str().and_then(Revision::parse_recreated);
    }
}

/// The outcome of a write to an endpoint that a later step moves.
pub(super) fn outcome_before_a_move(step: &Step, desired: &Resource, fields: &[&str]) -> Option<Applied> {
    let (desired, observed) = (Endpoint::of(desired)?, step.observed.as_ref().and_then(Endpoint::of)?);
    let stays = desired.config == observed.config || step.held_back.is_some();
    let is_moved = fields.contains(&endpoint::CONFIG);
    (!is_moved && !stays).then(|| Applied::Progressing("about to be moved".into()))
}

/// What is listed beside an endpoint when everything is read: the revisions of what it runs, which have the hash of the
/// endpoint's own place in their names.
pub(super) fn revisions(cloud: &FakeCloud, key: &Key) -> Vec<Key> {
    let hash = key.name.rsplit('-').next().unwrap_or_default();
    let is_revision = |other: &&Key| {
        let may_be = [Kind::SageMakerModel, Kind::SageMakerEndpointConfig].contains(&other.kind);
        may_be && other.name.rsplit('-').nth(1) == Some(hash)
    };
    cloud.resources.keys().filter(is_revision).cloned().collect()
}

impl FakeCloud {
    /// What AWS demands of a creation besides that everything is there that it needs.
    pub(super) fn admit(&mut self, desired: &Resource) -> Result<(), Class> {
        if Model::of(desired).is_some() && self.sagemaker.roles_unseen_by_models > 0 {
            self.sagemaker.roles_unseen_by_models -= 1;
            return Err(Class::Conflict);
        }
        ScalableTarget::of(desired).map_or(Ok(()), |target| self.register(&target.scaled, target.bounds))
    }
}
