//! Reading roles: from the list of all where that may be, and each by itself otherwise: whose it is first, and its policies
//! only if it is ours.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_iam::types::Role as SdkRole;
use futures::StreamExt;
use serde_json::Value;

use super::super::CONCURRENT_LOOKS;
use super::snapshot::{self, ListedRole};
use super::write::policy_part;
use super::{Iam, Target, action};
use crate::exposure;
use crate::failure::{Class, Error};
use crate::grants::ROLE_PATH;
use crate::policy::Policy;
use crate::provider::aws::snapshots::View;
use crate::resource::role::{ATTACHED, Role, field};
use crate::resource::{Departure, Key, Observed, ObservedState, Owner, Request, Resource};
use crate::scope::Scope;
use crate::tags::{self, Tags};

/// A role as IAM has it.
pub(super) struct LiveRole {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) path: String,
    pub(super) tags: Tags,
    pub(super) trust: Policy,
    pub(super) boundary: Option<String>,
    pub(super) policies: BTreeMap<String, Policy>,
    /// ARNs of the managed policies attached to it, none of which is ours.
    pub(super) attached: Vec<String>,
    /// Parts that could not be read.
    pub(super) unknown: BTreeMap<String, Error>,
}

impl LiveRole {
    /// Role names are unique in an account whatever their path, and only roles of our path are ours.
    fn owner(&self, scope: &Scope) -> Owner {
        match Owner::of(&self.tags, &scope.owner) {
            Owner::Ours if self.path != ROLE_PATH => Owner::Theirs(scope.owner.clone()),
            owner => owner,
        }
    }

    fn observed(self, owner: Owner) -> Observed {
        if owner != Owner::Ours {
            return Observed { state: ObservedState::Ready, owner, ..Observed::absent() };
        }
        let exposures = self.attached.iter().map(|policy| exposure::attached(&self.name, policy)).collect();
        let resource = Resource::Role(Role {
            name: self.name,
            arn: self.arn,
            tags: tags::managed(&self.tags),
            trust: self.trust,
            permissions_boundary: self.boundary,
            policies: self.policies,
        });
        Observed { unknown: self.unknown, exposures, ..Observed::present(resource, owner) }
    }
}

impl Iam {
    pub(in super::super) async fn observe(&self, scope: &Scope, requests: &[&Request]) -> Vec<(Key, Observed)> {
        let covered = requests.iter().filter_map(|request| request.freshness.covered()).min();
        let view = self.view(scope, covered).await;
        // What goes is read as it is: one list that begins from now on does that for several.
        let ending = requests.iter().filter(|request| request.pruning).count();
        let current = if ending > 1 { self.view_from_now(scope).await } else { None };
        let seen = requests.iter().map(|request| {
            let view = view.as_ref().filter(|_| request.freshness.is_shared());
            let current = current.as_ref().filter(|_| request.pruning);
            async move {
                let name = request.key.name.as_str();
                if request.departure == Departure::Answered && current.is_some_and(|current| current.lacks(name)) {
                    return (request.key.clone(), Observed::absent());
                }
                let departing = || observed(scope, request, current?.entry_of_departing(name)?.as_ref());
                let shared = || {
                    let seen = observed(scope, request, view?.entry(name)?.as_ref())?;
                    Some(Observed { is_shared: true, ..seen })
                };
                let seen = match departing().or_else(shared) {
                    Some(seen) => Ok(seen),
                    None => self.observe_one(scope, request).await,
                };
                (request.key.clone(), seen.unwrap_or_else(Observed::unreadable))
            }
        });
        let seen: Vec<_> = seen.collect();
        futures::stream::iter(seen).buffer_unordered(CONCURRENT_LOOKS).collect().await
    }

    async fn view(&self, scope: &Scope, covered: Option<Duration>) -> Option<View<'_, ListedRole>> {
        self.roles.view(covered?, || snapshot::list(self.client.clone(), scope.account_id.clone())).await
    }

    async fn view_from_now(&self, scope: &Scope) -> Option<View<'_, ListedRole>> {
        self.roles.view_from_now(|| snapshot::list(self.client.clone(), scope.account_id.clone())).await
    }

    async fn observe_one(&self, scope: &Scope, request: &Request) -> Result<Observed, Error> {
        let target = Target::new(scope, &request.key.name);
        let role = match self.role(&target).await {
            Ok(Some(role)) => role,
            Ok(None) => return Ok(Observed::absent()),
            Err(error) if error.class == Class::NotFound => return Ok(Observed::absent()),
            Err(error) => return Err(error),
        };
        let trust = role.assume_role_policy_document().map(|text| decode(&target, action::GET, text)).transpose();
        let mut live = LiveRole {
            name: role.role_name().to_string(),
            arn: role.arn().to_string(),
            path: role.path().to_string(),
            tags: role.tags().iter().map(|tag| (tag.key().to_string(), tag.value().to_string())).collect(),
            trust: Policy::new(&Value::Null),
            boundary: role
                .permissions_boundary()
                .and_then(|boundary| boundary.permissions_boundary_arn())
                .map(Into::into),
            policies: BTreeMap::new(),
            attached: Vec::new(),
            unknown: BTreeMap::new(),
        };
        let owner = live.owner(scope);
        if owner == Owner::Ours {
            live.trust = Policy::new(&trust?.unwrap_or_default());
            if !request.pruning {
                let (policies, attached) = futures::join!(self.policies(&target), self.attached(&target));
                live.attached = attached.unwrap_or_else(|error| {
                    live.unknown.insert(ATTACHED.into(), error);
                    Vec::new()
                });
                live.policies = known(policies, &mut live.unknown);
            }
        }
        Ok(live.observed(owner))
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
            (name, document.map(|document| Policy::new(&document)))
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

/// The observation of a role as it was listed, if it is the one that is requested.
fn observed(scope: &Scope, request: &Request, listed: &ListedRole) -> Option<Observed> {
    let target = Target::new(scope, &request.key.name);
    let live = listed.live(target.role, &target.arn())?;
    let owner = live.owner(scope);
    Some(live.observed(owner))
}

/// IAM returns documents URL-encoded (RFC 3986), and the SDK leaves them so.
pub(super) fn decoded(text: &str) -> Cow<'_, str> {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy()
}

fn decode(target: &Target, action: &str, text: &str) -> Result<Value, Error> {
    serde_json::from_str(&decoded(text)).map_err(|error| target.unexpected(action, error))
}
