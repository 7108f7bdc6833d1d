//! The desired resources of a platform. Pure and total: a valid platform always has an answer.

mod access;
pub mod sagemaker;
mod storage;

use crate::features::endpoints;
use crate::grants::Purpose;
use crate::platform::Platform;
use crate::resource::Desired;
use crate::tags;
pub use storage::removals;

/// Everything the platform wants, in an order in which each comes after what it needs.
#[must_use]
pub fn desire(platform: &Platform, cluster: &str) -> Vec<Desired> {
    let owner = tags::owner(cluster, &platform.namespace, &platform.name);
    let tags = tags::desired(&owner, &platform.ownership, &platform.tags);
    let mut desired = storage::desire(platform, &tags);
    desired.extend(access::roles(platform, Purpose::Execution, &tags));
    desired.extend(sagemaker::desire(platform, &tags));
    // After the endpoints that they are about.
    desired.extend(access::roles(platform, Purpose::Consumer, &tags));
    desired.extend(access::bindings(platform, &owner, &tags));
    desired.extend(endpoints::desire(platform));
    desired
}
