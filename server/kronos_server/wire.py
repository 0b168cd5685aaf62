"""The wire format: what request and reply bodies hold. The API's description is made of it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from kronos_server import klines

MOST_HORIZON = 512
MOST_SAMPLES = 256
MOST_LEVELS = 32


def _refuse_covariates(value: Any) -> Any:
    if value is None:
        return None
    raise PydanticCustomError("covariates", "must be left out: the model takes no covariates")


def _refuse_booleans(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticCustomError("number", "must be a number, or a string that holds one")
    return value


def _number(kind: str, **bounds: float) -> dict[str, Any]:
    return {"anyOf": [{"type": kind, **bounds}, {"type": "string"}, {"type": "null"}]}


_PRICE = {"anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": klines.LARGEST}, {"type": "string"}]}
_SIZE = _number("number", minimum=0, maximum=klines.LARGEST)
_FIELDS = dict.fromkeys(klines.PRICES, _PRICE) | dict.fromkeys(klines.OPTIONAL, _SIZE)
_ROWS = {
    "type": "array",
    "minItems": 1,
    "maxItems": klines.MOST_ROWS,
    "items": {"type": "object", "properties": _FIELDS, "required": list(klines.PRICES)},
}
_LISTS = {
    name: {"type": "array", "minItems": 1, "maxItems": klines.MOST_ROWS, "items": field}
    for name, field in _FIELDS.items()
}
_COLUMNS = {"type": "object", "properties": _LISTS, "required": list(klines.PRICES)}
_MOMENT = {"anyOf": [{"type": "string"}, {"type": "number"}]}
_CANDLES = {
    "anyOf": [_ROWS, _COLUMNS],
    "description": "K-lines in rows or in columns, low <= open, close <= high. Numbers may come as strings.",
}


def _moments(most: int, text: str) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "maxItems": most, "items": _MOMENT, "description": text}


Absent = Annotated[Any, BeforeValidator(_refuse_covariates), WithJsonSchema({"type": "null"})]
Candles = Annotated[Any, WithJsonSchema(_CANDLES)]
Past = Annotated[
    Any,
    WithJsonSchema(
        _moments(klines.MOST_ROWS, "One per K-line, strictly rising: ISO 8601, or epoch seconds or milliseconds.")
    ),
]
Future = Annotated[
    Any,
    WithJsonSchema({"anyOf": [_moments(MOST_HORIZON, "Strictly rising, after the last timestamp."), {"type": "null"}]}),
]
Real = Annotated[
    Annotated[float, Field(ge=0, allow_inf_nan=False)] | None,
    BeforeValidator(_refuse_booleans),
    WithJsonSchema(_number("number", minimum=0)),
]
Count = Annotated[
    Annotated[int, Field(ge=0)] | None,
    BeforeValidator(_refuse_booleans),
    WithJsonSchema(_number("integer", minimum=0)),
]
Samples = Annotated[
    Annotated[int, Field(ge=1, le=MOST_SAMPLES)] | None,
    BeforeValidator(_refuse_booleans),
    WithJsonSchema(_number("integer", minimum=1, maximum=MOST_SAMPLES)),
]
Horizon = Annotated[
    Annotated[int, Field(ge=1, le=MOST_HORIZON)] | None,
    BeforeValidator(_refuse_booleans),
    WithJsonSchema(_number("integer", minimum=1, maximum=MOST_HORIZON)),
]


Seed = Annotated[
    Annotated[int, Field(ge=0, lt=2**63)] | None,
    BeforeValidator(_refuse_booleans),
    WithJsonSchema(_number("integer", minimum=0, maximum=2**63 - 1)),
]
Level = Annotated[float, BeforeValidator(_refuse_booleans), Field(gt=0, lt=1)]
Levels = Annotated[list[Level], Field(min_length=1, max_length=MOST_LEVELS, fail_fast=True)]


class Wire(BaseModel):
    """Unknown keys are ignored: clients put their own next to ours."""

    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())


class Overrides(Wire):
    """How to sample; what is absent or null takes the server's default."""

    pred_len: Horizon = Field(None, description="Must equal the number of prediction timestamps.")
    temperature: Real = Field(None, description="0 is greedy.")
    top_k: Count = Field(None, description="Keep the k most likely tokens; 0 is off.")
    top_p: Real = Field(None, description="Keep this probability mass; 1 and above is off.")
    sample_count: Samples = Field(None, description="Sample paths averaged.")


class WantedOutputs(Wire):
    """What to read off the sample paths besides their mean."""

    quantiles: Levels | None = Field(None, description="Levels between 0 and 1, for every column.")
    paths: Samples = Field(None, description="Sample paths of the close, at most sample_count.")
    prob_up: bool | None = Field(None, description="For every row, the share of paths above the last close.")
    volatility: bool | None = Field(None, description="Realised volatility of the log closes over the horizon.")


class ForecastRequest(Wire):
    """One series to forecast."""

    series_id: str | None = Field(None, description="Echoed in the reply.")
    candles: Candles
    timestamps: Past
    prediction_timestamps: Future = None
    horizon: Horizon = Field(None, description="Rows to forecast, instead of prediction timestamps.")
    freq: str | None = Field(None, description="Step of the horizon, such as 5min, 1h, 1D, 1B; null: as the history's.")
    overrides: Overrides | None = None
    seed: Seed = Field(None, description="Equal seeds give equal sample paths; null: another one every time.")
    context_policy: Literal["exact", "fit"] | None = Field(
        None, description="Where context and horizon exceed the window: slide it (exact), or shorten the context (fit)."
    )
    outputs: WantedOutputs | None = None
    covariates: Absent = None
    exog: Absent = None
    past_covariates: Absent = None
    future_covariates: Absent = None


class BatchItem(ForecastRequest):
    """One series of a batch."""

    series_id: str = Field(description="Echoed in the reply.")


class BatchRequest(Wire):
    """Series to forecast together; they may differ in length, horizon and sampling."""

    items: list[BatchItem] = Field(min_length=1, fail_fast=True)
    covariates: Absent = None
    exog: Absent = None
    past_covariates: Absent = None
    future_covariates: Absent = None


class Envelope(Wire):
    """A batch whose items are looked at one by one."""

    items: list[Any] = Field(min_length=1)
    covariates: Absent = None
    exog: Absent = None
    past_covariates: Absent = None
    future_covariates: Absent = None


class KLine(BaseModel):
    """One predicted row."""

    timestamp: str
    open: float
    high: float
    low: float
    close: float
    volume: float
    amount: float


class Volatility(BaseModel):
    """The root of the summed squared log returns from the last close on, over the paths."""

    mean: float
    q10: float
    q90: float


class ForecastReply(BaseModel):
    """The forecast of one series."""

    model_config = ConfigDict(protected_namespaces=())

    series_id: str | None
    prediction: list[KLine]
    model_version: str
    tokenizer_version: str
    quantiles: dict[str, dict[str, list[float]]] | None = Field(None, description="By column and level, if asked for.")
    paths: dict[str, list[list[float]]] | None = Field(None, description="By column (close), if asked for.")
    prob_up: list[float] | None = Field(None, description="By row, if asked for.")
    volatility: Volatility | None = Field(None, description="If asked for; null where a close is not positive.")


class Place(Wire):
    """One broken rule."""

    loc: list[str | int]
    msg: str


class Problem(Wire):
    """An error, RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[Place]
    request_id: str


class PartReply(BaseModel):
    """An item of a batch that failed, where the others are answered."""

    series_id: str | None
    error: Problem
