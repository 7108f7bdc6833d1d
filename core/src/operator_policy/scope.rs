//! The scope of the operator's permissions: everything that a platform may declare, or what some platforms do declare.

use std::collections::{BTreeMap, BTreeSet};

use super::execution_roles::{execution_roles, is_for_every_role};
use super::{Extent, ResourcePattern, names};
use crate::api::sagemaker::SageMaker;
use crate::api::storage::BucketDeletionPolicy;
use crate::arn;
use crate::desire::desire;
use crate::desire::sagemaker::{endpoint_name, revised_name};
use crate::drift_events::{Place, inbox};
use crate::grants::{Subject, execution_role_arn};
use crate::guardrails::Guardrails;
use crate::platform::{Identity, Network, Platform};
use crate::resource::{Desired, Kind};
use crate::tags;

/// More text than this in owner tags is not worth its room in a policy: the resources are named anyway.
const OWNERS_LIMIT: usize = 1_000;

/// ARNs, or patterns of ARNs, by what they are.
#[derive(Clone, Debug, Default)]
pub(super) struct PolicyScope {
    buckets: BTreeSet<String>,
    bucket_lists: BTreeSet<String>,
    contents: BTreeSet<String>,
    roles: BTreeSet<String>,
    roles_of_any_path: BTreeSet<String>,
    passed_roles: BTreeSet<String>,
    clusters: BTreeSet<String>,
    associations: BTreeSet<String>,
    models: BTreeSet<String>,
    endpoint_configs: BTreeSet<String>,
    endpoints: BTreeSet<String>,
    execution_roles: BTreeSet<String>,
    scalable_targets: BTreeSet<String>,
    scaling_alarms: BTreeSet<String>,
    scaling_roles: BTreeSet<String>,
    hosted_zones: BTreeSet<String>,
    vpcs: BTreeSet<String>,
    /// Security groups that are named, for endpoints.
    endpoint_groups: BTreeSet<String>,
    subnets: BTreeSet<String>,
    route_tables: BTreeSet<String>,
    /// Kinds that are listed, each with what stands for everything.
    anything: BTreeMap<Kind, BTreeSet<String>>,
    /// By the kinds whose descriptions have their permissions.
    of_kinds: BTreeMap<Kind, BTreeSet<String>>,
    drift_queues: BTreeSet<String>,
    drift_rules: BTreeSet<String>,
    pub assumed_roles: BTreeSet<String>,
    owners: BTreeSet<String>,
    /// A pattern for all owners, used where they are too many.
    any_owner: String,
    accounts: BTreeSet<String>,
    boundaries: Boundaries,
}

/// The permissions boundaries of roles, as far as they are known.
#[derive(Clone, Debug, Default)]
struct Boundaries {
    known: BTreeSet<String>,
    /// Holders whose roles may have no boundary.
    missing: Vec<String>,
}

impl Boundaries {
    /// Takes note of what bounds the roles of somebody.
    fn add(&mut self, of: &str, boundaries: Option<BTreeSet<String>>) {
        match boundaries {
            Some(boundaries) => self.known.extend(boundaries),
            None => self.missing.push(of.to_string()),
        }
    }
}

/// The account of the credentials, where the policy cannot name it.
const OWN_ACCOUNT: &str = "${aws:PrincipalAccount}";

impl PolicyScope {
    /// Whatever a platform in the partition `aws` may declare within the guardrails.
    pub fn everything(extent: &Extent) -> Self {
        let cluster = extent.cluster;
        let buckets = names::buckets(extent.bucket_names, extent.guardrails);
        let mut boundaries = Boundaries::default();
        boundaries.add("any platform", extent.guardrails.boundaries());
        let one = |pattern: &str| BTreeSet::from([pattern.to_string()]);
        let roles = one(&arn::role("", "*", crate::grants::ROLE_PATH, "*"));
        Self {
            contents: buckets.iter().map(|name| arn::bucket("", &format!("{name}/*"))).collect(),
            buckets: buckets.iter().map(|name| arn::bucket("", name)).collect(),
            bucket_lists: one("*"),
            roles_of_any_path: one(&arn::role("", "*", "/", "*")),
            passed_roles: roles.clone(),
            execution_roles: roles.iter().cloned().chain(execution_roles(extent.guardrails)).collect(),
            roles,
            clusters: one("arn:aws:eks:*:*:cluster/*"),
            associations: one("arn:aws:eks:*:*:podidentityassociation/*/*"),
            models: one(&arn::sagemaker("*", "*", "model", "*")),
            endpoint_configs: one(&arn::sagemaker("*", "*", "endpoint-config", "*")),
            endpoints: one(&arn::sagemaker("*", "*", "endpoint", "*")),
            scalable_targets: one(&scalable_targets("*", "*")),
            scaling_alarms: one(&scaling_alarms("*", "*", "*")),
            scaling_roles: one(&scaling_role("", "*")),
            endpoint_groups: one(&arn::ec2("*", "*", "security-group", "*")),
            hosted_zones: one(&hosted_zones("")),
            vpcs: vpcs(extent.guardrails),
            subnets: one(&arn::ec2("*", "*", "subnet", "*")),
            route_tables: one(&arn::ec2("*", "*", "route-table", "*")),
            anything: Kind::ALL.iter().map(|kind| (*kind, one("*"))).collect(),
            of_kinds: Kind::ALL.iter().filter_map(|kind| Some((*kind, one(kind.info().arns?)))).collect(),
            drift_queues: one(&inbox::queue_arn("*", "*", inbox::ANY_NAME)),
            drift_rules: one(&inbox::rule_arn("*", "*", inbox::ANY_NAME)),
            assumed_roles: extent.guardrails.assumable_roles(),
            accounts: extent.guardrails.accounts().unwrap_or_default(),
            boundaries,
            owners: one(&any_owner(cluster)),
            any_owner: any_owner(cluster),
        }
    }

