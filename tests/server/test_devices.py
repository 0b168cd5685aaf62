"""What KRONOS_DEVICE means on which machine."""

import pytest

from kronos_server import devices
from kronos_server.devices import Found
from kronos_server.errors import StartFailed

PLAIN, MAC, TWO = Found(), Found(mps=True), Found(cuda=2)


@pytest.mark.parametrize(
    ("wish", "found", "names", "pool"),
    [
        ("cpu", TWO, ("cpu",), "cpu"),
        ("CPU", PLAIN, ("cpu",), "cpu"),
        ("cpu,cpu", PLAIN, ("cpu", "cpu"), "cpu"),
        ("cuda", TWO, ("cuda:0",), "gpu"),
        ("cuda:1", TWO, ("cuda:1",), "gpu"),
        ("cuda:all", TWO, ("cuda:0", "cuda:1"), "gpu"),
        ("cuda:1, cuda:0", TWO, ("cuda:1", "cuda:0"), "gpu"),
        ("mps", MAC, ("mps",), "gpu"),
        ("auto", TWO, ("cuda:0",), "gpu"),
        ("auto", MAC, ("mps",), "gpu"),
        ("auto", PLAIN, ("cpu",), "cpu"),
    ],
)
def test_a_wish_names_devices(wish: str, found: Found, names: tuple[str, ...], pool: str) -> None:
    chosen = devices.resolve(wish, found)
    assert (chosen.names, chosen.pool, chosen.warning) == (names, pool, None)


@pytest.mark.parametrize(
    ("wish", "found", "said"),
    [
        ("cuda", PLAIN, "names cuda:0, but this machine has cpu"),
        ("cuda:2", TWO, "names cuda:2, but this machine has cpu, cuda:0, cuda:1"),
        ("cuda:all", MAC, "names cuda:0, but this machine has cpu, mps"),
        ("mps", PLAIN, "names mps"),
        ("tpu", PLAIN, "holds 'tpu'"),
        ("cuda:x", TWO, "holds 'cuda:x'"),
        ("", PLAIN, "holds ''"),
        ("cpu,", PLAIN, "holds ''"),
    ],
)
def test_a_device_that_is_not_there_fails_the_start_with_what_was_found(wish: str, found: Found, said: str) -> None:
    with pytest.raises(StartFailed, match=said):
        devices.resolve(wish, found)


def test_the_fallback_is_opted_into_and_leaves_a_warning() -> None:
    chosen = devices.resolve("cuda", PLAIN, fallback="cpu")
    assert (chosen.names, chosen.pool) == (("cpu",), "cpu")
    assert chosen.warning is not None
    assert "cuda:0" in chosen.warning


def test_the_fallback_does_not_excuse_a_typo() -> None:
    with pytest.raises(StartFailed):
        devices.resolve("cuba", PLAIN, fallback="cpu")


def test_threads_are_the_quota_shared_by_the_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "processors", lambda: 5.5)
    assert [devices.thread_count(0, engines) for engines in (1, 2, 8)] == [5, 2, 1]


def test_a_setting_of_threads_rules() -> None:
    assert devices.thread_count(3, engines=2) == 3


def test_processors_are_at_least_a_part_of_one() -> None:
    assert devices.processors() > 0
