"""The rules that S3 applies to a lifecycle configuration, in S3's order and words."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time
from xml.etree import ElementTree

from simulator.s3.lifecycle_filter import Scope, parse_filter
from simulator.s3.lifecycle_order import Action, check_order
from simulator.s3.service import invalid_argument, invalid_request, malformed_xml

MOST_RULES = 1000
LONGEST_ID = 255
LEAST_INFREQUENT_ACCESS_DAYS = 30
INFREQUENT_ACCESS = ("STANDARD_IA", "ONEZONE_IA")
CLASSES = (*INFREQUENT_ACCESS, "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE")
# Classes that exist, but that nothing moves to.
UPWARD_CLASSES = ("STANDARD", "REDUCED_REDUNDANCY")
ACTIONS = (
    "Expiration",
    "Transition",
    "NoncurrentVersionExpiration",
    "NoncurrentVersionTransition",
    "AbortIncompleteMultipartUpload",
)

Element = ElementTree.Element


@dataclass
class Rule:
    """One rule, as far as the checks need it."""

    element: Element
    scope: Scope

    def all(self, name: str) -> list[Element]:
        """The rule's elements of this name."""
        return children(self.element, name)


def local_name(element: Element) -> str:
    """An element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def children(parent: Element, name: str) -> list[Element]:
    """The children of this name."""
    return [child for child in parent if local_name(child) == name]


def child(parent: Element, name: str) -> Element | None:
    """The one child of this name."""
    found = children(parent, name)
    if len(found) > 1:
        raise malformed_xml()
    return found[0] if found else None


def text(parent: Element, name: str) -> str | None:
    """The text of the one child of this name."""
    found = child(parent, name)
    return None if found is None else (found.text or "").strip()


def number(parent: Element, name: str) -> int | None:
    """The one child of this name as an integer."""
    found = text(parent, name)
    try:
        return None if found is None else int(found)
    except ValueError:
        raise malformed_xml() from None


def check_configuration(root: Element) -> None:
    """Raise the error that S3 would answer to this configuration."""
    if local_name(root) != "LifecycleConfiguration":
        raise malformed_xml()
    elements = children(root, "Rule")
    if not elements:
        raise invalid_request("At least one lifecycle rule must be specified.")
    if len(elements) > MOST_RULES:
        raise invalid_request(
            "The number of lifecycle rules must not exceed the allowed limit of "
            f"{MOST_RULES} rules."
        )
    _check_ids(elements)
    newer_form = child(elements[0], "Filter") is not None
    rules = [_rule(element, newer_form) for element in elements]
    for rule in rules:
        _check_rule(rule)
    if not newer_form:
        _check_overlaps(rules)


def _check_ids(elements: list[Element]) -> None:
    seen = set()
    for element in elements:
        name = text(element, "ID")
        if not name:
            continue
        if len(name) > LONGEST_ID:
            message = f"ID length should not exceed allowed limit of {LONGEST_ID}"
            raise invalid_argument(message, "ID", name)
        if name in seen:
            message = "Rule ID must be unique. Found same ID for more than one rule"
            raise invalid_argument(message, "ID", name)
        seen.add(name)


def _rule(element: Element, newer_form: bool) -> Rule:
    if text(element, "Status") not in ("Enabled", "Disabled"):
        raise malformed_xml()
    prefix, given_filter = text(element, "Prefix"), child(element, "Filter")
    if (prefix is None) == (given_filter is None):
        raise malformed_xml()
    if newer_form and prefix is not None:
        raise invalid_request(
            "Base level prefix cannot be used in Lifecycle V2, prefixes are only supported in "
            "the Filter."
        )
    if not newer_form and given_filter is not None:
        raise invalid_request("Filter element can only be used in Lifecycle V2.")
    if given_filter is None:
        return Rule(element, Scope(prefix=prefix))
    return Rule(element, parse_filter(given_filter))


def _check_rule(rule: Rule) -> None:
    if not any(rule.all(action) for action in ACTIONS):
        raise invalid_request("At least one action needs to be specified in a rule")
    newer_form = child(rule.element, "Filter") is not None
    expiration = _expiration(rule)
    transitions = [_transition(element) for element in rule.all("Transition")]
    ended = _noncurrent_expiration(rule, newer_form)
    moved = [
        _noncurrent_transition(element, newer_form)
        for element in rule.all("NoncurrentVersionTransition")
    ]
    _check_abort(rule)
    check_order("Transition", "Expiration", transitions, expiration, rule.scope)
    check_order(
        "NoncurrentVersionTransition", "NoncurrentVersionExpiration", moved, ended, rule.scope
    )


def _expiration(rule: Rule) -> Action | None:
    element = child(rule.element, "Expiration")
    if element is None:
        return None
    days, date = number(element, "Days"), text(element, "Date")
    marker = text(element, "ExpiredObjectDeleteMarker")
    if [days, date, marker].count(None) != 2:
        raise malformed_xml()
    if marker is not None:
        if marker not in ("true", "false"):
            raise malformed_xml()
        _check_unfiltered(rule, "ExpiredObjectDeleteMarker")
        return None
    if days is not None and days < 1:
        raise _not_positive("Days", "Expiration", days)
    return Action("Days" if date is None else "Date", days if date is None else _midnight(date))


def _transition(element: Element) -> Action:
    days, date = number(element, "Days"), text(element, "Date")
    storage_class = _storage_class(element)
    if (days is None) == (date is None):
        raise malformed_xml()
    if days is None:
        assert date is not None
        return Action("Date", _midnight(date), storage_class)
    if days < 0:
        message = "'Days' in Transition action must be nonnegative"
        raise invalid_argument(message, "Days", str(days))
    _check_infrequent_access("Days", "Transition", days, storage_class)
    return Action("Days", days, storage_class)


def _noncurrent_expiration(rule: Rule, newer_form: bool) -> Action | None:
    element = child(rule.element, "NoncurrentVersionExpiration")
    if element is None:
        return None
    days = number(element, "NoncurrentDays")
    if days is None:
        raise malformed_xml()
    if days < 1:
        raise _not_positive("NoncurrentDays", "NoncurrentVersionExpiration", days)
    _check_newer_versions(element, "NoncurrentVersionExpiration", newer_form)
    return Action("NoncurrentDays", days)


def _noncurrent_transition(element: Element, newer_form: bool) -> Action:
    days = number(element, "NoncurrentDays")
    storage_class = _storage_class(element)
    if days is None:
        raise malformed_xml()
    action = "NoncurrentVersionTransition"
    if days < 0:
        message = f"'NoncurrentDays' in {action} action must be nonnegative"
        raise invalid_argument(message, "NoncurrentDays", str(days))
    _check_newer_versions(element, action, newer_form)
    _check_infrequent_access("NoncurrentDays", action, days, storage_class)
    return Action("NoncurrentDays", days, storage_class)


def _check_newer_versions(element: Element, action: str, newer_form: bool) -> None:
    newer = number(element, "NewerNoncurrentVersions")
    if newer is None:
        return
    if not newer_form:
        raise invalid_request("NewerNoncurrentVersions element can only be used in Lifecycle V2.")
    if newer < 1:
        raise _not_positive("NewerNoncurrentVersions", action, newer)


def _check_infrequent_access(field: str, action: str, days: int, storage_class: str) -> None:
    if storage_class in INFREQUENT_ACCESS and days < LEAST_INFREQUENT_ACCESS_DAYS:
        message = (
            f"'{field}' in {action} action must be greater than or equal to "
            f"{LEAST_INFREQUENT_ACCESS_DAYS} for storageClass '{storage_class}'"
        )
        raise invalid_argument(message, field, str(days))


def _check_abort(rule: Rule) -> None:
    action = "AbortIncompleteMultipartUpload"
    element = child(rule.element, action)
    if element is None:
        return
    days = number(element, "DaysAfterInitiation")
    if days is None:
        raise malformed_xml()
    if days < 1:
        raise _not_positive("DaysAfterInitiation", action, days)
    _check_unfiltered(rule, action)


def _check_unfiltered(rule: Rule, action: str) -> None:
    if rule.scope.tags:
        raise invalid_request(f"{action} cannot be specified with Tags.")
    if rule.scope.greater is not None or rule.scope.less is not None:
        raise invalid_request(f"{action} cannot be specified with Object Size.")


def _storage_class(element: Element) -> str:
    storage_class = text(element, "StorageClass")
    if storage_class in UPWARD_CLASSES:
        message = "Invalid target Storage class for Transition action"
        raise invalid_argument(message, "StorageClass", storage_class)
    if storage_class not in CLASSES:
        raise malformed_xml()
    return storage_class


def _midnight(date: str) -> datetime:
    try:
        moment = datetime.fromisoformat(date)
    except ValueError:
        raise malformed_xml() from None
    moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    if moment.time() != time():
        raise invalid_argument("'Date' must be at midnight GMT", "Date", date)
    return moment


def _not_positive(field: str, action: str, value: int) -> Exception:
    message = f"'{field}' for {action} action must be a positive integer"
    return invalid_argument(message, field, str(value))


def _check_overlaps(rules: list[Rule]) -> None:
    for action in ACTIONS:
        prefixes = [rule.scope.prefix or "" for rule in rules if rule.all(action)]
        for shorter, longer in _pairs(sorted(prefixes)):
            if longer.startswith(shorter):
                raise invalid_request(
                    f"Found overlapping prefixes '{shorter}' and '{longer}' for same action "
                    f"type '{action}'"
                )


def _pairs(values: list[str]) -> Iterator[tuple[str, str]]:
    return zip(values, values[1:], strict=False)
