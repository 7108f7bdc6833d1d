//! The description of one kind of resource. Everything that differs between kinds and that shared code has to know
//! stands here, once for each kind; the table of all of them is in [`crate::kinds`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::drift_events::naming::RecordedCalls;
use crate::kinds::{Facts, Kind, Resource, Write};
use crate::operator_policy::Permission;
use crate::policy::Policy;
use crate::resource::reference::Reference;
use crate::resource::{Key, ObservedState, Removal};
use crate::tags::Tags;

/// A type whose values are resources of one kind, with the fields that are managed, in one canonical form.
pub trait Managed: Clone + fmt::Debug + PartialEq + Serialize {
    /// The description of the kind.
    const INFO: Info;
    /// The parameters of a write besides the fields, such as what the resource is to remember. [`Nothing`] for most.
    type Write: Clone + fmt::Debug + PartialEq;
    /// Facts observed about a resource besides the fields. [`Nothing`] for most.
    type Facts: Clone + fmt::Debug + PartialEq;

    /// The name in AWS or the cluster, unique among the kind.
    fn name(&self) -> String;

    /// Resources that must be ready before this one can be made, and may only go after it.
    fn needs(&self) -> Vec<Key> {
        Vec::new()
    }

    /// Those of them that only one field needs, once the resource is there: by the field. Until they are ready, that field
    /// waits and no other.
    fn field_needs(&self) -> Vec<(&'static str, Key)> {
        Vec::new()
    }

    /// The VPC that it is in, of a kind that is looked for in more than the platform's own.
    fn vpc_id(&self) -> Option<&str> {
        None
    }

    /// References to resources whose ids AWS chooses.
    fn references(&self) -> Vec<&Reference> {
        Vec::new()
    }

    /// Visits every such reference, to fill in what is known by now.
    fn resolve(&mut self, _resolve: &mut dyn FnMut(&mut Reference)) {}

    /// The fields in the form that is compared.
    fn comparable(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// The fields as they were observed and those that are desired, in the form in which the two are compared.
    fn compared(&self, desired: &Self) -> (Value, Value) {
        (self.comparable(), desired.comparable())
    }

    /// True where the call that makes it is not refused although one is there, against [`Info::creation`].
    fn may_overwrite(&self) -> bool {
        false
    }

    /// The ARN, where it can be known before AWS says so.
    fn arn(&self) -> Option<String> {
        None
    }

    /// Takes a part that [`Info::reads`] has read hourly from an earlier observation, and returns
    /// whether the kind has such a part.
    fn take_part(&mut self, _part: &str, _earlier: &Self) -> bool {
        false
    }

    /// ARNs by which the operator's own policies name it, where its permissions are declared in [`Info::permissions`].
    fn policy_arns(&self) -> Vec<String> {
        self.arn().into_iter().collect()
    }

    /// The tags, where the kind carries any.
    fn tags(&self) -> Option<&Tags> {
        None
    }

    /// Policies that allow something, by name, where the kind carries any. What they name has to be attained.
    fn policies(&self) -> Option<&BTreeMap<String, Policy>> {
        None
    }

    /// The same policies, to be narrowed.
    fn policies_mut(&mut self) -> Option<&mut BTreeMap<String, Policy>> {
        None
    }
}

/// A type that is in the table of kinds, with the ways from what is of any kind to what is of this one.
pub trait Listed: Managed {
    /// The kind.
    const KIND: Kind;

    /// The resource, if it is of this kind.
    fn of(resource: &Resource) -> Option<&Self>;

    /// The facts, if they are of this kind.
    fn facts(facts: &Facts) -> Option<&Self::Facts>;

    /// The write, if it is of this kind.
    fn write(write: &Write) -> Option<&Self::Write>;

    /// Facts of this kind, as they stand beside what was observed.
    fn boxed_facts(facts: Self::Facts) -> Box<Facts>;

    /// A write of this kind, as it stands in a step.
    fn boxed_write(write: Self::Write) -> Box<Write>;

