"""SageMaker: models, endpoint configurations and endpoints, none of which is left to moto."""

from simulator.sagemaker import (
    access,
    configs,
    endpoints,
    failures,
    models,
    printing,
    quota,
    scaling,
    tags,
    updates,
)
from simulator.sagemaker.service import service

__all__ = [
    "access",
    "configs",
    "endpoints",
    "failures",
    "models",
    "printing",
    "quota",
    "scaling",
    "service",
    "tags",
    "updates",
]
