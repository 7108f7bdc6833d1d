//! Whatever stands in a file, no command panics, and everything that is written is seen.
//!
//! A short run is part of every test run; `make fuzz` makes a long one.

use std::sync::LazyLock;

use aiplatform_core::audit::html::Page;
use aiplatform_core::audit::text::Text as AuditText;
use aiplatform_core::audit::{Bounds, audit};
use aiplatform_core::desire::desire;
use aiplatform_core::guardrails::Guardrails;
use aiplatform_core::manifest;
use aiplatform_core::operator_policy::{Extent, policies};
use aiplatform_core::permissions::permissions;
use aiplatform_core::plan::{Intent, plan};
use aiplatform_core::platform::{Platform, validate};
use aiplatform_core::printable::{is_hidden, printable_json};
use aiplatform_core::render::Text as PlanText;
use aiplatform_core::resource::Observations;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

/// As many cases as `AIPLATFORM_FUZZ` says, others each time; or a few, and the same each time. What was found once is a
/// test of its own.
fn runner() -> TestRunner {
    let cases: Option<u32> = std::env::var("AIPLATFORM_FUZZ").ok().and_then(|text| text.parse().ok());
    let config = ProptestConfig {
        cases: cases.unwrap_or(100),
        max_shrink_iters: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    match cases {
        Some(_) => TestRunner::new(config),
        None => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
    }
}

/// The texts of the examples.
static EXAMPLES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples")).expect("examples");
    let mut texts: Vec<String> =
        folder.filter_map(|entry| std::fs::read_to_string(entry.expect("an example").path()).ok()).collect();
    texts.sort();
    texts
});

/// The same as objects.
static OBJECTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let read = EXAMPLES.iter().filter_map(|text| manifest::parse("example", text).ok());
    read.flat_map(|input| input.manifests).map(|manifest| json!(manifest.object)).collect()
});

const GUARDRAILS: &str = "rules:\n- namespaces: {names: [\"ml-*\"], labels: {tier: prod}}\n  accounts: [\"123456789012\"]\n  \
                          regions: [eu-west-1]\n  maxInstances: 8\n  executionRoles: []\n- {}\n";

/// The same as they are read.
static RULES: LazyLock<Guardrails> = LazyLock::new(|| Guardrails::parse("x.yaml", GUARDRAILS).expect("guardrails"));

/// Some bytes of a text replaced, put in or taken out.
fn mangled(text: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    const SIGNS: &[u8] = b" \t\n\r:-?,[]{}#&*!|>'\"%@`~<=\\/.0189eynx_+\0\x1b\x7f\x80\xc2\xff";
    let edits = prop::collection::vec((any::<Index>(), 0..4_u8, 0..30_usize, select(SIGNS)), 1..6);
    edits.prop_map(move |edits| {
        let mut bytes = text.clone();
        for (at, kind, length, sign) in edits {
            let at = at.index(bytes.len() + 1);
            let end = (at + length).min(bytes.len());
            match kind {
                0 => drop(bytes.drain(at..end)),
                1 => {
                    let again = bytes[at..end].to_vec();
                    bytes.splice(at..at, again);
                }
                2 if at < bytes.len() => bytes[at] = sign,
                _ => bytes.insert(at, sign),
            }
        }
        bytes
    })
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let examples = select(EXAMPLES.clone()).prop_flat_map(|text| mangled(text.into_bytes()));
    prop_oneof![4 => examples, 1 => prop::collection::vec(any::<u8>(), 0..300)]
}

/// A value that hardly anybody thinks of.
fn odd() -> impl Strategy<Value = Value> {
    const TEXTS: &[&str] = &[
        "",
        " ",
        "a",
        "*",
        "?",
        "${aws:username}",
        "/",
        "a/",
        "../..",
        "é",
        "日本/",
        "a.tar.gz",
        "\u{1b}[2J",
        "\u{202e}a",
        "a\nb",
        "\u{0}",
        "s3://bucket/a.tar.gz",
        "arn:aws:iam::123456789012:role/a",
        "arn:aws:iam::123456789012:policy/a",
        "arn:::::",
        "eu-west-1",
        "us-gov-west-1",
        "123456789012",
        "GLACIER_IR",
        "DEEP_ARCHIVE",
        "2020-02-30",
        "2020-01-01",
        "cron(0 0 ? * * *)",
        "rate(1 day)",
        "at(2020-02-30T00:00:00)",
        "Canary",
        "Linear",
        "Rolling",
        "ml.m5.large",
        "ml.t2.medium",
        "ml.strange.type",
        "ReadWrite",
        "DeleteWithContents",
        "aws:x",
    ];
    let numbers =
        [i64::MIN, -2_147_483_648, -1, 0, 1, 30, 89, 100, 1000, 28800, 2_147_483_647, 2_147_483_648, i64::MAX];
    prop_oneof![
        4 => select(TEXTS).prop_map(|text| json!(text)),
        1 => (1..3000_usize).prop_map(|length| json!("x".repeat(length))),
        3 => select(numbers.to_vec()).prop_map(|number| json!(number)),
        1 => any::<f64>().prop_map(|number| json!(number)),
        1 => any::<bool>().prop_map(|value| json!(value)),
        1 => select(vec![json!(null), json!([]), json!({}), json!([null]), json!({"a": "b"})]),
    ]
}

