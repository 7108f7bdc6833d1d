use regex::Regex;

use super::super::check;
use super::{HEAD, PLACE, platform, wrong};

fn bucket(rest: &str) -> String {
    format!("  storage:\n    buckets:\n    - name: artifacts\n{rest}")
}

fn rule(rest: &str) -> String {
    bucket(&format!("      lifecycle:\n        rules:\n        - id: old\n{rest}"))
}

fn sagemaker(rest: &str) -> String {
    let image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:1.4.0";
    format!("  models:\n  - name: rank\n    sagemaker:\n      image: {image}\n{rest}")
}

fn check_specs(cases: &[(String, &str)]) {
    for (spec, expected) in cases {
        assert_eq!(wrong(&platform(spec)), [*expected]);
    }
}

#[test]
fn a_field_is_unknown() {
    let cases = [
        (
            bucket("      versionning: true\n"),
            "x.yaml:11: spec.storage.buckets[0].versionning: unknown field; did you mean versioning? (known: adopt, bucketName, ",
        ),
        (
            "  Suspend: true\n".into(),
            "x.yaml:8: spec.Suspend: unknown field; did you mean suspend? (known: access, accountId, ",
        ),
        (
            sagemaker("      instance: {type: ml.g5.xlarge, volumeSizeGib: 64}\n"),
            "x.yaml:12: spec.models[0].sagemaker.instance.volumeSizeGib: unknown field; did you mean volumeSizeGiB? (known: count, ",
        ),
        (
            sagemaker(
                "      instance: {type: ml.g5.xlarge}\n      autoscaling:\n        minInstances: 1\n        maxInstances: 2\n        \
                       target:\n          invocationsPerInstance: {loadtest: {maxRequestsPerSecond: 20}}\n",
            ),
            "x.yaml:17: spec.models[0].sagemaker.autoscaling.target.invocationsPerInstance.loadtest: unknown field; did you mean \
             loadTest? (known: loadTest, value)",
        ),
        ("  zzz: []\n".into(), "x.yaml:8: spec.zzz: unknown field (known: access, accountId, "),
    ];
    for (spec, expected) in cases {
        let found = wrong(&platform(&spec));
        assert!(found.len() == 1 && found[0].starts_with(expected), "{found:?}");
    }
}

#[test]
fn a_value_has_the_wrong_type() {
    check_specs(&[
        (
            bucket("      encryption: {kms_key_arn: 5}\n"),
            "x.yaml:11: spec.storage.buckets[0].encryption.kms_key_arn: unknown field; did you mean kmsKeyArn? \
             (known: kmsKeyArn)",
        ),
        (
            bucket("      versioning: yes please\n"),
            "x.yaml:11: spec.storage.buckets[0].versioning: \"yes please\" is a string, and a boolean is expected",
        ),
        (
            bucket("      versioning: \"true\"\n"),
            "x.yaml:11: spec.storage.buckets[0].versioning: \"true\" is a string, and a boolean is expected: \
             take the quotes away",
        ),
        (
            bucket("      versioning:\n        1\n"),
            "x.yaml:12: spec.storage.buckets[0].versioning: 1 is a number, and a boolean is expected",
        ),
        (
            bucket("      bucketName: yes\n"),
            "x.yaml:11: spec.storage.buckets[0].bucketName: yes is a boolean, and a string is expected: put it in quotes",
        ),
        (
            "  storage: {buckets: {name: a}}\n".into(),
            "x.yaml:8: spec.storage.buckets: is an object, and a list is expected",
        ),
        ("  storage: [artifacts]\n".into(), "x.yaml:8: spec.storage: is a list, and an object is expected"),
        (
            "  storage:\n    buckets:\n    - artifacts\n".into(),
            "x.yaml:10: spec.storage.buckets[0]: \"artifacts\" is a string, and an object is expected",
        ),
        ("  storage:\n    buckets:\n    - adopt: true\n".into(), "x.yaml:10: spec.storage.buckets[0].name: is missing"),
        (
            "  tags:\n\n\n".into(),
            "x.yaml:8: spec.tags: is empty, and an object is expected: fill it, or leave the key out",
        ),
        (
            "  tags: {build: 0123}\n".into(),
            "x.yaml:8: spec.tags[\"build\"]: 0123 is a number, and a string is expected: put it in quotes",
        ),
        ("  tags: {a: b,\n    a: c}\n".into(), "x.yaml:9: spec.tags[\"a\"]: is given twice, first on line 8: keep one"),
        (
            "  suspend: true\n  suspend: true\n".into(),
            "x.yaml:9: spec.suspend: is given twice, first on line 8: keep one",
        ),
    ]);
}

