//! `run --guardrails`: what an object may ask for is not its own say.

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::operator::command;
use crate::support::test_env::{TestEnv, condition, environment, file, resource_names, spec};

/// A spec that asks for what has to be allowed by name.
fn asking() -> Value {
    let mut wanted = spec(json!([{"name": "a", "bucketName": "legacy-bucket", "adopt": true}]));
    wanted["assumeRole"] = json!({"roleArn": "arn:aws:iam::123456789012:role/deployer"});
    wanted
}

/// Calls about objects: the operator's readiness asks whose its credentials are, in every test.
fn calls(env: &TestEnv) -> Vec<String> {
    env.aws.calls().iter().filter(|call| call["service"] != "sts").map(|call| call["operation"].to_string()).collect()
}

async fn label(env: &TestEnv, labels: Value) {
    let namespaces: Api<Namespace> = Api::all(env.client.clone());
    let patch = json!({"metadata": {"labels": labels}});
    namespaces.patch(&env.namespace, &PatchParams::default(), &Patch::Merge(patch)).await.expect("labelled");
}

#[tokio::test]
async fn a_platform_outside_its_bounds_stalls_before_any_call_and_heals() {
    let guardrails = "rules: [{regions: [us-east-1, eu-west-1], accounts: [\"210987654321\"]}]";
    let env = TestEnv::guarded("bounds", guardrails).await;
    env.apply("assistant", &asking()).await;
    let reported = env.wait_stalled("assistant", "NotPermitted").await;
    for part in [
        "spec.accountId: \"123456789012\" is not allowed here (allowed: 210987654321)",
        "spec.assumeRole.roleArn: \"arn:aws:iam::123456789012:role/deployer\"",
        "spec.storage.buckets[0].adopt: \"legacy-bucket\"",
        "the operator's guardrails",
    ] {
        assert!(reported.contains(part), "{part} is not in {reported}");
    }
    assert!(!reported.contains("spec.region"), "{reported}");
    assert_eq!(calls(&env), Vec::<String>::new());
    assert!(env.events("assistant").await.iter().any(|(reason, _)| reason == "NotPermitted"));

    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    assert_eq!(calls(&env), Vec::<String>::new(), "nothing was ever made");
}

#[tokio::test]
async fn an_edit_that_is_refused_deletes_no_more_than_what_was_accepted() {
    let env = TestEnv::new("refused-edit").await;
    let bucket = |policy: &str| json!([{"name": "a", "deletionPolicy": policy}]);
    env.apply("assistant", &spec(bucket("Retain"))).await;
    let name = resource_names(&env.wait_ready("assistant").await).remove(0);
    let s3 = env.aws.s3();
    let body = aws_sdk_s3::primitives::ByteStream::from_static(b"x");
    s3.put_object().bucket(&name).key("kept").body(body).send().await.expect("put");

    let mut refused = reaching();
    refused["storage"]["buckets"] = bucket("DeleteWithContents");
    env.apply("assistant", &refused).await;
    env.wait_stalled("assistant", "NotPermitted").await;
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    assert!(s3.head_object().bucket(&name).key("kept").send().await.is_ok(), "kept with what is in it");

    // The names are used again, by a platform that was never permitted.
    env.apply("assistant", &refused).await;
    env.wait_stalled("assistant", "NotPermitted").await;
    let calls = env.aws.call_count();
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
    assert_eq!(env.aws.writes_since_call(calls), Vec::<String>::new());
    assert!(s3.head_object().bucket(&name).key("kept").send().await.is_ok(), "not its own to delete");
}

