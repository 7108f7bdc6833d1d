use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use super::*;
use crate::permissions::{permissions, permissions_with_drift_events};
use crate::platform::validate;
use crate::policy;
use crate::testing::{self, REPOSITORY};

const IMAGE: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:1.4.0";

/// A role that the user made for a model.
const THEIR_ROLE: &str = "arn:aws:iam::123456789012:role/models/theirs";

/// Actions that IAM knows no resource for.
const LISTS: [&str; 16] = [
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcEndpointServices",
    "ec2:DescribeVpcEndpoints",
    "ec2:DescribeVpcs",
    "iam:GetAccountAuthorizationDetails",
    "s3:ListAllMyBuckets",
    "logs:DescribeLogGroups",
    "sagemaker:ListModels",
    "sagemaker:ListEndpointConfigs",
    "sagemaker:ListEndpoints",
    "application-autoscaling:DescribeScalableTargets",
    "application-autoscaling:DescribeScalingPolicies",
    "application-autoscaling:DescribeScheduledActions",
];

/// A platform with everything that needs permissions, under this name.
fn platform(name: &str, further: Value) -> Platform {
    let mut spec = json!({
        "identity": {"podIdentity": {"clusterArn": "arn:aws:eks:eu-west-1:123456789012:cluster/prod"}},
        "network": {"vpcId": "vpc-0a1b", "subnetIds": ["subnet-0a", "subnet-0b"], "routeTableIds": ["rtb-0a"]},
        "storage": {"buckets": [
            {"name": "kept"},
            {"name": "scratch", "bucketName": format!("{name}-scratch"), "deletionPolicy": "DeleteWithContents"},
        ]},
        "access": [
            {"name": "api", "serviceAccount": {"name": "api"}, "buckets": [{"name": "kept"}]},
            {"name": "batch", "principalArns": ["arn:aws:iam::123456789012:role/batch"], "buckets": [{"name": "scratch"}]},
        ],
        "models": [
            {"name": "rank", "sagemaker": {"image": IMAGE, "instance": {"type": "ml.g5.xlarge"}}},
            {"name": "tag", "sagemaker": {"image": IMAGE, "executionRoleArn": THEIR_ROLE,
                "serverless": {"memoryMiB": 1024, "maxConcurrency": 5}}},
        ],
    });
    let Value::Object(fields) = further else { panic!("fields of a spec: {further}") };
    for (field, value) in fields {
        spec[field] = value;
    }
    let mut object = testing::object(spec);
    object.metadata.name = Some(name.into());
    validate(&object).unwrap()
}

const EVERYTHING: Extent =
    Extent { platforms: None, guardrails: &Guardrails::Unbounded, cluster: None, bucket_names: &[] };

fn of(extent: &Extent) -> Vec<OperatorPolicy> {
    policies(&permissions(), extent).unwrap()
}

fn narrowed(platforms: &[Platform], cluster: Option<&str>) -> Vec<OperatorPolicy> {
    of(&Extent { platforms: Some(platforms), cluster, ..EVERYTHING })
}

fn names(policies: &[OperatorPolicy]) -> Vec<&str> {
    policies.iter().map(|policy| policy.name.as_str()).collect()
}

fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::String(text) => vec![text.clone()],
        _ => Vec::new(),
    }
}

/// One element of all statements of all documents.
fn all(policies: &[OperatorPolicy], element: &str) -> BTreeSet<String> {
    let statements = policies.iter().flat_map(|policy| policy::statements(&policy.document));
    statements.flat_map(|statement| strings(&statement[element])).collect()
}

