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

/// What some calls of an adapter need.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    /// Its name in the document: letters and digits.
    pub sid: &'static str,
    /// The IAM actions.
    pub actions: &'static [&'static str],
    /// What they are needed on.
    pub on: &'static [On],
    /// What has to hold besides.
    pub when: &'static [When],
    /// Why.
    pub reason: &'static str,
}

/// What an action is needed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// Buckets.
    Bucket,
    /// The list of an account's buckets.
    BucketList,
    /// What is in buckets that go with their contents.
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
    /// What scales endpoints, whose ARN says only where it is.
    ScalableTarget,
    /// Alarms that Application Auto Scaling makes for endpoints.
    ScalingAlarm,
    /// The role that Application Auto Scaling works with.
    ScalingRole,
    /// Resources of this kind, whose description says how their ARNs look.
    Kind(Kind),
    /// Everything, for lists and descriptions that IAM knows no resource for.
    Anything,
    /// Roles that the operator works through, each named in a platform: without platforms there are none.
    AssumedRole,
}

/// What has to hold for an action to be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The request sets our owner tag.
    OwnerAsked,
    /// If the request sets an owner tag, it is ours.
    OwnerAskedIfAny,
    /// The resource carries our owner tag.
    OwnerTagged,
    /// The resource carries no owner tag but ours: what is made in the same call has none yet, and of what was made a
    /// moment ago AWS may not know the tags everywhere.
    OwnerTaggedIfAny,
    /// The role has the permissions boundary that is known, or gets it with the request.
    Bounded,
    /// No permissions boundary is known.
    Unbounded,
    /// The resource belongs to the account of the credentials.
    InAccount,
    /// The role is handed to this service.
    PassedTo(&'static str),
    /// The role is one that this service works with.
    LinkedTo(&'static str),
    /// The tags come with one of these calls, which make something.
    Making(&'static [&'static str]),
    /// What is scaled belongs to this service.
    Scaling(&'static str),
}

/// A policy for the operator, or for a role that it works through.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct OperatorPolicy {
    /// Its name: who it is for and which service it is about.
    pub name: String,
    /// The document, as IAM takes it.
    pub document: Value,
}

/// Why there are no policies.
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

/// What the policies are for.
#[derive(Clone, Copy, Debug)]
pub struct Extent<'a> {
    /// These platforms and no others, as they are specified; without them, any that the guardrails allow.
    pub platforms: Option<&'a [Platform]>,
    /// What platforms may ask for.
    pub guardrails: &'a Guardrails,
    /// The operator's name in owner tags, where it is known.
    pub cluster: Option<&'a str>,
    /// What the names of all buckets look like, in place of what the guardrails say of them. Of no meaning with platforms.
    pub bucket_names: &'a [String],
}

impl Extent<'_> {
    /// What each holder of policies works on.
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

/// The policies for these needs, which are listed by service.
///
/// # Errors
/// When something does not fit into any policy.
pub fn policies(needs: &[(&str, Vec<Need>)], extent: &Extent) -> Result<Vec<OperatorPolicy>, Error> {
    let mut policies = Vec::new();
    for (holder, scope) in &extent.scopes() {
        for (service, needs) in needs {
            let statements: Vec<Statement> = needs.iter().flat_map(|need| statements(need, scope)).collect();
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

/// What the names of the operator's own policies begin with; before all others in alphabetical order.
const OPERATOR: &str = "aiplatform-operator";

/// What the names of policies begin with that belong on roles which the operator works through.
const THROUGH: &str = "aiplatform-through";

/// The most characters of a policy, so that each is under IAM's limit.
const LIMIT: usize = POLICY_LIMIT - 1;

/// What each holder of policies works on: the operator itself, and every role it works through.
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

/// What the names of the policies begin with that belong on a role: its account, path and name. IAM takes no slash in
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

/// The statements for a need: none when there is nothing to need it on, several when they would not fit into one.
fn statements(need: &Need, scope: &PolicyScope) -> Vec<Statement> {
    let resources: Vec<String> = need.on.iter().flat_map(|on| scope.resources(*on)).cloned().collect();
    let is_moot = need.when.contains(&When::Unbounded) && scope.boundaries().is_some();
    if resources.is_empty() || is_moot {
        return Vec::new();
    }
    let owner = |of: &str| format!("aws:{of}/{}", tags::OWNER);
    let mut statement = Statement::allow(need.sid, need.actions, resources, need.reason);
    for when in need.when {
        statement = match when {
            When::OwnerAsked => statement.when("StringLike", &owner("RequestTag"), scope.owners()),
            When::OwnerAskedIfAny => statement.when("StringLikeIfExists", &owner("RequestTag"), scope.owners()),
            When::OwnerTagged => statement.when("StringLike", &owner("ResourceTag"), scope.owners()),
            When::OwnerTaggedIfAny => statement.when("StringLikeIfExists", &owner("ResourceTag"), scope.owners()),
            When::Bounded => match scope.boundaries() {
                Some(boundaries) => statement.when("StringEquals", "iam:PermissionsBoundary", boundaries),
                None => statement,
            },
            When::Unbounded => statement,
            When::InAccount => statement.when("StringEquals", "aws:ResourceAccount", scope.accounts()),
            When::PassedTo(service) => statement.when("StringEquals", "iam:PassedToService", texts(&[service])),
            When::LinkedTo(service) => statement.when("StringEquals", "iam:AWSServiceName", texts(&[service])),
            When::Making(calls) => statement.when("StringEquals", "sagemaker:TaggingAction", texts(calls)),
            When::Scaling(service) => {
                statement.when("StringEquals", "application-autoscaling:service-namespace", texts(&[service]))
            }
        };
    }
    let parts = halved(statement);
    let many = parts.len() > 1;
    let numbered = parts.into_iter().enumerate().map(|(index, part)| Statement {
        sid: if many { format!("{}{}", part.sid, index + 1) } else { part.sid },
        ..part
    });
    numbered.collect()
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

/// The statement in as many parts as it takes for each to fit.
fn halved(statement: Statement) -> Vec<Statement> {
    /// Characters that a number at the end of the Sid may take.
    const NUMBER: usize = 4;
    let fits = crate::policy::size_of(std::slice::from_ref(&statement)) + NUMBER <= LIMIT;
    if fits || statement.resources.len() < 2 {
        return vec![statement];
    }
    let mut first = statement.clone();
    let second = first.resources.split_off(first.resources.len() / 2);
    halved(first).into_iter().chain(halved(Statement { resources: second, ..statement })).collect()
}