#[test]
fn a_value_is_out_of_bounds() {
    check_specs(&[
        (
            "  managementPolicy: Full2\n".into(),
            "x.yaml:8: spec.managementPolicy: \"Full2\" is not one of Full, NoDelete, Observe",
        ),
        (
            bucket("      bucketName: ab\n"),
            "x.yaml:11: spec.storage.buckets[0].bucketName: \"ab\" is too short: 2 characters, and at least 3 are expected",
        ),
        (
            bucket("      bucketName: Artifacts\n"),
            "x.yaml:11: spec.storage.buckets[0].bucketName: \"Artifacts\" does not match ^[a-z0-9][a-z0-9.-]*[a-z0-9]$ \
             (The bucket's name in AWS, which is unique in the world)",
        ),
        (
            rule("          expiration: {days: 0}\n"),
            "x.yaml:14: spec.storage.buckets[0].lifecycle.rules[0].expiration.days: 0 is too small: at least 1 is expected",
        ),
        (
            rule("          expiration: {days: 1.5}\n"),
            "x.yaml:14: spec.storage.buckets[0].lifecycle.rules[0].expiration.days: 1.5 is a number, and a whole number is \
             expected",
        ),
        (
            rule("          expiration: {days: .inf}\n"),
            "x.yaml:14: spec.storage.buckets[0].lifecycle.rules[0].expiration.days: .inf is a number that JSON has no form \
             for, and a whole number is expected",
        ),
        (
            rule("          expiration: {days: 3000000000}\n"),
            "x.yaml:14: spec.storage.buckets[0].lifecycle.rules[0].expiration.days: 3000000000 is too large: \
             at most 2147483647 is allowed",
        ),
        (
            rule("          noncurrentExpiration: {days: 1, newerVersions: 101}\n"),
            "x.yaml:14: spec.storage.buckets[0].lifecycle.rules[0].noncurrentExpiration.newerVersions: 101 is too large: \
             at most 100 is allowed",
        ),
        (
            format!("  storage:\n    buckets: [{}]\n", "{name: a},".repeat(17)),
            "x.yaml:9: spec.storage.buckets: 17 items are too many: at most 16",
        ),
        (
            format!("  tags: {{{}}}\n", (0..33).map(|key| format!("k{key}: v")).collect::<Vec<_>>().join(", ")),
            "x.yaml:8: spec.tags: 33 entries are too many: at most 32",
        ),
        (
            sagemaker("      serverless: {memoryMiB: 2000, maxConcurrency: 5}\n"),
            "x.yaml:12: spec.models[0].sagemaker.serverless.memoryMiB: 2000 is not a multiple of 1024",
        ),
        (
            bucket("      bucketName: !secret name\n"),
            "x.yaml:11: spec.storage.buckets[0].bucketName: the tag !secret means nothing here: write the value itself",
        ),
    ]);
}

