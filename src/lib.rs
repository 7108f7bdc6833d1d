//! `aiplatform` turns one `AIPlatform` object into a production AI platform on AWS, and keeps it so.
//!
//! ```text
//! AIPlatform --validate--> Platform --desire--> [Desired]             pure, total
//!                          Provider.look_up(lookups) -> Answers       I/O, what the platform names
//!                          Provider.observe(requests) -> Observations I/O, concurrent
//!              plan(desired, observations, intent) -> Plan            pure
//!              execute(plan) -> [Outcome]                             I/O, follows needs, concurrent
//!              status(previous, plan, outcomes) -> AIPlatformStatus   pure, one server-side-apply patch
//! ```
//!
//! The pure half is the crate `aiplatform-core`, which knows no client, no clock, no file and no async; the half here
//! decides nothing.

pub mod api_server;
pub mod aws_requests;
pub mod cli;
pub mod controller;
pub mod drift_listeners;
pub mod execute;
pub mod http;
pub mod leadership;
pub mod metrics;
pub mod priority;
pub mod provider;
pub mod readiness;
pub mod reconcile;
pub mod resource_version;
pub mod stall;
pub mod traces;

#[cfg(test)]
use aiplatform_core::testing;
pub use aiplatform_core::{
    api, arn, audit, cluster_manifests, crd, departures, desire, diff, document, drift, drift_events, exposure,
    failure, failures, features, first_attempts, grants, guardrails, install_check, kind, kinds, labels, lookup,
    manifest, names, observation_cache, operator_policy, outcome, permissions, plan, platform, policy, printable,
    propagation, render, request_id, reread, resource, schedule, scope, session, status, tags, update_loop_guard,
};
