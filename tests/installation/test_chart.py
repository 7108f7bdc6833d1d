"""The chart says what the manifests say, refuses what it cannot mean, and Helm installs it."""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT, Objects
from running import Cluster, cluster

CHART = ROOT / "charts" / "aiplatform"
Run = Callable[..., subprocess.CompletedProcess[str]]

KEPT = "helm.sh/resource-policy"


def by_name(objects: Objects) -> dict[str, dict[str, Any]]:
    """Objects by kind and name, without what is particular to one way of installing."""
    named = {}
    for found in objects:
        metadata = found["metadata"]
        annotations = metadata.get("annotations", {})
        annotations.pop(KEPT, None)
        if not annotations:
            metadata.pop("annotations", None)
        named[f"{found['kind']} {metadata.get('namespace', '')}/{metadata['name']}"] = found
    return named


@pytest.mark.parametrize(
    ("copy", "original"),
    [
        ("crd.yaml", "crds/aiplatform.yaml"),
        ("rbac.yaml", "manifests/rbac.yaml"),
        ("rbac-namespaced.yaml", "manifests/rbac-namespaced.yaml"),
        ("prometheus-rule.yaml", "manifests/components/monitoring/prometheus-rule.yaml"),
        ("dashboard.json", "manifests/components/monitoring/dashboard.json"),
    ],
)
def test_what_the_chart_has_copies_of_is_the_same(copy: str, original: str) -> None:
    # Flux leaves symbolic links out of what it fetches.
    copied = CHART / "files" / copy
    assert not copied.is_symlink()
    assert copied.read_text() == (ROOT / original).read_text(), "run make generate"


def test_the_chart_renders_what_kustomize_renders(
    template: Callable[..., Objects], kustomize: Callable[..., Objects]
) -> None:
    rendered = by_name(template("--set", "namespace.create=true"))
    expected = by_name(kustomize(ROOT / "manifests"))
    assert rendered.keys() == expected.keys()
    for name, found in rendered.items():
        assert found == expected[name], name


@pytest.mark.parametrize("way", ["chart", "manifests", "manifests/overlays/namespaced"])
def test_whoever_prunes_leaves_the_definition(
    template: Callable[..., Objects], kustomize: Callable[..., Objects], way: str
) -> None:
    """Every platform would go with it, and what it has in AWS."""
    objects = template() if way == "chart" else kustomize(ROOT / way)
    (definition,) = (o for o in objects if o["kind"] == "CustomResourceDefinition")
    annotations = definition["metadata"]["annotations"]
    assert annotations["argocd.argoproj.io/sync-options"] == "Delete=false,Prune=false"
    assert annotations["kustomize.toolkit.fluxcd.io/prune"] == "disabled"
    assert (annotations.get(KEPT) == "keep") == (way == "chart")


def test_for_one_namespace_the_chart_renders_what_the_overlay_renders(
    template: Callable[..., Objects], kustomize: Callable[..., Objects]
) -> None:
    overlay = ROOT / "manifests" / "overlays" / "namespaced"
    manifest = ROOT / "manifests" / "rbac-namespaced.yaml"
    assert (overlay / "rbac.yaml").read_text() == manifest.read_text(), "run make generate"
    values = "namespace.create=true,watchNamespaces={team-a},clusterName=prod"
    rendered = by_name(template("--set", values))
    expected = by_name(kustomize(overlay))
    assert rendered.keys() == expected.keys()
    for name, found in rendered.items():
        assert found == expected[name], name


def test_credentials_guardrails_and_metrics_are_as_in_the_components(
    template: Callable[..., Objects], kustomize: Callable[..., Objects], tmp_path: Path
) -> None:
    """Everything at once, against an overlay of all components."""
    guardrails = 'rules:\n- accounts:\n  - "123456789012"\n'
    (tmp_path / "values.yaml").write_text(
        yaml.safe_dump(
            {
                "namespace": {"create": True},
                "image": {"repository": "registry.example.com/aiplatform"},
                "aws": {
                    "irsa": {"roleArn": "arn:aws:iam::123456789012:role/aiplatform-operator"},
                    "podIdentity": {"enabled": True},
                },
                "driftEvents": True,
                "guardrails": yaml.safe_load(guardrails),
                "serviceMonitor": {"enabled": True},
                "prometheusRule": {"enabled": True},
                "dashboard": {"enabled": True},
            }
        )
    )
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    (overlay / "guardrails.yaml").write_text(guardrails)
    components = ("irsa", "pod-identity", "drift-events", "guardrails", "monitoring")
    # kustomize takes no absolute paths.
    manifests = os.path.relpath(ROOT / "manifests", overlay.resolve())
    (overlay / "kustomization.yaml").write_text(
        yaml.safe_dump(
            {
                "resources": [manifests],
                "components": [f"{manifests}/components/{name}" for name in components],
                "images": [{"name": "aiplatform", "newName": "registry.example.com/aiplatform"}],
                "configMapGenerator": [
                    {
                        "name": "aiplatform-guardrails",
                        "namespace": "aiplatform-system",
                        "files": ["guardrails.yaml"],
                    }
                ],
                "generatorOptions": {"disableNameSuffixHash": True},
            }
        )
    )
    rendered = by_name(template("--values", str(tmp_path / "values.yaml")))
    expected = by_name(kustomize(overlay))
    assert rendered.keys() == expected.keys()
    # Two ways to start new pods after an edit: a hash in the name, and one in an annotation.
    pod = rendered["Deployment aiplatform-system/aiplatform"]["spec"]["template"]["metadata"]
    assert re.fullmatch(r"[0-9a-f]{64}", pod["annotations"].pop("checksum/guardrails"))
    rendered["ConfigMap aiplatform-system/aiplatform-guardrails"]["metadata"].pop("labels")
    for name, found in rendered.items():
        assert found == expected[name], name


