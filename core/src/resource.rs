//! The vocabulary of the whole project: what a resource is, what was seen of it, and whose it is.

pub mod bucket;
pub mod endpoint;
pub mod endpoint_config;
pub mod model;
pub mod pod_identity_association;
pub mod reference;
pub mod role;
pub mod scaling;
pub mod service_account;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

pub use bucket::Bucket;
pub use endpoint::Endpoint;
pub use endpoint_config::EndpointConfig;
pub use model::Model;
pub use pod_identity_association::PodIdentityAssociation;
pub use role::Role;
pub use scaling::{ScalableTarget, ScalingPolicy, ScheduledAction};
pub use service_account::ServiceAccount;

use crate::exposure::Exposure;
use crate::failure::Error;
use crate::kind::Listed;
pub use crate::kinds::{Facts, Kind, Resource, Write};
use crate::tags::{self, Tags};
use role::Served;

/// The key of a resource within one platform.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Key {
    /// Its kind.
    pub kind: Kind,
    /// Its name in AWS or the cluster.
    pub name: String,
}

impl Key {
    /// True of a resource of AWS, and false of an object in the cluster.
    #[must_use]
    pub fn is_in_aws(&self) -> bool {
        self.kind.info().backend.service().is_some()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.kind, self.name)
    }
}

impl Resource {
    /// The fate of the resource when it is no longer declared, as far as its own tags say.
    #[must_use]
    pub fn removal(&self) -> Removal {
        let tagged = self.tags().and_then(|tags| tags.get(tags::DELETION_POLICY));
        tagged.and_then(|tag| Removal::parse(tag)).unwrap_or(self.kind().info().removal)
    }
}

/// The fate of a resource that is no longer declared, the most careful first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Removal {
    /// It stays.
    Retain,
    /// It goes when nothing is in it.
    WhenEmpty,
    /// It goes, with what is in it.
    WithContents,
}

impl Removal {
    const ALL: [Self; 3] = [Self::Retain, Self::WhenEmpty, Self::WithContents];

    /// The deletion policy as it stands in specs, tags and status.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Retain => "Retain",
            Self::WhenEmpty => "Delete",
            Self::WithContents => "DeleteWithContents",
        }
    }

    /// The deletion policy of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|removal| removal.name() == name)
    }
}

/// A resource as declared, with what the declaration says about its beginning and end.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// The resource.
    pub resource: Resource,
    /// True when one that exists and has no owner may be taken over.
    pub adopt: bool,
    /// The fate of the resource when it is no longer declared.
    pub removal: Removal,
    /// Remarks about it.
    pub remarks: Vec<String>,
    /// Of a role that SageMaker takes: the model it is made for.
    pub served: Option<Served>,
}

impl Desired {
    /// A resource that is made by us and goes when it is no longer declared.
    #[must_use]
    pub fn made(resource: Resource) -> Self {
        Self { resource, adopt: false, removal: Removal::WhenEmpty, remarks: Vec::new(), served: None }
    }
}

/// A question to a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "any of them may hold with any other")]
pub struct Request {
    /// The resource to read.
    pub key: Key,
    /// True when it may be taken over although it carries no owner tag, so that all of it is worth reading.
    pub adopt: bool,
    /// True when it is to be pruned, so that its contents matter.
    pub pruning: bool,
    /// True when it is made where it is absent, which finds out whether it is: what a watch does not show need not be
    /// read before.
    pub may_be_made: bool,
    /// True to list what belongs to it and was not requested as well: the other revisions of an endpoint.
    pub thorough: bool,
    /// Parts that need not be read, because what an earlier pass read of them still holds. They may be left empty.
    pub omitted: &'static [&'static str],
    /// The VPC in which it is desired, where that matters: what others have there can be in its way.
    pub vpc_id: Option<String>,
    /// The age that the answer may have.
    pub freshness: Freshness,
    /// The departure of the resource, as far as a deletion under way knows it.
    pub departure: Departure,
}

/// The departure of a resource, as far as a deletion under way knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Departure {
    /// Nothing is known of one.
    #[default]
    Unknown,
    /// A call of ours that deletes it was answered. A list that begins after that and lacks it is a read that finds
    /// nothing: no list lags behind in what it lacks of something that was there for long.
    Answered,
    /// A read has found nothing since: only what it may have left is to be read.
    Confirmed,
}

