"""Computes the manifests of everything that one custom resource owns."""

from kronos_operator.api import Manifest, PoolName, Server
from kronos_operator.plan import Plan
from kronos_operator.render.autoscaler import autoscaler
from kronos_operator.render.controller_revision import controller_revision
from kronos_operator.render.deployment import deployment
from kronos_operator.render.disruption_budget import disruption_budget
from kronos_operator.render.http_route import http_route
from kronos_operator.render.ingress import ingress
from kronos_operator.render.pod import pod_template
from kronos_operator.render.service import pool_service, route_service
from kronos_operator.render.service_account import service_account
from kronos_operator.settings import Settings


def templates(server: Server, settings: Settings) -> dict[PoolName, Manifest]:
    """The pod templates that the spec asks for; the plan says when each of them runs."""
    return {pool: pod_template(server, pool, settings) for pool in server.pools}


def render(server: Server, plan: Plan) -> list[Manifest]:
    """All manifests, in the order in which they are applied."""
    budgets = [disruption_budget(server, pool) for pool, planned in plan.pools.items() if planned.spare]
    return [
        service_account(server),
        *(pool_service(server, pool) for pool in server.pools),
        *(route_service(server, route, status.pool) for route, status in plan.routes.items()),
        *budgets,
        *(
            controller_revision(server, pool, revision)
            for pool, planned in plan.pools.items()
            for revision in planned.kept
        ),
        *(deployment(server, pool, planned) for pool, planned in plan.pools.items()),
        *(autoscaler(server, pool, wish.autoscaling) for pool, wish in server.pools.items() if wish.autoscaling),
        *([ingress(server, server.spec.ingress)] if server.spec.ingress else []),
        *([http_route(server, server.spec.gateway)] if server.spec.gateway else []),
    ]
