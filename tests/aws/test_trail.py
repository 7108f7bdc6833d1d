"""CloudTrail's events: from a call through a rule into a queue, late, twice and out of order."""

import json
import threading
import time
from typing import Any

import pytest
from conftest import ACCOUNT, REGION, Simulator
from failures import refused

GLOBAL = "us-east-1"
PATTERN = {
    "detail-type": ["AWS API Call via CloudTrail"],
    "detail": {
        "eventName": [{"prefix": "PutBucket"}, {"prefix": "CreateBucket"}, "TagRole", "CreateTags"],
        "errorCode": [{"exists": False}],
    },
}
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


class Post:
    """A queue with a rule that sends to it, in one region."""

    def __init__(self, simulator: Simulator, region: str = REGION) -> None:
        self.sqs = simulator.client("sqs", region)
        self.events = simulator.client("events", region)
        self.arn = f"arn:aws:sqs:{region}:{ACCOUNT}:inbox"
        self.rule = f"arn:aws:events:{region}:{ACCOUNT}:rule/changes"
        self.url = self.sqs.create_queue(QueueName="inbox")["QueueUrl"]
        self.events.put_rule(Name="changes", EventPattern=json.dumps(PATTERN))
        self.events.put_targets(Rule="changes", Targets=[{"Id": "inbox", "Arn": self.arn}])
        self.admit(self.rule)

    def admit(self, rule: str) -> None:
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": self.arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": policy})

    def receive(self, wait: int = 2) -> list[dict[str, Any]]:
        answer = self.sqs.receive_message(
            QueueUrl=self.url, WaitTimeSeconds=wait, MaxNumberOfMessages=10
        )
        return [json.loads(message["Body"]) for message in answer.get("Messages", [])]

    def names(self, wait: int = 2) -> list[str]:
        return [event["detail"]["eventName"] for event in self.receive(wait)]


@pytest.fixture
def post(simulator: Simulator) -> Post:
    return Post(simulator)


def version(s3: Any, bucket: str) -> Any:
    return s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


def test_a_call_arrives_as_cloudtrail_records_it(post: Post, s3: Any, bucket: str) -> None:
    answer = version(s3, bucket)
    [created, put] = post.receive() + post.receive(1)
    assert created["detail"]["eventName"] == "CreateBucket"
    detail = put["detail"]
    assert put["source"] == "aws.s3"
    assert put["region"] == detail["awsRegion"] == REGION
    assert put["account"] == detail["recipientAccountId"] == ACCOUNT
    assert detail["eventSource"] == "s3.amazonaws.com"
    assert detail["eventName"] == "PutBucketVersioning"
    assert detail["requestParameters"] == {"bucketName": bucket}
    assert detail["requestID"] == answer["ResponseMetadata"]["RequestId"]
    assert detail["userIdentity"]["arn"] == f"arn:aws:iam::{ACCOUNT}:user/operator"
    assert "Boto3" in detail["userAgent"]
    assert detail["readOnly"] is False


def test_iam_is_heard_of_in_one_region_alone(simulator: Simulator, post: Post) -> None:
    far = Post(simulator, GLOBAL)
    iam = simulator.client("iam")
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)
    iam.tag_role(RoleName="r", Tags=[{"Key": "a", "Value": "b"}])
    [event] = far.receive()
    assert event["region"] == event["detail"]["awsRegion"] == GLOBAL
    assert event["detail"]["requestParameters"]["roleName"] == "r"
    assert post.receive(0) == []


