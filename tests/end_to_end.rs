//! The operator's binary against the real API server and the AWS simulator.

mod access;
mod attained;
mod audit;
mod bad_objects;
mod command_line;
mod creation;
mod deletion;
mod downgrade;
mod drift;
mod endpoints;
mod failures;
mod field;
mod foreign;
mod guardrails;
mod inference;
mod installation;
mod leadership;
mod lifecycle_of_the_operator;
mod live_tree;
mod network;
pub mod operator_policy;
mod policies;
mod sagemaker;
mod service_accounts;
mod starvation;
mod strangers;
mod workloads;
