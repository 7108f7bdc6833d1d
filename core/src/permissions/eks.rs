//! Permissions that the calls to Amazon EKS need.

use crate::operator_policy::{Condition, Permission, ResourcePattern};

/// The IAM actions behind the calls of this adapter.
pub mod action {
    /// `ListPodIdentityAssociations`.
    pub const LIST: &str = "eks:ListPodIdentityAssociations";
    /// `DescribePodIdentityAssociation`.
    pub const DESCRIBE: &str = "eks:DescribePodIdentityAssociation";
    /// `CreatePodIdentityAssociation`.
    pub const CREATE: &str = "eks:CreatePodIdentityAssociation";
    /// `UpdatePodIdentityAssociation`.
    pub const UPDATE: &str = "eks:UpdatePodIdentityAssociation";
    /// `DeletePodIdentityAssociation`.
    pub const DELETE: &str = "eks:DeletePodIdentityAssociation";
    /// `TagResource`, and tags in `CreatePodIdentityAssociation`.
    pub const TAG: &str = "eks:TagResource";
    /// `UntagResource`.
    pub const UNTAG: &str = "eks:UntagResource";
    /// Creating and updating an association passes the role to EKS.
    pub const PASS_ROLE: &str = "iam:PassRole";
    /// EKS reads the role it is given.
    pub const GET_ROLE: &str = "iam:GetRole";
}

/// The service that a role is passed to with an association.
pub const PODS: &str = "pods.eks.amazonaws.com";

/// The permissions that the calls of this adapter need.
pub const PERMISSIONS: &[Permission] = &[
    Permission {
        sid: "ListAssociations",
        actions: &[action::LIST],
        resources: &[ResourcePattern::Cluster],
        conditions: &[],
        reason: "finds the association of a service account",
    },
    Permission {
        sid: "ReadAssociations",
        actions: &[action::DESCRIBE],
        resources: &[ResourcePattern::Association],
        conditions: &[],
        reason: "sees whose an association is and which role it leads to",
    },
    Permission {
        sid: "MakeAssociations",
        actions: &[action::CREATE],
        resources: &[ResourcePattern::Cluster],
        conditions: &[Condition::RequestTag],
        reason: "binds service accounts to roles, never without the tag that says whose the association is",
    },
    Permission {
        sid: "TagNewAssociations",
        actions: &[action::TAG],
        resources: &[ResourcePattern::Association],
        conditions: &[Condition::RequestTag, Condition::ResourceTagIfExists],
        reason: "tags an association in the call that makes it, and takes none from another cluster",
    },
    Permission {
        sid: "ChangeOwnAssociations",
        actions: &[action::UPDATE, action::TAG, action::UNTAG, action::DELETE],
        resources: &[ResourcePattern::Association],
        conditions: &[Condition::ResourceTag, Condition::RequestTagIfExists],
        reason: "puts back what drifts and takes associations away, only those with our tag",
    },
    Permission {
        sid: "PassRoles",
        actions: &[action::PASS_ROLE],
        resources: &[ResourcePattern::PassedRole],
        conditions: &[Condition::PassedToService(PODS)],
        reason: "hands the roles it made to pods, and to nothing else",
    },
    Permission {
        sid: "LetEksReadRoles",
        actions: &[action::GET_ROLE],
        resources: &[ResourcePattern::PassedRole],
        conditions: &[],
        reason: "EKS reads the role it is given, with the caller's permission",
    },
];
