//! Reading a role: whose it is first, and its policies only if it is ours.

use std::collections::BTreeMap;

use aws_sdk_iam::types::Role as SdkRole;
use serde_json::Value;

use super::write::policy_part;
use super::{Iam, Target, action};
use crate::exposure;
use crate::failure::{Class, Error};
use crate::grants::ROLE_PATH;
use crate::policy::Policy;
use crate::resource::role::{ATTACHED, Role, field};
use crate::resource::{Observed, ObservedState, Owner, Request, Resource};
use crate::scope::Scope;
use crate::tags::{self, Tags};

impl Iam {
    pub(in super::super) async fn observe(&self, scope: &Scope, request: &Request) -> Result<Observed, Error> {
        let target = Target::new(scope, &request.key.name);
        let role = match self.role(&target).await {
            Ok(Some(role)) => role,
            Ok(None) => return Ok(Observed::absent()),
            Err(error) if error.class == Class::NotFound => return Ok(Observed::absent()),
            Err(error) => return Err(error),
        };
        let found: Tags = role.tags().iter().map(|tag| (tag.key().to_string(), tag.value().to_string())).collect();
        // Role names are unique in an account whatever their path, and only roles of our path are ours.
        let owner = match Owner::of(&found, &scope.owner) {
            Owner::Ours if role.path() != ROLE_PATH => Owner::Theirs(scope.owner.clone()),
            owner => owner,
        };
        if owner != Owner::Ours {
            return Ok(Observed { state: ObservedState::Ready, owner, ..Observed::absent() });
        }
        let mut unknown = BTreeMap::new();
        let (policies, attached) = if request.pruning {
            (BTreeMap::new(), Vec::new())
        } else {
            let (policies, attached) = futures::join!(self.policies(&target), self.attached(&target));
            let attached = attached.unwrap_or_else(|error| {
                unknown.insert(ATTACHED.into(), error);
                Vec::new()
            });
            (known(policies, &mut unknown), attached)
        };
        let trust = role.assume_role_policy_document().map(|text| decode(&target, action::GET, text)).transpose()?;
        let resource = Resource::Role(Role {
            name: role.role_name().to_string(),
            arn: role.arn().to_string(),
            tags: tags::managed(&found),
            trust: Policy::new(trust.unwrap_or_default()),
            permissions_boundary: role
                .permissions_boundary()
                .and_then(|boundary| boundary.permissions_boundary_arn())
                .map(Into::into),
            policies,
        });
        let exposures = attached.iter().map(|policy| exposure::attached(target.role, policy)).collect();
        Ok(Observed { unknown, exposures, ..Observed::present(resource, owner) })
    }

    async fn role(&self, target: &Target<'_>) -> Result<Option<SdkRole>, Error> {
        let answer = self.client.get_role().role_name(target.role).send().await;
        Ok(answer.map_err(|error| target.failure(action::GET, &error))?.role)
    }

    /// The inline policies, each as far as it could be read.
    async fn policies(&self, target: &Target<'_>) -> Result<BTreeMap<String, Result<Policy, Error>>, Error> {
        let names = self.policy_names(target).await?;
        let read = names.into_iter().map(|name| async move {
            let document = self.policy(target, &name).await;
            (name, document.map(Policy::new))
        });
        Ok(futures::future::join_all(read).await.into_iter().collect())
    }

    async fn policy(&self, target: &Target<'_>, name: &str) -> Result<Value, Error> {
        let call = self.client.get_role_policy().role_name(target.role).policy_name(name);
        let answer = call.send().await.map_err(|error| target.failure(action::GET_POLICY, &error))?;
        decode(target, action::GET_POLICY, answer.policy_document())
    }

    pub(super) async fn policy_names(&self, target: &Target<'_>) -> Result<Vec<String>, Error> {
        let pages = self.client.list_role_policies().role_name(target.role).into_paginator().items().send();
        pages.collect::<Result<_, _>>().await.map_err(|error| target.failure(action::LIST_POLICIES, &error))
    }

    /// ARNs of the managed policies attached to the role, none of which is ours.
    pub(super) async fn attached(&self, target: &Target<'_>) -> Result<Vec<String>, Error> {
        let pages = self.client.list_attached_role_policies().role_name(target.role).into_paginator().items().send();
        let policies: Vec<_> =
            pages.collect::<Result<_, _>>().await.map_err(|error| target.failure(action::LIST_ATTACHED, &error))?;
        Ok(policies.into_iter().filter_map(|policy| policy.policy_arn).collect())
    }
}

/// The policies that could be read; the others are noted as unknown.
fn known(
    read: Result<BTreeMap<String, Result<Policy, Error>>, Error>,
    unknown: &mut BTreeMap<String, Error>,
) -> BTreeMap<String, Policy> {
    let read = match read {
        Ok(read) => read,
        Err(error) => {
            unknown.insert(field::POLICIES.into(), error);
            return BTreeMap::new();
        }
    };
    let mut policies = BTreeMap::new();
    for (name, policy) in read {
        match policy {
            Ok(policy) => _ = policies.insert(name, policy),
            // Deleted since the list was made.
            Err(error) if error.class == Class::NotFound => {}
            Err(error) => _ = unknown.insert(policy_part(&name), error),
        }
    }
    policies
}

/// IAM returns documents URL-encoded (RFC 3986), and the SDK leaves them so.
fn decode(target: &Target, action: &str, text: &str) -> Result<Value, Error> {
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8_lossy();
    serde_json::from_str(&decoded).map_err(|error| target.unexpected(action, error))
}
