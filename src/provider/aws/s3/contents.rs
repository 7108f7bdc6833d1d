//! What is in a bucket on its way out, and taking it away.

use aws_sdk_s3::operation::list_multipart_uploads::ListMultipartUploadsOutput;
use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use super::{S3, Target, action};
use crate::provider::{Applied, Class, Error};
use crate::resource::Contents;

/// Pages of a thousand that are counted before the answer is "at least".
const PAGES_COUNTED: usize = 5;

/// Batches of a thousand versions that one step deletes before it lets other work go on.
const BATCHES: usize = 20;

impl S3 {
    /// Counts what is in the bucket, up to a bound.
    pub(super) async fn count(&self, target: &Target<'_>) -> Result<Contents, Error> {
        let mut contents = Contents::default();
        let (mut key, mut version) = (None, None);
        for page in 0..PAGES_COUNTED {
            let answer = self.versions(target, key, version).await?;
            contents.versions += answer.versions().len() as u64;
            contents.delete_markers += answer.delete_markers().len() as u64;
            if !answer.is_truncated.unwrap_or_default() {
                break;
            }
            contents.more = page + 1 == PAGES_COUNTED;
            (key, version) = (answer.next_key_marker, answer.next_version_id_marker);
        }
        let uploads = self.uploads(target).await?;
        contents.uploads = uploads.uploads().len() as u64;
        contents.more |= uploads.is_truncated.unwrap_or_default();
        Ok(contents)
    }

    /// Deletes the bucket, and before it what is in it if that is allowed. A large bucket takes several passes, each of
    /// which goes on where the last one ended.
    pub(super) async fn delete(&self, target: &Target<'_>, with_contents: bool) -> Result<Applied, Error> {
        if with_contents {
            let emptied = self.delete_versions(target).await? && self.abort_uploads(target).await?;
            if !emptied {
                let why = format!("emptying bucket {}: many objects, more remain", target.bucket);
                return Ok(Applied::Progressing(why));
            }
        }
        let call = self.client.delete_bucket().bucket(target.bucket).expected_bucket_owner(target.account());
        match call.send().await.map_err(|error| target.failure(action::DELETE, &error)) {
            Ok(_) => Ok(Applied::Gone),
            Err(error) if error.class == Class::NotFound => Ok(Applied::Gone),
            Err(error) => Err(error),
        }
    }

    /// One page of what is in the bucket, from a marker on.
    async fn versions(
        &self,
        target: &Target<'_>,
        key: Option<String>,
        version: Option<String>,
    ) -> Result<ListObjectVersionsOutput, Error> {
        self.client
            .list_object_versions()
            .bucket(target.bucket)
            .expected_bucket_owner(target.account())
            .set_key_marker(key)
            .set_version_id_marker(version)
            .send()
            .await
            .map_err(|error| target.failure(action::LIST_VERSIONS, &error))
    }

    /// One page of uploads that were never finished.
    async fn uploads(&self, target: &Target<'_>) -> Result<ListMultipartUploadsOutput, Error> {
        self.client
            .list_multipart_uploads()
            .bucket(target.bucket)
            .expected_bucket_owner(target.account())
            .send()
            .await
            .map_err(|error| target.failure(action::LIST_UPLOADS, &error))
    }

    /// `true` when no version is left.
    async fn delete_versions(&self, target: &Target<'_>) -> Result<bool, Error> {
        for _ in 0..BATCHES {
            let page = self.versions(target, None, None).await?;
            let versions = page.versions().iter().map(|item| (item.key(), item.version_id()));
            let markers = page.delete_markers().iter().map(|item| (item.key(), item.version_id()));
            let batch = versions
                .chain(markers)
                .map(|(key, version)| {
                    ObjectIdentifier::builder()
                        .key(key.unwrap_or_default())
                        .set_version_id(version.map(Into::into))
                        .build()
                })
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| target.unexpected(action::DELETE_VERSION, error))?;
            if batch.is_empty() {
                return Ok(true);
            }
            self.delete_batch(target, batch).await?;
        }
        Ok(false)
    }

    /// S3 answers 200 even when it refused single versions: each refusal is in the answer.
    async fn delete_batch(&self, target: &Target<'_>, batch: Vec<ObjectIdentifier>) -> Result<(), Error> {
        let delete = Delete::builder()
            .set_objects(Some(batch))
            .quiet(true)
            .build()
            .map_err(|error| target.unexpected(action::DELETE_VERSION, error))?;
        let answer = self
            .client
            .delete_objects()
            .bucket(target.bucket)
            .expected_bucket_owner(target.account())
            .delete(delete)
            .send()
            .await
            .map_err(|error| target.failure(action::DELETE_VERSION, &error))?;
        let Some(refused) = answer.errors().first() else { return Ok(()) };
        let code = refused.code().unwrap_or("Unknown").to_string();
        Err(Error {
            class: if code == "AccessDenied" { Class::Denied } else { Class::Transient },
            action: action::DELETE_VERSION.into(),
            subject: format!("{}/{}", target.arn(), refused.key().unwrap_or_default()),
            code,
            message: format!(
                "{} ({} objects of this batch were refused)",
                refused.message().unwrap_or_default(),
                answer.errors().len()
            ),
        })
    }

    /// `true` when no upload is left.
    async fn abort_uploads(&self, target: &Target<'_>) -> Result<bool, Error> {
        let answer = self.uploads(target).await?;
        for upload in answer.uploads() {
            let aborted = self
                .client
                .abort_multipart_upload()
                .bucket(target.bucket)
                .expected_bucket_owner(target.account())
                .key(upload.key().unwrap_or_default())
                .upload_id(upload.upload_id().unwrap_or_default())
                .send()
                .await
                .map_err(|error| target.failure(action::ABORT_UPLOAD, &error));
            match aborted {
                Err(error) if error.class != Class::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(!answer.is_truncated.unwrap_or_default())
    }
}
