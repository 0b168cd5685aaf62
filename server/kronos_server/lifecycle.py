"""How the process lives and ends: readiness in time, SIGTERM drained, a lost engine passed on as the exit code."""

import asyncio
import gc
import logging
import resource
import signal
import socket
from pathlib import Path
from types import FrameType

import uvicorn

from kronos_server.dispatch import Phase
from kronos_server.errors import Unavailable
from kronos_server.service import Service

logger = logging.getLogger(__name__)

LAST_SECONDS = 5.0
"""Kept back from the grace period for answering what cannot be finished."""

LOST_SECONDS = 3.0
"""Within which the waiters of a lost engine read their replies."""


class Lifecycle(uvicorn.Server):
    """The HTTP server with our own end: on SIGTERM it goes on accepting for a while, so that proxies can notice."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service
        self.failure: str | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts listening, and the clock for becoming ready."""
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        self._loop.call_later(self._service.settings.startup_timeout, self._expect_ready)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """The first SIGTERM drains; Ctrl-C, and any second signal, ends without waiting for proxies."""
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        elif self._loop and sig == signal.SIGTERM and self._service.dispatcher.phase is not Phase.DRAINING:
            self._loop.call_soon_threadsafe(self._drain)
        else:
            self._end(self._service.settings.grace_seconds)

    def fail(self, reason: str) -> None:
        """Ends the process with a reason, once the waiters have their replies."""
        if self.failure is None:
            self.failure = reason
            logger.critical("ending: %s", reason)
            self._end(LOST_SECONDS)

    def _drain(self) -> None:
        settings = self._service.settings
        logger.info("draining for %s s, then ending within %s s", settings.drain_seconds, settings.grace_seconds)
        self._service.dispatcher.drain()
        loop = asyncio.get_running_loop()
        loop.call_later(settings.drain_seconds, self._end, settings.grace_seconds - settings.drain_seconds)
        loop.call_later(max(0.0, settings.grace_seconds - LAST_SECONDS), self._give_up)

    def _give_up(self) -> None:
        self._service.dispatcher.fail_all(Unavailable("The server is ending.", retry_after=1))

    def _end(self, seconds: float) -> None:
        self.config.timeout_graceful_shutdown = max(1, int(seconds))
        self.should_exit = True

    def _expect_ready(self) -> None:
        seconds = self._service.settings.startup_timeout
        if self._service.dispatcher.phase is Phase.LOADING:
            self.fail(f"not every engine was warm after {seconds:g} s (KRONOS_STARTUP_TIMEOUT)")


def calm_collector() -> None:
    """Has the garbage collector look less often: bodies are thousands of lists that go without its help."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def allow_many_connections() -> None:
    """Lifts the soft limit of open files, one for each connection, to the hard one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def leave_message(path: Path, reason: str) -> None:
    """Leaves the reason of an end where Kubernetes looks for it."""
    try:
        path.write_text(reason[:4000])
    except OSError as error:
        logger.debug("no termination message: %s", error)
