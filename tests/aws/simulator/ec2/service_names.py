"""What AWS calls its endpoint services, and where it has them."""

from __future__ import annotations

from dataclasses import dataclass

from simulator import catalogue

INTERFACE, GATEWAY = "Interface", "Gateway"
# Services of the regions in China whose names begin as everywhere, as those of gateways do; all
# others begin with `cn.`. From the AWS CDK's list of exceptions (InterfaceVpcEndpointAwsService).
PLAIN_IN_CHINA = frozenset(
    {
        *("apigateway", "dynamodb", "ec2messages", "eks-auth", "elasticloadbalancing", "events"),
        *("kms", "kms-fips", "logs", "secretsmanager", "sns", "ssm", "ssmmessages"),
        "sagemaker.metrics",
    }
)


@dataclass(frozen=True)
class Offer:
    """A service as AWS offers it: `hosts` are its private DNS names, without the region's suffix.

    `listed` is where botocore lists its endpoints, and under which key: a service that is not
    listed for a region is not offered there.
    """

    hosts: tuple[str, ...] = ()
    types: tuple[str, ...] = (INTERFACE,)
    listed: tuple[str, str] | None = None
    has_policy: bool = True
    # In place of the partition's.
    suffix: str | None = None

    def is_in(self, region: str) -> bool:
        """Whether a region has it."""
        if self.listed is None:
            return True
        prefix, key = self.listed
        known = catalogue.endpoints_of(prefix, catalogue.partition_of(region))
        return key.format(region=region) in known

    def private_names(self, region: str) -> tuple[str, ...]:
        """The host names that it answers in a VPC with private DNS."""
        suffix = self.suffix or catalogue.dns_suffix_of(region)
        return tuple(f"{host.format(region=region)}.{suffix}" for host in self.hosts)


def _bedrock(name: str, key: str = "{region}", suffix: str | None = None) -> Offer:
    return Offer((f"{name}.{{region}}",), listed=("bedrock", key), suffix=suffix)


OFFERS = {
    "s3": Offer(
        ("s3.{region}", "s3-accesspoint.{region}", "s3-control.{region}"), (GATEWAY, INTERFACE)
    ),
    "dynamodb": Offer((), (GATEWAY, INTERFACE)),
    "bedrock": _bedrock("bedrock"),
    "bedrock-runtime": _bedrock("bedrock-runtime"),
    "bedrock-agent": _bedrock("bedrock-agent"),
    "bedrock-agent-runtime": _bedrock("bedrock-agent-runtime"),
    "bedrock-mantle": _bedrock("bedrock-mantle", suffix="api.aws"),
    "bedrock-fips": _bedrock("bedrock-fips", "bedrock-fips-{region}"),
    "bedrock-runtime-fips": _bedrock("bedrock-runtime-fips", "bedrock-runtime-fips-{region}"),
    "sagemaker.api": Offer(("api.sagemaker.{region}",)),
    "sagemaker.runtime": Offer(("runtime.sagemaker.{region}",)),
    "sagemaker.runtime-fips": Offer(
        ("runtime-fips.sagemaker.{region}",),
        listed=("runtime.sagemaker", "{region}-fips"),
        has_policy=False,
    ),
    "sagemaker.metrics": Offer(("metrics.sagemaker.{region}",)),
    "sagemaker.featurestore-runtime": Offer(("featurestore-runtime.sagemaker.{region}",)),
    "ecr.api": Offer(("api.ecr.{region}",)),
    "ecr.dkr": Offer(("*.dkr.ecr.{region}",)),
    "execute-api": Offer(("*.execute-api.{region}",)),
    "kms-fips": Offer(("kms-fips.{region}",), listed=("kms", "{region}-fips")),
    "eks-auth": Offer(("eks-auth.{region}",), suffix="api.aws"),
    **{
        name: Offer((f"{name}.{{region}}",))
        for name in (
            *("apigateway", "application-autoscaling", "autoscaling", "cloudformation", "ec2"),
            *("ec2messages", "eks", "elasticloadbalancing", "events", "kms", "lambda", "logs"),
            *("monitoring", "secretsmanager", "sns", "sqs", "ssm", "ssmmessages", "states", "sts"),
        )
    },
}


def full_name(region: str, name: str, kind: str = INTERFACE) -> str:
    """A service's name in a region: a full one, or what comes after the region."""
    suffix = catalogue.dns_suffix_of(region)
    reverse = ".".join(reversed(suffix.split(".")))
    if f".{region}." in name:
        return name
    if suffix.endswith(".cn") and (kind == GATEWAY or name in PLAIN_IN_CHINA):
        reverse = reverse.removeprefix("cn.")
    return f"{reverse}.{region}.{name}"
