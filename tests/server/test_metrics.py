"""What is measured of the engines and the queue, besides what dashboards always had."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from kronos_server.metrics import Metrics
from kronos_server.scheduler import Step
from kronos_server.worker import Heartbeat
from running_server import RunningServer

Make = Callable[..., dict[str, Any]]


def value(text: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    assert found, f"no {name} in:\n{text}"
    return float(found[1])


def test_a_heartbeat_is_counted_by_device() -> None:
    metrics = Metrics()
    metrics.beat("cpu", Heartbeat((Step(jobs=1, tokens=1, seconds=0.5), Step(jobs=3, tokens=20, seconds=1.0)), 2.0))
    metrics.beat("cuda:0", Heartbeat((Step(jobs=9, tokens=9, seconds=0.1),), 0.5))
    text = metrics.text().decode()
    expected = {
        'kronos_batch_size_count{device="cpu"}': 2,
        'kronos_batch_size_sum{device="cpu"}': 4,
        'kronos_engine_step_seconds_sum{device="cpu"}': 1.5,
        'kronos_engine_tokens_total{device="cpu"}': 21,
        'kronos_engine_busy_seconds_total{device="cpu"}': 2,
        'kronos_engine_tokens_total{device="cuda:0"}': 9,
    }
    assert {name: value(text, name) for name in expected} == expected


def test_a_forecast_is_seen_in_tokens_steps_queue_and_rows(server: RunningServer, body: Make) -> None:
    names = {
        'kronos_engine_tokens_total{device="cpu"}': 4 * 5,
        'kronos_engine_step_seconds_count{device="cpu"}': 4,
        "kronos_queue_seconds_count": 1,
        "kronos_forecast_rows_total": 4,
    }

    def read() -> dict[str, float]:
        text = server.client.get("/v1/metrics").text
        return {name: value(text, name) for name in names}

    assert server.client.post("/v1/predict/single", json=body()).status_code == 200
    server.wait_for(lambda: 'kronos_engine_tokens_total{device="cpu"}' in server.client.get("/v1/metrics").text)
    before = read()
    asked = body(ahead=4, overrides={"sample_count": 5})
    assert server.client.post("/v1/predict/single", json=asked).status_code == 200
    # An engine tells what it did once a second, perhaps with something that an earlier test asked for.
    server.wait_for(lambda: all(now >= before[name] + names[name] for name, now in read().items()))


def test_the_cache_says_how_much_it_could_hold(server: RunningServer) -> None:
    text = server.client.get("/v1/metrics").text
    assert value(text, "kronos_cache_tokens") == 0
    assert value(text, "kronos_cache_tokens_limit") > 0


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("/v1/predict/single", 422, "InvalidRequest"),
        ("/v1/devices/gpu/predict/single", 503, "Unavailable"),
    ],
)
def test_a_refusal_is_counted_by_its_reason(server: RunningServer, path: str, status: int, reason: str) -> None:
    name = f'kronos_refused_total{{reason="{reason}"}}'
    for _ in range(2):
        assert server.client.post(path, json={}).status_code == status
    before = value(server.client.get("/v1/metrics").text, name)
    assert server.client.post(path, json={}).status_code == status
    assert value(server.client.get("/v1/metrics").text, name) == before + 1
