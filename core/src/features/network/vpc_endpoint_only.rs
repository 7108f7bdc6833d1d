//! Object access through the platform's VPC endpoints alone: the denial of everything else in a bucket's policy.
//!
//! It names the ids of endpoints, so that it comes after them and goes before them: a bucket whose denial names endpoints
//! that are gone is locked for everybody.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::conflicts::adopted;
use super::vpc_endpoint::{VpcEndpoint, parse_endpoint_name};
use crate::failure::Error;
use crate::grants::vpc_endpoint_only;
use crate::kind::Listed;
use crate::plan::attainment::LeftOut;
use crate::plan::rules::{BeforeEnd, End, Refine, Refined};
use crate::plan::{Action, Step};
use crate::policy::statement_meaning;
use crate::resource::bucket::{Bucket, VPC_ENDPOINT_ONLY, VpcEndpointOnly, field};
use crate::resource::{Desired, Key, Kind, Observations, Observed, ObservedState, Owner, Removal, Resource};
use crate::tags;

/// S3 as its endpoints know it.
const S3: &str = "s3";

/// The state of an endpoint, as far as the denial goes by it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Standing {
    /// It is available under this id.
    Ready(String),
    /// It is certainly not available.
    NotReady,
    /// It cannot be read.
    Unknown,
}

/// The desired resources, with the denial in the policies of those buckets where it can be in force.
pub(super) fn applied(desired: Vec<Desired>, observations: &Observations) -> Vec<Desired> {
    let standings = standings(&desired, observations);
    let apply = |mut item: Desired| {
        let Resource::Bucket(bucket) = &mut item.resource else { return item };
        let Some(only) = &bucket.vpc_endpoint_only else { return item };
        let live = live_statement(observations.get(&Bucket::key_of(&bucket.name)));
        if let Some(statement) = statement(bucket, only, &standings, live) {
            bucket.pending_policy.remove(VPC_ENDPOINT_ONLY);
            bucket.policy.insert(VPC_ENDPOINT_ONLY.into(), statement);
            let is_ready = |key: &Key| matches!(standings.get(key), Some(Standing::Ready(_)));
            if !only.endpoints.iter().any(is_ready) {
                item.remarks.push(format!(
                    "{VPC_ENDPOINT_ONLY} stays as it is until {} is available, and nobody else reaches objects until then",
                    listed(&only.endpoints)
                ));
            }
        }
        item
    };
    desired.into_iter().map(apply).collect()
}

/// The denial to write, where it can be in force.
///
/// A live one stays where no endpoint is available, or nobody can tell: nothing is opened because something is missing.
/// Ids in a live one that no endpoint has any more go when all endpoints are available. It is put in place when an
/// endpoint is available and it is certain of every other one whether it is.
fn statement(
    bucket: &Bucket,
    only: &VpcEndpointOnly,
    standings: &BTreeMap<Key, Standing>,
    live: Option<&Value>,
) -> Option<Value> {
    let each = || only.endpoints.iter().map(|key| standings.get(key).unwrap_or(&Standing::NotReady));
    let ready = each().filter_map(|standing| if let Standing::Ready(id) = standing { Some(id.clone()) } else { None });
    let mut ids: BTreeSet<String> = ready.collect();
    if live.is_none() && (ids.is_empty() || each().any(|standing| *standing == Standing::Unknown)) {
        return None;
    }
    if !each().all(|standing| matches!(standing, Standing::Ready(_))) {
        ids.extend(live.map(|live| condition(live, "StringNotEquals", "aws:SourceVpce")).unwrap_or_default());
    }
    // Without an exception for the operator it would lock the operator out as well.
    let excepted = only.excepted.clone().filter(|excepted| !excepted.is_empty());
    match excepted {
        Some(excepted) if !ids.is_empty() => {
            let ids = ids.into_iter().collect();
            Some(vpc_endpoint_only(&bucket.region, &bucket.name, Some(ids), Some(excepted)).to_value())
        }
        _ => live.cloned(),
    }
}

/// Steps for buckets say what the denial waits for.
pub(super) fn refine(desired: &[Desired], observations: &Observations) -> Refine<'static> {
    let standings = standings(desired, observations);
    Box::new(move |mut step| {
        step.left_out.extend(waiting(&step, &standings));
        Refined { before: Vec::new(), step }
    })
}

fn waiting(step: &Step, standings: &BTreeMap<Key, Standing>) -> Vec<LeftOut> {
    let Some(Resource::Bucket(bucket)) = &step.desired else { return Vec::new() };
    let is_open = matches!(step.action, Action::Create | Action::Update(_) | Action::Keep);
    let only = bucket.vpc_endpoint_only.as_ref();
    let Some(only) = only.filter(|_| is_open && bucket.pending_policy.contains_key(VPC_ENDPOINT_ONLY)) else {
        return Vec::new();
    };
    let is_missing = |key: &&Key| !matches!(standings.get(key), Some(Standing::Ready(_)));
    let missing = only.endpoints.iter().filter(is_missing);
    let left_out = |about: &Key, why: String| LeftOut {
        about: about.clone(),
        reason: "Blocked",
        message: format!("{VPC_ENDPOINT_ONLY} is not in force: {why}"),
        needs_somebody: false,
    };
    let left: Vec<LeftOut> = missing.map(|key| left_out(key, format!("it waits until {key} is available"))).collect();
    if left.is_empty() {
        let why = "it is not known under which identity the operator works, which has to be excepted";
        return vec![left_out(&step.key, why.into())];
    }
    left
}

