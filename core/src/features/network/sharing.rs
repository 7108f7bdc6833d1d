//! Sharing: a network has one owner, and platforms in namespaces that the owner names borrow it. What they use is added to
//! the owner's endpoints and to the policies of those, as long as they are there.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;
use serde_json::{Value, json};

use super::preconditions::Unmet;
use crate::api::AIPlatform;
use crate::api::network::PlatformRef;
use crate::api::status::{AIPlatformStatus, ResourceStatus, State};
use crate::desire::security_group_name;
use crate::features::network::vpc_endpoint::{EndpointType, endpoint_name, parse_endpoint_name};
use crate::features::network::vpc_endpoint_only;
use crate::grants::grants;
use crate::kind::Part;
use crate::lookup::{Answer, Answers, Lookup, NetworkFacts};
use crate::plan::Action;
use crate::plan::rules::{Refine, Refined};
use crate::platform::{Endpoint, Network, Platform, Problem, default_policy, validate};
use crate::policy::Statement;
use crate::resource::{Desired, Key, Kind, Observations, Observed, ObservedState, Owner};

/// Reasons of the condition Ready under which nothing is made for a platform.
const NOT_ACCEPTED: [&str; 3] = ["InvalidSpec", "NotPermitted", "AccountMismatch"];

/// A platform that borrows a network, with what its status says is its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Borrower {
    /// The platform.
    pub platform: Platform,
    /// Resources that are there for it.
    pub attained: BTreeSet<Key>,
}

impl Borrower {
    /// The statements that hold of it: those about what it has attained, or about nothing that it makes.
    #[must_use]
    pub fn attained(&self, statements: Vec<Statement>) -> Vec<Statement> {
        let is_attained =
            |statement: &Statement| statement.about.as_ref().is_none_or(|key| self.attained.contains(key));
        let held = statements.into_iter().filter(is_attained);
        held.map(|statement| Statement { about: None, ..statement }).collect()
    }
}

/// A platform that relies on endpoints of a network without borrowing them by its spec: it did a moment ago, or its spec
/// is not accepted and nobody can tell what it wants. Its status says what it still relies on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its namespace and name.
    pub id: String,
    /// The endpoints by name.
    pub endpoints: BTreeSet<String>,
    /// Its buckets, by their names in S3, as far as they are not among what it borrows for.
    pub buckets: BTreeSet<String>,
}

/// The lookups that sharing needs: the owner of a borrowed network, or the borrowers of a shared one.
#[must_use]
pub fn lookups(platform: &Platform) -> Vec<Lookup> {
    let Some(network) = &platform.network else { return Vec::new() };
    match &network.from {
        Some(owner) => vec![Lookup::Owner(owner.clone())],
        None => borrowers_lookup(platform, network).into_iter().collect(),
    }
}

/// The platforms that borrow the network of this one.
#[must_use]
pub fn borrowers(platform: &Platform, answers: &Answers) -> Vec<Borrower> {
    let Some(Ok(Answer::Borrowers(objects))) =
        platform.network.as_ref().and_then(|network| answers.get(&borrowers_lookup(platform, network)?))
    else {
        return Vec::new();
    };
    objects.iter().filter_map(|object| borrower(platform, object)).collect()
}

/// The platforms that still rely on endpoints of this one's network.
fn holders(platform: &Platform, answers: &Answers) -> Vec<Holder> {
    let Some(Ok(Answer::Borrowers(objects))) =
        platform.network.as_ref().and_then(|network| answers.get(&borrowers_lookup(platform, network)?))
    else {
        return Vec::new();
    };
    objects.iter().filter_map(|object| holder(platform, object)).collect()
}

/// The platform with what sharing adds to it: an owner with its borrowers and what they use, a borrower with the owner's
/// network and the roles that follow from it.
///
/// # Errors
/// Problems with the roles.
pub fn resolved(
    mut platform: Platform,
    answers: &Answers,
    facts: Option<&NetworkFacts>,
) -> Result<Platform, Vec<Problem>> {
    let borrowers = borrowers(&platform, answers);
    let holders = holders(&platform, answers);
    let lender = lender(&platform, answers);
    let wanted = wanted_by(&borrowers, &platform, facts);
    let held = held_by(&holders, &platform, facts);
    let Some(network) = &mut platform.network else { return Ok(platform) };
    for (borrower, name, wanted) in wanted {
        let endpoint = network.endpoints.entry(name.clone()).or_insert_with(|| {
            let policy = network.policies.get(&wanted.service).copied().unwrap_or(wanted.policy);
            Endpoint { policy, sources: Vec::new(), ..wanted.clone() }
        });
        endpoint.sources.push(format!("AIPlatform {}", borrower.platform.id()));
    }
    for (holder, endpoint) in held {
        let name = endpoint_name(&endpoint.service, endpoint.endpoint_type);
        let source = format!("AIPlatform {holder}, which still relies on it");
        network.endpoints.entry(name).or_insert(endpoint).sources.push(source);
    }
    network.borrowers = borrowers;
    network.holders = holders;
    let Some(lender) = lender.and_then(|lender| lender.network) else { return Ok(platform) };
    let network = Network {
        vpc_id: lender.vpc_id,
        subnet_ids: lender.subnet_ids,
        model_security_group_ids: lender.model_security_group_ids,
        ..network.clone()
    };
    in_network(platform, network)
}

