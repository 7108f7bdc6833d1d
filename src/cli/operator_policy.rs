//! `aiplatform operator-policy`: what the operator itself has to be allowed. Asks nobody.

use serde_json::json;

use super::{Error, OperatorPolicyArguments, SUCCESS, output, read};
use crate::guardrails::Guardrails;
use crate::operator_policy::{Extent, OperatorPolicy, Permission, cautions, outline, policies};
use crate::permissions::{permissions, permissions_with_drift_events};
use crate::platform::Platform;

pub(super) fn operator_policy(arguments: &OperatorPolicyArguments) -> Result<u8, Error> {
    let scope = Scope::read(arguments)?;
    let extent = scope.extent(arguments.cluster.cluster_name.as_deref());
    let policies = policies(&scope.permissions(), &extent)?;
    for caution in cautions(&extent) {
        output::complain(&caution);
    }
    output::json(&json!({ "policies": policies }))?;
    Ok(SUCCESS)
}

/// The scope of policies, as the arguments say it.
pub(super) struct Scope<'a> {
    pub(super) guardrails: Guardrails,
    platforms: Option<Vec<Platform>>,
    bucket_names: &'a [String],
    drift_events: bool,
}

impl<'a> Scope<'a> {
    pub(super) fn read(arguments: &'a OperatorPolicyArguments) -> Result<Self, Error> {
        let guardrails = arguments.guardrails.shown()?;
        guardrails.note().into_iter().for_each(output::complain);
        let platforms = if arguments.files.is_empty() { None } else { Some(declared(arguments, &guardrails)?) };
        let (bucket_names, drift_events) = (&arguments.bucket_name_pattern, arguments.drift_events);
        Ok(Self { guardrails, platforms, bucket_names, drift_events })
    }

    fn permissions(&self) -> Vec<(&'static str, Vec<Permission>)> {
        if self.drift_events { permissions_with_drift_events() } else { permissions() }
    }

    fn extent<'b>(&'b self, cluster: Option<&'b str>) -> Extent<'b> {
        Extent {
            platforms: self.platforms.as_deref(),
            guardrails: &self.guardrails,
            cluster,
            bucket_names: self.bucket_names,
        }
    }

    /// The policies of an operator that has this name in owner tags.
    pub(super) fn policies(&self, cluster: &str) -> Result<Vec<OperatorPolicy>, Error> {
        Ok(policies(&self.permissions(), &self.extent(Some(cluster)))?)
    }
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
