"""The shared queue before the workers: who computes what, who is refused, and what every waiter is told."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from kronos_server.errors import ForecastError, Overloaded, Unavailable
from kronos_server.forecasts import Forecast, Job, Versions
from kronos_server.scheduler import Outcome
from kronos_server.worker import Cancel, Heartbeat, Lost, Order, Report, Warm

HEARTBEAT_LIMIT = 60.0
"""Seconds without a sign from a warm engine before liveness fails; a long context on a slow processor takes many."""


class Phase(StrEnum):
    """Where the server is in its life."""

    LOADING = "loading"
    READY = "ok"
    DRAINING = "draining"
    LOST = "lost"


class Engine(Protocol):
    """The handle of an engine elsewhere."""

    device: str

    def order(self, order: Order) -> None:
        """Sends a job, a cancellation or the end; never blocks."""


@dataclass(frozen=True, eq=False)
class Answer:
    """A forecast and the seconds its job waited for an engine."""

    forecast: Forecast
    waited: float


@dataclass(eq=False)
class _Entry:
    job: Job
    future: asyncio.Future[Answer]
    pinned: int | None
    sent: float = 0.0


@dataclass(eq=False)
class _Seat:
    """One engine as seen from here."""

    engine: Engine
    versions: Versions | None = None
    heard: float = 0.0
    batch_size: int = 0
    computing: dict[int, _Entry] = field(default_factory=dict)


class Dispatcher:
    """Jobs to engines and outcomes back, on the event loop's thread. The least busy engine with room takes the next."""

    def __init__(self, max_batch_size: int, max_queue_size: int, on_lost: Callable[[str], None]) -> None:
        self._max_batch_size = max_batch_size
        self._max_queue_size = max_queue_size
        self._on_lost = on_lost
        self._seats: list[_Seat] = []
        self._queue: deque[_Entry] = deque()
        self.phase = Phase.LOADING

    def engage(self, engine: Engine) -> None:
        """Adds an engine, which will report."""
        self._seats.append(_Seat(engine))

    @property
    def loaded(self) -> bool:
        """Whether every engine has answered its first forecast."""
        return bool(self._seats) and all(seat.versions for seat in self._seats)

    @property
    def versions(self) -> Versions:
        """What computes here. Raises `Unavailable` while loading."""
        for seat in self._seats:
            if seat.versions:
                return seat.versions
        raise Unavailable("The model is loading.", retry_after=1)

    @property
    def devices(self) -> list[str]:
        """The engines' devices, by index."""
        return [seat.engine.device for seat in self._seats]

    @property
    def queued(self) -> int:
        """Jobs waiting for an engine."""
        return len(self._queue)

    @property
    def computing(self) -> int:
        """Jobs given to an engine."""
        return sum(len(seat.computing) for seat in self._seats)

    def alive(self) -> bool:
        """Whether every warm engine gave a sign of life lately."""
        now = time.monotonic()
        return all(not seat.versions or now - seat.heard < HEARTBEAT_LIMIT for seat in self._seats)

    def check_open(self) -> None:
        """Raises `Unavailable` unless jobs are taken now. A draining server takes them until it stops listening."""
        if self.phase is Phase.LOADING:
            raise Unavailable("The model is loading.", retry_after=1)
        if self.phase is Phase.LOST:
            raise Unavailable("An engine was lost; this server is ending.", retry_after=1)
        if len(self._queue) >= self._max_queue_size:
            raise Overloaded("The queue is full.", retry_after=1)

    async def submit(self, jobs: Sequence[Job], pinned: int | None = None) -> list[Answer]:
        """The answers to all jobs, in order. Raises the first failure; cancelling this cancels the jobs."""
        self.check_open()
        loop = asyncio.get_running_loop()
        entries = [_Entry(job, loop.create_future(), pinned) for job in jobs]
        self._queue.extend(entries)
        self._pump()
        try:
            return await asyncio.gather(*(entry.future for entry in entries))
        finally:
            self._drop([entry for entry in entries if not entry.future.done() or entry.future.cancelled()])

    def report(self, engine: Engine, report: Report) -> None:
        """Takes what an engine says."""
        seat = next(seat for seat in self._seats if seat.engine is engine)
        seat.heard = time.monotonic()
        if isinstance(report, Outcome):
            self._settle(seat, report)
        elif isinstance(report, Warm):
            self._welcome(seat, report)
        elif isinstance(report, Heartbeat):
            seat.batch_size = report.batch_size
        elif isinstance(report, Lost):
            self._lose(report.reason)

    def drain(self) -> None:
        """Not ready any more; what comes is still taken until the listener closes."""
        if self.phase in (Phase.READY, Phase.LOADING):
            self.phase = Phase.DRAINING

    def fail_all(self, error: ForecastError) -> None:
        """Answers every waiter with an error."""
        entries = [*self._queue, *(entry for seat in self._seats for entry in seat.computing.values())]
        self._queue.clear()
        for entry in entries:
            if not entry.future.done():
                entry.future.set_exception(error)
        self._drop(entries)

    def _welcome(self, seat: _Seat, warm: Warm) -> None:
        seat.versions = Versions(warm.model_version, warm.tokenizer_version)
        if self.phase is Phase.LOADING and self.loaded:
            self.phase = Phase.READY

    def _lose(self, reason: str) -> None:
        if self.phase is not Phase.LOST:
            self.phase = Phase.LOST
            self.fail_all(Unavailable("An engine was lost; this server is ending.", retry_after=1))
            self._on_lost(reason)

    def _settle(self, seat: _Seat, outcome: Outcome) -> None:
        entry = seat.computing.pop(outcome.job_id, None)
        if entry and not entry.future.done():
            if isinstance(outcome.result, ForecastError):
                entry.future.set_exception(outcome.result)
            else:
                entry.future.set_result(Answer(outcome.result, outcome.waited))
        self._pump()

    def _pump(self) -> None:
        """Gives waiting jobs, in order, to engines with room."""
        skipped: deque[_Entry] = deque()
        while self._queue and any(map(self._has_room, self._seats)):
            entry = self._queue.popleft()
            seat = self._seat_for(entry)
            if not seat:
                skipped.append(entry)
                continue
            seat.computing[entry.job.id] = entry
            seat.engine.order(entry.job)
        self._queue.extendleft(reversed(skipped))

    def _has_room(self, seat: _Seat) -> bool:
        return seat.versions is not None and len(seat.computing) < self._max_batch_size

    def _seat_for(self, entry: _Entry) -> _Seat | None:
        seats = self._seats if entry.pinned is None else [self._seats[entry.pinned]]
        return min(filter(self._has_room, seats), key=lambda seat: len(seat.computing), default=None)

    def _drop(self, entries: Sequence[_Entry]) -> None:
        """Takes entries whose waiters are gone out of the queue, and out of the engines before their next step."""
        gone = {id(entry) for entry in entries}
        if not gone:
            return
        self._queue = deque(entry for entry in self._queue if id(entry) not in gone)
        for seat in self._seats:
            for job_id in [job_id for job_id, entry in seat.computing.items() if id(entry) in gone]:
                seat.engine.order(Cancel(job_id))
