//! Guardrails: limits on what platforms may request, set by those who run the operator and not by the objects
//! themselves.

mod access;
pub(crate) mod glob;
mod models;
mod storage;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::api::REGION;
use crate::api::access::{AssumeRole, POLICY_ARN, ROLE_ARN};
use crate::manifest;
use crate::platform::{Platform, Problem};

/// Labels of a namespace.
pub type Labels = BTreeMap<String, String>;

/// The guardrails.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Guardrails {
    /// Everything: for commands that only show.
    Unbounded,
    /// There is no file: everything but what needs to be allowed by name.
    #[default]
    Absent,
    /// The rules of a file.
    Given(Rules),
}

/// The guardrails file.
#[derive(Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rules {
    /// The first rule whose namespaces match applies; a platform in a namespace that none matches is refused.
    pub rules: Vec<Rule>,
}

/// The limits for platforms of some namespaces.
#[derive(Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// The namespaces it is for. Default: all.
    #[serde(default)]
    pub namespaces: Option<Namespaces>,
    /// AWS accounts, 12 digits in quotes. Default: any.
    #[serde(default)]
    #[schemars(inner(regex(pattern = "^[0-9]{12}$")))]
    pub accounts: Option<Vec<String>>,
    /// AWS regions. Default: any.
    #[serde(default)]
    #[schemars(inner(regex(pattern = REGION)))]
    pub regions: Option<Vec<String>>,
    /// VPCs that `spec.network` may name; adopted endpoints are in them. Default: any.
    #[serde(default)]
    #[schemars(inner(regex(pattern = "^vpc-[0-9a-z]+$")))]
    pub vpcs: Option<Vec<String>>,
    /// Instance types of models, as globs. Default: any. Serverless models have none.
    #[serde(default)]
    #[schemars(inner(length(min = 1)))]
    pub instance_types: Option<Vec<String>>,
    /// Instances of one model at most: its own count, its autoscaling's and its schedules'. Default: any number.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub max_instances: Option<i32>,
    /// ARNs, as globs, of roles that a model may run as instead of a generated one. Default: none.
    #[serde(default)]
    #[schemars(inner(regex(pattern = "^(arn:|[*]).*$")))]
    pub execution_roles: Vec<String>,
    /// ARNs of roles that the operator may work through, in `spec.assumeRole`. Default: none.
    #[serde(default)]
    #[schemars(inner(regex(pattern = ROLE_ARN)))]
    pub assume_roles: Vec<String>,
    /// Names in AWS, as globs, of buckets that a platform may take over with `adopt`. Default: none.
    #[serde(default)]
    #[schemars(inner(length(min = 1)))]
    pub adoptable_buckets: Vec<String>,
    /// Names of buckets that a spec may choose in `bucketName`, as globs; generated names are always allowed. Default: any.
    #[serde(default)]
    #[schemars(inner(length(min = 1)))]
    pub bucket_names: Option<Vec<String>>,
    /// URIs, as globs, of artifacts in buckets that are not the platform's. Default: none.
    #[serde(default)]
    #[schemars(inner(regex(pattern = "^(s3://|[*]).*$")))]
    pub model_data_uris: Vec<String>,
    /// Images of models, as globs on registry, repository and tag. Default: any.
    #[serde(default)]
    #[schemars(inner(length(min = 1)))]
    pub images: Option<Vec<String>>,
    /// ARNs, as globs, of KMS keys that buckets and log groups may be encrypted with. Default: any.
    #[serde(default)]
    #[schemars(inner(regex(pattern = "^(arn:|[*]).*$")))]
    pub kms_keys: Option<Vec<String>>,
    /// ARNs, as globs, of the IAM users and roles that consumers may name in `principalArns`. Default: those of the
    /// platform's own account.
    #[serde(default)]
    #[schemars(inner(regex(pattern = "^(arn:|[*]).*$")))]
    pub principals: Option<Vec<String>>,
    /// ARNs, as globs, of EKS clusters in which pod identity associations may be made. Default: any of the platform's
    /// account, in one of `regions` where those are given.
    #[serde(default)]
    #[schemars(inner(regex(pattern = "^(arn:|[*]).*$")))]
    pub clusters: Option<Vec<String>>,
    /// Namespaces, as globs, for whose service accounts pod identity associations may be made beside those of the
    /// platform's own. Default: none.
    #[serde(default)]
    #[schemars(inner(length(min = 1)))]
    pub consumer_namespaces: Vec<String>,
    /// A managed policy that is put on every role as its permissions boundary. A spec that names another is refused.
    #[serde(default)]
    #[schemars(regex(pattern = POLICY_ARN))]
    pub permissions_boundary_arn: Option<String>,
}

