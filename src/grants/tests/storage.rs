//! Use of buckets and of their keys.

use serde_json::{Value, json};

use super::*;

#[test]
fn reading_a_bucket_is_getting_and_listing() {
    assert_eq!(
        written(uses(json!({}), json!([{"name": "artifacts"}]))),
        json!([
            {"Sid": "ReadArtifacts", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::the-bucket/*"},
            {"Sid": "ListArtifacts", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::the-bucket"},
        ])
    );
}

#[test]
fn writing_below_a_prefix_is_for_that_prefix_alone() {
    let ways = json!([{"name": "artifacts", "prefix": "prompts/", "mode": "ReadWrite"}]);
    assert_eq!(
        written(uses(json!({}), ways)),
        json!([
            {
                "Sid": "WriteArtifacts",
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
                "Resource": "arn:aws:s3:::the-bucket/prompts/*",
            },
            {
                "Sid": "ListArtifacts",
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": "arn:aws:s3:::the-bucket",
                "Condition": {"StringLike": {"s3:prefix": "prompts/*"}},
            },
        ])
    );
}

#[test]
fn an_empty_prefix_is_the_whole_bucket() {
    let ways = |prefix: Value| json!([{"name": "artifacts", "prefix": prefix}]);
    assert_eq!(written(uses(json!({}), ways(json!("")))), written(uses(json!({}), ways(Value::Null))));
}

#[test]
fn two_prefixes_of_one_bucket_have_statements_of_their_own() {
    let ways = json!([
        {"name": "artifacts", "prefix": "prompts/"},
        {"name": "artifacts", "prefix": "evals/", "mode": "ReadWrite"},
    ]);
    let statements = written(uses(json!({}), ways));
    let told: Vec<(&str, &Value)> = statements
        .as_array()
        .unwrap()
        .iter()
        .map(|statement| (statement["Sid"].as_str().unwrap(), &statement["Resource"]))
        .collect();
    assert_eq!(
        told,
        [
            ("ReadArtifacts", &json!("arn:aws:s3:::the-bucket/prompts/*")),
            ("ListArtifacts", &json!("arn:aws:s3:::the-bucket")),
            ("WriteArtifacts2", &json!("arn:aws:s3:::the-bucket/evals/*")),
            ("ListArtifacts2", &json!("arn:aws:s3:::the-bucket")),
        ]
    );
}

#[test]
fn the_key_of_a_bucket_decrypts_and_whoever_writes_may_also_encrypt() {
    let key = "arn:aws:kms:eu-west-1:210987654321:key/1234abcd";
    let with_key = |ways: Value| written(uses(json!({"encryption": {"kmsKeyArn": key}}), ways));
    let of_key = |statements: &Value| -> Vec<Value> {
        let about_key = |statement: &&Value| statement["Sid"] == "KeyOfArtifacts";
        statements.as_array().unwrap().iter().filter(about_key).cloned().collect()
    };
    let expected =
        |actions: Value| vec![json!({"Sid": "KeyOfArtifacts", "Effect": "Allow", "Action": actions, "Resource": key})];
    assert_eq!(of_key(&with_key(json!([{"name": "artifacts"}]))), expected(json!("kms:Decrypt")));
    let both =
        json!([{"name": "artifacts", "prefix": "a/"}, {"name": "artifacts", "prefix": "b/", "mode": "ReadWrite"}]);
    assert_eq!(of_key(&with_key(both)), expected(json!(["kms:Decrypt", "kms:GenerateDataKey"])), "once, for both");
}

#[test]
fn an_alias_is_a_condition_on_the_keys_of_its_account() {
    let bucket = json!({"encryption": {"kmsKeyArn": "arn:aws:kms:eu-west-1:210987654321:alias/shared/key"}});
    let statements = written(uses(bucket, json!([{"name": "artifacts"}])));
    assert_eq!(
        statements[2],
        json!({
            "Sid": "KeyOfArtifacts",
            "Effect": "Allow",
            "Action": "kms:Decrypt",
            "Resource": "arn:aws:kms:eu-west-1:210987654321:key/*",
            "Condition": {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/shared/key"}},
        })
    );
}
