//! Grants: roles and their policies, derived from the declared graph and never written by the user.
//!
//! `desire` makes resources of them, `audit` explains them. Every statement carries its reason.

mod bedrock;
mod bucket_policy;
mod endpoint_policy;
mod execution;
pub(crate) mod model_buckets;
pub mod revision;
mod sagemaker;
mod storage;
mod trust;
mod workload;

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use crate::api::access::{Consumer, ServiceAccountRef};
use crate::api::sagemaker::SageMaker;
use crate::arn;
use crate::names;
use crate::platform::{Model, Platform, Problem};
use crate::policy::{INLINE_LIMIT, POLICY_LIMIT, Policy, Statement, TRUST_LIMIT, document, size_of, split};
use crate::resource::role::Served;

pub use bucket_policy::{OBJECT_ACTIONS, bucket_policy, vpc_endpoint_only};
pub use endpoint_policy::{endpoint_policy, nothing_allowed};
pub use workload::workload_role_name;

/// Every action that a role made here can be given, as the Service Authorization Reference writes it.
pub const ACTIONS: [&str; 35] = [
    "bedrock:ApplyGuardrail",
    "bedrock:InvokeModel",
    "bedrock:InvokeModelWithResponseStream",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:PutMetricData",
    "ec2:CreateNetworkInterface",
    "ec2:CreateNetworkInterfacePermission",
    "ec2:DeleteNetworkInterface",
    "ec2:DeleteNetworkInterfacePermission",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetAuthorizationToken",
    "ecr:GetDownloadUrlForLayer",
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:DescribeLogStreams",
    "logs:PutLogEvents",
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:GetObject",
    "s3:ListBucket",
    "s3:PutObject",
    "sagemaker:InvokeEndpoint",
    "sagemaker:InvokeEndpointAsync",
    "sagemaker:InvokeEndpointWithResponseStream",
    "sts:AssumeRole",
    "sts:AssumeRoleWithWebIdentity",
    "sts:TagSession",
];

/// Every condition operator and key in a policy made here, but for the keys of a cluster's own issuer.
pub const CONDITIONS: [&str; 27] = [
    "ArnEquals",
    "ArnNotLike",
    "Bool",
    "BoolIfExists",
    "ForAnyValue:StringEquals",
    "StringEquals",
    "StringLike",
    "StringNotEquals",
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:PrincipalIsAWSService",
    "aws:RequestTag/kubernetes-namespace",
    "aws:RequestTag/kubernetes-service-account",
    "aws:ResourceAccount",
    "aws:SecureTransport",
    "aws:SourceAccount",
    "aws:SourceArn",
    "aws:SourceVpce",
    "aws:ViaAWSService",
    "bedrock:GuardrailIdentifier",
    "bedrock:InferenceProfileArn",
    "cloudwatch:namespace",
    "ec2:Subnet",
    "kms:EncryptionContext:aws:s3:arn",
    "kms:ResourceAliases",
    "kms:ViaService",
    "s3:prefix",
];

/// The prefix of the names of policies that one revision needs.
const REVISION_POLICY: &str = "revision-";

/// The path of every role, so that the operator's own policy can be limited to it.
pub const ROLE_PATH: &str = "/aiplatform/";

/// A policy of one role: its name, and what it says.
pub type InlinePolicy = (String, Vec<Statement>);

/// A role and everything it is for.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    /// The purpose of the role.
    pub purpose: Purpose,
    /// The name in the spec of the consumer or of the model.
    pub name: String,
    /// The role's name.
    pub role: String,
    /// The role's ARN.
    pub arn: String,
    /// The subject that assumes the role.
    pub subject: Subject,
    /// The statements of the trust policy.
    pub trust: Vec<Statement>,
    /// The inline policies, complete once everything that they name is the platform's own.
    pub policies: Vec<InlinePolicy>,
    /// The model it is made for, if it is for SageMaker.
    pub served: Option<Served>,
}

/// The purpose of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Purpose {
    /// A consumer uses models and buckets.
    Consumer,
    /// SageMaker runs a model.
    Execution,
    /// Pods in the cluster load the weights of a model.
    Workload,
}