/// The namespaces that a rule is for: both must match when both are given.
#[derive(Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Namespaces {
    /// Names, as globs, of which one has to match.
    #[serde(default)]
    #[schemars(length(min = 1), inner(length(min = 1)))]
    pub names: Option<Vec<String>>,
    /// Labels that the namespace has to carry, all of them.
    #[serde(default)]
    #[schemars(extend("minProperties" = 1))]
    pub labels: Option<Labels>,
}

impl Namespaces {
    /// Labels that are not known match nothing.
    fn matches(&self, namespace: &str, labels: Option<&Labels>) -> bool {
        let named = self.names.as_ref().is_none_or(|globs| any(globs, namespace));
        let labelled = self.labels.as_ref().is_none_or(|wanted| {
            labels.is_some_and(|labels| wanted.iter().all(|(key, value)| labels.get(key) == Some(value)))
        });
        named && labelled
    }
}

/// Values that are allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Every value.
    Any,
    /// Those that one of these globs matches.
    Only(Vec<String>),
}

impl Default for Allowed {
    fn default() -> Self {
        Self::Only(Vec::new())
    }
}

impl Allowed {
    /// True when this value is allowed.
    #[must_use]
    pub fn allows(&self, value: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(globs) => any(globs, value),
        }
    }
}

impl Guardrails {
    /// The guardrails that a text states; `name` stands for the file in messages.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(name: &str, text: &str) -> Result<Self, manifest::Error> {
        manifest::settings(name, text, variable).map(Self::Given)
    }

    /// The rules, where there are any.
    #[must_use]
    pub fn rules(&self) -> Option<&[Rule]> {
        match self {
            Self::Unbounded | Self::Absent => None,
            Self::Given(Rules { rules }) => Some(rules),
        }
    }

    /// The permissions boundaries that are put on the roles of all platforms, where every rule has one.
    #[must_use]
    pub fn boundaries(&self) -> Option<BTreeSet<String>> {
        let rules = self.rules().filter(|rules| !rules.is_empty())?;
        rules.iter().map(|rule| rule.permissions_boundary_arn.clone()).collect()
    }

    /// The permissions boundaries that the roles of a platform as it is specified can have, where there is one whichever
    /// rule is for its namespace, of which the labels are not known. A rule that puts another than the spec's own refuses
    /// the platform, so that it has no roles then.
    #[must_use]
    pub fn boundaries_of(&self, platform: &Platform) -> Option<BTreeSet<String>> {
        let own = platform.permissions_boundary_arn.as_ref();
        let rules = self.rules().map(|rules| possible(rules, &platform.namespace)).unwrap_or_default();
        if let Some(own) = own {
            return Some(BTreeSet::from([own.clone()]));
        }
        let of_rules: Option<BTreeSet<String>> =
            rules.into_iter().map(|rule| rule.permissions_boundary_arn.clone()).collect();
        of_rules.filter(|boundaries| !boundaries.is_empty())
    }

    /// The accounts that platforms may be in, where every rule names some.
    #[must_use]
    pub fn accounts(&self) -> Option<BTreeSet<String>> {
        let accounts: Option<Vec<&Vec<String>>> = self.rules()?.iter().map(|rule| rule.accounts.as_ref()).collect();
        Some(accounts?.into_iter().flatten().cloned().collect())
    }

    /// The VPCs that platforms may name, where every rule names some.
    #[must_use]
    pub fn vpcs(&self) -> Option<BTreeSet<String>> {
        let vpcs: Option<Vec<&Vec<String>>> = self.rules()?.iter().map(|rule| rule.vpcs.as_ref()).collect();
        Some(vpcs?.into_iter().flatten().cloned().collect())
    }

    /// The regions that platforms may be in, where every rule names some.
    #[must_use]
    pub fn regions(&self) -> Option<BTreeSet<String>> {
        let regions: Option<Vec<&Vec<String>>> = self.rules()?.iter().map(|rule| rule.regions.as_ref()).collect();
        Some(regions?.into_iter().flatten().cloned().collect())
    }

    /// Roles that the operator may work through.
    #[must_use]
    pub fn assumable_roles(&self) -> BTreeSet<String> {
        self.rules().unwrap_or_default().iter().flat_map(|rule| rule.assume_roles.iter().cloned()).collect()
    }

    /// True when the labels of a namespace make a difference.
    #[must_use]
    pub fn need_labels(&self) -> bool {
        let Self::Given(Rules { rules }) = self else { return false };
        rules.iter().any(|rule| rule.namespaces.as_ref().is_some_and(|namespaces| namespaces.labels.is_some()))
    }

    /// The problem where the labels of namespaces are not known and make a difference.
    #[must_use]
    pub fn note(&self) -> Option<&'static str> {
        self.need_labels().then_some(LABELS_UNKNOWN)
    }

    /// The same, where it makes a difference to this namespace.
    #[must_use]
    pub fn note_on(&self, namespace: &str, labels: Option<&Labels>) -> Option<&'static str> {
        self.may_match_by_labels(namespace, labels).then_some(LABELS_UNKNOWN)
    }

    /// Artifacts that a platform in this namespace may load from buckets that are not its own.
    #[must_use]
    pub fn artifacts(&self, namespace: &str, labels: Option<&Labels>) -> Allowed {
        match self {
            Self::Unbounded => Allowed::Any,
            Self::Absent | Self::Given(_) => {
                let rule = self.bounds(namespace, labels);
                Allowed::Only(rule.map(|rule| rule.model_data_uris.clone()).unwrap_or_default())
            }
        }
    }

    /// True when a rule that asks for labels could be for a namespace whose labels are not known.
    fn may_match_by_labels(&self, namespace: &str, labels: Option<&Labels>) -> bool {
        let Self::Given(Rules { rules }) = self else { return false };
        let named = |it: &Namespaces| it.names.as_ref().is_none_or(|globs| any(globs, namespace));
        let asks = |rule: &Rule| rule.namespaces.as_ref().is_some_and(|it| it.labels.is_some() && named(it));
        labels.is_none() && rules.iter().any(asks)
    }

    /// The rule for a namespace; `labels` are `None` where they are not known.
    #[must_use]
    pub fn bounds(&self, namespace: &str, labels: Option<&Labels>) -> Option<&Rule> {
        let Self::Given(Rules { rules }) = self else { return None };
        rules
            .iter()
            .find(|rule| rule.namespaces.as_ref().is_none_or(|namespaces| namespaces.matches(namespace, labels)))
    }

    /// The platform as it may be: with the mandatory permissions boundary on its roles.
    ///
    /// # Errors
    /// Everything that it may not ask for.
    pub fn apply(&self, platform: Platform, labels: Option<&Labels>) -> Result<Platform, Vec<Problem>> {
        let default = Rule::default();
        let (rule, advice) = match self {
            Self::Unbounded => return Ok(platform),
            Self::Absent => (&default, WITHOUT_FILE),
            Self::Given(_) => match self.bounds(&platform.namespace, labels) {
                Some(rule) => (rule, WITH_FILE),
                // Which rule applies cannot be told, so that nothing can be said to be refused.
                None if self.may_match_by_labels(&platform.namespace, labels) => return Ok(platform),
                None => return Err(vec![unmatched(&platform.namespace)]),
            },
        };
        let boundary = permit(rule, &platform, advice)?;
        Ok(Platform { permissions_boundary_arn: boundary.or(platform.permissions_boundary_arn), ..platform })
    }

    /// True when the operator may work through this role, which is all that a deletion asks for.
    ///
    /// # Errors
    /// The reasons for which it may not.
    pub fn permit_role(
        &self,
        namespace: &str,
        labels: Option<&Labels>,
        assumed: Option<&AssumeRole>,
    ) -> Result<(), Vec<Problem>> {
        let Some(assumed) = assumed else { return Ok(()) };
        let (allowed, advice) = match self {
            Self::Unbounded => return Ok(()),
            Self::Absent => (&[] as &[String], WITHOUT_FILE),
            Self::Given(_) => {
                let rule = self.bounds(namespace, labels).ok_or_else(|| vec![unmatched(namespace)])?;
                (rule.assume_roles.as_slice(), WITH_FILE)
            }
        };
        refused_role(allowed, assumed, advice).map_or(Ok(()), |problem| Err(vec![problem]))
    }
}

