"""Linear layers laid out for inference: float32, or 8-bit weights on the CPU."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

Linear = Callable[[Tensor], Tensor]  # (R, in) -> (R, out)
Pack = Callable[[Tensor, Tensor | None], Linear]  # weight (out, in) and bias (out) -> linear
WeightType = Literal["float32", "int8"]
SMALLEST = torch.finfo(torch.float32).tiny


class DenseLinear:
    """float32, stored transposed: few rows then read the weight as one stream."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight = weight.detach().float().t().contiguous()
        self.bias = None if bias is None else bias.detach().float()

    def __call__(self, x: Tensor) -> Tensor:
        return x @ self.weight if self.bias is None else torch.addmm(self.bias, x, self.weight)


class Int8Linear:
    """8-bit weights, one scale for each output, and activations rounded to 8 bits with one scale for each row.

    Sums are whole numbers, so a row's result is equal to the bit whatever is computed beside it.
    """

    ZERO = 128  # activations are unsigned to the kernel

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        weight = weight.detach().float()
        self.scale = weight.abs().amax(dim=1).clamp_min(SMALLEST) / 127
        self.zero = torch.zeros(len(weight), dtype=torch.int64)
        rounded = (weight / self.scale[:, None]).round().to(torch.int8)
        self.packed = torch.ops.onednn.qlinear_prepack(rounded, None)
        self.bias = torch.zeros(len(weight)) if bias is None else bias.detach().float()
        # Without VNNI the kernel adds pairs of products in 16 bits, which overflow unless activations leave one bit.
        self.levels = 127 if torch.cpu._is_vnni_supported() else 63

    def __call__(self, x: Tensor) -> Tensor:
        step = x.abs().amax(dim=-1, keepdim=True).clamp_min_(SMALLEST) / self.levels
        rows = (x / step).round_().add_(self.ZERO).to(torch.uint8)
        product: Tensor = torch.ops.onednn.qlinear_pointwise(
            rows, 1.0, self.ZERO, self.packed, self.scale, self.zero, None, 1.0, 0, torch.float32, "none", [], ""
        )
        return torch.addcmul(self.bias, product, step)


def packing(weights: WeightType, device: torch.device) -> Pack:
    """How the linears of a model are laid out. Raises ValueError where the device cannot do it."""
    if weights == "float32":
        return DenseLinear
    if weights != "int8":
        raise ValueError(f"weights must be float32 or int8, not {weights!r}")
    if device.type != "cpu":
        raise ValueError(f"int8 weights need the CPU, not {device}")
    return Int8Linear


def linear_of(layer: nn.Linear, pack: Pack) -> Linear:
    """A linear layer of the checkpoint, packed."""
    return pack(layer.weight, layer.bias)
