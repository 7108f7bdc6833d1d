//! The scope of a platform: where it lives, and under which name it owns things there.

use crate::api::AssumeRole;

/// Where a platform lives and under which name it owns things there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// AWS region.
    pub region: String,
    /// AWS account.
    pub account_id: String,
    /// The value of the owner tag.
    pub owner: String,
    /// The UID of the object, which no other object ever had; empty where there is no object.
    pub uid: String,
    /// The role that the operator works through.
    pub assume_role: Option<AssumeRole>,
}
