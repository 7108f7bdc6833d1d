//! Failures of calls to AWS or the cluster, and what they mean.

use crate::plan::Step;
use crate::request_id;

/// The code of a call that got no answer in time.
pub const TIMEOUT: &str = "Timeout";

/// The code of a call that reached nobody.
pub const UNREACHABLE: &str = "Unreachable";

/// The code of a call that was not sent, because nobody answered those before it or because leadership had ended.
pub const NOT_SENT: &str = "NotSent";

/// The code of a call whose signature is of another time than AWS takes; the message has AWS's own.
pub const CLOCK: &str = "ClockSkew";

/// A failure of AWS or the cluster, and its meaning for us.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.describe())]
pub struct Error {
    /// The class of the failure.
    pub class: Class,
    /// The IAM action that was tried, such as `s3:PutBucketVersioning`.
    pub action: String,
    /// The subject of the call: an ARN, or a name where there is none.
    pub subject: String,
    /// AWS's error code.
    pub code: String,
    /// AWS's message.
    pub message: String,
    /// The id that AWS gave the request, which its support asks for; none where nothing answered, and of the cluster.
    pub request_id: Option<Box<str>>,
}

/// The meaning of a failure for the resource and for the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Somebody has to grant a permission.
    Denied,
    /// AWS refuses what was asked; the same request fails again.
    Invalid,
    /// Somebody has to raise a limit.
    Quota,
    /// It belongs to somebody else.
    NotOwned,
    /// Another change is under way, or somebody was faster.
    Conflict,
    /// Too many calls.
    Throttled,
    /// It is not there.
    NotFound,
    /// Everything that passes by itself: the network, an internal error, a lost answer.
    Transient,
    /// It speaks of a role that was written a moment ago, which may not have propagated through IAM yet.
    Propagating,
    /// A bug of ours.
    Bug,
}

impl Class {
    /// The class of an HTTP status where nothing more exact is known. A conflict (409) alone does not say that it
    /// passes: the tables of the services name those that do.
    #[must_use]
    pub fn of_status(status: u16) -> Self {
        match status {
            401 | 403 => Self::Denied,
            404 => Self::NotFound,
            408 => Self::Transient,
            429 => Self::Throttled,
            400..=499 | 501 => Self::Invalid,
            _ => Self::Transient,
        }
    }
}

impl Error {
    /// An adapter that was asked for something it does not know. Success would hide it.
    #[must_use]
    pub fn bug(action: &str, subject: &str, what: impl std::fmt::Display) -> Self {
        Self {
            class: Class::Bug,
            action: action.into(),
            subject: subject.into(),
            code: "Bug".into(),
            message: what.to_string(),
            request_id: None,
        }
    }

    /// A step that an adapter cannot take.
    #[must_use]
    pub fn unknown_step(step: &Step) -> Self {
        let known = |side: bool| if side { "something" } else { "nothing" };
        let what = format!(
            "no call does this, with {} desired and {} observed",
            known(step.desired.is_some()),
            known(step.observed.is_some())
        );
        Self::bug(step.action.name(), &step.key.to_string(), what)
    }

    /// Something that was ours or nobody's when its step was planned, and is not ours now. What can be done about it is
    /// for the next pass to find out.
    #[must_use]
    pub fn owner_changed(action: &str, subject: &str, holder: Option<&str>) -> Self {
        let message = match holder {
            Some(holder) => format!("it belongs to {holder} since a moment ago: it is left alone"),
            None => "it has no owner tag since a moment ago: it is left alone".into(),
        };
        Self {
            class: Class::Conflict,
            action: action.into(),
            subject: subject.into(),
            code: "OwnerChanged".into(),
            message,
            request_id: None,
        }
    }

    /// A field that no call writes.
    #[must_use]
    pub fn unknown_field(step: &Step, field: &str) -> Self {
        Self::bug(step.action.name(), &step.key.to_string(), format_args!("no call writes the field {field:?}"))
    }

    /// True when nobody answered.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        self.class == Class::Transient && [TIMEOUT, UNREACHABLE, NOT_SENT].contains(&self.code.as_str())
    }

    /// The reason in conditions, events and metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self.class {
            Class::Denied => "AccessDenied",
            Class::Invalid => "InvalidSpec",
            Class::Quota => "QuotaExceeded",
            Class::NotOwned => "NotOwned",
            Class::Conflict => "Conflict",
            Class::Throttled => "Throttled",
            Class::NotFound => "NotFound",
            Class::Transient => "Transient",
            Class::Propagating => "Propagating",
            Class::Bug => "Bug",
        }
    }

    /// True when somebody has to act before another try can succeed.
    #[must_use]
    pub fn needs_somebody(&self) -> bool {
        matches!(self.class, Class::Denied | Class::Invalid | Class::Quota | Class::NotOwned | Class::Bug)
    }

    /// True when AWS said so: its actions have the service in front, and those of Kubernetes are a verb and a resource.
    fn is_of_aws(&self) -> bool {
        self.action.contains(':')
    }

    fn describe(&self) -> String {
        let Self { action, subject, code, message, .. } = self;
        let mut detail = if message.is_empty() { code.clone() } else { format!("{code}: {message}") };
        if let Some(id) = &self.request_id {
            detail.push_str(&request_id::suffix(id));
        }
        match self.class {
            Class::Denied if !self.is_of_aws() => format!(
                "the API server denies {action} on {subject} ({detail}): allow it for the operator, as manifests/rbac.yaml does"
            ),
            Class::Denied if *code == CLOCK => format!(
                "AWS refuses {action} on {subject} for its time ({detail}): set the clock of the operator's node by NTP"
            ),
            Class::Denied => format!("AWS denies {action} on {subject} ({detail}): allow that action for the operator"),
            Class::Throttled => format!("AWS throttles {action} on {subject} ({detail}): tried again more slowly"),
            Class::Bug => format!("{action} on {subject}: a bug of aiplatform, please report it ({detail})"),
            Class::Propagating => format!(
                "{action} on {subject} failed ({detail}): what was just written may not have propagated through IAM yet; tried \
                 again for two minutes"
            ),
            Class::Invalid | Class::Quota | Class::NotOwned | Class::Conflict | Class::NotFound | Class::Transient => {
                format!("{action} on {subject} failed ({detail})")
            }
        }
    }
}
