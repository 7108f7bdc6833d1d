//! What becomes of a bucket that is no longer declared, whosever it is and whatever is in it.

use std::collections::BTreeMap;

use aws_sdk_s3::primitives::ByteStream;
use serde_json::{Value, json};

use super::{Run, buckets, condition, message};

/// Puts objects and a delete marker, of which some have keys that XML cannot carry.
async fn fill(run: &Run, bucket: &str) {
    let s3 = run.aws.s3();
    for key in ["plain", "with space+plus", "a\u{10}b", "b\u{10}c", "\u{FFFE}"] {
        let call = s3.put_object().bucket(bucket).key(key).body(ByteStream::from_static(b"x"));
        call.send().await.expect("put");
    }
    s3.delete_object().bucket(bucket).key("a\u{10}b").send().await.expect("a delete marker");
}

#[tokio::test]
async fn a_key_that_xml_cannot_carry_goes_with_all_the_others() {
    let mut run = Run::new(buckets(json!([{"name": "runs", "deletionPolicy": "DeleteWithContents"}]))).await;
    run.settle_ready().await;
    let bucket = run.name("Bucket");
    fill(&run, &bucket).await;
    // The SDK cannot read the answer, which repeats the key.
    _ = run.aws.s3().create_multipart_upload().bucket(&bucket).key("c\u{10}d").send().await;
    run.delete();
    assert!(run.settle().await.finished, "{:#?}", run.object.status);
    assert!(run.aws.s3().head_bucket().bucket(&bucket).send().await.is_err(), "the bucket is gone");
    let calls = run.aws.calls();
    let count = |operation: &str| {
        calls.iter().filter(|call| call["operation"] == operation && call["result"]["status"] != 400).count()
    };
    assert_eq!(count("DeleteObjects"), 1, "what XML can carry goes together");
}

#[tokio::test]
async fn versions_that_are_refused_keep_none_of_the_others() {
    let mut run = Run::new(buckets(json!([{"name": "runs", "deletionPolicy": "DeleteWithContents"}]))).await;
    run.settle_ready().await;
    let bucket = run.name("Bucket");
    fill(&run, &bucket).await;
    for key in ["plain", "with*", "b\u{10}c"] {
        let arn = format!("arn:aws:s3:::{bucket}/{key}");
        run.aws.control("deny", json!({"action": "s3:DeleteObjectVersion", "resource": arn}));
    }
    run.delete();
    let pass = run.settle().await;
    assert!(!pass.finished && condition(&pass, "Stalled").is_some(), "{}", message(&pass));
    let reported = message(&pass);
    assert!(
        reported.contains("AccessDenied: Access Denied (2 were refused so)"),
        "each thing that S3 says, once: {reported}"
    );
    assert!(reported.contains("HTTP 403"), "the SDK cannot read an answer that repeats the key: {reported}");
    let left = run.aws.s3().list_object_versions().bucket(&bucket).encoding_type(aws_sdk_s3::types::EncodingType::Url);
    let left = left.send().await.expect("versions");
    let keys: Vec<&str> = left.versions().iter().filter_map(|version| version.key()).collect();
    assert_eq!((keys, left.delete_markers().len()), (vec!["b%10c", "plain", "with+space%2Bplus"], 0));
    run.aws.control("deny", json!({"action": "s3:DeleteObjectVersion", "remove": true}));
    assert!(run.settle().await.finished);
}

fn popular(name: &str, deletion_policy: &str) -> Value {
    buckets(json!([{"name": "runs", "bucketName": name, "deletionPolicy": deletion_policy}]))
}

async fn held_by_another_account(deletion_policy: &str) -> Run {
    let mut run = Run::new(popular("popular-name", deletion_policy)).await;
    run.aws.control(
        "s3/foreign-bucket",
        json!({"name": "popular-name", "account": "999999999999", "region": "eu-west-1"}),
    );
    let pass = run.settle().await;
    assert!(condition(&pass, "Stalled").is_some());
    assert!(message(&pass).contains("another account"), "{}", message(&pass));
    run
}

#[tokio::test]
async fn a_name_that_another_account_holds_can_be_changed() {
    for deletion_policy in ["Retain", "Delete", "DeleteWithContents"] {
        let mut run = held_by_another_account(deletion_policy).await;
        run.edit(popular("free-name", deletion_policy));
        run.settle_ready().await;
        let status = serde_json::to_string(&run.object.status).expect("JSON");
        assert!(!status.contains("popular-name"), "{deletion_policy}: {status}");
        assert!(run.aws.s3().head_bucket().bucket("free-name").send().await.is_ok());
    }
}

#[tokio::test]
async fn an_object_whose_name_another_account_holds_can_be_deleted() {
    for deletion_policy in ["Retain", "Delete", "DeleteWithContents"] {
        let mut run = held_by_another_account(deletion_policy).await;
        run.delete();
        assert!(run.settle().await.finished, "{deletion_policy}: {:#?}", run.object.status);
    }
}

