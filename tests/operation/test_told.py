"""What Prometheus and users are told."""

from collections.abc import Iterator

import pytest

from cluster.plane import Plane
from cluster.progress import wait_for
from operation.desk import Desk
from running_operator import NO_LEASE, Installed, RunningOperator, running_operator

TRUTHS = {"True": 1, "False": 0, "Unknown": -1}
HYBRID = {"cpu": {"replicas": 0}, "gpu": {"replicas": 0}}


@pytest.fixture
def operator(plane: Plane, installed: Installed, desk: Desk) -> Iterator[RunningOperator]:
    only = {"KRONOS_OPERATOR_WATCH_NAMESPACES": desk.namespace}
    with running_operator(plane, installed, **NO_LEASE, **only) as started:
        wait_for("the probes", lambda: started.probe("/readyz") == 200, 60)
        yield started


def gauges(operator: RunningOperator, family: str) -> dict[tuple[str, ...], float]:
    """The samples of a gauge, by their labels other than the namespace."""
    found = operator.metrics().get(family)
    samples = found.samples if found else []
    return {tuple(v for k, v in sorted(each.labels.items()) if k != "namespace"): each.value for each in samples}


def test_every_condition_and_every_pool_of_every_resource_is_a_gauge(operator: RunningOperator, desk: Desk) -> None:
    names = ("one", "two")
    for name in names:
        desk.declare(name, HYBRID)
    wait_for("both being ready", lambda: all(is_ready(desk, name) for name in names), 60)
    expected = {
        (name, condition["type"]): TRUTHS[condition["status"]]
        for name in names
        for condition in desk.resource(name)["status"]["conditions"]
    }
    wait_for("the gauges", lambda: gauges(operator, "kronos_deployment_condition") == expected, 10)
    assert {kind for _, kind in expected} >= {"Ready", "Available", "CPUPoolReady", "GPUPoolReady", "RouteReady"}
    pools = {(name, pods, pool) for name in names for pods in ("desired", "ready", "updated") for pool in HYBRID}
    assert set(gauges(operator, "kronos_deployment_pool_pods")) == pools
    desk.delete("one")
    wait_for(
        "nothing of it", lambda: {name for name, _ in gauges(operator, "kronos_deployment_condition")} == {"two"}, 10
    )


def test_reconcile_time_and_the_queue_are_told(operator: RunningOperator, desk: Desk) -> None:
    desk.declare("k")
    wait_for("its status", lambda: desk.reconciled() == ["k"], 60)
    families = operator.metrics()
    assert families["kronos_operator_reconcile_seconds"].type == "histogram"
    assert {"kronos_operator_queue_depth", "kronos_operator_queue_age_seconds", "kronos_operator_leader"} <= set(
        families
    )
    good = "kronos_operator_reconcile_seconds_count"
    assert operator.metric("kronos_operator_reconcile_seconds", good, result="success") >= 1
    assert operator.metric("kronos_operator_reconcile_seconds", "kronos_operator_reconcile_seconds_sum") > 0


@pytest.mark.usefixtures("operator")
def test_users_are_told_once_of_every_transition(desk: Desk) -> None:
    desk.declare("k")
    wait_for("it being ready", lambda: is_ready(desk, "k"), 60)
    desk.patch("k", {"paused": True})
    wait_for("the pause", lambda: desk.condition("k", "Stalled").get("status") == "True", 30)
    desk.patch("k", {"paused": False})
    wait_for("the end of the pause", lambda: is_ready(desk, "k"), 30)
    wait_for("all events", lambda: len(desk.events("k")) == 3, 10)
    told = [(event["type"], event["reason"]) for event in desk.events("k")]
    assert told == [("Normal", "Ready"), ("Warning", "Paused"), ("Normal", "Ready")]


def is_ready(desk: Desk, name: str) -> bool:
    return bool(desk.condition(name, "Ready").get("status") == "True")
