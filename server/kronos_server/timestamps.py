"""Timestamps as clients send them: parsed, put on the series' own wall clock, continued, and written back."""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from kronos_server.errors import InvalidRequest
from kronos_server.forecasts import Times

Loc = tuple[str | int, ...]
Spans = NDArray[np.timedelta64]

EPOCH = datetime(1970, 1, 1)
FIRST, LAST = np.datetime64("0001-01-01T00:00:00.000000"), np.datetime64("9999-12-31T23:59:59.999999")
MICROSECOND = timedelta(microseconds=1)
DAY = timedelta(days=1)
FREQUENCY = re.compile(r"(\d{0,5})(s|min|m|h|H|d|D|b|B|w|W|M)")
UNITS = {"s": timedelta(seconds=1), "min": timedelta(minutes=1), "m": timedelta(minutes=1), "h": timedelta(hours=1)}
ENDING = re.compile(r"Z$|[+-]\d\d:?\d\d$")
NO_SPAN = np.zeros(1, dtype="timedelta64[us]")

_parse_any = TypeAdapter(list[datetime]).validate_python


class Moments(NamedTuple):
    """Timestamps of one list: instants (rows,) in UTC, or on the wall clock where they carry no zone, and their UTC
    offsets, (rows,) or (1,) where all are zero."""

    instants: Times
    offsets: Spans
    aware: bool

    @property
    def clocks(self) -> Times:
        """What their own clocks show, (rows,)."""
        return self.instants if self.offsets is NO_SPAN else self.instants + self.offsets


def parse(values: Any, loc: Loc, most: int) -> Moments:
    """A list of 1..`most` timestamps, strictly rising.

    Accepted: ISO 8601 with T or space, date only, offset or Z; epoch seconds or milliseconds as numbers or strings.
    Raises `InvalidRequest`.
    """
    if not isinstance(values, list):
        raise InvalidRequest.at(loc, "must be a list of timestamps")
    if not 1 <= len(values) <= most:
        raise InvalidRequest.at(loc, f"must hold 1 to {most} timestamps, holds {len(values)}")
    return _parse_quickly(values) or _parse_slowly(values, loc)


