//! Reading a bucket: whose it is first, and the rest only if it is ours to manage.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::list_buckets::{ListBucketsError, ListBucketsOutput};
use aws_sdk_s3::types::{BucketVersioningStatus, PublicAccessBlockConfiguration};
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures::future::join_all;
use serde_json::Value;

use super::{S3, Target, action, lifecycle};
use crate::failure::{Class, Error};
use crate::resource::bucket::{Bucket, Encryption, PublicAccessBlock, field, our_sid};
use crate::resource::{CONTENTS, Key, Observed, ObservedState, Owner, Request, Resource};
use crate::scope::Scope;
use crate::tags::{self, Tags};
use crate::{exposure, policy};

impl S3 {
    pub(in super::super) async fn observe(&self, scope: &Scope, request: &Request) -> Result<Observed, Error> {
        let target = Target::new(scope, &request.key.name);
        if !request.reads(field::TAGS) {
            let bucket = Bucket::bare(target.bucket, &scope.region, Tags::new());
            let seen = Box::pin(self.parts(&target, request, bucket, Owner::Nobody)).await;
            // A part that S3 refuses may mean that the bucket is another one by now, or gone: then its tags say more.
            let is_doubtful = |error: &Error| error.class == Class::NotFound || error.needs_somebody();
            if !seen.unknown.values().any(is_doubtful) {
                return Ok(seen);
            }
        }
        let found = match self.tags(&target).await {
            Ok(Tagged::Missing) => return Ok(Observed::absent()),
            Ok(Tagged::Elsewhere(region)) => return Ok(elsewhere(&target, region.as_deref())),
            Ok(Tagged::Here(tags)) => tags,
            Err(error) if error.class == Class::Denied => return Ok(self.whose(&target, error).await),
            Err(error) => return Err(error),
        };
        let owner = Owner::of(&found, &scope.owner);
        let bucket = Bucket::bare(target.bucket, &scope.region, tags::managed(&found));
        if request.pruning {
            return Ok(Box::pin(self.observe_for_deletion(&target, bucket, owner)).await);
        }
        // Whose it is, is known from here on, and that is what decides who may use it.
        if owner != Owner::Ours && !(owner == Owner::Nobody && request.adopt) {
            return Ok(Observed { state: ObservedState::Ready, owner, ..Observed::absent() });
        }
        Ok(Box::pin(self.parts(&target, request, bucket, owner)).await)
    }

    /// The contents, and what others may still go by: superseded revisions of a model load what the key protects, and
    /// nobody reaches a bucket that is left with the ids of endpoints in its policy.
    async fn observe_for_deletion(&self, target: &Target<'_>, bucket: Bucket, owner: Owner) -> Observed {
        if owner != Owner::Ours {
            return Observed::present(Resource::Bucket(bucket), owner);
        }
        let (contents, encryption, document) =
            futures::join!(self.count(target), self.encryption(target), self.policy(target));
        let mut unknown = BTreeMap::new();
        let encryption = known(field::ENCRYPTION, encryption, &mut unknown);
        let contents = known(CONTENTS, contents.map(Some), &mut unknown);
        let policy = ours(&known(field::POLICY, document, &mut unknown).unwrap_or_default());
        let bucket = Bucket { encryption, policy, ..bucket };
        Observed { unknown, contents, ..Observed::present(Resource::Bucket(bucket), owner) }
    }

    /// The bucket with all its parts. One that cannot be read hides none of the others.
    async fn parts(&self, target: &Target<'_>, request: &Request, bare: Bucket, owner: Owner) -> Observed {
        let (public_access_block, object_ownership, encryption, versioning, document, rules) = futures::join!(
            unless_omitted(request, field::PUBLIC_ACCESS_BLOCK, self.public_access_block(target)),
            unless_omitted(request, field::OBJECT_OWNERSHIP, self.object_ownership(target)),
            unless_omitted(request, field::ENCRYPTION, self.encryption(target)),
            unless_omitted(request, field::VERSIONING, self.versioning(target)),
            unless_omitted(request, field::POLICY, self.policy(target)),
            unless_omitted(request, field::LIFECYCLE, self.lifecycle(target)),
        );
        let mut unknown = BTreeMap::new();
        let document = known(field::POLICY, document, &mut unknown).unwrap_or_default();
        let rules = known(field::LIFECYCLE, rules, &mut unknown);
        let protected_fields = rules.protection().map(|why| (field::LIFECYCLE, why)).into_iter().collect();
        let bucket = Bucket {
            public_access_block: known(field::PUBLIC_ACCESS_BLOCK, public_access_block, &mut unknown),
            object_ownership: known(field::OBJECT_OWNERSHIP, object_ownership, &mut unknown),
            encryption: known(field::ENCRYPTION, encryption, &mut unknown),
            versioning: known(field::VERSIONING, versioning, &mut unknown),
            policy: ours(&document),
            lifecycle: rules.ours(),
            ..bare
        };
        let foreign = policy::statements(&document).into_iter().filter(|statement| our_sid(statement).is_none());
        let opened = foreign.filter_map(|it| exposure::of_statement(target.bucket, target.account(), &it));
        let taken = rules.of_others().filter_map(|(id, it)| exposure::of_lifecycle_rule(target.bucket, id, &it));
        let exposures = opened.chain(taken).collect();
        Observed { protected_fields, unknown, exposures, ..Observed::present(Resource::Bucket(bucket), owner) }
    }

