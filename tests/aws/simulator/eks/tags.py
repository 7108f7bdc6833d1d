"""Tags: limits that EKS shares among its kinds."""

from simulator.errors import AwsError

MOST_TAGS = 50


def check_tags(tags: dict[str, str], code: str) -> None:
    """Raise this error unless EKS would take these as all tags of a resource."""
    if len(tags) > MOST_TAGS:
        raise AwsError(code, f"The number of tags exceeds {MOST_TAGS}.")
    for key in tags:
        if key.lower().startswith("aws:"):
            raise AwsError(code, f"The tag key {key} begins with aws:, which is reserved.")
