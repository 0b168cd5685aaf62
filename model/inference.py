"""The two networks in their packed form, as a forecast uses them: no dropout, no gradients, only rows that matter."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from model.cache import Cache
from model.kronos import Kronos
from model.linears import Linear, Pack, linear_of
from model.network import Stack, joined
from model.packed import Unit, gain
from model.quantizer import bits_to_index, index_to_signs
from model.tokenizer import KronosTokenizer


@dataclass
class Memory:
    """What one job's window left behind: each block's keys and values, and those of the context for fine tokens."""

    blocks: Cache
    context: Cache


class LanguageModel:
    """Packed `Kronos`. Weights are read once, at construction."""

    def __init__(self, kronos: Kronos, positions: int, pack: Pack) -> None:
        self.width = kronos.norm.weight.shape[0]
        self.stack = Stack.of(kronos.transformer, positions, pack)
        self.calendar = kronos.time_emb
        self.unit, self.gain = Unit(kronos.norm), gain(kronos.norm)
        self.coarse_head = linear_of(kronos.head.proj_s1, pack)
        self._pack_embedding(kronos)
        self._pack_fine(kronos, pack)

    def _pack_embedding(self, kronos: Kronos) -> None:
        """Fusing two embeddings is linear, so each token's share of the result is a table."""
        emb, fusion = kronos.embedding, kronos.embedding.fusion_proj
        coarse, fine = fusion.weight.chunk(2, dim=1)
        self.coarse_table = emb.emb_s1.weight * emb.scale @ coarse.t()
        self.fine_table = emb.emb_s2.weight * emb.scale @ fine.t() + fusion.bias

    def _pack_fine(self, kronos: Kronos, pack: Pack) -> None:
        """The query depends on the coarse token alone, so it is a table, scaled: (vocabulary, heads, head size)."""
        layer, head = kronos.dep_layer, kronos.head.proj_s2
        cross = layer.cross_attn
        size = self.width // cross.heads
        self.query_table = cross.q_proj(kronos.embedding.emb_s1.weight).view(-1, cross.heads, size) * size**-0.5
        kv = torch.cat((cross.k_proj.weight, cross.v_proj.weight)), torch.cat((cross.k_proj.bias, cross.v_proj.bias))
        self.context_kv: Linear = pack(*kv)
        self.cross_out = linear_of(cross.out_proj, pack)
        self.fine_head = pack(head.weight * gain(layer.norm), head.bias)

    @property
    def vocabulary(self) -> int:
        """Tokens of a stage."""
        return self.coarse_table.shape[0]

    @property
    def bytes_per_token(self) -> int:
        """Keys and values of every block and of the context, float32."""
        return (len(self.stack.blocks) + 1) * 2 * self.width * 4

    def memory(self, paths: int, prefix_rows: int, path_rows: int) -> Memory:
        """Empty caches for one job, allocated once."""
        heads, size = self.query_table.shape[1:]
        context = Cache(1, heads, size, paths, prefix_rows, path_rows, self.gain.device)
        return Memory(self.stack.cache(paths, prefix_rows, path_rows), context)

    def embed_calendar(self, stamps: Tensor) -> Tensor:
        """Calendar stamps (n, 5) -> (n, dim)."""
        out: Tensor = self.calendar(stamps)
        return out

    def embed(self, tokens: Tensor, calendar: Tensor) -> Tensor:
        """Coarse and fine tokens (2, ...) and their calendar embeddings (..., dim) -> (..., dim)."""
        return self.coarse_table[tokens[0]] + self.fine_table[tokens[1]] + calendar

    def read(self, x: Tensor, memory: Memory) -> Tensor:
        """Read a prefix x (T, dim) into an empty memory; returns the context's last row (1, dim)."""
        context = self.unit(self.stack.over_prefix(x, memory.blocks)) * self.gain
        memory.context.write_prefix(0, self._context_kv(context))
        memory.context.prefix_length = x.shape[0]
        return context[-1:]

    def advance(self, x: Tensor, memories: Sequence[Memory]) -> Tensor:
        """Read one more row for every path, x (R, dim); returns its context (R, dim)."""
        context = self.unit(self.stack.next_row(x, [memory.blocks for memory in memories])) * self.gain
        rows = torch.split(self._context_kv(context), [memory.context.paths for memory in memories])
        for memory, kv in zip(memories, rows, strict=True):
            memory.context.append(0, kv)
        for memory in memories:
            memory.blocks.advance()
            memory.context.advance()
        return context

    def branch(self, x: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Read rows x (P, n, dim) that follow the memory's prefix in each path, keeping nothing.

        Returns the last context row of each path (P, dim) and the keys and values of all: (2, heads, P, n, head size).
        """
        context = self.unit(self.stack.behind_prefix(x, memory.blocks)) * self.gain
        kv = self._context_kv(context.flatten(0, 1))
        return context[:, -1], kv.view(*x.shape[:2], *kv.shape[1:]).permute(2, 3, 0, 1, 4)

    def coarse_logits(self, context: Tensor) -> Tensor:
        """Logits (R, vocabulary) of context rows (R, dim)."""
        return self.coarse_head(context)

    def fine_logits(self, context: Tensor, coarse: Tensor, memories: Sequence[Memory]) -> Tensor:
        """Logits (R, vocabulary) given the chosen coarse tokens (R,), attending to all each path has read."""
        queries = torch.split(self.query_table[coarse], [memory.context.paths for memory in memories])
        seen = [memory.context.look(0, q) for memory, q in zip(memories, queries, strict=True)]
        return self._fine(context, joined(seen))

    def branch_fine_logits(self, context: Tensor, coarse: Tensor, memory: Memory, kv: Tensor) -> Tensor:
        """Logits (P, vocabulary) after `branch`, which gave the context rows and kv."""
        seen = memory.context.attend(0, self.query_table[coarse][:, None], kv[0], kv[1], None)[:, 0]
        return self._fine(context, seen)

    def _fine(self, context: Tensor, seen: Tensor) -> Tensor:
        return self.fine_head(self.unit(context + self.cross_out(seen.flatten(1))))

    def _context_kv(self, context: Tensor) -> Tensor:
        """(R, dim) -> (R, 2, heads, head size)."""
        heads, size = self.query_table.shape[1:]
        return self.context_kv(context).view(-1, 2, heads, size)


class Codec:
    """Packed `KronosTokenizer`: K-lines to tokens and back, the part that paths share done once."""

    def __init__(self, tokenizer: KronosTokenizer, positions: int, pack: Pack) -> None:
        self.bits = tokenizer.s1_bits
        self.encoder = Stack.of(tokenizer.encoder, positions, pack)
        self.decoder = Stack.of(tokenizer.decoder, positions, pack)
        self.embed = linear_of(tokenizer.embed, pack)
        self.quantize = linear_of(tokenizer.quant_embed, pack)
        self.dequantize = linear_of(tokenizer.post_quant_embed, pack)
        self.head = linear_of(tokenizer.head, pack)

    def encode(self, x: Tensor) -> Tensor:
        """Scaled K-lines (T, columns) -> coarse and fine tokens (2, T)."""
        latent = self.quantize(self.encoder.over_prefix(self.embed(x)))
        bits = functional.normalize(latent, dim=-1) > 0
        return bits_to_index(bits.view(-1, 2, self.bits)).t()

    def read(self, tokens: Tensor) -> Cache:
        """Read tokens (2, T) that all paths start with; there may be none."""
        cache = self.decoder.cache(1, tokens.shape[1], 0)
        if tokens.shape[1]:
            self.decoder.over_prefix(self._embed(tokens), cache)
        return cache

    def decode(self, tokens: Tensor, prefix: Cache) -> Tensor:
        """Scaled K-lines (P, n, columns) of each path's tokens (2, P, n) behind the prefix."""
        x = self.decoder.behind_prefix(self._embed(tokens), prefix)
        return self.head(x.flatten(0, 1)).view(*tokens.shape[1:], -1)

    def _embed(self, tokens: Tensor) -> Tensor:
        """Tokens (2, ...) -> (..., dim)."""
        signs = index_to_signs(tokens.movedim(0, -1), self.bits)  # (..., 2, bits)
        rows = signs.reshape(-1, 2 * self.bits) / (2 * self.bits) ** 0.5
        return self.dequantize(rows).view(*tokens.shape[1:], -1)
