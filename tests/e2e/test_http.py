"""What clients are answered through the Ingress."""

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from cluster import demo
from cluster.target import Target

pytestmark = pytest.mark.e2e

MEGABYTE = 1024 * 1024
SINGLE = "/v1/predict/single"
BATCH = "/v1/predict/batch"


@pytest.fixture(scope="module")
def url(target: Target) -> Iterator[str]:
    """The Ingress of the demo's KronosDeployment, both pools up."""
    demo.run_demo()
    return target.ingress_url("kronos")


def ask(url: str, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> tuple[int, Any]:
    """Status and JSON of one exchange through the Ingress, on a connection of its own."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json", **(headers or {})})
        reply = connection.getresponse()
        text = reply.read()
        return reply.status, {"body": json.loads(text) if text else None, "headers": reply.headers}
    finally:
        connection.close()


def encoded(body: Any) -> bytes:
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1/nowhere", b"", 404),
        ("POST", "/v1/predict/unknown", b"{}", 404),
        ("GET", SINGLE, b"", 405),
        ("POST", SINGLE, b"", 422),
        ("POST", SINGLE, b"{", 422),
        ("POST", SINGLE, b'{"candles": []}', 422),
        ("POST", SINGLE, b'{"candles": NaN}', 422),
        ("POST", BATCH, b'{"items": []}', 422),
        ("POST", BATCH, b"[]", 422),
    ],
)
def test_what_is_wrong_with_a_request_is_answered_as_documented(
    url: str, method: str, path: str, body: bytes, status: int
) -> None:
    assert ask(url, method, path, body)[0] == status


def test_an_oversized_body_is_413_before_it_is_sent(url: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    connection.putrequest("POST", SINGLE)
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(21 * MEGABYTE))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_a_batch_with_one_item_is_answered_by_the_gpu_pool_as_a_bare_list(url: str) -> None:
    status, reply = ask(url, "POST", BATCH, encoded({"items": [demo.request()]}))
    assert status == 200
    assert [item["series_id"] for item in reply["body"]] == ["AAPL"]
    assert reply["headers"]["X-Kronos-Pool"] == "gpu"


def test_a_single_forecast_is_answered_by_the_cpu_pool(url: str) -> None:
    status, reply = ask(url, "POST", SINGLE, encoded(demo.request()))
    assert status == 200
    assert len(reply["body"]["prediction"]) == demo.HORIZON
    assert reply["headers"]["X-Kronos-Pool"] == "cpu"


@pytest.mark.parametrize("pool", ["cpu", "gpu"])
@pytest.mark.parametrize("force", ["header", "path"])
def test_a_forced_device_is_the_one_that_answers(url: str, pool: str, force: str) -> None:
    path = SINGLE if force == "header" else f"/v1/devices/{pool}/predict/single"
    headers = {"X-Kronos-Device": pool} if force == "header" else {}
    status, reply = ask(url, "POST", path, encoded(demo.request()), headers)
    assert status == 200
    assert reply["headers"]["X-Kronos-Pool"] == pool
    assert reply["headers"]["X-Kronos-Pod"].startswith(f"kronos-{pool}-")
