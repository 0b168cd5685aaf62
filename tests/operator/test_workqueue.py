"""The queue of keys."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from kronos_operator.workqueue import Backoff, Urgency, WorkQueue

Work = Callable[[str], Awaitable[float | None]]
AT_ONCE = Backoff(first=0.001, longest=0.001)


@asynccontextmanager
async def running(
    work: Work, workers: int = 4, asked_delay: Callable[[Exception], float] = lambda _: 0
) -> AsyncIterator[WorkQueue[str]]:
    queue = WorkQueue(work, workers=workers, backoff=AT_ONCE, asked_delay=asked_delay)
    task = asyncio.create_task(queue.run())
    try:
        yield queue
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - any predicate, no event to wait for
            await asyncio.sleep(0.001)


class Gate:
    """Work that waits until it is opened, and remembers what it was given."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.begun: list[str] = []
        self.busiest = 0
        self._busy = 0

    async def __call__(self, key: str) -> None:
        self.begun.append(key)
        self._busy += 1
        self.busiest = max(self.busiest, self._busy)
        await self.open.wait()
        self._busy -= 1


async def test_keys_added_while_waiting_are_merged() -> None:
    gate = Gate()
    async with running(gate, workers=1) as queue:
        queue.add("first")
        await eventually(lambda: gate.begun == ["first"])
        for _ in range(5):
            queue.add("second")
        gate.open.set()
        await eventually(lambda: len(gate.begun) == 2)
        await asyncio.sleep(0.01)
    assert gate.begun == ["first", "second"]


async def test_a_key_added_during_its_work_runs_once_more_and_never_at_the_same_time() -> None:
    gate = Gate()
    async with running(gate) as queue:
        queue.add("key")
        await eventually(lambda: gate.begun == ["key"])
        queue.add("key")
        queue.add("key")
        await asyncio.sleep(0.01)
        assert gate.begun == ["key"]
        gate.open.set()
        await eventually(lambda: len(gate.begun) == 2)
    assert gate.busiest == 1


async def test_different_keys_are_worked_on_together() -> None:
    gate = Gate()
    async with running(gate) as queue:
        for key in "abc":
            queue.add(key)
        await eventually(lambda: gate.busiest == 3)


async def test_a_failure_is_retried_and_does_not_stop_the_others() -> None:
    done: list[str] = []
    failures = iter([True, True, False])

    async def work(key: str) -> None:
        if key == "bad" and next(failures):
            raise RuntimeError("no")
        done.append(key)

    async with running(work, workers=1) as queue:
        queue.add("bad")
        queue.add("good")
        await eventually(lambda: len(done) == 2)
    assert done == ["good", "bad"]


async def test_the_urgent_overtake_and_equals_keep_their_order() -> None:
    gate = Gate()
    async with running(gate, workers=1) as queue:
        queue.add("at work")
        await eventually(lambda: gate.begun == ["at work"])
        queue.add("looked at now and then", Urgency.LOW)
        queue.add("first changed")
        queue.add("second changed")
        queue.add("edited", Urgency.HIGH)
        gate.open.set()
        await eventually(lambda: len(gate.begun) == 5)
    assert gate.begun[1:] == ["edited", "first changed", "second changed", "looked at now and then"]


async def test_a_waiting_key_becomes_more_urgent_never_less_and_runs_once() -> None:
    gate = Gate()
    async with running(gate, workers=1) as queue:
        queue.add("at work")
        await eventually(lambda: gate.begun == ["at work"])
        queue.add("other")
        queue.add("key", Urgency.LOW)
        queue.add("key", Urgency.HIGH)
        queue.add("key", Urgency.LOW)
        gate.open.set()
        await eventually(lambda: len(gate.begun) == 3)
        await asyncio.sleep(0.01)
    assert gate.begun[1:] == ["key", "other"]


async def test_who_asked_for_patience_gets_it() -> None:
    runs: list[float] = []

    async def work(_: str) -> None:
        runs.append(asyncio.get_running_loop().time())
        if len(runs) == 1:
            raise ConnectionError("busy")

    async with running(work, asked_delay=lambda _: 0.2) as queue:
        queue.add("key")
        await eventually(lambda: len(runs) == 2)
    assert runs[1] - runs[0] >= 0.2


async def test_work_may_ask_to_run_again_by_itself() -> None:
    runs: list[str] = []

    async def work(key: str) -> float | None:
        runs.append(key)
        return 0.001 if len(runs) < 3 else None

    async with running(work) as queue:
        queue.add("key")
        await eventually(lambda: len(runs) == 3)


async def test_the_earliest_delayed_add_wins() -> None:
    runs: list[str] = []

    async def work(key: str) -> None:
        runs.append(key)

    async with running(work) as queue:
        queue.add_after("key", 0.01)
        queue.add_after("key", 3600)
        await eventually(lambda: runs == ["key"])


async def test_an_add_replaces_a_delayed_one() -> None:
    runs: list[str] = []

    async def work(key: str) -> None:
        runs.append(key)

    async with running(work) as queue:
        queue.add_after("key", 0.05)
        queue.add("key")
        await eventually(lambda: runs == ["key"])
        await asyncio.sleep(0.1)
    assert runs == ["key"]


async def test_a_routine_look_leaves_a_clock_running() -> None:
    """A clock may have to fire while many keys are looked at for no reason but the time that has passed."""
    gate = Gate()
    async with running(gate, workers=1) as queue:
        queue.add("at work")
        await eventually(lambda: gate.begun == ["at work"])
        queue.add_after("clock", 0.01)
        queue.add("routine", Urgency.LOW)
        queue.add("clock", Urgency.LOW)
        await asyncio.sleep(0.05)
        gate.open.set()
        await eventually(lambda: len(gate.begun) == 3)
    assert gate.begun[1:] == ["clock", "routine"]


@pytest.mark.parametrize(("failures", "most"), [(1, 0.5), (2, 1.0), (4, 4.0), (20, 30.0), (5000, 30.0)])
def test_delays_double_up_to_a_limit_and_differ(failures: int, most: float) -> None:
    delays = {Backoff().delay(failures) for _ in range(20)}
    assert len(delays) > 1
    assert all(most / 2 <= delay <= most for delay in delays)
