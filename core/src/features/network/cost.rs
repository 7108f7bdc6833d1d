//! The cost of endpoints, as far as it follows from a plan: an interface endpoint is billed by the hour in each of its zones.
//! Source: "AWS `PrivateLink` pricing".

use std::collections::BTreeSet;

use super::conflicts::adopted_by;
use super::sharing::is_borrowed;
use super::vpc_endpoint::{EndpointType, VpcEndpoint};
use crate::kind::Listed;
use crate::plan::{Action, Plan, Step};
use crate::resource::Resource;

/// Endpoints and the zones that they are billed in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Billed {
    endpoints: usize,
    /// The zones of each, together.
    endpoint_zones: usize,
    /// An endpoint has one subnet in a zone, so subnets are as good as zones.
    subnets: BTreeSet<String>,
}

impl Billed {
    fn add(&mut self, endpoint: &VpcEndpoint) {
        self.endpoints += 1;
        self.endpoint_zones += endpoint.subnet_ids.len();
        self.subnets.extend(endpoint.subnet_ids.iter().cloned());
    }

    fn text(&self) -> String {
        format!(
            "{} in {}: {}, each billed by the hour",
            counted(self.endpoints, "interface endpoint"),
            counted(self.subnets.len(), "zone"),
            counted(self.endpoint_zones, "endpoint-zone")
        )
    }
}

/// The remark about what the plan comes to, where it changes that.
pub(super) fn remarks(plan: &Plan) -> Vec<String> {
    let (mut before, mut after) = (Billed::default(), Billed::default());
    for step in plan.steps.iter().filter(|step| is_billed_here(step)) {
        let observed = interface(step.observed.as_ref());
        let desired = interface(step.desired.as_ref());
        let stays = match step.action {
            Action::Create => desired,
            Action::Delete { .. } => None,
            Action::Update(_) if step.held_back.is_none() => desired,
            _ => observed,
        };
        if let Some(endpoint) = observed {
            before.add(endpoint);
        }
        if let Some(endpoint) = stays {
            after.add(endpoint);
        }
    }
    if before == after {
        return Vec::new();
    }
    let zones = counted(before.endpoint_zones, "endpoint-zone");
    vec![match (before.endpoints, after.endpoints) {
        (0, _) => after.text(),
        (_, 0) => format!("no interface endpoint is left: nothing is billed by the hour (now {zones})"),
        _ => format!("{} (now {})", after.text(), before.endpoint_zones),
    }]
}

fn interface(resource: Option<&Resource>) -> Option<&VpcEndpoint> {
    VpcEndpoint::of(resource?).filter(|endpoint| endpoint.endpoint_type == EndpointType::Interface)
}

/// False for an endpoint that its owner pays: one that is borrowed, or adopted.
fn is_billed_here(step: &Step) -> bool {
    adopted_by(step).is_none() && !is_borrowed(&step.key.name)
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
