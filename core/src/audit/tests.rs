use std::collections::BTreeSet;

use serde_json::json;

use super::html::Page;
use super::network_tests::borrowing;
use super::text::Text;
use super::*;
use crate::desire::desire;
use crate::grants::Purpose;
use crate::plan::{Intent, plan};
use crate::platform::validate;
use crate::resource::Resource;
use crate::resource::{Desired, Observations, Observed, Owner};
use crate::testing::{CLUSTER, REPOSITORY, bucket_of, object};

pub(super) fn example(name: &str) -> Audit {
    let text = std::fs::read_to_string(format!("{REPOSITORY}/examples/{name}")).expect("the example is there");
    let input = crate::manifest::parse(name, &text).expect("the example is read");
    audit(&validate(&input.manifests[0].object).expect("the example is valid"), &Bounds::default())
}

pub(super) fn page(audits: &[Audit]) -> String {
    let command = "aiplatform audit -f examples/assistant.yaml -o html";
    Page { audits: &|show| audits.iter().try_for_each(show), command }.to_string()
}

/// The plan for the example with everything there as declared, but for what `change` makes of it.
fn live(change: impl Fn(&mut Desired, &mut Observed)) -> Plan {
    let platform = example("assistant.yaml").platform;
    let desired = desire(&platform, CLUSTER);
    let observed = desired.iter().map(|desired| {
        let mut there = desired.clone();
        let mut observed = Observed::present(there.resource.clone(), Owner::Ours);
        change(&mut there, &mut observed);
        (desired.resource.key(), observed)
    });
    let observations: Observations = observed.collect();
    plan(&platform.namespace, &platform.name, &desired, &observations, &Intent::default())
}

#[test]
fn an_audit_reads_well() {
    insta::assert_snapshot!(Text { audit: &example("assistant.yaml"), colour: false });
}

#[test]
fn the_examples_have_no_errors() {
    let files = std::fs::read_dir(format!("{REPOSITORY}/examples")).expect("examples");
    let files = files.map(|entry| entry.expect("an example").path()).filter(|path| path.is_file());
    let mut audited = 0;
    for path in files {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(&path).expect("it is read");
        for manifest in crate::manifest::parse(&name, &text).expect("it is an example").manifests {
            let platform = validate(&manifest.object).expect("the example is valid");
            assert!(!audit(&platform, &Bounds::default()).has_errors(), "{name}");
            audited += 1;
        }
    }
    assert!(audited > 10, "{audited}");
}

#[test]
fn an_audit_is_one_json_document_for_machines() {
    let written = serde_json::to_value(example("assistant.yaml")).expect("JSON");
    let fields: Vec<&String> = written.as_object().expect("an object").keys().collect();
    assert_eq!(fields, ["bucketPolicies", "endpointPolicies", "findings", "name", "namespace", "roles"]);
    assert_eq!(written["endpointPolicies"], json!([]), "it has no network");
    let api = &written["roles"][0];
    assert_eq!(api["purpose"], "Consumer");
    assert_eq!(api["subject"], "service account support/support-api (IRSA)");
    assert_eq!(api["permissionsBoundary"], "arn:aws:iam::123456789012:policy/ml-boundary");
    assert_eq!(api["trustPolicy"]["Statement"][0]["Action"], "sts:AssumeRoleWithWebIdentity");
    for role in written["roles"].as_array().expect("roles") {
        assert!(role["arn"].as_str().expect("an ARN").ends_with(role["name"].as_str().expect("a name")));
        for policy in role["policies"].as_array().expect("policies") {
            let statements = policy["document"]["Statement"].as_array().expect("statements");
            let sids: BTreeSet<&str> = statements.iter().filter_map(|statement| statement["Sid"].as_str()).collect();
            let reasons = policy["reasons"].as_object().expect("reasons");
            assert_eq!(sids, reasons.keys().map(String::as_str).collect());
            assert!(reasons.values().all(|why| why.as_str().is_some_and(|why| why.contains("(spec."))));
        }
    }
    assert_eq!(
        api["policies"][0]["reasons"]["ReadPrompts"],
        "consumer api may read bucket prompts, below published/ (spec.access[0].buckets[0])"
    );
    assert_eq!(written["bucketPolicies"][0]["document"]["Statement"][0]["Sid"], "AipTlsOnly");
    assert_eq!(
        written["findings"][0],
        json!({
            "rule": "consumer-in-another-namespace", "severity": "info", "subject": "consumer indexer",
            "message": written["findings"][0]["message"],
        })
    );
    let unwatched =
        validate(&object(json!({"storage": {"buckets": [{"name": "open", "tlsOnly": false}]}}))).expect("valid");
    let written = serde_json::to_value(audit(&unwatched, &Bounds::default())).expect("JSON");
    assert_eq!((&written["roles"], &written["bucketPolicies"]), (&json!([]), &json!([])));
}

