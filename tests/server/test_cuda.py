"""Servers on CUDA devices, where there are any."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from running_server import RunningServer

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not Path("/dev/nvidia0").exists(), reason="there is no CUDA device"),
]

Make = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(("device", "name"), [("cuda", "cuda:0"), ("auto", "cuda:0"), ("cuda:0,cpu", "cuda:0,cpu")])
def test_a_cuda_device_serves_the_gpu_pool(
    launch: Callable[..., RunningServer], server: RunningServer, body: Make, device: str, name: str
) -> None:
    on_cuda = launch(device=device, max_context="64").wait_ready()
    assert on_cuda.client.get("/v1/readyz").json()["device"] == name
    asked = body(overrides={"temperature": 0})
    headers = {"x-kronos-device": "gpu", "x-kronos-device-index": "0"}
    reply = on_cuda.client.post("/v1/predict/single", json=asked, headers=headers)
    assert (reply.headers["x-kronos-pool"], reply.headers["x-kronos-device"]) == ("gpu", "cuda:0")
    closes = [row["close"] for row in reply.json()["prediction"]]
    on_cpu = server.client.post("/v1/predict/single", json=asked).json()["prediction"]
    assert closes == pytest.approx([row["close"] for row in on_cpu], rel=1e-4)


def test_a_device_beyond_the_last_ends_the_start(launch: Callable[..., RunningServer]) -> None:
    failed = launch(device="cuda:99")
    assert failed.exit_code() == 1
    assert "names cuda:99, but this machine has cpu, cuda:0" in failed.termination_log.read_text()
