"""Timestamps as clients send them: parsed, put on the series' own wall clock, continued, and written back."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from pydantic import TypeAdapter, ValidationError

from kronos_server.errors import InvalidRequest
from kronos_server.forecasts import Times

Loc = tuple[str | int, ...]

EPOCH = datetime(1970, 1, 1)
FIRST, LAST = np.datetime64("0001-01-01"), np.datetime64("9999-12-31T23:59:59.999999")
MICROSECOND = timedelta(microseconds=1)
DAY = timedelta(days=1)
FREQUENCY = re.compile(r"(\d{0,5})(s|min|m|h|H|d|D|b|B|w|W|M)")
UNITS = {"s": timedelta(seconds=1), "min": timedelta(minutes=1), "m": timedelta(minutes=1), "h": timedelta(hours=1)}

_parse_any = TypeAdapter(list[datetime]).validate_python


class Moments(NamedTuple):
    """Timestamps of one list: as `datetime` (all naive or all aware), and as instants (UTC, or wall clock if naive)."""

    sent: list[datetime]
    instants: Times

    @property
    def aware(self) -> bool:
        """Whether they carry a zone."""
        return self.sent[0].tzinfo is not None


def parse(values: Any, loc: Loc, most: int) -> Moments:
    """A list of 1..`most` timestamps, strictly rising.

    Accepted: ISO 8601 with T or space, date only, offset or Z; epoch seconds or milliseconds as numbers or strings.
    Raises `InvalidRequest`.
    """
    if not isinstance(values, list):
        raise InvalidRequest.at(loc, "must be a list of timestamps")
    if not 1 <= len(values) <= most:
        raise InvalidRequest.at(loc, f"must hold 1 to {most} timestamps, holds {len(values)}")
    moments = _parse_quickly(values) or _parse_slowly(values, loc)
    falling = np.flatnonzero(np.diff(moments.instants) <= np.timedelta64(0))
    if len(falling):
        raise InvalidRequest.at((*loc, int(falling[0]) + 1), "must be after the timestamp before it")
    return moments


def _parse_quickly(values: list[Any]) -> Moments | None:
    """The common spellings, with the parsers written in C; None when they do not fit."""
    try:
        sent = list(map(datetime.fromisoformat, values))
        zones = {moment.tzinfo for moment in sent}
        # Longer than 26 characters numpy would keep nanoseconds that datetime drops.
        if len(zones) > 1 or max(map(len, values)) > 26 or min(map(len, values)) < 10:
            return None
        if zones == {UTC} and all(map(_ends_in_z, values)):
            values = [value[:-1] for value in values]
        elif zones != {None}:
            return None
        instants = np.array(values, dtype="datetime64[us]")
        # Digits alone are an epoch here, but a year to numpy.
        if instants.min() >= FIRST and instants.max() <= LAST:
            return Moments(sent, instants)
    except (TypeError, ValueError):
        pass
    return None


def _ends_in_z(value: str) -> bool:
    return value.endswith("Z")


def _parse_slowly(values: list[Any], loc: Loc) -> Moments:
    for index, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise InvalidRequest.at((*loc, index), "must be an ISO 8601 timestamp or epoch seconds or milliseconds")
    try:
        sent = _parse_any(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise InvalidRequest.at((*loc, *first["loc"]), f"is not a timestamp: {first['msg'].lower()}") from error
    if len({moment.tzinfo is None for moment in sent}) > 1:
        raise InvalidRequest.at(loc, "mixes timestamps with and without a zone: send all with one, or all without")
    try:
        return Moments(sent, np.array([_microseconds(moment) for moment in sent], dtype="datetime64[us]"))
    except OverflowError as error:
        raise InvalidRequest.at(loc, "is out of range: years 1 to 9999 in UTC") from error


def _microseconds(moment: datetime) -> int:
    naive = moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    return (naive - EPOCH) // MICROSECOND


def offsets(moments: Moments) -> Any:
    """UTC offsets, (rows,) as timedelta64; zero for naive timestamps, whose instants are the wall clock already."""
    zones = {moment.tzinfo for moment in moments.sent}
    if zones <= {None, UTC}:
        return np.timedelta64(0, "us")
    return np.array(
        [(moment.utcoffset() or timedelta()) // MICROSECOND for moment in moments.sent], dtype="timedelta64[us]"
    )


def wall_clocks(past: Moments, future: Moments) -> tuple[Times, Times]:
    """Both lists on the wall clock of the history's zone.

    A zone shows itself as the offsets of the history, more than one where daylight saving changed inside. Future
    timestamps with one of them keep their own wall clock; others are converted to the history's last offset.
    """
    past_offsets = np.broadcast_to(offsets(past), past.instants.shape)
    future_offsets = np.broadcast_to(offsets(future), future.instants.shape)
    known = np.isin(future_offsets, np.unique(past_offsets))
    return past.instants + past_offsets, future.instants + np.where(known, future_offsets, past_offsets[-1])


def written(moment: datetime) -> str:
    """As the reply spells it: naive stays naive, UTC ends in Z, offsets stay, microseconds are kept."""
    return moment.isoformat().replace("+00:00", "Z")


def continued(past: Moments, horizon: int, freq: str | None, loc: Loc) -> Moments:
    """The next `horizon` timestamps by a frequency, or by the one that the history keeps. Raises `InvalidRequest`."""
    step = _frequency(freq, loc) if freq is not None else _inferred(past, loc)
    try:
        sent = [_advance(past.sent[-1], step, count) for count in range(1, horizon + 1)]
        return Moments(sent, np.array([_microseconds(moment) for moment in sent], dtype="datetime64[us]"))
    except (OverflowError, ValueError) as error:
        raise InvalidRequest.at(loc, "leads beyond the year 9999") from error


class Step(NamedTuple):
    """A frequency: `size` units of a fixed `span`, of business days (`B`) or of calendar months (`M`)."""

    size: int
    span: timedelta | str


def _frequency(freq: str, loc: Loc) -> Step:
    match = FREQUENCY.fullmatch(freq)
    if not match or (match[1] and not int(match[1])):
        raise InvalidRequest.at(loc, "must be a count and a unit of s, min, h, D, B, W or M, such as 5min, 1h, 1D")
    count, unit = int(match[1] or 1), match[2]
    if unit == "M" or unit in "bB":
        return Step(count, unit.upper())
    return Step(count, UNITS.get(unit) or {"H": UNITS["h"], "D": DAY, "W": 7 * DAY}[unit.upper()])


def _inferred(past: Moments, loc: Loc) -> Step:
    clocks = past.instants + offsets(past)
    steps = np.unique(np.diff(clocks))
    if len(steps) == 1:
        return Step(1, timedelta(microseconds=int(steps[0].astype(np.int64))))
    weekdays = (clocks.astype("datetime64[D]").astype(np.int64) + 3) % 7
    if len(steps) == 2 and _is_business(steps, weekdays, np.diff(clocks)):
        return Step(1, "B")
    raise InvalidRequest.at(loc, "cannot be inferred from these timestamps: send freq, or prediction_timestamps")


def _is_business(steps: Times, weekdays: Any, gaps: Any) -> bool:
    day = np.timedelta64(1, "D")
    over_weekends: Sequence[bool] = weekdays[:-1] == 4
    return bool(steps[0] == day and steps[1] == 3 * day and np.array_equal(gaps == 3 * day, over_weekends))


def _advance(start: datetime, step: Step, times: int) -> datetime:
    if isinstance(step.span, timedelta):
        return start + step.span * step.size * times
    if step.span == "M":
        return _months_later(start, step.size * times)
    return start + DAY * int(_business_days(start.date(), step.size * times))


def _business_days(start: date, count: int) -> int:
    later = np.busday_offset(np.datetime64(start), count, roll="backward")
    return int((later - np.datetime64(start)).astype(np.int64))


def _months_later(start: datetime, months: int) -> datetime:
    """The same day of a later month, or its last day where it is shorter."""
    month = start.year * 12 + start.month - 1 + months
    first = start.replace(year=month // 12, month=month % 12 + 1, day=1)
    following = (first.replace(day=28) + timedelta(days=4)).replace(day=1)
    return first.replace(day=min(start.day, (following - DAY).day))
