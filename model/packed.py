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
    unit: "Unit"
    qkv: Linear
    out: Linear
    gate_up: Linear
    down: Linear

    @classmethod
    def of(cls, block: TransformerBlock, pack: Pack) -> "PackedBlock":
        attn, ffn = block.self_attn, block.ffn
        weight, bias = _fused_projections(attn)
        return cls(
            attn.heads,
            Unit(block.norm1),
            pack(weight * gain(block.norm1), bias),
            pack(attn.out_proj.weight, attn.out_proj.bias),
            pack(torch.cat((ffn.w1.weight, ffn.w3.weight)) * gain(block.norm2), None),
            pack(ffn.w2.weight, None),
        )

    def project(self, x: Tensor, factors: Tensor) -> Tensor:
        """Rotated and scaled queries, rotated keys, values of x (R, dim): (R, 3, heads, head size)."""
        qkv = self.qkv(self.unit(x)).view(x.shape[0], 3, self.heads, -1, 2)
        return torch.view_as_real(torch.view_as_complex(qkv) * factors).flatten(-2)

    def absorb(self, x: Tensor, attended: Tensor) -> Tensor:
        """Add attention (R, dim) and feed-forward to x (R, dim)."""
        x = x + self.out(attended)
        gate, up = self.gate_up(self.unit(x)).view(x.shape[0], 2, -1).unbind(1)
        return x + self.down(functional.silu(gate) * up)


class Unit:
    """What an RMS norm does before its gain: rows over their norm, which is kept from zero as the layer does."""

    def __init__(self, norm: RMSNorm) -> None:
        self.floor = torch.full_like(norm.weight[:1].detach(), (len(norm.weight) * norm.EPS) ** 0.5)

    def __call__(self, x: Tensor) -> Tensor:
        return x / torch.hypot(torch.linalg.vector_norm(x, dim=-1, keepdim=True), self.floor)


def gain(norm: RMSNorm) -> Tensor:
    """The factor (dim,) that is left of a norm after `Unit`; a linear that follows can hold it in its weight."""
    return norm.weight.detach() * float(len(norm.weight) ** 0.5)


def _fused_projections(attn: Attention) -> tuple[Tensor, Tensor]:
    """Query, key and value projections as one, with the rotary pairs (i, i + half) of queries and keys side by side.

    Reordering a head's axis alike in queries and keys leaves their products as they are, and turns the rotation into
    one complex product. Queries come scaled as attention wants them.
    """
    head = attn.q_proj.out_features // attn.heads
    scale = head**-0.5
    order = torch.arange(head).view(2, head // 2).t().flatten()

    def interleaved(tensor: Tensor) -> Tensor:
        return tensor.view(attn.heads, head, -1)[:, order].view(tensor.shape)

    q, k, v = attn.q_proj, attn.k_proj, attn.v_proj
    weight = torch.cat((interleaved(q.weight) * scale, interleaved(k.weight), v.weight))
    return weight, torch.cat((interleaved(q.bias) * scale, interleaved(k.bias), v.bias))


def _factors(inv_freq: Tensor, positions: int) -> Tensor:
    angles = torch.outer(torch.arange(positions, device=inv_freq.device, dtype=torch.float32), inv_freq)
    turn = torch.polar(torch.ones_like(angles), angles)
    return torch.stack((turn, turn, torch.ones_like(turn)), dim=1)[:, :, None]
