mod access;
mod autoscaling;
mod kubernetes;
mod models;
mod rollout;
mod sagemaker;
mod schedule;

use serde_json::{Value, json};

use super::*;
use crate::testing::{object, with_buckets};

fn problems(object: &AIPlatform) -> Vec<Problem> {
    validate(object).err().unwrap_or_default()
}

/// The object has one problem, at this path, and its message says this.
fn is_refused(object: &AIPlatform, path: &str, telling: &str) {
    let problems = problems(object);
    let [problem] = problems.as_slice() else { panic!("{path} alone should be refused, found {problems:#?}") };
    assert_eq!(problem.path, path, "{problem}");
    assert!(problem.message.contains(telling), "{problem} should say {telling:?}");
}

fn is_fine(object: &AIPlatform) {
    assert_eq!(problems(object), []);
}

/// An object whose only bucket has the fields of `bucket`.
fn with_bucket(bucket: Value) -> AIPlatform {
    let Value::Object(fields) = bucket else { panic!("a bucket is an object: {bucket}") };
    let mut whole = json!({"name": "artifacts"});
    for (field, value) in fields {
        whole[field] = value;
    }
    with_buckets(json!([whole]))
}

/// An object with one bucket and these lifecycle rules; a rule without an id is called `rule`.
fn with_rules(mut rules: Vec<Value>) -> AIPlatform {
    for rule in &mut rules {
        let rule = rule.as_object_mut().unwrap();
        rule.entry("id").or_insert_with(|| "rule".into());
    }
    with_bucket(json!({"lifecycle": {"rules": rules}}))
}

fn rule_is_refused(rule: Value, field: &str, telling: &str) {
    let path = format!("spec.storage.buckets[0].lifecycle.rules[0]{field}");
    is_refused(&with_rules(vec![rule]), &path, telling);
}

fn rule_is_fine(rule: Value) {
    is_fine(&with_rules(vec![rule]));
}

/// As many tags as asked for.
fn many_tags(count: usize) -> Value {
    (0..count).map(|n| (format!("key-{n}"), Value::from("value"))).collect::<serde_json::Map<_, _>>().into()
}

#[test]
fn a_full_example_becomes_a_platform_with_every_default_in_place() {
    let object = object(json!({
        "region": "eu-west-1",
        "managementPolicy": "NoDelete",
        "deletionPolicy": "Retain",
        "ownership": {
            "team": "support",
            "contact": "support-ml@example.com",
            "environment": "prod",
            "costCenter": "4711",
            "runbook": "https://runbooks.example.com/support",
            "dataClassification": "internal",
        },
        "tags": {"project": "assistant", "Ümlaut key": "a b_.:/=+-@"},
        "storage": {"buckets": [
            {
                "name": "artifacts",
                "bucketName": "support-artifacts-123456789012",
                "adopt": true,
                "versioning": false,
                "tlsOnly": false,
                "encryption": {"kmsKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"},
                "deletionPolicy": "DeleteWithContents",
                "lifecycle": {"rules": [{
                    "id": "expire-eval-outputs",
                    "enabled": true,
                    "filter": {"prefix": "evals/", "tags": {"kind": "eval"}, "objectSizeGreaterThan": 1024, "objectSizeLessThan": 4096},
                    "transitions": [{"days": 30, "storageClass": "STANDARD_IA"}, {"days": 90, "storageClass": "GLACIER"}],
                    "expiration": {"days": 365},
                    "noncurrentTransitions": [{"days": 30, "newerVersions": 2, "storageClass": "STANDARD_IA"}],
                    "noncurrentExpiration": {"days": 90, "newerVersions": 3},
                }, {
                    "id": "abort-uploads",
                    "abortIncompleteMultipartUploadDays": 7,
                }]},
            },
            {"name": "logs"},
        ]},
    }));
    let platform = validate(&object).unwrap();
    assert_eq!(platform.id(), "support/assistant");
    assert_eq!(platform.management_policy, ManagementPolicy::NoDelete);
    assert_eq!(platform.deletion_policy, DeletionPolicy::Retain);
    assert_eq!(platform.tags.len(), 2);
    let [artifacts, logs] = platform.buckets.as_slice() else { panic!("{:?}", platform.buckets) };
    assert_eq!(artifacts.bucket_name, "support-artifacts-123456789012");
    assert_eq!(artifacts.rules.len(), 2);
    assert!(artifacts.adopt && !artifacts.versioning && !artifacts.tls_only);
    assert!(logs.bucket_name.starts_with("support-assistant-logs-"), "{}", logs.bucket_name);
    assert!(!logs.adopt && logs.versioning && logs.tls_only && logs.rules.is_empty());
    assert_eq!(logs.deletion_policy, crate::api::storage::BucketDeletionPolicy::Retain);
    assert_eq!(logs.kms_key_arn, None);
}

