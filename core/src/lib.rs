//! The deciding half of `aiplatform`, which turns one `AIPlatform` object into a production AI platform on AWS, and keeps it so.
//!
//! ```text
//! AIPlatform --validate--> Platform --desire--> [Desired]             pure, total
//!                          Provider.observe(requests) -> Observations I/O, concurrent
//!              plan(desired, observations, intent) -> Plan            pure
//!              execute(plan) -> [Outcome]                             I/O, follows needs, concurrent
//!              status(previous, plan, outcomes) -> AIPlatformStatus   pure, one server-side-apply patch
//! ```
//!
//! Nothing here knows a client, a clock, a file or async; the I/O half in the root package decides nothing.

pub mod api;
pub mod arn;
pub mod audit;
pub mod cluster_manifests;
pub mod crd;
pub mod departures;
pub mod desire;
pub mod diff;
pub mod document;
pub mod drift;
pub mod drift_events;
pub mod exposure;
pub mod failure;
pub mod failures;
pub mod features;
pub mod field_reference;
pub mod first_attempts;
pub mod grants;
pub mod guardrails;
pub mod install_check;
pub mod kind;
pub mod kinds;
pub mod labels;
pub mod lookup;
pub mod manifest;
pub mod names;
pub mod observation_cache;
pub mod operator_policy;
pub mod outcome;
pub mod permissions;
pub mod plan;
pub mod platform;
pub mod policy;
pub mod printable;
pub mod propagation;
pub mod quantity;
pub mod render;
pub mod request_id;
pub mod reread;
pub mod resource;
pub mod schedule;
pub mod scope;
pub mod session;
pub mod status;
pub mod tags;
pub mod update_loop_guard;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
