"""Endpoints as control paths name them: by name, and by account and region where that is needed."""

from typing import Any

from simulator.sagemaker import resources
from simulator.sagemaker.endpoint import Endpoint
from simulator.sagemaker.service import ENDPOINT


def endpoint_named_in(body: dict[str, Any]) -> Endpoint:
    """The one endpoint that the body of a control request names, or ValueError."""
    # Names are unique only within an account and region.
    found = [
        each
        for each in resources.everything(part=f":{ENDPOINT}/")
        if each.name == body["endpoint"]
        and body.get("account", each.place[0]) == each.place[0]
        and body.get("region", each.place[1]) == each.place[1]
    ]
    if len(found) != 1:
        raise ValueError(f"endpoint: {len(found)} are called {body['endpoint']}")
    return found[0]
