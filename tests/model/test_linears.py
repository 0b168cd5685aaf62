"""Linears in their inference layouts against plain ones."""

import pytest
import torch

from model.linears import CpuLinear, DenseLinear, Int8Linear, Pack, largest_divisor, onednn_works, packing

GENERATOR = torch.Generator().manual_seed(0)
WEIGHT = torch.randn(48, 64, generator=GENERATOR)
BIAS = torch.randn(48, generator=GENERATOR)
X = torch.randn(5, 64, generator=GENERATOR)
WANTED = torch.nn.functional.linear(X, WEIGHT, BIAS)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("kind", [DenseLinear, CpuLinear])
def test_a_packed_linear_is_a_linear(kind: Pack, rows: int, threads: int) -> None:
    torch.set_num_threads(threads)
    torch.testing.assert_close(kind(WEIGHT, BIAS)(X[:rows]), WANTED[:rows])
    torch.testing.assert_close(kind(WEIGHT, None)(X[:rows]), X[:rows] @ WEIGHT.T)


@pytest.mark.parametrize("error", [AttributeError, RuntimeError])
def test_a_torch_without_the_blocked_layout_has_the_plain_one(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def fail(weight: torch.Tensor, rows: int) -> None:
        raise error(weight.shape, rows)

    onednn_works.cache_clear()
    assert packing("float32", torch.device("cpu")) is CpuLinear
    onednn_works.cache_clear()
    monkeypatch.setattr(torch.ops.mkldnn, "_reorder_linear_weight", fail)
    assert packing("float32", torch.device("cpu")) is DenseLinear
    onednn_works.cache_clear()


def test_slices_are_equal_and_no_more_than_asked_for() -> None:
    assert [largest_divisor(number, 4) for number in (1, 6, 7, 12, 832)] == [1, 3, 1, 4, 4]


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
