"""The Ingress: the split by path, in front of both routes."""

from kronos_operator.api import ROUTES, Manifest, Server
from kronos_operator.api.edge import Ingress
from kronos_operator.identity import owned, pool_object_name, route_object_name
from kronos_operator.kinds import INGRESS
from kronos_operator.render.service import PORT_NAME


def ingress(server: Server, wish: Ingress) -> Manifest:
    """One rule a host, or one for every host."""
    manifest = owned(server, INGRESS, server.name, "edge")
    if wish.annotations:
        manifest["metadata"]["annotations"] = dict(wish.annotations)
    hosts = wish.hosts or ()
    rule = {"http": {"paths": _paths(server, wish)}}
    edge: Manifest = {"rules": [{"host": host, **rule} for host in hosts] or [rule]}
    if wish.ingress_class_name:
        edge["ingressClassName"] = wish.ingress_class_name
    if wish.tls_secret_name:
        edge["tls"] = [{"hosts": list(hosts), "secretName": wish.tls_secret_name}]
    return {**manifest, "spec": edge}


def _paths(server: Server, wish: Ingress) -> list[Manifest]:
    routes = [_path(f"/v1/predict/{route}", "Exact", route_object_name(server, route)) for route in ROUTES]
    pools = [_path(f"/v1/devices/{pool}", "Prefix", pool_object_name(server, pool)) for pool in server.pools]
    rest = [_path("/", "Prefix", route_object_name(server, "single"))] if wish.paths == "All" else []
    return [*routes, *pools, *rest]


def _path(path: str, path_type: str, service: str) -> Manifest:
    return {
        "path": path,
        "pathType": path_type,
        "backend": {"service": {"name": service, "port": {"name": PORT_NAME}}},
    }
