//! The log group of an endpoint: what its containers print. SageMaker makes it with the first line if nobody else did, and
//! keeps it for ever.

use serde::Serialize;

use crate::drift_events::naming::{RecordedCalls, named, with_arns};
use crate::kind::{
    Audited, Backend, BeforeDeletion, Busy, Creation, Identity, Info, Listed, MakesRole, Managed, Nothing, OwnedBy,
    Part, Reads, Reliance, Service,
};
use crate::operator_policy::{Condition, Permission, ResourcePattern};
use crate::plan::{Action, Refusal, Step};
use crate::resource::{Endpoint, Kind, Observations, ObservedState, Owner, Removal, TAGS};
use crate::tags::Tags;

/// The names of the fields that are written by calls of their own, as they stand in diffs.
pub mod field {
    /// Tags.
    pub const TAGS: &str = "tags";
    /// Days that events are kept.
    pub const RETENTION: &str = "retentionDays";
    /// The KMS key.
    pub const KEY: &str = "kmsKeyArn";
}

/// The IAM actions behind the calls for log groups.
pub mod action {
    /// `DescribeLogGroups`.
    pub const DESCRIBE: &str = "logs:DescribeLogGroups";
    /// `ListTagsForResource`.
    pub const LIST_TAGS: &str = "logs:ListTagsForResource";
    /// `CreateLogGroup`.
    pub const CREATE: &str = "logs:CreateLogGroup";
    /// `PutRetentionPolicy`.
    pub const PUT_RETENTION: &str = "logs:PutRetentionPolicy";
    /// `AssociateKmsKey`.
    pub const ASSOCIATE_KEY: &str = "logs:AssociateKmsKey";
    /// `DisassociateKmsKey`.
    pub const DISASSOCIATE_KEY: &str = "logs:DisassociateKmsKey";
    /// `TagResource`, and tags in the call that makes a group.
    pub const TAG: &str = "logs:TagResource";
    /// `UntagResource`.
    pub const UNTAG: &str = "logs:UntagResource";
}

/// The prefix of the name of an endpoint's log group.
pub const PREFIX: &str = "/aws/sagemaker/Endpoints/";

/// The numbers of days that CloudWatch Logs knows: `PutRetentionPolicy`, CloudWatch Logs API reference.
pub const RETENTION_DAYS: [i32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// A log group.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogGroup {
    /// Its name.
    pub name: String,
    /// Its ARN, without the `:*` at the end that means its streams.
    pub arn: String,
    /// Days that events are kept; for ever without.
    pub retention_days: Option<i32>,
    /// The KMS key that encrypts it, where it is not CloudWatch Logs' own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<String>,
    /// Tags that are ours.
    pub tags: Tags,
}

impl LogGroup {
    /// The name of the endpoint that prints into it.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.name.strip_prefix(PREFIX).unwrap_or_default()
    }
}

impl Managed for LogGroup {
    const INFO: Info = Info {
        name: "LogGroup",
        noun: "log group",
        part: Part::Models,
        backend: Backend::Aws(Service::Logs),
        identity: Identity::Name,
        owned_by: OwnedBy::Tag,
        adopted_by: None,
        busy: Busy::RefusesWrites,
        creation: Creation::RefusedWhereTaken,
        before_deletion: BeforeDeletion::Remembered,
        leaves: &[],
        reads: Reads::Hourly,
        rests_on_events: true,
        removal: Removal::Retain,
        has_deletion_policy: false,
        kept_because: "logs are evidence, and expire by themselves",
        refers_to: &[],
        relied_on: Reliance::AllBut(&[TAGS]),
        makes_role: MakesRole::No,
        audited: Audited::Everything,
        arns: Some("arn:aws:logs:*:*:log-group:/aws/sagemaker/Endpoints/*"),
        permissions: &[
            Permission {
                sid: "FindLogGroups",
                actions: &[action::DESCRIBE],
                resources: &[ResourcePattern::AnyOf(Kind::LogGroup)],
                conditions: &[],
                reason: "sees whether the log groups of endpoints are there and how long they keep what they hold",
            },
            Permission {
                sid: "ReadLogGroups",
                actions: &[action::LIST_TAGS],
                resources: &[ResourcePattern::Kind(Kind::LogGroup)],
                conditions: &[],
                reason: "sees whose a log group is",
            },
            Permission {
                sid: "MakeLogGroups",
                actions: &[action::CREATE],
                resources: &[ResourcePattern::Kind(Kind::LogGroup)],
                conditions: &[],
                reason: "makes log groups before SageMaker does, which would keep them for ever",
            },
            Permission {
                sid: "TagLogGroups",
                actions: &[action::TAG],
                resources: &[ResourcePattern::Kind(Kind::LogGroup)],
                conditions: &[Condition::RequestTagIfExists, Condition::ResourceTagIfExists],
                reason: "tags the log groups that it makes, and takes over those that SageMaker made for its endpoints",
            },
            Permission {
                sid: "ChangeLogGroups",
                actions: &[action::PUT_RETENTION, action::ASSOCIATE_KEY, action::DISASSOCIATE_KEY, action::UNTAG],
                resources: &[ResourcePattern::Kind(Kind::LogGroup)],
                conditions: &[Condition::ResourceTagIfExists],
                reason: "sets how long what was logged is kept and with which key, and puts back what drifts",
            },
        ],
        changed_by: &[
            RecordedCalls {
                names: &[
                    "AssociateKmsKey",
                    "CreateLogGroup",
                    "DeleteLogGroup",
                    "DeleteRetentionPolicy",
                    "DisassociateKmsKey",
                    "PutRetentionPolicy",
                ],
                about: |parameters| named(parameters, "logGroupName"),
            },
            RecordedCalls {
                names: &["TagResource", "UntagResource"],
                about: |parameters| with_arns(parameters, "resourceArn"),
            },
        ],
    };
    type Write = Nothing;
    type Facts = Nothing;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn arn(&self) -> Option<String> {
        Some(self.arn.clone())
    }

    /// Without `:*` at the end it is the group itself, and with it what is in it: which of the two an action is about,
    /// IAM's reference and the refusals of CloudWatch Logs do not always agree.
    fn policy_arns(&self) -> Vec<String> {
        vec![self.arn.clone(), format!("{}:*", self.arn)]
    }

    fn tags(&self) -> Option<&Tags> {
        Some(&self.tags)
    }
}

/// The step for a log group, which is refused where the endpoint that prints into it is somebody else's: the group has
/// no owner then, and is not SageMaker's to take over.
pub(super) fn of_own_endpoint(mut step: Step, observations: &Observations) -> Step {
    let Some(group) = step.desired.as_ref().and_then(LogGroup::of) else { return step };
    let endpoint = Endpoint::key_of(group.endpoint());
    let observed = observations.get(&endpoint);
    let is_foreign = observed.is_some_and(|observed| {
        let is_there = !matches!(observed.state, ObservedState::Absent | ObservedState::Unreadable(_));
        is_there && observed.owner != Owner::Ours
    });
    if is_foreign && step.action.writes() {
        let message = format!("{endpoint} is not this platform's, and so its {} is not either", LogGroup::INFO.noun);
        step.action = Action::Refuse(Refusal { reason: "NotOwned", message });
    }
    step
}
