"""The Services: one a pool, which never moves, and one a route, which the plan points at a pool."""

from kronos_operator.api import Manifest, PoolName, RouteName, Server
from kronos_operator.identity import owned, pool_owned, route_object_name, selector
from kronos_operator.kinds import SERVICE

SERVICE_PORT = 80
PORT_NAME = "http"


def pool_service(server: Server, pool: PoolName) -> Manifest:
    """The Service of a pool: for the forced device and for the other pool."""
    return {**pool_owned(server, SERVICE, pool), "spec": _spec(server, pool)}


def route_service(server: Server, route: RouteName, pool: PoolName) -> Manifest:
    """The Service of a route, selecting the pool that answers it now."""
    return {**owned(server, SERVICE, route_object_name(server, route), route), "spec": _spec(server, pool)}


def in_cluster_url(server: Server, service: str) -> str:
    """The address of a Service from anywhere in the cluster."""
    return f"http://{service}.{server.namespace}.svc"


def _spec(server: Server, pool: PoolName) -> Manifest:
    return {
        "type": "ClusterIP",
        "selector": selector(server, pool),
        "ports": [{"name": PORT_NAME, "port": SERVICE_PORT, "protocol": "TCP", "targetPort": PORT_NAME}],
    }