fn check_limits(policies: &[OperatorPolicy]) {
    let mut seen = BTreeSet::new();
    for OperatorPolicy { name, document } in policies {
        assert!(policy::size(document) < POLICY_LIMIT, "{name}: {}", policy::size(document));
        assert!(seen.insert(name), "{name} is there twice");
        assert!(name.len() <= 128, "{name}");
        let mut sids = BTreeSet::new();
        for statement in policy::statements(document) {
            let sid = statement["Sid"].as_str().unwrap().to_string();
            assert!(sid.chars().all(|character| character.is_ascii_alphanumeric()), "{sid}");
            assert!(sids.insert(sid.clone()), "{name}: {sid} is there twice");
            for action in strings(&statement["Action"]) {
                assert!(!action.contains(['*', '?']), "{name}: {sid}: {action}");
            }
            let lists = strings(&statement["Action"]).iter().all(|action| LISTS.contains(&action.as_str()));
            assert_eq!(strings(&statement["Resource"]).contains(&"*".to_string()), lists, "{name}: {sid}");
        }
    }
}

#[test]
fn for_any_platform() {
    let policies = of(&EVERYTHING);
    check_limits(&policies);
    insta::assert_json_snapshot!(policies);
}

#[test]
fn for_a_platform_and_no_more() {
    let through = json!({"assumeRole": {"roleArn": "arn:aws:iam::123456789012:role/teams/deployer"}, "access": [], "models": [],
        "storage": {"buckets": [{"name": "kept"}]}});
    let policies = narrowed(&[platform("one", json!({})), platform("two", through)], Some("prod"));
    check_limits(&policies);
    insta::assert_json_snapshot!(policies);
}

fn guardrails(rules: Value) -> Guardrails {
    Guardrails::Given(crate::guardrails::Rules { rules: serde_json::from_value(rules).unwrap() })
}

fn boundary(name: &str) -> String {
    format!("arn:aws:iam::123456789012:policy/{name}")
}

const BOUND: [&str; 3] = ["MakeRoles", "WriteRolePolicies", "BindOwnRoles"];

/// The boundaries of the statements that make and widen roles, which agree; nothing where there are none.
fn boundaries(policies: &[OperatorPolicy]) -> Vec<String> {
    let found =
        BOUND.map(|sid| strings(&statement(policies, sid)["Condition"]["StringEquals"]["iam:PermissionsBoundary"]));
    assert!(found.iter().all(|each| *each == found[0]), "{found:?}");
    let unbinds = all(policies, "Action").contains("iam:DeleteRolePermissionsBoundary");
    assert_eq!(unbinds, found[0].is_empty(), "where every role has one, nobody takes it off");
    found[0].clone()
}

#[test]
fn every_boundary_that_a_rule_puts_on_roles_is_known_and_one_rule_without_makes_all_unknown() {
    let of_rules = |rules: Value| boundaries(&of(&Extent { guardrails: &guardrails(rules), ..EVERYTHING }));
    let (one, two) = (boundary("one"), boundary("two"));
    let search = json!({"namespaces": {"names": ["search"]}, "permissionsBoundaryArn": one});
    assert_eq!(of_rules(json!([search, {"permissionsBoundaryArn": two}])), [one, two]);
    assert!(of_rules(json!([search, {}])).is_empty());
    assert!(boundaries(&of(&EVERYTHING)).is_empty());
    assert!(boundaries(&of(&Extent { guardrails: &Guardrails::Absent, ..EVERYTHING })).is_empty());
}

