//! Clouds and specs as proptest draws them, and what must become of each.

use std::collections::{BTreeMap, BTreeSet};

use aiplatform::api::AIPlatform;
use aiplatform::api::status::{AIPlatformStatus, ResourceStatus, State};
use aiplatform::desire::desire;
use aiplatform::failure::Class;
use aiplatform::platform::validate;
use aiplatform::resource::bucket::{Bucket, Encryption, LifecycleRule, PublicAccessBlock, field};
use aiplatform::resource::{Contents, Key, Kind, Resource};
use aiplatform::tags::{self, Tags};
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::access::{self, Access};
use crate::support::memory::{FakeCloud, Fault, Stored};

pub const CLUSTER: &str = "cluster-1";
pub const ACCOUNT: &str = "123456789012";
pub const REGION: &str = "eu-west-1";
pub const OURS: &str = "cluster-1/support/assistant";
pub const THEIRS: &str = "cluster-2/sales/crm";

const POLICIES: [&str; 3] = ["Retain", "Delete", "DeleteWithContents"];

/// What a spec says of one bucket.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "a bucket has these switches")]
pub struct Shape {
    pub named: bool,
    pub adopt: bool,
    pub versioning: bool,
    pub tls_only: bool,
    pub kms: bool,
    pub deletion_policy: &'static str,
    pub rules: BTreeSet<i32>,
}

impl Shape {
    fn to_json(&self, name: &str) -> Value {
        let rules: Vec<Value> = self
            .rules
            .iter()
            .map(|days| json!({"id": format!("after-{days}"), "expiration": {"days": days}}))
            .collect();
        let mut bucket = json!({
            "name": name,
            "adopt": self.adopt,
            "versioning": self.versioning,
            "tlsOnly": self.tls_only,
            "deletionPolicy": self.deletion_policy,
            "lifecycle": {"rules": rules},
        });
        if self.named {
            bucket["bucketName"] = format!("{name}-{ACCOUNT}").into();
        }
        if self.kms {
            bucket["encryption"] = json!({"kmsKeyArn": format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/1")});
        }
        bucket
    }
}

/// What somebody changed by hand, or an older spec left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Drift {
    Versioning,
    PublicAccess,
    Ownership,
    Encryption,
    PolicyGone,
    PolicyChanged,
    LifecycleGone,
    LifecycleAdded,
    Team,
    DeletionPolicy,
    TagKeys,
    OlderTags,
}

impl Drift {
    const ALL: [Self; 12] = [
        Self::Versioning,
        Self::PublicAccess,
        Self::Ownership,
        Self::Encryption,
        Self::PolicyGone,
        Self::PolicyChanged,
        Self::LifecycleGone,
        Self::LifecycleAdded,
        Self::Team,
        Self::DeletionPolicy,
        Self::TagKeys,
        Self::OlderTags,
    ];

    fn befall(self, bucket: &mut Bucket) {
        match self {
            Self::Versioning => bucket.versioning = !bucket.versioning,
            Self::PublicAccess => bucket.public_access_block = PublicAccessBlock::default(),
            Self::Ownership => bucket.object_ownership = Some("ObjectWriter".into()),
            Self::Encryption => bucket.encryption = Some(Encryption::kms("arn:aws:kms:eu-west-1:123456789012:key/2")),
            Self::PolicyGone => bucket.policy.clear(),
            Self::PolicyChanged => {
                bucket.policy.insert("AipOld".into(), json!({"Sid": "AipOld", "Effect": "Deny"}));
            }
            Self::LifecycleGone => bucket.lifecycle.clear(),
            Self::LifecycleAdded => {
                bucket.lifecycle.insert("stale".into(), LifecycleRule { enabled: true, ..LifecycleRule::default() });
            }
            Self::Team => {
                bucket.tags.insert(format!("{}team", tags::PREFIX), "another".into());
            }
            Self::DeletionPolicy => {
                bucket.tags.remove(tags::DELETION_POLICY);
            }
            Self::TagKeys => {
                bucket.tags.remove(tags::TAG_KEYS);
            }
            Self::OlderTags => {
                let older = tags::desired(OURS, &aiplatform::api::Ownership::default(), &BTreeMap::from([old_tag()]));
                bucket.tags.extend(older);
            }
        }
    }
}

fn old_tag() -> (String, String) {
    ("from-an-older-spec".into(), "1".into())
}

/// Something in a bucket or on it that is none of our business, and that decides what may be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extra {
    /// A rule that no write of ours could carry.
    OpaqueRule,
    Contents,
}