    /// Adds the resources of a platform.
    pub fn add(&mut self, platform: &Platform, extent: &Extent) {
        let cluster = extent.cluster;
        self.accounts.insert(platform.account_id.clone());
        self.any_owner = any_owner(cluster);
        let place = Place { account_id: platform.account_id.clone(), region: platform.region.clone() };
        for Place { account_id, region } in [place.of_global_services(), place] {
            self.drift_queues.insert(inbox::queue_arn(&region, &account_id, inbox::ANY_NAME));
            self.drift_rules.insert(inbox::rule_arn(&region, &account_id, inbox::ANY_NAME));
        }
        self.owners.insert(tags::owner(cluster.unwrap_or("*"), &platform.namespace, &platform.name));
        for bucket in &platform.buckets {
            let arn = arn::bucket(&platform.region, &bucket.bucket_name);
            if bucket.deletion_policy == BucketDeletionPolicy::DeleteWithContents {
                self.contents.insert(format!("{arn}/*"));
            }
            self.buckets.insert(arn);
            self.bucket_lists.insert("*".into());
        }
        if !platform.grants.is_empty() {
            self.boundaries.add(&platform.id(), extent.guardrails.boundaries_of(platform));
            self.list(&[Kind::Role]);
        }
        for grant in &platform.grants {
            if let (Subject::PodIdentity(..), Some(Identity::PodIdentity { cluster_arn, .. })) =
                (&grant.subject, &platform.identity)
            {
                self.passed_roles.insert(grant.arn.clone());
                self.clusters.insert(cluster_arn.clone());
                self.associations
                    .insert(format!("{}/*", cluster_arn.replacen(":cluster/", ":podidentityassociation/", 1)));
            }
            let without_path = arn::role(&platform.region, &platform.account_id, "/", &grant.role);
            self.roles_of_any_path.extend([without_path, grant.arn.clone()]);
            self.roles.insert(grant.arn.clone());
        }
        for Desired { resource, .. } in desire(platform, cluster.unwrap_or_default()) {
            let Some(pattern) = resource.kind().info().arns else { continue };
            let arns = resource.policy_arns();
            // Where AWS chooses the id, the pattern says as much as can be said.
            let arns =
                if arns.is_empty() { vec![arn::within(pattern, &platform.region, &platform.account_id)] } else { arns };
            self.of_kinds.entry(resource.kind()).or_default().extend(arns);
        }
        if let Some(network) = &platform.network {
            self.add_network(platform, network);
        }
        for model in &platform.models {
            if let Some(spec) = model.sagemaker() {
                self.add_model(platform, &model.name, spec);
            }
        }
    }

    /// A network, with the security groups that its endpoints are given beside those that are made.
    fn add_network(&mut self, platform: &Platform, network: &Network) {
        let arn = |resource: &str, id: &String| arn::ec2(&platform.region, &platform.account_id, resource, id);
        self.vpcs.insert(arn("vpc", &network.vpc_id));
        self.subnets.extend(network.subnet_ids.iter().map(|id| arn("subnet", id)));
        self.route_tables.extend(network.route_table_ids.iter().map(|id| arn("route-table", id)));
        let groups = network.security_group_ids.iter().map(|id| arn("security-group", id));
        self.endpoint_groups.extend(groups);
        self.hosted_zones.insert(hosted_zones(&platform.region));
        self.list(&[Kind::SecurityGroup, Kind::VpcEndpoint]);
    }

    /// A model on SageMaker, and whatever may ever scale its endpoint.
    fn add_model(&mut self, platform: &Platform, model: &str, spec: &SageMaker) {
        let Platform { region, account_id, .. } = platform;
        let revisions = format!("{}-*", revised_name(platform, model));
        let endpoint = endpoint_name(platform, model);
        self.models.insert(arn::sagemaker(region, account_id, "model", &revisions));
        self.endpoint_configs.insert(arn::sagemaker(region, account_id, "endpoint-config", &revisions));
        self.endpoints.insert(arn::sagemaker(region, account_id, "endpoint", &endpoint));
        self.execution_roles.insert(execution_role_arn(platform, model, spec));
        self.scalable_targets.insert(scalable_targets(region, account_id));
        self.scaling_alarms.insert(scaling_alarms(region, account_id, &endpoint));
        self.scaling_roles.insert(scaling_role(region, account_id));
        self.list(&[Kind::SageMakerEndpoint, Kind::ScalableTarget, Kind::LogGroup]);
    }

