//! Use of buckets and of their keys.

use serde_json::{Value, json};

use super::*;

/// The conditions under which the key of the bucket may be used: by S3, for what is in it.
fn for_the_bucket(place: &str) -> Value {
    json!({
        "StringEquals": {"kms:ViaService": format!("s3.{place}")},
        "StringLike": {"kms:EncryptionContext:aws:s3:arn": ["arn:aws:s3:::the-bucket", "arn:aws:s3:::the-bucket/*"]},
    })
}

#[test]
fn a_key_is_used_through_the_s3_of_its_partition() {
    let statement = |region: &str| {
        let arn = format!("arn:{}:kms:{region}:123456789012:key/1", crate::arn::partition(region));
        crate::grants::storage::key_statement(region, "the-bucket", &arn, false, "Key".into(), "because".into())
    };
    for (region, service) in [
        ("eu-west-1", "s3.eu-west-1.amazonaws.com"),
        ("us-gov-west-1", "s3.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "s3.cn-north-1.amazonaws.com.cn"),
        ("eusc-de-east-1", "s3.eusc-de-east-1.amazonaws.eu"),
    ] {
        assert_eq!(statement(region).conditions["StringEquals"]["kms:ViaService"], [service]);
    }
}

#[test]
fn everything_about_a_bucket_is_about_that_bucket_and_an_endpoint_about_itself() {
    let mut spec = uses(
        json!({"encryption": {"kmsKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/1"}}),
        json!([{"name": "artifacts", "prefix": "a/"}, {"name": "artifacts", "prefix": "b/", "mode": "ReadWrite"}]),
    );
    let model =
        json!({"image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:1", "instance": {"type": "ml.m5.large"}});
    spec["models"] = json!([
        {"name": "rank", "sagemaker": model},
        {"name": "fast", "bedrock": {"modelId": MODEL, "guardrail": {"id": "gr1", "version": "1"}}},
    ]);
    spec["access"][0]["models"] = json!(["rank", "fast"]);
    let grants = platform(spec).grants;
    for statement in grants[0].policies.iter().flat_map(|(_, statements)| statements) {
        let text = statement.to_value().to_string();
        let about = statement.about.as_ref().map(ToString::to_string);
        match about.as_deref() {
            Some("Bucket the-bucket") => assert!(text.contains("the-bucket"), "{text}"),
            Some(about) => {
                assert!(about.starts_with("SageMakerEndpoint ") && text.contains("sagemaker:InvokeEndpoint"), "{text}");
            }
            None => assert!(text.contains("bedrock:") && !text.contains("s3:") && !text.contains("kms:"), "{text}"),
        }
    }
}

#[test]
fn reading_a_bucket_is_getting_and_listing() {
    assert_eq!(
        written(uses(json!({}), json!([{"name": "artifacts"}]))),
        json!([
            {
                "Sid": "ReadArtifacts",
                "Effect": "Allow",
                "Action": "s3:GetObject",
                "Resource": "arn:aws:s3:::the-bucket/*",
                "Condition": {"StringEquals": {"aws:ResourceAccount": "123456789012"}},
            },
            {
                "Sid": "ListArtifacts",
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": "arn:aws:s3:::the-bucket",
                "Condition": {"StringEquals": {"aws:ResourceAccount": "123456789012"}},
            },
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
                "Condition": {"StringEquals": {"aws:ResourceAccount": "123456789012"}},
            },
            {
                "Sid": "ListArtifacts",
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": "arn:aws:s3:::the-bucket",
                "Condition": {
                    "StringEquals": {"aws:ResourceAccount": "123456789012"},
                    "StringLike": {"s3:prefix": "prompts/*"},
                },
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
    let reported: Vec<(&str, &Value)> = statements
        .as_array()
        .unwrap()
        .iter()
        .map(|statement| (statement["Sid"].as_str().unwrap(), &statement["Resource"]))
        .collect();
    assert_eq!(
        reported,
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
    let expected = |actions: Value| {
        vec![json!({
            "Sid": "KeyOfArtifacts",
            "Effect": "Allow",
            "Action": actions,
            "Resource": key,
            "Condition": for_the_bucket("eu-west-1.amazonaws.com"),
        })]
    };
    assert_eq!(of_key(&with_key(json!([{"name": "artifacts"}]))), expected(json!("kms:Decrypt")));
    let both =
        json!([{"name": "artifacts", "prefix": "a/"}, {"name": "artifacts", "prefix": "b/", "mode": "ReadWrite"}]);
    assert_eq!(of_key(&with_key(both)), expected(json!(["kms:Decrypt", "kms:GenerateDataKey"])), "once, for both");
}

#[test]
fn an_alias_is_a_condition_on_the_keys_of_its_account() {
    let mut condition = for_the_bucket("eu-west-1.amazonaws.com");
    condition["ForAnyValue:StringEquals"] = json!({"kms:ResourceAliases": "alias/shared/key"});
    let bucket = json!({"encryption": {"kmsKeyArn": "arn:aws:kms:eu-west-1:210987654321:alias/shared/key"}});
    let statements = written(uses(bucket, json!([{"name": "artifacts"}])));
    assert_eq!(
        statements[2],
        json!({
            "Sid": "KeyOfArtifacts",
            "Effect": "Allow",
            "Action": "kms:Decrypt",
            "Resource": "arn:aws:kms:eu-west-1:210987654321:key/*",
            "Condition": condition,
        })
    );
}
