"""Decides whether a pool's number of pods is ours."""

from kronos_operator.api import PoolName, Server
from kronos_operator.observed import Observed


def declared_replicas(server: Server, pool: PoolName, seen: Observed) -> int | None:
    """The replicas to apply: as declared, 1 for a new Deployment, otherwise None: they are somebody else's."""
    declared = server.pools[pool].replicas
    if declared is None and seen.deployment(server, pool) is None:
        return 1
    return declared
