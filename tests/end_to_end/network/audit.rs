//! `audit --live` of networks.

use super::*;
use crate::support::operator::command;
use crate::support::test_env::environment;

/// Lets the subnets of a table out, as somebody might by hand.
async fn lead_out(env: &TestEnv) {
    let ec2 = env.aws.ec2();
    let gateway = ec2.create_internet_gateway().send().await.expect("a gateway").internet_gateway.expect("a gateway");
    let gateway = gateway.internet_gateway_id.expect("an id");
    ec2.attach_internet_gateway().internet_gateway_id(&gateway).vpc_id(VPC).send().await.expect("attached");
    let route = ec2.create_route().route_table_id(TABLE).destination_cidr_block("0.0.0.0/0").gateway_id(gateway);
    route.send().await.expect("a route");
}

#[tokio::test]
async fn an_audit_reports_subnets_that_lead_to_the_internet_and_names_borrowers() {
    let env = env("network-audit").await;
    let mut owner = bedrock_only(json!({"shareWith": {"namespaces": []}}));
    owner["models"] = json!([]);
    env.apply("shared", &owner).await;
    env.wait_ready("shared").await;
    let mut borrowing = spec(json!([]));
    borrowing["network"] = json!({"from": {"namespace": env.namespace, "name": "shared"}});
    borrowing["models"] = json!([{"name": "fast", "bedrock": {"modelId": "anthropic.claude-haiku-4-5-20251001-v1:0"}}]);
    env.apply("one", &borrowing).await;
    env.wait_ready("one").await;

    let file = tempfile::NamedTempFile::new().expect("a file");
    let object = json!({"apiVersion": "aiplatform.dev/v1alpha1", "kind": "AIPlatform",
        "metadata": {"name": "shared", "namespace": env.namespace}, "spec": owner});
    std::fs::write(file.path(), object.to_string()).expect("written");
    let audit = |format: &str| {
        let path = file.path().to_str().expect("a path");
        let arguments = ["--live", "--s3-path-style", "--cluster-name", "tests", "-o", format, "-f", path];
        let output = command().arg("audit").args(arguments).envs(environment(env.cluster, &env.aws)).output();
        let output = output.expect("it runs");
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let text = audit("text");
    assert!(text.contains(&format!("(AIPlatform {}/one borrows the network)", env.namespace)), "{text}");
    assert!(!text.contains("subnet-public"), "{text}");

    lead_out(&env).await;
    let writes = env.aws.call_count();
    let found: Value = serde_json::from_str(&audit("json")).expect("JSON");
    let findings = found["platforms"][0]["findings"].as_array().expect("findings");
    let public = findings.iter().filter(|finding| finding["rule"] == "subnet-public");
    let subjects: Vec<&Value> = public.map(|finding| &finding["subject"]).collect();
    assert_eq!(subjects, ["spec.network.subnetIds[0]", "spec.network.subnetIds[1]"]);
    let policies = found["platforms"][0]["endpointPolicies"].to_string();
    assert!(policies.contains("claude-haiku"), "{policies}");
    assert_eq!(env.aws.writes_since_call(writes), Vec::<String>::new());
}
