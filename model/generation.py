"""The engine: starts jobs, moves any mix of them one K-line further, and turns finished ones into forecasts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from model.costs import Work, windows, work_of
from model.inference import Codec, LanguageModel, Memory
from model.jobs import Forecast, Job, Scaling
from model.kronos import Kronos
from model.linears import WeightType, packing
from model.network import joined
from model.pairing import check_pair
from model.sampling import COARSE, FINE, Draws, choose, noise_of
from model.tokenizer import KronosTokenizer

NOISE_AHEAD = 16  # steps of one path whose noise is made at once; one by one it takes 4 times as long
SLICE_ROWS = 1024  # rows decoded or re-read in one go; about 50 ms on two cores at the published tokenizer's size


@dataclass(eq=False)
class Run:
    """A job in progress: its tokens and its memory. Dropping it cancels the job; nothing else refers to it."""

    job: Job
    max_context: int
    scaling: Scaling
    draws: Draws
    context: Tensor  # (2, rows) coarse and fine tokens of the rows in the first window
    calendar: Tensor  # (rows + horizon, dim)
    memory: Memory | None
    last: Tensor | None  # (paths, dim) context row that the next tokens are drawn from; None: not read yet
    drawn: Tensor  # (2, paths, horizon) coarse and fine tokens
    dropped_rows: int
    steps: int = 0  # rows drawn in every path
    path: int = 0  # paths that have drawn one row more; only while sliding
    noise: Tensor | None = field(default=None, repr=False)  # (2, steps, paths, vocabulary), the next included
    decoding: Iterator[Forecast | None] | None = field(default=None, repr=False)

    @property
    def done(self) -> bool:
        """Whether every row is drawn, so that the run is ready to be finished."""
        return self.steps == self.job.horizon

    @property
    def rows(self) -> int:
        """Context rows in the first window."""
        return self.context.shape[1]

    @property
    def slides(self) -> bool:
        """Whether the next row is drawn from a window that has moved."""
        return self.rows + self.steps > self.max_context

    def noise_of_step(self, vocabulary: int) -> Tensor:
        """Noise of the next step (2, paths, vocabulary), made for some steps at once."""
        ahead = max(1, NOISE_AHEAD // self.job.paths)
        if self.noise is None or self.steps % ahead == 0:
            steps = torch.arange(self.steps, self.steps + ahead, device=self.drawn.device)
            self.noise = noise_of(self.draws, steps[:, None], vocabulary)
        return self.noise[:, self.steps % ahead]

    def tokens(self, paths: slice) -> Tensor:
        """Context and drawn tokens of some paths: (2, paths, rows + steps)."""
        drawn = self.drawn[:, paths, : self.steps]
        return torch.cat((self.context[:, None].expand(-1, drawn.shape[1], -1), drawn), dim=-1)


class Engine:
    """A checkpoint, packed for one device, that runs jobs step by step.

    It keeps nothing of a job between calls, so threads may share it; a run belongs to one thread at a time. Weights are
    read at construction. All randomness comes from the jobs' seeds. weights: float32, or int8 on the CPU, which rounds
    the language model's weights and activations (never the tokenizer's) for speed.
    """

    def __init__(
        self,
        kronos: Kronos,
        tokenizer: KronosTokenizer,
        *,
        max_context: int = 512,
        clip: float = 5.0,
        weights: WeightType = "float32",
    ) -> None:
        check_pair(kronos, tokenizer)
        self.max_context = max_context
        self.clip = clip
        self.device = kronos.norm.weight.device
        with torch.inference_mode():
            self.language = LanguageModel(kronos, max_context, packing(weights, self.device))
            self.codec = Codec(tokenizer, max_context, packing("float32", self.device))

    @property
    def bytes_per_token(self) -> int:
        """Memory of one token, see `Work.tokens`."""
        return self.language.bytes_per_token

    def work(self, job: Job) -> Work:
        """What the job asks of this engine. Raises ValueError where its context policy cannot be kept."""
        return work_of(len(job.rows), job.horizon, job.paths, self.max_context, job.context_policy)

    @torch.inference_mode()
    def prefill(self, job: Job) -> Run:
        """Read a job's context; its paths share what is remembered of it."""
        used = job.used_rows(self.max_context)
        rows = job.rows[len(job.rows) - used :].astype(np.float32)
        scaling = Scaling.of(rows)
        tokens = self.codec.encode(torch.from_numpy(scaling.apply(rows, self.clip)).to(self.device))
        context = tokens[:, -self.max_context :]
        stamps = np.concatenate((job.stamps[-context.shape[1] :], job.horizon_stamps))
        calendar = self.language.embed_calendar(torch.from_numpy(stamps).to(self.device))
        room = min(job.horizon - 1, self.max_context - context.shape[1])
        memory = self.language.memory(job.paths, context.shape[1], room)
        last = self.language.read(self.language.embed(context, calendar[: context.shape[1]]), memory)
        return Run(
            job=job,
            max_context=self.max_context,
            scaling=scaling,
            draws=Draws.of(job.sampling, job.seed, self.device),
            context=context,
            calendar=calendar,
            memory=memory,
            last=last.expand(job.paths, -1),
            drawn=torch.zeros(2, job.paths, job.horizon, dtype=torch.int64, device=self.device),
            dropped_rows=len(job.rows) - used,
        )

    @torch.inference_mode()
    def step(self, batch: Sequence[Run]) -> None:
        """Move every run of the batch on; runs may join and leave between steps.

        A run whose window has room draws one K-line in all its paths. A run whose window slides re-reads the window
        for as many paths as make about one window of work, and is a K-line further when every path had its turn.
        """
        if any(run.done for run in batch):
            raise ValueError("a run that is done can only be finished")
        growing, sliding = [run for run in batch if not run.slides], [run for run in batch if run.slides]
        if growing:
            self._grow(growing)
        for run in sliding:
            self._slide(run)

    @torch.inference_mode()
    def finish(self, run: Run) -> Forecast | None:
        """Decode the next slice of a done run's tokens; the forecast once all are decoded, else None."""
        if not run.done:
            raise ValueError(f"the run has drawn {run.steps} of {run.job.horizon} rows")
        if run.decoding is None:
            run.decoding = self._decode(run)
        return next(run.decoding)

    def _grow(self, runs: list[Run]) -> None:
        # A run changes at the end of each part only, so that a step that failed for want of memory can be repeated.
        unread = [run for run in runs if run.last is None]
        if unread:
            self._read_drawn(unread)
        context = joined([run.last for run in runs if run.last is not None])
        memories = [run.memory for run in runs if run.memory is not None]
        draws = Draws.join([run.draws for run in runs])
        paths = [run.job.paths for run in runs]
        noise = joined([run.noise_of_step(self.language.vocabulary) for run in runs], dim=1)
        coarse = choose(self.language.coarse_logits(context), draws, noise[COARSE])
        fine = choose(self.language.fine_logits(context, coarse, memories), draws, noise[FINE])
        for run, tokens in zip(runs, torch.split(torch.stack((coarse, fine)), paths, dim=1), strict=True):
            run.drawn[:, :, run.steps] = tokens
            run.steps += 1
            run.last = None
            if run.done or run.slides:
                run.memory = None

    def _read_drawn(self, runs: list[Run]) -> None:
        """Read the rows that were drawn last."""
        memories = [run.memory for run in runs if run.memory is not None]
        rows = [
            self.language.embed(run.drawn[:, :, run.steps - 1], run.calendar[run.rows + run.steps - 1]) for run in runs
        ]
        context = self.language.advance(joined(rows), memories)
        for run, last in zip(runs, torch.split(context, [run.job.paths for run in runs]), strict=True):
            run.last = last

    def _slide(self, run: Run) -> None:
        """Re-read the moved window for the next paths of a run and draw their rows.

        Positions restart at 0 in the moved window, so nothing remembered of the old one holds. What all paths share of
        it, the rest of the context, is read once.
        """
        own = min(run.steps, self.max_context)
        start = run.rows + run.steps - self.max_context
        if run.memory is None:
            run.memory = self._shared_window(run, start)
        paths = slice(run.path, run.path + max(1, self.max_context // own))
        tokens = run.tokens(paths)[:, :, -own:]
        calendar = run.calendar[run.rows + run.steps - own : run.rows + run.steps]
        context, kv = self.language.branch(self.language.embed(tokens, calendar), run.memory)
        draws = run.draws.rows(paths)
        noise = run.noise_of_step(self.language.vocabulary)[:, paths]
        coarse = choose(self.language.coarse_logits(context), draws, noise[COARSE])
        fine = choose(self.language.branch_fine_logits(context, coarse, run.memory, kv), draws, noise[FINE])
        run.drawn[:, paths, run.steps] = torch.stack((coarse, fine))
        run.path = min(paths.stop, run.job.paths)
        if run.path == run.job.paths:
            run.path, run.memory = 0, None
            run.steps += 1

    def _shared_window(self, run: Run, start: int) -> Memory:
        """Read what the moved window still holds of the context, which may be nothing."""
        shared = run.context[:, start:]
        memory = self.language.memory(1, shared.shape[1], 0)
        if shared.shape[1]:
            self.language.read(self.language.embed(shared, run.calendar[start : run.rows]), memory)
        return memory

    def _decode(self, run: Run) -> Iterator[Forecast | None]:
        paths, horizon = run.job.paths, run.job.horizon
        scaled = torch.empty(paths, horizon, run.job.rows.shape[1], device=self.device)
        at_once = max(1, SLICE_ROWS // min(horizon, self.max_context))
        for first, last, keep in windows(run.rows, horizon, self.max_context):
            prefix = self.codec.read(run.context[:, first:])
            own = slice(max(0, first - run.rows), last - run.rows)
            kept = slice(own.stop - keep, own.stop)
            for path in range(0, paths, at_once):
                some = slice(path, path + at_once)
                scaled[some, kept] = self.codec.decode(run.drawn[:, some, own], prefix)[:, -keep:]
                yield None
        yield self._forecast(run, scaled)

    def _forecast(self, run: Run, scaled: Tensor) -> Forecast:
        return Forecast(
            klines=run.scaling.undo(scaled.mean(dim=0).cpu().numpy()),
            paths=run.scaling.undo(scaled.cpu().numpy()),
            context_rows=run.rows,
            slid_steps=max(0, run.rows + run.job.horizon - 1 - self.max_context),
            dropped_rows=run.dropped_rows,
        )
