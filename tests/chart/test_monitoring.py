"""Scraping, alerts and dashboards speak of metrics and labels that exist."""

import json
import re
from collections.abc import Iterator

import pytest
import yaml

from chart.helm import ROOT, Helm, Manifest
from chart.series import operator_labels, served_names

# Set on every target by Prometheus, and by the PodMonitor's relabelings.
TARGET_LABELS = {"job", "namespace", "pod", "kronosdeployment", "pool"}
HYBRID = ROOT / "tests/operator/golden/kronosdeployment.yaml"
SERVER_LABELS = {"le", "route", "status", "endpoint", "event", "container"}


@pytest.fixture(scope="module")
def service_monitored(helm: Helm) -> list[Manifest]:
    return helm.render(monitoring={"serviceMonitor": {"enabled": True, "labels": {"team": "quant"}}}).manifests


@pytest.fixture(scope="module")
def monitored(helm: Helm) -> list[Manifest]:
    switches = ("podMonitor", "alerts", "dashboards")
    return helm.render(monitoring={name: {"enabled": True, "labels": {"team": "quant"}} for name in switches}).manifests


def one(manifests: list[Manifest], kind: str) -> Manifest:
    (found,) = [manifest for manifest in manifests if manifest["kind"] == kind]
    return found


def pod_monitor(manifests: list[Manifest], name: str) -> Manifest:
    return spec_of(manifests, "PodMonitor", name)


def spec_of(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    (found,) = [item for item in manifests if (item["kind"], item["metadata"]["name"]) == (kind, name)]
    spec: Manifest = found["spec"]
    return spec


def alerts(manifests: list[Manifest]) -> list[Manifest]:
    return [rule for group in one(manifests, "PrometheusRule")["spec"]["groups"] for rule in group["rules"]]


def dashboards(manifests: list[Manifest]) -> dict[str, Manifest]:
    return {name: json.loads(text) for name, text in one(manifests, "ConfigMap")["data"].items()}


def expressions(manifests: list[Manifest]) -> Iterator[str]:
    """Every PromQL expression of the alerts and dashboards."""
    yield from (rule["expr"] for rule in alerts(manifests))
    for dashboard in dashboards(manifests).values():
        yield from (target["expr"] for panel in dashboard["panels"] for target in panel["targets"])


@pytest.mark.parametrize("kind", ["PodMonitor", "PrometheusRule", "ConfigMap"])
def test_each_part_is_off_by_default_and_carries_its_labels_when_on(
    helm: Helm, monitored: list[Manifest], kind: str
) -> None:
    assert not helm.render().all(kind)
    found = [manifest for manifest in monitored if manifest["kind"] == kind]
    assert found
    assert all(manifest["metadata"]["labels"]["team"] == "quant" for manifest in found)


def test_expressions_use_only_metrics_that_the_programs_have(monitored: list[Manifest]) -> None:
    known = served_names() | {"up"}
    for expression in expressions(monitored):
        used = set(re.findall(r"\b(?:kronos_\w+|up)\b", expression))
        assert used, expression
        assert used <= known, expression


def test_expressions_group_only_by_labels_that_exist(monitored: list[Manifest]) -> None:
    known = TARGET_LABELS | SERVER_LABELS | operator_labels()
    for expression in expressions(monitored):
        for labels in re.findall(r"by \(([^)]*)\)", expression):
            assert {label.strip() for label in labels.split(",")} <= known, expression


def test_the_pod_monitor_scrapes_all_pools_and_names_them(helm: Helm, monitored: list[Manifest]) -> None:
    spec = pod_monitor(monitored, "kronos-pools")
    assert spec["namespaceSelector"] == {"any": True}
    assert spec["selector"] == {"matchExpressions": [{"key": "kronos.dev/pool", "operator": "Exists"}]}
    (endpoint,) = spec["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["path"], endpoint["interval"]) == ("http", "/v1/metrics", "30s")
    assert {rule["targetLabel"] for rule in endpoint["relabelings"]} < TARGET_LABELS
    watched = helm.render(watchNamespaces=["forecasts"], monitoring={"podMonitor": {"enabled": True}})
    assert pod_monitor(watched.manifests, "kronos-pools")["namespaceSelector"] == {"matchNames": ["forecasts"]}


def test_the_operator_is_scraped_and_its_series_keep_the_namespace_they_speak_of(
    helm: Helm, monitored: list[Manifest]
) -> None:
    spec = pod_monitor(monitored, "kronos-operator")
    pod = helm.render().operator_pod
    assert spec["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    (endpoint,) = spec["podMetricsEndpoints"]
    assert endpoint["port"] in {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
    assert (endpoint["path"], endpoint["honorLabels"]) == ("/metrics", True)


def test_service_monitors_are_off_by_default_and_carry_their_labels_when_on(
    helm: Helm, service_monitored: list[Manifest]
) -> None:
    assert not helm.render().all("ServiceMonitor")
    found = [manifest for manifest in service_monitored if manifest["kind"] == "ServiceMonitor"]
    assert {manifest["metadata"]["name"] for manifest in found} == {"kronos-pools", "kronos-operator"}
    assert all(manifest["metadata"]["labels"]["team"] == "quant" for manifest in found)


def test_a_service_monitor_gives_the_pools_the_labels_that_a_pod_monitor_gives(
    monitored: list[Manifest], service_monitored: list[Manifest]
) -> None:
    by_pods, by_services = (
        pod_monitor(monitored, "kronos-pools"),
        spec_of(service_monitored, "ServiceMonitor", "kronos-pools"),
    )
    assert by_services["endpoints"] == by_pods["podMetricsEndpoints"]
    assert by_services["namespaceSelector"] == by_pods["namespaceSelector"]
    services = [manifest for manifest in yaml.safe_load_all(HYBRID.read_text()) if manifest["kind"] == "Service"]
    (condition,) = by_services["selector"]["matchExpressions"]
    selected = [service for service in services if condition["key"] in service["metadata"]["labels"]]
    assert [service["metadata"]["name"] for service in selected] == ["kronos-cpu", "kronos-gpu"]
    assert all({"http"} == {port["name"] for port in service["spec"]["ports"]} for service in selected)


def test_a_service_monitor_finds_the_operators_under_the_job_that_the_alerts_know(
    helm: Helm, service_monitored: list[Manifest]
) -> None:
    spec = spec_of(service_monitored, "ServiceMonitor", "kronos-operator")
    (service,) = [manifest for manifest in service_monitored if manifest["kind"] == "Service"]
    assert spec["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert service["spec"]["selector"].items() <= helm.render().operator_pod["metadata"]["labels"].items()
    (endpoint,) = spec["endpoints"]
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    assert (endpoint["path"], endpoint["honorLabels"]) == ("/metrics", True)
    assert endpoint["relabelings"] == [{"targetLabel": "job", "replacement": "forecasts/kronos-operator"}]


def test_monitors_of_both_kinds_are_refused(helm: Helm) -> None:
    both = {name: {"enabled": True} for name in ("podMonitor", "serviceMonitor")}
    assert "scraped twice" in helm.refuse(monitoring=both)


def test_dashboards_have_distinct_ids_and_panels_that_do_not_overlap(monitored: list[Manifest]) -> None:
    boards = dashboards(monitored)
    assert set(boards) == {"forecasts.json", "operator.json", "pools.json"}
    assert len({board["uid"] for board in boards.values()}) == len(boards)
    for board in boards.values():
        places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
        assert len(set(places)) == len(places)
