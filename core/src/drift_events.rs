//! Drift by push: what CloudTrail records of calls that change resources of platforms, and the queue and rule by which
//! the operator hears of them. Pure: nothing here receives or sends.

pub mod flow;
pub mod inbox;
pub mod naming;
pub mod network_change;
pub mod origin;
pub mod pattern;
pub mod record;
pub mod report;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::Serialize;

use crate::api::status::ResourceStatus;
use crate::arn;
use crate::drift_events::record::Record;
use crate::resource::{Key, Kind};

/// A place in which events come: an account and a region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// The AWS account.
    pub account_id: String,
    /// The region.
    pub region: String,
}

impl Place {
    /// The place in which the events of global services come, such as IAM's: one region of the partition.
    ///
    /// Source: "Global service events" in the AWS CloudTrail User Guide; for IAM, "Why does my EventBridge rule for IAM
    /// events only trigger in the us-east-1 Region?" in the AWS Knowledge Center.
    #[must_use]
    pub fn of_global_services(&self) -> Self {
        let region = match arn::partition(&self.region) {
            "aws" => "us-east-1",
            "aws-cn" => "cn-north-1",
            "aws-us-gov" => "us-gov-west-1",
            // A partition with one region that anybody knows of, or one of which nothing is known.
            _ => self.region.as_str(),
        };
        Self { account_id: self.account_id.clone(), region: region.into() }
    }

    /// True where the events of global services come here.
    #[must_use]
    pub fn is_of_global_services(&self) -> bool {
        self.of_global_services() == *self
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "account {} in region {}", self.account_id, self.region)
    }
}

/// A change of a resource by somebody else, as an event tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touch {
    /// The resource.
    pub key: Key,
    /// The ARN of the principal, or what else is known of it.
    pub by: String,
    /// The time of the call.
    pub at: Timestamp,
    /// The call, as CloudTrail names it.
    pub call: String,
}

/// The changes that an event tells of among the resources of one platform.
#[must_use]
pub fn touches<'a>(record: &Record, resources: impl Iterator<Item = &'a ResourceStatus>) -> Vec<Touch> {
    let concerned = resources.filter_map(|resource| {
        let kind = Kind::named(&resource.kind)?;
        let mut concerns = record.concerns.iter().filter(|(of, _)| *of == kind);
        let is_elsewhere = region_of(resource).is_some_and(|region| region != record.region);
        let is_meant = concerns.any(|(_, identifier)| identifier.is_of(resource));
        (is_meant && !is_elsewhere).then(|| Key { kind, name: resource.name.clone() })
    });
    let touch = |key| Touch { key, by: record.by.clone(), at: record.at, call: record.call.clone() };
    concerned.map(touch).collect()
}

/// The region in the ARN of a resource, where it has one.
fn region_of(resource: &ResourceStatus) -> Option<&str> {
    resource.arn.as_deref()?.split(':').nth(3).filter(|region| !region.is_empty())
}
