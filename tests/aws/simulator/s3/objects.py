"""Listing and deleting of versions and uploads: moto pages none, or skips some.

The objects themselves are moto's.
"""

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote_plus

from moto.s3.models import FakeBucket, FakeDeleteMarker, FakeKey

from simulator.backend import call_moto
from simulator.call import Call
from simulator.errors import AwsError
from simulator.s3.access import requirement_of_deletion
from simulator.s3.service import bucket_of, invalid_argument, malformed_xml, service
from simulator.wire import Response

LARGEST_PAGE = 1000
MOST_DELETED = 1000
OWNER = {"ID": "75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a"}
NULL = "null"


@service.before("ListObjectVersions")
def list_object_versions(call: Call) -> dict[str, Any]:
    """One page of versions and delete markers, keys in order, the newest version first."""
    bucket = bucket_of(call)
    given = call.parameters
    key_marker, version_marker = given.get("KeyMarker"), given.get("VersionIdMarker")
    if version_marker and not key_marker:
        message = "A version-id marker cannot be specified without a key marker."
        raise invalid_argument(message, "version-id-marker", version_marker)
    entries = _versions(bucket, key_marker, version_marker)
    page, next_entry, prefixes = _page(call, entries, given.get("MaxKeys"))
    output = {
        "Name": bucket.name,
        "Prefix": _encoded(call, given.get("Prefix", "")),
        "Delimiter": given.get("Delimiter"),
        "KeyMarker": _encoded(call, key_marker or ""),
        "VersionIdMarker": version_marker or "",
        "MaxKeys": _page_size(given.get("MaxKeys")),
        "EncodingType": given.get("EncodingType"),
        "IsTruncated": next_entry is not None,
        "Versions": [entry for entry in page if "Size" in entry],
        "DeleteMarkers": [entry for entry in page if "Size" not in entry],
        "CommonPrefixes": [{"Prefix": _encoded(call, prefix)} for prefix in prefixes],
    }
    if next_entry is not None:
        output["NextKeyMarker"] = _encoded(call, next_entry["Key"])
        output["NextVersionIdMarker"] = next_entry.get("VersionId")
    return _without_none(output, page, call)


def _versions(
    bucket: FakeBucket, key_marker: str | None, version_marker: str | None
) -> Iterator[dict[str, Any]]:
    for key in sorted(bucket.keys, key=lambda name: name.encode()):
        if key_marker and key.encode() < key_marker.encode():
            continue
        skipping = key == key_marker
        for number, version in enumerate(reversed(bucket.keys.getlist(key))):
            if skipping:
                # Without a version the marker stands for the whole key.
                skipping = not version_marker or version_id(version) != version_marker
                continue
            yield _version(version, latest=number == 0)


def _version(version: FakeKey | FakeDeleteMarker, latest: bool) -> dict[str, Any]:
    entry = {
        "Key": version.name,
        "VersionId": version_id(version),
        "IsLatest": latest,
        "LastModified": version.last_modified,
        "Owner": OWNER,
    }
    if isinstance(version, FakeKey):
        entry |= {
            "ETag": version.etag,
            "Size": version.size,
            "StorageClass": version.storage_class,
        }
    return entry


def version_id(version: FakeKey | FakeDeleteMarker) -> str:
    """A version's id; one made without versioning is `null`."""
    return version.version_id or NULL


@service.before("ListMultipartUploads")
def list_multipart_uploads(call: Call) -> dict[str, Any]:
    """One page of the uploads that were neither completed nor aborted."""
    bucket = bucket_of(call)
    given = call.parameters
    key_marker, upload_marker = given.get("KeyMarker"), given.get("UploadIdMarker")
    entries = _uploads(bucket, key_marker, upload_marker)
    page, next_entry, prefixes = _page(call, entries, given.get("MaxUploads"))
    output = {
        "Bucket": bucket.name,
        "Prefix": _encoded(call, given.get("Prefix", "")),
        "Delimiter": given.get("Delimiter"),
        "KeyMarker": _encoded(call, key_marker or ""),
        "UploadIdMarker": upload_marker or "",
        "MaxUploads": _page_size(given.get("MaxUploads")),
        "EncodingType": given.get("EncodingType"),
        "IsTruncated": next_entry is not None,
        "Uploads": page,
        "CommonPrefixes": [{"Prefix": _encoded(call, prefix)} for prefix in prefixes],
    }
    if next_entry is not None:
        output["NextKeyMarker"] = _encoded(call, next_entry["Key"])
        output["NextUploadIdMarker"] = next_entry.get("UploadId")
    return _without_none(output, page, call)


def _uploads(
    bucket: FakeBucket, key_marker: str | None, upload_marker: str | None
) -> Iterator[dict[str, Any]]:
    uploads = sorted(bucket.multiparts.values(), key=lambda each: (each.key_name.encode(), each.id))
    for upload in uploads:
        place = (upload.key_name.encode(), upload.id)
        if key_marker:
            marker = key_marker.encode()
            if place[0] < marker or (place[0] == marker and not upload_marker):
                continue
            if place[0] == marker and upload_marker and place[1] <= upload_marker:
                continue
        yield {
            "Key": upload.key_name,
            "UploadId": upload.id,
            "Owner": OWNER,
            "Initiator": OWNER,
            "StorageClass": upload.storage or "STANDARD",
            "Initiated": bucket.creation_date,
        }


