"""The HTTPRoute: the split by path and by forced device, behind a Gateway.

Every field that the API server would fill in is written out: rules are one value to server-side apply, and a default
inside would look like somebody's edit.
"""

from kronos_operator.api import ROUTES, Manifest, PoolName, Server
from kronos_operator.api.edge import Gateway
from kronos_operator.identity import owned, pool_object_name, route_object_name
from kronos_operator.kinds import HTTP_ROUTE
from kronos_operator.render.service import SERVICE_PORT

# Answers that the server gives at its own deadline must still get through.
TIMEOUT_MARGIN_SECONDS = 5
DEVICE_HEADER = "X-Kronos-Device"


def http_route(server: Server, wish: Gateway) -> Manifest:
    """One rule for each way to a pool, and one for everything else."""
    forced = [_forced(server, route, pool) for route in ROUTES for pool in server.pools]
    routes = [_rule(server, [_match("Exact", _path(route))], route_object_name(server, route)) for route in ROUTES]
    devices = [
        _rule(server, [_match("PathPrefix", f"/v1/devices/{pool}")], pool_object_name(server, pool))
        for pool in server.pools
    ]
    rest = _rule(server, [_match("PathPrefix", "/")], route_object_name(server, "single"))
    parents = [
        {"group": "gateway.networking.k8s.io", "kind": "Gateway", **parent.manifest()} for parent in wish.parent_refs
    ]
    hostnames = {"hostnames": list(wish.hostnames)} if wish.hostnames else {}
    return {
        **owned(server, HTTP_ROUTE, server.name, "edge"),
        "spec": {"parentRefs": parents, **hostnames, "rules": [*forced, *routes, *devices, rest]},
    }


def _path(route: str) -> str:
    return f"/v1/predict/{route}"


def _forced(server: Server, route: str, pool: PoolName) -> Manifest:
    header = {"type": "Exact", "name": DEVICE_HEADER, "value": pool}
    return _rule(server, [{**_match("Exact", _path(route)), "headers": [header]}], pool_object_name(server, pool))


def _match(type_: str, path: str) -> Manifest:
    return {"path": {"type": type_, "value": path}}


def _rule(server: Server, matches: list[Manifest], service: str) -> Manifest:
    backend = {"group": "", "kind": "Service", "name": service, "port": SERVICE_PORT, "weight": 1}
    seconds = server.spec.server.request_timeout_seconds + TIMEOUT_MARGIN_SECONDS
    return {"matches": matches, "backendRefs": [backend], "timeouts": {"request": f"{seconds}s"}}
