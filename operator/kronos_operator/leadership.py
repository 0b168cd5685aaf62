"""Holds the Lease that makes one of several operators the leader.

The rules are those of client-go's leader election: a Lease is free once its record has not changed for its duration, as
seen by whoever wants it, so that clocks of different machines are never compared.
Source: the Go package k8s.io/client-go/tools/leaderelection.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from kronos_operator.api import Manifest

logger = logging.getLogger(__name__)


class LeadershipLost(Exception):
    """Somebody else is the leader, or nobody can tell; the process must end."""


class LeaseConflict(Exception):
    """The Lease changed since it was read."""


class LeaseStore(Protocol):
    """Where the Lease is kept. Anything raised but LeaseConflict is a passing failure."""

    async def read(self) -> Manifest | None:
        """The Lease, or None where there is none yet."""

    async def write(self, lease: Manifest) -> None:
        """Create it, or replace the version that was read; raises LeaseConflict where that is another by now."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Seconds: a silent leader is replaced after duration, gives up by itself after renew, and tries every retry."""

    duration: float = 15
    renew: float = 10
    retry: float = 2


class Leadership:
    """One operator's part in the election."""

    def __init__(
        self, store: LeaseStore, identity: str, terms: Terms | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._identity = identity
        self._terms = terms or Terms()
        self._clock = clock
        self._renewed: float | None = None
        self._seen: Manifest | None = None
        self._seen_at = clock()

    @property
    def is_leader(self) -> bool:
        """Whether the Lease is ours, with time left for a call."""
        return self._renewed is not None and self._clock() - self._renewed < self._terms.renew

    def check(self) -> None:
        """Raises LeadershipLost unless we lead: a process that was frozen must not write once it thaws."""
        if not self.is_leader:
            raise LeadershipLost("the Lease was not renewed in time")

    async def acquire(self) -> None:
        """Wait until the Lease is ours."""
        logger.info("%s waits for the Lease", self._identity)
        while not await self._attempt():  # noqa: ASYNC110 - nobody tells when a Lease expires
            await asyncio.sleep(self._terms.retry)
        logger.info("%s leads", self._identity)

    async def hold(self) -> None:
        """Renew until the Lease is lost; always ends with LeadershipLost."""
        while True:
            await asyncio.sleep(self._terms.retry)
            renewed = await self._attempt()
            if not renewed and self._holder(self._seen) not in (self._identity, None):
                raise LeadershipLost(f"{self._holder(self._seen)} leads")
            self.check()

    async def release(self) -> None:
        """Give the Lease up, so that the next leader need not wait for it to expire."""
        if self._seen is None or not self.is_leader:
            return
        self._renewed = None
        try:
            async with asyncio.timeout(self._terms.retry):
                await self._store.write(self._lease(""))
        except Exception as error:  # it will expire by itself
            logger.warning("cannot release the Lease: %s", error)

    async def _attempt(self) -> bool:
        """Take or renew the Lease if it is free or ours; whether that succeeded."""
        begun = self._clock()
        try:
            async with asyncio.timeout(self._terms.retry * 2):
                self._note(await self._store.read())
                if not self._is_free():
                    return False
                await self._store.write(self._lease(self._identity))
                self._note(await self._store.read())
        except LeaseConflict:
            return False
        except Exception as error:  # the API server may be away for a while
            logger.warning("cannot reach the Lease: %r", error)
            return False
        if self._holder(self._seen) != self._identity:
            return False
        self._renewed = begun
        return True

    def _note(self, lease: Manifest | None) -> None:
        if lease != self._seen:
            self._seen, self._seen_at = lease, self._clock()

    def _is_free(self) -> bool:
        if self._holder(self._seen) in (None, self._identity):
            return True
        return self._clock() - self._seen_at > self._terms.duration

    @staticmethod
    def _holder(lease: Manifest | None) -> str | None:
        return (lease or {}).get("spec", {}).get("holderIdentity") or None

    def _lease(self, holder: str) -> Manifest:
        """The Lease with our record in it; keeps the version that was read, as the condition of the write."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        before = (self._seen or {}).get("spec", {})
        changes = self._holder(self._seen) != (holder or None)
        record = {
            "holderIdentity": holder,
            "leaseDurationSeconds": int(self._terms.duration),
            "acquireTime": now if changes else before.get("acquireTime", now),
            "renewTime": now,
            "leaseTransitions": before.get("leaseTransitions", 0) + (1 if changes and holder else 0),
        }
        return {**(self._seen or {}), "spec": record}
