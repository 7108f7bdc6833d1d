"""Listing and deleting: pages, versions, delete markers, uploads."""

import re
from typing import Any

import pytest
from conftest import Simulator
from failures import refused


@pytest.fixture
def versioned(s3: Any, bucket: str) -> str:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


def pages(call: Any, markers: dict[str, str], **parameters: Any) -> list[dict[str, Any]]:
    """Every page of a listing that takes markers: {request: answer}."""
    found = []
    while True:
        page = call(**parameters)
        found.append(page)
        if not page["IsTruncated"]:
            return found
        parameters.update({ask: page[told] for ask, told in markers.items() if told in page})


VERSION_MARKERS = {"KeyMarker": "NextKeyMarker", "VersionIdMarker": "NextVersionIdMarker"}
UPLOAD_MARKERS = {"KeyMarker": "NextKeyMarker", "UploadIdMarker": "NextUploadIdMarker"}


def test_versions_in_pages(s3: Any, versioned: str) -> None:
    made = []
    for key in ("b", "a/1", "ä ?", "a/2"):
        for body in (b"1", b"2", b"3"):
            version = s3.put_object(Bucket=versioned, Key=key, Body=body)["VersionId"]
            made.append((key, version))
        made.append((key, s3.delete_object(Bucket=versioned, Key=key)["VersionId"]))
    found, markers = [], []
    for page in pages(s3.list_object_versions, VERSION_MARKERS, Bucket=versioned, MaxKeys=3):
        entries = page.get("Versions", []) + page.get("DeleteMarkers", [])
        assert len(entries) <= 3
        found += [(entry["Key"], entry["VersionId"]) for entry in entries]
        markers += [entry for entry in page.get("DeleteMarkers", []) if entry["IsLatest"]]
    assert sorted(found) == sorted(made)
    assert len(set(found)) == 16
    assert len(markers) == 4
    page = s3.list_object_versions(Bucket=versioned, KeyMarker="a/1", MaxKeys=1)
    assert page["DeleteMarkers"][0]["Key"] == "a/2"
    page = s3.list_object_versions(Bucket=versioned, Delimiter="/")
    assert [each["Prefix"] for each in page["CommonPrefixes"]] == ["a/"]
    assert {entry["Key"] for entry in page["Versions"]} == {"b", "ä ?"}
    page = s3.list_object_versions(Bucket=versioned, Prefix="a/2")
    assert [entry["IsLatest"] for entry in page["Versions"]] == [False] * 3
    answer = refused(s3.list_object_versions, Bucket=versioned, VersionIdMarker="x")
    assert answer[:2] == (400, "InvalidArgument")


def test_prefixes_in_pages(s3: Any, versioned: str) -> None:
    for key in ("a/1", "a/2", "b/1", "c", "d/1"):
        s3.put_object(Bucket=versioned, Key=key, Body=b"")
    found = []
    for page in pages(
        s3.list_object_versions, VERSION_MARKERS, Bucket=versioned, Delimiter="/", MaxKeys=1
    ):
        found += [each["Prefix"] for each in page.get("CommonPrefixes", [])]
        found += [each["Key"] for each in page.get("Versions", [])]
    assert found == ["a/", "b/", "c", "d/"]


def test_emptying_a_versioned_bucket(s3: Any, versioned: str) -> None:
    for number in range(3):
        s3.put_object(Bucket=versioned, Key=f"k{number}", Body=b"")
    first = s3.delete_objects(
        Bucket=versioned, Delete={"Objects": [{"Key": f"k{number}"} for number in range(3)]}
    )
    assert all(entry["DeleteMarker"] for entry in first["Deleted"])
    s3.delete_object(Bucket=versioned, Key="never-there")
    s3.put_bucket_versioning(Bucket=versioned, VersioningConfiguration={"Status": "Suspended"})
    s3.put_object(Bucket=versioned, Key="k0", Body=b"")
    marker = s3.delete_object(Bucket=versioned, Key="k0")
    assert (marker["DeleteMarker"], marker["VersionId"]) == (True, "null")
    listed = s3.list_object_versions(Bucket=versioned)
    entries = listed["Versions"] + listed["DeleteMarkers"]
    # The unversioned object is gone with its marker in its place; the versions are untouched.
    assert len(entries) == 8
    names = [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in entries]
    answer = s3.delete_objects(Bucket=versioned, Delete={"Objects": names, "Quiet": True})
    assert "Deleted" not in answer
    assert "Errors" not in answer
    listed = s3.list_object_versions(Bucket=versioned)
    assert "Versions" not in listed
    assert "DeleteMarkers" not in listed
    s3.delete_bucket(Bucket=versioned)


def test_deleting_the_latest_marker_brings_the_object_back(s3: Any, versioned: str) -> None:
    s3.put_object(Bucket=versioned, Key="k", Body=b"x")
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    assert refused(s3.get_object, Bucket=versioned, Key="k")[:2] == (404, "NoSuchKey")
    done = s3.delete_object(Bucket=versioned, Key="k", VersionId=marker)
    assert (done["DeleteMarker"], done["VersionId"]) == (True, marker)
    assert s3.get_object(Bucket=versioned, Key="k")["Body"].read() == b"x"


