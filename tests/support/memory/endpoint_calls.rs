//! The calls by which endpoints are read, made, moved and deleted.

use std::collections::BTreeSet;

use aiplatform::diff::Change;
use aiplatform::failure::Error;
use aiplatform::kind::Listed;
use aiplatform::outcome::Applied;
use aiplatform::plan::{Action, Step};
use aiplatform::resource::endpoint::{
    Attempt, Capacity, Endpoint, EndpointUpdate, Facts, REVISIONS, Status, field, parse_history,
};
use aiplatform::resource::scaling::Bounds;
use aiplatform::resource::{Key, Kind, Observed, ObservedState, Request, Resource};
use aiplatform::scope::Scope;
use aiplatform::tags::{self, Tags};

use super::sagemaker::{is_revision, timestamp};
use super::{FakeCloud, Memory, StoredEndpoint, owner};

impl Memory {
    /// The endpoint and, where that was asked for, every revision of what it runs.
    pub(super) async fn observe_endpoint(
        &self,
        scope: &Scope,
        request: &Request,
        asked: &BTreeSet<&Key>,
    ) -> Result<Vec<(Key, Observed)>, Error> {
        let name = &request.key.name;
        let found = self.call("sagemaker:DescribeEndpoint", name, |it| Ok(it.observe_endpoint(name))).await?;
        let tags = match &found {
            Some(_) => self.list_tags(&request.key).await?,
            None => None,
        };
        let mut seen =
            found.zip(tags).map_or_else(Observed::absent, |(found, tags)| observed(scope, name, &found, &tags));
        let mut all = Vec::new();
        if request.thorough {
            let (found, unknown) = self.revisions(name).await;
            seen.unknown.extend(unknown.map(|error| (REVISIONS.to_string(), error)));
            let others = found.into_iter().filter(|key| !asked.contains(key));
            for key in others.collect::<Vec<_>>() {
                let observed = match key.kind {
                    Kind::SageMakerModel => self.observe_model(scope, &key).await,
                    _ => self.observe_config(scope, &key).await,
                };
                all.push((key, observed.unwrap_or_else(Observed::unreadable)));
            }
        }
        all.push((request.key.clone(), seen));
        Ok(all)
    }

    /// The revisions that could be listed, and why some may be missing.
    async fn revisions(&self, endpoint: &str) -> (Vec<Key>, Option<Error>) {
        let keys = |kind: Kind, names: Vec<&String>| -> Vec<Key> {
            let names = names.into_iter().filter(|name| is_revision(name, endpoint));
            names.map(|name| Key { kind, name: name.clone() }).collect()
        };
        let models = |cloud: &mut FakeCloud| Ok(keys(Kind::SageMakerModel, cloud.sagemaker.models.keys().collect()));
        let models = self.call("sagemaker:ListModels", endpoint, models).await;
        let configs =
            |cloud: &mut FakeCloud| Ok(keys(Kind::SageMakerEndpointConfig, cloud.sagemaker.configs.keys().collect()));
        let configs = self.call("sagemaker:ListEndpointConfigs", endpoint, configs).await;
        let unknown = models.as_ref().err().or(configs.as_ref().err()).cloned();
        (models.into_iter().chain(configs).flatten().collect(), unknown)
    }

