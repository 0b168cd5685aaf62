"""The exception tree: what can go wrong with a request, and the HTTP status each case stands for."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import NamedTuple


class Violation(NamedTuple):
    """One broken rule: where in the request (`("body", "candles", 3, "high")`) and what to do about it."""

    loc: tuple[str | int, ...]
    msg: str


class ForecastError(Exception):
    """A request that gets no forecast. `retry_after` is in seconds."""

    status = 500

    def __init__(self, detail: str, *, violations: Sequence[Violation] = (), retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.violations = tuple(violations)
        self.retry_after = retry_after

    @property
    def title(self) -> str:
        """The short name of the status."""
        return "Client Closed Request" if self.status == 499 else HTTPStatus(self.status).phrase


class Malformed(ForecastError):
    """What arrived is no request."""

    status = 400


class BadDevice(ForecastError):
    """The device header names something that is neither a pool nor one of this pod's devices."""

    status = 400


class Unauthorized(ForecastError):
    """No valid API key."""

    status = 401


class Forbidden(ForecastError):
    """The peer is not on the whitelist."""

    status = 403


class TooLarge(ForecastError):
    """The body is above the size limit."""

    status = 413


class UnsupportedMedia(ForecastError):
    """The body is not JSON by its own account."""

    status = 415


class InvalidRequest(ForecastError):
    """The request breaks a rule; `violations` say which."""

    status = 422

    @classmethod
    def at(cls, loc: tuple[str | int, ...], msg: str) -> "InvalidRequest":
        """One broken rule at one place."""
        return cls("The request breaks a rule.", violations=[Violation(loc, msg)])


class RateLimited(ForecastError):
    """The client sends more than its share."""

    status = 429


class ClientGone(ForecastError):
    """Nobody waits for the reply any more."""

    status = 499


class Unavailable(ForecastError):
    """Not now, or not here: loading, draining, no such pool, an engine lost."""

    status = 503


class Overloaded(Unavailable):
    """The queue is full, or too long for the deadline."""


class DeadlineExceeded(ForecastError):
    """The forecast was not finished in time."""

    status = 504


class StartFailed(Exception):
    """The server cannot start as configured. One line, for the log and the termination message."""


class ModelInvalid(StartFailed):
    """The checkpoint is missing, broken or another one than was asked for.

    Its name leads the line: the operator tells causes apart by it.
    """

    def __str__(self) -> str:
        return f"ModelInvalid: {super().__str__()}"


class DeviceUnavailable(StartFailed):
    """A named device is not there. Its name leads the line: the operator tells causes apart by it."""

    def __str__(self) -> str:
        return f"DeviceUnavailable: {super().__str__()}"


class OutOfMemory(Exception):
    """The device has no room for what an engine was about to compute."""
