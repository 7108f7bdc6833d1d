//! Observations of VPC endpoints and security groups, from the lists that all platforms share.

use std::collections::BTreeMap;

use aws_sdk_ec2::types;
use futures::future::join;
use serde_json::Value;

use super::super::failure;
use super::Ec2;
use super::listing::{Endpoints, Groups, State, endpoint_tags, endpoint_type, group_tags, state_text};
use super::rules::flattened;
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

impl Ec2 {
    /// Observes security groups and VPC endpoints, each kind in one read for all platforms of the region.
    pub(in super::super) async fn observe(&self, scope: &Scope, requests: &[&Request]) -> Vec<(Key, Observed)> {
        let is = |freshness: Freshness| move |request: &&Request| request.freshness == freshness;
        let freshness = if requests.iter().any(is(Freshness::Current)) {
            Freshness::Current
        } else if requests.iter().all(is(Freshness::Shared)) {
            Freshness::Shared
        } else {
            Freshness::InTransition
        };
        let wants = |kind: Kind| requests.iter().any(|request| request.key.kind == kind);
        let endpoints =
            async { if wants(Kind::VpcEndpoint) { Some(self.all_endpoints(freshness).await) } else { None } };
        let groups = async { if wants(Kind::SecurityGroup) { Some(self.all_groups(freshness).await) } else { None } };
        let (endpoints, groups) = join(endpoints, groups).await;
        let seen = requests.iter().map(|request| {
            let seen = match (request.key.kind, &endpoints, &groups) {
                (Kind::VpcEndpoint, Some(all), _) => {
                    all.as_ref().map(|all| self.observed_endpoint(scope, request, all)).map_err(Clone::clone)
                }
                (Kind::SecurityGroup, _, Some(all)) => {
                    all.as_ref().map(|all| self.observed_group(scope, request, all)).map_err(Clone::clone)
                }
                _ => Err(Error::bug("observe", &request.key.to_string(), "it is not of EC2")),
            };
            let is_shared = freshness == Freshness::Shared;
            (request.key.clone(), Observed { is_shared, ..seen.unwrap_or_else(Observed::unreadable) })
        });
        seen.collect()
    }

