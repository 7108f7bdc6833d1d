//! Validation: an [`AIPlatform`] becomes a [`Platform`], or a list of everything that is wrong with it.
//!
//! The API server has refused most bad objects before; the rules stand here too, because `plan` works without one.

mod access;
mod artifact;
mod autoscaling;
mod bedrock;
mod capacity;
pub(crate) mod geography;
mod kubernetes;
pub mod lifecycle;
mod models;
mod network;
mod rollout;
mod sagemaker;
mod schedule;
mod storage;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use kube::ResourceExt;

use crate::api::{
    AIPlatform, AIPlatformSpec, AssumeRole, Consumer, DeletionPolicy, ManagementPolicy, Ownership, RECONCILE_AT,
};
use crate::desire::network::endpoints_of;
use crate::features::network::preconditions;
use crate::grants::{self, Grant};
use crate::tags::{self, Tags};

pub use access::Identity;
pub use models::{Backend, Model, RUNTIMES};
pub(crate) use network::default_policy;
pub use network::{Endpoint, Network};
pub use storage::{Bucket, name_in_aws};

/// A platform that can be planned: every reference resolved, every default in place.
#[derive(Clone, Debug, PartialEq)]
pub struct Platform {
    /// The object's namespace.
    pub namespace: String,
    /// The object's name.
    pub name: String,
    /// AWS region.
    pub region: String,
    /// AWS account.
    pub account_id: String,
    /// The management policy.
    pub management_policy: ManagementPolicy,
    /// The deletion policy.
    pub deletion_policy: DeletionPolicy,
    /// The ownership.
    pub ownership: Ownership,
    /// Further tags.
    pub tags: Tags,
    /// The role that the operator works through.
    pub assume_role: Option<AssumeRole>,
    /// The permissions boundary of every role.
    pub permissions_boundary_arn: Option<String>,
    /// The way pods get credentials.
    pub identity: Option<Identity>,
    /// The network.
    pub network: Option<Network>,
    /// Buckets, in the order of the spec.
    pub buckets: Vec<Bucket>,
    /// Models, in the order of the spec.
    pub models: Vec<Model>,
    /// Consumers, in the order of the spec; everything they name is there.
    pub access: Vec<Consumer>,
    /// The annotation that asks for another try, where there is one.
    pub reconcile_at: Option<String>,
    /// The roles of consumers and models, compiled once when the rest was found valid.
    pub grants: Vec<Grant>,
}

impl Platform {
    /// The bucket of this name in the spec.
    #[must_use]
    pub fn bucket(&self, name: &str) -> Option<&Bucket> {
        self.buckets.iter().find(|bucket| bucket.name == name)
    }

    /// True when models run in the platform's network: on instances of their own, the platform's or a borrower's.
    #[must_use]
    pub fn runs_models_in_network(&self) -> bool {
        let on_instances = |model: &Model| model.sagemaker().is_some_and(|spec| spec.serverless.is_none());
        let Some(network) = &self.network else { return false };
        self.models.iter().any(on_instances)
            || network.borrowers.iter().any(|borrower| borrower.platform.runs_models_in_network())
    }

    /// `<namespace>/<name>`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// One thing that is wrong with an object: the field, its value, the rule and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path of the field, such as `spec.storage.buckets[0].name`.
    pub path: String,
    /// The problem, and what would be right.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.path, self.message)
    }
}

