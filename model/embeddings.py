"""Embeddings of the language model: coarse and fine tokens, and the calendar stamp."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn


class TokenEmbedding(nn.Module):
    """Fuses the embeddings of a coarse and a fine token into one vector."""

    def __init__(self, s1_bits: int, s2_bits: int, dim: int) -> None:
        super().__init__()
        self.scale = math.sqrt(dim)
        self.emb_s1 = nn.Embedding(2**s1_bits, dim)
        self.emb_s2 = nn.Embedding(2**s2_bits, dim)
        self.fusion_proj = nn.Linear(2 * dim, dim)

    def forward(self, s1: Tensor, s2: Tensor) -> Tensor:
        """Tokens of shape (...) -> (..., dim)."""
        pair = torch.cat((self.emb_s1(s1) * self.scale, self.emb_s2(s2) * self.scale), dim=-1)
        fused: Tensor = self.fusion_proj(pair)
        return fused


class FixedEmbedding(nn.Module):
    """A sinusoidal table that is not trained but stored."""

    def __init__(self, rows: int, dim: int) -> None:
        super().__init__()
        self.emb = nn.Embedding(rows, dim)
        self.emb.weight = nn.Parameter(sinusoids(rows, dim), requires_grad=False)

    def forward(self, index: Tensor) -> Tensor:
        out: Tensor = self.emb(index)
        return out


class CalendarEmbedding(nn.Module):
    """Sum of the embeddings of minute, hour, weekday (Monday 0), day of month and month."""

    def __init__(self, dim: int, learned: bool) -> None:
        super().__init__()
        table: Callable[[int, int], nn.Module] = nn.Embedding if learned else FixedEmbedding
        self.minute_embed = table(60, dim)
        self.hour_embed = table(24, dim)
        self.weekday_embed = table(7, dim)
        self.day_embed = table(32, dim)
        self.month_embed = table(13, dim)

    def forward(self, stamp: Tensor) -> Tensor:
        """Calendar stamps (..., 5) -> (..., dim)."""
        minute, hour, weekday, day, month = stamp.long().unbind(-1)
        # The order of this sum is the reference's: another one moves the last bit.
        total: Tensor = self.hour_embed(hour) + self.weekday_embed(weekday) + self.day_embed(day)
        total += self.month_embed(month)
        total += self.minute_embed(minute)
        return total


def sinusoids(rows: int, dim: int) -> Tensor:
    """Table (rows, dim): columns 0, 2, .. hold sin and 1, 3, .. cos of row * 10000^(-2i/dim)."""
    angles = torch.outer(torch.arange(rows).float(), 10000.0 ** (-torch.arange(0, dim, 2).float() / dim))
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)[:, :dim]
