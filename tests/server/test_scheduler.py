"""Continuous batching on an engine that counts instead of computing."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from kronos_server.errors import ClientGone, DeadlineExceeded, ForecastError, OutOfMemory, Unavailable
from kronos_server.forecasts import Forecast, Job, Sampling
from kronos_server.scheduler import Outcome, Scheduler, Step

START = np.datetime64("2024-01-02", "us")


def job(number: int, horizon: int = 2, deadline: float = 1e9, samples: int = 1) -> Job:
    times = START + np.arange(horizon) * np.timedelta64(1, "m")
    return Job(number, np.ones((1, 6)), times[:1], times, Sampling(1.0, 0, 0.9, samples), deadline)


@dataclass(eq=False)
class Counting:
    """A run that is done after as many steps as its job has rows."""

    job: Job
    slides: bool = False
    steps: int = 0
    parts: int = 0

    @property
    def done(self) -> bool:
        return self.steps == self.job.horizon

    @property
    def tokens(self) -> int:
        return self.steps * self.job.sampling.sample_count


@dataclass
class CountingEngine:
    """Remembers who was in which step; runs out of memory above `room` jobs; `second` passes on the clock each call."""

    room: int = 99
    parts: int = 1
    seconds: float = 0.0
    now: float = 0.0
    refuses: set[int] = field(default_factory=set)
    sliding: set[int] = field(default_factory=set)
    prefilled: list[int] = field(default_factory=list)
    batches: list[list[int]] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def prefill(self, asked: Job) -> Counting:
        self.now += self.seconds
        if asked.id in self.refuses:
            raise ValueError("not this one")
        self.prefilled.append(asked.id)
        return Counting(asked, slides=asked.id in self.sliding)

    def step(self, runs: Sequence[Counting]) -> None:
        self.now += self.seconds
        if len(runs) > self.room:
            raise OutOfMemory("too many")
        self.batches.append([run.job.id for run in runs])
        for run in runs:
            run.steps += 1

    def finish(self, run: Counting) -> Forecast | None:
        self.now += self.seconds
        run.parts += 1
        return Forecast(np.ones((run.job.horizon, 6)), "cpu", 1, 0) if run.parts == self.parts else None


def scheduler(engine: CountingEngine, most: int = 16, time_limit: float = 1e9) -> Scheduler[Counting]:
    return Scheduler(engine, most, time_limit, engine.clock)


def finish_all(running: Scheduler[Counting]) -> dict[int, Outcome]:
    outcomes: dict[int, Outcome] = {}
    for _ in range(1000):
        for outcome in running.turn():
            assert outcome.job_id not in outcomes, "a job ends once"
            outcomes[outcome.job_id] = outcome
        if running.idle:
            return outcomes
    raise AssertionError("the scheduler never comes to rest")


def test_jobs_join_and_leave_between_steps() -> None:
    engine = CountingEngine()
    running = scheduler(engine)
    for number in (1, 2, 3):
        running.add(job(number))
    outcomes = finish_all(running)
    assert engine.batches == [[1], [1, 2], [2, 3], [3]]
    assert all(isinstance(outcome.result, Forecast) for outcome in outcomes.values())


def test_at_most_one_context_is_read_between_steps() -> None:
    engine = CountingEngine()
    running = scheduler(engine)
    running.add(job(1))
    running.add(job(2))
    running.turn()
    assert engine.prefilled == [1]


def test_no_more_jobs_step_together_than_allowed() -> None:
    engine = CountingEngine()
    running = scheduler(engine, most=2)
    for number in range(5):
        running.add(job(number, horizon=4))
    assert len(finish_all(running)) == 5
    assert max(map(len, engine.batches)) == 2


def test_a_cancelled_job_is_gone_before_the_next_step() -> None:
    engine = CountingEngine()
    running = scheduler(engine)
    running.add(job(1, horizon=100))
    running.add(job(2))
    running.turn()
    running.cancel(1)
    (outcome,) = running.turn()
    assert isinstance(outcome.result, ClientGone)
    assert engine.batches == [[1], [2]]


@pytest.mark.parametrize("number", [1, 3])
def test_a_waiting_job_can_be_cancelled_and_an_unknown_one_is_ignored(number: int) -> None:
    running = scheduler(CountingEngine(), most=1)
    running.add(job(1, horizon=3))
    running.add(job(2))
    running.cancel(number)
    running.cancel(99)
    outcomes = finish_all(running)
    assert set(outcomes) == {1, 2}
    assert isinstance(outcomes[2].result, Forecast)


def test_a_deadline_is_looked_at_between_steps() -> None:
    engine = CountingEngine(seconds=1.0)
    running = scheduler(engine)
    running.add(job(1, horizon=100, deadline=5.5))
    outcomes = finish_all(running)
    assert isinstance(outcomes[1].result, DeadlineExceeded)
    assert len(engine.batches) == 5


def test_the_time_limit_counts_from_admission() -> None:
    engine = CountingEngine(seconds=1.0, now=100.0)
    running = scheduler(engine, time_limit=3.5)
    running.add(job(1, horizon=100))
    assert isinstance(finish_all(running)[1].result, DeadlineExceeded)
    assert engine.now == pytest.approx(104.0)


def test_finishing_is_sliced_so_that_others_go_on() -> None:
    engine = CountingEngine(seconds=0.06, parts=3)
    running = scheduler(engine)
    running.add(job(1, horizon=1))
    running.add(job(2, horizon=6))
    outcomes = [outcome.job_id for _ in range(3) for outcome in running.turn()]
    assert outcomes == [1]
    assert engine.batches == [[1], [2], [2]]


def test_one_sliding_job_steps_at_a_time_and_in_turn() -> None:
    engine = CountingEngine(sliding={1, 2})
    running = scheduler(engine)
    for number in (1, 2, 3):
        running.add(job(number, horizon=4))
    finish_all(running)
    assert all(len({1, 2} & set(batch)) <= 1 for batch in engine.batches)
    assert engine.batches[3:5] == [[3, 1], [3, 2]] or engine.batches[3:5] == [[3, 2], [3, 1]]


def test_out_of_memory_halves_the_batch_and_forecasts_all() -> None:
    engine = CountingEngine(room=2)
    running = scheduler(engine)
    for number in range(4):
        running.add(job(number, horizon=10))
    outcomes = finish_all(running)
    assert all(isinstance(outcome.result, Forecast) for outcome in outcomes.values())


def test_out_of_memory_twice_is_a_503() -> None:
    running = scheduler(CountingEngine(room=0))
    running.add(job(1))
    outcome = finish_all(running)[1]
    assert isinstance(outcome.result, Unavailable)
    assert outcome.result.retry_after


def test_a_halved_batch_is_whole_again_after_a_rest() -> None:
    engine = CountingEngine(room=2)
    running = scheduler(engine)
    for number in range(4):
        running.add(job(number, horizon=10))
    finish_all(running)
    engine.room, engine.batches = 99, []
    for number in range(4):
        running.add(job(number, horizon=10))
    finish_all(running)
    assert max(map(len, engine.batches)) == 4


def test_a_series_that_the_model_refuses_harms_no_other() -> None:
    running = scheduler(CountingEngine(refuses={1}))
    running.add(job(1))
    running.add(job(2))
    outcomes = finish_all(running)
    assert type(outcomes[1].result) is ForecastError
    assert isinstance(outcomes[2].result, Forecast)


def test_an_outcome_tells_how_long_the_job_waited_and_took() -> None:
    engine = CountingEngine(seconds=1.0)
    running = scheduler(engine, most=1)
    running.add(job(1, horizon=2))
    running.add(job(2, horizon=1))
    outcome = finish_all(running)[2]
    assert isinstance(outcome.result, Forecast)
    assert outcome.waited == pytest.approx(4.0)
    assert outcome.result.seconds == pytest.approx(3.0)


def test_every_step_is_told_once_with_its_jobs_and_tokens() -> None:
    engine = CountingEngine(seconds=0.25)
    running = scheduler(engine)
    running.add(job(1, horizon=2))
    running.add(job(2, horizon=1, samples=5))
    finish_all(running)
    assert running.take_steps() == (Step(1, 1, 0.25), Step(2, 6, 0.25))
    assert running.take_steps() == ()
