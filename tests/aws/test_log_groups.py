"""CloudWatch Logs: log groups, their retention, keys and tags, and what endpoints make of them."""

from typing import Any

import pytest
from conftest import ACCOUNT, REGION, Simulator
from failures import refused
from serving import FOREVER, Serving, variant

PREFIX = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OTHER_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/other"
MISSING = (400, "ResourceNotFoundException", "The specified log group does not exist.")
CONFLICT = (
    400,
    "OperationAbortedException",
    "A conflicting operation is currently in progress against this resource. Please try again.",
)
NAME = "/aws/sagemaker/Endpoints/e"
DAYS = [
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192),
    *(2557, 2922, 3288, 3653),
]


@pytest.fixture
def logs(simulator: Simulator) -> Any:
    """A client."""
    return simulator.client("logs", parameter_validation=False)


def groups(logs: Any, **parameters: Any) -> list[dict[str, Any]]:
    return logs.describe_log_groups(**parameters)["logGroups"]


def names(logs: Any, **parameters: Any) -> list[str]:
    return [group["logGroupName"] for group in groups(logs, **parameters)]


def test_a_group_is_described_as_it_was_made(logs: Any) -> None:
    logs.create_log_group(logGroupName="g", kmsKeyId=KEY, tags={"team": "a", "empty": ""})
    (group,) = groups(logs)
    assert group.pop("creationTime") > 1_700_000_000_000
    assert group == {
        "logGroupName": "g",
        "arn": f"{PREFIX}g:*",
        "logGroupArn": f"{PREFIX}g",
        "metricFilterCount": 0,
        "storedBytes": 0,
        "kmsKeyId": KEY,
        "logGroupClass": "STANDARD",
        "deletionProtectionEnabled": False,
    }
    assert logs.list_tags_for_resource(resourceArn=f"{PREFIX}g")["tags"] == {
        "team": "a",
        "empty": "",
    }


def test_a_name_is_taken_once(logs: Any) -> None:
    logs.create_log_group(logGroupName="g")
    assert refused(logs.create_log_group, logGroupName="g", tags={"a": "b"}) == (
        400,
        "ResourceAlreadyExistsException",
        "The specified log group already exists",
    )
    logs.create_log_group(logGroupName="G")
    assert names(logs) == ["G", "g"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"logGroupName": ""}, "Member must have length greater than or equal to 1"),
        ({"logGroupName": "g" * 513}, "Member must have length less than or equal to 512"),
        ({"logGroupName": "a b"}, r"regular expression pattern: [\.\-_/#A-Za-z0-9]+"),
        ({"logGroupName": None}, "Member must not be null"),
        ({"logGroupName": "aws/g"}, "Log groups starting with AWS/ are reserved for AWS."),
        ({"logGroupName": "AWS/g"}, "Log groups starting with AWS/ are reserved for AWS."),
        ({"tags": {}}, "Member must have length greater than or equal to 1"),
        ({"tags": {f"k{n}": "v" for n in range(51)}}, "length less than or equal to 50"),
        ({"tags": {"k" * 129: "v"}}, "length less than or equal to 128"),
        ({"tags": {"k": "v" * 257}}, "length less than or equal to 256"),
        ({"tags": {"k*": "v"}}, "regular expression pattern"),
        ({"tags": {"AWS:k": "v"}}, "aws: prefixed tag key names are not allowed"),
        ({"logGroupClass": "CHEAP"}, "Member must satisfy enum value set"),
        ({"kmsKeyId": "alias/a"}, "Invalid KMS key ARN"),
        ({"kmsKeyId": KEY.replace(REGION, "us-east-1")}, "Invalid KMS key ARN"),
    ],
)
def test_bad_groups(logs: Any, given: dict[str, Any], message: str) -> None:
    status, code, got = refused(logs.create_log_group, **{"logGroupName": "g", **given})
    assert (status, code) == (400, "InvalidParameterException")
    assert message in got
    assert names(logs) == []


def test_retention(logs: Any) -> None:
    logs.create_log_group(logGroupName="g")
    for days in DAYS:
        logs.put_retention_policy(logGroupName="g", retentionInDays=days)
        assert groups(logs)[0]["retentionInDays"] == days
    for _ in range(2):
        logs.delete_retention_policy(logGroupName="g")
        assert "retentionInDays" not in groups(logs)[0]


@pytest.mark.parametrize("days", [0, -1, 2, 31, 364, 10000])
def test_periods_that_do_not_exist(logs: Any, days: int) -> None:
    logs.create_log_group(logGroupName="g")
    answer = refused(logs.put_retention_policy, logGroupName="g", retentionInDays=days)
    assert answer[:2] == (400, "InvalidParameterException")
    assert f"Value '{days}' at 'retentionInDays' failed to satisfy constraint" in answer[2]
    assert "[1, 3, 5, 7, 14, 30, 60, 90" in answer[2]
    assert "retentionInDays" not in groups(logs)[0]


