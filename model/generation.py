"""The engine: starts jobs, moves any mix of them one K-line further, and turns finished ones into forecasts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from model.inference import Codec, LanguageModel, Memory
from model.jobs import Forecast, Job, Scaling
from model.kronos import Kronos
from model.network import joined
from model.packed import DenseLinear
from model.sampling import COARSE, FINE, Draws, choose
from model.tokenizer import KronosTokenizer

SLICE_ROWS = 1024  # rows decoded or re-read in one go; about 50 ms on two cores at the published tokenizer's size


@dataclass(eq=False)
class Run:
    """A job in progress: its tokens and its memory. Dropping it cancels the job; nothing else refers to it."""

    job: Job
    scaling: Scaling
    draws: Draws
    context: Tensor  # (2, rows) coarse and fine tokens of the rows in the first window
    calendar: Tensor  # (rows + horizon, dim)
    memory: Memory | None
    last: Tensor  # (paths, dim) context row that the next tokens are drawn from
    drawn: Tensor  # (2, paths, horizon) coarse and fine tokens
    dropped_rows: int
    steps: int = 0  # rows drawn in every path
    path: int = 0  # paths that have drawn one row more; only while sliding
    decoding: Iterator[Forecast | None] | None = field(default=None, repr=False)

    @property
    def done(self) -> bool:
        """Whether every row is drawn, so that the run is ready to be finished."""
        return self.steps == self.job.horizon

    @property
    def rows(self) -> int:
        """Context rows in the first window."""
        return self.context.shape[1]

    def tokens(self, paths: slice) -> Tensor:
        """Context and drawn tokens of some paths: (2, paths, rows + steps)."""
        drawn = self.drawn[:, paths, : self.steps]
        return torch.cat((self.context[:, None].expand(-1, drawn.shape[1], -1), drawn), dim=-1)


class Engine:
    """A checkpoint, packed for one device, that runs jobs step by step.

    It keeps nothing of a job between calls, so threads may share it; a run belongs to one thread at a time. Weights are
    read at construction. All randomness comes from the jobs' seeds.
    """

    def __init__(
        self, kronos: Kronos, tokenizer: KronosTokenizer, *, max_context: int = 512, clip: float = 5.0
    ) -> None:
        check_pair(kronos, tokenizer)
        self.max_context = max_context
        self.clip = clip
        self.device = kronos.norm.weight.device
        with torch.inference_mode():
            self.language = LanguageModel(kronos, max_context, DenseLinear)
            self.codec = Codec(tokenizer, max_context)

    def tokens(self, job: Job) -> int:
        """Cached tokens the job needs at most, what its paths share counted once."""
        rows = min(job.used_rows(self.max_context), self.max_context)
        return rows + job.paths * min(job.horizon - 1, self.max_context - rows)

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
        growing = [run for run in batch if run.rows + run.steps <= self.max_context]
        if growing:
            self._grow(growing)
        for run in batch:
            if run not in growing:
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
        context = joined([run.last for run in runs])
        draws = Draws.join([run.draws for run in runs])
        paths = [run.job.paths for run in runs]
        steps = torch.tensor([run.steps for run in runs for _ in range(run.job.paths)], device=self.device)
        coarse = choose(self.language.coarse_logits(context), draws, steps, COARSE)
        memories = [run.memory for run in runs if run.memory is not None]
        fine = choose(self.language.fine_logits(context, coarse, memories), draws, steps, FINE)
        tokens = torch.stack((coarse, fine))
        for run, part in zip(runs, torch.split(tokens, paths, dim=1), strict=True):
            run.drawn[:, :, run.steps] = part
            run.steps += 1
        self._advance(runs)

    def _advance(self, runs: list[Run]) -> None:
        """Read the rows just drawn, where another is to be drawn from them and the window still has room."""
        going: list[tuple[Run, Memory]] = []
        for run in runs:
            if run.memory is not None and not run.done and run.rows + run.steps <= self.max_context:
                going.append((run, run.memory))
            else:
                run.memory = None
        if not going:
            return
        rows = [
            self.language.embed(run.drawn[:, :, run.steps - 1], run.calendar[run.rows + run.steps - 1])
            for run, _ in going
        ]
        context = self.language.advance(joined(rows), [memory for _, memory in going])
        for (run, _), last in zip(going, torch.split(context, [run.job.paths for run, _ in going]), strict=True):
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
        paths = slice(run.path, run.path + max(1, self.max_context // max(1, own)))
        tokens = run.tokens(paths)[:, :, -own:]
        calendar = run.calendar[run.rows + run.steps - own : run.rows + run.steps]
        context, kv = self.language.branch(self.language.embed(tokens, calendar), run.memory)
        draws = run.draws.rows(paths)
        steps = torch.full_like(draws.path_key, run.steps)
        coarse = choose(self.language.coarse_logits(context), draws, steps, COARSE)
        fine = choose(self.language.branch_fine_logits(context, coarse, run.memory, kv), draws, steps, FINE)
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


def windows(rows: int, horizon: int, max_context: int) -> Iterator[tuple[int, int, int]]:
    """The spans to decode, (first, last, rows to keep at its end), counted from the first of `rows` context rows.

    One span where the horizon fits into max_context. Else spans of that length at a stride of half of it, of which the
    second half is kept, so that every kept row has half a window before it.
    """
    end = rows + horizon
    stride = horizon if horizon <= max_context else max(1, max_context // 2)
    for kept in range(rows, end, stride):
        last = min(kept + stride, end)
        yield max(0, last - max_context), last, last - kept


def check_pair(kronos: Kronos, tokenizer: KronosTokenizer) -> None:
    """Raise ValueError where a tokenizer's tokens are not those of the model."""
    if kronos.s1_bits != tokenizer.s1_bits:
        raise ValueError(
            f"the tokenizer has {tokenizer.s1_bits} bits a token, the model {kronos.s1_bits}: they are no pair"
        )
