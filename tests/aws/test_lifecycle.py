"""Lifecycle configurations: every rule that AWS applies, and nothing lost on the way."""

from typing import Any

import pytest
from conftest import Simulator
from failures import refused
from lifecycle_cases import EXPIRE, MIDNIGHT, REFUSED, REQUEST, TAG, moves, rule, unfiltered


@pytest.mark.parametrize("case", REFUSED)
def test_refused(s3: Any, bucket: str, case: str) -> None:
    rules, code, message = REFUSED[case]
    put = s3.put_bucket_lifecycle_configuration
    answer = refused(put, Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    assert answer == (400, code, message)
    get = s3.get_bucket_lifecycle_configuration
    assert refused(get, Bucket=bucket)[:2] == (404, "NoSuchLifecycleConfiguration")


def test_no_rules(simulator: Simulator, bucket: str) -> None:
    body = b"<LifecycleConfiguration/>"
    status, _, answer = simulator.raw("PUT", f"/{bucket}?lifecycle", body=body)
    assert status == 400
    assert b"At least one lifecycle rule must be specified." in answer
    status, _, answer = simulator.raw("PUT", f"/{bucket}?lifecycle", body=b"<Lifecycle")
    assert (status, b"MalformedXML" in answer) == (400, True)


FULL = [
    {
        "ID": "everything",
        "Status": "Enabled",
        "Filter": {
            "And": {
                "Prefix": "a/",
                "Tags": [{"Key": "k", "Value": ""}, {"Key": "l", "Value": "w"}],
                "ObjectSizeGreaterThan": 131072,
                "ObjectSizeLessThan": 1 << 40,
            }
        },
        "Transitions": moves(
            (30, "STANDARD_IA"), (60, "INTELLIGENT_TIERING"), (90, "GLACIER"), (180, "DEEP_ARCHIVE")
        ),
        "Expiration": {"Days": 365},
        "NoncurrentVersionTransitions": [
            {"NoncurrentDays": 30, "StorageClass": "STANDARD_IA", "NewerNoncurrentVersions": 2}
        ],
        "NoncurrentVersionExpiration": {"NoncurrentDays": 90, "NewerNoncurrentVersions": 500},
    },
    {
        "ID": "uploads",
        "Status": "Disabled",
        "Filter": {"Prefix": ""},
        "Expiration": {"ExpiredObjectDeleteMarker": True},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    },
    {
        "ID": "on a day",
        "Status": "Enabled",
        "Filter": {"ObjectSizeLessThan": 10},
        "Transitions": moves((MIDNIGHT, "GLACIER_IR")),
    },
    {
        "ID": "at once",
        "Status": "Enabled",
        "Filter": {"Tag": TAG},
        "Transitions": moves((0, "DEEP_ARCHIVE")),
    },
]


def test_every_field_is_kept(s3: Any, bucket: str) -> None:
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": FULL})
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == FULL


def test_put_replaces_and_delete_removes(s3: Any, bucket: str) -> None:
    for number in (1, 2):
        rules = [rule(ID=f"r{number}", **EXPIRE)]
        s3.put_bucket_lifecycle_configuration(
            Bucket=bucket, LifecycleConfiguration={"Rules": rules}
        )
        assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == rules
    s3.delete_bucket_lifecycle(Bucket=bucket)
    s3.delete_bucket_lifecycle(Bucket=bucket)
    get = s3.get_bucket_lifecycle_configuration
    assert refused(get, Bucket=bucket) == (
        404,
        "NoSuchLifecycleConfiguration",
        "The lifecycle configuration does not exist",
    )


def test_missing_ids_are_made(s3: Any, bucket: str) -> None:
    rules = [unfiltered(ID=None, Filter={"Prefix": name}, **EXPIRE) for name in "ab"]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    got = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    made = [each.pop("ID") for each in got]
    assert got == rules
    assert all(made)
    assert made[0] != made[1]


def test_old_form_with_prefixes(s3: Any, bucket: str) -> None:
    rules = [
        unfiltered(ID="a", Prefix="a/", **EXPIRE),
        unfiltered(ID="b", Prefix="b/", **EXPIRE),
        unfiltered(ID="c", Prefix="", AbortIncompleteMultipartUpload={"DaysAfterInitiation": 1}),
    ]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == rules


def test_default_minimum_size_is_reset_by_a_put_without_it(s3: Any, bucket: str) -> None:
    name = "TransitionDefaultMinimumObjectSize"
    put = {"Bucket": bucket, "LifecycleConfiguration": {"Rules": [rule(**EXPIRE)]}}
    s3.put_bucket_lifecycle_configuration(**put, **{name: "varies_by_storage_class"})
    got = s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    assert got[name] == "varies_by_storage_class"
    assert s3.put_bucket_lifecycle_configuration(**put)[name] == "all_storage_classes_128K"
    got = s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    assert got[name] == "all_storage_classes_128K"
    answer = refused(s3.put_bucket_lifecycle_configuration, **put, **{name: "some"})
    assert answer == (400, REQUEST, "Invalid TransitionDefaultMinimumObjectSize found")


FOREIGN = (
    '<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule><ID>theirs</ID>'
    "<Filter><Prefix>x/</Prefix></Filter><Status>Enabled</Status><Novelty><Depth>3</Depth>"
    "</Novelty><Expiration><Days>9</Days></Expiration></Rule></LifecycleConfiguration>"
)


def test_unknown_elements_survive(simulator: Simulator, s3: Any, bucket: str) -> None:
    simulator.post("s3/lifecycle", bucket=bucket, xml=FOREIGN)
    _, headers, body = simulator.raw("GET", f"/{bucket}?lifecycle")
    assert body.decode() == FOREIGN
    assert headers["x-amz-transition-default-minimum-object-size"] == "all_storage_classes_128K"
    status, _, _ = simulator.raw("PUT", f"/{bucket}?lifecycle", body=FOREIGN.encode())
    assert status == 200
    assert simulator.raw("GET", f"/{bucket}?lifecycle")[2].decode() == FOREIGN
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert [each["ID"] for each in rules] == ["theirs"]


def test_unknown_elements_survive_a_made_id(simulator: Simulator, bucket: str) -> None:
    nameless = FOREIGN.replace("<ID>theirs</ID>", "")
    simulator.raw("PUT", f"/{bucket}?lifecycle", body=nameless.encode())
    got = simulator.raw("GET", f"/{bucket}?lifecycle")[2].decode()
    assert "<Novelty><Depth>3</Depth></Novelty>" in got
    assert "<ID>" in got
