//! Consumers as proptest draws them, how what belongs to each is found, and what must become of it.

mod found;

use std::collections::{BTreeMap, BTreeSet};

use aiplatform::api::AIPlatform;
use aiplatform::desire::desire;
use aiplatform::kind::Listed;
use aiplatform::platform::validate;
use aiplatform::policy::Policy;
use aiplatform::resource::pod_identity_association::PodIdentityAssociation;
use aiplatform::resource::role::Role;
use aiplatform::resource::service_account::{ROLE_ANNOTATION, ServiceAccount};
use aiplatform::resource::{Key, Kind, Owner, Resource};
use aiplatform::tags::{self, Tags};
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::scenario::{ACCOUNT, CLUSTER, OURS, REGION, Start};
use crate::support::memory::{FakeCloud, Stored};
use found::{AccountStart, Found, found};

/// The time at which something was made that was made on the way.
const NEW: i64 = -1;

const MODELS: [&str; 3] = ["fast", "wide", "guarded"];

/// The models that consumers draw from.
pub fn models_json() -> Value {
    json!([
        {"name": "fast", "bedrock": {"modelId": "anthropic.claude-haiku-4-5-20251001-v1:0"}},
        {"name": "wide", "bedrock": {
            "modelId": "anthropic.claude-sonnet-4-5-20250929-v1:0",
            "inferenceProfileId": "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "destinationRegions": ["eu-west-1", "eu-central-1"],
        }},
        {"name": "guarded", "bedrock": {
            "modelId": "amazon.nova-lite-v1:0",
            "guardrail": {"id": "gr1abc", "version": "3"},
            "streaming": false,
        }},
    ])
}

/// How pods get credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    Irsa,
    PodIdentity,
}

impl Identity {
    pub fn to_json(self) -> Value {
        match self {
            Self::Irsa => json!({"irsa": {
                "oidcProviderArn": format!("arn:aws:iam::{ACCOUNT}:oidc-provider/oidc.eks.{REGION}.amazonaws.com/id/ABC"),
            }}),
            Self::PodIdentity => {
                json!({"podIdentity": {"clusterArn": format!("arn:aws:eks:{REGION}:{ACCOUNT}:cluster/prod")}})
            }
        }
    }
}

/// Who takes a consumer's role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A service account in the platform's namespace.
    Own,
    /// A service account in another.
    Elsewhere,
    Principals,
}

/// What a spec says of one consumer.
#[derive(Clone, Debug)]
pub struct Consumer {
    pub subject: Subject,
    pub models: BTreeSet<&'static str>,
    /// How it uses the first bucket, where there is one.
    pub bucket: Option<&'static str>,
}

impl Consumer {
    /// The consumer, with this service account.
    pub fn to_json(&self, name: &str, account: &str, bucket: Option<&str>) -> Value {
        let mut consumer = json!({"name": name, "models": self.models});
        match self.subject {
            Subject::Own => consumer["serviceAccount"] = json!({"name": account}),
            Subject::Elsewhere => consumer["serviceAccount"] = json!({"name": account, "namespace": "search"}),
            Subject::Principals => {
                consumer["principalArns"] = json!([format!("arn:aws:iam::{ACCOUNT}:role/batch")]);
            }
        }
        if let (Some(mode), Some(bucket)) = (self.bucket, bucket) {
            consumer["buckets"] = json!([{"name": bucket, "mode": mode, "prefix": "prompts/"}]);
        }
        consumer
    }
}

/// What a spec wants for one consumer.
pub struct Wanted {
    pub role: Role,
    pub association: Option<PodIdentityAssociation>,
    pub account: Option<ServiceAccount>,
}

