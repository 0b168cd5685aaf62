"""What a forecast is asked with and answered with, as arrays."""

from dataclasses import dataclass, field
from typing import Any, Self, get_args

import numpy as np
from numpy.typing import NDArray

from model.costs import ContextPolicy, used_rows
from model.sampling import Sampling

COLUMNS = ("open", "high", "low", "close", "volume", "amount")
STAMP_LIMITS = {"minute": (0, 59), "hour": (0, 23), "weekday": (0, 6), "day": (1, 31), "month": (1, 12)}
LARGEST_VALUE = 1e18  # its square still fits float32, in which rows are scaled
EPSILON = 1e-5  # added to the standard deviation

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Job:
    """One validated forecast to compute.

    rows: (n, 6) K-lines in the order of COLUMNS. stamps: (n, 5) and horizon_stamps: (h, 5) calendar stamps of the rows
    and of the rows asked for: minute, hour, weekday (Monday 0), day, month. seed: with equal rows and sampling, equal
    paths. context_policy: `exact` slides the window where context and horizon do not fit into it; `fit` drops the
    oldest rows instead, so that nothing slides.
    """

    rows: NDArray[Any]
    stamps: NDArray[Any]
    horizon_stamps: NDArray[Any]
    sampling: Sampling = field(default_factory=Sampling)
    seed: int = 0
    context_policy: ContextPolicy = "exact"

    def __post_init__(self) -> None:
        if self.rows.ndim != 2 or self.rows.shape[1] != len(COLUMNS) or not len(self.rows):
            raise ValueError(f"rows must have the shape (at least 1, {len(COLUMNS)}), not {self.rows.shape}")
        check_finite(self.rows)
        _check_stamps("stamps", self.stamps, len(self.rows))
        _check_stamps("horizon_stamps", self.horizon_stamps, max(1, len(self.horizon_stamps)))
        if self.context_policy not in get_args(ContextPolicy):
            raise ValueError(f"context_policy must be one of {get_args(ContextPolicy)}, not {self.context_policy!r}")

    @property
    def horizon(self) -> int:
        """Rows asked for."""
        return len(self.horizon_stamps)

    @property
    def paths(self) -> int:
        """Sample paths."""
        return self.sampling.sample_count

    def used_rows(self, max_context: int) -> int:
        """Rows that are read under the context policy. Raises ValueError where `fit` cannot fit."""
        return used_rows(len(self.rows), self.horizon, max_context, self.context_policy)


@dataclass(frozen=True, eq=False)
class Scaling:
    """Mean and standard deviation of each column, float32."""

    mean: Array
    std: Array

    @classmethod
    def of(cls, rows: Array) -> Self:
        return cls(rows.mean(axis=0), rows.std(axis=0))

    def apply(self, rows: Array, clip: float) -> Array:
        """Standardised rows, clipped to +-clip."""
        scaled: Array = np.clip((rows - self.mean) / (self.std + np.float32(EPSILON)), -clip, clip)
        return scaled

    def undo(self, scaled: Array) -> Array:
        """Rows in the columns' own units."""
        rows: Array = scaled * (self.std + np.float32(EPSILON)) + self.mean
        return rows


@dataclass(frozen=True, eq=False)
class Forecast:
    """The predicted K-lines and what they rest on.

    klines: (horizon, 6), the mean of the paths. paths: (paths, horizon, 6). context_rows: rows the model saw at its
    first step. slid_steps: steps for which the window had moved. dropped_rows: rows left out by the `fit` policy.
    """

    klines: Array
    paths: Array
    context_rows: int
    slid_steps: int
    dropped_rows: int


def check_finite(rows: NDArray[Any]) -> None:
    """Raise ValueError that names the first column and row that is not a finite number of usable size."""
    bad = np.argwhere(~(np.abs(rows) <= LARGEST_VALUE))
    if len(bad):
        row, column = bad[0]
        value = rows[row, column]
        raise ValueError(
            f"column {COLUMNS[column]}, row {row}: {value} is not a finite number within +-{LARGEST_VALUE:g}"
        )


def _check_stamps(name: str, stamps: NDArray[Any], rows: int) -> None:
    if stamps.shape != (rows, len(STAMP_LIMITS)):
        raise ValueError(f"{name} must have the shape ({rows}, {len(STAMP_LIMITS)}), not {stamps.shape}")
    for column, (part, (low, high)) in enumerate(STAMP_LIMITS.items()):
        bad = np.flatnonzero((stamps[:, column] < low) | (stamps[:, column] > high))
        if len(bad):
            raise ValueError(f"{name}, row {bad[0]}: {part} {stamps[bad[0], column]} is not within {low} to {high}")
