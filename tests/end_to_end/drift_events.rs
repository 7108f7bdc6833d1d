//! Drift by push: what others change is repaired when its event comes, and the event says who it was.

use std::collections::BTreeSet;

use aiplatform::drift_events::inbox::Listener;
use serde_json::{Value, json};

use crate::support::operator::command;
use crate::support::test_env::{CLUSTER, TestEnv, condition, resource_names, spec};

/// The region of the platforms, and the one in which IAM's events come.
const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];

const ON: [&str; 1] = ["--drift-events"];

/// A platform with a bucket and a role.
fn with_role() -> Value {
    let mut spec = spec(json!([{"name": "a"}]));
    spec["identity"] = json!({"irsa": {"oidcProviderArn":
        "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC"}});
    spec["access"] = json!([{"name": "api", "serviceAccount": {"name": "api"}, "buckets": [{"name": "a"}]}]);
    spec
}

/// The name of the queue and the rule of this test's operator.
fn inbox(env: &TestEnv) -> String {
    let namespaces = vec![env.namespace.clone()];
    Listener { cluster: CLUSTER.into(), namespaces, label_selector: None }.name()
}

/// Waits until events are proven to come.
pub(super) async fn wait_flowing(env: &TestEnv, name: &str) {
    env.wait_for(name, "told of changes", |status| {
        condition(status, "DriftEvents").is_some_and(|it| it.status == "True" && it.reason == "Flowing")
    })
    .await;
}

/// An environment with a platform that is ready, and whose operator is told of changes.
async fn flowing(name: &str, arguments: &[&str]) -> (TestEnv, Vec<String>) {
    let env = TestEnv::with(name, arguments).await;
    env.apply("assistant", &with_role()).await;
    let names = resource_names(&env.wait_ready("assistant").await);
    wait_flowing(&env, "assistant").await;
    (env, names)
}

