"""The checkpoint on one device, computing jobs step by step."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from kronos_server import checkpoints
from kronos_server.checkpoints import Sources
from kronos_server.forecasts import Forecast, Job, Times
from kronos_server.settings import Settings
from model import Kronos, KronosTokenizer
from model import jobs as model_jobs
from model.generation import Engine as ModelEngine
from model.generation import Run
from model.klines import calendar_stamps
from model.sampling import Sampling


class Engine:
    """One model with its tokenizer on one device."""

    def __init__(self, sources: Sources, device: str, threads: int, settings: Settings) -> None:
        torch.set_num_threads(threads)
        model_folder, tokenizer_folder = checkpoints.fetch(sources.model), checkpoints.fetch(sources.tokenizer)
        self.device = device
        self.model_version = checkpoints.version(sources.model, model_folder, settings.model_sha256)
        self.tokenizer_version = checkpoints.version(sources.tokenizer, tokenizer_folder)
        self._engine = ModelEngine(
            Kronos.from_pretrained(str(model_folder)).to(device).eval(),
            KronosTokenizer.from_pretrained(str(tokenizer_folder)).to(device).eval(),
            max_context=settings.max_context,
            clip=settings.clip_value,
        )

    def prefill(self, job: Job) -> Run:
        """Reads the context of a job."""
        sampling = job.sampling
        return self._engine.prefill(
            model_jobs.Job(
                job.context,
                _stamps(job.times),
                _stamps(job.horizon_times),
                Sampling(sampling.temperature, sampling.top_k, sampling.top_p, sampling.sample_count),
                job.seed,
                job.context_policy,
            )
        )

    def step(self, running: Sequence[Run]) -> list[bool]:
        """Moves each job on; says for each whether it has all its rows."""
        self._engine.step(running)
        return [run.done for run in running]

    def finish(self, running: Run) -> Forecast | None:
        """Decodes the next slice of a job; its forecast after the last."""
        forecast = self._engine.finish(running)
        if forecast is None:
            return None
        rows = forecast.klines.astype(np.float64)
        return Forecast(rows, self.device, forecast.context_rows, forecast.slid_steps)


def _stamps(times: Times) -> np.ndarray:
    return calendar_stamps(pd.DatetimeIndex(times))
