//! Nothing is granted that is not attained: no policy in the account names a bucket or an endpoint that is not the
//! platform's own.

use std::collections::BTreeMap;
use std::process::Output;

use aiplatform::api::AIPlatform;
use aiplatform::api::status::AIPlatformStatus;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration, Tag, Tagging};
use serde_json::{Value, json};

use crate::support::operator::command;
use crate::support::test_env::{ANY_BUCKET, TestEnv, condition, environment, file, spec};

const PROVIDER: &str = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC";
const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// A platform with a bucket of a generated name, a bucket of this name that has a key, and a consumer of both.
fn platform(bucket_name: &str) -> Value {
    let named = json!({"name": "named", "bucketName": bucket_name, "encryption": {"kmsKeyArn": KEY}});
    let mut wanted = spec(json!([{"name": "own"}, named]));
    let buckets = json!([{"name": "own"}, {"name": "named", "mode": "ReadWrite"}]);
    wanted["identity"] = json!({"irsa": {"oidcProviderArn": PROVIDER}});
    wanted["access"] = json!([{"name": "api", "serviceAccount": {"name": "api"}, "buckets": buckets}]);
    wanted
}

fn adopting(bucket_name: &str) -> Value {
    let mut wanted = platform(bucket_name);
    wanted["storage"]["buckets"][1]["adopt"] = json!(true);
    wanted
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().expect("a tag")
}

async fn make_bucket(env: &TestEnv, name: &str, owner: Option<&str>) {
    let place = BucketLocationConstraint::from("eu-west-1");
    let mut configuration = CreateBucketConfiguration::builder().location_constraint(place);
    if let Some(owner) = owner {
        configuration = configuration.tags(tag("aiplatform.dev/owner", owner));
    }
    let call = env.aws.s3().create_bucket().bucket(name).create_bucket_configuration(configuration.build());
    call.send().await.expect("made");
}

/// Every inline policy of every role of platforms, as one text by role.
async fn policies(env: &TestEnv) -> BTreeMap<String, String> {
    let iam = env.aws.iam();
    let mut found = BTreeMap::new();
    for role in iam.list_roles().path_prefix("/aiplatform/").send().await.expect("roles").roles {
        let name = role.role_name;
        let listed = iam.list_role_policies().role_name(&name).send().await.expect("policies").policy_names;
        let mut text = String::new();
        for policy in listed {
            let read = iam.get_role_policy().role_name(&name).policy_name(&policy).send().await.expect("a policy");
            text += &percent_encoding::percent_decode_str(read.policy_document()).decode_utf8_lossy();
        }
        found.insert(name, text);
    }
    found
}

/// What the one role of a platform allows.
async fn policy(env: &TestEnv) -> String {
    let found = policies(env).await;
    assert_eq!(found.len(), 1, "{found:?}");
    found.into_values().next().expect("it is one")
}

fn access_ready(status: &AIPlatformStatus) -> (String, String) {
    let ready = condition(status, "AccessReady").expect("the platform has consumers");
    (ready.status.clone(), ready.message.clone())
}

fn sha256(object: &AIPlatform) -> String {
    object.status.as_ref().expect("a status").access[0].policy_sha256.clone()
}

/// What a subcommand says of this spec.
fn ask(env: &TestEnv, subcommand: &[&str], wanted: &Value) -> Output {
    let object = json!({"apiVersion": "aiplatform.dev/v1alpha1", "kind": "AIPlatform",
        "metadata": {"name": "assistant", "namespace": env.namespace}, "spec": wanted});
    let manifest = file(&object.to_string());
    let path = manifest.to_str().expect("a path");
    let arguments = ["--s3-path-style", "--cluster-name", "tests", "-o", "json", "-f", path];
    let environment = environment(env.cluster, &env.aws);
    command().args(subcommand).args(arguments).envs(environment).output().expect("it runs")
}

fn answer(output: &Output) -> Value {
    let complaint = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {complaint}"))
}

