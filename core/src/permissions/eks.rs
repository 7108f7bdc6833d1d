//! Permissions that the calls to Amazon EKS need.

use crate::operator_policy::{Need, On, When};

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

/// What the calls of this adapter need.
pub const NEEDS: &[Need] = &[
    Need {
        sid: "ListAssociations",
        actions: &[action::LIST],
        on: &[On::Cluster],
        when: &[],
        reason: "finds the association of a service account",
    },
    Need {
        sid: "ReadAssociations",
        actions: &[action::DESCRIBE],
        on: &[On::Association],
        when: &[],
        reason: "sees whose an association is and which role it leads to",
    },
    Need {
        sid: "MakeAssociations",
        actions: &[action::CREATE],
        on: &[On::Cluster],
        when: &[When::OwnerAsked],
        reason: "binds service accounts to roles, never without the tag that says whose the association is",
    },
    Need {
        sid: "TagNewAssociations",
        actions: &[action::TAG],
        on: &[On::Association],
        when: &[When::OwnerAsked, When::OwnerTaggedIfAny],
        reason: "tags an association in the call that makes it, and takes none from another cluster",
    },
    Need {
        sid: "ChangeOwnAssociations",
        actions: &[action::UPDATE, action::TAG, action::UNTAG, action::DELETE],
        on: &[On::Association],
        when: &[When::OwnerTagged, When::OwnerAskedIfAny],
        reason: "puts back what drifts and takes associations away, only those with our tag",
    },
    Need {
        sid: "PassRoles",
        actions: &[action::PASS_ROLE],
        on: &[On::PassedRole],
        when: &[When::PassedTo(PODS)],
        reason: "hands the roles it made to pods, and to nothing else",
    },
    Need {
        sid: "LetEksReadRoles",
        actions: &[action::GET_ROLE],
        on: &[On::PassedRole],
        when: &[],
        reason: "EKS looks at the role it is handed, with the caller's permission",
    },
];