#[test]
fn a_platform_without_anything_is_fine() {
    is_fine(&object(json!({})));
}

#[test]
fn everything_that_is_wrong_is_said_at_once_and_in_the_order_of_the_spec() {
    let object = object(json!({
        "region": "Ireland",
        "accountId": "123",
        "ownership": {"team": "", "contact": "a;b", "environment": "prod"},
        "tags": {"aws:mine": "x"},
        "storage": {"buckets": [
            {"name": "artifacts", "bucketName": "Artifacts"},
            {"name": "artifacts", "bucketName": "other-artifacts", "lifecycle": {"rules": [
                {"id": "nothing"},
                {"id": "nothing", "expiration": {"days": 0}},
            ]}},
        ]},
    }));
    let paths: Vec<String> = problems(&object).into_iter().map(|problem| problem.path).collect();
    assert_eq!(
        paths,
        [
            "spec.region",
            "spec.accountId",
            "spec.ownership.team",
            "spec.ownership.contact",
            "spec.tags[\"aws:mine\"]",
            "spec.storage.buckets[0].bucketName",
            "spec.storage.buckets[1].name",
            "spec.storage.buckets[1].lifecycle.rules[0]",
            "spec.storage.buckets[1].lifecycle.rules[1].id",
            "spec.storage.buckets[1].lifecycle.rules[1].expiration.days",
        ]
    );
}

#[test]
fn a_problem_reads_as_path_and_message() {
    let problems = problems(&object(json!({"accountId": "123"})));
    assert_eq!(
        problems[0].to_string(),
        "spec.accountId: \"123\" is not an AWS account: 12 digits, in quotes so that YAML keeps leading zeros"
    );
}

#[test]
fn regions_of_every_partition_are_regions_and_other_words_are_not() {
    for region in ["eu-west-1", "us-gov-west-1", "cn-north-1", "us-isob-east-1", "eusc-de-east-1", "ap-southeast-12"] {
        is_fine(&object(json!({"region": region})));
    }
    for region in ["", "Ireland", "eu-west", "eu-west-1a", "eu-west-", "EU-WEST-1", "eu--1", "e-west-1", "eu-west-123"]
    {
        is_refused(&object(json!({"region": region})), "spec.region", "is not the name of an AWS region");
    }
}

#[test]
fn an_account_has_twelve_digits() {
    is_fine(&object(json!({"accountId": "000000000001"})));
    for account in ["", "12345678901", "1234567890123", "12345678901x", "١٢٣٤٥٦٧٨٩٠١٢"] {
        is_refused(&object(json!({"accountId": account})), "spec.accountId", "12 digits");
    }
}

#[test]
fn every_word_of_ownership_has_to_be_a_tag() {
    let refused = |field: &str, value: &str, telling: &str| {
        let mut ownership = json!({"team": "support", "contact": "s@example.com", "environment": "prod"});
        ownership[field] = value.into();
        is_refused(&object(json!({"ownership": ownership})), &format!("spec.ownership.{field}"), telling);
    };
    for field in ["team", "contact", "environment", "costCenter", "runbook", "dataClassification"] {
        refused(field, "", "is empty");
        refused(field, "a;b", "AWS allows letters, digits, spaces");
        refused(field, "tab\there", "AWS allows letters, digits, spaces");
        refused(field, &"x".repeat(257), "256 characters");
    }
}

#[test]
fn tags_keep_to_what_aws_takes_and_leave_ours_alone() {
    let refused = |key: &str, value: &str, telling: &str| {
        is_refused(&object(json!({"tags": {key: value}})), &format!("spec.tags[{key:?}]"), telling);
    };
    for taken in ["aws:cloudformation:stack-name", "AWS:foo", "Aws:", "aiplatform.dev/owner", "AIPlatform.dev/owner"] {
        refused(taken, "x", "are taken");
    }
    refused("", "x", "1 to 128 characters");
    refused(&"k".repeat(129), "x", "1 to 128 characters");
    refused("semi;colon", "x", "in a tag key");
    refused("key", "semi;colon", "cannot be a tag");
    refused("key", &"v".repeat(257), "256 characters");
    is_fine(&object(json!({"tags": {"k".repeat(128): "é".repeat(256), "empty": ""}})));
}