/// The platform in this network, with the roles that follow from it.
///
/// # Errors
/// Problems with the roles.
pub fn in_network(mut platform: Platform, network: Network) -> Result<Platform, Vec<Problem>> {
    platform.network = Some(network);
    platform.grants = grants(&platform)?;
    Ok(platform)
}

/// The name of something borrowed: the owner's, and what it is there.
#[must_use]
pub fn borrowed_name(owner: &PlatformRef, name: &str) -> String {
    format!("{}/{}/{name}", owner.namespace, owner.name)
}

/// True for the name of a part of a network that is borrowed: no other part of a network has a slash in its name.
#[must_use]
pub fn is_borrowed(name: &str) -> bool {
    name.contains('/')
}

/// The platform that this one borrows a network of, where it is there.
fn lender(platform: &Platform, answers: &Answers) -> Option<Platform> {
    validate(owner_in(answers, owner(platform)?)?.as_deref()?).ok()
}

/// The platform whose network this one borrows, by its name.
fn owner(platform: &Platform) -> Option<&PlatformRef> {
    platform.network.as_ref()?.from.as_ref()
}

/// The object of an owner, where it was looked up; nothing in it where there is none of that name.
fn owner_in<'a>(answers: &'a Answers, owner: &PlatformRef) -> Option<&'a Option<Box<AIPlatform>>> {
    match answers.get(&Lookup::Owner(owner.clone()))? {
        Ok(Answer::Owner(object)) => Some(object),
        Ok(Answer::Network(_) | Answer::Borrowers(_) | Answer::Caller(_) | Answer::Api(_)) | Err(_) => None,
    }
}

/// The endpoints that borrowers use and the network can have. Without route tables there is no gateway, and some regions
/// lack a service: that holds up the borrower alone.
fn wanted_by<'a>(
    borrowers: &'a [Borrower],
    owner: &Platform,
    facts: Option<&NetworkFacts>,
) -> Vec<(&'a Borrower, &'a String, &'a Endpoint)> {
    let wanted = borrowers.iter().flat_map(|borrower| {
        let endpoints = borrower.platform.network.iter().flat_map(|network| &network.endpoints);
        endpoints.map(move |(name, endpoint)| (borrower, name, endpoint))
    });
    wanted.filter(|(_, _, endpoint)| is_possible(endpoint, owner, facts)).collect()
}

/// The endpoints that platforms still rely on, with the platform that does.
fn held_by<'a>(holders: &'a [Holder], owner: &Platform, facts: Option<&NetworkFacts>) -> Vec<(&'a str, Endpoint)> {
    let Some(network) = &owner.network else { return Vec::new() };
    let endpoint = |name: &str| {
        let (service, endpoint_type) = parse_endpoint_name(name);
        Endpoint {
            service: service.into(),
            endpoint_type: endpoint_type.unwrap_or(EndpointType::Interface),
            policy: network.policies.get(service).copied().unwrap_or_else(|| default_policy(service)),
            sources: Vec::new(),
        }
    };
    let held =
        holders.iter().flat_map(|holder| holder.endpoints.iter().map(move |name| (holder.id.as_str(), endpoint(name))));
    held.filter(|(_, endpoint)| is_possible(endpoint, owner, facts)).collect()
}

/// True for an endpoint that a network can have, as far as is known.
fn is_possible(endpoint: &Endpoint, owner: &Platform, facts: Option<&NetworkFacts>) -> bool {
    let has_routes = owner.network.as_ref().is_some_and(|network| !network.route_table_ids.is_empty());
    let is_interface = endpoint.endpoint_type == EndpointType::Interface;
    let service = |facts: &NetworkFacts| facts.service(&owner.region, &endpoint.service, is_interface).is_some();
    (is_interface || has_routes) && facts.is_none_or(service)
}

