"""What is worth an Event."""

import pytest

from kronos_operator.api import Condition, RouteStatus, RouteStatuses, Status
from kronos_operator.api.status import PENDING, Truth
from kronos_operator.transitions import Happening, happenings


def status(*conditions: Condition, batch: str = "gpu") -> Status:
    route = RouteStatus(pool=batch, since="2026-01-01T00:00:00Z")  # type: ignore[arg-type]
    return Status(conditions=conditions, routes=RouteStatuses(single=route, batch=route))


def condition(type_: str, truth: Truth) -> Condition:
    return Condition(type=type_, status=truth, reason="Because", message="what happened")


@pytest.mark.parametrize(
    ("type_", "before", "after", "told"),
    [
        ("Ready", "False", "True", Happening("Normal", "Ready", "what happened")),
        ("Stalled", "False", "True", Happening("Warning", "Because", "what happened")),
        ("FailedOver", "False", "True", Happening("Warning", "Because", "what happened")),
        ("Available", "True", "False", Happening("Warning", "Unavailable", "what happened")),
    ],
)
def test_a_condition_that_flips_is_told_once(type_: str, before: Truth, after: Truth, told: Happening) -> None:
    old, new = status(condition(type_, before)), status(condition(type_, after))
    assert happenings(old, new) == [told]
    assert happenings(new, new) == []


def test_a_route_that_moves_is_told() -> None:
    (single, batch) = happenings(status(batch="gpu"), status(batch="cpu"))
    assert (single.reason, batch.message) == ("RouteMoved", "batch: from pool gpu to pool cpu")


def test_a_start_is_no_news_until_it_is_ready() -> None:
    new = Status(conditions=(PENDING,))
    starting = status(condition("Ready", "False"), condition("Available", "False"), condition("CPUPoolReady", "False"))
    assert happenings(new, starting) == []
