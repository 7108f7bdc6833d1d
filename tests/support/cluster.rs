//! A real Kubernetes API server, one for all tests, with a namespace for each.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use aiplatform::api::AIPlatform;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::{conditions, wait::await_condition};
use kube::{Api, Client, Config, CustomResourceExt};

use super::DEADLINE;
use super::child::Server;

/// A control plane.
pub struct Cluster {
    server: Server,
}

/// The control plane that all tests share.
pub fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(Cluster::start)
}

impl Cluster {
    /// Starts a control plane of its own.
    pub fn start() -> Self {
        Self { server: Server::start("tests/cluster/control_plane.py", &["start"]) }
    }

    /// The path of its kubeconfig.
    pub fn kubeconfig(&self) -> &str {
        self.server.field("kubeconfig")
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

    /// Installs the custom resource definition and waits until it serves.
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
    }

    /// Runs kubectl; its output, or what it complained about.
    pub fn kubectl(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        let mut process = Command::new(self.server.field("kubectl"))
            .args(arguments)
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
