//! The description of an endpoint by SageMaker: what it runs, how it is and what it remembers.

use aws_sdk_sagemaker::operation::describe_endpoint::DescribeEndpointOutput;
use aws_sdk_sagemaker::primitives::DateTime;
use aws_sdk_sagemaker::types::{EndpointStatus, ProductionVariantServerlessConfig, ProductionVariantSummary};
use jiff::Timestamp;

use super::time::{timestamp, whole_seconds};
use crate::resource::ObservedState;
use crate::resource::endpoint::{Attempt, Capacity, Facts, Status, parse_history};
use crate::resource::scaling::Bounds;
use crate::tags::{self, Tags};

/// The description of an endpoint, as far as it matters.
#[derive(Clone, Debug)]
pub(super) struct Description {
    /// The configuration that it runs.
    pub(super) config: String,
    /// The time at which it was made.
    pub(super) created: Option<DateTime>,
    /// The time of its last change: of its configuration, its capacity or its status, and not of its tags.
    pub(super) modified: Option<DateTime>,
    /// The status in SageMaker's words.
    pub(super) status: String,
    failure: Option<String>,
    capacity: Option<Capacity>,
}

impl Description {
    /// What matters of a description.
    pub(super) fn of(described: &DescribeEndpointOutput) -> Self {
        Self {
            config: described.endpoint_config_name().unwrap_or_default().to_string(),
            created: described.creation_time().copied(),
            modified: described.last_modified_time().copied(),
            status: described.endpoint_status().map(EndpointStatus::as_str).unwrap_or_default().to_string(),
            failure: described.failure_reason().map(ToString::to_string),
            capacity: described.production_variants().first().and_then(capacity),
        }
    }

    /// True when nothing about it changes by itself.
    pub(super) fn is_at_rest(&self) -> bool {
        status(&self.status).is_some_and(|status| !status.is_busy())
    }

    /// The state, in the words of plans and status.
    pub(super) fn state(&self) -> ObservedState {
        let text = &self.status;
        let since = if text == Status::Creating.name() { &self.created } else { &self.modified };
        let since =
            since.as_ref().map(|since| format!(" since {}", whole_seconds(timestamp(since)))).unwrap_or_default();
        match status(text) {
            Some(Status::InService) => ObservedState::Ready,
            Some(Status::Failed | Status::OutOfService | Status::UpdateRollbackFailed) => {
                let reason = self.failure.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
                ObservedState::Failed(format!("{text}{since}{reason}"))
            }
            _ => ObservedState::Progressing(format!("{text}{since}")),
        }
    }

    /// The facts that the rollout is decided by.
    pub(super) fn facts(&self, found: &Tags) -> Facts {
        Facts {
            // A status that SageMaker invents later is taken as work of its own, which keeps us from touching anything.
            status: status(&self.status).unwrap_or(Status::SystemUpdating),
            failure: self.failure.clone(),
            modified: self.modified.as_ref().map_or(Timestamp::UNIX_EPOCH, timestamp),
            attempt: found.get(tags::ATTEMPT).and_then(|value| Attempt::parse(value)),
            history: found.get(tags::HISTORY).map(|value| parse_history(value)).unwrap_or_default(),
            bounds: found.get(tags::BOUNDS).and_then(|value| Bounds::parse(value)),
            capacity: self.capacity,
        }
    }
}

fn status(text: &str) -> Option<Status> {
    Status::ALL.into_iter().find(|status| status.name() == text)
}

fn capacity(variant: &ProductionVariantSummary) -> Option<Capacity> {
    let concurrency = ProductionVariantServerlessConfig::provisioned_concurrency;
    let (current, desired) = match variant.desired_serverless_config() {
        Some(desired) => (variant.current_serverless_config().and_then(concurrency), concurrency(desired)),
        None => (variant.current_instance_count(), variant.desired_instance_count()),
    };
    desired.map(|desired| Capacity { current: current.unwrap_or_default(), desired })
}

