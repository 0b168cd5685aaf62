"""Who may ask, and how often: whitelist, API keys and rate limit."""

import asyncio
import hashlib
import hmac
import ipaddress
import logging
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path

logger = logging.getLogger(__name__)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

RESOLVE_SECONDS = 30.0
MOST_BUCKETS = 10_000


def address(text: str) -> Address | None:
    """An IP address, where IPv4 in an IPv6 coat is IPv4; None for anything else."""
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return mapped or parsed


def networks(names: Sequence[str]) -> tuple[list[Network], list[str]]:
    """CIDRs and addresses apart from the names that must be resolved."""
    parsed: list[Network] = []
    unresolved: list[str] = []
    for name in names:
        try:
            parsed.append(ipaddress.ip_network(name, strict=False))
        except ValueError:
            unresolved.append(name)
    return parsed, unresolved


class Whitelist:
    """Peers by CIDR, and by names that are resolved forward from time to time."""

    def __init__(self, names: Sequence[str]) -> None:
        self._networks, self._names = networks(names)
        self._resolved: dict[str, set[Address]] = {}

    def allows(self, peer: Address | None) -> bool:
        """Whether the peer's own address is on the list."""
        if peer is None:
            return False
        return any(peer in network for network in self._networks) or any(
            peer in addresses for addresses in self._resolved.values()
        )

    async def keep_resolving(self) -> None:
        """Resolves the names for ever. A name that cannot be resolved keeps the addresses it had."""
        while self._names:
            for name in self._names:
                try:
                    found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
                except OSError as error:
                    logger.warning("whitelist: %s cannot be resolved: %s", name, error)
                else:
                    self._resolved[name] = {parsed for each in found if (parsed := address(str(each[4][0])))}
            await asyncio.sleep(RESOLVE_SECONDS)


class ApiKeys:
    """Valid keys, one a line, from a file or from every file of a folder (as a Secret is mounted), read on change."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: dict[Path, tuple[int, int]] = {}
        self._digests: list[bytes] = []

    def valid(self, key: str) -> bool:
        """Compares with every key in constant time."""
        self._read()
        digest = _digest(key)
        matches = [hmac.compare_digest(digest, known) for known in self._digests]
        return any(matches)

    def _read(self) -> None:
        try:
            files = sorted(filter(Path.is_file, self._path.iterdir())) if self._path.is_dir() else [self._path]
            seen = {file: (stat.st_mtime_ns, stat.st_ino) for file, stat in ((file, file.stat()) for file in files)}
            if seen == self._seen:
                return
            lines = [line.strip() for file in seen for line in file.read_text().splitlines()]
        except OSError as error:
            logger.warning("API keys cannot be read, the last ones stay: %s", error)
            return
        self._seen = seen
        self._digests = [_digest(line) for line in lines if line and not line.startswith("#")]
        logger.info("read %d API keys", len(self._digests))


def key_name(key: str) -> str:
    """A name for a key that does not give it away."""
    return f"key {_digest(key).hex()}"


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


class RateLimit:
    """A token bucket for every client: a minute's worth at once, refilled steadily."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = float(per_minute)
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, client: str) -> float:
        """Takes a token; 0, or the seconds until there is one."""
        now, rate = self._clock(), self._size / 60
        tokens, then = self._buckets.get(client, (self._size, now))
        tokens = min(self._size, tokens + (now - then) * rate)
        if tokens < 1:
            return (1 - tokens) / rate
        if len(self._buckets) >= MOST_BUCKETS:
            self._forget(now, rate)
        self._buckets[client] = (tokens - 1, now)
        return 0.0

    def _forget(self, now: float, rate: float) -> None:
        """Drops the full buckets, which are as good as none; if all are in use, the longest unused."""
        kept = {client: each for client, each in self._buckets.items() if each[0] + (now - each[1]) * rate < self._size}
        if len(kept) >= MOST_BUCKETS:
            del kept[min(kept, key=lambda client: kept[client][1])]
        self._buckets = kept
