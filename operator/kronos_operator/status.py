"""Turns what was observed into the status that users read."""

from datetime import datetime

from kronos_operator.api import Condition, PoolName, PoolStatus, RouteStatuses, Server, Status
from kronos_operator.conditions import conditions
from kronos_operator.identity import route_object_name
from kronos_operator.observed import Observed
from kronos_operator.plan import Plan
from kronos_operator.plan.clocks import written
from kronos_operator.progress import Counts, counts
from kronos_operator.render.service import in_cluster_url
from kronos_operator.settings import Settings


def status(server: Server, seen: Observed, plan: Plan, settings: Settings, now: datetime) -> Status:
    """The status that describes this observation; a clock moves only where what it measures did."""
    return Status(
        observed_generation=server.generation,
        conditions=tuple(_stamped(condition, server, now) for condition in conditions(server, seen, plan)),
        pools=tuple(_pool_status(server, pool, seen, plan, settings) for pool in server.pools),
        routes=RouteStatuses(single=plan.routes["single"], batch=plan.routes["batch"]),
        url=_url(server, seen),
    )


def stalled(server: Server, reason: str, message: str, now: datetime) -> Status:
    """The last status of a resource that cannot be looked at, with the reason on top."""
    why = [
        Condition(type="Ready", status="False", reason=reason, message=message),
        Condition(type="Stalled", status="True", reason=reason, message=message),
    ]
    rest = [each for each in server.status.conditions if each.type not in ("Ready", "Stalled")]
    stamped = tuple(_stamped(condition, server, now) for condition in why)
    return server.status.model_copy(update={"observed_generation": server.generation, "conditions": (*stamped, *rest)})


def _stamped(condition: Condition, server: Server, now: datetime) -> Condition:
    before = server.status.condition(condition.type)
    same = before is not None and before.status == condition.status
    since = before.last_transition_time if before and same else now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return condition.model_copy(update={"observed_generation": server.generation, "last_transition_time": since})


def _pool_status(server: Server, pool: PoolName, seen: Observed, plan: Plan, settings: Settings) -> PoolStatus:
    deployment = seen.deployment(server, pool)
    planned, clocks = plan.pools[pool], plan.availability[pool]
    number = counts(deployment) if deployment else Counts(planned.wanted, 0, 0, 0)
    return PoolStatus(
        name=pool,
        desired=number.desired,
        ready=number.ready,
        updated=number.updated,
        summary=f"{number.ready}/{number.desired}",
        model=(server.spec.model or settings.default_model).name,
        rejected_revision=planned.rollout.rejected,
        rejected_because=planned.rollout.failure,
        unavailable_since=written(clocks.unavailable_since) if clocks.unavailable_since else None,
        available_since=written(clocks.available_since) if clocks.available_since else None,
    )


def _url(server: Server, seen: Observed) -> str:
    """The address for users: a host, the load balancer, else the route's Service inside the cluster."""
    wish, live = server.spec.ingress, seen.ingress(server)
    if wish and wish.hosts:
        return f"{'https' if wish.tls_secret_name else 'http'}://{wish.hosts[0]}"
    gateway = server.spec.gateway
    if gateway and gateway.hostnames:
        return f"http://{gateway.hostnames[0]}"
    balancers = live.get("status", {}).get("loadBalancer", {}).get("ingress") if live else None
    if balancers:
        return f"http://{balancers[0].get('hostname') or balancers[0].get('ip')}"
    return in_cluster_url(server, route_object_name(server, "single"))