def test_a_session_of_a_role_is_named(simulator: Simulator, post: Post, bucket: str) -> None:
    simulator.client("iam").create_role(RoleName="admin", AssumeRolePolicyDocument=TRUST)
    role = f"arn:aws:iam::{ACCOUNT}:role/admin"
    given = simulator.client("sts").assume_role(RoleArn=role, RoleSessionName="jane")["Credentials"]
    s3 = simulator.client(
        "s3",
        access_key=given["AccessKeyId"],
        secret_key=given["SecretAccessKey"],
        token=given["SessionToken"],
    )
    version(s3, bucket)
    identities = [event["detail"]["userIdentity"] for event in post.receive() + post.receive(1)]
    identity = identities[-1]
    assert identity["arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/admin/jane"
    assert identity["sessionContext"]["sessionIssuer"]["arn"] == role


def test_reads_failures_and_other_rules_events_do_not_arrive(post: Post, s3: Any) -> None:
    s3.list_buckets()
    with pytest.raises(s3.exceptions.ClientError):
        version(s3, "nobody-s")
    s3.create_bucket(Bucket="mine", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="mine", Key="k", Body=b"")
    s3.delete_bucket_policy(Bucket="mine")
    assert post.names() == ["CreateBucket"]
    assert post.names(1) == []


def test_a_rule_that_the_queue_does_not_admit_sends_nothing(
    post: Post, simulator: Simulator, s3: Any, bucket: str
) -> None:
    simulator.post("timings", **{"cloudtrail.delivery": 0})
    post.names(1)
    post.admit(post.rule + "-of-others")
    version(s3, bucket)
    assert post.receive(0) == []
    post.admit(post.rule)
    version(s3, bucket)
    assert post.names(0) == ["PutBucketVersioning"]


def test_what_was_held_comes_twice_and_in_reverse(
    post: Post, simulator: Simulator, s3: Any, bucket: str
) -> None:
    simulator.post("timings", **{"cloudtrail.delivery": 0})
    assert post.names() == ["CreateBucket"]
    simulator.post("cloudtrail/hold")
    version(s3, bucket)
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    assert post.receive(0) == []
    assert simulator.post("cloudtrail/release", order="reversed", copies=2) == {"delivered": 4}
    assert post.names(0) == ["PutBucketTagging", "PutBucketVersioning"] * 2


def test_events_are_late_for_as_long_as_is_asked(
    post: Post, simulator: Simulator, s3: Any, bucket: str
) -> None:
    simulator.post("timings", **{"cloudtrail.delivery": 1500})
    post.names(1)
    version(s3, bucket)
    began = time.monotonic()
    assert post.receive(0) == []
    assert post.names(10) == ["PutBucketVersioning"]
    assert time.monotonic() - began > 1


def test_without_a_trail_nothing_arrives(post: Post, simulator: Simulator, s3: Any) -> None:
    simulator.post("cloudtrail/logging", on=False)
    s3.create_bucket(Bucket="fresh", CreateBucketConfiguration={"LocationConstraint": REGION})
    assert post.receive(1) == []


def test_a_queue_keeps_its_policy_when_something_else_is_set(post: Post) -> None:
    def policy() -> str:
        read = post.sqs.get_queue_attributes(QueueUrl=post.url, AttributeNames=["Policy"])
        return read["Attributes"]["Policy"]

    before = policy()
    post.sqs.set_queue_attributes(QueueUrl=post.url, Attributes={"VisibilityTimeout": "60"})
    assert json.loads(policy()) == json.loads(before)


def test_a_planted_event_is_matched_and_delivered(post: Post, simulator: Simulator) -> None:
    event = {"account": ACCOUNT, "region": REGION, "detail-type": "AWS API Call via CloudTrail"}
    simulator.post("cloudtrail/event", **event, detail={"eventName": "TagRole"})
    simulator.post("cloudtrail/event", **event, detail={"eventName": "UntagRole"})
    assert post.names(0) == ["TagRole"]


def test_tags_of_ec2_name_their_resources(simulator: Simulator, post: Post) -> None:
    vpc = simulator.post("ec2/vpc", region=REGION)["vpcId"]
    tags = [{"Key": "a", "Value": "b"}]
    simulator.client("ec2").create_tags(Resources=[vpc], Tags=tags)
    [event] = post.receive()
    items = event["detail"]["requestParameters"]["resourcesSet"]["items"]
    assert items == [{"resourceId": vpc}]


def test_others_go_on_while_a_poll_waits(post: Post, simulator: Simulator) -> None:
    found: list[str] = []
    waiter = threading.Thread(target=lambda: found.extend(post.names(20)))
    waiter.start()
    s3 = simulator.client("s3")
    s3.create_bucket(Bucket="fresh", CreateBucketConfiguration={"LocationConstraint": REGION})
    waiter.join(timeout=15)
    assert found == ["CreateBucket"]


def test_a_poll_of_nothing_takes_its_time(post: Post) -> None:
    began = time.monotonic()
    assert post.receive(1) == []
    assert time.monotonic() - began >= 1


def test_a_name_stays_taken_for_a_while_after_a_deletion(simulator: Simulator) -> None:
    sqs = simulator.client("sqs")
    simulator.post("timings", **{"sqs.queue.deleted": 60_000})
    sqs.delete_queue(QueueUrl=sqs.create_queue(QueueName="q")["QueueUrl"])
    with pytest.raises(sqs.exceptions.ClientError, match="You must wait 60 seconds"):
        sqs.create_queue(QueueName="q")
    simulator.post("timings", **{"sqs.queue.deleted": 0})
    sqs.create_queue(QueueName="q")


def test_patterns_that_eventbridge_does_not_take(simulator: Simulator) -> None:
    events = simulator.client("events")
    for pattern in ["no json", "[]", "{}", '{"source": "aws.s3"}', '{"source": []}']:
        assert refused(events.put_rule, Name="r", EventPattern=pattern)[1] == (
            "InvalidEventPatternException"
        )
    long = json.dumps({"source": ["x" * 2048]})
    assert refused(events.put_rule, Name="r", EventPattern=long)[1] == "LimitExceededException"


def test_what_calls_of_sqs_and_eventbridge_need(simulator: Simulator) -> None:
    sqs, events = simulator.client("sqs"), simulator.client("events")
    url = sqs.create_queue(QueueName="q", tags={"a": "b"})["QueueUrl"]
    sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": "1", "MessageBody": "x"}])
    pattern = json.dumps({"source": ["aws.s3"]})
    events.put_rule(Name="r", EventPattern=pattern, Tags=[{"Key": "a", "Value": "b"}])
    queue, rule = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q", f"arn:aws:events:{REGION}:{ACCOUNT}:rule/r"
    assert [call["permissions"] for call in simulator.calls()] == [
        [["sqs:CreateQueue", queue], ["sqs:TagQueue", queue]],
        [["sqs:SendMessage", queue]],
        [["events:PutRule", rule], ["events:TagResource", rule]],
    ]
