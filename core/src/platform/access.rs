//! Validation of `spec.identity` and `spec.access`, and of every ARN beside them.

use std::collections::BTreeMap;

use super::storage::undeclared;
use super::{Problem, listed};
use crate::api::access::{BucketAccess, Consumer};
use crate::api::{AIPlatformSpec, Model};
use crate::arn;
use crate::grants::ServiceAccount;

/// The way pods get credentials, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// IAM roles for service accounts.
    Irsa {
        /// ARN of the OpenID Connect provider.
        provider_arn: String,
        /// The issuer, without `https://`, as condition keys begin with it.
        issuer: String,
    },
    /// EKS Pod Identity.
    PodIdentity {
        /// ARN of the cluster.
        cluster_arn: String,
        /// Name of the cluster.
        cluster: String,
        /// Region of the cluster.
        region: String,
        /// Account of the cluster.
        account_id: String,
    },
}

pub(super) fn identity(spec: &AIPlatformSpec, problems: &mut Vec<Problem>) -> Option<Identity> {
    let identity = spec.identity.as_ref()?;
    match (&identity.irsa, &identity.pod_identity) {
        (Some(irsa), None) => {
            let path = "spec.identity.irsa.oidcProviderArn";
            let parts = checked(spec, &irsa.oidc_provider_arn, "iam", path, problems)?;
            let Some(issuer) = parts.resource.strip_prefix("oidc-provider/") else {
                problems.push(Problem::new(
                    path,
                    format!("{:?} is not an OpenID Connect provider", irsa.oidc_provider_arn),
                ));
                return None;
            };
            if parts.account != spec.account_id {
                let message = format!(
                    "{:?} is a provider of account {}, and roles of spec.accountId {:?} trust only providers of their own \
                     account: make one there for the same cluster",
                    irsa.oidc_provider_arn, parts.account, spec.account_id
                );
                problems.push(Problem::new(path, message));
            }
            Some(Identity::Irsa { provider_arn: irsa.oidc_provider_arn.clone(), issuer: issuer.to_string() })
        }
        (None, Some(pods)) => {
            let path = "spec.identity.podIdentity.clusterArn";
            let parts = checked(spec, &pods.cluster_arn, "eks", path, problems)?;
            let Some(cluster) = parts.resource.strip_prefix("cluster/") else {
                problems.push(Problem::new(path, format!("{:?} is not an EKS cluster", pods.cluster_arn)));
                return None;
            };
            if parts.account != spec.account_id {
                let message = format!(
                    "{:?} is a cluster of account {}: EKS Pod Identity binds roles of the cluster's own account, and \
                     spec.accountId is {:?}; use irsa",
                    pods.cluster_arn, parts.account, spec.account_id
                );
                problems.push(Problem::new(path, message));
            }
            Some(Identity::PodIdentity {
                cluster_arn: pods.cluster_arn.clone(),
                cluster: cluster.to_string(),
                region: parts.region.to_string(),
                account_id: parts.account.to_string(),
            })
        }
        _ => {
            problems.push(Problem::new("spec.identity", "takes exactly one of irsa and podIdentity"));
            None
        }
    }
}

/// The ARNs that stand beside access: the boundary and the role that the operator works through.
pub(super) fn validate_arns(spec: &AIPlatformSpec, problems: &mut Vec<Problem>) {
    if let Some(boundary) = &spec.permissions_boundary_arn {
        let path = "spec.permissionsBoundaryArn";
        if let Some(parts) = checked(spec, boundary, "iam", path, problems) {
            if !parts.resource.starts_with("policy/") {
                let message = format!("{boundary:?} is not a managed policy: arn:aws:iam::ACCOUNT:policy/NAME");
                problems.push(Problem::new(path, message));
            } else if parts.account != spec.account_id && parts.account != "aws" {
                let message = format!(
                    "{boundary:?} is a policy of account {}: a boundary is one of spec.accountId, {:?}, or of AWS",
                    parts.account, spec.account_id
                );
                problems.push(Problem::new(path, message));
            }
        }
    }
    if let Some(assumed) = &spec.assume_role {
        let path = "spec.assumeRole.roleArn";
        if let Some(parts) = checked(spec, &assumed.role_arn, "iam", path, problems) {
            if !parts.resource.starts_with("role/") {
                problems.push(Problem::new(path, format!("{:?} is not a role", assumed.role_arn)));
            } else if parts.account != spec.account_id {
                let message = format!(
                    "{:?} is a role of account {}, and spec.accountId is {:?}",
                    assumed.role_arn, parts.account, spec.account_id
                );
                problems.push(Problem::new(path, message));
            }
        }
    }
}

