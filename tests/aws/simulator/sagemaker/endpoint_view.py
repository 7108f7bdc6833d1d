"""What DescribeEndpoint and ListEndpoints tell of an endpoint."""

from typing import Any

from simulator.sagemaker.endpoint import Deployment, Endpoint

ECHOED = ("AsyncInferenceConfig", "ExplainerConfig", "MetricsConfig", "CrossRegionTrafficConfig")


def description(endpoint: Endpoint) -> dict[str, Any]:
    """All there is to know; while it is being created, no variant runs yet."""
    deployment = endpoint.running or endpoint.pending
    told: dict[str, Any] = {
        "EndpointName": endpoint.name,
        "EndpointArn": endpoint.arn,
        "EndpointConfigName": endpoint.fields["EndpointConfigName"],
        "EndpointStatus": endpoint.status,
        "CreationTime": endpoint.created,
        "LastModifiedTime": endpoint.modified,
    }
    if deployment is not None:
        told |= {name: deployment.config[name] for name in ECHOED if name in deployment.config}
        if capture := deployment.config.get("DataCaptureConfig"):
            told["DataCaptureConfig"] = _capture(capture)
    if endpoint.running is not None:
        told["EndpointConfigName"] = endpoint.running.config_name
        told["ProductionVariants"] = [each.summary() for each in endpoint.running.variants]
        if endpoint.running.shadows:
            told["ShadowProductionVariants"] = [each.summary() for each in endpoint.running.shadows]
    if endpoint.pending is not None:
        told["PendingDeploymentSummary"] = _pending(endpoint.pending)
    if endpoint.failure is not None:
        told["FailureReason"] = endpoint.failure
    if endpoint.last_deployment is not None:
        told["LastDeploymentConfig"] = endpoint.last_deployment
    return told


def summary(endpoint: Endpoint) -> dict[str, Any]:
    """What a list tells."""
    return {
        "EndpointName": endpoint.name,
        "EndpointArn": endpoint.arn,
        "CreationTime": endpoint.created,
        "LastModifiedTime": endpoint.modified,
        "EndpointStatus": endpoint.status,
    }


def _capture(given: dict[str, Any]) -> dict[str, Any]:
    enabled = given.get("EnableCapture", False)
    return {
        "EnableCapture": enabled,
        "CaptureStatus": "Started" if enabled else "Stopped",
        "CurrentSamplingPercentage": given["InitialSamplingPercentage"],
        "DestinationS3Uri": given["DestinationS3Uri"],
        "KmsKeyId": given.get("KmsKeyId", ""),
    }


def _pending(deployment: Deployment) -> dict[str, Any]:
    started = deployment.started
    told: dict[str, Any] = {
        "EndpointConfigName": deployment.config_name,
        "ProductionVariants": [each.pending_summary(started) for each in deployment.variants],
        "StartTime": started,
    }
    if deployment.shadows:
        told["ShadowProductionVariants"] = [
            each.pending_summary(started) for each in deployment.shadows
        ]
    return told