#[tokio::test]
async fn without_the_file_what_has_to_be_allowed_by_name_is_refused() {
    let env = TestEnv::new("unguarded").await;
    env.apply("assistant", &asking()).await;
    let reported = env.wait_stalled("assistant", "NotPermitted").await;
    assert!(
        reported.contains("spec.assumeRole.roleArn") && reported.contains("spec.storage.buckets[0].adopt"),
        "{reported}"
    );
    assert!(reported.contains("--guardrails"), "{reported}");
    assert_eq!(calls(&env), Vec::<String>::new());
    env.apply("assistant", &reaching()).await;
    let reported = env.wait_stalled("assistant", "NotPermitted").await;
    for part in [
        "spec.models[0].sagemaker.modelData.uri: \"s3://models-of-others/rank/model.tar.gz\" is not allowed here",
        "spec.access[0].principalArns[0]: \"arn:aws:iam::210987654321:role/partner\" is not allowed here \
         (allowed: the users and roles of account 123456789012)",
        "spec.access[1].serviceAccount.namespace: \"kube-system\" is not allowed here (allowed: none)",
    ] {
        assert!(reported.contains(part), "{part} is not in {reported}");
    }
    assert!(
        !reported.contains("bucketName") && !reported.contains("image") && !reported.contains("clusterArn"),
        "{reported}"
    );
    assert_eq!(calls(&env), Vec::<String>::new());
    env.apply("assistant", &spec(json!([{"name": "a"}]))).await;
    env.wait_ready("assistant").await;
}

/// A spec that reaches for things beside the platform.
fn reaching() -> Value {
    let key = "arn:aws:kms:eu-west-1:123456789012:alias/finance";
    let bucket = json!({"name": "a", "bucketName": "payroll", "encryption": {"kmsKeyArn": key}});
    let mut wanted = spec(json!([bucket]));
    wanted["identity"] =
        json!({"podIdentity": {"clusterArn": "arn:aws:eks:eu-central-1:123456789012:cluster/finance"}});
    wanted["models"] = json!([{"name": "rank", "sagemaker": {
        "image": "345678901234.dkr.ecr.eu-west-1.amazonaws.com/miner:1",
        "modelData": {"uri": "s3://models-of-others/rank/model.tar.gz"},
        "instance": {"type": "ml.m5.large"},
    }}]);
    wanted["access"] = json!([
        {"name": "partner", "principalArns": ["arn:aws:iam::210987654321:role/partner"], "models": ["rank"]},
        {"name": "system", "serviceAccount": {"name": "default", "namespace": "kube-system"}, "models": ["rank"]},
    ]);
    wanted
}

#[tokio::test]
async fn whatever_the_operator_refuses_every_command_refuses_in_the_same_words() {
    let rule = json!({
        "regions": ["eu-west-1"], "bucketNames": ["ml-*"], "kmsKeys": ["arn:aws:kms:*:123456789012:alias/ml-*"],
        "images": ["123456789012.dkr.ecr.*"], "modelDataUris": ["s3://ml-models/*"],
        "principals": ["arn:aws:iam::123456789012:role/*"], "consumerNamespaces": ["apps"],
    });
    let env = TestEnv::guarded("agree", &json!({"rules": [rule]}).to_string()).await;
    let wanted = reaching();
    let expected = [
        "spec.storage.buckets[0].bucketName: \"payroll\" is not allowed here (allowed: ml-*)",
        "spec.storage.buckets[0].encryption.kmsKeyArn: \"arn:aws:kms:eu-west-1:123456789012:alias/finance\" is not",
        "spec.models[0].sagemaker.image: \"345678901234.dkr.ecr.eu-west-1.amazonaws.com/miner:1\" is not allowed here",
        "spec.models[0].sagemaker.modelData.uri: \"s3://models-of-others/rank/model.tar.gz\" is not allowed here",
        "spec.access[0].principalArns[0]: \"arn:aws:iam::210987654321:role/partner\" is not allowed here",
        "spec.access[1].serviceAccount.namespace: \"kube-system\" is not allowed here (allowed: apps)",
        "spec.identity.podIdentity.clusterArn: \"arn:aws:eks:eu-central-1:123456789012:cluster/finance\" is not allowed \
         here (allowed: clusters in eu-west-1)",
    ];
    env.apply("assistant", &wanted).await;
    let reported = env.wait_stalled("assistant", "NotPermitted").await;
    for part in expected {
        assert!(reported.contains(part), "{part} is not in {reported}");
    }
    assert_eq!(calls(&env), Vec::<String>::new());

    let object = json!({"apiVersion": "aiplatform.dev/v1alpha1", "kind": "AIPlatform",
        "metadata": {"name": "assistant", "namespace": env.namespace}, "spec": wanted});
    let manifest = file(&object.to_string());
    let path = manifest.to_str().expect("a path");
    let live = ["--s3-path-style", "--cluster-name", "tests"];
    for (subcommand, code) in [
        (vec!["plan"], 2),
        (vec!["operator-policy"], 2),
        ([vec!["diff"], live.to_vec()].concat(), 2),
        (vec!["audit", "-o", "json"], 1),
        ([vec!["audit", "--live", "-o", "json"], live.to_vec()].concat(), 1),
    ] {
        let arguments = [subcommand.clone(), vec!["--guardrails", env.guardrails(), "-f", path]].concat();
        let environment = environment(env.cluster, &env.aws);
        let output = command().args(&arguments).envs(environment).output().expect("it runs");
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{subcommand:?}: {complaint}");
        let said = if code == 1 { not_permitted(&output.stdout) } else { complaint };
        for part in expected {
            assert!(said.contains(part), "{part} is not what {subcommand:?} says: {said}");
        }
    }
}

