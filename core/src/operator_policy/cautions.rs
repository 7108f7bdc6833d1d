//! Cautions about what the policies leave open, for those who attach them.

use super::{Extent, scope::PolicyScope};
use crate::grants::ROLE_PATH;

/// Cautions about what a holder of these policies can do beyond the platforms, a sentence each. It stands in
/// `docs/security.md` too.
#[must_use]
pub fn cautions(extent: &Extent) -> Vec<String> {
    let scopes = extent.scopes();
    let unbounded: Vec<&str> = scopes.values().flat_map(PolicyScope::unbounded).map(String::as_str).collect();
    let mut cautions = Vec::new();
    if !unbounded.is_empty() {
        cautions.push(format!(
            "no permissions boundary is known for {}: whoever holds these policies can give a role below {ROLE_PATH} any \
             permission and take it, so they are worth the account; name permissionsBoundaryArn in every rule of --guardrails, \
             or in every platform of the files",
            named(&unbounded)
        ));
    }
    if extent.cluster.is_none() {
        cautions.push(
            "the policies hold for what carries the tag of any cluster: give --cluster-name, by default the UID of the \
             namespace kube-system"
                .into(),
        );
    }
    let passed: Vec<&str> = scopes.values().flat_map(PolicyScope::passes_every_role).map(String::as_str).collect();
    if !passed.is_empty() {
        cautions.push(format!(
            "the policies let {} be handed to SageMaker, whatever those roles may do: name paths or names in executionRoles \
             of --guardrails",
            named(&passed)
        ));
    }
    if scopes.values().any(PolicyScope::names_every_bucket) {
        cautions.push(
            "the policies name every bucket of the account: give --bucket-name-pattern, bucketNames in every rule of \
             --guardrails, or files"
                .into(),
        );
    }
    cautions
}

fn named(all: &[&str]) -> String {
    /// The most that are named.
    const NAMED: usize = 3;
    let first = all.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    let more = all.len().saturating_sub(NAMED);
    if more == 0 { first } else { format!("{first} and {more} more") }
}