impl Extra {
    const ALL: [Self; 2] = [Self::OpaqueRule, Self::Contents];

    fn befall(self, stored: &mut Stored) {
        match self {
            Self::OpaqueRule => {
                stored.protected_fields.insert(field::LIFECYCLE, "a lifecycle rule of others would be lost".into());
            }
            Self::Contents => {
                stored.contents = Contents { versions: 2, delete_markers: 1, uploads: 0, more: false };
            }
        }
    }
}

type Foreign = BTreeSet<Extra>;

fn assert_survived(foreign: &Foreign, found: &Stored, name: &str) {
    let mut alone = FakeCloud::default();
    let alone = alone.put(made_by_s3(name, Tags::new()));
    for extra in foreign {
        extra.befall(alone);
    }
    assert_eq!(found.protected_fields, alone.protected_fields, "rules of others on {name}");
    assert_eq!(found.contents, alone.contents, "contents of {name}");
}

/// How something of the spec is found.
#[derive(Clone, Debug)]
pub enum Start<D> {
    Absent,
    Ours(BTreeSet<D>),
    Theirs,
    Nobodys,
}

/// A bucket of the spec, and how it is found.
#[derive(Clone, Debug)]
pub struct Slot {
    pub shape: Shape,
    pub start: Start<Drift>,
    pub foreign: Foreign,
}

impl Slot {
    fn takes_over(&self) -> bool {
        matches!(self.start, Start::Nobodys) && self.shape.adopt
    }
}

/// A bucket that the status knows and the spec does not.
#[derive(Clone, Debug)]
pub struct Leftover {
    pub start: Start<Drift>,
    pub policy: Option<&'static str>,
    pub foreign: Foreign,
    /// What the status remembers of the policy.
    remembered: Option<&'static str>,
}

#[derive(Clone, Debug)]
pub struct Scenario {
    pub management_policy: &'static str,
    pub deletion_policy: &'static str,
    pub tags: BTreeMap<&'static str, &'static str>,
    pub slots: Vec<Slot>,
    pub leftovers: Vec<Leftover>,
    pub access: Access,
}

/// What must become of a bucket.
#[derive(Clone, Debug)]
pub enum End {
    /// Exactly as it was found, or as absent as it was.
    Untouched,
    Gone,
    /// As desired, with everything foreign still there.
    As(Box<Bucket>, Foreign),
}

/// The object with these buckets.
pub fn object(fields: Value) -> AIPlatform {
    let mut spec = json!({
        "region": REGION,
        "accountId": ACCOUNT,
        "ownership": {"team": "support", "contact": "s@example.com", "environment": "prod"},
    });
    let Value::Object(fields) = fields else { panic!("a spec is an object: {fields}") };
    for (field, value) in fields {
        spec[field] = value;
    }
    serde_json::from_value(json!({
        "apiVersion": "aiplatform.dev/v1alpha1",
        "kind": "AIPlatform",
        "metadata": {"name": "assistant", "namespace": "support", "generation": 2},
        "spec": spec,
    }))
    .expect("the object parses")
}

/// The buckets an object wants.
pub fn wanted(object: &AIPlatform) -> Vec<Bucket> {
    let platform = validate(object).expect("the spec is valid");
    desire(&platform, CLUSTER)
        .into_iter()
        .filter_map(|desired| match desired.resource {
            Resource::Bucket(bucket) => Some(bucket),
            _ => None,
        })
        .collect()
}

/// The buckets of a spec as JSON.
pub fn buckets_json<'a>(shapes: impl IntoIterator<Item = (usize, &'a Shape)>) -> Value {
    shapes.into_iter().map(|(index, shape)| shape.to_json(&format!("bucket-{index}"))).collect()
}

/// A bucket as S3 makes it for somebody who says nothing more.
pub fn made_by_s3(name: &str, tags: Tags) -> Bucket {
    Bucket {
        public_access_block: PublicAccessBlock::ALL,
        object_ownership: Some("BucketOwnerEnforced".into()),
        encryption: Some(Encryption::sse_s3()),
        ..Bucket::bare(name, REGION, tags)
    }
}