#[tokio::test]
async fn a_bucket_that_was_there_is_granted_when_it_is_taken_over_and_not_before() {
    let env = TestEnv::guarded("attained", ANY_BUCKET).await;
    make_bucket(&env, "payroll-of-finance", None).await;
    env.apply("assistant", &platform("payroll-of-finance")).await;
    let reported = env.wait_stalled("assistant", "NotOwned").await;
    assert!(reported.contains("payroll-of-finance") && reported.contains("adopt: true"), "{reported}");

    let granted = policy(&env).await;
    assert!(granted.contains("-own-"), "the rest is granted: {granted}");
    assert!(!granted.contains("payroll") && !granted.contains(KEY), "{granted}");
    assert_eq!(env.aws.calls_since(0).iter().filter(|call| *call == "PutRolePolicy").count(), 1, "no write in vain");

    let refused = env.api().get("assistant").await.expect("it");
    let status = refused.status.clone().expect("a status");
    let (ready, message) = access_ready(&status);
    assert_eq!(ready, "False");
    assert!(message.contains("payroll-of-finance") && message.contains("adopt: true"), "{message}");
    let role = status.resources.iter().find(|resource| resource.kind == "Role").expect("a role");
    assert_eq!((format!("{:?}", role.state).as_str(), role.reason.as_deref()), ("Refused", Some("NotOwned")));
    assert!(status.plan.iter().any(|step| step.kind == "Role"), "{:?}", status.plan);

    let diff = ask(&env, &["diff", "--guardrails", env.guardrails()], &platform("payroll-of-finance"));
    assert_eq!(diff.status.code(), Some(1));
    let shown = answer(&diff).to_string();
    assert!(shown.contains("is not granted"), "{shown}");
    let audit = ask(&env, &["audit", "--live"], &platform("payroll-of-finance"));
    assert_eq!(audit.status.code(), Some(1), "{}", String::from_utf8_lossy(&audit.stderr));
    let audited = answer(&audit)["platforms"][0].clone();
    let findings = audited["findings"].as_array().expect("findings");
    let finding = findings.iter().find(|finding| finding["rule"] == "grant-refused").expect("a finding");
    assert_eq!(finding["severity"], "error");
    assert!(finding["message"].as_str().expect("text").contains("payroll-of-finance"), "{finding}");
    assert!(!audited["roles"].to_string().contains("payroll-of-finance"), "live policies are what is granted");

    let calls = env.aws.call_count();
    env.apply("assistant", &adopting("payroll-of-finance")).await;
    let ready = env.wait_ready("assistant").await;
    let granted = policy(&env).await;
    assert!(granted.contains("payroll-of-finance") && granted.contains(KEY), "{granted}");
    assert_ne!(sha256(&ready), sha256(&refused), "the status has the hash of what is granted");
    assert_eq!(access_ready(ready.status.as_ref().expect("it")).0, "True");
    let writes = env.aws.calls_since(calls).into_iter().filter(|call| call == "PutRolePolicy").count();
    assert_eq!(writes, 1, "taken over and granted in one pass");
    let audit = ask(&env, &["audit", "--live"], &adopting("payroll-of-finance"));
    assert!(!answer(&audit).to_string().contains("grant-refused"));
}

#[tokio::test]
async fn whoever_holds_a_bucket_it_is_granted_to_nobody_else() {
    let env = TestEnv::guarded("held", ANY_BUCKET).await;
    make_bucket(&env, "held-by-a-platform", Some("tests/other/platform")).await;
    let far = json!({"name": "held-in-another-account", "account": "999999999999", "region": "eu-west-1"});
    env.aws.control("s3/foreign-bucket", far);
    for (index, (name, reason, wanted)) in [
        ("held-by-a-platform", "NotOwned", adopting("held-by-a-platform")),
        ("held-in-another-account", "AccessDenied", adopting("held-in-another-account")),
    ]
    .into_iter()
    .enumerate()
    {
        let object = format!("assistant-{index}");
        env.apply(&object, &wanted).await;
        let reported = env.wait_stalled(&object, reason).await;
        assert!(reported.contains(name), "{reported}");
        let granted = policies(&env).await;
        assert_eq!(granted.len(), index + 1, "the role is made for the rest: {granted:?}");
        assert!(granted.values().all(|text| !text.contains(name) && !text.contains(KEY)), "{granted:?}");
        let status = env.api().get(&object).await.expect("it").status.expect("a status");
        let (ready, message) = access_ready(&status);
        assert!(ready == "False" && message.contains(name), "{ready}: {message}");
    }
}

