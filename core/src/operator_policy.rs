//! The IAM policies that the operator itself needs: what its adapters declare next to their calls, on the resources of
//! all platforms or of those in given files, within what the guardrails leave.

mod cautions;
mod execution_roles;
mod names;
mod scope;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::guardrails::Guardrails;
use crate::names::hex_digest;
use crate::platform::Platform;
use crate::policy::{POLICY_LIMIT, Statement, document, split};
use crate::resource::Kind;
use crate::tags;
pub use cautions::cautions;
pub use names::bucket_name_pattern;
use scope::PolicyScope;

/// A permission that some calls of an adapter need: a statement without the ARNs.
#[derive(Clone, Copy, Debug)]
pub struct Permission {
    /// Its name in the document: letters and digits.
    pub sid: &'static str,
    /// The IAM actions.
    pub actions: &'static [&'static str],
    /// The resources.
    pub resources: &'static [ResourcePattern],
    /// The conditions.
    pub conditions: &'static [Condition],
    /// The reason, as a comment for reviewers.
    pub reason: &'static str,
}

/// The resources that a permission is for, by what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourcePattern {
    /// Buckets.
    Bucket,
    /// The list of an account's buckets.
    BucketList,
    /// Objects in buckets that are deleted with their contents.
    Contents,
    /// Roles that are made here.
    Role,
    /// The same by their name alone, whether or not they are there.
    RoleOfAnyPath,
    /// Those of them that are handed to EKS.
    PassedRole,
    /// Clusters.
    Cluster,
    /// Pod identity associations.
    Association,
    /// Models on SageMaker, of all revisions.
    Model,
    /// Their endpoint configurations, of all revisions.
    EndpointConfig,
    /// Their endpoints.
    Endpoint,
    /// Roles that models work with, those of the users' own among them.
    ExecutionRole,
    /// Scalable targets, whose ARN says only where they are.
    ScalableTarget,
    /// Alarms that Application Auto Scaling makes for endpoints.
    ScalingAlarm,
    /// The role that Application Auto Scaling works with.
    ScalingRole,
    /// VPCs that platforms name.
    Vpc,
    /// Subnets in them.
    Subnet,
    /// Route tables in them.
    RouteTable,
    /// Hosted zones of Amazon Route 53, which stand behind private DNS of endpoints.
    HostedZone,
    /// Security groups that platforms name for their endpoints.
    EndpointGroup,
    /// Resources of this kind, whose description says how their ARNs look.
    Kind(Kind),
    /// Everything, for lists and descriptions of a kind that IAM knows no resource for.
    AnyOf(Kind),
    /// Queues of events about changes.
    DriftQueue,
    /// Rules that send to them.
    DriftRule,
    /// Roles that the operator works through, each named in a platform: without platforms there are none.
    AssumedRole,
}

/// A condition under which a permission holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The request sets our owner tag.
    RequestTag,
    /// If the request sets an owner tag, it is ours.
    RequestTagIfExists,
    /// The resource carries our owner tag.
    ResourceTag,
    /// The resource carries no owner tag but ours: what is made in the same call has none yet, and of what was made a
    /// moment ago AWS may not know the tags everywhere.
    ResourceTagIfExists,
    /// The role has the permissions boundary that is known, or gets it with the request.
    Boundary,
    /// No permissions boundary is known.
    NoBoundary,
    /// The resource belongs to the account of the credentials.
    ResourceAccount,
    /// The role is handed to this service.
    PassedToService(&'static str),
    /// The role is one that this service works with.
    LinkedService(&'static str),
    /// The tags come with one of these calls, which make something.
    TaggingAction(&'static [&'static str]),
    /// The tags come with one of these calls of EC2, which make something.
    CreatedBy(&'static [&'static str]),
    /// The scaled resource belongs to this service.
    ScalingNamespace(&'static str),
}

/// A policy for the operator, or for a role that it works through.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct OperatorPolicy {
    /// Its name: who it is for and which service it is about.
    pub name: String,
    /// The document, as IAM takes it.
    pub document: Value,
}