    /// The observation of a bucket that may not be read: S3 says the same of one that another account holds, and of our
    /// own where the operator lacks the permission. The list of the account's buckets distinguishes them.
    async fn whose(&self, target: &Target<'_>, mut denied: Error) -> Observed {
        match self.is_in_account(target).await {
            Ok(true) => Observed::unreadable(denied),
            Ok(false) => {
                denied.message.push_str(
                    "; the account has no bucket of this name: another account holds it, or it is not there yet; if the \
                     permission is there, take another name",
                );
                Observed::held_elsewhere(denied, "another account")
            }
            Err(_) => {
                denied.message.push_str(
                    "; S3 says the same of a bucket that another account holds: if the permission is there, take another \
                     name (s3:ListAllMyBuckets would tell)",
                );
                Observed::unreadable(denied)
            }
        }
    }

    async fn is_in_account(&self, target: &Target<'_>) -> Result<bool, Error> {
        let names = self.names(target.bucket).await.map_err(|error| target.failure(action::LIST, &error))?;
        Ok(names.contains(target.bucket))
    }

    /// Observes buckets of which a deletion was answered: one list of those whose names begin alike shows that they are
    /// gone. Which it has all the same, and all of them where it cannot be had, are read by themselves.
    pub(in super::super) async fn observe_departed(
        &self,
        scope: &Scope,
        requests: &[&Request],
    ) -> Vec<(Key, Observed)> {
        let names: Vec<&str> = requests.iter().map(|request| request.key.name.as_str()).collect();
        let listed = if names.len() > 1 { self.names(common_prefix(&names)).await.ok() } else { None };
        let seen = requests.iter().map(|request| async {
            let seen = match &listed {
                Some(listed) if !listed.contains(&request.key.name) => Ok(Observed::absent()),
                _ => self.observe(scope, request).await,
            };
            (request.key.clone(), seen.unwrap_or_else(Observed::unreadable))
        });
        join_all(seen).await
    }

    /// The names of the account's buckets that begin so.
    async fn names(&self, prefix: &str) -> Result<BTreeSet<String>, SdkError<ListBucketsError, Response>> {
        let pages = self.client.list_buckets().prefix(prefix).into_paginator().send();
        let pages: Vec<ListBucketsOutput> = pages.collect::<Result<_, _>>().await?;
        Ok(pages.into_iter().flat_map(|page| page.buckets.unwrap_or_default()).filter_map(|it| it.name).collect())
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

/// The location of a bucket, and its tags if it is in this region.
pub(super) enum Tagged {
    Missing,
    Elsewhere(Option<String>),
    Here(Tags),
}

/// The prefix of all of these.
fn common_prefix<'a>(names: &[&'a str]) -> &'a str {
    let Some((first, others)) = names.split_first() else { return "" };
    let shared = |other: &&str| first.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    let length = others.iter().map(shared).min().unwrap_or(first.len());
    first.get(..length).unwrap_or_default()
}

fn elsewhere(target: &Target, region: Option<&str>) -> Observed {
    let actual = region.unwrap_or("another region");
    let why = format!(
        "bucket {} is in {actual}, and the platform is in {}: take another name, or declare it in a platform of its region",
        target.bucket, target.scope.region
    );
    Observed { state: ObservedState::Failed(why), ..Observed::absent() }
}

fn ours(document: &Value) -> BTreeMap<String, Value> {
    let statements = policy::statements(document).into_iter();
    statements.filter_map(|statement| Some((our_sid(&statement)?.to_string(), statement))).collect()
}

/// A part as it is read, or nothing where it need not be.
async fn unless_omitted<T: Default>(
    request: &Request,
    part: &str,
    read: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    if request.reads(part) { read.await } else { Ok(T::default()) }
}

/// A part that was read, or nothing and a note that it is unknown.
fn known<T: Default>(part: &str, read: Result<T, Error>, unknown: &mut BTreeMap<String, Error>) -> T {
    read.unwrap_or_else(|error| {
        unknown.insert(part.into(), error);
        T::default()
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_of_buckets_whose_names_begin_alike() {
        for (names, prefix) in [
            (["support-assistant-a-1", "support-assistant-b-2"].as_slice(), "support-assistant-"),
            (&["a", "b"], ""),
            (&["ab", "abc"], "ab"),
            (&["one"], "one"),
            (&[], ""),
        ] {
            assert_eq!(common_prefix(names), prefix, "{names:?}");
        }
    }
}
