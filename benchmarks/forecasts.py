"""Times whole forecasts through the engine, and where their time goes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch

from benchmarks.machine import peak_bytes, reset_peak
from model import generation
from model.generation import Engine, Run
from model.jobs import Job
from model.sampling import Sampling


def random_job(rows: int, horizon: int, paths: int = 1) -> Job:
    """Rows of a random walk, one every five minutes."""
    rng = np.random.default_rng(rows)
    minutes = np.arange(rows + horizon) * 5
    stamps = np.stack((minutes % 60, minutes // 60 % 24, minutes // 1440 % 7, minutes // 1440 % 28 + 1), axis=1)
    stamps = np.concatenate((stamps, np.ones((len(stamps), 1), dtype=np.int64)), axis=1)
    klines = 100 + rng.normal(size=(rows, 6)).cumsum(axis=0)
    return Job(klines, stamps[:rows], stamps[rows:], Sampling(sample_count=paths))


@dataclass
class Times:
    """Seconds of a forecast of one or more jobs, and its parts."""

    total: float
    steps: list[float]
    peak: int
    parts: dict[str, float] = field(default_factory=dict)

    @property
    def step(self) -> float:
        """The median step."""
        return median(self.steps)


def timed(engine: Engine, jobs: list[Job], repeats: int = 5) -> Times:
    """The fastest of several runs of all jobs together, and the parts of one more."""
    _run(engine, [random_job(len(job.rows), 2, job.paths) for job in jobs])
    reset_peak(engine.device)
    best = min((_run(engine, jobs) for _ in range(repeats)), key=lambda times: times.total)
    best.peak = peak_bytes(engine.device)
    with parts(engine) as seconds:
        _run(engine, jobs)
    best.parts = seconds
    return best


def _run(engine: Engine, jobs: list[Job]) -> Times:
    start = perf_counter()
    runs: list[Run] = [engine.prefill(job) for job in jobs]
    steps = []
    while going := [run for run in runs if not run.done]:
        before = _now(engine)
        engine.step(going)
        steps.append(_now(engine) - before)
    for run in runs:
        while engine.finish(run) is None:
            pass
    return Times(_now(engine) - start, steps, 0)


def _now(engine: Engine) -> float:
    if engine.device.type == "cuda":
        torch.cuda.synchronize(engine.device)
    return perf_counter()


@contextmanager
def parts(engine: Engine) -> Iterator[dict[str, float]]:
    """Collects the seconds spent in the tokenizer, in reading contexts, in steps and, within them, in sampling."""
    seconds = {"encode": 0.0, "read": 0.0, "advance": 0.0, "slide": 0.0, "sampling": 0.0, "decode": 0.0}

    def watched(part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any) -> Any:
            start = _now(engine)
            result = call(*arguments)
            seconds[part] += _now(engine) - start
            return result

        return wrapper

    places = [
        (engine.codec, "encode", "encode"),
        (engine.codec, "read", "decode"),
        (engine.codec, "decode", "decode"),
        (engine.language, "read", "read"),
        (engine.language, "advance", "advance"),
        (engine.language, "branch", "slide"),
        (generation, "choose", "sampling"),
        (Run, "noise_of_step", "sampling"),
    ]
    before = [(place, name, getattr(place, name)) for place, name, _ in places]
    for place, name, part in places:
        setattr(place, name, watched(part, getattr(place, name)))
    try:
        yield seconds
    finally:
        for place, name, call in before:
            setattr(place, name, call)
