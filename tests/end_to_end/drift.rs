//! What somebody changes by hand is changed back, field by field, and nothing else is written.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    BucketVersioningStatus, ObjectOwnership, OwnershipControls, OwnershipControlsRule, PublicAccessBlockConfiguration,
    ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
    Tag, Tagging, VersioningConfiguration,
};
use serde_json::json;

use crate::support::test_env::{TestEnv, resource_names, spec};

/// The parts of a bucket, each with the one call that repairs it.
const PARTS: [(&str, &str); 7] = [
    ("tags", "PutBucketTagging"),
    ("public access block", "PutPublicAccessBlock"),
    ("object ownership", "PutBucketOwnershipControls"),
    ("encryption", "PutBucketEncryption"),
    ("versioning", "PutBucketVersioning"),
    ("policy", "PutBucketPolicy"),
    ("lifecycle", "PutBucketLifecycleConfiguration"),
];

#[tokio::test]
async fn every_part_of_a_bucket_is_repaired_by_one_write() {
    let env = TestEnv::new("drift").await;
    let rules = json!({"rules": [{"id": "x", "expiration": {"days": 10}}]});
    env.apply("assistant", &spec(json!([{"name": "a", "lifecycle": rules}]))).await;
    let bucket = resource_names(&env.wait_ready("assistant").await).remove(0);
    for (part, repair) in PARTS {
        spoil(&env.aws.s3(), &bucket, part).await;
        let calls = env.aws.operations().len();
        env.poke("assistant").await;
        // Who asks so often waits for his turn.
        env.wait(part, async || env.aws.writes_since(calls).contains(&repair.to_string())).await;
        env.at_rest().await;
        assert_eq!(env.aws.writes_since(calls), [repair], "{part}");
        let repaired = env.aws.operations().len();
        env.poke("assistant").await;
        env.wait("another look", async || env.aws.operations().len() >= repaired + 7).await;
        env.at_rest().await;
        assert_eq!(env.aws.writes_since(repaired), Vec::<String>::new(), "{part} does not flap");
    }
    let repairs = env.events("assistant").await.into_iter().filter(|(reason, _)| reason == "DriftRepaired").count();
    assert_eq!(repairs, PARTS.len(), "each repair is reported");
}

async fn spoil(s3: &Client, bucket: &str, part: &str) {
    match part {
        "tags" => {
            let kept = s3.get_bucket_tagging().bucket(bucket).send().await.expect("tags").tag_set;
            let changed = kept.into_iter().map(|tag| {
                let value = if tag.key == "aiplatform.dev/team" { "raiders" } else { tag.value() }.to_string();
                Tag::builder().key(tag.key()).value(value).build().expect("a tag")
            });
            let tagging = Tagging::builder().set_tag_set(Some(changed.collect())).build().expect("tags");
            s3.put_bucket_tagging().bucket(bucket).tagging(tagging).send().await.expect("put");
        }
        "public access block" => {
            let open = PublicAccessBlockConfiguration::builder().block_public_acls(true).build();
            s3.put_public_access_block()
                .bucket(bucket)
                .public_access_block_configuration(open)
                .send()
                .await
                .expect("put");
        }
        "object ownership" => {
            let rule = OwnershipControlsRule::builder().object_ownership(ObjectOwnership::ObjectWriter).build();
            let controls = OwnershipControls::builder().rules(rule.expect("a rule")).build().expect("controls");
            s3.put_bucket_ownership_controls().bucket(bucket).ownership_controls(controls).send().await.expect("put");
        }
        "encryption" => {
            let by_default =
                ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::AwsKms).build();
            let rule = ServerSideEncryptionRule::builder()
                .apply_server_side_encryption_by_default(by_default.expect("a default"))
                .build();
            let encryption = ServerSideEncryptionConfiguration::builder().rules(rule).build().expect("encryption");
            s3.put_bucket_encryption()
                .bucket(bucket)
                .server_side_encryption_configuration(encryption)
                .send()
                .await
                .expect("put");
        }
        "versioning" => {
            let off = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended).build();
            s3.put_bucket_versioning().bucket(bucket).versioning_configuration(off).send().await.expect("put");
        }
        "policy" => {
            s3.delete_bucket_policy().bucket(bucket).send().await.expect("it goes");
        }
        "lifecycle" => {
            s3.delete_bucket_lifecycle().bucket(bucket).send().await.expect("it goes");
        }
        other => panic!("{other} cannot be spoiled"),
    }
}