#[test]
fn keys_of_tags_that_differ_in_case_are_one_key_to_iam() {
    let two = |one: &str, other: &str| object(json!({"tags": {one: "a", other: "b", "third": "c"}}));
    let telling = "is the same key as \"Stage\" to IAM";
    is_refused(&two("Stage", "stage"), "spec.tags[\"stage\"]", telling);
    is_refused(&two("Stage", "sTAGE"), "spec.tags[\"sTAGE\"]", telling);
    is_refused(&two("Größe", "GRÖßE"), "spec.tags[\"Größe\"]", "is the same key as \"GRÖßE\" to IAM");
    is_fine(&two("stage", "stages"));
}

#[test]
fn names_are_those_that_the_api_server_takes() {
    let named = |name: &str, namespace: &str| {
        let mut object = object(json!({}));
        object.metadata.name = Some(name.into());
        object.metadata.namespace = Some(namespace.into());
        object
    };
    for name in ["a", "0", "a-b", "a.b-c.d", "1.2", &"n".repeat(63)] {
        is_fine(&named(name, "support"));
    }
    for name in ["*", "../../admin", "A", "a_b", "-a", "a-", ".a", "a.", "a..b", "a.-b", "a b", "a\n", "é", "a/b"] {
        is_refused(&named(name, "support"), "metadata.name", "is not a name: 1 to 253 lower-case letters");
    }
    is_refused(&named(&"n".repeat(254), "support"), "metadata.name", "is not a name");
    for namespace in ["*", "", "a.b", "a/b", "-a", "A", &"n".repeat(64)] {
        is_refused(&named("a", namespace), "metadata.namespace", "is not a name: 1 to 63 lower-case letters");
    }
}

#[test]
fn no_number_is_too_large_to_be_refused() {
    let extremes = [i32::MIN, -1, 0, 1, i32::MAX];
    let classes = ["STANDARD_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"];
    for (one, other) in extremes.into_iter().flat_map(|one| extremes.map(|other| (one, other))) {
        for (first, second) in classes.into_iter().flat_map(|first| classes.map(|second| (first, second))) {
            let moves = json!([{"days": one, "storageClass": first}, {"days": other, "storageClass": second}]);
            let rule = json!({"id": "a", "transitions": moves, "noncurrentTransitions": moves, "expiration": {"days": one},
                "noncurrentExpiration": {"days": other, "newerVersions": one}, "abortIncompleteMultipartUploadDays": other,
                "filter": {"objectSizeGreaterThan": i64::MIN, "objectSizeLessThan": i64::MAX}});
            let _ = validate(&with_rules(vec![rule]));
        }
        let model = |rest: Value| {
            let mut sagemaker = json!({"image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:1", "keepRevisions": 255,
                "autoscaling": {"minInstances": one, "maxInstances": other, "scaleInCooldownSeconds": one,
                    "target": {"invocationsPerInstance": {"loadTest": {"maxRequestsPerSecond": f64::MAX, "safetyFactor": -0.0}}},
                    "schedules": [{"name": "a", "schedule": "rate(4294967296 days)", "minInstances": other, "maxInstances": one},
                        {"name": "b", "schedule": "cron(0/4294967295 99999999999 L-4294967295 * ? *)", "minInstances": one}]},
                "rollout": {"strategy": "Linear", "stepPercent": one, "waitSeconds": other,
                    "terminationWaitSeconds": one, "maximumExecutionSeconds": other},
                "dataCapture": {"destination": {"bucket": "a", "prefix": "b/"}, "samplingPercent": one},
                "async": {"output": {"bucket": "a", "prefix": "b/"}, "maxConcurrentInvocationsPerInstance": other}});
            for (field, value) in rest.as_object().unwrap() {
                sagemaker[field] = value.clone();
            }
            object(json!({"models": [{"name": "rank", "sagemaker": sagemaker}]}))
        };
        let instance = json!({"type": "ml.m5.large", "count": one, "volumeSizeGiB": other, "startupTimeoutSeconds": one,
            "modelDownloadTimeoutSeconds": other});
        let serverless = json!({"memoryMiB": one, "maxConcurrency": other, "provisionedConcurrency": one});
        for rest in [json!({"instance": instance}), json!({"serverless": serverless})] {
            assert!(validate(&model(rest)).is_err());
        }
    }
}

