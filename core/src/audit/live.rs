//! Differences of AWS and the cluster from what is declared, as far as they matter to who may do what.

use std::collections::BTreeSet;

use serde::Serialize;

use super::EndpointAudit;
use super::findings::{Finding, Severity};
use crate::diff::Change;
use crate::exposure::{Exposure, Extent};
use crate::features::network::VpcEndpoint;
use crate::features::network::conflicts::adopted_by;
use crate::grants::{Grant, nothing_allowed};
use crate::kind::{Audited, Listed};
use crate::plan::{Action, Plan, Step};
use crate::platform::Platform;
use crate::policy::Statement;
use crate::render;
use crate::resource::{Kind, Role};

/// One resource that is not as declared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// The action that the operator would take.
    pub action: &'static str,
    /// The fields that differ.
    pub fields: Vec<String>,
    /// The fields, as they are and as they should be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// The reason for which the operator does nothing about it, or leaves a part of it out.
    pub message: Option<String>,
}

/// The differences that concern who may do what ([`Audited`]): the rest of them is for `diff`.
pub(super) fn differences(plan: &Plan) -> Vec<Difference> {
    plan.steps.iter().filter_map(difference).collect()
}

fn difference(step: &Step) -> Option<Difference> {
    let changes: Vec<Change> = match &step.action {
        Action::Keep if step.left_out.is_empty() && step.held_back.is_none() => return None,
        Action::Update(changes) => changes.iter().filter(|change| matters(step.key.kind, change)).cloned().collect(),
        Action::Retain(_) if step.key.kind.info().audited != Audited::Everything => return None,
        _ => Vec::new(),
    };
    let is_otherwise_as_declared = step.left_out.is_empty() && step.held_back.is_none();
    if matches!(step.action, Action::Update(_)) && changes.is_empty() && is_otherwise_as_declared {
        return None;
    }
    Some(Difference {
        kind: step.key.kind,
        name: step.key.name.clone(),
        action: step.action.name(),
        fields: changes.iter().map(|change| change.path.clone()).collect(),
        changes,
        message: render::message(step),
    })
}

fn matters(kind: Kind, change: &Change) -> bool {
    match kind.info().audited {
        Audited::Everything => true,
        Audited::Fields(fields) => fields.contains(&change.field()),
    }
}

/// The rules that are applied to what is there, each with its severity and why it is one.
pub(super) const RULES: [(&str, Severity, &str); 9] = [
    (
        "bucket-opened-by-others",
        Severity::Error,
        "Others let somebody from beyond the account change a bucket, or let everybody in.",
    ),
    ("bucket-opened-by-others", Severity::Warning, "Others let somebody from beyond the account read a bucket."),
    ("bucket-opened-by-others", Severity::Info, "Others let an AWS service in, for whichever account it acts."),
    (
        "grant-refused",
        Severity::Error,
        "What is granted in the spec is not the platform's own, or that cannot be verified.",
    ),
    ("grant-waits", Severity::Warning, "What is granted in the spec is not there yet."),
    (
        "endpoint-of-others",
        Severity::Warning,
        "The VPC endpoint of somebody else is adopted: its policy and who reaches it are theirs.",
    ),
    ("lifecycle-of-others", Severity::Warning, "Others let objects expire or archive them."),
    (
        "policy-attached-by-others",
        Severity::Warning,
        "Others attached a policy to a role of the platform, which widens it.",
    ),
    (
        "subnet-public",
        Severity::Warning,
        "What has an address in a subnet with a route to an internet gateway is one setting away from the internet.",
    ),
];

/// Exposures that others opened, about which nothing is done; and what is declared and not granted.
pub(super) fn findings(plan: &Plan) -> Vec<Finding> {
    let exposed = |step| -> Vec<Finding> { step_exposures(step).collect() };
    let of_step = |step| exposed(step).into_iter().chain(not_granted(step)).chain(adopted_endpoint(step));
    plan.steps.iter().flat_map(of_step).collect()
}

fn step_exposures(step: &Step) -> impl Iterator<Item = Finding> {
    step.exposures.iter().map(|exposure| finding(step, exposure))
}

