//! Lookups: what has to be known before it is clear what is desired, and is nobody's resource, such as the zones of
//! subnets. They are answered before anything is planned; without answers a plan says what it can.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::AIPlatform;
use crate::api::network::PlatformRef;
use crate::arn;
use crate::desire::{desire_with, inference};
use crate::failure::Error;
use crate::features::network::preconditions::{self, Unmet};
use crate::features::network::sharing;
use crate::kind::{Backend, ClusterApi};
use crate::platform::{Platform, validate};
use crate::resource::{Desired, Kind, Observations};

/// A lookup.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lookup {
    /// A VPC and parts of it.
    Network(NetworkLookup),
    /// The platform whose network is borrowed.
    Owner(PlatformRef),
    /// The platforms in these namespaces that borrow the network of this one.
    Borrowers {
        /// The owner.
        owner: PlatformRef,
        /// The namespaces.
        namespaces: BTreeSet<String>,
    },
    /// The identity under which the operator works.
    Caller,
    /// An API of the cluster that it may lack.
    Api(ApiLookup),
}

/// An API of the cluster, to be looked for in what it serves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApiLookup {
    /// The API group.
    pub group: &'static str,
    /// The version.
    pub version: &'static str,
    /// The resource in URLs.
    pub plural: &'static str,
}

impl ApiLookup {
    /// The API of a kind, where it is one that a cluster may lack.
    #[must_use]
    pub fn of(kind: Kind) -> Option<Self> {
        match kind.info().backend {
            Backend::Cluster(ClusterApi { group, version, plural, is_optional: true, .. }) => {
                Some(Self { group, version, plural })
            }
            Backend::Cluster(_) | Backend::Aws(_) => None,
        }
    }

    /// The name of the custom resource definition behind it.
    #[must_use]
    pub fn definition(&self) -> String {
        format!("{}.{}", self.plural, self.group)
    }
}

/// The parts of a network that a platform names, to be looked up in EC2.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct NetworkLookup {
    /// The VPC.
    pub vpc_id: String,
    /// Subnets.
    pub subnet_ids: BTreeSet<String>,
    /// Route tables.
    pub route_table_ids: BTreeSet<String>,
    /// Security groups.
    pub security_group_ids: BTreeSet<String>,
}

/// The answer to a lookup.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// That to [`Lookup::Network`].
    Network(NetworkFacts),
    /// That to [`Lookup::Owner`]: absent where there is no such platform.
    Owner(Option<Box<AIPlatform>>),
    /// That to [`Lookup::Borrowers`].
    Borrowers(Vec<AIPlatform>),
    /// That to [`Lookup::Caller`].
    Caller(Caller),
    /// That to [`Lookup::Api`]: true where it is served.
    Api(bool),
}

/// The identity under which the operator works for a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Its ARN, as STS reports it: of a user, or of the session of a role.
    pub arn: String,
}

impl Caller {
    /// The values that `aws:PrincipalArn` can have in its requests, as ARN patterns; none where the ARN is not one.
    ///
    /// For a session the key holds the ARN of the role, with the role's path, which the ARN of a session leaves out. The
    /// names of roles are unique in an account, whatever their paths.
    /// Source: "aws:PrincipalArn", AWS global condition context keys, and "Friendly names and paths", IAM user guide.
    #[must_use]
    pub fn principals(&self) -> Vec<String> {
        let parts: Vec<&str> = self.arn.splitn(6, ':').collect();
        let ["arn", partition, service, "", account, resource] = parts.as_slice() else { return Vec::new() };
        let session = resource.strip_prefix("assumed-role/").filter(|_| *service == "sts");
        match session.and_then(|session| session.split('/').next()) {
            Some("") => Vec::new(),
            Some(role) => {
                ["role/", "role/*/"].map(|path| format!("arn:{partition}:iam::{account}:{path}{role}")).into()
            }
            None if account.is_empty() || resource.is_empty() => Vec::new(),
            None => vec![self.arn.clone()],
        }
    }
}

