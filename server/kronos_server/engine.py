"""The checkpoint on one device, computing jobs step by step."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pandas as pd
import psutil
import torch
from numpy.typing import NDArray

from kronos_server import checkpoints, outputs
from kronos_server.checkpoints import Sources
from kronos_server.devices import CGROUP
from kronos_server.errors import ModelInvalid, OutOfMemory
from kronos_server.estimates import Capacity
from kronos_server.forecasts import Forecast, Job, Times
from kronos_server.settings import Settings
from model import Kronos, KronosTokenizer, generation, jobs
from model.klines import calendar_stamps
from model.sampling import Sampling
from model.warmup import warm_up

MEMORY_SHARE = 0.5
"""Of the memory that is free once the weights are loaded; the rest is for what steps need in passing."""


class Run:
    """A job under way in the model."""

    def __init__(self, job: Job, run: generation.Run) -> None:
        self.job = job
        self.run = run

    @property
    def done(self) -> bool:
        """Whether it has all its rows."""
        return self.run.done

    @property
    def slides(self) -> bool:
        """Whether its window has moved."""
        return self.run.slides

    @property
    def tokens(self) -> int:
        """Rows drawn so far, over all paths."""
        return self.run.steps * self.run.job.paths + self.run.path


class Engine:
    """One model with its tokenizer on one device. Raises `ModelInvalid` where the checkpoint is not fit."""

    def __init__(self, sources: Sources, device: str, threads: int, settings: Settings) -> None:
        torch.set_num_threads(threads)
        model_folder, tokenizer_folder = checkpoints.fetch(sources.model), checkpoints.fetch(sources.tokenizer)
        self.device = device
        try:
            self.model_version = checkpoints.version(sources.model, model_folder, settings.model_sha256)
            self.tokenizer_version = checkpoints.version(sources.tokenizer, tokenizer_folder)
            self._engine = generation.Engine(
                Kronos.from_pretrained(str(model_folder)).to(device).eval(),
                KronosTokenizer.from_pretrained(str(tokenizer_folder)).to(device).eval(),
                max_context=settings.max_context,
                clip=settings.clip_value,
            )
        except (OSError, ValueError) as error:
            raise ModelInvalid(str(error)) from error

    def measure(self, engines: int, tokens: int) -> Capacity:
        """Warms up, and says what this engine can do; `tokens` it may remember, 0 for what its memory holds."""
        rates = warm_up(self._engine)
        return Capacity(self._engine.max_context, tokens or self._tokens(engines), rates)

    def prefill(self, job: Job) -> Run:
        """Reads the context of a job."""
        sampling = job.sampling
        asked = jobs.Job(
            job.context,
            _stamps(job.times),
            _stamps(job.horizon_times),
            Sampling(sampling.temperature, sampling.top_k, sampling.top_p, sampling.sample_count),
            job.seed,
            job.context_policy,
        )
        with _memory_errors():
            return Run(job, self._engine.prefill(asked))

    def step(self, runs: Sequence[Run]) -> None:
        """Moves each on by a row, or by a part of one where its window has moved."""
        with _memory_errors():
            self._engine.step([each.run for each in runs])

    def finish(self, run: Run) -> Forecast | None:
        """Decodes the next slice of a job; its forecast after the last."""
        with _memory_errors():
            forecast = self._engine.finish(run.run)
        if forecast is None:
            return None
        return Forecast(
            rows=forecast.klines.astype(np.float64),
            device=self.device,
            context_used=forecast.context_rows,
            slid_steps=forecast.slid_steps,
            extras=outputs.of(forecast.paths, float(run.job.context[-1, 3]), run.job.outputs),
        )

    def _tokens(self, engines: int) -> int:
        kind = self._engine.device.type
        free = torch.cuda.mem_get_info(self._engine.device)[0] if kind == "cuda" else _free_memory() / engines
        return max(1, int(free * MEMORY_SHARE / self._engine.bytes_per_token))


def _stamps(times: Times) -> NDArray[np.int64]:
    return calendar_stamps(pd.DatetimeIndex(times))


@contextmanager
def _memory_errors() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        # CUDA has a type of its own for this, the processor's allocator only a message.
        if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
            raise
        torch.cuda.empty_cache()
        raise OutOfMemory(str(error)) from error


def _free_memory() -> float:
    """Bytes this container may still take: its cgroup's limit (v2) less its use, at most what the machine has."""
    available = float(psutil.virtual_memory().available)
    try:
        limit, current = ((CGROUP / name).read_text().strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return available
    return available if limit == "max" else min(available, max(0.0, float(limit) - float(current)))
