//! What a platform wants to exist. Pure and total: a valid platform always has an answer.

mod access;
pub mod sagemaker;
mod storage;

use crate::grants::grants;
use crate::platform::Platform;
use crate::resource::Desired;
use crate::tags;

/// Everything the platform wants, in an order in which each comes after what it needs.
#[must_use]
pub fn desire(platform: &Platform, cluster: &str) -> Vec<Desired> {
    let owner = tags::owner(cluster, &platform.namespace, &platform.name);
    let tags = tags::desired(&owner, &platform.ownership, &platform.tags);
    // Validation has refused a platform whose grants do not fit.
    let grants = grants(platform).unwrap_or_default();
    let mut desired = storage::desire(platform, &tags);
    let (roles, bindings) = access::desire(platform, &grants, &owner, &tags);
    desired.extend(roles);
    desired.extend(sagemaker::desire(platform, &tags));
    desired.extend(bindings);
    desired
}
