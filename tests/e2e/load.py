"""Sends one request again and again, at a constant rate, and keeps every answer."""

import http.client
import time
from collections import Counter
from dataclasses import dataclass
from threading import Event, Thread
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from e2e.workbench import wait_until

CONNECTIONS = 4
TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Request:
    """A POST; a header may be there twice."""

    url: str
    path: str
    body: bytes
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one request.

    sent, ended: seconds of the monotonic clock.
    status: 0 where no answer came; error says why.
    pool: the pool that answered; empty where none says so, as in answers of the edge itself.
    """

    sent: float
    ended: float
    status: int
    pool: str
    error: str = ""


def send(connection: http.client.HTTPConnection, request: Request) -> Answer:
    """Send a request once, over a connection that is kept if it can be."""
    sent = time.monotonic()
    try:
        connection.putrequest("POST", request.path, skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers:
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(request.body)))
        connection.endheaders(request.body)
        reply = connection.getresponse()
        reply.read()
        return Answer(sent, time.monotonic(), reply.status, reply.headers.get("X-Kronos-Pool", ""))
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return Answer(sent, time.monotonic(), 0, "", repr(error))


def ask(request: Request) -> Answer:
    """Send a request over a connection of its own."""
    connection = _connect(request)
    try:
        return send(connection, request)
    finally:
        connection.close()


class Load:
    """A constant load over a few kept-alive connections, from entering to leaving; nothing is sent twice.

    Answers that take long make it slower instead of adding up.
    """

    def __init__(self, request: Request, per_second: float) -> None:
        self.answers: list[Answer] = []
        self._request = request
        self._period = CONNECTIONS / per_second
        self._ended = Event()
        self._workers = [Thread(target=self._work, args=(n / per_second,)) for n in range(CONNECTIONS)]

    def __enter__(self) -> Self:
        for worker in self._workers:
            worker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for worker in self._workers:
            worker.join()

    @property
    def failed(self) -> list[Answer]:
        """Everything but 200."""
        return [answer for answer in self.answers if answer.status != 200]

    def await_total(self, count: int, seconds: float = 120) -> None:
        """Go on until so many answers are there."""
        wait_until(f"{count} answers", lambda: len(self.answers) >= count, seconds)

    def await_more(self, count: int, pool: str = "", seconds: float = 60) -> None:
        """Go on until so many forecasts, of one pool or of any, have been asked for from now on and answered."""
        now = time.monotonic()
        wait_until(f"{count} more forecasts", lambda: len(self.since(now, pool)) >= count, seconds)

    def since(self, moment: float, pool: str = "") -> list[Answer]:
        """The forecasts of one pool, or of any, that were asked for after a moment."""
        return [each for each in self.answers if each.sent > moment and each.status == 200 and pool in (each.pool, "")]

    def __str__(self) -> str:
        kinds = Counter(f"{answer.status} {answer.pool}".strip() for answer in self.answers)
        return f"{len(self.answers)} requests: " + ", ".join(f"{count} x {kind}" for kind, count in kinds.items())

    def _work(self, delay: float) -> None:
        connection = _connect(self._request)
        due = time.monotonic() + delay
        while not self._ended.wait(max(0.0, due - time.monotonic())):
            self.answers.append(send(connection, self._request))
            due = max(due + self._period, time.monotonic())
        connection.close()


def _connect(request: Request) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(request.url).netloc, timeout=TIMEOUT_SECONDS)
