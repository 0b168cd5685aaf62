"""The gate before every route but probes and metrics: whitelist, keys, rate limit, in this order."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from kronos_server.access import Address, ApiKeys, RateLimit, Whitelist, address, key_name, networks
from kronos_server.errors import Forbidden, RateLimited, Unauthorized
from kronos_server.service import Service

EXEMPT = ("/", "/v1/healthz", "/v1/healthz/detailed", "/v1/readyz", "/v1/metrics")


class Gate:
    """Raises `Forbidden`, `Unauthorized` or `RateLimited` for who may not pass."""

    def __init__(self, app: ASGIApp, service: Service, whitelist: Whitelist) -> None:
        settings = service.settings
        self.app = app
        self._metrics = service.metrics
        self._whitelist = whitelist if settings.security_enabled else None
        self._keys = ApiKeys(settings.api_keys_path) if settings.api_keys_path else None
        self._limit = RateLimit(settings.rate_limit_per_minute) if settings.rate_limit_enabled else None
        self._trusted, _ = networks(settings.trusted_proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request pass."""
        if scope["type"] == "http" and scope["path"] not in EXEMPT:
            self._check(scope)
        await self.app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        peer = address(scope["client"][0]) if scope["client"] else None
        if self._whitelist and not self._whitelist.allows(peer):
            self._metrics.security.labels("not_whitelisted", str(peer)).inc()
            raise Forbidden("This peer is not on the whitelist.")
        headers = Headers(scope=scope)
        key = _key(headers)
        if self._keys and not (key and self._keys.valid(key)):
            self._metrics.security.labels("bad_key" if key else "no_key", str(peer)).inc()
            raise Unauthorized("A valid API key is needed: Authorization: Bearer KEY, or X-API-Key: KEY.")
        client = key_name(key) if self._keys and key else self._client(peer, headers)
        if self._limit and (seconds := self._limit.take(client)):
            self._metrics.rate_limited.labels(str(peer)).inc()
            raise RateLimited("Too many requests.", retry_after=seconds)

    def _client(self, peer: Address | None, headers: Headers) -> str:
        """The address nearest to us that is no trusted proxy: what a stranger writes is not believed."""
        client = peer
        hops = [hop.strip() for value in headers.getlist("x-forwarded-for") for hop in value.split(",")]
        while client and hops and any(client in network for network in self._trusted):
            client = address(hops.pop())
        return str(client)


def _key(headers: Headers) -> str | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else headers.get("x-api-key")
