"""What `helm test` does."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from chart.helm import CHART, Helm
from kronos_server import schemas
from kronos_server.settings import Settings

SCRIPT = CHART / "files/forecast.py"
KLINE = {"open": 1.0, "high": 2.0, "low": 0.5, "close": 1.5, "volume": 1.0, "amount": 1.0}


class Server(ThreadingHTTPServer):
    """Answers each forecast request with the next of the given replies, and keeps what it was asked."""

    def __init__(self, *replies: tuple[int, Any]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies = iter(replies)
        self.asked: list[tuple[str, bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        self.server.asked.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        status, reply = next(self.server.replies)
        body = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Kronos-Pool", "cpu")
        self.send_header("X-Kronos-Pod", "kronos-cpu-1")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Silent."""


@pytest.fixture
def serve() -> Iterator[Any]:
    servers: list[Server] = []

    def start(*replies: tuple[int, Any]) -> Server:
        server = Server(*replies)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def run_script(url: str, patience: str = "30") -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), url, patience], capture_output=True, text=True, timeout=60)


def forecast(*klines: dict[str, Any]) -> dict[str, Any]:
    return {"series_id": "helm-test", "prediction": list(klines), "model_version": "small@0123"}


def test_a_forecast_passes_and_its_pool_and_pod_are_told(serve: Any) -> None:
    done = run_script(serve((200, forecast(*[KLINE] * 4))).url)
    assert done.returncode == 0, done.stderr
    assert "cpu pool, pod kronos-cpu-1" in done.stdout


def test_what_it_asks_is_what_the_server_takes(serve: Any) -> None:
    server = serve((200, forecast(*[KLINE] * 4)))
    run_script(server.url)
    ((path, body),) = server.asked
    assert path == "/v1/predict/single"
    assert len(schemas.single(body, Settings(), deadline=0).future.instants) == 4


def test_it_waits_for_a_pool_that_still_loads(serve: Any) -> None:
    server = serve((503, {"detail": "loading"}), (200, forecast(*[KLINE] * 4)))
    assert run_script(server.url).returncode == 0
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("status", "reply", "reason"),
    [
        (422, {"detail": "horizon"}, "422"),
        (500, {"detail": "oops"}, "500"),
        (200, forecast(KLINE), "asked for 4 K-lines"),
        (200, forecast(*[{**KLINE, "close": float("nan")}] * 4), "not a K-line"),
    ],
)
def test_anything_else_fails_with_the_reason(serve: Any, status: int, reply: Any, reason: str) -> None:
    done = run_script(serve((status, reply)).url)
    assert done.returncode != 0
    assert reason in done.stderr


def test_it_gives_up_when_nobody_listens(serve: Any) -> None:
    server = serve()
    server.server_close()
    done = run_script(server.url, patience="0")
    assert done.returncode != 0
    assert "nobody answers" in done.stderr


def test_the_pod_runs_the_script_against_the_route_of_single_forecasts(helm: Helm) -> None:
    pod = helm.render().hooks("test")["Pod"]
    (container,) = pod["spec"]["containers"]
    script, url = container["args"]
    assert container["command"] == ["python", "-c"]
    assert script.strip() == SCRIPT.read_text().strip()
    assert url == "http://kronos-single.forecasts.svc"


def test_there_is_nothing_to_test_without_a_deployment(helm: Helm) -> None:
    assert not helm.render(kronosDeployment={"create": False}).hooks("test")
