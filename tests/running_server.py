"""A forecast server as a real process on loopback, and requests to send it."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "model" / "golden"
START_SECONDS = 180
STOP_SECONDS = 30
LISTENING = re.compile(r"Uvicorn running on (http://[\d.:]+)")


class RunningServer:
    """A server process of its own, and a client for it."""

    def __init__(self, folder: Path, program: Sequence[str] = ("-m", "kronos_server"), **settings: str) -> None:
        self.log_file = folder / "server.log"
        self.termination_log = folder / "termination-log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("KRONOS_")}
        environment |= {
            "PYTHONPATH": os.pathsep.join([str(ROOT / "server"), str(ROOT)]),
            "HF_HUB_OFFLINE": "1",
            "KRONOS_HOST": "127.0.0.1",
            "KRONOS_PORT": "0",
            "KRONOS_THREADS": "1",
            "KRONOS_MODEL_PATH": str(GOLDEN / "tiny"),
            "KRONOS_MODEL_ID": "model",
            "KRONOS_TOKENIZER_ID": "tokenizer",
            "KRONOS_POD_NAME": "test-pod",
            "KRONOS_DRAIN_SECONDS": "0",
            "KRONOS_TERMINATION_LOG": str(self.termination_log),
        } | {f"KRONOS_{name.upper()}": value for name, value in settings.items()}
        with self.log_file.open("wb") as log:
            command = [sys.executable, *program]
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        self._client: httpx.Client | None = None

    @property
    def log(self) -> str:
        """What the server has logged so far."""
        return self.log_file.read_text()

    @property
    def url(self) -> str:
        """Where it listens, once it does."""
        found = self.wait_for(lambda: LISTENING.search(self.log))
        return str(found[1])

    @property
    def client(self) -> httpx.Client:
        """A client that keeps its connections."""
        if self._client is None:
            self._client = httpx.Client(base_url=self.url, timeout=60, trust_env=False)
        return self._client

    def wait_for(self, found: Callable[[], Any]) -> Any:
        """Polls until something is found; fails when the process ends first, or too much time passes."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            ended = self.process.poll() is not None
            if value := found():
                return value
            assert not ended, f"the server ended with {self.process.returncode}:\n{self.log[-4000:]}"
            time.sleep(0.05)
        raise AssertionError(f"waited {START_SECONDS} s in vain:\n{self.log[-4000:]}")

    def wait_ready(self) -> "RunningServer":
        """Blocks until readiness says so."""
        self.wait_for(lambda: self.client.get("/v1/readyz").status_code == 200)
        return self

    def terminate(self) -> None:
        """Sends SIGTERM."""
        self.process.send_signal(signal.SIGTERM)

    def exit_code(self) -> int:
        """Waits for the end of the process."""
        return self.process.wait(START_SECONDS)

    def close(self) -> None:
        """Ends the process whatever it does."""
        if self._client:
            self._client.close()
        if self.process.poll() is None:
            self.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def post_together(self, count: int, body: Any) -> "Crowd":
        """Sends the same single request from several clients at once."""
        return Crowd(self.url + "/v1/predict/single", count, body)


class Crowd:
    """Clients waiting for their replies, each on a thread of its own."""

    def __init__(self, url: str, count: int, body: Any) -> None:
        self._replies: list[httpx.Response] = []
        self._threads = [threading.Thread(target=self._post, args=(url, body)) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _post(self, url: str, body: Any) -> None:
        self._replies.append(httpx.post(url, json=body, timeout=START_SECONDS, trust_env=False))

    def replies(self) -> list[httpx.Response]:
        """All replies, once they are there."""
        for thread in self._threads:
            thread.join()
        return self._replies


def candle(price: float = 100, **fields: Any) -> dict[str, Any]:
    """One valid row."""
    row = {"open": price, "high": price + 2, "low": price - 2, "close": price + 1, "volume": 10, "amount": 1000}
    return row | fields
