"""Connections: slow clients are closed in time, and what is no HTTP gets a reply of ours."""

import asyncio
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from kronos_server import problems, replies
from kronos_server.errors import Malformed
from kronos_server.service import Service

HEADER_SECONDS = 10.0
BODY_SECONDS = 10.0
SLOWEST_BYTES_PER_SECOND = 100_000


def protocol(service: Service) -> type[HttpToolsProtocol]:
    """The protocol of a server's connections: headers within 10 s, a body within 10 s + size / 100 KB/s."""
    largest = service.settings.max_request_bytes

    class Protocol(HttpToolsProtocol):
        _patience: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._expect_within(HEADER_SECONDS)

        def connection_lost(self, exc: Exception | None) -> None:
            self._expect_within(None)
            super().connection_lost(exc)

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._expect_within(HEADER_SECONDS)

        def on_headers_complete(self) -> None:
            super().on_headers_complete()
            size = min(_declared_size(self.headers, largest), largest)
            self._expect_within(BODY_SECONDS + size / SLOWEST_BYTES_PER_SECOND)

        def on_message_complete(self) -> None:
            super().on_message_complete()
            self._expect_within(None)

        def _expect_within(self, seconds: float | None) -> None:
            if self._patience:
                self._patience.cancel()
            # Aborted, since a client that does not send may not read either.
            self._patience = None if seconds is None else self.loop.call_later(seconds, self.transport.abort)

        def send_400_response(self, msg: str) -> None:  # noqa: ARG002
            self.transport.write(_malformed(service))
            self.transport.close()

    return Protocol


def _declared_size(headers: list[tuple[bytes, bytes]], largest: int) -> int:
    """The size of the body; without one, which is a body in chunks or none, the largest."""
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return largest


def _malformed(service: Service) -> bytes:
    body = orjson.dumps(problems.body(Malformed("The request is not HTTP/1.1.")))
    headers: dict[str, Any] = {
        "content-type": problems.PROBLEM,
        "content-length": len(body),
        "connection": "close",
        **replies.identity(service),
    }
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    return b"HTTP/1.1 400 Bad Request\r\n" + "".join(lines).encode("latin-1") + b"\r\n" + body
