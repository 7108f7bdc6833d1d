//! Permissions that the calls to Application Auto Scaling need.

use crate::operator_policy::{Condition, Permission, ResourcePattern};
use crate::resource::Kind;

/// The service that scales SageMaker endpoints, as service-linked roles name it.
pub const SCALER: &str = "sagemaker.application-autoscaling.amazonaws.com";

/// The IAM actions behind the calls of this adapter.
pub mod action {
    /// `DescribeScalableTargets`.
    pub const DESCRIBE_TARGETS: &str = "application-autoscaling:DescribeScalableTargets";
    /// `DescribeScalingPolicies`.
    pub const DESCRIBE_POLICIES: &str = "application-autoscaling:DescribeScalingPolicies";
    /// `DescribeScheduledActions`.
    pub const DESCRIBE_ACTIONS: &str = "application-autoscaling:DescribeScheduledActions";
    /// `ListTagsForResource`.
    pub const LIST_TAGS: &str = "application-autoscaling:ListTagsForResource";
    /// `RegisterScalableTarget`.
    pub const REGISTER: &str = "application-autoscaling:RegisterScalableTarget";
    /// `DeregisterScalableTarget`; deleting an endpoint asks for it too.
    pub const DEREGISTER: &str = "application-autoscaling:DeregisterScalableTarget";
    /// `PutScalingPolicy`.
    pub const PUT_POLICY: &str = "application-autoscaling:PutScalingPolicy";
    /// `DeleteScalingPolicy`.
    pub const DELETE_POLICY: &str = "application-autoscaling:DeleteScalingPolicy";
    /// `PutScheduledAction`.
    pub const PUT_ACTION: &str = "application-autoscaling:PutScheduledAction";
    /// `DeleteScheduledAction`.
    pub const DELETE_ACTION: &str = "application-autoscaling:DeleteScheduledAction";
    /// `TagResource`, and tags in `RegisterScalableTarget`.
    pub const TAG: &str = "application-autoscaling:TagResource";
    /// `UntagResource`.
    pub const UNTAG: &str = "application-autoscaling:UntagResource";
    /// Registering reads the endpoint, with the caller's permission.
    pub const DESCRIBE_ENDPOINT: &str = "sagemaker:DescribeEndpoint";
    /// Registering reads what the endpoint runs.
    pub const DESCRIBE_CONFIG: &str = "sagemaker:DescribeEndpointConfig";
    /// Registering asks whether the caller could scale the endpoint.
    pub const SCALE: &str = "sagemaker:UpdateEndpointWeightsAndCapacities";
    /// A policy makes alarms, with the caller's permission.
    pub const PUT_ALARM: &str = "cloudwatch:PutMetricAlarm";
    /// A policy reads its alarms.
    pub const DESCRIBE_ALARMS: &str = "cloudwatch:DescribeAlarms";
    /// Whatever takes a policy away takes its alarms away.
    pub const DELETE_ALARMS: &str = "cloudwatch:DeleteAlarms";
    /// The first target of an account makes the role that scales.
    pub const LINK_ROLE: &str = "iam:CreateServiceLinkedRole";
}

/// The service namespace of SageMaker in Application Auto Scaling.
pub const NAMESPACE: &str = "sagemaker";

/// The permissions that the calls of this adapter need. A target that nobody tagged is its endpoint's like one that
/// carries our tag, so that tags say only which of them may not be changed.
pub const PERMISSIONS: &[Permission] = &[
    Permission {
        sid: "FindScaling",
        actions: &[action::DESCRIBE_TARGETS, action::DESCRIBE_POLICIES, action::DESCRIBE_ACTIONS],
        resources: &[ResourcePattern::AnyOf(Kind::ScalableTarget)],
        conditions: &[],
        reason: "sees what scales its endpoints; IAM knows no resource for descriptions",
    },
    Permission {
        sid: "ReadTargets",
        actions: &[action::LIST_TAGS],
        resources: &[ResourcePattern::ScalableTarget],
        conditions: &[],
        reason: "sees whose a scalable target is",
    },
    Permission {
        sid: "ScaleEndpoints",
        actions: &[
            action::REGISTER,
            action::DEREGISTER,
            action::PUT_POLICY,
            action::DELETE_POLICY,
            action::PUT_ACTION,
            action::DELETE_ACTION,
        ],
        resources: &[ResourcePattern::ScalableTarget],
        conditions: &[Condition::ScalingNamespace(NAMESPACE), Condition::ResourceTagIfExists],
        reason: "sets how endpoints scale; the ARN of a target does not say which endpoint it is about",
    },
    Permission {
        sid: "TagTargets",
        actions: &[action::TAG],
        resources: &[ResourcePattern::ScalableTarget],
        conditions: &[Condition::RequestTagIfExists, Condition::ResourceTagIfExists],
        reason: "says whose a scalable target is, and takes none from another cluster",
    },
    Permission {
        sid: "UntagOwnTargets",
        actions: &[action::UNTAG],
        resources: &[ResourcePattern::ScalableTarget],
        conditions: &[Condition::ResourceTag],
        reason: "takes stale tags away, only from targets with our tag",
    },
    Permission {
        sid: "LetScalingReadEndpoints",
        actions: &[action::DESCRIBE_ENDPOINT],
        resources: &[ResourcePattern::Endpoint],
        conditions: &[],
        reason: "Application Auto Scaling reads the resource that it scales, with the caller's permission",
    },
    Permission {
        sid: "LetScalingReadConfigs",
        actions: &[action::DESCRIBE_CONFIG],
        resources: &[ResourcePattern::EndpointConfig],
        conditions: &[],
        reason: "Application Auto Scaling reads what an endpoint runs, with the caller's permission",
    },
    Permission {
        sid: "LetScalingScale",
        actions: &[action::SCALE],
        resources: &[ResourcePattern::Endpoint],
        conditions: &[Condition::ResourceTag],
        reason: "Application Auto Scaling asks that whoever lets it scale an endpoint could do so too",
    },
    Permission {
        sid: "LetScalingAlarm",
        actions: &[action::PUT_ALARM, action::DESCRIBE_ALARMS, action::DELETE_ALARMS],
        resources: &[ResourcePattern::ScalingAlarm],
        conditions: &[],
        reason: "Application Auto Scaling makes and deletes the alarms of a policy, with the caller's permission",
    },
    Permission {
        sid: "MakeScalingRole",
        actions: &[action::LINK_ROLE],
        resources: &[ResourcePattern::ScalingRole],
        conditions: &[Condition::LinkedService(SCALER)],
        reason: "the first scalable target of an account makes the role that Application Auto Scaling works with",
    },
];
