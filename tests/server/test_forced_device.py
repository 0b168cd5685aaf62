"""Forced devices with two real servers, one for each pool."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from running_server import RunningServer

Make = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def gpu_server(tmp_path_factory: pytest.TempPathFactory, server: RunningServer) -> Iterator[RunningServer]:
    """A server of the GPU pool (computing on the processor), with the CPU pool as its peer."""
    settings = {"pool": "gpu", "pod_name": "gpu-pod", "device": "cpu,cpu", "peer_cpu_url": server.url}
    running = RunningServer(tmp_path_factory.mktemp("gpu"), **settings)
    try:
        yield running.wait_ready()
    finally:
        running.close()


@pytest.fixture(scope="module")
def lonely(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server whose device is missing and whose peer is down."""
    settings = {"device": "mps", "device_fallback": "cpu", "peer_gpu_url": "http://127.0.0.1:9"}
    running = RunningServer(tmp_path_factory.mktemp("lonely"), **settings)
    try:
        yield running.wait_ready()
    finally:
        running.close()


def test_the_pool_is_what_is_named_and_the_device_is_what_computes(gpu_server: RunningServer, body: Make) -> None:
    reply = gpu_server.client.post("/v1/devices/gpu/predict/single", json=body())
    assert reply.status_code == 200
    assert (reply.headers["x-kronos-pool"], reply.headers["x-kronos-device"]) == ("gpu", "cpu")
    assert reply.headers["x-backend-used"] == "kronos_gpu"


@pytest.mark.parametrize(
    ("path", "headers"), [("/v1/predict", {"X-Kronos-Device": "CPU"}), ("/v1/devices/cpu/predict", {})]
)
def test_a_request_for_the_other_pool_is_forwarded_there(
    gpu_server: RunningServer, body: Make, path: str, headers: dict[str, str]
) -> None:
    sent = headers | {"x-request-id": "over-there"}
    reply = gpu_server.client.post(f"{path}/single", json=body(), headers=sent)
    assert reply.status_code == 200
    assert (reply.headers["x-kronos-pool"], reply.headers["x-kronos-pod"]) == ("cpu", "test-pod")
    assert reply.headers["x-backend-used"] == "kronos_cpu"
    assert reply.headers["x-request-id"] == "over-there"


def test_a_refusal_of_the_other_pool_is_passed_through(gpu_server: RunningServer, body: Make) -> None:
    asked = {"items": [body(exog=1)]}
    reply = gpu_server.client.post("/v1/devices/cpu/predict/batch", json=asked)
    assert reply.status_code == 422
    assert reply.json()["errors"][0]["loc"] == ["body", "items", 0, "exog"]
    assert reply.headers["content-type"] == "application/problem+json"


def test_the_deadline_travels_along(gpu_server: RunningServer, body: Make) -> None:
    asked = body(ahead=512, rows=512, overrides={"sample_count": 64})
    headers = {"x-request-timeout": "0.1", "x-kronos-device": "cpu"}
    reply = gpu_server.client.post("/v1/predict/single", json=asked, headers=headers)
    assert reply.status_code == 422
    assert reply.headers["x-kronos-pod"] == "test-pod"
    assert "on an idle server, and has 0." in reply.json()["detail"]


def test_a_forwarded_request_is_not_forwarded_again(gpu_server: RunningServer, body: Make) -> None:
    headers = {"x-kronos-device": "cpu", "x-kronos-forwarded": "1"}
    reply = gpu_server.client.post("/v1/predict/single", json=body(), headers=headers)
    assert reply.status_code == 503
    assert "retry-after" in reply.headers
    assert reply.headers["x-kronos-pool"] == "gpu"


def test_a_device_that_is_missing_is_replaced_with_a_warning_if_that_is_wanted(lonely: RunningServer) -> None:
    reply = lonely.client.get("/v1/readyz").json()
    assert reply["device"] == "cpu"
    assert "names mps" in reply["device_warning"]


def test_a_peer_that_is_down_is_a_503_and_never_another_pool(lonely: RunningServer, body: Make) -> None:
    reply = lonely.client.post("/v1/devices/gpu/predict/single", json=body())
    assert reply.status_code == 503
    assert "retry-after" in reply.headers


@pytest.mark.parametrize("values", [["tpu"], ["cpu,gpu"], ["cpu", "gpu"], ["gpu", "gpu"], [""]])
def test_any_other_value_is_refused(gpu_server: RunningServer, body: Make, values: list[str]) -> None:
    headers = [("x-kronos-device", value) for value in values]
    reply = gpu_server.client.post("/v1/predict/single", json=body(), headers=headers)
    assert reply.status_code == 400


@pytest.mark.parametrize(("index", "status"), [("0", 200), ("1", 200), ("2", 400)])
def test_an_index_pins_one_of_the_devices(gpu_server: RunningServer, body: Make, index: str, status: int) -> None:
    reply = gpu_server.client.post("/v1/predict/single", json=body(), headers={"x-kronos-device-index": index})
    assert reply.status_code == status


def test_a_list_of_devices_is_listed(gpu_server: RunningServer) -> None:
    assert gpu_server.client.get("/v1/readyz").json()["device"] == "cpu,cpu"
