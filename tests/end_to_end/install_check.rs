//! `install-check`: one line for each thing that an installation needs, against a real API server and the simulator.

use std::process::Output;

use aiplatform::api::AIPlatform;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::runtime::{conditions, wait::await_condition};
use kube::{Api, Client, CustomResourceExt};
use serde_json::{Value, json};

use crate::support::cluster::{self, Cluster};
use crate::support::operator::{Operator, command};
use crate::support::simulator::Simulator;
use crate::support::test_env::file;

const ACCOUNT: &str = "123456789012";
const ROLE: &str = "arn:aws:iam::123456789012:role/platform/operator";
const SERVICE_ACCOUNT: &str = "system:serviceaccount:aiplatform-system:aiplatform";

/// An installation to check: a cluster, an AWS, and the environment of whoever checks.
struct Installation<'a> {
    cluster: &'a Cluster,
    aws: Simulator,
    environment: Vec<(String, String)>,
}

impl Installation<'static> {
    /// One with an administrator's kubeconfig and credentials.
    async fn new() -> Self {
        let cluster = cluster::shared();
        cluster.install(&cluster.client().await).await;
        Self::on(cluster)
    }
}

impl<'a> Installation<'a> {
    fn on(cluster: &'a Cluster) -> Self {
        let aws = Simulator::start();
        let environment = [
            ("KUBECONFIG", cluster.kubeconfig()),
            ("AWS_ENDPOINT_URL", aws.url()),
            ("AWS_ACCESS_KEY_ID", "operator"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_REGION", "eu-west-1"),
        ];
        let environment = environment.map(|(name, value)| (name.to_string(), value.to_string())).into();
        Self { cluster, aws, environment }
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.into(), value.into()));
        self
    }

    fn unset(mut self, names: &[&str]) -> Self {
        self.environment.retain(|(known, _)| !names.contains(&known.as_str()));
        self
    }

    /// A role with the policies that `operator-policy` prints, but for those whose name ends so.
    async fn role(&self, without: &str) {
        let iam = self.aws.iam();
        let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
            "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}, "Action": "sts:AssumeRole"}]});
        let made = iam.create_role().role_name("operator").path("/platform/");
        made.assume_role_policy_document(trust.to_string()).send().await.expect("a role");
        let output = command().args(["operator-policy", "--cluster-name", "tests"]).output().expect("it runs");
        let printed: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        for policy in printed["policies"].as_array().expect("policies") {
            let name = policy["name"].as_str().expect("a name");
            if !name.ends_with(without) {
                let document = policy["document"].to_string();
                let made = iam.create_policy().policy_name(name).policy_document(document).send().await;
                let arn = made.expect("a policy").policy.and_then(|policy| policy.arn).expect("an ARN");
                iam.attach_role_policy().role_name("operator").policy_arn(arn).send().await.expect("attached");
            }
        }
    }

    fn check(&self, arguments: &[&str]) -> Checked {
        let environment = self.environment.iter().map(|(name, value)| (name, value));
        let run = command().args(["install-check", "--s3-path-style"]).args(arguments).envs(environment).output();
        Checked(run.expect("it runs"))
    }

    /// The same for the operator's service account, its role and its cluster.
    fn check_operator(&self) -> Checked {
        self.check(&["--cluster-name", "tests", "--as", SERVICE_ACCOUNT, "--role-arn", ROLE])
    }
}

/// What a check printed.
struct Checked(Output);

impl Checked {
    fn code(&self) -> Option<i32> {
        self.0.status.code()
    }

    fn text(&self) -> String {
        format!("{}{}", String::from_utf8_lossy(&self.0.stdout), String::from_utf8_lossy(&self.0.stderr))
    }

    /// The lines of an outcome and a part of the installation.
    fn lines(&self, outcome: &str, check: &str) -> Vec<String> {
        let head = format!("{outcome:<8} {check:<13} ");
        let text = self.text();
        text.lines().filter_map(|line| line.strip_prefix(&head)).map(ToString::to_string).collect()
    }

