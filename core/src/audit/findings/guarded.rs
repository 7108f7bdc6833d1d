//! Findings about the operator's guardrails.

use super::{Context, Hit, hit};

pub(super) fn not_permitted(context: &Context) -> Vec<Hit> {
    context.bounds.refused.iter().map(|problem| hit(&problem.path, &problem.message)).collect()
}

pub(super) fn unknown(context: &Context) -> Vec<Hit> {
    context.bounds.unknown.iter().map(|note| hit("metadata.namespace", *note)).collect()
}
