//! Permissions that the operator's calls need, by service. They are declared here for everybody: the operator's policy is
//! made of them, and the adapters name their calls by them.

pub mod autoscaling;
pub mod eks;
pub mod iam;
pub mod s3;
pub mod sagemaker;

use crate::operator_policy::{Need, On};

/// What working through another role needs. Asking whose the credentials are needs nothing.
const ASSUMING: &[Need] = &[Need {
    sid: "WorkThroughRoles",
    actions: &["sts:AssumeRole"],
    on: &[On::AssumedRole],
    when: &[],
    reason: "works through the roles that platforms name in spec.assumeRole",
}];

/// What the calls of all adapters need, by service.
pub const NEEDS: [(&str, &[Need]); 6] = [
    ("s3", s3::NEEDS),
    ("iam", iam::NEEDS),
    ("eks", eks::NEEDS),
    ("sagemaker", sagemaker::NEEDS),
    ("autoscaling", autoscaling::NEEDS),
    ("sts", ASSUMING),
];
