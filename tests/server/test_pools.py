"""Forced pools and pinned devices."""

import pytest

from kronos_server import pools
from kronos_server.errors import BadDevice

Headers = list[tuple[bytes, bytes]]


def device(*values: bytes) -> Headers:
    return [(b"accept", b"*/*"), *((pools.DEVICE, value) for value in values)]


@pytest.mark.parametrize(
    ("headers", "path", "pool"),
    [
        (device(), None, None),
        (device(), "gpu", "gpu"),
        (device(b"cpu"), None, "cpu"),
        (device(b"GPU"), None, "gpu"),
        (device(b" Gpu "), "gpu", "gpu"),
    ],
)
def test_header_or_path_name_the_pool(headers: Headers, path: str | None, pool: str | None) -> None:
    assert pools.forced(headers, path) == pool


@pytest.mark.parametrize(
    ("headers", "path"),
    [
        (device(b""), None),
        (device(b"tpu"), None),
        (device(b"cpu,gpu"), None),
        (device(b"cpu", b"cpu"), None),
        (device(b"\xff"), None),
        (device(b"cpu\x00"), None),
        (device(b"cuda:0"), None),
        (device(b"cpu"), "gpu"),
    ],
)
def test_anything_else_is_refused(headers: Headers, path: str | None) -> None:
    with pytest.raises(BadDevice):
        pools.forced(headers, path)


@pytest.mark.parametrize(("value", "index"), [(b"0", 0), (b"1", 1)])
def test_an_index_pins_a_device(value: bytes, index: int) -> None:
    assert pools.pinned([(pools.DEVICE_INDEX, value)], devices=2) == index


def test_without_an_index_any_device_will_do() -> None:
    assert pools.pinned([], devices=2) is None


@pytest.mark.parametrize("value", [b"2", b"-1", b"", b"one", b"\xb2", b"1" * 5000])
def test_an_index_out_of_range_is_refused(value: bytes) -> None:
    with pytest.raises(BadDevice, match="from 0 to 1"):
        pools.pinned([(pools.DEVICE_INDEX, value)], devices=2)
