//! `operator-policy` against what the operator really calls: every call is allowed, and nothing is allowed for nothing.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types::Tag;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketLocationConstraint, CreateBucketConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
};
use serde_json::{Value, json};

use crate::support::operator::command;
use crate::support::simulator::Simulator;
use crate::support::test_env::{TestEnv, file, spec};

const ROLE_TO_ASSUME: &str = "arn:aws:iam::210987654321:role/deployer";
const GUARDRAILS: &str =
    "rules: [{adoptableBuckets: [legacy-bucket], assumeRoles: [\"arn:aws:iam::210987654321:role/deployer\"],
    executionRoles: [\"arn:aws:iam::123456789012:role/models/theirs\"]}]";

/// A role that the user made for a model.
const EXECUTION_ROLE: &str = "arn:aws:iam::123456789012:role/models/theirs";

const IMAGE: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:1";

/// What asking whose the credentials are needs cannot be taken away, so no policy grants it.
const ALWAYS_ALLOWED: &str = "sts:GetCallerIdentity";

/// A call of the operator, with what it needs.
pub struct Call {
    operation: String,
    account: String,
    needs: Vec<Need>,
}

impl Call {
    /// The actions that it needs.
    pub fn actions(&self) -> impl Iterator<Item = &str> {
        self.needs.iter().map(|need| need.action.as_str())
    }
}

/// An action on a resource, with what IAM knows when it is asked for it.
struct Need {
    action: String,
    resource: String,
    conditions: BTreeMap<String, String>,
}

/// The operator's own calls, as it names itself in them.
fn calls(env: &TestEnv) -> Vec<Call> {
    calls_of(&env.aws)
}

/// The same in a simulator.
pub fn calls_of(aws: &Simulator) -> Vec<Call> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let ours = |call: &Value| text(&call["userAgent"]).contains("app/aiplatform");
    let read = |call: Value| {
        let permissions: Vec<(String, String)> = serde_json::from_value(call["permissions"].clone()).expect("pairs");
        let conditions: Vec<BTreeMap<String, String>> =
            serde_json::from_value(call["conditions"].clone()).expect("condition keys");
        let (operation, account) = (text(&call["operation"]), text(&call["account"]));
        let needs = permissions.into_iter().zip(conditions).filter(|((action, _), _)| action != ALWAYS_ALLOWED);
        let needs = needs.map(|((action, resource), mut conditions)| {
            conditions.extend(of_service(&operation, &action));
            Need { action, resource, conditions }
        });
        Call { needs: needs.collect(), operation, account }
    };
    aws.calls().into_iter().filter(ours).map(read).collect()
}

/// What services tell IAM of their own calls, by condition key.
fn of_service(operation: &str, action: &str) -> Option<(String, String)> {
    let value = match action {
        "sagemaker:AddTags" if operation.starts_with("Create") => ("sagemaker:TaggingAction", operation),
        "iam:PassRole" if operation.ends_with("PodIdentityAssociation") => {
            ("iam:PassedToService", "pods.eks.amazonaws.com")
        }
        "iam:PassRole" if operation == "CreateModel" => ("iam:PassedToService", "sagemaker.amazonaws.com"),
        "iam:CreateServiceLinkedRole" => ("iam:AWSServiceName", "sagemaker.application-autoscaling.amazonaws.com"),
        // All that the operator scales is SageMaker's, and what SageMaker asks for itself too.
        _ if action.starts_with("application-autoscaling:") => {
            ("application-autoscaling:service-namespace", "sagemaker")
        }
        _ => return None,
    };
    Some((value.0.into(), value.1.into()))
}

/// The statements of all policies whose name begins so.
pub fn statements(policies: &Value, name: &str) -> Vec<Value> {
    let policies = policies["policies"].as_array().expect("policies");
    let named = policies.iter().filter(|policy| policy["name"].as_str().is_some_and(|found| found.starts_with(name)));
    named.flat_map(|policy| policy["document"]["Statement"].as_array().expect("statements").clone()).collect()
}

fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        other => other.as_str().into_iter().collect(),
    }
}

