"""vLLM's own parser, and what the release says of itself."""

import shutil
from pathlib import Path

import pytest
import vllm_release
import vllm_server
from containers import containers

VECTOR = Path(__file__).resolve().parents[1] / "vllm.json"


@pytest.fixture(scope="module")
def parser():
    return vllm_release.parser()


def test_the_vector_is_what_the_release_says(tmp_path):
    written = tmp_path / "vllm.json"
    written.write_text(vllm_release.text(vllm_release.described()))
    assert written.read_text() == VECTOR.read_text(), "run oracles/vllm_release.py"


@pytest.mark.parametrize("name", containers("vllm"))
def test_vllm_reads_the_arguments_of_every_container_as_they_are_meant(parser, name):
    container = containers("vllm")[name]
    assert container["command"] == ["vllm", "serve"]
    read = parser.parse_args(container["args"])
    assert read.port == container["port"]
    assert read.served_model_name == ["qwen3-8b" if name == "users" else "chat"]
    source, _, gpus = name.rpartition("-")
    hub = source in ("hub", "private-hub") or name == "users"
    assert read.model_tag == ("Qwen/Qwen3-8B" if hub else "/mnt/models")
    assert read.revision == ("0123abc" if source == "private-hub" else None)
    assert read.tensor_parallel_size == (4 if gpus == "4" else 1)
    assert read.disable_access_log_for_endpoints == "/health,/metrics,/ping"
    after_the_signal = container["terminationGraceSeconds"] - container["preStopSeconds"]
    assert 0 < read.shutdown_timeout < after_the_signal
    if name == "users":
        assert read.max_model_len == 8192
        assert read.enable_prefix_caching is True


@pytest.mark.parametrize(
    ("arguments", "option", "value"),
    [
        (["--served", "x"], "served_model_name", ["x"]),
        (["--served_model_name=x"], "served_model_name", ["x"]),
        (["--por=9"], "port", 9),
        (["--api_key=x"], "api_key", ["x"]),
        (["--download_dir", "/x"], "download_dir", "/x"),
        (["--config=c.yaml"], "config", "c.yaml"),
        (["--rev", "main"], "revision", "main"),
        (["--hf-t", "x"], "hf_token", "x"),
        (["--tensor-parallel-size=2"], "tensor_parallel_size", 2),
        (["--tensor_parallel-size", "2"], "tensor_parallel_size", 2),
        (["--tensor-par", "2"], "tensor_parallel_size", 2),
        (["-tp", "2"], "tensor_parallel_size", 2),
        (["-tp=2"], "tensor_parallel_size", 2),
        (["--data-parallel-size-l", "2"], "data_parallel_size_local", 2),
        (["-pp", "2"], "pipeline_parallel_size", 2),
    ],
)
def test_vllm_takes_the_spellings_that_aiplatform_looks_for(parser, arguments, option, value):
    assert getattr(parser.parse_args(["model", *arguments]), option) == value


@pytest.mark.parametrize(
    "arguments",
    [
        ["--disable-log-requests"],
        ["--swap-space", "4"],
        ["--task", "generate"],
        ["--port", "many"],
        ["--dtype", "float128"],
        ["another-model"],
    ],
)
def test_the_stand_in_refuses_what_vllm_refuses(parser, arguments):
    for of in (parser, vllm_server.parser()):
        with pytest.raises(SystemExit):
            of.parse_args(["model", *arguments])


def test_vllm_asks_for_no_key_outside_of_its_api():
    assert "/v1" in vllm_release.guarded()
    routes = [route.partition(" ")[2] for route in vllm_release.routes()]
    open_to_all = [path for path in routes if not path.startswith(tuple(vllm_release.guarded()))]
    assert "/invocations" in open_to_all, "docs/engines.md says so"


def test_java_is_there_for_torchserve():
    assert shutil.which("java"), (
        "TorchServe needs Java: install a JRE, such as openjdk-17-jre-headless"
    )
