"""The example that divides a cluster: each object has one operator, and each pod one shard."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from conftest import ROOT, Objects
from running import Cluster

SHARDS = ROOT / "examples" / "installation" / "shards"
KEY = "aiplatform.dev/shard"
PAGE = (ROOT / "docs" / "operations.md").read_text()


def deployments(objects: Objects) -> dict[str, dict[str, Any]]:
    """The Deployments by name."""
    return {one["metadata"]["name"]: one for one in objects if one["kind"] == "Deployment"}


def selector(deployment: dict[str, Any]) -> str:
    """The label selector of an operator."""
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    (found,) = [word for word in container["args"] if word.startswith("--label-selector=")]
    return found.partition("=")[2]


def is_selected(pod: dict[str, str], wanted: dict[str, str]) -> bool:
    """Whether a pod with these labels is selected."""
    return wanted.items() <= pod.items()


def test_every_pod_is_selected_by_its_own_shard_alone(
    kustomize: Callable[[Path], Objects],
) -> None:
    objects = kustomize(SHARDS)
    pods = {
        name: found["spec"]["template"]["metadata"]["labels"]
        for name, found in deployments(objects).items()
    }
    assert len(pods) == 2
    for found in objects:
        spec = found.get("spec", {})
        match found["kind"]:
            case "Deployment" | "PodDisruptionBudget":
                wanted = spec["selector"]["matchLabels"]
            case "NetworkPolicy":
                wanted = spec["podSelector"]["matchLabels"]
            case "Service":
                wanted = spec["selector"]
            case _:
                continue
        selected = [name for name, labels in pods.items() if is_selected(labels, wanted)]
        assert selected == [found["metadata"]["name"]], found["kind"]


def test_every_object_has_exactly_one_operator(
    kustomize: Callable[[Path], Objects], with_definitions: Callable[..., Cluster]
) -> None:
    live = with_definitions()
    objects = kustomize(SHARDS)
    selectors = [selector(found) for found in deployments(objects).values()]
    live.kubectl("apply", "--server-side", "-f", str(ROOT / "crds" / "aiplatform.yaml"))
    live.kubectl("wait", "--for=condition=Established", "crd/aiplatforms.aiplatform.dev")
    for name, labels in (("a", {}), ("b", {KEY: "1"}), ("c", {KEY: "0"}), ("d", {KEY: "other"})):
        platform = {
            "apiVersion": "aiplatform.dev/v1alpha1",
            "kind": "AIPlatform",
            "metadata": {"name": name, "namespace": "default", "labels": labels},
            "spec": {
                "region": "eu-west-1",
                "accountId": "123456789012",
                "ownership": {"team": "a", "contact": "b", "environment": "c"},
            },
        }
        live.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump(platform))
    found = [
        name
        for each in selectors
        for name in live.kubectl("get", "aip", "-l", each, "-o", "name").split()
    ]
    assert sorted(found) == [f"aiplatform.aiplatform.dev/{name}" for name in "abcd"]


def test_the_api_server_takes_all_of_it(
    kustomize: Callable[[Path], Objects], with_definitions: Callable[..., Cluster]
) -> None:
    live = with_definitions()
    kustomize(SHARDS)
    live.kubectl("apply", "--server-side", "-k", str(SHARDS))
    # Applied again, it changes nothing: no two shards write one object.
    assert live.kubectl("diff", "--server-side", "-k", str(SHARDS)) == ""


def test_guardrails_and_credentials_reach_every_shard(
    kustomize: Callable[[Path], Objects], tmp_path: Path
) -> None:
    up = os.path.relpath(ROOT, tmp_path.resolve())
    (tmp_path / "kustomization.yaml").write_text(
        yaml.safe_dump(
            {
                "resources": [f"{up}/examples/installation/shards"],
                "components": [
                    f"{up}/manifests/components/guardrails",
                    f"{up}/manifests/components/pod-identity",
                ],
            }
        )
    )
    for name, found in deployments(kustomize(tmp_path)).items():
        (container,) = found["spec"]["template"]["spec"]["containers"]
        assert "--guardrails=/etc/aiplatform/guardrails.yaml" in container["args"], name
        assert re.match(r"\d{12}\.dkr\.ecr\.", container["image"]), name


def test_the_commands_of_the_page_move_an_object(with_definitions: Callable[..., Cluster]) -> None:
    live = with_definitions()
    live.kubectl("apply", "--server-side", "-f", str(ROOT / "crds" / "aiplatform.yaml"))
    live.kubectl("wait", "--for=condition=Established", "crd/aiplatforms.aiplatform.dev")
    live.kubectl("create", "namespace", "team-01")
    platform = {
        "apiVersion": "aiplatform.dev/v1alpha1",
        "kind": "AIPlatform",
        "metadata": {"name": "assistant", "namespace": "team-01"},
        "spec": {
            "region": "eu-west-1",
            "accountId": "123456789012",
            "ownership": {"team": "a", "contact": "b", "environment": "c"},
        },
    }
    live.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump(platform))
    section = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    (text,) = [part for part in section if part.startswith("Sharing the work")]
    labels, moves = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    # Nobody runs here that would suspend it.
    suspended = '{"status":{"phase":"Suspended"}}'
    patch = ("-n", "team-01", "patch", "aip", "assistant", "--subresource=status", "--type=merge")
    live.kubectl(*patch, "-p", suspended)
    for script in (labels.replace("team-01 team-02 team-03", "team-01"), moves):
        subprocess.run(
            ["bash", "-euc", script],
            check=True,
            env={
                "PATH": f"{Path(live.kubectl_path).parent}:{os.environ['PATH']}",
                "KUBECONFIG": live.kubeconfig,
                "KUBECACHEDIR": str(live.directory / "kubectl"),
            },
        )
    shard = live.kubectl("-n", "team-01", "get", "aip", "-o", "jsonpath={..metadata.labels}")
    assert f'"{KEY}":"2"' in shard
