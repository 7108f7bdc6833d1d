//! What the integration tests stand on.

use std::time::Duration;

pub mod child;
pub mod cluster;
pub mod collector;
pub mod memory;
pub mod operator;
pub mod proxy;
pub mod simulator;
pub mod test_env;

/// How long a test waits for anything before it gives up: what never comes costs it, and a slow machine never does.
pub const DEADLINE: Duration = Duration::from_mins(3);

/// How often a test looks meanwhile.
pub const PERIOD: Duration = Duration::from_millis(50);