/// What an audit's findings of severity error say is not permitted.
fn not_permitted(audit: &[u8]) -> String {
    let audit: Value = serde_json::from_slice(audit).expect("JSON");
    let findings = audit["platforms"][0]["findings"].as_array().expect("findings").clone();
    let refused = findings.iter().filter(|it| it["rule"] == "not-permitted" && it["severity"] == "error");
    let text =
        |it: &Value| format!("{}: {}", it["subject"].as_str().expect("text"), it["message"].as_str().expect("it"));
    refused.map(text).collect::<Vec<_>>().join("\n")
}

#[test]
fn rules_that_ask_for_labels_are_unknown_offline_in_the_same_words() {
    let guardrails = file("rules: [{namespaces: {labels: {tier: prod}}, regions: [us-east-1]}]");
    let path = guardrails.to_str().expect("a path");
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/storage.yaml");
    let said = ["plan", "audit", "operator-policy"].map(|subcommand| {
        let arguments = [subcommand, "--guardrails", path, "-f", example];
        let output = command().args(arguments).output().expect("it runs");
        assert_eq!(output.status.code(), Some(0), "{subcommand}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stderr).into_owned()
    });
    assert!(said[0].contains("labels") && said[0].contains("unknown"), "{}", said[0]);
    // What else the operator's own policy has to say stands on lines of its own.
    assert!(said.iter().all(|it| it.starts_with(&said[0])), "{said:?}");
}

#[tokio::test]
async fn a_model_outside_its_bounds_stalls_before_any_call() {
    let guardrails = "rules: [{instanceTypes: [\"ml.m5.*\"], maxInstances: 1}]";
    let env = TestEnv::guarded("models", guardrails).await;
    let mut wanted = spec(json!([{"name": "a"}]));
    wanted["models"] = json!([{"name": "rank", "sagemaker": {
        "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:1.4.0",
        "executionRoleArn": "arn:aws:iam::123456789012:role/own",
        "instance": {"type": "ml.g5.xlarge", "count": 2},
    }}]);
    env.apply("assistant", &wanted).await;
    let reported = env.wait_stalled("assistant", "NotPermitted").await;
    for part in [
        "spec.models[0].sagemaker.executionRoleArn: \"arn:aws:iam::123456789012:role/own\" is not allowed here",
        "spec.models[0].sagemaker.instance.type: \"ml.g5.xlarge\" is not allowed here (allowed: ml.m5.*)",
        "spec.models[0].sagemaker.instance.count: 2 is more than a model may have here (at most 1)",
    ] {
        assert!(reported.contains(part), "{part} is not in {reported}");
    }
    assert_eq!(calls(&env), Vec::<String>::new());
}

#[tokio::test]
async fn a_rule_with_labels_follows_the_namespaces_labels() {
    let rules = "rules:\n- namespaces: {names: [\"labels-*\"], labels: {tier: prod}}\n- regions: [us-east-1]\n";
    let env = TestEnv::guarded("labels", rules).await;
    env.apply("assistant", &spec(json!([{"name": "a"}]))).await;
    let reported = env.wait_stalled("assistant", "NotPermitted").await;
    assert!(reported.contains("spec.region: \"eu-west-1\"") && reported.contains("us-east-1"), "{reported}");

    let object = json!({"apiVersion": "aiplatform.dev/v1alpha1", "kind": "AIPlatform",
        "metadata": {"name": "assistant", "namespace": env.namespace}, "spec": spec(json!([{"name": "a"}]))});
    let manifest = file(&object.to_string());
    let diff = || {
        command()
            .args(["diff", "--s3-path-style", "--cluster-name", "tests", "--guardrails", env.guardrails()])
            .args(["-f", manifest.to_str().expect("a path")])
            .envs(environment(env.cluster, &env.aws))
            .output()
            .expect("it runs")
    };
    let refused = diff();
    assert_eq!(refused.status.code(), Some(2));
    let complaint = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(complaint.contains(":1: spec.region: \"eu-west-1\" is not allowed here"), "{complaint}");

    label(&env, json!({"tier": "prod"})).await;
    env.poke("assistant").await;
    env.wait_ready("assistant").await;
    assert_eq!(diff().status.code(), Some(0), "{}", String::from_utf8_lossy(&diff().stderr));

    label(&env, json!({"tier": null})).await;
    env.poke("assistant").await;
    env.wait_stalled("assistant", "NotPermitted").await;
    let status = env.api().get("assistant").await.expect("it").status.expect("a status");
    assert!(condition(&status, "Stalled").is_some());
    env.delete("assistant").await;
    env.wait_until_gone("assistant").await;
}

#[test]
fn a_bad_file_ends_every_command_with_its_complaints() {
    let guardrails = file("rules:\n- region: [eu-west-1]\n  mostInstances: 8\n");
    let path = guardrails.to_str().expect("a path");
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/storage.yaml");
    for arguments in [
        vec!["run"],
        vec!["plan", "-f", example],
        vec!["diff", "-f", example],
        vec!["audit", "-f", example],
        vec!["operator-policy"],
    ] {
        let output = command().args(&arguments).args(["--guardrails", path]).output().expect("it runs");
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {complaint}");
        assert_eq!(complaint.trim_end().lines().count(), 2, "{complaint}");
        let found = format!("{path}:2: rules[0].region: unknown field; did you mean regions?");
        assert!(
            complaint.contains(&found) && complaint.contains("rules[0].mostInstances: unknown field"),
            "{complaint}"
        );
    }
}

#[test]
fn a_plan_shows_what_the_operator_would_do() {
    const BOUNDARY: &str = "arn:aws:iam::123456789012:policy/boundary";
    let mut wanted = spec(json!([{"name": "a", "adopt": true, "bucketName": "legacy-a"}]));
    wanted["access"] =
        json!([{"name": "api", "principalArns": ["arn:aws:iam::123456789012:role/api"], "buckets": [{"name": "a"}]}]);
    let object = json!({"apiVersion": "aiplatform.dev/v1alpha1", "kind": "AIPlatform", "metadata": {"name": "x"}, "spec": wanted});
    let manifest = file(&object.to_string());
    let plan = |guardrails: Option<&str>| {
        let mut command = command();
        command.args(["plan", "-o", "json", "-f", manifest.to_str().expect("a path")]);
        command.envs(guardrails.map(|path| ("AIPLATFORM_GUARDRAILS", path))).output().expect("it runs")
    };
    assert_eq!(plan(None).status.code(), Some(0), "without the file nothing is refused");

    let rule = format!("permissionsBoundaryArn: \"{BOUNDARY}\"");
    let bounded =
        file(&format!("rules: [{{namespaces: {{labels: {{a: b}}}}}}, {{adoptableBuckets: [\"legacy-?\"], {rule}}}]"));
    let output = plan(bounded.to_str());
    let notes = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{notes}");
    assert!(notes.contains("labels"), "{notes}");
    let plans: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let steps = plans["platforms"][0]["steps"].as_array().expect("steps");
    let bounded_role = steps.iter().find(|step| step["kind"] == "Role").expect("a role");
    assert!(bounded_role["desired"].to_string().contains(BOUNDARY), "{bounded_role:#}");

    let strict = file("rules: [{}]");
    let refused = plan(strict.to_str());
    assert_eq!(refused.status.code(), Some(2));
    let complaint = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(complaint.contains("spec.storage.buckets[0].adopt: \"legacy-a\" is not allowed here"), "{complaint}");
}