#[cfg(test)]
mod tests {
    use aws_sdk_sagemaker::operation::describe_endpoint::builders::DescribeEndpointOutputBuilder;

    use super::*;

    fn state(described: &DescribeEndpointOutput) -> ObservedState {
        Description::of(described).state()
    }

    fn facts(described: &DescribeEndpointOutput, found: &Tags) -> Facts {
        Description::of(described).facts(found)
    }

    fn endpoint(status: &str) -> DescribeEndpointOutputBuilder {
        DescribeEndpointOutput::builder()
            .endpoint_status(EndpointStatus::from(status))
            .creation_time(DateTime::from_secs(1_800_000_000))
            .last_modified_time(DateTime::from_secs_f64(1_800_000_060.123))
    }

    #[test]
    fn every_status_says_what_can_be_done() {
        for (status, expected) in [
            ("InService", "Ready"),
            ("Creating", "Progressing(\"Creating since 2027-01-15T08:00:00Z\")"),
            ("Updating", "Progressing(\"Updating since 2027-01-15T08:01:00Z\")"),
            ("SystemUpdating", "Progressing(\"SystemUpdating since 2027-01-15T08:01:00Z\")"),
            ("RollingBack", "Progressing(\"RollingBack since 2027-01-15T08:01:00Z\")"),
            ("Deleting", "Progressing(\"Deleting since 2027-01-15T08:01:00Z\")"),
            ("Levitating", "Progressing(\"Levitating since 2027-01-15T08:01:00Z\")"),
            ("OutOfService", "Failed(\"OutOfService since 2027-01-15T08:01:00Z\")"),
        ] {
            assert_eq!(format!("{:?}", state(&endpoint(status).build())), expected);
        }
        let failed = endpoint("Failed").failure_reason("The container did not answer.").build();
        let expected = "Failed(\"Failed since 2027-01-15T08:01:00Z: The container did not answer.\")";
        assert_eq!(format!("{:?}", state(&failed)), expected);
    }

    #[test]
    fn what_it_remembers_is_in_its_tags() {
        let found = Tags::from([
            (tags::ATTEMPT.to_string(), "9f8e7d6c/1800000000123/01234567".to_string()),
            (tags::HISTORY.to_string(), "11112222.33334444".to_string()),
        ]);
        let facts = facts(&endpoint("InService").failure_reason("rolled back").build(), &found);
        assert_eq!(facts.attempt.unwrap().revision, "9f8e7d6c");
        assert_eq!(facts.history, ["11112222", "33334444"]);
        assert_eq!(facts.failure.as_deref(), Some("rolled back"));
        assert_eq!(facts.modified, Timestamp::from_millisecond(1_800_000_060_123).unwrap());
    }

    #[test]
    fn a_status_nobody_knows_is_busy() {
        let facts = facts(&endpoint("Levitating").build(), &Tags::new());
        assert!(facts.status.is_busy());
        assert_eq!((facts.attempt, facts.history, facts.capacity), (None, Vec::new(), None));
    }

    #[test]
    fn capacity_is_instances_or_provisioned_concurrency() {
        let of = |variant| facts(&endpoint("InService").production_variants(variant).build(), &Tags::new()).capacity;
        let variant = ProductionVariantSummary::builder;
        let instances = variant().current_instance_count(2).desired_instance_count(3).build();
        assert_eq!(of(instances), Some(Capacity { current: 2, desired: 3 }));
        let serverless =
            |provisioned| ProductionVariantServerlessConfig::builder().set_provisioned_concurrency(provisioned).build();
        let warm = variant()
            .current_instance_count(0)
            .current_serverless_config(serverless(Some(1)))
            .desired_serverless_config(serverless(Some(4)));
        assert_eq!(of(warm.build()), Some(Capacity { current: 1, desired: 4 }));
        let cold = variant().current_instance_count(0).desired_serverless_config(serverless(None)).build();
        assert_eq!(of(cold), None);
    }
}
