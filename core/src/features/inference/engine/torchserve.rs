//! `TorchServe`, for model archives.
//!
//! Flags, properties and paths are those of release 0.12.0; `make check-engines` starts that release with the container of
//! this file. The project is no longer maintained.

use super::arguments::{self, Grammar, Refused};
use super::environment;
use super::{
    CACHE_FOLDER, Check, Container, Input, MODEL_FOLDER, Metrics, Probe, TEMPORARY_FOLDER, User, Weights, liveness,
    startup,
};
use crate::api::kubernetes::{EnvVar, Kubernetes};
use crate::platform::Problem;

/// The image for GPUs.
pub const IMAGE: &str = "pytorch/torchserve:0.12.0-gpu";

/// The image of the same release for CPUs.
pub const CPU_IMAGE: &str = "pytorch/torchserve:0.12.0-cpu";

const PORT: i32 = 8080;

const METRICS_PORT: i32 = 8082;

/// Fails when a worker could not be started again for five minutes. It succeeds while no model is there, or none of its
/// workers, and so it says nothing about readiness.
const HEALTH: &str = "/ping";

/// Seconds in which requests that are worked on may end: after the signal they are cut off.
const PRE_STOP_SECONDS: i64 = 30;

/// Seconds that the server and its workers have to end after the signal. `torchserve --stop` waits 60.
const EXIT_SECONDS: i64 = 70;

/// The image's own user `model-server`.
const USER: User = User { uid: 1000, gid: 1000, volume_gid: 1000 };

/// The variable that holds the configuration, which `TorchServe` reads from a file alone.
const CONFIGURATION: &str = "TORCHSERVE_CONFIGURATION";

