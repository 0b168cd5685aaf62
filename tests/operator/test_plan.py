"""What is decided beyond the spec."""

from collections.abc import Callable

import pytest

from kronos_operator.api import Server
from kronos_operator.plan.replicas import declared_replicas
from tests.operator.facts import live_deployment, observed

MakeServer = Callable[..., Server]


@pytest.mark.parametrize(
    ("declared", "exists", "applied"),
    [(None, False, 1), (None, True, None), (3, False, 3), (3, True, 3), (0, True, 0)],
)
def test_undeclared_replicas_are_set_once_and_then_left_alone(
    make_server: MakeServer, declared: int | None, exists: bool, applied: int | None
) -> None:
    server = make_server({"cpu": {} if declared is None else {"replicas": declared}})
    seen = observed(live_deployment("cpu", desired=7)) if exists else observed()
    assert declared_replicas(server, "cpu", seen) == applied
