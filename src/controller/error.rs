//! Errors that end a pass over an object, before or after the plan.

/// A request to the API server about the object itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// Reading it again.
    ReadObject,
    /// Putting the finalizer on, or taking it off.
    WriteFinalizer,
    /// Writing its status.
    WriteStatus,
}

impl Attempt {
    /// The verb and the resource, as a role of RBAC names them.
    fn name(self) -> &'static str {
        match self {
            Self::ReadObject => "get aiplatforms",
            Self::WriteFinalizer => "patch aiplatforms",
            Self::WriteStatus => "patch aiplatforms/status",
        }
    }

    /// Makes the error of this attempt.
    pub(super) fn failed(self) -> impl FnOnce(kube::Error) -> Error {
        move |error| Error::Kubernetes { attempt: self, error: Box::new(error) }
    }
}

/// The reason for which a pass over an object failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The API server refused something, or did not answer.
    #[error("{}", described(*.attempt, .error))]
    Kubernetes {
        /// The attempted write.
        attempt: Attempt,
        /// The error of the API server.
        error: Box<kube::Error>,
    },
    /// A bug of ours, kept away from the other objects.
    #[error("the pass panicked: {0}")]
    Panicked(String),
}

impl Error {
    /// A word for the kind of error, in events, the log and metrics.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Kubernetes { error, .. } if is_denied(error) => "AccessDenied",
            Self::Kubernetes { attempt: Attempt::WriteStatus, error } if is_rejected(error) => "StatusRejected",
            Self::Kubernetes { .. } => "KubernetesError",
            Self::Panicked(_) => "Panicked",
        }
    }

    /// True when somebody has to act before another try can succeed. Edits that come in between, which the finalizer's
    /// patch is refused for, pass by themselves.
    pub(super) fn needs_somebody(&self) -> bool {
        matches!(self.reason(), "AccessDenied" | "StatusRejected" | "Panicked")
    }

    /// The obstacle to work on any object like this one: a right that the operator lacks.
    pub(super) fn obstacle(&self) -> Option<String> {
        (self.reason() == "AccessDenied").then(|| self.to_string())
    }
}

fn is_denied(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 401 | 403))
}

/// True when the API server refuses the content, so that the same write fails again.
fn is_rejected(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 400 | 413 | 422))
}

fn described(attempt: Attempt, error: &kube::Error) -> String {
    let attempt = attempt.name();
    match error {
        kube::Error::Api(status) if is_denied(error) => format!(
            "the API server denies {attempt} ({}): allow it for the operator, as manifests/rbac.yaml does",
            status.message
        ),
        kube::Error::Api(status) => format!("the API server refuses {attempt}: {}", status.message),
        error => format!("{attempt} failed: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn refused(attempt: Attempt, code: u16) -> Error {
        let status = Status { code, message: "no".into(), ..Status::default() };
        attempt.failed()(kube::Error::Api(Box::new(status)))
    }

    #[test]
    fn what_only_somebody_can_mend_is_distinguished_from_what_passes() {
        let cases = [
            (Attempt::ReadObject, 403, "AccessDenied", true, true),
            (Attempt::WriteFinalizer, 403, "AccessDenied", true, true),
            (Attempt::WriteStatus, 401, "AccessDenied", true, true),
            (Attempt::WriteStatus, 422, "StatusRejected", true, false),
            (Attempt::WriteStatus, 413, "StatusRejected", true, false),
            (Attempt::WriteStatus, 409, "KubernetesError", false, false),
            (Attempt::WriteFinalizer, 422, "KubernetesError", false, false),
            (Attempt::WriteStatus, 500, "KubernetesError", false, false),
        ];
        for (attempt, code, reason, needs_somebody, is_obstacle) in cases {
            let error = refused(attempt, code);
            assert_eq!(error.reason(), reason, "{error}");
            assert_eq!(error.needs_somebody(), needs_somebody, "{error}");
            assert_eq!(error.obstacle().is_some(), is_obstacle, "{error}");
        }
    }

    #[test]
    fn a_missing_right_is_named_with_the_way_out() {
        let message = refused(Attempt::WriteStatus, 403).to_string();
        assert!(message.contains("patch aiplatforms/status") && message.contains("manifests/rbac.yaml"), "{message}");
    }
}