/// The reason for which there are no policies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A statement about a single resource is larger than a policy may be.
    #[error("the statement {sid} takes {size} characters, of which IAM allows {POLICY_LIMIT} in a policy")]
    TooLarge {
        /// The statement.
        sid: String,
        /// Its size.
        size: usize,
    },
}

impl Error {
    /// A word for the kind of error.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "TooLarge",
        }
    }
}

/// The extent of the policies.
#[derive(Clone, Copy, Debug)]
pub struct Extent<'a> {
    /// These platforms and no others, as they are specified; without them, any that the guardrails allow.
    pub platforms: Option<&'a [Platform]>,
    /// The guardrails, which limit what platforms may request.
    pub guardrails: &'a Guardrails,
    /// The operator's name in owner tags, where it is known.
    pub cluster: Option<&'a str>,
    /// Patterns of the names of all buckets, in place of what the guardrails say of them. Of no meaning with platforms.
    pub bucket_names: &'a [String],
}

impl Extent<'_> {
    /// The scope of each holder of policies.
    fn scopes(&self) -> BTreeMap<String, PolicyScope> {
        match self.platforms {
            None => BTreeMap::from([(OPERATOR.to_string(), PolicyScope::everything(self))]),
            Some(platforms) => by_holder(platforms, self),
        }
    }
}

/// A platform without the policies of its roles, on which nothing here depends, and which take the most of its memory.
#[must_use]
pub fn outline(mut platform: Platform) -> Platform {
    for grant in &mut platform.grants {
        grant.policies.clear();
    }
    platform
}

/// The policies for these permissions, which are listed by service.
///
/// # Errors
/// When something does not fit into any policy.
pub fn policies(permissions: &[(&str, Vec<Permission>)], extent: &Extent) -> Result<Vec<OperatorPolicy>, Error> {
    let mut policies = Vec::new();
    for (holder, scope) in &extent.scopes() {
        for (service, permissions) in permissions {
            let statements: Vec<Statement> =
                permissions.iter().flat_map(|permission| statements(permission, scope)).collect();
            let documents = split(statements, LIMIT).map_err(|(sid, size)| Error::TooLarge { sid, size })?;
            policies.extend(documents.iter().enumerate().map(|(index, statements)| OperatorPolicy {
                name: if index == 0 {
                    format!("{holder}-{service}")
                } else {
                    format!("{holder}-{service}-{}", index + 1)
                },
                document: document(statements),
            }));
        }
    }
    Ok(policies)
}

/// The prefix of the names of the operator's own policies; before all others in alphabetical order.
const OPERATOR: &str = "aiplatform-operator";

/// True for the name of a policy of the operator itself, false for those of the roles that it works through.
#[must_use]
pub fn is_of_operator(policy: &str) -> bool {
    policy.strip_prefix(OPERATOR).is_some_and(|rest| rest.starts_with('-'))
}

/// The prefix of the names of policies that belong on roles which the operator works through.
const THROUGH: &str = "aiplatform-through";

/// The most characters of a policy, so that each is under IAM's limit.
const LIMIT: usize = POLICY_LIMIT - 1;

/// The scope of each holder of policies: the operator itself, and every role it works through.
fn by_holder(platforms: &[Platform], extent: &Extent) -> BTreeMap<String, PolicyScope> {
    let mut scopes: BTreeMap<String, PolicyScope> = BTreeMap::new();
    for platform in platforms {
        let holder = match &platform.assume_role {
            None => OPERATOR.to_string(),
            Some(assumed) => {
                scopes.entry(OPERATOR.into()).or_default().assumed_roles.insert(assumed.role_arn.clone());
                through(&assumed.role_arn)
            }
        };
        scopes.entry(holder).or_default().add(platform, extent);
    }
    scopes
}