    pub(super) async fn apply_endpoint(&self, scope: &Scope, step: &Step) -> Result<Applied, Error> {
        let key = &step.key;
        match (&step.action, &step.desired, &step.observed) {
            (Action::Create, Some(Resource::SageMakerEndpoint(desired)), _) => {
                let memory = step.write_of::<Endpoint>().map(EndpointUpdate::tags).unwrap_or_default();
                let tags = desired.tags.clone().into_iter().chain(memory).collect();
                self.write(scope, "sagemaker:CreateEndpoint", key, |cloud| {
                    cloud.create_endpoint(&key.name, &desired.arn, &desired.config, tags)
                })
                .await?;
                Ok(Applied::Progressing("Creating".into()))
            }
            (
                Action::Update(changes),
                Some(Resource::SageMakerEndpoint(desired)),
                Some(Resource::SageMakerEndpoint(observed)),
            ) => {
                let differs = |name: &str| changes.iter().map(Change::field).any(|field| field == name);
                let update = step.write_of::<Endpoint>().filter(|_| differs(field::ATTEMPT) || differs(field::CONFIG));
                let memory = update.map(EndpointUpdate::tags).unwrap_or_default();
                if differs(field::TAGS) {
                    let written = desired.tags.clone().into_iter().chain(memory).collect();
                    self.retag(scope, key, &observed.tags, written).await?;
                } else {
                    self.add_tags(scope, key, memory).await?;
                }
                if !differs(field::CONFIG) {
                    let stays = desired.config == observed.config || step.held_back.is_some();
                    return Ok(if stays { Applied::Ready } else { Applied::Progressing("about to be moved".into()) });
                }
                let apply_instance_count = update.is_some_and(|update| update.apply_instance_count);
                let moved = self.write(scope, "sagemaker:UpdateEndpoint", key, |cloud| {
                    cloud.update_endpoint(&key.name, &desired.config, apply_instance_count)
                });
                if let Err(error) = moved.await {
                    if error.needs_somebody() {
                        let _ = self.forget_attempt(scope, step).await;
                    }
                    return Err(error);
                }
                if let Some(tags) = update.and_then(EndpointUpdate::confirmation) {
                    self.add_tags(scope, key, tags).await?;
                }
                Ok(Applied::Progressing("Updating".into()))
            }
            (Action::Delete { .. }, ..) => {
                let delete =
                    self.write(scope, "sagemaker:DeleteEndpoint", key, |cloud| cloud.delete_endpoint(&key.name));
                match delete.await {
                    Ok(()) => Ok(Applied::Progressing("Deleting".into())),
                    Err(error) if error.class == aiplatform::failure::Class::NotFound => Ok(Applied::Gone),
                    Err(error) => Err(error),
                }
            }
            other => panic!("{other:?} is not to be taken"),
        }
    }
}

impl Memory {
    /// What was refused was never tried: the endpoint remembers again what it remembered before.
    async fn forget_attempt(&self, scope: &Scope, step: &Step) -> Result<(), Error> {
        let noted = |attempt: &Attempt| Tags::from([(tags::ATTEMPT.to_string(), attempt.to_string())]);
        let before =
            step.facts_of::<Endpoint>().and_then(|facts| facts.attempt.as_ref()).map(noted).unwrap_or_default();
        let now = step.write_of::<Endpoint>().map(|update| noted(&update.attempt)).unwrap_or_default();
        self.retag(scope, &step.key, &now, before).await
    }
}

fn observed(scope: &Scope, name: &str, found: &StoredEndpoint, tags: &Tags) -> Observed {
    let endpoint = Endpoint {
        name: name.into(),
        arn: found.arn.clone(),
        tags: tags::managed(tags),
        config: found.config().into(),
        deployment: None,
        request_hash: String::new(),
        keep_revisions: 0,
    };
    let facts = Facts {
        status: found.status,
        failure: found.failure.clone(),
        modified: timestamp(found.modified),
        attempt: tags.get(tags::ATTEMPT).and_then(|value| Attempt::parse(value)),
        history: tags.get(tags::HISTORY).map(|value| parse_history(value)).unwrap_or_default(),
        bounds: tags.get(tags::BOUNDS).and_then(|value| Bounds::parse(value)),
        capacity: found.running.as_ref().map(|it| Capacity { current: it.current, desired: it.desired }),
    };
    Observed {
        state: state(found),
        facts: Some(Endpoint::boxed_facts(facts)),
        ..Observed::present(Resource::SageMakerEndpoint(endpoint), owner(tags, &scope.owner))
    }
}

fn state(found: &StoredEndpoint) -> ObservedState {
    let status = found.status.name().to_string();
    match found.status {
        Status::InService => ObservedState::Ready,
        busy if busy.is_busy() => ObservedState::Progressing(status),
        _ => ObservedState::Failed(found.failure.clone().unwrap_or(status)),
    }
}
