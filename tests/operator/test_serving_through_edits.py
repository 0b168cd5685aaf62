"""Whatever is edited, and in whatever order, both routes are answered all the time."""

import copy
import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.operator.simulated_cluster import BROKEN, SimulatedCluster

Spec = dict[str, Any]
GPU: Spec = {"replicas": 1}
BOTH: Spec = {"cpu": {"replicas": 1}, "gpu": GPU}
SETTLED_SECONDS = 150
EDITS = 8


def image(pool: str, name: str) -> Callable[[Spec], Spec]:
    return lambda spec: {**spec, pool: {**spec.get(pool, GPU), "image": name}}


def replicas(pool: str, number: int) -> Callable[[Spec], Spec]:
    return lambda spec: {**spec, pool: {**spec.get(pool, GPU), "replicas": number}}


def strategy(name: str) -> Callable[[Spec], Spec]:
    return lambda spec: {**spec, "gpu": {**spec.get("gpu", GPU), "rollout": {"strategy": name}}}


def context(rows: int) -> Callable[[Spec], Spec]:
    """A change of the model touches both pools."""
    source = {"image": {"reference": "registry/weights:1"}}
    return lambda spec: {**spec, "model": {"name": "kronos", "maxContext": rows, "source": source}}


def without_gpu(spec: Spec) -> Spec:
    return {key: value for key, value in spec.items() if key != "gpu"}


CHANGES: list[Callable[[Spec], Spec]] = [
    *(image(pool, f"registry/server:{tag}") for pool in ("cpu", "gpu") for tag in range(3)),
    *(image(pool, BROKEN) for pool in ("cpu", "gpu")),
    *(context(rows) for rows in (64, 128, 256)),
    *(replicas("gpu", number) for number in (0, 1, 2)),
    *(replicas("cpu", number) for number in (1, 2)),
    *(strategy(name) for name in ("Surge", "Replace")),
    without_gpu,
]


@pytest.fixture(scope="module")
def settled() -> SimulatedCluster:
    """Both pools are up, each with a template that worked."""
    cluster = SimulatedCluster(BOTH)
    for _ in range(60):
        cluster.pass_second()
    return cluster


def pass_seconds(cluster: SimulatedCluster, number: int, history: list[Spec]) -> None:
    for second in range(number):
        cluster.pass_second()
        assert cluster.answers("single"), (second, history)
        assert cluster.answers("batch"), (second, history)


@pytest.mark.parametrize("seed", range(20))
def test_routes_are_answered_through_random_edits_at_random_times(settled: SimulatedCluster, seed: int) -> None:
    chance, cluster, history = random.Random(seed), copy.deepcopy(settled), [BOTH]
    for _ in range(EDITS):
        change = chance.choice(CHANGES)
        cluster.edit(change(cluster.spec))
        history.append(cluster.spec)
        pass_seconds(cluster, chance.choice([1, 3, 10, 30, 60]), history)
    pass_seconds(cluster, SETTLED_SECONDS, history)
    assert_settled(cluster, history)


def test_a_change_to_replace_in_the_middle_of_a_surge_keeps_the_old_pod_until_its_route_has_moved(
    settled: SimulatedCluster,
) -> None:
    cluster, history = copy.deepcopy(settled), [BOTH]
    surge = strategy("Surge")(BOTH)
    for spec in (surge, image("gpu", "registry/server:2")(surge), image("gpu", "registry/server:2")(BOTH)):
        cluster.edit(spec)
        history.append(spec)
        pass_seconds(cluster, 3, history)
    pass_seconds(cluster, SETTLED_SECONDS, history)
    assert_settled(cluster, history)


def assert_settled(cluster: SimulatedCluster, history: list[Spec]) -> None:
    """In the end everything is as declared, unless what is declared is broken."""
    [ready] = [each["status"] for each in cluster.status["conditions"] if each["type"] == "Ready"]
    broken = [pool for pool in cluster.spec.values() if pool.get("image") == BROKEN]
    if not broken:
        assert ready == "True", history
    elif any(pool["replicas"] for pool in broken):
        assert ready == "False", history
