//! The roles a platform wants, and what binds service accounts to them.

use std::collections::BTreeMap;

use crate::grants::{Grant, Purpose, Subject};
use crate::platform::{Identity, Platform};
use crate::policy::Policy;
use crate::resource::pod_identity_association::{PodIdentityAssociation, ServiceAccountId};
use crate::resource::role::Role;
use crate::resource::service_account::ServiceAccount;
use crate::resource::{Desired, Key, Resource};
use crate::tags::Tags;

/// The roles that are for this.
pub(super) fn roles(platform: &Platform, purpose: Purpose, tags: &Tags) -> Vec<Desired> {
    let grants = platform.grants.iter().filter(|grant| grant.purpose == purpose);
    let role = |grant: &Grant| Desired {
        served: grant.served.clone(),
        ..Desired::made(Resource::Role(role(platform, grant, tags)))
    };
    grants.map(role).collect()
}

/// The resources that bind service accounts to roles.
pub(super) fn bindings(platform: &Platform, owner: &str, tags: &Tags) -> Vec<Desired> {
    let grants = &platform.grants;
    let associations = grants.iter().filter_map(|grant| association(platform, grant, tags)).map(Desired::made);
    // A service account that is there already is annotated, not taken over.
    // That of a model's pods is the platform's own, and made with them.
    let consumers = grants.iter().filter(|grant| grant.purpose == Purpose::Consumer);
    let accounts = consumers.filter_map(|grant| service_account(platform, grant, owner));
    let accounts = accounts.map(|account| Desired { adopt: true, ..Desired::made(Resource::ServiceAccount(account)) });
    associations.chain(accounts).collect()
}

fn role(platform: &Platform, grant: &Grant, tags: &Tags) -> Role {
    let policies = grant.policies.iter().map(|(name, statements)| (name.clone(), Policy::from(statements.as_slice())));
    Role {
        name: grant.role.clone(),
        arn: grant.arn.clone(),
        tags: tags.clone(),
        trust: grant.trust_policy(),
        permissions_boundary: platform.permissions_boundary_arn.clone(),
        policies: policies.collect::<BTreeMap<_, _>>(),
    }
}

/// The association that gives a role to pods, where EKS Pod Identity does.
pub(super) fn association_key(platform: &Platform, grant: &Grant) -> Option<Key> {
    association(platform, grant, &Tags::new()).map(|association| association.key())
}

fn association(platform: &Platform, grant: &Grant, tags: &Tags) -> Option<Resource> {
    let (Subject::PodIdentity(account, cluster), Some(Identity::PodIdentity { region, .. })) =
        (&grant.subject, &platform.identity)
    else {
        return None;
    };
    let service_account_id = ServiceAccountId {
        region: region.clone(),
        cluster: cluster.clone(),
        namespace: account.namespace.clone(),
        service_account: account.name.clone(),
    };
    Some(Resource::PodIdentityAssociation(PodIdentityAssociation {
        name: service_account_id.name(&platform.region),
        service_account_id,
        role_arn: grant.arn.clone(),
        target_role_arn: None,
        policy: None,
        disable_session_tags: false,
        tags: tags.clone(),
    }))
}

/// Only in the platform's own namespace: elsewhere, the status shows what to set.
fn service_account(platform: &Platform, grant: &Grant, owner: &str) -> Option<ServiceAccount> {
    let (account, annotated) = match &grant.subject {
        Subject::Irsa(account) => (account, true),
        Subject::PodIdentity(account, _) => (account, false),
        Subject::Principals(_) | Subject::SageMaker(_) => return None,
    };
    (account.namespace == platform.namespace).then(|| ServiceAccount {
        namespace: account.namespace.clone(),
        name: account.name.clone(),
        owner: owner.to_string(),
        role_arn: annotated.then(|| grant.arn.clone()),
        labels: BTreeMap::new(),
        automount_service_account_token: None,
        role: Some(grant.role.clone()),
        predates_platform: false,
    })
}
