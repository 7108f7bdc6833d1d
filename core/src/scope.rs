//! The scope of a platform.

use crate::api::AssumeRole;

/// The scope of a platform: its account and region, and the name under which it owns resources there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
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
