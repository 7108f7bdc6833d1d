//! A SageMaker endpoint: what is called. It runs one configuration at a time and is moved from one to the next.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::endpoint_config::revision_of;
use super::scaling::Bounds;
use super::{EndpointConfig, Key, Kind, Removal, TAGS};
use crate::drift_events::naming::{RecordedCalls, named, with_arns};
use crate::kind::{
    Audited, Backend, BeforeDeletion, Busy, Creation, DELETION_POLICY, Identity, Info, Listed, MakesRole, Managed,
    OwnedBy, Part, Reads, Reliance, Service,
};
use crate::names::hex_digest;
use crate::permissions;
use crate::tags::{self, Tags};

/// The names of the fields that are written by calls of their own, as they stand in diffs.
pub mod field {
    /// Tags.
    pub const TAGS: &str = "tags";
    /// The configuration it runs.
    pub const CONFIG: &str = "config";
    /// The last attempt, see [`super::Attempt`].
    pub const ATTEMPT: &str = "attempt";
}

/// The superseded revisions of an endpoint, as a part that could not be read.
pub const REVISIONS: &str = "revisions";

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Tags that are ours, without those by which it remembers: see [`Facts::attempt`].
    pub tags: Tags,
    /// The name of the configuration it runs; of an observed one, the one that answers calls now.
    pub config: String,
    /// The way it is updated to another configuration. Known of desired ones only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<Deployment>,
    /// The hash of what the user asks for with its model, see [`request_hash`]: what failed is tried again when it changes. Of desired
    /// ones only.
    #[serde(skip)]
    pub request_hash: String,
    /// The number of superseded revisions that stay. Of desired ones only.
    #[serde(skip)]
    pub keep_revisions: usize,
}

impl Endpoint {
    /// The revision it runs: the hash at the end of its configuration's name.
    #[must_use]
    pub fn revision(&self) -> &str {
        revision_of(&self.config)
    }
}

/// The way an endpoint is updated to another configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// The way traffic moves.
    #[serde(flatten)]
    pub shift: Shift,
    /// Seconds that each step is watched.
    pub wait_seconds: i32,
    /// Seconds for all of it.
    pub maximum_execution_seconds: Option<i32>,
    /// Alarms that send it back.
    pub rollback_alarms: Vec<String>,
}

/// The way traffic moves to new instances. Percentages are of the capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all_fields = "camelCase", tag = "strategy")]
pub enum Shift {
    /// To a second fleet, in one step.
    AllAtOnce {
        /// Seconds that the old fleet stays.
        termination_wait_seconds: Option<i32>,
    },
    /// To a second fleet, some of it first.
    Canary {
        /// The size of the canary.
        step_percent: i32,
        /// Seconds that the old fleet stays.
        termination_wait_seconds: Option<i32>,
    },
    /// To a second fleet, in equal steps.
    Linear {
        /// The size of each step.
        step_percent: i32,
        /// Seconds that the old fleet stays.
        termination_wait_seconds: Option<i32>,
    },
    /// In batches, without a second fleet.
    Rolling {
        /// The size of each batch.
        step_percent: i32,
    },
}

/// Facts observed about an endpoint besides the fields we manage.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// Its status.
    pub status: Status,
    /// The reason for which its creation or its last update failed. SageMaker may leave it there while the endpoint is
    /// in service.
    pub failure: Option<String>,
    /// The time of its last change; kept in milliseconds.
    pub modified: Timestamp,
    /// The last attempt, as its tags remember it.
    pub attempt: Option<Attempt>,
    /// Revisions that it ran before, the newest first, as its tags remember.
    pub history: Vec<String>,
    /// The bounds that were registered when scaling was taken off last, as its tags remember.
    pub bounds: Option<Bounds>,
    /// The capacity of its variant: instances or provisioned concurrency.
    pub capacity: Option<Capacity>,
}

