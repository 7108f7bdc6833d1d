//! Reading models, configurations and endpoints: what each is, then its tags.

use std::collections::BTreeSet;

use aws_sdk_sagemaker::primitives::DateTime;
use futures::future::{join, join_all};
use jiff::Timestamp;

use super::refusal::{if_there, refused};
use super::time::timestamp;
use super::{SageMaker, action, config, endpoint, model};
use crate::arn;
use crate::failure::Error;
use crate::kind::Listed;
use crate::resource::endpoint::REVISIONS;
use crate::resource::{Endpoint, EndpointConfig, Key, Kind, Model, Observed, Owner, Request, Revision};
use crate::scope::Scope;
use crate::tags;

impl SageMaker {
    /// Observes the requested resources and, for an endpoint that is read thoroughly, all other revisions.
    /// `requested` has all requested keys, so that nothing is read twice.
    pub(in super::super) async fn observe(
        &self,
        scope: &Scope,
        request: &Request,
        requested: &BTreeSet<&Key>,
    ) -> Result<Vec<(Key, Observed)>, Error> {
        let around = async {
            if !request.thorough || request.key.kind != Kind::SageMakerEndpoint {
                return (Vec::new(), None);
            }
            let (keys, unknown) = self.revisions(scope, &request.key.name, requested).await;
            let reads = keys.into_iter().map(|key| async move {
                let seen = self.observe_one(scope, &key).await.unwrap_or_else(Observed::unreadable);
                (key, seen)
            });
            (join_all(reads).await, unknown)
        };
        let (seen, (mut all, unknown)) = join(self.observe_one(scope, &request.key), around).await;
        let mut seen = seen.unwrap_or_else(Observed::unreadable);
        if let Some(error) = unknown {
            seen.unknown.insert(REVISIONS.into(), error);
        }
        all.push((request.key.clone(), seen));
        Ok(all)
    }

    /// The holder of an endpoint. One that does not exist is nobody's.
    pub(in super::super) async fn holder(&self, scope: &Scope, name: &str) -> Result<Owner, Error> {
        let arn = arn_of(scope, Kind::SageMakerEndpoint, name);
        let described = self.client.describe_endpoint().endpoint_name(name).send().await;
        let described = described.map_err(|error| refused(action::DESCRIBE_ENDPOINT, &arn, &error));
        if if_there(described)?.is_none() {
            return Ok(Owner::Nobody);
        }
        Ok(Owner::of(&self.tags(&arn).await?, &scope.owner))
    }

    async fn observe_one(&self, scope: &Scope, key: &Key) -> Result<Observed, Error> {
        match key.kind {
            Kind::SageMakerModel => self.model(scope, &key.name).await,
            Kind::SageMakerEndpointConfig => self.config(scope, &key.name).await,
            Kind::SageMakerEndpoint => self.endpoint(scope, &key.name).await,
            _ => Err(Error::bug("observe", &key.to_string(), "it is not in SageMaker")),
        }
    }

    // Whether something is there is for the description to say: asking for the tags of nothing may fail in any words.

    async fn model(&self, scope: &Scope, name: &str) -> Result<Observed, Error> {
        let arn = arn_of(scope, Kind::SageMakerModel, name);
        let described = self.client.describe_model().model_name(name).send().await;
        let described = described.map_err(|error| refused(action::DESCRIBE_MODEL, &arn, &error));
        let Some(described) = if_there(described)? else { return Ok(Observed::absent()) };
        let found = self.tags(&arn).await?;
        let content = model::content(&described);
        let needs = model::needs(&content);
        let model = Model { name: name.into(), arn, tags: tags::managed(&found), content, needs };
        let revision = Revision { created: created(described.creation_time()), recreated: None };
        let seen = Observed::present(model.into(), Owner::of(&found, &scope.owner));
        Ok(Observed { facts: Some(Model::boxed_facts(revision)), ..seen })
    }

    async fn config(&self, scope: &Scope, name: &str) -> Result<Observed, Error> {
        let arn = arn_of(scope, Kind::SageMakerEndpointConfig, name);
        let described = self.client.describe_endpoint_config().endpoint_config_name(name).send().await;
        let described = described.map_err(|error| refused(action::DESCRIBE_CONFIG, &arn, &error));
        let Some(described) = if_there(described)? else { return Ok(Observed::absent()) };
        let found = self.tags(&arn).await?;
        let content = config::content(&described);
        let needs = config::needs(&content);
        let config = EndpointConfig { name: name.into(), arn, tags: tags::managed(&found), content, needs };
        let revision = Revision {
            created: created(described.creation_time()),
            recreated: found.get(tags::RECREATED).and_then(|value| Revision::parse_recreated(value)),
        };
        let seen = Observed::present(config.into(), Owner::of(&found, &scope.owner));
        Ok(Observed { facts: Some(EndpointConfig::boxed_facts(revision)), ..seen })
    }

    async fn endpoint(&self, scope: &Scope, name: &str) -> Result<Observed, Error> {
        let arn = arn_of(scope, Kind::SageMakerEndpoint, name);
        let described = self.client.describe_endpoint().endpoint_name(name).send().await;
        let described = described.map_err(|error| refused(action::DESCRIBE_ENDPOINT, &arn, &error));
        let Some(described) = if_there(described)? else { return Ok(Observed::absent()) };
        let found = self.tags(&arn).await?;
        let endpoint = Endpoint {
            name: name.into(),
            arn,
            tags: tags::managed(&found),
            config: described.endpoint_config_name().unwrap_or_default().to_string(),
            deployment: None,
            request_hash: String::new(),
            keep_revisions: 0,
        };
        Ok(Observed {
            state: endpoint::state(&described),
            facts: Some(Endpoint::boxed_facts(endpoint::facts(&described, &found))),
            ..Observed::present(endpoint.into(), Owner::of(&found, &scope.owner))
        })
    }
}

/// The ARN of something of this kind and name.
pub(super) fn arn_of(scope: &Scope, kind: Kind, name: &str) -> String {
    let written = match kind {
        Kind::SageMakerModel => "model",
        Kind::SageMakerEndpointConfig => "endpoint-config",
        _ => "endpoint",
    };
    arn::sagemaker(&scope.region, &scope.account_id, written, name)
}

fn created(time: Option<&DateTime>) -> Timestamp {
    time.map(timestamp).unwrap_or_default()
}
