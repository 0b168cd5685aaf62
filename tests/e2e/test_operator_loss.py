"""An operator that is killed loses nothing."""

import time
from typing import Any

import pytest

from cluster.cgroups import processes_of_pod
from cluster.processes import kill
from cluster.release import RELEASE
from cluster.target import LOCAL_KIND
from e2e.workbench import NAME, Workbench, idle_pools, resource, wait_until

pytestmark = pytest.mark.e2e

SELECTOR = f"app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component=operator"


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.05, 0.1, 0.2])
def test_an_edit_survives_the_operator_being_killed_in_its_middle(bench: Workbench, delay: float) -> None:
    bench.apply(resource(idle_pools()))
    wait_until("both Deployments", lambda: bench.replicas("cpu") == bench.replicas("gpu") == 1, 90)
    wait_until("the operator", lambda: operator_runs(bench), 90)
    before = {name: item["metadata"]["uid"] for name, item in bench.items().items()}
    bench.patch({"cpu": {"replicas": 3}, "gpu": {"replicas": 2}})
    time.sleep(delay)  # where in the reconcile the operator dies
    kill_operator(bench)
    wait_until("the edit", lambda: (bench.replicas("cpu"), bench.replicas("gpu")) == (3, 2), 120)
    wait_until("the status", lambda: bench.condition("Ready") != {}, 120)
    after = {name: item["metadata"]["uid"] for name, item in bench.items().items()}
    assert before.items() <= after.items(), "an object was made anew"


def test_a_resource_made_while_the_operator_is_down_is_served_afterwards(bench: Workbench) -> None:
    wait_until("the operator", lambda: operator_runs(bench), 90)
    kill_operator(bench)
    bench.apply(resource(idle_pools()))
    wait_until("both Deployments", lambda: bench.replicas("cpu") == bench.replicas("gpu") == 1, 120)
    assert bench.read("kronosdeployment", NAME)["metadata"].get("finalizers") is None


def kill_operator(bench: Workbench) -> None:
    """kill -9 where the node's processes are in reach; then the pod goes, since the kubelet backs off from restarts."""
    [pod] = operators(bench)
    if bench.target.kind == LOCAL_KIND:
        pids = processes_of_pod(pod["metadata"]["uid"], "python")
        assert pids, "the operator runs"
        kill(pids)
    bench.target.kubectl("delete", "pod", pod["metadata"]["name"], "--grace-period=0", "--force")


def operator_runs(bench: Workbench) -> bool:
    return len(operators(bench)) == 1


def operators(bench: Workbench) -> list[dict[str, Any]]:
    return [pod for pod in bench.target.read("pods", "-l", SELECTOR)["items"] if _lives(pod)]


def _lives(pod: dict[str, Any]) -> bool:
    return "deletionTimestamp" not in pod["metadata"] and all(
        "running" in container["state"] for container in pod["status"].get("containerStatuses", [{"state": {}}])
    )
