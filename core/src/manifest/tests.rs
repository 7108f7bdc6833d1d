mod kubectl;
mod problems;

use std::fmt::Write;

use super::{Input, parse};
use crate::api::ManagementPolicy;
use crate::platform::Problem;

const HEAD: &str = "apiVersion: aiplatform.dev/v1alpha1\nkind: AIPlatform\nmetadata: {name: support}\n";
const OWNERSHIP: &str = "  ownership: {team: support, contact: ml@example.com, environment: prod}\n";
const PLACE: &str = "  region: eu-west-1\n  accountId: \"123456789012\"\n";

/// A sound platform of seven lines and what a test adds to its spec, which begins on line 8.
fn platform(spec: &str) -> String {
    format!("{HEAD}spec:\n{PLACE}{OWNERSHIP}{spec}")
}

fn sound(text: &str) -> Input {
    parse("x.yaml", text).unwrap_or_else(|error| panic!("{error}\nin\n{text}"))
}

fn wrong(text: &str) -> Vec<String> {
    match parse("x.yaml", text) {
        Ok(input) => panic!("taken: {:?}\nin\n{text}", input.manifests),
        Err(error) => error.to_string().lines().map(String::from).collect(),
    }
}

#[test]
fn a_platform_is_read_with_its_place() {
    let input = sound(&format!("# a comment\n\n---\n{}", platform("  managementPolicy: Observe\n")));
    let [manifest] = input.manifests.as_slice() else { panic!("{:?}", input.manifests) };
    assert_eq!(manifest.source.to_string(), "x.yaml:4");
    assert_eq!(manifest.object.metadata.name.as_deref(), Some("support"));
    assert_eq!(manifest.object.metadata.namespace, None);
    assert_eq!(manifest.object.spec.account_id, "123456789012");
    assert_eq!(manifest.object.spec.management_policy, ManagementPolicy::Observe);
    assert!(input.skipped.is_empty());
}

#[test]
fn files_from_windows_are_read() {
    let text = format!("\u{feff}{}", platform("  suspend: true\n").replace('\n', "\r\n"));
    let input = sound(&text);
    assert!(input.manifests[0].object.spec.suspend);
    assert_eq!(input.manifests[0].line("spec.suspend"), 8);
}

#[test]
fn paths_are_located() {
    let text =
        platform("  tags: {a.b: c}\n  storage:\n    buckets:\n    - name: one\n    - adopt: true\n      name: two\n");
    let input = sound(&text);
    let cases = [
        ("spec.region", 5),
        ("spec.tags[\"a.b\"]", 8),
        ("spec.storage.buckets[1]", 12),
        ("spec.storage.buckets[1].name", 13),
        ("spec.storage.buckets[1].bucketName", 12),
        ("spec.storage.buckets[0].lifecycle.rules[3].id", 11),
        ("elsewhere", 1),
    ];
    let problem = Problem { path: "spec.storage.buckets[1].name".into(), message: "is taken".into() };
    assert_eq!(input.manifests[0].locate(&problem), "x.yaml:13: spec.storage.buckets[1].name: is taken");
    for (path, line) in cases {
        assert_eq!(input.manifests[0].line(path), line, "{path}");
    }
}

#[test]
fn every_problem_of_every_document_is_reported() {
    let good = platform("").replace("support}", "other}");
    let text = format!(
        "{}---\nbroken: [\n---\n{good}---\n{HEAD}spec:\n  regoin: eu-west-1\n  accountId: 1\n  suspend: 1\n",
        platform("  suspend: 5\n  colour: red\n")
    );
    let found = wrong(&text);
    let starts: Vec<&str> = found.iter().map(|line| line.split(": ").take(2).last().unwrap_or_default()).collect();
    let places: Vec<&str> = found.iter().map(|line| line.split(": ").next().unwrap_or_default()).collect();
    assert_eq!(
        places.iter().zip(&starts).map(|(place, path)| format!("{place} {path}")).collect::<Vec<_>>(),
        [
            "x.yaml:8 spec.suspend",
            "x.yaml:9 spec.colour",
            "x.yaml:11 not YAML",
            "x.yaml:23 metadata.name",
            "x.yaml:24 spec.ownership",
            "x.yaml:25 spec.regoin",
            "x.yaml:26 spec.accountId",
            "x.yaml:27 spec.suspend",
        ],
        "{found:#?}"
    );
}