    fn observed_endpoint(&self, scope: &Scope, request: &Request, all: &Endpoints) -> Observed {
        let (service, wanted) = parse_endpoint_name(&request.key.name);
        let is_it = |endpoint: &&types::VpcEndpoint| {
            let name = endpoint.service_name.as_deref().unwrap_or_default();
            let is_type = endpoint_type(endpoint).is_some_and(|found| wanted.is_none_or(|wanted| wanted == found));
            is_type && arn::is_endpoint_service(&scope.region, service, name)
        };
        let of_service: Vec<&types::VpcEndpoint> = all.0.iter().filter(is_it).collect();
        let is_ours = |endpoint: &&types::VpcEndpoint| Owner::of(&endpoint_tags(endpoint), &scope.owner) == Owner::Ours;
        for endpoint in of_service.iter().copied().filter(is_ours) {
            if matches!(State::of(endpoint), State::Deleting | State::Deleted) {
                self.ended.put(place(endpoint), ());
            }
        }
        // After a lost answer there may be two: the older one stays until it goes.
        let ours = of_service
            .iter()
            .copied()
            .filter(|endpoint| State::of(endpoint) != State::Deleted && is_ours(endpoint))
            .min_by_key(|endpoint| {
                (State::of(endpoint), endpoint.creation_timestamp, endpoint.vpc_endpoint_id.clone())
            });
        // Those of a whole region would be kept with each platform, and are in nobody's way in another VPC.
        let others = of_service
            .iter()
            .copied()
            .filter(|endpoint| request.vpc_id.is_some() && endpoint.vpc_id == request.vpc_id)
            .filter(|endpoint| ours.is_none_or(|ours| ours.vpc_endpoint_id != endpoint.vpc_endpoint_id))
            .filter_map(|endpoint| other(scope, endpoint));
        let facts = EndpointFacts {
            dns_names: ours.map(dns_names).unwrap_or_default(),
            others: others.collect(),
            has_failed: ours.is_some_and(|endpoint| State::of(endpoint) == State::Failed),
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

    /// A name may be that of groups in several VPCs: the platform's own comes first.
    fn observed_group(&self, scope: &Scope, request: &Request, all: &Groups) -> Observed {
        let named = all.0.iter().filter(|group| group.group_name.as_ref() == Some(&request.key.name));
        let candidates = named.map(|group| (Owner::of(&group_tags(group), &scope.owner), group));
        let Some((owner, found)) =
            candidates.min_by_key(|(owner, group)| (*owner != Owner::Ours, group.group_id.clone()))
        else {
            return self.not_listed(scope, request, "security-group");
        };
        self.made.drop_key(&(scope.owner.clone(), request.key.clone()));
        let id = found.group_id.clone().unwrap_or_default();
        let group = SecurityGroup {
            name: request.key.name.clone(),
            vpc_id: found.vpc_id.clone().unwrap_or_default(),
            description: found.description.clone().unwrap_or_default(),
            ingress: flattened(found.ip_permissions()).into_iter().map(|(rule, _)| rule).collect(),
            tags: tags::managed(&group_tags(found)),
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

/// The VPC and the service of an endpoint.
pub(super) fn place(endpoint: &types::VpcEndpoint) -> (String, String) {
    (endpoint.vpc_id.clone().unwrap_or_default(), endpoint.service_name.clone().unwrap_or_default())
}

fn endpoint(scope: &Scope, request: &Request, found: &types::VpcEndpoint) -> Observed {
    let id = found.vpc_endpoint_id.clone().unwrap_or_default();
    let all = endpoint_tags(found);
    let mut unknown = BTreeMap::new();
    let policies = found.policy_document.as_deref().filter(|text| !text.is_empty()).and_then(|text| {
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
        service_name: found.service_name.clone().unwrap_or_default(),
        endpoint_type: endpoint_type(found).unwrap_or(EndpointType::Interface),
        vpc_id: found.vpc_id.clone().unwrap_or_default(),
        subnet_ids: found.subnet_ids().iter().cloned().collect(),
        route_table_ids: found.route_table_ids().iter().cloned().collect(),
        security_group_ids: group_ids(found).map(Reference::known).collect(),
        private_dns: found.private_dns_enabled.unwrap_or_default(),
        policies,
        tags: tags::managed(&all),
        on_conflict: OnConflict::default(),
    };
    Observed {
        arn: Some(arn::ec2(&scope.region, &scope.account_id, "vpc-endpoint", &id)),
        id: Some(id),
        state: state(found, request.pruning),
        unknown,
        ..Observed::present(endpoint.into(), Owner::of(&all, &scope.owner))
    }
}

/// One that is to go can go in every state but on its way out.
fn state(found: &types::VpcEndpoint, pruning: bool) -> ObservedState {
    let text = state_text(found);
    match State::of(found) {
        State::Available => ObservedState::Ready,
        State::Pending | State::PendingAcceptance if pruning => ObservedState::Ready,
        State::Pending | State::PendingAcceptance | State::Deleting => ObservedState::Progressing(text),
        State::Failed => {
            let id = found.vpc_endpoint_id.as_deref().unwrap_or_default();
            ObservedState::Failed(format!("{id} is in the {text}"))
        }
        State::Partial | State::Rejected | State::Expired => {
            let id = found.vpc_endpoint_id.as_deref().unwrap_or_default();
            ObservedState::Failed(format!("{id} is in the {text}: delete it, and another one is made"))
        }
        State::Deleted => ObservedState::Absent,
        State::Unknown => {
            let id = found.vpc_endpoint_id.as_deref().unwrap_or_default();
            ObservedState::Unreadable(failure::unexpected(action::DESCRIBE, id, format_args!("{text} is not known")))
        }
    }
}

/// The endpoint as one of somebody else; `None` for one that takes nothing from others any more.
fn other(scope: &Scope, found: &types::VpcEndpoint) -> Option<OtherEndpoint> {
    let state = State::of(found);
    if matches!(state, State::Deleted | State::Failed | State::Rejected | State::Expired) {
        return None;
    }
    Some(OtherEndpoint {
        id: found.vpc_endpoint_id.clone()?,
        endpoint_type: endpoint_type(found)?,
        vpc_id: found.vpc_id.clone()?,
        private_dns: found.private_dns_enabled.unwrap_or_default(),
        route_table_ids: found.route_table_ids().iter().cloned().collect(),
        dns_names: dns_names(found),
        is_available: state == State::Available,
        owner: Owner::of(&endpoint_tags(found), &scope.owner),
    })
}

fn dns_names(found: &types::VpcEndpoint) -> Vec<String> {
    found.dns_entries().iter().filter_map(|entry| entry.dns_name.clone()).collect()
}

pub(super) fn group_ids(found: &types::VpcEndpoint) -> impl Iterator<Item = String> {
    found.groups().iter().filter_map(|group| group.group_id.clone())
}
