//! Every example becomes Ready and goes again, with the operator as it is installed: the rights of the manifest, and a role
//! with exactly the policies that `operator-policy` prints, which AWS enforces.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use aiplatform::api::AIPlatform;
use aws_sdk_s3::primitives::ByteStream;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams,
};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use super::adoption;
use crate::support::cluster::Cluster;
use crate::support::operator::{Operator, command};
use crate::support::simulator::Simulator;
use crate::support::test_env::{condition, file};
use crate::support::{DEADLINE, PERIOD};

const ROLE: &str = "arn:aws:iam::123456789012:role/aiplatform-operator";
const BOUNDARY: &str = "ml-boundary";
/// A bucket that is there before its platform.
const ADOPTED: &str = "support-artifacts-123456789012";
/// Roles that consumers have already.
const CONSUMERS: [&str; 2] = ["support-analyst", "support-evaluation"];
const VPC: &str = "vpc-0a1b2c3d4e5f60718";
const TABLE: &str = "rtb-0a1b2c3d4e5f60718";
const SUBNETS: [(&str, &str); 2] =
    [("subnet-0a1b2c3d4e5f60711", "eu-west-1a"), ("subnet-0a1b2c3d4e5f60712", "eu-west-1b")];
/// A group that examples let in, and that EC2 gives another id here.
const CLIENTS: &str = "sg-0a1b2c3d4e5f60718";

/// What examples take for granted, and who looks after them.
struct Installed {
    cluster: Cluster,
    client: Client,
    aws: Simulator,
    operator: Operator,
    clients: String,
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

/// The trust policy of a role that its service account assumes, as the example of an installation has it.
fn trust() -> String {
    let path = example("installation/eks-irsa/trust.json");
    std::fs::read_to_string(path).expect("the example")
}

/// A role with the policies that are printed for these guardrails.
async fn role(aws: &Simulator, guardrails: &str) {
    let iam = aws.iam();
    let made = iam.create_role().role_name("aiplatform-operator").assume_role_policy_document(trust());
    made.send().await.expect("a role");
    let arguments = ["operator-policy", "--cluster-name", "tests", "--guardrails", guardrails];
    let output = command().args(arguments).output().expect("it runs");
    let printed: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    for policy in printed["policies"].as_array().expect("policies") {
        let made = iam.create_policy().policy_name(policy["name"].as_str().expect("a name"));
        let made = made.policy_document(policy["document"].to_string()).send().await.expect("a policy");
        let arn = made.policy.and_then(|policy| policy.arn).expect("an ARN");
        iam.attach_role_policy().role_name("aiplatform-operator").policy_arn(arn).send().await.expect("attached");
    }
}

/// What the examples name and do not make: a boundary, roles, a cluster of EKS, a network.
async fn prerequisites(aws: &Simulator) -> String {
    let everything =
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
    let made = aws.iam().create_policy().policy_name(BOUNDARY).policy_document(everything.to_string());
    made.send().await.expect("a boundary");
    for name in CONSUMERS {
        let made = aws.iam().create_role().role_name(name).assume_role_policy_document(trust());
        made.send().await.expect("a role");
    }
    aws.control("eks/cluster", json!({"name": "prod", "region": "eu-west-1"}));
    aws.control("ec2/vpc", json!({"region": "eu-west-1", "vpcId": VPC}));
    for (subnet, zone) in SUBNETS {
        aws.control("ec2/subnet", json!({"region": "eu-west-1", "vpcId": VPC, "zone": zone, "subnetId": subnet}));
    }
    let subnets = SUBNETS.map(|(subnet, _)| subnet);
    let table = json!({"region": "eu-west-1", "vpcId": VPC, "routeTableId": TABLE, "subnetIds": subnets});
    aws.control("ec2/route-table", table);
    let group = aws.ec2().create_security_group().group_name("clients").description("clients").vpc_id(VPC);
    group.send().await.expect("a group").group_id.expect("an id")
}

impl Installed {
    async fn new() -> Self {
        let cluster = Cluster::start_with_nodes();
        let client = cluster.client().await;
        cluster.install(&client).await;
        let aws = Simulator::start();
        let clients = prerequisites(&aws).await;
        let guardrails = file(&format!(
            "rules: [{{accounts: [\"123456789012\"], regions: [eu-west-1], adoptableBuckets: [{ADOPTED}], \
             permissionsBoundaryArn: \"arn:aws:iam::123456789012:policy/{BOUNDARY}\"}}]"
        ));
        role(&aws, guardrails.to_str().expect("a path")).await;
        aws.control("enforce", json!({"on": true}));
        let token = file("a token, which the simulator does not read");
        let environment = [
            ("KUBECONFIG", cluster.operator_kubeconfig()),
            ("AWS_ENDPOINT_URL", aws.url().to_string()),
            ("AWS_REGION", "eu-west-1".into()),
            ("AWS_ROLE_ARN", ROLE.into()),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().expect("a path").into()),
        ];
        let arguments = ["--cluster-name", "tests", "--guardrails", guardrails.to_str().expect("a path")];
        let operator = Operator::start(&arguments, &environment);
        operator.wait_for_log("watching");
        // Both are read at the start, and the token again for each new session.
        std::mem::forget(token);
        Self { cluster, client, aws, operator, clients }
    }

