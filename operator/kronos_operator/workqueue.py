"""A queue of keys: one worker a key, back-off with jitter after failures, delayed adds."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

logger = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays after failures, in seconds: doubling from first to longest, each shortened by up to half at random."""

    first: float = 0.5
    longest: float = 60.0

    def delay(self, failures: int) -> float:
        """The delay after so many failures in a row, 1 or more."""
        full = min(self.longest, self.first * 2.0 ** min(failures - 1, 30))
        return full * random.uniform(0.5, 1.0)


class WorkQueue(Generic[K]):
    """Runs `work` for every added key, never twice at once for the same key.

    A key added while it waits is merged; added while it is worked on, it runs once more afterwards.
    `work` returns the seconds after which to run again by itself, or None. Failures of the passing kinds are logged
    without a trace.
    """

    def __init__(
        self,
        work: Callable[[K], Awaitable[float | None]],
        *,
        workers: int = 8,
        backoff: Backoff | None = None,
        passing: tuple[type[Exception], ...] = (),
    ) -> None:
        self._work = work
        self._workers = workers
        self._backoff = backoff or Backoff()
        self._passing = passing
        self._ready: asyncio.Queue[K] = asyncio.Queue()
        self._waiting: dict[K, float] = {}  # since when, by the loop's clock
        self._active: set[K] = set()
        self._failures: dict[K, int] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}

    def add(self, key: K) -> None:
        """Have the key worked on as soon as a worker is free."""
        self._stop_timer(key)
        if key in self._waiting:
            return
        self._waiting[key] = asyncio.get_running_loop().time()
        if key not in self._active:
            self._ready.put_nowait(key)

    def add_after(self, key: K, seconds: float) -> None:
        """Add the key later; an earlier add, now or then, replaces it."""
        loop = asyncio.get_running_loop()
        timer = self._timers.get(key)
        if timer is not None and timer.when() <= loop.time() + seconds:
            return
        self._stop_timer(key)
        self._timers[key] = loop.call_later(seconds, self.add, key)

    @property
    def depth(self) -> int:
        """How many keys wait."""
        return len(self._waiting)

    @property
    def age(self) -> float:
        """For how many seconds the key that came first has waited; 0 where none does."""
        if not self._waiting:
            return 0.0
        return asyncio.get_running_loop().time() - next(iter(self._waiting.values()))

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._workers):
                group.create_task(self._worker())

    async def _worker(self) -> None:
        while True:
            key = await self._ready.get()
            self._waiting.pop(key, None)
            self._active.add(key)
            try:
                await self._attempt(key)
            finally:
                self._active.discard(key)
                if key in self._waiting:
                    self._ready.put_nowait(key)

    async def _attempt(self, key: K) -> None:
        try:
            again = await self._work(key)
        except Exception as error:  # one bad key must not stop the others
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            delay = self._backoff.delay(failures)
            trace = None if isinstance(error, self._passing) else error
            logger.error("%s: failed %d times, again in %.1f s: %r", key, failures, delay, error, exc_info=trace)
            self.add_after(key, delay)
        else:
            self._failures.pop(key, None)
            if again is not None:
                self.add_after(key, again)

    def _stop_timer(self, key: K) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