/// Everything that is in the way of borrowing.
#[must_use]
pub fn unmet(platform: &Platform, answers: &Answers) -> Vec<Unmet> {
    let Some(owner) = owner(platform) else { return Vec::new() };
    let unmet = |reason: &'static str, message: String| {
        vec![Unmet { reason, problem: Problem::new("spec.network.from", message) }]
    };
    let id = format!("{}/{}", owner.namespace, owner.name);
    let Some(found) = owner_in(answers, owner) else { return Vec::new() };
    let Some(object) = found else {
        return unmet(
            "Prerequisite",
            format!("there is no AIPlatform {id}: name one that has a network and shares it"),
        );
    };
    let spec = &object.spec;
    if (&spec.region, &spec.account_id) != (&platform.region, &platform.account_id) {
        let message = format!(
            "AIPlatform {id} is in {} of account {}, and this platform in {} of account {}: borrow a network of the same",
            spec.region, spec.account_id, platform.region, platform.account_id
        );
        return unmet("Prerequisite", message);
    }
    let Ok(lender) = validate(object) else {
        return unmet("Prerequisite", format!("the spec of AIPlatform {id} is not valid: its status says why"));
    };
    match &lender.network {
        None => unmet("Prerequisite", format!("AIPlatform {id} has no network: name one that has")),
        Some(Network { from: Some(further), .. }) => {
            let message = format!(
                "AIPlatform {id} borrows its network itself, from {}/{}: borrow from there",
                further.namespace, further.name
            );
            unmet("Prerequisite", message)
        }
        Some(network) if !shares(network, owner, &platform.namespace) => {
            let message = format!(
                "AIPlatform {id} does not share its network with namespace {}: ask its owners to add it to \
                 spec.network.shareWith.namespaces",
                platform.namespace
            );
            unmet("NotPermitted", message)
        }
        Some(network) => {
            let gateways = platform.network.iter().flat_map(|own| own.endpoints.values());
            let gateway = gateways.into_iter().find(|endpoint| endpoint.endpoint_type == EndpointType::Gateway);
            match gateway.filter(|_| network.route_table_ids.is_empty()) {
                None => Vec::new(),
                Some(endpoint) => {
                    let message = format!(
                        "the network of AIPlatform {id} has no routeTableIds, and {} wants a gateway endpoint for {}: ask \
                         its owners to name the route tables",
                        endpoint.sources.join(", "),
                        endpoint.service
                    );
                    unmet("Prerequisite", message)
                }
            }
        }
    }
}

/// Observations of what is borrowed: as the status of the owner says.
#[must_use]
pub fn observations(platform: &Platform, desired: &[Desired], answers: &Answers) -> Observations {
    let Some(owner) = owner(platform) else { return Observations::new() };
    let Some(Some(object)) = owner_in(answers, owner) else { return Observations::new() };
    let observed = of_network(desired).map(|item| {
        let key = item.resource.key();
        let resources = object.status.iter().flat_map(|status| &status.resources);
        let found = resources.filter(|found| found.kind == key.kind.name()).find(|found| {
            let Some(part) = key.name.strip_prefix(&borrowed_name(owner, "")) else { return false };
            match key.kind {
                Kind::SecurityGroup => found.name == security_group_name(platform, owner, part),
                _ => found.name == part,
            }
        });
        let state = match found.map(|found| (&found.state, &found.message)) {
            Some((State::Ready, _)) => ObservedState::Ready,
            Some((_, message)) => {
                let why = message.as_deref().unwrap_or("on its way");
                ObservedState::Progressing(format!("AIPlatform {}/{} has it: {why}", owner.namespace, owner.name))
            }
            None => {
                ObservedState::Progressing(format!("AIPlatform {}/{} has not made it yet", owner.namespace, owner.name))
            }
        };
        let observed = Observed {
            state,
            id: found.and_then(|found| found.id.clone()),
            arn: found.and_then(|found| found.arn.clone()),
            remarks: vec![format!("borrowed from AIPlatform {}/{}", owner.namespace, owner.name)],
            ..Observed::present(item.resource.clone(), Owner::Ours)
        };
        (key, observed)
    });
    observed.collect()
}

