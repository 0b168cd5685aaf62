"""Decides how many pods a pool has, and whether that is ours to say."""

from dataclasses import dataclass

from kronos_operator.api import PoolName, Server
from kronos_operator.observed import Observed


@dataclass(frozen=True, slots=True)
class Replicas:
    """The number of pods of a pool.

    applied: what we apply; None where somebody else scales the Deployment.
    live: what the Deployment holds now; None without a Deployment.
    """

    applied: int | None
    live: int | None

    @property
    def wanted(self) -> int:
        """How many pods are wanted, whoever wants them."""
        return self.applied if self.applied is not None else self.live or 0


def replicas(server: Server, pool: PoolName, seen: Observed) -> Replicas:
    """As declared; undeclared, the fewest for a new Deployment and then left alone."""
    deployment = seen.deployment(server, pool)
    live = deployment["spec"].get("replicas", 1) if deployment else None
    wish = server.pools[pool]
    fewest = wish.autoscaling.min_replicas if wish.autoscaling else 1
    return Replicas(fewest if wish.replicas is None and live is None else wish.replicas, live)
