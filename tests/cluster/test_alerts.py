"""Alerts and dashboard in Prometheus' own hands: parsed, and each alert tried on series that make it fire or don't.

No cluster is asked; promtool is one of the programs that are built for the cluster tests.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from labeltask_testing.cluster_commands import ROOT, CommandError, run
from localkube.cache import exclusive_lock
from localkube.go_modules import PROMETHEUS
from localkube.go_programs import ensure_programs

STORIES = Path(__file__).parent / "alerts.test.yaml"
RENDERED = Path(__file__).parent / "renders" / "production.yaml"
DASHBOARD = ROOT / "charts" / "labeltask" / "files" / "dashboard.json"


@pytest.fixture(scope="module")
def promtool() -> str:
    with exclusive_lock():
        return str(ensure_programs(PROMETHEUS)["promtool"])


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """The PrometheusRule that the chart makes, as Prometheus reads it."""
    (spec,) = [
        found["spec"]
        for found in yaml.safe_load_all(RENDERED.read_text(encoding="utf-8"))
        if found and found["kind"] == "PrometheusRule"
    ]
    file = tmp_path / "rules.yaml"
    file.write_text(json.dumps(spec), encoding="utf-8")
    return file


def test_prometheus_takes_the_rules(promtool: str, rules: Path) -> None:
    run(promtool, "check", "rules", "--lint=all", "--lint-fatal", str(rules))


def test_each_alert_fires_when_it_should_and_not_otherwise(promtool: str, rules: Path) -> None:
    stories = shutil.copy(STORIES, rules.parent)
    run(promtool, "test", "rules", str(stories))


def test_a_story_with_another_end_fails(promtool: str, rules: Path) -> None:
    """The test above can fail: promtool does compare."""
    stories = yaml.safe_load(STORIES.read_text(encoding="utf-8"))
    stories["tests"][0]["alert_rule_test"][-1]["exp_alerts"] = []
    other = rules.parent / "other.yaml"
    other.write_text(json.dumps(stories), encoding="utf-8")
    with pytest.raises(CommandError, match="LabelTaskGatewayErrors"):
        run(promtool, "test", "rules", str(other))


def test_there_is_a_story_of_each_kind_for_every_alert(rules: Path) -> None:
    alerts = {rule["alert"] for group in json.loads(rules.read_text())["groups"] for rule in group["rules"]}
    tried: list[Any] = [
        one
        for story in yaml.safe_load(STORIES.read_text(encoding="utf-8"))["tests"]
        for one in story["alert_rule_test"]
    ]
    assert {one["alertname"] for one in tried if one["exp_alerts"]} == alerts
    last_of_quiet_stories = [
        story["alert_rule_test"][0]["alertname"]
        for story in yaml.safe_load(STORIES.read_text(encoding="utf-8"))["tests"]
        if not any(one["exp_alerts"] for one in story["alert_rule_test"])
    ]
    assert sorted(last_of_quiet_stories) == sorted(alerts)


def test_prometheus_parses_every_query_of_the_dashboard(promtool: str, tmp_path: Path) -> None:
    """A query has no check of its own in promtool; a recording rule has."""
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    group = {"name": "panels", "rules": [{"record": f"panel:{n}", "expr": query} for n, query in enumerate(queries)]}
    file = tmp_path / "panels.yaml"
    file.write_text(json.dumps({"groups": [group]}), encoding="utf-8")
    assert f"{len(queries)} rules found" in run(promtool, "check", "rules", str(file))
