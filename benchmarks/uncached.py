"""The loop to compare against: the whole window at every step, every path on its own, as the reference computes."""

from collections.abc import Iterator
from time import perf_counter

import torch
from torch import Tensor

from model import Kronos, KronosTokenizer

TEMPERATURE, TOP_P = 1.0, 0.9
REPEATS = 3  # of each step, the fastest counts: as it does for ours


@torch.inference_mode()
def uncached_seconds(
    kronos: Kronos, tokenizer: KronosTokenizer, x: Tensor, stamps: Tensor, *, paths: int, window: int, steps_timed: int
) -> float:
    """Seconds of a whole forecast of scaled rows x (rows, 6), given the stamps (rows + horizon, 5) of both.

    Steps differ by the length of their window only, so where fewer than all are timed they are spread evenly and each
    stands for its neighbours.
    """
    rows, horizon = len(x), len(stamps) - len(x)
    start = perf_counter()
    s1, s2 = tokenizer.encode(x.expand(paths, -1, -1), half=True)
    seconds = perf_counter() - start
    drawn = torch.randint(0, 2**kronos.s1_bits, (2, paths, horizon), device=x.device)
    tokens = torch.cat((torch.stack((s1, s2)), drawn), dim=-1)
    for step, weight in spread(horizon, steps_timed):
        end = rows + step
        span = slice(max(0, end - window), end)
        arguments = kronos, tokens[0, :, span], tokens[1, :, span], stamps[span].expand(paths, -1, -1)
        seconds += weight * min(_step(*arguments) for _ in range(REPEATS))
    start = perf_counter()
    tokenizer.decode(list(tokens[:, :, -window:]), half=True)
    return seconds + perf_counter() - start


def spread(total: int, timed: int) -> Iterator[tuple[int, float]]:
    """Steps to time, and how many each stands for."""
    if timed >= total:
        yield from ((step, 1.0) for step in range(total))
        return
    for number in range(timed):
        yield int((number + 0.5) * total / timed), total / timed


def _step(kronos: Kronos, s1: Tensor, s2: Tensor, stamps: Tensor) -> float:
    """Seconds of one step: every position through both heads, though only the last is drawn from."""
    start = perf_counter()
    logits, context = kronos.decode_s1(s1, s2, stamps)
    chosen = _draw(logits[:, -1])
    _draw(kronos.decode_s2(context, chosen)[:, -1]).sum().item()  # waits for the device
    return perf_counter() - start


def _draw(logits: Tensor) -> Tensor:
    ordered, order = (logits / TEMPERATURE).sort(-1, descending=True)
    probability = ordered.softmax(-1)
    dropped = probability.cumsum(-1) - probability > TOP_P
    kept = ordered.masked_fill(dropped, -torch.inf).softmax(-1)
    return order.gather(-1, torch.multinomial(kept, 1))