    /// The platforms of an example, with the id that the group of clients has here.
    fn platforms(&self, name: &str) -> (String, Vec<(String, String)>) {
        let text = std::fs::read_to_string(example(name)).expect("the example").replace(CLIENTS, &self.clients);
        let value = |line: &str, key: &str| line.trim().strip_prefix(key).map(|value| value.trim().to_string());
        let mut found = Vec::new();
        for document in text.split("\n---\n") {
            let lines = document.lines().skip_while(|line| *line != "metadata:").skip(1);
            let head: Vec<&str> = lines.take_while(|line| line.starts_with("  ")).collect();
            let field = |key: &str| head.iter().find_map(|line| value(line, key)).expect("a field of the metadata");
            found.push((field("namespace:"), field("name:")));
        }
        (text, found)
    }

    async fn namespace(&self, name: &str) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        if namespaces.get_opt(name).await.expect("an answer").is_none() {
            let mut namespace = Namespace::default();
            namespace.metadata.name = Some(name.into());
            namespaces.create(&PostParams::default(), &namespace).await.expect("a namespace");
        }
    }

    /// Puts what models load into the buckets that are there by now.
    async fn upload(&self) {
        let s3 = self.aws.s3();
        for bucket in s3.list_buckets().send().await.expect("buckets").buckets() {
            let bucket = bucket.name().expect("a name");
            for key in ["models/rank/1.4.0/model.tar.gz", "models/triage/2.1.0/model.tar.gz", "models/rank/1.4.0/x"] {
                let put = s3.put_object().bucket(bucket).key(key).body(ByteStream::from_static(b"x"));
                // A bucket with a key of its own, or one that is on its way out, takes none.
                let _ = put.send().await;
            }
        }
    }

    /// What KEDA answers to what it is asked to scale, where its API is installed.
    async fn take_up_scaled_objects(&self) {
        let kind = GroupVersionKind::gvk("keda.sh", "v1alpha1", "ScaledObject");
        let resource = ApiResource::from_gvk_with_plural(&kind, "scaledobjects");
        let all: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource);
        let ready = json!({"type": "Ready", "status": "True", "reason": "ScaledObjectReady"});
        let patch = Patch::Merge(json!({"status": {"conditions": [ready]}}));
        for object in all.list(&ListParams::default()).await.map(|list| list.items).unwrap_or_default() {
            let namespace = object.namespace().expect("a namespace");
            let one: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &namespace, &resource);
            // One that is on its way out may be gone by now.
            let _ = one.patch_status(&object.name_any(), &PatchParams::default(), &patch).await;
        }
    }

    async fn unready(&self, platforms: &[(String, String)]) -> BTreeMap<String, Value> {
        let mut unready = BTreeMap::new();
        for (namespace, name) in platforms {
            let api: Api<AIPlatform> = Api::namespaced(self.client.clone(), namespace);
            let object = api.get(name).await.expect("the object");
            let is_ready = object.status.as_ref().is_some_and(|status| {
                status.observed_generation == object.metadata.generation
                    && condition(status, "Ready").is_some_and(|ready| ready.status == "True")
            });
            if !is_ready {
                unready.insert(format!("{namespace}/{name}"), json!(object.status));
            }
        }
        unready
    }

    async fn becomes_ready_and_goes(&self, name: &str) {
        let (text, platforms) = self.platforms(name);
        self.become_ready(name, &text, &platforms).await;
        self.go(name, &platforms).await;
    }

    async fn become_ready(&self, name: &str, text: &str, platforms: &[(String, String)]) {
        for (namespace, _) in platforms {
            self.namespace(namespace).await;
        }
        self.cluster.kubectl(&["apply", "--server-side", "-f", "-"], text).expect("applied");
        let began = Instant::now();
        loop {
            self.upload().await;
            self.take_up_scaled_objects().await;
            let unready = self.unready(platforms).await;
            if unready.is_empty() {
                break;
            }
            assert!(began.elapsed() < 2 * DEADLINE, "{name}: {unready:#?}\n{}", self.operator.log());
            tokio::time::sleep(10 * PERIOD).await;
        }
    }

    async fn go(&self, name: &str, platforms: &[(String, String)]) {
        for (namespace, name) in platforms.iter().rev() {
            let api: Api<AIPlatform> = Api::namespaced(self.client.clone(), namespace);
            api.delete(name, &DeleteParams::default()).await.expect("deleted");
        }
        let all: Api<AIPlatform> = Api::all(self.client.clone());
        let began = Instant::now();
        loop {
            let left = all.list(&ListParams::default()).await.expect("a list").items;
            if left.is_empty() {
                break;
            }
            let left: Vec<Value> = left.iter().map(|object| json!([object.name_any(), object.status])).collect();
            assert!(began.elapsed() < 2 * DEADLINE, "{name} does not go: {left:#?}\n{}", self.operator.log());
            tokio::time::sleep(10 * PERIOD).await;
        }
    }

    /// The operator's calls that AWS did not allow.
    fn denied(&self) -> Vec<String> {
        let calls = self.aws.calls();
        let ours =
            calls.iter().filter(|call| call["userAgent"].as_str().is_some_and(|agent| agent.contains("aiplatform")));
        let denied = |call: &&Value| {
            let code = call["result"]["code"].as_str().unwrap_or_default();
            code.contains("AccessDenied") || code == "UnauthorizedOperation"
        };
        ours.filter(denied).map(|call| format!("{} {}", call["operation"], call["parameters"])).collect()
    }
}