#[test]
fn the_boundary_of_platforms_is_known_where_each_with_roles_has_one_whatever_its_labels_are() {
    let own = |name: &str| json!({"permissionsBoundaryArn": boundary(name)});
    let without_roles = platform("bare", json!({"access": [], "models": []}));
    let of_platforms = |platforms: &[Platform], guardrails: &Guardrails| {
        boundaries(&of(&Extent { platforms: Some(platforms), guardrails, ..EVERYTHING }))
    };
    let (one, two) = (platform("one", own("one")), platform("two", own("two")));
    let unbounded = platform("unbounded", json!({}));
    assert_eq!(
        of_platforms(&[one.clone(), two, without_roles], &Guardrails::Unbounded),
        [boundary("one"), boundary("two")]
    );
    assert!(of_platforms(&[one, unbounded.clone()], &Guardrails::Unbounded).is_empty());

    let labelled = json!({"namespaces": {"labels": {"tier": "prod"}}, "permissionsBoundaryArn": boundary("prod")});
    let rest = json!({"permissionsBoundaryArn": boundary("rest")});
    let either = guardrails(json!([labelled, rest]));
    assert_eq!(of_platforms(std::slice::from_ref(&unbounded), &either), [boundary("prod"), boundary("rest")]);
    assert!(of_platforms(&[unbounded], &guardrails(json!([labelled, {}]))).is_empty());
    let free = json!({"namespaces": {"labels": {"tier": "prod"}}});
    assert!(of_platforms(&[platform("x", json!({}))], &guardrails(json!([free, rest]))).is_empty());
    assert_eq!(of_platforms(&[platform("x", own("mine"))], &guardrails(json!([free, {}]))), [boundary("mine")]);
    for rules in [json!([labelled, {}]), json!([free, {"permissionsBoundaryArn": boundary("prod")}])] {
        let certain = of_platforms(&[platform("x", own("prod"))], &guardrails(rules.clone()));
        assert_eq!(certain, [boundary("prod")], "the spec names what the rule puts: {rules}");
    }
    // Under the first rule it would be refused, so that no role is made with that boundary.
    assert_eq!(of_platforms(&[platform("x", own("mine"))], &guardrails(json!([labelled, {}]))), [boundary("mine")]);
}

#[test]
fn a_role_that_is_handed_to_a_model_is_within_what_the_guardrails_allow() {
    let passed = |glob: &str| {
        let rules = guardrails(json!([{"permissionsBoundaryArn": boundary("b"), "executionRoles": [glob]}]));
        let extent = Extent { guardrails: &rules, cluster: Some("prod"), bucket_names: &["ml-*".into()], ..EVERYTHING };
        let generated = "arn:aws:iam::*:role/aiplatform/*";
        let found = strings(&statement(&of(&extent), "PassExecutionRoles")["Resource"]);
        let found: Vec<String> = found.into_iter().filter(|arn| arn != generated).collect();
        (found, cautions(&extent))
    };
    for (glob, expected) in [
        ("*:role/ml/rank-*", vec!["arn:aws:iam::*:role/ml/rank-*"]),
        ("*123456789012:role/ml/*", vec!["arn:aws:iam::123456789012:role/ml/*"]),
        ("arn:*:role/ml/rank-?", vec!["arn:aws:iam::*:role/ml/rank-?"]),
        ("arn:aws:iam::*:role/ml/*", vec!["arn:aws:iam::*:role/ml/*"]),
        ("arn:aws:iam::12345678????:role/ml/x", vec!["arn:aws:iam::*:role/ml/x"]),
        ("arn:aws:iam::123456789012:role/models/theirs", vec!["arn:aws:iam::123456789012:role/models/theirs"]),
        ("*/ml/rank", vec!["arn:aws:iam::*:role/*/ml/rank", "arn:aws:iam::*:role/ml/rank"]),
        ("*rank*", vec!["arn:aws:iam::*:role/*rank*"]),
        ("arn:aws:s3:::rank", vec![]),
        ("arn:aws:iam::1234:role/ml/x", vec![]),
    ] {
        let (found, said) = passed(glob);
        assert_eq!(found, expected, "{glob}");
        assert_eq!(said, Vec::<String>::new(), "{glob}");
    }
    for glob in ["*", "arn:aws:iam::123456789012:role/*", "*:role/*", "*r*"] {
        let (found, said) = passed(glob);
        assert!(matches!(found.as_slice(), [arn] if arn.ends_with(":role/*")), "{glob}: {found:?}");
        assert!(matches!(said.as_slice(), [one] if one.contains("executionRoles")), "{glob}: {said:?}");
    }
}

