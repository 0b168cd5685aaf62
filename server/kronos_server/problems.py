"""Errors as clients see them: `application/problem+json`, and never an echo of the input."""

from typing import Any

import orjson
from fastapi import Response

from kronos_server.errors import ForecastError
from kronos_server.logs import request_id

PROBLEM = "application/problem+json"
MOST_RETRY_SECONDS = 3600


def body(error: ForecastError) -> dict[str, Any]:
    """The members of the problem (RFC 9457)."""
    return {
        "type": "about:blank",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "errors": [violation._asdict() for violation in error.violations],
        "request_id": request_id.get(),
    }


def response(error: ForecastError, headers: dict[str, str] | None = None) -> Response:
    """The reply to a request that failed."""
    extra = dict(headers or {})
    if error.retry_after is not None:
        extra["retry-after"] = str(min(MOST_RETRY_SECONDS, max(1, round(error.retry_after))))
    if error.status == 401:
        extra["www-authenticate"] = "Bearer"
    return Response(orjson.dumps(body(error)), error.status, extra, media_type=PROBLEM)
