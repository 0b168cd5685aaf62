"""An operator that is started anew, and renders the same, writes nothing."""

import time

import pytest

from cluster.progress import StepFailed
from cluster.release import RELEASE
from e2e.every_kind import KINDS, every_kind
from e2e.workbench import NAME, Workbench, resource, wait_until

pytestmark = pytest.mark.e2e

OPERATOR = f"deployment/{RELEASE}-operator"
SELECTOR = f"app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component=operator"
QUIET_SECONDS = 5


def test_a_restart_changes_no_resource_version(bench: Workbench) -> None:
    bench.apply(resource(every_kind()))
    wait_until("the status", lambda: bench.condition("Ready") != {}, 30)
    wait_until("a quiet while", lambda: _versions(bench) == _versions(bench, after=QUIET_SECONDS), 60)
    before, operators = _versions(bench), _operators(bench)
    assert {name.split("/")[0] for name in before} >= {"HTTPRoute", "HorizontalPodAutoscaler", "PodDisruptionBudget"}
    bench.target.kubectl("rollout", "restart", OPERATOR)
    wait_until("another operator having looked", lambda: _looked(bench, _operators(bench) - operators), 120)
    wait_until("the first operator being gone", lambda: not operators & _operators(bench), 60)
    assert _versions(bench, after=QUIET_SECONDS) == before


def _versions(bench: Workbench, after: float = 0) -> dict[str, str]:
    """The versions of the resource and of all that it owns, now or after some seconds."""
    time.sleep(after)
    found = {**bench.items(KINDS), "self": bench.read("kronosdeployment", NAME)}
    return {name: item["metadata"]["resourceVersion"] for name, item in found.items()}


def _operators(bench: Workbench) -> set[str]:
    return {pod["metadata"]["name"] for pod in bench.target.read("pods", "-l", SELECTOR)["items"]}


def _looked(bench: Workbench, operators: set[str]) -> bool:
    """Whether one of these operators has reconciled the resource: only then it tells of its conditions."""
    return any(f'namespace="{bench.namespace}"' in _metrics(bench, operator) for operator in operators)


def _metrics(bench: Workbench, operator: str) -> str:
    namespace = bench.target.read("pods", "-l", SELECTOR)["items"][0]["metadata"]["namespace"]
    try:
        return bench.target.kubectl(
            "get", "--raw", f"/api/v1/namespaces/{namespace}/pods/{operator}:8080/proxy/metrics"
        )
    except StepFailed:  # it does not listen yet
        return ""
