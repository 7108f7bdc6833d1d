"""The SageMaker part: what its modules register with, and what they share."""

from simulator.call import Call
from simulator.errors import AwsError
from simulator.service import Service

service = Service("sagemaker", validation_code="ValidationException")

MODEL = "model"
CONFIG = "endpoint-config"
ENDPOINT = "endpoint"
# What messages call a kind, by what its ARN calls it.
NOUNS = {MODEL: "model", CONFIG: "endpoint configuration", ENDPOINT: "endpoint"}


def arn_prefix(call: Call) -> str:
    """What the ARNs of the caller's account and region begin with."""
    return f"arn:{call.partition}:sagemaker:{call.region}:{call.account}:"


def arn_of(call: Call, kind: str, name: str) -> str:
    """The ARN of something of the caller's: names are in lower case there."""
    return f"{arn_prefix(call)}{kind}/{name.lower()}"


def invalid(message: str) -> AwsError:
    """The answer to nearly everything that SageMaker does not take."""
    return AwsError("ValidationException", message)


def not_found(arn: str) -> AwsError:
    """The answer to a name that nothing has."""
    return invalid(f'Could not find {_noun(arn)} "{arn}".')


def already_exists(arn: str) -> AwsError:
    """The answer to a name that is taken, or was until a moment ago."""
    return invalid(f'Cannot create already existing {_noun(arn)} "{arn}".')


def _noun(arn: str) -> str:
    return NOUNS.get(arn.split(":")[5].split("/")[0], "resource")
