"""DataFrames to jobs and back: columns, calendar stamps, and what may be wrong with either."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.jobs import COLUMNS, Forecast, check_finite

PRICES = ["open", "high", "low", "close"]

Timestamps = pd.DatetimeIndex | pd.Series | NDArray[Any] | Iterable[Any]


def read_rows(df: pd.DataFrame) -> NDArray[np.float64]:
    """The K-lines of a frame, (n, 6) in the order of COLUMNS.

    Missing volume: volume and amount are 0. Missing amount: volume times the mean price. Raises ValueError.
    """
    if not isinstance(df, pd.DataFrame):
        raise ValueError(f"a pandas DataFrame is needed, not {type(df).__name__}")
    missing = [column for column in PRICES if column not in df.columns]
    if missing:
        raise ValueError(f"columns {missing} are missing")
    twice = [column for column in COLUMNS if list(df.columns).count(column) > 1]
    if twice:
        raise ValueError(f"columns {twice} are there more than once")
    if not len(df):
        raise ValueError("there are no rows")
    rows = np.zeros((len(df), len(COLUMNS)))
    present = [column for column in COLUMNS if column in df.columns]
    if "volume" not in present:
        present = PRICES
    for column in present:
        rows[:, COLUMNS.index(column)] = _numbers(df, column)
    if "amount" not in present:
        rows[:, 5] = rows[:, 4] * rows[:, :4].mean(axis=1)
    check_finite(rows)
    return rows


def read_timestamps(name: str, values: Timestamps, length: int) -> pd.DatetimeIndex:
    """Timestamps of any kind that pandas reads, strictly rising. Raises ValueError that names the first odd row."""
    try:
        given = pd.Index(list(values))
        if pd.api.types.is_numeric_dtype(given.dtype) and length:
            raise ValueError("numbers are no timestamps: convert them with pandas.to_datetime(values, unit=...)")
        index = pd.DatetimeIndex(pd.to_datetime(given, format="ISO8601"))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name}: {error}") from error
    if len(index) != length:
        raise ValueError(f"{name} has {len(index)} entries for {length} rows")
    if index.hasnans:
        raise ValueError(f"{name}, row {int(np.argmax(index.isna()))}: there is no timestamp")
    falling = np.flatnonzero(index[1:] <= index[:-1])
    if len(falling):
        row = int(falling[0]) + 1
        raise ValueError(f"{name}, row {row}: {index[row]} is not after {index[row - 1]} of the row before")
    return index


def calendar_stamps(index: pd.DatetimeIndex) -> NDArray[np.int64]:
    """Wall-clock minute, hour, weekday (Monday 0), day and month: (n, 5)."""
    parts = (index.minute, index.hour, index.day_of_week, index.day, index.month)
    return np.stack([part.to_numpy() for part in parts], axis=1).astype(np.int64)


def frame(forecast: Forecast, index: pd.DatetimeIndex) -> pd.DataFrame:
    """The forecast as K-lines; its `attrs` say what it rests on."""
    df = pd.DataFrame(forecast.klines, columns=pd.Index(COLUMNS), index=index)
    df.attrs = {
        "context_rows": forecast.context_rows,
        "slid_steps": forecast.slid_steps,
        "dropped_rows": forecast.dropped_rows,
    }
    return df


def _numbers(df: pd.DataFrame, column: str) -> NDArray[np.float64]:
    numbers = pd.to_numeric(df[column], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    missing = np.flatnonzero(np.isnan(numbers))
    if len(missing):
        raise ValueError(f"column {column}, row {missing[0]}: {df[column].iloc[missing[0]]!r} is not a number")
    return numbers
