"""`KronosPredictor`: forecasts of DataFrames."""

import logging
from collections import deque
from collections.abc import Sequence
from time import perf_counter

import pandas as pd
import torch

from model.costs import ContextPolicy
from model.generation import Engine, Run
from model.jobs import Forecast, Job
from model.klines import Timestamps, calendar_stamps, frame, read_rows, read_timestamps
from model.kronos import Kronos
from model.linears import WeightType
from model.sampling import Sampling
from model.tokenizer import KronosTokenizer

logger = logging.getLogger(__name__)

TOKENS_AT_ONCE = 65_536  # cached at a time by forecast_all; 2 GiB at the size of Kronos-small


class KronosPredictor:
    """Forecasts K-lines with a model and its tokenizer on one device.

    device: where to compute; None takes cuda:0, else mps, else cpu. max_context: rows the model may see. clip: bound of
    the scaled values. weights: float32, or int8 for speed on the CPU at a small loss of exactness. The weights are read
    at construction; several threads may forecast at once.
    """

    def __init__(
        self,
        model: Kronos,
        tokenizer: KronosTokenizer,
        device: str | torch.device | None = None,
        max_context: int = 512,
        clip: float = 5,
        *,
        weights: WeightType = "float32",
    ) -> None:
        self.device = torch.device(device or best_device())
        self.model = model.to(self.device).eval()
        self.tokenizer = tokenizer.to(self.device).eval()
        self.max_context = max_context
        self.clip = clip
        self.engine = Engine(self.model, self.tokenizer, max_context=max_context, clip=clip, weights=weights)

    def predict(
        self,
        df: pd.DataFrame,
        x_timestamp: Timestamps,
        y_timestamp: Timestamps,
        pred_len: int,
        T: float = 1.0,  # noqa: N803 - the name existing scripts use
        top_k: int = 0,
        top_p: float = 0.9,
        sample_count: int = 1,
        verbose: bool = True,
        *,
        seed: int | None = None,
        context_policy: ContextPolicy = "exact",
    ) -> pd.DataFrame:
        """Forecast one series; see `predict_batch`."""
        return self.predict_batch(
            [df],
            [x_timestamp],
            [y_timestamp],
            pred_len,
            T,
            top_k,
            top_p,
            sample_count,
            verbose,
            seed=seed,
            context_policy=context_policy,
        )[0]

    def predict_batch(
        self,
        df_list: Sequence[pd.DataFrame],
        x_timestamp_list: Sequence[Timestamps],
        y_timestamp_list: Sequence[Timestamps],
        pred_len: int,
        T: float = 1.0,  # noqa: N803 - the name existing scripts use
        top_k: int = 0,
        top_p: float = 0.9,
        sample_count: int = 1,
        verbose: bool = True,
        *,
        seed: int | None = None,
        context_policy: ContextPolicy = "exact",
    ) -> list[pd.DataFrame]:
        """Forecast several series, of any lengths, at once.

        df_list: K-lines with open, high, low, close and, where known, volume and amount. x_timestamp_list: their
        timestamps; y_timestamp_list: those of the pred_len rows to forecast. T (temperature, 0 is greedy), top_k, top_p
        and sample_count: see `Sampling`; the paths are averaged. verbose: log the time taken, at INFO. seed: equal
        seeds give a series equal paths whatever is forecast beside it; None takes one for each series from torch's
        global generator. context_policy: see `Job`; the `attrs` of each result say what was done. Raises ValueError
        that names the series, the column and the row of what is wrong.
        """
        lengths = {len(df_list), len(x_timestamp_list), len(y_timestamp_list)}
        if len(lengths) != 1:
            raise ValueError(
                f"df_list, x_timestamp_list and y_timestamp_list must be equally long, not {len(df_list)}, "
                f"{len(x_timestamp_list)} and {len(y_timestamp_list)}"
            )
        sampling = Sampling(T, top_k, top_p, sample_count)
        jobs, indices = [], []
        for number, series in enumerate(zip(df_list, x_timestamp_list, y_timestamp_list, strict=True)):
            try:
                job, index = read_job(*series, pred_len, sampling, _seed(seed), context_policy)
                job.used_rows(self.max_context)
            except ValueError as error:
                raise ValueError(f"series {number}: {error}") from error
            jobs.append(job)
            indices.append(index)
        start = perf_counter()
        forecasts = forecast_all(self.engine, jobs)
        if verbose:
            logger.info("forecast %d series of %d rows in %.2f s", len(jobs), pred_len, perf_counter() - start)
        return [frame(forecast, index) for forecast, index in zip(forecasts, indices, strict=True)]


def read_job(
    df: pd.DataFrame,
    x_timestamp: Timestamps,
    y_timestamp: Timestamps,
    horizon: int,
    sampling: Sampling,
    seed: int,
    context_policy: ContextPolicy,
) -> tuple[Job, pd.DatetimeIndex]:
    """The job that a series asks for, and the timestamps of its forecast. Raises ValueError."""
    if horizon < 1:
        raise ValueError(f"pred_len must be at least 1, not {horizon}")
    rows = read_rows(df)
    past = read_timestamps("x_timestamp", x_timestamp, len(rows))
    future = read_timestamps("y_timestamp", y_timestamp, horizon)
    if (past.tz is None) != (future.tz is None):
        raise ValueError("x_timestamp and y_timestamp must both have a time zone or both have none")
    if future[0] <= past[-1]:
        raise ValueError(f"y_timestamp, row 0: {future[0]} is not after {past[-1]}, the last of x_timestamp")
    return Job(rows, calendar_stamps(past), calendar_stamps(future), sampling, seed, context_policy), future


def forecast_all(engine: Engine, jobs: Sequence[Job]) -> list[Forecast]:
    """Run jobs together, as many at a time as their tokens fit; forecasts in the order of the jobs."""
    waiting = deque(enumerate(jobs))
    running: dict[int, Run] = {}
    forecasts: dict[int, Forecast] = {}
    while waiting or running:
        held = sum(engine.work(run.job).tokens for run in running.values())
        while waiting and (not running or held + engine.work(waiting[0][1]).tokens <= TOKENS_AT_ONCE):
            number, job = waiting.popleft()
            running[number] = engine.prefill(job)
            held += engine.work(job).tokens
        engine.step(list(running.values()))
        for number in [number for number, run in running.items() if run.done]:
            forecasts[number] = finish(engine, running.pop(number))
    return [forecasts[number] for number in range(len(jobs))]


def finish(engine: Engine, run: Run) -> Forecast:
    """Decode all slices of a done run."""
    while (forecast := engine.finish(run)) is None:
        pass
    return forecast


def best_device() -> str:
    """cuda:0, else mps, else cpu."""
    if torch.cuda.is_available():
        return "cuda:0"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _seed(seed: int | None) -> int:
    return int(torch.randint(2**63 - 1, ()).item()) if seed is None else seed
