"""The number of pods belongs to whom the resource leaves it: nobody else's number is ever reset."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from cluster import demo
from cluster.metrics_server import require_metrics_server
from e2e.load import Load, Request
from e2e.replica_history import replica_history
from e2e.workbench import NAME, NOWHERE, Workbench, resource, wait_until

pytestmark = pytest.mark.e2e

DEPLOYMENT = f"deployment/{NAME}-cpu"
# Per cent of the requested tenth of a core: a few forecasts a second are more.
BUSY = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
STAYS_UP = {"scaleDown": {"stabilizationWindowSeconds": 3600}}
AUTOSCALING = {"minReplicas": 1, "maxReplicas": 2, "metrics": [BUSY], "behavior": STAYS_UP}
RESOURCES = {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"cpu": "1", "memory": "2Gi"}}
Scaler = Callable[[Workbench, int], Any]


def test_a_real_autoscaler_scales_the_cpu_pool_under_load_and_is_never_reset(bench: Workbench) -> None:
    require_metrics_server(bench.target)
    host = f"{bench.namespace}.example.com"
    pool = {"autoscaling": AUTOSCALING, "resources": RESOURCES}
    bench.apply(resource({"cpu": pool, "ingress": {"hosts": [host]}}))
    wait_until("one pod ready", lambda: bench.ready() and bench.replicas("cpu") == 1, 180)
    headers = (("Host", host), ("Content-Type", "application/json"))
    forecast = Request(
        bench.target.ingress_url(NAME), "/v1/predict/single", json.dumps(demo.request()).encode(), headers
    )
    with replica_history(bench, "cpu") as history:
        with Load(forecast, per_second=4) as load:
            wait_until("the autoscaler asking for a second pod", lambda: bench.replicas("cpu") == 2, 180)
        assert load.since(0), "forecasts were the load"
        wait_until("two pods ready", lambda: len(_ready_pods(bench)) == 2, 180)
        _edit_and_wait(bench)
    assert history.changes == [1, 2]
    assert _owners_of_replicas(bench) == {"kube-controller-manager"}


def _keda(bench: Workbench, number: int) -> None:
    """By server-side apply, with force, as controllers do: whoever gave a number before is still in the books."""
    scale = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": f"{NAME}-cpu"}}
    how = ["--server-side", "--field-manager=keda", "--force-conflicts"]
    bench.pipe({**scale, "spec": {"replicas": number}}, "apply", *how, "-f", "-")


def _kubectl_scale(bench: Workbench, number: int) -> None:
    bench.kubectl("scale", DEPLOYMENT, f"--replicas={number}")


@pytest.mark.parametrize("scale", [_keda, _kubectl_scale], ids=["keda", "kubectl scale"])
def test_a_number_that_the_resource_leaves_open_is_never_reset(bench: Workbench, scale: Scaler) -> None:
    bench.apply(resource({"cpu": {"nodeSelector": NOWHERE}}))
    wait_until("the Deployment", lambda: bench.replicas("cpu") == 1, 30)
    with replica_history(bench, "cpu") as history:
        for number in (3, 2):
            scale(bench, number)
            _edit_and_wait(bench)
    assert history.changes == [1, 3, 2]


def test_changing_who_scales_never_changes_the_number_of_pods(bench: Workbench) -> None:
    bench.apply(resource({"cpu": {"replicas": 3, "nodeSelector": NOWHERE}}))
    wait_until("three pods", lambda: len(bench.items("pods")) == 3, 60)
    pods = bench.items("pods").keys()
    scalers: list[dict[str, Any]] = [
        {"replicas": None, "autoscaling": {"minReplicas": 1, "maxReplicas": 5}},
        {"replicas": 3, "autoscaling": None},
        {"replicas": None},
        {"autoscaling": {"minReplicas": 1, "maxReplicas": 5}},
        {"autoscaling": None},
        {"replicas": 3},
    ]
    with replica_history(bench, "cpu") as history:
        for fields in scalers:
            bench.patch({"cpu": fields})
            wait_until("the change being seen", lambda: bench.condition("Ready") != {}, 30)
            assert bool(bench.items("horizontalpodautoscalers")) == bool(fields.get("autoscaling"))
            assert ("kronos-operator" in _owners_of_replicas(bench)) == bool(fields.get("replicas"))
    assert history.changes == [3]
    assert bench.items("pods").keys() == pods


def test_a_number_that_the_resource_declares_is_put_back(bench: Workbench) -> None:
    bench.apply(resource({"cpu": {"replicas": 2, "nodeSelector": NOWHERE}}))
    wait_until("the Deployment", lambda: bench.replicas("cpu") == 2, 30)
    with replica_history(bench, "cpu") as history:
        _kubectl_scale(bench, 4)
        wait_until("the declared number", lambda: bench.replicas("cpu") == 2, 10)
    assert history.changes == [2, 4, 2]


def _edit_and_wait(bench: Workbench) -> None:
    """Change the Deployment in another field, so that the operator has applied it anew."""
    seconds = bench.read("kronosdeployment", NAME)["metadata"]["generation"] + 100
    bench.patch({"cpu": {"rollout": {"progressDeadlineSeconds": seconds}}})
    wait_until("the edit", lambda: _deployment(bench)["spec"]["progressDeadlineSeconds"] == seconds, 30)


def _deployment(bench: Workbench) -> dict[str, Any]:
    found: dict[str, Any] = bench.items("deployments")[f"Deployment/{NAME}-cpu"]
    return found


def _owners_of_replicas(bench: Workbench) -> set[str]:
    """Who holds the number of the CPU pool, by server-side apply or by updates."""
    live = json.loads(bench.kubectl("get", DEPLOYMENT, "-o", "json", "--show-managed-fields"))
    entries = live["metadata"]["managedFields"]
    return {entry["manager"] for entry in entries if "f:replicas" in entry["fieldsV1"].get("f:spec", {})}


def _ready_pods(bench: Workbench) -> list[str]:
    pods = bench.items("pods")
    return [
        name
        for name, pod in pods.items()
        if any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", ()))
    ]
