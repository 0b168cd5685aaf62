"""The forecast endpoints: which pool, how large, until when; then a job for the engines."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response

from kronos_server import peer, pools, schemas
from kronos_server.dispatch import Answer
from kronos_server.errors import ClientGone, DeadlineExceeded, InvalidRequest, TooLarge, Unavailable, UnsupportedMedia
from kronos_server.forecasts import Versions
from kronos_server.logs import request_id
from kronos_server.openapi import description
from kronos_server.schemas import Question
from kronos_server.service import Service
from kronos_server.settings import Settings

JSON = "application/json"


@dataclass(frozen=True)
class Endpoint:
    """One of the two forecast endpoints: how its body is read, and how its reply is written."""

    name: str
    questions: Callable[[bytes, Settings, float], list[Question]]
    reply: Callable[[Sequence[Question], Sequence[Answer], Versions], bytes]


def _single_question(body: bytes, settings: Settings, deadline: float) -> list[Question]:
    return [schemas.single(body, settings, deadline)]


def _single_reply(questions: Sequence[Question], answers: Sequence[Answer], versions: Versions) -> bytes:
    return schemas.single_reply(questions[0], answers[0].forecast, versions)


def _batch_reply(questions: Sequence[Question], answers: Sequence[Answer], versions: Versions) -> bytes:
    return schemas.batch_reply(questions, [answer.forecast for answer in answers], versions)


ENDPOINTS = (
    Endpoint("single", _single_question, _single_reply),
    Endpoint("batch", schemas.batch, _batch_reply),
)


def forecast_routes(service: Service) -> APIRouter:
    """`/v1/predict/{single,batch}`, and the same under `/v1/devices/{cpu,gpu}`."""
    router = APIRouter(tags=["forecasts"])
    for endpoint in ENDPOINTS:
        for pool in (None, *pools.POOLS):
            prefix = f"/v1/devices/{pool}" if pool else "/v1"
            router.add_api_route(
                f"{prefix}/predict/{endpoint.name}",
                _handler(service, endpoint, pool),
                methods=["POST"],
                name=f"predict_{endpoint.name}_{pool}" if pool else f"predict_{endpoint.name}",
                **description(endpoint.name, pool),
            )
    return router


def _handler(service: Service, endpoint: Endpoint, pool: str | None) -> Callable[[Request], Awaitable[Response]]:
    async def predict(request: Request) -> Response:
        arrived = time.monotonic()
        with service.metrics.concurrent.track_inprogress():
            return await _Exchange(service, endpoint, request, arrived).answer(pool)

    return predict


class _Exchange:
    """One request on its way to a reply."""

    def __init__(self, service: Service, endpoint: Endpoint, request: Request, arrived: float) -> None:
        self.service = service
        self.endpoint = endpoint
        self.request = request
        self.deadline = arrived + _patience(request, service.settings)

    async def answer(self, path_pool: str | None) -> Response:
        """The reply. Raises `ForecastError`."""
        service, headers = self.service, self.request.scope["headers"]
        pool = pools.forced(headers, path_pool) or service.pool
        _check_media_type(self.request)
        if pool != service.pool:
            return await self._forward(pool)
        pinned = pools.pinned(headers, len(service.devices.names))
        service.dispatcher.check_open()
        questions = self.endpoint.questions(await self._body(), service.settings, self.deadline)
        service.metrics.input_size.labels(self.endpoint.name).observe(sum(len(q.job.context) for q in questions))
        return self._reply(questions, await self._forecasts(questions, pinned))

    async def _forward(self, pool: str) -> Response:
        if peer.FORWARDED in self.request.headers:
            raise Unavailable(f"This is no {pool} pool, and the request was forwarded already.", retry_after=1)
        query = f"?{self.request.url.query}" if self.request.url.query else ""
        forwarded = await self.service.peers.forward(
            pool,
            f"/v1/predict/{self.endpoint.name}{query}",
            {**self.request.headers, "x-kronos-device": pool},
            await self._body(),
            request_id.get(),
            self._remaining(),
        )
        return Response(forwarded.body, forwarded.status, dict(forwarded.headers))

    async def _body(self) -> bytes:
        limit = self.service.settings.max_request_bytes
        try:
            async with asyncio.timeout(self._remaining()):
                return await _read(self.request, limit)
        except TimeoutError:
            raise DeadlineExceeded("The body did not arrive in time.") from None

    async def _forecasts(self, questions: Sequence[Question], pinned: int | None) -> list[Answer]:
        work = asyncio.create_task(self.service.dispatcher.submit([question.job for question in questions], pinned))
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

    def _reply(self, questions: Sequence[Question], answers: Sequence[Answer]) -> Response:
        for answer in answers:
            self.service.metrics.inference.labels(self.endpoint.name).observe(answer.forecast.seconds)
        body = self.endpoint.reply(questions, answers, self.service.dispatcher.versions)
        devices = dict.fromkeys(answer.forecast.device for answer in answers)
        return Response(body, media_type=JSON, headers={"x-kronos-device": ",".join(devices)})

    def _remaining(self) -> float:
        remaining = self.deadline - time.monotonic()
        if remaining <= 0:
            raise DeadlineExceeded("The request's time is over.")
        return remaining


def _patience(request: Request, settings: Settings) -> float:
    """Seconds from arrival to deadline: what the client asks for, capped by the setting."""
    asked = request.headers.get("x-request-timeout")
    if asked is None:
        return settings.request_timeout
    try:
        seconds = float(asked)
    except ValueError:
        seconds = -1.0
    if not seconds > 0:
        raise InvalidRequest.at(("header", "X-Request-Timeout"), "must be a number of seconds above 0")
    return min(seconds, settings.request_timeout)


def _check_media_type(request: Request) -> None:
    """A body without a type is taken for JSON, as it always was."""
    kind = request.headers.get("content-type", JSON).split(";")[0].strip().lower()
    if kind != JSON and not (kind.startswith("application/") and kind.endswith("+json")):
        raise UnsupportedMedia("The body must be application/json.")


async def _read(request: Request, limit: int) -> bytes:
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > limit:
        raise TooLarge(f"The body is larger than {limit} bytes.")
    body = bytearray()
    while True:
        message: Any = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientGone("The client left.")
        body += message.get("body", b"")
        if len(body) > limit:
            raise TooLarge(f"The body is larger than {limit} bytes.")
        if not message.get("more_body"):
            return bytes(body)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