def _page_size(given: int | None) -> int:
    if given is not None and given < 0:
        raise invalid_argument("Argument max-keys must be an integer between 0 and 2147483647")
    return min(LARGEST_PAGE if given is None else given, LARGEST_PAGE)


def _page(
    call: Call, entries: Iterable[dict[str, Any]], size: int | None
) -> tuple[list[dict[str, Any]], dict[str, Any] | None, list[str]]:
    """A page's entries, the entry to go on after if there are more, and common prefixes."""
    prefix = call.parameters.get("Prefix") or ""
    delimiter = call.parameters.get("Delimiter")
    marker = call.parameters.get("KeyMarker") or ""
    most = _page_size(size)
    page: list[dict[str, Any]] = []
    prefixes: list[str] = []
    last: dict[str, Any] = {}
    for entry in entries:
        key = entry["Key"]
        if not key.startswith(prefix):
            continue
        group = _group(key, prefix, delimiter)
        if group is not None and (group in prefixes or group == marker):
            continue
        if len(page) + len(prefixes) >= most:
            return page, last or {"Key": marker}, prefixes
        if group is not None:
            prefixes.append(group)
            last = {"Key": group}
        else:
            page.append(entry)
            last = entry
    return page, None, prefixes


def _group(key: str, prefix: str, delimiter: str | None) -> str | None:
    head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
    return prefix + head + found if found else None


def _encoded(call: Call, text: str) -> str:
    return quote_plus(text, safe="/") if call.parameters.get("EncodingType") == "url" else text


def _without_none(output: dict[str, Any], page: list[dict[str, Any]], call: Call) -> dict[str, Any]:
    for entry in page:
        entry["Key"] = _encoded(call, entry["Key"])
    return {name: value for name, value in output.items() if value is not None}


@service.before("PutObject", "CompleteMultipartUpload")
def keep_older_versions(call: Call) -> Response | None:
    """While versioning is suspended, a new object replaces only the one without a version.

    moto would drop the versions too, so they are out of its sight while it stores the object.
    """
    bucket, key = bucket_of(call), call.parameters["Key"]
    if bucket.versioning_status != "Suspended":
        return None
    before = bucket.keys.getlist(key, [])
    kept = [each for each in before if version_id(each) != NULL]
    if not kept:
        return None
    dict.pop(bucket.keys, key)
    response = call_moto(call)
    stored = bucket.keys.getlist(key, [])
    bucket.keys.setlist(key, [*kept, *stored] if stored else before)
    return response


@service.before("DeleteObject")
def delete_object(call: Call) -> dict[str, Any] | None:
    """Delete one object or version, unless locks are involved: those are moto's."""
    bucket = bucket_of(call)
    if bucket.object_lock_enabled:
        return None
    return _delete(bucket, call.parameters["Key"], call.parameters.get("VersionId"))


@service.before("DeleteObjects")
def delete_objects(call: Call) -> dict[str, Any] | None:
    """Delete up to a thousand objects or versions."""
    bucket = bucket_of(call)
    request = call.parameters.get("Delete") or {}
    objects = request.get("Objects") or []
    if not 1 <= len(objects) <= MOST_DELETED or any("Key" not in entry for entry in objects):
        raise malformed_xml()
    if bucket.object_lock_enabled:
        return None
    deleted, errors = [], []
    for entry in objects:
        if call.is_denied(*requirement_of_deletion(call, entry)):
            errors.append({**entry, "Code": "AccessDenied", "Message": "Access Denied"})
            continue
        try:
            done = _delete(bucket, entry["Key"], entry.get("VersionId"))
        except AwsError as error:
            errors.append({**entry, "Code": error.code, "Message": error.message})
            continue
        result = {"Key": entry["Key"]}
        if entry.get("VersionId"):
            result["VersionId"] = entry["VersionId"]
        if done.get("DeleteMarker"):
            result |= {"DeleteMarker": True, "DeleteMarkerVersionId": done["VersionId"]}
        deleted.append(result)
    return {"Deleted": [] if request.get("Quiet") else deleted, "Errors": errors}


def _delete(bucket: FakeBucket, key: str, version: str | None) -> dict[str, Any]:
    versions = list(bucket.keys.getlist(key, []))
    if version is not None:
        gone = [each for each in versions if version_id(each) == version]
        _keep(bucket, key, [each for each in versions if each not in gone])
        marker = bool(gone) and isinstance(gone[0], FakeDeleteMarker)
        return {"VersionId": version, **({"DeleteMarker": True} if marker else {})}
    if bucket.versioning_status is None:
        _keep(bucket, key, [])
        return {}
    marker = FakeDeleteMarker(versions[-1] if versions else _Named(key))
    if bucket.versioning_status == "Suspended":
        # The marker takes the place of the version that was made without versioning.
        marker._version_id = NULL
        versions = [each for each in versions if version_id(each) != NULL]
    _keep(bucket, key, [*versions, marker])
    return {"DeleteMarker": True, "VersionId": marker.version_id}


class _Named:
    """Stands for the object that a delete marker hides, where there is none."""

    def __init__(self, name: str) -> None:
        self.name = name


def _keep(bucket: FakeBucket, key: str, versions: list[Any]) -> None:
    bucket.keys.setlist(key, versions)
    if not versions:
        dict.pop(bucket.keys, key)
