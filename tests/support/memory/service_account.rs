//! Service accounts, with the field ownership of server-side apply: what one manager no longer applies goes, and what
//! others set stays.

use std::collections::{BTreeMap, BTreeSet};

use aiplatform::failure::{Class, Error};
use aiplatform::outcome::Applied;
use aiplatform::plan::{Action, Step};
use aiplatform::resource::service_account::{ROLE_ANNOTATION, ServiceAccount};
use aiplatform::resource::{Observed, Owner, Request, Resource};
use aiplatform::scope::Scope;
use aiplatform::tags;

use super::{Memory, owner};

/// Says that the operator made the service account.
pub const CREATED: &str = "aiplatform.dev/created";

/// A service account as the API server holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredAccount {
    pub annotations: BTreeMap<String, String>,
    /// The annotations that the operator's field manager set.
    pub ours: BTreeSet<String>,
}

impl StoredAccount {
    pub fn role_arn(&self) -> Option<&str> {
        self.annotations.get(ROLE_ANNOTATION).map(String::as_str)
    }

    /// An account with a role and no owner was bound by somebody.
    pub fn owner(&self, ours: &str) -> Owner {
        match (owner(&self.annotations, ours), self.role_arn()) {
            (Owner::Nobody, Some(role)) => Owner::Theirs(format!("whoever bound it to {role}")),
            (known, _) => known,
        }
    }

    /// Server-side apply by the operator's field manager, forced.
    pub fn apply(&mut self, annotations: BTreeMap<String, String>) {
        let kept: BTreeSet<String> = annotations.keys().cloned().collect();
        for key in self.ours.difference(&kept) {
            self.annotations.remove(key);
        }
        self.annotations.extend(annotations);
        self.ours = kept;
    }

    /// Binds it as the operator does.
    pub fn bind(&mut self, desired: &ServiceAccount, created: bool) {
        let role = desired.role_arn.iter().map(|role| (ROLE_ANNOTATION.to_string(), role.clone()));
        let created = created.then(|| (CREATED.to_string(), "true".to_string()));
        let owner = (tags::OWNER.to_string(), desired.owner.clone());
        self.apply(role.chain(created).chain([owner]).collect());
    }
}

impl Memory {
    pub(super) async fn observe_service_account(&self, scope: &Scope, request: &Request) -> Result<Observed, Error> {
        let key = &request.key.name;
        let found = self.find_service_account(key).await?;
        let Some(found) = found else { return Ok(Observed::absent()) };
        let (namespace, name) = key.split_once('/').unwrap_or_else(|| panic!("{key} has no namespace"));
        let role_arn = found.role_arn().map(ToString::to_string);
        let account = ServiceAccount {
            namespace: namespace.into(),
            name: name.into(),
            owner: found.annotations.get(tags::OWNER).cloned().unwrap_or_default(),
            role: role_arn.as_deref().and_then(|arn| arn.rsplit('/').next()).map(Into::into),
            role_arn,
        };
        Ok(Observed::present(Resource::ServiceAccount(account), found.owner(&scope.owner)))
    }

    pub(super) async fn apply_service_account(&self, scope: &Scope, step: &Step) -> Result<Applied, Error> {
        let name = &step.key.name;
        let found = self.find_service_account(name).await?;
        let created = found.is_none_or(|found| found.annotations.contains_key(CREATED));
        match (&step.action, &step.desired) {
            (Action::Create | Action::Update(_), Some(Resource::ServiceAccount(desired))) => {
                self.write(scope, "patch serviceaccounts", &step.key, |cloud| {
                    cloud.service_accounts.entry(name.clone()).or_default().bind(desired, created);
                    Ok(())
                })
                .await?;
                Ok(Applied::Ready)
            }
            (Action::Delete { .. }, _) if created => {
                self.write(scope, "delete serviceaccounts", &step.key, |cloud| {
                    cloud.service_accounts.remove(name).map(|_| ()).ok_or(Class::NotFound)
                })
                .await?;
                Ok(Applied::Gone)
            }
            (Action::Delete { .. }, _) => {
                self.write(scope, "patch serviceaccounts", &step.key, |cloud| {
                    cloud.service_accounts.get_mut(name).ok_or(Class::NotFound)?.apply(BTreeMap::new());
                    Ok(())
                })
                .await?;
                Ok(Applied::Gone)
            }
            other => panic!("{other:?} is not to be taken"),
        }
    }

    async fn find_service_account(&self, name: &str) -> Result<Option<StoredAccount>, Error> {
        self.call("get serviceaccounts", name, |cloud| Ok(cloud.service_accounts.get(name).cloned())).await
    }
}
