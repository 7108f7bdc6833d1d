"""A variant of an endpoint: how it is set up, and how much of it there is and should be."""

import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from simulator.call import Call
from simulator.sagemaker import resources
from simulator.sagemaker.model_access import containers_of
from simulator.sagemaker.service import MODEL

ECHOED = ("ManagedInstanceScaling", "RoutingConfig", "AcceleratorPartitionLayouts")


@dataclass
class Variant:
    """Settings are those of the endpoint configuration; the rest changes without it."""

    settings: dict[str, Any]
    images: list[dict[str, Any]]
    desired_count: int
    desired_weight: float
    desired_serverless: dict[str, Any] | None
    current_count: int = 0
    current_weight: float = 0.0
    current_serverless: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        """Its name."""
        return self.settings["VariantName"]

    @property
    def instance_type(self) -> str | None:
        """What it runs on; None if it is serverless."""
        return self.settings.get("InstanceType")

    def arrive(self) -> None:
        """What was desired is there now."""
        self.current_count = self.desired_count
        self.current_weight = self.desired_weight
        self.current_serverless = self.desired_serverless

    def summary(self) -> dict[str, Any]:
        """What DescribeEndpoint tells."""
        told: dict[str, Any] = {
            "VariantName": self.name,
            "CurrentWeight": self.current_weight,
            "DesiredWeight": self.desired_weight,
            "CurrentInstanceCount": self.current_count,
            **{name: self.settings[name] for name in ECHOED if name in self.settings},
        }
        if self.images:
            told["DeployedImages"] = self.images
        if self.desired_serverless is None:
            told["DesiredInstanceCount"] = self.desired_count
        else:
            told["DesiredServerlessConfig"] = self.desired_serverless
            if self.current_serverless is not None:
                told["CurrentServerlessConfig"] = self.current_serverless
        if "CapacityReservationConfig" in self.settings:
            told["CapacityReservationConfig"] = self.settings["CapacityReservationConfig"]
        return told

    def pending_summary(self, started: datetime) -> dict[str, Any]:
        """What DescribeEndpoint tells while the variant is on its way."""
        told = self.summary()
        told.pop("CapacityReservationConfig", None)
        for name in ("InstanceType", "AcceleratorType"):
            if name in self.settings:
                told[name] = self.settings[name]
        told["VariantStatus"] = [{"Status": "Creating", "StartTime": started}]
        return told


def new_variants(call: Call, settings: list[dict[str, Any]]) -> list[Variant]:
    """The variants of a configuration, of which nothing runs yet."""
    return [
        Variant(
            settings=copy.deepcopy(each),
            images=_images(call, each),
            desired_count=each.get("InitialInstanceCount", 0),
            desired_weight=each.get("InitialVariantWeight", 1.0),
            desired_serverless=copy.deepcopy(each.get("ServerlessConfig")),
        )
        for each in settings
    ]


def _images(call: Call, settings: dict[str, Any]) -> list[dict[str, Any]]:
    if "ModelName" not in settings:
        return []
    model = resources.find(call, MODEL, settings["ModelName"])
    now = datetime.now(UTC)
    return [
        {
            "SpecifiedImage": container["Image"],
            "ResolvedImage": container["Image"],
            "ResolutionTime": now,
        }
        for container in containers_of(model.fields)
        if "Image" in container
    ]
