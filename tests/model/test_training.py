"""What training relies on: the quantizer, its loss, and passes that see no future."""

import itertools
import math

import pytest
import torch

from model import Kronos, KronosTokenizer
from model.embeddings import FixedEmbedding
from model.quantizer import BinarySphericalQuantizer, LossWeights, bits_to_index, index_to_signs

WEIGHTS = LossWeights(beta=0.3, gamma0=0.7, gamma=1.1, zeta=0.5)


def unit_rows(rows: int, bits: int) -> torch.Tensor:
    z = torch.randn(rows, bits, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return torch.nn.functional.normalize(z, dim=-1)


def test_an_index_counts_from_the_lowest_bit() -> None:
    assert bits_to_index(torch.tensor([True, False, True, True])) == 1 + 4 + 8
    assert index_to_signs(torch.tensor(13), 4).tolist() == [1, -1, 1, 1]


def test_every_index_comes_back_from_its_signs() -> None:
    index = torch.arange(2**7)
    assert torch.equal(bits_to_index(index_to_signs(index, 7) > 0), index)


def test_quantized_vectors_are_corners_and_pass_the_gradient_on() -> None:
    z = unit_rows(5, 6).requires_grad_()
    quantized, _ = BinarySphericalQuantizer(6, 3, WEIGHTS)(z)
    torch.testing.assert_close(quantized, torch.where(z > 0, 1.0, -1.0).double() / math.sqrt(6))
    weights = torch.arange(30.0).view(5, 6).double()
    (quantized * weights).sum().backward()
    assert z.grad is not None
    torch.testing.assert_close(z.grad, weights)


def test_the_loss_is_the_written_sum() -> None:
    bits, group, rows = 6, 3, 4
    z = unit_rows(rows, bits)
    commitment = sum(float((row.sign() / math.sqrt(bits) - row).square().sum()) for row in z) / rows
    sample = 0.0
    for value in z.flatten().tolist():
        p = 1 / (1 + math.exp(4 * value / math.sqrt(bits)))
        sample -= (p * math.log(p) + (1 - p) * math.log(1 - p)) / rows
    code = 0.0
    for part in z.view(rows, bits // group, group).unbind(1):
        weights = torch.zeros(2**group, dtype=torch.float64)
        for row in part:
            codes = itertools.product((-1.0, 1.0), repeat=group)
            scores = [
                2 * sum(a * b for a, b in zip(row.tolist(), code, strict=True)) / math.sqrt(bits) for code in codes
            ]
            weights += torch.tensor(scores, dtype=torch.float64).softmax(-1) / rows
        code -= float((weights * weights.log()).sum())
    wanted = 0.3 * commitment + 0.5 * (0.7 * sample - 1.1 * code)
    quantizer = BinarySphericalQuantizer(bits, group, WEIGHTS)
    assert float(quantizer(z.float())[1]) == pytest.approx(wanted, rel=1e-5)


def test_a_group_size_that_does_not_divide_the_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="group_size 4 must divide"):
        BinarySphericalQuantizer(6, 4, WEIGHTS)


def test_training_logits_see_no_later_position(kronos: Kronos) -> None:
    generator = torch.Generator().manual_seed(2)
    s1, s2, targets = torch.randint(0, 16, (3, 1, 12), generator=generator)
    stamp = torch.ones(1, 12, 5)
    whole = kronos(s1, s2, stamp, s1_targets=targets)
    start = kronos(s1[:, :7], s2[:, :7], stamp[:, :7], s1_targets=targets[:, :7])
    for found, wanted in zip(start, whole, strict=True):
        torch.testing.assert_close(found, wanted[:, :7], rtol=1e-4, atol=1e-5)


def test_training_draws_coarse_tokens_where_none_are_given(kronos: Kronos) -> None:
    tokens = torch.zeros(2, 5, dtype=torch.int64)
    coarse, fine = kronos(tokens, tokens)
    assert coarse.shape == fine.shape == (2, 5, 2**kronos.s1_bits)


def test_losses_reach_every_weight(kronos: Kronos, tokenizer: KronosTokenizer) -> None:
    tokenizer = KronosTokenizer(**tokenizer.config).train()
    (coarse, full), loss, _ = tokenizer(torch.randn(2, 9, 6))
    (coarse.square().mean() + full.square().mean() + loss).backward()
    model = Kronos(**kronos.config | {"learn_te": True}).train()
    tokens = torch.randint(0, 16, (2, 9))
    sum(logits.square().mean() for logits in model(tokens, tokens, torch.ones(2, 9, 5), s1_targets=tokens)).backward()
    for module in (tokenizer, model):
        assert [name for name, parameter in module.named_parameters() if parameter.grad is None] == []


def test_a_fixed_calendar_table_is_of_sines_and_not_trained() -> None:
    table = FixedEmbedding(rows=3, dim=4)
    wanted = [[f(row * scale) for scale in (1.0, 0.01) for f in (math.sin, math.cos)] for row in range(3)]
    torch.testing.assert_close(table(torch.arange(3)), torch.tensor(wanted))
    assert not table.emb.weight.requires_grad