#[test]
fn the_role_of_a_model_says_what_it_is_for_and_what_it_does_with_which_bucket() {
    let audit = example("ranking.yaml");
    let written = serde_json::to_value(&audit).expect("JSON");
    let purposes: Vec<&Value> =
        written["roles"].as_array().expect("roles").iter().map(|role| &role["purpose"]).collect();
    assert_eq!(purposes, ["Consumer", "Consumer", "Execution"]);
    let rank = &written["roles"][2];
    assert_eq!(rank["subject"], "SageMaker, for model rank");
    assert_eq!(rank["permissionsBoundary"], "arn:aws:iam::123456789012:policy/ml-boundary");
    let image = rank["policies"][1]["reasons"]["Image"].as_str().expect("a reason");
    assert!(image.ends_with("/rank:1.4.0 (spec.models[0].sagemaker.image)"), "{image}");
    let sids = |target| -> Vec<&str> {
        audit.statements(&audit.roles[2], target).into_iter().map(|statement| statement.sid.as_str()).collect()
    };
    assert_eq!(sids(Target::Model("rank")), ["RegistryToken", "Logs", "Metrics", "RollbackAlarms", "Image"]);
    assert_eq!(sids(Target::Bucket("artifacts")), ["Artifact", "KeyOfArtifacts"]);
    assert_eq!(sids(Target::Bucket("captured")), ["Capture"]);
    let text = Text { audit: &audit, colour: false }.to_string();
    assert!(text.contains("\n  Execution of model rank\n    who    SageMaker, for model rank\n"), "{text}");
    let page = page(&[audit]);
    for cell in
        ["<strong>Run</strong>", "<strong>Read models/rank/1.4.0/model.tar.gz</strong>", "<strong>Write rank/</strong>"]
    {
        assert!(page.contains(cell), "{cell}");
    }
}

#[test]
fn a_consumer_and_a_model_of_one_name_have_places_of_their_own() {
    let mut platform = example("ranking.yaml").platform;
    platform.access[0].name = "rank".into();
    platform.grants = crate::grants::grants(&platform).expect("the grants fit");
    let page = page(&[audit(&platform, &Bounds::default())]);
    for place in [" id=\"search/ranking/rank\"", " id=\"search/ranking/rank/execution\""] {
        assert_eq!(page.matches(place).count(), 1, "{place}");
    }
}

#[test]
fn every_statement_comes_from_a_part_of_the_spec_and_stands_in_one_cell() {
    for audit in [example("assistant.yaml"), example("ranking.yaml")] {
        for role in &audit.roles {
            let all: Vec<&Statement> = role.policies.iter().flat_map(|(_, statements)| statements).collect();
            let celled: Vec<&Statement> = audit.targets().flat_map(|target| audit.statements(role, target)).collect();
            assert_eq!(all.len(), celled.len());
            let place = match role.purpose {
                Purpose::Consumer => "spec.access[",
                Purpose::Execution | Purpose::Workload => "spec.models[",
            };
            assert!(role.trust.iter().chain(all).all(|statement| statement.source.starts_with(place)));
        }
    }
}

#[test]
fn what_is_as_declared_is_no_difference() {
    let audit = example("assistant.yaml");
    let before = audit.findings.clone();
    let audit = audit.compared_with(&live(|_, _| {}));
    assert_eq!((audit.live.as_deref(), audit.findings), (Some(&[][..]), before));
}

#[test]
fn differences_are_reported_where_they_matter_to_access() {
    let plan = live(|there, observed| {
        match &mut there.resource {
            Resource::Role(role) if role.name.contains("api") => role.permissions_boundary = None,
            resource @ Resource::Bucket(_) => {
                let bucket = bucket_of(resource);
                bucket.versioning = false;
                if bucket.name.contains("prompts") {
                    bucket.policy.clear();
                }
            }
            Resource::ServiceAccount(_) => *observed = Observed::absent(),
            Resource::Role(_) => {
                observed.exposures = vec![crate::exposure::attached("r", "policy X")];
            }
            _ => {}
        }
        if observed.resource.is_some() {
            observed.resource = Some(there.resource.clone());
        }
    });
    let audit = example("assistant.yaml").compared_with(&plan);
    let written = serde_json::to_value(&audit).expect("JSON");
    let live: Vec<(&Value, &Value, &Value)> = written["live"]
        .as_array()
        .expect("differences")
        .iter()
        .map(|difference| (&difference["kind"], &difference["action"], &difference["fields"]))
        .collect();
    assert_eq!(
        live,
        [
            (&json!("Bucket"), &json!("Update"), &json!(["policy.AipTlsOnly"])),
            (&json!("Role"), &json!("Update"), &json!(["permissionsBoundary"])),
            (&json!("ServiceAccount"), &json!("Create"), &json!([])),
        ]
    );
    assert_eq!(written["live"][0]["message"], Value::Null);
    let attached: Vec<&Finding> =
        audit.findings.iter().filter(|finding| finding.rule == "policy-attached-by-others").collect();
    assert_eq!(attached.len(), 3);
    assert!(attached.iter().all(|finding| finding.severity == Severity::Warning));
    assert_eq!(audit.findings[0].rule, "policy-attached-by-others", "warnings come before information");
    assert!(!audit.has_errors());
    let text = Text { audit: &audit, colour: false }.to_string();
    for line in ["Live: 3 differences to what is declared", "policy.AipTlsOnly", "is      null"] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let page = page(&[audit]);
    assert!(page.contains("<h2>Live <small>3 differences") && page.contains("policy-attached-by-others"), "{page}");
}

