"""What the API offers beyond the old service, over HTTP."""

from collections.abc import Callable
from typing import Any

import pytest

from running_server import RunningServer

Make = Callable[..., dict[str, Any]]
COLUMNS = ["open", "high", "low", "close", "volume", "amount"]


def single(server: RunningServer, body: dict[str, Any]) -> dict[str, Any]:
    reply = server.client.post("/v1/predict/single", json=body)
    assert reply.status_code == 200, reply.text
    answer: dict[str, Any] = reply.json()
    return answer


def test_equal_seeds_give_equal_forecasts_whatever_is_beside_them(server: RunningServer, body: Make) -> None:
    asked = body(seed=7, ahead=16)
    alone = single(server, asked)["prediction"]
    strangers = [body(series_id=str(number), rows=20 + number) for number in range(15)]
    reply = server.client.post("/v1/predict/batch", json={"items": [*strangers[:8], asked, *strangers[8:]]})
    among = reply.json()[8]["prediction"]
    for mine, theirs in zip(alone, among, strict=True):
        assert [mine[name] for name in COLUMNS] == pytest.approx([theirs[name] for name in COLUMNS], rel=1e-5)


def test_without_a_seed_forecasts_differ(server: RunningServer, body: Make) -> None:
    asked = body(ahead=16)
    assert single(server, asked)["prediction"] != single(server, asked)["prediction"]


def test_a_frequency_continues_the_history(server: RunningServer, body: Make) -> None:
    answer = single(server, body(drop=("prediction_timestamps",), horizon=2, freq="1h"))
    assert [row["timestamp"] for row in answer["prediction"]] == ["2024-01-02T11:45:00", "2024-01-02T12:45:00"]


def test_outputs_come_from_the_sample_paths(server: RunningServer, body: Make) -> None:
    wanted = {"quantiles": [0.1, 0.9], "paths": 5, "prob_up": True, "volatility": True}
    answer = single(server, body(outputs=wanted, overrides={"sample_count": 20}))
    assert list(answer)[4:] == ["quantiles", "paths", "prob_up", "volatility"]
    assert list(answer["quantiles"]) == COLUMNS
    close = answer["quantiles"]["close"]
    assert all(low <= high for low, high in zip(close["0.1"], close["0.9"], strict=True))
    assert [len(path) for path in answer["paths"]["close"]] == [4] * 5
    assert all(0 <= share <= 1 for share in answer["prob_up"])
    assert set(answer["volatility"]) == {"mean", "q10", "q90"}


def test_the_mean_of_the_paths_is_the_forecast(server: RunningServer, body: Make) -> None:
    answer = single(server, body(outputs={"paths": 8}, overrides={"sample_count": 8}))
    means = [sum(row) / 8 for row in zip(*answer["paths"]["close"], strict=True)]
    assert means == pytest.approx([row["close"] for row in answer["prediction"]], rel=1e-5)


@pytest.mark.parametrize(
    ("outputs", "place"),
    [
        ({"paths": 2}, ["paths"]),
        ({"paths": 0}, ["paths"]),
        ({"quantiles": []}, ["quantiles"]),
        ({"quantiles": [0]}, ["quantiles", 0]),
        ({"quantiles": [0.5, 1]}, ["quantiles", 1]),
        ({"quantiles": [0.5] * 33}, ["quantiles"]),
        ({"prob_up": "perhaps"}, ["prob_up"]),
        ([], []),
    ],
)
def test_outputs_that_cannot_be_are_refused(server: RunningServer, body: Make, outputs: Any, place: list[Any]) -> None:
    reply = server.client.post("/v1/predict/single", json=body(outputs=outputs))
    assert reply.status_code == 422
    assert reply.json()["errors"][0]["loc"] == ["body", "outputs", *place]


@pytest.mark.parametrize(("policy", "used", "slid"), [("exact", "64", "3"), (None, "64", "3"), ("fit", "60", "0")])
def test_the_context_policy_is_kept_and_accounted_for(
    server: RunningServer, body: Make, policy: str | None, used: str, slid: str
) -> None:
    reply = server.client.post("/v1/predict/single", json=body(rows=80, ahead=4, context_policy=policy))
    assert reply.headers["x-kronos-context-used"] == used
    assert reply.headers["x-kronos-slid-steps"] == slid


def test_a_horizon_that_cannot_fit_is_refused(server: RunningServer, body: Make) -> None:
    reply = server.client.post("/v1/predict/single", json=body(ahead=512, context_policy="fit"))
    assert reply.status_code == 422
    assert reply.json()["errors"][0]["loc"] == ["body", "context_policy"]


def test_a_batch_lists_the_context_of_every_item(server: RunningServer, body: Make) -> None:
    reply = server.client.post("/v1/predict/batch", json={"items": [body(rows=5), body(rows=7)]})
    assert reply.headers["x-kronos-context-used"] == "5,7"


def test_a_batch_in_parts_answers_the_good_items(server: RunningServer, body: Make) -> None:
    items = [body(), body(timestamps=[]), body(series_id=7), body(series_id="last")]
    reply = server.client.post("/v1/predict/batch?partial=true", json={"items": items})
    assert reply.status_code == 207
    first, second, third, last = reply.json()
    assert (first["series_id"], last["series_id"]) == ("AAPL", "last")
    assert second["error"]["errors"][0]["loc"] == ["body", "items", 1, "timestamps"]
    assert third["error"]["status"] == 422
    assert third["series_id"] is None


@pytest.mark.parametrize(("items", "status"), [([{}, 7], 207), ([], 422), (None, 422)])
def test_a_batch_in_parts_with_nothing_good_in_it(server: RunningServer, items: Any, status: int) -> None:
    reply = server.client.post("/v1/predict/batch?partial=true", json={"items": items})
    assert reply.status_code == status


def test_a_batch_in_parts_without_a_bad_item_is_a_plain_reply(server: RunningServer, body: Make) -> None:
    reply = server.client.post("/v1/predict/batch?partial=true", json={"items": [body()]})
    assert reply.status_code == 200
    assert "prediction" in reply.json()[0]


def test_partial_must_be_true_or_false(server: RunningServer, body: Make) -> None:
    assert server.client.post("/v1/predict/batch?partial=maybe", json={"items": [body()]}).status_code == 422
