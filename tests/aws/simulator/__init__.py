"""A simulator of AWS: moto, made as strict as AWS where moto is lax, and open to faults."""

import os

# moto reads these when it is first imported, which is below. The account of a call must follow
# from its access key, or roles of other accounts could not be assumed: so no MOTO_ACCOUNT_ID.
os.environ.pop("MOTO_ACCOUNT_ID", None)
os.environ.update(
    MOTO_DISABLE_GLOBAL_CORS="true",
    MOTO_EC2_LOAD_DEFAULT_AMIS="false",
    S3_IGNORE_SUBDOMAIN_BUCKETNAME="true",
)

from simulator.server import Server  # noqa: E402
from simulator.simulator import Simulator  # noqa: E402


def create_server(port: int) -> Server:
    """A server on this port of the loopback address, ready to serve."""
    return Server(port, create_simulator().answer)


def create_simulator() -> Simulator:
    """A simulator of everything that AWS does here."""
    from simulator import (
        applicationautoscaling,
        ec2,
        eks,
        events,
        iam,
        logs,
        s3,
        sagemaker,
        servicequotas,
        sqs,
        sts,
        trail,
    )
    from simulator.evaluate import evaluate

    # One entry per service that is stricter than moto; everything else is moto alone.
    parts = (
        *(applicationautoscaling, ec2, eks, events, iam, logs, s3, sagemaker, servicequotas),
        *(sqs, sts, trail),
    )
    return Simulator(tuple(part.service for part in parts), {"evaluate": evaluate})
