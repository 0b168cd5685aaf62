"""The HorizontalPodAutoscaler of a pool."""

from kronos_operator.api import Manifest, PoolName, Server
from kronos_operator.api.autoscaling import Autoscaling
from kronos_operator.identity import pool_object_name, pool_owned
from kronos_operator.kinds import AUTOSCALER, DEPLOYMENT

CPU_PERCENT = 70


def autoscaler(server: Server, pool: PoolName, wish: Autoscaling) -> Manifest:
    """Scales the pool's Deployment, whose replicas are then nobody else's."""
    target = {"apiVersion": DEPLOYMENT.api_version, "kind": DEPLOYMENT.name, "name": pool_object_name(server, pool)}
    bounds = {"minReplicas": wish.min_replicas, "maxReplicas": wish.max_replicas}
    behavior = {"behavior": wish.behavior.manifest()} if wish.behavior else {}
    metrics = list(wish.metrics) if wish.metrics else [_cpu_utilization()]
    return {
        **pool_owned(server, AUTOSCALER, pool),
        "spec": {"scaleTargetRef": target, **bounds, "metrics": metrics, **behavior},
    }


def _cpu_utilization() -> Manifest:
    target = {"type": "Utilization", "averageUtilization": CPU_PERCENT}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}
