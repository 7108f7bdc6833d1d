//! Findings about ownership, and about the difference between what is declared and what is there.

use super::{Context, Hit, hit};
use crate::api::{DeletionPolicy, ManagementPolicy};

pub(super) fn incomplete(context: &Context) -> Vec<Hit> {
    let ownership = &context.platform.ownership;
    let fields = [
        ("costCenter", &ownership.cost_center),
        ("runbook", &ownership.runbook),
        ("dataClassification", &ownership.data_classification),
    ];
    let missing: Vec<&str> = fields.iter().filter(|(_, value)| value.is_none()).map(|(field, _)| *field).collect();
    if !context.is_production() || missing.is_empty() {
        return Vec::new();
    }
    vec![hit("spec.ownership", format!("does not say {}", missing.join(", ")))]
}

pub(super) fn access_outlives_spec(context: &Context) -> Vec<Hit> {
    let platform = context.platform;
    if context.grants.is_empty() {
        return Vec::new();
    }
    let management = match platform.management_policy {
        ManagementPolicy::Full => None,
        ManagementPolicy::NoDelete => Some("NoDelete: the role of a consumer or a model that is taken out stays"),
        ManagementPolicy::Observe => Some("Observe: nothing of what stands here is put in force"),
    };
    let deletion = (platform.deletion_policy == DeletionPolicy::Retain)
        .then_some("Retain: every role stays when the platform is deleted");
    let named = [("spec.managementPolicy", management), ("spec.deletionPolicy", deletion)];
    named.into_iter().filter_map(|(field, why)| Some(hit(field, format!("is {}", why?)))).collect()
}
