"""Choosing the next token: temperature, top-k, top-p, and noise that depends on nothing but the seed and the place."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

COARSE, FINE = 0, 1  # the stages of one step


@dataclass(frozen=True)
class Sampling:
    """How the paths of one forecast are drawn.

    temperature: at least 0; 0 is greedy. top_k: keep the k likeliest tokens (ties stay), 0 is off; set, it overrides
    top_p. top_p: keep the likeliest tokens until their probability exceeds it, 1 and above is off. sample_count: paths.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 0.9
    sample_count: int = 1

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise ValueError(f"temperature must be a finite number of at least 0, not {self.temperature}")
        if self.top_k < 0:
            raise ValueError(f"top_k must be at least 0 (0 is off), not {self.top_k}")
        if not self.top_p >= 0:
            raise ValueError(f"top_p must be at least 0 (1 and above is off), not {self.top_p}")
        if self.sample_count < 1:
            raise ValueError(f"sample_count must be at least 1, not {self.sample_count}")


@dataclass(frozen=True)
class Draws:
    """Sampling of R rows at once: one row a path, whatever job it belongs to."""

    temperature: Tensor  # (R, 1) float32; 1 where greedy
    greedy: Tensor  # (R, 1) bool
    top_k: Tensor  # (R, 1) int64; 0 is off
    top_p: Tensor  # (R, 1) float32; 1 is off
    path_key: Tensor  # (R,) int64
    largest_k: int
    any_top_p: bool
    all_greedy: bool

    @classmethod
    def of(cls, sampling: Sampling, seed: int, device: torch.device) -> Self:
        """The rows of one job's paths."""
        rows = (sampling.sample_count, 1)
        greedy = sampling.temperature == 0
        # A greedy row needs no filter: its best token always stays.
        top_k = 0 if greedy else sampling.top_k
        top_p = 1.0 if greedy or top_k else min(sampling.top_p, 1.0)
        paths = torch.arange(sampling.sample_count, device=device)
        return cls(
            temperature=torch.full(rows, 1.0 if greedy else sampling.temperature, device=device),
            greedy=torch.full(rows, greedy, device=device),
            top_k=torch.full(rows, top_k, device=device),
            top_p=torch.full(rows, top_p, device=device),
            path_key=_mix(_mix(torch.tensor(_signed(seed), device=device)) + paths),
            largest_k=top_k,
            any_top_p=top_p < 1.0,
            all_greedy=greedy,
        )

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """The rows of several jobs, in their order."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            temperature=torch.cat([part.temperature for part in parts]),
            greedy=torch.cat([part.greedy for part in parts]),
            top_k=torch.cat([part.top_k for part in parts]),
            top_p=torch.cat([part.top_p for part in parts]),
            path_key=torch.cat([part.path_key for part in parts]),
            largest_k=max(part.largest_k for part in parts),
            any_top_p=any(part.any_top_p for part in parts),
            all_greedy=all(part.all_greedy for part in parts),
        )

    def rows(self, rows: slice) -> Self:
        """Some of the rows."""
        return replace(
            self,
            temperature=self.temperature[rows],
            greedy=self.greedy[rows],
            top_k=self.top_k[rows],
            top_p=self.top_p[rows],
            path_key=self.path_key[rows],
        )


def filtered(logits: Tensor, draws: Draws) -> Tensor:
    """Scaled logits (R, vocabulary) with -inf for every token that the row's sampling leaves out."""
    scaled = logits / draws.temperature
    if draws.largest_k:
        scaled = scaled.masked_fill(scaled < _kth_largest(scaled, draws), -math.inf)
    if draws.any_top_p:
        scaled = scaled.masked_fill(scaled < _nucleus_edge(scaled, draws.top_p), -math.inf)
    return scaled


def choose(logits: Tensor, draws: Draws, noise: Tensor) -> Tensor:
    """One token (R,) for each row of logits (R, vocabulary), drawn by the Gumbel-max trick with a stage of `noise_of`.

    A logit difference of 1e-6 changes the token far more rarely than it would with an inverse CDF, which matters
    because batch neighbours move logits by that much.
    """
    return (filtered(logits, draws) + noise).argmax(-1)


def noise_of(draws: Draws, steps: Tensor, vocabulary: int) -> Tensor:
    """Noise for the coarse and the fine stage, zero where greedy.

    steps: one of each row (R,), or some that all rows take (count, 1); gives (2, R, vocabulary) or (2, count, R,
    vocabulary).
    """
    if draws.all_greedy:
        shape = (steps + draws.path_key).shape
        return torch.zeros((), device=steps.device).expand(2, *shape, vocabulary)
    return gumbel(draws.path_key, steps, vocabulary).masked_fill(draws.greedy, 0.0)


def gumbel(path_key: Tensor, steps: Tensor, vocabulary: int) -> Tensor:
    """Standard Gumbel noise shaped as in `noise_of`, a function of seed, path, step, stage and token only."""
    stages = torch.tensor([COARSE, FINE], device=path_key.device).view(2, *[1] * steps.dim())
    keys = _mix(path_key + _mix(steps * 2 + stages))
    tokens = torch.arange(vocabulary, device=path_key.device)
    bits = _mix(keys[..., None] + tokens) & 0xFFFFFFFF
    uniform = (bits.double() + 0.5) * 2.0**-32
    return -torch.log(-torch.log(uniform)).float()


def _kth_largest(scaled: Tensor, draws: Draws) -> Tensor:
    """The value of each row's top_k-th largest logit, -inf where top_k is off: (R, 1)."""
    vocabulary = scaled.shape[-1]
    largest = scaled.topk(min(draws.largest_k, vocabulary)).values
    kth = largest.gather(1, (draws.top_k.clamp(1, vocabulary) - 1))
    return kth.masked_fill(draws.top_k == 0, -math.inf)


def _nucleus_edge(scaled: Tensor, top_p: Tensor) -> Tensor:
    """The smallest logit each row keeps under top_p, -inf where top_p is off: (R, 1)."""
    ordered = _descending(scaled)
    probability = ordered.softmax(-1)
    before = probability.cumsum(-1) - probability
    kept = (before <= top_p).sum(-1, keepdim=True).clamp_min(1)
    return ordered.gather(1, kept - 1).masked_fill(top_p >= 1, -math.inf)


def _descending(values: Tensor) -> Tensor:
    """Each row sorted, largest first. On the CPU by numpy, whose vector sort is many times faster than torch's."""
    if values.device.type != "cpu":
        return values.sort(-1, descending=True).values
    return torch.from_numpy(-np.sort(-values.numpy(), axis=-1))


def _mix(x: Tensor) -> Tensor:
    """A bijective hash of int64 (the finalizer of splitmix64), equal on every device; products wrap."""
    x = x + _signed(0x9E3779B97F4A7C15)
    x = (x ^ _shifted(x, 30)) * _signed(0xBF58476D1CE4E5B9)
    x = (x ^ _shifted(x, 27)) * _signed(0x94D049BB133111EB)
    return x ^ _shifted(x, 31)


def _shifted(x: Tensor, by: int) -> Tensor:
    """Logical shift right; torch's own keeps the sign."""
    return (x >> by) & ((1 << (64 - by)) - 1)


def _signed(value: int) -> int:
    """The int64 with the same 64 bits."""
    value &= 0xFFFFFFFFFFFFFFFF
    return value - (1 << 64) if value >= 1 << 63 else value
