"""The image holds the operator and what it needs, is the same each time, and runs as nobody."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from release import version

sys.path.insert(0, str(ROOT / "image"))

import build  # noqa: E402
import rootfs  # noqa: E402
import sbom  # noqa: E402

NAMED = pytest.mark.skipif(
    "AIPLATFORM_BINARY" not in os.environ, reason="AIPLATFORM_BINARY is not set"
)


def needs(*programs: str) -> pytest.MarkDecorator:
    """Skips where a program is not installed."""
    missing = [name for name in programs if not shutil.which(name)]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The binary without its symbols, as a release has none."""
    path = tmp_path_factory.mktemp("binary") / "aiplatform"
    subprocess.run(["strip", "-o", path, os.environ["AIPLATFORM_BINARY"]], check=True)
    return path


@pytest.fixture(scope="module")
def layout(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("image") / "oci"
    build.build(binary, path, version(), "revision")
    return path


def blob(layout: Path, digest: str) -> dict[str, Any]:
    return json.loads((layout / "blobs" / digest.replace(":", "/")).read_text())


def manifest(layout: Path) -> dict[str, Any]:
    index = json.loads((layout / "index.json").read_text())
    return blob(layout, index["manifests"][0]["digest"])


@NAMED
@needs("buildah", "strip")
def test_two_builds_make_one_digest(binary: Path, layout: Path, tmp_path: Path) -> None:
    first = json.loads((layout / "index.json").read_text())["manifests"][0]["digest"]
    # Another day, and files that were written by somebody else.
    os.utime(binary, (1_000_000_000, 1_000_000_000))
    assert build.build(binary, tmp_path / "again", version(), "revision") == first


@NAMED
@needs("buildah", "strip")
def test_it_runs_as_nobody_and_says_what_it_is(layout: Path) -> None:
    config = blob(layout, manifest(layout)["config"]["digest"])
    assert config["config"]["User"] == "65532:65532"
    assert config["config"]["Entrypoint"] == ["/usr/local/bin/aiplatform"]
    assert config["config"]["Labels"]["org.opencontainers.image.version"] == version()
    assert config["created"] == "1970-01-01T00:00:00Z"


@NAMED
@needs("buildah", "strip", "umoci", "bwrap")
def test_what_is_unpacked_runs_without_anything_of_this_machine(
    layout: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    image = f"{layout}:{version()}"
    subprocess.run(["umoci", "unpack", "--image", image, bundle], check=True, capture_output=True)
    root = bundle / "rootfs"
    programs = [path for path in root.rglob("*bin/*") if path.is_file()]
    assert programs == [root / "usr/local/bin/aiplatform"], "no shell, no package manager"
    # Every container runtime makes these two in the root before it is read-only.
    for folder in ("proc", "dev"):
        (root / folder).mkdir(exist_ok=True)
    isolated = [
        "bwrap",
        "--ro-bind",
        root,
        "/",
        "--unshare-all",
        "--uid",
        "65532",
        "--gid",
        "65532",
    ]
    isolated += ["--proc", "/proc", "--dev", "/dev", "--clearenv"]

    def run(*arguments: str, stdin: str = "") -> str:
        command = [*isolated, "/usr/local/bin/aiplatform", *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run("--version").strip() == f"aiplatform {version()}"
    assert "1 to create" in run("plan", "-f", "-", stdin=PLATFORM)


PLATFORM = """
apiVersion: aiplatform.dev/v1alpha1
kind: AIPlatform
metadata: {name: assistant, namespace: support}
spec:
  region: eu-west-1
  accountId: "123456789012"
  ownership: {team: support, contact: support-ml@example.com, environment: prod}
  storage: {buckets: [{name: artifacts}]}
"""


def test_where_buildah_is_missing_the_way_out_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(rootfs.RootError, match="docker build -f Dockerfile FOLDER"):
        build.build(tmp_path / "binary", tmp_path / "layout", "1.0.0", "")


def test_a_binary_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(rootfs.RootError, match="run make release"):
        rootfs.make(tmp_path / "aiplatform", tmp_path / "root")


@needs("cargo-cyclonedx")
def test_what_the_binary_is_made_of_is_written_down_the_same_each_time() -> None:
    made = sbom.make()
    assert made == sbom.make()
    assert made["metadata"]["component"]["purl"].startswith(f"pkg:cargo/aiplatform@{version()}")
    parts = {part["name"]: part for part in made["components"]}
    assert {"kube", "aws-sdk-s3", "rustls"} <= parts.keys()
    # Neither what only tests need, nor this machine.
    assert not {"insta", "proptest", "ureq"} & parts.keys()
    assert str(ROOT) not in json.dumps(made)
    locked = (ROOT / "Cargo.lock").read_text()
    for name, part in parts.items():
        if name != "aiplatform-core":
            assert part["hashes"][0]["content"] in locked, name


def test_where_cargo_cyclonedx_is_missing_the_way_out_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(sbom.SbomError, match="cargo install --locked cargo-cyclonedx"):
        sbom.make()