/// `EndpointStatus` of `DescribeEndpoint`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// On its way up for the first time.
    Creating,
    /// On its way to another configuration or capacity.
    Updating,
    /// SageMaker itself is at work on it.
    SystemUpdating,
    /// On its way back.
    RollingBack,
    /// Answers calls.
    InService,
    /// Does not answer calls.
    OutOfService,
    /// On its way out.
    Deleting,
    /// It never came up; it can only be deleted.
    Failed,
    /// The way back failed too: some instances run the old configuration and some the new.
    UpdateRollbackFailed,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Creating,
        Self::Updating,
        Self::SystemUpdating,
        Self::RollingBack,
        Self::InService,
        Self::OutOfService,
        Self::Deleting,
        Self::Failed,
        Self::UpdateRollbackFailed,
    ];

    /// The status as SageMaker writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Creating => "Creating",
            Self::Updating => "Updating",
            Self::SystemUpdating => "SystemUpdating",
            Self::RollingBack => "RollingBack",
            Self::InService => "InService",
            Self::OutOfService => "OutOfService",
            Self::Deleting => "Deleting",
            Self::Failed => "Failed",
            Self::UpdateRollbackFailed => "UpdateRollbackFailed",
        }
    }

    /// True when SageMaker is at work, so that it refuses every change.
    #[must_use]
    pub fn is_busy(self) -> bool {
        matches!(self, Self::Creating | Self::Updating | Self::SystemUpdating | Self::RollingBack | Self::Deleting)
    }
}

/// The capacity of a variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// The current capacity.
    pub current: i32,
    /// The desired capacity.
    pub desired: i32,
}

/// The last attempt at an update. It is written to the endpoint's tags before the call, so that a crash loses nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The revision.
    pub revision: String,
    /// The time of the endpoint's last change before: the same now means that the call was never made.
    pub modified_before: Timestamp,
    /// The hash of what the user had asked for, see [`Endpoint::request_hash`].
    pub request_hash: String,
    /// True when it was seen to be rolled back.
    pub rolled_back: bool,
    /// True when the reason of an earlier failure stood there, so that a reason proves nothing about this attempt until
    /// the call is known to have been made.
    pub unconfirmed: bool,
}

/// The suffix of the tag when the attempt was rolled back.
const ROLLED_BACK: &str = "rolled-back";

/// The suffix of the tag until the attempt is confirmed.
const UNCONFIRMED: &str = "unconfirmed";

/// The first character of the hash of a request. Older versions remembered a hash of the whole spec, in hexadecimal
/// digits alone.
const REQUEST_HASH_PREFIX: char = 'm';

/// The hash by which an endpoint remembers what the user asks for with its model.
#[must_use]
pub fn request_hash(text: &str) -> String {
    format!("{REQUEST_HASH_PREFIX}{}", hex_digest(text, 8))
}

impl Attempt {
    /// True when it was noted by a version that remembered a hash of the whole spec, which says nothing of this model.
    #[must_use]
    pub fn is_of_whole_spec(&self) -> bool {
        !self.request_hash.starts_with(REQUEST_HASH_PREFIX)
    }

    /// The attempt that a tag's value remembers.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let mut parts = value.split('/');
        let revision = parts.next().filter(|revision| !revision.is_empty())?.to_string();
        let modified_before = Timestamp::from_millisecond(parts.next()?.parse().ok()?).ok()?;
        let request_hash = parts.next()?.to_string();
        let state = parts.next();
        let (rolled_back, unconfirmed) = (state == Some(ROLLED_BACK), state == Some(UNCONFIRMED));
        Some(Self { revision, modified_before, request_hash, rolled_back, unconfirmed })
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}/{}", self.revision, self.modified_before.as_millisecond(), self.request_hash)?;
        match (self.rolled_back, self.unconfirmed) {
            (true, _) => write!(formatter, "/{ROLLED_BACK}"),
            (false, true) => write!(formatter, "/{UNCONFIRMED}"),
            (false, false) => Ok(()),
        }
    }
}

/// The memory that an endpoint gets with a call, and the way it is updated. Decided in the plan, carried out by the adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointUpdate {
    /// The attempt to remember.
    pub attempt: Attempt,
    /// Revisions that it ran before, the newest first.
    pub history: Vec<String>,
    /// True when the number of instances becomes that of the new configuration, because the user changed it there, and
    /// not what it is now.
    pub apply_instance_count: bool,
    /// True when the instance type changes, so that everything registered for scaling is deregistered before.
    pub changes_instance_type: bool,
    /// The scaling bounds that are registered by then.
    pub bounds: Option<Bounds>,
}

