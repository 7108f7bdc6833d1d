//! The classes of refusals by Application Auto Scaling.

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::super::failure;
use super::action;
use crate::failure::{Class, Error};
use crate::outcome::Applied;

/// The result of a call about `subject`.
pub(super) fn refused<E>(action: &str, subject: &str, error: &SdkError<E, Response>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    failure::classify_by_message(action, subject, error, |code, message| classified(action, code, message))
}

/// Already gone is as good as taken away.
pub(super) fn gone<T>(answer: Result<T, Error>) -> Result<Applied, Error> {
    match answer {
        Err(error) if error.class != Class::NotFound => Err(error),
        _ => Ok(Applied::Gone),
    }
}

/// The result of a write below a target, which may not be visible everywhere yet.
const PUTS: [&str; 3] = [action::REGISTER, action::PUT_POLICY, action::PUT_ACTION];

/// Application Auto Scaling's error codes. Source: "Errors" of each operation in its API reference.
fn classified(action: &str, code: &str, message: &str) -> Option<Class> {
    Some(match code {
        "ObjectNotFoundException" if PUTS.contains(&action) => Class::Conflict,
        "ObjectNotFoundException" | "ResourceNotFoundException" => Class::NotFound,
        "ConcurrentUpdateException" => Class::Conflict,
        // Whoever scales may not read the alarms; right after its service-linked role was made, that passes.
        "FailedResourceAccessException" => Class::Denied,
        "LimitExceededException" => Class::Quota,
        "InternalServiceException" | "InvalidNextTokenException" => Class::Transient,
        "ValidationException" if passes(message) => Class::Conflict,
        "ValidationException" | "TooManyTagsException" => Class::Invalid,
        _ => return None,
    })
}

/// True when a refusal ends by itself: the endpoint is not there or not in service yet, or, where tags are not taken,
/// the target was registered meanwhile.
fn passes(message: &str) -> bool {
    let lowercase = message.to_lowercase();
    let signs = ["could not find", "does not exist", "doesn't exist", "its status is", "inservice", "in service"];
    signs.iter().any(|sign| lowercase.contains(sign))
        || lowercase.contains("in-progress")
        || lowercase.contains("tags can only")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_gone_or_still_to_come() {
        let class = |action| classified(action, "ObjectNotFoundException", "No scalable target registered for x");
        assert_eq!(class(action::DEREGISTER), Some(Class::NotFound));
        assert_eq!(class(action::DELETE_POLICY), Some(Class::NotFound));
        assert_eq!(class(action::DESCRIBE_POLICIES), Some(Class::NotFound));
        assert_eq!(class(action::PUT_POLICY), Some(Class::Conflict));
        assert_eq!(class(action::PUT_ACTION), Some(Class::Conflict));
    }

    #[test]
    fn a_refusal_that_passes_by_itself_is_not_the_users_fault() {
        for (message, expected) in [
            ("Could not find endpoint \"arn:e\".", Class::Conflict),
            ("Cannot scale endpoint \"arn:e\": its status is Deleting.", Class::Conflict),
            ("The endpoint must be InService to register it.", Class::Conflict),
            ("Tags can only be specified when a scalable target is created.", Class::Conflict),
            ("Maximum capacity cannot be less than minimum capacity.", Class::Invalid),
            ("You cannot register a variant with ml.t2.medium instance type as a scalable target.", Class::Invalid),
        ] {
            assert_eq!(classified(action::REGISTER, "ValidationException", message), Some(expected), "{message}");
        }
        for (code, expected) in [
            ("ConcurrentUpdateException", Some(Class::Conflict)),
            ("LimitExceededException", Some(Class::Quota)),
            ("FailedResourceAccessException", Some(Class::Denied)),
            ("InternalServiceException", Some(Class::Transient)),
            ("ThrottlingException", None),
        ] {
            assert_eq!(classified(action::REGISTER, code, ""), expected, "{code}");
        }
    }

    #[test]
    fn gone_already_is_gone() {
        let error = |class| Error {
            class,
            action: action::DEREGISTER.into(),
            subject: String::new(),
            code: String::new(),
            message: String::new(),
            request_id: None,
        };
        assert_eq!(gone::<()>(Err(error(Class::NotFound))), Ok(Applied::Gone));
        assert_eq!(gone::<()>(Err(error(Class::Denied))), Err(error(Class::Denied)));
    }
}
