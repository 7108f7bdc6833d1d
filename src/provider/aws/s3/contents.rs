//! The contents of a bucket that is to be deleted, and emptying it.

use aws_sdk_s3::operation::list_multipart_uploads::ListMultipartUploadsOutput;
use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::{Delete, EncodingType, ObjectIdentifier};
use futures::StreamExt;

use super::super::failure;
use super::read::Tagged;
use super::{S3, Target, action, table};
use crate::failure::{Class, Error};
use crate::failures::{Failures, Parts};
use crate::outcome::Applied;
use crate::resource::{Contents, Owner};

/// Pages of a thousand that are counted before the answer is "at least".
const PAGES_COUNTED: usize = 5;

/// Calls side by side that delete one version each.
const SIDE_BY_SIDE: usize = 8;

/// The code by which S3 refuses to delete a bucket with anything in it. Source: `DeleteBucket`, Amazon S3 API reference.
const NOT_EMPTY: &str = "BucketNotEmpty";

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
            (key, version) = (answer.next_key_marker.as_deref().map(decoded), answer.next_version_id_marker);
        }
        let uploads = self.uploads(target, None, None).await?;
        contents.uploads = uploads.uploads().len() as u64;
        contents.more |= uploads.is_truncated.unwrap_or_default();
        Ok(contents)
    }

    /// Deletes the bucket if it is still ours, and before it what is in it if that is allowed. A large bucket takes several passes, each of
    /// which goes on where the last one ended.
    pub(super) async fn delete(&self, target: &Target<'_>, with_contents: bool) -> Result<Applied, Failures> {
        match self.tags(target).await? {
            Tagged::Missing => return Ok(Applied::Gone),
            Tagged::Elsewhere(_) => {
                return Err(target.unexpected(action::DELETE, "the bucket is in another region").into());
            }
            Tagged::Here(found) => target.owned(action::DELETE, &Owner::of(&found, &target.scope.owner))?,
        }
        if with_contents {
            let (versions, uploads) = (self.delete_versions(target).await, self.abort_uploads(target).await);
            let is_emptied = versions.is_all && uploads.is_all;
            let mut parts = Parts::default();
            parts.note_all("versions", versions.refused.into_errors());
            parts.note_all("uploads", uploads.refused.into_errors());
            if !is_emptied || !parts.is_complete() {
                let why = format!("emptying bucket {}: many objects, more remain", target.bucket);
                return parts.end(Applied::Progressing(why));
            }
        } else {
            self.check_uploads(target).await?;
        }
        let call = self.client.delete_bucket().bucket(target.bucket).expected_bucket_owner(target.account());
        match call.send().await.map_err(|error| target.failure(action::DELETE, &error)) {
            Ok(_) => Ok(Applied::Gone),
            Err(error) if error.class == Class::NotFound => Ok(Applied::Gone),
            Err(error) => Err(error.into()),
        }
    }

    /// Fails where uploads were begun and not ended, which would go with the bucket. Whether it has any version in it is
    /// for S3 to say, which deletes no such bucket.
    async fn check_uploads(&self, target: &Target<'_>) -> Result<(), Error> {
        let uploads = self.uploads(target, None, None).await?;
        if uploads.uploads().is_empty() {
            return Ok(());
        }
        let code = NOT_EMPTY.to_string();
        Err(Error { class: Class::Conflict, code, ..target.unexpected(action::DELETE, "it has unfinished uploads") })
    }

    /// One page of what is in the bucket, from a marker on. Keys come URL-encoded: XML has no way to write some of them.
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
            .encoding_type(EncodingType::Url)
            .send()
            .await
            .map_err(|error| target.failure(action::LIST_VERSIONS, &error))
    }

    /// One page of uploads that were never finished.
    async fn uploads(
        &self,
        target: &Target<'_>,
        key: Option<String>,
        upload: Option<String>,
    ) -> Result<ListMultipartUploadsOutput, Error> {
        self.client
            .list_multipart_uploads()
            .bucket(target.bucket)
            .expected_bucket_owner(target.account())
            .set_key_marker(key)
            .set_upload_id_marker(upload)
            .encoding_type(EncodingType::Url)
            .send()
            .await
            .map_err(|error| target.failure(action::LIST_UPLOADS, &error))
    }

    /// Deletes versions and delete markers, page by page. What is refused stays, and the next page is tried all the same.
    async fn delete_versions(&self, target: &Target<'_>) -> Emptied {
        let mut refused = Refusals::default();
        let (mut key, mut version) = (None, None);
        for _ in 0..BATCHES {
            let page = match self.versions(target, key, version).await {
                Ok(page) => page,
                Err(error) => return Emptied { is_all: false, refused: refused.and(error) },
            };
            let versions = page.versions().iter().map(|item| (item.key(), item.version_id()));
            let markers = page.delete_markers().iter().map(|item| (item.key(), item.version_id()));
            let batch = versions.chain(markers).map(|(key, version)| Doomed {
                key: decoded(key.unwrap_or_default()),
                version: version.map(Into::into),
            });
            self.delete_page(target, batch.collect(), &mut refused).await;
            if !page.is_truncated.unwrap_or_default() {
                return Emptied { is_all: true, refused };
            }
            (key, version) = (page.next_key_marker.as_deref().map(decoded), page.next_version_id_marker);
        }
        Emptied { is_all: false, refused }
    }

    async fn delete_page(&self, target: &Target<'_>, page: Vec<Doomed>, refused: &mut Refusals) {
        let (together, alone): (Vec<Doomed>, Vec<Doomed>) = page.into_iter().partition(|it| fits_xml(&it.key));
        if !together.is_empty() {
            match self.delete_batch(target, &together, refused).await {
                // S3 takes the batch as a whole or not at all: one odd key must not keep the others.
                Err(error) if error.code == "MalformedXML" => self.delete_each(target, together, refused).await,
                Err(error) => refused.add(error),
                Ok(()) => {}
            }
        }
        self.delete_each(target, alone, refused).await;
    }

    /// S3 answers 200 even when it refused single versions: each refusal is in the answer.
    async fn delete_batch(&self, target: &Target<'_>, batch: &[Doomed], refused: &mut Refusals) -> Result<(), Error> {
        let identified =
            |it: &Doomed| ObjectIdentifier::builder().key(&it.key).set_version_id(it.version.clone()).build();
        let objects = batch.iter().map(identified).collect::<Result<Vec<_>, _>>();
        let objects = objects.map_err(|error| target.unexpected(action::DELETE_VERSION, error))?;
        let delete = Delete::builder()
            .set_objects(Some(objects))
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
        for item in answer.errors() {
            let code = item.code().unwrap_or("Unknown");
            refused.add(Error {
                class: failure::of_item(code, table),
                action: action::DELETE_VERSION.into(),
                subject: format!("{}/{}", target.arn(), item.key().unwrap_or_default()),
                code: code.into(),
                message: item.message().unwrap_or_default().into(),
                request_id: None,
            });
        }
        Ok(())
    }

    /// Deletes versions by calls of their own, in which the key stands in the URL.
    async fn delete_each(&self, target: &Target<'_>, items: Vec<Doomed>, refused: &mut Refusals) {
        let calls = items.into_iter().map(|it| async move {
            let call = self
                .client
                .delete_object()
                .bucket(target.bucket)
                .expected_bucket_owner(target.account())
                .key(&it.key)
                .set_version_id(it.version);
            call.send().await.map_err(|error| {
                let failed = target.failure(action::DELETE_VERSION, &error);
                Error { subject: format!("{}/{}", target.arn(), it.key.escape_debug()), ..failed }
            })
        });
        let mut answers = futures::stream::iter(calls).buffer_unordered(SIDE_BY_SIDE);
        while let Some(answer) = answers.next().await {
            match answer {
                Err(error) if error.class != Class::NotFound => refused.add(error),
                _ => {}
            }
        }
    }

    /// Aborts unfinished uploads, page by page.
    async fn abort_uploads(&self, target: &Target<'_>) -> Emptied {
        let mut refused = Refusals::default();
        let (mut key, mut upload) = (None, None);
        for _ in 0..BATCHES {
            let page = match self.uploads(target, key, upload).await {
                Ok(page) => page,
                Err(error) => return Emptied { is_all: false, refused: refused.and(error) },
            };
            for upload in page.uploads() {
                let aborted = self
                    .client
                    .abort_multipart_upload()
                    .bucket(target.bucket)
                    .expected_bucket_owner(target.account())
                    .key(decoded(upload.key().unwrap_or_default()))
                    .upload_id(upload.upload_id().unwrap_or_default())
                    .send()
                    .await
                    .map_err(|error| target.failure(action::ABORT_UPLOAD, &error));
                match aborted {
                    Err(error) if error.class != Class::NotFound => refused.add(error),
                    _ => {}
                }
            }
            if !page.is_truncated.unwrap_or_default() {
                return Emptied { is_all: true, refused };
            }
            (key, upload) = (page.next_key_marker.as_deref().map(decoded), page.next_upload_id_marker);
        }
        Emptied { is_all: false, refused }
    }
}

