"""Lifecycle rules that AWS refuses, and with which words."""

from datetime import UTC, datetime
from typing import Any

ARGUMENT, REQUEST, XML = "InvalidArgument", "InvalidRequest", "MalformedXML"
SCHEMA = "The XML you provided was not well-formed or did not validate against our published schema"
MIDNIGHT = datetime(2030, 1, 1, tzinfo=UTC)
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
EXPIRE = {"Expiration": {"Days": 400}}
TAG = {"Key": "k", "Value": "v"}
MOST = 1_099_511_627_776_000


def rule(**parts: Any) -> dict[str, Any]:
    return {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "p/"}, **parts}


def moves(*steps: tuple[int | datetime, str]) -> list[dict[str, Any]]:
    return [
        {"Days" if isinstance(due, int) else "Date": due, "StorageClass": name}
        for due, name in steps
    ]


def later_moves(*steps: tuple[int, str]) -> list[dict[str, Any]]:
    return [{"NoncurrentDays": due, "StorageClass": name} for due, name in steps]


def order(action: str, field: str, cold: str, warm: str) -> str:
    where = "for filter '(prefix=p/)'"
    return (
        f"'{field}' in the {action} action for StorageClass '{cold}' {where} must be greater than "
        f"'{field}' in the {action} action for StorageClass '{warm}' {where}"
    )


def stay(days: int, cold: str, warm: str, action: str = "Transition", field: str = "Days") -> str:
    return (
        f"'{field}' in the '{action}' action for StorageClass '{cold}' for filter '(prefix=p/)' "
        f"must be {days} days more than 'filter '(prefix=p/)'' in the '{action}' action for "
        f"StorageClass '{warm}'"
    )


def infrequent(days_field: str, action: str, name: str) -> str:
    return (
        f"'{days_field}' in {action} action must be greater than or equal to 30 for "
        f"storageClass '{name}'"
    )


def unfiltered(**parts: Any) -> dict[str, Any]:
    given = {"ID": "r", "Status": "Enabled", **parts}
    return {name: part for name, part in given.items() if part is not None}


