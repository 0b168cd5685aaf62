"""Which pool a route selects, as a table of facts and decisions."""

from datetime import UTC, datetime, timedelta

import pytest

from kronos_operator.api import PoolName
from kronos_operator.api.spec import Failover
from kronos_operator.plan.clocks import Availability
from kronos_operator.plan.routing import Candidate, Choice, choose, home

NOW = datetime(2026, 1, 2, tzinfo=UTC)
RULE = Failover(after_seconds=3, back_after_seconds=30)


def up(seconds: float = 1000, **facts: bool) -> Candidate:
    return Candidate(Availability(NOW - timedelta(seconds=seconds), None), **facts)


def down(seconds: float = 1000, **facts: bool) -> Candidate:
    return Candidate(Availability(None, NOW - timedelta(seconds=seconds)), **facts)


@pytest.mark.parametrize(
    ("current", "gpu", "cpu", "chosen"),
    [
        # At home (gpu), and what happens to it.
        ("gpu", up(), up(), Choice("gpu")),
        ("gpu", down(1), up(), Choice("gpu", 2.0)),
        ("gpu", down(3), up(), Choice("cpu")),
        ("gpu", down(), down(), Choice("gpu")),
        ("gpu", down(), up(wanted=False), Choice("gpu")),
        ("gpu", down(), up(leaving=True), Choice("gpu")),
        # A planned loss moves the route at once, if anybody else answers.
        ("gpu", up(leaving=True), up(), Choice("cpu")),
        ("gpu", up(leaving=True), down(), Choice("gpu")),
        # Away (cpu): back once home is steady.
        ("cpu", up(10), up(), Choice("cpu", 20.0)),
        ("cpu", up(30), up(), Choice("gpu")),
        ("cpu", down(), up(), Choice("cpu")),
        ("cpu", up(leaving=True), up(), Choice("cpu")),
        # Away, and the other pool fails as well: home at once.
        ("cpu", up(1), down(1), Choice("gpu")),
        ("cpu", up(1), up(wanted=False), Choice("gpu")),
        ("cpu", down(), down(), Choice("cpu")),
        # On its first start a pool has no record of failing: no need to wait for steadiness.
        ("cpu", up(0, proven=False), up(), Choice("gpu")),
        # A pool of zero replicas leaves its routes to the other.
        ("gpu", up(wanted=False), up(), Choice("cpu")),
        ("gpu", down(0, wanted=False), up(1), Choice("cpu")),
        ("cpu", down(wanted=False), up(), Choice("cpu")),
        ("gpu", up(wanted=False), down(), Choice("gpu")),
        # Nothing selected yet: home.
        (None, down(0), up(), Choice("gpu")),
        (None, down(wanted=False), down(), Choice("cpu")),
    ],
)
def test_a_route_that_prefers_the_gpu_pool(
    current: PoolName | None, gpu: Candidate, cpu: Candidate, chosen: Choice
) -> None:
    assert choose(current, "gpu", {"cpu": cpu, "gpu": gpu}, RULE, NOW) == chosen


def test_both_pools_are_treated_alike() -> None:
    assert choose("cpu", "cpu", {"cpu": down(3), "gpu": up()}, RULE, NOW) == Choice("gpu")


def test_disabled_failover_never_moves_a_route() -> None:
    rule = Failover(mode="Disabled")
    assert choose("gpu", "gpu", {"cpu": up(), "gpu": down()}, rule, NOW) == Choice("gpu")
    assert choose("cpu", "gpu", {"cpu": up(), "gpu": down()}, rule, NOW) == Choice("gpu")


@pytest.mark.parametrize(
    ("gpu", "cpu", "belongs"),
    [
        (up(), up(), "gpu"),
        (down(), up(), "gpu"),
        (up(wanted=False), up(), "cpu"),
        (up(wanted=False), up(wanted=False), "gpu"),
    ],
)
def test_a_route_belongs_to_its_pool_unless_that_is_scaled_to_zero(
    gpu: Candidate, cpu: Candidate, belongs: PoolName
) -> None:
    assert home("gpu", {"cpu": cpu, "gpu": gpu}) == belongs
