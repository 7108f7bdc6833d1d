//! The desired resources of a platform. Pure and total: a valid platform always has an answer.

mod access;
pub mod inference;
pub(crate) mod network;
pub mod sagemaker;
mod storage;

use crate::features::endpoints;
use crate::grants::Purpose;
use crate::lookup::{self, Answers};
use crate::platform::Platform;
use crate::resource::Desired;
use crate::tags;
pub use network::{MODELS, security_group_name};
pub use storage::removals;

/// Everything the platform wants, in an order in which each comes after what it needs, as far as it is known without
/// lookups. The keys are all there.
#[must_use]
pub fn desire(platform: &Platform, cluster: &str) -> Vec<Desired> {
    desire_with(platform, cluster, &Answers::new())
}

/// Everything the platform wants, with what follows from the answers to its lookups.
#[must_use]
pub fn desire_with(platform: &Platform, cluster: &str, answers: &Answers) -> Vec<Desired> {
    let owner = tags::owner(cluster, &platform.namespace, &platform.name);
    let tags = tags::desired(&owner, &platform.ownership, &platform.tags);
    let facts = lookup::network_facts(platform, answers);
    let mut desired = network::groups(platform, &tags, facts);
    desired.extend(storage::desire(platform, &tags, lookup::caller(answers)));
    desired.extend(access::roles(platform, Purpose::Execution, &tags));
    desired.extend(sagemaker::desire(platform, &tags));
    // After the endpoints and buckets that they are about.
    desired.extend(network::endpoints(platform, &tags, facts));
    desired.extend(access::roles(platform, Purpose::Consumer, &tags));
    desired.extend(access::roles(platform, Purpose::Workload, &tags));
    desired.extend(access::bindings(platform, &owner, &tags));
    desired.extend(inference::desire(platform, &owner, answers));
    desired.extend(endpoints::desire(platform));
    desired
}
