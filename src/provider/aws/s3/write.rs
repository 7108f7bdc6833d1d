//! Making a bucket and changing it, one part at a time: S3 refuses two changes of one bucket side by side.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, ObjectOwnership, OwnershipControls,
    OwnershipControlsRule, PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag, Tagging, VersioningConfiguration,
};
use serde_json::{Value, json};

use super::lifecycle::Rules;
use super::read::Tagged;
use super::{S3, Target, action};
use crate::failure::Error;
use crate::failures::{Failures, Parts};
use crate::outcome::Applied;
use crate::plan::Step;
use crate::policy;
use crate::resource::Owner;
use crate::resource::bucket::{Bucket, Encryption, PublicAccessBlock, UNNAMED_REGION, field, our_sid};
use crate::tags::{self, Tags};

impl S3 {
    /// Makes the bucket with its tags in the same call, so that a crash leaves nothing that nobody owns.
    pub(super) async fn create(&self, target: &Target<'_>, step: &Step, desired: &Bucket) -> Result<Applied, Failures> {
        let mut configuration =
            CreateBucketConfiguration::builder().set_tags(Some(tag_list(target, action::CREATE, &desired.tags)?));
        if desired.region != UNNAMED_REGION {
            configuration = configuration.location_constraint(BucketLocationConstraint::from(desired.region.as_str()));
        }
        self.client
            .create_bucket()
            .bucket(target.bucket)
            .create_bucket_configuration(configuration.build())
            .set_object_ownership(desired.object_ownership.as_deref().map(ObjectOwnership::from))
            .send()
            .await
            .map_err(|error| target.failure(action::CREATE, &error))?;
        // Everywhere else the call is refused where the bucket is there already, so that this one is new.
        let is_new = desired.region != UNNAMED_REGION;
        if !is_new {
            self.confirm(target, action::CREATE).await?;
        }
        // S3 blocks it in every new bucket, too, and what keeps the public out is never ready on somebody's word.
        let mut rest = BTreeSet::from([field::PUBLIC_ACCESS_BLOCK]);
        let is_default = is_new && desired.encryption.as_ref().is_none_or(Encryption::is_that_of_new_buckets);
        rest.extend((!is_default).then_some(field::ENCRYPTION));
        rest.extend(desired.versioning.then_some(field::VERSIONING));
        rest.extend((!desired.policy.is_empty()).then_some(field::POLICY));
        rest.extend((!desired.lifecycle.is_empty()).then_some(field::LIFECYCLE));
        self.write_parts(target, step, (desired, is_new), &rest, Parts::of_a_creation()).await
    }

    /// Changes these fields of a bucket that is ours, or becomes ours first: ownership comes before settings.
    pub(super) async fn update(
        &self,
        target: &Target<'_>,
        step: &Step,
        desired: &Bucket,
        mut fields: BTreeSet<&str>,
    ) -> Result<Applied, Failures> {
        let mut parts = Parts::default();
        let action = action::PUT_TAGGING;
        let found = self.present_tags(target, action).await?;
        match Owner::of(&found, &target.scope.owner) {
            Owner::Nobody if step.adopts() => {
                fields.remove(field::TAGS);
                if parts.note(field::TAGS, self.adopt(target, &found, &desired.tags).await).is_none() {
                    return parts.end(Applied::Ready);
                }
            }
            owner => target.owned(action, &owner)?,
        }
        parts.own();
        self.write_parts(target, step, (desired, false), &fields, parts).await
    }

    /// Writes these fields, each by a call of its own and whatever became of the others. In a new bucket there is nothing
    /// of others.
    async fn write_parts(
        &self,
        target: &Target<'_>,
        step: &Step,
        (desired, is_new): (&Bucket, bool),
        fields: &BTreeSet<&str>,
        mut parts: Parts,
    ) -> Result<Applied, Failures> {
        for name in fields.iter().filter(|name| !field::ALL.contains(name)) {
            parts.note::<()>(name, Err(Error::unknown_field(step, name)));
        }
        for name in field::ALL.into_iter().filter(|name| fields.contains(name)) {
            if parts.is_unanswered() {
                break;
            }
            let written = match name {
                field::PUBLIC_ACCESS_BLOCK => self.put_public_access_block(target, desired.public_access_block).await,
                field::POLICY => self.put_policy(target, &desired.policy, is_new).await,
                field::OBJECT_OWNERSHIP => self.put_ownership(target, desired.object_ownership.as_deref()).await,
                field::TAGS => self.put_tags(target, &desired.tags).await,
                field::ENCRYPTION => self.put_encryption(target, desired.encryption.as_ref()).await,
                field::VERSIONING => self.put_versioning(target, desired.versioning).await,
                field::LIFECYCLE => self.put_lifecycle(target, desired, is_new).await,
                unknown => Err(Error::unknown_field(step, unknown)),
            };
            parts.note(name, written);
        }
        parts.end(Applied::Ready)
    }