/// What an object wants for each consumer, in the order of the spec.
pub fn wanted(object: &AIPlatform) -> Vec<Wanted> {
    let platform = validate(object).expect("the spec is valid");
    let mut all: Vec<Wanted> = Vec::new();
    for desired in desire(&platform, CLUSTER) {
        let of = |all: &Vec<Wanted>, role: &str| all.iter().position(|wanted| wanted.role.name == role);
        match desired.resource {
            Resource::Role(role) => all.push(Wanted { role, association: None, account: None }),
            Resource::PodIdentityAssociation(association) => {
                let index = all.iter().position(|wanted| wanted.role.arn == association.role_arn);
                all[index.expect("its role comes first")].association = Some(association);
            }
            Resource::ServiceAccount(account) => {
                let index = of(&all, account.role.as_deref().unwrap_or_default());
                all[index.expect("its role comes first")].account = Some(account);
            }
            _ => {}
        }
    }
    all
}

/// A consumer of the spec, and how what belongs to it is found.
#[derive(Clone, Debug)]
pub struct Slot {
    pub consumer: Consumer,
    pub found: Found,
}

/// Everything about access in one cloud.
#[derive(Clone, Debug)]
pub struct Access {
    pub identity: Identity,
    pub boundary: bool,
    pub slots: Vec<Slot>,
    /// Consumers that the status knows and the spec does not.
    pub leftovers: Vec<Found>,
}

fn role_arn(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/aiplatform/{name}")
}

/// The role, the service account and the association of a consumer that the spec no longer has.
fn leftover(index: usize) -> Wanted {
    let name = format!("left-over-{index}");
    let owner = Tags::from([(tags::OWNER.to_string(), OURS.to_string())]);
    let service_account_id = aiplatform::resource::pod_identity_association::ServiceAccountId {
        region: REGION.into(),
        cluster: "prod".into(),
        namespace: "support".into(),
        service_account: name.clone(),
    };
    Wanted {
        association: Some(PodIdentityAssociation {
            name: service_account_id.name(REGION),
            service_account_id,
            role_arn: role_arn(&name),
            target_role_arn: None,
            policy: None,
            disable_session_tags: false,
            tags: owner.clone(),
        }),
        account: Some(ServiceAccount {
            namespace: "support".into(),
            name: name.clone(),
            owner: OURS.into(),
            role_arn: Some(role_arn(&name)),
            labels: BTreeMap::new(),
            automount_service_account_token: None,
            role: Some(name.clone()),
            predates_platform: false,
        }),
        role: Role {
            arn: role_arn(&name),
            tags: owner,
            trust: Policy::new(&json!({})),
            permissions_boundary: None,
            policies: BTreeMap::from([("access".into(), Policy::new(&json!({})))]),
            name,
        },
    }
}

/// The key of a resource.
fn key<T: Listed>(resource: &T) -> Key {
    T::key_of(resource.name())
}

/// A service account that nobody bound to anything.
pub fn unbound(namespace: &str, name: &str) -> ServiceAccount {
    let (namespace, name) = (namespace.into(), name.into());
    let (labels, automount_service_account_token) = (BTreeMap::new(), None);
    ServiceAccount {
        namespace,
        name,
        owner: String::new(),
        role_arn: None,
        labels,
        automount_service_account_token,
        role: None,
        predates_platform: true,
    }
}

impl Access {
    /// The fields of the spec.
    pub fn to_json(&self, bucket: Option<&str>) -> Value {
        let consumers = self.slots.iter().enumerate().map(|(index, slot)| {
            slot.consumer.to_json(&format!("consumer-{index}"), &format!("account-{index}"), bucket)
        });
        let mut fields = json!({
            "identity": self.identity.to_json(),
            "models": models_json(),
            "access": consumers.collect::<Vec<_>>(),
        });
        if self.boundary {
            fields["permissionsBoundaryArn"] = format!("arn:aws:iam::{ACCOUNT}:policy/boundary").into();
        }
        fields
    }

    /// What the status knows of consumers that are no more.
    pub fn known(&self) -> Vec<Key> {
        let keys = (0..self.leftovers.len()).map(leftover).flat_map(|wanted| {
            [
                Some(Resource::Role(wanted.role)),
                wanted.association.map(Resource::PodIdentityAssociation),
                wanted.account.map(Resource::ServiceAccount),
            ]
        });
        keys.flatten().map(|resource| resource.key()).collect()
    }

