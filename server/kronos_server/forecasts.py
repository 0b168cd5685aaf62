"""The values of the domain: a job to compute, how to sample it, and the forecast that answers it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]
ContextPolicy = Literal["exact", "fit"]
Times = NDArray[np.datetime64]

COLUMNS = ("open", "high", "low", "close", "volume", "amount")
"""The columns of a K-line, in the order in which the model was trained."""


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn. Temperature 0 is greedy, top_k 0 and top_p 1 are off, sample_count is paths averaged."""

    temperature: float
    top_k: int
    top_p: float
    sample_count: int


@dataclass(frozen=True)
class Outputs:
    """What is wanted besides the mean of the paths: quantile levels, a number of paths, and two measures."""

    quantiles: tuple[float, ...] = ()
    paths: int = 0
    prob_up: bool = False
    volatility: bool = False


@dataclass(frozen=True, eq=False)
class Job:
    """One validated series to forecast.

    `context` is (rows, 6) in the order of `COLUMNS`; `times` (rows,) and `horizon_times` (horizon,) are the wall
    clock of the series' own zone; `deadline` is on the clock of `time.monotonic`, which the processes of a machine
    share.
    """

    id: int
    context: Rows
    times: Times
    horizon_times: Times
    sampling: Sampling
    deadline: float
    seed: int = 0
    context_policy: ContextPolicy = "exact"
    outputs: Outputs = Outputs()

    @property
    def horizon(self) -> int:
        """Rows to forecast."""
        return len(self.horizon_times)


@dataclass(frozen=True, eq=False)
class Forecast:
    """The predicted K-lines, (horizon, 6) in the order of `COLUMNS`, and how they came about.

    `context_used` counts the rows that the model saw at its first step, `slid_steps` the steps whose window had moved,
    `extras` are the wanted outputs, ready for JSON, `seconds` the time from the first computation to the last.
    """

    rows: Rows
    device: str
    context_used: int
    slid_steps: int
    extras: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Versions:
    """What computes forecasts: ids with the first digits of their weights' sha256."""

    model: str
    tokenizer: str