/// A bucket that somebody made without us.
fn without_us(name: &str, owner: Option<&str>) -> Bucket {
    let tags = owner.map(|owner| (tags::OWNER.to_string(), owner.to_string()));
    let encryption = Some(Encryption::kms("arn:aws:kms:eu-west-1:123456789012:key/3"));
    Bucket { encryption, ..made_by_s3(name, tags.into_iter().collect()) }
}

fn found(start: &Start<Drift>, desired: &Bucket) -> Option<Bucket> {
    match start {
        Start::Absent => None,
        Start::Theirs => Some(without_us(&desired.name, Some(THEIRS))),
        Start::Nobodys => Some(without_us(&desired.name, None)),
        Start::Ours(drifts) => {
            let mut bucket = desired.clone();
            for drift in drifts {
                drift.befall(&mut bucket);
            }
            Some(bucket)
        }
    }
}

fn put(cloud: &mut FakeCloud, start: &Start<Drift>, desired: &Bucket, foreign: &Foreign) {
    let Some(bucket) = found(start, desired) else { return };
    let stored = cloud.put(bucket);
    for extra in foreign {
        extra.befall(stored);
    }
}

impl Scenario {
    pub fn object(&self) -> AIPlatform {
        let shapes = self.slots.iter().map(|slot| &slot.shape).enumerate();
        let mut fields = json!({
            "managementPolicy": self.management_policy,
            "deletionPolicy": self.deletion_policy,
            "tags": self.tags,
            "storage": {"buckets": buckets_json(shapes)},
        });
        let access = self.access.to_json((!self.slots.is_empty()).then_some("bucket-0"));
        for (field, value) in access.as_object().expect("fields") {
            fields[field] = value.clone();
        }
        let mut object = object(fields);
        let known = |key: Key| ResourceStatus {
            kind: key.kind.name().into(),
            name: key.name,
            id: None,
            arn: None,
            state: State::Ready,
            reason: None,
            message: None,
            deletion_policy: None,
            never_attempted: false,
            since: None,
        };
        let buckets = self.leftovers.iter().enumerate().map(|(index, leftover)| {
            let bucket = known(Key { kind: Kind::Bucket, name: leftover_name(index) });
            ResourceStatus { deletion_policy: leftover.remembered.map(Into::into), ..bucket }
        });
        object.status = Some(AIPlatformStatus {
            observed_generation: Some(1),
            resources: buckets.chain(self.access.known().into_iter().map(known)).collect(),
            ..AIPlatformStatus::default()
        });
        object
    }

    /// The cloud before the first pass.
    pub fn cloud(&self) -> FakeCloud {
        let mut cloud = FakeCloud::default();
        for (slot, desired) in self.slots.iter().zip(wanted(&self.object())) {
            put(&mut cloud, &slot.start, &desired, &slot.foreign);
        }
        for (index, leftover) in self.leftovers.iter().enumerate() {
            let policy = leftover.policy.map(|policy| (tags::DELETION_POLICY.to_string(), policy.to_string()));
            let owner = (tags::OWNER.to_string(), OURS.to_string());
            let bucket = made_by_s3(&leftover_name(index), policy.into_iter().chain([owner]).collect());
            put(&mut cloud, &leftover.start, &bucket, &leftover.foreign);
        }
        cloud.put(without_us("bystander", Some(THEIRS)));
        cloud.put(without_us("passer-by", None));
        self.access.put(&mut cloud, &self.object());
        cloud
    }

    /// What must become of roles, associations and service accounts of a live object.
    pub fn access_ends(&self) -> FakeCloud {
        self.access.lives_on(&self.cloud(), &self.object(), self.management_policy, &self.refused())
    }

    /// The buckets of the spec that stay somebody else's.
    fn refused(&self) -> BTreeSet<String> {
        let slots = self.slots.iter().zip(wanted(&self.object()));
        let refused = slots.filter(|(slot, _)| !slot.start.attainable() && !slot.takes_over());
        refused.map(|(_, desired)| desired.name).collect()
    }

    /// What must become of them when the object is deleted.
    pub fn access_ends_of_deletion(&self) -> FakeCloud {
        if self.management_policy != "Full" || self.deletion_policy == "Retain" {
            return self.cloud();
        }
        self.access.goes(&self.cloud(), &self.object())
    }

