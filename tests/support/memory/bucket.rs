//! Buckets: one call per field, each carrying along what is not ours.

use std::collections::{BTreeMap, BTreeSet};

use aiplatform::plan::{Action, Step};
use aiplatform::provider::{Applied, Class, Error, Place};
use aiplatform::resource::bucket::{
    Bucket, Encryption, LifecycleRule, PublicAccessBlock, RULE_PREFIX, SID_PREFIX, field,
};
use aiplatform::resource::{Contents, Key, Observed, Owner, Request, Resource};
use aiplatform::tags::{self, Tags};
use serde_json::Value;

use super::{Memory, owner};

/// A bucket as AWS holds it: what is ours beside what is not.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    pub region: String,
    pub tags: Tags,
    pub public_access_block: PublicAccessBlock,
    pub object_ownership: Option<String>,
    pub encryption: Option<Encryption>,
    pub versioning: bool,
    pub statements: Vec<Value>,
    /// By the id that AWS knows.
    pub rules: BTreeMap<String, LifecycleRule>,
    /// Ids of rules with something in them that a write of ours would lose.
    pub opaque_rules: BTreeSet<String>,
    pub contents: Contents,
}

impl Stored {
    /// A bucket as `CreateBucket` leaves it.
    pub fn fresh(region: &str, tags: Tags) -> Self {
        Self {
            region: region.into(),
            tags,
            public_access_block: PublicAccessBlock::ALL,
            object_ownership: Some("BucketOwnerEnforced".into()),
            encryption: Some(Encryption::sse_s3()),
            versioning: false,
            statements: Vec::new(),
            rules: BTreeMap::new(),
            opaque_rules: BTreeSet::new(),
            contents: Contents::default(),
        }
    }

    /// A bucket that is exactly this.
    pub fn of(bucket: &Bucket) -> Self {
        let mut stored = Self::fresh(&bucket.region, Tags::new());
        for field in FIELDS {
            stored.write(field, bucket);
        }
        stored
    }

    /// What of it is ours, in canonical form.
    pub fn managed(&self, name: &str) -> Bucket {
        let ours = |statement: &&Value| sid(statement).is_some_and(|sid| sid.starts_with(SID_PREFIX));
        Bucket {
            name: name.into(),
            region: self.region.clone(),
            tags: tags::managed(&self.tags),
            public_access_block: self.public_access_block,
            object_ownership: self.object_ownership.clone(),
            encryption: self.encryption.clone(),
            versioning: self.versioning,
            policy: self
                .statements
                .iter()
                .filter(ours)
                .map(|statement| (sid(statement).unwrap_or_default().to_string(), statement.clone()))
                .collect(),
            lifecycle: self
                .rules
                .iter()
                .filter_map(|(id, rule)| Some((id.strip_prefix(RULE_PREFIX)?.to_string(), rule.clone())))
                .collect(),
        }
    }

    /// One call of S3 that writes one field and, like an adapter, carries along what is not ours.
    fn write(&mut self, field: &str, desired: &Bucket) {
        match field {
            field::TAGS => self.tags = tags::merged(&self.tags, &desired.tags),
            field::PUBLIC_ACCESS_BLOCK => self.public_access_block = desired.public_access_block,
            field::OBJECT_OWNERSHIP => self.object_ownership.clone_from(&desired.object_ownership),
            field::ENCRYPTION => self.encryption.clone_from(&desired.encryption),
            field::VERSIONING => self.versioning = desired.versioning,
            field::POLICY => {
                self.statements.retain(|statement| !sid(statement).is_some_and(|sid| sid.starts_with(SID_PREFIX)));
                self.statements.extend(desired.policy.values().cloned());
            }
            field::LIFECYCLE => {
                self.rules.retain(|id, _| !id.starts_with(RULE_PREFIX));
                let ours = desired.lifecycle.iter().map(|(id, rule)| (format!("{RULE_PREFIX}{id}"), rule.clone()));
                self.rules.extend(ours);
                self.opaque_rules.clear();
            }
            other => panic!("no call of S3 writes {other}"),
        }
    }
}

