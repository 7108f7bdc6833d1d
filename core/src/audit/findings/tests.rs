use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::platform::{Problem, validate};
use crate::policy::Statement;
use crate::testing::{ACCOUNT, object};

const BOUNDARY: &str = "arn:aws:iam::123456789012:policy/ml-boundary";
const PROVIDER: &str = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC";
const ROLE: &str = "arn:aws:iam::123456789012:role/people";

/// A platform that no rule has anything to say about.
fn clean() -> Value {
    json!({
        "ownership": {
            "team": "support", "contact": "support-ml@example.com", "environment": "prod",
            "costCenter": "4711", "runbook": "https://runbooks.example.com/support", "dataClassification": "confidential",
        },
        "identity": {"irsa": {"oidcProviderArn": PROVIDER}},
        "permissionsBoundaryArn": BOUNDARY,
        "network": {"vpcId": "vpc-0a", "subnetIds": ["subnet-0a", "subnet-0b"], "routeTableIds": ["rtb-0a"],
            "allowFrom": {"cidrs": ["10.0.0.0/16"]}, "endpoints": {"policy": {"s3": "Scoped"}}},
        "storage": {"buckets": [{
            "name": "artifacts",
            "encryption": {"kmsKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d"},
            "lifecycle": {"rules": [{"id": "old", "expiration": {"days": 365}, "noncurrentExpiration": {"days": 30}}]},
        }]},
        "models": [{"name": "fast", "bedrock": {
            "modelId": "anthropic.claude-haiku-4-5-20251001-v1:0", "guardrail": {"id": "gr1abc", "version": "3"},
        }}],
        "access": [{
            "name": "api",
            "serviceAccount": {"name": "support-api"},
            "models": ["fast"],
            "buckets": [{"name": "artifacts", "prefix": "prompts/", "mode": "ReadWrite"}],
        }],
    })
}

/// The same with a value put at each pointer, or behind the last of a list.
fn with(changes: &Value) -> Value {
    let mut spec = clean();
    for (pointer, value) in changes.as_object().expect("pointers and values") {
        let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
        match spec.pointer_mut(parent).expect("it is there") {
            Value::Array(items) => items.push(value.clone()),
            place => place[field] = value.clone(),
        }
    }
    spec
}

fn found(spec: Value, boundary: Option<&str>) -> Vec<Finding> {
    let platform = validate(&object(spec)).expect("the spec is valid");
    find(&Context { platform: &platform, grants: &platform.grants, bounds: &Bounds { boundary, ..Bounds::default() } })
}

fn says(findings: &[Finding], rule: &str, severity: Severity) -> bool {
    findings.iter().any(|finding| finding.rule == rule && finding.severity == severity)
}

/// A case in which a rule finds something, and a close one in which it does not.
fn cases() -> Vec<Value> {
    let cases: Value = serde_json::from_str(include_str!("cases.json")).expect("JSON");
    cases.as_array().expect("a list").clone()
}

#[test]
fn a_platform_that_was_thought_through_has_no_findings() {
    assert_eq!(found(clean(), None), []);
    assert_eq!(found(clean(), Some(BOUNDARY)), []);
}

#[test]
fn each_rule_speaks_when_it_should_and_not_when_it_should_not() {
    for case in cases() {
        let heard = |spec: &Value| -> Vec<Value> {
            let findings = found(with(spec), None).into_iter();
            let findings = findings.map(|finding| json!([finding.rule, finding.severity]));
            findings.filter(|finding| finding[0] == case["rule"]).collect()
        };
        assert_eq!(heard(&case["speaks"]).first(), Some(&json!([case["rule"], case["severity"]])));
        assert_eq!(heard(&case["silent"]), [] as [Value; 0], "{}", case["silent"]);
    }
}