#[test]
fn every_role_that_is_worked_through_has_policies_of_its_own() {
    let through = |name: &str, role: &str| {
        let role = format!("arn:aws:iam::123456789012:role/{role}");
        let bucket = json!({"name": "a", "bucketName": format!("bucket-of-{name}")});
        platform(
            name,
            json!({"assumeRole": {"roleArn": role}, "access": [], "models": [], "storage": {"buckets": [bucket]}}),
        )
    };
    let (long, other) = (format!("a/{}/x", "y".repeat(400)), format!("b/{}/x", "y".repeat(400)));
    let roles = ["x", "a/x", "b/x", "a-x", "a/b/x", "a-b/x", &long, &other];
    let platforms: Vec<Platform> =
        roles.iter().enumerate().map(|(index, role)| through(&format!("p{index}"), role)).collect();
    let policies = narrowed(&platforms, Some("prod"));
    check_limits(&policies);
    for index in 0..roles.len() {
        let bucket = format!("arn:aws:s3:::bucket-of-p{index}");
        let holds = |policy: &&OperatorPolicy| all(std::slice::from_ref(*policy), "Resource").contains(&bucket);
        let holder: Vec<&OperatorPolicy> = policies.iter().filter(holds).collect();
        let [holder] = holder.as_slice() else { panic!("{bucket} is in {:?}", names(&policies)) };
        let buckets = all(std::slice::from_ref(*holder), "Resource");
        let buckets: Vec<&String> = buckets.iter().filter(|arn| arn.contains("bucket-of-")).collect();
        assert_eq!(buckets, [&bucket], "{}", holder.name);
    }
    let named = names(&policies);
    assert!(named.contains(&"aiplatform-through-123456789012-x-s3"), "{named:?}");
    assert!(named.iter().any(|name| name.starts_with("aiplatform-through-123456789012-a-b-x-")), "{named:?}");
}

#[test]
fn buckets_are_named_by_account_and_within_the_patterns() {
    let rules = guardrails(
        json!([{"accounts": ["123456789012"], "bucketNames": ["acme-*"], "namespaces": {"names": ["search"]}}]),
    );
    let policies = of(&Extent { guardrails: &rules, ..EVERYTHING });
    let change = statement(&policies, "ChangeBuckets");
    assert_eq!(strings(&change["Resource"]), ["arn:aws:s3:::acme-*", "arn:aws:s3:::search-*-????????"]);
    assert_eq!(change["Condition"]["StringEquals"]["aws:ResourceAccount"], "123456789012");
    let contents = statement(&policies, "DeleteContents");
    assert_eq!(strings(&contents["Resource"]), ["arn:aws:s3:::acme-*/*", "arn:aws:s3:::search-*-????????/*"]);
    let given = ["mine-*".to_string()];
    let policies = of(&Extent { guardrails: &rules, bucket_names: &given, ..EVERYTHING });
    assert_eq!(statement(&policies, "ChangeBuckets")["Resource"], "arn:aws:s3:::mine-*");
    let account = "aws:ResourceAccount";
    assert_eq!(
        statement(&of(&EVERYTHING), "ReadBuckets")["Condition"]["StringEquals"][account],
        "${aws:PrincipalAccount}"
    );
    for statement in policies.iter().flat_map(|policy| policy::statements(&policy.document)) {
        // The list of the account's own buckets is about no bucket.
        let is_of_buckets = |action: &String| action.starts_with("s3:") && *action != "s3:ListAllMyBuckets";
        let is_bound = strings(&statement["Action"]).iter().any(is_of_buckets);
        assert_eq!(statement["Condition"]["StringEquals"].get(account).is_some(), is_bound, "{statement}");
    }
}

#[test]
fn what_is_not_declared_is_not_allowed() {
    let bare = platform(
        "bare",
        json!({"network": null, "storage": {"buckets": [{"name": "kept"}]}, "access": [], "models": []}),
    );
    let policies = narrowed(&[bare], None);
    assert_eq!(names(&policies), ["aiplatform-operator-s3"]);
    assert!(!all(&policies, "Action").contains("s3:DeleteObjectVersion"), "nothing goes with its contents");
    let nothing = platform("nothing", json!({"network": null, "storage": {}, "access": [], "models": []}));
    assert_eq!(narrowed(&[nothing], None), []);
}

