//! Observations of VPC endpoints and security groups, from the lists that platforms share.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join;
use serde_json::Value;

use super::super::failure;
use super::Ec2;
use super::entries::{EndpointEntry, GroupEntry};
use super::listing::State;
use crate::api::network::OnConflict;
use crate::arn;
use crate::failure::Error;
use crate::features::network::SecurityGroup;
use crate::features::network::vpc_endpoint::{
    EndpointFacts, EndpointType, OtherEndpoint, POLICY, VpcEndpoint, action, field, parse_endpoint_name,
};
use crate::kind::Listed;
use crate::policy::Policy;
use crate::resource::reference::Reference;
use crate::resource::{Freshness, Key, Kind, Observed, ObservedState, Owner, Request};
use crate::scope::Scope;
use crate::tags;

/// The words about what was made and is not listed yet.
const NOT_LISTED: &str = "made a moment ago, and EC2 does not list it yet";

/// Entries of lists, by id.
type Found<T> = BTreeMap<String, Arc<T>>;

impl Ec2 {
    /// Observes security groups and VPC endpoints, each kind in one read for all platforms of a VPC, or of the region while
    /// they are at rest.
    pub(in super::super) async fn observe(&self, scope: &Scope, requests: &[&Request]) -> Vec<(Key, Observed)> {
        // That of all of them, where a snapshot will do for all.
        let covered = requests.iter().map(|request| request.freshness.covered()).min().flatten();
        let freshness = if requests.iter().any(|request| request.freshness == Freshness::Current) {
            Freshness::Current
        } else if let Some(covered) = covered {
            Freshness::Shared { covered }
        } else {
            Freshness::InTransition
        };
        let of_kind = |kind: Kind| -> Vec<&Request> {
            requests.iter().copied().filter(|request| request.key.kind == kind).collect()
        };
        let (of_endpoints, of_groups) = (of_kind(Kind::VpcEndpoint), of_kind(Kind::SecurityGroup));
        let is_endpoint = |request: &Request, found: &EndpointEntry| is_for(scope, request, found);
        let is_group = |request: &Request, found: &GroupEntry| found.name == request.key.name;
        let (endpoints, groups) = join(
            self.endpoints.for_requests(self, scope, &of_endpoints, freshness, is_endpoint),
            self.groups.for_requests(self, scope, &of_groups, freshness, is_group),
        )
        .await;
        let seen = requests.iter().map(|request| {
            let seen = match request.key.kind {
                Kind::VpcEndpoint => {
                    endpoints.as_ref().map(|all| self.observed_endpoint(scope, request, all)).map_err(Clone::clone)
                }
                Kind::SecurityGroup => {
                    groups.as_ref().map(|all| self.observed_group(scope, request, all)).map_err(Clone::clone)
                }
                _ => Err(Error::bug("observe", &request.key.to_string(), "it is not of EC2")),
            };
            let is_shared = freshness.is_shared();
            (request.key.clone(), Observed { is_shared, ..seen.unwrap_or_else(Observed::unreadable) })
        });
        seen.collect()
    }

    fn observed_endpoint(&self, scope: &Scope, request: &Request, all: &Found<EndpointEntry>) -> Observed {
        let of_service: Vec<&EndpointEntry> =
            all.values().map(Arc::as_ref).filter(|found| is_for(scope, request, found)).collect();
        let is_ours = |found: &&EndpointEntry| Owner::of(&found.tags, &scope.owner) == Owner::Ours;
        let is_in_vpc = |found: &EndpointEntry| request.vpc_id.as_ref() == Some(&found.vpc_id);
        for found in of_service.iter().copied().filter(is_ours) {
            if matches!(found.state, State::Deleting | State::Deleted) {
                self.ended.put((found.vpc_id.clone(), found.service_name.clone()), ());
            }
        }
        // After a lost answer there may be two: the older one stays until it goes. One in the VPC of the platform comes
        // before one that is elsewhere.
        let ours = of_service
            .iter()
            .copied()
            .filter(|found| found.state != State::Deleted && is_ours(found))
            .min_by_key(|found| (!is_in_vpc(found), found.state, found.created, &found.id));
        // Those of a whole region would be kept with each platform, and are in nobody's way in another VPC.
        let others = of_service.iter().copied().filter(|found| is_in_vpc(found));
        let others = others.filter(|found| ours.is_none_or(|ours| ours.id != found.id));
        let others = others.filter_map(|found| other(scope, found));
        let facts = EndpointFacts {
            dns_names: ours.map(|found| found.dns_names.clone()).unwrap_or_default(),
            others: others.collect(),
            has_failed: ours.is_some_and(|found| found.state == State::Failed),
        };
        let facts = Some(VpcEndpoint::boxed_facts(facts));
        match ours {
            Some(found) => {
                self.made.drop_key(&(scope.owner.clone(), request.key.clone()));
                Observed { facts, ..endpoint(scope, request, found) }
            }
            None => Observed { facts, ..self.not_listed(scope, request, "vpc-endpoint") },
        }
    }