def test_what_is_missing(logs: Any) -> None:
    arn = f"{PREFIX}g"
    assert refused(logs.put_retention_policy, logGroupName="g", retentionInDays=7) == MISSING
    assert refused(logs.delete_retention_policy, logGroupName="g") == MISSING
    assert refused(logs.delete_log_group, logGroupName="g") == MISSING
    assert refused(logs.associate_kms_key, logGroupName="g", kmsKeyId=KEY) == MISSING
    assert refused(logs.disassociate_kms_key, logGroupName="g") == MISSING
    assert refused(logs.list_tags_for_resource, resourceArn=arn) == MISSING
    assert refused(logs.tag_resource, resourceArn=arn, tags={"a": "b"}) == MISSING
    assert refused(logs.untag_resource, resourceArn=arn, tagKeys=["a"]) == MISSING
    foreign = arn.replace(ACCOUNT, "210987654321")
    assert refused(logs.list_tags_for_resource, resourceArn=foreign) == MISSING


def test_keys(simulator: Simulator, logs: Any) -> None:
    logs.create_log_group(logGroupName="g")
    logs.associate_kms_key(logGroupName="g", kmsKeyId=KEY)
    assert groups(logs)[0]["kmsKeyId"] == KEY
    logs.associate_kms_key(resourceIdentifier=f"{PREFIX}g", kmsKeyId=OTHER_KEY)
    assert groups(logs)[0]["kmsKeyId"] == OTHER_KEY
    logs.disassociate_kms_key(logGroupName="g")
    assert "kmsKeyId" not in groups(logs)[0]
    answer = refused(logs.associate_kms_key, kmsKeyId=KEY)
    assert answer[:2] == (400, "InvalidParameterException")
    simulator.post("logs/refuse-key", kmsKeyArn=KEY)
    for call, given in [
        (logs.associate_kms_key, {"logGroupName": "g"}),
        (logs.create_log_group, {"logGroupName": "h"}),
    ]:
        assert refused(call, kmsKeyId=KEY, **given) == (
            400,
            "AccessDeniedException",
            "The specified KMS key does not exist or is not allowed to be used with Arn "
            f"'{PREFIX}{given['logGroupName']}'",
        )
    simulator.post("logs/refuse-key", kmsKeyArn=KEY, remove=True)
    logs.associate_kms_key(logGroupName="g", kmsKeyId=KEY)


def test_tags(logs: Any) -> None:
    logs.create_log_group(logGroupName=NAME, tags={"a": "1"})
    arn = f"{PREFIX}{NAME}"
    logs.tag_resource(resourceArn=arn, tags={"a": "2", "b": "3"})
    logs.untag_resource(resourceArn=arn, tagKeys=["b", "never-there"])
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"a": "2"}
    logs.tag_log_group(logGroupName=NAME, tags={"c": "4"})
    logs.untag_log_group(logGroupName=NAME, tags=["a"])
    assert logs.list_tags_log_group(logGroupName=NAME)["tags"] == {"c": "4"}
    logs.delete_log_group(logGroupName=NAME)
    logs.create_log_group(logGroupName=NAME)
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {}


def test_tags_want_the_arn_of_the_group_itself(logs: Any) -> None:
    logs.create_log_group(logGroupName="g")
    for call, given in [
        (logs.tag_resource, {"tags": {"a": "b"}}),
        (logs.untag_resource, {"tagKeys": ["a"]}),
        (logs.list_tags_for_resource, {}),
    ]:
        status, code, message = refused(call, resourceArn=f"{PREFIX}g:*", **given)
        assert (status, code) == (400, "InvalidParameterException")
        assert "at 'resourceArn' failed to satisfy constraint" in message


def test_no_more_than_fifty_tags(logs: Any) -> None:
    logs.create_log_group(logGroupName="g", tags={f"k{n}": "v" for n in range(50)})
    arn = f"{PREFIX}g"
    answer = refused(logs.tag_resource, resourceArn=arn, tags={"one": "more"})
    assert answer[:2] == (400, "TooManyTagsException")
    logs.tag_resource(resourceArn=arn, tags={"k0": "changed"})
    assert len(logs.list_tags_for_resource(resourceArn=arn)["tags"]) == 50
    answer = refused(logs.tag_resource, resourceArn=arn, tags={"aws:x": "y"})
    assert answer[:2] == (400, "InvalidParameterException")


