//! Who may do what: roles and their policies, derived from the declared graph and never written by the user.
//!
//! `desire` makes resources of them, `audit` explains them. Every statement carries its reason.

mod bedrock;
mod bucket_policy;
mod storage;
mod trust;

use std::collections::BTreeSet;

use crate::api::access::{Consumer, ServiceAccountRef};
use crate::arn;
use crate::names;
use crate::platform::{Platform, Problem};
use crate::policy::{INLINE_LIMIT, POLICY_LIMIT, Policy, Statement, TRUST_LIMIT, document, size, split};

pub use bucket_policy::bucket_policy;

/// Every action that a role made here can be given, as the Service Authorization Reference writes it.
pub const ACTIONS: [&str; 13] = [
    "bedrock:ApplyGuardrail",
    "bedrock:InvokeModel",
    "bedrock:InvokeModelWithResponseStream",
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:GetObject",
    "s3:ListBucket",
    "s3:PutObject",
    "sts:AssumeRole",
    "sts:AssumeRoleWithWebIdentity",
    "sts:TagSession",
];

/// Every condition operator and key in a policy made here, but for the keys of a cluster's own issuer.
pub const CONDITIONS: [&str; 13] = [
    "ArnEquals",
    "Bool",
    "ForAnyValue:StringEquals",
    "StringEquals",
    "StringLike",
    "StringNotEquals",
    "aws:SecureTransport",
    "aws:SourceAccount",
    "aws:SourceArn",
    "bedrock:GuardrailIdentifier",
    "bedrock:InferenceProfileArn",
    "kms:ResourceAliases",
    "s3:prefix",
];

/// The longest role name IAM takes.
const ROLE_LIMIT: usize = 64;

/// The path of every role, so that the operator's own policy can be limited to it.
pub const ROLE_PATH: &str = "/aiplatform/";

/// A role and everything it is for.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    /// The consumer's name in the spec.
    pub name: String,
    /// The role's name.
    pub role: String,
    /// The role's ARN.
    pub arn: String,
    /// Who takes the role.
    pub subject: Subject,
    /// Who may take the role, and when.
    pub trust: Vec<Statement>,
    /// What the role can do: inline policies by name.
    pub policies: Vec<(String, Vec<Statement>)>,
}

/// Who takes a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Pods of a service account, by the cluster's OpenID Connect provider.
    Irsa(ServiceAccount),
    /// Pods of a service account, by EKS Pod Identity in this cluster.
    PodIdentity(ServiceAccount, String),
    /// IAM users and roles.
    Principals(Vec<String>),
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
        }
    }
}

impl Grant {
    /// The trust policy.
    #[must_use]
    pub fn trust_policy(&self) -> Policy {
        Policy::from(self.trust.as_slice())
    }

    /// SHA-256 of everything the role allows.
    #[must_use]
    pub fn policy_sha256(&self) -> String {
        let documents: Vec<String> =
            self.policies.iter().map(|(_, statements)| document(statements).to_string()).collect();
        names::hex_digest(&documents.join("\n"), 64)
    }
}

/// The role of every consumer, in the order of the spec.
///
/// # Errors
/// A consumer whose policies pass IAM's limits, with the way out.
pub fn grants(platform: &Platform) -> Result<Vec<Grant>, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut grants = Vec::new();
    for (index, consumer) in platform.access.iter().enumerate() {
        let path = format!("spec.access[{index}]");
        match grant(platform, consumer, &path) {
            Ok(grant) => grants.push(grant),
            Err(why) => problems.push(Problem::new(path, why)),
        }
    }
    if problems.is_empty() { Ok(grants) } else { Err(problems) }
}

/// The name of a consumer's role.
#[must_use]
pub fn role_name(platform: &Platform, part: &str) -> String {
    names::generated(&platform.account_id, &platform.region, &platform.namespace, &platform.name, part, ROLE_LIMIT)
}

/// `path` is the consumer's in the spec.
fn grant(platform: &Platform, consumer: &Consumer, path: &str) -> Result<Grant, String> {
    let role = role_name(platform, &consumer.name);
    let subject = trust::subject(platform, consumer);
    let trust = trust::statements(platform, &subject, path);
    let trust_size = size(&document(&trust));
    if trust_size > TRUST_LIMIT {
        return Err(format!(
            "the trust policy of consumer {:?} takes {trust_size} characters, of which IAM allows {TRUST_LIMIT}: name fewer principals",
            consumer.name
        ));
    }
    let mut statements = bedrock::statements(platform, consumer, path);
    statements.extend(storage::statements(platform, consumer, path));
    tell_apart(&mut statements);
    let too_large = |size: usize, limit: usize| {
        format!(
            "the policies of consumer {:?} take {size} characters, of which IAM allows {limit}: make two consumers of it, \
             or name fewer models, buckets or destinationRegions",
            consumer.name
        )
    };
    let documents = split(statements, POLICY_LIMIT).map_err(|(_, size)| too_large(size, POLICY_LIMIT))?;
    let total: usize = documents.iter().map(|statements| size(&document(statements))).sum();
    if total > INLINE_LIMIT {
        return Err(too_large(total, INLINE_LIMIT));
    }
    let named = documents.into_iter().enumerate().map(|(index, statements)| {
        (if index == 0 { "access".to_string() } else { format!("access-{}", index + 1) }, statements)
    });
    Ok(Grant {
        name: consumer.name.clone(),
        arn: arn::role(&platform.region, &platform.account_id, ROLE_PATH, &role),
        role,
        subject,
        trust,
        policies: named.collect(),
    })
}

/// Names that differ only in signs have the same Sid, and IAM wants a Sid once in a policy: the later ones get a number.
fn tell_apart(statements: &mut [Statement]) {
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
