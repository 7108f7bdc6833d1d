"""S3, as strict as AWS is with buckets and their configuration."""

from simulator.s3 import access, buckets, configuration, lifecycle, objects, policy, roots, tagging
from simulator.s3.service import service

__all__ = [
    "access",
    "buckets",
    "configuration",
    "lifecycle",
    "objects",
    "policy",
    "roots",
    "service",
    "tagging",
]
