"""The shared queue, with engines that do nothing but remember their orders."""

import asyncio
import time
from typing import Any

import numpy as np
import pytest

from kronos_server.dispatch import Dispatcher, Phase
from kronos_server.errors import ClientGone, ForecastError, InvalidRequest, Overloaded, Unavailable
from kronos_server.estimates import Capacity
from kronos_server.forecasts import Forecast, Job, Sampling, Versions
from kronos_server.scheduler import Outcome
from kronos_server.seats import Answer
from kronos_server.worker import Cancel, Heartbeat, Lost, Order, Warm
from model.costs import Rates

START = np.datetime64("2024-01-02", "us")
# A second a row and path, 100 tokens of memory.
CAPACITY = Capacity(512, 100, Rates(0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0))


def job(number: int, horizon: int = 1, patience: float = 1e9, samples: int = 1) -> Job:
    times = START + np.arange(horizon) * np.timedelta64(1, "m")
    sampling = Sampling(1.0, 0, 0.9, samples)
    return Job(number, np.ones((1, 6)), times[:1], times, sampling, time.monotonic() + patience)


class Recorder:
    """An engine's handle."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.orders: list[Order] = []

    def order(self, order: Order) -> None:
        self.orders.append(order)

    @property
    def jobs(self) -> list[int]:
        return [order.id for order in self.orders if isinstance(order, Job)]


class Bench:
    """A dispatcher before some warm engines."""

    def __init__(self, engines: int = 1, most: int = 2, queue: int = 4) -> None:
        self.lost: list[str] = []
        self.dispatcher = Dispatcher(most, queue, self.lost.append)
        self.engines = [Recorder(f"cpu:{index}") for index in range(engines)]
        for engine in self.engines:
            self.dispatcher.engage(engine)

    def warm(self) -> "Bench":
        for engine in self.engines:
            self.dispatcher.report(engine, Warm(Versions("m", "t"), CAPACITY))
        return self

    async def submit(self, *jobs: Job, pinned: int | None = None) -> "asyncio.Task[list[Answer | ForecastError]]":
        task = asyncio.create_task(self.dispatcher.submit(jobs, pinned))
        await asyncio.sleep(0)
        return task

    def finish(self, number: int, engine: int = 0, seconds: float = 1.0) -> None:
        forecast = Forecast(np.ones((1, 6)), self.engines[engine].device, 1, 0, seconds=seconds)
        self.dispatcher.report(self.engines[engine], Outcome(number, forecast))


def test_it_is_ready_when_every_engine_is_warm() -> None:
    bench = Bench(engines=2)
    bench.dispatcher.report(bench.engines[0], Warm(Versions("m", "t"), CAPACITY))
    assert bench.dispatcher.phase is Phase.LOADING
    bench.dispatcher.report(bench.engines[1], Warm(Versions("m", "t"), CAPACITY))
    assert bench.dispatcher.phase is Phase.READY


async def test_while_loading_jobs_are_refused() -> None:
    with pytest.raises(Unavailable, match="loading"):
        await Bench().dispatcher.submit([job(1)])


async def test_answers_come_in_the_order_of_the_jobs() -> None:
    bench = Bench(engines=2).warm()
    task = await bench.submit(job(1), job(2))
    bench.finish(2, engine=1)
    bench.finish(1, engine=0)
    answers = await task
    assert [each.forecast.device for each in answers if isinstance(each, Answer)] == ["cpu:0", "cpu:1"]


async def test_the_least_busy_engine_takes_the_next_job() -> None:
    bench = Bench(engines=2, most=3).warm()
    tasks = [await bench.submit(job(number)) for number in range(1, 5)]
    assert [engine.jobs for engine in bench.engines] == [[1, 3], [2, 4]]
    bench.finish(2, engine=1)
    bench.finish(4, engine=1)
    tasks.append(await bench.submit(job(5)))
    assert bench.engines[1].jobs == [2, 4, 5]
    for task in tasks:
        task.cancel()


async def test_a_free_engine_takes_what_waits() -> None:
    bench = Bench(engines=2, most=1).warm()
    task = await bench.submit(*(job(number) for number in range(1, 5)))
    bench.finish(2, engine=1)
    assert bench.engines[1].jobs == [2, 3]
    assert bench.dispatcher.queued == 1
    task.cancel()


async def test_an_engine_gets_no_more_than_its_memory_holds() -> None:
    bench = Bench(most=9).warm()
    task = await bench.submit(job(1, horizon=60), job(2, horizon=60))
    assert bench.engines[0].jobs == [1]
    bench.finish(1)
    assert bench.engines[0].jobs == [1, 2]
    task.cancel()


async def test_a_job_larger_than_all_memory_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="memory"):
        await Bench().warm().dispatcher.submit([job(1, horizon=60, samples=2)])


async def test_a_pinned_job_waits_for_its_engine_and_lets_others_pass() -> None:
    bench = Bench(engines=2, most=1).warm()
    task = await bench.submit(job(1), pinned=0)
    waiting = await bench.submit(job(2), pinned=0)
    passing = await bench.submit(job(3))
    assert [engine.jobs for engine in bench.engines] == [[1], [3]]
    bench.finish(1)
    assert bench.engines[0].jobs == [1, 2]
    for each in (task, waiting, passing):
        each.cancel()


async def test_a_full_queue_is_refused() -> None:
    bench = Bench(most=1, queue=2).warm()
    tasks = [await bench.submit(job(number)) for number in (1, 2, 3)]
    with pytest.raises(Overloaded, match="full") as refusal:
        await bench.dispatcher.submit([job(4)])
    assert refusal.value.retry_after == pytest.approx(2.0)
    for task in tasks:
        task.cancel()


async def test_a_job_that_an_idle_server_could_not_finish_is_invalid() -> None:
    with pytest.raises(InvalidRequest, match=r"takes about 9\.00 s on an idle server"):
        await Bench().warm().dispatcher.submit([job(1, horizon=9, patience=5)])


async def test_a_job_that_the_queue_makes_late_is_refused_at_once() -> None:
    bench = Bench(most=1).warm()
    task = await bench.submit(job(1, horizon=9), job(2, horizon=9))
    with pytest.raises(Overloaded, match="deadline") as refusal:
        await bench.dispatcher.submit([job(3, horizon=9, patience=12)])
    assert refusal.value.retry_after
    with pytest.raises(Overloaded, match="deadline"):
        bench.dispatcher.check_open(time.monotonic() + 5)
    task.cancel()


async def test_a_waiting_job_that_has_become_too_late_is_refused_before_it_is_begun() -> None:
    bench = Bench(most=2).warm()
    slow = await bench.submit(job(1, horizon=9), job(2))
    late = await bench.submit(job(3, patience=4))
    clock = time.monotonic() + 3.5
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: clock)
        bench.finish(2)
    (result,) = await late
    assert isinstance(result, Overloaded)
    assert result.retry_after is not None
    assert bench.engines[0].jobs == [1, 2]
    slow.cancel()


async def test_a_cancelled_waiter_frees_the_queue_and_the_engine() -> None:
    bench = Bench(most=1).warm()
    task = await bench.submit(job(1), job(2))
    task.cancel()
    await asyncio.wait([task])
    assert bench.dispatcher.queued == 0
    assert bench.engines[0].orders[1:] == [Cancel(1)]
    bench.dispatcher.report(bench.engines[0], Outcome(1, ClientGone("gone")))
    assert bench.dispatcher.computing == 0


async def test_a_failed_job_is_told_to_its_waiter_only() -> None:
    bench = Bench().warm()
    first, second = await bench.submit(job(1)), await bench.submit(job(2))
    bench.dispatcher.report(bench.engines[0], Outcome(1, ClientGone("gone")))
    bench.finish(2)
    assert isinstance((await first)[0], ClientGone)
    assert isinstance((await second)[0], Answer)


async def test_what_is_late_slows_the_pace() -> None:
    bench = Bench().warm()
    task = await bench.submit(job(1, patience=1.5))
    before = bench.dispatcher.load.pace
    await asyncio.sleep(1.6)
    bench.dispatcher.report(bench.engines[0], Outcome(1, ClientGone("late")))
    assert bench.dispatcher.load.pace < before
    task.cancel()


async def test_a_lost_engine_is_told_to_every_waiter_and_passed_on_once() -> None:
    bench = Bench(most=1).warm()
    tasks = [await bench.submit(job(number)) for number in (1, 2)]
    for _ in range(2):
        bench.dispatcher.report(bench.engines[0], Lost("power cut"))
    for task in tasks:
        (result,) = await task
        assert isinstance(result, Unavailable)
    assert bench.lost == ["power cut"]
    assert bench.dispatcher.phase is Phase.LOST
    with pytest.raises(Unavailable):
        bench.dispatcher.check_open(1e9)


async def test_what_cannot_be_finished_at_the_end_is_answered() -> None:
    bench = Bench(most=1).warm()
    task = await bench.submit(job(1), job(2))
    bench.dispatcher.drain()
    bench.dispatcher.fail_all(Unavailable("ending"))
    assert all(isinstance(result, Unavailable) for result in await task)
    assert bench.dispatcher.phase is Phase.DRAINING


def test_an_engine_without_a_sign_of_life_fails_liveness(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    assert bench.dispatcher.alive(), "loading is no sign of death"
    bench.warm()
    assert bench.dispatcher.alive()
    later = time.monotonic() + 61
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert not bench.dispatcher.alive()
    bench.dispatcher.report(bench.engines[0], Heartbeat((), 0.0))
    assert bench.dispatcher.alive()


def test_heartbeats_are_passed_on_with_their_device() -> None:
    seen: list[Any] = []
    bench = Bench().warm()
    bench.dispatcher.watch(lambda device, heartbeat: seen.append((device, heartbeat.busy_seconds)))
    bench.dispatcher.report(bench.engines[0], Heartbeat((), 7.0))
    assert seen == [("cpu:0", 7.0)]