    /// The one line of an outcome and a part, which has all of this in it.
    fn one(&self, outcome: &str, check: &str, parts: &[&str]) {
        let lines = self.lines(outcome, check);
        assert_eq!(lines.len(), 1, "{outcome} {check}: {}", self.text());
        for part in parts {
            assert!(lines[0].contains(part), "{part}: {}", lines[0]);
        }
    }

    fn none(&self, outcome: &str) {
        let head = format!("{outcome:<8} ");
        assert!(!self.text().lines().any(|line| line.starts_with(&head)), "{outcome}: {}", self.text());
    }
}

#[tokio::test]
async fn an_installation_that_lacks_nothing_has_a_line_for_each_thing_and_exits_with_0() {
    let installation = Installation::new().await;
    installation.role("none").await;
    let checked = installation.check_operator();
    assert_eq!(checked.code(), Some(0), "{}", checked.text());
    checked.none("missing");
    checked.none("unknown");
    checked.one("ok", "API server", &["Kubernetes 1.", "https://127.0.0.1:"]);
    checked.one("ok", "definition", &["is the one of aiplatform"]);
    checked.one("ok", "cluster name", &["tests"]);
    checked.one("ok", "credentials", &["user/operator", ACCOUNT]);
    assert_eq!(checked.lines("ok", "clock").len(), 2, "{}", checked.text());
    assert!(checked.lines("ok", "RBAC").len() >= 15, "{}", checked.text());
    assert!(checked.lines("ok", "RBAC").iter().all(|line| line.starts_with(SERVICE_ACCOUNT)), "{}", checked.text());
    for service in ["sts", "s3", "iam", "eks", "sagemaker", "application-autoscaling", "logs", "ec2"] {
        let answers = format!("{service} in eu-west-1 answers at {}", installation.aws.url());
        assert!(checked.lines("ok", "endpoint").iter().any(|line| line.starts_with(&answers)), "{}", checked.text());
    }
    for action in ["iam:CreateRole", "s3:CreateBucket", "ec2:CreateVpcEndpoint", "sagemaker:CreateEndpoint"] {
        assert!(checked.lines("ok", "IAM").iter().any(|line| line.contains(action)), "{action}: {}", checked.text());
    }
    let agent = |line: &String| line.contains("EKS Pod Identity agent") && line.contains("eks-pod-identity-agent");
    assert!(checked.lines("absent", "optional").iter().any(agent), "{}", checked.text());
    for program in ["KEDA", "the Prometheus operator"] {
        let named = |outcome: &str| checked.lines(outcome, "optional").iter().any(|line| line.starts_with(program));
        assert!(named("ok") || named("absent"), "{program}: {}", checked.text());
    }
    assert!(checked.text().contains(" 0 missing, 0 unknown, "), "{}", checked.text());
    let writes = installation.aws.calls();
    let ours =
        writes.iter().filter(|call| call["userAgent"].as_str().is_some_and(|agent| agent.contains("aiplatform")));
    let is_read = |name: &str| ["Get", "List", "Describe", "Simulate"].iter().any(|read| name.starts_with(read));
    assert!(ours.clone().count() > 8);
    assert!(ours.clone().all(|call| is_read(call["operation"].as_str().expect("a name"))), "it changes nothing");

    let json =
        installation.check(&["--cluster-name", "tests", "--as", SERVICE_ACCOUNT, "--role-arn", ROLE, "-o", "json"]);
    let report: Value = serde_json::from_slice(&json.0.stdout).expect("JSON");
    assert_eq!(report["summary"]["missing"], 0);
    let checks = report["checks"].as_array().expect("checks");
    assert_eq!(checks.len() + 1, checked.text().lines().count(), "one line for each check, and a summary");
    assert!(checks.iter().all(|check| check["outcome"].is_string() && check["message"].is_string()), "{report:#}");
}

