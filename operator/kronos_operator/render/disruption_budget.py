"""The PodDisruptionBudget of a pool: a drained node takes one pod at a time."""

from kronos_operator.api import Manifest, PoolName, Server
from kronos_operator.identity import pool_owned, selector
from kronos_operator.kinds import DISRUPTION_BUDGET


def disruption_budget(server: Server, pool: PoolName) -> Manifest:
    """The budget of a pool with two or more pods; a single pod would block every drain."""
    return {
        **pool_owned(server, DISRUPTION_BUDGET, pool),
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": selector(server, pool)},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }
