//! Permissions that the calls to Amazon SageMaker need.

use crate::operator_policy::{Condition, Permission, ResourcePattern};
use crate::resource::Kind;

/// The IAM actions behind the calls of this adapter.
pub mod action {
    /// `DescribeModel`.
    pub const DESCRIBE_MODEL: &str = "sagemaker:DescribeModel";
    /// `DescribeEndpointConfig`.
    pub const DESCRIBE_CONFIG: &str = "sagemaker:DescribeEndpointConfig";
    /// `DescribeEndpoint`.
    pub const DESCRIBE_ENDPOINT: &str = "sagemaker:DescribeEndpoint";
    /// `ListTags`.
    pub const LIST_TAGS: &str = "sagemaker:ListTags";
    /// `ListModels`.
    pub const LIST_MODELS: &str = "sagemaker:ListModels";
    /// `ListEndpointConfigs`.
    pub const LIST_CONFIGS: &str = "sagemaker:ListEndpointConfigs";
    /// `ListEndpoints`.
    pub const LIST_ENDPOINTS: &str = "sagemaker:ListEndpoints";
    /// `CreateModel`.
    pub const CREATE_MODEL: &str = "sagemaker:CreateModel";
    /// `CreateEndpointConfig`.
    pub const CREATE_CONFIG: &str = "sagemaker:CreateEndpointConfig";
    /// `CreateEndpoint`.
    pub const CREATE_ENDPOINT: &str = "sagemaker:CreateEndpoint";
    /// `UpdateEndpoint`.
    pub const UPDATE_ENDPOINT: &str = "sagemaker:UpdateEndpoint";
    /// `DeleteModel`.
    pub const DELETE_MODEL: &str = "sagemaker:DeleteModel";
    /// `DeleteEndpointConfig`.
    pub const DELETE_CONFIG: &str = "sagemaker:DeleteEndpointConfig";
    /// `DeleteEndpoint`.
    pub const DELETE_ENDPOINT: &str = "sagemaker:DeleteEndpoint";
    /// `AddTags`, and tags in the calls that make something.
    pub const TAG: &str = "sagemaker:AddTags";
    /// `DeleteTags`.
    pub const UNTAG: &str = "sagemaker:DeleteTags";
    /// Making a model passes its role to SageMaker.
    pub const PASS_ROLE: &str = "iam:PassRole";
}

/// The service that an execution role is passed to with a model.
pub const SAGEMAKER: &str = "sagemaker.amazonaws.com";

/// The calls that tag what they make, as `sagemaker:TaggingAction` names them.
pub const CREATIONS: &[&str] = &["CreateModel", "CreateEndpointConfig", "CreateEndpoint"];

/// Permissions that the calls for models need.
pub const OF_MODELS: &[Permission] = &[
    Permission {
        sid: "ReadModels",
        actions: &[action::DESCRIBE_MODEL, action::LIST_TAGS],
        resources: &[ResourcePattern::Model],
        conditions: &[],
        reason: "sees whether a model is there, whose it is and what it is made of",
    },
    Permission {
        sid: "MakeModels",
        actions: &[action::CREATE_MODEL],
        resources: &[ResourcePattern::Model],
        conditions: &[Condition::RequestTag],
        reason: "makes models, never without the tag that says whose they are",
    },
    Permission {
        sid: "ChangeOwnModels",
        actions: &[action::TAG, action::UNTAG, action::DELETE_MODEL],
        resources: &[ResourcePattern::Model],
        conditions: &[Condition::ResourceTag, Condition::RequestTagIfExists],
        reason: "puts tags back and deletes models, only those with our tag",
    },
    Permission {
        sid: "PassExecutionRoles",
        actions: &[action::PASS_ROLE],
        resources: &[ResourcePattern::ExecutionRole],
        conditions: &[Condition::PassedToService(SAGEMAKER)],
        reason: "hands the roles of models to SageMaker, and to nothing else",
    },
];

/// Permissions that the calls for endpoint configurations need.
pub const OF_CONFIGS: &[Permission] = &[
    Permission {
        sid: "ReadConfigs",
        actions: &[action::DESCRIBE_CONFIG, action::LIST_TAGS],
        resources: &[ResourcePattern::EndpointConfig],
        conditions: &[],
        reason: "sees whether an endpoint configuration is there, whose it is and what it says",
    },
    Permission {
        sid: "MakeConfigs",
        actions: &[action::CREATE_CONFIG],
        resources: &[ResourcePattern::EndpointConfig],
        conditions: &[Condition::RequestTag],
        reason: "makes endpoint configurations, never without the tag that says whose they are",
    },
    Permission {
        sid: "ChangeOwnConfigs",
        actions: &[action::TAG, action::UNTAG, action::DELETE_CONFIG],
        resources: &[ResourcePattern::EndpointConfig],
        conditions: &[Condition::ResourceTag, Condition::RequestTagIfExists],
        reason: "puts tags back and deletes endpoint configurations, only those with our tag",
    },
];

/// Permissions that the calls for endpoints need, and those that are about several of these kinds.
pub const OF_ENDPOINTS: &[Permission] = &[
    Permission {
        sid: "ReadEndpoints",
        actions: &[action::DESCRIBE_ENDPOINT, action::LIST_TAGS],
        resources: &[ResourcePattern::Endpoint],
        conditions: &[],
        reason: "sees how an endpoint is, whose it is and what was tried with it last",
    },
    Permission {
        sid: "FindRevisions",
        actions: &[action::LIST_MODELS, action::LIST_CONFIGS],
        resources: &[ResourcePattern::AnyOf(Kind::SageMakerEndpoint)],
        conditions: &[],
        reason: "finds superseded revisions of its own; IAM knows no resource for lists",
    },
    Permission {
        sid: "ListEndpoints",
        actions: &[action::LIST_ENDPOINTS],
        resources: &[ResourcePattern::AnyOf(Kind::SageMakerEndpoint)],
        conditions: &[],
        reason: "sees in one list which endpoints have changed; without it each is described at each resync",
    },
    Permission {
        sid: "MakeEndpoints",
        actions: &[action::CREATE_ENDPOINT],
        resources: &[ResourcePattern::Endpoint, ResourcePattern::EndpointConfig],
        conditions: &[Condition::RequestTag],
        reason: "makes endpoints, never without the tag that says whose they are",
    },
    Permission {
        sid: "TagWhatIsMade",
        actions: &[action::TAG],
        resources: &[ResourcePattern::Model, ResourcePattern::EndpointConfig, ResourcePattern::Endpoint],
        conditions: &[Condition::RequestTag, Condition::TaggingAction(CREATIONS)],
        reason: "tags what it makes in the call that makes it, and nothing that is there already",
    },
    Permission {
        sid: "ChangeOwnEndpoints",
        actions: &[action::TAG, action::UNTAG, action::DELETE_ENDPOINT],
        resources: &[ResourcePattern::Endpoint],
        conditions: &[Condition::ResourceTag, Condition::RequestTagIfExists],
        reason: "writes down what it tries, puts tags back and deletes endpoints, only those with our tag",
    },
    Permission {
        sid: "MoveOwnEndpoints",
        actions: &[action::UPDATE_ENDPOINT],
        resources: &[ResourcePattern::Endpoint, ResourcePattern::EndpointConfig],
        conditions: &[Condition::ResourceTag],
        reason: "moves endpoints to other configurations, where both carry our tag",
    },
];
