"""An engine that fails while it computes: an exception in a step, and a process that is killed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from running_server import RunningServer

Make = Callable[..., dict[str, Any]]
FATAL_ROWS = 13
PROGRAM = (str(Path(__file__).with_name("failing_engine.py")),)


def ready(server: RunningServer) -> bool:
    """As a kubelet sees it: no answer is no readiness."""
    try:
        return httpx.get(f"{server.url}/v1/readyz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def test_an_exception_in_a_step_is_told_to_every_waiter_and_ends_the_process(
    launch: Callable[..., RunningServer], body: Make
) -> None:
    server = launch(program=PROGRAM).wait_ready()
    assert server.client.post("/v1/predict/single", json=body()).status_code == 200, "others do not fail"
    waiting = server.post_together(3, body(rows=256, ahead=256, overrides={"sample_count": 64}))
    server.wait_for(lambda: "kronos_concurrent_requests 3.0" in server.client.get("/v1/metrics").text)
    fatal = server.post_together(1, body(ahead=FATAL_ROWS))
    replies = waiting.replies() + fatal.replies()
    assert [(reply.status_code, reply.headers["content-type"]) for reply in replies] == [
        (503, "application/problem+json")
    ] * 4
    assert all("retry-after" in reply.headers for reply in replies)
    assert not any("injected" in reply.text for reply in replies)
    assert not ready(server)
    assert server.exit_code() == 1
    assert server.termination_log.read_text() == "RuntimeError: injected fault (engine on cpu)"
    assert "Traceback" in server.log, "the log leads to the cause"
