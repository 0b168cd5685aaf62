"""What the chart and the operator write is what the API servers' schemas allow, to the last field."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.helm import ROOT, Helm
from chart.schemas import check

WRITTEN = sorted([*(ROOT / "examples").glob("*.yaml"), *(ROOT / "tests/operator/golden").glob("*.yaml")])
EVERYTHING: dict[str, Any] = {
    "commonLabels": {"team": "quant"},
    "imagePullSecrets": [{"name": "registry"}],
    "operator": {
        "replicas": 3,
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {"pool": "system"},
        "tolerations": [{"key": "system", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    },
    "networkPolicies": {"enabled": True, "clients": [{"namespaceSelector": {"matchLabels": {"team": "quant"}}}]},
    "monitoring": {name: {"enabled": True} for name in ("podMonitor", "alerts", "dashboards")},
    "kronosDeployment": {"spec": {"gpu": {"replicas": 1}}},
}
BY_SERVICES = {"monitoring": {"serviceMonitor": {"enabled": True}}}


@pytest.mark.parametrize("watched", [[], ["forecasts", "desk"]])
@pytest.mark.parametrize("values", [{}, EVERYTHING, BY_SERVICES], ids=["default", "everything", "by services"])
def test_the_charts_manifests_are_valid(helm: Helm, schemas: str, values: dict[str, Any], watched: list[str]) -> None:
    done = check(schemas, helm.render(watchNamespaces=watched, **values).text)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_examples_and_what_the_operator_makes_of_them_are_valid(schemas: str, path: Path) -> None:
    done = check(schemas, path.read_text())
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("Deployment", "spec.template.spec.containres"),
        ("PodMonitor", "spec.selektor"),
        ("PrometheusRule", "spec.groups.0.rules.0.annotation"),
        ("KronosDeployment", "spec.cpu.replcias"),
        ("NetworkPolicy", "spec.egress.0.port"),
    ],
)
def test_a_field_that_no_schema_knows_would_be_found(helm: Helm, schemas: str, kind: str, path: str) -> None:
    manifest = next(manifest for manifest in helm.render(**EVERYTHING) if manifest["kind"] == kind)
    *parents, last = path.split(".")
    part: Any = manifest
    for key in parents:
        part = part[int(key) if isinstance(part, list) else key]
    part[last] = {}
    done = check(schemas, yaml.safe_dump(manifest))
    assert done.returncode != 0
    assert last in done.stdout