/// A version or a delete marker on its way out.
#[derive(Clone, Debug)]
struct Doomed {
    key: String,
    version: Option<String>,
}

/// The progress of emptying.
struct Emptied {
    /// True when the last page was reached.
    is_all: bool,
    refused: Refusals,
}

/// The refusals, with one example for each message of S3.
#[derive(Default)]
struct Refusals(Vec<(Error, usize)>);

impl Refusals {
    fn add(&mut self, error: Error) {
        let same = |known: &Error| {
            (&known.action, &known.code, &known.message) == (&error.action, &error.code, &error.message)
        };
        match self.0.iter_mut().find(|(known, _)| same(known)) {
            Some((_, count)) => *count += 1,
            None => self.0.push((error, 1)),
        }
    }

    fn and(mut self, error: Error) -> Self {
        self.add(error);
        self
    }

    fn into_errors(self) -> Vec<Error> {
        let counted = |(error, count): (Error, usize)| match count {
            1 => error,
            _ => Error { message: format!("{} ({count} were refused so)", error.message), ..error },
        };
        self.0.into_iter().map(counted).collect()
    }
}

/// A key as S3 holds it. In lists, a plus sign stands for a space.
fn decoded(key: &str) -> String {
    let spaced = key.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

/// True when XML can write a key. Source: "Characters" in Extensible Markup Language (XML) 1.0.
fn fits_xml(key: &str) -> bool {
    key.chars().all(|it| matches!(it, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_from_their_encoding() {
        for (encoded, key) in [
            ("a/b.txt", "a/b.txt"),
            ("a%10b", "a\u{10}b"),
            ("a+b%2Bc%20d", "a b+c d"),
            ("%E6%97%A5%E6%9C%AC", "日本"),
            ("100%25", "100%"),
        ] {
            assert_eq!(decoded(encoded), key);
        }
    }

    #[test]
    fn what_xml_cannot_write_is_distinguished() {
        for key in ["a/b", "tab\there", "line\nbreak", "日本", "\u{1F600}", "<&>", "\u{85}"] {
            assert!(fits_xml(key), "{key:?}");
        }
        for key in ["a\u{10}b", "\u{0}", "bell\u{7}", "\u{B}", "\u{1F}", "\u{FFFE}", "\u{FFFF}"] {
            assert!(!fits_xml(key), "{key:?}");
        }
    }

    #[test]
    fn the_same_refusal_is_reported_once_with_its_number() {
        let refused = |key: &str, code: &str| Error {
            class: Class::Denied,
            action: action::DELETE_VERSION.into(),
            subject: key.into(),
            code: code.into(),
            message: "said S3".into(),
            request_id: None,
        };
        let mut refusals = Refusals::default();
        for key in ["a", "b", "c"] {
            refusals.add(refused(key, "AccessDenied"));
        }
        let errors = refusals.and(refused("d", "InternalError")).into_errors();
        let reported: Vec<(&str, &str)> = errors.iter().map(|it| (it.subject.as_str(), it.message.as_str())).collect();
        assert_eq!(reported, [("a", "said S3 (3 were refused so)"), ("d", "said S3")]);
    }
}
