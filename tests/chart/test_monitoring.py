"""Scraping, alerts and dashboards speak of metrics and labels that exist."""

import json
import re
from collections.abc import Iterator

import pytest

from chart.helm import Helm, Manifest
from kronos_server.metrics import Metrics

# Set on every target by Prometheus, and by the PodMonitor's relabelings.
TARGET_LABELS = {"namespace", "pod", "kronosdeployment", "pool"}
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}


@pytest.fixture(scope="module")
def monitored(helm: Helm) -> list[Manifest]:
    switches = ("podMonitor", "alerts", "dashboards")
    return helm.render(monitoring={name: {"enabled": True, "labels": {"team": "quant"}} for name in switches}).manifests


def one(manifests: list[Manifest], kind: str) -> Manifest:
    (found,) = [manifest for manifest in manifests if manifest["kind"] == kind]
    return found


def alerts(manifests: list[Manifest]) -> list[Manifest]:
    return [rule for group in one(manifests, "PrometheusRule")["spec"]["groups"] for rule in group["rules"]]


def dashboards(manifests: list[Manifest]) -> dict[str, Manifest]:
    return {name: json.loads(text) for name, text in one(manifests, "ConfigMap")["data"].items()}


def expressions(manifests: list[Manifest]) -> Iterator[str]:
    """Every PromQL expression of the alerts and dashboards."""
    yield from (rule["expr"] for rule in alerts(manifests))
    for dashboard in dashboards(manifests).values():
        yield from (target["expr"] for panel in dashboard["panels"] for target in panel["targets"])


def served_names() -> set[str]:
    """The names of the time series that a server shows."""
    families = Metrics().registry.collect()
    return {family.name + suffix for family in families for suffix in SUFFIXES.get(family.type, ())}


@pytest.mark.parametrize("kind", ["PodMonitor", "PrometheusRule", "ConfigMap"])
def test_each_part_is_off_by_default_and_carries_its_labels_when_on(
    helm: Helm, monitored: list[Manifest], kind: str
) -> None:
    assert not helm.render().all(kind)
    assert one(monitored, kind)["metadata"]["labels"]["team"] == "quant"


def test_expressions_use_only_metrics_that_the_server_has(monitored: list[Manifest]) -> None:
    known = served_names() | {"up"}
    for expression in expressions(monitored):
        used = set(re.findall(r"(?<![\w$])([a-z_]+)(?=\{|\[)", expression))
        assert used, expression
        assert used <= known, expression


def test_expressions_group_only_by_labels_that_exist(monitored: list[Manifest]) -> None:
    known = TARGET_LABELS | {"le", "route", "status", "endpoint", "event", "container"}
    for expression in expressions(monitored):
        for labels in re.findall(r"by \(([^)]*)\)", expression):
            assert {label.strip() for label in labels.split(",")} <= known, expression


def test_the_pod_monitor_scrapes_all_pools_and_names_them(helm: Helm, monitored: list[Manifest]) -> None:
    spec = one(monitored, "PodMonitor")["spec"]
    assert spec["namespaceSelector"] == {"any": True}
    assert spec["selector"] == {"matchExpressions": [{"key": "kronos.dev/pool", "operator": "Exists"}]}
    (endpoint,) = spec["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["path"], endpoint["interval"]) == ("http", "/v1/metrics", "30s")
    assert {rule["targetLabel"] for rule in endpoint["relabelings"]} < TARGET_LABELS
    watched = helm.render(watchNamespaces=["forecasts"], monitoring={"podMonitor": {"enabled": True}})
    assert watched.all("PodMonitor")[0]["spec"]["namespaceSelector"] == {"matchNames": ["forecasts"]}


def test_every_alert_says_what_happened_and_what_to_do(monitored: list[Manifest]) -> None:
    names = [rule["alert"] for rule in alerts(monitored)]
    assert len(names) == len(set(names))
    for rule in alerts(monitored):
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert "{{ $labels." in rule["annotations"]["summary"]
        assert len(rule["annotations"]["runbook"].split()) > 30, rule["alert"]


def test_slow_is_what_the_values_say(helm: Helm) -> None:
    release = helm.render(monitoring={"alerts": {"enabled": True, "slowSeconds": 2.5}})
    (slow,) = [rule for rule in alerts(release.manifests) if rule["alert"] == "KronosForecastsSlow"]
    assert slow["expr"].rstrip().endswith("> 2.5")


def test_dashboards_have_distinct_ids_and_panels_that_do_not_overlap(monitored: list[Manifest]) -> None:
    boards = dashboards(monitored)
    assert set(boards) == {"forecasts.json", "pools.json"}
    assert len({board["uid"] for board in boards.values()}) == len(boards)
    for board in boards.values():
        places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
        assert len(set(places)) == len(places)
