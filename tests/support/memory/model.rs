//! Models: made of what SageMaker can reach, and never changed but for their tags.

use aiplatform::failure::{Class, Error};
use aiplatform::kind::Listed;
use aiplatform::outcome::Applied;
use aiplatform::plan::{Action, Step};
use aiplatform::resource::model::{Content, Model};
use aiplatform::resource::{Key, Kind, Observed, Resource, Revision};
use aiplatform::scope::Scope;
use aiplatform::tags::{self, Tags};

use super::sagemaker::timestamp;
use super::{Memory, owner};

/// A model as SageMaker holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredModel {
    pub arn: String,
    pub tags: Tags,
    pub content: Content,
    pub created: i64,
}

impl Memory {
    pub(super) async fn observe_model(&self, scope: &Scope, key: &Key) -> Result<Observed, Error> {
        let name = &key.name;
        let described =
            self.call("sagemaker:DescribeModel", name, |cloud| Ok(cloud.sagemaker.models.get(name).cloned()));
        let Some(found) = described.await? else { return Ok(Observed::absent()) };
        let Some(tags) = self.list_tags(key).await? else { return Ok(Observed::absent()) };
        let role = found.content.execution_role_arn.rsplit('/').next().unwrap_or_default();
        let model = Model {
            name: name.clone(),
            arn: found.arn,
            tags: tags::managed(&tags),
            needs: vec![Key { kind: Kind::Role, name: role.into() }],
            content: found.content,
        };
        let seen = Observed::present(Resource::SageMakerModel(model), owner(&tags, &scope.owner));
        let revision = Revision { created: timestamp(found.created), recreated: None };
        Ok(Observed { facts: Some(Model::boxed_facts(revision)), ..seen })
    }

    pub(super) async fn apply_model(&self, scope: &Scope, step: &Step) -> Result<Applied, Error> {
        let key = &step.key;
        match (&step.action, &step.desired, &step.observed) {
            (Action::Create, Some(Resource::SageMakerModel(desired)), _) => {
                self.create_model(scope, key, desired).await?;
            }
            (Action::Update(_), Some(Resource::SageMakerModel(desired)), Some(Resource::SageMakerModel(observed))) => {
                self.retag(scope, key, &observed.tags, desired.tags.clone()).await?;
            }
            (Action::Delete { .. }, ..) => {
                let delete =
                    self.remove(scope, "sagemaker:DeleteModel", key, |it| it.sagemaker.models.remove(&key.name));
                return delete.await;
            }
            other => panic!("{other:?} is not to be taken"),
        }
        Ok(Applied::Ready)
    }

    async fn create_model(&self, scope: &Scope, key: &Key, desired: &Model) -> Result<(), Error> {
        self.write(scope, "sagemaker:CreateModel", key, |cloud| {
            if cloud.sagemaker.models.contains_key(&key.name) {
                return Err(Class::Conflict);
            }
            let mut unseen = cloud.sagemaker.roles_unseen_by_models;
            let visible = cloud.sees_role(&desired.content.execution_role_arn, &mut unseen);
            cloud.sagemaker.roles_unseen_by_models = unseen;
            if !visible {
                return Err(Class::Conflict);
            }
            let (arn, tags, content) = (desired.arn.clone(), desired.tags.clone(), desired.content.clone());
            let created = cloud.sagemaker.now();
            cloud.sagemaker.models.insert(key.name.clone(), StoredModel { arn, tags, content, created });
            Ok(())
        })
        .await
    }
}
