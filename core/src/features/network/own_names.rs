//! DNS names of the endpoints' own, for callers of a service whose private DNS name leads elsewhere.

use std::collections::BTreeMap;

use super::vpc_endpoint::{EndpointType, VpcEndpoint};
use crate::kind::Listed;
use crate::plan::Step;
use crate::plan::attainment::LeftOut;
use crate::resource::reference::KNOWN_AFTER_APPLY;
use crate::resource::{Desired, Observations, Resource};

/// Environment variables by which AWS's SDKs find a service elsewhere.
/// Source: "Service-specific endpoints", AWS SDKs and Tools reference guide.
const VARIABLES: [(&str, &str); 6] = [
    ("bedrock-runtime", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"),
    ("dynamodb-interface", "AWS_ENDPOINT_URL_DYNAMODB"),
    ("kms", "AWS_ENDPOINT_URL_KMS"),
    ("sagemaker.runtime", "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"),
    ("secretsmanager", "AWS_ENDPOINT_URL_SECRETS_MANAGER"),
    ("sts", "AWS_ENDPOINT_URL_STS"),
];

/// Endpoints that are called by names of their own, each with the variable for it.
fn without_private_dns(desired: &[Desired]) -> impl Iterator<Item = (&VpcEndpoint, &'static str)> {
    let endpoints = desired.iter().filter_map(|item| VpcEndpoint::of(&item.resource));
    let without =
        endpoints.filter(|endpoint| endpoint.endpoint_type == EndpointType::Interface && !endpoint.private_dns);
    without.filter_map(|endpoint| {
        let (_, variable) = VARIABLES.iter().find(|(name, _)| *name == endpoint.name)?;
        Some((endpoint, *variable))
    })
}

/// Names that the config map lacks, because EC2 has not chosen them yet.
pub(super) fn unknown(desired: &[Desired], observations: &Observations) -> Vec<LeftOut> {
    let unknown = without_private_dns(desired).filter(|(endpoint, _)| own_name(&endpoint.name, observations).is_none());
    let left_out = |(endpoint, variable): (&VpcEndpoint, &str)| LeftOut {
        about: VpcEndpoint::key_of(&endpoint.name),
        reason: "Blocked",
        message: format!(
            "{variable} is not there yet: the DNS name of VpcEndpoint {} is {KNOWN_AFTER_APPLY}",
            endpoint.name
        ),
        needs_somebody: false,
    };
    unknown.map(left_out).collect()
}

/// The desired resources, with the names of endpoints that lack private DNS in the config map that applications mount:
/// each under the variable that an SDK reads, so that it can be taken as environment as it is.
pub(super) fn in_config_map(mut desired: Vec<Desired>, observations: &Observations) -> Vec<Desired> {
    let entry = |(endpoint, variable): (&VpcEndpoint, &str)| {
        Some((variable.to_string(), format!("https://{}", own_name(&endpoint.name, observations)?)))
    };
    let entries: BTreeMap<String, String> = without_private_dns(&desired).filter_map(entry).collect();
    for item in &mut desired {
        if let Resource::ConfigMap(map) = &mut item.resource {
            map.data.extend(entries.clone());
        }
    }
    desired
}

/// The regional DNS name of an endpoint, where it is known.
pub(super) fn own_name(name: &str, observations: &Observations) -> Option<String> {
    let observed = observations.get(&VpcEndpoint::key_of(name))?;
    observed.facts_of::<VpcEndpoint>()?.dns_names.first().cloned()
}

/// The step with the DNS name of its endpoint as a remark, so that status and plans show it.
pub(super) fn shown(mut step: Step) -> Step {
    let name = step.facts_of::<VpcEndpoint>().and_then(|facts| facts.dns_names.first());
    if let Some(name) = name.filter(|_| step.desired.is_some()) {
        step.remarks.push(format!("DNS name {name}"));
    }
    step
}