    /// Adds kinds that have to be listed.
    fn list(&mut self, kinds: &[Kind]) {
        self.anything.extend(kinds.iter().map(|kind| (*kind, BTreeSet::from(["*".to_string()]))));
    }

    pub fn resources(&self, pattern: ResourcePattern) -> &BTreeSet<String> {
        static NONE: BTreeSet<String> = BTreeSet::new();
        match pattern {
            ResourcePattern::Kind(kind) => self.of_kinds.get(&kind).unwrap_or(&NONE),
            ResourcePattern::Vpc => &self.vpcs,
            ResourcePattern::Subnet => &self.subnets,
            ResourcePattern::RouteTable => &self.route_tables,
            ResourcePattern::HostedZone => &self.hosted_zones,
            ResourcePattern::EndpointGroup => &self.endpoint_groups,
            ResourcePattern::Bucket => &self.buckets,
            ResourcePattern::BucketList => &self.bucket_lists,
            ResourcePattern::Contents => &self.contents,
            ResourcePattern::Role => &self.roles,
            ResourcePattern::RoleOfAnyPath => &self.roles_of_any_path,
            ResourcePattern::PassedRole => &self.passed_roles,
            ResourcePattern::Cluster => &self.clusters,
            ResourcePattern::Association => &self.associations,
            ResourcePattern::Model => &self.models,
            ResourcePattern::EndpointConfig => &self.endpoint_configs,
            ResourcePattern::Endpoint => &self.endpoints,
            ResourcePattern::ExecutionRole => &self.execution_roles,
            ResourcePattern::ScalableTarget => &self.scalable_targets,
            ResourcePattern::ScalingAlarm => &self.scaling_alarms,
            ResourcePattern::ScalingRole => &self.scaling_roles,
            ResourcePattern::AnyOf(kind) => self.anything.get(&kind).unwrap_or(&NONE),
            ResourcePattern::DriftQueue => &self.drift_queues,
            ResourcePattern::DriftRule => &self.drift_rules,
            ResourcePattern::AssumedRole => &self.assumed_roles,
        }
    }

    /// The permissions boundaries of all roles, where each has one.
    pub fn boundaries(&self) -> Option<Vec<String>> {
        let is_known = self.boundaries.missing.is_empty() && !self.boundaries.known.is_empty();
        is_known.then(|| self.boundaries.known.iter().cloned().collect())
    }

    /// True when nothing limits the names of buckets.
    pub fn names_every_bucket(&self) -> bool {
        self.buckets.contains(&arn::bucket("", "*"))
    }

    /// Patterns by which every role of an account can be handed to SageMaker.
    pub fn passes_every_role(&self) -> impl Iterator<Item = &String> {
        self.execution_roles.iter().filter(|pattern| is_for_every_role(pattern))
    }

    /// Whose roles may have no permissions boundary.
    pub fn unbounded(&self) -> &[String] {
        &self.boundaries.missing
    }

    /// The accounts that everything belongs to.
    pub fn accounts(&self) -> Vec<String> {
        if self.accounts.is_empty() { vec![OWN_ACCOUNT.into()] } else { self.accounts.iter().cloned().collect() }
    }

    /// Values of the owner tag.
    pub fn owners(&self) -> Vec<String> {
        if self.owners.iter().map(String::len).sum::<usize>() > OWNERS_LIMIT {
            return vec![self.any_owner.clone()];
        }
        self.owners.iter().cloned().collect()
    }
}

/// The VPCs that the guardrails allow.
fn vpcs(guardrails: &Guardrails) -> BTreeSet<String> {
    let allowed = guardrails.vpcs().unwrap_or_else(|| BTreeSet::from(["*".to_string()]));
    allowed.iter().map(|id| arn::ec2("*", "*", "vpc", id)).collect()
}

/// Those of private DNS are AWS's own, so that nobody knows their ids.
fn hosted_zones(region: &str) -> String {
    format!("arn:{}:route53:::hostedzone/*", arn::partition(region))
}

fn any_owner(cluster: Option<&str>) -> String {
    tags::owner(cluster.unwrap_or("*"), "*", "*")
}

/// Application Auto Scaling numbers its targets.
fn scalable_targets(region: &str, account_id: &str) -> String {
    format!("arn:{}:application-autoscaling:{region}:{account_id}:scalable-target/*", arn::partition(region))
}

fn scaling_alarms(region: &str, account_id: &str, endpoint: &str) -> String {
    format!(
        "arn:{}:cloudwatch:{region}:{account_id}:alarm:TargetTracking-endpoint/{endpoint}/*",
        arn::partition(region)
    )
}

/// The role that Application Auto Scaling makes itself for SageMaker's endpoints, one for each account.
fn scaling_role(region: &str, account_id: &str) -> String {
    let path = "/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/";
    arn::role(region, account_id, path, "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint")
}