/// Pods that EKS vouches for are known by an association, until the trust policy asks for their names too.
#[test]
fn an_association_alone_is_reported() {
    const RULE: &str = "trust-by-association";
    let cluster = "arn:aws:eks:eu-west-1:123456789012:cluster/prod";
    let spec = with(&json!({"/identity": {"podIdentity": {"clusterArn": cluster}}}));
    let platform = validate(&object(spec)).expect("the spec is valid");
    let mut grants = platform.grants.clone();
    let bounds = Bounds::default();
    let heard = |grants: &[Grant]| says(&find(&Context { platform: &platform, grants, bounds: &bounds }), RULE, Info);
    assert!(!heard(&grants), "the trust policy that is made names the service account");
    grants[0].trust = vec![trusting("Service", "pods.eks.amazonaws.com")];
    assert!(heard(&grants));
    for (tag, value) in [("kubernetes-service-account", "support-api"), ("kubernetes-namespace", "support")] {
        assert!(heard(&grants), "a name alone is one of every namespace");
        let key = format!("aws:RequestTag/{tag}");
        grants[0].trust[0] = grants[0].trust[0].clone().when("StringEquals", &key, vec![value.into()]);
    }
    assert!(!heard(&grants));
}

fn trusting(kind: &str, name: &str) -> Statement {
    Statement::allow("Bad", &["sts:AssumeRole"], Vec::new(), "because").by(kind, vec![name.into()])
}

#[test]
fn a_boundary_that_the_guardrails_demand_is_an_error_where_it_is_missing() {
    let loud = [with(&json!({"/permissionsBoundaryArn": null})), clean()];
    for spec in loud {
        let findings = found(spec, Some("arn:aws:iam::123456789012:policy/other"));
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert!(says(&findings, "boundary-missing", Error));
        assert!(findings[0].message.contains("policy/other"), "{}", findings[0].message);
    }
    let nobody = with(&json!({"/permissionsBoundaryArn": null, "/access": []}));
    assert!(!found(nobody, Some(BOUNDARY)).iter().any(|finding| finding.rule == "boundary-missing"));
}

