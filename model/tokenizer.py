"""`KronosTokenizer`: K-lines to pairs of tokens and back (arXiv 2508.02739, section 3)."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.checkpoints import Checkpoint
from model.layers import Dropout, TransformerBlock
from model.quantizer import BSQuantizer, LossWeights, bits_to_index, index_to_signs


class KronosTokenizer(Checkpoint):
    """Encodes scaled K-lines (B, T, d_in) into coarse and fine tokens, causally, and decodes them."""

    optional_tensors = ("rotary.inv_freq", "tokenizer.bsq.basis", "tokenizer.bsq.group_basis")

    def __init__(
        self,
        d_in: int,
        d_model: int,
        n_heads: int,
        ff_dim: int,
        n_enc_layers: int,
        n_dec_layers: int,
        ffn_dropout_p: float,
        attn_dropout_p: float,
        resid_dropout_p: float,
        s1_bits: int,
        s2_bits: int,
        beta: float,
        gamma0: float,
        gamma: float,
        zeta: float,
        group_size: int,
    ) -> None:
        super().__init__()
        self.keep_config(locals())
        if s1_bits != s2_bits:
            raise ValueError(
                f"s1_bits {s1_bits} and s2_bits {s2_bits} must be equal: half tokens have no other decoding"
            )
        self.s1_bits, self.s2_bits = s1_bits, s2_bits

        def blocks(layers: int) -> nn.ModuleList:
            # One fewer than the configuration says: the published files are so.
            dropout = Dropout(ffn_dropout_p, attn_dropout_p, resid_dropout_p)
            return nn.ModuleList(TransformerBlock(d_model, n_heads, ff_dim, dropout) for _ in range(layers - 1))

        self.embed = nn.Linear(d_in, d_model)
        self.encoder = blocks(n_enc_layers)
        self.decoder = blocks(n_dec_layers)
        self.quant_embed = nn.Linear(d_model, s1_bits + s2_bits)
        self.post_quant_embed_pre = nn.Linear(s1_bits, d_model)
        self.post_quant_embed = nn.Linear(s1_bits + s2_bits, d_model)
        self.head = nn.Linear(d_model, d_in)
        self.tokenizer = BSQuantizer(s1_bits + s2_bits, group_size, LossWeights(beta, gamma0, gamma, zeta))

    def forward(self, x: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor, Tensor]:
        """Training pass over x (B, T, d_in).

        Returns (reconstruction from the coarse bits, full reconstruction), the quantizer's loss and the quantized
        vectors (B, T, bits).
        """
        quantized, loss = self.tokenizer(self.latent(x))
        coarse = self.reconstruct(self.post_quant_embed_pre(quantized[..., : self.s1_bits]))
        full = self.reconstruct(self.post_quant_embed(quantized))
        return (coarse, full), loss, quantized

    def encode(self, x: Tensor, half: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """Tokens of x (B, T, d_in): (coarse, fine) where half, else one index over all bits; each (B, T) int64."""
        bits = functional.normalize(self.latent(x), dim=-1) > 0
        if half:
            return bits_to_index(bits[..., : self.s1_bits]), bits_to_index(bits[..., self.s1_bits :])
        return bits_to_index(bits)

    def decode(self, tokens: Tensor | Sequence[Tensor], half: bool = False) -> Tensor:
        """Scaled K-lines (B, T, d_in) of what `encode` gave."""
        x: Tensor = self.post_quant_embed(self.signs(tokens, half))
        return self.reconstruct(x)

    def signs(self, tokens: Tensor | Sequence[Tensor], half: bool) -> Tensor:
        """Corners of the unit sphere that the tokens stand for: (B, T, bits)."""
        pairs = (
            ((tokens[0], self.s1_bits), (tokens[1], self.s2_bits)) if half else ((tokens, self.s1_bits + self.s2_bits),)
        )
        signs = torch.cat([index_to_signs(torch.as_tensor(index), bits) for index, bits in pairs], dim=-1)
        return signs / math.sqrt(self.s1_bits + self.s2_bits)

    def latent(self, x: Tensor) -> Tensor:
        """What is quantized: (B, T, d_in) -> (B, T, bits)."""
        x = self.embed(x)
        for block in self.encoder:
            x = block(x)
        out: Tensor = self.quant_embed(x)
        return out

    def reconstruct(self, x: Tensor) -> Tensor:
        """Embedded bits (B, T, d_model) -> scaled K-lines (B, T, d_in)."""
        for block in self.decoder:
            x = block(x)
        out: Tensor = self.head(x)
        return out
