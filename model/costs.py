"""What a job costs: rows to compute, tokens to remember, and seconds at measured rates."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

ContextPolicy = Literal["exact", "fit"]


@dataclass(frozen=True)
class Work:
    """What a job asks of the engine, in rows.

    encoded: rows through the tokenizer's encoder. read: rows of the first window. paths: rows of every step. steps:
    K-lines drawn while the window has room. reread: rows of all moved windows, over all paths. decoded: rows through
    the tokenizer's decoder. tokens: the most that is remembered at a time; what paths share counts once.
    """

    encoded: int
    read: int
    paths: int
    steps: int
    reread: int
    decoded: int
    tokens: int


@dataclass(frozen=True)
class Rates:
    """Seconds by the row, and for a call whatever its rows, as measured on one engine."""

    prefill_call: float
    encode_row: float
    read_row: float
    step_call: float
    step_row: float
    decode_call: float
    decode_row: float

    def prefill(self, work: Work) -> float:
        """Seconds until the first row can be drawn."""
        return self.prefill_call + work.encoded * self.encode_row + work.read * self.read_row

    def step(self, paths: int) -> float:
        """Seconds of one step of a batch with so many paths in all, none of them sliding."""
        return self.step_call + paths * self.step_row

    def slides(self, work: Work) -> float:
        """Seconds of all steps whose window has moved."""
        return work.reread * self.read_row

    def finish(self, work: Work) -> float:
        """Seconds to turn the tokens into K-lines."""
        return self.decode_call + work.decoded * self.decode_row

    def alone(self, work: Work) -> float:
        """Seconds for the whole job on an engine with nothing else to do."""
        return self.prefill(work) + work.steps * self.step(work.paths) + self.slides(work) + self.finish(work)


def used_rows(rows: int, horizon: int, max_context: int, policy: ContextPolicy) -> int:
    """Context rows that are read under the policy. Raises ValueError where `fit` cannot fit."""
    if policy == "exact" or rows + horizon <= max_context:
        return rows
    if horizon >= max_context:
        raise ValueError(
            f"context_policy 'fit' cannot fit a horizon of {horizon} into max_context {max_context}: "
            "ask for fewer rows or use 'exact'"
        )
    return max_context - horizon


def work_of(rows: int, horizon: int, paths: int, max_context: int, policy: ContextPolicy = "exact") -> Work:
    """The work of a job with so many context rows. Raises ValueError where its policy cannot be kept."""
    used = used_rows(rows, horizon, max_context, policy)
    read = min(used, max_context)
    grown = min(horizon, max_context - read + 1)
    own = [min(step, max_context) for step in range(grown, horizon)]
    return Work(
        encoded=used,
        read=read,
        paths=paths,
        steps=grown,
        reread=sum(max_context - rows + paths * rows for rows in own),
        decoded=sum(_decoded_rows(span, read, paths) for span in windows(read, horizon, max_context)),
        tokens=read + paths * (grown - 1),  # once the window moves, only what the paths share is kept
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


def _decoded_rows(span: tuple[int, int, int], rows: int, paths: int) -> int:
    first, last, _ = span
    shared = max(0, rows - first)
    return shared + paths * (last - first - shared)
