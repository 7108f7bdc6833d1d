//! vLLM, with the API of `OpenAI`.
//!
//! Flags, variables, paths and metrics are those of the release below, read in its own source; `make check-engines`
//! gives the arguments of this file to that release's own parser.

use super::arguments::{self, Flag, Grammar, Refused, flags};
use super::environment;
use super::{
    CACHE_FOLDER, Container, Input, MODEL_FOLDER, Metrics, QueueMetrics, SERVICE_PORT, TEMPORARY_FOLDER, User, Weights,
    liveness, readiness, startup,
};
use crate::api::kubernetes::{EnvVar, Kubernetes};
use crate::platform::Problem;

/// The image for GPUs, release 0.30.0, for CUDA 13.0.
pub const IMAGE: &str =
    "vllm/vllm-openai:v0.30.0@sha256:8a69ffad015f138d7170c4ddc429e230a3bc1c1719f67e14324749df200a4b90";

/// The image of the same release for CPUs, of both architectures.
pub const CPU_IMAGE: &str = "vllm/vllm-openai-cpu:v0.30.0";

/// Source: `vllm/v1/metrics/loggers.py`.
pub const QUEUE_METRICS: QueueMetrics =
    QueueMetrics { waiting: "vllm:num_requests_waiting", running: "vllm:num_requests_running" };

/// Answers 200 while the engine lives and 503 when it died; nothing answers before the model is loaded.
const HEALTH: &str = "/health";

/// Seconds in which requests that are worked on may end after the signal.
const DRAIN_SECONDS: i64 = 90;

/// Seconds between the decision to stop and the signal.
const PRE_STOP_SECONDS: i64 = 10;

/// Seconds that the engine's processes have to end after the last request.
const EXIT_SECONDS: i64 = 20;

/// The user of the image. It has no entry in `/etc/passwd` of the CPU image, which is what `HOME` and `USER` are for.
const USER: User = User { uid: 2000, gid: 0, volume_gid: 2000 };

const TENSOR_PARALLEL: [&str; 2] = ["--tensor-parallel-size", "-tp"];

/// Flags by which the number of tensor parallel ranks is multiplied: each rank of those takes a GPU.
const OTHER_PARALLEL: [&[&str]; 3] = [
    &["--pipeline-parallel-size", "-pp"],
    &["--data-parallel-size", "-dp"],
    &["--prefill-context-parallel-size", "-pcp"],
];

/// Flags of a model that is spread over several pods: how its ranks are shared out is then the user's to say.
const SPREAD: [&str; 12] = [
    "--nnodes",
    "-n",
    "--data-parallel-size-local",
    "-dpl",
    "--data-parallel-rank",
    "-dpr",
    "--data-parallel-start-rank",
    "--data-parallel-external-lb",
    "-dpe",
    "--data-parallel-hybrid-lb",
    "-dph",
    "--data-parallel-address",
];

const ENDPOINTS_WITHOUT_ACCESS_LOG: &str = "/health,/metrics,/ping";

const POSITIONAL: &str = "vLLM would take it for the model, which follows from source";

const NO_HTTP: &str = "leaves the port without the HTTP server that probes and clients call: leave it out";

const TLS: &str = "makes the port speak TLS, and probes and clients of the Service speak plain HTTP: leave it out";

/// Flags that are refused.
pub const REFUSED: [Refused; 14] = [
    Refused::new(&["--model"], "is set by aiplatform: name the model in source"),
    Refused::new(&["--served-model-name"], "is set by aiplatform: use servedName"),
    Refused::new(&["--revision"], "is set by aiplatform: use source.huggingFace.revision"),
    Refused::secret(
        &["--hf-token"],
        "would show the token in the object: name its secret in source.huggingFace.tokenSecretRef",
    ),
    Refused::secret(&["--api-key"], "would show the key in the object: name its secret in apiKeySecretRef"),
    Refused::new(
        &["--port"],
        "is set by aiplatform: the port is 8000, to which the Service and the probes lead; leave it out",
    ),
    Refused::new(
        &["--download-dir"],
        "is set by aiplatform: weights are downloaded into the volume at /cache; leave it out",
    ),
    Refused::new(
        &["--shutdown-timeout"],
        "is set by aiplatform: it goes with the pod's termination grace period; leave it out",
    ),
    Refused::new(
        &["--disable-access-log-for-endpoints"],
        "is set by aiplatform: requests of probes and of Prometheus are not logged; leave it out",
    ),
    Refused::new(&["--config"], "reads a file that could set what aiplatform sets: write its settings as args"),
    Refused::new(&["--uds"], NO_HTTP),
    Refused::new(&["--headless"], NO_HTTP),
    Refused::new(&["--grpc"], NO_HTTP),
    Refused::new(&["--ssl-keyfile", "--ssl-certfile"], TLS),
];

