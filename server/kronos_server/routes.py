"""The forecast endpoints: which pool, how large, until when; jobs for the engines, and a reply from their answers."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from kronos_server import peer, pools, problems, schemas
from kronos_server.errors import (
    ClientGone,
    DeadlineExceeded,
    ForecastError,
    InvalidRequest,
    Unavailable,
    UnsupportedMedia,
)
from kronos_server.logs import request_id
from kronos_server.openapi import ENDPOINTS, description
from kronos_server.schemas import Question
from kronos_server.seats import Answer
from kronos_server.service import Service

JSON = "application/json"
PARTLY = 207
MOST_LISTED = 256
"""Items of a batch whose contexts are listed in headers; beyond, the header would grow too long for proxies."""

Asked = Sequence[Question | InvalidRequest]
Answered = Sequence[Answer | ForecastError]


def forecast_routes(service: Service) -> APIRouter:
    """`/v1/predict/{single,batch}`, and the same under `/v1/devices/{cpu,gpu}`."""
    router = APIRouter(tags=["forecasts"])
    for endpoint in ENDPOINTS:
        for pool in (None, *pools.POOLS):
            prefix = f"/v1/devices/{pool}" if pool else "/v1"
            router.add_api_route(
                f"{prefix}/predict/{endpoint}",
                _handler(service, endpoint, pool),
                methods=["POST"],
                name=f"predict_{endpoint}_{pool}" if pool else f"predict_{endpoint}",
                **description(endpoint, pool),
            )
    return router


def _handler(service: Service, endpoint: str, pool: str | None) -> Callable[[Request], Awaitable[Response]]:
    async def predict(request: Request) -> Response:
        with service.metrics.concurrent.track_inprogress():
            return await _Exchange(service, endpoint, request).answer(pool)

    return predict


class _Exchange:
    """One request on its way to a reply."""

    def __init__(self, service: Service, endpoint: str, request: Request) -> None:
        self.service = service
        self.endpoint = endpoint
        self.request = request
        self.deadline = time.monotonic() + _patience(request, service.settings.request_timeout)
        self.in_parts = endpoint == "batch" and _flag(request, "partial")

    async def answer(self, path_pool: str | None) -> Response:
        """The reply. Raises `ForecastError`."""
        service, headers = self.service, self.request.scope["headers"]
        pool = pools.forced(headers, path_pool) or service.pool
        _check_media_type(self.request)
        if pool != service.pool:
            return await self._forward(pool)
        pinned = pools.pinned(headers, len(service.devices.names))
        service.dispatcher.check_open(self.deadline)
        asked = await self._ask()
        answered = await self._answers([each for each in asked if isinstance(each, Question)], pinned)
        return self._reply(asked, answered)

    async def _forward(self, pool: str) -> Response:
        if peer.FORWARDED in self.request.headers:
            raise Unavailable(f"This is no {pool} pool, and the request was forwarded already.", retry_after=1)
        query = f"?{self.request.url.query}" if self.request.url.query else ""
        with self.service.bodies.room() as room:
            forwarded = await self.service.peers.forward(
                pool,
                f"/v1/predict/{self.endpoint}{query}",
                {**self.request.headers, "x-kronos-device": pool},
                await self._within_deadline(room.read(self.request)),
                request_id.get(),
                self._remaining(),
            )
        return Response(forwarded.body, forwarded.status, dict(forwarded.headers))

    async def _ask(self) -> Asked:
        """What the body asks for; the body itself is not needed any more."""
        settings = self.service.settings
        with self.service.bodies.room() as room:
            body = await self._within_deadline(room.read(self.request))
            if self.endpoint == "single":
                asked: Asked = [schemas.single(body, settings, self.deadline)]
            elif self.in_parts:
                asked = schemas.batch_in_parts(body, settings, self.deadline)
            else:
                asked = schemas.batch(body, settings, self.deadline)
        rows = sum(len(each.job.context) for each in asked if isinstance(each, Question))
        self.service.metrics.input_size.labels(self.endpoint).observe(rows)
        return asked

    async def _within_deadline(self, reading: Awaitable[bytes]) -> bytes:
        try:
            async with asyncio.timeout(self._remaining()):
                return await reading
        except TimeoutError:
            raise DeadlineExceeded("The body did not arrive in time.") from None

    async def _answers(self, questions: Sequence[Question], pinned: int | None) -> Answered:
        if not questions:
            return []
        work = asyncio.create_task(self.service.dispatcher.submit([each.job for each in questions], pinned))
        gone = asyncio.create_task(_disconnected(self.request))
        try:
            done, _ = await asyncio.wait((work, gone), timeout=self._remaining(), return_when=asyncio.FIRST_COMPLETED)
            if work in done:
                return work.result()
            if gone in done:
                raise ClientGone("The client left.")
            raise DeadlineExceeded("The forecast was not finished in time.")
        finally:
            work.cancel()
            gone.cancel()

    def _reply(self, asked: Asked, answered: Answered) -> Response:
        """Raises the first failure, unless a batch may be answered in parts."""
        remaining = iter(answered)
        results = [(each, next(remaining) if isinstance(each, Question) else each) for each in asked]
        failures = [result for _, result in results if isinstance(result, ForecastError)]
        if failures and not self.in_parts:
            raise failures[0]
        self._observe(answered)
        elements = [self._element(question, result) for question, result in results]
        content = orjson.dumps(elements[0] if self.endpoint == "single" else elements)
        return Response(content, PARTLY if failures else 200, _account(answered), media_type=JSON)

    def _element(self, question: Question | InvalidRequest, result: Answer | ForecastError) -> dict[str, Any]:
        if isinstance(result, Answer) and isinstance(question, Question):
            return schemas.reply(question, result.forecast, self.service.dispatcher.versions)
        assert isinstance(result, ForecastError)
        series_id = question.series_id if isinstance(question, Question) else None
        return {"series_id": series_id, "error": problems.body(result)}

    def _observe(self, answered: Answered) -> None:
        metrics = self.service.metrics
        for answer in answered:
            if isinstance(answer, Answer):
                metrics.inference.labels(self.endpoint).observe(answer.forecast.seconds)
                metrics.queue.observe(answer.waited)
                metrics.rows.inc(len(answer.forecast.rows))

    def _remaining(self) -> float:
        remaining = self.deadline - time.monotonic()
        if remaining <= 0:
            raise DeadlineExceeded("The request's time is over.")
        return remaining


def _account(answered: Answered) -> dict[str, str]:
    """Headers that say what computed the forecasts, and from how much context."""
    forecasts = [answer.forecast for answer in answered if isinstance(answer, Answer)]
    if not forecasts:
        return {}
    headers = {"x-kronos-device": ",".join(dict.fromkeys(forecast.device for forecast in forecasts))}
    if len(forecasts) <= MOST_LISTED:
        headers["x-kronos-context-used"] = ",".join(str(forecast.context_used) for forecast in forecasts)
        headers["x-kronos-slid-steps"] = ",".join(str(forecast.slid_steps) for forecast in forecasts)
    return headers


def _patience(request: Request, most: float) -> float:
    """Seconds from arrival to deadline: what the client asks for, capped by the setting."""
    asked = request.headers.get("x-request-timeout")
    if asked is None:
        return most
    try:
        seconds = float(asked)
    except ValueError:
        seconds = -1.0
    if not seconds > 0:
        raise InvalidRequest.at(("header", "X-Request-Timeout"), "must be a number of seconds above 0")
    return min(seconds, most)


def _flag(request: Request, name: str) -> bool:
    value = request.query_params.get(name, "false").lower()
    if value not in ("true", "false"):
        raise InvalidRequest.at(("query", name), "must be true or false")
    return value == "true"


def _check_media_type(request: Request) -> None:
    """A body without a type is taken for JSON, as it always was."""
    kind = request.headers.get("content-type", JSON).split(";")[0].strip().lower()
    if kind != JSON and not (kind.startswith("application/") and kind.endswith("+json")):
        raise UnsupportedMedia("The body must be application/json.")


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