#[test]
fn lines_are_right_in_the_second_document() {
    let second = platform("  colour: red\n").replace("support}", "other}");
    let text = format!("---\n{}---\n# why\n{second}", platform(""));
    assert_eq!(wrong(&text).len(), 1);
    assert!(wrong(&text)[0].starts_with("x.yaml:18: spec.colour: unknown field"), "{:?}", wrong(&text));
}

#[test]
fn other_kinds_and_empty_documents_are_skipped() {
    let text = format!(
        "---\n---\n# nothing\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: default\n\
         spec: {{a: 1, a: 2}}\n---\n{}---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: x}}\n---\n\
         apiVersion: batch/v1\nkind: Job\nmetadata: {{generateName: x-}}\n",
        platform("")
    );
    let input = sound(&text);
    assert_eq!(input.manifests.len(), 1);
    assert_eq!(
        input.skipped,
        [
            "x.yaml:5: skipped Deployment default/web: not an AIPlatform",
            "x.yaml:20: skipped Namespace x: not an AIPlatform",
            "x.yaml:24: skipped Job without a name: not an AIPlatform",
        ]
    );
}

#[test]
fn without_a_platform_there_is_nothing_to_plan() {
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n";
    let cases = [
        (String::new(), "no AIPlatform in x.yaml"),
        ("# nothing\n---\n".into(), "no AIPlatform in x.yaml"),
        (namespace.into(), "no AIPlatform in x.yaml, only one object of another kind"),
        (format!("{namespace}---\n{namespace}"), "no AIPlatform in x.yaml, only 2 objects of other kinds"),
    ];
    for (text, expected) in cases {
        let error = parse("x.yaml", &text).expect_err(expected);
        assert_eq!((error.to_string().as_str(), error.reason()), (expected, "EmptyInput"));
    }
}

#[test]
fn lists_are_unfolded() {
    let item = |name: &str, suspend: &str| {
        format!(
            "- apiVersion: aiplatform.dev/v1alpha1\n  kind: AIPlatform\n  metadata: {{name: {name}}}\n  spec:\n    \
             region: eu-west-1\n    accountId: \"123456789012\"\n    suspend: {suspend}\n    \
             ownership: {{team: a, contact: b, environment: c}}\n"
        )
    };
    let list = |items: &str| format!("apiVersion: v1\nkind: List\nitems:\n{items}");
    let pod = "- {apiVersion: v1, kind: Pod, metadata: {name: p}}\n";
    let input = sound(&list(&format!("{}{pod}{}", item("a", "true"), item("b", "false"))));
    let places: Vec<String> = input.manifests.iter().map(|manifest| manifest.source.to_string()).collect();
    assert_eq!(places, ["x.yaml:4", "x.yaml:13"]);
    assert_eq!(input.manifests[1].line("spec.suspend"), 19);
    assert_eq!(input.skipped, ["x.yaml:12: skipped Pod p: not an AIPlatform"]);

    assert_eq!(
        wrong(&list(&format!("{}{}- 5\n", item("a", "true"), item("b", "1")))),
        [
            "x.yaml:18: items[1].spec.suspend: 1 is a number, and a boolean is expected",
            "x.yaml:20: items[2]: not an object: every Kubernetes object has apiVersion and kind",
        ]
    );
}

#[test]
fn json_is_read() {
    let json = "{\n\t\"apiVersion\": \"aiplatform.dev/v1alpha1\",\n\t\"kind\": \"AIPlatform\",\n\t\"metadata\": {\"name\": \
                \"support\"},\n\t\"spec\": {\n\t\t\"region\": \"eu-west-1\",\n\t\t\"accountId\": \"123456789012\",\n\t\t\
                \"suspend\": true,\n\t\t\"tags\": {\"a\": \"\\u00e9\\/\\ud835\\udc9c\", \"yes\": \"yes\"},\n\t\t\"ownership\": \
                {\"team\": \"a\", \"contact\": \"b\", \"environment\": \"c\"}\n\t}\n}\n";
    let spec = &sound(json).manifests[0].object.spec;
    assert!(spec.suspend);
    assert_eq!(spec.tags["a"], "é/𝒜");
    assert_eq!(
        wrong(&json.replace("true", "\"on\"")),
        ["x.yaml:8: spec.suspend: \"on\" is a string, and a boolean is expected: take the quotes away"]
    );
}

