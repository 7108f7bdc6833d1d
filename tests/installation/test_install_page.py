"""docs/install.md: each command and each file in it is right."""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from conftest import ROOT, Objects

PAGE = (ROOT / "docs" / "install.md").read_text()


def blocks(language: str) -> list[str]:
    """The code blocks of a language."""
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    return found


def commands(program: str) -> Iterator[list[str]]:
    """Every command of a program, as a shell splits it."""
    lines = [line.strip() for line in "".join(blocks("sh")).splitlines()]
    lines += re.findall(r"<\((.*?)\)", "\n".join(lines))
    for line in lines:
        if line.startswith(f"{program} "):
            yield shlex.split(line.split(" > ")[0])[1:]


def test_every_command_is_of_a_program_that_is_tested_here() -> None:
    known = {
        "make",
        "skopeo",
        "aiplatform",
        "aws",
        "for",
        "jq",
        "done",
        "kubectl",
        "helm",
        "ln",
        "source",
    }
    first = {line.split()[0] for line in "".join(blocks("sh")).splitlines()}
    assert first <= known


def test_every_aws_command_has_the_parameters_that_its_operation_takes() -> None:
    found = list(commands("aws"))
    assert len(found) >= 4
    for service, operation, *rest in found:
        client = boto3.client(service, region_name="eu-west-1")
        name = client.meta.method_to_api_mapping[operation.replace("-", "_")]
        shape = client.meta.service_model.operation_model(name).input_shape
        given = {word.removeprefix("--") for word in rest if word.startswith("--")}
        takes = {kebab(member): member for member in shape.members}
        assert given <= takes.keys(), operation
        assert set(shape.required_members) <= {takes[option] for option in given}, operation


def kebab(member: str) -> str:
    """The option of the command line for a member of an operation's input."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", member).lower()


def test_every_kubectl_command_is_understood_by_kubectl(kustomize: Callable[..., Objects]) -> None:
    found = list(commands("kubectl"))
    assert len(found) > 6
    for words in found:
        path = words[words.index("-k") + 1] if "-k" in words else None
        if path:
            assert kustomize(ROOT / path)
        file = words[words.index("-f") + 1] if "-f" in words else None
        assert file is None or (ROOT / file).is_file(), words


@pytest.mark.parametrize("values", blocks("yaml"), ids=lambda text: text.splitlines()[1][:20])
def test_the_chart_takes_every_values_file(
    values: str, template: Callable[..., Objects], tmp_path: Path
) -> None:
    assert values.startswith("# values.yaml\n")
    path = tmp_path / "values.yaml"
    path.write_text(values)
    assert any(found["kind"] == "Deployment" for found in template("--values", str(path)))


def test_helm_knows_every_flag(helm: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    found = [words for words in commands("helm") if len(words) > 1]
    assert len(found) == 3
    for verb, *rest in found:
        output = helm(verb, "--help")
        for flag in (word for word in rest if word.startswith("--")):
            assert re.search(rf"{flag}\b", output.stdout), f"{verb} {flag}"


def test_every_make_target_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target, *_ in commands("make"):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.skipif("AIPLATFORM_BINARY" not in os.environ, reason="AIPLATFORM_BINARY is not set")
def test_every_command_of_ours_does_what_it_is_for() -> None:
    found = [words for words in commands("aiplatform") if words]
    assert len(found) >= 2
    for words in found:
        command = [os.environ["AIPLATFORM_BINARY"], *words]
        # A check finds neither a cluster nor credentials here, and says so.
        nothing = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
        checks = words[0] == "install-check"
        done = subprocess.run(
            command,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            env=nothing if checks else None,
        )
        assert done.returncode == (1 if checks else 0), f"{words}: {done.stderr}"
        assert done.stdout
        assert not checks or "set KUBECONFIG" in done.stdout


def statements(path: str) -> list[dict[str, Any]]:
    """The statements of a policy that is an example."""
    return json.loads((ROOT / "examples" / "installation" / path).read_text())["Statement"]


def test_the_operators_role_is_for_its_service_account_alone() -> None:
    manifest = yaml.safe_load_all((ROOT / "manifests" / "rbac.yaml").read_text())
    (account,) = [found["metadata"] for found in manifest if found["kind"] == "ServiceAccount"]
    (irsa,) = statements("eks-irsa/trust.json")
    exactly = {
        name.rpartition(":")[2]: value for name, value in irsa["Condition"]["StringEquals"].items()
    }
    subject = f"system:serviceaccount:{account['namespace']}:{account['name']}"
    assert exactly == {"aud": "sts.amazonaws.com", "sub": subject}
    (pods,) = statements("eks-pod-identity/trust.json")
    assert pods["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert pods["Condition"]["StringEquals"] == {
        "aws:RequestTag/kubernetes-namespace": account["namespace"],
        "aws:RequestTag/kubernetes-service-account": account["name"],
    }