/// Starts the server on the configuration. `torchserve` hands no signal on to the Java process that it starts, and as
/// the first process of a container it would not even end itself.
const START: &str = "\
printf '%s\\n' \"$TORCHSERVE_CONFIGURATION\" > \"$TEMP/torchserve.properties\" || exit
torchserve --ts-config \"$TEMP/torchserve.properties\" \"$@\" &
server=$!
trap 'is_stopped=yes; torchserve --stop --foreground' TERM INT
wait \"$server\"
code=$?
if [ -n \"$is_stopped\" ]; then wait \"$server\"; code=$?; fi
exit \"$code\"";

/// Succeeds when a worker of the model serves. The arguments are the address of the management API and the model.
const IS_READY: &str = "\
import json, sys, urllib.request
with urllib.request.urlopen(f'{sys.argv[1]}/models/{sys.argv[2]}', timeout=4) as answer:
    workers = json.load(answer)[0]['workers']
sys.exit(not any(worker['status'] == 'READY' for worker in workers))";

/// Only processes of the container reach it: it loads whatever code it is told to.
const MANAGEMENT: &str = "http://127.0.0.1:8081";

const POSITIONAL: &str = "TorchServe would take it for one more model, or refuse it";

const LISTENS: &str = "is set by aiplatform: the ports are 8080 for the Service and the probes and 8082 for metrics";

const MODELS: &str =
    "is set by aiplatform: the model is the archive NAME.mar in the source's folder, where NAME is servedName";

const STARTED: &str = "is set by aiplatform: the server is started in the foreground of its container; leave it out";

const FILE: &str = "is set by aiplatform: write single properties as variables, such as TS_JOB_QUEUE_SIZE";

const FOLDER: &str = "is set by aiplatform: /cache and /tmp are the only folders that can be written to";

/// Flags that are refused.
pub const REFUSED: [Refused; 6] = [
    Refused::new(&["--models"], MODELS),
    Refused::new(&["--model-store"], MODELS),
    Refused::new(&["--ts-config"], FILE),
    Refused::new(&["--start", "--stop", "--foreground", "--version", "-v"], STARTED),
    Refused::new(&["--no-config-snapshots", "--ncs"], STARTED),
    Refused::new(&["--disable-token-auth", "--dt"], "is set by aiplatform: there are no tokens; leave it out"),
];

/// Variables that are refused beside those of Hugging Face's libraries.
///
/// Source: `ConfigManager.java`, whose every name that begins with `TS_` is a variable.
pub const REFUSED_VARIABLES: [environment::Refused; 14] = [
    environment::Refused { name: CONFIGURATION, why: FILE },
    environment::Refused { name: "TS_CONFIG_FILE", why: FILE },
    environment::Refused { name: "TS_INFERENCE_ADDRESS", why: LISTENS },
    environment::Refused { name: "TS_MANAGEMENT_ADDRESS", why: LISTENS },
    environment::Refused { name: "TS_METRICS_ADDRESS", why: LISTENS },
    environment::Refused { name: "TS_GRPC_INFERENCE_ADDRESS", why: LISTENS },
    environment::Refused { name: "TS_GRPC_MANAGEMENT_ADDRESS", why: LISTENS },
    environment::Refused { name: "TS_METRICS_MODE", why: "is set by aiplatform: Prometheus reads the metrics" },
    environment::Refused { name: "TS_LOAD_MODELS", why: MODELS },
    environment::Refused { name: "TS_MODEL_STORE", why: MODELS },
    environment::Refused { name: "TS_DEFAULT_STARTUP_TIMEOUT", why: "is set by aiplatform: use startupTimeoutSeconds" },
    environment::Refused { name: "TEMP", why: FOLDER },
    environment::Refused { name: "LOG_LOCATION", why: FOLDER },
    environment::Refused { name: "METRICS_LOCATION", why: FOLDER },
];

/// The container.
pub fn container(input: &Input) -> Container {
    let spec = input.spec;
    let is_on_gpus = spec.resources.gpus > 0;
    let name = input.served_name();
    Container {
        image: spec.image.clone().unwrap_or_else(|| if is_on_gpus { IMAGE } else { CPU_IMAGE }.into()),
        command: ["/bin/sh", "-c", START, "torchserve"].map(String::from).into(),
        args: args(input),
        env: env(input),
        working_dir: Some(CACHE_FOLDER.into()),
        port: PORT,
        api_path: format!("/predictions/{name}"),
        metrics: Some(Metrics { port: METRICS_PORT, path: "/metrics" }),
        startup: Probe { check: is_ready(name), ..startup(HEALTH, spec) },
        readiness: Probe { check: is_ready(name), period_seconds: 10, timeout_seconds: 5, failure_threshold: 2 },
        liveness: liveness(HEALTH),
        writable: vec![CACHE_FOLDER.into(), TEMPORARY_FOLDER.into()],
        // The hook that NVIDIA's container toolkit runs at the start writes the cache of the dynamic linker.
        read_only_root: !is_on_gpus,
        user: Some(USER),
        run_as_non_root: true,
        pre_stop_seconds: PRE_STOP_SECONDS,
        termination_grace_seconds: PRE_STOP_SECONDS + EXIT_SECONDS,
    }
}

fn is_ready(name: &str) -> Check {
    Check::Command(["python", "-c", IS_READY, MANAGEMENT, name].map(String::from).into())
}

fn args(input: &Input) -> Vec<String> {
    let folder = match input.weights {
        Weights::Folder(folder) => folder,
        Weights::Hub { .. } | Weights::InImage => MODEL_FOLDER,
    };
    let name = input.served_name();
    let archive = format!("{name}={name}.mar");
    let set = [
        "--start",
        "--foreground",
        "--model-store",
        folder,
        "--models",
        &archive,
        "--no-config-snapshots",
        "--disable-token-auth",
    ];
    set.into_iter().map(String::from).chain(input.spec.args.iter().cloned()).collect()
}

fn env(input: &Input) -> Vec<EnvVar> {
    let mut env = environment::hugging_face(input);
    let logs = format!("{CACHE_FOLDER}/logs");
    env.extend([
        environment::plain("TEMP", TEMPORARY_FOLDER),
        environment::plain("LOG_LOCATION", &logs),
        environment::plain("METRICS_LOCATION", &logs),
        environment::plain(CONFIGURATION, &configuration(input.spec)),
    ]);
    env.extend(input.spec.env.iter().cloned());
    env
}

/// The configuration. Variables that begin with `TS_` go before it.
///
/// Without a number of workers there would be one for each processor of the node, and each loads the model.
fn configuration(spec: &Kubernetes) -> String {
    let workers = spec.resources.gpus.max(1);
    let seconds = spec.startup_timeout_seconds;
    [
        format!("inference_address=http://0.0.0.0:{PORT}"),
        format!("management_address={MANAGEMENT}"),
        format!("metrics_address=http://0.0.0.0:{METRICS_PORT}"),
        "grpc_inference_address=127.0.0.1".into(),
        "grpc_management_address=127.0.0.1".into(),
        "metrics_mode=prometheus".into(),
        "enable_envvars_config=true".into(),
        format!("default_workers_per_model={workers}"),
        format!("default_startup_timeout={seconds}"),
    ]
    .join("\n")
}

/// The problems of the user's arguments and variables, and of the name.
pub fn problems(spec: &Kubernetes, path: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(name) = spec.served_name.as_deref().filter(|name| name.contains(['/', ':'])) {
        let message =
            format!("{name:?} is part of a path and the name of a file for TorchServe: use no \"/\" and no \":\"");
        problems.push(Problem::new(format!("{path}.servedName"), message));
    }
    let refused: Vec<&Refused> = REFUSED.iter().collect();
    problems.extend(arguments::problems(&spec.args, Grammar::Flexible, &refused, POSITIONAL, &format!("{path}.args")));
    let variables = environment::HUGGING_FACE.iter().chain(&REFUSED_VARIABLES);
    problems.extend(environment::problems(&spec.env, variables, &format!("{path}.env")));
    problems
}