/// Observations of what was borrowed and is not desired any more, of which the status knows. It is never this platform's to
/// delete, and nothing is asked of AWS. While a bucket may be reached through it alone it is waited for: the status
/// goes on to name it, and its owner keeps it as long as it does.
#[must_use]
pub fn formerly_borrowed(
    status: Option<&AIPlatformStatus>,
    desired: &[Desired],
    observations: &Observations,
) -> Observations {
    let resources = status.into_iter().flat_map(|status| &status.resources);
    let former = resources.filter_map(|found| {
        let key = Key { kind: Kind::named(&found.kind)?, name: found.name.clone() };
        let is_former = is_of_another_network(&key) && !desired.iter().any(|item| item.resource.key() == key);
        is_former.then_some((key, found))
    });
    let observed = former.map(|(key, found)| {
        let id = found.id.clone();
        let endpoint = Observed { id, arn: found.arn.clone(), owner: Owner::Ours, ..Observed::absent() };
        let behind = vpc_endpoint_only::held_by(&key, &endpoint, observations);
        if found.id.is_none() || behind.is_empty() {
            return (key, Observed::absent());
        }
        let names = behind.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let why = format!("it is not desired any more, and the policy of {names} may still name it");
        (key, Observed { state: ObservedState::Progressing(why), ..endpoint })
    });
    observed.collect()
}

/// Steps for what is borrowed never write: it is its owner's to make.
pub(super) fn refine() -> Refine<'static> {
    Box::new(|mut step| {
        if is_of_another_network(&step.key) && step.action.writes() {
            step.action = Action::Wait("its owner has not made it as it is wanted here".into());
        }
        Refined { before: Vec::new(), step }
    })
}

/// True for a part of a network of another platform.
#[must_use]
pub fn is_of_another_network(key: &Key) -> bool {
    key.kind.info().part == Part::Network && is_borrowed(&key.name)
}

/// Observations of what is borrowed where nobody can be asked: it is taken to be there, because its owner makes it.
#[must_use]
pub fn assumed(platform: &Platform, desired: &[Desired]) -> Observations {
    let Some(owner) = owner(platform) else { return Observations::new() };
    let assumed = of_network(desired).map(|item| {
        let remarks =
            vec![format!("borrowed from AIPlatform {}/{}, which is taken to have it", owner.namespace, owner.name)];
        (item.resource.key(), Observed { remarks, ..Observed::present(item.resource.clone(), Owner::Ours) })
    });
    assumed.collect()
}

fn of_network(desired: &[Desired]) -> impl Iterator<Item = &Desired> {
    desired.iter().filter(|item| item.resource.kind().info().part == Part::Network)
}

/// The part of an object that other platforms go by, as owner or as borrower. While it stays the same, they need not look.
#[must_use]
pub fn outline(object: &AIPlatform) -> Option<Value> {
    if object.spec.network.is_none() && lenders(object).is_empty() {
        return None;
    }
    let network = &object.spec.network;
    let resources = object.status.iter().flat_map(|status| &status.resources);
    let resources: BTreeMap<String, Value> = resources
        .map(|found| {
            let key = format!("{} {}", found.kind, found.name);
            (key, json!([found.state == State::Ready, is_there(found), found.id]))
        })
        .collect();
    Some(json!({
        "network": network,
        "generation": object.metadata.generation,
        "accepted": object.status.as_ref().map(is_accepted),
        "resources": resources,
    }))
}

/// The lookup by which the owner of a shared network learns whether it may go, be its spec valid or not.
#[must_use]
pub fn lookup_of_borrowers(object: &AIPlatform) -> Option<Lookup> {
    let shared = object.spec.network.as_ref()?.share_with.as_ref()?;
    let owner = PlatformRef { namespace: object.namespace()?, name: object.name_any() };
    Some(borrowers_of(owner, &shared.namespaces))
}

/// The platforms that borrow the network of an object and are still there.
#[must_use]
pub fn still_borrowing(lookup: &Lookup, answers: &Answers) -> Vec<String> {
    let (Lookup::Borrowers { owner, .. }, Some(Ok(Answer::Borrowers(objects)))) = (lookup, answers.get(lookup)) else {
        return Vec::new();
    };
    let borrowing = objects.iter().filter(|object| lenders(object).contains(owner));
    borrowing.map(id_of).collect()
}

/// The owner that an object borrows from.
#[must_use]
pub fn owner_of(object: &AIPlatform) -> Option<&PlatformRef> {
    object.spec.network.as_ref()?.from.as_ref()
}

