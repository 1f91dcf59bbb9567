"""Alerts and dashboard name only what gateway and operator count, and each alert has its runbook."""

import json
import re
from pathlib import Path

import yaml
from prometheus_client import generate_latest

from labeltask_gateway.metrics import Metrics as GatewayMetrics
from labeltask_operator.metrics import Metrics as OperatorMetrics

ROOT = Path(__file__).parents[2]
FILES = ROOT / "charts" / "labeltask" / "files"
ALERTS = (FILES / "alerts.yaml").read_text(encoding="utf-8")
DASHBOARD = (FILES / "dashboard.json").read_text(encoding="utf-8")


def counted() -> set[str]:
    """Names of all series, as Prometheus stores them; of a histogram its buckets."""
    operator = OperatorMetrics()
    operator.watch(tuple, dict)
    text = (GatewayMetrics().text() + generate_latest(operator.registry)).decode()
    types = re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE)
    return {f"{name}_bucket" if kind == "histogram" else name for name, kind in types}


def named(text: str) -> set[str]:
    return set(re.findall(r"labeltask_(?:gateway|operator)_\w+", text))


def test_alerts_and_dashboard_name_only_series_that_exist() -> None:
    assert named(ALERTS) | named(DASHBOARD) <= counted()
    assert len(named(ALERTS)) >= 7


def test_the_dashboards_panels_have_queries_and_do_not_overlap() -> None:
    panels = json.loads(DASHBOARD)["panels"]
    assert all(target["expr"] for panel in panels for target in panel["targets"])
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_every_alert_has_a_runbook() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    runbooks = re.findall(r"^### (LabelTask\w+)$", page, re.MULTILINE)
    assert runbooks == [rule["alert"] for rule in yaml.safe_load(ALERTS)]
