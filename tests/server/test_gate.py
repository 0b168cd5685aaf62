"""The gate of a real server."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from running_server import RunningServer

Make = Callable[..., dict[str, Any]]
PROBES = ["/", "/v1/healthz", "/v1/healthz/detailed", "/v1/readyz", "/v1/metrics"]


def statuses(server: RunningServer) -> list[int]:
    return [server.client.get(path).status_code for path in PROBES]


def test_keys_and_rate_limit_guard_all_but_probes(
    launch: Callable[..., RunningServer], tmp_path: Path, body: Make
) -> None:
    (tmp_path / "keys").write_text("first\nsecond\n")
    settings = {"rate_limit_enabled": "true", "rate_limit_per_minute": "3"}
    server = launch(api_keys_path=str(tmp_path / "keys"), **settings).wait_ready()

    def ask(**headers: str) -> int:
        return server.client.post("/v1/predict/single", json=body(), headers=headers).status_code

    assert server.client.get("/docs").status_code == 401
    assert ask() == 401
    assert ask(authorization="Bearer third") == 401
    assert ask(authorization="Basic first") == 401
    assert [ask(authorization="Bearer first") for _ in range(4)] == [200, 200, 200, 429]
    assert ask(**{"x-api-key": "second"}) == 200
    refusal = server.client.post("/v1/predict/single", headers={"x-api-key": "first"})
    assert 1 <= int(refusal.headers["retry-after"]) <= 20
    assert statuses(server) == [200] * 5
    metrics = server.client.get("/v1/metrics").text
    assert 'kronos_rate_limit_hits_total{container="127.0.0.1"} 2.0' in metrics
    assert 'kronos_security_events_total{container="127.0.0.1",event="bad_key"} 2.0' not in metrics
    assert 'event="no_key"' in metrics
    assert "first" not in server.log


def test_the_whitelist_guards_all_but_probes_and_believes_no_header(
    launch: Callable[..., RunningServer], body: Make
) -> None:
    server = launch(security_enabled="true", container_whitelist="10.0.0.0/8").wait_ready()
    headers = {"x-forwarded-for": "10.0.0.1", "forwarded": "for=10.0.0.1"}
    reply = server.client.post("/v1/predict/single", json=body(), headers=headers)
    assert reply.status_code == 403
    assert statuses(server) == [200] * 5


def test_a_trusted_proxy_names_the_client_and_a_stranger_does_not(
    launch: Callable[..., RunningServer], body: Make
) -> None:
    settings = {"rate_limit_enabled": "true", "rate_limit_per_minute": "1", "trusted_proxies": "127.0.0.0/8"}
    server = launch(**settings).wait_ready()

    def ask(forwarded_for: str) -> int:
        headers = {"x-forwarded-for": forwarded_for}
        return server.client.post("/v1/predict/single", json=body(), headers=headers).status_code

    assert ask("192.0.2.1") == 200
    assert ask("192.0.2.2") == 200
    assert ask("198.51.100.9, 192.0.2.1") == 429
