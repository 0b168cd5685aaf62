"""What the API's description says about the forecast endpoints."""

from typing import Any

from pydantic import BaseModel

from kronos_server.wire import BatchRequest, ForecastReply, ForecastRequest, PartReply, Problem

ENDPOINTS = ("single", "batch")

PROBLEMS = {
    400: "The device header names no pool, or no device of this pod.",
    401: "API keys are in use, and none or no valid one was sent.",
    403: "A whitelist is in use, and the peer is not on it.",
    413: "The body is above the size limit.",
    415: "The body is not application/json.",
    422: "The body is not JSON, or breaks a rule: `errors` says which. Or it could not be finished in time or memory.",
    429: "Too many requests; see Retry-After.",
    500: "A bug.",
    503: "Loading, draining, overloaded, or the named pool cannot be reached; see Retry-After.",
    504: "Not finished in time.",
}


def _told(kind: str, text: str, required: bool = True, **limits: Any) -> dict[str, Any]:
    """A header of a reply."""
    return {"description": text, "required": required, "schema": {"type": kind, **limits}}


CARRIED = {
    "X-Request-ID": _told("string", "The id of the request: yours, or one made here."),
    "X-Kronos-Pool": _told("string", "The pool that answers.", enum=["cpu", "gpu"]),
    "X-Kronos-Device": _told("string", "The devices that computed, else those of the pod: cpu, cuda:0, ..."),
    "X-Kronos-Pod": _told("string", "The pod that answers."),
    "X-Backend-Used": _told("string", "The pool by its old name.", enum=["kronos_cpu", "kronos_gpu"]),
}
"""What every reply carries."""

_LIST = r"^\d+(,\d+)*$"
ACCOUNT = {
    "X-Kronos-Context-Used": _told("string", "Rows the model saw at its first step, by item.", False, pattern=_LIST),
    "X-Kronos-Slid-Steps": _told("string", "Steps whose window had moved, by item.", False, pattern=_LIST),
}
"""What a forecast carries too; left out of batches too long for a header."""

RETRY_AFTER = {"Retry-After": _told("integer", "Seconds until another try may succeed.", minimum=1)}
ASKS_FOR_KEY = {"WWW-Authenticate": _told("string", "How to send a key.", enum=["Bearer"])}
OF_PROBLEMS = {401: ASKS_FOR_KEY, 429: RETRY_AFTER, 503: RETRY_AFTER}

_TIMES = ["2024-01-02T09:30:00", "2024-01-02T09:35:00"]
EXAMPLE = {
    "series_id": "AAPL",
    "candles": [
        {"open": 187.1, "high": 187.4, "low": 186.9, "close": 187.3, "volume": 120400},
        {"open": 187.3, "high": 187.9, "low": 187.2, "close": 187.8, "volume": 98200},
    ],
    "timestamps": _TIMES,
    "prediction_timestamps": ["2024-01-02T09:40:00", "2024-01-02T09:45:00"],
    "overrides": {"sample_count": 5},
    "outputs": {"quantiles": [0.1, 0.9], "prob_up": True},
}


def description(endpoint: str, pool: str | None) -> dict[str, Any]:
    """The arguments of a route that describe it: summary, bodies, replies and headers."""
    series, where = "one series" if endpoint == "single" else "several series", f" on the {pool} pool" if pool else ""
    responses: dict[int | str, Any] = {status: _problem(status, text) for status, text in PROBLEMS.items()}
    headers = CARRIED | ACCOUNT
    responses[200] = {"headers": headers}
    if endpoint == "batch":
        text = "Some items failed (partial=true)."
        responses[207] = {"model": list[ForecastReply | PartReply], "description": text, "headers": headers}
    return {
        "summary": f"Forecast {series}{where}",
        "response_model": ForecastReply if endpoint == "single" else list[ForecastReply],
        "responses": responses,
        "openapi_extra": {
            "requestBody": {"required": True, "content": {"application/json": _body(endpoint)}},
            "parameters": _parameters(endpoint, pool),
        },
    }


def _body(endpoint: str) -> dict[str, Any]:
    if endpoint == "single":
        return {"schema": _inlined(ForecastRequest), "example": EXAMPLE}
    return {"schema": _inlined(BatchRequest), "example": {"items": [EXAMPLE]}}


def _problem(status: int, text: str) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": _inlined(Problem)}}
    return {"description": text, "content": content, "headers": CARRIED | OF_PROBLEMS.get(status, {})}


def _inlined(model: type[BaseModel]) -> Any:
    """The schema of a model without references, so that it needs no place among the components."""
    schema = model.model_json_schema()
    return _resolved(schema, schema.pop("$defs", {}))


def _resolved(schema: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_resolved(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return _resolved(definitions[schema["$ref"].rsplit("/", 1)[1]], definitions) | rest
    return {key: _resolved(value, definitions) for key, value in schema.items()}


def _parameters(endpoint: str, pool: str | None) -> list[dict[str, Any]]:
    named = [] if pool else [DEVICE]
    return [*named, *HEADERS, *([PARTIAL] if endpoint == "batch" else [])]


def _header(name: str, schema: dict[str, Any], text: str) -> dict[str, Any]:
    return {"in": "header", "name": name, "required": False, "schema": schema, "description": text}


DEVICE = _header(
    "X-Kronos-Device", {"type": "string", "enum": ["cpu", "gpu"]}, "The pool that must serve this request."
)
HEADERS = [
    _header("X-Kronos-Device-Index", {"type": "integer", "minimum": 0}, "The device of the pod to use."),
    _header("X-Request-Timeout", {"type": "number", "exclusiveMinimum": 0}, "Seconds to wait, at most the server's."),
    _header("X-Request-ID", {"type": "string"}, "Echoed in the reply and written to the logs."),
]
PARTIAL = {
    "in": "query",
    "name": "partial",
    "required": False,
    "schema": {"type": "boolean", "default": False},
    "description": "Answer the good items where others fail.",
}