/// Refused where autoscaling follows the engine's metrics.
pub const NO_METRICS: Refused = Refused::new(
    &["--disable-log-stats"],
    "takes away the metrics that autoscaling follows: leave it out, or scale by cpuPercent",
);

/// Variables that are refused beside those of Hugging Face's libraries.
///
/// Source: `vllm/envs.py`.
pub const REFUSED_VARIABLES: [environment::Refused; 4] = [
    environment::Refused {
        name: "VLLM_API_KEY",
        why: "is set by aiplatform: name the key's secret in apiKeySecretRef",
    },
    environment::Refused { name: "VLLM_NO_USAGE_STATS", why: environment::TRACKING },
    environment::Refused { name: "VLLM_DO_NOT_TRACK", why: environment::TRACKING },
    environment::Refused {
        name: "VLLM_USE_MODELSCOPE",
        why: "takes the weights from somewhere else than source says: leave it out",
    },
];

/// The container.
pub fn container(input: &Input) -> Container {
    let spec = input.spec;
    let is_on_gpus = spec.resources.gpus > 0;
    Container {
        image: spec.image.clone().unwrap_or_else(|| if is_on_gpus { IMAGE } else { CPU_IMAGE }.into()),
        command: vec!["vllm".into(), "serve".into()],
        args: args(input),
        env: env(input),
        // vLLM looks whether the model is a folder here, and some images start in one that only root may enter.
        working_dir: Some(CACHE_FOLDER.into()),
        port: SERVICE_PORT,
        api_path: "/v1".into(),
        metrics: Some(Metrics { port: SERVICE_PORT, path: "/metrics" }),
        startup: startup(HEALTH, spec),
        readiness: readiness(HEALTH),
        liveness: liveness(HEALTH),
        writable: vec![CACHE_FOLDER.into(), TEMPORARY_FOLDER.into()],
        // The hook that NVIDIA's container toolkit runs at the start writes the cache of the dynamic linker.
        read_only_root: !is_on_gpus,
        user: Some(USER),
        run_as_non_root: true,
        pre_stop_seconds: PRE_STOP_SECONDS,
        termination_grace_seconds: PRE_STOP_SECONDS + DRAIN_SECONDS + EXIT_SECONDS,
    }
}

fn args(input: &Input) -> Vec<String> {
    let (model, revision) = match input.weights {
        Weights::Hub { repo, revision } => (repo, revision),
        Weights::Folder(folder) => (folder, None),
        Weights::InImage => (MODEL_FOLDER, None),
    };
    let drain = DRAIN_SECONDS.to_string();
    let port = SERVICE_PORT.to_string();
    let tensor_parallel = tensor_parallel(input.spec).map(|ranks| ranks.to_string());
    let set = [
        ("--served-model-name", Some(input.served_name())),
        ("--revision", revision),
        ("--port", Some(&port)),
        ("--tensor-parallel-size", tensor_parallel.as_deref()),
        ("--shutdown-timeout", Some(&drain)),
        ("--disable-access-log-for-endpoints", Some(ENDPOINTS_WITHOUT_ACCESS_LOG)),
    ];
    let set = set.into_iter().filter_map(|(flag, value)| Some([flag, value?])).flatten().map(String::from);
    [String::from(model)].into_iter().chain(set).chain(input.spec.args.iter().cloned()).collect()
}