/// Where values stand in a document.
fn places(value: &Value, place: &str, found: &mut Vec<String>) {
    found.push(place.to_string());
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                places(value, &format!("{place}/{}", name.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places(item, &format!("{place}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// An example with values replaced, moved, taken out and put in twice.
fn objects() -> impl Strategy<Value = Value> {
    let edits = prop::collection::vec((any::<Index>(), any::<Index>(), 0..6_u8, odd()), 1..5);
    (select(OBJECTS.clone()), edits).prop_map(|(mut object, edits)| {
        for (at, other, kind, value) in edits {
            let mut found = Vec::new();
            places(&object["spec"], "/spec", &mut found);
            if kind == 5 {
                object["metadata"]["name"] = value;
                continue;
            }
            let (place, other) = (at.get(&found).clone(), other.get(&found).clone());
            let copied = object.pointer(&other).cloned().unwrap_or_default();
            let Some((parent, field)) = place.rsplit_once('/') else { continue };
            match (kind, object.pointer_mut(parent)) {
                (0, Some(Value::Object(fields))) => drop(fields.remove(field)),
                (1, Some(Value::Array(items))) => items.push(copied),
                (2, Some(Value::Object(fields))) => drop(fields.insert(value.as_str().unwrap_or("x").into(), copied)),
                (kind, _) => {
                    if let Some(there) = object.pointer_mut(&place) {
                        *there = if kind == 3 { copied } else { value };
                    }
                }
            }
        }
        object
    })
}

fn check_seen(what: &str, text: &str) {
    let text = ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[2m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m", "\u{1b}[36m"]
        .iter()
        .fold(text.to_string(), |text, ours| text.replace(ours, ""));
    let hidden = text.chars().find(|character| *character != '\n' && is_hidden(*character));
    assert_eq!(hidden, None, "{what}: {text}");
}

/// Everything that the commands make of a platform.
fn write_all(platform: &Platform) {
    let desired = desire(platform, "cluster");
    let intent = Intent::keep(platform.management_policy);
    let plan = plan(&platform.namespace, &platform.name, &desired, &Observations::new(), &intent);
    let guardrails = &*RULES;
    let audit = audit(
        platform,
        &Bounds {
            boundary: Some("arn:aws:iam::123456789012:policy/boundary"),
            refused: guardrails.apply(platform.clone(), None).err().unwrap_or_default(),
            unknown: guardrails.note_on(&platform.namespace, None),
        },
    );
    for colour in [false, true] {
        check_seen("plan", &PlanText { plan: &plan, colour }.to_string());
        check_seen("audit", &AuditText { audit: &audit, colour }.to_string());
    }
    check_seen("page", &Page { audits: &|show| show(&audit), command: "audit" }.to_string());
    for (what, value) in [("plan", json!(plan)), ("audit", json!(audit))] {
        let shown = printable_json(&format!("{value:#}")).into_owned();
        check_seen(what, &shown);
        assert_eq!(serde_json::from_str::<Value>(&shown).expect("JSON"), value);
    }
    let extent = Extent {
        platforms: Some(std::slice::from_ref(platform)),
        guardrails,
        cluster: Some("cluster"),
        bucket_names: &[],
    };
    if let Err(error) = policies(&permissions(), &extent) {
        check_seen("a complaint", &error.to_string());
    }
}

#[test]
fn no_bytes_make_a_reader_panic() {
    runner()
        .run(&bytes(), |bytes| {
            match manifest::parse("x.yaml", &String::from_utf8_lossy(&bytes)) {
                Ok(input) => input.manifests.iter().for_each(|manifest| write_all(&manifest.platform().unwrap())),
                Err(error) => check_seen("a complaint", &error.to_string()),
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn no_bytes_make_the_reader_of_guardrails_panic() {
    let bytes = prop_oneof![4 => mangled(GUARDRAILS.into()), 1 => prop::collection::vec(any::<u8>(), 0..300)];
    runner()
        .run(&bytes, |bytes| {
            match Guardrails::parse("x.yaml", &String::from_utf8_lossy(&bytes)) {
                Ok(guardrails) => drop(guardrails.bounds("ml-a", None)),
                Err(error) => check_seen("a complaint", &error.to_string()),
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn no_object_makes_a_command_panic() {
    runner()
        .run(&objects(), |object| {
            // As the operator meets it, which relies on the API server for the schema and must not.
            if let Ok(object) = serde_json::from_value(object.clone())
                && let Ok(platform) = validate(&object)
            {
                write_all(&platform);
            }
            match manifest::parse("x.yaml", &printable_json(&object.to_string())) {
                Ok(input) => input.manifests.iter().for_each(|manifest| write_all(&manifest.platform().unwrap())),
                Err(error) => check_seen("a complaint", &error.to_string()),
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}
