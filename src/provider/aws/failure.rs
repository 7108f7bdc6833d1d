//! From the SDK's errors to ours. What a code means differs from service to service; what a lost connection or a
//! missing credential means does not.

use std::fmt::Display;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::connection::why_unsent;
use super::requests::request_id;
use crate::failure::{CLOCK, Class, Error, NOT_SENT, TIMEOUT, UNREACHABLE};

/// Classifies an error by the service's own table of codes first, then by what holds for every service.
pub(super) fn classify<E>(
    action: &str,
    subject: &str,
    error: &SdkError<E, Response>,
    table: fn(&str) -> Option<Class>,
) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    classify_by_message(action, subject, error, |code, _| table(code))
}

/// The same for a service that has one code for many things and tells them apart by the message.
pub(super) fn classify_by_message<E>(
    action: &str,
    subject: &str,
    error: &SdkError<E, Response>,
    table: impl Fn(&str, &str) -> Option<Class>,
) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let made = |class, code: String, message: String| Error {
        class,
        action: action.into(),
        subject: subject.into(),
        code,
        message,
        request_id: error.raw_response().and_then(|answer| request_id(answer.headers())).map(Into::into),
    };
    match error {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            let code = answer.err().code().map_or_else(|| format!("HTTP {status}"), ToString::to_string);
            let message = answer.err().message().unwrap_or_default().to_string();
            if is_about_time(&code, &message) {
                return made(Class::Denied, CLOCK.into(), format!("{code}: {message}"));
            }
            let class = table(&code, &message).or_else(|| common(&code)).unwrap_or_else(|| Class::of_status(status));
            made(class, code, message)
        }
        SdkError::TimeoutError(_) => {
            made(Class::Transient, TIMEOUT.into(), "no answer in time; is the endpoint reachable?".into())
        }
        _ if let Some(unsent) = why_unsent(error) => made(Class::Transient, NOT_SENT.into(), unsent.to_string()),
        _ if let Some(broken) = missing_credentials(error) => {
            let way_out = "no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, \
                           or give the pod an IAM role";
            made(Class::Denied, "NoCredentials".into(), format!("{way_out}{broken}"))
        }
        _ => {
            let way_out = "AWS cannot be reached: check the network, spec.region and AWS_ENDPOINT_URL";
            made(Class::Transient, UNREACHABLE.into(), format!("{way_out}: {}", innermost(error)))
        }
    }
}

/// True where AWS refuses a signature because of its time, and not because of its key.
///
/// Source: "Troubleshooting Signature Version 4", IAM user guide, and the error codes of Amazon S3 and Amazon EC2.
fn is_about_time(code: &str, message: &str) -> bool {
    match code {
        "RequestTimeTooSkewed" | "RequestExpired" | "RequestInTheFuture" => true,
        "SignatureDoesNotMatch" | "InvalidSignatureException" | "InvalidSignature" => {
            message.starts_with("Signature expired") || message.starts_with("Signature not yet current")
        }
        _ => false,
    }
}

/// An answer that AWS should not give, or a value that it cannot take: it may pass by itself.
pub(super) fn unexpected(action: &str, subject: &str, what: impl Display) -> Error {
    Error {
        class: Class::Transient,
        action: action.into(),
        subject: subject.into(),
        code: "UnexpectedAnswer".into(),
        message: what.to_string(),
        request_id: None,
    }
}

/// The message of the error at the root, which says what went wrong without repeating the layers above it.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root.to_string()
}

/// The reason for which there were no credentials, as far as there is more to say. Those that are there and could not
/// be fetched, because their source did not answer, are another matter: that passes.
fn missing_credentials(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut source = Some(error);
    while let Some(error) = source {
        match error.downcast_ref::<CredentialsError>() {
            Some(CredentialsError::CredentialsNotLoaded(_)) => return Some(String::new()),
            Some(CredentialsError::InvalidConfiguration(_)) => return Some(format!(": {}", innermost(error))),
            _ => source = error.source(),
        }
    }
    None
}

/// The class of a code for a single item of an answer that names several, such as the keys of a batch.
pub(super) fn of_item(code: &str, table: impl Fn(&str) -> Option<Class>) -> Class {
    table(code).or_else(|| common(code)).unwrap_or(Class::Invalid)
}

/// Codes that mean the same in every service. Source: "Common errors" of each service's API reference.
fn common(code: &str) -> Option<Class> {
    Some(match code {
        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "OptInRequired"
        | "SignatureDoesNotMatch"
        | "AuthorizationHeaderMalformed" => Class::Denied,
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "SlowDown"
        | "RequestThrottled"
        | "PriorRequestNotComplete" => Class::Throttled,
        "InternalError"
        | "InternalFailure"
        | "InternalServerError"
        | "InternalServerException"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "RequestTimeout" => Class::Transient,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_of_another_time_is_told_from_a_wrong_key() {
        let expired =
            "Signature expired: 20260101T000000Z is now earlier than 20260101T010000Z (20260101T011500Z - 15 min.)";
        let early = "Signature not yet current: 20260101T020000Z is still later than 20260101T011500Z";
        let wrong = "The request signature we calculated does not match the signature you provided.";
        for (code, message, expected) in [
            ("SignatureDoesNotMatch", expired, true),
            ("InvalidSignatureException", early, true),
            ("RequestTimeTooSkewed", "", true),
            ("RequestExpired", "Request has expired.", true),
            ("SignatureDoesNotMatch", wrong, false),
            ("InvalidSignatureException", wrong, false),
            ("AccessDenied", expired, false),
        ] {
            assert_eq!(is_about_time(code, message), expected, "{code}: {message}");
        }
    }
}