/// Turns an object into a platform.
///
/// # Errors
/// Every problem there is, in the order of the spec.
pub fn validate(object: &AIPlatform) -> Result<Platform, Vec<Problem>> {
    let spec = &object.spec;
    let namespace = object.namespace().unwrap_or_else(|| "default".into());
    let name = object.name_any();
    let mut problems = Vec::new();

    validate_identity(&namespace, &name, &mut problems);
    validate_place(spec, &mut problems);
    validate_ownership(&spec.ownership, &mut problems);
    validate_tags(&spec.tags, &mut problems);
    access::validate_arns(spec, &mut problems);
    let identity = access::identity(spec, &mut problems);
    let buckets = storage::validate(spec, &namespace, &name, &mut problems);
    let models = models::validate(spec, &mut problems);
    let network = network::validate(spec, &models, identity.as_ref(), (&namespace, &name), &mut problems);
    storage::validate_reach(&buckets, spec, network.as_ref(), &mut problems);
    let access = access::validate(spec, &namespace, &mut problems);
    kubernetes::validate_names(spec, &namespace, &name, &mut problems);

    if !problems.is_empty() {
        return Err(problems);
    }
    let mut platform = Platform {
        namespace,
        name,
        region: spec.region.clone(),
        account_id: spec.account_id.clone(),
        management_policy: spec.management_policy,
        deletion_policy: spec.deletion_policy,
        ownership: spec.ownership.clone(),
        tags: spec.tags.clone(),
        assume_role: spec.assume_role.clone(),
        permissions_boundary_arn: spec.permissions_boundary_arn.clone(),
        identity,
        network,
        buckets,
        models,
        access,
        reconcile_at: object.annotations().get(RECONCILE_AT).cloned(),
        grants: Vec::new(),
    };
    platform.grants = grants::grants(&platform)?;
    let oversized = preconditions::oversized(&endpoints_of(&platform));
    if oversized.is_empty() { Ok(platform) } else { Err(oversized.into_iter().map(|unmet| unmet.problem).collect()) }
}

/// The owner tag holds cluster, namespace and name; a cluster is known by a UID of 36 characters unless it has a name.
fn validate_identity(namespace: &str, name: &str, problems: &mut Vec<Problem>) {
    const CLUSTER: usize = 36;
    let length = CLUSTER + namespace.len() + name.len() + 2;
    if !is_label(namespace) {
        problems.push(Problem::new("metadata.namespace", format!("{namespace:?} {NOT_A_LABEL}")));
    }
    if name.is_empty() {
        problems.push(Problem::new("metadata.name", "is missing: every platform needs a name"));
    } else if !is_subdomain(name) {
        problems.push(Problem::new("metadata.name", format!("{name:?} {NOT_A_SUBDOMAIN}")));
    } else if length > tags::VALUE_LIMIT {
        problems.push(Problem::new(
            "metadata.name",
            format!(
                "{name:?} is too long: cluster, namespace and name make the owner tag, and AWS limits a tag value to {} characters, \
                 of which this takes {length}: take a shorter name",
                tags::VALUE_LIMIT
            ),
        ));
    }
}

fn validate_place(spec: &AIPlatformSpec, problems: &mut Vec<Problem>) {
    if !is_region(&spec.region) {
        problems.push(Problem::new(
            "spec.region",
            format!("{:?} is not the name of an AWS region, such as eu-west-1", spec.region),
        ));
    }
    if !is_account(&spec.account_id) {
        problems.push(Problem::new(
            "spec.accountId",
            format!(
                "{:?} is not an AWS account: 12 digits, in quotes so that YAML keeps leading zeros",
                spec.account_id
            ),
        ));
    }
}

