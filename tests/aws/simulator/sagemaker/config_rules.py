"""Which variants an endpoint configuration can hold."""

import re
from typing import Any

from simulator.call import Call
from simulator.sagemaker import resources
from simulator.sagemaker.model_access import containers_of
from simulator.sagemaker.service import MODEL, invalid

MEMORY_STEP = 1024
INSTANCE_FIELDS = ("InstanceType", "InitialInstanceCount", "VolumeSizeInGB", "AcceleratorType")
# Instances with disks of their own take no other.
OWN_DISKS = re.compile(
    r"ml\.(g4(ad|dn)|g5|g6[ef]?|gr6f?|g7e?|p3dn|p4de?|p5(e|en)?|p6e?-\w+|trn\dn?|dl1|i\d\w*"
    r"|[cmrx]\d[a-z]*d[a-z]*)\..+"
)


def check_config(call: Call) -> None:
    """Refuse a configuration that SageMaker would not take."""
    given = call.parameters
    production = given["ProductionVariants"]
    shadow = given.get("ShadowProductionVariants", [])
    if shadow and (len(production), len(shadow)) != (1, 1):
        raise invalid("A shadow variant needs exactly one production variant beside it.")
    names = [variant["VariantName"] for variant in [*production, *shadow]]
    for name in names:
        if names.count(name) > 1:
            raise invalid(f'Variant name "{name}" is used more than once.')
    for variant in [*production, *shadow]:
        _check_variant(call, variant)


def _check_variant(call: Call, variant: dict[str, Any]) -> None:
    # A variant without a model of its own hosts inference components.
    model = None
    if "ModelName" in variant:
        model = resources.find(call, MODEL, variant["ModelName"])
        if "ManagedInstanceScaling" in variant:
            raise invalid(
                "ManagedInstanceScaling is only supported for inference component endpoints."
            )
    elif not call.parameters.get("ExecutionRoleArn"):
        raise invalid("ExecutionRoleArn must be specified if a variant has no ModelName.")
    if "ServerlessConfig" in variant:
        if model is None:
            raise invalid("A serverless variant must have a ModelName.")
        _check_serverless(call, variant, model.fields)
    else:
        _check_instances(variant)


def _check_instances(variant: dict[str, Any]) -> None:
    name = variant["VariantName"]
    if "InstancePools" in variant:
        return
    if "InstanceType" not in variant or "InitialInstanceCount" not in variant:
        raise invalid(
            f'InstanceType and InitialInstanceCount must be specified for variant "{name}" '
            "unless it is serverless."
        )
    instance = variant["InstanceType"]
    if "VolumeSizeInGB" in variant and OWN_DISKS.fullmatch(instance):
        raise invalid(
            f"VolumeSize parameter is not allowed for the selected Instance type {instance}."
        )


def _check_serverless(call: Call, variant: dict[str, Any], model: dict[str, Any]) -> None:
    for field in INSTANCE_FIELDS:
        if field in variant:
            raise invalid(f"{field} cannot be specified for a serverless variant.")
    serverless = variant["ServerlessConfig"]
    if serverless["MemorySizeInMB"] % MEMORY_STEP:
        raise invalid("MemorySizeInMB must be one of 1024, 2048, 3072, 4096, 5120, 6144.")
    if serverless.get("ProvisionedConcurrency", 0) > serverless["MaxConcurrency"]:
        raise invalid("ProvisionedConcurrency must not be greater than MaxConcurrency.")
    given = call.parameters
    for field in ("AsyncInferenceConfig", "DataCaptureConfig", "ShadowProductionVariants"):
        if field in given:
            raise invalid(f"{field} is not supported for serverless endpoints.")
    if len(given["ProductionVariants"]) > 1:
        raise invalid("A serverless endpoint can have only one production variant.")
    _check_serverless_model(model)


def _check_serverless_model(model: dict[str, Any]) -> None:
    if "VpcConfig" in model:
        raise invalid("VpcConfig is not supported for serverless endpoints.")
    if model["EnableNetworkIsolation"]:
        raise invalid("Network isolation is not supported for serverless endpoints.")
    if "Containers" in model and len(model["Containers"]) > 1:
        raise invalid("Inference pipelines are not supported for serverless endpoints.")
    for container in containers_of(model):
        source = container.get("ModelDataSource", {}).get("S3DataSource", {})
        if source.get("CompressionType") == "None":
            raise invalid("Uncompressed models are not supported for serverless endpoints.")
        if container["Mode"] == "MultiModel":
            raise invalid("Multi-model containers are not supported for serverless endpoints.")
