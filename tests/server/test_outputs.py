"""What is read off the sample paths."""

import numpy as np
import pytest

from kronos_server import outputs
from kronos_server.forecasts import Outputs

PATHS = np.arange(1, 1 + 5 * 2 * 6, dtype=np.float32).reshape(5, 2, 6)  # (paths, horizon, columns)
CLOSE = PATHS[:, :, 3].astype(np.float64)


def test_nothing_is_added_unless_asked_for() -> None:
    assert outputs.of(PATHS, 1.0, Outputs()) == {}


def test_quantiles_are_given_for_every_column_and_level() -> None:
    quantiles = outputs.of(PATHS, 1.0, Outputs(quantiles=(0.1, 0.5)))["quantiles"]
    assert list(quantiles) == ["open", "high", "low", "close", "volume", "amount"]
    assert quantiles["close"]["0.5"] == np.median(CLOSE, axis=0).tolist()
    assert quantiles["close"]["0.1"] == pytest.approx(np.quantile(CLOSE, 0.1, axis=0).tolist())


def test_paths_are_those_of_the_close() -> None:
    assert outputs.of(PATHS, 1.0, Outputs(paths=2))["paths"] == {"close": CLOSE[:2].tolist()}


def test_the_chance_to_rise_is_the_share_of_paths_above_the_last_close() -> None:
    assert outputs.of(PATHS, float(CLOSE[2, 0]), Outputs(prob_up=True))["prob_up"] == [0.4, 0.6]


def test_volatility_is_that_of_the_log_closes_from_the_last_one_on() -> None:
    paths = np.ones((2, 2, 6), dtype=np.float32)
    paths[:, :, 3] = [[np.e, np.e], [1.0, np.e]]
    volatility = outputs.of(paths, 1.0, Outputs(volatility=True))["volatility"]
    assert volatility == pytest.approx({"mean": 1.0, "q10": 1.0, "q90": 1.0}, rel=1e-6)


def test_volatility_is_null_where_a_close_is_not_positive() -> None:
    assert outputs.of(-PATHS, 1.0, Outputs(volatility=True))["volatility"] is None
