"""The manifests are taken by a real API server, run, and give the operator what it needs alone."""

import json
import os
import re
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT, Objects
from running import DEADLINE_S, Cluster

NAMESPACE = "aiplatform-system"
OPERATOR = f"system:serviceaccount:{NAMESPACE}:aiplatform"

# What a pod would need to do more than the operator does.
BEYOND = [
    ("get", "secrets"),
    ("list", "namespaces"),
    ("create", "pods"),
    ("create", "serviceaccounts --subresource=token"),
    ("update", "serviceaccounts"),
    ("create", "clusterrolebindings.rbac.authorization.k8s.io"),
    ("escalate", "clusterroles.rbac.authorization.k8s.io"),
    ("patch", "customresourcedefinitions.apiextensions.k8s.io"),
    ("create", "aiplatforms.aiplatform.dev"),
    ("delete", "aiplatforms.aiplatform.dev"),
    ("update", "aiplatforms.aiplatform.dev"),
    ("impersonate", "users"),
]

Rights = set[tuple[str, str, str, str]]


@pytest.fixture(scope="module")
def installed(live: Cluster) -> Cluster:
    live.kubectl("apply", "-k", str(ROOT / "manifests"))
    return live


def rights(rules: list[dict[str, Any]]) -> Rights:
    """Each right as group, resource, name, which is empty where it is for all, and verb."""
    return {
        (group, resource, name, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames") or [""]
        for verb in rule["verbs"]
    }


def granted(live: Cluster, user: str, namespace: str) -> Rights:
    """Everything that the API server lets a user do in a namespace, beyond what everybody may."""

    def ask(user: str) -> Rights:
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectRulesReview",
            "spec": {"namespace": namespace},
        }
        groups = [f"--as-group=system:{g}" for g in ("authenticated", "serviceaccounts")]
        arguments = ["create", "--validate=false", "-f", "-", "-o", "json", f"--as={user}", *groups]
        answer = json.loads(live.kubectl(*arguments, stdin=json.dumps(review)))
        assert not answer["status"]["incomplete"]
        return rights(answer["status"]["resourceRules"])

    return ask(user) - ask("system:serviceaccount:nowhere:nobody")


def declared(file: str, kind: str, namespace: str | None) -> Rights:
    """What a role of a file allows."""
    objects = yaml.safe_load_all((ROOT / "manifests" / file).read_text())
    roles = [
        o for o in objects if o["kind"] == kind and o["metadata"].get("namespace") == namespace
    ]
    assert roles, f"no {kind} for {namespace} in {file}"
    return set().union(*(rights(role["rules"]) for role in roles))


def test_pods_are_admitted_and_become_ready(installed: Cluster) -> None:
    installed.kubectl(
        "-n", NAMESPACE, "rollout", "status", "deployment/aiplatform", "--timeout=50s"
    )
    ready = installed.kubectl(
        "-n", NAMESPACE, "get", "deployment/aiplatform", "-o", "jsonpath={.status.readyReplicas}"
    )
    assert ready == "2"
    # The budget knows its pods.
    allowed = ("wait", "pdb/aiplatform", "--for=jsonpath={.status.disruptionsAllowed}=1")
    installed.kubectl("-n", NAMESPACE, *allowed, "--timeout=50s")


def test_whoever_has_more_rights_on_the_node_is_refused_in_the_namespace(
    installed: Cluster,
) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "root", "namespace": NAMESPACE},
        "spec": {"containers": [{"name": "root", "image": "root"}]},
    }
    with pytest.raises(subprocess.CalledProcessError):
        installed.kubectl("apply", "-f", "-", stdin=json.dumps(pod))


def test_applying_it_again_changes_nothing(installed: Cluster) -> None:
    folder = str(ROOT / "manifests")

    def generations() -> str:
        columns = "-o=custom-columns=K:.kind,N:.metadata.name,G:.metadata.generation"
        return installed.kubectl("get", "-k", folder, columns)

    before = generations()
    lines = installed.kubectl("apply", "-k", folder).splitlines()
    assert len(lines) > 8
    changed = [line for line in lines if not line.endswith(" unchanged")]
    # kubectl sends the selector of a budget each time, whatever it is; the server sees no change.
    assert changed == ["poddisruptionbudget.policy/aiplatform configured"]
    assert generations() == before


