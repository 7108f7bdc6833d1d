//! `aiplatform operator-policy`: what the operator itself has to be allowed. Asks nobody.

use serde_json::json;

use super::{Error, OperatorPolicyArguments, SUCCESS, output, read};
use crate::operator_policy::policies;
use crate::platform::Platform;
use crate::provider::aws::NEEDS;

pub(super) fn operator_policy(arguments: &OperatorPolicyArguments) -> Result<u8, Error> {
    let platforms = if arguments.files.is_empty() { None } else { Some(declared(arguments)?) };
    let cluster = arguments.cluster.cluster_name.as_deref();
    let policies = policies(&NEEDS, platforms.as_deref(), cluster)?;
    output::json(&json!({ "policies": policies }));
    Ok(SUCCESS)
}

fn declared(arguments: &OperatorPolicyArguments) -> Result<Vec<Platform>, Error> {
    Ok(read(&arguments.files)?.manifests.into_iter().map(|manifest| manifest.platform).collect())
}