    /// What may be written although it is nobody's.
    pub fn adopted(&self) -> BTreeSet<Key> {
        let slots = self.slots.iter().zip(wanted(&self.object()));
        let buckets = slots
            .filter(|(slot, _)| slot.shape.adopt)
            .map(|(_, desired)| Key { kind: Kind::Bucket, name: desired.name });
        buckets.chain(access::adoptable(&self.object())).collect()
    }

    /// What must become of every bucket of a live object.
    pub fn ends(&self) -> BTreeMap<String, End> {
        let cloud = self.cloud();
        let mut ends = untouched(&cloud);
        if self.management_policy == "Observe" {
            return ends;
        }
        for (slot, desired) in self.slots.iter().zip(wanted(&self.object())) {
            let ours = matches!(slot.start, Start::Absent | Start::Ours(_));
            let name = desired.name.clone();
            if ours || (matches!(slot.start, Start::Nobodys) && slot.shape.adopt) {
                let mut end = desired;
                let mut foreign = slot.foreign.clone();
                match cloud.get::<Bucket>(&name) {
                    // A lifecycle that would lose a rule of others is not written at all.
                    Some(bucket) if slot.foreign.contains(&Extra::OpaqueRule) => {
                        end.lifecycle.clone_from(&bucket.lifecycle);
                    }
                    Some(_) => {}
                    None => foreign.clear(),
                }
                ends.insert(name, End::As(Box::new(end), foreign));
            }
        }
        if self.management_policy == "Full" {
            for (index, leftover) in self.leftovers.iter().enumerate() {
                if leftover.goes() {
                    ends.insert(leftover_name(index), End::Gone);
                }
            }
        }
        ends
    }

    /// What must become of every bucket when the object is deleted, and which buckets somebody has to empty first.
    pub fn ends_of_deletion(&self) -> (BTreeMap<String, End>, Vec<String>) {
        let mut ends = untouched(&self.cloud());
        let mut full = Vec::new();
        if self.management_policy != "Full" || self.deletion_policy == "Retain" {
            return (ends, full);
        }
        let slots = self.slots.iter().zip(wanted(&self.object()));
        let slots = slots.map(|(slot, desired)| {
            (desired.name, &slot.start, Some(slot.shape.deletion_policy), slot.foreign.contains(&Extra::Contents))
        });
        let leftovers = self.leftovers.iter().enumerate().map(|(index, leftover)| {
            (
                leftover_name(index),
                &leftover.start,
                leftover.remaining_policy(),
                leftover.foreign.contains(&Extra::Contents),
            )
        });
        for (name, start, policy, contents) in slots.chain(leftovers) {
            if !matches!(start, Start::Ours(_)) || policy.is_none_or(|policy| policy == "Retain") {
                continue;
            }
            if contents && policy == Some("Delete") {
                full.push(name.clone());
            }
            ends.insert(name, End::Gone);
        }
        (ends, full)
    }

    /// Whether nothing stands in the way of a live object.
    pub fn can_be_ready(&self) -> bool {
        let slots = self.slots.iter().zip(wanted(&self.object()));
        let mut slots = slots.map(|(slot, desired)| match slot.start {
            Start::Absent => true,
            Start::Theirs => false,
            Start::Nobodys if !slot.shape.adopt => false,
            Start::Ours(_) | Start::Nobodys => {
                let lifecycle = found(&slot.start, &desired).map(|bucket| bucket.lifecycle);
                !slot.foreign.contains(&Extra::OpaqueRule) || lifecycle.as_ref() == Some(&desired.lifecycle)
            }
        });
        let blocked = |leftover: &Leftover| {
            matches!(leftover.start, Start::Ours(_))
                && leftover.remaining_policy() == Some("Delete")
                && leftover.foreign.contains(&Extra::Contents)
        };
        slots.all(|fine| fine)
            && self.access.can_be_ready(&self.object())
            && (self.management_policy != "Full" || !self.leftovers.iter().any(blocked))
    }
}

