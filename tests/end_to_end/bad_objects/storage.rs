//! Buckets and lifecycle rules that AWS would refuse.

use serde_json::{Value, json};

use super::Case;
use crate::support::test_env::spec;

fn rule(fields: Value) -> Value {
    let mut rule = json!({"id": "x"});
    for (name, value) in fields.as_object().expect("an object") {
        rule[name] = value.clone();
    }
    spec(json!([{"name": "a", "lifecycle": {"rules": [rule]}}]))
}

#[expect(clippy::too_many_lines, reason = "it is a table")]
pub fn cases() -> Vec<Case> {
    let transitions = |list: Value| rule(json!({"transitions": list}));
    vec![
        (spec(json!([{"name": "A"}])), "spec.storage.buckets[0].name"),
        (spec(json!([{"name": "a"}, {"name": "a"}])), "Duplicate value"),
        (spec(json!([{"name": "a", "bucketName": "Upper"}])), "spec.storage.buckets[0].bucketName"),
        (spec(json!([{"name": "a", "bucketName": "a..b"}])), "only between letters and digits"),
        (spec(json!([{"name": "a", "bucketName": "10.0.0.1"}])), "looks like an IP address"),
        (spec(json!([{"name": "a", "bucketName": "xn--abc"}])), "S3 reserves the prefixes"),
        (spec(json!([{"name": "a", "bucketName": "abc-s3alias"}])), "S3 reserves the prefixes"),
        (spec(json!([{"name": "a", "encryption": {"kmsKeyArn": "alias/x"}}])), "kmsKeyArn"),
        (
            spec(json!([{"name": "a", "deletionPolicy": "Burn"}])),
            "supported values: \"Retain\", \"Delete\", \"DeleteWithContents\"",
        ),
        (rule(json!({"id": " x", "expiration": {"days": 1}})), "spec.storage.buckets[0].lifecycle.rules[0].id"),
        (rule(json!({"id": "x\u{1}", "expiration": {"days": 1}})), "spec.storage.buckets[0].lifecycle.rules[0].id"),
        (rule(json!({})), "at least one action needs to be specified"),
        (rule(json!({"expiration": {}})), "exactly one of days, date and expiredObjectDeleteMarker"),
        (
            rule(json!({"expiration": {"days": 1, "date": "2027-01-01"}})),
            "exactly one of days, date and expiredObjectDeleteMarker",
        ),
        (rule(json!({"expiration": {"days": 0}})), "should be greater than or equal to 1"),
        (
            rule(json!({"expiration": {"date": "2027-1-1"}})),
            "spec.storage.buckets[0].lifecycle.rules[0].expiration.date",
        ),
        (rule(json!({"expiration": {"expiredObjectDeleteMarker": false}})), "can only be true"),
        (
            rule(json!({"filter": {"tags": {"a": "b"}}, "expiration": {"expiredObjectDeleteMarker": true}})),
            "cannot be specified with tags or object sizes",
        ),
        (
            rule(json!({"filter": {"objectSizeLessThan": 5}, "abortIncompleteMultipartUploadDays": 1})),
            "cannot be specified with tags or object sizes",
        ),
        (rule(json!({"abortIncompleteMultipartUploadDays": 0})), "should be greater than or equal to 1"),
        (
            rule(json!({"filter": {"objectSizeGreaterThan": 5, "objectSizeLessThan": 5}, "expiration": {"days": 1}})),
            "has to be a value greater than objectSizeGreaterThan",
        ),
        (rule(json!({"noncurrentExpiration": {"days": 0}})), "should be greater than or equal to 1"),
        (
            rule(json!({"noncurrentExpiration": {"days": 1, "newerVersions": 101}})),
            "should be less than or equal to 100",
        ),
        (
            rule(json!({"noncurrentTransitions": [{"days": 29, "storageClass": "STANDARD_IA"}]})),
            "must be greater than or equal to 30",
        ),
        (
            rule(
                json!({"noncurrentTransitions": [{"days": 30, "storageClass": "GLACIER"}], "noncurrentExpiration": {"days": 30}}),
            ),
            "must be greater than the days of every noncurrent transition",
        ),
        (transitions(json!([{"days": 29, "storageClass": "ONEZONE_IA"}])), "must be greater than or equal to 30"),
        (transitions(json!([{"days": -1, "storageClass": "GLACIER"}])), "should be greater than or equal to 0"),
        (transitions(json!([{"days": 1, "storageClass": "STANDARD"}])), "Unsupported value"),
        (
            transitions(json!([{"days": 1, "storageClass": "GLACIER"}, {"days": 200, "storageClass": "GLACIER"}])),
            "storageClass must be different",
        ),
        (
            transitions(json!([{"days": 1, "storageClass": "GLACIER"}, {"days": 200, "storageClass": "STANDARD_IA"}])),
            "objects only move down",
        ),
        (
            transitions(
                json!([{"days": 30, "storageClass": "ONEZONE_IA"}, {"days": 90, "storageClass": "GLACIER_IR"}]),
            ),
            "objects only move down",
        ),
        (
            transitions(json!([{"days": 30, "storageClass": "STANDARD_IA"}, {"days": 59, "storageClass": "GLACIER"}])),
            "at least 30 days",
        ),
        (
            transitions(
                json!([{"days": 30, "storageClass": "GLACIER"}, {"days": 119, "storageClass": "DEEP_ARCHIVE"}]),
            ),
            "90 days in GLACIER",
        ),
        (
            transitions(json!([
                {"days": 30, "storageClass": "STANDARD_IA"},
                {"days": 60, "storageClass": "GLACIER_IR"},
                {"days": 90, "storageClass": "DEEP_ARCHIVE"},
            ])),
            "90 days in GLACIER_IR and GLACIER",
        ),
        (
            rule(json!({"noncurrentTransitions": [
                {"days": 0, "storageClass": "GLACIER_IR"}, {"days": 89, "storageClass": "GLACIER"},
            ]})),
            "90 days in GLACIER_IR and GLACIER",
        ),
        (
            transitions(json!([{"days": 90, "storageClass": "GLACIER"}, {"days": 90, "storageClass": "DEEP_ARCHIVE"}])),
            "may not have the same days",
        ),
        (
            rule(json!({"transitions": [{"days": 30, "storageClass": "GLACIER"}], "expiration": {"days": 30}})),
            "must be greater than the days of every transition",
        ),
        (
            rule(
                json!({"transitions": [{"days": 30, "storageClass": "GLACIER"}], "expiration": {"date": "2027-01-01"}}),
            ),
            "may not mix dates and days",
        ),
        (
            spec(
                json!([{"name": "a", "lifecycle": {"rules": [{"id": "x", "expiration": {"days": 1}}, {"id": "x", "expiration": {"days": 2}}]}}]),
            ),
            "Duplicate value",
        ),
    ]
}
