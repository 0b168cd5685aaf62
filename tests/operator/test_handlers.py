"""kopf's events, from an in-memory API server to the queue."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import kopf
import pytest
from kmock import KubernetesEmulator, ResourceInfo

from kronos_operator.cluster import Key
from kronos_operator.handlers import kopf_settings, registry
from kronos_operator.kinds import OBSERVED, RESOURCE, SERVICE, Kind
from kronos_operator.workqueue import WorkQueue

BODY: dict[str, Any] = {"metadata": {"name": "kronos", "namespace": "demo"}, "spec": {"cpu": {}}}
OWNED_BODY: dict[str, Any] = {
    "metadata": {"name": "other-cpu", "namespace": "demo", "labels": {"kronos.dev/deployment": "other"}}
}


@pytest.fixture
def api_server(kmock: KubernetesEmulator) -> KubernetesEmulator:
    """An API server that serves our kinds."""
    verbs = ["get", "list", "watch", "patch", "create", "delete"]
    # kopf waits until namespaces are served, though it does not list them here.
    namespaces = Kind("v1", "Namespace", "namespaces")
    for kind in (RESOURCE, *OBSERVED, namespaces):
        kmock.resources[f"{kind.api_version}/{kind.plural}"] = ResourceInfo(
            kind=kind.name, namespaced=kind is not namespaces, verbs=set(verbs)
        )
    return kmock


@asynccontextmanager
async def watching(server: KubernetesEmulator, keys: list[Key]) -> AsyncIterator[None]:
    """The handlers at work; every key that they enqueue is noted."""

    async def note(key: Key) -> None:
        keys.append(key)

    def login(**_: Any) -> kopf.ConnectionInfo:
        return kopf.ConnectionInfo(server=str(server.url))

    queue: WorkQueue[Key] = WorkQueue(note)
    ready, stop = asyncio.Event(), asyncio.Event()
    worker = asyncio.create_task(queue.run())
    settings = kopf_settings(("demo",))
    operator = kopf.operator(
        registry=registry(queue, login), settings=settings, namespaces=["demo"], ready_flag=ready, stop_flag=stop
    )
    task = asyncio.create_task(operator)
    try:
        await asyncio.wait_for(ready.wait(), 10)
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)
        worker.cancel()


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - any predicate, no event to wait for
            await asyncio.sleep(0.01)


async def create(server: KubernetesEmulator, kind: Kind, body: dict[str, Any]) -> None:
    async with aiohttp.ClientSession(str(server.url)) as session, session.post(kind.path("demo"), json=body) as reply:
        assert reply.status < 300


async def test_events_of_resources_and_of_owned_objects_put_the_resources_key(api_server: KubernetesEmulator) -> None:
    keys: list[Key] = []
    async with watching(api_server, keys):
        await create(api_server, RESOURCE, BODY)
        await create(api_server, SERVICE, OWNED_BODY)
        await eventually(lambda: set(keys) == {Key("demo", "kronos"), Key("demo", "other")})


async def test_watching_writes_nothing(api_server: KubernetesEmulator) -> None:
    """No finalizer, no annotation: a resource can be deleted while the operator is away."""
    keys: list[Key] = []
    async with watching(api_server, keys):
        await create(api_server, RESOURCE, BODY)
        await eventually(lambda: bool(keys))
        await asyncio.sleep(0.2)
    assert len(api_server["post"]) == 1  # ours, above
    assert not any(api_server[method] for method in ("patch", "put", "delete"))
    found = api_server.objects[f"{RESOURCE.api_version}/{RESOURCE.plural}", "demo", "kronos"]
    assert not {"finalizers", "annotations"} & set(found["metadata"])
