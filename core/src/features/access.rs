//! Access: roles and what binds them to service accounts.

mod lost_principals;

use crate::plan::rules::{Adjusted, Rules};

/// Rules of planning for roles.
pub const RULES: Rules = Rules {
    adjust: |desired, observations, _| {
        let (desired, held_back) = lost_principals::without_lost_principals(desired, observations);
        Adjusted { desired, held_back }
    },
    ..Rules::NONE
};