fn env(input: &Input) -> Vec<EnvVar> {
    let mut env = environment::hugging_face(input);
    env.push(environment::plain("VLLM_NO_USAGE_STATS", "1"));
    env.extend(input.spec.api_key_secret_ref.as_ref().map(|key| environment::secret("VLLM_API_KEY", key)));
    env.extend(input.spec.env.iter().cloned());
    env
}

/// The number of ranks among which the model's tensors are split: all GPUs, shared with the other kinds of parallelism
/// that the user asks for. None where one rank is meant, and where the user says it.
fn tensor_parallel(spec: &Kubernetes) -> Option<i64> {
    if sets(spec, &TENSOR_PARALLEL).is_some() || sets(spec, &SPREAD).is_some() {
        return None;
    }
    let ranks = i64::from(spec.resources.gpus) / other_ranks(spec)?;
    (ranks > 1).then_some(ranks)
}

/// The number of ranks of all other kinds of parallelism; none where the user's number cannot be read.
fn other_ranks(spec: &Kubernetes) -> Option<i64> {
    let mut asked_for = OTHER_PARALLEL.iter().filter_map(|names| sets(spec, names));
    asked_for.try_fold(1_i64, |ranks, flag| ranks.checked_mul(number(&flag)?))
}

/// The last of the user's flags that has one of these names: the one that counts.
fn sets<'a>(spec: &'a Kubernetes, names: &[&str]) -> Option<Flag<'a>> {
    // `--data-parallel-size` is a flag of its own although `--data-parallel-size-local` begins with it.
    let others = TENSOR_PARALLEL.iter().chain(OTHER_PARALLEL.iter().copied().flatten()).chain(&SPREAD);
    let is_another = |flag: &Flag| others.clone().any(|name| flag.is(name) && !names.contains(name));
    flags(&spec.args, Grammar::Flexible).filter(|flag| flag.may_be_any(names) && !is_another(flag)).last()
}

fn number(flag: &Flag) -> Option<i64> {
    flag.value.and_then(|value| value.parse().ok()).filter(|number| *number > 0)
}

/// The problems of the user's arguments and variables.
pub fn problems(spec: &Kubernetes, path: &str) -> Vec<Problem> {
    let follows_metrics = spec.autoscaling.as_ref().is_some_and(|scaling| scaling.target.cpu_percent.is_none());
    let refused: Vec<&Refused> = REFUSED.iter().chain(follows_metrics.then_some(&NO_METRICS)).collect();
    let mut problems =
        arguments::problems(&spec.args, Grammar::Flexible, &refused, POSITIONAL, &format!("{path}.args"));
    problems.extend(parallelism(spec, path));
    let variables = environment::HUGGING_FACE.iter().chain(&REFUSED_VARIABLES);
    problems.extend(environment::problems(&spec.env, variables, &format!("{path}.env")));
    problems
}

/// Ranks that do not go into the GPUs of a pod.
fn parallelism(spec: &Kubernetes, path: &str) -> Option<Problem> {
    let gpus = i64::from(spec.resources.gpus);
    if gpus == 0 || sets(spec, &SPREAD).is_some() {
        return None;
    }
    let others = other_ranks(spec)?;
    let message = match sets(spec, &TENSOR_PARALLEL) {
        Some(flag) => {
            let ranks = number(&flag)?.checked_mul(others)?;
            (ranks > gpus).then(|| {
                format!("{gpus} is less than the {ranks} GPUs that the parallelism in args takes: each rank needs one")
            })
        }
        None => (gpus % others != 0).then(|| {
            format!("{gpus} cannot be divided by the {others} ranks in args: add GPUs, or say --tensor-parallel-size")
        }),
    };
    message.map(|message| Problem::new(format!("{path}.resources.gpus"), message))
}

/// Every flag that is refused, whatever the rest of the spec is.
#[cfg(test)]
pub fn refused_flags() -> Vec<&'static str> {
    REFUSED.iter().flat_map(|rule| rule.names).copied().collect()
}

/// Every flag that something follows from.
#[cfg(test)]
pub fn known_flags() -> Vec<&'static str> {
    let parallel = TENSOR_PARALLEL.iter().chain(OTHER_PARALLEL.into_iter().flatten()).chain(&SPREAD);
    parallel.chain(NO_METRICS.names).copied().chain(refused_flags()).collect()
}
