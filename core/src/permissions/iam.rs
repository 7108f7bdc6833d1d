//! Permissions that the calls to AWS IAM need.

use crate::operator_policy::{Condition, Permission, ResourcePattern};
use crate::resource::Kind;

/// The IAM actions behind the calls of this adapter.
pub mod action {
    /// `GetRole`.
    pub const GET: &str = "iam:GetRole";
    /// `GetAccountAuthorizationDetails`.
    pub const LIST_DETAILS: &str = "iam:GetAccountAuthorizationDetails";
    /// `CreateRole`.
    pub const CREATE: &str = "iam:CreateRole";
    /// `DeleteRole`.
    pub const DELETE: &str = "iam:DeleteRole";
    /// `UpdateAssumeRolePolicy`.
    pub const UPDATE_TRUST: &str = "iam:UpdateAssumeRolePolicy";
    /// `PutRolePermissionsBoundary`.
    pub const PUT_BOUNDARY: &str = "iam:PutRolePermissionsBoundary";
    /// `DeleteRolePermissionsBoundary`.
    pub const DELETE_BOUNDARY: &str = "iam:DeleteRolePermissionsBoundary";
    /// `TagRole`, and tags in `CreateRole`.
    pub const TAG: &str = "iam:TagRole";
    /// `UntagRole`.
    pub const UNTAG: &str = "iam:UntagRole";
    /// `ListRolePolicies`.
    pub const LIST_POLICIES: &str = "iam:ListRolePolicies";
    /// `GetRolePolicy`.
    pub const GET_POLICY: &str = "iam:GetRolePolicy";
    /// `PutRolePolicy`.
    pub const PUT_POLICY: &str = "iam:PutRolePolicy";
    /// `DeleteRolePolicy`.
    pub const DELETE_POLICY: &str = "iam:DeleteRolePolicy";
    /// `ListAttachedRolePolicies`.
    pub const LIST_ATTACHED: &str = "iam:ListAttachedRolePolicies";
    /// `DetachRolePolicy`.
    pub const DETACH: &str = "iam:DetachRolePolicy";
}

/// The permissions that the calls of this adapter need.
pub const PERMISSIONS: &[Permission] = &[
    // The call names no path, and IAM knows that of a role only when there is one.
    Permission {
        sid: "FindRoles",
        actions: &[action::GET],
        resources: &[ResourcePattern::RoleOfAnyPath],
        conditions: &[],
        reason: "sees whether a role is there, whose it is and whom it trusts; of one that is not there, IAM knows no path",
    },
    Permission {
        sid: "ReadRoles",
        actions: &[action::LIST_POLICIES, action::GET_POLICY, action::LIST_ATTACHED],
        resources: &[ResourcePattern::Role],
        conditions: &[],
        reason: "sees what a role can do",
    },
    // IAM knows no resource for this list: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
    Permission {
        sid: "ListRoles",
        actions: &[action::LIST_DETAILS],
        resources: &[ResourcePattern::AnyOf(Kind::Role)],
        conditions: &[],
        reason: "reads all roles in one list for all platforms; without it each is read by itself, in four calls and more",
    },
    Permission {
        sid: "MakeRoles",
        actions: &[action::CREATE],
        resources: &[ResourcePattern::Role],
        conditions: &[Condition::RequestTag, Condition::Boundary],
        reason: "makes roles, never without the tag that says whose they are",
    },
    Permission {
        sid: "TagNewRoles",
        actions: &[action::TAG],
        resources: &[ResourcePattern::Role],
        conditions: &[Condition::RequestTag, Condition::ResourceTagIfExists],
        reason: "tags a role in the call that makes it, and takes none from another cluster",
    },
    // IAM takes a while to know a new role's tags everywhere, and the policies are put right after the role is made.
    Permission {
        sid: "WriteRolePolicies",
        actions: &[action::PUT_POLICY],
        resources: &[ResourcePattern::Role],
        conditions: &[Condition::ResourceTagIfExists, Condition::Boundary],
        reason: "says what a role can do, right after it was made: before IAM knows its tags everywhere",
    },
    // It is put back before anything else is: without it IAM would refuse the policies.
    Permission {
        sid: "BindOwnRoles",
        actions: &[action::PUT_BOUNDARY],
        resources: &[ResourcePattern::Role],
        conditions: &[Condition::ResourceTag, Condition::Boundary],
        reason: "puts back what bounds a role, only of roles with our tag",
    },
    Permission {
        sid: "UnbindOwnRoles",
        actions: &[action::DELETE_BOUNDARY],
        resources: &[ResourcePattern::Role],
        conditions: &[Condition::ResourceTag, Condition::NoBoundary],
        reason: "takes off the boundary that a platform no longer names; where every role has one, nobody may",
    },
    // Whom a role trusts changes nothing about what it can do at most, and a role that was made before there was a
    // boundary has to go without one.
    Permission {
        sid: "ChangeOwnRoles",
        actions: &[
            action::TAG,
            action::UNTAG,
            action::UPDATE_TRUST,
            action::DELETE_POLICY,
            action::DETACH,
            action::DELETE,
        ],
        resources: &[ResourcePattern::Role],
        conditions: &[Condition::ResourceTag, Condition::RequestTagIfExists],
        reason: "puts tags and trust back, takes policies away and deletes roles, only those with our tag",
    },
];
