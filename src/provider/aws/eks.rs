//! Amazon EKS: associations of service accounts with roles (EKS Pod Identity).

use std::collections::BTreeSet;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_eks::{Client, types};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::failure;
use super::recent::Recent;
use super::requests::Measured;
use crate::diff::Change;
use crate::failure::{Class, Error, UNREACHABLE};
use crate::failures::{Failures, Parts};
use crate::outcome::Applied;
pub use crate::permissions::eks::action;
use crate::plan::{Action, Step};
use crate::resource::pod_identity_association::{PodIdentityAssociation, ServiceAccountId, field};
use crate::resource::{Freshness, Observed, Owner, Request, Resource};
use crate::scope::Scope;
use crate::tags::{self, Tags};

/// The time for which the id of an association is remembered: it saves the list that finds it.
const REMEMBERED: Duration = Duration::from_hours(1);

/// EKS in one region.
pub(super) struct Eks {
    client: Client,
    /// Ids of associations, by the names of their keys.
    known: Recent<String, String>,
}

impl Eks {
    pub(super) fn new(config: &SdkConfig, measured: Measured) -> Self {
        let config = aws_sdk_eks::config::Builder::from(config).interceptor(measured).build();
        Self { client: Client::from_conf(config), known: Recent::new(REMEMBERED) }
    }

    /// Observes the association of one service account.
    pub(super) async fn observe(
        &self,
        scope: &Scope,
        account: &ServiceAccountId,
        request: &Request,
    ) -> Result<Observed, Error> {
        let known = self.known.get(&request.key.name).filter(|_| request.freshness != Freshness::Current);
        let found = match known {
            Some(id) => self.describe(account, &id).await?,
            None => None,
        };
        let found = match found.filter(|found| is_of(found, account)) {
            Some(found) => Some(found),
            None => self.find(account, request).await?,
        };
        let Some(found) = found else { return Ok(Observed::absent()) };
        if let Some(id) = &found.association_id {
            self.known.put(request.key.name.clone(), id.clone());
        }
        let all: Tags = found.tags.unwrap_or_default().into_iter().collect();
        let role_arn = found.role_arn.unwrap_or_default();
        let owner = match all.get(tags::OWNER) {
            Some(owner) if *owner == scope.owner => Owner::Ours,
            Some(owner) => Owner::Theirs(owner.clone()),
            None => Owner::Theirs(format!("whoever bound it to {role_arn}")),
        };
        let association = PodIdentityAssociation {
            name: request.key.name.clone(),
            service_account_id: account.clone(),
            role_arn,
            target_role_arn: found.target_role_arn.filter(|arn| !arn.is_empty()),
            policy: found.policy.filter(|policy| !policy.is_empty()),
            disable_session_tags: found.disable_session_tags.unwrap_or_default(),
            tags: tags::managed(&all),
        };
        let seen = Observed::present(Resource::PodIdentityAssociation(association), owner);
        Ok(Observed { id: found.association_id, arn: found.association_arn, ..seen })
    }

    /// The association of a service account, of which there is one at most.
    async fn find(
        &self,
        account: &ServiceAccountId,
        request: &Request,
    ) -> Result<Option<types::PodIdentityAssociation>, Error> {
        let call = self
            .client
            .list_pod_identity_associations()
            .cluster_name(&account.cluster)
            .namespace(&account.namespace)
            .service_account(&account.service_account);
        let listed = match call.send().await.map_err(|error| failed(action::LIST, account, &error)) {
            Ok(listed) => listed,
            // A cluster that is gone took its associations with it.
            Err(error) if error.class == Class::NotFound && request.pruning => return Ok(None),
            Err(error) => return Err(error),
        };
        match listed.associations().first().and_then(|summary| summary.association_id()) {
            Some(id) => self.describe(account, id).await,
            None => Ok(None),
        }
    }

