"""One connection to the API server: requests, answers, and what its refusals mean."""

import json
from collections.abc import Callable

import aiohttp
from kubernetes.aio.client import ApiClient

from kronos_operator.api import Manifest
from kronos_operator.kinds import Kind

TIMEOUT = aiohttp.ClientTimeout(total=30)
APPLY = "application/apply-patch+yaml"
Query = list[tuple[str, str]]


class Refused(Exception):
    """The API server answered with an error; retry_after: the seconds that it asks to wait, 0 where it asks nothing."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        causes: frozenset[str] = frozenset(),
        retry_after: float = 0,
    ) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.causes = causes
        self.retry_after = retry_after


# Failures that say that the API server is away, busy or unwilling, and nothing about the program.
PASSING = (Refused, TimeoutError, aiohttp.ClientError, OSError)


def asked_delay(error: Exception) -> float:
    """The seconds for which the API server wants no further request like the one that failed."""
    return error.retry_after if isinstance(error, Refused) else 0.0


def always() -> None:
    """A fence that lets everything pass."""


def fenced(fence: Callable[[], None]) -> aiohttp.TraceConfig:
    """Checks the fence as a write's bytes leave: the process may be frozen between its decision and that."""

    async def check(_: aiohttp.ClientSession, __: object, params: aiohttp.TraceRequestChunkSentParams) -> None:
        if params.method != "GET":
            fence()

    trace = aiohttp.TraceConfig()
    trace.on_request_chunk_sent.append(check)
    return trace


class Connection:
    """Sends requests; writes only while the fence lets them."""

    def __init__(self, client: ApiClient, fence: Callable[[], None] = always) -> None:
        self._client = client
        self._fence = fence

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """One object, or None where there is none."""
        try:
            return await self.send("GET", kind.path(namespace, name))
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    async def list(self, kind: Kind, namespace: str | None, query: Query | None = None) -> list[Manifest]:
        """All objects of a kind in a namespace, or in all of them."""
        answer = await self.send("GET", kind.path(namespace), query)
        # Items of a list do not repeat what the list says about all of them.
        return [{"apiVersion": kind.api_version, "kind": kind.name, **item} for item in answer["items"]]

    async def apply(self, path: str, body: Manifest, *, manager: str, force: bool) -> Manifest:
        """Server-side apply; returns the object as it is afterwards."""
        query = [("fieldManager", manager), ("force", "true" if force else "false")]
        return await self.send("PATCH", path, query, body, APPLY)

    async def send(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Manifest | None = None,
        content_type: str = "application/json",
    ) -> Manifest:
        """One request; raises Refused for an error, and what the fence raises for a write that may not be."""
        if method != "GET":
            self._fence()
        headers = {"Accept": "application/json", "Content-Type": content_type}
        request = await self._client.param_serialize(
            method, path, query_params=query or [], header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        response = await self._client.call_api(*request, _request_timeout=TIMEOUT)
        text: bytes = await response.response.read()
        if response.status >= 400:
            raise _refusal(response.status, text, response.response.headers.get("Retry-After", ""))
        content: Manifest = json.loads(text)
        return content


def _refusal(status: int, text: bytes, retry_after: str) -> Refused:
    """An answer as an error; a group that is not served is answered in plain text."""
    seconds = float(retry_after) if retry_after.isdigit() else 0.0
    try:
        content = json.loads(text)
        causes = (content.get("details") or {}).get("causes") or []
        words = frozenset(cause.get("reason", "") for cause in causes)
        return Refused(status, content.get("reason", ""), content.get("message", ""), words, seconds)
    except (ValueError, AttributeError):
        return Refused(status, "", text.decode(errors="replace").strip()[:1000], retry_after=seconds)