pub(super) fn validate(spec: &AIPlatformSpec, namespace: &str, problems: &mut Vec<Problem>) -> Vec<Consumer> {
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    let mut accounts: BTreeMap<ServiceAccount, usize> = BTreeMap::new();
    for (index, consumer) in spec.access.iter().enumerate() {
        let path = format!("spec.access[{index}]");
        if let Some(first) = names.insert(&consumer.name, index) {
            let message = format!("{:?} is the name of spec.access[{first}] too: names are unique", consumer.name);
            problems.push(Problem::new(format!("{path}.name"), message));
        }
        if let Some(model) = spec.models.iter().position(|model| is_executed_as(model, &consumer.name)) {
            let message = format!(
                "{:?} is what the role is called that is made for spec.models[{model}]: choose another name",
                consumer.name
            );
            problems.push(Problem::new(format!("{path}.name"), message));
        }
        validate_subject(spec, consumer, &path, problems);
        if let Some(account) = &consumer.service_account {
            let account = ServiceAccount::of(account, namespace);
            if let Some(first) = accounts.get(&account) {
                let message =
                    format!("{account} is claimed by spec.access[{first}] too: a service account has one role");
                problems.push(Problem::new(format!("{path}.serviceAccount"), message));
            }
            accounts.entry(account).or_insert(index);
        }
        validate_models(spec, consumer, &path, problems);
        validate_buckets(spec, consumer, &path, problems);
        if consumer.models.is_empty() && consumer.buckets.is_empty() {
            problems.push(Problem::new(path, "may use nothing: name models or buckets, or take the consumer out"));
        }
    }
    spec.access.clone()
}

/// True when a role of this part's name is made for the model.
fn is_executed_as(model: &Model, part: &str) -> bool {
    let generated = model.sagemaker.as_ref().is_some_and(|sagemaker| sagemaker.execution_role_arn.is_none());
    let source = model.kubernetes.as_ref().and_then(|kubernetes| kubernetes.source.as_ref());
    let loads = source.is_some_and(|source| source.s3.is_some());
    (generated && part.strip_suffix("-execution") == Some(&model.name))
        || (loads && part.strip_suffix("-workload") == Some(&model.name))
}

fn validate_subject(spec: &AIPlatformSpec, consumer: &Consumer, path: &str, problems: &mut Vec<Problem>) {
    match (&consumer.service_account, consumer.principal_arns.is_empty()) {
        (Some(_), true) if spec.identity.is_none() && needs_credentials(spec, consumer) => problems.push(Problem::new(
            format!("{path}.serviceAccount"),
            "needs spec.identity, which says how pods of this cluster get AWS credentials: set spec.identity.irsa or spec.identity.podIdentity",
        )),
        (Some(_), true) | (None, false) => {}
        _ => problems.push(Problem::new(path, "has exactly one of serviceAccount and principalArns")),
    }
    for (index, principal) in consumer.principal_arns.iter().enumerate() {
        let path = format!("{path}.principalArns[{index}]");
        let Some(parts) = checked(spec, principal, "iam", &path, problems) else { continue };
        if !parts.resource.starts_with("role/") && !parts.resource.starts_with("user/") {
            problems.push(Problem::new(
                path,
                format!("{principal:?} is neither a role nor a user: a whole account is too many"),
            ));
        } else if consumer.principal_arns[..index].contains(principal) {
            problems.push(Problem::new(path, format!("{principal:?} is named twice")));
        }
    }
}

/// True when a consumer uses something in AWS. Models in the cluster are reached over the network alone.
fn needs_credentials(spec: &AIPlatformSpec, consumer: &Consumer) -> bool {
    let is_in_cluster = |name: &String| spec.models.iter().any(|it| it.name == *name && it.kubernetes.is_some());
    !consumer.buckets.is_empty() || !consumer.models.iter().all(is_in_cluster)
}