/// The statement with this Sid.
fn statement(policies: &[OperatorPolicy], sid: &str) -> Value {
    let mut statements = policies.iter().flat_map(|policy| policy::statements(&policy.document));
    statements.find(|statement| statement["Sid"] == sid).unwrap_or_else(|| panic!("no {sid}"))
}

#[test]
fn a_model_can_be_made_in_every_revision_and_its_endpoint_is_named() {
    let platform = platform("one", json!({}));
    let policies = narrowed(std::slice::from_ref(&platform), None);
    let revised = crate::desire::sagemaker::revised_name(&platform, "rank");
    let endpoint = crate::desire::sagemaker::endpoint_name(&platform, "rank");
    let prefix = "arn:aws:sagemaker:eu-west-1:123456789012:";
    let on = |sid: &str| strings(&statement(&policies, sid)["Resource"]);
    assert!(on("MakeModels").contains(&format!("{prefix}model/{revised}-*")));
    assert!(on("MakeConfigs").contains(&format!("{prefix}endpoint-config/{revised}-*")));
    for sid in ["MakeEndpoints", "MoveOwnEndpoints"] {
        assert!(on(sid).contains(&format!("{prefix}endpoint/{endpoint}")), "{sid}");
        assert!(on(sid).contains(&format!("{prefix}endpoint-config/{revised}-*")), "{sid} asks for both");
    }
    let alarms = format!("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:TargetTracking-endpoint/{endpoint}/*");
    assert!(on("LetScalingAlarm").contains(&alarms));
}

