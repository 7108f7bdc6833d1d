//! How AWS and the cluster differ from what is declared, as far as it matters to who may do what.

use serde::Serialize;

use super::findings::{Finding, Severity};
use crate::diff::Change;
use crate::plan::{Action, Plan, Step};
use crate::render;
use crate::resource::{Kind, bucket};

/// One resource that is not as declared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What the operator would do about it.
    pub action: &'static str,
    /// The fields that differ.
    pub fields: Vec<String>,
    /// What they are and what they should be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// Why the operator does nothing about it, or what of it is left out.
    pub message: Option<String>,
}

/// What differs. Of buckets only their policies count here: the rest of them is for `diff`.
pub(super) fn differences(plan: &Plan) -> Vec<Difference> {
    plan.steps.iter().filter_map(difference).collect()
}

fn difference(step: &Step) -> Option<Difference> {
    let changes: Vec<Change> = match &step.action {
        Action::Keep => return None,
        Action::Update(changes) => changes.iter().filter(|change| matters(step.key.kind, change)).cloned().collect(),
        Action::Retain(_) if step.key.kind == Kind::Bucket => return None,
        _ => Vec::new(),
    };
    if matches!(step.action, Action::Update(_)) && changes.is_empty() {
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
    kind != Kind::Bucket || change.field() == bucket::field::POLICY
}

/// What others attached to our roles. It widens them, and nothing is done about it.
pub(super) fn findings(plan: &Plan) -> Vec<Finding> {
    let roles = plan.steps.iter().filter(|step| step.key.kind == Kind::Role);
    let remarks = roles.flat_map(|step| step.remarks.iter().map(move |remark| (step, remark)));
    remarks
        .map(|(step, remark)| Finding {
            rule: "policy-attached-by-others",
            severity: Severity::Warning,
            subject: format!("role {}", step.key.name),
            message: format!("{remark}: the role can do more than what stands here; detach the policy or declare it"),
        })
        .collect()
}
