"""Alerts fire when they should and not otherwise, and Prometheus takes every expression."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import programs
import yaml
from conftest import ROOT

MONITORING = ROOT / "manifests" / "components" / "monitoring"
CASES = Path(__file__).with_name("alerts_test.yaml")


def rules() -> dict[str, Any]:
    """The alerts as Prometheus itself reads them."""
    return yaml.safe_load((MONITORING / "prometheus-rule.yaml").read_text())["spec"]


def alerts() -> list[dict[str, Any]]:
    return [rule for group in rules()["groups"] for rule in group["rules"]]


def promtool(folder: Path, *arguments: str) -> None:
    output = subprocess.run(
        [programs.promtool(), *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert output.returncode == 0, output.stdout + output.stderr


def test_each_alert_fires_when_it_should(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules()))
    shutil.copy(CASES, tmp_path / "alerts_test.yaml")
    promtool(tmp_path, "check", "rules", "rules.yaml")
    promtool(tmp_path, "test", "rules", "alerts_test.yaml")


def test_each_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    fires: dict[str, set[bool]] = {alert["alert"]: set() for alert in alerts()}
    for test in yaml.safe_load(CASES.read_text())["tests"]:
        for case in test["alert_rule_test"]:
            fires[case["alertname"]].add(bool(case["exp_alerts"]))
    assert all(found == {True, False} for found in fires.values()), fires


def test_each_alert_has_a_runbook() -> None:
    headings = re.findall(r"^#+ (.*)$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings
    }
    for alert in alerts():
        page, _, anchor = alert["annotations"]["runbook_url"].partition("#")
        assert page == "docs/operations.md"
        assert anchor in anchors, alert["alert"]


def expressions() -> list[str]:
    """The expressions of the dashboard, with what Grafana puts in place of its variables."""
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    found = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    return [text.replace("$__rate_interval", "5m") for text in found]


def test_every_expression_of_the_dashboard_parses(tmp_path: Path) -> None:
    records = [{"record": f"panel:{n}", "expr": text} for n, text in enumerate(expressions())]
    assert records
    (tmp_path / "rules.yaml").write_text(
        yaml.safe_dump({"groups": [{"name": "dashboard", "rules": records}]})
    )
    promtool(tmp_path, "check", "rules", "rules.yaml")


def test_panels_lie_side_by_side() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in json.loads((MONITORING / "dashboard.json").read_text())["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert panel["description"], panel["title"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, (panel["title"], taken[x, y])
                taken[x, y] = panel["title"]
