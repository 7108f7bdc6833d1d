//! What belongs to others: kept, refused, or taken over when the spec says so.

use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, BucketLocationConstraint, CreateBucketConfiguration, ExpirationStatus,
    LifecycleExpiration, LifecycleRule, LifecycleRuleFilter, Tag, TransitionDefaultMinimumObjectSize,
};
use serde_json::{Value, json};

use crate::support::operator::command;
use crate::support::test_env::{ANY_BUCKET, CLUSTER, TestEnv, environment, file, resource_names, spec};

async fn foreign_bucket(env: &TestEnv, region: &str, name: &str, owner: Option<&str>) {
    let mut configuration = CreateBucketConfiguration::builder();
    if region != "us-east-1" {
        configuration = configuration.location_constraint(BucketLocationConstraint::from(region));
    }
    if let Some(owner) = owner {
        configuration =
            configuration.tags(Tag::builder().key("aiplatform.dev/owner").value(owner).build().expect("a tag"));
    }
    let s3 = env.aws.s3_in(region);
    s3.create_bucket().bucket(name).create_bucket_configuration(configuration.build()).send().await.expect("made");
}

#[tokio::test]
async fn lifecycle_rules_of_others_survive_every_write() {
    let env = TestEnv::new("foreign-rule").await;
    let rules = json!({"rules": [{"id": "x", "expiration": {"days": 10}}]});
    let mut wanted = spec(json!([{"name": "a", "lifecycle": rules}]));
    env.apply("assistant", &wanted).await;
    let bucket = resource_names(&env.wait_ready("assistant").await).remove(0);

    let s3 = env.aws.s3();
    let theirs = LifecycleRule::builder()
        .id("theirs")
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix("logs/").build())
        .expiration(LifecycleExpiration::builder().days(3).build())
        .build()
        .expect("a rule");
    let only_theirs = BucketLifecycleConfiguration::builder().rules(theirs.clone()).build().expect("rules");
    s3.put_bucket_lifecycle_configuration()
        .bucket(&bucket)
        .transition_default_minimum_object_size(TransitionDefaultMinimumObjectSize::VariesByStorageClass)
        .lifecycle_configuration(only_theirs)
        .send()
        .await
        .expect("put");

    let read = async || s3.get_bucket_lifecycle_configuration().bucket(&bucket).send().await.expect("rules");
    env.poke("assistant").await;
    env.wait("our rule is back", async || read().await.rules().len() == 2).await;
    let found = read().await;
    assert!(found.rules().contains(&theirs), "{:?}", found.rules());
    let size = found.transition_default_minimum_object_size;
    assert_eq!(size, Some(TransitionDefaultMinimumObjectSize::VariesByStorageClass));

    wanted["storage"]["buckets"][0].as_object_mut().expect("a bucket").remove("lifecycle");
    env.apply("assistant", &wanted).await;
    env.wait("only theirs is left", async || read().await.rules() == [theirs.clone()]).await;
}