/// The prefix of the names of the policies that belong on a role: its account, path and name. IAM takes no slash in
/// them, so that a path is told apart by a hash.
fn through(role_arn: &str) -> String {
    /// The most characters of path, name and hash: as long as the name of a role without a path.
    const LIMIT: usize = 64;
    const HASH: usize = 8;
    let account = role_arn.split(':').nth(4).unwrap_or_default();
    let (_, role) = role_arn.split_once(":role/").unwrap_or_default();
    if !role.contains('/') && role.len() <= LIMIT {
        return format!("{THROUGH}-{account}-{role}");
    }
    let readable = role.replace('/', "-");
    let end = readable.len().saturating_sub(LIMIT - HASH - 1);
    let readable = readable.get(end..).unwrap_or_default().trim_start_matches('-');
    format!("{THROUGH}-{account}-{readable}-{}", hex_digest(role_arn, HASH))
}

/// The statements for a permission: none when there is no resource for it, several when they would not fit into one.
fn statements(permission: &Permission, scope: &PolicyScope) -> Vec<Statement> {
    let resources: Vec<String> =
        permission.resources.iter().flat_map(|pattern| scope.resources(*pattern)).cloned().collect();
    let is_moot = permission.conditions.contains(&Condition::NoBoundary) && scope.boundaries().is_some();
    if resources.is_empty() || is_moot {
        return Vec::new();
    }
    let owner = |of: &str| format!("aws:{of}/{}", tags::OWNER);
    let mut statement = Statement::allow(permission.sid, permission.actions, resources, permission.reason);
    for condition in permission.conditions {
        statement = match condition {
            Condition::RequestTag => statement.when("StringLike", &owner("RequestTag"), scope.owners()),
            Condition::RequestTagIfExists => statement.when("StringLikeIfExists", &owner("RequestTag"), scope.owners()),
            Condition::ResourceTag => statement.when("StringLike", &owner("ResourceTag"), scope.owners()),
            Condition::ResourceTagIfExists => {
                statement.when("StringLikeIfExists", &owner("ResourceTag"), scope.owners())
            }
            Condition::Boundary => match scope.boundaries() {
                Some(boundaries) => statement.when("StringEquals", "iam:PermissionsBoundary", boundaries),
                None => statement,
            },
            Condition::NoBoundary => statement,
            Condition::ResourceAccount => statement.when("StringEquals", "aws:ResourceAccount", scope.accounts()),
            Condition::PassedToService(service) => {
                statement.when("StringEquals", "iam:PassedToService", to_strings(&[service]))
            }
            Condition::LinkedService(service) => {
                statement.when("StringEquals", "iam:AWSServiceName", to_strings(&[service]))
            }
            Condition::TaggingAction(calls) => {
                statement.when("StringEquals", "sagemaker:TaggingAction", to_strings(calls))
            }
            Condition::CreatedBy(calls) => statement.when("StringEquals", "ec2:CreateAction", to_strings(calls)),
            Condition::ScalingNamespace(service) => {
                statement.when("StringEquals", "application-autoscaling:service-namespace", to_strings(&[service]))
            }
        };
    }
    let parts = split_statement(statement);
    let many = parts.len() > 1;
    let numbered = parts.into_iter().enumerate().map(|(index, part)| Statement {
        sid: if many { format!("{}{}", part.sid, index + 1) } else { part.sid },
        ..part
    });
    numbered.collect()
}

fn to_strings(values: &[&str]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

/// The statement, split by its resources into as many parts as it takes for each to fit.
fn split_statement(statement: Statement) -> Vec<Statement> {
    /// Characters that a number at the end of the Sid may take.
    const NUMBER: usize = 4;
    let fits = crate::policy::size_of(std::slice::from_ref(&statement)) + NUMBER <= LIMIT;
    if fits || statement.resources.len() < 2 {
        return vec![statement];
    }
    let mut first = statement.clone();
    let second = first.resources.split_off(first.resources.len() / 2);
    split_statement(first).into_iter().chain(split_statement(Statement { resources: second, ..statement })).collect()
}
