"""Starts the operator: probes, the queue's workers, resync and the watches."""

import asyncio
import logging
import socket
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, cast

import kopf
from kubernetes.aio.client import ApiClient
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

from kronos_operator.cluster import Cluster, Key
from kronos_operator.handlers import kopf_settings, registry
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
    asyncio.run(run(settings))


async def run(settings: Settings) -> None:
    """Run all parts; the first that ends, ends all."""
    await connect()
    async with ApiClient() as client:
        cluster = Cluster(client)
        queue: WorkQueue[Key] = WorkQueue(Reconciler(cluster, settings, lambda: datetime.now(UTC)))

        async def keys() -> list[Key]:
            namespaces = settings.watch_namespaces or (None,)
            return [key for namespace in namespaces for key in await cluster.keys(namespace)]

        resync = Resync(keys, queue, settings.resync_seconds)
        watching = asyncio.Event()
        probes = Probes(settings.probe_port, resync.is_live, watching.is_set)
        await probes.start()
        try:
            await _until_one_ends(queue.run(), resync.run(), watch(queue, settings, watching))
        finally:
            await probes.stop()


async def connect() -> None:
    """Find the API server: the service account's inside a cluster, else the kubeconfig's."""
    try:
        load_incluster_config()  # type: ignore[no-untyped-call]
    except ConfigException:
        await load_kube_config()  # type: ignore[no-untyped-call]


async def watch(queue: WorkQueue[Key], settings: Settings, ready: asyncio.Event) -> None:
    """Watch until a signal ends it."""
    await kopf.operator(
        registry=registry(queue),
        settings=kopf_settings(settings.watch_namespaces),
        namespaces=settings.watch_namespaces,
        clusterwide=not settings.watch_namespaces,
        standalone=True,
        # Left to itself, kopf asks for the user's name, and a numeric uid has none. The type is private to kopf.
        identity=cast(Any, socket.gethostname()),
        ready_flag=ready,
    )


async def _until_one_ends(*parts: Coroutine[Any, Any, None]) -> None:
    tasks = [asyncio.create_task(part) for part in parts]
    done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    for task in done:
        task.result()


if __name__ == "__main__":
    main()