/// The problem with a text that IAM would take for more than it says: the globs become patterns in the policies that
/// `operator-policy` prints. Source: "IAM policy elements: Variables and tags", IAM user guide.
fn variable(text: &str) -> Option<String> {
    text.contains("${").then(|| {
        format!(
            "{text:?} holds ${{, with which IAM begins a variable: no value of a platform has that; write the values \
             themselves, with * for any text"
        )
    })
}

/// The rules of which one is for a namespace whose labels are not known.
fn possible<'a>(rules: &'a [Rule], namespace: &str) -> Vec<&'a Rule> {
    let mut possible = Vec::new();
    for rule in rules {
        let Some(namespaces) = &rule.namespaces else {
            possible.push(rule);
            break;
        };
        if namespaces.names.as_ref().is_some_and(|globs| !any(globs, namespace)) {
            continue;
        }
        possible.push(rule);
        if namespaces.labels.is_none() {
            break;
        }
    }
    possible
}

/// The field of a spec that names a permissions boundary.
pub const BOUNDARY_PATH: &str = "spec.permissionsBoundaryArn";

const LABELS_UNKNOWN: &str = "the labels of namespaces are not known offline: rules of the guardrails that ask for labels \
                              are passed over, and what they allow or refuse is unknown here; diff reads them";

