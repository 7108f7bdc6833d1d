//! A bucket one of whose parts S3 refuses, and what others have in it.

use aiplatform::guardrails::Guardrails;
use aiplatform::plan::Action;
use aiplatform::resource::Kind;
use aiplatform::schedule::Next;
use aws_sdk_s3::types::ObjectOwnership;
use serde_json::{Value, json};

use super::drifts::{ready_run, spoil};
use super::{Run, buckets, condition, drop_role, here, message, put_role, ready};

async fn policy_of(run: &Run, bucket: &str) -> Value {
    let policy = run.aws.s3().get_bucket_policy().bucket(bucket).send().await.expect("a policy").policy;
    serde_json::from_str(&policy.expect("text")).expect("JSON")
}

async fn put_policy(run: &Run, bucket: &str, policy: &Value) {
    run.aws.s3().put_bucket_policy().bucket(bucket).policy(policy.to_string()).send().await.expect("put");
}

#[tokio::test]
async fn a_statement_of_somebody_who_is_gone_holds_up_only_the_policy() {
    let mut run = ready_run().await;
    let bucket = run.name("Bucket");
    let reader = put_role(&run, "reader").await;
    let theirs = json!({"Sid": "Theirs", "Effect": "Allow", "Principal": {"AWS": reader}, "Action": "s3:GetObject",
        "Resource": format!("arn:aws:s3:::{bucket}/*")});
    spoil(&run).await;
    put_policy(&run, &bucket, &json!({"Version": "2012-10-17", "Statement": [theirs]})).await;
    drop_role(&run, "reader").await;
    let pass = run.pass().await;
    assert!(condition(&pass, "Stalled").is_some());
    assert!(message(&pass).contains("MalformedPolicy: Invalid principal in policy"), "{}", message(&pass));
    let plan = run.plan().await;
    let step = plan.steps.iter().find(|step| step.key.kind == Kind::Bucket).expect("the bucket");
    let Action::Update(changes) = &step.action else { panic!("{plan}") };
    assert!(changes.iter().all(|change| change.field() == "policy"), "{changes:?}");
    run.aws.s3().delete_bucket_policy().bucket(&bucket).send().await.expect("out of the way");
    run.settle_ready().await;
}

#[tokio::test]
async fn grants_of_an_adopted_bucket_hold_up_only_its_ownership() {
    let mut run = Run::new(buckets(json!([{"name": "runs", "bucketName": "legacy-runs", "adopt": true}]))).await;
    run.guardrails = any_bucket();
    let s3 = run.aws.s3();
    let call = s3.create_bucket().bucket("legacy-runs").create_bucket_configuration(here());
    call.object_ownership(ObjectOwnership::ObjectWriter).send().await.expect("made");
    let delivery = "uri=http://acs.amazonaws.com/groups/s3/LogDelivery";
    s3.put_bucket_acl().bucket("legacy-runs").grant_write(delivery).send().await.expect("granted");
    let pass = run.settle().await;
    assert_eq!(condition(&pass, "Stalled").map(|stalled| stalled.reason.as_str()), Some("InvalidSpec"));
    assert!(message(&pass).contains("InvalidBucketAclWithObjectOwnership"), "{}", message(&pass));
    let tags = s3.get_bucket_tagging().bucket("legacy-runs").send().await.expect("tags").tag_set;
    assert!(tags.iter().any(|tag| tag.key == "aiplatform.dev/owner"), "{tags:?}");
    assert!(policy_of(&run, "legacy-runs").await.to_string().contains("AipTlsOnly"));
    s3.put_bucket_acl()
        .bucket("legacy-runs")
        .acl(aws_sdk_s3::types::BucketCannedAcl::Private)
        .send()
        .await
        .expect("put");
    run.settle_ready().await;
}

fn any_bucket() -> Guardrails {
    Guardrails::parse("guardrails", crate::support::test_env::ANY_BUCKET).expect("guardrails")
}

#[tokio::test]
async fn what_closes_something_is_written_first() {
    let mut run = ready_run().await;
    spoil(&run).await;
    let before = run.aws.call_count();
    run.pass().await;
    let written = run.aws.writes_since_call(before);
    let at = |operation: &str| written.iter().position(|it| it == operation).unwrap_or_else(|| panic!("{operation}"));
    assert!(at("PutPublicAccessBlock") < at("PutBucketOwnershipControls"), "{written:?}");
    assert!(at("PutBucketPolicy") < at("PutBucketEncryption"), "{written:?}");
    assert!(at("PutBucketVersioning") < at("PutBucketLifecycleConfiguration"), "versions before rules that delete");
    assert!(at("UpdateAssumeRolePolicy") < at("PutRolePolicy"), "{written:?}");
    assert!(at("DeleteRolePolicy") < at("DeleteRolePermissionsBoundary"), "a boundary that goes, goes last");
}

