"""The Deployment of a pool."""

from kronos_operator.api import Manifest, PoolName, Server
from kronos_operator.identity import pool_owned, selector
from kronos_operator.kinds import DEPLOYMENT
from kronos_operator.plan import PoolPlan

OLD_REPLICA_SETS = 2


def deployment(server: Server, pool: PoolName, plan: PoolPlan) -> Manifest:
    """A pool's Deployment; without replicas where they belong to somebody else."""
    scale = {} if plan.replicas is None else {"replicas": plan.replicas}
    return {
        **pool_owned(server, DEPLOYMENT, pool),
        "spec": {
            **scale,
            "revisionHistoryLimit": OLD_REPLICA_SETS,
            "progressDeadlineSeconds": server.pools[pool].rollout.progress_deadline_seconds,
            "selector": {"matchLabels": selector(server, pool)},
            "strategy": _strategy(plan),
            "template": plan.rollout.run.template,
        },
    }


def _strategy(plan: PoolPlan) -> Manifest:
    """Surge adds a pod first; Replace takes one away first, since a second accelerator may not exist.

    maxSurge 0 with one replica still creates the new pod at once: it stays Pending during the drain, and an
    autoscaler buys a node for it. Recreate does not.
    """
    if not plan.replaces:
        return _rolling(surge=1, unavailable=0)
    if plan.wanted <= 1:
        return {"type": "Recreate"}
    return _rolling(surge=0, unavailable=1)


def _rolling(surge: int, unavailable: int) -> Manifest:
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
