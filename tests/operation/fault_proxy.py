"""Stands between an operator and the API server, passes everything on, and makes trouble when told to."""

import asyncio
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from cluster.plane import Plane

# Of the connection between two programs, not of the request (RFC 9110, section 7.6.1); the length is counted anew.
OF_THE_CONNECTION = {"connection", "content-encoding", "content-length", "host", "keep-alive", "transfer-encoding"}
# What a watch is told whose place in history is gone.
GONE = b'{"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}}\n'


@dataclass(frozen=True)
class Call:
    """One request of the operator; at: seconds by a monotonic clock."""

    method: str
    path: str
    watches: bool
    at: float


Matches = Callable[[Call], bool]


@dataclass
class Trouble:
    """Answers matching calls with an error, so many times."""

    matches: Matches
    status: int
    headers: dict[str, str]
    left: float


@dataclass(eq=False)
class Stream:
    """An open watch."""

    transport: asyncio.Transport
    silent: bool = False


class FaultProxy:
    """An HTTP server on loopback, on a thread of its own."""

    def __init__(self, plane: Plane) -> None:
        self._upstream = plane.site.api_url
        self._trust = ssl.create_default_context(cafile=str(plane.site.files.pki / "ca.crt"))
        self.calls: list[Call] = []
        self.watches_are_gone = False
        self._troubles: list[Trouble] = []
        self._streams: set[Stream] = set()
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._started.wait(10)

    def fail(self, matches: Matches, status: int, times: float = float("inf"), **headers: str) -> None:
        """Answer these calls with an error instead of passing them on, until healed or so many times."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._troubles.append(Trouble(matches, status, named, times))

    def heal(self) -> None:
        """Pass everything on again; what is silent stays so."""
        self._troubles.clear()
        self.watches_are_gone = False

    def cut_watches(self) -> None:
        """Break the connection of every open watch."""
        for stream in list(self._streams):
            self._loop.call_soon_threadsafe(stream.transport.abort)

    def silence_watches(self) -> int:
        """Let no open watch hear anything more, its connection open; returns how many there are."""
        streams = list(self._streams)
        for stream in streams:
            stream.silent = True
        return len(streams)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    async def _serve(self) -> None:
        """Until it is closed; what still runs then is cancelled with the loop."""
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        application = web.Application(client_max_size=2**24)
        application.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self._trust, limit=0)) as self._session:
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            self.url = f"http://{host}:{port}"
            self._started.set()
            await self._ended.wait()
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        call = Call(request.method, request.path, request.query.get("watch") == "true", time.monotonic())
        self.calls.append(call)
        trouble = next((each for each in self._troubles if each.left > 0 and each.matches(call)), None)
        if trouble:
            trouble.left -= 1
            refusal = {"kind": "Status", "status": "Failure", "code": trouble.status, "message": "made by the test"}
            return web.json_response(refusal, status=trouble.status, headers=trouble.headers)
        return await self._pass_on(request, call)

    async def _pass_on(self, request: web.Request, call: Call) -> web.StreamResponse:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in OF_THE_CONNECTION}
        url = f"{self._upstream}{request.raw_path}"
        timeout = aiohttp.ClientTimeout(total=None)
        body = await request.read() or None
        async with self._session.request(request.method, url, headers=headers, data=body, timeout=timeout) as reply:
            kept = {name: value for name, value in reply.headers.items() if name.lower() not in OF_THE_CONNECTION}
            if call.watches and reply.ok:
                return await self._stream(request, reply, kept)
            return web.Response(status=reply.status, body=await reply.read(), headers=kept)

    async def _stream(
        self, request: web.Request, reply: aiohttp.ClientResponse, headers: dict[str, str]
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        if self.watches_are_gone:
            await response.write(GONE)
            return response
        assert isinstance(request.transport, asyncio.Transport)
        stream = Stream(request.transport)
        self._streams.add(stream)
        try:
            async for chunk in reply.content.iter_any():
                if not stream.silent:
                    await response.write(chunk)
        finally:
            self._streams.discard(stream)
        return response
