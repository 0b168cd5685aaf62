"""The Deployment of a pool."""

from kronos_operator.api import Manifest, PoolName, Server
from kronos_operator.identity import owned, pool_object_name, selector
from kronos_operator.kinds import DEPLOYMENT
from kronos_operator.render.pod import pod_template
from kronos_operator.settings import Settings

OLD_REPLICA_SETS = 2


def deployment(server: Server, pool: PoolName, replicas: int | None, settings: Settings) -> Manifest:
    """A pool's Deployment; without replicas where they belong to somebody else."""
    scale = {} if replicas is None else {"replicas": replicas}
    return {
        **owned(server, DEPLOYMENT, pool_object_name(server, pool), pool),
        "spec": {
            **scale,
            "revisionHistoryLimit": OLD_REPLICA_SETS,
            "selector": {"matchLabels": selector(server, pool)},
            "strategy": _strategy(pool, replicas),
            "template": pod_template(server, pool, settings),
        },
    }


def _strategy(pool: PoolName, replicas: int | None) -> Manifest:
    """CPU pools add a pod first; GPU pools take one away first, since a second accelerator may not exist.

    maxSurge 0 with one replica still creates the new pod at once: it stays Pending during the drain, and an
    autoscaler buys a node for it. Recreate does not.
    """
    if pool == "cpu":
        return _rolling(surge=1, unavailable=0)
    if replicas == 1:
        return {"type": "Recreate"}
    return _rolling(surge=0, unavailable=1)


def _rolling(surge: int, unavailable: int) -> Manifest:
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