#[tokio::test]
async fn versioning_that_object_lock_keeps_on_is_for_somebody_to_mend() {
    let bucket = |versioning: bool| {
        buckets(json!([{"name": "runs", "bucketName": "legacy-runs-2019", "adopt": true, "versioning": versioning}]))
    };
    let mut run = Run::new(bucket(false)).await;
    run.guardrails = any_bucket();
    let call = run.aws.s3().create_bucket().bucket("legacy-runs-2019").create_bucket_configuration(here());
    call.object_lock_enabled_for_bucket(true).send().await.expect("made");
    let pass = run.settle().await;
    assert!(condition(&pass, "Stalled").is_some(), "{:#?}", pass.status);
    assert_eq!(pass.next, Next::Slow);
    for part in ["An Object Lock configuration is present", "versioning: true"] {
        assert!(message(&pass).contains(part), "{part}: {}", message(&pass));
    }
    run.edit(bucket(true));
    run.settle_ready().await;
}

#[tokio::test]
async fn what_others_open_in_a_bucket_is_reported_and_left_alone() {
    let mut run = ready_run().await;
    let bucket = run.name("Bucket");
    let mut policy = policy_of(&run, &bucket).await;
    let theirs = json!({"Sid": "AipBackup", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::666666666666:root"},
        "Action": "s3:*", "Resource": [format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")]});
    policy["Statement"].as_array_mut().expect("a list").push(theirs.clone());
    put_policy(&run, &bucket, &policy).await;
    run.settle_ready().await;
    let reported = run.resource("Bucket").message.clone().expect("it is told");
    for part in ["666666666666", "s3:*", "AipBackup"] {
        assert!(reported.contains(part), "{part}: {reported}");
    }
    let statements = policy_of(&run, &bucket).await["Statement"].as_array().expect("a list").clone();
    assert!(statements.contains(&theirs), "a Sid that begins like ours is theirs all the same");
    assert!(run.plan().await.to_string().contains("666666666666"), "diff tells it too");
}

#[tokio::test]
async fn a_policy_that_only_looks_different_is_not_written_again_and_ours_is_as_audited() {
    let mut run = ready_run().await;
    let bucket = run.name("Bucket");
    let statement = policy_of(&run, &bucket).await["Statement"][0].clone();
    assert_eq!(
        (&statement["Principal"], &statement["Condition"]["Bool"]["aws:SecureTransport"]),
        (&json!("*"), &json!("false"))
    );
    assert_eq!(statement["Resource"], json!([format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")]));
    let mut other = statement;
    other["Principal"] = json!({"AWS": ["*"]});
    other["Action"] = json!(["S3:*"]);
    other["Condition"] = json!({"bool": {"AWS:SecureTransport": [false]}});
    put_policy(&run, &bucket, &json!({"Version": "2008-10-17", "Statement": other})).await;
    let before = run.aws.call_count();
    run.settle_ready().await;
    assert_eq!(run.aws.writes_since_call(before), Vec::<String>::new());
}

#[tokio::test]
async fn rule_ids_are_whatever_s3_takes() {
    let ids = ["Delete old (90d)", "x/y", "a.b.c", "30 Tage später", "日本", "<&\">'"];
    let rules: Vec<Value> = ids.iter().map(|id| json!({"id": id, "expiration": {"days": 90}})).collect();
    let mut run = Run::new(buckets(json!([{"name": "runs", "lifecycle": {"rules": rules}}]))).await;
    run.settle_ready().await;
    let found = run.aws.s3().get_bucket_lifecycle_configuration().bucket(run.name("Bucket")).send().await;
    let rules = found.expect("rules").rules.unwrap_or_default();
    let found: Vec<&str> = rules.iter().filter_map(|rule| rule.id()).collect();
    let mut expected: Vec<String> = ids.iter().map(|id| format!("aip-{id}")).collect();
    expected.sort();
    assert_eq!(found, expected);
    let before = run.aws.call_count();
    run.settle_ready().await;
    assert_eq!(run.aws.writes_since_call(before), Vec::<String>::new(), "they are read back as they were written");
}

#[tokio::test]
async fn nothing_is_ready_while_a_part_is_refused_for_long() {
    let mut run = ready_run().await;
    spoil(&run).await;
    run.refuse("PutBucketVersioning", "AccessDenied", 403, "not this one");
    for _ in 0..4 {
        assert_ne!(ready(&run.pass().await), "True");
    }
    let written = run.aws.calls().iter().filter(|call| call["operation"] == "PutBucketPolicy").count();
    assert_eq!(written, 2, "at creation and to put it right, and not again in every pass");
}