/// The subject that assumes a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Pods of a service account, by the cluster's OpenID Connect provider.
    Irsa(ServiceAccount),
    /// Pods of a service account, by EKS Pod Identity in this cluster.
    PodIdentity(ServiceAccount, String),
    /// IAM users and roles.
    Principals(Vec<String>),
    /// SageMaker, for the model of this name.
    SageMaker(String),
}

/// A service account whose namespace is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServiceAccount {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl ServiceAccount {
    /// The account that a reference means, seen from a platform's namespace.
    #[must_use]
    pub fn of(reference: &ServiceAccountRef, namespace: &str) -> Self {
        Self {
            namespace: reference.namespace.clone().unwrap_or_else(|| namespace.to_string()),
            name: reference.name.clone(),
        }
    }
}

impl std::fmt::Display for ServiceAccount {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Irsa(account) => write!(formatter, "service account {account} (IRSA)"),
            Self::PodIdentity(account, cluster) => {
                write!(formatter, "service account {account} (Pod Identity, {cluster})")
            }
            Self::Principals(names) => write!(formatter, "{}", names.join(", ")),
            Self::SageMaker(model) => write!(formatter, "SageMaker, for model {model}"),
        }
    }
}

impl Grant {
    /// Whose role it is, such as `consumer api`.
    #[must_use]
    pub fn whose(&self) -> String {
        match self.purpose {
            Purpose::Consumer => format!("consumer {}", self.name),
            Purpose::Execution | Purpose::Workload => format!("model {}", self.name),
        }
    }

    /// The trust policy.
    #[must_use]
    pub fn trust_policy(&self) -> Policy {
        Policy::from(self.trust.as_slice())
    }

    /// SHA-256 of everything the role allows.
    #[must_use]
    pub fn policy_sha256(&self) -> String {
        policy_sha256(self.policies.iter().map(|(_, statements)| document(statements)))
    }
}

/// SHA-256 of what some policies allow, in the order of their names.
#[must_use]
pub fn policy_sha256(documents: impl Iterator<Item = Value>) -> String {
    let documents: Vec<String> = documents.map(|document| document.to_string()).collect();
    names::hex_digest(&documents.join("\n"), 64)
}

/// The role of every consumer that uses something in AWS, then of every model on SageMaker that has none of its own and of
/// the pods of every model whose weights are in S3, in the order of the spec.
/// Validation asks for them once, and everybody else reads [`Platform::grants`].
///
/// # Errors
/// A consumer or a model whose policies pass IAM's limits, with the way out.
pub(crate) fn grants(platform: &Platform) -> Result<Vec<Grant>, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut grants = Vec::new();
    for (index, consumer) in platform.access.iter().enumerate() {
        if !needs_role(&platform.models, consumer) {
            continue;
        }
        let path = format!("spec.access[{index}]");
        match grant(platform, consumer, &path) {
            Ok(grant) => grants.push(grant),
            Err(why) => problems.push(Problem::new(path, why)),
        }
    }
    for (index, model) in platform.models.iter().enumerate() {
        if let Some(spec) = model.kubernetes() {
            let path = format!("spec.models[{index}].kubernetes");
            grants.extend(workload::grant(platform, &model.name, spec, &path));
        }
        let Some(spec) = model.sagemaker().filter(|spec| spec.execution_role_arn.is_none()) else { continue };
        match execution::grant(platform, &model.name, spec, &format!("spec.models[{index}].sagemaker")) {
            Ok(grant) => grants.push(grant),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(grants) } else { Err(problems) }
}

/// True when a consumer uses something in AWS. Models in the cluster are reached over the network alone.
fn needs_role(models: &[Model], consumer: &Consumer) -> bool {
    let is_in_aws = |name: &String| models.iter().any(|model| model.name == *name && model.backend.runtime().is_some());
    !consumer.buckets.is_empty() || consumer.models.iter().any(is_in_aws)
}

/// The name of a role, of which the part is the consumer's name or says what else it is for.
#[must_use]
pub fn role_name(platform: &Platform, part: &str) -> String {
    names::generated(
        &platform.account_id,
        &platform.region,
        &platform.namespace,
        &platform.name,
        part,
        names::ROLE_LIMIT,
    )
}

