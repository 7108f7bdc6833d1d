"""Builds programs in Go that a `go.mod` pins, once, into a cache outside this folder."""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class ToolError(Exception):
    """Something the user has to know; shown without a traceback."""


@dataclasses.dataclass(frozen=True)
class Module:
    """A Go module whose `go.sum` pins everything that its programs are made of."""

    folder: Path
    # The folder in the cache.
    name: str
    flags: list[str]
    # Sources of the module itself that its programs are made of.
    sources: tuple[Path, ...] = ()
    # What to do where there is no Go.
    otherwise: str = ""

    def cache_folder(self) -> Path:
        """Where the binaries of exactly these versions belong."""
        key = hashlib.sha256((self.folder / "go.sum").read_bytes() + " ".join(self.flags).encode())
        for source in self.sources:
            key.update(source.read_bytes())
        return cache_root() / self.name / key.hexdigest()[:16]


def cache_root() -> Path:
    """The folder of everything that is built or installed."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aiplatform"
    return Path(os.environ.get("AIPLATFORM_CACHE") or default).absolute()


def progress(message: str) -> None:
    """Tell the person at the terminal; standard output is kept for what programs read."""
    print(message, file=sys.stderr, flush=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file; the kernel lets go of it even if this process is killed."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(f"waiting for another build in {path.parent}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def install(module: Module, name: str, package: str, folder: Path) -> None:
    """Build one binary aside and move it into place, so that what is in the folder is whole."""
    go = shutil.which("go")
    if not go:
        raise ToolError(f"the go command is not in PATH{module.otherwise}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=".building-", dir=folder) as aside:
        env = os.environ | {"GOBIN": aside, "CGO_ENABLED": "0", "GOWORK": "off"}
        command = [go, "install", *module.flags, package]
        done = subprocess.run(command, cwd=module.folder, env=env, stdout=sys.stderr, check=False)
        if done.returncode:
            raise ToolError(f"could not build {name} from {package}")
        # The file is named by Go after the package's path: etcd comes out as `server`.
        (built,) = Path(aside).iterdir()
        built.replace(folder / name)
    progress(f"built {name} in {time.monotonic() - began:.0f} s")


def provide(module: Module, packages: dict[str, str]) -> dict[str, Path]:
    """The path of each binary by name, after building those that are missing."""
    folder = module.cache_folder()
    paths = {name: folder / name for name in packages}
    if not all(path.is_file() for path in paths.values()):
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / ".lock"):
            # What a killed build left: under the lock nobody else is building.
            for stale in folder.glob(".building-*"):
                shutil.rmtree(stale)
            for name, path in paths.items():
                if not path.is_file():
                    install(module, name, packages[name], folder)
    return paths
