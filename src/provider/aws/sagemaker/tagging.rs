//! Tags, which models, configurations and endpoints carry in the same way.

use aws_sdk_sagemaker::types::Tag;

use super::refusal::refused;
use super::{SageMaker, action};
use crate::failure::Error;
use crate::failures::Parts;
use crate::resource::endpoint::field::TAGS;
use crate::tags::{self, Tags};

impl SageMaker {
    /// All tags of something.
    pub(super) async fn tags(&self, arn: &str) -> Result<Tags, Error> {
        let pages = self.client.list_tags().resource_arn(arn).into_paginator().items().send();
        let found: Vec<Tag> =
            pages.collect::<Result<_, _>>().await.map_err(|error| refused(action::LIST_TAGS, arn, &error))?;
        Ok(found.into_iter().filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect())
    }

    /// Makes the observed tags the desired ones. Stale tags go first; where they do not, the tag that says which keys are
    /// ours stays as it is.
    pub(super) async fn put_tags(&self, arn: &str, desired: &Tags, observed: &Tags, parts: &mut Parts) {
        let mut changed = tags::changed(desired, observed);
        if parts.note(TAGS, self.untag(arn, desired, observed).await).is_none() {
            changed.remove(tags::TAG_KEYS);
        }
        if !changed.is_empty() {
            parts.note(TAGS, self.tag(arn, &changed).await);
        }
    }

    /// Takes away what is no longer desired.
    pub(super) async fn untag(&self, arn: &str, desired: &Tags, observed: &Tags) -> Result<(), Error> {
        let stale = tags::stale(desired, observed);
        if !stale.is_empty() {
            let call = self.client.delete_tags().resource_arn(arn).set_tag_keys(Some(stale));
            call.send().await.map_err(|error| refused(action::UNTAG, arn, &error))?;
        }
        Ok(())
    }

    /// Adds tags, or changes their values.
    pub(super) async fn tag(&self, arn: &str, tags: &Tags) -> Result<(), Error> {
        if !tags.is_empty() {
            let call = self.client.add_tags().resource_arn(arn).set_tags(Some(tag_list(tags)));
            call.send().await.map_err(|error| refused(action::TAG, arn, &error))?;
        }
        Ok(())
    }
}

/// Tags as SageMaker takes them.
pub(super) fn tag_list(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}
