"""nginx splits requests over two real servers as the Ingress does."""

import json
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path

import pytest

from compose.machine import free_port, nginx

SINGLE = {
    "series_id": "s",
    "candles": [{"open": 10 + i, "high": 12 + i, "low": 9 + i, "close": 11 + i} for i in range(8)],
    "timestamps": [1_700_000_000 + 3600 * i for i in range(8)],
    "prediction_timestamps": [1_700_000_000 + 3600 * 8],
}
BODIES = {"single": SINGLE, "batch": {"items": [SINGLE]}}


def ask(url: str, path: str, device: str | None = None) -> tuple[int, Message]:
    body = json.dumps(BODIES[path.rpartition("/")[2]]).encode()
    headers = {"Content-Type": "application/json", **({"X-Kronos-Device": device} if device else {})}
    try:
        with urllib.request.urlopen(urllib.request.Request(url + path, body, headers), timeout=60) as reply:
            return reply.status, reply.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers


@pytest.mark.parametrize(
    ("path", "device", "pool"),
    [
        ("/v1/predict/single", None, "cpu"),
        ("/v1/predict/batch", None, "gpu"),
        ("/v1/predict/single", "GPU", "gpu"),
        ("/v1/predict/batch", "cpu", "cpu"),
        ("/v1/devices/cpu/predict/batch", None, "cpu"),
        ("/v1/devices/gpu/predict/single", None, "gpu"),
    ],
)
def test_path_and_header_choose_the_pool(edge: str, path: str, device: str | None, pool: str) -> None:
    status, headers = ask(edge, path, device)
    assert status == 200
    assert headers["X-Kronos-Pool"] == pool


def test_a_device_that_is_none_is_refused_by_the_server(edge: str) -> None:
    assert ask(edge, "/v1/predict/single", "tpu")[0] == 400


def test_a_route_whose_pool_is_gone_is_answered_by_the_other(cpu_pool: int, tmp_path: Path) -> None:
    with nginx(cpu_pool, free_port(), tmp_path) as url:
        status, headers = ask(url, "/v1/predict/batch")
        assert (status, headers["X-Kronos-Pool"]) == (200, "cpu")
        assert ask(url, "/v1/predict/batch", "gpu")[0] >= 500