#[test]
fn thirty_two_tags_fit_and_one_more_does_not() {
    is_fine(&object(json!({"tags": many_tags(32)})));
    is_refused(&object(json!({"tags": many_tags(33)})), "spec.tags", "33 tags are too many");
}

#[test]
fn names_that_make_the_owner_tag_too_long_are_refused() {
    let named = |name: &str, namespace: &str| {
        let mut object = object(json!({}));
        object.metadata.name = Some(name.into());
        object.metadata.namespace = Some(namespace.into());
        object
    };
    let long = |length: usize| format!("{}.{}", "n".repeat(63), "n".repeat(length - 64));
    is_fine(&named(&long(155), &"s".repeat(63)));
    is_refused(&named(&long(156), &"s".repeat(63)), "metadata.name", "take a shorter name");
}

#[test]
fn two_buckets_may_not_share_a_name() {
    let object = with_buckets(json!([{"name": "artifacts", "bucketName": "one-bucket"}, {"name": "artifacts"}]));
    is_refused(&object, "spec.storage.buckets[1].name", "\"artifacts\" is the name of spec.storage.buckets[0] too");
}

#[test]
fn one_bucket_is_declared_once() {
    let object = with_buckets(
        json!([{"name": "one", "bucketName": "shared-bucket"}, {"name": "two", "bucketName": "shared-bucket"}]),
    );
    is_refused(&object, "spec.storage.buckets[1].bucketName", "is the bucket of spec.storage.buckets[0] too");
}

#[test]
fn a_bucket_name_that_another_bucket_is_given_by_default_is_refused_too() {
    let generated = validate(&with_buckets(json!([{"name": "one"}]))).unwrap().buckets[0].bucket_name.clone();
    let object = with_buckets(json!([{"name": "one"}, {"name": "two", "bucketName": generated}]));
    is_refused(&object, "spec.storage.buckets[1].bucketName", "one bucket is declared once");
}

#[test]
fn logical_names_are_labels() {
    for name in ["", "Artifacts", "-artifacts", "artifacts-", "arti_facts", "arti.facts", &"a".repeat(64)] {
        is_refused(
            &with_bucket(json!({"name": name, "bucketName": "some-bucket"})),
            "spec.storage.buckets[0].name",
            "is not a name",
        );
    }
    is_fine(&with_bucket(json!({"name": "a"})));
    is_fine(&with_bucket(json!({"name": "a".repeat(63)})));
}

#[test]
fn a_long_logical_name_of_wide_letters_is_refused_and_nothing_breaks() {
    let object = with_bucket(json!({"name": format!("a{}", "é".repeat(60))}));
    let paths: Vec<String> = problems(&object).into_iter().map(|problem| problem.path).collect();
    assert_eq!(paths, ["spec.storage.buckets[0].name", "spec.storage.buckets[0].bucketName"]);
}

#[test]
fn bucket_names_keep_to_the_rules_of_s3() {
    for (name, telling) in [
        ("ab", "3 to 63 lower-case letters"),
        (&*"a".repeat(64), "3 to 63 lower-case letters"),
        ("Artifacts", "3 to 63 lower-case letters"),
        ("arti_facts", "3 to 63 lower-case letters"),
        ("-artifacts", "a letter or digit at both ends"),
        ("artifacts.", "a letter or digit at both ends"),
        ("arti..facts", "a dot stands only between letters and digits"),
        ("arti.-facts", "a dot stands only between letters and digits"),
        ("arti-.facts", "a dot stands only between letters and digits"),
        ("192.168.5.4", "looks like an IP address"),
        ("xn--artifacts", "begins with what S3 keeps for itself"),
        ("sthree-artifacts", "begins with what S3 keeps for itself"),
        ("amzn-s3-demo-artifacts", "begins with what S3 keeps for itself"),
        ("artifacts-s3alias", "ends with what S3 keeps for itself"),
        ("artifacts--ol-s3", "ends with what S3 keeps for itself"),
        ("artifacts.mrap", "ends with what S3 keeps for itself"),
        ("artifacts--x-s3", "ends with what S3 keeps for itself"),
        ("artifacts--table-s3", "ends with what S3 keeps for itself"),
        ("artifacts-an", "ends with what S3 keeps for itself"),
    ] {
        is_refused(&with_bucket(json!({"bucketName": name})), "spec.storage.buckets[0].bucketName", telling);
    }
    for name in ["abc", "a.b.c", "192.168.5.four", "arti--facts", &"a".repeat(63)] {
        is_fine(&with_bucket(json!({"bucketName": name})));
    }
}

