"""Settings as clients of a server notice them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from running_server import RunningServer

Make = Callable[..., dict[str, Any]]
ORIGIN = "https://desk.example"


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that is configured unlike the one that most tests ask."""
    settings = {
        "app_name": "Desk",
        "enable_metrics": "false",
        "cors_origins": ORIGIN,
        "default_pred_len": "3",
        "default_sample_count": "2",
        "max_context": "32",
        "context_policy": "fit",
        "max_request_size_mb": "0.01",
        "inference_timeout": "0.5",
    }
    running = RunningServer(tmp_path_factory.mktemp("other"), **settings)
    try:
        yield running.wait_ready()
    finally:
        running.close()


def test_the_name_of_the_application_is_told(other: RunningServer) -> None:
    assert other.client.get("/").json() == {"message": "Desk"}
    assert other.client.get("/openapi.json").json()["info"]["title"] == "Desk"


def test_metrics_can_be_left_out(other: RunningServer) -> None:
    assert other.client.get("/v1/metrics").status_code == 404
    assert "/v1/metrics" not in other.client.get("/openapi.json").json()["paths"]


def test_the_default_horizon_counts_where_none_is_sent(other: RunningServer, body: Make) -> None:
    asked = body(drop=("prediction_timestamps",), overrides={"pred_len": None})
    assert len(other.client.post("/v1/predict/single", json=asked).json()["prediction"]) == 3


def test_the_default_sampling_counts_where_none_is_sent(other: RunningServer, body: Make) -> None:
    reply = other.client.post("/v1/predict/single", json=body(outputs={"paths": 2}))
    assert len(reply.json()["paths"]["close"]) == 2


def test_the_default_context_policy_counts_where_none_is_sent(other: RunningServer, body: Make) -> None:
    reply = other.client.post("/v1/predict/single", json=body(rows=32, ahead=4))
    assert (reply.headers["x-kronos-context-used"], reply.headers["x-kronos-slid-steps"]) == ("28", "0")


def test_the_size_limit_counts(other: RunningServer, body: Make) -> None:
    assert other.client.post("/v1/predict/single", json=body(rows=200)).status_code == 413


def test_a_forecast_that_takes_longer_than_the_inference_timeout_is_a_504(other: RunningServer, body: Make) -> None:
    wanted = {"horizon": 512, "context_policy": "exact", "overrides": {"sample_count": 16}}
    asked = body(drop=("prediction_timestamps",), **wanted)
    reply = other.client.post("/v1/predict/single", json=asked)
    assert (reply.status_code, reply.json()["detail"]) == (504, "The forecast was not finished in time.")


@pytest.mark.parametrize(("origin", "allowed"), [(ORIGIN, ORIGIN), ("https://other.example", None)])
def test_pages_of_listed_origins_may_ask(other: RunningServer, origin: str, allowed: str | None) -> None:
    reply = other.client.get("/", headers={"origin": origin})
    assert reply.headers.get("access-control-allow-origin") == allowed


def test_no_page_may_ask_unless_it_is_listed(server: RunningServer) -> None:
    assert "access-control-allow-origin" not in server.client.get("/", headers={"origin": ORIGIN}).headers
