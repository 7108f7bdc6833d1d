//! EC2's errors. Source: "Error codes for the Amazon EC2 API", Amazon EC2 developer guide.

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::super::failure;
use crate::failure::{Class, Error};

pub(super) const DEPENDENCY: &str = "DependencyViolation";
pub(super) const DUPLICATE_GROUP: &str = "InvalidGroup.Duplicate";
pub(super) const DUPLICATE_RULE: &str = "InvalidPermission.Duplicate";
pub(super) const DUPLICATE_ZONE: &str = "DuplicateSubnetsInSameZone";
pub(super) const NO_RULE: &str = "InvalidPermission.NotFound";
pub(super) const OTHER_PARAMETERS: &str = "IdempotentParameterMismatch";

/// The error of a call that reads, or that takes something away.
pub(super) fn refused<E>(action: &str, subject: &str, error: &SdkError<E, Response>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    failure::classify_by_message(action, subject, error, table)
}

/// The error of a call that makes or changes something. What it names was read before: where EC2 does not find it, it is
/// not everywhere yet.
pub(super) fn not_written<E>(action: &str, subject: &str, error: &SdkError<E, Response>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let error = refused(action, subject, error);
    if error.class == Class::NotFound { Error { class: Class::Transient, ..error } } else { error }
}

/// The error of one item of an answer.
pub(super) fn of_item(action: &str, subject: &str, code: &str, message: &str) -> Error {
    Error {
        class: failure::of_item(code, |code| table(code, message)),
        action: action.into(),
        subject: subject.into(),
        code: code.into(),
        message: message.into(),
        request_id: None,
    }
}

/// True when the private DNS name of an endpoint is another's, or was until a moment ago.
pub(super) fn is_name_taken(error: &Error) -> bool {
    has_name_taken(&error.message)
}

fn has_name_taken(message: &str) -> bool {
    message.contains("conflicting DNS domain")
}

fn table(code: &str, message: &str) -> Option<Class> {
    Some(match code {
        "RequestLimitExceeded" | "Client.RequestLimitExceeded" | "EC2ThrottledException" => Class::Throttled,
        "AuthFailure" | "Blocked" | "PendingVerification" => Class::Denied,
        "InvalidParameter" if has_name_taken(message) => Class::Conflict,
        DUPLICATE_GROUP | DUPLICATE_RULE | DUPLICATE_ZONE | DEPENDENCY | "RouteAlreadyExists" => Class::Conflict,
        // The first of them say that another change is under way.
        "OperationInProgress"
        | "IncorrectState"
        | "ConcurrentTagAccess"
        | OTHER_PARAMETERS
        | "Unavailable"
        | "ServerInternal"
        | "RequestExpired"
        | "Server.InternalError" => Class::Transient,
        "InsufficientFreeAddressesInSubnet" | "ResourceCountExceeded" => Class::Quota,
        code if code.ends_with("LimitExceeded") => Class::Quota,
        code if code.ends_with(".NotFound") => Class::NotFound,
        code if code.ends_with(".Malformed") => Class::Invalid,
        "InvalidServiceName" => Class::Invalid,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_mean_what_ec2_means() {
        let conflict = "private-dns-enabled cannot be set because there is already a conflicting DNS domain for \
                        sts.eu-west-1.amazonaws.com in the VPC vpc-1";
        for (code, message, class) in [
            ("RequestLimitExceeded", "", Class::Throttled),
            ("UnauthorizedOperation", "", Class::Denied),
            ("AuthFailure", "", Class::Denied),
            ("VpcEndpointLimitExceeded", "", Class::Quota),
            ("SecurityGroupLimitExceeded", "", Class::Quota),
            ("RulesPerSecurityGroupLimitExceeded", "", Class::Quota),
            ("InsufficientFreeAddressesInSubnet", "", Class::Quota),
            ("InvalidVpcEndpointId.NotFound", "", Class::NotFound),
            ("InvalidVpcEndpoint.NotFound", "", Class::NotFound),
            ("InvalidGroup.NotFound", "", Class::NotFound),
            ("InvalidParameter", conflict, Class::Conflict),
            ("InvalidParameter", "Enabling private DNS requires both", Class::Invalid),
            ("RouteAlreadyExists", "", Class::Conflict),
            ("OperationInProgress", "", Class::Transient),
            ("IncorrectState", "", Class::Transient),
            ("DependencyViolation", "", Class::Conflict),
            ("InternalError", "", Class::Transient),
            ("InvalidPolicyDocument", "", Class::Invalid),
        ] {
            let found = failure::of_item(code, |code| table(code, message));
            assert_eq!(found, class, "{code}: {message}");
        }
    }
}