#[tokio::test]
async fn a_bucket_of_our_own_that_may_not_be_read_is_not_lost() {
    let mut run = Run::new(popular("our-name", "Delete")).await;
    run.settle_ready().await;
    run.aws.control("deny", json!({"action": "s3:GetBucketTagging", "resource": "arn:aws:s3:::our-name"}));
    run.edit(popular("other-name", "Delete"));
    let pass = run.settle().await;
    assert_eq!(condition(&pass, "Stalled").map(|stalled| stalled.reason.as_str()), Some("AccessDenied"));
    run.delete();
    assert!(!run.settle().await.finished, "the finalizer stays");
    // Nobody can tell whose it is either.
    run.aws.control("deny", json!({"action": "s3:ListAllMyBuckets"}));
    assert!(!run.settle().await.finished);
    run.aws.control("deny", json!({"action": "s3:GetBucketTagging", "remove": true}));
    assert!(run.settle().await.finished);
    assert!(run.aws.s3().head_bucket().bucket("our-name").send().await.is_err(), "it went");
}

#[tokio::test]
async fn a_bucket_made_before_a_crash_is_not_taken_for_one_that_never_was() {
    let mut run = Run::new(popular("our-name", "Delete")).await;
    run.announce().await;
    let announced = run.object.status.clone();
    run.pass().await;
    run.object.status = announced;
    run.aws.control("deny", json!({"action": "s3:GetBucketTagging"}));
    run.delete();
    assert!(!run.settle().await.finished, "it may be ours");
    run.aws.control("deny", json!({"action": "s3:GetBucketTagging", "remove": true}));
    assert!(run.settle().await.finished);
    assert!(run.aws.s3().head_bucket().bucket("our-name").send().await.is_err());
}

#[tokio::test]
async fn a_retained_bucket_needs_no_answer_to_be_left_alone() {
    let mut run = Run::new(popular("our-name", "Retain")).await;
    run.settle_ready().await;
    run.aws.control("deny", json!({"action": "s3:*"}));
    run.delete();
    assert!(run.settle().await.finished);
    run.aws.control("deny", json!({"action": "s3:*", "remove": true}));
    assert!(run.aws.s3().head_bucket().bucket("our-name").send().await.is_ok());
}

async fn retag(run: &Run, bucket: &str, key: &str, value: &str) {
    let s3 = run.aws.s3();
    let tags = s3.get_bucket_tagging().bucket(bucket).send().await.expect("tags").tag_set;
    let mut tags: BTreeMap<String, String> = tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    tags.insert(key.into(), value.into());
    let tag = |(key, value)| aws_sdk_s3::types::Tag::builder().key(key).value(value).build().expect("a tag");
    let tagging = aws_sdk_s3::types::Tagging::builder().set_tag_set(Some(tags.into_iter().map(tag).collect()));
    s3.put_bucket_tagging().bucket(bucket).tagging(tagging.build().expect("tags")).send().await.expect("put");
}

#[tokio::test]
async fn a_tag_edit_on_a_retained_bucket_deletes_nothing() {
    let both = json!([{"name": "keep", "bucketName": "kept-bucket"}, {"name": "stay", "bucketName": "other-bucket"}]);
    let mut run = Run::new(buckets(both)).await;
    run.settle_ready().await;
    let call = run.aws.s3().put_object().bucket("kept-bucket").key("k").body(ByteStream::from_static(b"x"));
    call.send().await.expect("put");
    // The tag is changed while the operator is away, in the same moment as the spec.
    retag(&run, "kept-bucket", "aiplatform.dev/deletion-policy", "DeleteWithContents").await;
    run.edit(buckets(json!([{"name": "stay", "bucketName": "other-bucket"}])));
    for _ in 0..2 {
        run.settle_ready().await;
        let left = run.aws.s3().head_object().bucket("kept-bucket").key("k").send().await;
        assert!(left.is_ok(), "the object is still there");
        retag(&run, "kept-bucket", "aiplatform.dev/deletion-policy", "Delete").await;
    }
    run.delete();
    assert!(run.settle().await.finished);
    assert!(run.aws.s3().head_object().bucket("kept-bucket").key("k").send().await.is_ok());
}

#[tokio::test]
async fn an_edit_of_the_deletion_policy_holds_from_then_on() {
    let kept = |policy: &str| buckets(json!([{"name": "go", "bucketName": "going-bucket", "deletionPolicy": policy}]));
    let mut run = Run::new(kept("Retain")).await;
    run.settle_ready().await;
    run.edit(kept("DeleteWithContents"));
    run.settle_ready().await;
    run.edit(buckets(json!([])));
    run.settle_ready().await;
    assert!(run.aws.s3().head_bucket().bucket("going-bucket").send().await.is_err(), "it went as the spec said last");
}
