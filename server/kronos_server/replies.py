"""What every reply carries: its id, who answered, and for an error the problem in one form."""

import logging
import re
import time
import uuid
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kronos_server import pools, problems
from kronos_server.access import Whitelist
from kronos_server.dispatch import Phase
from kronos_server.errors import ForecastError
from kronos_server.gate import Gate
from kronos_server.logs import request_id
from kronos_server.service import Service

logger = logging.getLogger(__name__)

BUG = "The server has a bug; the request id leads to its log."
REQUEST_ID = b"x-request-id"
ACCEPTED_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


def install(app: FastAPI, service: Service, whitelist: Whitelist) -> None:
    """Makes every reply of the application one of ours."""

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, ForecastError)
        service.metrics.refused.labels(type(error).__name__).inc()
        return problems.response(error)

    async def unrouted(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return problems.response(_plain(error.status_code, str(error.detail)), dict(error.headers or {}))

    app.add_exception_handler(ForecastError, refused)
    app.add_exception_handler(HTTPException, unrouted)
    # The last added is the outermost.
    app.add_middleware(Gate, service=service, whitelist=whitelist)
    app.add_middleware(Replies, service=service)


def identity(service: Service) -> dict[str, str]:
    """The headers that say who answers, unless a reply says more."""
    return {
        "x-kronos-pool": service.pool,
        "x-kronos-device": ",".join(service.devices.names),
        "x-kronos-pod": service.settings.pod_name,
        "x-backend-used": pools.backend(service.pool),
    }


def _plain(status: int, detail: str) -> ForecastError:
    error = ForecastError(f"{detail}.")
    error.status = status
    return error


class Replies:
    """The outermost middleware: headers, request id, the log line, the count, and 500 for what nobody caught."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app = app
        self.service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id.set(_request_id(scope))
        started = time.monotonic()
        status = 0

        async def send_ours(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._complete(message)
            await send(message)

        try:
            await self.app(scope, receive, send_ours)
        except ForecastError as error:
            self.service.metrics.refused.labels(type(error).__name__).inc()
            await problems.response(error)(scope, receive, send_ours)
        except Exception:
            logger.exception("bug while answering %s", _route(scope))
            if not status:
                await problems.response(ForecastError(BUG))(scope, receive, send_ours)
        self._record(scope, status, time.monotonic() - started)

    def _complete(self, message: Message) -> None:
        headers = MutableHeaders(raw=message["headers"])
        for name, value in {"x-request-id": request_id.get(), **identity(self.service)}.items():
            headers.setdefault(name, value)
        if self.service.dispatcher.phase is Phase.DRAINING:
            headers["connection"] = "close"

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        path, metrics = _route(scope), self.service.metrics
        if "/predict/" in path:
            kind = "timeout" if status == 504 else "success" if status < 400 else "error"
            metrics.requests.labels(path, kind).inc()
            metrics.duration.observe(seconds)
            if status == 504:
                metrics.timeouts.labels(path.rsplit("/", 1)[1]).inc()
            if status == 413:
                metrics.size_rejections.inc()
        level = logging.INFO if "/predict/" in path else logging.DEBUG
        fields = {"method": scope["method"], "path": path, "status": status, "seconds": round(seconds, 4)}
        logger.log(level, "answered", extra=fields)


def _route(scope: Scope) -> str:
    """The path of the route that matched; requests to anywhere else share one name, or labels would grow forever."""
    route: Any = scope.get("route")
    return str(getattr(route, "path", "unrouted"))


def _request_id(scope: Scope) -> str:
    sent = [value.decode("latin-1") for name, value in scope["headers"] if name == REQUEST_ID]
    return sent[0] if sent and ACCEPTED_ID.fullmatch(sent[0]) else uuid.uuid4().hex