def test_deleting_many(s3: Any, bucket: str) -> None:
    names = [{"Key": f"k{number}"} for number in range(1000)]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": names})
    assert len(answer["Deleted"]) == 1000
    delete = {"Objects": [*names, {"Key": "one too many"}]}
    assert refused(s3.delete_objects, Bucket=bucket, Delete=delete)[:2] == (400, "MalformedXML")


def test_delete_needs_no_checksum(simulator: Simulator, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a&b", Body=b"")
    body = b"<Delete><Object><Key>a&amp;b</Key></Object></Delete>"
    status, _, answer = simulator.raw("POST", f"/{bucket}?delete", body=body)
    assert status == 200
    assert b"a&amp;b" in answer
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_uploads_in_pages(s3: Any, bucket: str) -> None:
    made = set()
    for key in ("b", "a", "c"):
        for _ in range(2):
            upload = s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
            made.add((key, upload))
    found = []
    for page in pages(s3.list_multipart_uploads, UPLOAD_MARKERS, Bucket=bucket, MaxUploads=2):
        assert len(page["Uploads"]) <= 2
        found += [(each["Key"], each["UploadId"]) for each in page["Uploads"]]
    assert [key for key, _ in found] == ["a", "a", "b", "b", "c", "c"]
    assert set(found) == made
    for key, upload in found:
        s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
    answer = refused(s3.abort_multipart_upload, Bucket=bucket, Key="a", UploadId=found[0][1])
    assert answer[:2] == (404, "NoSuchUpload")
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    s3.delete_bucket(Bucket=bucket)


def test_objects_in_pages(s3: Any, bucket: str) -> None:
    for number in range(5):
        s3.put_object(Bucket=bucket, Key=f"p/{number}", Body=b"x" * number)
    found = []
    markers = {"ContinuationToken": "NextContinuationToken"}
    for page in pages(s3.list_objects_v2, markers, Bucket=bucket, Prefix="p/", MaxKeys=2):
        found += [(each["Key"], each["Size"]) for each in page["Contents"]]
    assert found == [(f"p/{number}", number) for number in range(5)]


def test_a_finished_upload_is_an_object(s3: Any, bucket: str) -> None:
    upload = {"Bucket": bucket, "Key": "k"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    tag = s3.upload_part(PartNumber=1, Body=b"x" * 10, **upload)["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": tag}]}
    s3.complete_multipart_upload(MultipartUpload=parts, **upload)
    assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == 10
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


ODD_KEY = "a\x10b"


def test_a_key_that_xml_cannot_carry(simulator: Simulator, s3: Any, bucket: str) -> None:
    enabled = {"Status": "Enabled"}
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=enabled)
    for key in ("plain", ODD_KEY, "with space+plus"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    s3.delete_object(Bucket=bucket, Key=ODD_KEY)
    status, _, body = simulator.raw("GET", f"/{bucket}?versions")
    assert (status, body.count(b"<Key>a&#x10;b</Key>")) == (200, 2), "a reference, in both"
    status, _, body = simulator.raw("GET", f"/{bucket}?versions&encoding-type=url")
    assert body.count(b"<Key>a%10b</Key>") == 2
    assert b"<Key>with+space%2Bplus</Key>" in body
    listed = s3.list_object_versions(Bucket=bucket)
    assert {each["Key"] for each in listed["Versions"]} == {"plain", ODD_KEY, "with space+plus"}

    for written in (b"a\x10b", b"a&#x10;b", b"a&#16;b"):
        body = b"<Delete><Object><Key>plain</Key></Object><Object><Key>%s</Key></Object></Delete>"
        status, _, answer = simulator.raw("POST", f"/{bucket}?delete", body=body % written)
        assert (status, b"<Code>MalformedXML</Code>" in answer) == (400, True), written
    assert len(s3.list_object_versions(Bucket=bucket)["Versions"]) == 3, "nothing of the batch"
    for each in [*listed["Versions"], *listed["DeleteMarkers"]]:
        s3.delete_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])
    s3.delete_bucket(Bucket=bucket)


def test_an_upload_of_such_a_key(simulator: Simulator, s3: Any, bucket: str) -> None:
    # boto3 cannot read the answer, which repeats the key.
    status, _, body = simulator.raw("POST", f"/{bucket}/a%10b?uploads")
    upload = re.search(rb"<UploadId>(.*)</UploadId>", body)
    assert (status, upload is not None) == (200, True)
    _, _, body = simulator.raw("GET", f"/{bucket}?uploads&encoding-type=url")
    assert b"<Key>a%10b</Key>" in body
    _, _, body = simulator.raw("GET", f"/{bucket}?uploads")
    assert b"<Key>a&#x10;b</Key>" in body
    s3.abort_multipart_upload(Bucket=bucket, Key=ODD_KEY, UploadId=upload[1].decode())
    s3.delete_bucket(Bucket=bucket)


def test_what_may_not_be_deleted_is_told_item_by_item(
    simulator: Simulator, s3: Any, bucket: str
) -> None:
    for key in ("a", "b", "c"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    simulator.post("deny", action="s3:DeleteObject", resource=f"arn:aws:s3:::{bucket}/b")
    batch = {"Objects": [{"Key": key} for key in ("a", "b", "c")]}
    answer = s3.delete_objects(Bucket=bucket, Delete=batch)
    assert [each["Key"] for each in answer["Deleted"]] == ["a", "c"]
    assert answer["Errors"] == [{"Key": "b", "Code": "AccessDenied", "Message": "Access Denied"}]
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["b"]
