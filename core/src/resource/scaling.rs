//! Application Auto Scaling of an endpoint: scalable target, target tracking policy and scheduled actions.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use super::{Endpoint, Removal, Resource, TAGS};
use super::{Key, Kind};
use crate::drift_events::naming::{Identifier, RecordedCalls, values, with_arns};
use crate::kind::{
    Audited, Backend, BeforeDeletion, Busy, Creation, DELETION_POLICY, Identity, Info, Listed, MakesRole, Managed,
    Nothing, OwnedBy, Part, Reads, Reliance, Service,
};
use crate::permissions;
use crate::tags::Tags;

/// The names of the fields that are written by calls of their own, as they stand in diffs.
pub mod field {
    /// Tags.
    pub const TAGS: &str = "tags";
    /// The bounds, which one call writes together.
    pub const BOUNDS: [&str; 2] = ["minCapacity", "maxCapacity"];
}

/// The dimension in which a variant is scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Dimension {
    /// The number of instances.
    #[serde(rename = "sagemaker:variant:DesiredInstanceCount")]
    Instances,
    /// Provisioned concurrency.
    #[serde(rename = "sagemaker:variant:DesiredProvisionedConcurrency")]
    ProvisionedConcurrency,
}

impl Dimension {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Instances, Self::ProvisionedConcurrency];

    /// As Application Auto Scaling writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Instances => "sagemaker:variant:DesiredInstanceCount",
            Self::ProvisionedConcurrency => "sagemaker:variant:DesiredProvisionedConcurrency",
        }
    }
}

/// The resource that Application Auto Scaling scales: a variant of an endpoint, in one dimension.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScalableResource {
    /// `endpoint/<name>/variant/<variant>`.
    pub resource_id: String,
    /// The dimension.
    pub dimension: Dimension,
}

/// The suffix of the resource id in the key of a target that is not about instances.
const CONCURRENCY_SUFFIX: &str = "/provisioned-concurrency";

impl ScalableResource {
    /// The only variant of an endpoint.
    #[must_use]
    pub fn of(endpoint: &str, dimension: Dimension) -> Self {
        Self { resource_id: format!("endpoint/{endpoint}/variant/{}", super::endpoint_config::VARIANT), dimension }
    }

    /// The endpoint's name.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.resource_id.split('/').nth(1).unwrap_or_default()
    }

    /// The key of its scalable target.
    #[must_use]
    pub fn key(&self) -> Key {
        let suffix = if self.dimension == Dimension::Instances { "" } else { CONCURRENCY_SUFFIX };
        Key { kind: Kind::ScalableTarget, name: format!("{}{suffix}", self.resource_id) }
    }

    /// The resource behind the key of a scalable target.
    #[must_use]
    pub fn parse(name: &str) -> Self {
        match name.strip_suffix(CONCURRENCY_SUFFIX) {
            Some(resource_id) => Self { resource_id: resource_id.into(), dimension: Dimension::ProvisionedConcurrency },
            None => Self { resource_id: name.into(), dimension: Dimension::Instances },
        }
    }
}

/// The name of the endpoint that a resource scales, where it scales one.
#[must_use]
pub fn scaled_endpoint(resource: &Resource) -> Option<String> {
    let target = ScalableTarget::of(resource).map(|target| &target.scaled);
    let policy = ScalingPolicy::of(resource).map(|policy| &policy.scaled);
    let action = ScheduledAction::of(resource).map(|action| &action.scaled);
    target.or(policy).or(action).map(|scaled| scaled.endpoint().to_string())
}

/// A scalable target: the bounds of a variant's capacity.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScalableTarget {
    /// The resource that is scaled.
    #[serde(flatten)]
    pub scaled: ScalableResource,
    /// The bounds.
    #[serde(flatten)]
    pub bounds: Bounds,
    /// Tags that are ours.
    pub tags: Tags,
    /// Bounds that schedules may have set, which are no drift. Of desired ones only.
    #[serde(skip)]
    pub scheduled: Vec<Bounds>,
}

