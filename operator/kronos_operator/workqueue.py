"""A queue of keys: one worker a key, the urgent first, back-off with jitter after failures, delayed adds."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from enum import IntEnum
from itertools import count
from typing import Generic, NamedTuple, TypeVar

logger = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays after failures, in seconds: doubling from first to longest, each shortened by up to half at random."""

    first: float = 0.5
    longest: float = 30.0

    def delay(self, failures: int) -> float:
        """The delay after so many failures in a row, 1 or more."""
        full = min(self.longest, self.first * 2.0 ** min(failures - 1, 30))
        return full * random.uniform(0.5, 1.0)


class Urgency(IntEnum):
    """Which key a free worker takes first; of equals, the one that came first."""

    HIGH = 0
    NORMAL = 1
    LOW = 2


class _Wait(NamedTuple):
    """A key that waits: since when, by the loop's clock."""

    since: float
    urgency: Urgency


class _Timer(NamedTuple):
    """A key that is to be added later."""

    handle: asyncio.TimerHandle
    urgency: Urgency


def _ask_nothing(_: Exception) -> float:
    return 0.0


class WorkQueue(Generic[K]):
    """Runs `work` for every added key, never twice at once for the same key.

    A key added while it waits is merged, and gets the greater urgency; added while it is worked on, it runs once more
    afterwards. `work` returns the seconds after which to run again by itself, or None. Failures of the passing kinds
    are logged without a trace; after a failure at least `asked_delay` of it passes, in seconds.
    """

    def __init__(
        self,
        work: Callable[[K], Awaitable[float | None]],
        *,
        workers: int = 8,
        backoff: Backoff | None = None,
        passing: tuple[type[Exception], ...] = (),
        asked_delay: Callable[[Exception], float] = _ask_nothing,
    ) -> None:
        self._work = work
        self._workers = workers
        self._backoff = backoff or Backoff()
        self._passing = passing
        self._asked_delay = asked_delay
        # A key may be in it twice, once it has become more urgent: what counts is `_waiting`.
        self._ready: asyncio.PriorityQueue[tuple[Urgency, int, K]] = asyncio.PriorityQueue()
        self._order = count()
        self._waiting: dict[K, _Wait] = {}
        self._active: set[K] = set()
        self._failures: dict[K, int] = {}
        self._timers: dict[K, _Timer] = {}

    def add(self, key: K, urgency: Urgency = Urgency.NORMAL) -> None:
        """Have the key worked on as soon as a worker is free; replaces a delayed add that is no more urgent."""
        timer = self._timers.get(key)
        if timer is not None and urgency <= timer.urgency:
            self._stop_timer(key)
        wait = self._waiting.get(key)
        if wait is not None and wait.urgency <= urgency:
            return
        since = wait.since if wait else asyncio.get_running_loop().time()
        self._waiting[key] = _Wait(since, urgency)
        if key not in self._active:
            self._make_ready(key, urgency)

    def add_after(self, key: K, seconds: float, urgency: Urgency = Urgency.NORMAL) -> None:
        """Add the key later; of several delayed adds the earliest counts, with the greatest urgency among them."""
        loop = asyncio.get_running_loop()
        timer = self._timers.get(key)
        if timer is not None:
            urgency = min(urgency, timer.urgency)
            if timer.handle.when() <= loop.time() + seconds:
                self._timers[key] = timer._replace(urgency=urgency)
                return
        self._stop_timer(key)
        self._timers[key] = _Timer(loop.call_later(seconds, self._add_delayed, key), urgency)

    @property
    def depth(self) -> int:
        """How many keys wait."""
        return len(self._waiting)

    @property
    def age(self) -> float:
        """For how many seconds the key that came first has waited; 0 where none does."""
        if not self._waiting:
            return 0.0
        return asyncio.get_running_loop().time() - next(iter(self._waiting.values())).since

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._workers):
                group.create_task(self._worker())

    async def _worker(self) -> None:
        while True:
            _, _, key = await self._ready.get()
            if key not in self._waiting or key in self._active:
                continue
            del self._waiting[key]
            self._active.add(key)
            try:
                await self._attempt(key)
            finally:
                self._active.discard(key)
                if key in self._waiting:
                    self._make_ready(key, self._waiting[key].urgency)

    async def _attempt(self, key: K) -> None:
        try:
            again = await self._work(key)
        except Exception as error:  # one bad key must not stop the others
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            delay = max(self._backoff.delay(failures), self._asked_delay(error))
            trace = None if isinstance(error, self._passing) else error
            logger.error("%s: failed %d times, again in %.1f s: %r", key, failures, delay, error, exc_info=trace)
            self.add_after(key, delay)
        else:
            self._failures.pop(key, None)
            if again is not None:
                self.add_after(key, again)

    def _make_ready(self, key: K, urgency: Urgency) -> None:
        self._ready.put_nowait((urgency, next(self._order), key))

    def _add_delayed(self, key: K) -> None:
        self.add(key, self._timers.pop(key).urgency)

    def _stop_timer(self, key: K) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.handle.cancel()
