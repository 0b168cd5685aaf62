"""The engines as the shared queue sees them: who computes what, and for whom."""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from kronos_server.estimates import Cost
from kronos_server.forecasts import Forecast, Job
from kronos_server.worker import Order, Warm


class Engine(Protocol):
    """The handle of an engine elsewhere."""

    device: str

    def order(self, order: Order) -> None:
        """Sends a job, a cancellation or the end; never blocks."""


@dataclass(frozen=True, eq=False)
class Answer:
    """A forecast and the seconds its job waited for an engine to begin with it."""

    forecast: Forecast
    waited: float


@dataclass(eq=False)
class Entry:
    """A job, its cost, and who waits for it. `company` is how many the engine had with it when it was sent."""

    job: Job
    cost: Cost
    pinned: int | None
    future: asyncio.Future[Answer]
    arrived: float
    sent: float = 0.0
    company: int = 0


@dataclass(eq=False)
class Seat:
    """One engine as seen from here."""

    engine: Engine
    index: int
    warm: Warm | None = None
    heard: float = 0.0
    computing: dict[int, Entry] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        """Tokens that its jobs remember at most."""
        return sum(entry.cost.tokens for entry in self.computing.values())

    def has_room(self, entry: Entry, most: int) -> bool:
        """Whether it can take a job more, of at most so many."""
        if not self.warm or entry.pinned not in (None, self.index) or len(self.computing) >= most:
            return False
        return self.tokens + entry.cost.tokens <= self.warm.capacity.tokens
