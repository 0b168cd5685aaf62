"""Puts every key into the queue now and then, so that a missed event costs one period and no more."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Generic

from kronos_operator.workqueue import K, Urgency, WorkQueue

logger = logging.getLogger(__name__)


class Resync(Generic[K]):
    """Lists all keys every `period` seconds and adds them.

    A failed listing is logged and the next one comes in time: the API server may be down for long.
    """

    def __init__(
        self,
        keys: Callable[[], Awaitable[Iterable[K]]],
        queue: WorkQueue[K],
        period: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = keys
        self._queue = queue
        self._period = period
        self._clock = clock
        self._attempted = clock()

    @property
    def age(self) -> float:
        """Seconds since the last attempt, failed or not; grows only if the resync is stuck."""
        return self._clock() - self._attempted

    def is_live(self) -> bool:
        """Whether attempts still come."""
        return self.age < 2 * self._period + 60

    async def run(self) -> None:
        """Resync until cancelled."""
        while True:
            await self._attempt()
            await asyncio.sleep(self._period)

    async def _attempt(self) -> None:
        self._attempted = self._clock()
        try:
            keys = list(await self._keys())
        except Exception as error:  # whatever it is, the next attempt may succeed
            logger.warning("resync failed: %r", error)
            return
        for key in keys:
            self._queue.add(key, Urgency.LOW)
        logger.info("resync: %d resources", len(keys))