    /// The key of a resource of this kind.
    fn key_of(name: impl Into<String>) -> Key {
        Key { kind: Self::KIND, name: name.into() }
    }
}

/// A type without values, for kinds that have nothing to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nothing {}

/// The description of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// The kind as it stands in plans, status and events.
    pub name: &'static str,
    /// The kind as it stands in the middle of a sentence.
    pub noun: &'static str,
    /// The part of the platform that it belongs to, which has a condition of its own.
    pub part: Part,
    /// The backend that has its resources.
    pub backend: Backend,
    /// The identity of its resources.
    pub identity: Identity,
    /// The mark by which the owner of a resource is known.
    pub owned_by: OwnedBy,
    /// The field of the spec by which one that exists and has no owner is adopted, as a user would set it.
    pub adopted_by: Option<&'static str>,
    /// The behaviour of a resource in a transition towards writes.
    pub busy: Busy,
    /// The behaviour of the call that makes one towards one that is there.
    pub creation: Creation,
    /// The knowledge on which one is deleted together with its platform.
    pub before_deletion: BeforeDeletion,
    /// The kinds of which some may be left when one is gone, and nobody knows which: a thorough read of it lists them.
    pub leaves: &'static [Kind],
    /// The interval at which it has to be read.
    pub reads: Reads,
    /// True where only calls change it, which events tell of, and no list shows all that there are: while events come, it is
    /// read once a day.
    pub rests_on_events: bool,
    /// The fate of one that is no longer declared, where nothing else is known.
    pub removal: Removal,
    /// True when the spec has a `deletionPolicy` for each of them.
    pub has_deletion_policy: bool,
    /// The reason for which one that is no longer declared stays, where it does.
    pub kept_because: &'static str,
    /// The kinds that it can need.
    pub refers_to: &'static [Kind],
    /// The parts of it that its dependants rely on.
    pub relied_on: Reliance,
    /// The role that a write of one makes.
    pub makes_role: MakesRole,
    /// The differences that concern who may do what.
    pub audited: Audited,
    /// The ARNs that resources of any platform may have, as a pattern.
    pub arns: Option<&'static str>,
    /// Permissions that the calls for it need.
    pub permissions: &'static [Permission],
    /// The calls by which anybody changes it, as CloudTrail records them.
    pub changed_by: &'static [RecordedCalls],
}

/// The reason for which a resource stays where the spec has a field that says so.
pub const DELETION_POLICY: &str = "its deletionPolicy is Retain";

/// The parts of a platform, in the order of their conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// VPC endpoints and their security groups.
    Network,
    /// Buckets.
    Storage,
    /// Roles and what binds them.
    Access,
    /// Models and what scales them.
    Models,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Network, Self::Storage, Self::Access, Self::Models];

    /// The type of its condition.
    #[must_use]
    pub const fn condition(self) -> &'static str {
        match self {
            Self::Network => "NetworkReady",
            Self::Storage => "StorageReady",
            Self::Access => "AccessReady",
            Self::Models => "ModelsReady",
        }
    }
}

/// The backend that has the resources of a kind.
#[derive(Clone, Copy, Debug)]
pub enum Backend {
    /// In AWS, behind one service's API.
    Aws(Service),
    /// In the cluster, behind this API.
    Cluster(ClusterApi),
}

impl Backend {
    /// The service of AWS, where it is one.
    #[must_use]
    pub fn service(self) -> Option<Service> {
        match self {
            Self::Aws(service) => Some(service),
            Self::Cluster(_) => None,
        }
    }
}

/// The API of a kind of object in the cluster, and how it is written and read.
#[derive(Clone, Copy, Debug)]
pub struct ClusterApi {
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The version.
    pub version: &'static str,
    /// The kind in manifests.
    pub kind: &'static str,
    /// The resource in URLs and in roles of RBAC.
    pub plural: &'static str,
    /// True when a cluster may lack the API, because an add-on serves it.
    pub is_optional: bool,
    /// True when a change of an object's status says how the platform is. Others change with every look of their
    /// controller.
    pub status_matters: bool,
    /// The extent to which an object is the operator's.
    pub extent: Extent,
    /// The object to apply, without its name and without what says whose it is; `None` for a resource of another kind.
    pub body: fn(&Resource) -> Option<Value>,
    /// The fields that a new object begins with beside its body, in the same form. Nobody manages them afterwards.
    pub initial: fn(&Resource) -> Option<Value>,
    /// Fields, each by the names on the way to it, that keep their value when the body has them no longer: others
    /// manage them from then on.
    pub released: &'static [&'static [&'static str]],
    /// The resource of this name, from those fields of the object that the operator manages.
    pub read: fn(&str, &ManagedFields) -> Option<Resource>,
    /// The objects beneath this one that say why it is as it is, where that matters: they are read as well.
    pub beneath: fn(&Value) -> Option<Beneath>,
    /// The standing of the whole object.
    pub standing: fn(&Live) -> Standing,
    /// The holder that has claimed an object without the operator's mark, by its annotations, if somebody has.
    pub claimed: fn(&BTreeMap<String, String>) -> Option<String>,
}

/// The fields of an object that the operator's field manager manages.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ManagedFields {
    /// The object with these fields alone. A field that is managed and not there is null: the API server drops values
    /// that are empty.
    pub object: Value,
    /// JSON pointers into it, to values that are managed as a whole: what the API server fills in within them looks as if
    /// it had been applied.
    pub whole: BTreeSet<String>,
}

