"""Forwards a request for the other pool to that pool's Service, once."""

from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from kronos_server.errors import DeadlineExceeded, Unavailable

FORWARDED = "x-kronos-forwarded"
# What the other pool needs to know; everything else is between the client and us.
PASSED_ON = ("authorization", "content-type", "x-api-key", "x-kronos-device", "x-kronos-device-index")
PASSED_BACK = ("content-type", "retry-after")
OURS = "x-kronos-"
RETRY_SECONDS = 1.0
CONNECT_SECONDS = 5.0


@dataclass(frozen=True)
class Forwarded:
    """The other pool's reply, to be passed through."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Peers:
    """The Services of the pools, by pool name; empty addresses are pools that do not exist."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        self._urls = {pool: url.rstrip("/") for pool, url in urls.items() if url}
        # A connection per request: a kept one would stay with one pod, even with one that is draining.
        self._client = httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))

    async def forward(
        self, pool: str, path: str, headers: Mapping[str, str], body: bytes, request_id: str, remaining: float
    ) -> Forwarded:
        """Asks the other pool, which has the `remaining` seconds. Raises `Unavailable`, `DeadlineExceeded`."""
        if pool not in self._urls:
            raise Unavailable(f"There is no {pool} pool to serve this request.", retry_after=RETRY_SECONDS)
        sent = {name: headers[name] for name in PASSED_ON if name in headers}
        sent |= {FORWARDED: "1", "x-request-id": request_id, "x-request-timeout": f"{remaining:.3f}"}
        timeout = httpx.Timeout(remaining, connect=min(CONNECT_SECONDS, remaining))
        try:
            reply = await self._client.post(self._urls[pool] + path, headers=sent, content=body, timeout=timeout)
        except (httpx.ReadTimeout, httpx.WriteTimeout) as error:
            raise DeadlineExceeded(f"The {pool} pool did not answer in time.") from error
        except httpx.HTTPError as error:
            raise Unavailable(f"The {pool} pool cannot be reached.", retry_after=RETRY_SECONDS) from error
        kept = {k: v for k, v in reply.headers.items() if k in PASSED_BACK or k.startswith((OURS, "x-backend-used"))}
        return Forwarded(reply.status_code, kept, reply.content)

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()
