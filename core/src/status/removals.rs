//! The removals that the status remembers for resources which a spec may no longer declare.

use std::collections::BTreeMap;

use crate::api::DeletionPolicy;
use crate::api::status::{AIPlatformStatus, ResourceStatus, State};
use crate::resource::{Key, Kind, Removal};

/// The removal that earlier specs declared for each resource. A bucket that is retained already stays retained.
#[must_use]
pub fn removals(status: Option<&AIPlatformStatus>) -> BTreeMap<Key, Removal> {
    let resources = status.map(|status| status.resources.as_slice()).unwrap_or_default();
    let removals = resources.iter().filter_map(|resource| {
        let kind = Kind::named(&resource.kind)?;
        Some((Key { kind, name: resource.name.clone() }, removal(resource)?))
    });
    removals.collect()
}

/// The deletion policy of the last accepted spec. A word of a later version keeps everything.
#[must_use]
pub fn accepted_end(status: Option<&AIPlatformStatus>) -> Option<DeletionPolicy> {
    let policy = status?.deletion_policy.as_deref()?;
    Some(if policy == end_name(DeletionPolicy::Delete) { DeletionPolicy::Delete } else { DeletionPolicy::Retain })
}

/// The deletion policy as it stands in the status.
pub(super) fn end_name(end: DeletionPolicy) -> &'static str {
    match end {
        DeletionPolicy::Delete => "Delete",
        DeletionPolicy::Retain => "Retain",
    }
}

/// The removal that an entry of the status remembers.
pub(super) fn removal(resource: &ResourceStatus) -> Option<Removal> {
    let is_retained_by_itself = Kind::named(&resource.kind).is_some_and(|kind| kind.info().removal == Removal::Retain);
    match resource.deletion_policy.as_deref().map(Removal::parse) {
        Some(removal) => Some(removal.unwrap_or(Removal::Retain)),
        // Written by a version that did not remember it.
        None => (is_retained_by_itself && resource.state == State::Retained).then_some(Removal::Retain),
    }
}