/// Rules cover what a valid spec cannot lead to as well: the code that derives policies may be wrong one day.
#[test]
fn policies_are_not_trusted_because_they_are_ours() {
    let statement = |resource: &str| Statement::allow("Bad", &["s3:GetObject"], vec![resource.into()], "because");
    let decrypting = || {
        let key = "arn:aws:kms:eu-west-1:123456789012:key/1".to_string();
        Statement::allow("Bad", &["kms:Decrypt"], vec![key], "because")
    };
    let everywhere = |actions: &[&str]| Statement::allow("Bad", actions, vec!["*".into()], "because");
    let sub = |value: &str| trusting("Federated", PROVIDER).when("StringEquals", "issuer:sub", vec![value.into()]);
    let role = "system:serviceaccount:support:api";
    let cases: Vec<(&str, Statement, Statement)> = vec![
        (
            "wildcard-action",
            Statement::allow("Bad", &["s3:Get*"], vec![], ""),
            Statement::allow("Bad", &["s3:*"], vec![], "").denying(),
        ),
        (
            "bucket-of-any-account",
            statement("arn:aws:s3:::bucket/index/*"),
            statement("arn:aws:s3:::bucket/index/*").when("StringEquals", "aws:ResourceAccount", vec![ACCOUNT.into()]),
        ),
        (
            "key-for-anything",
            decrypting().when("StringEquals", "kms:ViaService", vec!["s3.eu-west-1.amazonaws.com".into()]),
            decrypting().when("StringEquals", "kms:ViaService", vec!["s3.eu-west-1.amazonaws.com".into()]).when(
                "StringLike",
                "kms:EncryptionContext:aws:s3:arn",
                vec!["arn:aws:s3:::bucket".into()],
            ),
        ),
        ("wildcard-resource", statement("*"), statement("arn:aws:s3:::bucket/index/*")),
        ("wildcard-resource", statement("arn:aws:s3:::bucket*"), statement("arn:aws:s3:::bucket")),
        ("wildcard-resource", statement("arn:aws:s3:::bucket-*/index/*"), statement("arn:aws:s3:::bucket/*")),
        ("wildcard-resource", statement("arn:aws:s3:::bucket/*/index"), statement("*").denying()),
        (
            "wildcard-resource",
            statement("arn:aws:logs:eu-west-1:123456789012:log-group:/aws/sagemaker/*:*"),
            statement("arn:aws:logs:eu-west-1:123456789012:log-group:/aws/sagemaker/Endpoints/a:*"),
        ),
        (
            "wildcard-resource",
            everywhere(&["ecr:GetAuthorizationToken", "ecr:BatchGetImage"]),
            everywhere(&["ecr:GetAuthorizationToken"]),
        ),
        (
            "wildcard-resource",
            everywhere(&["cloudwatch:PutMetricData"]),
            everywhere(&["cloudwatch:PutMetricData"]).when(
                "StringEquals",
                "cloudwatch:namespace",
                vec!["/aws/sagemaker/Endpoints".into()],
            ),
        ),
        (
            "wildcard-resource",
            everywhere(&["ec2:DescribeSubnets", "ec2:CreateNetworkInterface"]),
            everywhere(&["ec2:DescribeSubnets"]),
        ),
        (
            "wildcard-resource",
            statement("arn:aws:ec2:eu-west-1:123456789012:network-interface/*"),
            statement("arn:aws:ec2:eu-west-1:123456789012:network-interface/*").when(
                "ArnEquals",
                "ec2:Subnet",
                vec!["arn:aws:ec2:eu-west-1:123456789012:subnet/subnet-0a".into()],
            ),
        ),
        (
            "wildcard-resource",
            statement("arn:aws:bedrock:*::foundation-model/x"),
            statement("arn:aws:bedrock:eu-west-1::foundation-model/x"),
        ),
        (
            "wildcard-resource",
            statement("arn:aws:kms:eu-west-1:123456789012:key/*"),
            statement("arn:aws:kms:eu-west-1:123456789012:key/*").when(
                "ForAnyValue:StringEquals",
                "kms:ResourceAliases",
                vec!["alias/a".into()],
            ),
        ),
    ];
    for (rule, loud, quiet) in cases {
        assert!(heard(rule, &|grant| grant.policies.push(("more".into(), vec![loud.clone()]))), "{rule} {loud:?}");
        assert!(!heard(rule, &|grant| grant.policies.push(("more".into(), vec![quiet.clone()]))), "{rule} {quiet:?}");
    }
    let trusts: Vec<(&str, Statement, Statement)> = vec![
        ("trust-without-subject", trusting("Federated", PROVIDER), sub(role)),
        ("trust-without-subject", sub("system:serviceaccount:support:*"), sub(role)),
        (
            "trust-without-source",
            trusting("Service", "pods.eks.amazonaws.com"),
            trusting("Service", "pods.eks.amazonaws.com").when(
                "StringEquals",
                "aws:SourceAccount",
                vec![ACCOUNT.into()],
            ),
        ),
        ("principal-too-broad", trusting("AWS", "*"), trusting("AWS", ROLE)),
        ("principal-too-broad", trusting("AWS", "arn:aws:iam::123456789012:root"), trusting("AWS", ROLE)),
        ("principal-too-broad", trusting("AWS", ACCOUNT), trusting("AWS", ROLE)),
    ];
    for (rule, loud, quiet) in trusts {
        assert!(heard(rule, &|grant| grant.trust = vec![loud.clone()]), "{rule} {loud:?}");
        assert!(!heard(rule, &|grant| grant.trust = vec![quiet.clone()]), "{rule} {quiet:?}");
    }
}

#[test]
fn two_statements_of_one_name_and_two_guardrails_for_one_model_are_errors() {
    const MODEL: &str = "arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0";
    let named = |sid: &str| Statement::allow(sid, &["s3:ListBucket"], vec!["arn:aws:s3:::a".into()], "because");
    let more =
        |statements: Vec<Statement>| move |grant: &mut Grant| grant.policies[0].1.extend(statements.iter().cloned());
    assert!(heard("ambiguous-sid", &more(vec![named("ListA2"), named("ListA2")])));
    assert!(!heard("ambiguous-sid", &more(vec![named("ListA2"), named("ListA2N2")])));
    let guarded = |guardrail: &str| {
        let identifier = format!("arn:aws:bedrock:eu-west-1:{ACCOUNT}:guardrail/{guardrail}");
        Statement::allow("InvokeOther", &["bedrock:InvokeModel"], vec![MODEL.into()], "because").when(
            "StringEquals",
            "bedrock:GuardrailIdentifier",
            vec![identifier],
        )
    };
    assert!(heard("guardrails-contradict", &more(vec![guarded("gr2:1")])));
    assert!(!heard("guardrails-contradict", &more(vec![guarded("gr1abc:3")])));
}

