//! Reading a bucket: whose it is first, and the rest only if it is ours to manage.

use std::collections::BTreeMap;

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::types::{BucketVersioningStatus, PublicAccessBlockConfiguration};
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use serde_json::Value;

use super::{S3, Target, action, lifecycle};
use crate::policy;
use crate::provider::{Error, Place};
use crate::resource::bucket::{Bucket, Encryption, PublicAccessBlock, SID_PREFIX, field};
use crate::resource::{Observed, ObservedState, Owner, Request, Resource};
use crate::tags::{self, Tags};

impl S3 {
    pub(in super::super) async fn observe(&self, place: &Place, request: &Request) -> Result<Observed, Error> {
        let target = Target::new(place, &request.key.name);
        let found = match self.tags(&target).await? {
            Tagged::Missing => return Ok(Observed::absent()),
            Tagged::Elsewhere(region) => return Ok(elsewhere(&target, region.as_deref())),
            Tagged::Here(tags) => tags,
        };
        let owner = Owner::of(&found, &place.owner);
        let bucket = Bucket::bare(target.bucket, &place.region, tags::managed(&found));
        let is_ours = owner == Owner::Ours;
        if !(is_ours || request.leaving || (owner == Owner::Nobody && request.adopt)) {
            return Ok(Observed { state: ObservedState::Ready, owner, ..Observed::absent() });
        }
        // Whose it is, is known from here on, and that is what decides who may use it.
        let seen = if request.leaving {
            self.leaving(&target, bucket, owner.clone()).await
        } else {
            Box::pin(self.whole(&target, bucket, owner.clone())).await
        };
        Ok(seen.unwrap_or_else(|error| Observed { owner, ..Observed::unreadable(error) }))
    }

    /// Its key too: superseded revisions of a model may still load what is in it.
    async fn leaving(&self, target: &Target<'_>, bucket: Bucket, owner: Owner) -> Result<Observed, Error> {
        if owner != Owner::Ours {
            return Ok(Observed::present(Resource::Bucket(bucket), owner));
        }
        let (contents, encryption) = futures::try_join!(self.count(target), self.encryption(target))?;
        let observed = Observed::present(Resource::Bucket(Bucket { encryption, ..bucket }), owner);
        Ok(Observed { contents: Some(contents), ..observed })
    }

    async fn whole(&self, target: &Target<'_>, bucket: Bucket, owner: Owner) -> Result<Observed, Error> {
        let (public_access_block, object_ownership, encryption, versioning, document, rules) = futures::try_join!(
            self.public_access_block(target),
            self.object_ownership(target),
            self.encryption(target),
            self.versioning(target),
            self.policy(target),
            self.lifecycle(target),
        )?;
        let mut held = BTreeMap::new();
        if let Some(why) = rules.held() {
            held.insert(field::LIFECYCLE, why);
        }
        let bucket = Bucket {
            public_access_block,
            object_ownership,
            encryption,
            versioning,
            policy: ours(&document.unwrap_or_default()),
            lifecycle: rules.ours(),
            ..bucket
        };
        Ok(Observed { held, ..Observed::present(Resource::Bucket(bucket), owner) })
    }

    /// The tags, which also say whether the bucket is there.
    pub(super) async fn tags(&self, target: &Target<'_>) -> Result<Tagged, Error> {
        let answer =
            self.client.get_bucket_tagging().bucket(target.bucket).expected_bucket_owner(target.account()).send().await;
        match answer {
            Ok(answer) => Ok(Tagged::Here(answer.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect())),
            Err(error) if code(&error) == Some("NoSuchTagSet") => Ok(Tagged::Here(Tags::new())),
            Err(error) if code(&error) == Some("NoSuchBucket") => Ok(Tagged::Missing),
            Err(error) if is_redirect(&error) => Ok(Tagged::Elsewhere(region_of(&error))),
            Err(error) => Err(target.failure(action::GET_TAGGING, &error)),
        }
    }

    async fn public_access_block(&self, target: &Target<'_>) -> Result<PublicAccessBlock, Error> {
        let call = self.client.get_public_access_block().bucket(target.bucket).expected_bucket_owner(target.account());
        let answer = target.unless_missing(
            call.send().await,
            "NoSuchPublicAccessBlockConfiguration",
            action::GET_PUBLIC_ACCESS_BLOCK,
        )?;
        let on = |switch: fn(&PublicAccessBlockConfiguration) -> Option<bool>| {
            answer
                .as_ref()
                .and_then(|answer| answer.public_access_block_configuration.as_ref())
                .and_then(switch)
                .unwrap_or_default()
        };
        Ok(PublicAccessBlock {
            block_public_acls: on(PublicAccessBlockConfiguration::block_public_acls),
            ignore_public_acls: on(PublicAccessBlockConfiguration::ignore_public_acls),
            block_public_policy: on(PublicAccessBlockConfiguration::block_public_policy),
            restrict_public_buckets: on(PublicAccessBlockConfiguration::restrict_public_buckets),
        })
    }

