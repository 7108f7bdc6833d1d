"""docs/operations.md knows every reason in a status, an event or a metric, and every metric."""

import re
from pathlib import Path

from conftest import ROOT

PAGE = (ROOT / "docs" / "operations.md").read_text()

WORD = r'"([A-Z][A-Za-z]+)"'
# The forms in which the sources state a reason.
STATED = [
    rf"\breason: {WORD}",
    rf"\breason: Some\({WORD}",
    rf"Summary::stalled\(\s*{WORD}",
    rf"Summary::unknown\(\s*[^\"]*?{WORD}",
    rf"found\(\s*State::\w+,\s*Some\({WORD}\)",
    rf"const (?:REASON|ROLLED_BACK|INVALID|UNKNOWN): &str = {WORD}",
]
FUNCTION = re.compile(r"fn reason\(.*?\n    }\n", re.DOTALL)


def sources() -> list[str]:
    """The sources without their tests."""
    folders = (ROOT / "core" / "src", ROOT / "src")
    files = [path for folder in folders for path in folder.rglob("*.rs")]
    kept = [path for path in files if "tests" not in path.stem and "tests" not in path.parts[-2:]]
    # What ends the program, and what a permission is for, is no reason of a platform.
    kept = [path for path in kept if not is_about_others(path)]
    return [path.read_text().split("#[cfg(test)]\nmod tests {")[0] for path in kept]


def is_about_others(path: Path) -> bool:
    named = path.relative_to(ROOT).as_posix()
    others = (
        "/manifest",
        "operator_policy",
        "field_reference",
        "crd/difference",
        "src/cli",
        "src/traces.rs",
    )
    return any(part in named for part in others)


def reasons() -> set[str]:
    found: set[str] = set()
    for text in sources():
        for pattern in STATED:
            found.update(re.findall(pattern, text))
        for function in FUNCTION.findall(text):
            found.update(re.findall(rf"(?:=>|map_or\() ?{WORD}", function))
    return found


def table(heading: str) -> set[str]:
    """The words in the first column of the tables below a heading."""
    section = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    (text,) = [part for part in section if part.startswith(heading)]
    rows = re.findall(r"^\| (.*?) \|", text, re.MULTILINE)
    return {word for row in rows for word in re.findall(r"`([A-Za-z_]+)", row)}


def test_every_reason_says_what_it_means_and_what_to_do() -> None:
    stated = reasons()
    # The forms above are those that the sources have.
    assert {
        "AccessDenied",
        "RolledBack",
        "UnknownKind",
        "InUse",
        "Interrupted",
        "Pending",
    } <= stated
    explained = table("Reasons") | table("Events") | table("Drift events")
    assert not stated - explained, "docs/operations.md, Reasons"


def test_every_metric_on_the_page_is_in_the_table() -> None:
    named = set(re.findall(r"aiplatform_[a-z_]+", PAGE))
    assert not named - table("Probes and metrics")