    /// Puts everything into the cloud as it is found, with bystanders.
    pub fn put(&self, cloud: &mut FakeCloud, object: &AIPlatform) {
        for (slot, wanted) in self.slots.iter().zip(wanted(object)) {
            slot.found.put(cloud, &wanted);
        }
        for (index, found) in self.leftovers.iter().enumerate() {
            found.put(cloud, &leftover(index));
        }
        let bystander = Found {
            role: Start::Theirs,
            association: Start::Nobodys,
            account: AccountStart::BoundByOthers,
            foreign: true,
        };
        let mut stranger = leftover(99);
        stranger.role.name = "bystander".into();
        bystander.put(cloud, &stranger);
    }

    /// What must become of the cloud when the object lives on, and these buckets of its spec stay somebody else's.
    pub fn lives_on(
        &self,
        cloud: &FakeCloud,
        object: &AIPlatform,
        management_policy: &str,
        refused: &BTreeSet<String>,
    ) -> FakeCloud {
        let mut after = cloud.clone();
        if management_policy == "Observe" {
            return after;
        }
        for (slot, mut wanted) in self.slots.iter().zip(wanted(object)) {
            wanted.role.policies = without(&wanted.role.policies, refused);
            if slot.found.role.attainable() {
                converge(&mut after, &wanted);
            }
        }
        if management_policy == "Full" {
            let leftovers: Vec<Wanted> = (0..self.leftovers.len()).map(leftover).collect();
            for wanted in &leftovers {
                unbind(&mut after, wanted);
            }
            // A role is not pulled from under what of ours still gives it to pods.
            for wanted in &leftovers {
                if !gives(&after, &wanted.role.arn) {
                    remove(&mut after, Some(key(&wanted.role)));
                }
            }
        }
        after
    }

    /// What must become of the cloud when everything goes.
    pub fn goes(&self, cloud: &FakeCloud, object: &AIPlatform) -> FakeCloud {
        let mut after = cloud.clone();
        for wanted in wanted(object).into_iter().chain((0..self.leftovers.len()).map(leftover)) {
            unbind(&mut after, &wanted);
            remove(&mut after, Some(key(&wanted.role)));
        }
        after
    }

    /// Whether nothing stands in the way of a live object.
    pub fn can_be_ready(&self, object: &AIPlatform) -> bool {
        let wanted = wanted(object);
        self.slots.iter().zip(&wanted).all(|(slot, wanted)| {
            let found = &slot.found;
            let bindable = matches!(found.association, Start::Absent | Start::Ours(_));
            let free = !matches!(found.account, AccountStart::BoundByOthers | AccountStart::Theirs);
            found.role.attainable() && (wanted.association.is_none() || bindable) && (wanted.account.is_none() || free)
        })
    }
}

/// The policies without the statements that name one of these buckets.
fn without(policies: &BTreeMap<String, Policy>, buckets: &BTreeSet<String>) -> BTreeMap<String, Policy> {
    let names = |statement: &Value| {
        let text = statement.to_string();
        buckets
            .iter()
            .any(|bucket| [format!(":::{bucket}\""), format!(":::{bucket}/")].iter().any(|it| text.contains(it)))
    };
    let narrowed = policies.iter().map(|(name, policy)| {
        let mut document = policy.as_written();
        document["Statement"].as_array_mut().expect("statements").retain(|statement| !names(statement));
        (name.clone(), document)
    });
    let left = narrowed.filter(|(_, document)| document["Statement"] != json!([]));
    left.map(|(name, document)| (name, Policy::new(&document))).collect()
}

impl<D> Start<D> {
    pub fn attainable(&self) -> bool {
        matches!(self, Self::Absent | Self::Ours(_))
    }
}

/// Everything of one consumer as wanted, but for what is somebody else's.
pub fn converge(cloud: &mut FakeCloud, wanted: &Wanted) {
    set(cloud, wanted.role.clone());
    if let Some(desired) = &wanted.association
        && cloud.holder(&key(desired), OURS).is_none_or(|holder| holder == Owner::Ours)
    {
        set(cloud, desired.clone());
    }
    if let Some(desired) = &wanted.account
        && !matches!(cloud.holder(&key(desired), OURS), Some(Owner::Theirs(_)))
    {
        set(cloud, desired.clone());
    }
}

