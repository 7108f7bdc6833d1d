//! Features: what belongs to one part of a platform and to no other, beside the kinds that it is made of.

pub mod access;
pub mod endpoints;
pub mod inference;
pub mod network;
pub mod sagemaker;

use crate::plan::rules::Rules;

/// The rules that features add to planning, in the order in which they apply.
pub const RULES: [Rules; 7] = [
    network::RULES,
    network::FAILED_ENDPOINTS,
    network::SHARING,
    network::VPC_ENDPOINT_ONLY,
    sagemaker::RULES,
    inference::RULES,
    access::RULES,
];