/// The age that an observation may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// None: it is read for this request.
    Current,
    /// None for what changes by itself, such as a state. What only somebody's call changes, such as tags, may be
    /// remembered for a while.
    InTransition,
    /// That of a snapshot which all platforms of the account share. It only ever says that something is there and how
    /// it is: whether something is absent is read for the request.
    Shared {
        /// The time for which events have told of every change by others, so that it may be older; zero where they do not
        /// come.
        covered: Duration,
    },
}

impl Freshness {
    /// That of a snapshot, where no events come.
    pub const SHARED: Self = Self::Shared { covered: Duration::ZERO };

    /// True where a snapshot will do.
    #[must_use]
    pub fn is_shared(self) -> bool {
        matches!(self, Self::Shared { .. })
    }

    /// The time for which events have told of every change by others, where a snapshot will do.
    #[must_use]
    pub fn covered(self) -> Option<Duration> {
        match self {
            Self::Shared { covered } => Some(covered),
            Self::Current | Self::InTransition => None,
        }
    }
}

impl Request {
    /// True when a part has to be read.
    #[must_use]
    pub fn reads(&self, part: &str) -> bool {
        !self.omitted.contains(&part)
    }
}

/// The observation of one resource.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The fields we manage; `None` when it does not exist, or when it is not ours and was not read further.
    pub resource: Option<Resource>,
    /// The state.
    pub state: ObservedState,
    /// Whose it is.
    pub owner: Owner,
    /// Fields that cannot be written without losing something of others, with the reason.
    pub protected_fields: BTreeMap<&'static str, String>,
    /// Parts that could not be read, by their path, such as `lifecycle` or `policies.access`: they are neither compared
    /// nor written.
    pub unknown: BTreeMap<String, Error>,
    /// Exposures that others opened in it.
    pub exposures: Vec<Exposure>,
    /// The contents, where they were requested.
    pub contents: Option<Contents>,
    /// The identifier AWS chose, where it did.
    pub id: Option<String>,
    /// Its ARN, where only AWS knows it.
    pub arn: Option<String>,
    /// Remarks about what is worth knowing although nothing is done about it.
    pub remarks: Vec<String>,
    /// Facts observed besides the fields we manage.
    pub facts: Option<Box<Facts>>,
    /// True when some of it was taken from a snapshot or remembered, and not read for the request. Nothing is written on
    /// the strength of that.
    pub is_shared: bool,
    /// True when an earlier pass made it, and this one left it at that: an edit started it that is about something else, or
    /// events vouch for it. Nothing is written, needed or granted on the strength of that.
    pub is_remembered: bool,
    /// True when nobody read it: it was never attempted, and the call that makes it is refused where it is there.
    pub is_assumed: bool,
}

/// Facts observed about a model or an endpoint configuration besides the fields we manage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// The creation time.
    pub created: Timestamp,
    /// Of an endpoint configuration: the last time that an endpoint was made again with it.
    pub recreated: Option<Recreation>,
}

impl Revision {
    /// The recreation in the value of [`tags::RECREATED`].
    #[must_use]
    pub fn parse_recreated(value: &str) -> Option<Recreation> {
        let mut parts = value.split('/');
        let (request_hash, times) = (parts.next()?.to_string(), parts.next()?.parse().ok()?);
        let failed = Timestamp::from_millisecond(parts.next()?.parse().ok()?).ok()?;
        Some(Recreation { request_hash, times, failed })
    }
}

/// An endpoint that failed to come up is made again. It is written down before the endpoint goes, see
/// [`tags::RECREATED`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recreation {
    /// The hash of what was asked for.
    pub request_hash: String,
    /// The number of recreations by then, this one included.
    pub times: u32,
    /// The time at which the endpoint that is deleted failed: as long as it is there, it is not counted again.
    pub failed: Timestamp,
}

impl fmt::Display for Recreation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}/{}", self.request_hash, self.times, self.failed.as_millisecond())
    }
}

impl Observed {
    /// The resource, if it is of this kind.
    #[must_use]
    pub fn resource_of<T: Listed>(&self) -> Option<&T> {
        self.resource.as_ref().and_then(T::of)
    }

