"""Timestamps: spellings, zones, daylight saving, and what follows them."""

from typing import Any

import numpy as np
import pytest

from kronos_server import timestamps
from kronos_server.errors import InvalidRequest
from kronos_server.timestamps import Moments

SPELLINGS = [
    pytest.param(["2024-01-02T09:30:00"], ["2024-01-02T09:30:00"], id="ISO"),
    pytest.param(["2024-01-02 09:30:00"], ["2024-01-02T09:30:00"], id="a space for T"),
    pytest.param(["2024-01-02 09:30"], ["2024-01-02T09:30:00"], id="no seconds"),
    pytest.param(["2024-01-02"], ["2024-01-02T00:00:00"], id="date only"),
    pytest.param(["2024-01-02T09:30:00Z"], ["2024-01-02T09:30:00Z"], id="Z"),
    pytest.param(["2024-01-02T09:30:00+00:00"], ["2024-01-02T09:30:00Z"], id="offset of zero is Z"),
    pytest.param(["2024-01-02T09:30:00+08:00"], ["2024-01-02T09:30:00+08:00"], id="an offset stays"),
    pytest.param(["2024-01-02T09:30:00-0500"], ["2024-01-02T09:30:00-05:00"], id="an offset without colon"),
    pytest.param(["2024-01-02T09:30:00.123456"], ["2024-01-02T09:30:00.123456"], id="microseconds"),
    pytest.param(["2024-01-02T09:30:00.5Z"], ["2024-01-02T09:30:00.500000Z"], id="half a second in UTC"),
    pytest.param([1704187800], ["2024-01-02T09:30:00Z"], id="epoch seconds"),
    pytest.param([1704187800.25], ["2024-01-02T09:30:00.250000Z"], id="fractions of epoch seconds"),
    pytest.param([1704187800000], ["2024-01-02T09:30:00Z"], id="epoch milliseconds"),
    pytest.param(["1704187800"], ["2024-01-02T09:30:00Z"], id="epoch seconds as a string"),
    pytest.param(["1704187800000"], ["2024-01-02T09:30:00Z"], id="epoch milliseconds as a string"),
    pytest.param(["1711110000000"], ["2024-03-22T12:20:00Z"], id="digits are an epoch, never a date"),
]

REFUSED = [
    pytest.param(None, (), "list", id="null"),
    pytest.param("2024-01-02", (), "list", id="a string"),
    pytest.param([], (), "1 to 4", id="none"),
    pytest.param(["2024-01-02"] * 5, (), "1 to 4", id="too many"),
    pytest.param(["2024-01-02", "soon"], (1,), "not a timestamp", id="words"),
    pytest.param(["2024-02-30"], (0,), "not a timestamp", id="no such day"),
    pytest.param([True], (0,), "ISO 8601", id="a boolean"),
    pytest.param([{}], (0,), "ISO 8601", id="an object"),
    pytest.param([None], (0,), "ISO 8601", id="a null"),
    pytest.param(["2024-01-02", "2024-01-02"], (1,), "after", id="the same twice"),
    pytest.param(["2024-01-03", "2024-01-02"], (1,), "after", id="falling"),
    pytest.param(["2024-01-02T00:00:00Z", "2024-01-02T08:00:00+09:00"], (1,), "after", id="falling across zones"),
    pytest.param(["2024-01-02", "2024-01-03T00:00:00Z"], (), "zone", id="naive mixed with aware"),
    pytest.param(["2024-01-02", 1704187800], (), "zone", id="naive mixed with epoch"),
    pytest.param([1e30], (0,), "not a timestamp", id="an epoch beyond the year 9999"),
    pytest.param(["9999-12-31T23:59:59-10:00"], (), "out of range", id="beyond the year 9999 in UTC"),
]


def parsed(values: list[Any]) -> Moments:
    return timestamps.parse(values, ("timestamps",), 512)


def wall(values: list[str]) -> Any:
    return np.array(values, dtype="datetime64[us]")


@pytest.mark.parametrize(("sent", "written"), SPELLINGS)
def test_a_spelling_is_read_and_written_back(sent: list[Any], written: list[str]) -> None:
    assert timestamps.written(parsed(sent)) == written


@pytest.mark.parametrize("rows", [1, 2, 400])
@pytest.mark.parametrize("ending", ["", "Z", "+08:00", "-0500", "+00:00"])
def test_quick_and_slow_parsing_agree(rows: int, ending: str) -> None:
    sent = [f"2024-01-{1 + row // 24:02}T{row % 24:02}:30:00{ending}" for row in range(rows)]
    quick, slow = timestamps._parse_quickly(sent), timestamps._parse_slowly(sent, ("timestamps",))
    assert quick is not None
    np.testing.assert_array_equal(quick.instants, slow.instants)
    np.testing.assert_array_equal(quick.offsets, slow.offsets)
    assert quick.aware is slow.aware


UNUSUAL = [["1711110000"], ["now-------"], [7], ["é" * 10], ["2024-01-02T09:30:00+0", "2024-01-02"]]
CHANGING = ["2024-03-10T01:00:00-05:00", "2024-03-10T03:00:00-04:00"]


