"""The gate: of a real server, and by itself."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kronos_server.access import Whitelist
from kronos_server.app import create_service
from kronos_server.devices import Devices
from kronos_server.errors import Forbidden, RateLimited, Unauthorized
from kronos_server.gate import Gate
from kronos_server.settings import Settings
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


def gate(**settings: Any) -> Gate:
    """A gate before an application that lets everything happen."""

    async def everything(*_: object) -> None:
        pass

    parts = Settings(_env_file=None, **settings)
    service = create_service(parts, Devices(("cpu",)), on_lost=print)
    return Gate(everything, service, Whitelist(parts.container_whitelist))


async def pass_through(guard: Gate, path: str, peer: str, *headers: tuple[bytes, bytes]) -> None:
    scope = {"type": "http", "path": path, "client": (peer, 1234), "headers": list(headers)}
    await guard(scope, None, None)  # type: ignore[arg-type]


async def test_the_whitelist_guards_all_but_probes_and_believes_no_header() -> None:
    guard = gate(security_enabled=True, container_whitelist=["10.0.0.0/8"])
    await pass_through(guard, "/v1/predict/single", "10.1.2.3")
    with pytest.raises(Forbidden):
        await pass_through(guard, "/v1/predict/single", "192.0.2.1", (b"x-forwarded-for", b"10.0.0.1"))
    for probe in PROBES:
        await pass_through(guard, probe, "192.0.2.1")


async def test_a_whitelist_that_is_not_enabled_guards_nothing() -> None:
    await pass_through(gate(container_whitelist=["10.0.0.0/8"]), "/docs", "192.0.2.1")


async def test_a_trusted_proxy_names_the_client_and_a_stranger_does_not() -> None:
    guard = gate(rate_limit_enabled=True, rate_limit_per_minute=1, trusted_proxies=["10.0.0.0/8"])

    async def ask(peer: str, forwarded_for: str) -> None:
        await pass_through(guard, "/docs", peer, (b"x-forwarded-for", forwarded_for.encode()))

    await ask("10.0.0.1", "192.0.2.1")
    await ask("10.0.0.1", "192.0.2.2")
    with pytest.raises(RateLimited):
        await ask("10.0.0.1", "198.51.100.9, 192.0.2.1")
    await ask("203.0.113.5", "192.0.2.77")
    with pytest.raises(RateLimited):
        await ask("203.0.113.5", "192.0.2.78")


@pytest.mark.parametrize(
    ("header", "value"), [(b"authorization", b"Bearer one"), (b"authorization", b"bearer  one"), (b"x-api-key", b"one")]
)
async def test_a_key_may_come_in_either_header(tmp_path: Path, header: bytes, value: bytes) -> None:
    (tmp_path / "keys").write_text("one")
    guard = gate(api_keys_path=tmp_path / "keys")
    await pass_through(guard, "/docs", "192.0.2.1", (header, value))
    with pytest.raises(Unauthorized):
        await pass_through(guard, "/docs", "192.0.2.1", (header, value + b"x"))