#[test]
fn a_generated_name_that_s3_reserves_asks_for_a_bucket_name() {
    let mut object = with_bucket(json!({}));
    object.metadata.namespace = Some("xn--support".into());
    is_refused(&object, "spec.storage.buckets[0].bucketName", "set bucketName");
}

#[test]
fn a_kms_key_is_one_of_the_buckets_own_region() {
    let with_key = |arn: &str| with_bucket(json!({"encryption": {"kmsKeyArn": arn}}));
    let path = "spec.storage.buckets[0].encryption.kmsKeyArn";
    is_fine(&with_key("arn:aws:kms:eu-west-1:123456789012:key/1234abcd"));
    is_fine(&with_key("arn:aws:kms:eu-west-1:210987654321:alias/shared"));
    is_refused(
        &with_key("arn:aws:kms:us-east-1:123456789012:key/1234abcd"),
        path,
        "is a key of us-east-1: S3 encrypts only with a key of the bucket's own region, eu-west-1",
    );
    for partition in ["aws-cn", "aws-us-gov", "x"] {
        let arn = format!("arn:{partition}:kms:eu-west-1:123456789012:key/1234abcd");
        let telling = format!("is in partition {partition}, and spec.region \"eu-west-1\" is in aws");
        is_refused(&with_key(&arn), path, &telling);
    }
    for arn in [
        "1234abcd",
        "alias/shared",
        "arn:aws:s3:eu-west-1:123456789012:key/1234abcd",
        "arn:aws:kms:eu-west-1:1234:key/1234abcd",
        "arn:aws:kms:eu-west-1:123456789012:grant/1234abcd",
    ] {
        is_refused(&with_key(arn), path, "is not the ARN of a KMS key");
    }
}

#[test]
fn a_rule_has_an_id_of_its_own_that_fits_beside_our_prefix() {
    let expire = json!({"days": 1});
    is_refused(
        &with_rules(vec![json!({"id": "same", "expiration": expire}), json!({"id": "same", "expiration": expire})]),
        "spec.storage.buckets[0].lifecycle.rules[1].id",
        "rule ids must be unique",
    );
    rule_is_fine(json!({"id": "i".repeat(251), "expiration": expire}));
    rule_is_refused(json!({"id": "i".repeat(252), "expiration": expire}), ".id", "1 to 251 are allowed");
    rule_is_refused(json!({"id": "", "expiration": expire}), ".id", "1 to 251 are allowed");
}

#[test]
fn the_same_id_may_stand_on_two_buckets() {
    let lifecycle = json!({"rules": [{"id": "expire", "expiration": {"days": 1}}]});
    is_fine(&with_buckets(json!([{"name": "one", "lifecycle": lifecycle}, {"name": "two", "lifecycle": lifecycle}])));
}

#[test]
fn a_bucket_takes_a_thousand_rules_and_no_more() {
    let rules = |count: usize| {
        let rules: Vec<Value> = (0..count).map(|n| json!({"id": format!("r{n}"), "expiration": {"days": 1}})).collect();
        with_rules(rules)
    };
    is_fine(&rules(1000));
    is_refused(&rules(1001), "spec.storage.buckets[0].lifecycle.rules", "1001 rules are too many");
}

#[test]
fn a_rule_does_something() {
    rule_is_refused(json!({}), "", "at least one action needs to be specified in a rule");
    rule_is_refused(json!({"filter": {"prefix": "a/"}}), "", "at least one action needs to be specified in a rule");
    for action in [
        json!({"transitions": [{"days": 0, "storageClass": "GLACIER"}]}),
        json!({"expiration": {"days": 1}}),
        json!({"noncurrentTransitions": [{"days": 0, "storageClass": "GLACIER"}]}),
        json!({"noncurrentExpiration": {"days": 1}}),
        json!({"abortIncompleteMultipartUploadDays": 1}),
    ] {
        rule_is_fine(action);
    }
}

