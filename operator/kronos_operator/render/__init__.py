"""Computes the manifests of everything that one custom resource owns."""

from kronos_operator.api import Manifest, Server
from kronos_operator.plan import Plan
from kronos_operator.render.deployment import deployment
from kronos_operator.render.disruption_budget import disruption_budget
from kronos_operator.render.ingress import ingress
from kronos_operator.render.service import pool_service, route_service
from kronos_operator.render.service_account import service_account
from kronos_operator.settings import Settings


def render(server: Server, plan: Plan, settings: Settings) -> list[Manifest]:
    """All manifests, in the order in which they are applied."""
    budgets = [disruption_budget(server, pool) for pool in server.pools if (plan.replicas[pool] or 0) > 1]
    return [
        service_account(server),
        *(pool_service(server, pool) for pool in server.pools),
        *(route_service(server, route, pool) for route, pool in plan.routes.items()),
        *budgets,
        *(deployment(server, pool, plan.replicas[pool], settings) for pool in server.pools),
        *([ingress(server, server.spec.ingress)] if server.spec.ingress else []),
    ]
