//! `aiplatform` turns one `AIPlatform` object into a production AI platform on AWS, and keeps it so.
//!
//! ```text
//! AIPlatform --validate--> Platform --desire--> [Desired]             pure, total
//!                          Provider.observe(requests) -> Observations I/O, concurrent
//!              plan(desired, observations, intent) -> Plan            pure
//!              execute(plan) -> [Outcome]                             I/O, follows needs, concurrent
//!              status(previous, plan, outcomes) -> AIPlatformStatus   pure, one server-side-apply patch
//! ```
//!
//! The pure half knows no client, no clock and no async; the I/O half decides nothing.

pub mod api;
pub mod api_server;
pub mod arn;
pub mod audit;
#[cfg(feature = "aws")]
pub mod cli;
pub mod controller;
pub mod crd;
pub mod desire;
pub mod diff;
pub mod execute;
pub mod exposure;
pub mod grants;
pub mod guardrails;
pub mod http;
pub mod leadership;
pub mod manifest;
pub mod metrics;
pub mod names;
pub mod operator_policy;
pub mod plan;
pub mod platform;
pub mod policy;
pub mod printable;
pub mod propagation;
pub mod provider;
pub mod readiness;
pub mod recollection;
pub mod reconcile;
pub mod render;
pub mod repeats;
pub mod resource;
pub mod schedule;
pub mod stall;
pub mod status;
pub mod tags;

#[cfg(test)]
mod testing;
