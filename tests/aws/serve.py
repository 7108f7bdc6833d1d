#!/usr/bin/env python3
"""Starts the AWS simulator: `python3 serve.py`, with nothing installed but Python 3.11+.

The first start makes a virtual environment from requirements.txt in the cache folder; later
ones find it there. When requests are accepted, one line of JSON goes to standard output:
`{"url": ..., "pid": ...}`. The end of standard input, SIGTERM or SIGINT ends the process.

With --copies the line is `{"copies": HOST:PORT, "pid": ...}`: each connection to it gets the line
of a simulator of its own, which ends with the connection.
"""

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"
MINIMUM_PYTHON = (3, 11)


def cache_root() -> Path:
    """The folder that holds what is built once: $AIPLATFORM_CACHE, or the user's own cache."""
    if given := os.environ.get("AIPLATFORM_CACHE"):
        return Path(given)
    user = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(user) / "aiplatform"


def environment_folder(requirements: Path) -> Path:
    """The virtual environment for these requirements and this interpreter."""
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return cache_root() / requirements.parent.name / f"{digest}-py{version}"


def ensure_environment(requirements: Path = REQUIREMENTS) -> Path:
    """Make the virtual environment unless it is there, and return its interpreter."""
    folder = environment_folder(requirements)
    # A virtual environment holds its own path, so it cannot be renamed into place: the marker,
    # written last, tells a finished one from the remains of an interrupted build.
    marker = folder / ".complete"
    python = folder / "bin" / "python"
    if marker.exists():
        return python
    with locked(folder.with_name(folder.name + ".lock")) as lock:
        if not marker.exists():
            shutil.rmtree(folder, ignore_errors=True)
            build_environment(folder, python, requirements, lock)
            marker.touch()
    return python


@contextlib.contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold an exclusive lock on a file, which the kernel drops with its last descriptor."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def build_environment(folder: Path, python: Path, requirements: Path, lock: int) -> None:
    """Create the virtual environment and install the pinned requirements into it."""
    report(f"making a virtual environment in {folder}")
    run(lock, sys.executable, "-m", "venv", str(folder))
    run(
        lock,
        *(str(python), "-m", "pip", "install", "--quiet", "--no-input", "--no-deps"),
        *("--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:"),
        *("--requirement", str(requirements)),
    )
    report("the virtual environment is ready")


def run(lock: int, *command: str) -> None:
    """Run a command with its output on standard error: standard output is one line of JSON.

    It holds the lock too: killing this process does not stop what it started.
    """
    done = subprocess.run(command, stdout=sys.stderr, pass_fds=[lock], check=False)
    if done.returncode:
        sys.exit(f"serve.py: failed ({done.returncode}): {' '.join(command)}")


def report(text: str) -> None:
    """Say what is going on."""
    print(f"serve.py: {text}", file=sys.stderr, flush=True)


def serve(port: int, forever: bool) -> None:
    """Serve until told to stop. Runs inside the virtual environment."""
    if not forever:
        threading.Thread(target=exit_with_stdin, daemon=True).start()
    from simulator import create_server

    server = create_server(port)
    url = f"http://127.0.0.1:{server.server_address[1]}"
    print(json.dumps({"url": url, "pid": os.getpid()}), flush=True)
    # Nobody reads on after that line, and moto prints now and then.
    sys.stdout = sys.stderr
    server.serve_forever()


def serve_copies(port: int) -> None:
    """Serve a copy of one simulator for each connection. Runs inside the virtual environment."""
    from simulator import copies, create_simulator

    copies.serve_copies(create_simulator(), port)


def exit_with_stdin() -> None:
    """End the process when standard input ends: when whoever started it is gone."""
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    os._exit(0)


def main() -> None:
    """Parse the arguments, get into the virtual environment, serve."""
    if sys.version_info < MINIMUM_PYTHON:
        sys.exit(f"serve.py: Python {'.'.join(map(str, MINIMUM_PYTHON))} or newer is needed")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0, help="0, the default, picks a free one")
    parser.add_argument("--venv", action="store_true", help="only make the virtual environment")
    parser.add_argument(
        "--requirements",
        type=Path,
        default=REQUIREMENTS,
        help="with --venv: of an environment that other tests use",
    )
    ends = parser.add_mutually_exclusive_group()
    ends.add_argument(
        "--copies", action="store_true", help="a simulator for each connection to the port"
    )
    ends.add_argument("--forever", action="store_true", help="do not stop when stdin ends")
    arguments = parser.parse_args()
    python = ensure_environment(arguments.requirements.resolve())
    if arguments.venv:
        print(python)
    elif Path(sys.prefix).resolve() == python.parent.parent.resolve():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: os._exit(0))
        sys.path.insert(0, str(HERE))
        if arguments.copies:
            serve_copies(arguments.port)
        else:
            serve(arguments.port, arguments.forever)
    else:
        os.execv(python, [str(python), *sys.argv])


if __name__ == "__main__":
    main()