/// Facts about a network. What EC2 does not have is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkFacts {
    /// The VPC.
    pub vpc: Option<Vpc>,
    /// Subnets by id.
    pub subnets: BTreeMap<String, Subnet>,
    /// The VPCs of route tables, by the id of each table.
    pub route_tables: BTreeMap<String, String>,
    /// The VPCs of security groups, by the id of each group.
    pub security_groups: BTreeMap<String, String>,
    /// Subnets with a route to an internet gateway.
    pub public_subnets: BTreeSet<String>,
    /// The services that the region offers endpoints for.
    pub services: Vec<EndpointService>,
}

/// A VPC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vpc {
    /// Its IPv4 CIDR blocks.
    pub cidrs: BTreeSet<String>,
    /// The attribute `enableDnsSupport`.
    pub dns_support: bool,
    /// The attribute `enableDnsHostnames`.
    pub dns_hostnames: bool,
}

/// A subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subnet {
    /// Its VPC.
    pub vpc_id: String,
    /// Its availability zone by name.
    pub zone: String,
}

/// A service that VPC endpoints can be made for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointService {
    /// Its full name, such as `com.amazonaws.eu-west-1.bedrock-runtime`.
    pub name: String,
    /// True for interface endpoints, false for gateway endpoints.
    pub is_interface: bool,
    /// The zones that it supports, by name.
    pub zones: BTreeSet<String>,
    /// Its private DNS name, where it has one.
    pub private_dns_name: Option<String>,
    /// True when its endpoints take policies.
    pub takes_policies: bool,
}

impl NetworkFacts {
    /// The service whose name ends so, for endpoints of that type.
    #[must_use]
    pub fn service(&self, region: &str, service: &str, is_interface: bool) -> Option<&EndpointService> {
        let is_named = |name: &str| arn::is_endpoint_service(region, service, name);
        self.services.iter().find(|found| found.is_interface == is_interface && is_named(&found.name))
    }
}

/// Everything that a platform wants, once its lookups are answered.
#[derive(Clone, Debug)]
pub struct Informed {
    /// The desired resources.
    pub desired: Vec<Desired>,
    /// Observations of those that are borrowed: they are not looked for in AWS.
    pub borrowed: Observations,
    /// The platform with what sharing adds to it.
    pub platform: Platform,
    /// Subnets of its network with a route to an internet gateway.
    pub public_subnets: BTreeSet<String>,
}

/// Everything that a platform wants, with what follows from the answers.
///
/// # Errors
/// Everything that is in the way of it, before anything is made.
pub fn informed(platform: Platform, cluster: &str, answers: &Answers) -> Result<Informed, Vec<Unmet>> {
    let facts = network_facts(&platform, answers);
    let mut unmet = facts.map(|facts| preconditions::unmet(&platform, facts)).unwrap_or_default();
    unmet.extend(sharing::unmet(&platform, answers));
    if !unmet.is_empty() {
        return Err(unmet);
    }
    let unaccepted = |problem| Unmet { reason: "InvalidSpec", problem };
    let platform = sharing::resolved(platform, answers, facts)
        .map_err(|problems| problems.into_iter().map(unaccepted).collect::<Vec<_>>())?;
    let desired = desire_with(&platform, cluster, answers);
    let oversized = preconditions::oversized(&desired);
    if !oversized.is_empty() {
        return Err(oversized);
    }
    Ok(Informed {
        borrowed: sharing::observations(&platform, &desired, answers),
        desired,
        public_subnets: facts.map(|facts| facts.public_subnets.clone()).unwrap_or_default(),
        platform,
    })
}

/// The lookups that have to be answered before it is clear what a platform wants.
#[must_use]
pub fn lookups(platform: &Platform) -> Vec<Lookup> {
    let own = platform.network.iter().filter(|network| network.from.is_none());
    let own = own.map(|network| Lookup::Network(network.lookup()));
    let caller = platform.buckets.iter().any(|bucket| bucket.vpc_endpoint_only).then_some(Lookup::Caller);
    let add_ons = inference::add_ons(platform).into_iter().filter_map(api_of);
    own.chain(sharing::lookups(platform)).chain(caller).chain(add_ons).collect()
}

/// The identity under which the operator works, where it was looked up.
#[must_use]
pub fn caller(answers: &Answers) -> Option<&Caller> {
    match answers.get(&Lookup::Caller) {
        Some(Ok(Answer::Caller(caller))) => Some(caller),
        _ => None,
    }
}

