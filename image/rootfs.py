#!/usr/bin/env python3
"""Makes the root folder of the image: the binary, the libraries that it links, and certificates.

The content depends on nothing but these files, so that two builds make the same image.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

CERTIFICATES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
)
BINARY = Path("usr/local/bin/aiplatform")
# Name resolution loads these when it is first used, so that ldd does not list them. glibc has the
# first two in itself since 2.34.
LOADED_LATER = ("libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2")


class RootError(Exception):
    """Something the user has to know; shown without a traceback."""


def libraries(binary: Path) -> list[Path]:
    """The shared libraries of a binary and its loader, at the paths where they are looked for."""
    done = subprocess.run(["ldd", binary], capture_output=True, text=True, check=False)
    if "statically linked" in done.stdout or "not a dynamic executable" in done.stderr:
        return []
    if done.returncode or "not found" in done.stdout:
        raise RootError(f"ldd {binary}: {done.stdout}{done.stderr}")
    found = [Path(path) for path in re.findall(r"(/\S+) \(0x", done.stdout)]
    folders = {path.parent for path in found if path.name.startswith("libc.so")}
    later = [folder / name for folder in folders for name in LOADED_LATER]
    return found + [path for path in later if path.exists()]


def add(root: Path, source: Path, target: Path, mode: int) -> None:
    """Copy a file, whole, to a place in the folder."""
    path = root / str(target).lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source.resolve(), path)
    path.chmod(mode)


def make(binary: Path, root: Path) -> None:
    """Fill the folder, which is emptied before."""
    if not binary.is_file():
        raise RootError(f"no {binary}: run make release")
    certificates = next((path for path in CERTIFICATES if path.is_file()), None)
    if certificates is None:
        raise RootError(f"no certificate authorities at {' or '.join(map(str, CERTIFICATES))}")
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    add(root, binary, BINARY, 0o755)
    for library in libraries(binary):
        add(root, library, library, 0o755)
    add(root, certificates, CERTIFICATES[0], 0o644)
    hosts = root / "etc" / "nsswitch.conf"
    hosts.write_text("hosts: files dns\n")
    hosts.chmod(0o644)
    for folder, _, _ in os.walk(root):
        Path(folder).chmod(0o755)


def main() -> int:
    """Parse the arguments and do what they say; the return value is the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", type=Path)
    parser.add_argument("root", type=Path, help="the folder to make; it is emptied before")
    arguments = parser.parse_args()
    try:
        make(arguments.binary, arguments.root)
    except RootError as error:
        print(f"rootfs.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
