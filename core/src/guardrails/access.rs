//! Guardrails for consumers: principals, clusters, and the service accounts of other namespaces.

use super::{Rule, any, refusal};
use crate::grants::{Grant, Purpose, Subject};
use crate::platform::{Identity, Platform, Problem};

pub(super) fn refused(rule: &Rule, platform: &Platform, advice: &str) -> Vec<Problem> {
    let consumers = platform.grants.iter().filter(|grant| grant.purpose == Purpose::Consumer);
    let place = |grant: &Grant| platform.access.iter().position(|consumer| consumer.name == grant.name);
    let consumers = consumers.filter_map(|grant| Some((place(grant)?, grant)));
    let of_consumers = consumers.flat_map(|(index, grant)| {
        let path = format!("spec.access[{index}]");
        principals(rule, platform, grant, &path, advice)
            .into_iter()
            .chain(association(rule, platform, grant, &path, advice))
    });
    cluster(rule, platform, advice).into_iter().chain(of_consumers).collect()
}

fn principals(rule: &Rule, platform: &Platform, grant: &Grant, path: &str, advice: &str) -> Vec<Problem> {
    let Subject::Principals(principals) = &grant.subject else { return Vec::new() };
    let own = [format!("the users and roles of account {}", platform.account_id)];
    let refused = principals.iter().enumerate().filter(|(_, principal)| match &rule.principals {
        Some(globs) => !any(globs, principal),
        None => account_of(principal) != platform.account_id,
    });
    let allowed = rule.principals.as_deref().unwrap_or(&own);
    refused
        .map(|(index, principal)| refusal(format!("{path}.principalArns[{index}]"), principal, allowed, advice))
        .collect()
}

fn account_of(arn: &str) -> &str {
    arn.split(':').nth(4).unwrap_or_default()
}

/// EKS takes one association for each service account: whoever makes it decides which role the pods get, and takes the
/// place of whatever they had.
fn association(rule: &Rule, platform: &Platform, grant: &Grant, path: &str, advice: &str) -> Option<Problem> {
    let Subject::PodIdentity(account, _) = &grant.subject else { return None };
    let allowed = account.namespace == platform.namespace || any(&rule.consumer_namespaces, &account.namespace);
    let path = format!("{path}.serviceAccount.namespace");
    (!allowed).then(|| refusal(path, &account.namespace, &rule.consumer_namespaces, advice))
}

/// A cluster may be in another region than the platform.
fn cluster(rule: &Rule, platform: &Platform, advice: &str) -> Option<Problem> {
    let Some(Identity::PodIdentity { cluster_arn, region, .. }) = &platform.identity else { return None };
    let path = "spec.identity.podIdentity.clusterArn";
    match (&rule.clusters, &rule.regions) {
        (Some(clusters), _) => {
            (!any(clusters, cluster_arn)).then(|| refusal(path.into(), cluster_arn, clusters, advice))
        }
        (None, Some(regions)) if !regions.contains(region) => {
            let allowed: Vec<String> = regions.iter().map(|region| format!("clusters in {region}")).collect();
            Some(refusal(path.into(), cluster_arn, &allowed, advice))
        }
        (None, _) => None,
    }
}
