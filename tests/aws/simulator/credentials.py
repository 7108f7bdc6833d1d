"""Whether a request is signed at all, for a region that exists, and at about the present time."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

from simulator import catalogue
from simulator.call import UNSIGNED_OPERATIONS, Call
from simulator.errors import AwsError
from simulator.settings import settings

STAMP = "%Y%m%dT%H%M%SZ"
# How far a signature's time may be off. Presigned URLs have an end of their own.
TOLERANCE = timedelta(minutes=15)
INVALID_REGION = "Credential should be scoped to a valid region."


def check_credentials(call: Call) -> None:
    """Refuse what AWS would refuse before it looks at the operation."""
    if call.credential is None:
        if call.operation not in UNSIGNED_OPERATIONS:
            raise _missing(call.protocol)
    elif call.region not in catalogue.regions():
        raise _wrong_region(call)
    else:
        _check_time(call)


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


def _check_time(call: Call) -> None:
    """Refuse a signature from another time, in the words of the service's protocol."""
    stamp = call.request.headers.get("X-Amz-Date")
    if stamp is None or "X-Amz-Signature" in parse_qs(call.request.query):
        return
    signed = datetime.strptime(stamp, STAMP).replace(tzinfo=UTC)
    now = datetime.now(UTC) + timedelta(seconds=settings.clock_ahead_seconds)
    if abs(now - signed) <= TOLERANCE:
        return
    is_late = signed < now
    bound = now - TOLERANCE if is_late else now + TOLERANCE
    what = "Signature expired" if is_late else "Signature not yet current"
    than = "now earlier" if is_late else "still later"
    sign = "-" if is_late else "+"
    message = (
        f"{what}: {stamp} is {than} than {bound.strftime(STAMP)} "
        f"({now.strftime(STAMP)} {sign} 15 min.)"
    )
    if call.protocol == "rest-xml":
        raise AwsError(
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
            403,
            RequestTime=stamp,
            ServerTime=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            MaxAllowedSkewMilliseconds="900000",
        )
    if call.protocol == "ec2":
        code = "RequestExpired" if is_late else "AuthFailure"
        told = (
            "Request has expired."
            if is_late
            else "AWS was not able to validate the provided access credentials"
        )
        raise AwsError(code, told, 400 if is_late else 401)
    if call.protocol in ("json", "rest-json"):
        raise AwsError("InvalidSignatureException", message, 403)
    raise AwsError("SignatureDoesNotMatch", message, 403)
