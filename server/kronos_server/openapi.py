"""What the API's description says about the forecast endpoints."""

from typing import Any

from kronos_server.wire import BatchRequest, ForecastReply, ForecastRequest, Problem

ENDPOINTS = ("single", "batch")

PROBLEMS = {
    400: "The device header names no pool, or no device of this pod.",
    413: "The body is above the size limit.",
    415: "The body is not application/json.",
    422: "The body is not JSON, or breaks a rule: `errors` says which.",
    429: "Too many requests; see Retry-After.",
    500: "A bug.",
    503: "Loading, draining, overloaded, or the named pool cannot be reached; see Retry-After.",
    504: "Not finished in time.",
}


def description(endpoint: str, pool: str | None) -> dict[str, Any]:
    """The arguments of a route that describe it: summary, bodies, replies and headers."""
    request = ForecastRequest if endpoint == "single" else BatchRequest
    schema = request.model_json_schema(ref_template="#/components/schemas/{model}")
    definitions = schema.pop("$defs", {})
    return {
        "summary": f"Forecast {'one series' if endpoint == 'single' else 'several series'}"
        + (f" on the {pool} pool" if pool else ""),
        "response_model": ForecastReply if endpoint == "single" else list[ForecastReply],
        "responses": {status: _problem(text) for status, text in PROBLEMS.items()},
        "openapi_extra": {
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": _inlined(schema, definitions)}},
            },
            "parameters": PARAMETERS if not pool else PARAMETERS[1:],
        },
    }


def _problem(text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/problem+json": {"schema": Problem.model_json_schema()}}}


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    """The schema without references, so that it needs no place among the components."""
    if isinstance(schema, list):
        return [_inlined(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return _inlined(definitions[schema["$ref"].rsplit("/", 1)[1]], definitions) | rest
    return {key: _inlined(value, definitions) for key, value in schema.items()}


def _header(name: str, schema: dict[str, Any], text: str) -> dict[str, Any]:
    return {"in": "header", "name": name, "required": False, "schema": schema, "description": text}


PARAMETERS = [
    _header("X-Kronos-Device", {"type": "string", "enum": ["cpu", "gpu"]}, "The pool that must serve this request."),
    _header("X-Kronos-Device-Index", {"type": "integer", "minimum": 0}, "The device of the pod to use."),
    _header("X-Request-Timeout", {"type": "number", "exclusiveMinimum": 0}, "Seconds to wait, at most the server's."),
    _header("X-Request-ID", {"type": "string"}, "Echoed in the reply and written to the logs."),
]
