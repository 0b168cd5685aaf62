"""Starts the operator: probes, the election of a leader, and then the queue's workers, resync and watches."""

import asyncio
import logging
import socket
import sys
import uuid
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any, cast

import kopf
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

from kronos_operator.cluster import Cluster, Key
from kronos_operator.connection import PASSING, Connection, always, asked_delay, fenced
from kronos_operator.handlers import kopf_settings, registry
from kronos_operator.leadership import Leadership, LeadershipLost
from kronos_operator.lease import ClusterLease
from kronos_operator.metrics import Metrics
from kronos_operator.probes import Probes
from kronos_operator.reconcile import Reconciler
from kronos_operator.resync import Resync
from kronos_operator.settings import Settings
from kronos_operator.workqueue import WorkQueue

logger = logging.getLogger("kronos_operator")


def main() -> None:
    """Run until a signal, or until a part fails; then the process ends and is started again."""
    settings = Settings()
    logging.basicConfig(
        level=settings.log_level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("kopf").setLevel(max(logging.WARNING, logging.getLevelName(settings.log_level)))
    if settings.testing_gpu_device:
        logger.warning("TEST SWITCH: GPU pools run on device %s, not on GPUs", settings.testing_gpu_device)
    try:
        asyncio.run(run(settings))
    except LeadershipLost as lost:
        logger.error("the lead is lost: %s", lost)
        sys.exit(1)


async def run(settings: Settings) -> None:
    """Run all parts; the first that ends, ends all."""
    await _connect()
    async with ApiClient() as election:
        await _run_fenced(settings, _leadership(election, settings))


async def _run_fenced(settings: Settings, leadership: Leadership | None) -> None:
    configuration = Configuration.get_default_copy()
    configuration.trace_configs = [fenced(leadership.check)] if leadership else None
    async with ApiClient(configuration) as client:
        operator = Operator(client, settings, leadership)
        await operator.probes.start()
        try:
            await operator.run()
        finally:
            await operator.probes.stop()


class Operator:
    """The parts of the program, wired."""

    def __init__(self, client: ApiClient, settings: Settings, leadership: Leadership | None) -> None:
        self._settings = settings
        self._leadership = leadership
        self._cluster = Cluster(Connection(client, self._leadership.check if self._leadership else always))
        self._metrics = Metrics()
        reconciler = Reconciler(self._cluster, settings, self._metrics, lambda: datetime.now(UTC))
        self._queue: WorkQueue[Key] = WorkQueue(reconciler, passing=PASSING, asked_delay=asked_delay)
        self._resync = Resync(self._keys, self._queue, settings.resync_seconds)
        self._watching = asyncio.Event()
        self._leading = False
        self._metrics.watch_queue(lambda: self._queue.depth, lambda: self._queue.age)
        self._metrics.watch_leadership(lambda: self._leading)
        self.probes = Probes(settings.probe_port, self._is_live, self._is_ready, self._metrics.text)

    async def run(self) -> None:
        """Wait for the lead, then work until a part ends."""
        async with AsyncExitStack() as stack:
            if self._leadership:
                await self._leadership.acquire()
                stack.push_async_callback(self._leadership.release)
            self._leading = True
            election = [self._leadership.hold()] if self._leadership else []
            await _until_one_ends([self._queue.run(), self._resync.run(), self._watch(), *election])

    async def _keys(self) -> list[Key]:
        namespaces = self._settings.watch_namespaces or (None,)
        return [key for namespace in namespaces for key in await self._cluster.keys(namespace)]

    async def _watch(self) -> None:
        """Watch until a signal ends it."""
        namespaces = self._settings.watch_namespaces
        await kopf.operator(
            registry=registry(self._queue),
            settings=kopf_settings(namespaces),
            namespaces=namespaces,
            clusterwide=not namespaces,
            standalone=True,
            # Left to itself, kopf asks for the user's name, and a numeric uid has none. The type is private to kopf.
            identity=cast(Any, socket.gethostname()),
            ready_flag=self._watching,
        )

    def _is_live(self) -> bool:
        return not self._leading or self._resync.is_live()

    def _is_ready(self) -> bool:
        return not self._leading or self._watching.is_set()


def _leadership(client: ApiClient, settings: Settings) -> Leadership | None:
    if not settings.namespace:
        return None
    store = ClusterLease(Connection(client), settings.namespace, settings.lease_name)
    return Leadership(store, f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}")


async def _connect() -> None:
    """Find the API server: the service account's inside a cluster, else the kubeconfig's."""
    try:
        load_incluster_config()  # type: ignore[no-untyped-call]
    except ConfigException:
        await load_kube_config()  # type: ignore[no-untyped-call]


async def _until_one_ends(parts: list[Coroutine[Any, Any, None]]) -> None:
    tasks = [asyncio.create_task(part) for part in parts]
    done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    for task in done:
        task.result()


if __name__ == "__main__":
    main()
