"""Pod identity associations, which moto does not have."""

import re
import secrets
import string
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from simulator.call import Call
from simulator.eks.service import check_cluster, invalid_parameter, not_found, service
from simulator.eks.tags import check_tags
from simulator.errors import AwsError

ROLE_ARN = re.compile(r"arn:(?P<partition>aws[\w-]*):iam::(?P<account>\d{12}):role/[\w+=,.@/-]+")
LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
NAMESPACE = re.compile(LABEL)
SERVICE_ACCOUNT = re.compile(rf"(?=.{{1,253}}$){LABEL}(\.{LABEL})*")
ID_CHARACTERS = string.ascii_lowercase + string.digits
PAGE = 100
CHANGEABLE = ("roleArn", "targetRoleArn", "disableSessionTags", "policy")

Place = tuple[str, str, str]


@dataclass
class Association:
    """One association, and the call that made it."""

    number: str
    arn: str
    place: Place
    namespace: str
    service_account: str
    fields: dict[str, Any]
    tags: dict[str, str]
    asked: dict[str, Any]
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))

    def summary(self) -> dict[str, Any]:
        """What a list tells: not the role."""
        return {
            "clusterName": self.place[2],
            "namespace": self.namespace,
            "serviceAccount": self.service_account,
            "associationArn": self.arn,
            "associationId": self.number,
        }

    def description(self) -> dict[str, Any]:
        """All there is to know."""
        described = {
            **self.summary(),
            "disableSessionTags": False,
            **self.fields,
            "tags": dict(self.tags),
            "createdAt": self.created,
            "modifiedAt": self.modified,
        }
        if "targetRoleArn" in self.fields:
            account, region, cluster = self.place
            described["externalId"] = (
                f"{region}/{account}/{cluster}/{self.namespace}/{self.service_account}"
            )
        return described


# By ARN, in the order in which they were made.
_associations: dict[str, Association] = {}
# What each token made, and keeps answering after it is gone: AWS does not say for how long.
_made_by_token: dict[tuple[Place, str], Association] = {}


@service.on_reset
def forget_associations() -> None:
    """Drop all associations."""
    _associations.clear()
    _made_by_token.clear()


def find_association(arn: str) -> Association | None:
    """The association of this ARN."""
    return _associations.get(arn)


@service.before("CreatePodIdentityAssociation")
def create(call: Call) -> dict[str, Any]:
    """Make an association, or answer the one that this same call made before."""
    place = _place(call)
    asked = {key: value for key, value in call.parameters.items() if key != "clientRequestToken"}
    token = call.parameters.get("clientRequestToken")
    made = _made_by_token.get((place, token)) if token is not None else None
    if made is not None:
        if made.asked == asked:
            return {"association": made.description()}
        raise invalid_parameter("The client request token was used before with other parameters.")
    _check_new(call)
    for held in _in(place):
        if (held.namespace, held.service_account) == (asked["namespace"], asked["serviceAccount"]):
            raise AwsError(
                "ResourceInUseException", f"Association already exists: {held.number}", 409
            )
    association = _made(call, place, asked)
    _associations[association.arn] = association
    if token is not None:
        _made_by_token[place, token] = association
    return {"association": association.description()}


def _made(call: Call, place: Place, asked: dict[str, Any]) -> Association:
    account, region, cluster = place
    number = "a-" + "".join(secrets.choice(ID_CHARACTERS) for _ in range(17))
    return Association(
        number=number,
        arn=f"arn:{call.partition}:eks:{region}:{account}:podidentityassociation/{cluster}/{number}",
        place=place,
        namespace=asked["namespace"],
        service_account=asked["serviceAccount"],
        fields={key: asked[key] for key in CHANGEABLE if key in asked},
        tags=dict(asked.get("tags") or {}),
        asked=asked,
    )


def _check_new(call: Call) -> None:
    given = call.parameters
    if not NAMESPACE.fullmatch(given["namespace"]):
        raise invalid_parameter(f"Invalid namespace: {given['namespace']}")
    if not SERVICE_ACCOUNT.fullmatch(given["serviceAccount"]):
        raise invalid_parameter(f"Invalid service account: {given['serviceAccount']}")
    if "tags" in given:
        check_tags(given["tags"], "InvalidParameterException")
    _check_fields(call, given)


def _check_fields(call: Call, fields: dict[str, Any]) -> None:
    for name in ("roleArn", "targetRoleArn"):
        # An empty target takes the target away.
        if fields.get(name) or (name == "roleArn" and name in fields):
            _check_role(call, fields[name], own=name == "roleArn")
    if fields.get("policy") and not fields.get("disableSessionTags"):
        raise invalid_parameter("A policy can only be used if session tags are disabled.")


def _check_role(call: Call, arn: str, *, own: bool) -> None:
    match = ROLE_ARN.fullmatch(arn)
    if match is None or match["partition"] != call.partition:
        raise invalid_parameter(f"Invalid Role Arn: '{arn}'")
    if own and match["account"] != call.account:
        raise AwsError("AccessDeniedException", "Cross-account pass role is not allowed.", 403)


@service.before("DescribePodIdentityAssociation")
def describe(call: Call) -> dict[str, Any]:
    """All there is to know of an association."""
    return {"association": _named(call).description()}


@service.before("ListPodIdentityAssociations")
def list_associations(call: Call) -> dict[str, Any]:
    """The associations of a cluster, of a namespace in it, or of one service account."""
    given = call.parameters
    held = [
        association
        for association in _in(_place(call))
        if given.get("namespace", association.namespace) == association.namespace
        and given.get("serviceAccount", association.service_account) == association.service_account
    ]
    start = _start(held, given.get("nextToken"))
    end = start + int(given.get("maxResults", PAGE))
    answer: dict[str, Any] = {
        "associations": [association.summary() for association in held[start:end]]
    }
    if end < len(held):
        answer["nextToken"] = urlsafe_b64encode(held[end].number.encode()).decode()
    return answer


def _start(held: list[Association], token: str | None) -> int:
    if token is None:
        return 0
    try:
        number = urlsafe_b64decode(token).decode()
        return [association.number for association in held].index(number)
    except ValueError:
        raise invalid_parameter(f"Invalid nextToken: {token}") from None


@service.before("UpdatePodIdentityAssociation")
def update(call: Call) -> dict[str, Any]:
    """Change what is given; where an association leads, not what it belongs to."""
    association = _named(call)
    changes = {key: call.parameters[key] for key in CHANGEABLE if key in call.parameters}
    fields = {**association.fields, **changes}
    _check_fields(call, fields)
    association.fields = {key: value for key, value in fields.items() if value != ""}
    association.modified = datetime.now(UTC)
    return {"association": association.description()}


@service.before("DeletePodIdentityAssociation")
def delete(call: Call) -> dict[str, Any]:
    """Delete an association, and tell what it was."""
    association = _named(call)
    del _associations[association.arn]
    return {"association": association.description()}


@service.after("DeleteCluster")
def delete_with_cluster(call: Call, _: Any) -> None:
    """Delete the associations of a cluster that is gone."""
    for association in _in((call.account, call.region, call.parameters["name"])):
        del _associations[association.arn]


def _place(call: Call) -> Place:
    name = call.parameters["clusterName"]
    check_cluster(call, name)
    return (call.account, call.region, name)


def _in(place: Place) -> list[Association]:
    return [association for association in _associations.values() if association.place == place]


def _named(call: Call) -> Association:
    number = call.parameters["associationId"]
    for association in _in(_place(call)):
        if association.number == number:
            return association
    raise not_found(f"Association not found: {number}")
