"""The conditions of a custom resource: facts in, observations out."""

from kronos_operator.api import ROUTES, Condition, PoolName, Server
from kronos_operator.api.status import Truth
from kronos_operator.diagnosis import Cause, Facts, root_cause
from kronos_operator.identity import pool_object_name, route_object_name
from kronos_operator.kinds import DEPLOYMENT, HTTP_ROUTE, INGRESS
from kronos_operator.observed import ObjectKey, Observed
from kronos_operator.plan import Plan, PoolPlan, Stage
from kronos_operator.plan.routing import OTHER
from kronos_operator.progress import counts, is_settled

PROGRESSING = "Progressing"
POOL_CONDITIONS: dict[PoolName, str] = {"cpu": "CPUPoolReady", "gpu": "GPUPoolReady"}
WAYS_IN = (INGRESS.name, HTTP_ROUTE.name)
# Conditions that are bad when true.
ALARMS = {"Stalled", "FailedOver"}


def conditions(server: Server, seen: Observed, plan: Plan) -> list[Condition]:
    """All conditions: what is observed of each part, and what follows for the whole."""
    pools = [pool_ready(server, pool, seen, planned) for pool, planned in plan.pools.items()]
    routes = [route_ready(server, seen), *_failed_over(server, plan)]
    stalled = _stalled(server, seen, plan)
    worst = _worst([*pools, *routes, stalled])
    ready = _says("Ready", worst is None, *_because(worst, "AsDeclared", "everything is as declared"))
    busy = worst is not None and stalled.status == "False"
    reconciling = _says("Reconciling", busy, *_because(worst if busy else None, "Settled", "nothing is under way"))
    return [ready, _available(server, seen), reconciling, stalled, *pools, *routes]


def _worst(observations: list[Condition]) -> Condition | None:
    """What keeps the resource from being ready: what needs help before what only needs time."""
    waiting = [each for each in observations if each.status != ("False" if each.type in ALARMS else "True")]
    order = {"Stalled": 0, "FailedOver": 3}
    waiting.sort(key=lambda each: order.get(each.type, 2 if each.reason == PROGRESSING else 1))
    return waiting[0] if waiting else None


def _says(type_: str, holds: bool, reason: str, message: str) -> Condition:
    truth: Truth = "True" if holds else "False"
    return Condition(type=type_, status=truth, reason=reason, message=message)


def _because(condition: Condition | None, reason: str, message: str) -> tuple[str, str]:
    return (condition.reason, condition.message) if condition else (reason, message)


def pool_ready(server: Server, pool: PoolName, seen: Observed, planned: PoolPlan) -> Condition:
    """Whether all pods of a pool are ready and of the wanted template; a pool of zero is as wished."""
    type_ = POOL_CONDITIONS[pool]
    deployment = seen.deployment(server, pool)
    if problem := seen.problem(DEPLOYMENT, pool_object_name(server, pool)):
        return _says(type_, False, problem.reason, str(problem))
    if deployment is None:
        return _says(type_, False, PROGRESSING, f"Deployment {pool_object_name(server, pool)} is not there yet")
    if planned.rollout.stage in (Stage.ROLLED_BACK, Stage.STOPPED):
        return _says(type_, False, REASONS[planned.rollout.stage], planned.rollout.because)
    if planned.waiting:
        return _says(type_, False, PROGRESSING, f"the update {planned.waiting}")
    number = counts(deployment)
    if is_settled(deployment) and number.desired == 0:
        return _says(type_, True, "ScaledToZero", f"{pool}.replicas is 0")
    progress = f"{min(number.ready, number.updated)}/{number.desired} replicas ready"
    if is_settled(deployment):
        return _says(type_, True, "ReplicasReady", progress + _warning(server, pool, planned))
    cause = root_cause(Facts(deployment, seen.pool_pods(pool), seen.warnings)) or Cause(PROGRESSING, "")
    return _says(type_, False, cause.reason, f"{progress}: {cause.message}" if cause.message else progress)


def _warning(server: Server, pool: PoolName, planned: PoolPlan) -> str:
    alone = OTHER[pool] not in server.pools
    if alone and planned.replaces and planned.wanted == 1:
        return "; an update will interrupt the service, with one replica, strategy Replace and no other pool"
    return ""


def route_ready(server: Server, seen: Observed) -> Condition:
    """Whether the ways from outside are laid; they need no load balancer to have answered."""
    missing = [problem for problem in seen.problems if problem.key.kind in WAYS_IN]
    if missing:
        return _says("RouteReady", False, missing[0].reason, missing[0].message)
    wished = [kind for kind, wish in zip(WAYS_IN, (server.spec.ingress, server.spec.gateway), strict=True) if wish]
    for kind in wished:
        if ObjectKey(kind, server.name) not in seen.objects:
            return _says("RouteReady", False, PROGRESSING, f"{kind} {server.name} is not there yet")
    refusal = _gateway_refusal(server, seen)
    if refusal:
        return _says("RouteReady", False, "GatewayRefused", refusal)
    if not wished:
        return _says("RouteReady", True, "InCluster", "no ingress or gateway is declared: reachable in the cluster")
    return _says("RouteReady", True, "RouteApplied", f"{' and '.join(wished)} {server.name} is there")


def _gateway_refusal(server: Server, seen: Observed) -> str | None:
    """What a Gateway says against our HTTPRoute; silence is no refusal."""
    route = seen.object(HTTP_ROUTE, server.name)
    for parent in (route or {}).get("status", {}).get("parents") or ():
        for condition in parent.get("conditions") or ():
            if condition["type"] in ("Accepted", "ResolvedRefs") and condition["status"] == "False":
                name = parent["parentRef"]["name"]
                return f"Gateway {name} refuses HTTPRoute {server.name}: {condition.get('message', '')}"
    return None


def _available(server: Server, seen: Observed) -> Condition:
    """Whether both routes are answered by ready pods, whichever pool they belong to."""
    silent = [route for route in ROUTES if not seen.ready_pods(route_object_name(server, route))]
    if silent:
        services = " and ".join(route_object_name(server, route) for route in silent)
        return _says("Available", False, "NoReadyPods", f"no ready pod answers for Service {services}")
    return _says("Available", True, "RoutesAnswered", "both routes are answered by ready pods")


def _failed_over(server: Server, plan: Plan) -> list[Condition]:
    """Whether a route is away from home; only where there are two pools to choose from."""
    if len(server.pools) < len(OTHER):
        return []
    away = [route for route in ROUTES if plan.routes[route].pool != plan.homes[route]]
    if not away:
        return [_says("FailedOver", False, "AtHome", "every route selects its own pool")]
    seconds = server.spec.routing.failover.back_after_seconds
    told = [f"{route} is answered by pool {plan.routes[route].pool} instead of {plan.homes[route]}" for route in away]
    return [
        _says("FailedOver", True, "FailedOver", f"{', '.join(told)}; it goes back once that was ready for {seconds} s")
    ]


REASONS = {Stage.ROLLED_BACK: "RolledBack", Stage.STOPPED: "RolloutFailed"}


def _stalled(server: Server, seen: Observed, plan: Plan) -> Condition:
    if server.spec.paused:
        return _says("Stalled", True, "Paused", "spec.paused is true: nothing is changed until it is false")
    if seen.problems:
        problem = seen.problems[0]
        return _says("Stalled", True, problem.reason, str(problem))
    for pool, planned in plan.pools.items():
        reason = REASONS.get(planned.rollout.stage)
        if reason:
            return _says("Stalled", True, reason, f"pool {pool}: {planned.rollout.because}")
    return _says("Stalled", False, "NotStalled", "nothing needs help")
