//! The network of a platform: private paths to the services that it uses.

pub mod conflicts;
mod own_names;
pub mod preconditions;
pub mod security_group;
pub mod sharing;
pub mod vpc_endpoint;

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
    ..Rules::NONE
};
