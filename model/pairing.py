"""Whether a tokenizer is the one a model was trained with, as far as their configurations tell."""

import warnings

from model.kronos import Kronos
from model.tokenizer import KronosTokenizer

# The published tokenizers load with any published model and differ in weights; of their configurations only group_size
# tells them apart: 5 is Kronos-Tokenizer-2k, 4 is Kronos-Tokenizer-base.
PUBLISHED_BITS = 10
TOKENIZER_NAMES = {5: "Kronos-Tokenizer-2k", 4: "Kronos-Tokenizer-base"}
# (n_layers, d_model) of a published model: its name, the group_size of its tokenizer
PUBLISHED_MODELS = {(4, 256): ("Kronos-mini", 5), (8, 512): ("Kronos-small", 4), (12, 832): ("Kronos-base", 4)}


def check_pair(kronos: Kronos, tokenizer: KronosTokenizer) -> None:
    """Raise ValueError where tokens do not fit; warn where a published model is given the wrong published tokenizer."""
    if kronos.s1_bits != tokenizer.s1_bits:
        raise ValueError(
            f"the tokenizer has {tokenizer.s1_bits} bits a token, the model {kronos.s1_bits}: they are no pair"
        )
    published = PUBLISHED_MODELS.get((kronos.config["n_layers"], kronos.config["d_model"]))
    group_size = tokenizer.config["group_size"]
    if published is None or kronos.s1_bits != PUBLISHED_BITS or group_size not in TOKENIZER_NAMES:
        return
    name, wanted = published
    if group_size != wanted:
        warnings.warn(
            f"the model has the shape of {name}, which belongs to {TOKENIZER_NAMES[wanted]}, but the tokenizer looks "
            f"like {TOKENIZER_NAMES[group_size]}: the forecast would be nonsense",
            stacklevel=4,
        )