    async fn describe(
        &self,
        account: &ServiceAccountId,
        id: &str,
    ) -> Result<Option<types::PodIdentityAssociation>, Error> {
        let call = self.client.describe_pod_identity_association().cluster_name(&account.cluster).association_id(id);
        match call.send().await.map_err(|error| failed(action::DESCRIBE, account, &error)) {
            Ok(described) => Ok(described.association),
            Err(error) if error.class == Class::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn apply(&self, scope: &Scope, step: &Step) -> Result<Applied, Failures> {
        match (&step.action, &step.desired, &step.observed) {
            (Action::Create, Some(Resource::PodIdentityAssociation(desired)), _) => {
                Ok(self.create(scope, desired).await?)
            }
            (
                Action::Update(changes),
                Some(Resource::PodIdentityAssociation(desired)),
                Some(Resource::PodIdentityAssociation(observed)),
            ) => self.update(step, desired, observed, changes).await,
            (Action::Delete { .. }, _, Some(Resource::PodIdentityAssociation(observed))) => {
                Ok(self.delete(step, &observed.service_account_id).await?)
            }
            _ => Err(Error::unknown_step(step).into()),
        }
    }

    /// The token makes one call, however often the SDK sends it. Calls that follow each other need another one, or EKS
    /// could answer with an association that is gone; that there are no two is for the service account to say, which
    /// can have one only.
    async fn create(&self, scope: &Scope, desired: &PodIdentityAssociation) -> Result<Applied, Error> {
        let account = &desired.service_account_id;
        self.client
            .create_pod_identity_association()
            .cluster_name(&account.cluster)
            .namespace(&account.namespace)
            .service_account(&account.service_account)
            .role_arn(&desired.role_arn)
            .disable_session_tags(desired.disable_session_tags)
            .client_request_token(format!("{}-{:016x}", scope.uid, fastrand::u64(..)))
            .set_tags(Some(desired.tags.clone().into_iter().collect()))
            .send()
            .await
            .map_err(|error| failed(action::CREATE, account, &error))?;
        Ok(Applied::Ready)
    }

    async fn update(
        &self,
        step: &Step,
        desired: &PodIdentityAssociation,
        observed: &PodIdentityAssociation,
        changes: &[Change],
    ) -> Result<Applied, Failures> {
        let account = &desired.service_account_id;
        let fields: BTreeSet<&str> = changes.iter().map(Change::field).collect();
        let mut parts = Parts::default();
        if field::BINDING.iter().any(|name| fields.contains(name)) {
            // An empty text takes away what is there; what is not there is left out.
            let taken_away = |found: &Option<String>| found.as_ref().map(|_| String::new());
            let call = self
                .client
                .update_pod_identity_association()
                .cluster_name(&account.cluster)
                .set_association_id(step.id.clone())
                .role_arn(&desired.role_arn)
                .disable_session_tags(desired.disable_session_tags)
                .set_target_role_arn(taken_away(&observed.target_role_arn))
                .set_policy(taken_away(&observed.policy));
            parts.note(field::ROLE, call.send().await.map_err(|error| failed(action::UPDATE, account, &error)));
        }
        for name in fields {
            match name {
                _ if field::BINDING.contains(&name) => {}
                field::TAGS => self.put_tags(step, desired, observed, &mut parts).await,
                unknown => _ = parts.note::<()>(unknown, Err(Error::unknown_field(step, unknown))),
            }
        }
        parts.end(Applied::Ready)
    }

    /// Stale tags go first. Where they do not, the tag that says which keys are ours stays as it is.
    async fn put_tags(
        &self,
        step: &Step,
        desired: &PodIdentityAssociation,
        observed: &PodIdentityAssociation,
        parts: &mut Parts,
    ) {
        let account = &desired.service_account_id;
        let stale = tags::stale(&desired.tags, &observed.tags);
        let mut written = tags::changed(&desired.tags, &observed.tags);
        if !stale.is_empty() {
            let call = self.client.untag_resource().set_resource_arn(step.arn.clone()).set_tag_keys(Some(stale));
            let untagged = call.send().await.map_err(|error| failed(action::UNTAG, account, &error));
            if parts.note(field::TAGS, untagged).is_none() {
                written.remove(tags::TAG_KEYS);
            }
        }
        if written.is_empty() {
            return;
        }
        let call = self.client.tag_resource().set_resource_arn(step.arn.clone());
        let call = call.set_tags(Some(written.into_iter().collect()));
        parts.note(field::TAGS, call.send().await.map_err(|error| failed(action::TAG, account, &error)));
    }

    async fn delete(&self, step: &Step, account: &ServiceAccountId) -> Result<Applied, Error> {
        let call = self
            .client
            .delete_pod_identity_association()
            .cluster_name(&account.cluster)
            .set_association_id(step.id.clone());
        match call.send().await.map_err(|error| failed(action::DELETE, account, &error)) {
            Err(error) if error.class != Class::NotFound => Err(error),
            _ => Ok(Applied::Gone),
        }
    }
}

/// True when an association is the service account's.
fn is_of(found: &types::PodIdentityAssociation, account: &ServiceAccountId) -> bool {
    let named = (found.namespace.as_ref(), found.service_account.as_ref());
    named == (Some(&account.namespace), Some(&account.service_account))
}

fn failed<E>(action: &str, account: &ServiceAccountId, error: &SdkError<E, Response>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let subject =
        format!("service account {}/{} of cluster {}", account.namespace, account.service_account, account.cluster);
    let mut failed = failure::classify(action, &subject, error, table);
    let is_nowhere = failed.class == Class::NotFound && [action::LIST, action::CREATE].contains(&action);
    if is_nowhere || [UNREACHABLE, "UnrecognizedClientException"].contains(&failed.code.as_str()) {
        let way_out = format!(
            "; if there is no cluster {} in region {}, correct spec.identity.podIdentity.clusterArn",
            account.cluster, account.region
        );
        failed.message.push_str(&way_out);
    }
    failed
}

/// EKS's error codes. Source: "Errors" of each operation in the Amazon EKS API reference.
fn table(code: &str) -> Option<Class> {
    Some(match code {
        "ResourceNotFoundException" | "NotFoundException" => Class::NotFound,
        "ResourceInUseException" => Class::Conflict,
        "ResourceLimitExceededException" => Class::Quota,
        "InvalidParameterException" | "InvalidRequestException" | "BadRequestException" => Class::Invalid,
        "ServerException" => Class::Transient,
        _ => return None,
    })
}
