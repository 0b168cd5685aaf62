"""The API's description, held against the server by requests made from it."""

import subprocess
import sys
from pathlib import Path

import pytest

from running_server import RunningServer

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance"
)
EVERYWHERE = {"X-Request-ID", "X-Kronos-Pool", "X-Kronos-Device", "X-Kronos-Pod", "X-Backend-Used"}


def test_every_endpoint_is_described(server: RunningServer) -> None:
    paths = server.client.get("/openapi.json").json()["paths"]
    health = {"/", "/v1/healthz", "/v1/healthz/detailed", "/v1/readyz", "/v1/metrics"}
    prefixes = ("/v1/predict", "/v1/devices/cpu/predict", "/v1/devices/gpu/predict")
    assert set(paths) == health | {f"{prefix}/{kind}" for prefix in prefixes for kind in ("single", "batch")}


def test_the_headers_of_every_reply_are_described(server: RunningServer) -> None:
    """Each named one is checked against real replies below; here, that none of ours is left out."""
    for path, methods in server.client.get("/openapi.json").json()["paths"].items():
        for method in methods.values():
            for status, reply in method["responses"].items():
                assert set(reply["headers"]) >= EVERYWHERE, (path, status)
                assert ("Retry-After" in reply["headers"]) == (status in ("429", "503") and "predict" in path)
                assert ("X-Kronos-Context-Used" in reply["headers"]) == (status in ("200", "207") and "predict" in path)


def test_a_forecast_carries_no_header_of_ours_that_is_not_described(server: RunningServer) -> None:
    described = server.client.get("/openapi.json").json()["paths"]["/v1/predict/single"]["post"]
    example = described["requestBody"]["content"]["application/json"]["example"]
    reply = server.client.post("/v1/predict/single", json=example)
    names = {name.lower() for name in described["responses"]["200"]["headers"]}
    assert {name for name in reply.headers if name.startswith("x-")} == names


@pytest.mark.parametrize("kind", ["single", "batch"])
def test_the_example_is_forecast(server: RunningServer, kind: str) -> None:
    paths = server.client.get("/openapi.json").json()["paths"]
    example = paths[f"/v1/predict/{kind}"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert server.client.post(f"/v1/predict/{kind}", json=example).status_code == 200


def test_no_request_leads_to_a_bug_or_beyond_the_description(server: RunningServer, tmp_path: Path) -> None:
    # The paths under /v1/devices lead to the same handlers.
    options = [
        "--exclude-path-regex",
        "/devices/",
        "--checks",
        CHECKS,
        "--max-examples",
        "8",
        "--seed",
        "1",
        "--no-color",
        "--max-failures",
        "3",
    ]
    config = tmp_path / "schemathesis.toml"
    config.write_text('[checks.not_a_server_error]\nexpected-statuses = ["2xx", "4xx", "503", "504"]\n')
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", *options]
    command.append(f"{server.url}/openapi.json")
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