impl From<Value> for ManagedFields {
    fn from(object: Value) -> Self {
        Self { object, whole: BTreeSet::new() }
    }
}

/// A set of objects beneath another, in its namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beneath {
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The version.
    pub version: &'static str,
    /// The kind in manifests.
    pub kind: &'static str,
    /// The resource in URLs.
    pub plural: &'static str,
    /// The label selector that finds them.
    pub selector: String,
}

/// An object of the cluster as it was read.
#[derive(Clone, Copy, Debug)]
pub struct Live<'a> {
    /// All of it.
    pub object: &'a Value,
    /// The fields that the operator manages.
    pub managed: &'a Value,
    /// The objects beneath it, where they were read.
    pub beneath: &'a [Value],
    /// The time of the reading.
    pub now: Timestamp,
}

/// The standing of an object: what follows from all that was read of it.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The state.
    pub state: ObservedState,
    /// Remarks about what is worth knowing although nothing is done about it.
    pub remarks: Vec<String>,
    /// Facts beside the fields that are managed.
    pub facts: Option<Box<Facts>>,
}

impl From<ObservedState> for Standing {
    fn from(state: ObservedState) -> Self {
        Self { state, remarks: Vec::new(), facts: None }
    }
}

impl ClusterApi {
    /// The API of a kind about which nothing is particular: what its description does not name.
    pub const PLAIN: Self = Self {
        group: "",
        version: "v1",
        kind: "",
        plural: "",
        is_optional: false,
        status_matters: false,
        extent: Extent::Object,
        body: |_| None,
        initial: |_| None,
        released: &[],
        read: |_, _| None,
        beneath: |_| None,
        standing: |_| Standing { state: ObservedState::Ready, remarks: Vec::new(), facts: None },
        claimed: |_| None,
    };

    /// The group and version as manifests have them.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.into() } else { format!("{}/{}", self.group, self.version) }
    }

    /// The verbs that the operator needs, as roles of RBAC name them.
    pub const VERBS: &[&str] = &["get", "list", "watch", "create", "patch", "delete"];
}

/// The extent to which an object in the cluster is the operator's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it: it goes with the platform's object.
    Object,
    /// Some fields: the object may have been there before, and stays when others manage it.
    Fields,
}

/// The services of AWS that have an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// Amazon EC2.
    Ec2,
    /// Amazon S3.
    S3,
    /// IAM.
    Iam,
    /// Amazon EKS.
    Eks,
    /// Amazon SageMaker.
    SageMaker,
    /// Application Auto Scaling.
    AutoScaling,
    /// Amazon CloudWatch Logs.
    Logs,
}

impl Service {
    /// All of them, in the order of their permissions.
    pub const ALL: [Self; 7] =
        [Self::S3, Self::Iam, Self::Eks, Self::SageMaker, Self::AutoScaling, Self::Logs, Self::Ec2];

