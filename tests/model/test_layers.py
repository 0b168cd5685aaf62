"""The modules against the reference's values."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from model import Kronos, KronosTokenizer

Arrays = dict[str, NDArray[Any]]


def assert_close(found: torch.Tensor, wanted: NDArray[Any]) -> None:
    np.testing.assert_allclose(found.detach().numpy(), wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


def test_the_tokenizer_encodes_as_the_reference(tokenizer: KronosTokenizer, layers: Arrays) -> None:
    x = torch.from_numpy(layers["tok_x"])
    s1, s2 = tokenizer.encode(x, half=True)
    np.testing.assert_array_equal(s1, layers["tok_s1"])
    np.testing.assert_array_equal(s2, layers["tok_s2"])
    np.testing.assert_array_equal(np.asarray(tokenizer.encode(x)), layers["tok_full"])


def test_the_tokenizer_decodes_as_the_reference(tokenizer: KronosTokenizer, layers: Arrays) -> None:
    halves = [torch.from_numpy(layers["tok_s1"]), torch.from_numpy(layers["tok_s2"])]
    assert_close(tokenizer.decode(halves, half=True), layers["tok_decode"])
    assert_close(tokenizer.decode(torch.from_numpy(layers["tok_full"])), layers["tok_decode_full"])


def test_the_training_pass_of_the_tokenizer_reconstructs_as_the_reference(
    tokenizer: KronosTokenizer, layers: Arrays
) -> None:
    (coarse, full), _loss, quantized = tokenizer(torch.from_numpy(layers["tok_x"]))
    assert_close(coarse, layers["tok_pre"])
    assert_close(full, layers["tok_decode"])
    assert_close(quantized, layers["tok_quantized"])


def test_the_model_gives_the_logits_of_the_reference(kronos: Kronos, layers: Arrays) -> None:
    s1, s2, stamp, pick = (torch.from_numpy(layers[k]) for k in ("tok_s1", "tok_s2", "lm_stamp", "lm_pick"))
    logits, context = kronos.decode_s1(s1, s2, stamp)
    assert_close(logits, layers["lm_s1_logits"])
    assert_close(context, layers["lm_context"])
    assert_close(kronos.decode_s2(context, pick)[:, -1], layers["lm_s2_logits_last"])