#[test]
fn filters_take_what_an_object_can_have() {
    let refused = |filter: Value, field: &str, telling: &str| {
        rule_is_refused(json!({"filter": filter, "expiration": {"days": 1}}), &format!(".filter.{field}"), telling);
    };
    refused(json!({"objectSizeGreaterThan": -1}), "objectSizeGreaterThan", "0 to 1099511627776000 bytes");
    refused(json!({"objectSizeGreaterThan": 1_099_511_627_776_001i64}), "objectSizeGreaterThan", "out of range");
    refused(json!({"objectSizeLessThan": 0}), "objectSizeLessThan", "1 to 1099511627776000 bytes");
    refused(json!({"objectSizeLessThan": 1_099_511_627_776_001i64}), "objectSizeLessThan", "out of range");
    for less in [10, 9] {
        refused(
            json!({"objectSizeGreaterThan": 10, "objectSizeLessThan": less}),
            "objectSizeLessThan",
            "has to be a value greater than objectSizeGreaterThan",
        );
    }
    refused(json!({"prefix": "p".repeat(1025)}), "prefix", "at most 1024 bytes");
    refused(json!({"tags": many_tags(11)}), "tags", "at most 10");
    refused(json!({"tags": {"": "x"}}), "tags[\"\"]", "1 to 128 characters");
    let long = "k".repeat(129);
    refused(json!({"tags": {&long: "x"}}), &format!("tags[{long:?}]"), "1 to 128 characters");
    refused(json!({"tags": {"key": "v".repeat(257)}}), "tags[\"key\"]", "its value to 256");
    for filter in [
        json!({}),
        json!({"prefix": "p".repeat(1024)}),
        json!({"tags": many_tags(10)}),
        json!({"objectSizeGreaterThan": 0, "objectSizeLessThan": 1}),
        json!({"objectSizeGreaterThan": 1_099_511_627_775_999i64, "objectSizeLessThan": 1_099_511_627_776_000i64}),
    ] {
        rule_is_fine(json!({"filter": filter, "expiration": {"days": 1}}));
    }
}

#[test]
fn expiration_takes_exactly_one_of_its_three_forms() {
    for (expiration, count) in [
        (json!({}), 0),
        (json!({"days": 1, "date": "2027-01-01"}), 2),
        (json!({"days": 1, "expiredObjectDeleteMarker": true}), 2),
        (json!({"date": "2027-01-01", "expiredObjectDeleteMarker": true}), 2),
        (json!({"days": 1, "date": "2027-01-01", "expiredObjectDeleteMarker": true}), 3),
    ] {
        rule_is_refused(
            json!({"expiration": expiration}),
            ".expiration",
            &format!("exactly one of days, date and expiredObjectDeleteMarker, and has {count}"),
        );
    }
    for expiration in [json!({"days": 1}), json!({"date": "2027-01-01"}), json!({"expiredObjectDeleteMarker": true})] {
        rule_is_fine(json!({"expiration": expiration}));
    }
}

#[test]
fn expiration_days_are_positive_and_dates_are_days() {
    for days in [0, -1] {
        rule_is_refused(json!({"expiration": {"days": days}}), ".expiration.days", "must be a positive integer");
    }
    for date in ["tomorrow", "2027-02-30", "2027-1-1", "20270101", "2027-01-01T12:00:00Z", "01.01.2027"] {
        rule_is_refused(json!({"expiration": {"date": date}}), ".expiration.date", "midnight UTC");
    }
    rule_is_refused(
        json!({"expiration": {"expiredObjectDeleteMarker": false}}),
        ".expiration.expiredObjectDeleteMarker",
        "can only be true",
    );
}

#[test]
fn delete_markers_and_unfinished_uploads_have_neither_tags_nor_sizes() {
    let tagged = json!({"tags": {"kind": "eval"}});
    let sized = [json!({"objectSizeGreaterThan": 1}), json!({"objectSizeLessThan": 9})];
    for (action, field) in [
        (json!({"expiration": {"expiredObjectDeleteMarker": true}}), ".expiration.expiredObjectDeleteMarker"),
        (json!({"abortIncompleteMultipartUploadDays": 7}), ".abortIncompleteMultipartUploadDays"),
    ] {
        let filtered = |filter: &Value| {
            let mut rule = action.clone();
            rule["filter"] = filter.clone();
            rule
        };
        rule_is_refused(filtered(&tagged), field, "cannot be specified with tags");
        for filter in &sized {
            rule_is_refused(filtered(filter), field, "cannot be specified with object sizes");
        }
        rule_is_fine(filtered(&json!({"prefix": "evals/"})));
    }
}