#[tokio::test]
async fn rights_are_told_by_whose_they_are() {
    let installation = Installation::new().await;
    let nobody = installation.check(&["--cluster-name", "tests", "--as", "system:serviceaccount:default:nobody"]);
    assert_eq!(nobody.code(), Some(1), "{}", nobody.text());
    let lines = nobody.lines("missing", "RBAC");
    let patch = lines.iter().any(|line| {
        line.contains("system:serviceaccount:default:nobody may not patch aiplatforms.aiplatform.dev/status")
            && line.contains("manifests/rbac.yaml")
    });
    assert!(patch, "{}", nobody.text());

    // The user of the tests has the rights of the manifest, but for leases, which are the service account's.
    let restricted = installation.cluster.operator_kubeconfig();
    let installation = installation.set("KUBECONFIG", &restricted);
    let own = installation.check(&["--cluster-name", "tests"]);
    assert!(
        own.lines("ok", "RBAC").iter().any(|line| line.starts_with("user may get, list, watch, patch aiplatforms"))
    );
    own.one("missing", "RBAC", &["user may not get, create, patch leases.coordination.k8s.io in namespace"]);
    own.one("ok", "definition", &["is the one of aiplatform"]);
    assert!(own.lines("unknown", "optional").iter().any(|line| line.contains("Pod Identity")), "{}", own.text());

    // It may not ask about others.
    let others = installation.check(&["--cluster-name", "tests", "--as", SERVICE_ACCOUNT]);
    let unknown = others.lines("unknown", "RBAC");
    assert!(unknown.iter().any(|line| line.contains("subjectaccessreviews") && line.contains("SubjectAccessReviews")));
    assert!(others.lines("missing", "RBAC").is_empty(), "what nobody says is not missing: {}", others.text());
}

#[tokio::test]
async fn a_watch_of_some_namespaces_needs_rights_in_them_and_a_name_for_the_cluster() {
    let installation = Installation::new().await;
    let arguments = ["--namespace", "support,search", "--as", "system:serviceaccount:operators:aiplatform"];
    let checked = installation.check(&arguments);
    let lines = checked.lines("missing", "RBAC");
    for part in [
        "aiplatforms.aiplatform.dev in namespace support",
        "aiplatforms.aiplatform.dev in namespace search",
        "leases.coordination.k8s.io in namespace operators",
        "namespaces kube-system: name the cluster with --cluster-name",
    ] {
        assert!(lines.iter().any(|line| line.contains(part)), "{part}: {}", checked.text());
    }
}

#[tokio::test]
async fn without_a_cluster_aws_is_checked_all_the_same() {
    let installation = Installation::new().await;
    let away = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "away",
        "clusters": [{"name": "away", "cluster": {"server": "http://127.0.0.1:9"}}],
        "contexts": [{"name": "away", "context": {"cluster": "away", "user": "nobody"}}],
        "users": [{"name": "nobody", "user": {"token": "none"}}],
    });
    let kubeconfig = file(&away.to_string());
    let installation = installation.set("KUBECONFIG", kubeconfig.to_str().expect("a path"));
    let away = installation.check(&[]);
    assert_eq!(away.code(), Some(1));
    away.one("missing", "API server", &["http://127.0.0.1:9 does not answer", "check KUBECONFIG"]);
    away.one("unknown", "definition", &["see to the API server"]);
    away.one("unknown", "RBAC", &["see to the API server"]);
    away.one("ok", "credentials", &[ACCOUNT]);
    away.one("unknown", "IAM", &["set --cluster-name"]);

    let installation = installation.unset(&["KUBECONFIG"]);
    let nowhere = installation.check(&["--cluster-name", "tests"]);
    assert_eq!(nowhere.code(), Some(1));
    nowhere.one("missing", "API server", &["no cluster: set KUBECONFIG"]);
    assert!(!nowhere.lines("ok", "IAM").is_empty(), "{}", nowhere.text());
}

