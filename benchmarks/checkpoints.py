"""Models of the published shapes with random weights: speed does not depend on what was learnt."""

import torch

from model import Kronos, KronosTokenizer

SHAPES = {"mini": (4, 256, 4, 512), "small": (8, 512, 8, 1024), "base": (12, 832, 16, 2048)}


def random_pair(name: str, device: torch.device) -> tuple[Kronos, KronosTokenizer]:
    """A model and a tokenizer in evaluation mode."""
    torch.manual_seed(0)
    layers, width, heads, hidden = SHAPES[name]
    kronos = Kronos(10, 10, layers, width, heads, hidden, 0.0, 0.0, 0.0, 0.0, True)
    group_size = 5 if name == "mini" else 4
    tokenizer = KronosTokenizer(6, 256, 4, 512, 4, 4, 0.0, 0.0, 0.0, 10, 10, 0.05, 1.0, 1.1, 0.05, group_size)
    return kronos.to(device).eval(), tokenizer.to(device).eval()


def step_bytes(kronos: Kronos, rows: int) -> int:
    """What one step of one path must read at least: all weights but the embedding tables, and the cache of its rows."""
    tables = [*kronos.embedding.emb_s1.parameters(), *kronos.embedding.emb_s2.parameters()]
    tables += kronos.time_emb.parameters()
    weights = sum(p.nbytes for p in kronos.parameters()) - sum(p.nbytes for p in tables)
    width, layers = int(kronos.config["d_model"]), int(kronos.config["n_layers"])
    return weights + rows * (layers + 1) * 2 * width * 4
