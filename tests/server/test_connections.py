"""Connections: slow, idle, broken and many."""

import asyncio
import http.client
import json
import resource
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from running_server import RunningServer

Make = Callable[..., dict[str, Any]]
SLOW = 2000
PATIENCE = 30
HEAD = b"POST /v1/predict/single HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n"


@pytest.fixture
def many_files() -> None:
    """Lifts the limit of open files of the test itself."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@pytest.fixture
def raw(server: RunningServer) -> Iterator[socket.socket]:
    """A bare connection to the server."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
        yield connection


async def drip(server: RunningServer, head: bytes) -> bytes:
    """Sends a byte a second after the head, or nothing at all; what the server said when it closed."""
    host, port = server.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(head)
    reading = asyncio.create_task(reader.read())
    for _ in range(PATIENCE):
        if reading.done():
            break
        if head:
            writer.write(b"x")
        await asyncio.sleep(1)
    writer.close()
    try:
        return await asyncio.wait_for(reading, 1)
    except ConnectionResetError:
        return b""


@pytest.mark.usefixtures("many_files")
async def test_slow_clients_are_closed_while_others_are_served(server: RunningServer, body: Make) -> None:
    heads = [b"", b"GET / HTTP/1.1\r\nx-", HEAD + b"\r\n{"]
    dripping = [asyncio.create_task(drip(server, heads[number % 3])) for number in range(SLOW)]
    statuses = []
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=60) as client:
        for _ in range(8):
            statuses.append((await client.get("/v1/readyz")).status_code)
            statuses.append((await client.get("/v1/healthz")).status_code)
            statuses.append((await client.post("/v1/predict/single", json=body())).status_code)
            await asyncio.sleep(1)
    assert set(statuses) == {200}
    assert set(await asyncio.gather(*dripping)) <= {b""}


def test_what_is_no_http_gets_a_problem(raw: socket.socket) -> None:
    raw.sendall(b"\x16\x03\x01\x02\x00\r\n\r\n")
    head, _, content = raw.recv(4096).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"x-kronos-pool: cpu" in head
    assert json.loads(content)["status"] == 400
    assert raw.recv(1) == b""


def test_an_idle_connection_outlives_the_slow_client_limit(server: RunningServer) -> None:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=PATIENCE)
    connection.connect()
    before = connection.sock
    for pause in (11, 0):
        connection.request("GET", "/v1/healthz")
        assert connection.getresponse().read() == b'{"status":"ok"}'
        time.sleep(pause)
    assert connection.sock is before
    connection.close()


def test_a_client_that_leaves_frees_its_place(server: RunningServer, raw: socket.socket, body: Make) -> None:
    content = json.dumps(body(rows=512, ahead=64, overrides={"sample_count": 256})).encode()
    raw.sendall(HEAD.replace(b"1000", str(len(content)).encode()) + b"\r\n" + content)
    server.wait_for(lambda: "kronos_concurrent_requests 1.0" in server.client.get("/v1/metrics").text)
    server.wait_for(lambda: "kronos_cache_tokens 0.0" not in server.client.get("/v1/metrics").text)
    raw.close()
    server.wait_for(lambda: "kronos_cache_tokens 0.0" in server.client.get("/v1/metrics").text)
    assert 'kronos_refused_total{reason="ClientGone"}' in server.client.get("/v1/metrics").text


@pytest.mark.parametrize("header", ["x-kronos-device: cpu\r\n cuda", "x-kronos-device : cpu", ": cpu"])
def test_header_games_are_answered_or_refused_but_never_a_bug(raw: socket.socket, header: str) -> None:
    raw.sendall(f"POST /v1/predict/single HTTP/1.1\r\nhost: t\r\n{header}\r\ncontent-length: 0\r\n\r\n".encode())
    assert raw.recv(4096).startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 422 "))
