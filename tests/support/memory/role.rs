//! Roles: made bare, then given their policies one by one, and deleted only when they have none left.

use std::collections::{BTreeMap, BTreeSet};

use aiplatform::diff::Change;
use aiplatform::exposure;
use aiplatform::failure::{Class, Error};
use aiplatform::failures::{Failures, Parts};
use aiplatform::outcome::Applied;
use aiplatform::plan::{Action, Step};
use aiplatform::policy::Policy;
use aiplatform::resource::role::{ATTACHED, Role, field};
use aiplatform::resource::{Key, Observed, Owner, Request, Resource};
use aiplatform::scope::Scope;
use aiplatform::tags::{self, Tags};

use super::{Memory, owner};

/// A role as IAM holds it: what is ours beside what is not.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRole {
    pub arn: String,
    pub tags: Tags,
    pub trust: Policy,
    pub permissions_boundary: Option<String>,
    pub policies: BTreeMap<String, Policy>,
    /// ARNs of managed policies, which only others attach.
    pub attached: BTreeSet<String>,
}

impl StoredRole {
    /// A role that is exactly this.
    pub fn of(role: &Role) -> Self {
        let read = |(name, policy): (&String, &Policy)| (name.clone(), as_read(policy));
        Self { policies: role.policies.iter().map(read).collect(), ..Self::fresh(role) }
    }

    /// A role as `CreateRole` leaves it.
    fn fresh(role: &Role) -> Self {
        Self {
            arn: role.arn.clone(),
            tags: role.tags.clone(),
            trust: role.trust.clone(),
            permissions_boundary: role.permissions_boundary.clone(),
            policies: BTreeMap::new(),
            attached: BTreeSet::new(),
        }
    }

    /// What of it is ours, in canonical form.
    pub fn managed(&self, name: &str) -> Role {
        Role {
            name: name.into(),
            arn: self.arn.clone(),
            tags: tags::managed(&self.tags),
            trust: self.trust.clone(),
            permissions_boundary: self.permissions_boundary.clone(),
            policies: self.policies.clone(),
        }
    }
}

/// A policy as IAM gives it back: the document alone.
fn as_read(policy: &Policy) -> Policy {
    Policy::new(policy.as_written().clone())
}

impl Memory {
    pub(super) async fn observe_role(&self, scope: &Scope, request: &Request) -> Result<Observed, Error> {
        let name = &request.key.name;
        let found = self.call("iam:GetRole", name, |cloud| Ok(cloud.roles.get(name).cloned())).await?;
        let Some(found) = found else { return Ok(Observed::absent()) };
        let mut role = found.managed(name);
        role.policies.clear();
        let mut observed = Observed::present(Resource::Role(role.clone()), owner(&found.tags, &scope.owner));
        if observed.owner != Owner::Ours {
            observed.resource = None;
        } else if !request.pruning {
            match self.call("iam:GetRolePolicy", name, |_| Ok(found.policies)).await {
                Ok(policies) => role.policies = policies,
                Err(error) => _ = observed.unknown.insert(field::POLICIES.into(), error),
            }
            match self.call("iam:ListAttachedRolePolicies", name, |_| Ok(found.attached)).await {
                Ok(attached) => {
                    observed.exposures = attached.iter().map(|policy| exposure::attached(name, policy)).collect();
                }
                Err(error) => _ = observed.unknown.insert(ATTACHED.into(), error),
            }
            observed.resource = Some(Resource::Role(role));
        }
        Ok(observed)
    }

    pub(super) async fn apply_role(&self, scope: &Scope, step: &Step) -> Result<Applied, Failures> {
        match (&step.action, &step.desired, &step.observed) {
            (Action::Create, Some(Resource::Role(desired)), _) => self.create_role(scope, &step.key, desired).await,
            (Action::Update(changes), Some(Resource::Role(desired)), Some(Resource::Role(observed))) => {
                let fields: BTreeSet<&str> = changes.iter().map(Change::field).collect();
                let mut parts = Parts::default();
                let known = field::ALL.into_iter().filter(|field| fields.contains(field));
                assert_eq!(known.clone().count(), fields.len(), "no call of IAM writes one of {fields:?}");
                for field in known {
                    self.write_role(scope, step, field, (desired, observed), &mut parts).await;
                }
                parts.end(Applied::Ready)
            }
            (Action::Delete { .. }, ..) => {
                self.delete_role(scope, &step.key).await?;
                Ok(Applied::Gone)
            }
            other => panic!("{other:?} is not to be taken"),
        }
    }

