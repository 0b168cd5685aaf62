"""Clocks that live in the status, so that they outlast the operator."""

from datetime import datetime, timedelta
from typing import NamedTuple

from kronos_operator.api import PoolStatus


def written(moment: datetime) -> str:
    """A moment in UTC as the status keeps it, to the millisecond."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: str | None) -> datetime | None:
    """A moment that the status keeps."""
    return datetime.fromisoformat(text) if text else None


def remaining(since: datetime | None, seconds: float, now: datetime) -> float:
    """Seconds until so many have passed since then, 0 if they have; all of them where the clock does not run."""
    if since is None:
        return seconds
    return max(0.0, (since + timedelta(seconds=seconds) - now).total_seconds())


class Availability(NamedTuple):
    """Whether some pod of a pool is ready, and since when that is so or not so; one of the two is set."""

    available_since: datetime | None
    unavailable_since: datetime | None

    @property
    def holds(self) -> bool:
        """Whether some pod is ready now."""
        return self.available_since is not None


def availability(ready_endpoints: int, before: PoolStatus | None, now: datetime) -> Availability:
    """The pool's clocks, continued from the last status."""
    if ready_endpoints:
        return Availability(moment(before.available_since if before else None) or now, None)
    return Availability(None, moment(before.unavailable_since if before else None) or now)
