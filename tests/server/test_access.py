"""Whitelist, keys and rate limit, without a server."""

import asyncio
from pathlib import Path

import pytest

from kronos_server.access import ApiKeys, RateLimit, Whitelist, address


@pytest.mark.parametrize(
    ("peer", "allowed"),
    [("10.1.2.3", True), ("::ffff:10.1.2.3", True), ("11.0.0.1", False), ("2001:db8::1", True), ("unix", False)],
)
def test_the_whitelist_knows_networks(peer: str, allowed: bool) -> None:
    assert Whitelist(["10.0.0.0/8", "2001:db8::/32"]).allows(address(peer)) is allowed


def test_an_empty_whitelist_allows_nobody() -> None:
    assert not Whitelist([]).allows(address("127.0.0.1"))


async def test_names_are_resolved_forward() -> None:
    whitelist = Whitelist(["localhost", "no-such-name.invalid"])
    assert not whitelist.allows(address("127.0.0.1"))
    resolving = asyncio.create_task(whitelist.keep_resolving())
    for _ in range(200):
        if whitelist.allows(address("127.0.0.1")):
            break
        await asyncio.sleep(0.02)
    resolving.cancel()
    assert whitelist.allows(address("127.0.0.1"))


def test_several_keys_are_valid_at_once(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# of the desk\nfirst\n\nsecond \n")
    keys = ApiKeys(file)
    assert keys.valid("first")
    assert keys.valid("second")
    assert not keys.valid("third")
    assert not keys.valid("")
    assert not keys.valid("# of the desk")


def test_keys_are_read_again_on_change(tmp_path: Path) -> None:
    keys = ApiKeys(tmp_path)
    assert not keys.valid("first")
    (tmp_path / "a").write_text("first")
    (tmp_path / "b").write_text("second")
    assert keys.valid("first")
    assert keys.valid("second")
    (tmp_path / "a").unlink()
    assert not keys.valid("first")


def test_keys_that_cannot_be_read_stay_as_they_were(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("first")
    keys = ApiKeys(file)
    assert keys.valid("first")
    file.unlink()
    assert keys.valid("first")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_client_has_a_minutes_worth_at_once_and_then_the_rate() -> None:
    clock = Clock()
    limit = RateLimit(per_minute=6, clock=clock)
    assert [limit.take("a") for _ in range(6)] == [0.0] * 6
    assert limit.take("a") == pytest.approx(10.0)
    clock.now = 10.0
    assert limit.take("a") == 0.0
    assert limit.take("a") > 0


def test_clients_do_not_share_a_bucket() -> None:
    limit = RateLimit(per_minute=1, clock=Clock())
    assert limit.take("a") == 0.0
    assert limit.take("b") == 0.0
    assert limit.take("a") > 0


def test_buckets_are_forgotten_before_they_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kronos_server.access.MOST_BUCKETS", 10)
    limit = RateLimit(per_minute=1, clock=Clock())
    for number in range(100):
        limit.take(str(number))
    assert len(limit._buckets) <= 10
    assert limit.take("99") > 0
