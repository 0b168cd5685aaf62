"""Layers of the checkpoint format: norm, rotary embedding, attention, feed-forward, transformer block."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


class Dropout(NamedTuple):
    """Dropout probabilities of a block: feed-forward, attention weights, attention output."""

    ffn: float
    attn: float
    resid: float


class RMSNorm(nn.Module):
    """Root-mean-square norm over the last axis, computed in float32."""

    EPS = 1e-5

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.EPS)).type_as(x) * self.weight


class FeedForward(nn.Module):
    """Gated feed-forward, `w2(silu(w1 x) * w3 x)`, without biases."""

    def __init__(self, dim: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.w1 = nn.Linear(dim, hidden, bias=False)
        self.w3 = nn.Linear(dim, hidden, bias=False)
        self.w2 = nn.Linear(hidden, dim, bias=False)
        self.ffn_dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.ffn_dropout(self.w2(functional.silu(self.w1(x)) * self.w3(x)))
        return out


class RotaryEmbedding(nn.Module):
    """Rotary position embedding over halves (not interleaved), base 10000 (arXiv 2104.09864)."""

    inv_freq: Tensor

    def __init__(self, head_size: int) -> None:
        super().__init__()
        # On the CPU even where the module is built on the meta device: a file may come without this table.
        exponent = torch.arange(0, head_size, 2, device="cpu").float() / head_size
        self.register_buffer("inv_freq", 10000.0**-exponent)

    def forward(self, x: Tensor) -> Tensor:
        """Rotate x of shape (..., T, head size) by its positions 0 .. T-1."""
        angles = torch.outer(torch.arange(x.shape[-2], device=x.device, dtype=torch.float32), self.inv_freq)
        angles = torch.cat((angles, angles), dim=-1)
        first, second = x.chunk(2, dim=-1)
        return x * angles.cos() + torch.cat((-second, first), dim=-1) * angles.sin()


class Attention(nn.Module):
    """Multi-head attention with biased projections and dropout on its weights and its output."""

    def __init__(self, dim: int, heads: int, attn_dropout: float, resid_dropout: float) -> None:
        super().__init__()
        if dim % heads or (dim // heads) % 2:
            raise ValueError(f"n_heads {heads} must divide d_model {dim} into heads of an even size")
        self.heads = heads
        self.attn_dropout = attn_dropout
        self.q_proj = nn.Linear(dim, dim)
        self.k_proj = nn.Linear(dim, dim)
        self.v_proj = nn.Linear(dim, dim)
        self.out_proj = nn.Linear(dim, dim)
        self.rotary = RotaryEmbedding(dim // heads)
        self.resid_dropout = nn.Dropout(resid_dropout)

    def split_heads(self, x: Tensor) -> Tensor:
        """(B, T, dim) -> (B, heads, T, head size)."""
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, *, causal: bool) -> Tensor:
        """Attention of split heads, merged and projected: (B, heads, Tq, head size) -> (B, Tq, dim)."""
        dropout = self.attn_dropout if self.training else 0.0
        out = functional.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=causal)
        merged: Tensor = self.resid_dropout(self.out_proj(out.transpose(1, 2).flatten(2)))
        return merged


class SelfAttention(Attention):
    """Causal self-attention with rotary positions."""

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (self.split_heads(proj(x)) for proj in (self.q_proj, self.k_proj, self.v_proj))
        return self.attend(self.rotary(q), self.rotary(k), v, causal=True)


class CrossAttention(Attention):
    """Attention of a query sequence over a context, unrotated.

    The file holds a rotary table here, too. With the single query of inference it is one row long, position 0, so the
    rotation is the identity; training must not rotate either, or it would train something that is never sampled.
    """

    def forward(self, query: Tensor, context: Tensor, *, causal: bool) -> Tensor:
        q, k, v = self.q_proj(query), self.k_proj(context), self.v_proj(context)
        return self.attend(self.split_heads(q), self.split_heads(k), self.split_heads(v), causal=causal)


class TransformerBlock(nn.Module):
    """Pre-norm block: causal self-attention, then feed-forward, each added to its input."""

    def __init__(self, dim: int, heads: int, hidden: int, dropout: Dropout) -> None:
        super().__init__()
        self.norm1 = RMSNorm(dim)
        self.self_attn = SelfAttention(dim, heads, dropout.attn, dropout.resid)
        self.norm2 = RMSNorm(dim)
        self.ffn = FeedForward(dim, hidden, dropout.ffn)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.norm1(x))
        out: Tensor = x + self.ffn(self.norm2(x))
        return out


class DependencyLayer(nn.Module):
    """Conditions the context on a chosen coarse token, for the fine token's logits."""

    HEADS = 4  # whatever the transformer's n_heads

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.cross_attn = CrossAttention(dim, self.HEADS, 0.0, dropout)
        self.norm = RMSNorm(dim)

    def forward(self, context: Tensor, chosen: Tensor, *, causal: bool) -> Tensor:
        """Context (B, T, dim) and embedded coarse tokens (B, 1 or T, dim) -> (B, T, dim)."""
        out: Tensor = self.norm(context + self.cross_attn(chosen, context, causal=causal))
        return out
