//! The classes of SageMaker's refusals. Nearly everything is a `ValidationException`, distinguished by its message.

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::super::failure;
use super::action;
use crate::failure::{Class, Error};

/// The result of a call about `subject`, an ARN.
pub(super) fn refused<E>(action: &str, subject: &str, error: &SdkError<E, Response>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let failed =
        failure::classify_by_message(action, subject, error, |code, message| classified(action, code, message));
    Error { message: explained(&failed.message), ..failed }
}

/// Nothing where AWS says that it is not there.
pub(super) fn if_there<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.class == Class::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// SageMaker's error codes. Source: "Errors" of each operation in the Amazon SageMaker API reference.
fn classified(action: &str, code: &str, message: &str) -> Option<Class> {
    Some(match code {
        "ResourceLimitExceeded" => Class::Quota,
        "ResourceInUse" | "ConflictException" => Class::Conflict,
        "ResourceNotFound" => Class::NotFound,
        "ValidationException" => validation_class(action, message),
        _ => return None,
    })
}

/// Validation reads other resources from a store that learns of them a moment later.
const MADE_OF_OTHERS: [&str; 3] = [action::CREATE_CONFIG, action::CREATE_ENDPOINT, action::UPDATE_ENDPOINT];

fn validation_class(action: &str, message: &str) -> Class {
    let says = |text: &str| message.contains(text);
    if says("Could not find") {
        return if MADE_OF_OTHERS.contains(&action) { Class::Conflict } else { Class::NotFound };
    }
    // Made or moved meanwhile, or by ourselves in a call whose answer was lost: the next pass finds out.
    let overtaken = says("already existing")
        || says("in-progress")
        || says("currently in use endpoint configuration")
        || says("must be deregistered as scalable target");
    if overtaken || missing_artifact(message).is_some() { Class::Conflict } else { Class::Invalid }
}

/// Puts before AWS's own words what they come down to.
fn explained(message: &str) -> String {
    match missing_artifact(message) {
        Some(uri) => format!("waits for the artifact at {uri}: {message}"),
        None => message.to_string(),
    }
}

/// The URI of an artifact that is not there, or that the model's role may not read.
fn missing_artifact(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("Could not access model data at ")?;
    Some(rest.split_whitespace().next()?.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_tell_what_the_code_leaves_open() {
        let role = "arn:aws:iam::123456789012:role/aiplatform/r";
        for (action, message, expected) in [
            (action::DESCRIBE_ENDPOINT, "Could not find endpoint \"arn:e\".".into(), Class::NotFound),
            (action::DELETE_CONFIG, "Could not find endpoint configuration \"arn:c\".".into(), Class::NotFound),
            (action::CREATE_CONFIG, "Could not find model \"arn:m\".".into(), Class::Conflict),
            (action::CREATE_ENDPOINT, "Could not find endpoint configuration \"arn:c\".".into(), Class::Conflict),
            (action::UPDATE_ENDPOINT, "Could not find endpoint configuration \"arn:c\".".into(), Class::Conflict),
            (action::CREATE_MODEL, "Cannot create already existing model \"arn:m\".".into(), Class::Conflict),
            (action::DELETE_ENDPOINT, "Cannot update in-progress endpoint \"arn:e\".".into(), Class::Conflict),
            // Whether IAM's delay explains these is for others to say: see `crate::propagation`.
            (action::CREATE_MODEL, format!("Could not assume role {role}. Please ensure"), Class::Invalid),
            (action::CREATE_MODEL, format!("The execution role ARN \"{role}\" is invalid. Please"), Class::Invalid),
            (action::CREATE_MODEL, "Requested image x not found.".into(), Class::Invalid),
        ] {
            assert_eq!(classified(action, "ValidationException", &message), Some(expected), "{action}: {message}");
        }
        assert_eq!(classified(action::CREATE_ENDPOINT, "ResourceLimitExceeded", ""), Some(Class::Quota));
        assert_eq!(classified(action::CREATE_ENDPOINT, "AccessDeniedException", ""), None);
    }

    #[test]
    fn an_artifact_that_is_not_there_yet_is_waited_for_by_name() {
        let message = "Could not access model data at s3://b/models/1.4.0/model.tar.gz. Please ensure that the role \
                       \"arn:r\" exists";
        assert_eq!(classified(action::CREATE_MODEL, "ValidationException", message), Some(Class::Conflict));
        let message = explained(message);
        assert!(
            message.starts_with("waits for the artifact at s3://b/models/1.4.0/model.tar.gz: Could not"),
            "{message}"
        );
        assert_eq!(explained("anything else"), "anything else");
    }
}