    async fn create_role(&self, scope: &Scope, key: &Key, desired: &Role) -> Result<Applied, Failures> {
        self.write(scope, "iam:CreateRole", key, |cloud| {
            if cloud.roles.contains_key(&key.name) {
                return Err(Class::NotOwned);
            }
            cloud.roles.insert(key.name.clone(), StoredRole::fresh(desired));
            Ok(())
        })
        .await?;
        let mut parts = Parts::of_a_creation();
        for (name, policy) in &desired.policies {
            parts.note(&format!("policies.{name}"), self.put_policy(scope, key, name, policy).await);
        }
        parts.end(Applied::Ready)
    }

    /// The calls behind one field. What is stale among the tags goes first: the tag that says which keys are ours says
    /// so only until it is written anew.
    async fn write_role(
        &self,
        scope: &Scope,
        step: &Step,
        field: &str,
        (desired, observed): (&Role, &Role),
        parts: &mut Parts,
    ) {
        let key = &step.key;
        match field {
            field::TRUST => {
                let trust = |role: &mut StoredRole| role.trust = desired.trust.clone();
                parts.note(field, self.change_role(scope, "iam:UpdateAssumeRolePolicy", key, trust).await);
            }
            field::BOUNDARY => {
                let boundary = desired.permissions_boundary.clone();
                let bound = |role: &mut StoredRole| role.permissions_boundary = boundary;
                parts.note(field, self.change_role(scope, "iam:PutRolePermissionsBoundary", key, bound).await);
            }
            field::TAGS => {
                let stale = |key: &String| observed.tags.contains_key(key) && !desired.tags.contains_key(key);
                let untag = |role: &mut StoredRole| role.tags.retain(|key, _| !stale(key));
                let mut written = desired.tags.clone();
                if parts.note(field, self.change_role(scope, "iam:UntagRole", key, untag).await).is_none() {
                    written.remove(tags::TAG_KEYS);
                }
                let tag = |role: &mut StoredRole| role.tags.extend(written);
                parts.note(field, self.change_role(scope, "iam:TagRole", key, tag).await);
            }
            field::POLICIES => {
                let part = |name: &str| format!("policies.{name}");
                for (name, policy) in desired.policies.iter().filter(|(name, _)| !step.is_unknown(&part(name))) {
                    if observed.policies.get(name) != Some(policy) {
                        parts.note(&part(name), self.put_policy(scope, key, name, policy).await);
                    }
                }
                for name in observed.policies.keys().filter(|name| !desired.policies.contains_key(*name)) {
                    parts.note(&part(name), self.delete_policy(scope, key, name).await);
                }
            }
            other => panic!("no call of IAM writes {other}"),
        }
    }

    async fn put_policy(&self, scope: &Scope, key: &Key, name: &str, policy: &Policy) -> Result<(), Error> {
        self.change_role(scope, "iam:PutRolePolicy", key, |role| {
            role.policies.insert(name.into(), as_read(policy));
        })
        .await
    }

    async fn delete_policy(&self, scope: &Scope, key: &Key, name: &str) -> Result<(), Error> {
        self.change_role(scope, "iam:DeleteRolePolicy", key, |role| {
            role.policies.remove(name);
        })
        .await
    }

    async fn delete_role(&self, scope: &Scope, key: &Key) -> Result<(), Error> {
        let name = &key.name;
        let found = self.call("iam:ListRolePolicies", name, |cloud| Ok(cloud.roles.get(name).cloned())).await?;
        let Some(found) = found else { return Ok(()) };
        for policy in &found.attached {
            self.change_role(scope, "iam:DetachRolePolicy", key, |role| {
                role.attached.remove(policy);
            })
            .await?;
        }
        for policy in found.policies.keys() {
            self.delete_policy(scope, key, policy).await?;
        }
        self.write(scope, "iam:DeleteRole", key, |cloud| {
            let role = cloud.roles.get(name).ok_or(Class::NotFound)?;
            if !role.policies.is_empty() || !role.attached.is_empty() {
                return Err(Class::Conflict);
            }
            cloud.roles.remove(name);
            Ok(())
        })
        .await
    }

    async fn change_role(
        &self,
        scope: &Scope,
        action: &str,
        key: &Key,
        change: impl FnOnce(&mut StoredRole),
    ) -> Result<(), Error> {
        self.write(scope, action, key, |cloud| {
            change(cloud.roles.get_mut(&key.name).ok_or(Class::NotFound)?);
            Ok(())
        })
        .await
    }
}
