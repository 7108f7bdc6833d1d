"""Root elements of S3's answers: clients other than boto3 insist on them."""

import pytest
from conftest import REGION, Simulator


@pytest.mark.parametrize(
    ("query", "root"),
    [
        ("versioning", "VersioningConfiguration"),
        ("tagging", "Tagging"),
        ("versions", "ListVersionsResult"),
        ("uploads", "ListMultipartUploadsResult"),
        ("list-type=2", "ListBucketResult"),
        ("publicAccessBlock", "PublicAccessBlockConfiguration"),
        ("ownershipControls", "OwnershipControls"),
        ("encryption", "ServerSideEncryptionConfiguration"),
    ],
)
def test_roots(simulator: Simulator, query: str, root: str) -> None:
    s3 = simulator.client("s3")
    s3.create_bucket(
        Bucket="abc",
        CreateBucketConfiguration={
            "LocationConstraint": REGION,
            "Tags": [{"Key": "a", "Value": "b"}],
        },
    )
    status, _, body = simulator.raw("GET", f"/abc?{query}")
    text = body.decode()
    assert status == 200
    assert f"<{root}" in text
    assert text.rstrip().endswith((f"</{root}>", "/>"))
