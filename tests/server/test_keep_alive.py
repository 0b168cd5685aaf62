"""Kept connections through a proxy that closes them when they idle: no POST is lost."""

import asyncio
import http.client
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from compose.machine import free_port, nginx_binary, running
from kronos_server.settings import Settings
from running_server import RunningServer

Make = Callable[..., dict[str, Any]]
IDLE_SECONDS = 3
LONGEST_PROXY_SECONDS = 3600  # Envoy's default; nginx's is 60
CLIENTS = 40
CONFIGURATION = """
daemon off; pid {folder}/pid; error_log stderr; worker_processes 1;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    upstream server {{ server {server}; keepalive {clients}; keepalive_timeout {idle}s; }}
    server {{
        listen 127.0.0.1:{port};
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        # A lost request must be seen here, not sent again.
        proxy_next_upstream off;
        location / {{ proxy_pass http://server; }}
    }}
}}
"""


@pytest.fixture
def proxy(server: RunningServer, tmp_path: Path) -> Iterator[str]:
    """nginx before the server, keeping idle connections to it for `IDLE_SECONDS`."""
    port, address = free_port(), server.url.removeprefix("http://")
    text = CONFIGURATION.format(folder=tmp_path, server=address, port=port, idle=IDLE_SECONDS, clients=CLIENTS)
    (tmp_path / "nginx.conf").write_text(text)
    command = [nginx_binary(), "-c", str(tmp_path / "nginx.conf"), "-p", str(tmp_path), "-e", "stderr"]
    url = f"http://127.0.0.1:{port}"
    with running(command, f"{url}/v1/healthz", tmp_path / "nginx.log"):
        yield url


async def test_no_post_is_lost_around_the_idle_limit_of_a_proxy(proxy: str, body: Make) -> None:
    limits = httpx.Limits(max_connections=CLIENTS)
    async with httpx.AsyncClient(base_url=proxy, timeout=60, trust_env=False, limits=limits) as client:

        async def ask() -> int:
            return (await client.post("/v1/predict/single", json=body())).status_code

        async def ask_after(seconds: float) -> int:
            await asyncio.sleep(seconds)
            return await ask()

        # Together, so that the proxy holds a connection for each.
        assert await asyncio.gather(*(ask() for _ in range(CLIENTS))) == [200] * CLIENTS
        around = [IDLE_SECONDS + 0.5 * (number / CLIENTS - 0.5) for number in range(CLIENTS)]
        assert await asyncio.gather(*map(ask_after, around)) == [200] * CLIENTS


def test_the_server_keeps_idle_connections_longer_than_any_proxy() -> None:
    assert Settings(_env_file=None).keep_alive_seconds > LONGEST_PROXY_SECONDS


def test_the_setting_says_how_long_an_idle_connection_is_kept(launch: Callable[..., RunningServer]) -> None:
    server = launch(keep_alive_seconds="2").wait_ready()
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=30)
    connection.request("GET", "/v1/healthz")
    assert connection.getresponse().read()
    began = time.monotonic()
    assert connection.sock.recv(1) == b"", "closed by the server"
    assert time.monotonic() - began > 1
    connection.close()
