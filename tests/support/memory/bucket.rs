//! Buckets: one call per field, each carrying along what is not ours.

use std::collections::{BTreeMap, BTreeSet};

use aiplatform::failure::{Class, Error};
use aiplatform::failures::{Failures, Parts};
use aiplatform::outcome::Applied;
use aiplatform::plan::{Action, Step};
use aiplatform::resource::bucket::{Bucket, Encryption, LifecycleRule, PublicAccessBlock, RULE_PREFIX, field, our_sid};
use aiplatform::resource::{CONTENTS, Contents, Key, Observed, Owner, Request, Resource};
use aiplatform::scope::Scope;
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
        for field in field::ALL {
            stored.write(field, bucket);
        }
        stored
    }

    /// What of it is ours, in canonical form.
    pub fn managed(&self, name: &str) -> Bucket {
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
                .filter_map(|statement| Some((our_sid(statement)?.to_string(), statement.clone())))
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
                self.statements.retain(|statement| our_sid(statement).is_none());
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

/// Takes one part over, as one call of S3 tells it.
fn read_part(bucket: &mut Bucket, part: &str, found: &Bucket) {
    match part {
        field::PUBLIC_ACCESS_BLOCK => bucket.public_access_block = found.public_access_block,
        field::OBJECT_OWNERSHIP => bucket.object_ownership.clone_from(&found.object_ownership),
        field::ENCRYPTION => bucket.encryption.clone_from(&found.encryption),
        field::VERSIONING => bucket.versioning = found.versioning,
        field::POLICY => bucket.policy.clone_from(&found.policy),
        field::LIFECYCLE => bucket.lifecycle.clone_from(&found.lifecycle),
        other => panic!("no call of S3 reads {other}"),
    }
}

impl Memory {
    pub(super) async fn observe_bucket(&self, scope: &Scope, request: &Request) -> Result<Observed, Error> {
        let name = &request.key.name;
        let found = self.call("s3:GetBucketTagging", name, |cloud| Ok(cloud.buckets.get(name).cloned())).await?;
        let Some(found) = found else { return Ok(Observed::absent()) };
        let owner = owner(&found.tags, &scope.owner);
        let mut observed = Observed::present(Resource::Bucket(found.managed(name)), owner.clone());
        let worth_reading = owner == Owner::Ours || (owner == Owner::Nobody && request.adopt);
        if !worth_reading {
            observed.resource = None;
            return Ok(observed);
        }
        if request.pruning {
            match self.call("s3:ListBucketVersions", name, |_| Ok(found.contents)).await {
                Ok(contents) => observed.contents = Some(contents),
                Err(error) => _ = observed.unknown.insert(CONTENTS.into(), error),
            }
            return Ok(observed);
        }
        let mut read = Bucket::bare(name, &found.region, tags::managed(&found.tags));
        for part in field::ALL.into_iter().filter(|part| *part != field::TAGS) {
            let action = format!("s3:Get {part}");
            let call = self.call(&action, name, |cloud| Ok(cloud.buckets.get(name).cloned()));
            match call.await {
                Ok(Some(stored)) => read_part(&mut read, part, &stored.managed(name)),
                Ok(None) => return Ok(Observed::absent()),
                Err(error) => _ = observed.unknown.insert(part.into(), error),
            }
        }
        observed.resource = Some(Resource::Bucket(read));
        if !found.opaque_rules.is_empty() {
            observed.protected_fields.insert(field::LIFECYCLE, "a lifecycle rule of others would be lost".into());
        }
        Ok(observed)
    }

    pub(super) async fn apply_bucket(&self, scope: &Scope, step: &Step) -> Result<Applied, Failures> {
        let name = &step.key.name;
        let (fields, mut parts): (BTreeSet<&str>, Parts) = match &step.action {
            Action::Create => (field::ALL.into(), Parts::of_a_creation()),
            Action::Update(changes) => {
                (changes.iter().map(aiplatform::diff::Change::field).collect(), Parts::default())
            }
            Action::Delete { with_contents } => {
                self.delete_bucket(scope, &step.key, *with_contents).await?;
                return Ok(Applied::Gone);
            }
            other => panic!("{other:?} is not to be taken"),
        };
        let Some(Resource::Bucket(desired)) = &step.desired else { panic!("nothing is desired of {name}") };
        if step.action == Action::Create {
            self.write(scope, "s3:CreateBucket", &step.key, |cloud| {
                if cloud.buckets.contains_key(name) {
                    return Err(Class::Conflict);
                }
                cloud.buckets.insert(name.clone(), Stored::fresh(&desired.region, desired.tags.clone()));
                Ok(())
            })
            .await?;
        }
        let unknown: Vec<_> = fields.iter().filter(|field| !field::ALL.contains(field)).collect();
        assert!(unknown.is_empty(), "no call of S3 writes {unknown:?}");
        // Ownership comes before settings.
        let tags_first = step.adopts();
        if step.action != Action::Create && !tags_first {
            parts.own();
        }
        let rest = field::ALL.into_iter().filter(|field| !(tags_first && *field == field::TAGS));
        let order = tags_first.then_some(field::TAGS).into_iter().chain(rest);
        for field in order.filter(|field| fields.contains(field)) {
            let action = format!("s3:Put {field}");
            let written = self.write(scope, &action, &step.key, |cloud| {
                cloud.buckets.get_mut(name).ok_or(Class::NotFound)?.write(field, desired);
                Ok(())
            });
            let is_written = parts.note(field, written.await).is_some();
            if tags_first && field == field::TAGS {
                if !is_written {
                    break;
                }
                parts.own();
            }
        }
        parts.end(Applied::Ready)
    }

    async fn delete_bucket(&self, scope: &Scope, key: &Key, with_contents: bool) -> Result<(), Error> {
        let name = &key.name;
        if with_contents {
            self.write(scope, "s3:DeleteObjects", key, |cloud| {
                cloud.buckets.get_mut(name).ok_or(Class::NotFound)?.contents = Contents::default();
                Ok(())
            })
            .await?;
        }
        self.write(scope, "s3:DeleteBucket", key, |cloud| {
            if !cloud.buckets.get(name).ok_or(Class::NotFound)?.contents.is_empty() {
                return Err(Class::Conflict);
            }
            cloud.buckets.remove(name);
            Ok(())
        })
        .await
    }
}
