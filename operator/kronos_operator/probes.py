"""Answers the kubelet's probes, and Prometheus."""

from collections.abc import Awaitable, Callable

from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.Response]]


class Probes:
    """/healthz while `is_live` holds, /readyz while `is_ready` does, else 503; /metrics with the text of `metrics`."""

    def __init__(
        self, port: int, is_live: Callable[[], bool], is_ready: Callable[[], bool], metrics: Callable[[], bytes]
    ) -> None:
        self._port = port
        application = web.Application()
        application.add_routes(
            [
                web.get("/healthz", _answer_while(is_live)),
                web.get("/readyz", _answer_while(is_ready)),
                web.get("/metrics", _answer_with(metrics)),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None)

    async def start(self) -> None:
        """Start listening on every address."""
        await self._runner.setup()
        await web.TCPSite(self._runner, port=self._port).start()

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()


def _answer_while(holds: Callable[[], bool]) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="ok\n") if holds() else web.Response(status=503, text="not yet\n")

    return answer


def _answer_with(text: Callable[[], bytes]) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=text(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    return answer