fn sid(statement: &Value) -> Option<&str> {
    statement.get("Sid").and_then(Value::as_str)
}

/// The fields of a bucket in the order in which they are written.
const FIELDS: [&str; 7] = [
    field::TAGS,
    field::PUBLIC_ACCESS_BLOCK,
    field::OBJECT_OWNERSHIP,
    field::ENCRYPTION,
    field::VERSIONING,
    field::POLICY,
    field::LIFECYCLE,
];

impl Memory {
    pub(super) async fn observe_bucket(&self, place: &Place, request: &Request) -> Result<Observed, Error> {
        let name = &request.key.name;
        let found = self.call("s3:GetBucketTagging", name, |world| Ok(world.buckets.get(name).cloned())).await?;
        let Some(found) = found else { return Ok(Observed::absent()) };
        let owner = owner(&found.tags, &place.owner);
        let mut observed = Observed::present(Resource::Bucket(found.managed(name)), owner.clone());
        let worth_reading = owner == Owner::Ours || (owner == Owner::Nobody && request.adopt);
        if !worth_reading {
            observed.resource = None;
            return Ok(observed);
        }
        let read = self.call("s3:GetBucket", name, |world| Ok(world.buckets.get(name).cloned())).await;
        let read = match read {
            Ok(Some(read)) => read,
            Ok(None) => return Ok(Observed::absent()),
            Err(error) => return Ok(Observed { owner, ..Observed::unreadable(error) }),
        };
        observed.resource = Some(Resource::Bucket(read.managed(name)));
        if !read.opaque_rules.is_empty() {
            observed.held.insert(field::LIFECYCLE, "a lifecycle rule of others would be lost".into());
        }
        if request.leaving {
            let contents = self.call("s3:ListBucketVersions", name, |_| Ok(read.contents)).await?;
            observed.contents = Some(contents);
        }
        Ok(observed)
    }

    pub(super) async fn apply_bucket(&self, place: &Place, step: &Step) -> Result<Applied, Error> {
        let name = &step.key.name;
        let fields: BTreeSet<&str> = match &step.action {
            Action::Create => FIELDS.into(),
            Action::Update(changes) => changes.iter().map(aiplatform::diff::Change::field).collect(),
            Action::Delete { with_contents } => {
                self.delete_bucket(place, &step.key, *with_contents).await?;
                return Ok(Applied::Gone);
            }
            other => panic!("{other:?} is not to be taken"),
        };
        let Some(Resource::Bucket(desired)) = &step.desired else { panic!("nothing is desired of {name}") };
        if step.action == Action::Create {
            self.write(place, "s3:CreateBucket", &step.key, |world| {
                if world.buckets.contains_key(name) {
                    return Err(Class::Conflict);
                }
                world.buckets.insert(name.clone(), Stored::fresh(&desired.region, desired.tags.clone()));
                Ok(())
            })
            .await?;
        }
        let unknown: Vec<_> = fields.iter().filter(|field| !FIELDS.contains(field)).collect();
        assert!(unknown.is_empty(), "no call of S3 writes {unknown:?}");
        for field in FIELDS.into_iter().filter(|field| fields.contains(field)) {
            self.write(place, &format!("s3:Put {field}"), &step.key, |world| {
                world.buckets.get_mut(name).ok_or(Class::NotFound)?.write(field, desired);
                Ok(())
            })
            .await?;
        }
        Ok(Applied::Ready)
    }

    async fn delete_bucket(&self, place: &Place, key: &Key, with_contents: bool) -> Result<(), Error> {
        let name = &key.name;
        if with_contents {
            self.write(place, "s3:DeleteObjects", key, |world| {
                world.buckets.get_mut(name).ok_or(Class::NotFound)?.contents = Contents::default();
                Ok(())
            })
            .await?;
        }
        self.write(place, "s3:DeleteBucket", key, |world| {
            if !world.buckets.get(name).ok_or(Class::NotFound)?.contents.is_empty() {
                return Err(Class::Conflict);
            }
            world.buckets.remove(name);
            Ok(())
        })
        .await
    }
}