#[tokio::test]
async fn credentials_of_a_kubeconfig_that_nobody_takes_are_missing() {
    let installation = Installation::new().await;
    let kubeconfig = installation.cluster.kubeconfig();
    let path = installation.cluster.kubeconfig_with(kubeconfig, "expired", "\"token\": \"", "\"token\": \"expired-");
    let checked = installation.set("KUBECONFIG", &path).check(&["--cluster-name", "tests"]);
    assert_eq!(checked.code(), Some(1));
    checked.one("missing", "API server", &["does not take the credentials", "Unauthorized", "renew"]);
}

#[tokio::test]
async fn missing_credentials_and_an_unreachable_endpoint_have_their_lines() {
    let installation = Installation::new().await.unset(&["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]);
    let checked = installation.check(&["--cluster-name", "tests"]);
    assert_eq!(checked.code(), Some(1), "{}", checked.text());
    checked.one("missing", "credentials", &["NoCredentials", "AWS_PROFILE", "docs/install.md"]);
    assert_eq!(checked.lines("unknown", "endpoint").len(), 8, "{}", checked.text());
    checked.one("unknown", "IAM", &["without credentials"]);

    let installation = Installation::new().await.set("AWS_ENDPOINT_URL_EKS", "http://127.0.0.1:9");
    let checked = installation.check(&["--cluster-name", "tests", "--region", "eu-west-1", "--region", "us-east-1"]);
    assert_eq!(checked.code(), Some(1), "{}", checked.text());
    let lines = checked.lines("missing", "endpoint");
    assert_eq!(lines.len(), 2, "{}", checked.text());
    for (line, region) in lines.iter().zip(["eu-west-1", "us-east-1"]) {
        assert!(line.starts_with(&format!("eks in {region} does not answer at http://127.0.0.1:9")), "{line}");
        assert!(line.contains("NetworkPolicy"), "{line}");
    }
    assert_eq!(checked.lines("ok", "endpoint").len(), 14, "{}", checked.text());

    let events = installation.check(&["--cluster-name", "tests", "--drift-events"]);
    for service in ["sqs", "events"] {
        assert!(events.text().contains(&format!("{service} in eu-west-1 ")), "{}", events.text());
    }
    assert!(events.lines("ok", "IAM").iter().any(|line| line.contains("sqs:CreateQueue")), "{}", events.text());
}

#[tokio::test]
async fn a_clock_that_is_off_by_an_hour_is_missing() {
    let installation = Installation::new().await;
    for (ahead, direction) in [(3600, "behind"), (-3600, "ahead of")] {
        installation.aws.control("clock", json!({"aheadSeconds": ahead}));
        let checked = installation.check(&["--cluster-name", "tests"]);
        assert_eq!(checked.code(), Some(1), "{}", checked.text());
        checked.one("missing", "clock", &[&format!("seconds {direction} that of AWS"), "NTP"]);
        checked.one("ok", "clock", &["agrees with that of the API server"]);
        // The SDK corrects what is signed, for the services whose refusals it knows.
        checked.one("ok", "credentials", &[ACCOUNT]);
    }
}

#[tokio::test]
async fn an_action_that_the_role_lacks_is_named_with_its_resource() {
    let installation = Installation::new().await;
    installation.role("-eks").await;
    let iam = installation.aws.iam();
    let denial = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Action": "s3:CreateBucket", "Resource": "*"}]});
    let put = iam.put_role_policy().role_name("operator").policy_name("no-buckets");
    put.policy_document(denial.to_string()).send().await.expect("written");
    let checked = installation.check_operator();
    assert_eq!(checked.code(), Some(1), "{}", checked.text());
    let lines = checked.lines("missing", "IAM");
    let has = |parts: &[&str]| lines.iter().any(|line| parts.iter().all(|part| line.contains(part)));
    let way_out = "aiplatform operator-policy prints";
    let cluster = "on arn:aws:eks:eu-west-1:123456789012:cluster/*";
    assert!(has(&[ROLE, "may not eks:CreatePodIdentityAssociation", cluster, way_out]), "{}", checked.text());
    assert!(has(&["is denied s3:CreateBucket on arn:aws:s3:::", "by no-buckets"]), "{}", checked.text());
    assert!(!has(&["sagemaker:"]), "{}", checked.text());
    checked.none("unknown");
}

#[tokio::test]
async fn a_boundary_of_the_operators_role_is_told_from_its_policies() {
    let installation = Installation::new().await;
    installation.role("none").await;
    let iam = installation.aws.iam();
    let narrow = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:*", "iam:*", "eks:*", "ec2:*", "route53:*", "sagemaker:*", "logs:*",
            "cloudwatch:*"], "Resource": "*"}]});
    let made = iam.create_policy().policy_name("narrow").policy_document(narrow.to_string()).send().await;
    let arn = made.expect("a policy").policy.and_then(|policy| policy.arn).expect("an ARN");
    let put = iam.put_role_permissions_boundary().role_name("operator").permissions_boundary(arn);
    put.send().await.expect("bounded");
    let checked = installation.check_operator();
    let lines = checked.lines("missing", "IAM");
    assert!(!lines.is_empty(), "{}", checked.text());
    for line in &lines {
        assert!(line.contains("the permissions boundary of") && line.contains("application-autoscaling:"), "{line}");
    }
}

