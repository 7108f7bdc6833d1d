//! Permissions that the operator's calls need, by service. They are declared here for everybody: the operator's policy is
//! made of them, and the adapters name their calls by them.

pub mod autoscaling;
pub mod drift_events;
pub mod eks;
pub mod iam;
pub mod s3;
pub mod sagemaker;

use crate::kind::Service;
use crate::operator_policy::{Permission, ResourcePattern};
use crate::resource::Kind;

/// The permissions for working through another role. `GetCallerIdentity` needs none.
const ASSUMING: &[Permission] = &[Permission {
    sid: "WorkThroughRoles",
    actions: &["sts:AssumeRole"],
    resources: &[ResourcePattern::AssumedRole],
    conditions: &[],
    reason: "works through the roles that platforms name in spec.assumeRole",
}];

/// Permissions that the calls of all adapters need, by service: those of every kind, and what working through another
/// role needs.
#[must_use]
pub fn permissions() -> Vec<(&'static str, Vec<Permission>)> {
    let of_service = |service: Service| {
        let kinds =
            Kind::ALL.iter().map(|kind| kind.info()).filter(move |info| info.backend.service() == Some(service));
        (service.name(), kinds.flat_map(|info| info.permissions).copied().collect())
    };
    Service::ALL.into_iter().map(of_service).chain([("sts", ASSUMING.to_vec())]).collect()
}

/// The same with those that drift events need.
#[must_use]
pub fn permissions_with_drift_events() -> Vec<(&'static str, Vec<Permission>)> {
    permissions().into_iter().chain([("drift-events", drift_events::PERMISSIONS.to_vec())]).collect()
}
