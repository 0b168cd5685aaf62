"""Tells from two statuses what happened between them and is worth an Event."""

from typing import Literal, NamedTuple

from kronos_operator.api import ROUTES, Condition, Status


class Happening(NamedTuple):
    """One Event on the custom resource."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


def happenings(before: Status, after: Status) -> list[Happening]:
    """What changed for the user: routes that moved, and conditions that flipped."""
    return [*_moves(before, after), *_flips(before, after)]


def _moves(before: Status, after: Status) -> list[Happening]:
    moves = []
    for route in ROUTES:
        old, new = getattr(before.routes, route, None), getattr(after.routes, route, None)
        if old and new and old.pool != new.pool:
            moves.append(Happening("Normal", "RouteMoved", f"{route}: from pool {old.pool} to pool {new.pool}"))
    return moves


def _flips(before: Status, after: Status) -> list[Happening]:
    flips = []
    for condition in after.conditions:
        old = before.condition(condition.type)
        first = old is None or old.status == "Unknown"
        if first and condition.type == "Available":
            continue  # a pool that has only begun to start is no news
        if old is None or old.status != condition.status:
            flips += _told(condition)
    return flips


def _told(condition: Condition) -> list[Happening]:
    holds = condition.status == "True"
    if condition.type in ("Stalled", "FailedOver") and holds:
        return [Happening("Warning", condition.reason, condition.message)]
    if condition.type == "Available" and not holds:
        return [Happening("Warning", "Unavailable", condition.message)]
    if condition.type == "Ready" and holds:
        return [Happening("Normal", "Ready", condition.message)]
    return []