/// Resources whose denial, as far as is known, names the endpoint, or may name it.
pub(super) fn held_by(key: &Key, endpoint: &Observed, observations: &Observations) -> Vec<Key> {
    if !is_s3_endpoint(key) {
        return Vec::new();
    }
    let names_it = |observed: &Observed| match observed.state {
        ObservedState::Absent => false,
        _ if matches!(observed.owner, Owner::Theirs(_)) => false,
        ObservedState::Unreadable(_) => true,
        _ if observed.owner != Owner::Ours => false,
        _ if observed.unknown.contains_key(field::POLICY) => true,
        _ => live_statement(Some(observed)).is_some_and(|live| {
            let ids = condition(live, "StringNotEquals", "aws:SourceVpce");
            endpoint.id.as_ref().is_none_or(|id| ids.is_empty() || ids.contains(id))
        }),
    };
    let buckets = observations.iter().filter(|(other, observed)| other.kind == Kind::Bucket && names_it(observed));
    buckets.map(|(other, _)| other.clone()).collect()
}

/// A bucket that stays is released from the denial before it is left, because nobody keeps the ids in it up to date any
/// more. One that is emptied first has to let the operator in, whoever that is by now.
pub(super) fn before_end(end: &End) -> Option<BeforeEnd> {
    let End { key, observed, action, observations, intent } = end;
    if key.kind != Kind::Bucket || intent.retains_everything().is_some() {
        return None;
    }
    let unknown = || -> Option<&Error> {
        match &observed.state {
            ObservedState::Unreadable(error) => Some(error),
            _ => observed.unknown.get(field::POLICY),
        }
    };
    match action {
        Action::Retain(_) if let Some(error) = unknown() => {
            let may_be_denied = observations.keys().any(is_s3_endpoint);
            may_be_denied.then(|| BeforeEnd::Unreadable(error.clone()))
        }
        Action::Retain(why) => {
            let mut bucket = observed.resource_of::<Bucket>()?.clone();
            bucket.policy.remove(VPC_ENDPOINT_ONLY)?;
            // The tag may say something else than what was decided.
            bucket.tags.insert(tags::DELETION_POLICY.into(), Removal::Retain.name().into());
            let remark = format!("{why}; {VPC_ENDPOINT_ONLY} is taken off before, or nobody would reach its objects");
            Some(BeforeEnd::Update(Box::new(bucket.into()), field::POLICY, remark))
        }
        Action::Delete { with_contents: true } => {
            let live = live_statement(Some(observed))?;
            let caller = intent.caller.as_ref()?.principals();
            let excepted = condition(live, "ArnNotLike", "aws:PrincipalArn");
            if caller.is_empty() || caller.iter().all(|principal| excepted.contains(principal)) {
                return None;
            }
            let mut bucket = observed.resource_of::<Bucket>()?.clone();
            let ids = condition(live, "StringNotEquals", "aws:SourceVpce").into_iter().collect();
            let statement = vpc_endpoint_only(&bucket.region, &bucket.name, Some(ids), Some(caller));
            bucket.policy.insert(VPC_ENDPOINT_ONLY.into(), statement.to_value());
            bucket.tags.insert(tags::DELETION_POLICY.into(), Removal::WithContents.name().into());
            let remark = format!("{VPC_ENDPOINT_ONLY} lets the operator in first, which empties the bucket");
            Some(BeforeEnd::Update(Box::new(bucket.into()), field::POLICY, remark))
        }
        _ => None,
    }
}

/// Endpoints that a step relies on which writes the denial.
pub(crate) fn grounds(step: &Step) -> &[Key] {
    let Some(Resource::Bucket(bucket)) = &step.desired else { return &[] };
    let only = bucket.vpc_endpoint_only.as_ref();
    only.filter(|_| bucket.policy.contains_key(VPC_ENDPOINT_ONLY)).map_or(&[], |only| &only.endpoints)
}

fn standings(desired: &[Desired], observations: &Observations) -> BTreeMap<Key, Standing> {
    let endpoints = desired.iter().filter_map(|item| VpcEndpoint::of(&item.resource));
    endpoints
        .map(|endpoint| {
            let key = VpcEndpoint::key_of(&endpoint.name);
            let standing = standing(endpoint, observations.get(&key), observations);
            (key, standing)
        })
        .collect()
}

fn standing(endpoint: &VpcEndpoint, observed: Option<&Observed>, observations: &Observations) -> Standing {
    let Some(observed) = observed else { return Standing::NotReady };
    match (&observed.state, &observed.id) {
        (ObservedState::Unreadable(_), _) => Standing::Unknown,
        (ObservedState::Ready, Some(id)) if observed.owner == Owner::Ours => Standing::Ready(id.clone()),
        (ObservedState::Absent, _) => {
            let adopted = adopted(endpoint, observations).filter(|other| other.is_available);
            adopted.map_or(Standing::NotReady, |other| Standing::Ready(other.id.clone()))
        }
        (ObservedState::Ready | ObservedState::Progressing(_) | ObservedState::Failed(_), _) => Standing::NotReady,
    }
}

fn live_statement(observed: Option<&Observed>) -> Option<&Value> {
    observed?.resource_of::<Bucket>()?.policy.get(VPC_ENDPOINT_ONLY)
}

/// The values of a condition.
fn condition(statement: &Value, operator: &str, key: &str) -> BTreeSet<String> {
    match &statement_meaning(statement)["Condition"][operator][key] {
        Value::String(value) => BTreeSet::from([value.clone()]),
        Value::Array(values) => values.iter().filter_map(Value::as_str).map(ToString::to_string).collect(),
        _ => BTreeSet::new(),
    }
}

fn is_s3_endpoint(key: &Key) -> bool {
    // The name of a borrowed one begins with that of its owner.
    let name = key.name.rsplit('/').next().unwrap_or_default();
    key.kind == Kind::VpcEndpoint && parse_endpoint_name(name).0 == S3
}

fn listed(keys: &[Key]) -> String {
    keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}
