"""Keys and values of one job: a prefix that its paths share, and the rows that each path adds."""

from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class Cache:
    """Allocated once, filled row by row.

    A single path adds its rows right behind the prefix, so that one attention call covers both.
    """

    layers: int
    heads: int
    head_size: int
    paths: int
    prefix_rows: int
    path_rows: int
    device: torch.device
    prefix_length: int = 0
    path_length: int = 0
    prefix: Tensor = field(init=False)  # (layers, 2, heads, rows, head size)
    own: Tensor | None = field(init=False, default=None)  # (layers, 2, heads, paths, rows, head size)

    def __post_init__(self) -> None:
        rows = self.prefix_rows + (self.path_rows if self.paths == 1 else 0)
        self.prefix = torch.empty(self.layers, 2, self.heads, rows, self.head_size, device=self.device)
        if self.paths > 1 and self.path_rows:
            shape = (self.layers, 2, self.heads, self.paths, self.path_rows, self.head_size)
            self.own = torch.empty(shape, device=self.device)

    def write_prefix(self, layer: int, kv: Tensor) -> tuple[Tensor, Tensor]:
        """Store the prefix's keys and values (rows, 2, heads, size); returns each as (heads, rows, size)."""
        target = self.prefix[layer, :, :, : kv.shape[0]]
        target.copy_(kv.permute(1, 2, 0, 3))
        return target[0], target[1]

    def append(self, layer: int, kv: Tensor) -> None:
        """Store the keys and values of one more row a path, kv (paths, 2, heads, head size); see `advance`."""
        if self.own is None:
            self.prefix[layer, :, :, self.prefix_length].copy_(kv[0])
        else:
            self.own[layer, :, :, :, self.path_length].copy_(kv.permute(1, 2, 0, 3))

    def advance(self) -> None:
        """Count the row that was appended to every layer."""
        if self.own is None:
            self.prefix_length += 1
        else:
            self.path_length += 1

    def look(self, layer: int, q: Tensor, appended: int = 0) -> Tensor:
        """Attend scaled q (paths, heads, head size) to all rows, and to those appended but not counted yet: like q."""
        if self.own is None:
            keys, values = self.prefix[layer, :, :, : self.prefix_length + appended]
            # One row a path: two batched products take three quarters of the time of torch's fused attention.
            weights = torch.bmm(q.transpose(0, 1), keys.transpose(1, 2)).softmax(-1)
            return torch.bmm(weights, values).transpose(0, 1)
        own = self.own[layer, :, :, :, : self.path_length + appended]
        return self.attend(layer, q[:, None], own[0], own[1], None)[:, 0]

    def attend(self, layer: int, q: Tensor, own_k: Tensor, own_v: Tensor, mask: Tensor | None) -> Tensor:
        """Attend scaled q (P, n, heads, head size) to the prefix and each path's own rows (heads, P, t, head size).

        mask: (n, t), True where a query must not look. The prefix is read once for all paths. Returns the shape of q.
        """
        paths, n, heads, size = q.shape
        prefix_k, prefix_v = self.prefix[layer, :, :, : self.prefix_length]
        q = q.permute(2, 0, 1, 3)  # (heads, P, n, size)
        shared = q.flatten(1, 2) @ prefix_k.transpose(1, 2)  # (heads, P * n, prefix)
        own = q @ own_k.transpose(2, 3)  # (heads, P, n, t)
        if mask is not None:
            own = own.masked_fill(mask, -torch.inf)
        weights = torch.cat((shared, own.flatten(1, 2)), dim=-1).softmax(-1)
        shared_w, own_w = torch.split(weights, [self.prefix_length, own_k.shape[2]], dim=-1)
        out: Tensor = (shared_w @ prefix_v).view(heads, paths, n, size)
        out += own_w.reshape(heads, paths, n, -1) @ own_v
        return out.permute(1, 2, 0, 3)