fn validate_models(spec: &AIPlatformSpec, consumer: &Consumer, path: &str, problems: &mut Vec<Problem>) {
    for (index, name) in consumer.models.iter().enumerate() {
        let path = format!("{path}.models[{index}]");
        if !spec.models.iter().any(|model| model.name == *name) {
            let known: Vec<&str> = spec.models.iter().map(|model| model.name.as_str()).collect();
            problems.push(Problem::new(path, format!("{name:?} is not in spec.models, which has {}", listed(&known))));
        } else if !consumer.principal_arns.is_empty()
            && spec.models.iter().any(|model| model.name == *name && model.kubernetes.is_some())
        {
            let message = format!(
                "{name:?} is served in the cluster, where IAM principals are not known: make a consumer with a \
                 serviceAccount for it"
            );
            problems.push(Problem::new(path, message));
        } else if consumer.models[..index].contains(name) {
            problems.push(Problem::new(path, format!("{name:?} is named twice")));
        } else if let Some(other) = consumer.models[..index].iter().find(|other| at_odds(spec, name, other)) {
            let message = format!(
                "{name:?} is the same foundation model as {other:?} under another guardrail, and what one of the two demands \
                 the other forbids: make two consumers of this one"
            );
            problems.push(Problem::new(path, message));
        }
    }
}

/// A guardrail is demanded of every call of a foundation model, so one consumer cannot have the model in two ways.
fn at_odds(spec: &AIPlatformSpec, one: &str, other: &str) -> bool {
    let find = |name: &str| spec.models.iter().find(|model| model.name == name)?.bedrock.as_ref();
    match (find(one), find(other)) {
        (Some(one), Some(other)) => one.model_id == other.model_id && one.guardrail != other.guardrail,
        _ => false,
    }
}

fn validate_buckets(spec: &AIPlatformSpec, consumer: &Consumer, path: &str, problems: &mut Vec<Problem>) {
    for (index, access) in consumer.buckets.iter().enumerate() {
        let path = format!("{path}.buckets[{index}]");
        let BucketAccess { name, prefix, .. } = access;
        problems.extend(undeclared(spec, name).map(|message| Problem::new(format!("{path}.name"), message)));
        let same = |other: &&BucketAccess| other.name == *name && other.prefix == *prefix;
        if consumer.buckets[..index].iter().find(same).is_some() {
            problems.push(Problem::new(
                path.clone(),
                "names the same bucket and prefix twice: once with mode ReadWrite is enough",
            ));
        }
        if prefix.as_ref().is_some_and(|prefix| prefix.contains(['*', '?', '$'])) {
            let message = format!(
                "{prefix:?} has one of * ? $, which mean something else in a policy: name the beginning of the keys alone"
            );
            problems.push(Problem::new(format!("{path}.prefix"), message));
        }
    }
}

/// An ARN, taken apart.
pub(super) struct Arn<'a> {
    pub(super) region: &'a str,
    pub(super) account: &'a str,
    pub(super) resource: &'a str,
}

/// The parts of an ARN of this service and of the platform's partition.
pub(super) fn checked<'a>(
    spec: &AIPlatformSpec,
    text: &'a str,
    service: &str,
    path: &str,
    problems: &mut Vec<Problem>,
) -> Option<Arn<'a>> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, found, region, account, resource] = parts.as_slice() else {
        problems.push(Problem::new(path, format!("{text:?} is not an ARN")));
        return None;
    };
    if *found != service {
        problems.push(Problem::new(path, format!("{text:?} is an ARN of {found}, and one of {service} is expected")));
        return None;
    }
    let expected = arn::partition(&spec.region);
    if *partition != expected {
        let message =
            format!("{text:?} is in partition {partition}, and spec.region {:?} is in {expected}", spec.region);
        problems.push(Problem::new(path, message));
        return None;
    }
    if service == "iam" && arn::has_odd_part(resource) {
        let message = format!("{text:?} has an empty part in its path, or one of dots alone: write it as IAM shows it");
        problems.push(Problem::new(path, message));
        return None;
    }
    Some(Arn { region, account, resource })
}
