//! Situations that users of other tools met: each is refused or told before anything is made.

use serde_json::{Value, json};

use crate::support::operator::command;
use crate::support::test_env::file;

const HEAD: &str = "apiVersion: aiplatform.dev/v1alpha1\nkind: AIPlatform\nmetadata: {name: pile, namespace: field}\nspec:\n  \
                    region: eu-central-1\n  accountId: \"210987654321\"\n  \
                    ownership: {team: conversation-lab, contact: lab@example.org, environment: staging}\n";

/// The exit code, what is written, and what is complained about.
fn run(arguments: &[&str], spec: &str) -> (Option<i32>, String, String) {
    let file = file(&format!("{HEAD}{spec}"));
    let output = command().args(arguments).arg("-f").arg(&file).output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn objects_stay_ninety_days_where_they_are_archived_for_instant_retrieval() {
    let rule = |second: u32, third: u32| {
        format!(
            "  storage:\n    buckets:\n    - name: runs\n      lifecycle:\n        rules:\n        - id: tiers\n          transitions: \
             [{{days: 30, storageClass: STANDARD_IA}}, {{days: {second}, storageClass: GLACIER_IR}}, {{days: {third}, \
             storageClass: DEEP_ARCHIVE}}]\n"
        )
    };
    for command in ["plan", "audit", "operator-policy"] {
        let (code, _, complaint) = run(&[command], &rule(60, 90));
        assert_eq!(code, Some(2), "{command}: {complaint}");
        let reported = "transitions[2].days: 90 is too early: objects stay at least 90 days in GLACIER_IR, where they go on day 60, \
                    so day 150 is the first that would do";
        assert!(complaint.contains(reported), "{complaint}");
    }
    assert_eq!(run(&["plan"], &rule(60, 150)).0, Some(0));
}

#[test]
fn keys_of_tags_that_differ_in_case_are_refused_with_both() {
    let (code, _, complaint) =
        run(&["plan"], "  tags: {Stage: blue, stage: green}\n  storage: {buckets: [{name: runs}]}\n");
    assert_eq!(code, Some(2), "{complaint}");
    assert!(complaint.contains("spec.tags[\"stage\"]: is the same key as \"Stage\" to IAM"), "{complaint}");
}

/// What the audit says about lifecycle rules and artifacts, with this rule on the bucket and this key of the artifact.
fn reported(rule: &str, key: &str) -> Vec<Value> {
    let spec = format!(
        "  storage:\n    buckets:\n    - name: weights\n      lifecycle:\n        rules:\n        - {rule}\n  models:\n  - name: \
         scorer\n    sagemaker:\n      image: 210987654321.dkr.ecr.eu-central-1.amazonaws.com/scorer:7.2.1\n      modelData: \
         {{bucket: weights, key: {key}}}\n      instance: {{type: ml.m5.xlarge}}\n      async: {{output: {{bucket: weights, prefix: \
         out/}}}}\n      dataCapture: {{destination: {{bucket: weights, prefix: seen/}}}}\n"
    );
    let (code, output, complaint) = run(&["audit", "-o", "json"], &spec);
    assert_eq!(code, Some(0), "{complaint}");
    let audit: Value = serde_json::from_str(&output).expect("JSON");
    let findings = audit["platforms"][0]["findings"].as_array().expect("findings").clone();
    findings.into_iter().filter(|finding| finding["rule"] == "lifecycle-takes-artifact").collect()
}

#[test]
fn a_rule_that_takes_the_artifact_is_reported_with_its_name_and_the_models() {
    const OBJECT: &str = "models/scorer/7.2.1/model.tar.gz";
    const PREFIX: &str = "models/scorer/7.2.1/";
    for (rule, key) in [
        (
            "{id: tidy, filter: {prefix: models/}, transitions: [{days: 30, storageClass: GLACIER}], expiration: {days: 365}}",
            OBJECT,
        ),
        ("{id: tidy, transitions: [{days: 30, storageClass: DEEP_ARCHIVE}]}", OBJECT),
        ("{id: tidy, expiration: {days: 365}}", PREFIX),
        ("{id: tidy, filter: {prefix: models/scorer/7.2.1/old/}, expiration: {days: 365}}", PREFIX),
        ("{id: tidy, filter: {prefix: models/, tags: {a: b}}, expiration: {days: 365}}", OBJECT),
    ] {
        let found = reported(rule, key);
        assert_eq!(found.len(), 1, "{rule}: {found:?}");
        assert_eq!((&found[0]["severity"], &found[0]["subject"]), (&json!("warning"), &json!("model scorer")));
        let message = found[0]["message"].as_str().expect("text");
        assert!(
            message.contains("rule tidy") && message.contains(key) && message.contains("bucket weights"),
            "{message}"
        );
        assert_eq!(message.contains("not seen here"), rule.contains("tags") || rule.contains("old/"), "{message}");
    }
    for rule in [
        "{id: tidy, filter: {prefix: evals/}, expiration: {days: 365}}",
        "{id: tidy, filter: {prefix: out/}, expiration: {days: 365}}",
        "{id: tidy, filter: {prefix: seen/}, transitions: [{days: 30, storageClass: GLACIER}]}",
        "{id: tidy, transitions: [{days: 30, storageClass: STANDARD_IA}, {days: 60, storageClass: GLACIER_IR}]}",
        "{id: tidy, enabled: false, expiration: {days: 365}}",
        "{id: tidy, noncurrentExpiration: {days: 1}, abortIncompleteMultipartUploadDays: 1}",
        "{id: tidy, noncurrentTransitions: [{days: 1, storageClass: GLACIER}]}",
    ] {
        for key in [OBJECT, PREFIX] {
            assert_eq!(reported(rule, key), Vec::<Value>::new(), "{rule}");
        }
    }
}
