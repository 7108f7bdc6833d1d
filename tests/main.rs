//! The integration tests, in one binary: each further one would link all of the AWS SDK again.

#![cfg_attr(test, expect(clippy::needless_pass_by_value, reason = "json!({...}) reads better without a reference"))]

#[cfg(test)]
mod adapters;
#[cfg(test)]
mod convergence;
#[cfg(test)]
mod documentation;
#[cfg(test)]
mod end_to_end;
#[cfg(test)]
mod support;