def test_what_the_server_would_default_is_no_difference(installed: Cluster) -> None:
    # As Argo CD and Flux compare: server-side, by what is managed.
    assert installed.kubectl("diff", "-k", str(ROOT / "manifests")) == ""


def test_the_operator_may_do_what_its_role_says_and_nothing_more(installed: Cluster) -> None:
    everywhere = declared("rbac.yaml", "ClusterRole", None)
    assert granted(installed, OPERATOR, "default") == everywhere
    at_home = everywhere | declared("rbac.yaml", "Role", NAMESPACE)
    assert granted(installed, OPERATOR, NAMESPACE) == at_home
    # kubectl asks by kind, so it cannot ask about those of add-ons that are not there.
    served = set(installed.kubectl("api-resources", "-o", "name").split())
    for group, resource, name, verb in sorted(everywhere):
        kind, _, part = resource.partition("/")
        if (f"{kind}.{group}" if group else kind) not in served:
            assert group in ("keda.sh", "monitoring.coreos.com")
            continue
        full = (f"{kind}.{group}" if group else kind) + (f"/{name}" if name else "")
        subresource = [f"--subresource={part}"] if part else []
        question = ["auth", "can-i", verb, full, *subresource, "-n", "default", f"--as={OPERATOR}"]
        assert installed.kubectl(*question).strip() == "yes", (verb, resource)


@pytest.mark.parametrize(("verb", "resource"), BEYOND)
def test_what_reaches_further_is_denied(installed: Cluster, verb: str, resource: str) -> None:
    question = ["auth", "can-i", verb, *resource.split(), "-n", "default", f"--as={OPERATOR}"]
    with pytest.raises(subprocess.CalledProcessError) as denied:
        installed.kubectl(*question)
    assert denied.value.stdout.strip() == "no"


def containers(objects: Objects) -> list[dict[str, Any]]:
    return [
        container
        for found in objects
        if found["kind"] == "Deployment"
        for container in found["spec"]["template"]["spec"]["containers"]
    ]


OVERLAYS = sorted(
    path.parent for path in (ROOT / "examples/installation").glob("*/kustomization.yaml")
)


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)
def test_every_example_of_an_installation_is_taken_by_the_api_server(
    overlay: Any, installed: Cluster, kustomize: Callable[..., Objects]
) -> None:
    objects = kustomize(overlay)
    # Nothing that stands for an example of ours is left, but what the overlay itself says.
    for container in containers(objects):
        image = r"\d{12}\.dkr\.ecr\.\S+/aiplatform:\d+\.\d+\.\d+"
        assert re.fullmatch(image, container["image"])
    for found in objects:
        # A selector cannot be changed: who divides a cluster deletes the Deployment first.
        if found["kind"] == "Deployment" and found["metadata"]["name"] == "aiplatform":
            found["metadata"]["name"] = "aiplatform-anew"
    installed.kubectl("apply", "--dry-run=server", "-f", "-", stdin=json.dumps(as_list(objects)))


def as_list(objects: Objects) -> dict[str, Any]:
    """Several objects as one."""
    return {"apiVersion": "v1", "kind": "List", "items": objects}


def one(objects: Objects, kind: str) -> dict[str, Any]:
    (found,) = [o for o in objects if o["kind"] == kind and o["metadata"]["name"].startswith("aip")]
    return found


def test_irsa_annotates_the_service_account(kustomize: Callable[..., Objects]) -> None:
    objects = kustomize(ROOT / "examples/installation/eks-irsa")
    annotations = one(objects, "ServiceAccount")["metadata"]["annotations"]
    assert annotations["eks.amazonaws.com/role-arn"].startswith("arn:aws:iam::")


def test_pod_identity_opens_the_way_to_the_agent_alone(kustomize: Callable[..., Objects]) -> None:
    base = one(kustomize(ROOT / "manifests"), "NetworkPolicy")["spec"]["egress"]
    objects = kustomize(ROOT / "examples/installation/eks-pod-identity")
    *same, agent = one(objects, "NetworkPolicy")["spec"]["egress"]
    assert same == base
    assert agent["ports"] == [{"port": 80, "protocol": "TCP"}]
    assert {to["ipBlock"]["cidr"] for to in agent["to"]} == {
        "169.254.170.23/32",
        "fd00:ec2::23/128",
    }


