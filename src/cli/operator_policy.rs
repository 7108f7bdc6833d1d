//! `aiplatform operator-policy`: what the operator itself has to be allowed. Asks nobody.

use serde_json::json;

use super::{Error, OperatorPolicyArguments, SUCCESS, output, read};
use crate::guardrails::Guardrails;
use crate::operator_policy::{Extent, cautions, outline, policies};
use crate::permissions::{permissions, permissions_with_drift_events};
use crate::platform::Platform;

pub(super) fn operator_policy(arguments: &OperatorPolicyArguments) -> Result<u8, Error> {
    let guardrails = arguments.guardrails.shown()?;
    guardrails.note().into_iter().for_each(output::complain);
    let platforms = if arguments.files.is_empty() { None } else { Some(declared(arguments, &guardrails)?) };
    let extent = Extent {
        platforms: platforms.as_deref(),
        guardrails: &guardrails,
        cluster: arguments.cluster.cluster_name.as_deref(),
        bucket_names: &arguments.bucket_name_pattern,
    };
    let permissions = if arguments.drift_events { permissions_with_drift_events() } else { permissions() };
    let policies = policies(&permissions, &extent)?;
    for caution in cautions(&extent) {
        output::complain(&caution);
    }
    output::json(&json!({ "policies": policies }))?;
    Ok(SUCCESS)
}

/// The platforms as they are specified, each within the guardrails: what is refused needs no permission.
fn declared(arguments: &OperatorPolicyArguments, guardrails: &Guardrails) -> Result<Vec<Platform>, Error> {
    let mut platforms = Vec::new();
    let mut problems = Vec::new();
    for manifest in read(&arguments.files)?.manifests {
        let permitted = manifest.platform().and_then(|platform| {
            guardrails.apply(platform.clone(), None)?;
            Ok(platform)
        });
        match permitted {
            Ok(platform) => platforms.push(outline(platform)),
            Err(found) => problems.extend(found.iter().map(|problem| manifest.locate(problem))),
        }
    }
    if problems.is_empty() { Ok(platforms) } else { Err(Error::Invalid(problems)) }
}