/// True when a rule finds an error once the role has been changed.
fn heard(rule: &str, change: &dyn Fn(&mut Grant)) -> bool {
    let platform = validate(&object(clean())).expect("the spec is valid");
    let mut grants = platform.grants.clone();
    grants.iter_mut().for_each(change);
    says(&find(&Context { platform: &platform, grants: &grants, bounds: &Bounds::default() }), rule, Error)
}

#[test]
fn every_rule_is_tested_and_named_once_for_each_severity() {
    const BY_HAND: [&str; 13] = [
        "ambiguous-sid",
        "bucket-of-any-account",
        "guardrails-contradict",
        "guardrails-unknown",
        "key-for-anything",
        "not-permitted",
        "trust-by-association",
        "boundary-missing",
        "principal-too-broad",
        "trust-without-source",
        "trust-without-subject",
        "wildcard-action",
        "wildcard-resource",
    ];
    let cases = cases();
    let tested = cases.iter().filter_map(|case| case["rule"].as_str());
    let tested: BTreeSet<&str> = tested.chain(BY_HAND).collect();
    let named: BTreeSet<&str> = RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(tested, named);
    let distinct: BTreeSet<(&str, Severity)> = RULES.iter().map(|rule| (rule.id, rule.severity)).collect();
    assert_eq!(distinct.len(), RULES.len());
}

#[test]
fn what_the_guardrails_refuse_is_an_error_and_what_they_leave_open_is_reported() {
    let platform = validate(&object(clean())).expect("the spec is valid");
    let refused = vec![Problem::new("spec.region", "\"eu-west-1\" is not allowed here")];
    let bounds = Bounds { boundary: None, refused, unknown: Some("labels are not known") };
    let findings = find(&Context { platform: &platform, grants: &platform.grants, bounds: &bounds });
    let reported: Vec<(&str, Severity, &str, &str)> =
        findings.iter().map(|it| (it.rule, it.severity, it.subject.as_str(), it.message.as_str())).collect();
    let expected = [
        ("not-permitted", Error, "spec.region", "\"eu-west-1\" is not allowed here"),
        ("guardrails-unknown", Warning, "metadata.namespace", "labels are not known"),
    ];
    assert_eq!(reported, expected);
}

#[test]
fn a_service_account_elsewhere_is_reported_as_it_is_bound() {
    let message = |identity: Value| {
        let spec = with(&json!({"/identity": identity, "/access/0/serviceAccount/namespace": "search"}));
        let findings = found(spec, None);
        let finding = findings.iter().find(|finding| finding.rule == "consumer-in-another-namespace");
        finding.expect("it is told").message.clone()
    };
    let provider = message(json!({"irsa": {"oidcProviderArn": PROVIDER}}));
    assert!(provider.contains("its team annotates it"), "{provider}");
    let cluster = "arn:aws:eks:eu-west-1:123456789012:cluster/prod";
    let pods = message(json!({"podIdentity": {"clusterArn": cluster}}));
    assert!(pods.contains("an association in cluster prod") && !pods.contains("annotates"), "{pods}");
}

#[test]
fn the_worst_comes_first() {
    let spec = with(&json!({
        "/ownership/runbook": null,
        "/storage/buckets/0/tlsOnly": false,
        "/models/0/bedrock/guardrail": null,
    }));
    let severities: Vec<Severity> = found(spec, None).iter().map(|finding| finding.severity).collect();
    assert_eq!(severities, [Error, Warning, Info]);
}
