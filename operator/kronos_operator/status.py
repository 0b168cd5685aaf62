"""Turns what was observed into the conditions and counts that users read."""

from datetime import datetime

from kronos_operator.api import (
    ROUTES,
    Condition,
    Manifest,
    PoolName,
    PoolStatus,
    RouteName,
    RouteStatus,
    RouteStatuses,
    Server,
    Status,
)
from kronos_operator.api.status import Truth
from kronos_operator.diagnosis import Cause, Facts, root_cause
from kronos_operator.identity import pool_object_name, route_object_name
from kronos_operator.observed import Observed
from kronos_operator.plan import Plan
from kronos_operator.render.service import in_cluster_url
from kronos_operator.settings import Settings

PROGRESSING = "Progressing"
POOL_CONDITIONS: dict[PoolName, str] = {"cpu": "CPUPoolReady", "gpu": "GPUPoolReady"}


def status(server: Server, seen: Observed, plan: Plan, settings: Settings, now: datetime) -> Status:
    """The status that describes this observation; a clock moves only where what it measures did."""
    conditions = summarize([pool_ready(server, pool, seen) for pool in server.pools], server, seen)
    return Status(
        observed_generation=server.generation,
        conditions=tuple(_stamped(condition, server, now) for condition in conditions),
        pools=tuple(_pool_status(server, pool, seen, settings) for pool in server.pools),
        routes=_routes(server, plan, now),
        url=_url(server, seen),
    )


def summarize(pools: list[Condition], server: Server, seen: Observed) -> list[Condition]:
    """All conditions: the pools' and those that follow from them."""
    route = route_ready(server, seen)
    stalled = _stalled(server, seen)
    waiting = _worst([*pools, route, stalled])
    ready = _says("Ready", waiting is None, *_because(waiting, "AsDeclared", "everything is as declared"))
    busy = waiting is not None and stalled.status == "False"
    reconciling = _says("Reconciling", busy, *_because(waiting if busy else None, "Settled", "nothing is under way"))
    return [ready, _available(server, seen), reconciling, stalled, *pools, route]


def _worst(conditions: list[Condition]) -> Condition | None:
    """The condition that keeps the resource from being ready: what needs help before what only needs time."""
    waiting = [each for each in conditions if each.status != ("False" if each.type == "Stalled" else "True")]
    waiting.sort(key=lambda each: (each.type != "Stalled", each.reason == PROGRESSING))
    return waiting[0] if waiting else None


def _says(type_: str, holds: bool, reason: str, message: str) -> Condition:
    truth: Truth = "True" if holds else "False"
    return Condition(type=type_, status=truth, reason=reason, message=message)


def _because(condition: Condition | None, reason: str, message: str) -> tuple[str, str]:
    return (condition.reason, condition.message) if condition else (reason, message)


def pool_ready(server: Server, pool: PoolName, seen: Observed) -> Condition:
    """Whether all pods of a pool are ready and of the current template; a pool of zero is as wished."""
    type_ = POOL_CONDITIONS[pool]
    deployment = seen.deployment(server, pool)
    if deployment is None:
        return _says(type_, False, PROGRESSING, f"Deployment {pool_object_name(server, pool)} is not there yet")
    desired, ready, updated = counts(deployment)
    if _is_settled(deployment):
        if desired == 0:
            return _says(type_, True, "ScaledToZero", f"{pool}.replicas is 0")
        return _says(type_, True, "ReplicasReady", f"{ready}/{desired} replicas ready")
    progress = f"{min(ready, updated)}/{desired} replicas ready"
    cause = root_cause(Facts(deployment, seen.pool_pods(pool))) or Cause(PROGRESSING, progress)
    message = cause.message if cause.reason == PROGRESSING else f"{progress}: {cause.message}"
    return _says(type_, False, cause.reason, message)


