//! The network of a platform: private paths to the services that it uses.

pub mod conflicts;
mod cost;
mod failed_endpoints;
mod own_names;
pub mod preconditions;
pub mod security_group;
pub mod sharing;
pub mod vpc_endpoint;
pub(crate) mod vpc_endpoint_only;

#[cfg(test)]
mod cost_tests;
#[cfg(test)]
mod sharing_tests;
#[cfg(test)]
mod tests;

pub use security_group::SecurityGroup;
pub use vpc_endpoint::VpcEndpoint;

use crate::plan::rules::{Adjusted, Rules};

/// Rules of planning for VPC endpoints.
pub const RULES: Rules = Rules {
    adjust: |desired, observations, _| Adjusted::from(conflicts::without_conflicts(desired, observations)),
    refine: conflicts::refine,
    remarks: cost::remarks,
    ..Rules::NONE
};

/// Rules of planning for VPC endpoints that failed.
pub const FAILED_ENDPOINTS: Rules = Rules { refine: |_, _, _| failed_endpoints::refine(), ..Rules::NONE };

/// Rules of planning for what is borrowed.
pub const SHARING: Rules = Rules { refine: |_, _, _| sharing::refine(), ..Rules::NONE };

/// Rules of planning for buckets that are reached through VPC endpoints alone.
pub const VPC_ENDPOINT_ONLY: Rules = Rules {
    adjust: |desired, observations, _| Adjusted::from(vpc_endpoint_only::applied(desired, observations)),
    refine: |desired, observations, _| vpc_endpoint_only::refine(desired, observations),
    held_by: vpc_endpoint_only::held_by,
    before_end: vpc_endpoint_only::before_end,
    ..Rules::NONE
};
