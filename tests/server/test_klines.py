"""K-lines in rows and in columns."""

from typing import Any

import numpy as np
import pytest

from kronos_server import klines
from kronos_server.errors import InvalidRequest


def candle(**fields: Any) -> dict[str, Any]:
    row = {"open": 10, "high": 12, "low": 8, "close": 11, "volume": 5, "amount": 50}
    return {name: value for name, value in (row | fields).items() if value != "absent"}


def columns(**fields: Any) -> dict[str, Any]:
    lists = {"open": [10, 10], "high": [12, 12], "low": [8, 8], "close": [11, 11], "volume": [5, 6], "amount": [50, 60]}
    return {name: value for name, value in (lists | fields).items() if value != "absent"}


PRICES = [10.0, 12.0, 8.0, 11.0]
MEAN = 10.25

ACCEPTED = [
    pytest.param([candle()], [[*PRICES, 5, 50]], id="rows"),
    pytest.param([candle(open="10.0", volume="5")], [[*PRICES, 5, 50]], id="numbers as strings"),
    pytest.param([candle(timestamp="2024", note=[{}])], [[*PRICES, 5, 50]], id="unknown keys are ignored"),
    pytest.param([candle(volume="absent")], [[*PRICES, 0, 0]], id="no volume: no amount either"),
    pytest.param([candle(volume=None)], [[*PRICES, 0, 0]], id="null volume is absent"),
    pytest.param([candle(amount="absent")], [[*PRICES, 5, 5 * MEAN]], id="no amount: volume x mean price"),
    pytest.param([candle(amount=None)], [[*PRICES, 5, 5 * MEAN]], id="null amount is absent"),
    pytest.param([candle(), candle(volume=None)], [[*PRICES, 5, 50], [*PRICES, 0, 50]], id="volume absent in some"),
    pytest.param(
        [candle(), candle(amount=None)], [[*PRICES, 5, 50], [*PRICES, 5, 5 * MEAN]], id="amount absent in some"
    ),
    pytest.param([candle(volume=0, amount=0)], [[*PRICES, 0, 0]], id="zero volume and amount"),
    pytest.param([candle(open=8, close=8, high=8)], [[8, 8, 8, 8, 5, 50]], id="a flat row"),
    pytest.param(
        [candle(open=1e17, high=1e17, low=1e17, close=1e17, volume=1, amount=None)],
        [[1e17] * 4 + [1, 1e17]],
        id="largest",
    ),
    pytest.param(columns(), [[*PRICES, 5, 50], [*PRICES, 6, 60]], id="columns"),
    pytest.param(columns(volume="absent"), [[*PRICES, 0, 0]] * 2, id="columns without volume"),
    pytest.param(columns(volume=None), [[*PRICES, 0, 0]] * 2, id="columns with null volume"),
    pytest.param(
        columns(amount=[None, 60]), [[*PRICES, 5, 5 * MEAN], [*PRICES, 6, 60]], id="columns with a gap in amount"
    ),
    pytest.param(columns(open=["10", "10"], time=[1]), [[*PRICES, 5, 50], [*PRICES, 6, 60]], id="columns of strings"),
]

REFUSED = [
    pytest.param([], (), "1 to 2048", id="no rows"),
    pytest.param([candle()] * 2049, (), "1 to 2048", id="too many rows"),
    pytest.param("rows", (), "list of K-lines", id="a string"),
    pytest.param(None, (), "list of K-lines", id="null"),
    pytest.param([candle(), 7], (1,), "object", id="a row that is a number"),
    pytest.param([candle(), candle(close="absent")], (1, "close"), "missing", id="a price missing"),
    pytest.param([candle(close=None)], (0, "close"), "above 0", id="a null price"),
    pytest.param([candle(low=0)], (0, "low"), "above 0", id="a price of zero"),
    pytest.param([candle(low=-8)], (0, "low"), "above 0", id="a negative price"),
    pytest.param([candle(high=1.01e17)], (0, "high"), "1e17", id="a price too large"),
    pytest.param([candle(open="NaN")], (0, "open"), "above 0", id="not a number, as a string"),
    pytest.param([candle(high="inf")], (0, "high"), "1e17", id="infinity, as a string"),
    pytest.param([candle(open="ten")], (0, "open"), "number", id="words"),
    pytest.param([candle(), candle(open=True)], (1, "open"), "number", id="a boolean"),
    pytest.param([candle(open=[10])], (0, "open"), "number", id="a list"),
    pytest.param([candle(), candle(open={})], (1, "open"), "number", id="an object"),
    pytest.param([candle(low=10.5)], (0, "low"), "open", id="low above open"),
    pytest.param([candle(low=11.5, open=11.6)], (0, "low"), "close", id="low above close"),
    pytest.param([candle(high=9)], (0, "high"), "open", id="high below open"),
    pytest.param([candle(high=10.5)], (0, "high"), "close", id="high below close"),
    pytest.param([candle(volume=-1)], (0, "volume"), "0 to 1e17", id="negative volume"),
    pytest.param([candle(amount=-1)], (0, "amount"), "0 to 1e17", id="negative amount"),
    pytest.param([candle(amount=1e18)], (0, "amount"), "0 to 1e17", id="amount too large"),
    pytest.param([candle(volume="NaN")], (0, "volume"), "0 to 1e17", id="volume not a number"),
    pytest.param([candle(volume=1e17, amount=None)], (0, "volume"), "1e17", id="computed amount too large"),
    pytest.param(columns(close="absent"), ("close",), "list", id="a column missing"),
    pytest.param(columns(open=[]), (), "1 to 2048", id="empty columns"),
    pytest.param(columns(high=[12]), ("high",), "list of 2", id="columns of unequal length"),
    pytest.param(columns(volume=7), ("volume",), "list of 2", id="a column that is a number"),
    pytest.param(columns(low=[8, 13]), ("low", 1), "open", id="low above open, in columns"),
]


@pytest.mark.parametrize(("candles", "rows"), ACCEPTED)
def test_accepted_candles_become_rows(candles: Any, rows: list[list[float]]) -> None:
    np.testing.assert_array_equal(klines.parse(candles, ("candles",)), rows)


@pytest.mark.parametrize(("candles", "place", "said"), REFUSED)
def test_a_broken_rule_is_named_with_its_place(candles: Any, place: tuple[str | int, ...], said: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        klines.parse(candles, ("candles",))
    (violation,) = refusal.value.violations
    assert violation.loc == ("candles", *place)
    assert said in violation.msg