def test_pages(logs: Any) -> None:
    made = [f"g-{n:03}" for n in range(53)]
    for name in reversed(made):
        logs.create_log_group(logGroupName=name)
    first = logs.describe_log_groups()
    assert [group["logGroupName"] for group in first["logGroups"]] == made[:50]
    logs.delete_log_group(logGroupName="g-049")
    second = logs.describe_log_groups(nextToken=first["nextToken"])
    assert [group["logGroupName"] for group in second["logGroups"]] == made[50:]
    assert "nextToken" not in second
    pages = logs.get_paginator("describe_log_groups").paginate(
        logGroupNamePrefix="g-00", PaginationConfig={"PageSize": 4}
    )
    assert [[group["logGroupName"] for group in page["logGroups"]] for page in pages] == [
        made[0:4],
        made[4:8],
        made[8:10],
    ]


def test_filters(logs: Any) -> None:
    for name, group_class in [("a/b", "STANDARD"), ("a/c", "INFREQUENT_ACCESS"), ("b", "STANDARD")]:
        logs.create_log_group(logGroupName=name, logGroupClass=group_class, tags={"a": "b"})
    assert names(logs, logGroupNamePrefix="a/") == ["a/b", "a/c"]
    assert names(logs, logGroupNamePattern="b") == ["a/b", "b"]
    assert set(groups(logs, logGroupNamePattern="b")[0]) == {"arn", "creationTime", "logGroupName"}
    assert names(logs, logGroupClass="ESSENTIALS") == ["a/c"]
    assert names(logs, logGroupClass="STANDARD") == ["a/b", "b"]
    assert names(logs, logGroupIdentifiers=[f"{PREFIX}a/c", "b", "none"]) == ["a/c", "b"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"limit": 51}, "Member must have value less than or equal to 50"),
        ({"limit": 0}, "Member must have value greater than or equal to 1"),
        ({"logGroupNamePrefix": "a", "logGroupNamePattern": "b"}, "mutually exclusive"),
        ({"logGroupIdentifiers": ["a"], "logGroupNamePrefix": "b"}, "logGroupIdentifiers"),
        ({"logGroupIdentifiers": [f"g{n}" for n in range(51)]}, "less than or equal to 50"),
        ({"nextToken": "é"}, "The specified nextToken is invalid."),
    ],
)
def test_bad_filters(logs: Any, given: dict[str, Any], message: str) -> None:
    answer = refused(logs.describe_log_groups, **given)
    assert answer[:2] == (400, "InvalidParameterException")
    assert message in answer[2]


def test_deletion(logs: Any) -> None:
    logs.create_log_group(logGroupName="g", deletionProtectionEnabled=True)
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    assert refused(logs.delete_log_group, logGroupName="g")[:2] == (400, "ValidationException")
    logs.put_log_group_deletion_protection(
        logGroupIdentifier=f"{PREFIX}g", deletionProtectionEnabled=False
    )
    logs.delete_log_group(logGroupName="g")
    assert names(logs) == []
    logs.create_log_group(logGroupName="g")
    assert logs.describe_log_streams(logGroupName="g")["logStreams"] == []


def test_changes_that_follow_too_soon_are_aborted(simulator: Simulator, logs: Any) -> None:
    simulator.post("timings", **{"logs.group.busy": FOREVER})
    logs.create_log_group(logGroupName="g", tags={"a": "b"})
    logs.create_log_group(logGroupName="h")
    for call, given in [
        (logs.put_retention_policy, {"retentionInDays": 7}),
        (logs.delete_retention_policy, {}),
        (logs.associate_kms_key, {"kmsKeyId": KEY}),
        (logs.disassociate_kms_key, {}),
        (logs.delete_log_group, {}),
    ]:
        assert refused(call, logGroupName="g", **given) == CONFLICT
    logs.tag_resource(resourceArn=f"{PREFIX}g", tags={"a": "c"})
    simulator.post("timings", **{"logs.group.busy": 0})
    logs.delete_log_group(logGroupName="g")
    simulator.post("timings", **{"logs.group.busy": FOREVER})
    assert refused(logs.create_log_group, logGroupName="g") == CONFLICT