fn finding(step: &Step, exposure: &Exposure) -> Finding {
    let (rule, severity) = match exposure.extent {
        Extent::Everybody | Extent::Changes => ("bucket-opened-by-others", Severity::Error),
        Extent::Reads => ("bucket-opened-by-others", Severity::Warning),
        Extent::Service => ("bucket-opened-by-others", Severity::Info),
        Extent::Attached => ("policy-attached-by-others", Severity::Warning),
        Extent::Objects => ("lifecycle-of-others", Severity::Warning),
    };
    let message = match exposure.extent {
        Extent::Attached => {
            format!("{}: the role can do more than what stands here; detach the policy or declare it", exposure.message)
        }
        _ => exposure.message.clone(),
    };
    Finding { rule, severity, subject: format!("{} {}", step.key.kind.info().noun, step.key.name), message }
}

fn not_granted(step: &Step) -> impl Iterator<Item = Finding> {
    step.left_out.iter().map(|left| Finding {
        rule: if left.needs_somebody { "grant-refused" } else { "grant-waits" },
        severity: if left.needs_somebody { Severity::Error } else { Severity::Warning },
        subject: format!("role {}", step.key.name),
        message: left.message.clone(),
    })
}

fn adopted_endpoint(step: &Step) -> Option<Finding> {
    Some(Finding {
        rule: "endpoint-of-others",
        severity: Severity::Warning,
        subject: format!("VPC endpoint {}", step.key.name),
        message: format!("{} is used as it is: read its policy and its security groups too", adopted_by(step)?),
    })
}

/// Subnets of the platform's own network that lead to the internet.
pub(super) fn in_public_subnets(platform: &Platform, public_subnets: &BTreeSet<String>) -> Vec<Finding> {
    let own = platform.network.iter().filter(|network| network.from.is_none());
    let subnets = own.flat_map(|network| network.subnet_ids.iter().enumerate());
    let public = subnets.filter(|(_, id)| public_subnets.contains(*id));
    let finding = |(index, id): (usize, &String)| Finding {
        rule: "subnet-public",
        severity: Severity::Warning,
        subject: format!("spec.network.subnetIds[{index}]"),
        message: format!("{id} has a route to an internet gateway: take a private subnet"),
    };
    public.map(finding).collect()
}

/// The policy of an endpoint as the plan has it. Absent where the endpoint is somebody else's.
pub(super) fn allowed(endpoint: EndpointAudit, plan: &Plan) -> Option<EndpointAudit> {
    let key = VpcEndpoint::key_of(&endpoint.name);
    let Some(step) = plan.steps.iter().find(|step| step.key == key) else { return Some(endpoint) };
    if adopted_by(step).is_some() {
        return None;
    }
    let policies = step.desired.as_ref().and_then(VpcEndpoint::of).and_then(|wanted| wanted.policies.as_ref());
    let Some(policies) = policies else { return Some(endpoint) };
    let is_allowed = |statement: &Statement| {
        statement.about.is_none() || policies.values().any(|policy| policy.says(&statement.to_value()))
    };
    let mut statements: Vec<Statement> = endpoint.statements.into_iter().filter(is_allowed).collect();
    if statements.is_empty() {
        statements.push(nothing_allowed());
    }
    Some(EndpointAudit { statements, ..endpoint })
}

/// The role with what it is granted by the plan, and nothing that is left out.
pub(super) fn granted(grant: Grant, plan: &Plan) -> Grant {
    let key = Role::key_of(grant.role.clone());
    let step = plan.steps.iter().find(|step| step.key == key).filter(|step| !step.left_out.is_empty());
    let Some(role) = step.and_then(|step| step.desired.as_ref()).and_then(Role::of) else { return grant };
    let is_granted = |statement: &Statement| {
        statement.about.is_none() || role.policies.values().any(|policy| policy.says(&statement.to_value()))
    };
    let policies = grant
        .policies
        .into_iter()
        .map(|(name, statements)| (name, statements.into_iter().filter(is_granted).collect::<Vec<_>>()));
    Grant { policies: policies.filter(|(_, statements)| !statements.is_empty()).collect(), ..grant }
}
