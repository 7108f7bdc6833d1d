//! Text Generation Inference of Hugging Face, with the API of `OpenAI`.
//!
//! Flags are those of `text-generation-launcher`, release 3.3.7 (`launcher/src/main.rs`); each has an environment
//! variable of the same name in capitals. The project is in maintenance mode and points to vLLM.

use super::arguments::{self, Flag, Grammar, Refused, flags};
use super::environment;
use super::{
    CACHE_FOLDER, Container, Input, MODEL_FOLDER, Metrics, QueueMetrics, SERVICE_PORT, TEMPORARY_FOLDER, User, Weights,
    liveness, readiness, startup,
};
use crate::api::kubernetes::{EnvVar, Kubernetes};
use crate::platform::Problem;

/// The image for GPUs.
pub const IMAGE: &str = "ghcr.io/huggingface/text-generation-inference:3.3.7";

/// The image of the same release for CPUs.
pub const CPU_IMAGE: &str = "ghcr.io/huggingface/text-generation-inference:3.3.7-intel-cpu";

/// Source: `backends/v3/src/queue.rs` and `backends/v3/src/backend.rs`.
pub const QUEUE_METRICS: QueueMetrics = QueueMetrics { waiting: "tgi_queue_size", running: "tgi_batch_current_size" };

/// Asks the shards, and so fails when one of them died.
const HEALTH: &str = "/health";

const PRE_STOP_SECONDS: i64 = 10;

/// Seconds in which requests that are worked on may end after the signal.
const DRAIN_SECONDS: i64 = 90;

/// Seconds that shards have to end after the last request.
const EXIT_SECONDS: i64 = 20;

/// The user on CPUs.
const USER: User = User { uid: 1000, gid: 1000, volume_gid: 1000 };

const SHARDS: [&str; 2] = ["--num-shard", "--sharded"];

const SHARDS_VARIABLES: [&str; 2] = ["NUM_SHARD", "SHARDED"];

const HOSTNAME: &str = "--hostname";

const POSITIONAL: &str = "TGI takes none";

const MODEL: &str = "is set by aiplatform: name the model in source";

const REVISION: &str = "is set by aiplatform: use source.huggingFace.revision";

const PORT: &str = "is set by aiplatform: the port is 8000, to which the Service and the probes lead; leave it out";

const KEY: &str = "is set by aiplatform: name the key's secret in apiKeySecretRef";

const GRACE: &str = "is set by aiplatform: it goes with the pod's termination grace period; leave it out";

const CACHE: &str = "is set by aiplatform: weights are downloaded into the volume at /cache; leave it out";

const TUNNEL: &str = "makes a tunnel through which the whole internet calls the model: leave it out";

/// Flags that are refused.
pub const REFUSED: [Refused; 9] = [
    Refused::new(&["--model-id"], MODEL),
    Refused::new(&["--revision"], REVISION),
    Refused::new(&["--port", "-p"], PORT),
    Refused::secret(&["--api-key"], "would show the key in the object: name its secret in apiKeySecretRef"),
    Refused::new(&["--usage-stats"], environment::TRACKING),
    Refused::new(&["--graceful-termination-timeout", "-g"], GRACE),
    Refused::new(&["--huggingface-hub-cache"], CACHE),
    Refused::secret(&["--ngrok-authtoken"], TUNNEL),
    Refused::new(&["--ngrok", "--ngrok-edge"], TUNNEL),
];

/// Variables that are refused beside those of Hugging Face's libraries.
pub const REFUSED_VARIABLES: [environment::Refused; 10] = [
    environment::Refused { name: "MODEL_ID", why: MODEL },
    environment::Refused { name: "REVISION", why: REVISION },
    environment::Refused { name: "PORT", why: PORT },
    environment::Refused { name: "HOSTNAME", why: "is the name of the pod: say --hostname in args" },
    environment::Refused { name: "API_KEY", why: KEY },
    environment::Refused { name: "USAGE_STATS", why: environment::TRACKING },
    environment::Refused { name: "GRACEFUL_TERMINATION_TIMEOUT", why: GRACE },
    environment::Refused { name: "NGROK", why: TUNNEL },
    environment::Refused { name: "NGROK_AUTHTOKEN", why: TUNNEL },
    environment::Refused { name: "NGROK_EDGE", why: TUNNEL },
];