    async fn object_ownership(&self, target: &Target<'_>) -> Result<Option<String>, Error> {
        let call =
            self.client.get_bucket_ownership_controls().bucket(target.bucket).expected_bucket_owner(target.account());
        let answer =
            target.unless_missing(call.send().await, "OwnershipControlsNotFoundError", action::GET_OWNERSHIP)?;
        let rules = answer.and_then(|answer| answer.ownership_controls).map(|controls| controls.rules);
        Ok(rules.and_then(|rules| rules.first().map(|rule| rule.object_ownership.as_str().to_string())))
    }

    async fn encryption(&self, target: &Target<'_>) -> Result<Option<Encryption>, Error> {
        let call = self.client.get_bucket_encryption().bucket(target.bucket).expected_bucket_owner(target.account());
        let answer = target.unless_missing(
            call.send().await,
            "ServerSideEncryptionConfigurationNotFoundError",
            action::GET_ENCRYPTION,
        )?;
        let rule = answer
            .and_then(|answer| answer.server_side_encryption_configuration)
            .and_then(|configuration| configuration.rules.into_iter().next());
        Ok(rule.and_then(|rule| {
            let by_default = rule.apply_server_side_encryption_by_default?;
            let kms_key_arn = by_default.kms_master_key_id;
            Some(Encryption {
                bucket_key: kms_key_arn.is_some() && rule.bucket_key_enabled.unwrap_or_default(),
                algorithm: by_default.sse_algorithm.as_str().to_string(),
                kms_key_arn,
            })
        }))
    }

    async fn versioning(&self, target: &Target<'_>) -> Result<bool, Error> {
        let call = self.client.get_bucket_versioning().bucket(target.bucket).expected_bucket_owner(target.account());
        let answer = call.send().await.map_err(|error| target.failure(action::GET_VERSIONING, &error))?;
        Ok(answer.status == Some(BucketVersioningStatus::Enabled))
    }

    /// The whole bucket policy, with the statements of others.
    pub(super) async fn policy(&self, target: &Target<'_>) -> Result<Option<Value>, Error> {
        let call = self.client.get_bucket_policy().bucket(target.bucket).expected_bucket_owner(target.account());
        let answer = target.unless_missing(call.send().await, "NoSuchBucketPolicy", action::GET_POLICY)?;
        let Some(text) = answer.and_then(|answer| answer.policy) else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|error| target.unexpected(action::GET_POLICY, error))
    }

    pub(super) async fn lifecycle(&self, target: &Target<'_>) -> Result<lifecycle::Rules, Error> {
        let raw = lifecycle::RawAnswer::default();
        let call = self
            .client
            .get_bucket_lifecycle_configuration()
            .bucket(target.bucket)
            .expected_bucket_owner(target.account())
            .customize()
            .interceptor(raw.clone());
        let answer = target.unless_missing(call.send().await, "NoSuchLifecycleConfiguration", action::GET_LIFECYCLE)?;
        Ok(answer.map(|answer| lifecycle::Rules::new(answer, &raw)).unwrap_or_default())
    }
}

impl Target<'_> {
    /// S3 answers with a code of its own where a part of the configuration was never set.
    fn unless_missing<T, E>(
        &self,
        answer: Result<T, SdkError<E, Response>>,
        missing: &str,
        action: &str,
    ) -> Result<Option<T>, Error>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if code(&error) == Some(missing) => Ok(None),
            Err(error) => Err(self.failure(action, &error)),
        }
    }
}

/// Where a bucket is, and its tags if it is here.
pub(super) enum Tagged {
    Missing,
    Elsewhere(Option<String>),
    Here(Tags),
}

fn elsewhere(target: &Target, region: Option<&str>) -> Observed {
    let actual = region.unwrap_or("another region");
    let why = format!(
        "bucket {} is in {actual}, and the platform is in {}: take another name, or declare it in a platform of its region",
        target.bucket, target.place.region
    );
    Observed { state: ObservedState::Failed(why), ..Observed::absent() }
}

fn ours(document: &Value) -> BTreeMap<String, Value> {
    policy::statements(document)
        .into_iter()
        .filter_map(|statement| {
            let sid = statement.get("Sid")?.as_str()?.to_string();
            sid.starts_with(SID_PREFIX).then(|| (sid, policy::canonical(&statement)))
        })
        .collect()
}

fn code<E: ProvideErrorMetadata>(error: &SdkError<E, Response>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

fn is_redirect<E>(error: &SdkError<E, Response>) -> bool {
    error.raw_response().is_some_and(|response| response.status().as_u16() == 301)
}

fn region_of<E>(error: &SdkError<E, Response>) -> Option<String> {
    error.raw_response()?.headers().get("x-amz-bucket-region").map(ToString::to_string)
}
