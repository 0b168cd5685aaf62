"""Clocks that the status carries from one operator to the next."""

from datetime import UTC, datetime, timedelta

import pytest

from kronos_operator.api import PoolStatus
from kronos_operator.plan.clocks import Availability, availability, moment, remaining, written

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
EARLIER = NOW - timedelta(seconds=20)


def test_a_moment_survives_the_status() -> None:
    assert written(NOW) == "2026-01-02T03:04:05.678Z"
    assert moment(written(NOW)) == NOW


def before(**clocks: str) -> PoolStatus:
    return PoolStatus(name="gpu", **clocks)


@pytest.mark.parametrize(
    ("ready", "status", "expected"),
    [
        (0, None, Availability(None, NOW)),
        (2, None, Availability(NOW, None)),
        (0, before(unavailable_since=written(EARLIER)), Availability(None, EARLIER)),
        (1, before(available_since=written(EARLIER)), Availability(EARLIER, None)),
        (1, before(unavailable_since=written(EARLIER)), Availability(NOW, None)),
        (0, before(available_since=written(EARLIER)), Availability(None, NOW)),
    ],
)
def test_a_clock_continues_while_nothing_changes_and_else_starts_anew(
    ready: int, status: PoolStatus | None, expected: Availability
) -> None:
    assert availability(ready, status, NOW) == expected


@pytest.mark.parametrize(
    ("since", "seconds", "left"), [(EARLIER, 30, 10.0), (EARLIER, 20, 0.0), (EARLIER, 5, 0.0), (None, 5, 5.0)]
)
def test_what_remains_of_a_wait(since: datetime | None, seconds: float, left: float) -> None:
    assert remaining(since, seconds, NOW) == left