/// The container.
pub fn container(input: &Input) -> Container {
    let spec = input.spec;
    let is_on_gpus = spec.resources.gpus > 0;
    Container {
        image: spec.image.clone().unwrap_or_else(|| if is_on_gpus { IMAGE } else { CPU_IMAGE }.into()),
        // The image's own entry point splits arguments at their spaces.
        command: vec!["text-generation-launcher".into()],
        args: args(input),
        env: env(input),
        working_dir: None,
        port: SERVICE_PORT,
        api_path: "/v1".into(),
        metrics: Some(Metrics { port: SERVICE_PORT, path: "/metrics" }),
        startup: startup(HEALTH, spec),
        readiness: readiness(HEALTH),
        liveness: liveness(HEALTH),
        writable: vec![CACHE_FOLDER.into(), TEMPORARY_FOLDER.into()],
        // The hook that NVIDIA's container toolkit runs at the start writes the cache of the dynamic linker.
        read_only_root: !is_on_gpus,
        // The image for GPUs keeps its Python in /root, which nobody else may enter (huggingface/
        // text-generation-inference#3082), so that it runs as whom it wants.
        user: (!is_on_gpus).then_some(USER),
        run_as_non_root: !is_on_gpus,
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
    let port = SERVICE_PORT.to_string();
    let drain = DRAIN_SECONDS.to_string();
    let shards = shards(input.spec).map(|shards| shards.to_string());
    // Without it, the launcher listens on the address of $HOSTNAME, and the other addresses of the pod are deaf.
    let hostname = sets(input.spec, &[HOSTNAME]).is_none().then_some("0.0.0.0");
    let set = [
        ("--model-id", Some(model)),
        ("--revision", revision),
        (HOSTNAME, hostname),
        ("--port", Some(&port)),
        ("--num-shard", shards.as_deref()),
        ("--usage-stats", Some("off")),
        ("--graceful-termination-timeout", Some(&drain)),
    ];
    let set = set.into_iter().filter_map(|(flag, value)| Some([flag, value?])).flatten().map(String::from);
    set.chain(input.spec.args.iter().cloned()).collect()
}

fn env(input: &Input) -> Vec<EnvVar> {
    let mut env = environment::hugging_face(input);
    env.extend(input.spec.api_key_secret_ref.as_ref().map(|key| environment::secret("API_KEY", key)));
    env.extend(input.spec.env.iter().cloned());
    env
}

/// The number of shards of the model: one for each GPU, unless there is only one or the user says it.
fn shards(spec: &Kubernetes) -> Option<i32> {
    let is_said = sets(spec, &SHARDS).is_some()
        || spec.env.iter().any(|variable| SHARDS_VARIABLES.contains(&variable.name.as_str()));
    (!is_said && spec.resources.gpus > 1).then_some(spec.resources.gpus)
}

fn sets<'a>(spec: &'a Kubernetes, names: &[&str]) -> Option<Flag<'a>> {
    flags(&spec.args, Grammar::Exact).filter(|flag| flag.may_be_any(names)).last()
}

/// The problems of the user's arguments and variables.
pub fn problems(spec: &Kubernetes, path: &str) -> Vec<Problem> {
    let refused: Vec<&Refused> = REFUSED.iter().collect();
    let mut problems = arguments::problems(&spec.args, Grammar::Exact, &refused, POSITIONAL, &format!("{path}.args"));
    problems.extend(too_many_shards(spec, path));
    let variables = environment::HUGGING_FACE.iter().chain(&REFUSED_VARIABLES);
    problems.extend(environment::problems(&spec.env, variables, &format!("{path}.env")));
    problems
}

fn too_many_shards(spec: &Kubernetes, path: &str) -> Option<Problem> {
    let gpus = spec.resources.gpus;
    let shards: i32 = sets(spec, &["--num-shard"])?.value?.parse().ok()?;
    let message = format!("{gpus} is less than the {shards} GPUs that --num-shard takes: each shard needs one");
    (gpus > 0 && shards > gpus).then(|| Problem::new(format!("{path}.resources.gpus"), message))
}