    /// The facts beside its fields, if it is of this kind.
    #[must_use]
    pub fn facts_of<T: Listed>(&self) -> Option<&T::Facts> {
        self.facts.as_deref().and_then(T::facts)
    }

    /// Takes the parts that are read hourly from an earlier observation, and returns whether it could: both have to be of
    /// the same resource, which is ours.
    #[must_use]
    pub fn complete(&mut self, earlier: &Self) -> bool {
        let (Some(resource), Some(before)) = (&mut self.resource, &earlier.resource) else { return false };
        if earlier.owner != Owner::Ours || (&self.id, &self.arn) != (&earlier.id, &earlier.arn) {
            return false;
        }
        for part in resource.kind().info().reads.hourly_parts() {
            if !resource.take_part(part, before) {
                return false;
            }
            if *part == TAGS {
                self.owner = Owner::Ours;
            }
            self.protected_fields
                .extend(earlier.protected_fields.get_key_value(part).map(|(part, why)| (*part, why.clone())));
            self.exposures.retain(|exposure| exposure.extent.part() != *part);
            let earlier = earlier.exposures.iter().filter(|exposure| exposure.extent.part() == *part);
            self.exposures.extend(earlier.cloned());
        }
        true
    }

    /// It does not exist.
    #[must_use]
    pub fn absent() -> Self {
        Self {
            resource: None,
            state: ObservedState::Absent,
            owner: Owner::Nobody,
            protected_fields: BTreeMap::new(),
            unknown: BTreeMap::new(),
            exposures: Vec::new(),
            contents: None,
            id: None,
            arn: None,
            remarks: Vec::new(),
            facts: None,
            is_shared: false,
            is_remembered: false,
            is_assumed: false,
        }
    }

    /// It was never attempted, and is taken for absent without a read.
    #[must_use]
    pub fn assumed_absent() -> Self {
        Self { is_assumed: true, ..Self::absent() }
    }

    /// It exists and is as described.
    #[must_use]
    pub fn present(resource: Resource, owner: Owner) -> Self {
        Self { resource: Some(resource), state: ObservedState::Ready, owner, ..Self::absent() }
    }

    /// It could not be read.
    #[must_use]
    pub fn unreadable(error: Error) -> Self {
        Self { state: ObservedState::Unreadable(error), ..Self::absent() }
    }

    /// It could not be read, and this holder has it for certain, who is not us.
    #[must_use]
    pub fn held_elsewhere(error: Error, holder: &str) -> Self {
        Self { owner: Owner::Theirs(holder.into()), ..Self::unreadable(error) }
    }
}

/// The state of an observed resource.
#[derive(Clone, Debug)]
pub enum ObservedState {
    /// It does not exist.
    Absent,
    /// It exists and can be worked with.
    Ready,
    /// It is in a transition of AWS's own.
    Progressing(String),
    /// It exists and cannot be worked with.
    Failed(String),
    /// It could not be read.
    Unreadable(Error),
}

/// Whose a resource is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// It carries our owner tag.
    Ours,
    /// It carries the owner tag of somebody else, named here.
    Theirs(String),
    /// It carries no owner tag.
    Nobody,
}

impl Owner {
    /// The holder of a resource with these tags, as a platform sees it that owns things as `ours`.
    #[must_use]
    pub fn of(found: &Tags, ours: &str) -> Self {
        match found.get(tags::OWNER) {
            Some(owner) if owner == ours => Self::Ours,
            Some(owner) => Self::Theirs(owner.clone()),
            None => Self::Nobody,
        }
    }
}

/// The tags of a resource, as a part of it.
pub const TAGS: &str = "tags";

/// The part that stands for the contents of a resource, where they could not be read.
pub const CONTENTS: &str = "contents";

/// The contents of a container that is to be deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Contents {
    /// Object versions, the current ones among them.
    pub versions: u64,
    /// Delete markers.
    pub delete_markers: u64,
    /// Uploads that were never finished.
    pub uploads: u64,
    /// True when counting stopped early, so that there are at least as many.
    pub more: bool,
}

impl Contents {
    /// True when nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.versions == 0 && self.delete_markers == 0 && self.uploads == 0
    }
}

