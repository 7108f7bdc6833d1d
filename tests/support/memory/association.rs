//! Associations of EKS Pod Identity: one for each service account, known to EKS by an id that EKS chose.

use aiplatform::diff::Change;
use aiplatform::failure::{Class, Error};
use aiplatform::failures::{Failures, Parts};
use aiplatform::outcome::Applied;
use aiplatform::plan::{Action, Step};
use aiplatform::resource::pod_identity_association::{PodIdentityAssociation, ServiceAccountId, field};
use aiplatform::resource::{Key, Observed, Owner, Request, Resource};
use aiplatform::scope::Scope;
use aiplatform::tags::{self, Tags};

use super::{Memory, owner};

/// An association as EKS holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAssociation {
    pub id: String,
    pub role_arn: String,
    pub target_role_arn: Option<String>,
    pub policy: Option<String>,
    pub disable_session_tags: bool,
    pub tags: Tags,
}

impl StoredAssociation {
    /// One that is exactly this, without an id.
    pub fn of(association: &PodIdentityAssociation) -> Self {
        Self {
            id: String::new(),
            role_arn: association.role_arn.clone(),
            target_role_arn: association.target_role_arn.clone(),
            policy: association.policy.clone(),
            disable_session_tags: association.disable_session_tags,
            tags: association.tags.clone(),
        }
    }

    /// Unlike a role, one without an owner was made by somebody for this very service account.
    pub fn owner(&self, ours: &str) -> Owner {
        match owner(&self.tags, ours) {
            Owner::Nobody => Owner::Theirs(format!("whoever bound it to {}", self.role_arn)),
            known => known,
        }
    }
}

impl Memory {
    pub(super) async fn observe_association(&self, scope: &Scope, request: &Request) -> Result<Observed, Error> {
        let name = &request.key.name;
        let listed = self.call("eks:ListPodIdentityAssociations", name, |cloud| {
            Ok(cloud.associations.get(name).map(|found| found.id.clone()))
        });
        let Some(id) = listed.await? else { return Ok(Observed::absent()) };
        let described = self.call("eks:DescribePodIdentityAssociation", name, |cloud| {
            Ok(cloud.associations.get(name).filter(|found| found.id == id).cloned())
        });
        let Some(found) = described.await? else { return Ok(Observed::absent()) };
        let association = PodIdentityAssociation {
            name: name.clone(),
            service_account_id: ServiceAccountId::parse(name, &scope.region)
                .unwrap_or_else(|| panic!("{name} is no service account")),
            role_arn: found.role_arn.clone(),
            target_role_arn: found.target_role_arn.clone(),
            policy: found.policy.clone(),
            disable_session_tags: found.disable_session_tags,
            tags: tags::managed(&found.tags),
        };
        let seen = Observed::present(Resource::PodIdentityAssociation(association), found.owner(&scope.owner));
        Ok(Observed { id: Some(found.id), ..seen })
    }

    pub(super) async fn apply_association(&self, scope: &Scope, step: &Step) -> Result<Applied, Failures> {
        use Resource::PodIdentityAssociation as Association;
        match (&step.action, &step.desired, &step.observed) {
            (Action::Create, Some(Association(desired)), _) => {
                self.create_association(scope, &step.key, desired).await?;
            }
            (Action::Update(changes), Some(Association(desired)), Some(Association(observed))) => {
                let differs = |name: &str| changes.iter().map(Change::field).any(|field| field == name);
                let mut parts = Parts::default();
                if field::BINDING.into_iter().any(differs) {
                    parts.note(field::ROLE, self.bind_association(scope, step, desired).await);
                }
                if differs(field::TAGS) {
                    self.tag_association(scope, step, desired, observed, &mut parts).await;
                }
                return parts.end(Applied::Ready);
            }
            (Action::Delete { .. }, ..) => {
                self.write(scope, "eks:DeletePodIdentityAssociation", &step.key, |cloud| {
                    known(cloud.associations.get_mut(&step.key.name), step)?;
                    cloud.associations.remove(&step.key.name);
                    Ok(())
                })
                .await?;
                return Ok(Applied::Gone);
            }
            other => panic!("{other:?} is not to be taken"),
        }
        Ok(Applied::Ready)
    }

    async fn create_association(
        &self,
        scope: &Scope,
        key: &Key,
        desired: &PodIdentityAssociation,
    ) -> Result<(), Error> {
        self.write(scope, "eks:CreatePodIdentityAssociation", key, |cloud| {
            if cloud.associations.contains_key(&key.name) {
                return Err(Class::Conflict);
            }
            if !cloud.has_role(&desired.role_arn) {
                return Err(Class::Invalid);
            }
            cloud.associations_made += 1;
            let id = format!("a-{}", cloud.associations_made);
            cloud.associations.insert(key.name.clone(), StoredAssociation { id, ..StoredAssociation::of(desired) });
            Ok(())
        })
        .await
    }

    async fn bind_association(
        &self,
        scope: &Scope,
        step: &Step,
        desired: &PodIdentityAssociation,
    ) -> Result<(), Error> {
        self.write(scope, "eks:UpdatePodIdentityAssociation", &step.key, |cloud| {
            if !cloud.has_role(&desired.role_arn) {
                return Err(Class::Invalid);
            }
            let found = known(cloud.associations.get_mut(&step.key.name), step)?;
            let (id, tags) = (found.id.clone(), found.tags.clone());
            *found = StoredAssociation { id, tags, ..StoredAssociation::of(desired) };
            Ok(())
        })
        .await
    }

    /// What is stale goes first, as with roles.
    async fn tag_association(
        &self,
        scope: &Scope,
        step: &Step,
        desired: &PodIdentityAssociation,
        observed: &PodIdentityAssociation,
        parts: &mut Parts,
    ) {
        let stale = |key: &String| observed.tags.contains_key(key) && !desired.tags.contains_key(key);
        let mut written = desired.tags.clone();
        let untagged = self.write(scope, "eks:UntagResource", &step.key, |cloud| {
            known(cloud.associations.get_mut(&step.key.name), step)?.tags.retain(|key, _| !stale(key));
            Ok(())
        });
        if parts.note(field::TAGS, untagged.await).is_none() {
            written.remove(tags::TAG_KEYS);
        }
        let tagged = self.write(scope, "eks:TagResource", &step.key, |cloud| {
            known(cloud.associations.get_mut(&step.key.name), step)?.tags.extend(written);
            Ok(())
        });
        parts.note(field::TAGS, tagged.await);
    }
}

/// The association that the step means, which EKS finds by its id alone.
fn known<'a>(found: Option<&'a mut StoredAssociation>, step: &Step) -> Result<&'a mut StoredAssociation, Class> {
    found.filter(|found| step.id.as_ref() == Some(&found.id)).ok_or(Class::NotFound)
}