    /// Takes over a bucket without an owner. S3 has no conditional tag write, so that of two platforms that take it
    /// over at once the last has it: the tags are read back, and the next pass settles what this one cannot see yet.
    async fn adopt(&self, target: &Target<'_>, found: &Tags, desired: &Tags) -> Result<(), Error> {
        self.replace_tags(target, found, desired).await?;
        self.confirm(target, action::PUT_TAGGING).await
    }

    async fn put_tags(&self, target: &Target<'_>, desired: &Tags) -> Result<(), Error> {
        let found = self.present_tags(target, action::PUT_TAGGING).await?;
        target.owned(action::PUT_TAGGING, &Owner::of(&found, &target.scope.owner))?;
        self.replace_tags(target, &found, desired).await
    }

    /// Fails unless the bucket is ours at this moment, as its owner tag says.
    async fn confirm(&self, target: &Target<'_>, action: &str) -> Result<(), Error> {
        let found = self.present_tags(target, action).await?;
        target.owned(action, &Owner::of(&found, &target.scope.owner))
    }

    async fn present_tags(&self, target: &Target<'_>, action: &str) -> Result<Tags, Error> {
        match self.tags(target).await? {
            Tagged::Here(tags) => Ok(tags),
            Tagged::Missing | Tagged::Elsewhere(_) => {
                Err(target.unexpected(action, "the bucket is not there, although it was a moment ago"))
            }
        }
    }

    /// Replaces all tags, so that what others put there is written back.
    async fn replace_tags(&self, target: &Target<'_>, found: &Tags, desired: &Tags) -> Result<(), Error> {
        let list = tag_list(target, action::PUT_TAGGING, &tags::merged(found, desired))?;
        let tagging = Tagging::builder()
            .set_tag_set(Some(list))
            .build()
            .map_err(|error| target.unexpected(action::PUT_TAGGING, error))?;
        self.client
            .put_bucket_tagging()
            .bucket(target.bucket)
            .expected_bucket_owner(target.account())
            .tagging(tagging)
            .send()
            .await
            .map_err(|error| target.failure(action::PUT_TAGGING, &error))?;
        Ok(())
    }

    async fn put_public_access_block(&self, target: &Target<'_>, desired: PublicAccessBlock) -> Result<(), Error> {
        let configuration = PublicAccessBlockConfiguration::builder()
            .block_public_acls(desired.block_public_acls)
            .ignore_public_acls(desired.ignore_public_acls)
            .block_public_policy(desired.block_public_policy)
            .restrict_public_buckets(desired.restrict_public_buckets)
            .build();
        self.client
            .put_public_access_block()
            .bucket(target.bucket)
            .expected_bucket_owner(target.account())
            .public_access_block_configuration(configuration)
            .send()
            .await
            .map_err(|error| target.failure(action::PUT_PUBLIC_ACCESS_BLOCK, &error))?;
        Ok(())
    }

    async fn put_ownership(&self, target: &Target<'_>, desired: Option<&str>) -> Result<(), Error> {
        let Some(desired) = desired else { return Ok(()) };
        let failed = |error| target.unexpected(action::PUT_OWNERSHIP, error);
        let rule = OwnershipControlsRule::builder()
            .object_ownership(ObjectOwnership::from(desired))
            .build()
            .map_err(failed)?;
        let controls = OwnershipControls::builder().rules(rule).build().map_err(failed)?;
        self.client
            .put_bucket_ownership_controls()
            .bucket(target.bucket)
            .expected_bucket_owner(target.account())
            .ownership_controls(controls)
            .send()
            .await
            .map_err(|error| target.failure(action::PUT_OWNERSHIP, &error))?;
        Ok(())
    }

