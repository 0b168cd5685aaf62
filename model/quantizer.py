"""Binary spherical quantization (arXiv 2406.07548): unit vectors to bits, bits to tokens, and the training loss."""

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class LossWeights:
    """Weights of the quantizer's loss: commitment, per-sample entropy, codebook entropy, both entropies."""

    beta: float
    gamma0: float
    gamma: float
    zeta: float


class BinarySphericalQuantizer(nn.Module):
    """Maps z of n dimensions to the nearest corner of the n-cube on the unit sphere."""

    basis: Tensor
    group_basis: Tensor

    def __init__(self, bits: int, group_size: int, weights: LossWeights) -> None:
        super().__init__()
        if bits % group_size:
            raise ValueError(f"group_size {group_size} must divide s1_bits + s2_bits = {bits}")
        self.bits = bits
        self.group_size = group_size
        self.weights = weights
        # Part of the file format; the arithmetic below needs neither. On the CPU: a file may come without them.
        self.register_buffer("basis", 2 ** torch.arange(bits - 1, -1, -1, device="cpu"))
        self.register_buffer("group_basis", 2 ** torch.arange(group_size - 1, -1, -1, device="cpu"))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Unit vectors (..., n) -> (quantized with a straight-through gradient, loss)."""
        corner = torch.where(z > 0, 1.0, -1.0).to(z.dtype) / self.bits**0.5
        quantized = z + (corner - z).detach()
        return quantized, self.loss(z, corner)

    def loss(self, z: Tensor, corner: Tensor) -> Tensor:
        """Commitment plus entropies: each sample decided (low), the codebook used evenly (high)."""
        w = self.weights
        commitment = (corner.detach() - z).square().sum(-1).mean()
        entropies = w.gamma0 * self.sample_entropy(z) - w.gamma * self.code_entropy(z)
        return w.beta * commitment + w.zeta * entropies

    def sample_entropy(self, z: Tensor) -> Tensor:
        """Mean over rows of the summed binary entropies of each bit, in nats."""
        logit = -4 * z / self.bits**0.5
        p = torch.sigmoid(logit)
        return -(p * functional.logsigmoid(logit) + (1 - p) * functional.logsigmoid(-logit)).sum(-1).mean()

    def code_entropy(self, z: Tensor) -> Tensor:
        """Entropy of each group's batch-averaged code distribution, summed over groups, in nats."""
        corners = list(itertools.product((-1.0, 1.0), repeat=self.group_size))
        codes = torch.tensor(corners, dtype=z.dtype, device=z.device)
        groups = z.reshape(-1, self.bits // self.group_size, self.group_size)
        average = (2 * groups @ codes.T / self.bits**0.5).softmax(-1).mean(0)
        entropy: Tensor = -(average * average.clamp_min(1e-9).log()).sum()
        return entropy


class BSQuantizer(nn.Module):
    """The quantizer under the attribute name the checkpoint format gives it."""

    def __init__(self, bits: int, group_size: int, weights: LossWeights) -> None:
        super().__init__()
        self.bsq = BinarySphericalQuantizer(bits, group_size, weights)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Any vectors (..., n) -> (quantized, loss)."""
        out: tuple[Tensor, Tensor] = self.bsq(functional.normalize(z, dim=-1))
        return out


def bits_to_index(bits: Tensor) -> Tensor:
    """Booleans (..., n) -> integers (...), bit 0 the lowest."""
    return (bits.long() << torch.arange(bits.shape[-1], device=bits.device)).sum(-1)


def index_to_signs(index: Tensor, bits: int) -> Tensor:
    """Integers (...) -> float -1 or +1 (..., bits), bit 0 first."""
    set_bits = (index[..., None] >> torch.arange(bits, device=index.device)) & 1
    return set_bits.float() * 2 - 1