#[test]
fn anchors_and_merge_keys_are_followed() {
    let text = platform(
        "  storage:\n    buckets:\n    - &base\n      name: one\n      versioning: no\n      lifecycle: &old {rules: [{id: &id old, expiration: {days: 5}}]}\n    \
         - {name: two, lifecycle: *old}\n    - <<: *base\n      name: three\n    - <<: [{tlsOnly: off}, *base]\n      name: *id\n",
    );
    let buckets = sound(&text).manifests.remove(0).object.spec.storage.unwrap_or_default().buckets;
    let seen: Vec<_> = buckets
        .iter()
        .map(|bucket| (bucket.name.as_str(), bucket.versioning, bucket.tls_only, bucket.lifecycle.is_some()))
        .collect();
    assert_eq!(
        seen,
        [
            ("one", false, true, true),
            ("two", true, true, true),
            ("three", false, true, true),
            ("old", false, false, true)
        ]
    );

    let found = wrong(&text.replace("days: 5", "days: x"));
    assert_eq!(found.len(), 4, "{found:#?}");
    assert!(found.iter().all(|line| line.starts_with("x.yaml:13: ")), "a wrong value stands at its anchor: {found:#?}");
}

#[test]
fn aliases_cannot_fill_the_memory() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..20 {
        let row = format!("*a{}, ", level - 1).repeat(9);
        writeln!(text, "a{level}: &a{level} [{row}]").unwrap();
    }
    assert_eq!(wrong(&text), ["x.yaml:7: the document takes more than 64 MiB, with what its aliases stand for"]);
    // One long text counts as what it is, also where a merge key brings it.
    let long = "y".repeat(100_000);
    for rest in [format!("z: [{}]\n", "*x, ".repeat(60_000)), "  - {<<: *m}\n".repeat(60_000)] {
        let text = format!("x: &x {long}\nm: &m {{a: *x}}\nl:\n{rest}");
        let found = wrong(&text);
        assert!(
            found[0].ends_with("the document takes more than 64 MiB, with what its aliases stand for"),
            "{found:?}"
        );
    }
}

#[test]
fn one_platform_takes_as_much_as_a_cluster_would_store_and_not_much_more() {
    let aliases = |count: usize| {
        let long = "y".repeat(100_000);
        platform(&format!("  tags: {{a: &a {long}}}\n  access: [{}]\n", "{name: *a}, ".repeat(count)))
    };
    let found = wrong(&aliases(100));
    assert_eq!(found, ["x.yaml:1: this platform takes more than 8 MiB, with what its aliases stand for: declare less"]);
    let found = wrong(&aliases(60));
    assert!(found.iter().any(|line| line.contains("60 items are too many")), "{found:?}");
    let other = |index: usize| aliases(60).replace("name: support", &format!("name: p{index}"));
    let found = wrong(&(0..12).map(other).collect::<Vec<_>>().join("---\n"));
    let message = "the platforms up to here take more than 32 MiB to be read: give fewer at a time";
    assert!(found.iter().any(|line| line.ends_with(message)), "{found:?}");
}

#[test]
fn problems_are_reported_up_to_a_number() {
    let labels = (0..300).map(|index| format!("l{index}: {index}, ")).collect::<Vec<_>>().concat();
    let found = wrong(&platform("").replace("{name: support}", &format!("{{name: support, labels: {{{labels}}}}}")));
    assert_eq!(found.len(), 201, "{found:?}");
    assert_eq!(found[200], "and 100 more problems");
    let fields = (0..300).map(|index| format!("  x{index}: {index}\n")).collect::<Vec<_>>().concat();
    let both = format!("{}---\n{}", platform(&fields), platform(&fields).replace("support}", "other}"));
    assert_eq!(wrong(&both)[200], "and 400 more problems");
}

#[test]
fn objects_of_other_kinds_are_reported_up_to_a_number() {
    let other = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p}\n";
    let input = sound(&format!("{}---\n{}", platform(""), other.repeat(300)));
    assert_eq!(input.skipped.len(), 101);
    assert_eq!(input.skipped[100], "skipped 200 more objects that are no AIPlatform");
    let error = parse("x.yaml", &other.repeat(300)).expect_err("no platform");
    assert_eq!(error.to_string(), "no AIPlatform in x.yaml, only 300 objects of other kinds");
    let found = wrong(&other.repeat(20_002));
    assert_eq!(found, ["x.yaml: more than 20000 objects: give fewer at a time"]);
}