impl fmt::Display for Contents {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = |count: u64, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
        write!(
            formatter,
            "{}{}, {} and {}",
            if self.more { "at least " } else { "" },
            counted(self.versions, "object version"),
            counted(self.delete_markers, "delete marker"),
            counted(self.uploads, "unfinished upload"),
        )
    }
}

/// The observations of all requested resources.
pub type Observations = BTreeMap<Key, Observed>;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::bucket::LifecycleRule;
    use super::scaling::{Bounds, Dimension, ScalableResource};
    use super::*;
    use crate::exposure::{Exposure, Extent};

    fn bucket() -> Bucket {
        Bucket::bare("b", "eu-west-1", Tags::new())
    }

    fn exposure(extent: Extent, message: &str) -> Exposure {
        Exposure { extent, message: message.into() }
    }

    #[test]
    fn what_was_read_hourly_is_as_it_was_and_the_rest_is_as_it_is() {
        let before =
            Bucket { versioning: true, lifecycle: [("x".into(), LifecycleRule::default())].into(), ..bucket() };
        let mut earlier = Observed::present(before.clone().into(), Owner::Ours);
        earlier.protected_fields = [("lifecycle", "why".to_string()), ("policy", "gone".into())].into();
        earlier.exposures = vec![exposure(Extent::Everybody, "gone"), exposure(Extent::Objects, "kept")];
        let policy = BTreeMap::from([("AipTlsOnly".into(), json!({}))]);
        let mut now = Observed::present(Bucket { policy: policy.clone(), ..bucket() }.into(), Owner::Ours);
        now.exposures = vec![exposure(Extent::Reads, "new")];
        assert!(now.complete(&earlier));
        assert_eq!(now.resource_of(), Some(&Bucket { policy, ..before }));
        assert_eq!(now.protected_fields, [("lifecycle", "why".to_string())].into());
        assert_eq!(now.exposures, [exposure(Extent::Reads, "new"), exposure(Extent::Objects, "kept")]);
    }

    #[test]
    fn nothing_is_taken_from_another_resource() {
        let target = ScalableTarget {
            scaled: ScalableResource::of("e", Dimension::Instances),
            bounds: Bounds { min_capacity: 1, max_capacity: 2 },
            tags: [("aiplatform.dev/team".into(), "one".into())].into(),
            scheduled: Vec::new(),
        };
        let seen = |tags: Tags, arn: &str| {
            let target = ScalableTarget { tags, ..target.clone() };
            Observed { arn: Some(arn.into()), ..Observed::present(target.into(), Owner::Ours) }
        };
        let mut now = Observed { owner: Owner::Nobody, ..seen(Tags::new(), "arn:1") };
        assert!(now.clone().complete(&seen(target.tags.clone(), "arn:1")));
        assert!(!now.complete(&seen(target.tags.clone(), "arn:2")), "it was registered anew");
        assert!(!now.complete(&Observed { owner: Owner::Nobody, ..seen(target.tags.clone(), "arn:1") }));
        assert!(!now.complete(&Observed::absent()));
        assert!(!now.complete(&Observed::present(bucket().into(), Owner::Ours)), "it is of another kind");
        assert_eq!((now.resource_of::<ScalableTarget>().map(|it| it.tags.len()), now.owner), (Some(0), Owner::Nobody));
    }

    #[test]
    fn every_part_that_is_read_hourly_can_be_taken_from_an_earlier_observation() {
        let samples: [Resource; 2] = [
            bucket().into(),
            ScalableTarget {
                scaled: ScalableResource::of("e", Dimension::Instances),
                bounds: Bounds { min_capacity: 1, max_capacity: 2 },
                tags: Tags::new(),
                scheduled: Vec::new(),
            }
            .into(),
        ];
        for kind in Kind::ALL.iter().filter(|kind| !kind.info().reads.hourly_parts().is_empty()) {
            let sample = samples.iter().find(|sample| sample.kind() == *kind);
            let sample = sample.unwrap_or_else(|| panic!("no sample of {kind}"));
            for part in kind.info().reads.hourly_parts() {
                assert!(sample.clone().take_part(part, sample), "{kind} has no part {part}");
            }
        }
    }
}
