"""What the kubelet and Prometheus are answered, and what Prometheus is told."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest

from kronos_operator.api import Condition, PoolStatus, Server, Status
from kronos_operator.metrics import Metrics
from kronos_operator.probes import Probes
from kronos_operator.resync import Resync
from kronos_operator.workqueue import WorkQueue

MakeServer = Callable[..., Server]


class Facts:
    live = True
    ready = False


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    facts, port = Facts(), free_port()
    probes = Probes(port, lambda: facts.live, lambda: facts.ready, lambda: b"metric 1\n")
    await probes.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        yield session
    await probes.stop()


@pytest.mark.parametrize(("path", "status"), [("/healthz", 200), ("/readyz", 503), ("/metrics", 200), ("/", 404)])
async def test_a_probe_is_answered_by_the_fact_behind_it(client: aiohttp.ClientSession, path: str, status: int) -> None:
    async with client.get(path) as answer:
        assert answer.status == status


async def test_a_stuck_resync_turns_healthz_bad() -> None:
    now, port = 0.0, free_port()
    resync = Resync(never, WorkQueue(nothing), 300, lambda: now)
    attempt = asyncio.create_task(resync.run())
    probes = Probes(port, resync.is_live, lambda: True, lambda: b"")
    await probes.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        async with session.get("/healthz") as answer:
            assert answer.status == 200
        now = 661  # twice the period, and a minute
        async with session.get("/healthz") as answer:
            assert answer.status == 503
    await probes.stop()
    attempt.cancel()


async def never() -> list[str]:
    await asyncio.Event().wait()
    return []


async def nothing(_: str) -> None:
    return None


async def test_metrics_are_plain_text(client: aiohttp.ClientSession) -> None:
    async with client.get("/metrics") as answer:
        assert answer.content_type == "text/plain"
        assert await answer.text() == "metric 1\n"


def test_every_condition_and_pool_is_one_gauge_until_the_resource_is_gone(make_server: MakeServer) -> None:
    metrics = Metrics()
    server = make_server({"cpu": {}})
    ready = Condition(type="Ready", status="False", reason="Because", message="x")
    gone = Condition(type="FailedOver", status="True", reason="Because", message="x")
    metrics.show(server, Status(conditions=(ready, gone)))
    metrics.show(server, Status(conditions=(ready,), pools=(PoolStatus(name="cpu", desired=2, ready=1),)))
    text = metrics.text().decode()
    assert 'kronos_deployment_condition{name="kronos",namespace="demo",type="Ready"} 0.0' in text
    assert 'kronos_deployment_pool_pods{name="kronos",namespace="demo",pods="ready",pool="cpu"} 1.0' in text
    assert "FailedOver" not in text
    metrics.forget("demo", "kronos")
    assert "demo" not in metrics.text().decode()


def test_reconciles_are_counted_by_result() -> None:
    metrics = Metrics()
    with metrics.reconcile():
        pass
    with pytest.raises(RuntimeError), metrics.reconcile():
        raise RuntimeError
    text = metrics.text().decode()
    assert 'kronos_operator_reconcile_seconds_count{result="success"} 1.0' in text
    assert 'kronos_operator_reconcile_seconds_count{result="error"} 1.0' in text