REFUSED: dict[str, tuple[list[dict[str, Any]], str, str]] = {
    "too many rules": (
        [rule(ID=f"r{n}", **EXPIRE) for n in range(1001)],
        REQUEST,
        "The number of lifecycle rules must not exceed the allowed limit of 1000 rules.",
    ),
    "long id": (
        [rule(ID="x" * 256, **EXPIRE)],
        ARGUMENT,
        "ID length should not exceed allowed limit of 255",
    ),
    "same id twice": (
        [rule(**EXPIRE), rule(**EXPIRE)],
        ARGUMENT,
        "Rule ID must be unique. Found same ID for more than one rule",
    ),
    "status": ([rule(Status="On", **EXPIRE)], XML, SCHEMA),
    "neither prefix nor filter": ([unfiltered(**EXPIRE)], XML, SCHEMA),
    "both prefix and filter": ([rule(Prefix="p/", **EXPIRE)], XML, SCHEMA),
    "prefix after filter": (
        [rule(**EXPIRE), unfiltered(ID="s", Prefix="q/", **EXPIRE)],
        REQUEST,
        "Base level prefix cannot be used in Lifecycle V2, prefixes are only supported in the "
        "Filter.",
    ),
    "filter after prefix": (
        [unfiltered(Prefix="q/", **EXPIRE), rule(ID="s", **EXPIRE)],
        REQUEST,
        "Filter element can only be used in Lifecycle V2.",
    ),
    "two predicates": ([rule(Filter={"Prefix": "p", "Tag": TAG}, **EXPIRE)], XML, SCHEMA),
    "and of one": ([rule(Filter={"And": {"Prefix": "p"}}, **EXPIRE)], XML, SCHEMA),
    "same tag key twice": (
        [rule(Filter={"And": {"Tags": [TAG, TAG]}}, **EXPIRE)],
        REQUEST,
        "Duplicate Tag Keys are not allowed.",
    ),
    "size too great": (
        [rule(Filter={"ObjectSizeGreaterThan": MOST + 1}, **EXPIRE)],
        REQUEST,
        f"'ObjectSizeGreaterThan' should be between 0 and {MOST}.",
    ),
    "size too small": (
        [rule(Filter={"ObjectSizeLessThan": 0}, **EXPIRE)],
        REQUEST,
        f"'ObjectSizeLessThan' should be between 1 and {MOST}.",
    ),
    "sizes crossed": (
        [rule(Filter={"And": {"ObjectSizeGreaterThan": 5, "ObjectSizeLessThan": 5}}, **EXPIRE)],
        REQUEST,
        "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.",
    ),
    "no action": ([rule()], REQUEST, "At least one action needs to be specified in a rule"),
    "empty expiration": ([rule(Expiration={})], XML, SCHEMA),
    "two expirations": ([rule(Expiration={"Days": 1, "Date": MIDNIGHT})], XML, SCHEMA),
    "expiration and marker": (
        [rule(Expiration={"Days": 1, "ExpiredObjectDeleteMarker": True})],
        XML,
        SCHEMA,
    ),
    "expiration days": (
        [rule(Expiration={"Days": 0})],
        ARGUMENT,
        "'Days' for Expiration action must be a positive integer",
    ),
    "expiration noon": (
        [rule(Expiration={"Date": NOON})],
        ARGUMENT,
        "'Date' must be at midnight GMT",
    ),
    "marker with tag": (
        [rule(Filter={"Tag": TAG}, Expiration={"ExpiredObjectDeleteMarker": True})],
        REQUEST,
        "ExpiredObjectDeleteMarker cannot be specified with Tags.",
    ),
    "marker with size": (
        [
            rule(
                Filter={"ObjectSizeGreaterThan": 1},
                Expiration={"ExpiredObjectDeleteMarker": True},
            )
        ],
        REQUEST,
        "ExpiredObjectDeleteMarker cannot be specified with Object Size.",
    ),
    "abort with tag": (
        [
            rule(
                Filter={"And": {"Prefix": "p", "Tags": [TAG]}},
                AbortIncompleteMultipartUpload={"DaysAfterInitiation": 1},
            )
        ],
        REQUEST,
        "AbortIncompleteMultipartUpload cannot be specified with Tags.",
    ),
    "abort with size": (
        [
            rule(
                Filter={"ObjectSizeLessThan": 9},
                AbortIncompleteMultipartUpload={"DaysAfterInitiation": 1},
            )
        ],
        REQUEST,
        "AbortIncompleteMultipartUpload cannot be specified with Object Size.",
    ),
    "abort at once": (
        [rule(AbortIncompleteMultipartUpload={"DaysAfterInitiation": 0})],
        ARGUMENT,
        "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive "
        "integer",
    ),
    "abort without days": ([rule(AbortIncompleteMultipartUpload={})], XML, SCHEMA),
    "negative transition": (
        [rule(Transitions=moves((-1, "GLACIER")))],
        ARGUMENT,
        "'Days' in Transition action must be nonnegative",
    ),
    "transition of nothing": ([rule(Transitions=[{"StorageClass": "GLACIER"}])], XML, SCHEMA),
    "transition without class": ([rule(Transitions=[{"Days": 1}])], XML, SCHEMA),
    "unknown class": ([rule(Transitions=moves((1, "ICE")))], XML, SCHEMA),
    "upwards": (
        [rule(Transitions=moves((1, "STANDARD")))],
        ARGUMENT,
        "Invalid target Storage class for Transition action",
    ),
    "standard ia early": (
        [rule(Transitions=moves((29, "STANDARD_IA")))],
        ARGUMENT,
        infrequent("Days", "Transition", "STANDARD_IA"),
    ),
    "one zone ia early": (
        [rule(Transitions=moves((0, "ONEZONE_IA")))],
        ARGUMENT,
        infrequent("Days", "Transition", "ONEZONE_IA"),
    ),
    "glacier soon after ia": (
        [rule(Transitions=moves((30, "STANDARD_IA"), (59, "GLACIER")))],
        ARGUMENT,
        stay(30, "GLACIER", "STANDARD_IA"),
    ),
    "one zone soon after ia": (
        [rule(Transitions=moves((30, "STANDARD_IA"), (31, "ONEZONE_IA")))],
        ARGUMENT,
        stay(30, "ONEZONE_IA", "STANDARD_IA"),
    ),
    "deep archive soon after glacier": (
        [rule(Transitions=moves((10, "GLACIER"), (99, "DEEP_ARCHIVE")))],
        ARGUMENT,
        stay(90, "DEEP_ARCHIVE", "GLACIER"),
    ),
    "glacier soon after glacier ir": (
        [rule(Transitions=moves((60, "GLACIER_IR"), (149, "GLACIER")))],
        ARGUMENT,
        stay(90, "GLACIER", "GLACIER_IR"),
    ),
    "deep archive soon after glacier ir": (
        [rule(Transitions=moves((30, "STANDARD_IA"), (60, "GLACIER_IR"), (90, "DEEP_ARCHIVE")))],
        ARGUMENT,
        stay(90, "DEEP_ARCHIVE", "GLACIER_IR"),
    ),
    "deep archive before glacier": (
        [rule(Transitions=moves((10, "DEEP_ARCHIVE"), (20, "GLACIER")))],
        ARGUMENT,
        order("Transition", "Days", "DEEP_ARCHIVE", "GLACIER"),
    ),
    "intelligent tiering to ia": (
        [rule(Transitions=moves((30, "INTELLIGENT_TIERING"), (90, "STANDARD_IA")))],
        ARGUMENT,
        order("Transition", "Days", "INTELLIGENT_TIERING", "STANDARD_IA"),
    ),
    "one zone to glacier ir": (
        [rule(Transitions=moves((30, "ONEZONE_IA"), (90, "GLACIER_IR")))],
        ARGUMENT,
        order("Transition", "Days", "GLACIER_IR", "ONEZONE_IA"),
    ),
    "same date": (
        [rule(Transitions=moves((MIDNIGHT, "GLACIER"), (MIDNIGHT, "DEEP_ARCHIVE")))],
        ARGUMENT,
        order("Transition", "Date", "DEEP_ARCHIVE", "GLACIER"),
    ),
    "same class twice": (
        [rule(Transitions=moves((30, "GLACIER"), (90, "GLACIER")))],
        REQUEST,
        "'StorageClass' must be different for 'Transition' actions in same 'Rule' with filter "
        "'(prefix=p/)'",
    ),
    "mixed transitions": (
        [rule(Transitions=moves((30, "GLACIER"), (MIDNIGHT, "DEEP_ARCHIVE")))],
        REQUEST,
        "Found mixed 'Date' and 'Days' based Transition actions in lifecycle rule for filter "
        "'(prefix=p/)'",
    ),
    "mixed with expiration": (
        [rule(Transitions=moves((MIDNIGHT, "GLACIER")), **EXPIRE)],
        REQUEST,
        "Found mixed 'Date' and 'Days' based Expiration and Transition actions in lifecycle rule "
        "for filter '(prefix=p/)'",
    ),
    "expires before it moves": (
        [rule(Transitions=moves((400, "GLACIER")), **EXPIRE)],
        ARGUMENT,
        "'Days' in the Expiration action for filter '(prefix=p/)' must be greater than 'Days' in "
        "the Transition action",
    ),
    "expires before it moves, any filter": (
        [
            rule(
                Filter={
                    "And": {
                        "Prefix": "p/",
                        "Tags": [TAG],
                        "ObjectSizeGreaterThan": 1,
                        "ObjectSizeLessThan": 9,
                    }
                },
                Transitions=moves((400, "GLACIER")),
                **EXPIRE,
            )
        ],
        ARGUMENT,
        "'Days' in the Expiration action for filter '(prefix=p/ and tag={key=k, value=v} and "
        "objectsizegreaterthan=1 and objectsizelessthan=9)' must be greater than 'Days' in the "
        "Transition action",
    ),
    "noncurrent without days": (
        [rule(NoncurrentVersionExpiration={"NewerNoncurrentVersions": 2})],
        XML,
        SCHEMA,
    ),
    "noncurrent days": (
        [rule(NoncurrentVersionExpiration={"NoncurrentDays": 0})],
        ARGUMENT,
        "'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer",
    ),
    "no newer versions": (
        [rule(NoncurrentVersionExpiration={"NoncurrentDays": 1, "NewerNoncurrentVersions": 0})],
        ARGUMENT,
        "'NewerNoncurrentVersions' for NoncurrentVersionExpiration action must be a positive "
        "integer",
    ),
    "newer versions with prefix": (
        [
            unfiltered(
                Prefix="p/",
                NoncurrentVersionExpiration={"NoncurrentDays": 1, "NewerNoncurrentVersions": 2},
            )
        ],
        REQUEST,
        "NewerNoncurrentVersions element can only be used in Lifecycle V2.",
    ),
    "noncurrent transition without days": (
        [rule(NoncurrentVersionTransitions=[{"StorageClass": "GLACIER"}])],
        XML,
        SCHEMA,
    ),
    "noncurrent ia early": (
        [rule(NoncurrentVersionTransitions=later_moves((29, "STANDARD_IA")))],
        ARGUMENT,
        infrequent("NoncurrentDays", "NoncurrentVersionTransition", "STANDARD_IA"),
    ),
    "noncurrent too soon after ia": (
        [rule(NoncurrentVersionTransitions=later_moves((30, "STANDARD_IA"), (40, "GLACIER")))],
        ARGUMENT,
        stay(30, "GLACIER", "STANDARD_IA", "NoncurrentVersionTransition", "NoncurrentDays"),
    ),
    "noncurrent too soon after glacier ir": (
        [rule(NoncurrentVersionTransitions=later_moves((5, "GLACIER_IR"), (94, "GLACIER")))],
        ARGUMENT,
        stay(90, "GLACIER", "GLACIER_IR", "NoncurrentVersionTransition", "NoncurrentDays"),
    ),
    "noncurrent expires before it moves": (
        [
            rule(
                NoncurrentVersionTransitions=later_moves((30, "GLACIER")),
                NoncurrentVersionExpiration={"NoncurrentDays": 30},
            )
        ],
        ARGUMENT,
        "'NoncurrentDays' in the NoncurrentVersionExpiration action for filter '(prefix=p/)' must "
        "be greater than 'NoncurrentDays' in the NoncurrentVersionTransition action",
    ),
    "overlapping prefixes": (
        [unfiltered(Prefix="", **EXPIRE), unfiltered(ID="s", Prefix="a", **EXPIRE)],
        REQUEST,
        "Found overlapping prefixes '' and 'a' for same action type 'Expiration'",
    ),
}