/// The inline policy of an execution role that holds what one revision of its model needs.
#[must_use]
pub fn revision_policy_name(revision: &str) -> String {
    format!("{REVISION_POLICY}{revision}")
}

/// The name of the role made for a model on SageMaker.
#[must_use]
pub fn execution_role_name(platform: &Platform, model: &str) -> String {
    role_name(platform, &format!("{model}-execution"))
}

/// The role that a model on SageMaker works with: the user's own, or the one made for it.
#[must_use]
pub fn execution_role_arn(platform: &Platform, model: &str, spec: &SageMaker) -> String {
    spec.execution_role_arn.clone().unwrap_or_else(|| {
        arn::role(&platform.region, &platform.account_id, ROLE_PATH, &execution_role_name(platform, model))
    })
}

/// `path` is the consumer's in the spec.
fn grant(platform: &Platform, consumer: &Consumer, path: &str) -> Result<Grant, String> {
    let role = role_name(platform, &consumer.name);
    let subject = trust::subject(platform, consumer);
    let trust = trust::statements(platform, &subject, path);
    let trust_size = size_of(&trust);
    if trust_size > TRUST_LIMIT {
        return Err(format!(
            "the trust policy of consumer {:?} takes {trust_size} characters, of which IAM allows {TRUST_LIMIT}: name fewer principals",
            consumer.name
        ));
    }
    let mut statements = bedrock::statements(platform, consumer, path);
    statements.extend(sagemaker::statements(platform, consumer, path));
    statements.extend(storage::statements(platform, consumer, path));
    let policies = policies(statements).map_err(|(size, limit)| {
        format!(
            "the policies of consumer {:?} take {size} characters, of which IAM allows {limit}: make two consumers of it, \
             or name fewer models, buckets or destinationRegions",
            consumer.name
        )
    })?;
    Ok(Grant {
        purpose: Purpose::Consumer,
        name: consumer.name.clone(),
        arn: arn::role(&platform.region, &platform.account_id, ROLE_PATH, &role),
        role,
        subject,
        trust,
        policies,
        served: None,
    })
}

/// Inline policies by name: `access`, then `access-2` where one would be too long.
///
/// # Errors
/// The size that does not fit, and the limit it does not fit into.
fn policies(mut statements: Vec<Statement>) -> Result<Vec<InlinePolicy>, (usize, usize)> {
    tell_apart(&mut statements);
    let documents = split(statements, POLICY_LIMIT).map_err(|(_, size)| (size, POLICY_LIMIT))?;
    let total: usize = documents.iter().map(|statements| size_of(statements)).sum();
    if total > INLINE_LIMIT {
        return Err((total, INLINE_LIMIT));
    }
    let named = documents.into_iter().enumerate().map(|(index, statements)| {
        (if index == 0 { "access".to_string() } else { format!("access-{}", index + 1) }, statements)
    });
    Ok(named.collect())
}

/// Names that differ only in signs have the same Sid, and IAM wants a Sid once in a policy: the later ones get a number.
pub(crate) fn tell_apart(statements: &mut [Statement]) {
    let mut taken: BTreeSet<String> = BTreeSet::new();
    for statement in statements {
        let plain = statement.sid.clone();
        let numbered = (2..).map(|number| format!("{plain}N{number}"));
        if let Some(free) = std::iter::once(plain.clone()).chain(numbered).find(|sid| !taken.contains(sid)) {
            statement.sid.clone_from(&free);
            taken.insert(free);
        }
    }
}

/// A Sid: letters and digits of the parts, each with a capital first letter.
fn sid(parts: &[&str]) -> String {
    let words = parts.iter().flat_map(|part| part.split(|character: char| !character.is_ascii_alphanumeric()));
    words
        .filter_map(|word| {
            let first = word.chars().next()?;
            Some(first.to_ascii_uppercase().to_string() + &word[first.len_utf8()..])
        })
        .collect()
}

#[cfg(test)]
mod tests;
