"""Helm 3 renders what Helm 4 renders, and refuses what it refuses."""

from typing import Any

import pytest

from chart.helm import CHART, Helm

MONITORING = {name: {"enabled": True} for name in ("podMonitor", "alerts", "dashboards")}
VALUES: dict[str, dict[str, Any]] = {
    "default": {},
    "watching namespaces": {"watchNamespaces": ["forecasts", "desk"]},
    "everything": {"networkPolicies": {"enabled": True}, "monitoring": MONITORING, "testing": {"gpuDevice": "cpu"}},
    "a GPU pool alone": {"kronosDeployment": {"spec": {"cpu": None, "gpu": {}}}},
}


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_helm_3_renders_the_same_manifests(helm: Helm, helm3: Helm, values: dict[str, Any]) -> None:
    # Built as a Go tool, it does not know which Kubernetes it is for.
    by_helm3 = helm3.render("kronos", "--kube-version", "1.37.2", **values)
    # They are printed in another order.
    assert sorted(by_helm3, key=str) == sorted(helm.render(**values), key=str)


def test_helm_3_refuses_a_typo_by_its_name(helm3: Helm) -> None:
    assert "replcias" in helm3.refuse(kronosDeployment={"spec": {"cpu": {"replcias": 2}}})


def test_helm_3_lint_finds_nothing(helm3: Helm) -> None:
    done = helm3.run("lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout + done.stderr
