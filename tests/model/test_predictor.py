"""`KronosPredictor`: what it accepts, what it promises and what it refuses."""

import logging
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from model import Kronos, KronosPredictor, KronosTokenizer

ROWS, HORIZON = 40, 6


def klines(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = 100 + rng.normal(size=rows).cumsum()
    prices = {"open": close - 0.1, "high": close + 0.5, "low": close - 0.5, "close": close}
    return pd.DataFrame(prices | {"volume": rng.uniform(1, 9, rows), "amount": rng.uniform(100, 900, rows)})


def times(rows: int, start: str = "2026-03-02 09:30") -> pd.DatetimeIndex:
    return pd.date_range(start, periods=rows, freq="5min")


PAST, FUTURE = times(ROWS), times(HORIZON, "2026-03-03 09:30")


@pytest.fixture(scope="module")
def predictor(kronos: Kronos, tokenizer: KronosTokenizer) -> KronosPredictor:
    return KronosPredictor(kronos, tokenizer, device="cpu", max_context=64)


def test_a_forecast_has_the_columns_and_the_timestamps_asked_for(predictor: KronosPredictor) -> None:
    found = predictor.predict(klines(), PAST, FUTURE, HORIZON)
    assert list(found.columns) == ["open", "high", "low", "close", "volume", "amount"]
    assert list(found.index) == list(FUTURE)
    assert found.attrs == {"context_rows": ROWS, "slid_steps": 0, "dropped_rows": 0}


@pytest.mark.parametrize(
    "kind",
    [
        pd.Series,
        lambda index: index.astype(str).to_list(),
        lambda index: index.strftime("%Y/%m/%d %H:%M").to_list(),
        lambda index: index.to_numpy(),
        lambda index: list(index.to_pydatetime()),
        lambda index: pd.Series(index.astype(str), index=range(5, 5 + len(index))),
        lambda index: index.tz_localize("Asia/Shanghai"),
        lambda index: [f"{time.isoformat()}+02:00" for time in index],
    ],
    ids=["Series", "strings", "slashes", "numpy", "datetimes", "Series of strings", "zoned", "offset strings"],
)
def test_timestamps_of_any_kind_mean_their_wall_clock(predictor: KronosPredictor, kind: Callable[[Any], Any]) -> None:
    wanted = predictor.predict(klines(), PAST, FUTURE, HORIZON, seed=1)
    found = predictor.predict(klines(), kind(PAST), kind(FUTURE), HORIZON, seed=1)
    np.testing.assert_array_equal(found, wanted)


def test_modules_left_in_training_mode_forecast_without_dropout(kronos: Kronos, tokenizer: KronosTokenizer) -> None:
    wanted = KronosPredictor(kronos, tokenizer, device="cpu").predict(klines(), PAST, FUTURE, HORIZON, seed=1)
    predictor = KronosPredictor(kronos.train(), tokenizer.train(), device="cpu")
    assert not kronos.training
    assert not tokenizer.training
    kronos.train()
    np.testing.assert_array_equal(predictor.predict(klines(), PAST, FUTURE, HORIZON, seed=1), wanted)
    kronos.eval()


def test_threads_may_forecast_at_once(predictor: KronosPredictor) -> None:
    series = [klines(ROWS, seed) for seed in range(4)]
    wanted = [predictor.predict(df, PAST, FUTURE, HORIZON, seed=3) for df in series]
    found: dict[int, list[pd.DataFrame]] = {number: [] for number in range(4)}

    def forecast(number: int) -> None:
        for _ in range(5):
            found[number].append(predictor.predict(series[number], PAST, FUTURE, HORIZON, seed=3))

    threads = [threading.Thread(target=forecast, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    for number, forecasts in found.items():
        assert len(forecasts) == 5
        for df in forecasts:
            np.testing.assert_allclose(df, wanted[number], rtol=1e-5)


def test_a_seed_gives_the_same_paths_whatever_shares_the_batch(predictor: KronosPredictor) -> None:
    series = [klines(rows, rows) for rows in (7, 40, 23)]
    past, future = [times(len(df)) for df in series], [FUTURE] * 3
    together = predictor.predict_batch(series, past, future, HORIZON, sample_count=2, seed=11)
    turned = predictor.predict_batch(series[::-1], past[::-1], future, HORIZON, sample_count=2, seed=11)[::-1]
    for number, df in enumerate(series):
        alone = predictor.predict(df, past[number], FUTURE, HORIZON, sample_count=2, seed=11)
        np.testing.assert_allclose(together[number], alone, rtol=1e-5)
        np.testing.assert_allclose(turned[number], alone, rtol=1e-5)


def test_seeds_differ_and_without_one_torchs_decides(predictor: KronosPredictor) -> None:
    def forecast(seed: int | None = None) -> pd.DataFrame:
        return predictor.predict(klines(), PAST, FUTURE, HORIZON, seed=seed)

    assert not np.array_equal(forecast(1), forecast(2))
    torch.manual_seed(5)
    first, second = forecast(), forecast()
    torch.manual_seed(5)
    np.testing.assert_array_equal(forecast(), first)
    assert not np.array_equal(first, second)


def test_temperature_0_is_greedy(predictor: KronosPredictor) -> None:
    cold = predictor.predict(klines(), PAST, FUTURE, HORIZON, T=0, sample_count=2)
    np.testing.assert_allclose(cold, predictor.predict(klines(), PAST, FUTURE, HORIZON, top_k=1), rtol=1e-6)


def test_int8_forecasts_are_near_and_repeat_to_the_bit(kronos: Kronos, tokenizer: KronosTokenizer) -> None:
    exact = KronosPredictor(kronos, tokenizer, device="cpu")
    rounded = KronosPredictor(kronos, tokenizer, device="cpu", weights="int8")
    wanted = exact.predict(klines(), PAST, FUTURE[:1], 1, sample_count=256, seed=1)
    first, again = (rounded.predict(klines(), PAST, FUTURE[:1], 1, sample_count=256, seed=1) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, wanted)
    assert ((first - wanted).abs() < 0.1 * klines().std(ddof=0)).all(axis=None)


def test_fit_equals_a_forecast_of_the_rows_it_keeps_and_says_so(predictor: KronosPredictor) -> None:
    df, past = klines(70), times(70)
    found = predictor.predict(df, past, FUTURE, HORIZON, seed=1, context_policy="fit")
    kept = 64 - HORIZON
    wanted = predictor.predict(df.iloc[-kept:], past[-kept:], FUTURE, HORIZON, seed=1)
    np.testing.assert_array_equal(found, wanted)
    assert found.attrs == {"context_rows": kept, "slid_steps": 0, "dropped_rows": 70 - kept}


def test_exact_says_how_often_the_window_slid(predictor: KronosPredictor) -> None:
    found = predictor.predict(klines(62), times(62), FUTURE, HORIZON, T=0)
    assert found.attrs == {"context_rows": 62, "slid_steps": 3, "dropped_rows": 0}


def test_a_horizon_beyond_max_context_is_forecast(kronos: Kronos, tokenizer: KronosTokenizer) -> None:
    predictor = KronosPredictor(kronos, tokenizer, device="cpu", max_context=16)
    found = predictor.predict(klines(), PAST, times(50, "2026-03-03 09:30"), 50, T=0)
    assert found.shape == (50, 6)
    assert np.isfinite(found.to_numpy()).all()
    with pytest.raises(
        ValueError, match="series 0: context_policy 'fit' cannot fit a horizon of 50 into max_context 16"
    ):
        predictor.predict(klines(), PAST, times(50, "2026-03-03 09:30"), 50, context_policy="fit")


def test_more_series_than_fit_into_memory_take_turns(
    predictor: KronosPredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    series = [klines(ROWS, seed) for seed in range(3)]
    arguments = (series, [PAST] * 3, [FUTURE] * 3, HORIZON)
    wanted = predictor.predict_batch(*arguments, T=0)
    monkeypatch.setattr("model.predictor.TOKENS_AT_ONCE", 50)  # one series needs 45
    for found, df in zip(predictor.predict_batch(*arguments, T=0), wanted, strict=True):
        np.testing.assert_allclose(found, df, rtol=1e-5)


@pytest.mark.parametrize(("verbose", "lines"), [(True, 1), (False, 0)])
def test_verbose_logs_one_line(
    predictor: KronosPredictor, caplog: pytest.LogCaptureFixture, verbose: bool, lines: int
) -> None:
    with caplog.at_level(logging.INFO, "model"):
        predictor.predict(klines(), PAST, FUTURE, HORIZON, verbose=verbose)
    assert len(caplog.records) == lines


def changed(column: str, row: int, value: object) -> pd.DataFrame:
    df = klines()
    values: list[object] = list(df[column])
    values[row] = value
    return df.assign(**{column: pd.Series(values, dtype=object)})


REFUSED: dict[str, tuple[pd.DataFrame, Any, Any, str]] = {
    "nan": (changed("close", 3, np.nan), PAST, FUTURE, "column close, row 3: nan"),
    "infinite": (changed("volume", 5, np.inf), PAST, FUTURE, "column volume, row 5: inf"),
    "word": (changed("open", 2, "high"), PAST, FUTURE, "column open, row 2: 'high'"),
    "nothing": (changed("low", 1, None), PAST, FUTURE, "column low, row 1: None"),
    "too large": (changed("amount", 0, 1e30), PAST, FUTURE, r"column amount, row 0: 1e\+30"),
    "no column": (klines().drop(columns=["low", "open"]), PAST, FUTURE, r"columns \['open', 'low'\] are missing"),
    "columns twice": (pd.concat((klines(), klines()[["low"]]), axis=1), PAST, FUTURE, "'low'.* more than once"),
    "no rows": (klines(0), PAST[:0], FUTURE, "there are no rows"),
    "too few times": (klines(), PAST[:-1], FUTURE, "x_timestamp has 39 entries for 40 rows"),
    "too many future times": (klines(), PAST, times(7, "2026-03-03"), "y_timestamp has 7 entries for 6 rows"),
    "unsorted": (klines(), PAST[::-1], FUTURE, "x_timestamp, row 1: .* is not after"),
    "repeated": (klines(), PAST[:-1].append(PAST[-2:-1]), FUTURE, "x_timestamp, row 39: .* is not after"),
    "unsorted future": (klines(), PAST, FUTURE[::-1], "y_timestamp, row 1: .* is not after"),
    "future in the past": (klines(), PAST, PAST[:6], "y_timestamp, row 0: .* is not after"),
    "no time": (klines(), [*PAST[:-1], pd.NaT], FUTURE, "x_timestamp, row 39: there is no timestamp"),
    "not a time": (klines(), ["noon"] * ROWS, FUTURE, "x_timestamp: .*noon"),
    "numbers": (klines(), range(ROWS), FUTURE, "x_timestamp: numbers are no timestamps"),
    "zones mixed": (klines(), PAST.tz_localize("UTC"), FUTURE, "both have a time zone"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_with_its_series_and_place(predictor: KronosPredictor, case: str) -> None:
    df, past, future, message = REFUSED[case]
    with pytest.raises(ValueError, match=f"^series 1: .*{message}"):
        predictor.predict_batch([klines(), df], [PAST, past], [FUTURE, future], HORIZON)


def test_lists_of_unequal_length_are_refused(predictor: KronosPredictor) -> None:
    with pytest.raises(ValueError, match="equally long, not 2, 1 and 1"):
        predictor.predict_batch([klines(), klines()], [PAST], [FUTURE], HORIZON)


def test_an_unknown_context_policy_is_refused(predictor: KronosPredictor) -> None:
    with pytest.raises(ValueError, match="context_policy must be one of"):
        predictor.predict(klines(), PAST, FUTURE, HORIZON, context_policy="slide")  # type: ignore[arg-type]