#[test]
fn one_problem_elsewhere() {
    let own = |team: &str| format!("{HEAD}spec:\n{PLACE}  ownership:\n    contact: a\n    environment: b\n{team}");
    let cases = [
        (own(""), "x.yaml:7: spec.ownership.team: is missing".to_string()),
        (own("    team: \"\"\n"), "x.yaml:10: spec.ownership.team: is empty, and at least 1 character is expected".into()),
        (
            own(&format!("    team: {}\n", "x".repeat(257))),
            format!(
                "x.yaml:10: spec.ownership.team: \"{}…\" is too long: 257 characters, and at most 256 are allowed",
                "x".repeat(60)
            ),
        ),
        (
            own("    team: a*b\n"),
            r#"x.yaml:10: spec.ownership.team: "a*b" does not match ^[\p{L}\p{Z}\p{N}_.:/=+@-]*$ (The team that owns the platform)"#
                .into(),
        ),
        (
            own("    taem: support\n"),
            "x.yaml:10: spec.ownership.taem: unknown field; did you mean team? \
             (known: contact, costCenter, dataClassification, environment, runbook, team)"
                .into(),
        ),
        (
            platform("").replace("\"123456789012\"", "123456789012"),
            "x.yaml:6: spec.accountId: 123456789012 is a number, and a string is expected: put it in quotes".into(),
        ),
        (
            platform("").replace("\"123456789012\"", "012345678901"),
            "x.yaml:6: spec.accountId: 012345678901 is a number, and a string is expected: put it in quotes".into(),
        ),
        (HEAD.into(), "x.yaml:1: spec: is missing".into()),
        (platform("").replace("metadata: {name: support}", "metadata: {}"), "x.yaml:3: metadata.name: is missing".into()),
        (
            platform("").replace("{name: support}", "{name: 7}"),
            "x.yaml:3: metadata.name: 7 is a number, and a string is expected: put it in quotes".into(),
        ),
        (
            platform("").replace("{name: support}", "{name: a, annotations: {aiplatform.dev/reconcile-at: 5}}"),
            "x.yaml:3: metadata.annotations[\"aiplatform.dev/reconcile-at\"]: 5 is a number, and a string is expected: \
             put it in quotes"
                .into(),
        ),
        (
            platform("").replace("v1alpha1", "v2"),
            "x.yaml:1: apiVersion: \"aiplatform.dev/v2\" is not known here: write aiplatform.dev/v1alpha1".into(),
        ),
        (
            platform("").replace("aiplatform.dev/v1alpha1", "v1"),
            "x.yaml:1: apiVersion: \"v1\" is not known here: write aiplatform.dev/v1alpha1".into(),
        ),
        (
            platform("").replace("kind: AIPlatform", "kind: AiPlatform"),
            "x.yaml:2: kind: \"AiPlatform\" is not known here: write AIPlatform".into(),
        ),
        (
            platform("").replace("kind: AIPlatform\n", ""),
            "x.yaml:1: kind: is missing: every Kubernetes object has apiVersion and kind, a platform AIPlatform".into(),
        ),
        (
            platform("").replace("v1alpha1\n", "v1alpha1\nkind: AIPlatform\n"),
            "x.yaml:3: kind: is given twice, first on line 2: keep one".into(),
        ),
        ("--- \njust text\n".into(), "x.yaml:2: not an object: every Kubernetes object has apiVersion and kind".into()),
        (
            platform("  storage: {buckets: [\n"),
            "x.yaml:8: not YAML: unclosed bracket '[' (column 22)".into(),
        ),
        (platform("\tsuspend: true\n"), "x.yaml:8: not YAML: tabs disallowed within this context (block indentation) (column 2)".into()),
        (platform("  tags: *gone\n"), "x.yaml:8: not YAML: while parsing node, found unknown anchor (column 9)".into()),
        (platform("  tags: &loop {a: *loop}\n"), "x.yaml:8: this alias stands inside of what it refers to".into()),
        (platform("  tags: {[a]: b}\n"), "x.yaml:8: a key has to be text".into()),
        (platform("  <<: text\n"), "x.yaml:8: << takes a mapping, or a list of mappings".into()),
    ];
    for (text, expected) in cases {
        assert_eq!(wrong(&text), [expected], "\n{text}");
    }
}

#[test]
fn the_definition_uses_no_keyword_that_the_check_does_not_know() {
    const KNOWN: [&str; 22] = [
        "additionalProperties",
        "default",
        "description",
        "enum",
        "format",
        "items",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "multipleOf",
        "nullable",
        "pattern",
        "properties",
        "required",
        "title",
        "type",
        "x-kubernetes-preserve-unknown-fields",
    ];
    fn walk(path: &str, schema: &serde_json::Value) {
        for (keyword, value) in schema.as_object().unwrap() {
            let cel = keyword.starts_with("x-kubernetes-list-") || keyword == "x-kubernetes-validations";
            assert!(cel || KNOWN.contains(&keyword.as_str()), "{path}: {keyword}");
            match keyword.as_str() {
                "properties" => {
                    value.as_object().unwrap().iter().for_each(|(name, field)| walk(&format!("{path}.{name}"), field));
                }
                "items" | "additionalProperties" => walk(&format!("{path}[]"), value),
                "pattern" => assert!(Regex::new(value.as_str().unwrap()).is_ok(), "{path}: {value}"),
                "format" => {
                    assert!(
                        ["int32", "int64", "double", "date-time"].contains(&value.as_str().unwrap()),
                        "{path}: {value}"
                    );
                }
                _ => {}
            }
        }
    }
    walk("", &serde_json::to_value(check::platform()).unwrap());
}

#[test]
fn what_the_schema_finds_and_what_only_the_whole_shows_are_reported_together() {
    let spec = "  suspnd: true\n  storage:\n    buckets:\n    - name: a\n    - name: b\n      bucketName: same-bucket\n    - name: c\n      \
                bucketName: same-bucket\n";
    let found = wrong(&platform(spec));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("spec.suspnd: unknown field"), "{found:?}");
    assert!(found[1].contains("spec.storage.buckets[2].bucketName") && found[1].contains("declared once"), "{found:?}");
}