/// Makes the resource what is desired. What it was made by stays, and what others set beside it.
fn set(cloud: &mut FakeCloud, desired: impl Into<Resource>) {
    let desired = desired.into();
    let before = cloud.resources.get(&desired.key()).cloned();
    let made = cloud.put_as(OURS, desired);
    match before {
        Some(before) => {
            let (resource, mark) = (made.resource.clone(), made.mark.clone());
            *made = Stored { resource, mark, ..before.clone() };
            made.annotations.remove(ROLE_ANNOTATION);
            made.set_created(before.is_created);
        }
        None => made.made = NEW,
    }
}

/// Nothing of one consumer gives pods its role any more, but for what is somebody else's.
fn unbind(cloud: &mut FakeCloud, wanted: &Wanted) {
    remove(cloud, wanted.association.as_ref().map(key));
    let Some(desired) = &wanted.account else { return };
    if cloud.holder(&key(desired), OURS) != Some(Owner::Ours) {
        return;
    }
    let found = cloud.resources.get_mut(&key(desired)).expect("somebody holds it");
    if found.is_created && found.annotations.is_empty() {
        cloud.remove(&key(desired));
    } else {
        found.resource = unbound(&desired.namespace, &desired.name).into();
        (found.mark, found.is_created) = (None, false);
    }
}

/// The resource goes if it is ours.
fn remove(cloud: &mut FakeCloud, key: Option<Key>) {
    if let Some(key) = key.filter(|key| cloud.holder(key, OURS) == Some(Owner::Ours)) {
        cloud.remove(&key);
    }
}

fn gives(cloud: &FakeCloud, arn: &str) -> bool {
    cloud.resources.iter().any(|(key, stored)| {
        let given = match &stored.resource {
            Resource::PodIdentityAssociation(association) => Some(association.role_arn.as_str()),
            Resource::ServiceAccount(account) => account.role_arn.as_deref(),
            _ => None,
        };
        given == Some(arn) && cloud.holder(key, OURS) == Some(Owner::Ours)
    })
}

/// Roles, associations and service accounts are exactly these.
pub fn assert_is(after: &FakeCloud, expected: &FakeCloud) {
    let access = |cloud: &FakeCloud| -> BTreeMap<Key, Stored> {
        let kinds = [Kind::Role, Kind::PodIdentityAssociation, Kind::ServiceAccount];
        let resources = cloud.resources.clone().into_iter();
        resources.filter(|(key, _)| kinds.contains(&key.kind)).collect()
    };
    let (mut found, expected) = (access(after), access(expected));
    for (key, stored) in &mut found {
        if expected.get(key).is_some_and(|expected| expected.made == NEW) {
            stored.made = NEW;
        }
    }
    assert_eq!(found, expected);
}

/// The service accounts that may be bound although they are nobody's.
pub fn adoptable(object: &AIPlatform) -> impl Iterator<Item = Key> + use<> {
    let accounts = wanted(object).into_iter().filter_map(|wanted| wanted.account);
    accounts.map(|account| key(&account))
}

pub fn consumer() -> impl Strategy<Value = Consumer> {
    let subject = prop_oneof![3 => Just(Subject::Own), 1 => Just(Subject::Elsewhere), 1 => Just(Subject::Principals)];
    let models = btree_set(select(&MODELS[..]), 1..3);
    (subject, models, option::of(select(&["Read", "ReadWrite"][..]))).prop_map(|(subject, models, bucket)| Consumer {
        subject,
        models,
        bucket,
    })
}

pub fn identity() -> impl Strategy<Value = Identity> {
    prop_oneof![Just(Identity::Irsa), Just(Identity::PodIdentity)]
}

pub fn access() -> impl Strategy<Value = Access> {
    let slot = (consumer(), found()).prop_map(|(consumer, found)| Slot { consumer, found });
    (identity(), any::<bool>(), vec(slot, 0..3), vec(found(), 0..3))
        .prop_map(|(identity, boundary, slots, leftovers)| Access { identity, boundary, slots, leftovers })
}
