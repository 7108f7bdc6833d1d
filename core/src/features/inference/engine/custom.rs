//! A server of the user's own: it listens on port 8000 and answers `GET /health`.
//!
//! Promised to it, beside its arguments and variables: `PORT`, `MODEL_NAME`, `MODEL_PATH` where there is a source
//! in S3 or on a volume, `MODEL_ID` and `MODEL_REVISION` where there is one on the Hugging Face Hub, `API_KEY` where
//! there is a key, and [`CACHE_FOLDER`] and `/tmp` to write to.

use super::environment::{self, Refused};
use super::{CACHE_FOLDER, Container, Input, SERVICE_PORT, TEMPORARY_FOLDER, Weights, liveness, readiness, startup};
use crate::api::kubernetes::{EnvVar, Kubernetes};
use crate::platform::Problem;

const HEALTH: &str = "/health";

const PRE_STOP_SECONDS: i64 = 10;

/// Seconds that the server has to end after the signal.
const EXIT_SECONDS: i64 = 110;

const SOURCE: &str = "is set by aiplatform: it follows from source";

/// Variables that are refused beside those of Hugging Face's libraries.
pub const REFUSED_VARIABLES: [Refused; 6] = [
    Refused { name: "PORT", why: "is set by aiplatform: the port is 8000, to which the Service and the probes lead" },
    Refused { name: "MODEL_NAME", why: "is set by aiplatform: use servedName" },
    Refused { name: "MODEL_PATH", why: SOURCE },
    Refused { name: "MODEL_ID", why: SOURCE },
    Refused { name: "MODEL_REVISION", why: SOURCE },
    Refused { name: "API_KEY", why: "is set by aiplatform: name the key's secret in apiKeySecretRef" },
];

/// The container.
pub fn container(input: &Input) -> Container {
    let spec = input.spec;
    Container {
        image: spec.image.clone().unwrap_or_default(),
        command: Vec::new(),
        args: spec.args.clone(),
        env: env(input),
        working_dir: None,
        port: SERVICE_PORT,
        api_path: String::new(),
        metrics: None,
        startup: startup(HEALTH, spec),
        readiness: readiness(HEALTH),
        liveness: liveness(HEALTH),
        writable: vec![CACHE_FOLDER.into(), TEMPORARY_FOLDER.into()],
        // Nobody knows where a stranger's server writes to, nor as whom it can run beside root.
        read_only_root: false,
        user: None,
        run_as_non_root: true,
        pre_stop_seconds: PRE_STOP_SECONDS,
        termination_grace_seconds: PRE_STOP_SECONDS + EXIT_SECONDS,
    }
}

fn env(input: &Input) -> Vec<EnvVar> {
    let mut env = environment::hugging_face(input);
    env.push(environment::plain("PORT", &SERVICE_PORT.to_string()));
    env.push(environment::plain("MODEL_NAME", input.served_name()));
    match input.weights {
        Weights::Hub { repo, revision } => {
            env.push(environment::plain("MODEL_ID", repo));
            env.extend(revision.map(|revision| environment::plain("MODEL_REVISION", revision)));
        }
        Weights::Folder(folder) => env.push(environment::plain("MODEL_PATH", folder)),
        Weights::InImage => {}
    }
    env.extend(input.spec.api_key_secret_ref.as_ref().map(|key| environment::secret("API_KEY", key)));
    env.extend(input.spec.env.iter().cloned());
    env
}

/// The problems of the user's variables. The arguments are the server's own: nothing is known about them.
pub fn problems(spec: &Kubernetes, path: &str) -> Vec<Problem> {
    let variables = environment::HUGGING_FACE.iter().chain(&REFUSED_VARIABLES);
    environment::problems(&spec.env, variables, &format!("{path}.env")).collect()
}