#[test]
fn no_field_that_is_larger_than_the_schema_allows_costs_more_than_its_size() {
    let names = "x, ".repeat(100_000);
    let models = "{name: a, bedrock: {modelId: b}}, ".repeat(20_000);
    for spec in [format!("  access: [{{name: a, models: [{names}]}}]\n"), format!("  models: [{models}]\n")] {
        let began = std::time::Instant::now();
        let found = wrong(&platform(&spec));
        assert!(found.iter().any(|line| line.contains("are too many")), "{found:?}");
        assert!(began.elapsed() < std::time::Duration::from_secs(10), "{:?}", began.elapsed());
    }
}

#[test]
fn what_the_cluster_added_is_taken() {
    let text = platform("  tags: {a: b}\nstatus: {phase: [1], resources: [{name: 1}]}\n").replace(
        "{name: support}",
        "{name: support, creationTimestamp: null, generation: 3, uid: u, managedFields: [{fieldsV1: {\"f:x\": {}}}]}",
    );
    let object = sound(&text).manifests.remove(0).object;
    assert_eq!(object.metadata.generation, Some(3));
    assert_eq!(object.status, None);
}

#[test]
fn null_means_the_default() {
    let spec = "  suspend: ~\n  storage: {buckets: [{name: a, versioning: null, lifecycle: }]}\n";
    let spec = sound(&platform(spec)).manifests.remove(0).object.spec;
    assert!(!spec.suspend);
    let bucket = &spec.storage.unwrap_or_default().buckets[0];
    assert!(bucket.versioning && bucket.lifecycle.is_none());
}

#[test]
fn what_kubectl_takes_apart_is_taken_apart() {
    let platform = platform("").replace('\n', "\n  ");
    for kind in ["AIPlatformList", "WhateverList"] {
        let text = format!("apiVersion: aiplatform.dev/v1alpha1\nkind: {kind}\nitems:\n- {platform}\n");
        assert_eq!(sound(&text).manifests.len(), 1, "{text}");
    }
    let hidden = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nkind: AIPlatform\n";
    let message = "x.yaml:4: kind: is given twice, and which of the two holds is not said: keep one";
    assert_eq!(wrong(hidden), [message]);
}

#[test]
fn what_only_looks_like_a_comment_is_no_comment_to_kubectl() {
    for sign in ['\u{85}', '\u{2028}', '\u{2029}'] {
        let found = wrong(&platform(&format!("  # harmless{sign}  suspend: true\n")));
        let start = format!("x.yaml:8: U+{:04X} ends a line for kubectl", u32::from(sign));
        assert!(found.len() == 1 && found[0].starts_with(&start), "{found:?}");
    }
}

#[test]
fn deep_nesting_is_refused_before_the_stack_is_full() {
    for text in ["[".repeat(100_000), "- ".repeat(100_000), "{a: ".repeat(99) + &"}".repeat(99)] {
        assert_eq!(wrong(&text).len(), if text.starts_with('{') { 2 } else { 1 });
    }
}

#[test]
fn what_the_api_server_does_not_know_of_metadata_and_status_is_refused() {
    for (metadata, status, expected) in [
        ("label: {a: b}", "", "x.yaml:3: metadata.label: unknown field; did you mean labels? (known: "),
        ("labels: {a b: c}", "", "x.yaml:3: metadata.labels[\"a b\"]: \"a b\" is not a key: "),
        ("labels: {a: b c}", "", "x.yaml:3: metadata.labels[\"a\"]: \"b c\" is not a label: "),
        ("annotations: {/a: b}", "", "x.yaml:3: metadata.annotations[\"/a\"]: \"/a\" is not a key: "),
        ("finalizers: [a/]", "", "x.yaml:3: metadata.finalizers[0]: \"a/\" is not a key: "),
        (
            "ownerReferences: [{kind: a, name: b, uid: c}]",
            "",
            "x.yaml:3: metadata.ownerReferences[0].apiVersion: is missing",
        ),
        ("uid: u", "status: {phases: a}\n", "x.yaml:8: status.phases: unknown field; did you mean phase? (known: "),
    ] {
        let text = platform(status).replace("name: support", &format!("name: support, {metadata}"));
        let found = wrong(&text);
        assert!(found.len() == 1 && found[0].starts_with(expected), "{found:?}");
    }
}
