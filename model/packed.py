"""Transformer blocks packed for inference: fused projections, rotary pairs side by side."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from model.layers import Attention, RMSNorm, TransformerBlock
from model.linears import Linear, Pack


@dataclass(frozen=True)
class Rotation:
    """Rotary factors as unit complex numbers, (positions, 3, 1, head size / 2): query, key, and 1 for the value."""

    inv_freq: Tensor
    table: Tensor

    @classmethod
    def of(cls, inv_freq: Tensor, positions: int) -> "Rotation":
        return cls(inv_freq, _factors(inv_freq, positions))

    def span(self, first: int, count: int) -> Tensor:
        """The factors of `count` positions from `first`, even beyond the table."""
        end = first + count
        return (self.table if end <= self.table.shape[0] else _factors(self.inv_freq, end))[first:end]

    def at(self, positions: list[int]) -> Tensor:
        """The factors of some positions of the table."""
        if len(positions) == 1:
            return self.table[positions[0]][None]
        return self.table[torch.tensor(positions, device=self.table.device)]


@dataclass(frozen=True)
class PackedBlock:
    """One transformer block, split at its attention so that the caller decides what is attended to."""

    heads: int
    norm1: Tensor
    qkv: Linear
    out: Linear
    norm2: Tensor
    gate_up: Linear
    down: Linear

    @classmethod
    def of(cls, block: TransformerBlock, pack: Pack) -> "PackedBlock":
        attn, ffn = block.self_attn, block.ffn
        return cls(
            attn.heads,
            block.norm1.weight.detach(),
            pack(*_fused_projections(attn)),
            pack(attn.out_proj.weight, attn.out_proj.bias),
            block.norm2.weight.detach(),
            pack(torch.cat((ffn.w1.weight, ffn.w3.weight)), None),
            pack(ffn.w2.weight, None),
        )

    def project(self, x: Tensor, factors: Tensor) -> Tensor:
        """Rotated queries, rotated keys and values of x (R, dim): (R, 3, heads, head size)."""
        qkv = self.qkv(rms_norm(x, self.norm1)).view(x.shape[0], 3, self.heads, -1, 2)
        return torch.view_as_real(torch.view_as_complex(qkv) * factors).flatten(-2)

    def absorb(self, x: Tensor, attended: Tensor) -> Tensor:
        """Add attention (R, dim) and feed-forward to x (R, dim)."""
        x = x + self.out(attended)
        gate, up = self.gate_up(rms_norm(x, self.norm2)).chunk(2, dim=-1)
        return x + self.down(functional.silu(gate) * up)


def rms_norm(x: Tensor, weight: Tensor) -> Tensor:
    """The norm over the last axis of x (R, dim)."""
    return functional.rms_norm(x, weight.shape, weight, RMSNorm.EPS)


def _fused_projections(attn: Attention) -> tuple[Tensor, Tensor]:
    """Query, key and value projections as one, with the rotary pairs (i, i + half) of queries and keys side by side.

    Reordering a head's axis alike in queries and keys leaves their products as they are, and turns the rotation into
    one complex product.
    """
    head = attn.q_proj.out_features // attn.heads
    order = torch.arange(head).view(2, head // 2).t().flatten()

    def interleaved(tensor: Tensor) -> Tensor:
        return tensor.view(attn.heads, head, -1)[:, order].view(tensor.shape)

    q, k, v = attn.q_proj, attn.k_proj, attn.v_proj
    weight = torch.cat((interleaved(q.weight), interleaved(k.weight), v.weight))
    return weight, torch.cat((interleaved(q.bias), interleaved(k.bias), v.bias))


def _factors(inv_freq: Tensor, positions: int) -> Tensor:
    angles = torch.outer(torch.arange(positions, device=inv_freq.device, dtype=torch.float32), inv_freq)
    turn = torch.polar(torch.ones_like(angles), angles)
    return torch.stack((turn, turn, torch.ones_like(turn)), dim=1)[:, :, None]