#[test]
fn unfinished_uploads_are_given_a_day_at_least() {
    for days in [0, -7] {
        rule_is_refused(
            json!({"abortIncompleteMultipartUploadDays": days}),
            ".abortIncompleteMultipartUploadDays",
            "is not a positive number of days",
        );
    }
}

#[test]
fn only_days_of_zero_and_more_lead_to_another_class() {
    for list in ["transitions", "noncurrentTransitions"] {
        let moved = |days: i32, class: &str| json!({list: [{"days": days, "storageClass": class}]});
        let field = format!(".{list}[0].days");
        rule_is_refused(moved(-1, "GLACIER"), &field, "is negative");
        rule_is_fine(moved(0, "GLACIER"));
        rule_is_fine(moved(0, "INTELLIGENT_TIERING"));
        for class in ["STANDARD_IA", "ONEZONE_IA"] {
            let telling = format!("must be greater than or equal to 30 for storageClass {class}");
            rule_is_refused(moved(29, class), &field, &telling);
            rule_is_refused(moved(0, class), &field, &telling);
            rule_is_fine(moved(30, class));
        }
    }
}

#[test]
fn nothing_goes_to_a_class_that_no_rule_can_reach() {
    for class in ["STANDARD", "REDUCED_REDUNDANCY", "OUTPOSTS"] {
        let rule = json!({"id": "rule", "transitions": [{"days": 30, "storageClass": class}]});
        assert!(serde_json::from_value::<crate::api::storage::LifecycleRule>(rule).is_err(), "{class}");
    }
}

/// The waterfall of the user guide, as pairs that may follow each other.
const DOWNWARDS: [(&str, &str); 14] = [
    ("STANDARD_IA", "INTELLIGENT_TIERING"),
    ("STANDARD_IA", "ONEZONE_IA"),
    ("STANDARD_IA", "GLACIER_IR"),
    ("STANDARD_IA", "GLACIER"),
    ("STANDARD_IA", "DEEP_ARCHIVE"),
    ("INTELLIGENT_TIERING", "ONEZONE_IA"),
    ("INTELLIGENT_TIERING", "GLACIER_IR"),
    ("INTELLIGENT_TIERING", "GLACIER"),
    ("INTELLIGENT_TIERING", "DEEP_ARCHIVE"),
    ("ONEZONE_IA", "GLACIER"),
    ("ONEZONE_IA", "DEEP_ARCHIVE"),
    ("GLACIER_IR", "GLACIER"),
    ("GLACIER_IR", "DEEP_ARCHIVE"),
    ("GLACIER", "DEEP_ARCHIVE"),
];

#[test]
fn objects_only_move_down_the_waterfall() {
    const CLASSES: [&str; 6] =
        ["STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"];
    for list in ["transitions", "noncurrentTransitions"] {
        for from in CLASSES {
            for to in CLASSES {
                let down = DOWNWARDS.contains(&(from, to));
                let first = json!({"days": 40, "storageClass": from});
                let second = json!({"days": 140, "storageClass": to});
                // The order in the list means nothing to AWS: the days decide.
                for (moves, last) in [([&first, &second], 1), ([&second, &first], 0)] {
                    let rule = json!({list: moves});
                    let field = format!(".{list}[{last}].storageClass");
                    if down {
                        rule_is_fine(rule);
                    } else if from == to {
                        rule_is_refused(rule, &field, "must be different");
                    } else {
                        let telling = format!("objects cannot go from {from} (day 40) to {to} (day 140)");
                        rule_is_refused(rule, &field, &telling);
                    }
                }
            }
        }
    }
}

#[test]
fn a_class_stands_once_in_a_rule() {
    for list in ["transitions", "noncurrentTransitions"] {
        let rule = json!({list: [{"days": 30, "storageClass": "GLACIER"}, {"days": 90, "storageClass": "GLACIER"}]});
        rule_is_refused(rule, &format!(".{list}[1].storageClass"), "storageClass must be different in one rule");
    }
}

