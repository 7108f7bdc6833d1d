//! Consumers as proptest draws them, how what belongs to each is found, and what must become of it.

mod found;

use std::collections::{BTreeMap, BTreeSet};

use aiplatform::api::AIPlatform;
use aiplatform::desire::desire;
use aiplatform::platform::validate;
use aiplatform::policy::Policy;
use aiplatform::resource::pod_identity_association::PodIdentityAssociation;
use aiplatform::resource::role::Role;
use aiplatform::resource::service_account::ServiceAccount;
use aiplatform::resource::{Key, Kind, Owner, Resource};
use aiplatform::tags::{self, Tags};
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::scenario::{ACCOUNT, CLUSTER, OURS, REGION, Start};
use crate::support::memory::{CREATED, FakeCloud, StoredAssociation, StoredRole};
use found::{AccountStart, Found, OLD_TAG, found};

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
            role: Some(name.clone()),
        }),
        role: Role {
            arn: role_arn(&name),
            tags: owner,
            trust: Policy::new(json!({})),
            permissions_boundary: None,
            policies: BTreeMap::from([("access".into(), Policy::new(json!({})))]),
            name,
        },
    }
}

fn account_key(account: &ServiceAccount) -> String {
    format!("{}/{}", account.namespace, account.name)
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
        for (index, (slot, wanted)) in self.slots.iter().zip(wanted(object)).enumerate() {
            slot.found.put(cloud, &wanted, &format!("a-slot-{index}"));
        }
        for (index, found) in self.leftovers.iter().enumerate() {
            found.put(cloud, &leftover(index), &format!("a-left-{index}"));
        }
        let bystander = Found {
            role: Start::Theirs,
            association: Start::Nobodys,
            account: AccountStart::BoundByOthers,
            foreign: true,
        };
        let mut stranger = leftover(99);
        stranger.role.name = "bystander".into();
        bystander.put(cloud, &stranger, "a-bystander");
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
                    remove_role(&mut after, &wanted.role.name);
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
            remove_role(&mut after, &wanted.role.name);
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
        let mut document = policy.as_written().clone();
        document["Statement"].as_array_mut().expect("statements").retain(|statement| !names(statement));
        (name.clone(), document)
    });
    let left = narrowed.filter(|(_, document)| document["Statement"] != json!([]));
    left.map(|(name, document)| (name, Policy::new(document))).collect()
}

impl<D> Start<D> {
    pub fn attainable(&self) -> bool {
        matches!(self, Self::Absent | Self::Ours(_))
    }
}

/// Everything of one consumer as wanted, but for what is somebody else's.
pub fn converge(cloud: &mut FakeCloud, wanted: &Wanted) {
    let role = &wanted.role;
    let before = cloud.roles.get(&role.name);
    let made = StoredRole {
        tags: before.map_or_else(|| role.tags.clone(), |before| tags::merged(&before.tags, &role.tags)),
        attached: before.map(|before| before.attached.clone()).unwrap_or_default(),
        ..StoredRole::of(role)
    };
    assert!(!made.tags.contains_key(OLD_TAG), "a tag of an older spec would stay");
    cloud.roles.insert(role.name.clone(), made);
    if let Some(desired) = &wanted.association {
        let before = cloud.associations.get(&desired.name);
        if before.is_none_or(|before| before.owner(OURS) == Owner::Ours) {
            let made = StoredAssociation {
                id: before.map(|before| before.id.clone()).unwrap_or_default(),
                tags: before.map_or_else(|| desired.tags.clone(), |it| tags::merged(&it.tags, &desired.tags)),
                ..StoredAssociation::of(desired)
            };
            cloud.associations.insert(desired.name.clone(), made);
        }
    }
    if let Some(desired) = &wanted.account {
        let key = account_key(desired);
        let before = cloud.service_accounts.get(&key);
        if before.is_none_or(|before| !matches!(before.owner(OURS), Owner::Theirs(_))) {
            let created = before.is_none_or(|before| before.annotations.contains_key(CREATED));
            cloud.service_accounts.entry(key).or_default().bind(desired, created);
        }
    }
}

/// Nothing of one consumer gives pods its role any more, but for what is somebody else's.
fn unbind(cloud: &mut FakeCloud, wanted: &Wanted) {
    if let Some(desired) = &wanted.association
        && cloud.associations.get(&desired.name).is_some_and(|found| found.owner(OURS) == Owner::Ours)
    {
        cloud.associations.remove(&desired.name);
    }
    let Some(desired) = &wanted.account else { return };
    let key = account_key(desired);
    match cloud.service_accounts.get_mut(&key) {
        Some(found) if found.owner(OURS) != Owner::Ours => {}
        Some(found) if found.annotations.contains_key(CREATED) => {
            cloud.service_accounts.remove(&key);
        }
        Some(found) => found.apply(BTreeMap::new()),
        None => {}
    }
}

/// The role goes if it is ours.
fn remove_role(cloud: &mut FakeCloud, name: &str) {
    if cloud.roles.get(name).is_some_and(|role| role.tags.get(tags::OWNER).is_some_and(|owner| owner == OURS)) {
        cloud.roles.remove(name);
    }
}

fn gives(cloud: &FakeCloud, arn: &str) -> bool {
    let ours = |owner: Owner| owner == Owner::Ours;
    cloud.associations.values().any(|it| ours(it.owner(OURS)) && it.role_arn == arn)
        || cloud.service_accounts.values().any(|it| ours(it.owner(OURS)) && it.role_arn() == Some(arn))
}

/// Roles, associations and service accounts are exactly these. An id that is not known here may be any.
pub fn assert_is(after: &FakeCloud, expected: &FakeCloud) {
    assert_eq!(after.roles, expected.roles);
    assert_eq!(after.service_accounts, expected.service_accounts);
    let mut associations = after.associations.clone();
    for (name, found) in &mut associations {
        if expected.associations.get(name).is_some_and(|expected| expected.id.is_empty()) {
            found.id.clear();
        }
    }
    assert_eq!(associations, expected.associations);
}

/// The service accounts that may be bound although they are nobody's.
pub fn adoptable(object: &AIPlatform) -> impl Iterator<Item = Key> + use<> {
    let accounts = wanted(object).into_iter().filter_map(|wanted| wanted.account);
    accounts.map(|account| Key { kind: Kind::ServiceAccount, name: account_key(&account) })
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
