"""`Kronos`: the decoder-only transformer over pairs of tokens (arXiv 2508.02739, section 4)."""

import torch
from torch import Tensor, nn

from model.checkpoints import Checkpoint
from model.embeddings import CalendarEmbedding, TokenEmbedding
from model.layers import DependencyLayer, Dropout, RMSNorm, TransformerBlock


class DualHead(nn.Module):
    """The two projections to logits."""

    def __init__(self, s1_bits: int, s2_bits: int, dim: int) -> None:
        super().__init__()
        self.proj_s1 = nn.Linear(dim, 2**s1_bits)
        self.proj_s2 = nn.Linear(dim, 2**s2_bits)


class Kronos(Checkpoint):
    """Predicts the next coarse token, and the next fine token given the coarse one."""

    optional_tensors = ("rotary.inv_freq",)

    def __init__(
        self,
        s1_bits: int,
        s2_bits: int,
        n_layers: int,
        d_model: int,
        n_heads: int,
        ff_dim: int,
        ffn_dropout_p: float,
        attn_dropout_p: float,
        resid_dropout_p: float,
        token_dropout_p: float,
        learn_te: bool,
    ) -> None:
        super().__init__()
        self.keep_config(locals())
        if s1_bits != s2_bits:
            raise ValueError(
                f"s1_bits {s1_bits} and s2_bits {s2_bits} must be equal: half tokens have no other decoding"
            )
        self.s1_bits, self.s2_bits = s1_bits, s2_bits
        self.token_drop = nn.Dropout(token_dropout_p)
        self.embedding = TokenEmbedding(s1_bits, s2_bits, d_model)
        self.time_emb = CalendarEmbedding(d_model, learn_te)
        dropout = Dropout(ffn_dropout_p, attn_dropout_p, resid_dropout_p)
        self.transformer = nn.ModuleList(TransformerBlock(d_model, n_heads, ff_dim, dropout) for _ in range(n_layers))
        self.norm = RMSNorm(d_model)
        self.dep_layer = DependencyLayer(d_model, resid_dropout_p)
        self.head = DualHead(s1_bits, s2_bits, d_model)

    def forward(
        self, s1_ids: Tensor, s2_ids: Tensor, stamp: Tensor | None = None, *, s1_targets: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Training pass: logits of the next coarse and fine token at every position, each (B, T, vocabulary).

        Fine logits are conditioned on `s1_targets` (B, T), or on coarse tokens drawn from the logits, and see no later
        position.
        """
        s1_logits, context = self.decode_s1(s1_ids, s2_ids, stamp)
        if s1_targets is None:
            drawn = torch.multinomial(s1_logits.detach().softmax(-1).flatten(0, 1), 1)
            s1_targets = drawn.view(s1_ids.shape)
        fine = self.dep_layer(context, self.embedding.emb_s1(s1_targets), causal=True)
        return s1_logits, self.head.proj_s2(fine)

    def decode_s1(self, s1_ids: Tensor, s2_ids: Tensor, stamp: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Coarse logits (B, T, vocabulary) and the context (B, T, d_model) of tokens (B, T) and stamps (B, T, 5)."""
        x = self.embedding(s1_ids, s2_ids)
        if stamp is not None:
            x = x + self.time_emb(stamp)
        x = self.token_drop(x)
        for block in self.transformer:
            x = block(x)
        context = self.norm(x)
        return self.head.proj_s1(context), context

    def decode_s2(self, context: Tensor, s1_ids: Tensor) -> Tensor:
        """Fine logits (B, T, vocabulary) given the chosen coarse token (B, 1); those of the last position count."""
        fine: Tensor = self.head.proj_s2(self.dep_layer(context, self.embedding.emb_s1(s1_ids), causal=False))
        return fine
