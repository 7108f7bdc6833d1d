"""Whether a request is signed at all, and for a region that exists."""

from simulator import catalogue
from simulator.call import UNSIGNED_OPERATIONS, Call
from simulator.errors import AwsError

INVALID_REGION = "Credential should be scoped to a valid region."


def check_credentials(call: Call) -> None:
    """Refuse what AWS would refuse before it looks at the operation."""
    if call.credential is None:
        if call.operation not in UNSIGNED_OPERATIONS:
            raise _missing(call.protocol)
    elif call.region not in catalogue.regions():
        raise _wrong_region(call)


def _missing(protocol: str | None) -> AwsError:
    message = "Request is missing Authentication Token"
    if protocol in ("query", "ec2"):
        return AwsError("MissingAuthenticationToken", message, 403)
    if protocol == "json":
        return AwsError("MissingAuthenticationTokenException", "Missing Authentication Token", 400)
    if protocol == "rest-json":
        return AwsError("MissingAuthenticationTokenException", "Missing Authentication Token", 403)
    return AwsError("AccessDenied", "Access Denied", 403)


def _wrong_region(call: Call) -> AwsError:
    if call.protocol == "rest-xml":
        return AwsError(
            "AuthorizationHeaderMalformed",
            "The authorization header is malformed; "
            f"the region '{call.region}' is wrong; expecting 'us-east-1'",
            400,
            Region="us-east-1",
        )
    if call.protocol in ("json", "rest-json"):
        return AwsError("InvalidSignatureException", INVALID_REGION, 403)
    return AwsError("SignatureDoesNotMatch", INVALID_REGION, 403)
