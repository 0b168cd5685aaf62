"""A forecast server to measure: random weights of a published shape, a process of its own, and requests for it."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
import torch

from benchmarks.checkpoints import random_pair

LISTENING = re.compile(r"Uvicorn running on (http://[\d.:]+)")
START_SECONDS = 120
COLUMNS = ("open", "high", "low", "close", "volume", "amount")


@dataclass(frozen=True)
class Served:
    """A server that is ready."""

    url: str
    pid: int

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        lines = httpx.get(f"{self.url}/v1/metrics", trust_env=False).text.splitlines()
        found = [line for line in lines if re.match(rf"{re.escape(name)}[ {{]", line)]
        return sum(float(line.rsplit(" ", 1)[1]) for line in found)


@contextmanager
def served(shape: str, **settings: str) -> Iterator[Served]:
    """Runs a server with random weights until the block ends."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kronos, tokenizer = random_pair(shape, torch.device("cpu"))
        kronos.save_pretrained(folder / shape)
        tokenizer.save_pretrained(folder / shape / "tokenizer")
        ours = {"HOST": "127.0.0.1", "PORT": "0", "MODEL_PATH": str(folder / shape), "DRAIN_SECONDS": "0"}
        environment = os.environ | {f"KRONOS_{key.upper()}": value for key, value in (ours | settings).items()}
        log_file = folder / "log"
        with log_file.open("wb") as log:
            command = [sys.executable, "-m", "kronos_server"]
            process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)
        try:
            yield Served(_ready(log_file, process), process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _ready(log_file: Path, process: "subprocess.Popen[bytes]") -> str:
    for _ in range(START_SECONDS * 10):
        found = LISTENING.search(log_file.read_text())
        if found and httpx.get(f"{found[1]}/v1/readyz", trust_env=False).status_code == 200:
            return found[1]
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(f"the server did not become ready:\n{log_file.read_text()[-2000:]}")


def series(rows: int, horizon: int, seed: int, **fields: Any) -> dict[str, Any]:
    """A single request over a random walk, in columns."""
    random = Random(seed)
    start = datetime(2024, 1, 2)
    times = [(start + timedelta(minutes=5 * row)).isoformat() for row in range(rows + horizon)]
    close = [100.0]
    for _ in range(rows - 1):
        close.append(round(close[-1] * (1 + random.gauss(0, 0.002)), 4))
    candles = {
        "open": close,
        "high": [round(value * 1.001, 4) for value in close],
        "low": [round(value * 0.999, 4) for value in close],
        "close": close,
        "volume": [round(random.uniform(1e3, 1e5), 2) for _ in close],
        "amount": [round(random.uniform(1e5, 1e7), 2) for _ in close],
    }
    request = {"series_id": str(seed), "candles": candles, "timestamps": times[:rows]}
    return request | {"prediction_timestamps": times[rows:]} | fields