    async fn put_encryption(&self, target: &Target<'_>, desired: Option<&Encryption>) -> Result<(), Error> {
        let Some(desired) = desired else { return Ok(()) };
        let failed = |error| target.unexpected(action::PUT_ENCRYPTION, error);
        let by_default = ServerSideEncryptionByDefault::builder()
            .sse_algorithm(ServerSideEncryption::from(desired.algorithm.as_str()))
            .set_kms_master_key_id(desired.kms_key_arn.clone())
            .build()
            .map_err(failed)?;
        let rule = ServerSideEncryptionRule::builder()
            .apply_server_side_encryption_by_default(by_default)
            .bucket_key_enabled(desired.bucket_key)
            .build();
        let configuration = ServerSideEncryptionConfiguration::builder().rules(rule).build().map_err(failed)?;
        self.client
            .put_bucket_encryption()
            .bucket(target.bucket)
            .expected_bucket_owner(target.account())
            .server_side_encryption_configuration(configuration)
            .send()
            .await
            .map_err(|error| target.failure(action::PUT_ENCRYPTION, &error))?;
        Ok(())
    }

    async fn put_versioning(&self, target: &Target<'_>, desired: bool) -> Result<(), Error> {
        let status = if desired { BucketVersioningStatus::Enabled } else { BucketVersioningStatus::Suspended };
        self.client
            .put_bucket_versioning()
            .bucket(target.bucket)
            .expected_bucket_owner(target.account())
            .versioning_configuration(VersioningConfiguration::builder().status(status).build())
            .send()
            .await
            .map_err(|error| target.failure(action::PUT_VERSIONING, &error))?;
        Ok(())
    }

    /// Replaces the whole policy, so the statements of others are read and written back as they are.
    async fn put_policy(
        &self,
        target: &Target<'_>,
        desired: &BTreeMap<String, Value>,
        is_new: bool,
    ) -> Result<(), Error> {
        let found = if is_new { None } else { self.policy(target).await? };
        let found = found.unwrap_or_else(|| json!({"Version": "2012-10-17"}));
        let foreign = policy::statements(&found).into_iter().filter(|statement| our_sid(statement).is_none());
        let statements: Vec<Value> = foreign.chain(desired.values().cloned()).collect();
        if statements.is_empty() {
            self.client
                .delete_bucket_policy()
                .bucket(target.bucket)
                .expected_bucket_owner(target.account())
                .send()
                .await
                .map_err(|error| target.failure(action::DELETE_POLICY, &error))?;
            return Ok(());
        }
        let mut document = found;
        document["Statement"] = Value::Array(statements);
        self.client
            .put_bucket_policy()
            .bucket(target.bucket)
            .expected_bucket_owner(target.account())
            .policy(document.to_string())
            .send()
            .await
            .map_err(|error| target.failure(action::PUT_POLICY, &error))?;
        Ok(())
    }

    /// Replaces all rules, so the rules of others are read and written back as they are; where one holds what the SDK's
    /// types cannot carry, nothing is written.
    async fn put_lifecycle(&self, target: &Target<'_>, desired: &Bucket, is_new: bool) -> Result<(), Error> {
        let found = if is_new { Rules::default() } else { self.lifecycle(target).await? };
        if let Some(why) = found.protection() {
            return Err(target.unexpected(action::PUT_LIFECYCLE, why));
        }
        let merged =
            found.merged(&desired.lifecycle).map_err(|error| target.unexpected(action::PUT_LIFECYCLE, error))?;
        let Some(merged) = merged else {
            self.client
                .delete_bucket_lifecycle()
                .bucket(target.bucket)
                .expected_bucket_owner(target.account())
                .send()
                .await
                .map_err(|error| target.failure(action::PUT_LIFECYCLE, &error))?;
            return Ok(());
        };
        self.client
            .put_bucket_lifecycle_configuration()
            .bucket(target.bucket)
            .expected_bucket_owner(target.account())
            .set_transition_default_minimum_object_size(found.minimum_object_size())
            .lifecycle_configuration(merged)
            .send()
            .await
            .map_err(|error| target.failure(action::PUT_LIFECYCLE, &error))?;
        Ok(())
    }
}

fn tag_list(target: &Target, action: &str, tags: &Tags) -> Result<Vec<Tag>, Error> {
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    tags.iter().map(tag).collect::<Result<_, _>>().map_err(|error| target.unexpected(action, error))
}