OF_GROUP = {"logGroupName": "g"}
OF_ARN = {"resourceArn": f"{PREFIX}g"}
NEW = {"logGroupName": "n"}
PERMISSIONS = [
    ("logs:CreateLogGroup", f"{PREFIX}n:log-stream:", "create_log_group", NEW),
    ("logs:TagResource", f"{PREFIX}n", "create_log_group", {**NEW, "tags": {"a": "b"}}),
    ("logs:DescribeLogGroups", f"{PREFIX}:log-stream:", "describe_log_groups", {}),
    (
        "logs:PutRetentionPolicy",
        f"{PREFIX}g:log-stream:",
        "put_retention_policy",
        {**OF_GROUP, "retentionInDays": 7},
    ),
    (
        "logs:DeleteRetentionPolicy",
        f"{PREFIX}g:log-stream:",
        "delete_retention_policy",
        OF_GROUP,
    ),
    (
        "logs:AssociateKmsKey",
        f"{PREFIX}g:log-stream:",
        "associate_kms_key",
        {**OF_GROUP, "kmsKeyId": KEY},
    ),
    (
        "logs:DisassociateKmsKey",
        f"{PREFIX}g:log-stream:",
        "disassociate_kms_key",
        {"resourceIdentifier": f"{PREFIX}g"},
    ),
    ("logs:DeleteLogGroup", f"{PREFIX}g:log-stream:", "delete_log_group", OF_GROUP),
    ("logs:TagResource", f"{PREFIX}g", "tag_resource", {**OF_ARN, "tags": {"a": "b"}}),
    ("logs:UntagResource", f"{PREFIX}g", "untag_resource", {**OF_ARN, "tagKeys": ["a"]}),
    ("logs:ListTagsForResource", f"{PREFIX}g", "list_tags_for_resource", OF_ARN),
]


@pytest.mark.parametrize(("action", "resource", "operation", "given"), PERMISSIONS)
def test_permissions(
    simulator: Simulator, logs: Any, action: str, resource: str, operation: str, given: Any
) -> None:
    logs.create_log_group(**OF_GROUP)
    call = getattr(logs, operation)
    simulator.post("deny", action=action, resource=resource)
    status, code, message = refused(call, **given)
    assert (status, code) == (400, "AccessDeniedException")
    assert f'is not authorized to perform: {action} on resource: "{resource}"' in message
    simulator.control("DELETE", "deny", {"action": action})
    simulator.post("deny", action=action, resource=f"{resource}-other")
    call(**given)


def test_an_endpoint_makes_its_group_when_its_containers_print(serving: Serving, logs: Any) -> None:
    serving.take(create=FOREVER, print=FOREVER)
    serving.serve()
    assert names(logs) == []
    serving.take(print=0)
    assert names(logs, logGroupNamePrefix=NAME) == [NAME]
    assert serving.described()["EndpointStatus"] == "Creating"
    (group,) = groups(logs)
    assert not {"retentionInDays", "kmsKeyId"} & group.keys()
    assert logs.list_tags_for_resource(resourceArn=f"{PREFIX}{NAME}")["tags"] == {}
    assert refused(logs.create_log_group, logGroupName=NAME)[1] == "ResourceAlreadyExistsException"


def test_an_endpoint_uses_the_group_that_is_there(serving: Serving, logs: Any) -> None:
    logs.create_log_group(logGroupName=NAME, tags={"a": "b"})
    logs.put_retention_policy(logGroupName=NAME, retentionInDays=7)
    serving.serve()
    assert groups(logs)[0]["retentionInDays"] == 7
    assert logs.list_tags_for_resource(resourceArn=f"{PREFIX}{NAME}")["tags"] == {"a": "b"}


def test_new_containers_of_an_endpoint_make_a_deleted_group_again(
    serving: Serving, logs: Any
) -> None:
    serving.serve()
    logs.delete_log_group(logGroupName=NAME)
    assert names(logs) == []
    serving.config("d", variant(InitialInstanceCount=1))
    serving.update()
    assert names(logs) == [NAME]
    logs.delete_log_group(logGroupName=NAME)
    serving.simulator.post("sagemaker/print", endpoint="e")
    assert names(logs) == [NAME]


def test_the_group_of_an_endpoint_outlives_it(serving: Serving, logs: Any) -> None:
    serving.serve()
    serving.sagemaker.delete_endpoint(EndpointName="e")
    assert names(logs) == [NAME]


def test_containers_that_never_start_print_nothing(serving: Serving, logs: Any) -> None:
    serving.model()
    serving.config()
    serving.s3.delete_object(Bucket="artifacts", Key="rank/model.tar.gz")
    serving.endpoint()
    assert serving.described()["EndpointStatus"] == "Failed"
    assert names(logs) == []
    serving.s3.put_object(Bucket="artifacts", Key="rank/model.tar.gz", Body=b"weights")
    serving.take(print=FOREVER)
    serving.endpoint("f")
    serving.sagemaker.delete_endpoint(EndpointName="f")
    serving.take(print=0)
    assert names(logs) == []


def test_a_container_that_fails_prints_why(serving: Serving, logs: Any) -> None:
    serving.simulator.post("sagemaker/fail-next-create", endpoint="e", reason="health check")
    assert serving.serve()["EndpointStatus"] == "Failed"
    assert names(logs) == [NAME]
