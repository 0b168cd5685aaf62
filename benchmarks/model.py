"""Measures the model library: `python -m benchmarks.model [row ...]`, each row a ratio within this run.

Random weights of the published shapes; tokenizer and sampling are included. The uncached loop is timed at a few of its
steps, spread evenly, unless --whole is given.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from benchmarks.checkpoints import random_pair, step_bytes
from benchmarks.forecasts import Times, random_job, timed
from benchmarks.machine import bandwidth
from benchmarks.uncached import uncached_seconds
from model.generation import Engine
from model.jobs import Job, Scaling

WINDOW = 512
RAGGED = (50, 100, 150, 200, 250, 300, 350, 400)


@dataclass
class Bench:
    """The device and the engines made so far."""

    device: torch.device
    steps_timed: int
    engines: dict[tuple[str, str], Engine] = field(default_factory=dict)

    def engine(self, name: str, weights: Literal["float32", "int8"] = "float32") -> Engine:
        """An engine for a published shape."""
        if (name, weights) not in self.engines:
            self.engines[name, weights] = Engine(*random_pair(name, self.device), max_context=WINDOW, weights=weights)
        return self.engines[name, weights]

    def uncached(self, name: str, job: Job) -> float:
        """Seconds of the uncached loop."""
        kronos, tokenizer = random_pair(name, self.device)
        rows = job.rows.astype("float32")
        x = torch.from_numpy(Scaling.of(rows).apply(rows, 5.0)).to(self.device)
        stamps = torch.from_numpy(job.stamps).to(self.device), torch.from_numpy(job.horizon_stamps).to(self.device)
        return uncached_seconds(
            kronos, tokenizer, x, torch.cat(stamps), paths=job.paths, window=WINDOW, steps_timed=self.steps_timed
        )


@dataclass(frozen=True)
class Row:
    """One line of the table; the ratio is better when larger unless `at_most`."""

    ratio: float
    target: float
    at_most: bool
    times: Times
    note: str = ""


def against_uncached(
    name: str, horizon: int, paths: int, target: float, floor_target: float = 0.0
) -> Callable[[Bench], Row]:
    """Our time against the uncached loop's, and one step against its floor."""

    def measure(bench: Bench) -> Row:
        job = random_job(400, horizon, paths)
        before = bandwidth(bench.device)
        times = timed(bench.engine(name), [job])
        read = max(before, bandwidth(bench.device))
        reference = bench.uncached(name, job)
        note = f"uncached {reference:.2f} s"
        if floor_target:
            kronos, _ = random_pair(name, torch.device("cpu"))
            floor = step_bytes(kronos, 400 + horizon // 2) / read
            note += f", step {times.step * 1e3:.2f} ms = {times.step / floor:.2f}x its floor at {read / 1e9:.1f} GB/s"
            note += f" (at most {floor_target}x)"
        return Row(reference / times.total, target, False, times, note)

    return measure


def thirty_paths(bench: Bench) -> Row:
    """Thirty paths against one."""
    engine = bench.engine("small")
    one, thirty = timed(engine, [random_job(400, 24)]), timed(engine, [random_job(400, 24, 30)])
    return Row(thirty.total / one.total, 2.5, True, thirty, f"one path {one.total:.3f} s")


def ragged_batch(bench: Bench) -> Row:
    """Eight series at once against one at a time."""
    engine = bench.engine("small")
    jobs = [random_job(rows, 24) for rows in RAGGED]
    together = timed(engine, jobs)
    alone = sum(timed(engine, [job]).total for job in jobs)
    return Row(alone / together.total, 1.6, False, together, f"one at a time {alone:.2f} s")


def int8_base(bench: Bench) -> Row:
    """8-bit weights against float32, and how far they move the distribution of each step."""
    job = random_job(400, 112)
    exact, rounded = bench.engine("base"), bench.engine("base", "int8")
    full, small = timed(exact, [job]), timed(rounded, [job])
    note = f"float32 {full.total:.2f} s, step {small.step * 1e3:.2f} ms, "
    note += f"mean KL per step {divergence(exact, rounded, job):.2g}"
    return Row(full.total / small.total, 2.0 if torch.cpu._is_vnni_supported() else 1.7, False, small, note)


@torch.inference_mode()
def divergence(exact: Engine, rounded: Engine, job: Job) -> float:
    """Mean KL divergence of a step's coarse and fine distributions together, in nats, along a path of the exact one."""
    logits = [list(_along(engine, job, exact)) for engine in (exact, rounded)]
    total = 0.0
    for wanted, found in zip(*logits, strict=True):
        p, q = wanted.log_softmax(-1), found.log_softmax(-1)
        total += float((p.exp() * (p - q)).sum())
    return total / job.horizon


def _along(engine: Engine, job: Job, guide: Engine) -> Iterator[Tensor]:
    """Coarse and fine logits in turn, of steps whose tokens another engine drew."""
    run = guide.prefill(job)
    while not run.done:
        guide.step([run])
    language, rows = engine.language, run.rows
    memory = language.memory(1, rows, job.horizon)
    last = language.read(language.embed(run.context, run.calendar[:rows]), memory)
    for step in range(job.horizon):
        tokens = run.drawn[:, :, step]
        yield language.coarse_logits(last)
        yield language.fine_logits(last, tokens[0], [memory])
        last = language.advance(language.embed(tokens, run.calendar[rows + step]), [memory])


ROWS: dict[str, Callable[[Bench], Row]] = {
    "small": against_uncached("small", 112, 1, 15, 1.8),
    "base": against_uncached("base", 112, 1, 16, 1.5),
    "mini": against_uncached("mini", 112, 1, 10),
    "small-10-paths": against_uncached("small", 100, 10, 60),
    "small-30-paths": thirty_paths,
    "small-slides": against_uncached("small", 120, 1, 8),
    "small-ragged": ragged_batch,
    "base-int8": int8_base,
}


def show(name: str, row: Row) -> None:
    """Write one row, its note and where its time went."""
    met = row.ratio <= row.target if row.at_most else row.ratio >= row.target
    bound = f"{'at most' if row.at_most else 'at least'} {row.target:g}x"
    verdict = "met" if met else "MISSED"
    sys.stdout.write(
        f"{name:15} {row.ratio:6.2f}x ({bound}: {verdict})  {row.times.total:.3f} s  peak {row.times.peak / 1e6:.0f} MB"
        f"  {row.note}\n"
    )
    spent = ", ".join(f"{part} {seconds:.3f}" for part, seconds in row.times.parts.items() if seconds)
    sys.stdout.write(f"{'':15} seconds: {spent}\n")
    sys.stdout.flush()


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.model", description=__doc__)
    parser.add_argument("rows", nargs="*", choices=[[], *ROWS], help="which rows; all where none is named")
    parser.add_argument("--device", default="cuda:0" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--whole", action="store_true", help="time every step of the uncached loop")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    bench = Bench(device, sys.maxsize if arguments.whole else 5)
    sys.stdout.write(f"torch {torch.__version__}, {device}\n")
    names = [name for name in ROWS if name in arguments.rows or not arguments.rows]
    if device.type != "cpu":
        names.remove("base-int8")
    for name in names:
        show(name, ROWS[name](bench))


if __name__ == "__main__":
    main()
