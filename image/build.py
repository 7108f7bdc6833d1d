#!/usr/bin/env python3
"""Builds the image with buildah, without a daemon, into an OCI layout; the digest is printed.

The same binary and libraries make the same digest. Where there is no buildah, image/rootfs.py makes
the folder that any OCI builder takes: docker build -f Dockerfile FOLDER.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import rootfs

ROOT = Path(__file__).resolve().parents[1]
NO_BUILDAH = (
    "buildah is not installed (apt-get install buildah, dnf install buildah). Any other builder "
    "makes the image, too: image/rootfs.py BINARY FOLDER, then docker build -f Dockerfile FOLDER"
)


def buildah(storage: Path, *arguments: str) -> str:
    """Run buildah with a storage of its own, which needs neither a daemon nor overlay mounts."""
    own = ["--storage-driver=vfs", f"--root={storage / 'root'}", f"--runroot={storage / 'run'}"]
    command = ["buildah", *own, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise rootfs.RootError(f"{' '.join(arguments[:1])}: {done.stderr.strip()}")
    return done.stdout


def build(binary: Path, layout: Path, version: str, revision: str) -> str:
    """Build the image into an OCI layout, which is made anew; its digest."""
    if not shutil.which("buildah"):
        raise rootfs.RootError(NO_BUILDAH)
    with tempfile.TemporaryDirectory(prefix="aiplatform-image-") as name:
        folder = Path(name)
        rootfs.make(binary, folder / "content")
        arguments = [f"--build-arg=VERSION={version}", f"--build-arg=REVISION={revision}"]
        # One timestamp for every file and for the image, so that nothing depends on the day.
        options = ["--isolation=chroot", "--timestamp=0", "--pull-never", "--format=oci"]
        file = f"--file={ROOT / 'Dockerfile'}"
        tag = f"aiplatform:{version}"
        content = str(folder / "content")
        buildah(folder, "bud", *options, *arguments, file, f"--tag={tag}", content)
        shutil.rmtree(layout, ignore_errors=True)
        layout.parent.mkdir(parents=True, exist_ok=True)
        buildah(folder, "push", tag, f"oci:{layout}:{version}")
    index = json.loads((layout / "index.json").read_text())
    return index["manifests"][0]["digest"]


def main() -> int:
    """Parse the arguments and do what they say; the return value is the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", type=Path)
    parser.add_argument("layout", type=Path, help="the OCI layout to make; it is replaced")
    parser.add_argument("--version", required=True)
    parser.add_argument("--revision", default="")
    arguments = parser.parse_args()
    try:
        print(build(arguments.binary, arguments.layout, arguments.version, arguments.revision))
    except rootfs.RootError as error:
        print(f"build.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