#[test]
fn a_model_is_handed_its_own_role_or_the_users() {
    let platform = platform("one", json!({}));
    let passed = statement(&narrowed(std::slice::from_ref(&platform), None), "PassExecutionRoles");
    let own = crate::grants::execution_role_name(&platform, "rank");
    let expected = [format!("arn:aws:iam::123456789012:role/aiplatform/{own}"), THEIR_ROLE.to_string()];
    assert_eq!(strings(&passed["Resource"]), expected);
    assert_eq!(passed["Condition"], json!({"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}));
    let for_any = of(&EVERYTHING);
    let passed = statement(&for_any, "PassExecutionRoles");
    assert_eq!(
        passed["Resource"], "arn:aws:iam::*:role/aiplatform/*",
        "whose roles users name is only known from files"
    );
}

#[test]
fn what_is_there_already_is_not_tagged_as_if_it_were_made() {
    let made = statement(&of(&EVERYTHING), "TagWhatIsMade");
    let calls = json!(["CreateModel", "CreateEndpointConfig", "CreateEndpoint"]);
    assert_eq!(made["Condition"]["StringEquals"]["sagemaker:TaggingAction"], calls);
    assert!(made["Condition"]["StringLike"]["aws:RequestTag/aiplatform.dev/owner"].is_string());
}

#[test]
fn each_partition_has_its_own_arns() {
    let spec = json!({"region": "cn-north-1", "identity": {"podIdentity": {"clusterArn": "arn:aws-cn:eks:cn-north-1:123456789012:cluster/prod"}},
        "access": [{"name": "api", "serviceAccount": {"name": "api"}, "buckets": [{"name": "kept"}]}],
        "models": [{"name": "rank", "sagemaker": {"image": "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/rank:1",
            "instance": {"type": "ml.g4dn.xlarge"}}}]});
    let resources = all(&narrowed(&[platform("china", spec)], None), "Resource");
    let elsewhere = resources.iter().filter(|resource| !resource.starts_with("arn:aws-cn:"));
    assert_eq!(elsewhere.collect::<Vec<_>>(), ["*"], "lists have no resource");
}

#[test]
fn many_platforms_take_several_policies_of_which_none_is_too_large() {
    let platforms: Vec<Platform> =
        (0..150).map(|number| platform(&format!("a-platform-with-a-long-name-{number}"), json!({}))).collect();
    let policies = narrowed(&platforms, Some("a-cluster-with-a-name"));
    let outlines: Vec<Platform> = platforms.iter().cloned().map(outline).collect();
    assert!(outlines.iter().flat_map(|outline| &outline.grants).all(|grant| grant.policies.is_empty()));
    assert_eq!(narrowed(&outlines, Some("a-cluster-with-a-name")), policies, "an outline says as much");
    check_limits(&policies);
    assert!(names(&policies).contains(&"aiplatform-operator-s3-2"));
    let resources = all(&policies, "Resource");
    for platform in &platforms {
        for bucket in &platform.buckets {
            assert!(resources.contains(&format!("arn:aws:s3:::{}", bucket.bucket_name)));
        }
    }
    let everything = all(&of(&EVERYTHING), "Action");
    assert_eq!(all(&policies, "Action"), everything);
}

/// The text of every module below a folder.
fn sources(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let modules = files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let texts = modules.map(|path| std::fs::read_to_string(path).unwrap());
    texts.chain(folders.iter().flat_map(|folder| sources(folder))).collect()
}

#[test]
fn every_action_that_an_adapter_names_is_declared() {
    let declared: BTreeSet<&str> = permissions_with_drift_events()
        .into_iter()
        .flat_map(|(_, needs)| needs)
        .flat_map(|permission| permission.actions)
        .copied()
        .collect();
    let mut named = BTreeSet::from(["sts:AssumeRole".to_string()]);
    for text in sources(Path::new(&format!("{REPOSITORY}/core/src"))) {
        let constants = text.lines().filter_map(|line| line.trim().strip_prefix("pub const ")?.split_once("&str = \""));
        let is_action = |text: &&str| {
            let parts = text.split_once(':').filter(|(service, _)| {
                service.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-')
            });
            parts.is_some_and(|(_, action)| action.chars().next().is_some_and(|it| it.is_ascii_uppercase()))
        };
        named.extend(constants.map(|(_, text)| text.trim_end_matches("\";")).filter(is_action).map(str::to_string));
    }
    assert_eq!(named.iter().map(String::as_str).collect::<BTreeSet<_>>(), declared);
    for (_, needs) in permissions_with_drift_events() {
        for permission in needs {
            assert!(!permission.reason.is_empty() && !permission.resources.is_empty(), "{}", permission.sid);
        }
    }
}

#[test]
fn what_fits_nowhere_is_reported() {
    let long: &'static str = Box::leak("s3:".to_string().into_boxed_str());
    let actions: &'static [&'static str] = Box::leak(vec![long; 2_000].into_boxed_slice());
    let permission =
        Permission { sid: "Long", actions, resources: &[ResourcePattern::Bucket], conditions: &[], reason: "a test" };
    let error = policies(&[("s3", vec![permission])], &EVERYTHING).unwrap_err();
    assert_eq!(error.reason(), "TooLarge");
    assert!(error.to_string().contains("Long"), "{error}");
}

#[test]
fn drift_events_are_allowed_only_where_they_are_on_and_only_under_names_of_ours() {
    let guardrails = Guardrails::Unbounded;
    let extent = Extent { platforms: None, guardrails: &guardrails, cluster: None, bucket_names: &[] };
    let text = |permissions: &[(&str, Vec<Permission>)]| {
        serde_json::to_string(&policies(permissions, &extent).unwrap()).unwrap()
    };
    let without = text(&permissions());
    assert!(!without.contains("sqs:") && !without.contains("events:"), "{without}");
    let with = policies(&permissions_with_drift_events(), &extent).unwrap();
    let added: Vec<&OperatorPolicy> = with.iter().filter(|policy| policy.name.ends_with("drift-events")).collect();
    let [policy] = added[..] else { panic!("{added:?}") };
    for statement in policy.document["Statement"].as_array().unwrap() {
        let resources = serde_json::to_string(&statement["Resource"]).unwrap();
        assert!(resources.contains("aiplatform-drift-*") && !resources.contains("\"*\""), "{statement}");
    }
    assert_eq!(with.len(), policies(&permissions(), &extent).unwrap().len() + 1);
}