#[test]
fn objects_stay_thirty_days_in_infrequent_access_and_ninety_in_the_archive() {
    for list in ["transitions", "noncurrentTransitions"] {
        for (from, to, stay) in [
            ("STANDARD_IA", "INTELLIGENT_TIERING", 30),
            ("STANDARD_IA", "ONEZONE_IA", 30),
            ("STANDARD_IA", "GLACIER_IR", 30),
            ("STANDARD_IA", "GLACIER", 30),
            ("STANDARD_IA", "DEEP_ARCHIVE", 30),
            ("ONEZONE_IA", "GLACIER", 30),
            ("ONEZONE_IA", "DEEP_ARCHIVE", 30),
            ("GLACIER_IR", "GLACIER", 90),
            ("GLACIER_IR", "DEEP_ARCHIVE", 90),
            ("GLACIER", "DEEP_ARCHIVE", 90),
        ] {
            let moves =
                |later: i32| json!({list: [{"days": 30, "storageClass": from}, {"days": later, "storageClass": to}]});
            let telling = format!("objects stay at least {stay} days in {from}, where they go on day 30");
            rule_is_refused(moves(30 + stay - 1), &format!(".{list}[1].days"), &telling);
            rule_is_fine(moves(30 + stay));
        }
        let moves =
            json!([{"days": 30, "storageClass": "INTELLIGENT_TIERING"}, {"days": 31, "storageClass": "GLACIER"}]);
        rule_is_fine(json!({list: moves}));
    }
}

#[test]
fn one_rule_moves_an_object_once_a_day() {
    for list in ["transitions", "noncurrentTransitions"] {
        let rule =
            json!({list: [{"days": 60, "storageClass": "STANDARD_IA"}, {"days": 60, "storageClass": "GLACIER"}]});
        rule_is_refused(rule, &format!(".{list}[1].days"), "is also the day of");
    }
}

#[test]
fn dates_and_days_do_not_mix_in_one_rule() {
    rule_is_refused(
        json!({"transitions": [{"days": 30, "storageClass": "GLACIER"}], "expiration": {"date": "2027-01-01"}}),
        ".expiration.date",
        "mixes a date with the days of the transitions",
    );
}

#[test]
fn objects_expire_after_their_last_move() {
    let moves = json!([{"days": 30, "storageClass": "STANDARD_IA"}, {"days": 90, "storageClass": "GLACIER"}]);
    for days in [90, 89] {
        rule_is_refused(
            json!({"transitions": moves, "expiration": {"days": days}}),
            ".expiration.days",
            "must be greater than the days of transitions[1], which is 90",
        );
        rule_is_refused(
            json!({"noncurrentTransitions": moves, "noncurrentExpiration": {"days": days}}),
            ".noncurrentExpiration.days",
            "must be greater than the days of noncurrentTransitions[1], which is 90",
        );
    }
    rule_is_fine(json!({"transitions": moves, "expiration": {"days": 91}}));
    rule_is_fine(json!({"noncurrentTransitions": moves, "noncurrentExpiration": {"days": 91}}));
}

#[test]
fn current_and_noncurrent_days_have_nothing_to_do_with_each_other() {
    rule_is_fine(json!({
        "transitions": [{"days": 90, "storageClass": "GLACIER"}],
        "noncurrentTransitions": [{"days": 90, "storageClass": "GLACIER"}],
        "expiration": {"days": 365},
        "noncurrentExpiration": {"days": 100},
    }));
}

#[test]
fn old_versions_need_a_positive_number_of_days() {
    rule_is_refused(
        json!({"noncurrentExpiration": {"days": 0}}),
        ".noncurrentExpiration.days",
        "is not a positive number of days",
    );
}

#[test]
fn one_to_a_hundred_newer_versions_can_be_kept() {
    for versions in [0, -1, 101] {
        rule_is_refused(
            json!({"noncurrentExpiration": {"days": 1, "newerVersions": versions}}),
            ".noncurrentExpiration.newerVersions",
            "1 to 100 newer versions",
        );
        rule_is_refused(
            json!({"noncurrentTransitions": [{"days": 1, "newerVersions": versions, "storageClass": "GLACIER"}]}),
            ".noncurrentTransitions[0].newerVersions",
            "1 to 100 newer versions",
        );
    }
    for versions in [1, 100] {
        rule_is_fine(json!({"noncurrentExpiration": {"days": 1, "newerVersions": versions}}));
    }
}

#[test]
fn a_rule_that_is_switched_off_is_checked_all_the_same() {
    rule_is_refused(json!({"enabled": false, "expiration": {"days": 0}}), ".expiration.days", "positive integer");
}