fn like(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|held| like(rest, &text[held..])),
        Some((b'?', rest)) => !text.is_empty() && like(rest, &text[1..]),
        Some((expected, rest)) => text.first() == Some(expected) && like(rest, &text[1..]),
    }
}

/// Whether a condition of a statement holds.
fn holds(operator: &str, wanted: &Value, found: Option<&String>, account: &str) -> bool {
    let wanted = strings(wanted).into_iter().map(|wanted| wanted.replace("${aws:PrincipalAccount}", account));
    let (mut wanted, is_there) = (wanted.collect::<Vec<_>>().into_iter(), found.is_some());
    let found = found.map(String::as_str).unwrap_or_default();
    match operator {
        "StringEquals" => is_there && wanted.any(|wanted| wanted == found),
        "StringLike" => is_there && wanted.any(|wanted| like(wanted.as_bytes(), found.as_bytes())),
        "StringLikeIfExists" => !is_there || wanted.any(|wanted| like(wanted.as_bytes(), found.as_bytes())),
        other => panic!("nobody knows what {other} means"),
    }
}

/// Whether a statement allows what somebody of the account needs.
fn allows(statement: &Value, account: &str, need: &Need) -> bool {
    let any = |value: &Value, text: &str| strings(value).iter().any(|item| like(item.as_bytes(), text.as_bytes()));
    let conditions = statement["Condition"].as_object().into_iter().flatten();
    let mut conditions =
        conditions.flat_map(|(operator, keys)| keys.as_object().into_iter().flatten().map(move |it| (operator, it)));
    strings(&statement["Action"]).contains(&need.action.as_str())
        && any(&statement["Resource"], &need.resource)
        && conditions.all(|(operator, (key, wanted))| holds(operator, wanted, need.conditions.get(key), account))
}

/// Fails unless the statements allow everything that the calls need; the actions needed.
pub fn assert_allowed<'a>(statements: &[Value], calls: impl Iterator<Item = &'a Call>) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for call in calls {
        for need in &call.needs {
            let Need { action, resource, conditions } = need;
            let allowed = statements.iter().any(|statement| allows(statement, &call.account, need));
            assert!(
                allowed,
                "{}: {action} on {resource} with {conditions:?} is not allowed by\n{statements:#?}",
                call.operation
            );
            used.insert(action.clone());
        }
    }
    used
}

pub fn actions(statements: &[Value]) -> BTreeSet<String> {
    statements.iter().flat_map(|statement| strings(&statement["Action"])).map(ToString::to_string).collect()
}

/// The actions but for those about networks, which this platform has none of: `adapters::network::permissions` has.
fn but_for_networks(statements: &[Value]) -> BTreeSet<String> {
    let is_of_networks = |action: &String| action.starts_with("ec2:") || action.starts_with("route53:");
    actions(statements).into_iter().filter(|action| !is_of_networks(action)).collect()
}

