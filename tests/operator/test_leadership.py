"""The election, on a store in memory and a clock of its own."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from kronos_operator.api import Manifest
from kronos_operator.leadership import Leadership, LeadershipLost, LeaseConflict, Terms

TERMS = Terms(duration=15, renew=10, retry=0.005)


class Store:
    """Keeps versions like the API server; can be away."""

    def __init__(self) -> None:
        self.lease: Manifest | None = None
        self.away = False
        self.writes = 0

    async def read(self) -> Manifest | None:
        if self.away:
            raise ConnectionError("away")
        return self.lease

    async def write(self, lease: Manifest) -> None:
        if self.away:
            raise ConnectionError("away")
        version = (self.lease or {}).get("metadata", {}).get("resourceVersion")
        if lease.get("metadata", {}).get("resourceVersion") != version:
            raise LeaseConflict
        self.writes += 1
        self.lease = {**lease, "metadata": {"resourceVersion": self.writes}}

    @property
    def record(self) -> dict[str, Any]:
        assert self.lease
        spec: dict[str, Any] = self.lease["spec"]
        return spec


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def candidate(store: Store, clock: Clock) -> Callable[[str], Leadership]:
    return lambda name: Leadership(store, name, TERMS, clock)


async def acquired(leadership: Leadership) -> None:
    await asyncio.wait_for(leadership.acquire(), 10)


async def test_the_first_takes_a_free_lease(store: Store, candidate: Callable[[str], Leadership]) -> None:
    first = candidate("first")
    await acquired(first)
    assert first.is_leader
    assert store.record["holderIdentity"] == "first"


@pytest.mark.parametrize("rendered", [{"metadata": {"resourceVersion": None}}, {"spec": {}, "metadata": {}}])
async def test_an_empty_lease_is_free(store: Store, candidate: Callable[[str], Leadership], rendered: Manifest) -> None:
    store.lease = rendered
    await acquired(candidate("first"))
    assert store.record["holderIdentity"] == "first"


async def test_a_lease_is_taken_over_only_once_it_was_silent_for_its_duration(
    store: Store, clock: Clock, candidate: Callable[[str], Leadership]
) -> None:
    await acquired(candidate("first"))
    second = candidate("second")
    waiting = asyncio.create_task(second.acquire())
    for _ in range(3):
        await asyncio.sleep(0.05)
        clock.now += 5
    await asyncio.sleep(0.05)
    assert not second.is_leader
    clock.now += 1
    await asyncio.wait_for(waiting, 10)
    assert (store.record["holderIdentity"], store.record["leaseTransitions"]) == ("second", 2)


async def test_a_leader_that_renews_stays(store: Store, clock: Clock, candidate: Callable[[str], Leadership]) -> None:
    first, second = candidate("first"), candidate("second")
    await acquired(first)
    holding, waiting = asyncio.create_task(first.hold()), asyncio.create_task(second.acquire())
    for _ in range(10):
        clock.now += 4
        await asyncio.sleep(0.05)
    assert first.is_leader
    assert store.record["holderIdentity"] == "first"
    holding.cancel()
    waiting.cancel()


async def test_a_leader_that_cannot_renew_ends_before_anybody_takes_over(
    store: Store, clock: Clock, candidate: Callable[[str], Leadership]
) -> None:
    first = candidate("first")
    await acquired(first)
    store.away = True
    holding = asyncio.create_task(first.hold())
    clock.now += 9
    await asyncio.sleep(0.05)
    assert not holding.done()
    clock.now += 2
    with pytest.raises(LeadershipLost):
        await asyncio.wait_for(holding, 10)


async def test_a_leader_that_was_frozen_may_not_write(clock: Clock, candidate: Callable[[str], Leadership]) -> None:
    first = candidate("first")
    await acquired(first)
    first.check()
    clock.now += 11
    with pytest.raises(LeadershipLost):
        first.check()


async def test_a_leader_that_finds_another_ends(store: Store, candidate: Callable[[str], Leadership]) -> None:
    first = candidate("first")
    await acquired(first)
    store.lease = {"metadata": {"resourceVersion": 99}, "spec": {"holderIdentity": "second"}}
    with pytest.raises(LeadershipLost, match="second leads"):
        await asyncio.wait_for(first.hold(), 10)


async def test_a_released_lease_is_taken_at_once(store: Store, candidate: Callable[[str], Leadership]) -> None:
    first, second = candidate("first"), candidate("second")
    await acquired(first)
    await first.release()
    assert not first.is_leader
    await acquired(second)
    assert store.record["holderIdentity"] == "second"


async def test_who_does_not_lead_may_not_write(candidate: Callable[[str], Leadership]) -> None:
    with pytest.raises(LeadershipLost):
        candidate("first").check()
