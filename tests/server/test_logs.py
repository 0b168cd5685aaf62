"""Logs: one JSON object a line, with the id of the request, and nothing that a client sent besides."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from running_server import RunningServer

Make = Callable[..., dict[str, Any]]


def lines(server: RunningServer, request_id: str) -> list[dict[str, Any]]:
    """What was logged about a request, once its reply was."""
    logged = [json.loads(line) for line in server.log.splitlines()]
    about = [line for line in logged if line.get("request_id") == request_id]
    return about if any(line["message"] == "answered" for line in about) else []


@pytest.mark.parametrize(("fields", "status"), [({}, 200), ({"series_id": 7}, 422)])
def test_an_answer_is_one_line_with_the_id_of_the_request(
    server: RunningServer, body: Make, fields: dict[str, Any], status: int
) -> None:
    sent = f"log-{status}"
    server.client.post("/v1/predict/single", json=body(**fields), headers={"x-request-id": sent})
    (line,) = server.wait_for(lambda: lines(server, sent))
    assert set(line) == {"time", "level", "logger", "message", "request_id", "method", "path", "status", "seconds"}
    assert (line["method"], line["path"], line["status"]) == ("POST", "/v1/predict/single", status)


def test_every_line_is_json_and_the_settings_are_told_at_the_start(server: RunningServer) -> None:
    logged = [json.loads(line) for line in server.log.splitlines()]
    (settings,) = [line["settings"] for line in logged if line["message"] == "settings"]
    assert settings["max_context"] == 64
    assert {"time", "level", "logger", "message"} <= set.intersection(*(set(line) for line in logged))


def test_probes_are_not_logged(server: RunningServer) -> None:
    server.client.get("/v1/readyz", headers={"x-request-id": "probe"})
    server.client.post("/v1/predict/single", json={}, headers={"x-request-id": "after"})
    server.wait_for(lambda: lines(server, "after"))
    assert not lines(server, "probe")