/// The bounds of a capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bounds {
    /// The minimum.
    pub min_capacity: i32,
    /// The maximum.
    pub max_capacity: i32,
}

impl Bounds {
    /// The bounds that a tag's value remembers.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let (fewest, most) = value.split_once('/')?;
        Some(Self { min_capacity: fewest.parse().ok()?, max_capacity: most.parse().ok()? })
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.min_capacity, self.max_capacity)
    }
}

/// A target tracking policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScalingPolicy {
    /// Its name, unique for what is scaled.
    pub name: String,
    /// The resource that is scaled.
    #[serde(flatten)]
    pub scaled: ScalableResource,
    /// The tracked metric; `None` for a policy that is not a target tracking policy with a predefined metric.
    pub tracking: Option<Tracking>,
    /// The derivation of the value from a load test, for people. Of desired ones only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub derivation: Option<String>,
}

impl ScalingPolicy {
    /// Its key.
    #[must_use]
    pub fn key(&self) -> Key {
        Key { kind: Kind::ScalingPolicy, name: format!("{}/{}", self.scaled.endpoint(), self.name) }
    }
}

/// The metric and target value of target tracking.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tracking {
    /// The predefined metric.
    pub metric: String,
    /// The value.
    pub target_value: f64,
    /// Seconds after a scale-in.
    pub scale_in_cooldown_seconds: i32,
    /// Seconds after a scale-out.
    pub scale_out_cooldown_seconds: i32,
    /// True when it only ever adds.
    pub disable_scale_in: bool,
}

/// Other bounds from certain times on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScheduledAction {
    /// Its name, unique for what is scaled.
    pub name: String,
    /// The resource that is scaled.
    #[serde(flatten)]
    pub scaled: ScalableResource,
    /// The conditions.
    pub schedule: String,
    /// In which time zone.
    pub timezone: String,
    /// The fewest from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_capacity: Option<i32>,
    /// The most from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_capacity: Option<i32>,
}

impl ScheduledAction {
    /// Its key.
    #[must_use]
    pub fn key(&self) -> Key {
        Key { kind: Kind::ScheduledAction, name: format!("{}/{}", self.scaled.endpoint(), self.name) }
    }
}

impl Managed for ScalableTarget {
    const INFO: Info = Info {
        name: "ScalableTarget",
        noun: "scalable target",
        part: Part::Models,
        backend: Backend::Aws(Service::AutoScaling),
        identity: Identity::AssignedByAws,
        owned_by: OwnedBy::Tag,
        adopted_by: None,
        busy: Busy::RefusesWrites,
        creation: Creation::ReadOnceNeedsAreThere,
        before_deletion: BeforeDeletion::Remembered,
        leaves: &[],
        // The owner of the endpoint scales it, and the tags are read again before anything is written.
        reads: Reads::ResyncBut(&[field::TAGS]),
        rests_on_events: false,
        removal: Removal::WhenEmpty,
        has_deletion_policy: false,
        kept_because: DELETION_POLICY,
        refers_to: &[Kind::SageMakerEndpoint],
        relied_on: Reliance::Existence,
        makes_role: MakesRole::ServiceLinked,
        audited: Audited::Everything,
        arns: None,
        permissions: permissions::autoscaling::PERMISSIONS,
        changed_by: &[
            RecordedCalls { names: &["DeregisterScalableTarget", "RegisterScalableTarget"], about: targets },
            RecordedCalls {
                names: &["TagResource", "UntagResource"],
                about: |parameters| with_arns(parameters, "resourceARN"),
            },
        ],
    };
    type Write = Nothing;
    type Facts = Nothing;

    fn name(&self) -> String {
        self.scaled.key().name
    }

    fn needs(&self) -> Vec<Key> {
        vec![Endpoint::key_of(self.scaled.endpoint())]
    }

    fn take_part(&mut self, part: &str, earlier: &Self) -> bool {
        match part {
            field::TAGS => self.tags.clone_from(&earlier.tags),
            _ => return false,
        }
        true
    }

