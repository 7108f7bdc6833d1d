"""What tests of networks begin with: a VPC with two subnets, and short ways to fill it."""

from functools import cache
from typing import Any

REGION = "eu-west-1"
ACCOUNT = "123456789012"
PREFIX = f"arn:aws:ec2:{REGION}:{ACCOUNT}:"
NAMES = f"com.amazonaws.{REGION}."
FOREVER = 3_600_000
NOWHERE = "0123456789abcdef0"


@cache
def client_of(simulator: Any) -> Any:
    """A client that all tests share: to make one takes longer than what most tests do with it."""
    return simulator.client("ec2", parameter_validation=False)


class Network:
    """A VPC, its main route table, its default group, and a subnet in each of two zones."""

    def __init__(self, simulator: Any) -> None:
        """Plant everything."""
        self.simulator = simulator
        self.ec2 = client_of(simulator)
        planted = simulator.post("ec2/vpc", region=REGION)
        self.vpc = planted["vpcId"]
        self.table = planted["mainRouteTableId"]
        self.default_group = planted["defaultSecurityGroupId"]
        self.subnets = [self.subnet("a"), self.subnet("b")]

    def subnet(self, zone: str, **changes: Any) -> str:
        """Plant a subnet in a zone of the region."""
        given = {"region": REGION, "vpcId": self.vpc, "zone": f"{REGION}{zone}", **changes}
        return self.simulator.post("ec2/subnet", **given)["subnetId"]

    def other_vpc(self) -> str:
        """Plant another VPC."""
        return self.simulator.post("ec2/vpc", region=REGION, cidrs=["10.1.0.0/16"])["vpcId"]

    def asked(self, service: str = "sts", **changes: Any) -> dict[str, Any]:
        """The parameters of an interface endpoint in both subnets; None takes one away."""
        given = {
            "VpcId": self.vpc,
            "VpcEndpointType": "Interface",
            "ServiceName": service if service.startswith("com.") else f"{NAMES}{service}",
            "SubnetIds": self.subnets,
            **changes,
        }
        return {key: value for key, value in given.items() if value is not None}

    def endpoint(self, service: str = "sts", **changes: Any) -> dict[str, Any]:
        """Make an interface endpoint."""
        return self.ec2.create_vpc_endpoint(**self.asked(service, **changes))["VpcEndpoint"]

    def gateway(self, service: str = "s3", **changes: Any) -> dict[str, Any]:
        """Make a gateway endpoint for the main route table."""
        given = {
            "VpcId": self.vpc,
            "ServiceName": f"{NAMES}{service}",
            "RouteTableIds": [self.table],
            **changes,
        }
        return self.ec2.create_vpc_endpoint(**given)["VpcEndpoint"]

    def described(self, endpoint: dict[str, Any]) -> dict[str, Any]:
        """What DescribeVpcEndpoints says of an endpoint."""
        ids = [endpoint["VpcEndpointId"]]
        return self.ec2.describe_vpc_endpoints(VpcEndpointIds=ids)["VpcEndpoints"][0]

    def endpoints(self, **filters: str) -> list[str]:
        """The ids of the endpoints that pass filters."""
        wanted = [{"Name": name.replace("_", "-"), "Values": [v]} for name, v in filters.items()]
        told = self.ec2.describe_vpc_endpoints(Filters=wanted)["VpcEndpoints"]
        return [each["VpcEndpointId"] for each in told]

    def delete(self, *endpoints: dict[str, Any]) -> list[dict[str, Any]]:
        """Delete endpoints, and tell which could not be."""
        ids = [endpoint["VpcEndpointId"] for endpoint in endpoints]
        return self.ec2.delete_vpc_endpoints(VpcEndpointIds=ids)["Unsuccessful"]

    def group(self, name: str = "g", **changes: Any) -> str:
        """Make a security group."""
        given = {"GroupName": name, "Description": "d", "VpcId": self.vpc, **changes}
        return self.ec2.create_security_group(**given)["GroupId"]

    def take(self, **timings: float) -> None:
        """Say how many milliseconds transitions take; `endpoint_create` is `endpoint.create`."""
        names = {f"ec2.{name.replace('_', '.')}": ms for name, ms in timings.items()}
        self.simulator.post("timings", **names)


def permission(**changes: Any) -> dict[str, Any]:
    """HTTPS from a CIDR block; None takes a field away."""
    given = {
        "IpProtocol": "tcp",
        "FromPort": 443,
        "ToPort": 443,
        "IpRanges": [{"CidrIp": "10.0.0.0/16"}],
        **changes,
    }
    return {key: value for key, value in given.items() if value is not None}


def tags(kind: str, **pairs: str) -> list[dict[str, Any]]:
    """Tags that something is made with."""
    listed = [{"Key": key, "Value": value} for key, value in pairs.items()]
    return [{"ResourceType": kind, "Tags": listed}]


def filters(**values: str) -> list[dict[str, Any]]:
    """Filters; `vpc_id` is `vpc-id`."""
    return [{"Name": name.replace("_", "-"), "Values": [v]} for name, v in values.items()]
