"""Continuous batching: jobs join and leave between steps, and the dead are dropped there too."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from kronos_server.errors import ClientGone, DeadlineExceeded, ForecastError
from kronos_server.forecasts import Forecast, Job

FINISHING_SECONDS = 0.05

Running = TypeVar("Running")


class Engine(Protocol[Running]):
    """What computes. A running job is the engine's own value; dropping it frees its memory."""

    def prefill(self, job: Job) -> Running:
        """Reads the context of a job, which can then step."""

    def step(self, running: Sequence[Running]) -> Sequence[bool]:
        """Moves each on by a row, or by a part of one; says for each whether it has all its rows."""

    def finish(self, running: Running) -> Forecast | None:
        """Does the next part of finishing a job that has all its rows; its forecast after the last part."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """The end of a job: its forecast, or why there is none. `waited` is in seconds, from arrival here to prefill."""

    job_id: int
    result: Forecast | ForecastError
    waited: float = 0.0


@dataclass(frozen=True, eq=False)
class _Waiting:
    job: Job
    arrived: float
    deadline: float


@dataclass(frozen=True, eq=False)
class _Started(_Waiting, Generic[Running]):
    started: float
    running: Running


class Scheduler(Generic[Running]):
    """Jobs waiting, stepping and finishing on one engine. A turn is one step; nothing here blocks or waits."""

    def __init__(self, engine: Engine[Running], most: int, time_limit: float, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._most = most
        self._time_limit = time_limit
        self._clock = clock
        self._waiting: deque[_Waiting] = deque()
        self._stepping: list[_Started[Running]] = []
        self._finishing: deque[_Started[Running]] = deque()
        self._cancelled: set[int] = set()

    @property
    def idle(self) -> bool:
        """Whether a turn would do nothing."""
        return not (self._waiting or self._stepping or self._finishing)

    @property
    def batch_size(self) -> int:
        """Jobs in the next step."""
        return len(self._stepping)

    def add(self, job: Job) -> None:
        """Queues a job; its time starts now."""
        now = self._clock()
        self._waiting.append(_Waiting(job, now, min(job.deadline, now + self._time_limit)))

    def cancel(self, job_id: int) -> None:
        """Drops a job before the next step, wherever it is. Unknown ids are jobs that ended meanwhile."""
        if any(entry.job.id == job_id for entry in self._entries()):
            self._cancelled.add(job_id)

    def job_ids(self) -> list[int]:
        """Every job that has no outcome yet."""
        return [entry.job.id for entry in self._entries()]

    def turn(self) -> list[Outcome]:
        """Drops the dead, reads at most one new context, steps all once, and finishes for 50 ms at most."""
        outcomes = self._drop_dead()
        self._admit()
        self._step()
        return outcomes + self._finish()

    def _entries(self) -> list[_Waiting]:
        return [*self._waiting, *self._stepping, *self._finishing]

    def _drop_dead(self) -> list[Outcome]:
        now = self._clock()
        dead = {entry.job.id: self._reason(entry, now) for entry in self._entries()}
        reasons = {job_id: reason for job_id, reason in dead.items() if reason}
        if reasons:
            self._waiting = deque(entry for entry in self._waiting if entry.job.id not in reasons)
            self._stepping = [entry for entry in self._stepping if entry.job.id not in reasons]
            self._finishing = deque(entry for entry in self._finishing if entry.job.id not in reasons)
        self._cancelled.clear()
        return [Outcome(job_id, reason) for job_id, reason in reasons.items()]

    def _reason(self, entry: _Waiting, now: float) -> ForecastError | None:
        if entry.job.id in self._cancelled:
            return ClientGone("The client left.")
        if now >= entry.deadline:
            return DeadlineExceeded("The forecast was not finished in time.")
        return None

    def _admit(self) -> None:
        if not self._waiting or len(self._stepping) >= self._most:
            return
        entry = self._waiting.popleft()
        started = self._clock()
        running = self._engine.prefill(entry.job)
        self._stepping.append(_Started(entry.job, entry.arrived, entry.deadline, started, running))

    def _step(self) -> None:
        if not self._stepping:
            return
        done = self._engine.step([entry.running for entry in self._stepping])
        for entry, finished in zip(self._stepping, done, strict=True):
            if finished:
                self._finishing.append(entry)
        self._stepping = [entry for entry, finished in zip(self._stepping, done, strict=True) if not finished]

    def _finish(self) -> list[Outcome]:
        outcomes: list[Outcome] = []
        until = self._clock() + FINISHING_SECONDS
        while self._finishing and self._clock() < until:
            entry = self._finishing[0]
            forecast = self._engine.finish(entry.running)
            if forecast:
                self._finishing.popleft()
                forecast = replace(forecast, seconds=self._clock() - entry.started)
                outcomes.append(Outcome(entry.job.id, forecast, waited=entry.started - entry.arrived))
        return outcomes