#[tokio::test]
async fn who_may_not_simulate_is_told_that_permissions_are_unknown() {
    let installation = Installation::new().await;
    installation.role("none").await;
    installation.aws.control("deny", json!({"action": "iam:SimulatePrincipalPolicy"}));
    let checked = installation.check_operator();
    assert_eq!(checked.code(), Some(0), "unknown is not missing: {}", checked.text());
    checked.one("unknown", "IAM", &["iam:SimulatePrincipalPolicy", "--role-arn"]);
    assert!(checked.lines("ok", "IAM").is_empty(), "and not ok: {}", checked.text());
}

#[tokio::test]
async fn a_pods_own_role_is_found_whatever_its_path() {
    let installation = Installation::new().await;
    installation.role("none").await;
    let token = file("a token, which the simulator does not read");
    let token = token.to_str().expect("a path").to_string();
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Principal": {"Federated": "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC"},
        "Action": "sts:AssumeRoleWithWebIdentity"}]});
    let update = installation.aws.iam().update_assume_role_policy().role_name("operator");
    update.policy_document(trust.to_string()).send().await.expect("trusted");
    let installation = installation
        .unset(&["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
        .set("AWS_ROLE_ARN", ROLE)
        .set("AWS_WEB_IDENTITY_TOKEN_FILE", &token);
    let checked = installation.check(&["--cluster-name", "tests", "--as", SERVICE_ACCOUNT]);
    checked.one("ok", "credentials", &["assumed-role/operator/", ACCOUNT]);
    checked.none("missing");
    assert!(checked.lines("ok", "IAM").len() > 20, "{}", checked.text());
}

#[test]
fn bad_input_is_one_line_that_names_it() {
    for (arguments, part) in [
        (vec!["--guardrails", "no-such-file.yaml"], "no-such-file.yaml: cannot be read"),
        (vec!["--role-arn", "operator"], "is not the ARN of a role or user"),
        (vec!["--role-arn", "arn:aws:sts::123456789012:assumed-role/a/b"], "is not the ARN of a role or user"),
        (vec!["--region", "Ireland"], "is not a region such as eu-west-1"),
        (vec!["--namespace", "Team"], "is not the name of a namespace"),
        (vec!["-f", "no-such-file.yaml"], "no-such-file.yaml: cannot be read"),
    ] {
        let output = command().arg("install-check").args(&arguments).output().expect("it runs");
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {complaint}");
        assert!(complaint.contains(part), "{complaint}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

/// A control plane whose definition is of another version.
async fn with_definition(cluster: &Cluster, change: impl FnOnce(&mut Value)) {
    let client = cluster.client().await;
    let mut definition = serde_json::to_value(AIPlatform::crd()).expect("JSON");
    change(&mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]);
    apply(&client, &definition).await;
}

async fn apply(client: &Client, definition: &Value) {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let (name, parameters) = (AIPlatform::crd_name(), PatchParams::apply("tests").force());
    definitions.patch(name, &parameters, &Patch::Apply(definition)).await.expect("taken");
    let served = await_condition(definitions, name, conditions::is_crd_established());
    tokio::time::timeout(crate::support::DEADLINE, served).await.expect("in time").expect("served");
}

/// Waits for a line of a check: what the API server publishes follows its definitions a moment later.
async fn wait_for_line(installation: &Installation<'_>, outcome: &str, part: &str) -> Checked {
    let began = std::time::Instant::now();
    loop {
        let checked = installation.check(&["--cluster-name", "tests"]);
        if checked.lines(outcome, "definition").iter().any(|line| line.contains(part)) {
            return checked;
        }
        assert!(began.elapsed() < crate::support::DEADLINE, "{outcome} {part}: {}", checked.text());
        tokio::time::sleep(crate::support::PERIOD).await;
    }
}

#[tokio::test]
async fn a_definition_of_another_version_shows_in_the_check_in_readiness_and_in_metrics() {
    let cluster = &Cluster::start();
    let installation = Installation::on(cluster);
    let none = wait_for_line(&installation, "missing", "is not installed").await;
    none.one("missing", "definition", &["aiplatform crd | kubectl apply"]);

    with_definition(cluster, |properties| {
        properties["spec"]["properties"].as_object_mut().expect("fields").remove("network");
        properties["spec"].as_object_mut().expect("a schema").remove("x-kubernetes-validations");
    })
    .await;
    let older = wait_for_line(&installation, "missing", "older").await;
    assert_eq!(older.code(), Some(1));
    older.one("missing", "definition", &["it lacks spec.network", "aiplatform crd | kubectl apply"]);
    let environment: Vec<(&str, String)> =
        installation.environment.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    let operator = Operator::start(&["--cluster-name", "tests"], &environment);
    let line = operator.wait_for_log("definition");
    assert!(line.contains("WARN") && line.contains("it lacks spec.network"), "{line}");
    let (status, text) = operator.page("/readyz");
    assert_eq!(status, 503);
    assert!(text.contains("definition: ") && text.contains("aiplatform crd | kubectl apply"), "{text}");
    assert_eq!(operator.metric("aiplatform_obstacle{part=\"definition\"}"), 1);
    assert_eq!(operator.metric("aiplatform_obstacle{part=\"cluster\"}"), 0);

    apply(&cluster.client().await, &serde_json::to_value(AIPlatform::crd()).expect("JSON")).await;
    wait_for_line(&installation, "ok", "is the one of aiplatform").await;
    let began = std::time::Instant::now();
    while operator.page("/readyz").0 != 200 {
        assert!(began.elapsed() < crate::support::DEADLINE, "{}", operator.page("/readyz").1);
        tokio::time::sleep(crate::support::PERIOD).await;
    }
    assert_eq!(operator.metric("aiplatform_obstacle{part=\"definition\"}"), 0);

    with_definition(cluster, |properties| {
        properties["spec"]["properties"]["future"] = json!({"type": "string"});
    })
    .await;
    let newer = wait_for_line(&installation, "ok", "newer").await;
    newer.one("ok", "definition", &["ignores spec.future"]);
    assert_eq!(operator.page("/readyz").0, 200, "an older operator is ready beside a newer definition");
}
