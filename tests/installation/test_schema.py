"""The JSON schema that editors use is made from the definition, and knows what is right."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT, Answers

SCHEMA = ROOT / "schemas" / "aiplatform.dev_v1alpha1_AIPlatform.json"


def examples() -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every platform among the examples."""
    for path in sorted((ROOT / "examples").rglob("*.yaml")):
        for found in yaml.safe_load_all(path.read_text()):
            if found.get("kind") == "AIPlatform":
                yield path, found


def test_the_schema_is_what_the_definition_makes() -> None:
    command = [sys.executable, ROOT / "schemas" / "generate.py"]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert made == SCHEMA.read_text(), "run make generate"


def test_every_example_is_right_and_names_the_schema(complaints: Answers) -> None:
    documents = {str(path): found for path, found in examples()}
    assert len(documents) > 4
    answers = complaints({"schema": json.loads(SCHEMA.read_text()), "documents": documents})
    assert {path: text for path, text in answers.items() if text} == {}
    for path in documents:
        first = Path(path).read_text().splitlines()[0]
        relative = os.path.relpath(SCHEMA, Path(path).parent)
        assert first == f"# yaml-language-server: $schema={relative}"


@pytest.mark.parametrize(
    ("path", "value", "telling"),
    [
        (("spec", "regoin"), "eu-west-1", "regoin"),
        (("spec", "managementPolicy"), "Sometimes", "managementPolicy"),
        (("spec", "storage", "buckets", 0, "versioning"), "yes", "boolean"),
        (("spec", "accountId"), 123456789012, "accountId"),
        (("apiVersion",), "aiplatform.dev/v1", "apiVersion"),
    ],
)
def test_what_an_editor_should_underline_is_refused(
    path: tuple[Any, ...], value: Any, telling: str, complaints: Answers
) -> None:
    document = yaml.safe_load((ROOT / "examples" / "storage.yaml").read_text())
    part = document
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    question = {"schema": json.loads(SCHEMA.read_text()), "documents": {"it": document}}
    assert telling in complaints(question)["it"]