def test_for_some_namespaces_the_rights_are_those_of_the_manifest_in_each(
    template: Callable[..., Objects],
) -> None:
    values = ("--set", "watchNamespaces={team-a,team-b},clusterName=prod")
    rendered = by_name(template(*values, namespace="operators"))
    manifest = (ROOT / "manifests" / "rbac-namespaced.yaml").read_text()
    for team in ("team-a", "team-b"):
        text = manifest.replace("team-a", team).replace("aiplatform-system", "operators")
        for name, expected in by_name(list(yaml.safe_load_all(text))).items():
            if expected["kind"] in ("Role", "RoleBinding"):
                found = rendered[name]
                found["metadata"].pop("labels", None)
                assert found == expected, name
    assert not [name for name in rendered if name.startswith("ClusterRole")]
    arguments = container(rendered)["args"]
    assert {"--namespace=team-a", "--namespace=team-b", "--cluster-name=prod"} <= set(arguments)


def container(rendered: dict[str, dict[str, Any]]) -> dict[str, Any]:
    (deployment,) = [found for found in rendered.values() if found["kind"] == "Deployment"]
    (found,) = deployment["spec"]["template"]["spec"]["containers"]
    return found


@pytest.mark.parametrize(
    ("values", "telling"),
    [
        ("replica=3", "replica"),
        ("replicas=0", "replicas"),
        ("replicas=two", "replicas"),
        ("aws.irsa.roleArn=aiplatform-operator", "roleArn"),
        ("image.repository=aiplatform:0.1.0", "repository"),
        ("image.digest=sha256:0", "digest"),
        ("watchNamespaces={Team}", "watchNamespaces"),
        ("watchNamespaces={team-a}", "clusterName is needed with watchNamespaces"),
        ("resync=often", "resync"),
        ("logFormat=xml", "logFormat"),
        ("guardrails.rule=x", "guardrails"),
        ("networkPolicy.enable=false", "enable"),
    ],
)
def test_a_value_that_means_nothing_is_refused(helm: Run, values: str, telling: str) -> None:
    output = helm("template", "aiplatform", str(CHART), "--set", values)
    assert output.returncode != 0
    assert telling in output.stderr


def test_every_default_is_in_the_schema_and_every_property_has_a_default() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    def compare(schema: dict[str, Any], values: dict[str, Any], path: str) -> None:
        properties = schema.get("properties", {})
        # What Helm itself puts there.
        assert properties.keys() - {"global"} == values.keys(), path
        for name, inner in properties.items():
            if inner.get("properties") and isinstance(values.get(name), dict):
                compare(inner, values[name], f"{path}.{name}")

    compare(schema, values, "values")


def test_helm_lint_has_nothing_to_say(helm: Run) -> None:
    output = helm("lint", "--strict", str(CHART))
    assert output.returncode == 0, output.stdout + output.stderr
    assert "[WARNING]" not in output.stdout


@pytest.fixture(scope="module")
def empty() -> Iterator[Cluster]:
    with cluster("--nodes", "1") as started:
        yield started


def test_helm_installs_upgrades_rolls_back_and_leaves_what_platforms_are(
    helm: Run, empty: Cluster
) -> None:
    common = [f"--kubeconfig={empty.kubeconfig}", "--namespace=aiplatform-system"]

    def succeed(*arguments: str) -> None:
        output = helm(*arguments, *common)
        assert output.returncode == 0, output.stderr

    def args() -> str:
        path = "jsonpath={.spec.template.spec.containers[0].args}"
        return empty.kubectl("-n", "aiplatform-system", "get", "deployment/aiplatform", "-o", path)

    wait = ("--wait", "--timeout=60s")
    chart = str(CHART)
    succeed("install", "aiplatform", chart, "--create-namespace", *wait)
    succeed("upgrade", "aiplatform", chart, "--set", "resync=5m", *wait)
    assert "--resync=5m" in args()
    succeed("rollback", "aiplatform", "1", *wait)
    assert "--resync=5m" not in args()
    platform = {
        "apiVersion": "aiplatform.dev/v1alpha1",
        "kind": "AIPlatform",
        "metadata": {"name": "assistant", "namespace": "default"},
        "spec": {
            "region": "eu-west-1",
            "accountId": "123456789012",
            "ownership": {"team": "a", "contact": "b", "environment": "c"},
        },
    }
    empty.kubectl("apply", "-f", "-", stdin=json.dumps(platform))
    succeed("uninstall", "aiplatform", "--wait")
    # Without the definition every platform would go, and nobody would be there to take AWS away.
    assert "aiplatform" in empty.kubectl("get", "aip", "-A", "-o", "name")
    assert empty.kubectl("get", "clusterroles/aiplatform", "--ignore-not-found") == ""
    succeed("install", "aiplatform", chart, *wait)
