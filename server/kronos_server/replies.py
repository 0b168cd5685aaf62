"""What every reply carries: its id, who answered, and for an error the problem in one form."""

import logging
import re
import time
import uuid
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kronos_server import pools
from kronos_server.dispatch import Phase
from kronos_server.errors import ForecastError
from kronos_server.logs import request_id
from kronos_server.service import Service

logger = logging.getLogger(__name__)

REQUEST_ID = b"x-request-id"
ACCEPTED_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
PROBLEM = "application/problem+json"
MOST_RETRY_SECONDS = 3600


def problem(error: ForecastError, headers: dict[str, str] | None = None) -> Response:
    """An error as `application/problem+json`; never an echo of the input."""
    body = {
        "type": "about:blank",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "errors": [violation._asdict() for violation in error.violations],
        "request_id": request_id.get(),
    }
    extra = dict(headers or {})
    if error.retry_after is not None:
        extra["retry-after"] = str(min(MOST_RETRY_SECONDS, max(1, round(error.retry_after))))
    return Response(orjson.dumps(body), error.status, extra, media_type=PROBLEM)


def install(app: FastAPI, service: Service) -> None:
    """Makes every reply of the application one of ours."""

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, ForecastError)
        return problem(error)

    async def unrouted(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return problem(_plain(error.status_code, str(error.detail)), dict(error.headers or {}))

    app.add_exception_handler(ForecastError, refused)
    app.add_exception_handler(HTTPException, unrouted)
    app.add_middleware(Replies, service=service)


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
        except Exception:
            logger.exception("bug while answering %s", scope["path"])
            if not status:
                await problem(ForecastError("The server has a bug; the request id leads to its log."))(
                    scope, receive, send_ours
                )
        self._record(scope, status, time.monotonic() - started)

    def _complete(self, message: Message) -> None:
        headers = MutableHeaders(raw=message["headers"])
        headers.setdefault("x-request-id", request_id.get())
        headers.setdefault("x-kronos-pool", self.service.pool)
        headers.setdefault("x-kronos-device", ",".join(self.service.devices.names))
        headers.setdefault("x-kronos-pod", self.service.settings.pod_name)
        headers.setdefault("x-backend-used", pools.backend(self.service.pool))
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
