"""Continuous batching: jobs join and leave between steps, and the dead are dropped there too."""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from kronos_server.errors import ClientGone, DeadlineExceeded, ForecastError, OutOfMemory, Unavailable
from kronos_server.forecasts import Forecast, Job

logger = logging.getLogger(__name__)

FINISHING_SECONDS = 0.05


class Running(Protocol):
    """A job under way, as its engine keeps it. Dropping it frees its memory."""

    @property
    def done(self) -> bool:
        """Whether it has all its rows."""

    @property
    def slides(self) -> bool:
        """Whether its window has moved, so that a step is as much work as reading the window."""

    @property
    def tokens(self) -> int:
        """Rows drawn so far, over all paths."""


Run = TypeVar("Run", bound=Running)


class Engine(Protocol[Run]):
    """What computes. Raises `OutOfMemory`, after which the runs of that call are void."""

    def prefill(self, job: Job) -> Run:
        """Reads the context of a job."""

    def step(self, runs: Sequence[Run]) -> None:
        """Moves each on by a row, or by a part of one where its window has moved."""

    def finish(self, run: Run) -> Forecast | None:
        """Does the next part of finishing a job that has all its rows; its forecast after the last part."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """The end of a job: its forecast, or why there is none. `waited` is in seconds, from arrival here to prefill."""

    job_id: int
    result: Forecast | ForecastError
    waited: float = 0.0


@dataclass(frozen=True)
class Step:
    """One step as it went: the jobs in it, the tokens they drew, and seconds."""

    jobs: int
    tokens: int
    seconds: float


@dataclass(frozen=True, eq=False)
class _Waiting:
    job: Job
    arrived: float
    deadline: float
    retried: bool = False


@dataclass(frozen=True, eq=False)
class _Started(Generic[Run]):
    entry: _Waiting
    started: float
    run: Run

    @property
    def job(self) -> Job:
        return self.entry.job

    @property
    def deadline(self) -> float:
        return self.entry.deadline


class Scheduler(Generic[Run]):
    """Jobs waiting, stepping and finishing on one engine. A turn holds one step; nothing here blocks or waits."""

    def __init__(self, engine: Engine[Run], most: int, time_limit: float, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._most = self._allowed = most
        self._time_limit = time_limit
        self._clock = clock
        self._waiting: deque[_Waiting] = deque()
        self._stepping: deque[_Started[Run]] = deque()
        self._finishing: deque[_Started[Run]] = deque()
        self._cancelled: set[int] = set()
        self._outcomes: list[Outcome] = []
        self._steps: list[Step] = []

    @property
    def idle(self) -> bool:
        """Whether a turn would do nothing."""
        return not (self._waiting or self._stepping or self._finishing)

    def take_steps(self) -> tuple[Step, ...]:
        """The steps since this was asked last."""
        steps, self._steps = tuple(self._steps), []
        return steps

    def add(self, job: Job) -> None:
        """Queues a job; its time starts now."""
        now = self._clock()
        self._waiting.append(_Waiting(job, now, min(job.deadline, now + self._time_limit)))

    def cancel(self, job_id: int) -> None:
        """Drops a job before the next step, wherever it is. Unknown ids are jobs that ended meanwhile."""
        self._cancelled.add(job_id)

    def turn(self) -> list[Outcome]:
        """Drops the dead, reads at most one new context, steps all once, and finishes for 50 ms or one part."""
        self._drop_dead()
        self._admit()
        self._step()
        self._finish()
        outcomes, self._outcomes = self._outcomes, []
        if self.idle:
            self._allowed = self._most
        return outcomes

    def _drop_dead(self) -> None:
        now = self._clock()
        self._waiting = deque(entry for entry in self._waiting if self._lives(entry.job, entry.deadline, now))
        self._stepping = deque(entry for entry in self._stepping if self._lives(entry.job, entry.deadline, now))
        self._finishing = deque(entry for entry in self._finishing if self._lives(entry.job, entry.deadline, now))
        self._cancelled.clear()

    def _lives(self, job: Job, deadline: float, now: float) -> bool:
        if job.id in self._cancelled:
            self._end(job, ClientGone("The client left."))
        elif now >= deadline:
            self._end(job, DeadlineExceeded("The forecast was not finished in time."))
        else:
            return True
        return False

    def _end(self, job: Job, result: Forecast | ForecastError, waited: float = 0.0) -> None:
        self._outcomes.append(Outcome(job.id, result, waited))

    def _admit(self) -> None:
        if not self._waiting or len(self._stepping) >= self._allowed:
            return
        entry = self._waiting.popleft()
        started = self._clock()
        try:
            run = self._engine.prefill(entry.job)
        except OutOfMemory:
            self._again([entry])
        except ValueError:
            logger.exception("the model refuses job %d, which passed validation", entry.job.id)
            self._end(entry.job, ForecastError("The model refuses this series."))
        else:
            self._stepping.append(_Started(entry, started, run))

    def _step(self) -> None:
        """Steps all whose window has not moved, and one of the others in turn: each of those is work for a window."""
        batch = [entry for entry in self._stepping if not entry.run.slides]
        sliding = next((entry for entry in self._stepping if entry.run.slides), None)
        if sliding:
            batch.append(sliding)
            self._stepping.remove(sliding)
            self._stepping.append(sliding)
        if not batch:
            return
        runs = [entry.run for entry in batch]
        began, before = self._clock(), sum(run.tokens for run in runs)
        try:
            self._engine.step(runs)
        except OutOfMemory:
            everything = [entry.entry for entry in self._stepping]
            self._stepping.clear()
            self._again(everything)
        else:
            tokens = sum(run.tokens for run in runs) - before
            self._steps.append(Step(len(runs), tokens, self._clock() - began))
        self._finishing.extend(entry for entry in self._stepping if entry.run.done)
        self._stepping = deque(entry for entry in self._stepping if not entry.run.done)

    def _again(self, entries: Sequence[_Waiting]) -> None:
        """After memory ran out: what ran starts again in half the company, and gives up the second time."""
        self._allowed = max(1, (len(entries) + len(self._stepping)) // 2)
        logger.warning("out of memory with %d jobs, going on with %d at a time", len(entries), self._allowed)
        for entry in entries:
            if entry.retried:
                self._end(entry.job, Unavailable("The engine is out of memory.", retry_after=1))
        self._waiting.extendleft(replace(entry, retried=True) for entry in reversed(entries) if not entry.retried)

    def _finish(self) -> None:
        until = self._clock() + FINISHING_SECONDS
        while self._finishing:
            started = self._finishing[0]
            try:
                forecast = self._engine.finish(started.run)
            except OutOfMemory:
                self._finishing.popleft()
                self._again([started.entry])
                continue
            if forecast:
                self._finishing.popleft()
                forecast = replace(forecast, seconds=self._clock() - started.started)
                self._end(started.job, forecast, waited=started.started - started.entry.arrived)
            if self._clock() >= until:
                return