    fn tags(&self) -> Option<&Tags> {
        Some(&self.tags)
    }
}

impl Managed for ScalingPolicy {
    const INFO: Info = Info {
        name: "ScalingPolicy",
        noun: "scaling policy",
        part: Part::Models,
        backend: Backend::Aws(Service::AutoScaling),
        identity: Identity::Name,
        owned_by: OwnedBy::Parent(Kind::ScalableTarget),
        adopted_by: None,
        busy: Busy::RefusesWrites,
        creation: Creation::ReadOnceNeedsAreThere,
        before_deletion: BeforeDeletion::Remembered,
        leaves: &[],
        // All it does is to move the number of instances within bounds, which are read at each resync.
        reads: Reads::Hourly,
        rests_on_events: true,
        removal: Removal::WhenEmpty,
        has_deletion_policy: false,
        kept_because: DELETION_POLICY,
        refers_to: &[Kind::ScalableTarget],
        relied_on: Reliance::AllBut(&[TAGS]),
        makes_role: MakesRole::No,
        audited: Audited::Everything,
        arns: None,
        permissions: &[],
        changed_by: &[RecordedCalls {
            names: &["DeleteScalingPolicy", "PutScalingPolicy"],
            about: |parameters| of_endpoints(parameters, "policyName"),
        }],
    };
    type Write = Nothing;
    type Facts = Nothing;

    fn name(&self) -> String {
        self.key().name
    }

    fn needs(&self) -> Vec<Key> {
        vec![self.scaled.key()]
    }

    fn comparable(&self) -> Value {
        json!({"tracking": self.tracking})
    }
}

impl Managed for ScheduledAction {
    const INFO: Info = Info {
        name: "ScheduledAction",
        noun: "scheduled action",
        part: Part::Models,
        backend: Backend::Aws(Service::AutoScaling),
        identity: Identity::Name,
        owned_by: OwnedBy::Parent(Kind::ScalableTarget),
        adopted_by: None,
        busy: Busy::RefusesWrites,
        creation: Creation::ReadOnceNeedsAreThere,
        before_deletion: BeforeDeletion::Remembered,
        leaves: &[],
        // All it does is to set bounds, which are read at each resync.
        reads: Reads::Hourly,
        rests_on_events: true,
        removal: Removal::WhenEmpty,
        has_deletion_policy: false,
        kept_because: DELETION_POLICY,
        refers_to: &[Kind::ScalableTarget],
        relied_on: Reliance::AllBut(&[TAGS]),
        makes_role: MakesRole::No,
        audited: Audited::Everything,
        arns: None,
        permissions: &[],
        changed_by: &[RecordedCalls {
            names: &["DeleteScheduledAction", "PutScheduledAction"],
            about: |parameters| of_endpoints(parameters, "scheduledActionName"),
        }],
    };
    type Write = Nothing;
    type Facts = Nothing;

    fn name(&self) -> String {
        self.key().name
    }

    fn needs(&self) -> Vec<Key> {
        vec![self.scaled.key()]
    }
}

/// The scalable targets that a recorded call names.
fn targets(parameters: &Value) -> Vec<Identifier> {
    let dimensions = values(parameters, "scalableDimension");
    let dimension = Dimension::ALL.into_iter().find(|dimension| dimensions.iter().any(|it| it == dimension.name()));
    let Some(dimension) = dimension else { return Vec::new() };
    let named = values(parameters, "resourceId").into_iter();
    named.map(|resource_id| Identifier::Name(ScalableResource { resource_id, dimension }.key().name)).collect()
}

/// The targets and policies that scale an endpoint under a name of their own, as a recorded call names both.
fn of_endpoints(parameters: &Value, member: &str) -> Vec<Identifier> {
    let endpoints = values(parameters, "resourceId");
    let endpoints = endpoints.iter().filter_map(|resource_id| resource_id.split('/').nth(1));
    let names = values(parameters, member);
    endpoints.flat_map(|it| names.iter().map(move |name| Identifier::Name(format!("{it}/{name}")))).collect()
}