impl Leftover {
    /// The more careful of what its tag says, where nobody took the tag away, and of what the status remembers.
    fn remaining_policy(&self) -> Option<&'static str> {
        let tagged = match &self.start {
            Start::Ours(drifts) if !drifts.contains(&Drift::DeletionPolicy) => self.policy?,
            _ => return None,
        };
        let careful = |policy: &str| POLICIES.iter().position(|known| *known == policy);
        [Some(tagged), self.remembered].into_iter().flatten().min_by_key(|policy| careful(policy))
    }

    fn goes(&self) -> bool {
        match self.remaining_policy() {
            Some("Delete") => !self.foreign.contains(&Extra::Contents),
            Some("DeleteWithContents") => true,
            _ => false,
        }
    }
}

fn untouched(cloud: &FakeCloud) -> BTreeMap<String, End> {
    cloud.all::<Bucket>().map(|bucket| (bucket.name.clone(), End::Untouched)).collect()
}

fn leftover_name(index: usize) -> String {
    format!("left-over-{index}")
}

/// Every bucket ended as it must, and there is no other.
pub fn assert_ended(ends: &BTreeMap<String, End>, before: &FakeCloud, after: &FakeCloud) {
    for Bucket { name, .. } in after.all() {
        assert!(ends.contains_key(name), "nobody wanted {name}");
    }
    for (name, end) in ends {
        let found = after.stored::<Bucket>(name);
        match end {
            End::Untouched => assert_eq!(found, before.stored::<Bucket>(name), "{name} should not have been touched"),
            End::Gone => assert_eq!(found, None, "{name} should be gone"),
            End::As(bucket, foreign) => {
                let found = found.unwrap_or_else(|| panic!("{name} should exist"));
                assert_eq!(after.get(name), Some(&**bucket));
                assert_survived(foreign, found, name);
            }
        }
    }
}

pub fn shape() -> impl Strategy<Value = Shape> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (flags, select(&POLICIES[..]), btree_set(1..4, 0..3)).prop_map(
        |((named, adopt, versioning, tls_only, kms), deletion_policy, rules)| Shape {
            named,
            adopt,
            versioning,
            tls_only,
            kms,
            deletion_policy,
            rules,
        },
    )
}

fn foreign() -> impl Strategy<Value = Foreign> {
    btree_set(select(&Extra::ALL[..]), 0..2)
}

fn start() -> impl Strategy<Value = Start<Drift>> {
    prop_oneof![
        2 => Just(Start::Absent),
        4 => btree_set(select(&Drift::ALL[..]), 0..5).prop_map(Start::Ours),
        1 => Just(Start::Theirs),
        2 => Just(Start::Nobodys),
    ]
}

pub fn scenario() -> impl Strategy<Value = Scenario> {
    let slot = (shape(), start(), foreign()).prop_map(|(shape, start, foreign)| Slot { shape, start, foreign });
    let leftover = (start(), option::of(select(&POLICIES[..])), foreign(), option::of(select(&POLICIES[..])))
        .prop_map(|(start, policy, foreign, remembered)| Leftover { start, policy, foreign, remembered });
    let management = prop_oneof![6 => Just("Full"), 1 => Just("NoDelete"), 1 => Just("Observe")];
    let deletion = prop_oneof![3 => Just("Delete"), 1 => Just("Retain")];
    let tags = prop_oneof![Just(BTreeMap::new()), Just(BTreeMap::from([("project", "assistant"), ("stage", "")]))];
    (management, deletion, tags, vec(slot, 0..4), vec(leftover, 0..3), access::access()).prop_map(
        |(management_policy, deletion_policy, tags, slots, leftovers, access)| Scenario {
            management_policy,
            deletion_policy,
            tags,
            slots,
            leftovers,
            access,
        },
    )
}

/// One failure somewhere in the first passes.
pub fn fault() -> impl Strategy<Value = Fault> {
    let class = select(vec![
        Class::Denied,
        Class::Invalid,
        Class::Quota,
        Class::NotOwned,
        Class::Conflict,
        Class::Throttled,
        Class::NotFound,
        Class::Transient,
    ]);
    (0..40usize, any::<bool>(), class).prop_map(|(call, after_the_effect, class)| Fault {
        call,
        after_the_effect,
        class,
        for_good: false,
    })
}

/// The end of the process somewhere in the first passes.
pub fn crash() -> impl Strategy<Value = Fault> {
    (0..40usize, any::<bool>()).prop_map(|(call, after_the_effect)| Fault {
        call,
        after_the_effect,
        class: Class::Transient,
        for_good: true,
    })
}
