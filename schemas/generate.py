#!/usr/bin/env python3
"""Prints the JSON schema of AIPlatform for editors and CI, made from the definition in crds.

Unknown fields are refused, as the API server refuses them. What the definition says in CEL has no
place in a JSON schema: `kubectl apply --dry-run=server` and `aiplatform plan` know it.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
DEFINITION = ROOT / "crds" / "aiplatform.yaml"
KEPT = {
    "title",
    "description",
    "default",
    "enum",
    "required",
    "pattern",
    "format",
    "minimum",
    "maximum",
}
KEPT |= {"minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "maxProperties"}
KEPT |= {"minProperties", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
NESTED = {
    "properties",
    "items",
    "additionalProperties",
    "type",
    "nullable",
    "oneOf",
    "anyOf",
    "allOf",
}
# Lists as sets and maps, CEL: what only the API server knows.
KUBERNETES = "x-kubernetes-"


def converted(schema: dict[str, Any]) -> dict[str, Any]:
    """A part of the definition's schema as JSON schema."""
    extensions = {key for key in schema if key.startswith(KUBERNETES)}
    unknown = schema.keys() - KEPT - NESTED - extensions - {"not"}
    if unknown:
        raise SystemExit(f"generate.py: {', '.join(sorted(unknown))} in {DEFINITION} is not known")
    made = {key: schema[key] for key in schema if key in KEPT}
    if schema.get("x-kubernetes-int-or-string"):
        made["type"] = ["integer", "string"]
    elif "type" in schema:
        made["type"] = [schema["type"], "null"] if schema.get("nullable") else schema["type"]
    if schema.get("nullable") and "enum" in made and None not in made["enum"]:
        made["enum"] = [*made["enum"], None]
    if "properties" in schema:
        made["properties"] = {key: converted(part) for key, part in schema["properties"].items()}
        if schema.get("type") == "object" and not schema.get(
            "x-kubernetes-preserve-unknown-fields"
        ):
            made["additionalProperties"] = False
    if isinstance(schema.get("additionalProperties"), dict):
        made["additionalProperties"] = converted(schema["additionalProperties"])
    if "items" in schema:
        made["items"] = converted(schema["items"])
    for key in ("oneOf", "anyOf", "allOf"):
        if key in schema:
            made[key] = [converted(part) for part in schema[key]]
    if "not" in schema:
        made["not"] = converted(schema["not"])
    return made


def schema() -> dict[str, Any]:
    """The JSON schema of the one version."""
    definition = yaml.safe_load(DEFINITION.read_text())["spec"]
    (version,) = definition["versions"]
    kind = definition["names"]["kind"]
    made = converted(version["schema"]["openAPIV3Schema"])
    text = {"type": "string"}
    labels = {"type": "object", "additionalProperties": text}
    made["properties"] |= {
        "apiVersion": {"const": f"{definition['group']}/{version['name']}"},
        "kind": {"const": kind},
        "metadata": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": text,
                "namespace": text,
                "labels": labels,
                "annotations": labels,
            },
        },
    }
    made["required"] = ["apiVersion", "kind", "metadata", "spec"]
    title = f"{kind} {definition['group']}/{version['name']}"
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": title, **made}


if __name__ == "__main__":
    json.dump(schema(), sys.stdout, indent=2)
    print()