pub fn printed(arguments: &[&str]) -> Value {
    let output = command().arg("operator-policy").args(arguments).output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// A platform that makes the operator do everything it can.
fn everything(boundary: &str) -> Value {
    let mut wanted = spec(json!([
        {"name": "scratch", "deletionPolicy": "DeleteWithContents", "lifecycle": {"rules": [{"id": "x", "expiration": {"days": 10}}]}},
        {"name": "legacy", "bucketName": "legacy-bucket", "adopt": true},
    ]));
    wanted["identity"] = json!({"podIdentity": {"clusterArn": "arn:aws:eks:eu-west-1:123456789012:cluster/prod"}});
    wanted["permissionsBoundaryArn"] = json!(boundary);
    wanted["access"] =
        json!([{"name": "api", "serviceAccount": {"name": "support-api"}, "buckets": [{"name": "scratch"}]}]);
    wanted["tags"] = json!({"project": "assistant", "passing": "yes"});
    wanted["models"] = json!([
        {"name": "rank", "sagemaker": {
            "image": IMAGE, "instance": {"type": "ml.m5.xlarge"},
            "autoscaling": {
                "minInstances": 1, "maxInstances": 4, "target": {"invocationsPerInstance": {"value": 600}},
                "schedules": [{"name": "morning", "schedule": "cron(0 7 ? * MON-FRI *)", "minInstances": 2}],
            },
        }},
        {"name": "theirs", "sagemaker": {
            "image": IMAGE, "executionRoleArn": EXECUTION_ROLE, "serverless": {"memoryMiB": 1024, "maxConcurrency": 5},
        }},
    ]);
    wanted
}

/// The same, a revision later, with less around it.
fn moved_on(first: &Value) -> Value {
    let mut changed = first.clone();
    changed["storage"]["buckets"][0]["tlsOnly"] = json!(false);
    changed["tags"] = json!({"project": "assistant"});
    changed["models"][0]["sagemaker"]["environment"] = json!({"REVISION": "2"});
    changed["models"][0]["sagemaker"]["keepRevisions"] = json!(0);
    changed["models"][0]["sagemaker"]["logs"] = json!({"kmsKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/1234abcd"});
    changed["models"][0]["sagemaker"]["autoscaling"]["target"] = json!({"concurrentRequestsPerModel": {"value": 4}});
    changed["models"][0]["sagemaker"]["autoscaling"]["schedules"] = json!([]);
    changed
}

/// A platform of another account.
fn elsewhere() -> Value {
    let mut wanted = spec(json!([{"name": "far", "deletionPolicy": "DeleteWithContents"}]));
    wanted["accountId"] = json!("210987654321");
    wanted["assumeRole"] = json!({"roleArn": ROLE_TO_ASSUME});
    wanted["identity"] = json!({"irsa": {"oidcProviderArn":
        "arn:aws:iam::210987654321:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC"}});
    wanted["access"] =
        json!([{"name": "batch", "serviceAccount": {"name": "support-batch"}, "buckets": [{"name": "far"}]}]);
    wanted
}

#[tokio::test]
async fn every_call_is_allowed_and_nothing_is_allowed_for_nothing() {
    let mut env = TestEnv::guarded("allowed", GUARDRAILS).await;
    let boundary = prepare(&env).await;
    let (first, second) = (everything(&boundary), elsewhere());
    env.apply("assistant", &first).await;
    env.apply("elsewhere", &second).await;
    let object = env.wait_ready("assistant").await;
    env.wait_ready("elsewhere").await;
    let resources = object.status.expect("a status").resources;
    let name = |kind: &str| {
        let found = resources.iter().find(|resource| resource.kind == kind);
        found.unwrap_or_else(|| panic!("a {kind}")).name.clone()
    };
    open(&env, &name("Bucket")).await;
    // What it looks after already, an operator that has just begun reads through lists, and what no list tells as well.
    env.restart_operator();
    for repair in ["PutPublicAccessBlock", "PutBucketEncryption"] {
        env.wait(repair, async || calls(&env).iter().any(|call| call.operation == repair)).await;
    }
    for list in ["GetAccountAuthorizationDetails", "ListEndpoints"] {
        env.wait(list, async || calls(&env).iter().any(|call| call.operation == list)).await;
    }
    spoil(&env, &name("Role")).await;
    for repair in [
        "DeleteRolePolicy",
        "UpdateAssumeRolePolicy",
        "PutRolePermissionsBoundary",
        "TagRole",
        "UntagRole",
        "UpdatePodIdentityAssociation",
        "TagResource",
        "UntagResource",
    ] {
        env.poke("assistant").await;
        env.wait(repair, async || calls(&env).iter().any(|call| call.operation == repair)).await;
    }
    env.wait_ready("assistant").await;

    // A bucket that may not be read: whose it is, the list of buckets tells.
    let unreadable = json!({"action": "s3:GetBucketTagging", "resource": format!("arn:aws:s3:::{}", name("Bucket"))});
    env.aws.control("deny", unreadable.clone());
    env.poke("assistant").await;
    env.wait("a look at the list", async || calls(&env).iter().any(|call| call.operation == "ListBuckets")).await;
    let mut readable = unreadable;
    readable["remove"] = json!(true);
    env.aws.control("deny", readable);

    let mut last = moved_on(&first);
    env.apply("assistant", &last).await;
    env.wait_ready("assistant").await;
    last.as_object_mut().expect("a spec").remove("permissionsBoundaryArn");
    last["models"][0]["sagemaker"].as_object_mut().expect("a model").remove("logs");
    env.apply("assistant", &last).await;
    env.wait_ready("assistant").await;
    fill(&env, &name("Bucket"), &name("Role"), &boundary).await;
    for platform in ["assistant", "elsewhere"] {
        env.delete(platform).await;
        env.wait_until_gone(platform).await;
    }

    let calls = calls(&env);
    // Which roles the operator may work through, and which it may hand on beside its own, is only known from files.
    let (known_from_files, general): (Vec<&Call>, Vec<&Call>) = calls.iter().partition(|call| {
        let on_theirs = |need: &Need| need.action == "iam:PassRole" && need.resource == EXECUTION_ROLE;
        call.operation == "AssumeRole" || call.needs.iter().any(on_theirs)
    });
    assert!(["AssumeRole", "CreateModel"].iter().all(|it| known_from_files.iter().any(|call| call.operation == *it)));
    for arguments in [vec![], vec!["--cluster-name", "tests"]] {
        let for_any = statements(&printed(&arguments), "aiplatform-operator-");
        assert_eq!(assert_allowed(&for_any, general.iter().copied()), but_for_networks(&for_any));
    }

    let of_account = |account: &'static str| calls.iter().filter(move |call| call.account == account);
    // Where every role has a boundary, nothing takes it off, and all else goes on.
    let unbinds = |call: &&Call| call.operation == "DeleteRolePermissionsBoundary";
    let bounded = || of_account("123456789012").filter(|call| !unbinds(call));
    let unbinding = of_account("123456789012").find(unbinds).expect("the boundary was taken off");
    let rules = format!(
        "rules: [{{namespaces: {{names: [\"{}\"]}}, bucketNames: [], adoptableBuckets: [legacy-bucket], permissionsBoundaryArn: \"{boundary}\",
        executionRoles: [\"{EXECUTION_ROLE}\"], assumeRoles: [\"{ROLE_TO_ASSUME}\"], accounts: [\"123456789012\"]}}]",
        env.namespace
    );
    let guardrails = file(&rules);
    let guarded = printed(&["--guardrails", guardrails.to_str().expect("a path"), "--cluster-name", "tests"]);
    let guarded = statements(&guarded, "aiplatform-operator-");
    assert_eq!(assert_allowed(&guarded, bounded()), but_for_networks(&guarded));

    let object = |name: &str, spec: &Value| {
        json!({"apiVersion": "aiplatform.dev/v1alpha1", "kind": "AIPlatform",
            "metadata": {"name": name, "namespace": env.namespace}, "spec": spec})
    };
    let platforms = file(&format!("{}\n---\n{}", object("assistant", &first), object("elsewhere", &second)));
    let narrowed = printed(&["-f", platforms.to_str().expect("a path"), "--cluster-name", "tests"]);
    let own = statements(&narrowed, "aiplatform-operator-");
    assert_eq!(assert_allowed(&own, bounded()), actions(&own));
    for statements in [&guarded, &own] {
        let allowed = |need| statements.iter().any(|statement| allows(statement, "123456789012", need));
        assert!(!unbinding.needs.iter().all(allowed), "nobody takes a boundary off");
    }
    let through = statements(&narrowed, "aiplatform-through-210987654321-deployer-");
    assert!(!assert_allowed(&through, of_account("210987654321")).is_empty());
    // A list is of the account of whoever calls.
    for other in of_account("210987654321").flat_map(|call| &call.needs).filter(|need| need.resource != "*") {
        let allowed = own.iter().any(|statement| allows(statement, "123456789012", other));
        assert!(!allowed, "{} on {} belongs to the other account", other.action, other.resource);
    }
}

/// What is there before: a cluster, a role to assume, a bucket to adopt, a role for a model, a boundary.
async fn prepare(env: &TestEnv) -> String {
    env.aws.control("eks/cluster", json!({"name": "prod", "region": "eu-west-1"}));
    env.aws.control("sts/assumable", json!({"roleArn": ROLE_TO_ASSUME}));
    let here = BucketLocationConstraint::from("eu-west-1");
    let configuration = CreateBucketConfiguration::builder().location_constraint(here).build();
    let call = env.aws.s3().create_bucket().bucket("legacy-bucket").create_bucket_configuration(configuration);
    call.send().await.expect("made");
    let document = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": "sagemaker.amazonaws.com"}}]});
    let call = env.aws.iam().create_role().role_name("theirs").path("/models/");
    call.assume_role_policy_document(trust.to_string()).send().await.expect("made");
    let call = env.aws.iam().create_policy().policy_name("boundary").policy_document(document.to_string());
    call.send().await.expect("made").policy.and_then(|policy| policy.arn).expect("an ARN")
}

/// Changes everything about a role and its association by hand.
async fn spoil(env: &TestEnv, role: &str) {
    let (iam, eks) = (env.aws.iam(), env.aws.eks());
    let wide = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]});
    let call = iam.put_role_policy().role_name(role).policy_name("more").policy_document(wide.to_string());
    call.send().await.expect("put");
    let open = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"AWS": "arn:aws:iam::123456789012:root"}}]});
    let call = iam.update_assume_role_policy().role_name(role).policy_document(open.to_string());
    call.send().await.expect("put");
    iam.delete_role_permissions_boundary().role_name(role).send().await.expect("gone");
    iam.untag_role().role_name(role).tag_keys("aiplatform.dev/team").send().await.expect("gone");
    let stray = Tag::builder().key("aiplatform.dev/stray").value("x").build().expect("a tag");
    iam.tag_role().role_name(role).tags(stray).send().await.expect("tagged");

    let listed = eks.list_pod_identity_associations().cluster_name("prod").send().await.expect("a list");
    let (id, arn) = (listed.associations()[0].association_id(), listed.associations()[0].association_arn());
    let call = eks.update_pod_identity_association().cluster_name("prod").set_association_id(id.map(Into::into));
    call.role_arn("arn:aws:iam::123456789012:role/theirs").send().await.expect("led elsewhere");
    let call = eks.tag_resource().set_resource_arn(arn.map(Into::into));
    let call = call.tags("aiplatform.dev/team", "raiders").tags("aiplatform.dev/stray", "x");
    call.send().await.expect("tagged");
}

