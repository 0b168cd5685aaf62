"""The order of steps that makes owned objects match one custom resource."""

import logging
from collections.abc import Callable
from datetime import datetime

from pydantic import ValidationError

from kronos_operator.api import Server, Status, parse
from kronos_operator.cluster import BeingCollected, Cluster, Ending, Key
from kronos_operator.connection import Refused
from kronos_operator.kinds import AUTOSCALER, OWNED
from kronos_operator.metrics import Metrics
from kronos_operator.observed import Observed
from kronos_operator.plan import Plan, plan
from kronos_operator.render import render, templates
from kronos_operator.settings import Settings
from kronos_operator.status import stalled, status
from kronos_operator.transitions import happenings

logger = logging.getLogger(__name__)

REST = tuple(kind for kind in OWNED if kind is not AUTOSCALER)
COLLECTION_SECONDS = 1.0
SHORTEST_WAIT = 5.0
LONGEST_WAIT = 120.0


class Reconciler:
    """Reconciles one resource after another over one connection."""

    def __init__(self, cluster: Cluster, settings: Settings, metrics: Metrics, clock: Callable[[], datetime]) -> None:
        self._cluster = cluster
        self._settings = settings
        self._metrics = metrics
        self._clock = clock

    async def __call__(self, key: Key) -> float | None:
        """Reconcile one resource; returns the seconds until it must be looked at again by itself."""
        with self._metrics.reconcile():
            body = await self._cluster.read(key)
            if body is None or "deletionTimestamp" in body["metadata"]:
                self._metrics.forget(*key)  # owner references do the deleting
                return None
            try:
                server = parse(body)
            except ValidationError as error:
                await self._stall(parse({**body, "spec": {}}), "InvalidSpec", f"the operator cannot read it: {error}")
                return None
            return await self._reconcile(server)

    async def _stall(self, server: Server, reason: str, message: str) -> None:
        await self._cluster.write_status(server, stalled(server, reason, message, self._clock()))

    async def _reconcile(self, server: Server) -> float | None:
        try:
            seen = await self._cluster.observe(server)
        except Refused as refused:
            if refused.status == 403:
                await self._stall(server, "Forbidden", f"the operator lacks a right: {refused.message}")
            raise
        now = self._clock()
        planned = plan(server, templates(server, self._settings), seen, now)
        if not server.spec.paused:
            try:
                seen = await self._bring_about(server, planned, seen)
            except BeingCollected as leftover:
                logger.info("%s/%s: waiting: %s", server.namespace, server.name, leftover)
                return COLLECTION_SECONDS
            except Ending as ending:
                logger.info("%s/%s: left to its end: %s", server.namespace, server.name, ending)
                return None
        seen = await self._cluster.explain(seen)
        found = status(server, seen, planned, self._settings, now)
        await self._cluster.write_status(server, found)
        for happening in happenings(server.status, found):
            await self._cluster.record(server, happening)
        self._metrics.show(server, found)
        return _next_look(planned, found, now)

    async def _bring_about(self, server: Server, planned: Plan, seen: Observed) -> Observed:
        wanted = render(server, planned)
        # An autoscaler that is still there would answer our number of replicas with its own.
        await self._cluster.prune(server, wanted, seen, planned.retained, (AUTOSCALER,))
        applied = await self._cluster.apply(server, wanted, seen)
        await self._cluster.prune(server, wanted, seen, planned.retained, REST)
        return applied


def _next_look(planned: Plan, found: Status, now: datetime) -> float | None:
    """Seconds until the next look: when the plan says so, and now and then while something is not ready.

    Events about pods, as a volume that cannot be mounted, are not watched. The longer it takes, the rarer the looks.
    """
    ready = found.condition("Ready")
    if ready is None or ready.status == "True":
        return planned.look_again
    waited = (now - datetime.fromisoformat(ready.last_transition_time)).total_seconds()
    return min(planned.look_again or LONGEST_WAIT, LONGEST_WAIT, max(SHORTEST_WAIT, waited / 10))
