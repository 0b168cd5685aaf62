"""Bodies: read up to the limit of one, and of all that are being read."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import Request

from kronos_server.errors import ClientGone, Overloaded, TooLarge

BODIES_AT_ONCE = 16


class Bodies:
    """Counts the bytes of all bodies that are held, so that many large ones cannot take all memory."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0

    @contextmanager
    def room(self) -> Iterator["Room"]:
        """Room for one body; what it took is given back at the end."""
        room = Room(self)
        try:
            yield room
        finally:
            self._held -= room.size

    def take(self, size: int) -> None:
        """Takes room for some bytes. Raises `Overloaded`."""
        if self._held + size > BODIES_AT_ONCE * self._limit:
            raise Overloaded("Too many large bodies at once.", retry_after=1)
        self._held += size

    @property
    def limit(self) -> int:
        """Bytes of one body at most."""
        return self._limit


class Room:
    """What one body holds."""

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self.size = 0

    async def read(self, request: Request) -> bytes:
        """The whole body. Raises `TooLarge`, unread where the size is declared, `Overloaded`, or `ClientGone`."""
        declared = request.headers.get("content-length", "0")
        if declared.isdecimal() and int(declared) > self._bodies.limit:
            raise self._too_large()
        body = bytearray()
        while True:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise ClientGone("The client left.")
            part: bytes = message.get("body", b"")
            self._bodies.take(len(part))
            self.size += len(part)
            body += part
            if len(body) > self._bodies.limit:
                raise self._too_large()
            if not message.get("more_body"):
                return bytes(body)

    def _too_large(self) -> TooLarge:
        return TooLarge(f"The body is larger than {self._bodies.limit} bytes.")