fn heard(env: &TestEnv, outcome: &str) -> u64 {
    let (_, text) = env.operator.page("/metrics");
    let name = format!("aiplatform_drift_events_total{{outcome=\"{outcome}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(name.as_str())?.parse().ok()).unwrap_or_default()
}

/// Waits until the operator has handled all that is in its queues.
async fn wait_all_heard(env: &TestEnv) {
    for region in REGIONS {
        let sqs = env.aws.sqs(region);
        let url = sqs.get_queue_url().queue_name(inbox(env)).send().await.expect("a queue").queue_url.expect("a URL");
        let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
        let names = names.map(aws_sdk_sqs::types::QueueAttributeName::from).to_vec();
        env.wait("nothing is left", async || {
            let read = sqs.get_queue_attributes().queue_url(&url).set_attribute_names(Some(names.clone()));
            let counts = read.send().await.expect("attributes").attributes.unwrap_or_default();
            !counts.is_empty() && counts.values().all(|count| count == "0")
        })
        .await;
    }
}

async fn repairs(env: &TestEnv) -> Vec<String> {
    let events = env.events("assistant").await.into_iter();
    events.filter(|(reason, _)| reason == "DriftRepaired").map(|(_, note)| note).collect()
}

async fn has_queue(env: &TestEnv, region: &str) -> bool {
    env.aws.sqs(region).get_queue_url().queue_name(inbox(env)).send().await.is_ok()
}

async fn has_rule(env: &TestEnv, region: &str) -> bool {
    env.aws.eventbridge(region).describe_rule().name(inbox(env)).send().await.is_ok()
}

#[tokio::test]
async fn what_somebody_changes_is_repaired_when_its_event_comes_and_the_event_says_who_it_was() {
    let (env, _) = flowing("events-who", &ON).await;
    let object = env.api().get("assistant").await.expect("the object");
    let status = object.status.expect("a status");
    let message = &condition(&status, "DriftEvents").expect("a condition").message;
    assert!(message.contains("every 60 minutes"), "the resync is the safety net: {message}");
    let role = status.resources.iter().find(|it| it.kind == "Role").expect("a role").name.clone();
    let jane = env.aws.session("admin", "jane").await;
    let iam = env.aws.iam_as(&jane);
    let policies = iam.list_role_policies().role_name(&role).send().await.expect("policies").policy_names;
    iam.delete_role_policy().role_name(&role).policy_name(&policies[0]).send().await.expect("it goes");
    env.wait("the policy is back", async || {
        let listed = env.aws.iam().list_role_policies().role_name(&role).send().await.expect("policies");
        listed.policy_names.contains(&policies[0])
    })
    .await;
    env.wait("it is reported", async || !repairs(&env).await.is_empty()).await;
    let note = repairs(&env).await.remove(0);
    let who = "changed by arn:aws:sts::123456789012:assumed-role/admin/jane at ";
    assert!(note.starts_with(&format!("Role {role}: policies.")), "{note}");
    assert!(note.contains(who) && note.contains(" (DeleteRolePolicy), repaired: "), "{note}");
}

#[tokio::test]
async fn only_what_somebody_touched_is_read_for_its_repair() {
    let (env, names) = flowing("events-reads", &ON).await;
    let start = env.aws.call_count();
    env.aws.s3().delete_bucket_policy().bucket(&names[0]).send().await.expect("it goes");
    let repaired = async || env.aws.calls_since(start).iter().position(|call| call == "PutBucketPolicy");
    env.wait("the policy is back", async || repaired().await.is_some()).await;
    let before = repaired().await.unwrap_or_default();
    let calls = env.aws.calls().into_iter().skip(start).take(before);
    let of_iam: Vec<Value> = calls.filter(|call| call["service"] == "iam").collect();
    assert!(of_iam.is_empty(), "{of_iam:?}");
}

#[tokio::test]
async fn the_operators_own_writes_wake_nobody() {
    let (env, _) = flowing("events-own", &ON).await;
    let mut changed = with_role();
    changed["storage"]["buckets"][0]["versioning"] = json!(false);
    changed["access"][0]["buckets"][0]["prefix"] = json!("live/");
    let before = heard(&env, "own");
    // What is delivered at once has all been heard when the queues are empty.
    env.aws.control("cloudtrail/hold", json!({}));
    let start = env.aws.call_count();
    env.apply("assistant", &changed).await;
    env.wait_ready("assistant").await;
    let writes = env.aws.writes_since_call(start);
    let count = |calls: &[String]| {
        let kinds = ["PutBucket", "PutRolePolicy"];
        calls.iter().filter(|call| kinds.iter().any(|kind| call.starts_with(kind))).count()
    };
    assert!(count(&writes) >= 2, "{writes:?}");
    let jane = env.aws.session("other", "jane").await;
    let iam = env.aws.iam_as(&jane);
    iam.tag_role().role_name("other").tags(tag("a", "b")).send().await.expect("tagged");
    env.aws.control("cloudtrail/release", json!({}));
    wait_all_heard(&env).await;
    assert!(heard(&env, "own") > before && heard(&env, "unrelated") > 0);
    assert_eq!(heard(&env, "woke"), 0);
}

fn tag(key: &str, value: &str) -> aws_sdk_iam::types::Tag {
    aws_sdk_iam::types::Tag::builder().key(key).value(value).build().expect("a tag")
}

#[tokio::test]
async fn duplicates_disorder_and_rubbish_are_handled_once() {
    let (env, names) = flowing("events-twice", &ON).await;
    let s3 = env.aws.s3();
    env.aws.control("cloudtrail/hold", json!({}));
    let bucket = &names[0];
    s3.delete_bucket_policy().bucket(bucket).send().await.expect("it goes");
    s3.delete_bucket_lifecycle().bucket(bucket).send().await.expect("it goes");
    let url = env.aws.sqs(REGIONS[0]).get_queue_url().queue_name(inbox(&env)).send().await.expect("a queue");
    let url = url.queue_url.expect("a URL");
    for rubbish in ["not json", "{}", r#"{"detail": {"eventName": 1}}"#] {
        let call = env.aws.sqs(REGIONS[0]).send_message().queue_url(&url).message_body(rubbish);
        call.send().await.expect("sent");
    }
    let start = env.aws.call_count();
    env.aws.control("cloudtrail/release", json!({"order": "reversed", "copies": 3}));
    env.wait("the policy is back", async || env.aws.writes_since_call(start).contains(&"PutBucketPolicy".into())).await;
    env.wait("all came", async || heard(&env, "malformed") == 3 && heard(&env, "duplicate") >= 4).await;
    wait_all_heard(&env).await;
    env.at_rest().await;
    let puts = env.aws.writes_since_call(start).into_iter().filter(|call| call == "PutBucketPolicy").count();
    assert_eq!(puts, 1);
}

#[tokio::test]
async fn a_queue_that_somebody_deletes_or_changes_comes_back() {
    let (env, names) = flowing("events-back", &ON).await;
    let sqs = env.aws.sqs(REGIONS[0]);
    let url = sqs.get_queue_url().queue_name(inbox(&env)).send().await.expect("a queue").queue_url.expect("a URL");
    sqs.delete_queue().queue_url(url).send().await.expect("it goes");
    env.wait("the queue is back", async || has_queue(&env, REGIONS[0]).await).await;
    let url = sqs.get_queue_url().queue_name(inbox(&env)).send().await.expect("a queue").queue_url.expect("a URL");
    let seconds = aws_sdk_sqs::types::QueueAttributeName::VisibilityTimeout;
    sqs.set_queue_attributes().queue_url(&url).attributes(seconds.clone(), "1").send().await.expect("changed");
    env.wait("the queue is put right", async || {
        let read = sqs.get_queue_attributes().queue_url(&url).attribute_names(seconds.clone()).send().await;
        read.expect("attributes").attributes.unwrap_or_default().get(&seconds).is_some_and(|it| it == "60")
    })
    .await;
    env.aws.s3().delete_bucket_policy().bucket(&names[0]).send().await.expect("it goes");
    env.wait("the policy is repaired", async || {
        env.aws.s3().get_bucket_policy().bucket(&names[0]).send().await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn without_the_flag_queues_and_rules_of_before_are_removed_and_nobody_elses() {
    let (mut env, _) = flowing("events-off", &ON).await;
    let sqs = env.aws.sqs(REGIONS[0]);
    sqs.create_queue().queue_name("aiplatform-drift-of-somebody-else").send().await.expect("a queue");
    for region in REGIONS {
        assert!(has_queue(&env, region).await && has_rule(&env, region).await, "{region}");
    }
    env.operator.terminate();
    env.restart_with(&[]);
    for region in REGIONS {
        env.wait("it is removed", async || !has_queue(&env, region).await && !has_rule(&env, region).await).await;
    }
    env.wait_for("assistant", "without the condition", |status| condition(status, "DriftEvents").is_none()).await;
    assert!(sqs.get_queue_url().queue_name("aiplatform-drift-of-somebody-else").send().await.is_ok());
}

#[tokio::test]
async fn with_the_last_platform_of_a_place_its_queue_and_rule_go() {
    let (env, _) = flowing("events-last", &ON).await;
    env.apply("second", &spec(json!([{"name": "b", "deletionPolicy": "Delete"}]))).await;
    env.wait_ready("second").await;
    env.delete("second").await;
    env.wait_until_gone("second").await;
    assert!(has_queue(&env, REGIONS[0]).await, "one platform is left");
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    for region in REGIONS {
        env.wait("it is removed", async || !has_queue(&env, region).await && !has_rule(&env, region).await).await;
    }
    let printed = command().args(["operator-policy", "--drift-events"]).output().expect("it runs");
    let printed = String::from_utf8(printed.stdout).expect("text");
    let needs = env.aws.calls().into_iter().filter(|call| call["service"] == "sqs" || call["service"] == "events");
    let needs: BTreeSet<(String, String)> = needs
        .flat_map(|call| call["permissions"].as_array().cloned().unwrap_or_default())
        .map(|need| (need[0].as_str().unwrap_or_default().into(), need[1].as_str().unwrap_or_default().into()))
        .collect();
    assert!(needs.iter().any(|(action, _)| action == "sqs:DeleteQueue"), "{needs:?}");
    for (action, resource) in &needs {
        assert!(printed.contains(&format!("\"{action}\"")), "{action}");
        assert!(resource.contains(":aiplatform-drift-") || resource.contains(":rule/aiplatform-drift-"), "{resource}");
    }
}

#[tokio::test]
async fn a_queue_of_somebody_else_is_left_alone_and_the_condition_says_so() {
    let env = TestEnv::new("events-foreign").await;
    let sqs = env.aws.sqs(REGIONS[0]);
    let made = sqs.create_queue().queue_name(inbox(&env)).tags("aiplatform.dev/owner", "others/n/p");
    let url = made.send().await.expect("a queue").queue_url.expect("a URL");
    let mut env = env;
    env.operator.terminate();
    env.restart_with(&ON);
    env.apply("assistant", &spec(json!([{"name": "a"}]))).await;
    env.wait_ready("assistant").await;
    let refused = env
        .wait_for("assistant", "refused", |status| {
            condition(status, "DriftEvents").is_some_and(|it| it.reason == "NotOwned")
        })
        .await;
    let message = condition(refused.status.as_ref().expect("a status"), "DriftEvents").expect("it").message.clone();
    assert!(message.contains("others/n/p") && message.contains("left alone"), "{message}");
    let tags = sqs.list_queue_tags().queue_url(&url).send().await.expect("tags").tags.unwrap_or_default();
    assert_eq!(tags.len(), 1, "{tags:?}");
    let touched = ["SetQueueAttributes", "TagQueue", "DeleteQueue", "ReceiveMessage"];
    let about = |call: &Value| call["service"] == "sqs" && call["region"] == REGIONS[0];
    let calls = env.aws.calls().into_iter().filter(about);
    let touching: Vec<Value> =
        calls.filter(|call| touched.contains(&call["operation"].as_str().unwrap_or_default())).collect();
    assert!(touching.is_empty(), "{touching:?}");
}
