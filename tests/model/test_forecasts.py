"""Whole forecasts against the reference's."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from model import Kronos, KronosPredictor, KronosTokenizer

CASES = [
    "fits",
    "window_slides",
    "fills_exactly",
    "context_longer_than_window",
    "paths_averaged",
    "no_volume",
    "no_amount",
    "cheap_asset",
    "expensive_asset",
    "constant_series",
    "daily",
]


def assert_as_reference(found: pd.DataFrame, case: dict[str, Any]) -> None:
    columns = ["open", "high", "low", "close", "volume", "amount"]
    assert list(found.columns) == columns
    candles = pd.DataFrame(case["candles"])
    for column in columns:
        wanted = np.asarray(case["prediction"][column])
        std = candles[column].std(ddof=0) if column in candles else 0.0
        tolerance = 1e-6 * np.abs(wanted).max() + 1e-5 * (std + 1e-5)
        np.testing.assert_allclose(found[column], wanted, rtol=0, atol=tolerance, err_msg=column)


@pytest.mark.parametrize("name", CASES)
def test_a_forecast_equals_the_references(
    name: str, kronos: Kronos, tokenizer: KronosTokenizer, forecasts: dict[str, Any]
) -> None:
    case = forecasts[name]
    predictor = KronosPredictor(kronos, tokenizer, device="cpu", max_context=case["max_context"])
    found = predictor.predict(
        pd.DataFrame(case["candles"]),
        case["timestamps"],
        case["prediction_timestamps"],
        pred_len=len(case["prediction_timestamps"]),
        top_k=1,
        **case["arguments"],
    )
    assert_as_reference(found, case)


def test_a_batch_equals_the_references(kronos: Kronos, tokenizer: KronosTokenizer, forecasts: dict[str, Any]) -> None:
    case = forecasts["batch_of_three"]
    items = case["items"]
    predictor = KronosPredictor(kronos, tokenizer, device="cpu", max_context=case["max_context"])
    found = predictor.predict_batch(
        [pd.DataFrame(item["candles"]) for item in items],
        [item["timestamps"] for item in items],
        [item["prediction_timestamps"] for item in items],
        pred_len=len(items[0]["prediction_timestamps"]),
        top_k=1,
    )
    for df, item in zip(found, items, strict=True):
        assert_as_reference(df, item)
