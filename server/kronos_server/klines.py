"""K-lines as clients send them, in rows or in columns: checked, and turned into one array."""

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kronos_server.errors import InvalidRequest
from kronos_server.forecasts import COLUMNS, Rows

Loc = tuple[str | int, ...]
Place = Callable[[int, str], Loc]
Column = NDArray[np.float64]

MOST_ROWS = 2048
LARGEST = 1e17
PRICES = COLUMNS[:4]
OPTIONAL = COLUMNS[4:]


def parse(candles: Any, loc: Loc) -> Rows:
    """Rows `[{"open": ..}, ..]` or columns `{"open": [..], ..}` as (rows, 6) float64 in the order of `COLUMNS`.

    Volume absent in all rows: volume = amount = 0; absent in some: 0 there. Amount absent: volume x mean of the
    row's prices. Raises `InvalidRequest` for the first broken rule.
    """
    place: Place
    if isinstance(candles, dict):
        columns, place = _from_columns(candles, loc), lambda index, name: (*loc, name, index)
    else:
        columns, place = _from_rows(candles, loc), lambda index, name: (*loc, index, name)
    quick = _parse_quickly(columns)
    return (_parse_slowly(columns, place) if quick is None else quick).T


def _parse_quickly(columns: dict[str, Any]) -> Rows | None:
    """Columns of plain numbers that keep every rule, (6, rows); None where any needs a closer look."""
    try:
        packed = [struct.pack(f"{len(values)}d", *values) for values in columns.values()]
    except (TypeError, struct.error, OverflowError):
        return None
    table = np.frombuffer(b"".join(packed)).reshape(len(columns), -1)
    # Booleans become 0 or 1, so that they fail here.
    if not (table.min() > 1 and table.max() <= LARGEST):
        return None
    opened, high, low, close = table[:4]
    ordered = (low <= np.minimum(opened, close)) & (np.maximum(opened, close) <= high)
    return table if ordered.all() else None


def _parse_slowly(columns: dict[str, Any], place: Place) -> Rows:
    """All that is allowed, (6, rows). Raises `InvalidRequest` for the first broken rule."""
    prices = np.array([_numbers(columns[name], name, place) for name in PRICES])
    volume, amount = (_optional(columns[name], name, place) for name in OPTIONAL)
    _check_prices(prices, place)
    return np.concatenate([prices, _turnover(prices, volume, amount, place)])


def _from_columns(candles: dict[str, Any], loc: Loc) -> dict[str, Any]:
    for name in PRICES:
        if not isinstance(candles.get(name), list):
            raise InvalidRequest.at((*loc, name), "must be a list of numbers")
    columns = {name: candles.get(name) for name in COLUMNS}
    count = len(candles["open"])
    _check_count(count, loc)
    for name, values in columns.items():
        if values is not None and (not isinstance(values, list) or len(values) != count):
            raise InvalidRequest.at((*loc, name), f"must be a list of {count} numbers, as open is")
    return columns


def _from_rows(candles: Any, loc: Loc) -> dict[str, Any]:
    if not isinstance(candles, list):
        raise InvalidRequest.at(loc, "must be a list of K-lines, or an object of columns")
    _check_count(len(candles), loc)
    for index, row in enumerate(candles):
        if not isinstance(row, dict):
            raise InvalidRequest.at((*loc, index), "must be an object with open, high, low and close")
        for name in PRICES:
            if name not in row:
                raise InvalidRequest.at((*loc, index, name), "is missing")
    return {name: [row.get(name) for row in candles] for name in COLUMNS}


def _check_count(count: int, loc: Loc) -> None:
    if not 1 <= count <= MOST_ROWS:
        raise InvalidRequest.at(loc, f"must hold 1 to {MOST_ROWS} K-lines, holds {count}")


def _numbers(values: list[Any], name: str, place: Place) -> Column:
    """One column, (rows,); null becomes NaN. Strings may hold numbers, as exchanges send them."""
    try:
        column = np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        column = np.zeros(())
    # Booleans become 0 or 1: only then are the types worth a look.
    if column.ndim == 1 and not (((column == 0) | (column == 1)).any() and bool in map(type, values)):
        return column
    index = next((index for index, value in enumerate(values) if not _is_number(value)), 0)
    raise InvalidRequest.at(place(index, name), "must be a number, or a string that holds one")


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | str | None):
        return False
    try:
        return value is None or isinstance(float(value), float)
    except ValueError:
        return False


def _check_prices(prices: Rows, place: Place) -> None:
    opened, high, low, close = prices
    # Not a number compares false: it fails here too.
    for column, name in zip(prices, PRICES, strict=True):
        _require((column > 0) & (column <= LARGEST), name, "must be a number above 0, at most 1e17", place)
    for column, name in ((opened, "open"), (close, "close")):
        _require(low <= column, "low", f"must not be above {name}", place)
        _require(column <= high, "high", f"must not be below {name}", place)


def _optional(values: list[Any] | None, name: str, place: Place) -> Column | None:
    """A column whose nulls mean absent, as NaN; None when it is absent in all rows."""
    if values is None or values.count(None) == len(values):
        return None
    column = _numbers(values, name, place)
    absent = np.isnan(column)
    if absent.any():
        absent = np.array([value is None for value in values])
    _require(absent | ((column >= 0) & (column <= LARGEST)), name, "must be a number from 0 to 1e17", place)
    return column


def _turnover(prices: Rows, volume: Column | None, amount: Column | None, place: Place) -> Rows:
    """Volume and amount, (2, rows), without gaps."""
    if volume is None:
        return np.zeros((2, prices.shape[1]))
    volume = np.nan_to_num(volume)
    if amount is None or np.isnan(amount).any():
        computed = volume * prices.mean(axis=0)
        amount = computed if amount is None else np.where(np.isnan(amount), computed, amount)
        _require(amount <= LARGEST, "volume", "times the price must be at most 1e17", place)
    return np.array([volume, amount])


def _require(holds: NDArray[np.bool_], name: str, msg: str, place: Place) -> None:
    if not holds.all():
        raise InvalidRequest.at(place(int(holds.argmin()), name), msg)