/// Takes from a bucket what S3 gives each new one, so that it has to be put back.
async fn open(env: &TestEnv, bucket: &str) {
    let s3 = env.aws.s3();
    s3.delete_public_access_block().bucket(bucket).send().await.expect("gone");
    let theirs = ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::AwsKms);
    let rule = ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(theirs.build().expect("a default"))
        .build();
    let encryption = ServerSideEncryptionConfiguration::builder().rules(rule).build().expect("rules");
    let call = s3.put_bucket_encryption().bucket(bucket).server_side_encryption_configuration(encryption);
    call.send().await.expect("put");
}

/// Puts into a bucket, and on a role, what has to go before they can.
async fn fill(env: &TestEnv, bucket: &str, role: &str, policy: &str) {
    let s3 = env.aws.s3();
    let call = s3.put_object().bucket(bucket).key("one").body(ByteStream::from_static(b"x"));
    call.send().await.expect("put");
    s3.delete_object().bucket(bucket).key("one").send().await.expect("a delete marker");
    s3.create_multipart_upload().bucket(bucket).key("unfinished").send().await.expect("an upload");
    env.aws.iam().attach_role_policy().role_name(role).policy_arn(policy).send().await.expect("attached");
}

/// What the command says beside its output.
fn reported(arguments: &[&str]) -> String {
    let output = command().arg("operator-policy").args(arguments).output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn what_the_policies_leave_open_is_reported_beside_them() {
    let worth_the_account = "worth the account";
    let every_bucket = "every bucket of the account";
    let every_cluster = "--cluster-name";
    let open = reported(&[]);
    for part in [worth_the_account, every_bucket, every_cluster] {
        assert!(open.contains(part), "{part}: {open}");
    }
    let bounded = file("rules: [{permissionsBoundaryArn: \"arn:aws:iam::123456789012:policy/b\"}]");
    let bounded = bounded.to_str().expect("a path");
    let limited = ["--guardrails", bounded, "--bucket-name-pattern", "ml-*", "--cluster-name", "prod"];
    assert_eq!(reported(&limited), "");
    let half =
        file("rules: [{namespaces: {names: [a]}, permissionsBoundaryArn: \"arn:aws:iam::123456789012:policy/b\"}, {}]");
    let half = reported(&["--guardrails", half.to_str().expect("a path"), "--cluster-name", "prod"]);
    assert!(half.contains(worth_the_account), "{half}");
    let wanted = spec(json!([{"name": "a"}]));
    let unbounded = json!({"apiVersion": "aiplatform.dev/v1alpha1", "kind": "AIPlatform", "metadata": {"name": "x", "namespace": "n"}, "spec": wanted});
    let without_roles = file(&unbounded.to_string());
    assert_eq!(reported(&["-f", without_roles.to_str().expect("a path"), "--cluster-name", "prod"]), "");
}

#[test]
fn bad_input_is_reported() {
    let bad =
        file("apiVersion: aiplatform.dev/v1alpha1\nkind: AIPlatform\nmetadata: {name: x}\nspec: {region: nowhere}\n");
    let output = command().args(["operator-policy", "-f"]).arg(bad.as_os_str()).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("spec.region"));
    assert!(output.stdout.is_empty());
}

