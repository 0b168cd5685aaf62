"""A stack of packed blocks and the three ways to run it: over a prefix, behind it, one row further."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.cache import Cache
from model.layers import TransformerBlock
from model.linears import Pack
from model.packed import PackedBlock, Rotation

Attend = Callable[[int, Tensor], Tensor]  # layer, (R, 3, heads, head size) -> (R, heads, head size)


@dataclass(frozen=True)
class Stack:
    """Transformer blocks of one width; holds no state of any job."""

    blocks: tuple[PackedBlock, ...]
    rotation: Rotation
    head_size: int

    @classmethod
    def of(cls, modules: nn.ModuleList, positions: int, pack: Pack) -> "Stack":
        blocks = cast("list[TransformerBlock]", list(modules))
        inv_freq = blocks[0].self_attn.rotary.inv_freq
        packed = tuple(PackedBlock.of(block, pack) for block in blocks)
        return cls(packed, Rotation.of(inv_freq, positions), 2 * inv_freq.shape[0])

    def cache(self, paths: int, prefix_rows: int, path_rows: int) -> Cache:
        """An empty cache for this stack."""
        device = self.rotation.table.device
        return Cache(len(self.blocks), self.blocks[0].heads, self.head_size, paths, prefix_rows, path_rows, device)

    def over_prefix(self, x: Tensor, cache: Cache | None = None) -> Tensor:
        """Causal pass over rows x (T, dim) at positions 0 .. T-1, kept in the cache where there is one."""

        def attend(layer: int, qkv: Tensor) -> Tensor:
            q, k, v = qkv.permute(1, 2, 0, 3)
            if cache is not None:
                k, v = cache.write_prefix(layer, qkv[:, 1:])
            out = functional.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True, scale=1.0)
            return out[0].transpose(0, 1)

        x = self._run(x, self.rotation.span(0, x.shape[0]), attend)
        if cache is not None:
            cache.prefix_length = x.shape[0]
        return x

    def behind_prefix(self, x: Tensor, cache: Cache) -> Tensor:
        """Causal pass over rows x (P, n, dim) that follow the cached prefix in each path; nothing is kept."""
        paths, n, dim = x.shape
        first = cache.prefix_length
        future = torch.ones(n, n, dtype=torch.bool, device=x.device).triu(1)

        def attend(layer: int, qkv: Tensor) -> Tensor:
            q, k, v = qkv.view(paths, n, 3, *qkv.shape[2:]).unbind(2)
            return cache.attend(layer, q, k.permute(2, 0, 1, 3), v.permute(2, 0, 1, 3), future).reshape(
                paths * n, *q.shape[2:]
            )

        factors = self.rotation.span(first, n).repeat(paths, 1, 1, 1)
        return self._run(x.flatten(0, 1), factors, attend).view(paths, n, dim)

    def next_row(self, x: Tensor, caches: Sequence[Cache]) -> Tensor:
        """One more row for every path: x (R, dim) holds the caches' paths in order.

        Keys and values are appended; the caller counts them with `advance`.
        """
        paths = [cache.paths for cache in caches]
        rows = [cache.prefix_length + cache.path_length for cache in caches for _ in range(cache.paths)]

        def attend(layer: int, qkv: Tensor) -> Tensor:
            seen = []
            for cache, part in zip(caches, torch.split(qkv, paths), strict=True):
                cache.append(layer, part[:, 1:])
                seen.append(cache.look(layer, part[:, 0], appended=1))
            return joined(seen)

        return self._run(x, self.rotation.at(rows), attend)

    def _run(self, x: Tensor, factors: Tensor, attend: Attend) -> Tensor:
        for layer, block in enumerate(self.blocks):
            x = block.absorb(x, attend(layer, block.project(x, factors)).flatten(1))
        return x


def joined(parts: list[Tensor], dim: int = 0) -> Tensor:
    """The rows of all parts; no copy for one."""
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim)