def _parse_quickly(values: list[Any]) -> Moments | None:
    """Rising ISO timestamps of one length and one ending (none, Z or an offset), by numpy; None where they are of
    another kind."""
    try:
        text, length, rows = "".join(values), len(values[0]), len(values)
        ending = ENDING.search(values[0], 10)
        size = length - len(ending[0]) if ending else length
        alike = len(text) == length * rows and text[::length].isdecimal() and text[4::length] == "-" * rows
        if not alike or any(text[place::length] != values[0][place] * rows for place in range(size, length)):
            return None
        letters = np.frombuffer(text.encode("ascii"), dtype="S1").reshape(rows, length)
        clocks: Times = np.ascontiguousarray(letters[:, :size]).view(f"S{size}")[:, 0].astype("datetime64[us]")
        offset = datetime.fromisoformat(values[0]).utcoffset()
    except (TypeError, ValueError):
        return None
    span = np.full(rows, (offset or timedelta()) // MICROSECOND, dtype="timedelta64[us]") if offset else NO_SPAN
    instants: Times = np.subtract(clocks, span) if offset else clocks
    within = instants[0] >= FIRST and instants[-1] <= LAST
    return Moments(instants, span, offset is not None) if within and _rising(instants).all() else None


def _rising(instants: Times) -> NDArray[np.bool_]:
    """Whether each but the first is after the one before it, (rows - 1,)."""
    return instants[1:] > instants[:-1]


def _parse_slowly(values: list[Any], loc: Loc) -> Moments:
    for index, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise InvalidRequest.at((*loc, index), "must be an ISO 8601 timestamp or epoch seconds or milliseconds")
    try:
        sent = _parse_any(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise InvalidRequest.at((*loc, *first["loc"]), f"is not a timestamp: {first['msg'].lower()}") from error
    aware = sent[0].tzinfo is not None
    if any((moment.tzinfo is not None) != aware for moment in sent):
        raise InvalidRequest.at(loc, "mixes timestamps with and without a zone: send all with one, or all without")
    try:
        instants = np.array([_microseconds(moment) for moment in sent], dtype="datetime64[us]")
    except OverflowError as error:
        raise InvalidRequest.at(loc, "is out of range: years 1 to 9999 in UTC") from error
    rising = _rising(instants)
    if not rising.all():
        raise InvalidRequest.at((*loc, int(rising.argmin()) + 1), "must be after the timestamp before it")
    spans = [(moment.utcoffset() or timedelta()) // MICROSECOND for moment in sent]
    return Moments(instants, np.array(spans, dtype="timedelta64[us]") if any(spans) else NO_SPAN, aware)


def _microseconds(moment: datetime) -> int:
    naive = moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    return (naive - EPOCH) // MICROSECOND


def wall_clocks(past: Moments, future: Moments) -> tuple[Times, Times]:
    """Both lists on the wall clock of the history's zone.

    A zone shows itself as the offsets of the history, more than one where daylight saving changed inside. Future
    timestamps with one of them keep their own wall clock; others are converted to the history's last offset.
    """
    if past.offsets is future.offsets:
        return past.clocks, future.clocks
    known = np.isin(future.offsets, past.offsets)
    return past.clocks, future.instants + np.where(known, future.offsets, past.offsets[-1])


def written(moments: Moments) -> list[str]:
    """As the reply spells them: naive stays naive, UTC ends in Z, offsets stay, microseconds are kept."""
    clocks = moments.clocks
    seconds = clocks.astype("datetime64[s]")
    spelled = np.datetime_as_string(seconds)
    fractional = seconds != clocks
    if fractional.any():
        spelled = np.where(fractional, np.datetime_as_string(clocks), spelled)
    naive: list[str] = spelled.tolist()
    if not moments.aware:
        return naive
    spans = np.broadcast_to(moments.offsets, clocks.shape).astype(np.int64).tolist()
    endings = {span: _ending(span) for span in set(spans)}
    return [text + endings[span] for text, span in zip(naive, spans, strict=True)]


def _ending(span: int) -> str:
    """A UTC offset, in microseconds, as a timestamp ends in it."""
    zone = timezone(timedelta(microseconds=span))
    return EPOCH.replace(tzinfo=zone).isoformat()[len("1970-01-01T00:00:00") :] if span else "Z"


def continued(past: Moments, horizon: int, freq: str | None, loc: Loc) -> Moments:
    """The next `horizon` timestamps by a frequency, or by the one that the history keeps. Raises `InvalidRequest`."""
    step = _frequency(freq, loc) if freq is not None else _inferred(past, loc)
    last = EPOCH + timedelta(microseconds=int(past.clocks[-1].astype(np.int64)))
    span = past.offsets if past.offsets is NO_SPAN else past.offsets[-1:]
    try:
        clocks = [_advance(last, step, count) for count in range(1, horizon + 1)]
    except (OverflowError, ValueError) as error:
        raise InvalidRequest.at(loc, "leads beyond the year 9999") from error
    instants = np.array([(clock - EPOCH) // MICROSECOND for clock in clocks], dtype="datetime64[us]")
    return Moments(np.subtract(instants, span), span, past.aware)


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
    clocks = past.clocks
    steps = np.unique(np.diff(clocks))
    if len(steps) == 1:
        return Step(1, timedelta(microseconds=int(steps[0].astype(np.int64))))
    weekdays = (clocks.astype("datetime64[D]").astype(np.int64) + 3) % 7
    if len(steps) == 2 and _is_business(steps, weekdays, np.diff(clocks)):
        return Step(1, "B")
    raise InvalidRequest.at(loc, "cannot be inferred from these timestamps: send freq, or prediction_timestamps")


def _is_business(steps: Any, weekdays: Any, gaps: Any) -> bool:
    day = np.timedelta64(1, "D")
    return bool(steps[0] == day and steps[1] == 3 * day and np.array_equal(gaps == 3 * day, weekdays[:-1] == 4))


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
