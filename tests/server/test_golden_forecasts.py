"""Forecasts over HTTP against those of the reference implementation, for the tiny checkpoint."""

import json
from typing import Any

import pytest

from running_server import GOLDEN, RunningServer

CASES = json.loads((GOLDEN / "tiny" / "forecasts.json").read_text())
SINGLE = [name for name in CASES if name != "batch_of_three"]
COLUMNS = ("open", "high", "low", "close", "volume", "amount")


def request(case: dict[str, Any]) -> dict[str, Any]:
    """What a client would send to get the forecast of a case."""
    overrides = {"top_k": 1, "pred_len": len(case["prediction_timestamps"]), **case.get("arguments", {})}
    sent = {name: case[name] for name in ("candles", "timestamps", "prediction_timestamps")}
    return sent | {"series_id": "golden", "overrides": overrides}


def check(answer: dict[str, Any], case: dict[str, Any]) -> None:
    """As close as rounding allows: the greedy tokens must be those of the reference."""
    for name in COLUMNS:
        wanted = case["prediction"][name]
        known = case["candles"].get(name, [0.0])
        spread = max(known) - min(known) + 1e-5
        tolerance = 1e-6 * max(map(abs, wanted)) + 1e-5 * spread
        assert [row[name] for row in answer["prediction"]] == pytest.approx(wanted, rel=0, abs=tolerance), name


@pytest.mark.parametrize("name", SINGLE)
def test_a_single_forecast_is_that_of_the_reference(server: RunningServer, name: str) -> None:
    reply = server.client.post("/v1/predict/single", json=request(CASES[name]))
    assert reply.status_code == 200, reply.text
    check(reply.json(), CASES[name])


def test_all_forecasts_in_one_batch_are_those_of_the_reference(server: RunningServer) -> None:
    cases = [*(CASES[name] for name in SINGLE), *CASES["batch_of_three"]["items"]]
    reply = server.client.post("/v1/predict/batch", json={"items": [request(case) for case in cases]})
    assert reply.status_code == 200, reply.text
    for answer, case in zip(reply.json(), cases, strict=True):
        check(answer, case)
