//! A SageMaker endpoint configuration: how a model runs. Immutable, so its name ends in a hash of its content.

use serde::Serialize;
use serde_json::{Value, json};

use super::Key;
use super::scaling::Dimension;
use super::{Kind, Removal, Revision, TAGS};
use crate::drift_events::naming::{RecordedCalls, named, with_arns};
use crate::kind::{
    Audited, Backend, BeforeDeletion, Busy, Creation, DELETION_POLICY, Identity, Info, MakesRole, Managed, Nothing,
    OwnedBy, Part, Reads, Reliance, Service,
};
use crate::names;
use crate::permissions;
use crate::tags::Tags;

/// The name of an endpoint's only variant.
pub const VARIANT: &str = "AllTraffic";

/// The names of the fields that are written by calls of their own, as they stand in diffs.
pub mod field {
    /// Tags.
    pub const TAGS: &str = "tags";
    /// The recreations of an endpoint with this configuration, see [`crate::tags::RECREATED`].
    pub const RECREATED: &str = "recreated";
}

/// An endpoint configuration with one variant.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointConfig {
    /// Its name, which ends in the hash of its content.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Tags that are ours: the only thing about it that can change.
    pub tags: Tags,
    /// The content.
    #[serde(flatten)]
    pub content: Content,
    /// The resources of the platform that it needs.
    #[serde(skip)]
    pub needs: Vec<Key>,
}

impl EndpointConfig {
    /// The revision that stands in the status: the hash at the end of its name.
    #[must_use]
    pub fn revision(&self) -> &str {
        revision_of(&self.name)
    }

    /// The same configuration with another capacity, under the name of that content.
    #[must_use]
    pub fn with_capacity(&self, capacity: Capacity) -> Self {
        let content = Content { capacity, ..self.content.clone() };
        let name = names::revision_with(names::revised_of(&self.name), &content);
        let arn =
            self.arn.strip_suffix(&self.name).map_or_else(|| self.arn.clone(), |prefix| format!("{prefix}{name}"));
        Self { name, arn, content, ..self.clone() }
    }
}

/// The hash at the end of the name of a model or an endpoint configuration.
#[must_use]
pub fn revision_of(name: &str) -> &str {
    name.rsplit('-').next().unwrap_or_default()
}

/// The content of a configuration: all of it is in the hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// The model's name, which holds the hash of its content.
    pub model: String,
    /// The capacity.
    #[serde(flatten)]
    pub capacity: Capacity,
    /// Requests and answers in S3.
    #[serde(rename = "async")]
    pub asynchronous: Option<Async>,
    /// Requests and answers kept in S3.
    pub data_capture: Option<DataCapture>,
}

/// The capacity of a variant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Capacity {
    /// Instances.
    Instance(Instance),
    /// None: SageMaker runs the container when it is called.
    Serverless(Serverless),
}

impl Capacity {
    /// The instance type, where there are instances.
    #[must_use]
    pub fn instance_type(&self) -> Option<&str> {
        match self {
            Self::Instance(instance) => Some(&instance.kind),
            Self::Serverless(_) => None,
        }
    }

    /// The same with as many instances, or as much provisioned concurrency, at first as `other` has. `None` where the
    /// two have nothing like that in common.
    #[must_use]
    pub fn starting_like(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Instance(wanted), Self::Instance(found)) => {
                Some(Self::Instance(Instance { count: found.count, ..wanted.clone() }))
            }
            (Self::Serverless(wanted), Self::Serverless(found)) => {
                let concurrency = wanted.provisioned_concurrency.and(found.provisioned_concurrency);
                concurrency
                    .map(|_| Self::Serverless(Serverless { provisioned_concurrency: concurrency, ..wanted.clone() }))
            }
            _ => None,
        }
    }

    /// The dimension in which it is scaled.
    #[must_use]
    pub fn dimension(&self) -> Dimension {
        match self {
            Self::Instance(_) => Dimension::Instances,
            Self::Serverless(_) => Dimension::ProvisionedConcurrency,
        }
    }
}

/// Instances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    /// The type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The initial number of instances.
    pub count: i32,
    /// Size of each volume in GiB; types with disks of their own have none.
    #[serde(rename = "volumeSizeGiB")]
    pub volume_size_gib: Option<i32>,
    /// The time that the container may take to start.
    pub startup_timeout_seconds: Option<i32>,
    /// The time that the artifact may take to download.
    pub model_download_timeout_seconds: Option<i32>,
}

/// No instances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Serverless {
    /// Memory in MiB.
    #[serde(rename = "memoryMiB")]
    pub memory_mib: i32,
    /// Calls at the same time, at most.
    pub max_concurrency: i32,
    /// Calls for which it is always warm, at first.
    pub provisioned_concurrency: Option<i32>,
}

/// Requests and answers in S3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Async {
    /// The destination of answers: `s3://bucket/prefix/`.
    pub output_uri: String,
    /// Calls that an instance works on at the same time.
    pub max_concurrent_invocations_per_instance: Option<i32>,
}

/// Requests and answers kept in S3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataCapture {
    /// The destination: `s3://bucket/prefix/`.
    pub destination_uri: String,
    /// The percentage of calls that are captured.
    pub sampling_percent: i32,
}

impl Managed for EndpointConfig {
    const INFO: Info = Info {
        name: "SageMakerEndpointConfig",
        noun: "endpoint configuration",
        part: Part::Models,
        backend: Backend::Aws(Service::SageMaker),
        identity: Identity::ContentHash,
        owned_by: OwnedBy::Tag,
        adopted_by: None,
        busy: Busy::RefusesWrites,
        creation: Creation::RefusedWhereTaken,
        before_deletion: BeforeDeletion::Remembered,
        leaves: &[],
        reads: Reads::HourlyAsFixed,
        rests_on_events: true,
        removal: Removal::WhenEmpty,
        has_deletion_policy: false,
        kept_because: DELETION_POLICY,
        refers_to: &[Kind::SageMakerModel, Kind::Role, Kind::Bucket],
        relied_on: Reliance::AllBut(&[TAGS]),
        makes_role: MakesRole::No,
        audited: Audited::Everything,
        arns: None,
        permissions: permissions::sagemaker::OF_CONFIGS,
        changed_by: &[
            RecordedCalls {
                names: &["CreateEndpointConfig", "DeleteEndpointConfig"],
                about: |parameters| named(parameters, "endpointConfigName"),
            },
            RecordedCalls {
                names: &["AddTags", "DeleteTags"],
                about: |parameters| with_arns(parameters, "resourceArn"),
            },
        ],
    };
    type Write = Nothing;
    type Facts = Revision;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn needs(&self) -> Vec<Key> {
        self.needs.clone()
    }

    /// Its name holds the hash of its content, and SageMaker changes none of it.
    fn comparable(&self) -> Value {
        json!({"tags": self.tags})
    }

    fn arn(&self) -> Option<String> {
        Some(self.arn.clone())
    }

    fn tags(&self) -> Option<&Tags> {
        Some(&self.tags)
    }
}