impl EndpointUpdate {
    /// Tags by which the endpoint remembers that the call has been made, where that is not what it remembers already.
    #[must_use]
    pub fn confirmation(&self) -> Option<Tags> {
        let attempt = Attempt { unconfirmed: false, ..self.attempt.clone() };
        self.attempt.unconfirmed.then(|| Tags::from([(tags::ATTEMPT.to_string(), attempt.to_string())]))
    }

    /// The tags by which the endpoint remembers.
    #[must_use]
    pub fn tags(&self) -> Tags {
        let mut tags = Tags::from([(tags::ATTEMPT.to_string(), self.attempt.to_string())]);
        if !self.history.is_empty() {
            tags.insert(tags::HISTORY.into(), self.history.join("."));
        }
        if let Some(bounds) = self.bounds {
            tags.insert(tags::BOUNDS.into(), bounds.to_string());
        }
        tags
    }
}

/// The revisions in the value of the tag [`tags::HISTORY`].
#[must_use]
pub fn parse_history(value: &str) -> Vec<String> {
    value.split('.').filter(|revision| !revision.is_empty()).map(ToString::to_string).collect()
}

impl Managed for Endpoint {
    const INFO: Info = Info {
        name: "SageMakerEndpoint",
        noun: "endpoint",
        part: Part::Models,
        backend: Backend::Aws(Service::SageMaker),
        identity: Identity::Name,
        owned_by: OwnedBy::Tag,
        adopted_by: None,
        busy: Busy::RefusesWrites,
        creation: Creation::RefusedWhereTaken,
        before_deletion: BeforeDeletion::Read,
        leaves: &[Kind::SageMakerModel, Kind::SageMakerEndpointConfig],
        reads: Reads::Resync,
        rests_on_events: false,
        removal: Removal::WhenEmpty,
        has_deletion_policy: false,
        kept_because: DELETION_POLICY,
        refers_to: // Its instances are made with the model and the role of its configuration, which may be gone itself.
            &[Kind::SageMakerEndpointConfig, Kind::SageMakerModel, Kind::Role],
        relied_on: Reliance::AllBut(&[TAGS, REVISIONS]),
        makes_role: MakesRole::No,
        audited: Audited::Everything,
        arns: None,
        permissions: permissions::sagemaker::OF_ENDPOINTS,
        // Weights and capacities belong to Application Auto Scaling and to people: UpdateEndpointWeightsAndCapacities is no
        // drift.
        changed_by: &[
            RecordedCalls {
                names: &["CreateEndpoint", "DeleteEndpoint", "UpdateEndpoint"],
                about: |parameters| named(parameters, "endpointName"),
            },
            RecordedCalls {
                names: &["AddTags", "DeleteTags"],
                about: |parameters| with_arns(parameters, "resourceArn"),
            },
        ],
    };
    type Write = EndpointUpdate;
    type Facts = Facts;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn needs(&self) -> Vec<Key> {
        vec![EndpointConfig::key_of(&self.config)]
    }

    fn comparable(&self) -> Value {
        json!({"tags": self.tags, "config": self.config})
    }

    fn arn(&self) -> Option<String> {
        Some(self.arn.clone())
    }

    fn tags(&self) -> Option<&Tags> {
        Some(&self.tags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_read_back() {
        let attempt = Attempt {
            revision: "9f8e7d6c".into(),
            modified_before: Timestamp::from_millisecond(1_800_000_000_123).unwrap(),
            request_hash: "01234567".into(),
            rolled_back: false,
            unconfirmed: false,
        };
        let rolled_back = Attempt { rolled_back: true, ..attempt.clone() };
        let unconfirmed = Attempt { unconfirmed: true, ..attempt.clone() };
        for attempt in [attempt, rolled_back, unconfirmed] {
            assert_eq!(Attempt::parse(&attempt.to_string()), Some(attempt));
        }
        for broken in ["", "9f8e7d6c", "9f8e7d6c/x/y", "/1/x"] {
            assert_eq!(Attempt::parse(broken), None, "{broken}");
        }
    }
}
