//! The resources that a status lists: everything that may have been made for the object.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::Subject;
use crate::api::status::{AIPlatformStatus, ResourceStatus, State};
use crate::plan::Plan;
use crate::resource::{Key, Kind, Resource};

/// Whatever the status lists and no step was ever taken for: nothing of it can exist.
#[must_use]
pub fn never_attempted(status: Option<&AIPlatformStatus>) -> BTreeSet<Key> {
    let resources = status.map(|status| status.resources.as_slice()).unwrap_or_default();
    let untouched = resources.iter().filter(|resource| resource.never_attempted);
    untouched
        .filter_map(|resource| Some(Key { kind: Kind::named(&resource.kind)?, name: resource.name.clone() }))
        .collect()
}

/// The resources a status knows of, so that what is no longer declared is not forgotten.
#[must_use]
pub fn inventory(status: Option<&AIPlatformStatus>) -> Vec<Key> {
    let resources = status.map(|status| status.resources.as_slice()).unwrap_or_default();
    resources
        .iter()
        .filter_map(|resource| Kind::named(&resource.kind).map(|kind| Key { kind, name: resource.name.clone() }))
        .collect()
}

/// The inventory: known resources stay, and new ones are listed before they are created.
pub(super) fn announced(before: &AIPlatformStatus, resources: &[Resource], now: Timestamp) -> Vec<ResourceStatus> {
    let mut listed: Vec<ResourceStatus> = Vec::new();
    for resource in resources {
        let key = resource.key();
        let known = before.resources.iter().find(|known| is(known, &key)).cloned();
        // What the spec says now holds from here on.
        let has_own = key.kind.info().has_deletion_policy;
        let deletion_policy = has_own.then(|| resource.removal().name().to_string());
        let known = known.map(|known| ResourceStatus { deletion_policy: deletion_policy.clone(), ..known });
        listed.push(known.unwrap_or_else(|| ResourceStatus {
            kind: key.kind.name().into(),
            name: key.name.clone(),
            id: None,
            arn: resource.arn(),
            state: State::Progressing,
            reason: Some("Pending".into()),
            message: None,
            deletion_policy,
            never_attempted: true,
            since: Some(Time(now)),
        }));
    }
    let rest = before.resources.iter().filter(|known| !resources.iter().any(|resource| is(known, &resource.key())));
    let rest: Vec<ResourceStatus> = rest.cloned().collect();
    listed.extend(rest);
    listed
}

/// The listed resources, and those that the plan creates besides; of what its steps are for, something may have been
/// made from here on.
pub(super) fn attempted(before: &AIPlatformStatus, plan: &Plan, now: Timestamp) -> Vec<ResourceStatus> {
    let resources: Vec<Resource> = plan.steps.iter().filter_map(|step| step.desired.clone()).collect();
    let mut listed = announced(before, &resources, now);
    for step in plan.steps.iter().filter(|step| step.may_be_taken()) {
        for resource in listed.iter_mut().filter(|resource| is(resource, &step.key)) {
            resource.never_attempted = false;
        }
    }
    listed
}

/// Resources that were never attempted and have no step while the object is being deleted: each is declared until the
/// end, and the next pass has to know of it too.
pub(super) fn passed_over(before: &AIPlatformStatus, subject: Subject, plan: &Plan) -> Vec<ResourceStatus> {
    let untouched = before.resources.iter().filter(|resource| subject.deleting && resource.never_attempted);
    untouched.filter(|resource| !plan.steps.iter().any(|step| is(resource, &step.key))).cloned().collect()
}

pub(super) fn is(resource: &ResourceStatus, key: &Key) -> bool {
    resource.kind == key.kind.name() && resource.name == key.name
}
