"""Costs, pace and load."""

import numpy as np
import pytest

from kronos_server import estimates
from kronos_server.estimates import Capacity, Load, Pace
from kronos_server.forecasts import ContextPolicy, Job, Sampling
from model.costs import Rates

START = np.datetime64("2024-01-02", "us")


def job(rows: int, horizon: int, samples: int = 1, policy: ContextPolicy = "exact") -> Job:
    times = START + np.arange(rows + horizon) * np.timedelta64(1, "m")
    sampling = Sampling(1.0, 0, 0.9, samples)
    return Job(1, np.ones((rows, 6)), times[:rows], times[rows:], sampling, 0.0, context_policy=policy)


def capacity(**parts: float) -> Capacity:
    names = ["prefill_call", "encode_row", "read_row", "step_call", "step_row", "decode_call", "decode_row"]
    return Capacity(window=8, tokens=100, rates=Rates(**{name: parts.get(name, 0.0) for name in names}))


@pytest.mark.parametrize(
    ("parts", "asked", "seconds"),
    [
        ({"prefill_call": 3}, job(4, 2), 3),
        ({"encode_row": 1}, job(20, 2), 20),
        ({"encode_row": 1}, job(20, 2, policy="fit"), 6),
        ({"read_row": 1}, job(4, 2), 4),
        ({"read_row": 1}, job(20, 1), 8),
        ({"step_call": 1}, job(4, 3, samples=5), 3),
        ({"step_row": 1}, job(4, 3, samples=5), 15),
        ({"decode_row": 1}, job(4, 3, samples=5), 19),
        # Window 8 of 8 rows: the second row needs the window read again, with 1 row of each path's own.
        ({"read_row": 1}, job(8, 2, samples=5), 8 + 7 + 5),
    ],
)
def test_every_part_of_a_job_costs_its_rate(parts: dict[str, float], asked: Job, seconds: float) -> None:
    assert estimates.cost(asked, capacity(**parts)).seconds == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("asked", "tokens"), [(job(4, 1), 4), (job(4, 3), 6), (job(4, 3, samples=10), 24), (job(20, 9), 8)]
)
def test_a_shared_context_is_remembered_once(asked: Job, tokens: int) -> None:
    assert estimates.cost(asked, capacity()).tokens == tokens


def test_pace_follows_what_was_measured() -> None:
    pace = Pace()
    for _ in range(100):
        pace.observe(seconds=1.0, company=16, taken=8.0)
    assert pace.value == pytest.approx(2.0, rel=0.01)


def test_pace_keeps_within_reason() -> None:
    pace = Pace()
    for _ in range(1000):
        pace.observe(seconds=1.0, company=16, taken=1e-9)
    pace.observe(seconds=1.0, company=16, taken=0.0)
    assert pace.value <= Pace.MOST


def test_nobody_waits_while_there_is_room() -> None:
    assert Load(waiting=0, waiting_seconds=0, computing=3, engines=2, most=2, pace=1.0).wait == 0


def test_the_wait_is_the_queue_at_the_engines_pace() -> None:
    assert Load(waiting=10, waiting_seconds=40, computing=4, engines=2, most=2, pace=2.0).wait == 10


def test_company_stretches_a_job_by_what_sharing_does_not_save() -> None:
    alone = Load(waiting=0, waiting_seconds=0, computing=0, engines=1, most=16, pace=2.0)
    crowded = Load(waiting=0, waiting_seconds=0, computing=7, engines=1, most=16, pace=2.0)
    assert alone.compute([3.0]) == pytest.approx(3.0)
    assert crowded.compute([3.0]) == pytest.approx(12.0)