/// The partition, the region and the resource, such as `key/1234abcd`, in the ARN of a KMS key or of its alias.
fn kms_key(arn: &str) -> Option<(&str, &str, &str)> {
    match arn.splitn(6, ':').collect::<Vec<_>>().as_slice() {
        ["arn", partition, "kms", region, account, key]
            if is_account(account) && (key.starts_with("key/") || key.starts_with("alias/")) =>
        {
            Some((partition, region, key))
        }
        _ => None,
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.chars().all(|digit| digit.is_ascii_digit())
}

/// The same rule as the schema's pattern for `spec.region`.
fn is_region(region: &str) -> bool {
    let parts: Vec<&str> = region.split('-').collect();
    let word = |part: &&str| !part.is_empty() && part.chars().all(|letter| letter.is_ascii_lowercase());
    let number = |part: &str| (1..=2).contains(&part.len()) && part.chars().all(|digit| digit.is_ascii_digit());
    match parts.as_slice() {
        [area, middle @ .., last] => {
            word(area)
                && (2..=4).contains(&area.len())
                && (1..=2).contains(&middle.len())
                && middle.iter().all(word)
                && number(last)
        }
        _ => false,
    }
}

/// The problem with a name that [`is_label`] does not take.
const NOT_A_LABEL: &str =
    "is not a name: 1 to 63 lower-case letters, digits and hyphens, with a letter or digit at both ends";

/// The same rule as the schema's pattern for names of buckets, models and schedules.
fn is_label(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    (1..=63).contains(&bytes.len())
        && bytes.iter().all(|byte| allowed(*byte) || *byte == b'-')
        && bytes.first().is_some_and(|byte| allowed(*byte))
        && bytes.last().is_some_and(|byte| allowed(*byte))
}

/// The problem with a name that [`is_subdomain`] does not take.
const NOT_A_SUBDOMAIN: &str = "is not a name: 1 to 253 lower-case letters, digits, hyphens and dots, with a letter or digit \
                               at both ends and around each dot";

/// The API server's own rule for names of objects. Source: "Object Names and IDs", Kubernetes documentation.
fn is_subdomain(name: &str) -> bool {
    const LIMIT: usize = 253;
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let part = |part: &str| {
        let bytes = part.as_bytes();
        bytes.iter().all(|byte| allowed(*byte) || *byte == b'-')
            && bytes.first().is_some_and(|byte| allowed(*byte))
            && bytes.last().is_some_and(|byte| allowed(*byte))
    };
    name.len() <= LIMIT && name.split('.').all(part)
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() { "nothing".into() } else { names.join(", ") }
}

fn validate_range<N: PartialOrd + fmt::Display>(
    value: Option<N>,
    allowed: RangeInclusive<N>,
    path: String,
    problems: &mut Vec<Problem>,
) {
    if let Some(value) = value.filter(|value| !allowed.contains(value)) {
        let (least, most) = (allowed.start(), allowed.end());
        problems.push(Problem::new(path, format!("{value} is out of range: {least} to {most} are allowed")));
    }
}

fn validate_ownership(ownership: &Ownership, problems: &mut Vec<Problem>) {
    let fields = [
        ("team", Some(&ownership.team)),
        ("contact", Some(&ownership.contact)),
        ("environment", Some(&ownership.environment)),
        ("costCenter", ownership.cost_center.as_ref()),
        ("runbook", ownership.runbook.as_ref()),
        ("dataClassification", ownership.data_classification.as_ref()),
    ];
    for (field, value) in fields {
        let Some(value) = value else { continue };
        let path = format!("spec.ownership.{field}");
        if value.is_empty() {
            problems.push(Problem::new(
                path,
                "is empty: say who answers for this platform, it becomes a tag on everything",
            ));
        } else if let Some(why) = bad_tag_value(value) {
            problems.push(Problem::new(path, format!("{value:?} {why}")));
        }
    }
}

fn validate_tags(tags: &Tags, problems: &mut Vec<Problem>) {
    const MOST: usize = 32;
    if tags.len() > MOST {
        problems.push(Problem::new(
            "spec.tags",
            format!("{} tags are too many: {MOST} fit beside ours into AWS's limit of 50", tags.len()),
        ));
    }
    // IAM takes keys that differ in case for one, and keeps its own prefix in any case. Source: "Tags for AWS Identity
    // and Access Management resources", IAM user guide.
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for (key, value) in tags {
        let path = format!("spec.tags[{key:?}]");
        let folded = key.to_lowercase();
        if let Some(other) = seen.get(&folded) {
            let message =
                format!("is the same key as {other:?} to IAM, which does not tell upper from lower case: keep one");
            problems.push(Problem::new(&path, message));
        }
        seen.entry(folded.clone()).or_insert(key);
        if folded.starts_with("aws:") || folded.starts_with(tags::PREFIX) {
            let message =
                "keys that begin with aws: or aiplatform.dev/, in upper or lower case, are taken: choose another";
            problems.push(Problem::new(&path, message));
        } else if key.is_empty() || key.chars().count() > 128 {
            problems.push(Problem::new(&path, "AWS limits a tag key to 1 to 128 characters"));
        } else if !key.chars().all(is_tag_character) {
            problems.push(Problem::new(&path, "AWS allows letters, digits, spaces and _ . : / = + - @ in a tag key"));
        }
        if let Some(why) = bad_tag_value(value) {
            problems.push(Problem::new(&path, format!("{value:?} {why}")));
        }
    }
}

fn bad_tag_value(value: &str) -> Option<&'static str> {
    if value.chars().count() > tags::VALUE_LIMIT {
        Some("is too long: AWS limits a tag value to 256 characters")
    } else if !value.chars().all(is_tag_character) {
        Some("cannot be a tag: AWS allows letters, digits, spaces and _ . : / = + - @")
    } else {
        None
    }
}

fn is_tag_character(character: char) -> bool {
    character.is_alphanumeric() || character == ' ' || "_.:/=+-@".contains(character)
}

#[cfg(test)]
mod tests;
