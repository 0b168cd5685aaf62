"""Starts and ends of real server processes."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from running_server import RunningServer

Make = Callable[..., dict[str, Any]]
Launch = Callable[..., RunningServer]


def engines(server: RunningServer) -> list[psutil.Process]:
    """The engine processes of a server."""
    children = psutil.Process(server.process.pid).children()
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def test_the_http_process_never_loads_the_tensor_library(server: RunningServer, body: Make) -> None:
    assert server.client.post("/v1/predict/single", json=body()).status_code == 200
    (engine,) = engines(server)
    assert "libtorch" in Path(f"/proc/{engine.pid}/maps").read_text()
    maps = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert "libtorch" not in maps
    assert "pandas" not in maps


def test_a_named_device_that_is_missing_ends_the_start_with_one_line(launch: Launch) -> None:
    failed = launch(device="mps")
    assert failed.exit_code() == 1
    reason = failed.termination_log.read_text()
    assert reason.startswith("DeviceUnavailable: KRONOS_DEVICE names mps, but this machine has cpu")
    assert reason in failed.log
    assert "Traceback" not in failed.log


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"model_id": "../../.."}, "ModelInvalid: '../../..' leads out of KRONOS_MODEL_PATH"),
        ({"model_id": "no-such-model"}, "'no-such-model' is no folder under KRONOS_MODEL_PATH"),
        ({"model_sha256": "0" * 64}, "as KRONOS_MODEL_SHA256 says (engine on cpu)"),
        ({"startup_timeout": "0.01"}, "KRONOS_STARTUP_TIMEOUT"),
    ],
)
def test_a_start_that_cannot_succeed_ends_with_a_reason(launch: Launch, settings: dict[str, str], said: str) -> None:
    failed = launch(**settings)
    assert failed.exit_code() == 1
    assert said in failed.termination_log.read_text()


def test_a_checkpoint_of_another_digest_is_told_by_the_first_word(launch: Launch) -> None:
    """The operator reads the cause there."""
    failed = launch(model_sha256="0" * 64)
    assert failed.exit_code() == 1
    assert failed.termination_log.read_text().startswith("ModelInvalid: ")


def test_a_bad_setting_ends_the_start_and_is_named(launch: Launch) -> None:
    failed = launch(port="many")
    assert failed.exit_code() == 1
    assert "KRONOS_PORT" in failed.log


def test_it_listens_but_is_not_ready_while_loading(launch: Launch, body: Make) -> None:
    loading = launch()
    reply = loading.client.get("/v1/readyz")
    assert (reply.status_code, reply.json()["status"]) == (503, "loading")
    assert loading.client.get("/v1/healthz").status_code == 200
    refusal = loading.client.post("/v1/predict/single", json=body())
    assert (refusal.status_code, refusal.headers["retry-after"]) == (503, "1")


def test_sigterm_drains_then_exits_with_zero(launch: Launch, body: Make) -> None:
    server = launch(drain_seconds="2").wait_ready()
    server.terminate()
    server.wait_for(lambda: server.client.get("/v1/readyz").json()["status"] == "draining")
    with httpx.Client(base_url=server.url, trust_env=False) as newcomer:
        reply = newcomer.post("/v1/predict/single", json=body(), timeout=30)
    assert reply.status_code == 200
    assert reply.headers["connection"] == "close"
    assert server.exit_code() == 0


def test_sigterm_loses_no_accepted_request(launch: Launch, body: Make) -> None:
    server = launch().wait_ready()
    asked = body(rows=256, ahead=256, overrides={"sample_count": 32})
    crowd = server.post_together(4, asked)
    server.wait_for(lambda: "kronos_concurrent_requests 4.0" in server.client.get("/v1/metrics").text)
    server.terminate()
    assert [reply.status_code for reply in crowd.replies()] == [200] * 4
    assert server.exit_code() == 0


def test_what_cannot_be_finished_in_the_grace_period_is_told_so(launch: Launch, body: Make) -> None:
    server = launch(grace_seconds="6").wait_ready()
    crowd = server.post_together(2, body(rows=512, ahead=64, overrides={"sample_count": 64}))
    server.wait_for(lambda: "kronos_concurrent_requests 2.0" in server.client.get("/v1/metrics").text)
    server.terminate()
    assert [(reply.status_code, "retry-after" in reply.headers) for reply in crowd.replies()] == [(503, True)] * 2
    assert server.exit_code() == 0


def test_a_dead_engine_is_told_to_every_waiter_and_ends_the_process(launch: Launch, body: Make) -> None:
    server = launch().wait_ready()
    asked = body(rows=256, ahead=256, overrides={"sample_count": 64})
    crowd = server.post_together(3, asked)
    server.wait_for(lambda: "kronos_concurrent_requests 3.0" in server.client.get("/v1/metrics").text)
    (engine,) = engines(server)
    engine.kill()
    assert [reply.status_code for reply in crowd.replies()] == [503] * 3
    assert server.exit_code() == 1
    assert server.termination_log.read_text() == "the engine on cpu ended with code -9"


def test_engines_do_not_outlive_a_server_that_was_killed(launch: Launch) -> None:
    server = launch().wait_ready()
    (engine,) = engines(server)
    server.process.kill()
    server.process.wait()
    deadline = time.monotonic() + 20
    while engine.is_running() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not engine.is_running()
