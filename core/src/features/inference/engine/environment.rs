//! Environment variables: those that aiplatform sets, and those that are not the user's to set.

use super::{CACHE_FOLDER, Input, Weights};
use crate::api::kubernetes::{EnvSource, EnvVar, SecretKeyRef};
use crate::platform::Problem;

/// An environment variable that the user may not set.
#[derive(Clone, Copy, Debug)]
pub struct Refused {
    /// Its name.
    pub name: &'static str,
    /// The rule, and the way out.
    pub why: &'static str,
}

const HOME: &str = "is set by aiplatform: the engine's home is the only folder beside /tmp that it can write to";
const TOKEN: &str = "is set by aiplatform: name the token's secret in source.huggingFace.tokenSecretRef";
const OFFLINE: &str = "is set by aiplatform, which knows from source whether there is anything to download";
/// The rule about variables that turn statistics on or off.
pub const TRACKING: &str = "is set by aiplatform: engines send no statistics about their use to anybody";

/// Variables that all engines made of Hugging Face's libraries know.
///
/// Source: `huggingface_hub/constants.py` and `transformers/utils/hub.py`.
pub const HUGGING_FACE: [Refused; 13] = [
    Refused { name: "HOME", why: HOME },
    Refused { name: "USER", why: HOME },
    Refused { name: "HF_HOME", why: HOME },
    Refused { name: "HF_HUB_CACHE", why: HOME },
    Refused { name: "HUGGINGFACE_HUB_CACHE", why: HOME },
    Refused { name: "TRANSFORMERS_CACHE", why: HOME },
    Refused { name: "HF_TOKEN", why: TOKEN },
    Refused { name: "HUGGING_FACE_HUB_TOKEN", why: TOKEN },
    Refused { name: "HF_TOKEN_PATH", why: TOKEN },
    Refused { name: "HF_HUB_OFFLINE", why: OFFLINE },
    Refused { name: "TRANSFORMERS_OFFLINE", why: OFFLINE },
    Refused { name: "DO_NOT_TRACK", why: TRACKING },
    Refused { name: "HF_HUB_DISABLE_TELEMETRY", why: TRACKING },
];

/// A variable with a value.
pub fn plain(name: &str, value: &str) -> EnvVar {
    EnvVar { name: name.into(), value: Some(value.into()), value_from: None }
}

/// A variable whose value is in a secret.
pub fn secret(name: &str, key: &SecretKeyRef) -> EnvVar {
    let source = EnvSource { secret_key_ref: Some(key.clone()), config_map_key_ref: None };
    EnvVar { name: name.into(), value: None, value_from: Some(source) }
}

/// Variables for an engine made of Hugging Face's libraries: folders that can be written to, the token as long as there
/// is something to download, and nothing downloaded otherwise.
///
/// `USER` is there because `PyTorch` asks for the user's name, which the image's `/etc/passwd` may not have.
pub fn hugging_face(input: &Input) -> Vec<EnvVar> {
    let mut env = vec![
        plain("HOME", CACHE_FOLDER),
        plain("USER", "engine"),
        plain("HF_HOME", &format!("{CACHE_FOLDER}/huggingface")),
        plain("DO_NOT_TRACK", "1"),
    ];
    match input.weights {
        Weights::Hub { .. } => {
            let hub = input.spec.source.as_ref().and_then(|source| source.hugging_face.as_ref());
            env.extend(hub.and_then(|hub| hub.token_secret_ref.as_ref()).map(|key| secret("HF_TOKEN", key)));
        }
        Weights::Folder(_) | Weights::InImage => {
            env.extend([plain("HF_HUB_OFFLINE", "1"), plain("TRANSFORMERS_OFFLINE", "1")]);
        }
    }
    env
}

/// Variables of the user that are refused. `path` is that of the list.
pub fn problems<'a>(
    env: &'a [EnvVar],
    refused: impl Iterator<Item = &'a Refused> + Clone + 'a,
    path: &'a str,
) -> impl Iterator<Item = Problem> + 'a {
    env.iter().enumerate().filter_map(move |(index, variable)| {
        let rule = refused.clone().find(|rule| rule.name == variable.name)?;
        Some(Problem::new(format!("{path}[{index}].name"), format!("{:?} {}", variable.name, rule.why)))
    })
}