const WITH_FILE: &str = "ask those who run the operator to change the operator's guardrails";
const WITHOUT_FILE: &str =
    "the operator runs without guardrails: ask those who run it to allow this in a file for run --guardrails";

/// The mandatory permissions boundary, if the rule has one.
fn permit(rule: &Rule, platform: &Platform, advice: &str) -> Result<Option<String>, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut limited = |path: &str, value: &str, allowed: Option<&Vec<String>>| {
        if let Some(allowed) = allowed.filter(|allowed| !allowed.iter().any(|name| name == value)) {
            problems.push(refusal(path.into(), value, allowed, advice));
        }
    };
    limited("spec.region", &platform.region, rule.regions.as_ref());
    limited("spec.accountId", &platform.account_id, rule.accounts.as_ref());
    // The VPC of a borrowed network is its owner's to be allowed, and not known here.
    if let Some(network) = platform.network.as_ref().filter(|network| network.from.is_none()) {
        limited("spec.network.vpcId", &network.vpc_id, rule.vpcs.as_ref());
    }
    problems.extend(platform.assume_role.as_ref().and_then(|role| refused_role(&rule.assume_roles, role, advice)));
    if let (Some(wanted), Some(mandatory)) = (&platform.permissions_boundary_arn, &rule.permissions_boundary_arn)
        && wanted != mandatory
    {
        let message = format!(
            "{wanted:?} is not allowed: the operator's guardrails put {mandatory} on every role; leave the field out"
        );
        problems.push(Problem::new(BOUNDARY_PATH, message));
    }
    problems.extend(storage::refused(rule, platform, advice));
    problems.extend(models::refused(rule, &platform.models, advice));
    problems.extend(access::refused(rule, platform, advice));
    if problems.is_empty() { Ok(rule.permissions_boundary_arn.clone()) } else { Err(problems) }
}

fn refused_role(allowed: &[String], role: &AssumeRole, advice: &str) -> Option<Problem> {
    let refused = !allowed.contains(&role.role_arn);
    refused.then(|| refusal("spec.assumeRole.roleArn".into(), &role.role_arn, allowed, advice))
}

fn refusal(path: String, value: &str, allowed: &[String], advice: &str) -> Problem {
    let allowed = if allowed.is_empty() { "none".into() } else { allowed.join(", ") };
    Problem::new(path, format!("{value:?} is not allowed here (allowed: {allowed}): {advice}"))
}

fn unmatched(namespace: &str) -> Problem {
    let message = format!("no rule of the operator's guardrails is for namespace {namespace:?}: {WITH_FILE}");
    Problem::new("metadata.namespace", message)
}

fn any(globs: &[String], name: &str) -> bool {
    globs.iter().any(|pattern| glob::matches(pattern, name))
}