#[tokio::test]
async fn a_generated_name_that_somebody_was_quicker_to_take_is_not_granted() {
    let env = TestEnv::new("squatted").await;
    let mut wanted = platform("never-made");
    wanted["storage"]["buckets"].as_array_mut().expect("buckets").truncate(1);
    wanted["access"][0]["buckets"].as_array_mut().expect("buckets").truncate(1);
    let plan = answer(&ask(&env, &["audit"], &wanted))["platforms"][0]["bucketPolicies"][0]["bucket"].clone();
    let name = plan.as_str().expect("a name").to_string();
    make_bucket(&env, &name, None).await;
    env.apply("assistant", &wanted).await;
    env.wait_stalled("assistant", "NotOwned").await;
    assert_eq!(policy(&env).await, "", "there is nothing else to grant");
    env.aws.s3().delete_bucket().bucket(&name).send().await.expect("it goes");
    env.poke("assistant").await;
    env.wait_ready("assistant").await;
    assert!(policy(&env).await.contains(&name));
}

#[tokio::test]
async fn what_is_lost_between_passes_is_no_longer_granted() {
    let env = TestEnv::new("lost").await;
    env.apply("assistant", &platform("shared-prompts")).await;
    let before = sha256(&env.wait_ready("assistant").await);
    assert!(policy(&env).await.contains("shared-prompts"));
    let s3 = env.aws.s3();
    let tags = s3.get_bucket_tagging().bucket("shared-prompts").send().await.expect("tags").tag_set;

    // Somebody else claims it: by a tag, and by making it anew after it was deleted.
    let theirs = Tagging::builder().tag_set(tag("aiplatform.dev/owner", "tests/other/platform")).build();
    s3.put_bucket_tagging().bucket("shared-prompts").tagging(theirs.expect("tags")).send().await.expect("put");
    env.poke("assistant").await;
    env.wait_stalled("assistant", "NotOwned").await;
    let granted = policy(&env).await;
    assert!(!granted.contains("shared-prompts") && !granted.contains(KEY), "{granted}");

    let ours = Tagging::builder().set_tag_set(Some(tags)).build().expect("tags");
    s3.put_bucket_tagging().bucket("shared-prompts").tagging(ours).send().await.expect("put");
    env.poke("assistant").await;
    let healed = env.wait_ready("assistant").await;
    assert_eq!(sha256(&healed), before);
    assert!(policy(&env).await.contains("shared-prompts"));

    s3.delete_bucket().bucket("shared-prompts").send().await.expect("it goes");
    make_bucket(&env, "shared-prompts", None).await;
    env.poke("assistant").await;
    env.wait_stalled("assistant", "NotOwned").await;
    let granted = policy(&env).await;
    assert!(granted.contains("-own-") && !granted.contains("shared-prompts"), "{granted}");
}

#[tokio::test]
async fn a_service_that_does_not_answer_for_a_moment_takes_nothing_away() {
    let env = TestEnv::new("hiccup").await;
    env.apply("assistant", &platform("shared-prompts")).await;
    env.wait_ready("assistant").await;
    let granted = policy(&env).await;
    let calls = env.aws.call_count();
    let error = json!({"code": "SlowDown", "status": 503});
    let fault = json!({"service": "s3", "operation": "*", "when": "before", "times": null, "error": error});
    env.aws.control("faults", fault);
    env.poke("assistant").await;
    let retried = |status: &AIPlatformStatus| {
        condition(status, "Ready").is_some_and(|ready| ready.reason == "ProgressingWithRetry")
    };
    env.wait_for("assistant", "tried again", retried).await;
    assert_eq!(policy(&env).await, granted);
    let written = env.aws.calls_since(calls);
    assert!(!written.iter().any(|call| call.contains("RolePolicy") && !call.starts_with("Get")), "{written:?}");

    // The role of a new consumer is made at once, and gets what is unknown only when it is known.
    let mut wanted = platform("shared-prompts");
    let new = json!({"name": "new", "serviceAccount": {"name": "new"}, "buckets": [{"name": "named"}]});
    wanted["access"].as_array_mut().expect("consumers").push(new);
    env.apply("assistant", &wanted).await;
    env.wait("the second role", async || policies(&env).await.len() == 2).await;
    env.wait_for("assistant", "tried again", retried).await;
    let found = policies(&env).await;
    let new = found.iter().find(|(name, _)| name.contains("-new-")).expect("the role");
    assert_eq!(new.1, "");
}
