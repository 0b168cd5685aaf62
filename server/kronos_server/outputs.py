"""What can be read off the sample paths besides their mean."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kronos_server.forecasts import COLUMNS, Outputs

CLOSE = COLUMNS.index("close")


def of(paths: NDArray[np.float32], last_close: float, wanted: Outputs) -> dict[str, Any]:
    """The wanted extras of (paths, horizon, 6) sample paths, ready for JSON."""
    close = paths[:, :, CLOSE].astype(np.float64)
    extras: dict[str, Any] = {}
    if wanted.quantiles:
        extras["quantiles"] = quantiles(paths, wanted.quantiles)
    if wanted.paths:
        extras["paths"] = {"close": close[: wanted.paths].tolist()}
    if wanted.prob_up:
        extras["prob_up"] = (close > last_close).mean(axis=0).tolist()
    if wanted.volatility:
        extras["volatility"] = volatility(close, last_close)
    return extras


def quantiles(paths: NDArray[np.float32], levels: tuple[float, ...]) -> dict[str, dict[str, list[float]]]:
    """For every column and level, the quantile of each row over the paths, interpolated linearly."""
    values = np.quantile(paths.astype(np.float64), levels, axis=0)
    return {
        name: {f"{level:g}": values[place, :, column].tolist() for place, level in enumerate(levels)}
        for column, name in enumerate(COLUMNS)
    }


def volatility(close: NDArray[np.float64], last_close: float) -> dict[str, float] | None:
    """Realised volatility over the horizon, the root of the summed squared log returns from the last close on: its
    mean and its 10 % and 90 % quantiles over the paths. None where a close is not positive."""
    if not (close > 0).all():
        return None
    closes = np.concatenate([np.full((len(close), 1), last_close), close], axis=1)
    realised = np.sqrt((np.diff(np.log(closes), axis=1) ** 2).sum(axis=1))
    low, high = np.quantile(realised, (0.1, 0.9))
    return {"mean": float(realised.mean()), "q10": float(low), "q90": float(high)}
