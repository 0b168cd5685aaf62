"""Warms an engine up and measures its rates."""

from collections.abc import Callable
from dataclasses import astuple, dataclass
from statistics import median
from time import perf_counter

import numpy as np
import torch

from model.costs import Rates
from model.generation import Engine, Run
from model.jobs import COLUMNS, Job
from model.sampling import Sampling

FEW_PATHS, MANY_PATHS = 1, 8
MANY_ROWS = 256
FEWER = 8  # times fewer rows where there are few: close together, noise would pass for the price of a row
HORIZON = 8
REPEATS, PATIENCE = 3, 1.0  # the least of so many counts, since what disturbs makes longer; none is begun after 1 s


@dataclass(frozen=True)
class Timing:
    """Seconds of a job's parts; encode is also within prefill."""

    prefill: float
    step: float
    finish: float
    encode: float


def warm_up(engine: Engine) -> Rates:
    """Forecast made-up rows, so that everything is loaded and laid out, and measure while at it."""
    many_rows = max(2, min(MANY_ROWS, engine.max_context - HORIZON))  # nothing slides, if there is room for that
    few_rows = max(1, many_rows // FEWER)
    few, many = (made_up_job(few_rows, FEW_PATHS), made_up_job(many_rows, MANY_PATHS))
    for job in (few, many):
        _time(engine, job)  # the first calls of each size set things up
    short, long = _best(engine, few), _best(engine, many)
    rows = many_rows - few_rows
    decoded = rows + (MANY_PATHS - FEW_PATHS) * HORIZON
    prefill_row, encode_row = _slope(short.prefill, long.prefill, rows), _slope(short.encode, long.encode, rows)
    step_row = _slope(short.step, long.step, MANY_PATHS - FEW_PATHS)
    decode_row = _slope(short.finish, long.finish, decoded)
    return Rates(
        prefill_call=max(0.0, short.prefill - few_rows * prefill_row),
        encode_row=min(encode_row, prefill_row),
        read_row=max(0.0, prefill_row - encode_row),
        step_call=max(0.0, short.step - FEW_PATHS * step_row),
        step_row=step_row,
        decode_call=max(0.0, short.finish - (few_rows + FEW_PATHS * HORIZON) * decode_row),
        decode_row=decode_row,
    )


def made_up_job(rows: int, paths: int) -> Job:
    """A job over a random walk that is the same every time."""
    rng = np.random.default_rng(0)
    klines = 100 + rng.normal(size=(rows, len(COLUMNS))).cumsum(axis=0)
    stamps = np.tile(np.array([[0, 0, 0, 1, 1]]), (rows + HORIZON, 1))
    return Job(klines, stamps[:rows], stamps[rows:], Sampling(sample_count=paths))


def _best(engine: Engine, job: Job) -> Timing:
    until = perf_counter() + PATIENCE
    timings = [_time(engine, job)]
    while len(timings) < REPEATS and perf_counter() < until:
        timings.append(_time(engine, job))
    return Timing(*(min(parts) for parts in zip(*map(astuple, timings), strict=True)))


@torch.inference_mode()
def _time(engine: Engine, job: Job) -> Timing:
    scaled = torch.zeros(len(job.rows), len(COLUMNS), device=engine.device)
    encode = _seconds(engine, lambda: engine.codec.encode(scaled))
    runs = []
    prefill = _seconds(engine, lambda: runs.append(engine.prefill(job)))
    [run] = runs
    steps = []
    while not run.done:
        steps.append(_seconds(engine, lambda: engine.step([run])))
    finish = _seconds(engine, lambda: _finish(engine, run))
    step = median(steps[1:])  # the first reads nothing back
    return Timing(prefill, step, finish, encode)


def _finish(engine: Engine, run: Run) -> None:
    while engine.finish(run) is None:
        pass


def _seconds(engine: Engine, effect: Callable[[], object]) -> float:
    start = perf_counter()
    effect()
    if engine.device.type == "cuda":
        torch.cuda.synchronize(engine.device)
    return perf_counter() - start


def _slope(low: float, high: float, distance: int) -> float:
    return max(0.0, high - low) / distance
