"""The order of steps that makes owned objects match one custom resource."""

import logging
from collections.abc import Callable
from datetime import datetime

from kronos_operator.api import Status, parse
from kronos_operator.cluster import BeingCollected, Cluster, Key
from kronos_operator.plan import Plan, plan
from kronos_operator.render import render, templates
from kronos_operator.settings import Settings
from kronos_operator.status import status

logger = logging.getLogger(__name__)

COLLECTION_SECONDS = 1.0
SHORTEST_WAIT = 5.0
LONGEST_WAIT = 120.0


def _next_look(planned: Plan, found: Status, now: datetime) -> float | None:
    """Seconds until the next look: when the plan says so, and now and then while something is not ready.

    Events about pods, as a volume that cannot be mounted, are not watched. The longer it takes, the rarer the looks.
    """
    ready = found.condition("Ready")
    if ready is None or ready.status == "True":
        return planned.look_again
    waited = (now - datetime.fromisoformat(ready.last_transition_time)).total_seconds()
    return min(planned.look_again or LONGEST_WAIT, LONGEST_WAIT, max(SHORTEST_WAIT, waited / 10))


class Reconciler:
    """Reconciles one resource after another over one connection."""

    def __init__(self, cluster: Cluster, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._cluster = cluster
        self._settings = settings
        self._clock = clock

    async def __call__(self, key: Key) -> float | None:
        """Reconcile one resource; returns the seconds until it must be looked at again by itself."""
        body = await self._cluster.read(key)
        if body is None or "deletionTimestamp" in body["metadata"]:
            return None  # owner references do the deleting
        server = parse(body)
        seen = await self._cluster.observe(server)
        now = self._clock()
        planned = plan(server, templates(server, self._settings), seen, now)
        if not server.spec.paused:
            wanted = render(server, planned)
            try:
                seen = await self._cluster.apply(server, wanted, seen)
            except BeingCollected as leftover:
                logger.info("%s/%s: waiting: %s", key.namespace, key.name, leftover)
                return COLLECTION_SECONDS
            await self._cluster.prune(server, wanted, seen, planned.retained)
        found = status(server, seen, planned, self._settings, now)
        await self._cluster.write_status(server, found)
        return _next_look(planned, found, now)
