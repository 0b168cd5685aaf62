"""Request bodies to jobs and forecasts to reply bodies, as a table."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pytest

from kronos_server import schemas
from kronos_server.errors import ForecastError, InvalidRequest
from kronos_server.forecasts import Forecast, Sampling, Versions
from kronos_server.settings import Settings

Make = Callable[..., dict[str, Any]]
SETTINGS = Settings(_env_file=None, default_pred_len=7)
NAIVE, ZONED = "2024-01-02T11:00:00", "2024-01-02T11:00:00Z"


def question(body: Any) -> schemas.Question:
    return schemas.single(orjson.dumps(body), SETTINGS, deadline=1.0)


def refused(body: Any) -> tuple[tuple[str | int, ...], str]:
    with pytest.raises(InvalidRequest) as refusal:
        question(body)
    violation = refusal.value.violations[0]
    return violation.loc, violation.msg


OVERRIDES = [
    pytest.param(None, Sampling(1.0, 0, 0.9, 1), id="null"),
    pytest.param({}, Sampling(1.0, 0, 0.9, 1), id="empty"),
    pytest.param(
        {"temperature": None, "top_k": None, "top_p": None, "sample_count": None}, Sampling(1.0, 0, 0.9, 1), id="nulls"
    ),
    pytest.param({"temperature": 0}, Sampling(0.0, 0, 0.9, 1), id="greedy"),
    pytest.param({"temperature": 1e-300}, Sampling(0.0, 0, 0.9, 1), id="colder than float32"),
    pytest.param({"temperature": 1e308}, Sampling(1e6, 0, 0.9, 1), id="hotter than float32"),
    pytest.param({"temperature": "0.5", "top_k": "3"}, Sampling(0.5, 3, 0.9, 1), id="strings"),
    pytest.param({"top_k": 10**15}, Sampling(1.0, 2**20, 0.9, 1), id="top_k beyond the vocabulary"),
    pytest.param({"top_p": 7}, Sampling(1.0, 0, 1.0, 1), id="top_p above 1 is off"),
    pytest.param({"top_p": 0}, Sampling(1.0, 0, 0.0, 1), id="top_p of zero"),
    pytest.param({"sample_count": 256}, Sampling(1.0, 0, 0.9, 256), id="most samples"),
    pytest.param({"unknown": [1]}, Sampling(1.0, 0, 0.9, 1), id="an unknown key"),
]

REFUSED = [
    pytest.param(
        {"overrides": {"temperature": -0.1}}, ("overrides", "temperature"), "greater", id="negative temperature"
    ),
    pytest.param(
        {"overrides": {"temperature": "hot"}}, ("overrides", "temperature"), "number", id="temperature in words"
    ),
    pytest.param(
        {"overrides": {"temperature": True}}, ("overrides", "temperature"), "number", id="temperature as boolean"
    ),
    pytest.param(
        {"overrides": {"temperature": "NaN"}}, ("overrides", "temperature"), "", id="temperature not a number"
    ),
    pytest.param({"overrides": {"top_k": -1}}, ("overrides", "top_k"), "greater", id="negative top_k"),
    pytest.param({"overrides": {"top_k": 1.5}}, ("overrides", "top_k"), "integer", id="half a token"),
    pytest.param({"overrides": {"top_p": -1}}, ("overrides", "top_p"), "greater", id="negative top_p"),
    pytest.param({"overrides": {"sample_count": 0}}, ("overrides", "sample_count"), "greater", id="no samples"),
    pytest.param({"overrides": {"sample_count": 257}}, ("overrides", "sample_count"), "less", id="too many samples"),
    pytest.param({"overrides": {"pred_len": 3}}, ("overrides", "pred_len"), "4", id="pred_len not the number of rows"),
    pytest.param({"overrides": {"pred_len": 0}}, ("overrides", "pred_len"), "greater", id="pred_len of zero"),
    pytest.param({"overrides": [1]}, ("overrides",), "", id="overrides as a list"),
    pytest.param({"horizon": 5}, ("horizon",), "4", id="horizon not the number of rows"),
    pytest.param({"series_id": 7}, ("series_id",), "string", id="series_id as a number"),
    pytest.param({"covariates": {}}, ("covariates",), "left out", id="covariates"),
    pytest.param({"exog": []}, ("exog",), "left out", id="exog"),
    pytest.param({"past_covariates": [1]}, ("past_covariates",), "left out", id="past covariates"),
    pytest.param({"future_covariates": 1}, ("future_covariates",), "left out", id="future covariates"),
    pytest.param({"timestamps": ["2024-01-02"]}, ("timestamps",), "as many", id="fewer timestamps than rows"),
    pytest.param({"prediction_timestamps": []}, ("prediction_timestamps",), "1 to 512", id="nothing to forecast"),
    pytest.param(
        {"prediction_timestamps": list(range(2 * 10**9, 2 * 10**9 + 513))},
        ("prediction_timestamps",),
        "1 to 512",
        id="too much to forecast",
    ),
    pytest.param(
        {"prediction_timestamps": ["2024-01-02T10:45:00"]},
        ("prediction_timestamps", 0),
        "after",
        id="at the last timestamp",
    ),
    pytest.param({"prediction_timestamps": [ZONED]}, ("prediction_timestamps",), "zone", id="aware after naive"),
    pytest.param({"prediction_timestamps": [NAIVE, NAIVE]}, ("prediction_timestamps", 1), "after", id="not rising"),
    pytest.param({"candles": [{"open": 1}]}, ("candles", 0, "high"), "missing", id="a bad row"),
]


@pytest.mark.parametrize(("overrides", "expected"), OVERRIDES)
def test_overrides_become_sampling(body: Make, overrides: Any, expected: Sampling) -> None:
    assert question(body(overrides=overrides)).job.sampling == expected


@pytest.mark.parametrize(("fields", "place", "said"), REFUSED)
def test_a_broken_rule_is_named_with_its_place(
    body: Make, fields: dict[str, Any], place: tuple[str | int, ...], said: str
) -> None:
    loc, msg = refused(body(**fields))
    assert loc == ("body", *place)
    assert said in msg


@pytest.mark.parametrize("field", ["candles", "timestamps"])
def test_a_required_field_is_required(body: Make, field: str) -> None:
    assert refused(body(drop=(field,)))[0] == ("body", field)


@pytest.mark.parametrize("value", [[], 7, "text", None])
def test_a_body_that_is_no_object_is_refused(value: Any) -> None:
    assert refused(value)[0] == ("body",)


@pytest.mark.parametrize(
    "text",
    ["", "{", '{"candles": NaN}', "[Infinity]", "[1e999]", "[" * 100_000, "\xff", '{"a": "\\ud800"}', "{}{}"],
    ids=["empty", "open", "NaN", "Infinity", "1e999", "deep", "latin-1", "surrogate", "two"],
)
def test_what_is_not_json_is_refused_without_an_echo(text: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        schemas.single(text.encode("latin-1"), SETTINGS, deadline=1.0)
    assert refusal.value.detail == "The body is not JSON."
    assert refusal.value.violations[0].loc[0] == "body"


@pytest.mark.parametrize("series_id", [None, "", "AAPL", "é"])
def test_the_series_id_is_echoed(body: Make, series_id: str | None) -> None:
    assert question(body(series_id=series_id)).series_id == series_id


def test_a_single_request_needs_no_series_id(body: Make) -> None:
    assert question(body(drop=("series_id",))).series_id is None


def test_unknown_keys_are_ignored(body: Make) -> None:
    assert question(body(strategy={"a": 1}, covariates=None)).job.horizon == 4


def test_the_last_of_duplicate_keys_counts(body: Make) -> None:
    text = json.dumps(body())[:-1] + ', "series_id": "last"}'
    assert schemas.single(text.encode(), SETTINGS, 1.0).series_id == "last"


def test_without_prediction_timestamps_the_history_is_continued(body: Make) -> None:
    asked = question(body(drop=("prediction_timestamps",)))
    assert len(asked.future.instants) == SETTINGS.default_pred_len
    assert str(asked.future.instants[0]) == "2024-01-02T10:50:00.000000"


@pytest.mark.parametrize("fields", [{"horizon": 3}, {"overrides": {"pred_len": 3}}])
def test_the_horizon_says_how_far_the_history_is_continued(body: Make, fields: dict[str, Any]) -> None:
    assert question(body(drop=("prediction_timestamps",), freq="1h", **fields)).job.horizon == 3


def test_two_horizons_that_differ_are_refused(body: Make) -> None:
    fields = body(drop=("prediction_timestamps",), horizon=3, overrides={"pred_len": 4})
    assert refused(fields)[0] == ("body", "overrides", "pred_len")


def test_an_ambiguous_frequency_is_refused(body: Make) -> None:
    assert refused(body(rows=1, drop=("prediction_timestamps",)))[0] == ("body", "freq")


def test_the_largest_request_is_accepted(body: Make) -> None:
    job = question(body(rows=2048, ahead=512)).job
    assert job.context.shape == (2048, 6)
    assert job.horizon == 512


def test_every_job_has_an_id_of_its_own(body: Make) -> None:
    assert question(body()).job.id != question(body()).job.id


def test_a_batch_keeps_the_order_of_its_items(body: Make) -> None:
    items = [body(series_id="b", rows=3), body(series_id="a", rows=9, ahead=2)]
    asked = schemas.batch(orjson.dumps({"items": items}), SETTINGS, 1.0)
    assert [each.series_id for each in asked] == ["b", "a"]
    assert [each.job.horizon for each in asked] == [4, 2]


@pytest.mark.parametrize(
    ("request_body", "place"),
    [
        ({}, ("items",)),
        ({"items": []}, ("items",)),
        ({"items": None}, ("items",)),
        ({"items": [7]}, ("items", 0)),
        ({"items": [{}]}, ("items", 0, "series_id")),
        ([], ()),
    ],
)
def test_a_bad_batch_is_refused(request_body: Any, place: tuple[str | int, ...]) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        schemas.batch(orjson.dumps(request_body), SETTINGS, 1.0)
    assert refusal.value.violations[0].loc == ("body", *place)


@pytest.mark.parametrize("fields", [{"series_id": None}, {"timestamps": []}, {"exog": 1}])
def test_one_bad_item_makes_the_batch_invalid(body: Make, fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        schemas.batch(orjson.dumps({"items": [body(), body(**fields)]}), SETTINGS, 1.0)
    assert refusal.value.violations[0].loc == ("body", "items", 1, *fields)


def forecast(asked: schemas.Question, value: float = 1.5) -> Forecast:
    return Forecast(np.full((asked.job.horizon, 6), value), "cpu", 4, 0)


VERSIONS = Versions("model@0123456789ab", "tokenizer@ba9876543210")


def test_a_reply_has_the_old_shape(body: Make) -> None:
    asked = question(body(ahead=1))
    row = {"timestamp": "2024-01-02T10:50:00"} | dict.fromkeys(
        ["open", "high", "low", "close", "volume", "amount"], 1.5
    )
    assert schemas.reply(asked, forecast(asked), VERSIONS) == {
        "series_id": "AAPL",
        "prediction": [row],
        "model_version": "model@0123456789ab",
        "tokenizer_version": "tokenizer@ba9876543210",
    }


def test_a_forecast_that_is_not_finite_is_no_reply(body: Make) -> None:
    asked = question(body())
    with pytest.raises(ForecastError, match="not finite"):
        schemas.reply(asked, forecast(asked, float("nan")), VERSIONS)
