#!/usr/bin/env python3
"""Writes what the binary is made of, as CycloneDX, by cargo-cyclonedx.

The same sources make the same file wherever they lie: neither the folder nor the day is in it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# Beside the manifest, which is where cargo-cyclonedx writes.
WRITTEN = ROOT / "aiplatform_bin.cdx.json"
MISSING = "cargo-cyclonedx is not installed: cargo install --locked cargo-cyclonedx@0.5.9"


class SbomError(Exception):
    """Something the user has to know; shown without a traceback."""


def make() -> dict[str, Any]:
    """The bill of materials."""
    if not shutil.which("cargo-cyclonedx"):
        raise SbomError(MISSING)
    options = ["--quiet", "--format=json", "--spec-version=1.5", "--describe=binaries"]
    # What builds it and does not go into it is none of its parts.
    command = ["cargo", "cyclonedx", *options, "--no-build-deps"]
    environment = os.environ | {"SOURCE_DATE_EPOCH": "0"}
    try:
        subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=sys.stderr)
        text = WRITTEN.read_text()
    except subprocess.CalledProcessError as error:
        raise SbomError(str(error)) from error
    finally:
        WRITTEN.unlink(missing_ok=True)
    parts = json.loads(text.replace(f"file://{ROOT}", "file:///aiplatform"))
    parts.pop("serialNumber", None)
    return parts


def main() -> int:
    """Write it to the file that the first argument names; the return value is the exit status."""
    if len(sys.argv) != 2:
        print("usage: sbom.py FILE", file=sys.stderr)
        return 2
    try:
        made = make()
    except SbomError as error:
        print(f"sbom.py: {error}", file=sys.stderr)
        return 1
    Path(sys.argv[1]).write_text(json.dumps(made, indent=2) + "\n")
    print(sys.argv[1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
