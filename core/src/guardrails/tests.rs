use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::manifest::settings_schema;
use crate::platform::validate;
use crate::testing::{self, REPOSITORY};

/// The rules of the file, or every complaint about it, without the file's name.
fn read(text: &str) -> Result<Guardrails, Vec<String>> {
    Guardrails::parse("rules.yaml", text).map_err(|error| {
        error.to_string().lines().map(|line| line.strip_prefix("rules.yaml:").unwrap().to_string()).collect()
    })
}

fn given(text: &str) -> Guardrails {
    read(text).unwrap()
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(key, value)| ((*key).to_string(), (*value).to_string())).collect()
}

/// A platform in namespace `support` whose spec has these fields.
fn platform(spec: serde_json::Value) -> Platform {
    validate(&testing::object(spec)).unwrap()
}

fn refusals(guardrails: &Guardrails, spec: serde_json::Value) -> Vec<String> {
    let problems = guardrails.apply(platform(spec), None).err().unwrap_or_default();
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn a_bad_file_is_refused_with_everything_that_is_wrong() {
    let text = "rules:\n- namespaces: {name: [a]}\n  accounts: [123456789012]\n  region: [eu-west-1]\n  vpc: [vpc-1]\n\
                \x20 regions: [ireland]\n- assumeRoles: arn:aws:iam::123456789012:role/a\n  permissionsBoundaryArn: boundary\n\
                \x20 namespaces: {names: [], labels: {}}\nextra: 1\n";
    let complaints = read(text).unwrap_err();
    let expected = [
        "2: rules[0].namespaces.name: unknown field; did you mean names? (known: labels, names)",
        "3: rules[0].accounts[0]: 123456789012 is a number, and a string is expected: put it in quotes",
        "4: rules[0].region: unknown field; did you mean regions?",
        "5: rules[0].vpc: unknown field; did you mean vpcs? (known: accounts, adoptableBuckets, assumeRoles, bucketNames, clusters, consumerNamespaces, executionRoles, images, instanceTypes, kmsKeys, maxInstances, modelDataUris, namespaces, permissionsBoundaryArn, principals, regions, vpcs)",
        "6: rules[0].regions[0]: \"ireland\" does not match",
        "7: rules[1].assumeRoles: \"arn:aws:iam::123456789012:role/a\" is a string, and a list is expected",
        "8: rules[1].permissionsBoundaryArn: \"boundary\" does not match",
        "9: rules[1].namespaces.names: 0 items are too few: at least 1",
        "9: rules[1].namespaces.labels: 0 entries are too few: at least 1",
        "10: extra: unknown field (known: rules)",
    ];
    assert_eq!(complaints.len(), expected.len(), "{complaints:#?}");
    for (complaint, expected) in complaints.iter().zip(expected) {
        assert!(complaint.starts_with(expected), "{complaint}\nis not\n{expected}");
    }
}

#[test]
fn what_iam_takes_for_a_variable_is_refused_wherever_it_stands() {
    let text = "rules:\n- namespaces:\n    names: [\"${aws:username}-*\"]\n  bucketNames:\n  - ok\n  - \"ml-${aws:PrincipalTag/team}\"\n\
                \x20 executionRoles: [\"arn:aws:iam::*:role/${*}\"]\n  region: [x]\n";
    let complaints = read(text).unwrap_err();
    let expected = [
        "3: rules[0].namespaces.names[0]: \"${aws:username}-*\" holds ${, with which IAM begins a variable",
        "6: rules[0].bucketNames[1]: \"ml-${aws:PrincipalTag/team}\" holds ${",
        "7: rules[0].executionRoles[0]: \"arn:aws:iam::*:role/${*}\" holds ${",
        "8: rules[0].region: unknown field",
    ];
    assert_eq!(complaints.len(), expected.len(), "{complaints:#?}");
    for (complaint, expected) in complaints.iter().zip(expected) {
        assert!(complaint.starts_with(expected), "{complaint}\nis not\n{expected}");
    }
    assert!(complaints[0].ends_with("write the values themselves, with * for any text"), "{}", complaints[0]);
    assert!(read("rules: [{modelDataUris: [\"s3://ml/pri$e/*\"]}]").is_ok(), "a dollar alone is none");
}

#[test]
fn a_file_that_is_no_single_document_is_refused() {
    for (text, expected) in [
        ("", "1: is empty"),
        ("rules: []\n---\nrules: []\n", "3: a second document begins here: one is expected"),
        ("rules: [\n", "1: not YAML"),
        ("- rules\n", "1: is a list, and an object is expected"),
        ("{}\n", "1: rules: is missing"),
        ("rules:\n", "1: rules: is empty, and a list is expected: fill it, or leave the key out"),
    ] {
        let complaints = read(text).unwrap_err();
        assert!(complaints.len() == 1 && complaints[0].starts_with(expected), "{text:?}: {complaints:?}");
    }
}

#[test]
fn the_first_rule_whose_namespaces_match_applies() {
    let guardrails = given(
        "rules:\n- namespaces: {names: [\"ml-*\", search], labels: {tier: prod}}\n  regions: [one-prod-1]\n\
         - namespaces: {names: [\"ml-*\"]}\n  regions: [two-names-2]\n\
         - namespaces: {labels: {tier: dev, team: x}}\n  regions: [tag-tags-3]\n",
    );
    let prod = labels(&[("tier", "prod"), ("kubernetes.io/metadata.name", "x")]);
    let dev = labels(&[("tier", "dev"), ("team", "x")]);
    for (namespace, labels, expected) in [
        ("ml-a", Some(&prod), Some("one-prod-1")),
        ("search", Some(&prod), Some("one-prod-1")),
        ("ml-a", Some(&dev), Some("two-names-2")),
        ("ml-a", None, Some("two-names-2")),
        ("search", Some(&dev), Some("tag-tags-3")),
        ("search", None, None),
        ("search", Some(&labels(&[("tier", "dev")])), None),
        ("xml-a", Some(&prod), None),
    ] {
        let rule = guardrails.bounds(namespace, labels);
        let found = rule.and_then(|rule| rule.regions.as_ref()).map(|regions| regions[0].as_str());
        assert_eq!(found, expected, "{namespace} {labels:?}");
    }
    assert!(guardrails.need_labels());
    for without in [given("rules: [{namespaces: {names: [a]}}, {}]"), Guardrails::Absent, Guardrails::Unbounded] {
        assert!(!without.need_labels());
    }
    assert!(given("rules: [{}]").bounds("anything", None).is_some(), "a rule without namespaces is for all");
    assert!(given("rules: [{namespaces: {}}]").bounds("anything", None).is_some());
}

#[test]
fn a_rule_without_limits_allows_what_is_not_named_one_by_one() {
    let everything = json!({
        "assumeRole": {"roleArn": "arn:aws:iam::123456789012:role/deployer"},
        "permissionsBoundaryArn": "arn:aws:iam::123456789012:policy/mine",
        "storage": {"buckets": [{"name": "a"}, {"name": "b", "bucketName": "legacy-b", "adopt": true}]},
    });
    let advice = "ask those who run the operator to change the operator's guardrails";
    assert_eq!(
        refusals(&given("rules: [{}]"), everything.clone()),
        [
            format!(
                "spec.assumeRole.roleArn: \"arn:aws:iam::123456789012:role/deployer\" is not allowed here (allowed: none): {advice}"
            ),
            format!("spec.storage.buckets[1].adopt: \"legacy-b\" is not allowed here (allowed: none): {advice}"),
        ]
    );
    let absent = refusals(&Guardrails::Absent, everything.clone());
    assert_eq!(absent.len(), 2);
    assert!(absent.iter().all(|refusal| refusal.contains("runs without guardrails")), "{absent:?}");
    assert_eq!(refusals(&Guardrails::Unbounded, everything), Vec::<String>::new());
    assert_eq!(refusals(&Guardrails::Absent, json!({})), Vec::<String>::new());
}

#[test]
fn each_limit_is_reported_with_field_value_and_what_is_allowed() {
    let guardrails = given(
        "rules:\n- accounts: [\"111111111111\", \"222222222222\"]\n  regions: []\n  assumeRoles: [\"arn:aws:iam::123456789012:role/a\"]\n\
         \x20 adoptableBuckets: [\"legacy-*\", old]\n  permissionsBoundaryArn: arn:aws:iam::123456789012:policy/theirs\n",
    );
    let spec = json!({
        "assumeRole": {"roleArn": "arn:aws:iam::123456789012:role/b"},
        "permissionsBoundaryArn": "arn:aws:iam::123456789012:policy/mine",
        "storage": {"buckets": [
            {"name": "a", "bucketName": "legacy-a", "adopt": true},
            {"name": "b", "bucketName": "other-b", "adopt": true},
            {"name": "c", "bucketName": "other-c"},
        ]},
    });
    let reported = refusals(&guardrails, spec);
    let expected = [
        ("spec.region: \"eu-west-1\"", "none"),
        ("spec.accountId: \"123456789012\"", "111111111111, 222222222222"),
        ("spec.assumeRole.roleArn: \"arn:aws:iam::123456789012:role/b\"", "arn:aws:iam::123456789012:role/a"),
        (
            "spec.permissionsBoundaryArn: \"arn:aws:iam::123456789012:policy/mine\"",
            "arn:aws:iam::123456789012:policy/theirs",
        ),
        ("spec.storage.buckets[1].adopt: \"other-b\"", "legacy-*, old"),
    ];
    assert_eq!(reported.len(), expected.len(), "{reported:#?}");
    for (reported, (field, allowed)) in reported.iter().zip(expected) {
        assert!(
            reported.starts_with(field) && reported.contains(allowed) && reported.contains("guardrails"),
            "{reported}"
        );
    }
}

/// A model that runs on instances, is scaled, and runs as a role of its own.
fn rank() -> serde_json::Value {
    json!({
        "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:1.4.0",
        "executionRoleArn": "arn:aws:iam::123456789012:role/ml/rank",
        "instance": {"type": "ml.g5.xlarge", "count": 2},
        "autoscaling": {
            "minInstances": 2,
            "maxInstances": 8,
            "target": {"concurrentRequestsPerModel": {"value": 4}},
            "schedules": [
                {"name": "morning", "schedule": "rate(1 day)", "minInstances": 4},
                {"name": "fair", "schedule": "at(2030-01-01T07:00:00)", "minInstances": 10, "maxInstances": 12},
            ],
        },
    })
}

fn models(models: &[serde_json::Value]) -> serde_json::Value {
    let named = |(index, model): (usize, &serde_json::Value)| json!({"name": format!("m{index}"), "sagemaker": model});
    json!({"models": models.iter().enumerate().map(named).collect::<Vec<_>>()})
}

#[test]
fn a_model_keeps_to_its_instance_types_its_number_and_its_roles() {
    let file = |types: &str, most: &str, roles: &str| {
        given(&format!("rules: [{{instanceTypes: {types}, maxInstances: {most}, executionRoles: {roles}}}]"))
    };
    let any_role = "[\"*\"]";
    for within in [
        file("[\"ml.g5.*\"]", "12", "[\"arn:aws:iam::123456789012:role/ml/*\"]"),
        file("[ml.m5.large, \"*\"]", "1000", any_role),
        given("rules: [{executionRoles: [\"arn:aws:iam::123456789012:role/ml/rank\"]}]"),
        Guardrails::Unbounded,
    ] {
        assert_eq!(refusals(&within, models(&[rank()])), Vec::<String>::new());
    }
    let reported = |guardrails: &Guardrails| refusals(guardrails, models(&[rank(), rank()]));
    let beyond = file("[\"ml.m5.*\", ml.g5.large]", "3", "[\"arn:aws:iam::123456789012:role/other/*\"]");
    let each = [
        "executionRoleArn: \"arn:aws:iam::123456789012:role/ml/rank\" is not allowed here (allowed: arn:aws:iam::123456789012:role/other/*): ",
        "instance.type: \"ml.g5.xlarge\" is not allowed here (allowed: ml.m5.*, ml.g5.large): ",
        "autoscaling.maxInstances: 8 is more than a model may have here (at most 3): ",
        "autoscaling.schedules[0].minInstances: 4 is more than a model may have here (at most 3): ",
        "autoscaling.schedules[1].minInstances: 10 is more than a model may have here (at most 3): ",
        "autoscaling.schedules[1].maxInstances: 12 is more than a model may have here (at most 3): ",
    ];
    let expected = [0, 1].map(|model| each.map(|field| format!("spec.models[{model}].sagemaker.{field}"))).concat();
    let found = reported(&beyond);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (reported, expected) in found.iter().zip(expected) {
        assert!(
            reported.starts_with(&expected) && reported.ends_with(WITH_FILE),
            "{reported} should begin with {expected}"
        );
    }
    let one = reported(&file("[]", "1", any_role));
    assert!(
        one[0].contains("(allowed: none)")
            && one[1].contains("instance.count: 2 is more than a model may have here (at most 1)"),
        "{one:#?}"
    );
    for none in [given("rules: [{}]"), given("rules: [{executionRoles: []}]"), Guardrails::Absent] {
        let found = reported(&none);
        assert_eq!(found.len(), 2, "{found:#?}");
        assert!(
            found.iter().all(|reported| reported.contains("executionRoleArn") && reported.contains("(allowed: none)")),
            "{found:#?}"
        );
    }
}

/// A spec that uses what each of the fields about names, keys, images and principals limits.
fn naming() -> serde_json::Value {
    json!({
        "identity": {"podIdentity": {"clusterArn": "arn:aws:eks:us-east-1:123456789012:cluster/prod"}},
        "storage": {"buckets": [
            {"name": "generated"},
            {"name": "loot", "bucketName": "payroll-prod", "encryption": {
                "kmsKeyArn": "arn:aws:kms:eu-west-1:999999999999:key/1",
            }},
        ]},
        "models": [{"name": "leak", "sagemaker": {
            "image": "666666666666.dkr.ecr.eu-west-1.amazonaws.com/exfil:1",
            "modelData": {"uri": "s3://payroll-prod/2026/"},
            "instance": {"type": "ml.m5.large"},
            "logs": {"kmsKeyArn": "arn:aws:kms:eu-west-1:999999999999:key/1"},
        }}],
        "access": [
            {"name": "me", "serviceAccount": {"name": "default"}, "buckets": [{"name": "loot"}]},
            {"name": "hijack", "serviceAccount": {"name": "controller", "namespace": "kube-system"}, "buckets": [{"name": "loot"}]},
            {"name": "people", "principalArns": [
                "arn:aws:iam::123456789012:role/people", "arn:aws:iam::666666666666:role/attacker",
            ], "buckets": [{"name": "loot"}]},
        ],
    })
}

#[test]
fn names_keys_images_and_principals_are_refused_outside_their_globs() {
    let refused = |rule: &str| -> Vec<String> {
        let reported = refusals(&given(&format!("rules: [{{{rule}}}]")), naming());
        reported.into_iter().map(|reported| reported.split(": \"").next().unwrap_or_default().to_string()).collect()
    };
    let always = [
        "spec.models[0].sagemaker.modelData.uri",
        "spec.access[1].serviceAccount.namespace",
        "spec.access[2].principalArns[1]",
    ];
    assert_eq!(refused(""), always);
    let guarded = Guardrails::Absent;
    assert_eq!(refusals(&guarded, naming()).len(), always.len());
    let open = "modelDataUris: [\"s3://payroll-*\"], consumerNamespaces: [\"kube-*\"], principals: [\"arn:*:role/*\"]";
    assert_eq!(refused(open), Vec::<String>::new());
    for (rule, fields) in [
        ("bucketNames: [\"ml-*\"]", &["spec.storage.buckets[1].bucketName"][..]),
        ("bucketNames: []", &["spec.storage.buckets[1].bucketName"]),
        ("bucketNames: [\"payroll-?rod\"]", &[]),
        (
            "kmsKeys: [\"arn:aws:kms:*:123456789012:key/*\"]",
            &["spec.storage.buckets[1].encryption.kmsKeyArn", "spec.models[0].sagemaker.logs.kmsKeyArn"],
        ),
        ("kmsKeys: [\"arn:aws:kms:*:999999999999:key/*\"]", &[]),
        ("images: [\"123456789012.dkr.ecr.*/*\"]", &["spec.models[0].sagemaker.image"]),
        ("images: [\"666666666666.dkr.ecr.*/exfil:*\"]", &[]),
        ("clusters: [\"arn:aws:eks:*:123456789012:cluster/dev\"]", &["spec.identity.podIdentity.clusterArn"]),
        ("clusters: [\"arn:aws:eks:*:123456789012:cluster/prod*\"], regions: [eu-west-1]", &[]),
        ("regions: [eu-west-1]", &["spec.identity.podIdentity.clusterArn"]),
        ("regions: [eu-west-1, us-east-1]", &[]),
    ] {
        assert_eq!(refused(&format!("{open}, {rule}")), fields, "{rule}");
    }
    let own = refused("modelDataUris: [\"*\"], consumerNamespaces: [kube-system], principals: []");
    assert_eq!(
        own,
        ["spec.access[2].principalArns[0]", "spec.access[2].principalArns[1]"],
        "an empty list allows none"
    );
}

#[test]
fn a_refusal_says_what_would_do_instead() {
    let reported = refusals(&Guardrails::Absent, naming()).join("\n");
    for part in [
        "\"s3://payroll-prod/2026/\" is not allowed here (allowed: none): keep the artifact in a bucket of spec.storage.buckets",
        "\"arn:aws:iam::666666666666:role/attacker\" is not allowed here (allowed: the users and roles of account 123456789012)",
        "\"kube-system\" is not allowed here (allowed: none)",
    ] {
        assert!(reported.contains(part), "{part} is not in {reported}");
    }
}

/// Nothing is made in the other namespace with IRSA: its team annotates its service account itself.
#[test]
fn a_service_account_elsewhere_is_free_to_use_a_role_by_irsa() {
    let mut spec = naming();
    spec["identity"] = json!({"irsa": {
        "oidcProviderArn": "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC",
    }});
    let reported = refusals(&Guardrails::Absent, spec);
    assert!(
        reported.len() == 2 && !reported.iter().any(|reported| reported.contains("serviceAccount")),
        "{reported:?}"
    );
}

#[test]
fn a_name_that_would_have_been_generated_is_no_choice() {
    let generated = platform(json!({"storage": {"buckets": [{"name": "a"}]}})).buckets[0].bucket_name.clone();
    let spec = json!({"storage": {"buckets": [{"name": "a", "bucketName": generated}]}});
    assert_eq!(refusals(&given("rules: [{bucketNames: []}]"), spec), Vec::<String>::new());
}

#[test]
fn where_labels_are_not_known_and_decide_nothing_is_refused_and_that_is_reported() {
    let guardrails = given("rules: [{namespaces: {labels: {tier: prod}}, regions: [us-east-1]}]");
    assert_eq!(refusals(&guardrails, naming()), Vec::<String>::new());
    assert_eq!(guardrails.note(), Some(LABELS_UNKNOWN));
    assert_eq!(guardrails.note_on("support", None), Some(LABELS_UNKNOWN));
    assert_eq!(guardrails.note_on("support", Some(&labels(&[]))), None);
    let known = guardrails.apply(platform(json!({})), Some(&labels(&[]))).unwrap_err();
    assert_eq!(known[0].path, "metadata.namespace", "labels that are known and do not match are no excuse");
    let elsewhere = given("rules: [{namespaces: {names: [other], labels: {tier: prod}}}]");
    assert_eq!(refusals(&elsewhere, json!({})).len(), 1, "no label makes this rule apply");
    assert_eq!((elsewhere.note(), elsewhere.note_on("support", None)), (Some(LABELS_UNKNOWN), None));
    assert_eq!(given("rules: [{}]").note(), None);
}

#[test]
fn what_may_be_loaded_is_what_the_rule_of_the_namespace_says() {
    let uri = "s3://ml-models/rank/model.tar.gz";
    let rules = "rules:\n- namespaces: {names: [support]}\n  modelDataUris: [\"s3://ml-models/*\"]\n- {}\n";
    for (guardrails, namespace, expected) in [
        (given(rules), "support", true),
        (given(rules), "other", false),
        (Guardrails::Absent, "support", false),
        (Guardrails::Unbounded, "support", true),
    ] {
        assert_eq!(guardrails.artifacts(namespace, None).allows(uri), expected, "{guardrails:?} {namespace}");
    }
    assert!(!Allowed::default().allows(uri));
}

#[test]
fn a_serverless_model_has_no_instances_to_limit() {
    let serverless = json!({
        "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:1.4.0",
        "serverless": {"memoryMiB": 4096, "maxConcurrency": 20, "provisionedConcurrency": 5},
        "autoscaling": {"minInstances": 5, "maxInstances": 20, "target": {"provisionedConcurrencyUtilization": {"value": 0.7}}},
    });
    let guardrails = given("rules: [{instanceTypes: [], maxInstances: 1}]");
    assert_eq!(refusals(&guardrails, models(&[serverless])), Vec::<String>::new());
}

#[test]
fn a_namespace_without_a_rule_is_refused() {
    let guardrails = given("rules: [{namespaces: {names: [elsewhere]}}]");
    let reported = refusals(&guardrails, json!({}));
    assert!(
        matches!(reported.as_slice(), [reported] if reported.starts_with("metadata.namespace: ") && reported.contains("\"support\""))
    );
    assert!(guardrails.permit_role("support", None, None).is_ok(), "a deletion without a role asks for nothing");
}

#[test]
fn a_mandatory_boundary_is_put_on_every_role() {
    const BOUNDARY: &str = "arn:aws:iam::123456789012:policy/boundary";
    let guardrails = given(&format!("rules: [{{permissionsBoundaryArn: \"{BOUNDARY}\"}}]"));
    for spec in [json!({}), json!({"permissionsBoundaryArn": BOUNDARY})] {
        let bounded = guardrails.apply(platform(spec), None).unwrap();
        assert_eq!(bounded.permissions_boundary_arn.as_deref(), Some(BOUNDARY));
    }
    let own = platform(json!({"permissionsBoundaryArn": "arn:aws:iam::123456789012:policy/mine"}));
    assert_eq!(given("rules: [{}]").apply(own.clone(), None), Ok(own), "without one, the spec's own stays");
}

#[test]
fn the_page_and_the_example_follow_the_schema() {
    let page = std::fs::read_to_string(format!("{REPOSITORY}/docs/guardrails.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(field, _)| field));
    let documented: BTreeSet<String> = rows.map(Into::into).collect();
    let schema = serde_json::to_value(settings_schema::<Rules>()).unwrap();
    let fields = |pointer: &str| {
        let fields = schema.pointer(pointer).and_then(serde_json::Value::as_object).unwrap();
        fields.keys().cloned().collect::<Vec<_>>()
    };
    let rule = fields("/properties/rules/items/properties");
    let namespaces = fields("/properties/rules/items/properties/namespaces/properties");
    let namespaces = namespaces.iter().map(|field| format!("namespaces.{field}"));
    let known: BTreeSet<String> = rule.into_iter().filter(|field| field != "namespaces").chain(namespaces).collect();
    assert_eq!(documented, known);
    let example = std::fs::read_to_string(format!("{REPOSITORY}/examples/guardrails/guardrails.yaml")).unwrap();
    assert!(matches!(Guardrails::parse("guardrails.yaml", &example), Ok(Guardrails::Given(_))));
}

#[test]
fn a_chosen_bucket_name_is_within_what_the_rule_allows_and_a_generated_one_always() {
    let guardrails = given("rules: [{bucketNames: [\"acme-*\"]}]");
    let platform = |bucket: serde_json::Value| {
        let object = crate::testing::with_buckets(json!([bucket]));
        guardrails.apply(crate::platform::validate(&object).expect("valid"), None)
    };
    for allowed in [json!({"name": "a"}), json!({"name": "a", "bucketName": "acme-1"})] {
        assert!(platform(allowed).is_ok());
    }
    let problems = platform(json!({"name": "a", "bucketName": "payroll"})).unwrap_err();
    assert_eq!(problems[0].path, "spec.storage.buckets[0].bucketName");
    assert!(problems[0].message.contains("acme-*"), "{}", problems[0].message);
}

/// A list whose entries are commented out must not allow more than they did.
#[test]
fn a_key_without_a_value_is_refused_wherever_it_stands() {
    let schema = serde_json::to_value(settings_schema::<Rules>()).unwrap();
    let fields = schema["properties"]["rules"]["items"]["properties"].as_object().unwrap();
    let mut texts: Vec<(String, String)> = Vec::new();
    for field in fields.keys() {
        for empty in ["", " null", " ~"] {
            texts.push((format!("rules:\n- {field}:{empty}\n  # - a\n"), format!("rules[0].{field}")));
        }
    }
    for (text, path) in [
        ("rules: [{namespaces: {names: }}]", "rules[0].namespaces.names"),
        ("rules: [{namespaces: {labels: }}]", "rules[0].namespaces.labels"),
        ("rules: [{namespaces: {labels: {tier: }}}]", "rules[0].namespaces.labels[\"tier\"]"),
        ("rules: [{accounts: [~]}]", "rules[0].accounts[0]"),
        ("rules: [~]", "rules[0]"),
        ("rules:", "rules"),
    ] {
        texts.push((text.into(), path.into()));
    }
    assert!(texts.len() > 50, "{texts:?}");
    for (text, path) in texts {
        let reported = Guardrails::parse("g.yaml", &text).unwrap_err().to_string();
        assert!(reported.contains(&format!(" {path}: is empty")), "{text}: {reported}");
        assert!(reported.contains("fill it, or leave the key out"), "{text}: {reported}");
    }
}

#[test]
fn an_empty_list_allows_nothing() {
    let platform = validate(&testing::with_buckets(json!([]))).unwrap();
    for field in ["accounts", "regions"] {
        let guardrails = Guardrails::parse("g.yaml", &format!("rules: [{{{field}: []}}]")).unwrap();
        assert!(guardrails.apply(platform.clone(), None).is_err(), "{field}");
    }
}

#[test]
fn vpcs_bound_the_owner_of_a_network_and_not_who_borrows_it() {
    let guardrails = given("rules:\n- vpcs: [vpc-0a]\n");
    let own = |vpc: &str| json!({"network": {"vpcId": vpc, "subnetIds": ["subnet-0a"]}});
    assert_eq!(refusals(&guardrails, own("vpc-0a")), Vec::<String>::new());
    assert_eq!(refusals(&guardrails, own("vpc-0b")).len(), 1);
    let borrowed = json!({"network": {"from": {"namespace": "platform", "name": "shared"}}});
    assert_eq!(refusals(&guardrails, borrowed), Vec::<String>::new());
}

#[test]
fn pods_in_a_rollout_are_as_many_again_at_most() {
    let model = |surge: i32| {
        let fields = json!({"engine": "Custom", "image": "a:1", "replicas": 3, "rollout": {"maxSurge": surge}});
        json!({"models": [{"name": "local", "kubernetes": fields}]})
    };
    let guardrails = given("rules: [{maxInstances: 3}]");
    assert_eq!(refusals(&guardrails, model(3)), Vec::<String>::new());
    let found = refusals(&guardrails, model(4));
    assert!(found.len() == 1 && found[0].contains("kubernetes.rollout.maxSurge: 4 is more than"), "{found:?}");
}