    /// The service in the names of the operator's policies.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::S3 => "s3",
            Self::Iam => "iam",
            Self::Eks => "eks",
            Self::SageMaker => "sagemaker",
            Self::AutoScaling => "autoscaling",
            Self::Logs => "logs",
        }
    }

    /// The service as its SDK calls it.
    #[must_use]
    pub const fn sdk_name(self) -> &'static str {
        match self {
            Self::Ec2 => "EC2",
            Self::S3 => "S3",
            Self::Iam => "IAM",
            Self::Eks => "EKS",
            Self::SageMaker => "SageMaker",
            Self::AutoScaling => "Application Auto Scaling",
            Self::Logs => "CloudWatch Logs",
        }
    }

    /// The service in the sources of events of CloudTrail, before `.amazonaws.com`. Application Auto Scaling has been
    /// recorded under both of its names.
    #[must_use]
    pub const fn event_sources(self) -> &'static [&'static str] {
        match self {
            Self::Ec2 => &["ec2"],
            Self::S3 => &["s3"],
            Self::Iam => &["iam"],
            Self::Eks => &["eks"],
            Self::SageMaker => &["sagemaker"],
            Self::AutoScaling => &["application-autoscaling", "autoscaling"],
            Self::Logs => &["logs"],
        }
    }

    /// True where the events of all regions come in one region of the partition.
    #[must_use]
    pub const fn is_global(self) -> bool {
        match self {
            Self::Iam => true,
            Self::Ec2 | Self::S3 | Self::Eks | Self::SageMaker | Self::AutoScaling | Self::Logs => false,
        }
    }
}

/// The identity of the resources of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// A name that follows from the spec.
    Name,
    /// A name that ends in a hash of the content, which therefore never changes. Only tags do.
    ContentHash,
    /// An id or ARN that AWS chooses: what was made has to be read before it is known.
    AssignedByAws,
}

/// The mark by which the owner of a resource is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnedBy {
    /// Its owner tag.
    Tag,
    /// An annotation in the cluster.
    Annotation,
    /// The owner of what it belongs to.
    Parent(Kind),
}

/// The behaviour of a resource in a transition towards writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// It refuses them until the transition has ended.
    RefusesWrites,
    /// It takes them: what is stuck can be mended or deleted.
    AcceptsWrites,
}

/// The behaviour of the call that makes a resource towards one of its name that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// It is refused, whoever has it, and changes nothing of it ([`Managed::may_overwrite`] says where not). So one that was
    /// never attempted need not be read before.
    RefusedWhereTaken,
    /// It may write over it, or make another one beside it: what is there is read first.
    ReadFirst,
    /// The same, and what it needs takes its time to come up: it is read, and made, when that is there.
    ReadOnceNeedsAreThere,
}

/// The knowledge on which a resource is deleted together with its platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeforeDeletion {
    /// A read in the same deletion: somebody else's under the same name would be lost to its holder.
    Read,
    /// An earlier observation, for as long as one of something in sync holds. Whatever else has the name by then is not
    /// lost by that: the deletion itself asks whose it is, or the name stands for the content, or it belongs to something
    /// that is read, or it is never deleted.
    Remembered,
}

/// The interval at which a kind has to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// At each resync, and not while only something else is on its way.
    Resync,
    /// At each resync, but for these parts, which are read once an hour: what drifts there lets nobody in and takes
    /// nothing away until then.
    ResyncBut(&'static [&'static str]),
    /// Once an hour: what drifts there harms nobody until then.
    Hourly,
    /// Once an hour: nobody can change its content.
    HourlyAsFixed,
    /// In each pass: a read costs next to nothing.
    Always,
}

impl Reads {
    /// The parts that are read once an hour where the rest is read at each resync.
    #[must_use]
    pub const fn hourly_parts(self) -> &'static [&'static str] {
        match self {
            Self::ResyncBut(parts) => parts,
            Self::Resync | Self::Hourly | Self::HourlyAsFixed | Self::Always => &[],
        }
    }
}

/// The role that a write of a resource makes, of which all of AWS knows a moment later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MakesRole {
    /// None.
    No,
    /// The resource itself, which may rest on a permissions boundary that was made just now.
    Itself,
    /// The role that the service works with, made with the first resource of the account.
    ServiceLinked,
}

/// The differences of a kind that concern who may do what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audited {
    /// All of them.
    Everything,
    /// Those of these fields.
    Fields(&'static [&'static str]),
}

/// The parts of a resource that its dependants rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reliance {
    /// That it is there and ours, however it is set up.
    Existence,
    /// All of it but these parts.
    AllBut(&'static [&'static str]),
}

impl Reliance {
    /// True when what needs the resource relies on this part of it.
    #[must_use]
    pub fn is_on(self, part: &str) -> bool {
        match self {
            Self::Existence => false,
            Self::AllBut(others) => !others.contains(&part),
        }
    }
}
