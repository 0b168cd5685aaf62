"""Decides what the spec alone cannot, from spec, observation and time."""

from collections.abc import Mapping
from dataclasses import dataclass

from kronos_operator.api import PoolName, RouteName, Server
from kronos_operator.observed import Observed
from kronos_operator.plan.replicas import declared_replicas


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be rendered, beyond the spec.

    replicas: of each declared pool; None leaves them to whoever scales the Deployment.
    routes: the pool that each route selects.
    look_again: seconds until something can change by itself; None where nothing does.
    """

    replicas: Mapping[PoolName, int | None]
    routes: Mapping[RouteName, PoolName]
    look_again: float | None = None


def plan(server: Server, seen: Observed) -> Plan:
    """The plan for one resource."""
    return Plan(
        replicas={pool: declared_replicas(server, pool, seen) for pool in server.pools},
        routes={"single": server.spec.preferred("single"), "batch": server.spec.preferred("batch")},
    )
