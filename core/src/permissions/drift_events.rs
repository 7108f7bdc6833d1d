//! Permissions for the queues and rules by which the operator hears of changes: needed with `--drift-events` alone.

use crate::operator_policy::{Permission, ResourcePattern};

/// The IAM actions of the calls.
pub mod action {
    /// Finds the queue.
    pub const GET_QUEUE_URL: &str = "sqs:GetQueueUrl";
    /// Reads its attributes.
    pub const GET_QUEUE_ATTRIBUTES: &str = "sqs:GetQueueAttributes";
    /// Reads its tags.
    pub const LIST_QUEUE_TAGS: &str = "sqs:ListQueueTags";
    /// Makes it.
    pub const CREATE_QUEUE: &str = "sqs:CreateQueue";
    /// Tags it, in the call that makes it.
    pub const TAG_QUEUE: &str = "sqs:TagQueue";
    /// Changes its attributes.
    pub const SET_QUEUE_ATTRIBUTES: &str = "sqs:SetQueueAttributes";
    /// Deletes it.
    pub const DELETE_QUEUE: &str = "sqs:DeleteQueue";
    /// Receives events.
    pub const RECEIVE: &str = "sqs:ReceiveMessage";
    /// Deletes events that were handled.
    pub const DELETE_MESSAGE: &str = "sqs:DeleteMessage";
    /// Reads the rule.
    pub const DESCRIBE_RULE: &str = "events:DescribeRule";
    /// Reads its targets.
    pub const LIST_TARGETS: &str = "events:ListTargetsByRule";
    /// Reads its tags.
    pub const LIST_TAGS: &str = "events:ListTagsForResource";
    /// Makes or changes it.
    pub const PUT_RULE: &str = "events:PutRule";
    /// Tags it, in the call that makes it.
    pub const TAG_RULE: &str = "events:TagResource";
    /// Makes the queue its target.
    pub const PUT_TARGETS: &str = "events:PutTargets";
    /// Takes its targets off.
    pub const REMOVE_TARGETS: &str = "events:RemoveTargets";
    /// Deletes it.
    pub const DELETE_RULE: &str = "events:DeleteRule";
}

/// The permissions.
pub(super) const PERMISSIONS: &[Permission] = &[
    Permission {
        sid: "KeepDriftQueues",
        actions: &[
            action::GET_QUEUE_URL,
            action::GET_QUEUE_ATTRIBUTES,
            action::LIST_QUEUE_TAGS,
            action::CREATE_QUEUE,
            action::TAG_QUEUE,
            action::SET_QUEUE_ATTRIBUTES,
            action::DELETE_QUEUE,
        ],
        resources: &[ResourcePattern::DriftQueue],
        conditions: &[],
        reason: "makes the queues in which it hears of changes, keeps them as they should be and takes them away",
    },
    Permission {
        sid: "HearOfChanges",
        actions: &[action::RECEIVE, action::DELETE_MESSAGE],
        resources: &[ResourcePattern::DriftQueue],
        conditions: &[],
        reason: "receives events of changes, and deletes those that were handled",
    },
    Permission {
        sid: "KeepDriftRules",
        actions: &[
            action::DESCRIBE_RULE,
            action::LIST_TARGETS,
            action::LIST_TAGS,
            action::PUT_RULE,
            action::TAG_RULE,
            action::PUT_TARGETS,
            action::REMOVE_TARGETS,
            action::DELETE_RULE,
        ],
        resources: &[ResourcePattern::DriftRule],
        conditions: &[],
        reason: "makes the rules that send changes to those queues, keeps them as they should be and takes them away",
    },
];
