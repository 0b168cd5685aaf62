"""The shared queue before the workers: who computes what, who is refused, and what every waiter is told."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from enum import StrEnum

from kronos_server import estimates
from kronos_server.errors import DeadlineExceeded, ForecastError, InvalidRequest, Overloaded, Unavailable
from kronos_server.estimates import Capacity, Cost, Load, Pace
from kronos_server.forecasts import Forecast, Job, Versions
from kronos_server.scheduler import Outcome
from kronos_server.seats import Answer, Engine, Entry, Seat
from kronos_server.worker import Cancel, Heartbeat, Lost, Report, Warm

HEARTBEAT_LIMIT = 60.0
"""Seconds without a sign from a warm engine before liveness fails; a long context on a slow processor takes many."""

WAIT_MARGIN, COMPUTE_MARGIN = 2.5, 1.4
"""Estimates are this much longer where a deadline hangs on them: others may slow the engines while a job waits."""

TOO_LONG = "The queue is too long for the request's deadline."
LOST = "An engine was lost; this server is ending."


class Phase(StrEnum):
    """Where the server is in its life."""

    LOADING = "loading"
    READY = "ok"
    DRAINING = "draining"
    LOST = "lost"


class Dispatcher:
    """Jobs to engines and outcomes back, on the event loop's thread. The least busy engine with room takes the next."""

    def __init__(self, max_batch_size: int, max_queue_size: int, on_lost: Callable[[str], None]) -> None:
        self._max_batch_size = max_batch_size
        self._max_queue_size = max_queue_size
        self._on_lost = on_lost
        self._on_heartbeat: Callable[[str, Heartbeat], None] = lambda *_: None
        self._seats: list[Seat] = []
        self._queue: deque[Entry] = deque()
        self._pace = Pace()
        self.phase = Phase.LOADING

    def engage(self, engine: Engine) -> None:
        """Adds an engine, which will report."""
        self._seats.append(Seat(engine, len(self._seats)))

    def watch(self, on_heartbeat: Callable[[str, Heartbeat], None]) -> None:
        """Has every heartbeat passed on, with the device it is from."""
        self._on_heartbeat = on_heartbeat

    @property
    def loaded(self) -> bool:
        """Whether every engine has answered its first forecast."""
        return bool(self._seats) and all(seat.warm for seat in self._seats)

    @property
    def versions(self) -> Versions:
        """What computes here. Raises `Unavailable` while loading."""
        return self._warm().versions

    @property
    def queued(self) -> int:
        """Jobs waiting for an engine."""
        return len(self._queue)

    @property
    def computing(self) -> int:
        """Jobs given to an engine."""
        return sum(len(seat.computing) for seat in self._seats)

    @property
    def tokens(self) -> int:
        """Tokens that the jobs given to engines remember at most."""
        return sum(seat.tokens for seat in self._seats)

    @property
    def most_tokens(self) -> int:
        """Tokens that the engines can remember at a time."""
        return sum(seat.warm.capacity.tokens for seat in self._seats if seat.warm)

    @property
    def load(self) -> Load:
        """What there is to do."""
        waiting_seconds = sum(entry.cost.seconds for entry in self._queue)
        engines = max(1, len(self._seats))
        return Load(self.queued, waiting_seconds, self.computing, engines, self._max_batch_size, self._pace.value)

    def alive(self) -> bool:
        """Whether every warm engine gave a sign of life lately."""
        now = time.monotonic()
        return all(not seat.warm or now - seat.heard < HEARTBEAT_LIMIT for seat in self._seats)

    def check_open(self, deadline: float) -> None:
        """Raises `Unavailable` unless a job with this deadline has a chance, whatever it costs.

        A draining server takes jobs until it stops listening.
        """
        if self.phase is Phase.LOST:
            raise Unavailable(LOST, retry_after=1)
        self._warm()
        wait = self.load.wait
        if self.queued >= self._max_queue_size:
            raise Overloaded("The queue is full.", retry_after=wait)
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise DeadlineExceeded("The request's time is over.")
        if wait * WAIT_MARGIN > remaining:
            raise Overloaded(TOO_LONG, retry_after=wait)

    async def submit(self, jobs: Sequence[Job], pinned: int | None = None) -> list[Answer | ForecastError]:
        """What becomes of each job, in order. Cancelling this cancels them.

        Raises `InvalidRequest` where they ask for more than an idle server has, `Unavailable` where they come too late.
        """
        self.check_open(jobs[0].deadline)
        capacity, now, loop = self._warm().capacity, time.monotonic(), asyncio.get_running_loop()
        costs = [estimates.cost(job, capacity) for job in jobs]
        self._check(costs, jobs[0].deadline - now, capacity)
        entries = [Entry(*pair, pinned, loop.create_future(), now) for pair in zip(jobs, costs, strict=True)]
        self._queue.extend(entries)
        self._pump()
        try:
            await asyncio.wait([entry.future for entry in entries])
            return [_result(entry.future) for entry in entries]
        finally:
            # What is cancelled here has no waiter any more, so that a late outcome is nobody's.
            self._drop([entry for entry in entries if entry.future.cancel()])

    def report(self, engine: Engine, report: Report) -> None:
        """Takes what an engine says."""
        seat = next(seat for seat in self._seats if seat.engine is engine)
        seat.heard = time.monotonic()
        if isinstance(report, Outcome):
            self._settle(seat, report)
        elif isinstance(report, Warm):
            seat.warm = report
            if self.phase is Phase.LOADING and self.loaded:
                self.phase = Phase.READY
        elif isinstance(report, Heartbeat):
            self._on_heartbeat(engine.device, report)
        elif isinstance(report, Lost):
            self._lose(report.reason)

    def drain(self) -> None:
        """Not ready any more; what comes is still taken until the listener closes."""
        if self.phase in (Phase.READY, Phase.LOADING):
            self.phase = Phase.DRAINING

    def fail_all(self, error: ForecastError) -> None:
        """Answers every waiter with an error."""
        entries = [*self._queue, *(entry for seat in self._seats for entry in seat.computing.values())]
        for entry in entries:
            if not entry.future.done():
                entry.future.set_exception(error)
        self._drop(entries)

    def _warm(self) -> Warm:
        for seat in self._seats:
            if seat.warm:
                return seat.warm
        raise Unavailable("The model is loading.", retry_after=1)

    def _check(self, costs: Sequence[Cost], remaining: float, capacity: Capacity) -> None:
        seconds = [cost.seconds for cost in costs]
        if max(cost.tokens for cost in costs) > capacity.tokens:
            raise InvalidRequest("The forecast needs more memory than an engine has: ask for fewer samples or rows.")
        if max(seconds) > remaining:
            about = f"The forecast takes about {max(seconds):.2f} s on an idle server"
            raise InvalidRequest(f"{about}, and has {max(remaining, 0):.2f} s.")
        load = self.load
        finish = WAIT_MARGIN * load.wait + COMPUTE_MARGIN * load.compute(seconds)
        if finish > remaining and self.computing:
            raise Overloaded(TOO_LONG, retry_after=max(1.0, finish - remaining))

    def _lose(self, reason: str) -> None:
        if self.phase is not Phase.LOST:
            self.phase = Phase.LOST
            self.fail_all(Unavailable(LOST, retry_after=1))
            self._on_lost(reason)

    def _settle(self, seat: Seat, outcome: Outcome) -> None:
        entry = seat.computing.get(outcome.job_id)
        if entry:
            self._observe(entry, outcome, len(seat.computing))
            del seat.computing[outcome.job_id]
        if entry and not entry.future.done():
            if isinstance(outcome.result, ForecastError):
                entry.future.set_exception(outcome.result)
            else:
                entry.future.set_result(Answer(outcome.result, entry.sent - entry.arrived + outcome.waited))
        self._pump()

    def _observe(self, entry: Entry, outcome: Outcome, company: int) -> None:
        """Learns from what was finished, and from what was late: it took at least as long as it was there."""
        now = time.monotonic()
        if isinstance(outcome.result, Forecast):
            self._pace.observe(entry.cost.seconds, max(entry.company, company), outcome.result.seconds)
        elif now >= entry.job.deadline:
            self._pace.observe(entry.cost.seconds, max(entry.company, company), now - entry.sent)

    def _pump(self) -> None:
        """Gives waiting jobs, in order, to engines with room. A pinned job lets others pass.

        What turns out to be too late to be finished is refused after all: it would only make others late.
        """
        kept: deque[Entry] = deque()
        while self._queue:
            entry = self._queue.popleft()
            if self._is_too_late(entry):
                entry.future.set_exception(Overloaded(TOO_LONG, retry_after=self.load.wait))
                continue
            seats = [seat for seat in self._seats if seat.has_room(entry, self._max_batch_size)]
            if seats:
                self._send(entry, min(seats, key=lambda seat: len(seat.computing)))
                continue
            kept.append(entry)
            if entry.pinned is None:
                break
        self._queue.extendleft(reversed(kept))

    def _is_too_late(self, entry: Entry) -> bool:
        remaining = entry.job.deadline - time.monotonic()
        return bool(self.computing) and self.load.compute([entry.cost.seconds]) > remaining

    def _send(self, entry: Entry, seat: Seat) -> None:
        seat.computing[entry.job.id] = entry
        entry.sent, entry.company = time.monotonic(), len(seat.computing)
        seat.engine.order(entry.job)

    def _drop(self, entries: Sequence[Entry]) -> None:
        """Takes entries whose waiters are gone out of the queue, and out of the engines before their next step."""
        gone = {entry.job.id for entry in entries}
        if gone:
            self._queue = deque(entry for entry in self._queue if entry.job.id not in gone)
            for seat in self._seats:
                for job_id in gone & set(seat.computing):
                    seat.engine.order(Cancel(job_id))


def _result(future: asyncio.Future[Answer]) -> Answer | ForecastError:
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, ForecastError):
        return error
    raise error