def counts(deployment: Manifest) -> tuple[int, int, int]:
    """(desired, ready, updated) pods of a Deployment."""
    observed = deployment.get("status", {})
    return deployment["spec"].get("replicas", 1), observed.get("readyReplicas", 0), observed.get("updatedReplicas", 0)


def _is_settled(deployment: Manifest) -> bool:
    """Counts and the observed generation are facts; the Available condition is not.

    With one replica, maxUnavailable 1 and a broken image, Kubernetes says Available=True with 0 available.
    """
    observed = deployment.get("status", {})
    desired, ready, updated = counts(deployment)
    current = observed.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    return bool(current and ready == updated == desired == observed.get("replicas", 0))


def route_ready(server: Server, seen: Observed) -> Condition:
    """Whether the way from outside is laid; it needs no load balancer to have answered."""
    if server.spec.ingress is None:
        return _says("RouteReady", True, "InCluster", "no ingress is declared: reachable inside the cluster")
    if seen.ingress(server) is None:
        return _says("RouteReady", False, PROGRESSING, f"Ingress {server.name} is not there yet")
    return _says("RouteReady", True, "IngressApplied", f"Ingress {server.name} is there")


def _available(server: Server, seen: Observed) -> Condition:
    """Whether both routes are answered by ready pods, whichever pool they belong to."""
    silent = [route for route in ROUTES if not seen.ready_endpoints(route_object_name(server, route))]
    if silent:
        services = " and ".join(route_object_name(server, route) for route in silent)
        return _says("Available", False, "NoReadyPods", f"no ready pod answers for Service {services}")
    return _says("Available", True, "RoutesAnswered", "both routes are answered by ready pods")


def _stalled(server: Server, seen: Observed) -> Condition:
    if server.spec.paused:
        return _says("Stalled", True, "Paused", "spec.paused is true: nothing is changed until it is false")
    if seen.problems:
        problem = seen.problems[0]
        return _says("Stalled", True, problem.reason, f"{problem.key.kind} {problem.key.name}: {problem.message}")
    return _says("Stalled", False, "NotStalled", "nothing needs help")


def _stamped(condition: Condition, server: Server, now: datetime) -> Condition:
    before = server.status.condition(condition.type)
    same = before is not None and before.status == condition.status
    since = before.last_transition_time if before and same else timestamp(now)
    return condition.model_copy(update={"observed_generation": server.generation, "last_transition_time": since})


def timestamp(moment: datetime) -> str:
    """A moment in UTC as Kubernetes writes it, to the second."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _pool_status(server: Server, pool: PoolName, seen: Observed, settings: Settings) -> PoolStatus:
    deployment = seen.deployment(server, pool)
    desired, ready, updated = counts(deployment) if deployment else (server.pools[pool].replicas or 0, 0, 0)
    model = server.spec.model or settings.default_model
    return PoolStatus(
        name=pool, desired=desired, ready=ready, updated=updated, summary=f"{ready}/{desired}", model=model.name
    )


def _routes(server: Server, plan: Plan, now: datetime) -> RouteStatuses:
    return RouteStatuses(**{route: _route(server, route, plan.routes[route], now) for route in ROUTES})


def _route(server: Server, route: RouteName, pool: PoolName, now: datetime) -> RouteStatus:
    before = getattr(server.status.routes, route, None)
    return before if before is not None and before.pool == pool else RouteStatus(pool=pool, since=timestamp(now))


def _url(server: Server, seen: Observed) -> str:
    """The address for users: a host, the load balancer, else the route's Service inside the cluster."""
    wish, live = server.spec.ingress, seen.ingress(server)
    if wish and wish.hosts:
        return f"{'https' if wish.tls_secret_name else 'http'}://{wish.hosts[0]}"
    balancers = live.get("status", {}).get("loadBalancer", {}).get("ingress") if live else None
    if balancers:
        return f"http://{balancers[0].get('hostname') or balancers[0].get('ip')}"
    return in_cluster_url(server, route_object_name(server, "single"))