#[tokio::test]
async fn a_lifecycle_rule_of_others_that_takes_objects_away_is_reported_and_found() {
    let env = TestEnv::new("expires").await;
    let wanted = spec(json!([{"name": "a"}]));
    env.apply("assistant", &wanted).await;
    let bucket = resource_names(&env.wait_ready("assistant").await).remove(0);
    let rule = |id: &str, status: ExpirationStatus| {
        let everything = LifecycleRuleFilter::builder().prefix("").build();
        let rule = LifecycleRule::builder().id(id).status(status).filter(everything);
        rule.expiration(LifecycleExpiration::builder().days(1).build()).build().expect("a rule")
    };
    let rules = [rule("theirs", ExpirationStatus::Enabled), rule("off", ExpirationStatus::Disabled)];
    let rules = BucketLifecycleConfiguration::builder().set_rules(Some(rules.to_vec())).build().expect("rules");
    let put = env.aws.s3().put_bucket_lifecycle_configuration().bucket(&bucket).lifecycle_configuration(rules);
    put.send().await.expect("put");

    env.poke("assistant").await;
    env.wait("an event", async || {
        let events = env.events("assistant").await;
        events.iter().any(|(reason, note)| reason == "LifecycleOfOthers" && note.contains("\"theirs\""))
    })
    .await;
    env.wait_ready("assistant").await;

    let object = json!({"apiVersion": "aiplatform.dev/v1alpha1", "kind": "AIPlatform",
        "metadata": {"name": "assistant", "namespace": env.namespace}, "spec": wanted});
    let file = file(&object.to_string());
    let path = file.to_str().expect("a path");
    let audit = |format: &str| {
        let arguments = ["audit", "--live", "--s3-path-style", "--cluster-name", CLUSTER, "-o", format, "-f", path];
        let output = command().args(arguments).envs(environment(env.cluster, &env.aws)).output().expect("it runs");
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let found: Value = serde_json::from_slice(&audit("json")).expect("JSON");
    let findings = found["platforms"][0]["findings"].as_array().expect("findings");
    let found: Vec<&Value> = findings.iter().filter(|finding| finding["rule"] == "lifecycle-of-others").collect();
    let [finding] = found.as_slice() else { panic!("{findings:#?}") };
    assert_eq!(finding["severity"], "warning");
    assert!(finding["message"].as_str().is_some_and(|message| message.contains("\"theirs\"")), "{finding}");
    let text = String::from_utf8_lossy(&audit("text")).into_owned();
    assert!(text.contains("Live: everything declared is as declared"), "{text}");
}

#[tokio::test]
async fn a_foreign_rule_that_cannot_be_carried_stops_the_write_and_only_that() {
    let env = TestEnv::new("odd-rule").await;
    let rules = json!({"rules": [{"id": "x", "expiration": {"days": 10}}]});
    env.apply("assistant", &spec(json!([{"name": "a", "lifecycle": rules}]))).await;
    let bucket = resource_names(&env.wait_ready("assistant").await).remove(0);
    let xml = "<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule><ID>odd</ID>\
               <Filter><Prefix>a/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>3</Days></Expiration>\
               <Novelty><Depth>2</Depth></Novelty></Rule></LifecycleConfiguration>";
    env.aws.control("s3/lifecycle", json!({"bucket": bucket, "xml": xml}));
    env.aws.s3().delete_bucket_policy().bucket(&bucket).send().await.expect("it goes");
    let calls = env.aws.operations().len();
    env.poke("assistant").await;
    let reported = env.wait_stalled("assistant", "Conflict").await;
    assert!(reported.contains("odd") && reported.contains("Novelty"), "{reported}");
    assert_eq!(env.aws.writes_since(calls), ["PutBucketPolicy"], "the rest is repaired, the rules are not touched");

    env.aws.s3().delete_bucket_lifecycle().bucket(&bucket).send().await.expect("it goes");
    env.poke("assistant").await;
    env.wait_ready("assistant").await;
}

#[tokio::test]
async fn a_bucket_that_is_not_ours_is_left_alone() {
    let env = TestEnv::guarded("not-ours", ANY_BUCKET).await;
    foreign_bucket(&env, "eu-west-1", "nobodys-bucket", None).await;
    foreign_bucket(&env, "eu-west-1", "anothers-bucket", Some("other/ns/name")).await;
    let calls = env.aws.operations().len();
    let buckets = json!([{"name": "a", "bucketName": "nobodys-bucket"}, {"name": "b", "bucketName": "anothers-bucket", "adopt": true}]);
    env.apply("assistant", &spec(buckets)).await;
    let names_both = async || {
        let reported = env.wait_stalled("assistant", "NotOwned").await;
        ["nobodys-bucket", "adopt: true", "anothers-bucket", "other/ns/name"].iter().all(|it| reported.contains(it))
    };
    env.wait("both are reported", names_both).await;
    // What is to be adopted was read first.
    assert_eq!(env.aws.writes_since(calls), ["CreateBucket"], "it was refused, and nothing follows");
    let status = env.api().get("assistant").await.expect("it").status.expect("a status");
    assert_eq!(status.ready.as_deref(), Some("0/2"));
    assert!(status.plan.iter().all(|step| step.action == "Refuse"), "{:?}", status.plan);

    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    assert_eq!(env.aws.writes_since(calls), ["CreateBucket"], "a deletion leaves it alone too");
}

#[tokio::test]
async fn a_bucket_of_another_account_is_left_alone() {
    let env = TestEnv::guarded("other-account", ANY_BUCKET).await;
    env.aws.control("s3/foreign-bucket", json!({"name": "far-away", "account": "999999999999", "region": "eu-west-1"}));
    env.apply("assistant", &spec(json!([{"name": "a", "bucketName": "far-away", "adopt": true}]))).await;
    let reported = env.wait_stalled("assistant", "AccessDenied").await;
    assert!(reported.contains("far-away") && reported.contains("another account"), "{reported}");
    env.apply("deleted", &spec(json!([{"name": "a", "bucketName": "far-away", "deletionPolicy": "Delete"}]))).await;
    env.wait_stalled("deleted", "AccessDenied").await;
    env.delete("deleted").await;
    env.wait_until_gone("deleted").await;

    env.apply("assistant", &spec(json!([{"name": "a", "bucketName": "close-by", "adopt": true}]))).await;
    let object = env.wait_ready("assistant").await;
    assert!(!format!("{:?}", object.status).contains("far-away"), "the name is nowhere any more: {:?}", object.status);
}

#[tokio::test]
async fn a_bucket_of_another_region_is_named_with_its_region() {
    let env = TestEnv::guarded("other-region", ANY_BUCKET).await;
    foreign_bucket(&env, "us-west-2", "wandering-bucket", None).await;
    env.apply("assistant", &spec(json!([{"name": "a", "bucketName": "wandering-bucket", "adopt": true}]))).await;
    let reported = env.wait_stalled("assistant", "Conflict").await;
    assert!(reported.contains("us-west-2") && reported.contains("eu-west-1"), "{reported}");
}

#[tokio::test]
async fn an_adopted_bucket_becomes_ours_and_keeps_its_tags() {
    let env = TestEnv::guarded("adopt", ANY_BUCKET).await;
    foreign_bucket(&env, "eu-west-1", "legacy-bucket", None).await;
    let s3 = env.aws.s3();
    let tag = Tag::builder().key("finance").value("42").build().expect("a tag");
    let tagging = aws_sdk_s3::types::Tagging::builder().tag_set(tag).build().expect("tags");
    s3.put_bucket_tagging().bucket("legacy-bucket").tagging(tagging).send().await.expect("put");
    env.apply("assistant", &spec(json!([{"name": "a", "bucketName": "legacy-bucket", "adopt": true}]))).await;
    env.wait_ready("assistant").await;
    let tags = s3.get_bucket_tagging().bucket("legacy-bucket").send().await.expect("tags").tag_set;
    assert!(tags.iter().any(|tag| tag.key == "finance" && tag.value == "42"), "{tags:?}");
    assert!(tags.iter().any(|tag| tag.key == "aiplatform.dev/owner"), "{tags:?}");
}

#[tokio::test]
async fn statements_of_others_in_a_bucket_policy_survive() {
    let env = TestEnv::new("foreign-statement").await;
    let mut wanted = spec(json!([{"name": "a"}]));
    env.apply("assistant", &wanted).await;
    let bucket = resource_names(&env.wait_ready("assistant").await).remove(0);
    let s3 = env.aws.s3();
    let theirs = json!({"Sid": "Audit", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
        "Action": ["s3:GetObject"], "Resource": format!("arn:aws:s3:::{bucket}/*")});
    let policy = json!({"Version": "2012-10-17", "Statement": [theirs]});
    s3.put_bucket_policy().bucket(&bucket).policy(policy.to_string()).send().await.expect("put");
    let sids = async || {
        let policy = s3.get_bucket_policy().bucket(&bucket).send().await.expect("a policy").policy.expect("text");
        let policy: Value = serde_json::from_str(&policy).expect("JSON");
        let statements = policy["Statement"].as_array().expect("a list").clone();
        statements.iter().map(|statement| statement["Sid"].as_str().unwrap_or_default().to_string()).collect::<Vec<_>>()
    };
    env.poke("assistant").await;
    env.wait("both are there", async || sids().await == ["Audit", "AipTlsOnly"]).await;
    wanted["storage"]["buckets"][0]["tlsOnly"] = json!(false);
    env.apply("assistant", &wanted).await;
    env.wait("only theirs is left", async || sids().await == ["Audit"]).await;
}

#[tokio::test]
async fn what_others_open_in_a_bucket_is_reported_once_and_found_by_the_audit() {
    let mut env = TestEnv::new("opened").await;
    let wanted = spec(json!([{"name": "a"}]));
    env.apply("assistant", &wanted).await;
    let bucket = resource_names(&env.wait_ready("assistant").await).remove(0);
    let s3 = env.aws.s3();
    let theirs = json!({"Sid": "Backup", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::666666666666:root"},
        "Action": "s3:*", "Resource": format!("arn:aws:s3:::{bucket}/*")});
    let text = s3.get_bucket_policy().bucket(&bucket).send().await.expect("a policy").policy.expect("text");
    let mut policy: Value = serde_json::from_str(&text).expect("JSON");
    policy["Statement"].as_array_mut().expect("a list").push(theirs);
    s3.put_bucket_policy().bucket(&bucket).policy(policy.to_string()).send().await.expect("put");

    let reported = async || {
        let events = env.events("assistant").await.into_iter();
        events.filter(|(reason, note)| reason == "OpenedByOthers" && note.contains("666666666666")).count()
    };
    env.poke("assistant").await;
    env.wait("an event", async || reported().await == 1).await;
    env.look("assistant").await;
    assert_eq!(reported().await, 1);
    env.restart_operator();
    env.look("assistant").await;
    env.wait_ready("assistant").await;
    assert_eq!(env.events("assistant").await.iter().filter(|(reason, _)| reason == "OpenedByOthers").count(), 1);

    let object = json!({"apiVersion": "aiplatform.dev/v1alpha1", "kind": "AIPlatform",
        "metadata": {"name": "assistant", "namespace": env.namespace}, "spec": wanted});
    let file = file(&object.to_string());
    let path = file.to_str().expect("a path");
    let arguments = ["audit", "--live", "--s3-path-style", "--cluster-name", CLUSTER, "-o", "json", "-f", path];
    let output = command().args(arguments).envs(environment(env.cluster, &env.aws)).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let audit: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let finding = &audit["platforms"][0]["findings"][0];
    assert_eq!((&finding["rule"], &finding["severity"]), (&json!("bucket-opened-by-others"), &json!("error")));
    assert!(finding["message"].as_str().is_some_and(|message| message.contains("666666666666")), "{finding}");
}
