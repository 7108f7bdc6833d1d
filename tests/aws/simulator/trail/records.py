"""Records of calls, in the form in which CloudTrail sends them to EventBridge."""

import uuid
from datetime import UTC, datetime
from typing import Any

from simulator.call import Call
from simulator.journal import code_of
from simulator.trail.parameters import request_parameters
from simulator.wire import Response

READS = ("Get", "List", "Describe", "Head", "Batch", "Simulate")
# Services whose events come in one region of a partition, and which that is.
GLOBAL = frozenset({"iam", "sts"})
GLOBAL_REGIONS = {"aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
# What the service calls itself where that is not its signing name.
SOURCES = {"application-autoscaling": "autoscaling"}
# S3's names of what SDKs call otherwise: "Amazon S3 CloudTrail events" in its documentation.
S3_NAMES = {
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "DeleteBucketPublicAccessBlock",
    "PutBucketLifecycleConfiguration": "PutBucketLifecycle",
}
# Data events, which a trail does not have unless somebody asks for them.
S3_DATA = (
    *("PutObject", "DeleteObject", "CopyObject", "RestoreObject", "CreateMultipartUpload"),
    *("UploadPart", "CompleteMultipartUpload", "AbortMultipartUpload", "SelectObject"),
)
# Data events of SQS and EventBridge.
SENDING = ("SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "PutEvents")


def is_recorded(call: Call) -> bool:
    """Whether EventBridge hears of a call: one that is no read and no data event."""
    operation = call.operation
    if call.service is None or operation is None or operation.startswith(READS):
        return False
    is_data = call.service == "s3" and operation.startswith(S3_DATA)
    return not is_data and not operation.startswith(SENDING)


def event_of(call: Call, response: Response, number: str) -> dict[str, Any]:
    """The event of a call that was answered."""
    assert call.service is not None
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    signing_name = call.credential.signing_name if call.credential else call.service
    prefix = SOURCES.get(signing_name, signing_name)
    region = call.region
    if signing_name in GLOBAL:
        region = GLOBAL_REGIONS.get(call.partition, "us-east-1")
    detail = {
        "eventVersion": "1.11",
        "userIdentity": identity(call),
        "eventTime": now,
        "eventSource": f"{prefix}.amazonaws.com",
        "eventName": S3_NAMES.get(call.operation or "", call.operation),
        "awsRegion": region,
        "sourceIPAddress": "203.0.113.7",
        "userAgent": f"[{call.request.headers.get('User-Agent', '')}]",
        "requestParameters": request_parameters(call),
        "responseElements": None,
        "requestID": number,
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": call.account,
        "eventCategory": "Management",
    }
    if response.status >= 300:
        detail["errorCode"] = code_of(response) or "InternalFailure"
    if prefix != signing_name:
        detail["additionalEventData"] = {"service": signing_name}
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "AWS API Call via CloudTrail",
        "source": f"aws.{prefix}",
        "account": call.account,
        "time": now,
        "region": region,
        "resources": [],
        "detail": detail,
    }


def identity(call: Call) -> dict[str, Any]:
    """Who called."""
    arn, account = call.principal, call.account
    known = {"arn": arn, "accountId": account}
    if call.credential is not None:
        known["accessKeyId"] = call.credential.access_key
    name = arn.rpartition("/")[2]
    if ":assumed-role/" not in arn:
        return {"type": "IAMUser", "principalId": "AIDASIMULATED", "userName": name, **known}
    role = arn.split("/")[1]
    issuer = {
        "type": "Role",
        "principalId": "AROASIMULATED",
        "arn": f"arn:{call.partition}:iam::{account}:role/{role}",
        "accountId": account,
        "userName": role,
    }
    return {
        "type": "AssumedRole",
        "principalId": f"AROASIMULATED:{name}",
        "sessionContext": {"sessionIssuer": issuer, "attributes": {"mfaAuthenticated": "false"}},
        **known,
    }