@pytest.mark.parametrize("sent", [*UNUSUAL, CHANGING])
def test_unusual_timestamps_are_left_to_slow_parsing(sent: list[Any]) -> None:
    assert timestamps._parse_quickly(sent) is None


@pytest.mark.parametrize(("sent", "place", "said"), REFUSED)
def test_a_broken_rule_is_named_with_its_place(sent: Any, place: tuple[int, ...], said: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        timestamps.parse(sent, ("timestamps",), 4)
    (violation,) = refusal.value.violations
    assert violation.loc == ("timestamps", *place)
    assert said in violation.msg


def test_naive_timestamps_are_the_wall_clock() -> None:
    past, future = timestamps.wall_clocks(parsed(["2024-01-02 09:30"]), parsed(["2024-01-02 09:35"]))
    np.testing.assert_array_equal(past, wall(["2024-01-02T09:30"]))
    np.testing.assert_array_equal(future, wall(["2024-01-02T09:35"]))


def test_future_timestamps_are_converted_to_the_zone_of_the_history() -> None:
    past, future = timestamps.wall_clocks(parsed(["2024-01-02T09:30:00+08:00"]), parsed(["2024-01-02T01:35:00Z"]))
    np.testing.assert_array_equal(past, wall(["2024-01-02T09:30"]))
    np.testing.assert_array_equal(future, wall(["2024-01-02T09:35"]))


def test_daylight_saving_inside_the_history_keeps_each_wall_clock() -> None:
    history = ["2024-03-08T09:30:00-05:00", "2024-03-11T09:30:00-04:00"]
    past, future = timestamps.wall_clocks(parsed(history), parsed(["2024-11-04T09:30:00-05:00"]))
    np.testing.assert_array_equal(past, wall(["2024-03-08T09:30", "2024-03-11T09:30"]))
    np.testing.assert_array_equal(future, wall(["2024-11-04T09:30"]))


CONTINUED = [
    pytest.param(
        ["2024-01-02 09:30", "2024-01-02 09:35"], None, ["2024-01-02T09:40:00", "2024-01-02T09:45:00"], id="inferred"
    ),
    pytest.param(["2024-01-02"], "1h", ["2024-01-02T01:00:00", "2024-01-02T02:00:00"], id="hours"),
    pytest.param(
        ["2024-01-02T00:00:00+08:00"],
        "15min",
        ["2024-01-02T00:15:00+08:00", "2024-01-02T00:30:00+08:00"],
        id="zone kept",
    ),
    pytest.param([1704187800], "30s", ["2024-01-02T09:30:30Z", "2024-01-02T09:31:00Z"], id="seconds after an epoch"),
    pytest.param(["2024-01-31"], "M", ["2024-02-29T00:00:00", "2024-03-31T00:00:00"], id="months, their ends"),
    pytest.param(["2024-11-30"], "1M", ["2024-12-30T00:00:00", "2025-01-30T00:00:00"], id="months over a year"),
    pytest.param(
        ["2024-01-05"], "B", ["2024-01-08T00:00:00", "2024-01-09T00:00:00"], id="business days over a weekend"
    ),
    pytest.param(["2024-01-05"], "2D", ["2024-01-07T00:00:00", "2024-01-09T00:00:00"], id="days"),
    pytest.param(["2024-01-05"], "1W", ["2024-01-12T00:00:00", "2024-01-19T00:00:00"], id="weeks"),
    pytest.param(
        ["2024-01-04", "2024-01-05", "2024-01-08"],
        None,
        ["2024-01-09T00:00:00", "2024-01-10T00:00:00"],
        id="inferred business days",
    ),
]

NOT_CONTINUED = [
    pytest.param(["2024-01-02"], None, "inferred", id="one row has no step"),
    pytest.param(["2024-01-02", "2024-01-03", "2024-01-05"], None, "inferred", id="steps differ"),
    pytest.param(["2024-01-02"], "often", "count and a unit", id="no frequency"),
    pytest.param(["2024-01-02"], "0min", "count and a unit", id="a step of nothing"),
    pytest.param(["2024-01-02"], "", "count and a unit", id="an empty frequency"),
    pytest.param(["9999-12-31"], "1D", "9999", id="beyond the calendar"),
    pytest.param(["9999-12-31"], "1M", "9999", id="months beyond the calendar"),
    pytest.param(["9999-12-31"], "B", "9999", id="business days beyond the calendar"),
]


@pytest.mark.parametrize(("history", "freq", "expected"), CONTINUED)
def test_a_history_is_continued(history: list[Any], freq: str | None, expected: list[str]) -> None:
    moments = timestamps.continued(parsed(history), 2, freq, ("freq",))
    assert timestamps.written(moments) == expected


@pytest.mark.parametrize(("history", "freq", "said"), NOT_CONTINUED)
def test_an_ambiguous_continuation_is_refused(history: list[Any], freq: str | None, said: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        timestamps.continued(parsed(history), 2, freq, ("freq",))
    assert said in refusal.value.violations[0].msg