/// The lookup by which [`serves`] knows whether the cluster has the API of a kind; none where every cluster has it.
#[must_use]
pub fn api_of(kind: Kind) -> Option<Lookup> {
    ApiLookup::of(kind).map(Lookup::Api)
}

/// The kinds whose API a cluster may lack.
pub fn optional_kinds() -> impl Iterator<Item = (Kind, ApiLookup)> {
    Kind::ALL.iter().filter_map(|kind| Some((*kind, ApiLookup::of(*kind)?)))
}

/// True when an object asks for something of a kind, or has had something of it, so that it matters to it whether the
/// cluster serves the API.
#[must_use]
pub fn depends_on(object: &AIPlatform, kind: Kind) -> bool {
    let asks = |platform: Platform| api_of(kind).is_some_and(|lookup| lookups(&platform).contains(&lookup));
    let resources = object.status.iter().flat_map(|status| &status.resources);
    resources.into_iter().any(|resource| resource.kind == kind.name()) || validate(object).is_ok_and(asks)
}

/// True when the cluster serves the API of a kind; nothing where that was not looked up.
#[must_use]
pub fn serves(answers: &Answers, kind: Kind) -> Option<bool> {
    let Some(lookup) = api_of(kind) else { return Some(true) };
    match answers.get(&lookup) {
        Some(Ok(Answer::Api(is_served))) => Some(*is_served),
        _ => None,
    }
}

/// The facts about the platform's network, where they were looked up.
#[must_use]
pub fn network_facts<'a>(platform: &Platform, answers: &'a Answers) -> Option<&'a NetworkFacts> {
    let lookup = Lookup::Network(platform.network.as_ref()?.lookup());
    match answers.get(&lookup) {
        Some(Ok(Answer::Network(facts))) => Some(facts),
        _ => None,
    }
}

/// Answers by lookup. An error says that it could not be answered.
pub type Answers = BTreeMap<Lookup, Result<Answer, Error>>;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::with_buckets;

    #[test]
    fn an_api_is_looked_up_where_a_cluster_may_lack_it() {
        assert_eq!(api_of(Kind::Deployment), None);
        let lookup = api_of(Kind::ScaledObject).unwrap();
        assert_eq!(serves(&Answers::new(), Kind::Deployment), Some(true), "every cluster has it");
        assert_eq!(serves(&Answers::new(), Kind::ScaledObject), None);
        let failed = crate::testing::failure(crate::failure::Class::Transient);
        for (answer, expected) in
            [(Ok(Answer::Api(true)), Some(true)), (Ok(Answer::Api(false)), Some(false)), (Err(failed), None)]
        {
            assert_eq!(serves(&[(lookup.clone(), answer)].into(), Kind::ScaledObject), expected);
        }
        let kinds: Vec<Kind> = optional_kinds().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, [Kind::ScaledObject, Kind::PodMonitor]);
    }

    #[test]
    fn an_object_that_has_something_of_an_api_depends_on_it() {
        let mut object = with_buckets(json!([]));
        assert!(!depends_on(&object, Kind::ScaledObject));
        let resource = json!({"kind": "ScaledObject", "name": "n/a", "state": "Ready"});
        object.status = Some(serde_json::from_value(json!({"resources": [resource]})).unwrap());
        assert!(depends_on(&object, Kind::ScaledObject) && !depends_on(&object, Kind::PodMonitor));
    }

    #[test]
    fn a_caller_is_known_by_every_arn_that_its_requests_can_carry() {
        for (arn, expected) in [
            ("arn:aws:iam::123456789012:user/ops/operator", vec!["arn:aws:iam::123456789012:user/ops/operator"]),
            (
                "arn:aws-cn:sts::123456789012:assumed-role/operator/session-1",
                vec!["arn:aws-cn:iam::123456789012:role/operator", "arn:aws-cn:iam::123456789012:role/*/operator"],
            ),
            ("arn:aws:iam::123456789012:root", vec!["arn:aws:iam::123456789012:root"]),
            ("arn:aws:sts::123456789012:federated-user/anna", vec!["arn:aws:sts::123456789012:federated-user/anna"]),
            ("arn:aws:sts::123456789012:assumed-role//session", vec![]),
            ("", vec![]),
            ("*", vec![]),
        ] {
            assert_eq!(Caller { arn: arn.into() }.principals(), expected, "{arn}");
        }
    }
}
