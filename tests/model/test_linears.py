"""Linears in their inference layouts against plain ones."""

import pytest
import torch

from model.linears import DenseLinear, Int8Linear, packing

GENERATOR = torch.Generator().manual_seed(0)
WEIGHT = torch.randn(48, 64, generator=GENERATOR)
BIAS = torch.randn(48, generator=GENERATOR)
X = torch.randn(5, 64, generator=GENERATOR)
WANTED = torch.nn.functional.linear(X, WEIGHT, BIAS)


def test_a_dense_linear_is_a_linear() -> None:
    torch.testing.assert_close(DenseLinear(WEIGHT, BIAS)(X), WANTED)
    torch.testing.assert_close(DenseLinear(WEIGHT, None)(X), X @ WEIGHT.T)


def test_an_int8_linear_is_close_to_a_linear() -> None:
    error = Int8Linear(WEIGHT, BIAS)(X) - WANTED
    assert error.norm() / WANTED.norm() < 0.01
    assert (Int8Linear(WEIGHT, None)(X) - X @ WEIGHT.T).norm() / WANTED.norm() < 0.01


def test_a_row_of_an_int8_linear_is_equal_to_the_bit_whatever_is_beside_it() -> None:
    linear = Int8Linear(WEIGHT, BIAS)
    alone = torch.cat([linear(row[None]) for row in X])
    for neighbour in (0.0, 1e-3, 1e4):
        together = linear(torch.cat((X, torch.full((3, 64), neighbour))))[:5]
        assert torch.equal(together, alone)


def test_a_row_of_zeros_gives_the_bias() -> None:
    assert torch.equal(Int8Linear(WEIGHT, BIAS)(torch.zeros(1, 64))[0], BIAS)


def test_weights_of_an_unknown_kind_or_on_the_wrong_device_are_refused() -> None:
    with pytest.raises(ValueError, match="float32 or int8, not 'int4'"):
        packing("int4", torch.device("cpu"))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="int8 weights need the CPU, not cuda"):
        packing("int8", torch.device("cuda"))
