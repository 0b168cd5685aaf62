"""Servers to ask, and requests to send them."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from running_server import RunningServer, candle


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """The one server that most tests ask: a tiny checkpoint with the window of its golden forecasts."""
    running = RunningServer(tmp_path_factory.mktemp("server"), max_context="64")
    try:
        yield running.wait_ready()
    finally:
        running.close()


@pytest.fixture
def launch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., RunningServer]]:
    """Starts servers with settings of their own; they end with the test."""
    started: list[RunningServer] = []

    def start(**settings: Any) -> RunningServer:
        started.append(RunningServer(tmp_path_factory.mktemp("server"), **settings))
        return started[-1]

    yield start
    for running in started:
        running.close()


Body = dict[str, Any]


@pytest.fixture
def body() -> Callable[..., Body]:
    """Makes a valid single request of `rows` that asks for `ahead` rows, with fields replaced or dropped."""

    def make(rows: int = 16, ahead: int = 4, drop: tuple[str, ...] = (), **fields: Any) -> Body:
        start = datetime(2024, 1, 2, 9, 30)
        times = [(start + timedelta(minutes=5 * row)).isoformat() for row in range(rows + ahead)]
        made: Body = {
            "series_id": "AAPL",
            "candles": [candle(100 + row % 7) for row in range(rows)],
            "timestamps": times[:rows],
            "prediction_timestamps": times[rows:],
        }
        return {name: value for name, value in (made | fields).items() if name not in drop}

    return make
