//! A real Kubernetes API server, one for all tests, with a namespace for each.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use aiplatform::api::AIPlatform;
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::{conditions, wait::await_condition};
use kube::{Api, Client, Config, CustomResourceExt};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::child::Server;
use super::{DEADLINE, PERIOD};

/// A control plane.
pub struct Cluster {
    server: Server,
    granted: OnceCell<()>,
}

/// The control plane that all tests share.
pub fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(Cluster::start)
}

/// A control plane with nodes and controllers, for the tests in which Deployments have pods.
pub fn with_nodes() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(Cluster::start_with_nodes)
}

impl Cluster {
    /// Starts a control plane of its own.
    pub fn start() -> Self {
        Self::start_with(&["start"])
    }

    /// Starts a control plane of its own with nodes and controllers.
    pub fn start_with_nodes() -> Self {
        Self::start_with(&["start", "--nodes", "2"])
    }

    fn start_with(arguments: &[&str]) -> Self {
        Self { server: Server::start("tests/cluster/control_plane.py", arguments), granted: OnceCell::new() }
    }

    /// The path of its kubeconfig.
    pub fn kubeconfig(&self) -> &str {
        self.server.field("kubeconfig")
    }

    /// The path of a kubeconfig with the operator's own rights and no others.
    pub fn operator_kubeconfig(&self) -> String {
        format!("{}/operator.kubeconfig", self.server.field("directory"))
    }

    /// Gives the operator the rights of `manifests/rbac.yaml`, and waits until they hold.
    async fn grant(&self, client: &Client) {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/rbac.yaml");
        self.kubectl(&["apply", "-f", manifest], "").expect("the manifest is taken");
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "operator-of-the-tests"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "aiplatform"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "user"}],
        });
        self.kubectl(&["apply", "-f", "-"], &binding.to_string()).expect("the binding is taken");
        let kubeconfig = std::fs::read_to_string(self.kubeconfig()).expect("the kubeconfig");
        let restricted = kubeconfig.replace(self.server.field("token"), self.server.field("user_token"));
        std::fs::write(self.operator_kubeconfig(), restricted).expect("written");
        let list = json!({"group": "aiplatform.dev", "resource": "aiplatforms", "verb": "list"});
        self.wait_allowed(client, "user", &list).await;
    }

    /// The path of a copy of a kubeconfig with some of its text replaced, such as the address of the API server.
    pub fn kubeconfig_with(&self, kubeconfig: &str, name: &str, from: &str, to: &str) -> String {
        let text = std::fs::read_to_string(kubeconfig).expect("the kubeconfig");
        assert!(text.contains(from), "no {from} in {text}");
        let path = format!("{}/{name}.kubeconfig", self.server.field("directory"));
        std::fs::write(&path, text.replace(from, to)).expect("written");
        path
    }

    /// The path of a kubeconfig of an administrator who acts as somebody else, with that user's rights and no others.
    pub fn kubeconfig_as(&self, user: &str) -> String {
        let token = self.server.field("token");
        let acting = format!("{token}\", \"as\": \"{user}");
        self.kubeconfig_with(self.kubeconfig(), user, token, &acting)
    }

    /// Where the API server listens, such as `127.0.0.1:6443`.
    pub fn address(&self) -> String {
        let url = self.server.field("server");
        url.split_once("://").map_or(url, |(_, address)| address).trim_end_matches('/').to_string()
    }

    /// Gives a user the rights for leader election in a namespace, which the manifest limits to the operator's own.
    pub async fn grant_leases(&self, client: &Client, namespace: &str) {
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": "leases", "namespace": namespace},
            "rules": [{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "patch"]}],
        });
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "leases", "namespace": namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "leases"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "user"}],
        });
        for object in [role, binding] {
            self.kubectl(&["apply", "-f", "-"], &object.to_string()).expect("it is taken");
        }
        let lease =
            json!({"group": "coordination.k8s.io", "resource": "leases", "verb": "create", "namespace": namespace});
        self.wait_allowed(client, "user", &lease).await;
    }

    /// Rights hold a moment after they were given.
    pub async fn wait_allowed(&self, client: &Client, user: &str, attributes: &Value) {
        let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
        let review = json!({"metadata": {}, "spec": {"user": user, "resourceAttributes": attributes}});
        let review = serde_json::from_value(review).expect("a review");
        let began = std::time::Instant::now();
        loop {
            let answer = reviews.create(&PostParams::default(), &review).await.expect("an answer");
            if answer.status.is_some_and(|status| status.allowed) {
                return;
            }
            assert!(began.elapsed() < DEADLINE, "the right never holds: {attributes}");
            tokio::time::sleep(PERIOD).await;
        }
    }

    /// A client for the runtime of this test.
    pub async fn client(&self) -> Client {
        let kubeconfig = Kubeconfig::read_from(self.kubeconfig()).expect("the kubeconfig is there");
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        Client::try_from(config.expect("the kubeconfig is good")).expect("a client can be made")
    }

    /// A new namespace.
    pub async fn namespace(&self, client: &Client, prefix: &str) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{prefix}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(name.clone());
        let namespaces: Api<Namespace> = Api::all(client.clone());
        namespaces.create(&PostParams::default(), &namespace).await.expect("a namespace can be made");
        name
    }

    /// Installs the custom resource definition and the operator's rights, and waits until both serve.
    pub async fn install(&self, client: &Client) {
        let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
        let parameters = PatchParams::apply("tests").force();
        let name = AIPlatform::crd_name();
        definitions
            .patch(name, &parameters, &Patch::Apply(AIPlatform::crd()))
            .await
            .expect("the API server takes the definition");
        let established = await_condition(definitions, name, conditions::is_crd_established());
        tokio::time::timeout(DEADLINE, established).await.expect("in time").expect("it is served");
        self.granted.get_or_init(|| self.grant(client)).await;
    }

    /// Runs kubectl; its output, or what it complained about.
    pub fn kubectl(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        self.kubectl_in(&[], arguments, input)
    }

    /// Runs kubectl with something else in its environment, such as a `PATH` with plugins.
    pub fn kubectl_with(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Result<String, String> {
        self.kubectl_in(environment, arguments, "")
    }

    fn kubectl_in(&self, environment: &[(&str, &str)], arguments: &[&str], input: &str) -> Result<String, String> {
        let mut process = Command::new(self.server.field("kubectl"))
            .args(arguments)
            .envs(environment.iter().copied())
            .env("KUBECONFIG", self.kubeconfig())
            .env("KUBECACHEDIR", format!("{}/kubectl-cache", self.server.field("directory")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        process.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("kubectl reads");
        let output = process.wait_with_output().expect("kubectl ends");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }
}
