"""Pools: which one this server is, which one a request names, and how replies say so."""

from collections.abc import Sequence

from kronos_server.errors import BadDevice

POOLS = ("cpu", "gpu")
DEVICE = b"x-kronos-device"
DEVICE_INDEX = b"x-kronos-device-index"

Headers = Sequence[tuple[bytes, bytes]]


def forced(headers: Headers, path_pool: str | None) -> str | None:
    """The pool that the header or the path names, if any. Raises `BadDevice`."""
    named = _only(headers, DEVICE)
    if named is None:
        return path_pool
    pool = named.lower()
    if pool not in POOLS:
        raise BadDevice("X-Kronos-Device must be cpu or gpu.")
    if path_pool not in (None, pool):
        raise BadDevice("X-Kronos-Device and the path name different pools.")
    return pool


def pinned(headers: Headers, devices: int) -> int | None:
    """The index of the device that the request is pinned to, if any. Raises `BadDevice`."""
    named = _only(headers, DEVICE_INDEX)
    if named is None:
        return None
    if not named.isascii() or not named.isdecimal() or len(named) > 4 or int(named) >= devices:
        raise BadDevice(f"X-Kronos-Device-Index must be from 0 to {devices - 1}.")
    return int(named)


def _only(headers: Headers, name: bytes) -> str | None:
    values = [value for key, value in headers if key == name]
    if len(values) > 1:
        raise BadDevice(f"{name.decode().title()} must be sent once.")
    return values[0].decode("latin-1").strip() if values else None


def backend(pool: str) -> str:
    """The pool by its old name, for the X-Backend-Used header."""
    return f"kronos_{pool}"