def test_an_edit_of_the_guardrails_starts_new_pods(kustomize: Callable[..., Objects]) -> None:
    objects = kustomize(ROOT / "examples/installation/eks-irsa")
    file = one(objects, "ConfigMap")
    assert re.fullmatch(r"aiplatform-guardrails-[a-z0-9]{10}", file["metadata"]["name"])
    pod = one(objects, "Deployment")["spec"]["template"]["spec"]
    assert pod["volumes"] == [
        {"name": "guardrails", "configMap": {"name": file["metadata"]["name"]}}
    ]
    assert "rules: []" not in file["data"]["guardrails.yaml"], "the overlay's, not the component's"
    (container,) = pod["containers"]
    assert "--guardrails=/etc/aiplatform/guardrails.yaml" in container["args"]


def test_the_metrics_are_found_by_a_prometheus_operator(
    with_definitions: Callable[..., Cluster], installed: Cluster
) -> None:
    live = with_definitions("ServiceMonitor")
    monitor = ROOT / "manifests" / "components" / "monitoring" / "service-monitor.yaml"
    live.kubectl("apply", "-f", str(monitor))
    found = json.loads(live.kubectl("-n", NAMESPACE, "get", "service/aiplatform", "-o", "json"))
    spec = yaml.safe_load(monitor.read_text())["spec"]
    assert spec["selector"]["matchLabels"].items() <= found["metadata"]["labels"].items()
    assert spec["endpoints"][0]["port"] in [port["name"] for port in found["spec"]["ports"]]


@pytest.mark.skipif("AIPLATFORM_BINARY" not in os.environ, reason="AIPLATFORM_BINARY is not set")
def test_the_operator_runs_with_what_the_manifests_give_it(
    installed: Cluster, kustomize: Callable[..., Objects], tmp_path: Path
) -> None:
    """As its pods do: the arguments of the Deployment, the token of the service account."""
    token = installed.kubectl("-n", NAMESPACE, "create", "token", "aiplatform").strip()
    config = json.loads(Path(installed.kubeconfig).read_text())
    config["users"][0]["user"] = {"token": token}
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    (container,) = containers(kustomize(ROOT / "manifests"))
    (variable,) = container["env"]
    assert variable["valueFrom"]["fieldRef"] == {"fieldPath": "metadata.namespace"}
    environment = {
        variable["name"]: NAMESPACE,
        "KUBECONFIG": str(tmp_path / "kubeconfig"),
        "AIPLATFORM_HTTP_ADDR": "127.0.0.1:0",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    log = tmp_path / "log"
    command = [os.environ["AIPLATFORM_BINARY"], *container["args"]]
    with log.open("w") as written:
        process = subprocess.Popen(command, env=environment, stderr=written, stdout=written)
    try:
        until(lambda: "serving /metrics" in log.read_text(), log)
        address = next(
            json.loads(line)["address"]
            for line in log.read_text().splitlines()
            if "address" in line
        )
        live, ready = (
            container[probe]["httpGet"]["path"] for probe in ("livenessProbe", "readinessProbe")
        )
        assert page(address, live) == (200, "ok\n")

        def lacks_credentials_alone() -> bool:
            status, text = page(address, ready)
            return status == 503 and [line.split(":")[0] for line in text.splitlines()] == ["AWS"]

        until(lacks_credentials_alone, log)
        # The first leader waits for 30 seconds, in case somebody else leads.
        until(lambda: holder(installed) != "", log)
    finally:
        process.terminate()
        assert process.wait(DEADLINE_S) == 0
    assert holder(installed) == "", "given back"


def until(condition: Callable[[], bool], log: Path) -> None:
    """Wait for a condition, as long as a loaded machine may need."""
    deadline = time.monotonic() + 2 * DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)


def page(address: str, path: str) -> tuple[int, str]:
    """The status and the text of one of the operator's pages."""
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=DEADLINE_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def holder(live: Cluster) -> str:
    """Who holds the Lease, or nobody."""
    lease = ("get", "lease/aiplatform", "--ignore-not-found", "-o", "json")
    found = live.kubectl("-n", NAMESPACE, *lease)
    return json.loads(found)["spec"].get("holderIdentity") or "" if found else ""