/// Consumers of everything: the policies of a platform take a hundred times what the platform takes in a file.
#[test]
fn the_policies_of_many_large_platforms_are_held_one_platform_at_a_time() {
    const PLATFORMS: usize = 60;
    const MOST_MIB: u64 = 100;
    const MEASURE: &str = "import resource, subprocess, sys\n\
        code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode\n\
        print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)\n";
    let names = |prefix: &str, count: usize| (0..count).map(|index| format!("{prefix}{index}")).collect::<Vec<_>>();
    let buckets: Vec<Value> = names("b", 14).iter().map(|name| json!({"name": name})).collect();
    let models: Vec<Value> = names("m", 14)
        .iter()
        .map(|name| json!({"name": name, "bedrock": {"modelId": "anthropic.claude-haiku-4-5-20251001-v1:0"}}))
        .collect();
    let access: Vec<Value> = names("c", 32)
        .iter()
        .map(|name| {
            let used: Vec<Value> =
                names("b", 14).iter().map(|bucket| json!({"name": bucket, "mode": "ReadWrite"})).collect();
            json!({"name": name, "serviceAccount": {"name": name}, "models": names("m", 14), "buckets": used})
        })
        .collect();
    let mut wanted = spec(json!(buckets));
    wanted["models"] = json!(models);
    wanted["access"] = json!(access);
    wanted["identity"] = json!({"irsa": {"oidcProviderArn": "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC"}});
    let object = |name: &String| json!({"apiVersion": "aiplatform.dev/v1alpha1", "kind": "AIPlatform", "metadata": {"name": name}, "spec": wanted});
    let objects: Vec<String> = names("p", PLATFORMS).iter().map(|name| object(name).to_string()).collect();
    let file = file(&objects.join("\n---\n"));
    let output = std::process::Command::new("python3")
        .args(["-c", MEASURE, env!("CARGO_BIN_EXE_aiplatform"), "operator-policy", "-f"])
        .arg(&file)
        .output()
        .expect("python runs");
    let reported = String::from_utf8_lossy(&output.stdout).into_owned();
    let (code, mebibytes) = reported.trim().split_once(' ').expect("two numbers");
    assert_eq!(code, "0");
    assert!(mebibytes.parse::<u64>().expect("a number") < MOST_MIB, "{mebibytes} MiB");
}
