//! Serving engines: the container that serves a model, and which arguments and variables are not the user's to set.

mod arguments;
mod custom;
mod environment;
mod tgi;
mod torchserve;
mod vllm;

use serde::Serialize;

use crate::api::kubernetes::{Engine, EnvVar, Kubernetes};
use crate::platform::Problem;

/// The port of a model's Service, whatever port the engine listens on.
pub const SERVICE_PORT: i32 = 8000;

/// The folder in the container at which a volume that holds the weights is mounted.
pub const MODEL_FOLDER: &str = "/mnt/models";

/// The folder in the container that holds caches, downloaded weights among them. It is the engine's home, too.
pub const CACHE_FOLDER: &str = "/cache";

/// The folder for temporary files.
const TEMPORARY_FOLDER: &str = "/tmp";

/// The location of the weights, as the container sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights<'a> {
    /// A repository on the Hugging Face Hub, which the engine downloads itself.
    Hub {
        /// `OWNER/NAME`.
        repo: &'a str,
        /// A commit, tag or branch.
        revision: Option<&'a str>,
    },
    /// A folder of the container.
    Folder(&'a str),
    /// Inside the image, where only the image knows.
    InImage,
}

/// The model that a container serves.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Its spec.
    pub spec: &'a Kubernetes,
    /// Its name in the platform.
    pub model: &'a str,
    /// The place of its weights.
    pub weights: Weights<'a>,
}

impl<'a> Input<'a> {
    /// The name by which clients ask for the model.
    #[must_use]
    pub fn served_name(&self) -> &'a str {
        self.spec.served_name.as_deref().unwrap_or(self.model)
    }
}

/// The container that serves a model. Resources, mounts of the weights and `/dev/shm` are the pod's.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// The image.
    pub image: String,
    /// The command; empty where the image's own entry point is meant.
    pub command: Vec<String>,
    /// The command's arguments, those of the user last.
    pub args: Vec<String>,
    /// Environment variables, those of the user last.
    pub env: Vec<EnvVar>,
    /// The working directory, unless the image's own is meant.
    pub working_dir: Option<String>,
    /// The port that serves the API and the probes.
    pub port: i32,
    /// The path of the API on that port, without a slash at its end.
    pub api_path: String,
    /// Metrics for Prometheus, if the engine is known to have any.
    pub metrics: Option<Metrics>,
    /// The probe during startup; the others begin when it has succeeded once.
    pub startup: Probe,
    /// The probe that decides whether requests are sent to the pod.
    pub readiness: Probe,
    /// The probe that decides whether the container is restarted.
    pub liveness: Probe,
    /// Folders that have to be volumes for the container to write to. [`CACHE_FOLDER`] grows by what is downloaded.
    pub writable: Vec<String>,
    /// True when the rest of the file system can be read-only.
    pub read_only_root: bool,
    /// The user, unless it is the image's own.
    pub user: Option<User>,
    /// True when root is refused, the image's own user included.
    pub run_as_non_root: bool,
    /// Seconds between the decision to stop the pod and the signal to the engine. In them, the pod is taken out of the
    /// Service everywhere.
    pub pre_stop_seconds: i64,
    /// Seconds between the decision to stop the pod and its end, those before the signal included.
    pub termination_grace_seconds: i64,
}

/// A user, by the ids that the kernel knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Its id; never 0.
    pub uid: i64,
    /// The id of its group.
    pub gid: i64,
    /// The group that volumes are made writable for.
    pub volume_gid: i64,
}

/// A place with metrics for Prometheus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Metrics {
    /// The port.
    pub port: i32,
    /// The path.
    pub path: &'static str,
}

/// A probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// The attempt.
    #[serde(flatten)]
    pub check: Check,
    /// Seconds from one try to the next.
    pub period_seconds: i32,
    /// Seconds after which a try without an answer has failed.
    pub timeout_seconds: i32,
    /// Failures in a row after which the probe has failed.
    pub failure_threshold: i32,
}

/// The attempt that a probe makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Check {
    /// A GET of this path on the port of the API is answered with 200.
    Path(&'static str),
    /// This command in the container ends with 0.
    Command(Vec<String>),
}

/// Metrics, by the names under which Prometheus knows them, that tell how busy a pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueMetrics {
    /// Requests that wait.
    pub waiting: &'static str,
    /// Requests that are worked on.
    pub running: &'static str,
}

/// The container of a model whose spec is valid.
#[must_use]
pub fn container(input: &Input) -> Container {
    match input.spec.engine {
        Engine::Vllm => vllm::container(input),
        Engine::Tgi => tgi::container(input),
        Engine::TorchServe => torchserve::container(input),
        Engine::Custom => custom::container(input),
    }
}

/// The problems of the part of a spec that is the engine's, in the order of the spec: a default image for other
/// devices than the pod's; arguments and environment variables that aiplatform sets itself, that have a field, or without
/// which the pods could not be reached. `path` is that of the model's `kubernetes`.
#[must_use]
pub fn problems(spec: &Kubernetes, path: &str) -> Vec<Problem> {
    let of_engine = match spec.engine {
        Engine::Vllm => vllm::problems(spec, path),
        Engine::Tgi => tgi::problems(spec, path),
        Engine::TorchServe => torchserve::problems(spec, path),
        Engine::Custom => custom::problems(spec, path),
    };
    no_default_image(spec, path).into_iter().chain(of_engine).collect()
}

/// The default images with GPUs are made for NVIDIA's.
fn no_default_image(spec: &Kubernetes, path: &str) -> Option<Problem> {
    let device = &spec.resources.gpu_resource;
    let is_default = spec.image.is_none() && spec.engine != Engine::Custom;
    let message =
        format!("the engine's default image is for GPUs of NVIDIA, and resources.gpuResource is {device:?}: name one");
    let vendor = device.split_once('/').map(|(vendor, _)| vendor);
    (is_default && spec.resources.gpus > 0 && vendor.is_some_and(|vendor| vendor != "nvidia.com"))
        .then(|| Problem::new(format!("{path}.image"), message))
}

/// The metrics that autoscaling by `queueDepth` and `concurrentRequests` follows; none where the engine has none.
#[must_use]
pub fn queue_metrics(engine: Engine) -> Option<QueueMetrics> {
    match engine {
        Engine::Vllm => Some(vllm::QUEUE_METRICS),
        Engine::Tgi => Some(tgi::QUEUE_METRICS),
        Engine::TorchServe | Engine::Custom => None,
    }
}

/// The probe during startup on a path: so many tries that the engine has the seconds that the spec gives it.
fn startup(path: &'static str, spec: &Kubernetes) -> Probe {
    let period_seconds = 10;
    let failure_threshold = spec.startup_timeout_seconds.max(period_seconds).div_euclid(period_seconds)
        + i32::from(spec.startup_timeout_seconds.rem_euclid(period_seconds) != 0);
    Probe { check: Check::Path(path), period_seconds, timeout_seconds: 5, failure_threshold }
}

/// The probe for readiness on a path: a pod that does not answer gets no more requests after 15 seconds.
fn readiness(path: &'static str) -> Probe {
    Probe { check: Check::Path(path), period_seconds: 5, timeout_seconds: 5, failure_threshold: 3 }
}

/// The probe for liveness on a path: a restart loads the model again, so that an engine that is only busy has more than
/// a minute to answer.
fn liveness(path: &'static str) -> Probe {
    Probe { check: Check::Path(path), period_seconds: 15, timeout_seconds: 10, failure_threshold: 5 }
}

#[cfg(test)]
mod tests;