    /// A name may be that of groups in several VPCs: the platform's own comes first, and what others have in another VPC
    /// is in nobody's way.
    fn observed_group(&self, scope: &Scope, request: &Request, all: &Found<GroupEntry>) -> Observed {
        let is_in_vpc = |group: &GroupEntry| request.vpc_id.as_ref() == Some(&group.vpc_id);
        let named = all.values().filter(|group| group.name == request.key.name);
        let with_owners = named.map(|group| (Owner::of(&group.tags, &scope.owner), group));
        let candidates =
            with_owners.filter(|(owner, group)| *owner == Owner::Ours || request.vpc_id.is_none() || is_in_vpc(group));
        let Some((owner, found)) =
            candidates.min_by_key(|(owner, group)| (*owner != Owner::Ours, !is_in_vpc(group), &group.id))
        else {
            return self.not_listed(scope, request, "security-group");
        };
        self.made.drop_key(&(scope.owner.clone(), request.key.clone()));
        let id = found.id.clone();
        let group = SecurityGroup {
            name: request.key.name.clone(),
            vpc_id: found.vpc_id.clone(),
            description: found.description.clone(),
            ingress: found.ingress.clone(),
            tags: tags::managed(&found.tags),
        };
        let arn = arn::ec2(&scope.region, &scope.account_id, "security-group", &id);
        Observed { id: Some(id), arn: Some(arn), ..Observed::present(group.into(), owner) }
    }

    /// The observation of something that is in no list: absent, unless it was made a moment ago.
    fn not_listed(&self, scope: &Scope, request: &Request, resource: &str) -> Observed {
        match self.made.get(&(scope.owner.clone(), request.key.clone())) {
            Some((id, made)) => Observed {
                arn: Some(arn::ec2(&scope.region, &scope.account_id, resource, &id)),
                id: Some(id),
                state: ObservedState::Progressing(NOT_LISTED.into()),
                ..Observed::present(made, Owner::Ours)
            },
            None => Observed::absent(),
        }
    }
}

/// True of an endpoint for the service that is requested, and of its type where that is said.
fn is_for(scope: &Scope, request: &Request, found: &EndpointEntry) -> bool {
    let (service, wanted) = parse_endpoint_name(&request.key.name);
    found.endpoint_type.is_some_and(|found| wanted.is_none_or(|wanted| wanted == found))
        && arn::is_endpoint_service(&scope.region, service, &found.service_name)
}

fn endpoint(scope: &Scope, request: &Request, found: &EndpointEntry) -> Observed {
    let id = found.id.clone();
    let mut unknown = BTreeMap::new();
    let policies = found.policy.as_deref().and_then(|text| {
        let document: Result<Value, _> = serde_json::from_str(text);
        match document {
            Ok(document) => Some(BTreeMap::from([(POLICY.to_string(), Policy::new(&document))])),
            Err(error) => {
                unknown.insert(field::POLICY.to_string(), failure::unexpected(action::DESCRIBE, &id, error));
                None
            }
        }
    });
    let endpoint = VpcEndpoint {
        name: request.key.name.clone(),
        service_name: found.service_name.clone(),
        endpoint_type: found.endpoint_type.unwrap_or(EndpointType::Interface),
        vpc_id: found.vpc_id.clone(),
        subnet_ids: found.subnet_ids.clone(),
        route_table_ids: found.route_table_ids.clone(),
        security_group_ids: found.group_ids.iter().cloned().map(Reference::known).collect(),
        private_dns: found.private_dns,
        policies,
        tags: tags::managed(&found.tags),
        on_conflict: OnConflict::default(),
    };
    Observed {
        arn: Some(arn::ec2(&scope.region, &scope.account_id, "vpc-endpoint", &id)),
        id: Some(id),
        state: state(found, request.pruning),
        unknown,
        ..Observed::present(endpoint.into(), Owner::of(&found.tags, &scope.owner))
    }
}

/// One that is to go can go in every state but on its way out.
fn state(found: &EndpointEntry, pruning: bool) -> ObservedState {
    let (id, text) = (&found.id, &found.state_text);
    match found.state {
        State::Available => ObservedState::Ready,
        State::Pending | State::PendingAcceptance if pruning => ObservedState::Ready,
        State::Pending | State::PendingAcceptance | State::Deleting => ObservedState::Progressing(text.clone()),
        State::Failed => ObservedState::Failed(format!("{id} is in the {text}")),
        State::Partial | State::Rejected | State::Expired => {
            ObservedState::Failed(format!("{id} is in the {text}: delete it, and another one is made"))
        }
        State::Deleted => ObservedState::Absent,
        State::Unknown => {
            ObservedState::Unreadable(failure::unexpected(action::DESCRIBE, id, format_args!("{text} is not known")))
        }
    }
}

/// The endpoint as one of somebody else; `None` for one that takes nothing from others any more.
fn other(scope: &Scope, found: &EndpointEntry) -> Option<OtherEndpoint> {
    if matches!(found.state, State::Deleted | State::Failed | State::Rejected | State::Expired) {
        return None;
    }
    Some(OtherEndpoint {
        id: found.id.clone(),
        endpoint_type: found.endpoint_type?,
        vpc_id: found.vpc_id.clone(),
        private_dns: found.private_dns,
        route_table_ids: found.route_table_ids.clone(),
        dns_names: found.dns_names.clone(),
        is_available: found.state == State::Available,
        owner: Owner::of(&found.tags, &scope.owner),
    })
}
