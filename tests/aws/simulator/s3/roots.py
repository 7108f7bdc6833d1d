"""Root elements of S3's answers.

botocore reads an answer whatever its root is called, so its model does not name it and moto makes
one up. Stricter clients, such as AWS's own for Rust, insist on the name in the API reference.
"""

import re

from simulator.call import Call
from simulator.s3.service import service
from simulator.wire import Response

ROOTS = {
    "CompleteMultipartUpload": "CompleteMultipartUploadResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "DeleteObjects": "DeleteResult",
    "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
    "GetBucketTagging": "Tagging",
    "GetBucketVersioning": "VersioningConfiguration",
    "GetObjectTagging": "Tagging",
    "ListBuckets": "ListAllMyBucketsResult",
    "ListMultipartUploads": "ListMultipartUploadsResult",
    "ListObjectVersions": "ListVersionsResult",
    "ListObjects": "ListBucketResult",
    "ListObjectsV2": "ListBucketResult",
    "ListParts": "ListPartsResult",
}


@service.after(*ROOTS)
def name_root(call: Call, response: Response) -> Response:
    """Give the answer the root element that AWS gives it."""
    root = ROOTS[call.operation or ""].encode()
    response.body = re.sub(
        rb"(</?)[A-Za-z0-9]+(?=[^<>]*>\s*$)",
        rb"\1" + root,
        re.sub(
            rb"^(\s*(?:<\?xml[^>]*\?>)?\s*<)[A-Za-z0-9]+", rb"\1" + root, response.body, count=1
        ),
        count=1,
    )
    response.headers.pop("Content-Length", None)
    return response
