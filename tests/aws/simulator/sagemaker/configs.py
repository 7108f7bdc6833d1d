"""Endpoint configurations, which nobody can change."""

import copy
import time
from dataclasses import dataclass, field
from typing import Any

from simulator.call import Call
from simulator.errors import AwsError
from simulator.sagemaker import resources
from simulator.sagemaker.config_rules import check_config
from simulator.sagemaker.listing import list_page
from simulator.sagemaker.resources import Resource
from simulator.sagemaker.service import CONFIG, arn_of, not_found, service
from simulator.sagemaker.tags import tags_of
from simulator.settings import timing

VISIBLE = "sagemaker.endpointConfig.visible"
KEPT = (
    *("ProductionVariants", "ShadowProductionVariants", "DataCaptureConfig", "KmsKeyId"),
    *("AsyncInferenceConfig", "ExplainerConfig", "ExecutionRoleArn", "VpcConfig"),
    *("EnableNetworkIsolation", "MetricsConfig", "CrossRegionTrafficConfig"),
)


@dataclass
class EndpointConfig(Resource):
    """A configuration, and when it was made."""

    began: float = field(default_factory=time.monotonic)


@service.before("CreateEndpointConfig")
def create_endpoint_config(call: Call) -> dict[str, Any]:
    """Make a configuration of models that exist."""
    given = call.parameters
    arn = arn_of(call, CONFIG, given["EndpointConfigName"])
    check_config(call)
    resources.check_is_new(arn)
    role = given.get("ExecutionRoleArn")
    if role and role.split(":")[4] != call.account:
        raise AwsError("AccessDeniedException", "Cross-account pass role is not allowed.")
    fields = {name: copy.deepcopy(given[name]) for name in KEPT if given.get(name) is not None}
    fields.setdefault("EnableNetworkIsolation", False)
    for variant in [*fields["ProductionVariants"], *fields.get("ShadowProductionVariants", [])]:
        if "ModelName" in variant:
            variant.setdefault("InitialVariantWeight", 1.0)
    resources.add(EndpointConfig(arn, given["EndpointConfigName"], fields, tags_of(call)))
    return {"EndpointConfigArn": arn}


@service.before("DescribeEndpointConfig")
def describe_endpoint_config(call: Call) -> dict[str, Any]:
    """All there is to know of a configuration."""
    config = resources.find(call, CONFIG, call.parameters["EndpointConfigName"])
    return {
        "EndpointConfigName": config.name,
        "EndpointConfigArn": config.arn,
        "CreationTime": config.created,
        **config.fields,
    }


def usable_config(call: Call) -> EndpointConfig:
    """The configuration that an endpoint is to run; it may be too new to be seen."""
    config = resources.find(call, CONFIG, call.parameters["EndpointConfigName"])
    if time.monotonic() - config.began < timing(VISIBLE):
        raise not_found(config.arn)
    return config


@service.before("DeleteEndpointConfig")
def delete_endpoint_config(call: Call) -> dict[str, Any]:
    """Delete a configuration; endpoints that run it go on."""
    resources.remove(resources.find(call, CONFIG, call.parameters["EndpointConfigName"]))
    return {}


@service.before("ListEndpointConfigs")
def list_endpoint_configs(call: Call) -> dict[str, Any]:
    """A page of configurations."""
    return list_page(call, resources.owned(call, CONFIG), "EndpointConfigs", _summary)


def _summary(config: Resource) -> dict[str, Any]:
    return {
        "EndpointConfigName": config.name,
        "EndpointConfigArn": config.arn,
        "CreationTime": config.created,
    }
