//! Endpoint configurations: never changed but for their tags, and not needed by an endpoint that runs already.

use aiplatform::diff::Change;
use aiplatform::failure::{Class, Error};
use aiplatform::failures::{Failures, Parts};
use aiplatform::kind::Listed;
use aiplatform::outcome::Applied;
use aiplatform::plan::{Action, Step};
use aiplatform::resource::endpoint_config::{Content, EndpointConfig, field};
use aiplatform::resource::{Key, Kind, Observed, Resource, Revision};
use aiplatform::scope::Scope;
use aiplatform::tags::{self, Tags};

use super::sagemaker::timestamp;
use super::{Memory, owner};

/// A configuration as SageMaker holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredConfig {
    pub arn: String,
    pub tags: Tags,
    pub content: Content,
    pub created: i64,
}

impl Memory {
    pub(super) async fn observe_config(&self, scope: &Scope, key: &Key) -> Result<Observed, Error> {
        let name = &key.name;
        let described =
            self.call("sagemaker:DescribeEndpointConfig", name, |cloud| Ok(cloud.sagemaker.configs.get(name).cloned()));
        let Some(found) = described.await? else { return Ok(Observed::absent()) };
        let Some(tags) = self.list_tags(key).await? else { return Ok(Observed::absent()) };
        let config = EndpointConfig {
            name: name.clone(),
            arn: found.arn,
            tags: tags::managed(&tags),
            needs: vec![Key { kind: Kind::SageMakerModel, name: found.content.model.clone() }],
            content: found.content,
        };
        let seen = Observed::present(Resource::SageMakerEndpointConfig(config), owner(&tags, &scope.owner));
        let recreated = tags.get(tags::RECREATED).and_then(|value| Revision::parse_recreated(value));
        let revision = Revision { created: timestamp(found.created), recreated };
        Ok(Observed { facts: Some(EndpointConfig::boxed_facts(revision)), ..seen })
    }

    pub(super) async fn apply_config(&self, scope: &Scope, step: &Step) -> Result<Applied, Failures> {
        use Resource::SageMakerEndpointConfig as Config;
        let key = &step.key;
        match (&step.action, &step.desired, &step.observed) {
            (Action::Create, Some(Config(desired)), _) => {
                self.create_config(scope, key, desired).await?;
            }
            (Action::Update(changes), Some(Config(desired)), Some(Config(observed))) => {
                let mut parts = Parts::default();
                if changes.iter().any(|change| change.field() == field::TAGS) {
                    let tagged = self.retag(scope, key, &observed.tags, desired.tags.clone()).await;
                    parts.note(field::TAGS, tagged);
                }
                if let Some(Change { to, .. }) = changes.iter().find(|change| change.field() == field::RECREATED) {
                    let value = to.as_str().expect("what is remembered is text").to_string();
                    let memory = [(tags::RECREATED.to_string(), value)].into();
                    parts.note(field::RECREATED, self.add_tags(scope, key, memory).await);
                }
                return parts.end(Applied::Ready);
            }
            (Action::Delete { .. }, ..) => {
                let forget = |it: &mut super::FakeCloud| it.sagemaker.configs.remove(&key.name);
                return Ok(self.remove(scope, "sagemaker:DeleteEndpointConfig", key, forget).await?);
            }
            other => panic!("{other:?} is not to be taken"),
        }
        Ok(Applied::Ready)
    }

    async fn create_config(&self, scope: &Scope, key: &Key, desired: &EndpointConfig) -> Result<(), Error> {
        self.write(scope, "sagemaker:CreateEndpointConfig", key, |cloud| {
            let sagemaker = &mut cloud.sagemaker;
            if sagemaker.configs.contains_key(&key.name) {
                return Err(Class::Conflict);
            }
            if !sagemaker.models.contains_key(&desired.content.model) {
                return Err(Class::Conflict);
            }
            let (arn, tags, content) = (desired.arn.clone(), desired.tags.clone(), desired.content.clone());
            let created = sagemaker.now();
            sagemaker.configs.insert(key.name.clone(), StoredConfig { arn, tags, content, created });
            Ok(())
        })
        .await
    }
}
