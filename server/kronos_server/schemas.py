"""Request bodies to jobs, forecasts to reply bodies."""

import itertools
import random
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import orjson
from pydantic import BaseModel, ValidationError

from kronos_server import klines, timestamps
from kronos_server.errors import ForecastError, InvalidRequest, Violation
from kronos_server.forecasts import COLUMNS, ContextPolicy, Forecast, Job, Outputs, Sampling, Versions
from kronos_server.settings import Settings
from kronos_server.timestamps import Moments
from kronos_server.wire import (
    MOST_HORIZON,
    BatchItem,
    BatchRequest,
    Envelope,
    ForecastRequest,
    Overrides,
    WantedOutputs,
)

Loc = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)

MOST_VIOLATIONS = 20
# Float32 has no room beyond: colder is greedy, hotter is uniform already.
COLDEST, HOTTEST = 1e-6, 1e6
# Above any vocabulary, and small enough for every integer type on the way.
MOST_TOKENS = 2**20

ROW = ("timestamp", *COLUMNS)

_ids = itertools.count(1)


@dataclass(frozen=True, eq=False)
class Question:
    """A validated request for one series: the job, and what its reply repeats."""

    series_id: str | None
    future: Moments
    job: Job


def single(body: bytes, settings: Settings, deadline: float) -> Question:
    """The body of a single request. Raises `InvalidRequest`."""
    return _question(_validated(ForecastRequest, _loads(body)), settings, deadline, ("body",))


def batch(body: bytes, settings: Settings, deadline: float) -> list[Question]:
    """The body of a batch request; one bad item makes all of it invalid. Raises `InvalidRequest`."""
    items = _validated(BatchRequest, _loads(body)).items
    return [_question(item, settings, deadline, ("body", "items", index)) for index, item in enumerate(items)]


def batch_in_parts(body: bytes, settings: Settings, deadline: float) -> list[Question | InvalidRequest]:
    """The body of a batch request, item by item: good or bad. Raises `InvalidRequest` if it is no batch."""
    items = _validated(Envelope, _loads(body)).items
    return [_part(item, settings, deadline, ("body", "items", index)) for index, item in enumerate(items)]


def _part(item: Any, settings: Settings, deadline: float, loc: Loc) -> Question | InvalidRequest:
    try:
        return _question(_validated(BatchItem, item, loc), settings, deadline, loc)
    except InvalidRequest as error:
        return error


def _loads(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        # The decoder says what and where, and quotes nothing.
        raise InvalidRequest("The body is not JSON.", violations=[Violation(("body", error.pos), error.msg)]) from None


def _validated(model: type[Model], value: Any, loc: Loc = ("body",)) -> Model:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        complaints = error.errors(include_url=False, include_context=False, include_input=False)[:MOST_VIOLATIONS]
        violations = [Violation((*loc, *complaint["loc"]), complaint["msg"]) for complaint in complaints]
        raise InvalidRequest("The request breaks a rule.", violations=violations) from None


def _question(request: ForecastRequest, settings: Settings, deadline: float, loc: Loc) -> Question:
    context = klines.parse(request.candles, (*loc, "candles"))
    past = timestamps.parse(request.timestamps, (*loc, "timestamps"), klines.MOST_ROWS)
    if len(past.instants) != len(context):
        msg = f"must be as many as candles: {len(past.instants)} timestamps, {len(context)} K-lines"
        raise InvalidRequest.at((*loc, "timestamps"), msg)
    future = _future(request, past, settings, loc)
    times, horizon_times = timestamps.wall_clocks(past, future)
    sampling = _sampling(request.overrides or Overrides(), settings)
    return Question(
        series_id=request.series_id,
        future=future,
        job=Job(
            id=next(_ids),
            context=context,
            times=times,
            horizon_times=horizon_times,
            sampling=sampling,
            deadline=deadline,
            seed=random.getrandbits(63) if request.seed is None else request.seed,
            context_policy=_policy(request, settings, len(horizon_times), loc),
            outputs=_outputs(request.outputs, sampling, (*loc, "outputs")),
        ),
    )


def _policy(request: ForecastRequest, settings: Settings, horizon: int, loc: Loc) -> ContextPolicy:
    policy = request.context_policy or settings.context_policy
    if policy == "fit" and horizon >= settings.max_context:
        msg = f"cannot fit {horizon} rows to forecast into a window of {settings.max_context}: ask for fewer, or exact"
        raise InvalidRequest.at((*loc, "context_policy"), msg)
    return policy


def _outputs(wanted: WantedOutputs | None, sampling: Sampling, loc: Loc) -> Outputs:
    if wanted is None:
        return Outputs()
    if (wanted.paths or 0) > sampling.sample_count:
        raise InvalidRequest.at((*loc, "paths"), f"must be at most sample_count, {sampling.sample_count}")
    return Outputs(
        quantiles=tuple(dict.fromkeys(wanted.quantiles or ())),
        paths=wanted.paths or 0,
        prob_up=bool(wanted.prob_up),
        volatility=bool(wanted.volatility),
    )


def _future(request: ForecastRequest, past: Moments, settings: Settings, loc: Loc) -> Moments:
    """The timestamps to forecast: those sent, or the history continued."""
    pred_len = request.overrides.pred_len if request.overrides else None
    asked = {("horizon",): request.horizon, ("overrides", "pred_len"): pred_len}
    wanted = {place: count for place, count in asked.items() if count is not None}
    if request.prediction_timestamps is None:
        horizon = next(iter(wanted.values()), settings.default_pred_len)
        future = timestamps.continued(past, horizon, request.freq, (*loc, "freq"))
    else:
        future = _sent_future(request.prediction_timestamps, past, (*loc, "prediction_timestamps"))
    for place, count in wanted.items():
        if count != len(future.instants):
            raise InvalidRequest.at((*loc, *place), f"must equal the rows to forecast, {len(future.instants)}")
    return future


def _sent_future(values: Any, past: Moments, loc: Loc) -> Moments:
    future = timestamps.parse(values, loc, MOST_HORIZON)
    if future.aware != past.aware:
        raise InvalidRequest.at(loc, "must carry a zone just as timestamps do: send all with one, or all without")
    if future.instants[0] <= past.instants[-1]:
        raise InvalidRequest.at((*loc, 0), "must be after the last of timestamps")
    return future


def _sampling(overrides: Overrides, settings: Settings) -> Sampling:
    def chosen(name: str) -> Any:
        value = getattr(overrides, name)
        return getattr(settings, f"default_{name}") if value is None else value

    temperature = chosen("temperature")
    return Sampling(
        temperature=0.0 if temperature < COLDEST else min(temperature, HOTTEST),
        top_k=min(chosen("top_k"), MOST_TOKENS),
        top_p=min(chosen("top_p"), 1.0),
        sample_count=chosen("sample_count"),
    )


def reply(question: Question, forecast: Forecast, versions: Versions) -> dict[str, Any]:
    """The reply to a single request, and an element of the reply to a batch, which is a bare list."""
    if not np.isfinite(forecast.rows).all():
        raise ForecastError("The model's forecast is not finite.")
    rows = zip(timestamps.written(question.future), *forecast.rows.T.tolist(), strict=True)
    return {
        "series_id": question.series_id,
        "prediction": [dict(zip(ROW, row, strict=True)) for row in rows],
        "model_version": versions.model,
        "tokenizer_version": versions.tokenizer,
        **forecast.extras,
    }
