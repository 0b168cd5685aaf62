"""Sizes and deadlines over HTTP."""

import contextlib
import http.client
from collections.abc import Callable
from typing import Any

import pytest

from running_server import RunningServer

Make = Callable[..., dict[str, Any]]
LIMIT = 20 * 1024 * 1024


@pytest.fixture
def connection(server: RunningServer) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=30)


def test_a_body_that_declares_too_much_is_refused_before_it_is_read(connection: http.client.HTTPConnection) -> None:
    connection.putrequest("POST", "/v1/predict/single")
    connection.putheader("content-type", "application/json")
    connection.putheader("content-length", str(LIMIT + 1))
    connection.endheaders()
    # Not a byte of the body is sent: a server that waited for it would never answer.
    assert connection.getresponse().status == 413
    connection.close()


def test_a_body_that_grows_too_large_is_refused(connection: http.client.HTTPConnection) -> None:
    chunks = (b" " * 1024 * 1024 for _ in range(21))
    headers = {"content-type": "application/json", "transfer-encoding": "chunked"}
    # The server need not read on once it has refused.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.request("POST", "/v1/predict/single", body=chunks, headers=headers, encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


def test_a_body_within_the_limit_is_read(server: RunningServer) -> None:
    reply = server.client.post("/v1/predict/single", content=b" " * (LIMIT - 2) + b"{}")
    assert reply.status_code == 422


def test_a_forecast_that_cannot_be_in_time_is_refused_with_the_estimate(server: RunningServer, body: Make) -> None:
    asked = body(ahead=512, rows=512, overrides={"sample_count": 64})
    reply = server.client.post("/v1/predict/single", json=asked, headers={"x-request-timeout": "0.01"})
    assert reply.status_code == 422
    assert "on an idle server" in reply.json()["detail"]


def test_a_body_that_is_later_than_the_deadline_is_a_timeout(
    server: RunningServer, connection: http.client.HTTPConnection
) -> None:
    connection.putrequest("POST", "/v1/predict/single")
    connection.putheader("content-length", "2")
    connection.putheader("x-request-timeout", "0.2")
    connection.endheaders(b"{")
    assert connection.getresponse().status == 504
    connection.close()
    assert 'kronos_timeouts_total{endpoint="single"}' in server.client.get("/v1/metrics").text
