"""Linear layers laid out for inference: float32, or 8-bit weights on the CPU."""

from collections.abc import Callable
from functools import cache
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Linear = Callable[[Tensor], Tensor]  # (R, in) -> (R, out)
Pack = Callable[[Tensor, Tensor | None], Linear]  # weight (out, in) and bias (out) -> linear
WeightType = Literal["float32", "int8"]
SMALLEST = 1e-30  # a scale whose inverse is still finite


class DenseLinear:
    """float32, as any device computes it."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight = weight.detach().float().contiguous()
        self.bias = None if bias is None else bias.detach().float()

    def __call__(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight, self.bias)


class CpuLinear:
    """float32 in two layouts, for twice the memory: slices for one row, a blocked one for more.

    One row is bound by reading the weight. Each slice holds some of the inputs of all outputs, output by output in
    memory, so that threads read slices side by side and at nearly the memory's bandwidth; their sum is the product.
    More rows go through oneDNN's own layout, about twice as fast as through a plain one. Neither the choice nor the
    number of slices is measured or follows the threads: replicas must not round differently.
    """

    ROWS = 32  # what the blocked layout is made for; it serves 2 to 512 rows alike
    SLICES = 4  # as fast as 2 or 8 on two threads, and enough for four

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        weight = weight.detach().float().contiguous()
        outputs, inputs = weight.shape
        self.slices = largest_divisor(inputs, self.SLICES)
        self.bias = None if bias is None else bias.detach().float()
        self.sliced = weight.view(outputs, self.slices, -1).permute(1, 2, 0).contiguous()
        self.blocked = torch.ops.mkldnn._reorder_linear_weight(weight, self.ROWS)

    def __call__(self, x: Tensor) -> Tensor:
        if x.shape[0] > 1:
            out: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.blocked, self.bias, "none", [], "")
            return out
        product = torch.bmm(x.view(self.slices, 1, -1), self.sliced).sum(0)
        return product if self.bias is None else product.add_(self.bias)


class Int8Linear:
    """8-bit weights, one scale for each output, and activations rounded to 8 bits with one scale for each row.

    Sums are whole numbers, so a row's result is equal to the bit whatever is computed beside it.
    """

    ZERO = 128  # activations are unsigned to the kernel

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        weight = weight.detach().float()
        # Without VNNI the kernel adds pairs of products in 16 bits, which overflow unless activations leave one bit.
        self.levels = 127 if torch.cpu._is_vnni_supported() else 63
        scale = weight.abs().amax(dim=1).clamp_min(SMALLEST) / 127
        rounded = (weight / scale[:, None]).round().to(torch.int8)
        self.packed = torch.ops.onednn.qlinear_prepack(rounded, None)
        self.scale = scale / self.levels
        self.zero = torch.zeros(len(weight), dtype=torch.int64)
        self.bias = torch.zeros(len(weight)) if bias is None else bias.detach().float()
        self.middle = torch.full((1, 1), self.ZERO + 0.5)  # a half, because the conversion to uint8 cuts off

    def __call__(self, x: Tensor) -> Tensor:
        largest = torch.linalg.vector_norm(x, ord=torch.inf, dim=-1, keepdim=True).clamp_min_(SMALLEST)
        rows = torch.addcmul(self.middle, x, self.levels / largest).to(torch.uint8)
        product: Tensor = torch.ops.onednn.qlinear_pointwise(
            rows, 1.0, self.ZERO, self.packed, self.scale, self.zero, None, 1.0, 0, torch.float32, "none", [], ""
        )
        return torch.addcmul(self.bias, product, largest)


def packing(weights: WeightType, device: torch.device) -> Pack:
    """How the linears of a model are laid out. Raises ValueError where the device cannot do it."""
    if weights == "float32":
        return CpuLinear if device.type == "cpu" and onednn_works() else DenseLinear
    if weights != "int8":
        raise ValueError(f"weights must be float32 or int8, not {weights!r}")
    if device.type != "cpu":
        raise ValueError(f"int8 weights need the CPU, not {device}")
    return Int8Linear


@cache
def onednn_works() -> bool:
    """Whether this torch has the blocked layout, which is none of its public interface, and it computes a product."""
    x, weight = torch.eye(4), torch.arange(24, dtype=torch.float32).view(6, 4)
    try:
        return torch.allclose(CpuLinear(weight, None)(x), weight.t())
    except (AttributeError, RuntimeError):
        return False


def largest_divisor(number: int, most: int) -> int:
    """The largest divisor of a number that is at most so large."""
    return next(part for part in range(most, 0, -1) if number % part == 0)


def linear_of(layer: nn.Linear, pack: Pack) -> Linear:
    """A linear layer of the checkpoint, packed."""
    return pack(layer.weight, layer.bias)