/// The platforms whose networks an object relies on: the one that its spec names, and those of which its status lists
/// endpoints.
#[must_use]
pub fn lenders(object: &AIPlatform) -> BTreeSet<PlatformRef> {
    let resources = object.status.iter().flat_map(|status| &status.resources);
    let relied_on = resources.filter(|found| is_relied_on(found)).filter_map(|found| {
        let (namespace, rest) = found.name.split_once('/')?;
        let (name, _) = rest.split_once('/')?;
        Some(PlatformRef { namespace: namespace.into(), name: name.into() })
    });
    relied_on.chain(owner_of(object).cloned()).collect()
}

/// True for an endpoint of another platform that is there. No step is ever taken for one.
fn is_relied_on(found: &ResourceStatus) -> bool {
    found.kind == Kind::VpcEndpoint.name() && is_borrowed(&found.name) && found.id.is_some()
}

fn holder(owner: &Platform, object: &AIPlatform) -> Option<Holder> {
    let spec = &object.spec;
    if spec.region != owner.region || spec.account_id != owner.account_id {
        return None;
    }
    let lender = PlatformRef { namespace: owner.namespace.clone(), name: owner.name.clone() };
    let prefix = borrowed_name(&lender, "");
    let borrower = borrower(owner, object);
    let wanted = |name: &str| {
        let network = borrower.as_ref().and_then(|borrower| borrower.platform.network.as_ref());
        network.is_some_and(|network| network.endpoints.contains_key(name))
    };
    let resources = &object.status.as_ref()?.resources;
    let relied_on = resources.iter().filter(|found| is_relied_on(found));
    let endpoints: BTreeSet<String> =
        relied_on.filter_map(|found| found.name.strip_prefix(&prefix)).map(ToString::to_string).collect();
    let known = |name: &str| {
        let buckets = borrower.iter().flat_map(|borrower| &borrower.platform.buckets);
        buckets.into_iter().any(|bucket| bucket.bucket_name == name)
    };
    let buckets = resources.iter().filter(|found| found.kind == Kind::Bucket.name() && is_there(found));
    let buckets =
        buckets.map(|found| found.name.clone()).filter(|name| !endpoints.is_empty() && !known(name)).collect();
    let endpoints = endpoints.into_iter().filter(|name| !wanted(name)).collect();
    let holder = Holder { id: id_of(object), endpoints, buckets };
    (!holder.endpoints.is_empty() || !holder.buckets.is_empty()).then_some(holder)
}

fn id_of(object: &AIPlatform) -> String {
    format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any())
}

fn borrowers_lookup(platform: &Platform, network: &Network) -> Option<Lookup> {
    let shared = network.share_with.as_ref()?;
    let owner = PlatformRef { namespace: platform.namespace.clone(), name: platform.name.clone() };
    Some(borrowers_of(owner, shared))
}

/// The platforms of the owner's own namespace always may borrow.
fn borrowers_of<'a>(owner: PlatformRef, shared: impl IntoIterator<Item = &'a String>) -> Lookup {
    let namespaces = shared.into_iter().cloned().chain([owner.namespace.clone()]).collect();
    Lookup::Borrowers { owner, namespaces }
}

fn shares(network: &Network, owner: &PlatformRef, namespace: &str) -> bool {
    network.share_with.as_ref().is_some_and(|shared| namespace == owner.namespace || shared.contains(namespace))
}

fn borrower(owner: &Platform, object: &AIPlatform) -> Option<Borrower> {
    let from = owner_of(object)?;
    let is_from = from.namespace == owner.namespace && from.name == owner.name;
    let spec = &object.spec;
    let is_near = spec.region == owner.region && spec.account_id == owner.account_id;
    let namespace = object.namespace().unwrap_or_default();
    let is_allowed = owner.network.as_ref().is_some_and(|network| shares(network, from, &namespace));
    let status = object.status.as_ref()?;
    if !is_from || !is_near || !is_allowed || !is_accepted(status) {
        return None;
    }
    let there = status.resources.iter().filter(|found| is_there(found));
    let attained = there.filter_map(|found| Some(Key { kind: Kind::named(&found.kind)?, name: found.name.clone() }));
    Some(Borrower { attained: attained.collect(), platform: validate(object).ok()? })
}

/// True when passes are taken over an object, as far as its status says.
fn is_accepted(status: &AIPlatformStatus) -> bool {
    let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
    ready.is_some_and(|ready| !NOT_ACCEPTED.contains(&ready.reason.as_str()))
}

/// True when a resource is there and the platform's own.
fn is_there(found: &ResourceStatus) -> bool {
    matches!(found.state, State::Ready | State::Progressing | State::Failed) && !found.never_attempted
}
