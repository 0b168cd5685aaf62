"""The order of steps that makes owned objects match one custom resource."""

import logging
from collections.abc import Callable
from datetime import datetime

from kronos_operator.api import parse
from kronos_operator.cluster import Cluster, BeingCollected, Key
from kronos_operator.plan import plan
from kronos_operator.render import render
from kronos_operator.settings import Settings
from kronos_operator.status import status

logger = logging.getLogger(__name__)

COLLECTION_SECONDS = 1.0


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
        planned = plan(server, seen)
        if not server.spec.paused:
            wanted = render(server, planned, self._settings)
            try:
                seen = await self._cluster.apply(server, wanted, seen)
            except BeingCollected as leftover:
                logger.info("%s/%s: waiting: %s", key.namespace, key.name, leftover)
                return COLLECTION_SECONDS
            await self._cluster.prune(server, wanted, seen)
        await self._cluster.write_status(server, status(server, seen, planned, self._settings, self._clock()))
        return planned.look_again
