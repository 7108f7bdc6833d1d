//! Reading models, configurations and endpoints: what each is, then its tags.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_sagemaker::primitives::DateTime;
use futures::StreamExt;
use futures::future::{join, join_all};
use jiff::Timestamp;

use super::super::CONCURRENT_LOOKS;
use super::endpoint::Description;
use super::refusal::{if_there, refused};
use super::revisions::Revisions;
use super::snapshot::{self, ListedEndpoint};
use super::time::timestamp;
use super::{SageMaker, action, config, model};
use crate::arn;
use crate::failure::Error;
use crate::kind::Listed;
use crate::provider::aws::snapshots::View;
use crate::resource::endpoint::REVISIONS;
use crate::resource::{
    Departure, Endpoint, EndpointConfig, Freshness, Key, Kind, Model, Observed, Owner, Request, Revision,
};
use crate::scope::Scope;
use crate::tags;

impl SageMaker {
    /// Observes the requested resources and, for an endpoint that is read thoroughly, all other revisions.
    /// `requested` has all requested keys, so that nothing is read twice.
    pub(in super::super) async fn observe(
        &self,
        scope: &Scope,
        requests: &[&Request],
        requested: &BTreeSet<&Key>,
    ) -> Vec<(Key, Observed)> {
        let endpoints = requests.iter().filter(|request| request.key.kind == Kind::SageMakerEndpoint);
        let covered = endpoints.filter_map(|request| request.freshness.covered()).min();
        let view = self.view(scope, covered).await;
        let (departed, others): (Vec<&Request>, Vec<&Request>) =
            requests.iter().partition(|request| request.departure == Departure::Answered);
        let seen = others.iter().map(|request| self.observe_thoroughly(scope, request, requested, view.as_ref()));
        let seen: Vec<_> = seen.collect();
        let seen: Vec<_> = futures::stream::iter(seen).buffer_unordered(CONCURRENT_LOOKS).collect().await;
        let (seen, listed): (Vec<_>, Vec<_>) = seen.into_iter().unzip();
        let listed: Vec<Revisions> = listed.into_iter().flatten().collect();
        let departed = departed.into_iter().map(|request| async {
            let key = &request.key;
            // The lists were begun after the answer to its deletion.
            if listed.iter().any(|revisions| revisions.lack(key)) {
                return (key.clone(), Observed::absent());
            }
            let seen = self.observe_one(scope, request, request.freshness, view.as_ref()).await;
            (key.clone(), seen.unwrap_or_else(Observed::unreadable))
        });
        let departed: Vec<_> = departed.collect();
        let departed: Vec<_> = futures::stream::iter(departed).buffer_unordered(CONCURRENT_LOOKS).collect().await;
        seen.into_iter().flatten().chain(departed).collect()
    }

    async fn view(&self, scope: &Scope, covered: Option<Duration>) -> Option<View<'_, ListedEndpoint>> {
        let account = format!("account {} in region {}", scope.account_id, scope.region);
        self.endpoints.view(covered?, || snapshot::list(self.client.clone(), account)).await
    }

    /// The requested endpoints and, of one that is read thoroughly, its other revisions and the lists of them.
    async fn observe_thoroughly(
        &self,
        scope: &Scope,
        request: &Request,
        requested: &BTreeSet<&Key>,
        view: Option<&View<'_, ListedEndpoint>>,
    ) -> (Vec<(Key, Observed)>, Option<Revisions>) {
        let around = async {
            if !request.thorough || request.key.kind != Kind::SageMakerEndpoint {
                return (Vec::new(), None);
            }
            let revisions = self.revisions(scope, &request.key.name).await;
            let reads = revisions.keys.iter().filter(|key| !requested.contains(key)).map(|key| async move {
                let request = Request { key: key.clone(), thorough: false, ..request.clone() };
                let seen = self.observe_one(scope, &request, Freshness::Current, None).await;
                (request.key, seen.unwrap_or_else(Observed::unreadable))
            });
            (join_all(reads).await, Some(revisions))
        };
        let one = async {
            match request.departure {
                Departure::Confirmed => Ok(Observed::absent()),
                Departure::Unknown | Departure::Answered => {
                    self.observe_one(scope, request, request.freshness, view).await
                }
            }
        };
        let (seen, (mut all, revisions)) = join(one, around).await;
        let mut seen = seen.unwrap_or_else(Observed::unreadable);
        if let Some(error) = revisions.as_ref().and_then(|revisions| revisions.unknown.clone()) {
            seen.unknown.insert(REVISIONS.into(), error);
        }
        all.push((request.key.clone(), seen));
        (all, revisions)
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

    async fn observe_one(
        &self,
        scope: &Scope,
        request: &Request,
        freshness: Freshness,
        view: Option<&View<'_, ListedEndpoint>>,
    ) -> Result<Observed, Error> {
        let key = &request.key;
        match key.kind {
            Kind::SageMakerModel => self.model(scope, &key.name).await,
            Kind::SageMakerEndpointConfig => self.config(scope, &key.name).await,
            Kind::SageMakerEndpoint => self.endpoint(scope, request, freshness, view).await,
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

    /// An endpoint, as it is or, where that will do, as it was when SageMaker last changed it: its list says when that was.
    async fn endpoint(
        &self,
        scope: &Scope,
        request: &Request,
        freshness: Freshness,
        view: Option<&View<'_, ListedEndpoint>>,
    ) -> Result<Observed, Error> {
        let name = request.key.name.as_str();
        let arn = arn_of(scope, Kind::SageMakerEndpoint, name);
        let listed = view.and_then(|view| view.entry(name)).filter(|listed| listed.arn == arn);
        let unchanged = listed.and_then(|listed| self.descriptions.get(&arn).filter(|it| listed.is_still(it)));
        let (description, is_unchanged) = match unchanged {
            Some(description) => (description, true),
            None => match self.description(&arn, name).await? {
                Some(description) => (description, false),
                None => return Ok(Observed::absent()),
            },
        };
        // Of one that goes it has to be certain whose it is, and the time of its creation says that it is the same one.
        let may_be_remembered = freshness != Freshness::Current || request.pruning;
        let remembered = self.tags_of_endpoints.get(&arn).filter(|_| may_be_remembered);
        let remembered = remembered.filter(|(created, _)| *created == description.created).map(|(_, tags)| tags);
        let is_shared = is_unchanged || (remembered.is_some() && !request.pruning);
        let found = if let Some(found) = remembered {
            found
        } else {
            let found = self.tags(&arn).await?;
            self.tags_of_endpoints.put(arn.clone(), (description.created, found.clone()));
            found
        };
        let endpoint = Endpoint {
            name: name.into(),
            arn,
            tags: tags::managed(&found),
            config: description.config.clone(),
            deployment: None,
            request_hash: String::new(),
            keep_revisions: 0,
        };
        Ok(Observed {
            state: description.state(),
            facts: Some(Endpoint::boxed_facts(description.facts(&found))),
            is_shared,
            ..Observed::present(endpoint.into(), Owner::of(&found, &scope.owner))
        })
    }

    async fn description(&self, arn: &str, name: &str) -> Result<Option<Description>, Error> {
        let described = self.client.describe_endpoint().endpoint_name(name).send().await;
        let described = described.map_err(|error| refused(action::DESCRIBE_ENDPOINT, arn, &error));
        let Some(described) = if_there(described)? else {
            self.forget_endpoint(arn);
            return Ok(None);
        };
        let description = Description::of(&described);
        self.descriptions.put(arn.to_string(), description.clone());
        Ok(Some(description))
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