#[test]
fn the_page_holds_every_statement_and_loads_nothing() {
    let audits = [example("assistant.yaml"), example("ranking.yaml")];
    let page = page(&audits);
    for grant in audits.iter().flat_map(|audit| &audit.roles) {
        for statement in grant.policies.iter().flat_map(|(_, statements)| statements).chain(&grant.trust) {
            assert!(page.contains(&format!("</b> {}</p>", statement.sid)), "{}", statement.sid);
            assert!(page.contains(&statement.reason.replace('\'', "&#39;")), "{}", statement.reason);
        }
    }
    for part in [
        "nobody reads or writes the bucket without TLS",
        "nothing-expires",
        "aiplatform audit -f examples/assistant.yaml",
    ] {
        assert!(page.contains(part), "{part}");
    }
    for part in ["src=", "href=\"http", "url(", "@import", "<link"] {
        assert!(!page.contains(part), "{part}");
    }
    assert_eq!(page, self::page(&audits), "the same input makes the same page");
}

#[test]
fn each_link_leads_somewhere_and_each_place_has_one_name() {
    let page = page(&[example("assistant.yaml"), example("ranking.yaml"), example("private.yaml"), borrowing()]);
    let values = |attribute: &str| -> Vec<String> {
        let opening = format!("{attribute}=\"");
        let pieces = page.split(&opening).skip(1);
        pieces.filter_map(|rest| rest.split('"').next().map(ToString::to_string)).collect()
    };
    let names = values(" id");
    let places: BTreeSet<&String> = names.iter().collect();
    assert_eq!(places.len(), names.len());
    for link in values("href") {
        let place = link.strip_prefix('#').expect("a place in the page").to_string();
        assert!(places.contains(&place), "{link}");
    }
}

#[test]
fn names_cannot_break_the_page() {
    const NASTY: &str = "<script>alert('x')</script>&\"\u{7}";
    let mut platform = example("assistant.yaml").platform;
    platform.ownership.team = NASTY.into();
    platform.access[0].name = NASTY.into();
    platform.models[0].name = NASTY.into();
    platform.access[0].models = vec![NASTY.into()];
    platform.grants = crate::grants::grants(&platform).expect("the grants fit");
    let page = page(&[audit(&platform, &Bounds::default())]);
    assert!(!page.contains("<script>alert") && !page.contains('\u{7}'));
    assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;\\u{7}"));
    well_formed(&page);
}

#[test]
fn the_page_is_well_formed() {
    well_formed(&page(&[example("assistant.yaml"), example("storage.yaml"), example("ranking.yaml")]));
    well_formed(&page(&[example("storage.yaml").compared_with(&Plan::default())]));
    well_formed(&page(&[example("private.yaml"), borrowing()]));
}

fn well_formed(page: &str) {
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    let document = roxmltree::Document::parse_with_options(page, options).expect("XML");
    let roots = document.descendants().filter(|node| node.has_tag_name("main"));
    assert!(roots.count() > 0);
}

#[test]
fn what_is_refused_is_a_finding_and_no_part_of_what_roles_may_do() {
    let refused = |observed: &mut Observed, resource: &Resource| {
        if matches!(resource, Resource::Bucket(bucket) if bucket.name.contains("prompts")) {
            observed.owner = Owner::Theirs("c/other/p".into());
        }
    };
    let plan = live(|there, observed| refused(observed, &there.resource));
    let before = example("assistant.yaml");
    let prompts =
        |audit: &Audit| serde_json::to_value(audit).expect("JSON")["roles"].to_string().contains("assistant-prompts-");
    assert!(prompts(&before));
    let audit = before.compared_with(&plan);
    assert!(audit.has_errors());
    assert!(!prompts(&audit), "what is left out is not shown as granted");
    let refused: Vec<&Finding> = audit.findings.iter().filter(|finding| finding.rule == "grant-refused").collect();
    assert!(!refused.is_empty());
    for finding in refused {
        assert_eq!(finding.severity, Severity::Error);
        assert!(finding.subject.starts_with("role ") && finding.message.contains("prompts"), "{finding:?}");
        assert!(finding.message.contains("c/other/p"), "{}", finding.message);
    }
}

#[test]
fn what_is_unknown_for_a_moment_is_a_warning() {
    let plan = live(|there, observed| {
        let error = crate::testing::failure(crate::failure::Class::Transient);
        match &there.resource {
            Resource::Bucket(bucket) if bucket.name.contains("prompts") => *observed = Observed::unreadable(error),
            Resource::Role(_) => *observed = Observed::absent(),
            _ => {}
        }
    });
    let audit = example("assistant.yaml").compared_with(&plan);
    let waits: Vec<&Finding> = audit.findings.iter().filter(|finding| finding.rule == "grant-waits").collect();
    assert!(!waits.is_empty() && waits.iter().all(|finding| finding.severity == Severity::Warning), "{waits:?}");
    assert!(!audit.findings.iter().any(|finding| finding.rule == "grant-refused"));
}
