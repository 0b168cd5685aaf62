"""Owned objects are kept as declared, and go with their owner."""

import json
import time
from typing import Any

import pytest

from cluster.layout import layout
from cluster.release import RELEASE
from e2e.workbench import KINDS, NAME, Workbench, idle_pools, resource, wait_until

pytestmark = pytest.mark.e2e

REPAIR_SECONDS = 5
QUIET_SECONDS = 60
WRITES = {"create", "update", "patch", "delete", "deletecollection"}
# An edit of each owned kind, at fields that are ours.
EDITS = {
    "Deployment": {"spec": {"template": {"spec": {"containers": [{"name": "server", "image": "wrong"}]}}}},
    "Service": {"spec": {"selector": {"kronos.dev/pool": "wrong"}}},
    "Ingress": {"spec": {"rules": [{"host": "wrong.example.com"}]}},
    "ServiceAccount": {"automountServiceAccountToken": True},
    "PodDisruptionBudget": {"spec": {"maxUnavailable": 2}},
}


@pytest.fixture
def owned(bench: Workbench) -> dict[str, Any]:
    """Every object that the operator owns for a resource with both pools and an Ingress."""
    bench.apply(resource(idle_pools(cpu=2, gpu=2)))
    wait_until("the Ingress", lambda: f"Ingress/{NAME}" in bench.items(), 30)
    wait_until("the status", lambda: bench.condition("Ready") != {}, 30)
    return bench.items()


def test_every_hand_deleted_object_is_back(bench: Workbench, owned: dict[str, Any]) -> None:
    assert {name.split("/")[0] for name in owned} == set(EDITS)
    for name, item in owned.items():
        bench.kubectl("delete", item["kind"], item["metadata"]["name"], "--wait=true")
        wait_until(f"{name} being back", lambda name=name, old=item: _is_back(bench, name, old), REPAIR_SECONDS)


def test_every_hand_edited_object_is_repaired(bench: Workbench, owned: dict[str, Any]) -> None:
    for name, item in owned.items():
        change = json.dumps(EDITS[item["kind"]])
        bench.kubectl("patch", item["kind"], item["metadata"]["name"], "--type=strategic", "-p", change)
        wait_until(f"{name} being repaired", lambda name=name, old=item: _is_like(bench, name, old), REPAIR_SECONDS)


@pytest.mark.usefixtures("owned")
def test_fields_and_annotations_of_others_are_left_alone(bench: Workbench) -> None:
    bench.kubectl("annotate", "deployment", f"{NAME}-cpu", "example.com/note=kept")
    bench.patch({"cpu": {"replicas": 3}})
    wait_until("the edit", lambda: bench.replicas("cpu") == 3, REPAIR_SECONDS)
    assert bench.items()[f"Deployment/{NAME}-cpu"]["metadata"]["annotations"]["example.com/note"] == "kept"


@pytest.mark.usefixtures("owned")
def test_an_idle_operator_writes_nothing(bench: Workbench) -> None:
    wait_until("other tests' namespaces being gone", bench.is_alone, 120)
    wait_until("the first quiet second", lambda: _versions(bench) == _versions(bench, after=1), 30)
    before, began = _versions(bench), time.time()
    time.sleep(QUIET_SECONDS)  # the claim is about a length of time
    assert _versions(bench) == before
    assert [line for line in _writes_since(began) if line["objectRef"]["resource"] != "leases"] == []


@pytest.mark.usefixtures("owned")
def test_deleting_the_resource_with_the_operator_stopped_removes_everything(bench: Workbench) -> None:
    operator = f"deployment/{RELEASE}-operator"
    bench.target.kubectl("scale", operator, "--replicas=0")
    try:
        bench.target.kubectl("rollout", "status", operator, "--timeout=60s")
        wait_until("the operator's pod being gone", lambda: _operator_pods(bench) == 0, 60)
        bench.kubectl("delete", "kronosdeployment", NAME, "--wait=true", "--timeout=10s")
        wait_until("everything being gone", lambda: bench.items(f"{KINDS},replicasets,pods") == {}, 60)
    finally:
        bench.target.kubectl("scale", operator, "--replicas=1")
        bench.target.kubectl("rollout", "status", operator, "--timeout=60s")


def _operator_pods(bench: Workbench) -> int:
    selector = f"app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component=operator"
    return len(bench.target.read("pods", "-l", selector)["items"])


def _is_back(bench: Workbench, name: str, old: dict[str, Any]) -> bool:
    found = bench.items().get(name)
    return found is not None and found["metadata"]["uid"] != old["metadata"]["uid"]


def _is_like(bench: Workbench, name: str, old: dict[str, Any]) -> bool:
    return _declared(bench.items()[name]) == _declared(old)


def _declared(item: dict[str, Any]) -> dict[str, Any]:
    """What people declare: without the server's bookkeeping."""
    return {key: value for key, value in item.items() if key not in {"metadata", "status"}}


def _versions(bench: Workbench, after: float = 0) -> dict[str, str]:
    time.sleep(after)
    found = {**bench.items(), "self": bench.read("kronosdeployment", NAME)}
    return {name: item["metadata"]["resourceVersion"] for name, item in found.items()}


def _writes_since(began: float) -> list[dict[str, Any]]:
    """The operator's write requests of a time, from the audit log of the local cluster; elsewhere there is none."""
    if not layout().audit_log.exists():
        return []
    entries = [json.loads(line) for line in layout().audit_log.read_text().splitlines()]
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(began + 1))
    return [
        entry
        for entry in entries
        if entry["user"]["username"].endswith(f":{RELEASE}-operator")
        and entry["verb"] in WRITES
        and entry["requestReceivedTimestamp"] > stamp
    ]