#[tokio::test]
async fn every_example_on_aws_becomes_ready_and_goes_with_the_printed_permissions_alone() {
    let installed = Installed::new().await;
    for name in [
        "minimal.yaml",
        "storage.yaml",
        "bedrock.yaml",
        "ranking.yaml",
        "assistant.yaml",
        "private.yaml",
        "everything.yaml",
    ] {
        let began = Instant::now();
        installed.becomes_ready_and_goes(name).await;
        eprintln!("{name}: {:?}", began.elapsed());
    }
    assert_eq!(installed.denied(), Vec::<String>::new(), "nothing is tried that is not allowed");
    assert!(!installed.operator.log().contains("forbidden"), "{}", installed.operator.log());
}

#[tokio::test]
async fn platforms_that_share_a_network_become_ready_and_go_with_the_printed_permissions_alone() {
    let installed = Installed::new().await;
    installed.becomes_ready_and_goes("multi-tenant.yaml").await;
    assert_eq!(installed.denied(), Vec::<String>::new(), "nothing is tried that is not allowed");
}

#[tokio::test]
async fn models_in_the_cluster_become_ready_and_go_with_the_printed_permissions_alone() {
    let installed = Installed::new().await;
    for name in ["scaledobjects", "podmonitors"] {
        let definitions = format!("{}/tests/cluster/crds/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
        installed.cluster.kubectl(&["apply", "--server-side", "-f", &definitions], "").expect("installed");
    }
    installed.becomes_ready_and_goes("in-cluster.yaml").await;
    assert_eq!(installed.denied(), Vec::<String>::new(), "nothing is tried that is not allowed");
    assert!(!installed.operator.log().contains("forbidden"), "{}", installed.operator.log());
}

#[tokio::test]
async fn a_platform_that_adopts_becomes_ready_and_goes_with_the_printed_permissions_alone() {
    let installed = Installed::new().await;
    adoption::make_bucket(&installed.aws).await;
    let endpoint = adoption::make_endpoint(&installed.aws).await;
    let (text, platforms) = installed.platforms("adoption.yaml");
    let full = text.replace("managementPolicy: Observe", "managementPolicy: Full");
    assert_ne!(full, text);
    installed.become_ready("adoption.yaml", &full, &platforms).await;
    installed.go("adoption.yaml", &platforms).await;
    assert_eq!(installed.denied(), Vec::<String>::new(), "nothing is tried that is not allowed");
    installed.aws.s3().head_bucket().bucket(ADOPTED).send().await.expect("the bucket stays");
    let left = installed.aws.ec2().describe_vpc_endpoints().vpc_endpoint_ids(endpoint).send().await;
    assert_eq!(left.expect("the endpoint stays").vpc_endpoints().len(), 1);
}
