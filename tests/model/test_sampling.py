"""Filters against the reference's probabilities, and draws that depend on their place only."""

import json
from pathlib import Path

import pytest
import torch

from model.sampling import COARSE, FINE, Draws, Sampling, choose, filtered, gumbel, noise_of

CPU = torch.device("cpu")
FILTERING = json.loads((Path(__file__).parent / "golden" / "filtering.json").read_text())
LOGITS = torch.tensor(FILTERING["logits"])


@pytest.mark.parametrize("row", FILTERING["rows"], ids=lambda r: f"T{r['temperature']}-k{r['top_k']}-p{r['top_p']}")
def test_filtered_probabilities_equal_the_references(row: dict[str, float]) -> None:
    sampling = Sampling(row["temperature"], int(row["top_k"]), row["top_p"], len(LOGITS))
    found = filtered(LOGITS, Draws.of(sampling, 0, CPU)).softmax(-1)
    torch.testing.assert_close(found, torch.tensor(row["probabilities"]), rtol=0, atol=2e-7)


def test_rows_of_different_sampling_do_not_mix() -> None:
    rows = [Draws.of(Sampling(r["temperature"], int(r["top_k"]), r["top_p"]), 0, CPU) for r in FILTERING["rows"]]
    together = filtered(LOGITS[:1].expand(len(rows), -1), Draws.join(rows))
    for found, draws in zip(together, rows, strict=True):
        torch.testing.assert_close(found[None], filtered(LOGITS[:1], draws), rtol=0, atol=0)


def test_top_k_beyond_the_vocabulary_keeps_all() -> None:
    draws = Draws.of(Sampling(top_k=10_000, sample_count=len(LOGITS)), 0, CPU)
    assert torch.equal(filtered(LOGITS, draws), LOGITS)


def test_ties_with_the_kth_token_stay() -> None:
    draws = Draws.of(Sampling(top_k=2), 0, CPU)
    assert torch.isfinite(filtered(torch.tensor([[3.0, 1.0, 1.0, 0.0]]), draws)).tolist() == [[True, True, True, False]]


def test_temperature_0_takes_the_best_token_beside_rows_that_draw() -> None:
    greedy, drawing = Draws.of(Sampling(temperature=0), 0, CPU), Draws.of(Sampling(temperature=50.0, top_p=1), 0, CPU)
    logits = LOGITS[:1].expand(2, -1)
    for step in range(50):
        draws = Draws.join([greedy, drawing])
        chosen = choose(logits, draws, noise_of(draws, torch.tensor([step, step]), logits.shape[-1])[COARSE])
        assert chosen[0] == LOGITS[0].argmax()


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    count = 40_000
    logits = torch.tensor([[2.0, 1.0, 0.0, -1.0, -3.0]]).expand(count, -1)
    draws = Draws.of(Sampling(top_p=1.0, sample_count=count), 3, CPU)
    chosen = choose(logits, draws, noise_of(draws, torch.zeros(count, dtype=torch.int64), 5)[FINE])
    expected = logits[0].softmax(-1)
    deviation = (chosen.bincount(minlength=5) / count - expected).abs()
    assert (deviation < 4 * (expected / count).sqrt()).all()


def test_noise_has_the_moments_of_a_gumbel_and_no_echo() -> None:
    keys = Draws.of(Sampling(sample_count=64), 5, CPU).path_key
    noise = torch.cat([gumbel(keys, torch.full((64,), step), 256) for step in range(8)])  # (steps * stages, paths, ..)
    assert abs(noise.mean() - 0.5772) < 0.01
    assert abs(noise.var() - 1.6449) < 0.03
    flat = noise.flatten(1)
    assert torch.corrcoef(flat).fill_diagonal_(0).abs().max() < 0.04  # between steps and stages
    assert torch.corrcoef(noise.transpose(0, 1).flatten(1)).fill_diagonal_(0).abs().max() < 0.08  # between paths


def test_noise_is_pinned() -> None:
    """A changed hash would change every seeded forecast."""
    found = gumbel(Draws.of(Sampling(sample_count=2), 42, CPU).path_key, torch.tensor([0, 9]), 3)[FINE]
    wanted = torch.tensor([[-0.2748687, 1.7340615, 0.4316690], [-1.0182390, 0.2457891, -0.2949844]])
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-6)


def test_a_row_draws_the_same_wherever_it_stands() -> None:
    parts = [Draws.of(Sampling(sample_count=2), seed, CPU) for seed in (1, 2, 3)]
    logits = torch.randn(6, 100, generator=torch.Generator().manual_seed(0))
    steps = torch.tensor([4, 4, 7, 7, 1, 1])
    draws = Draws.join(parts)
    together = choose(logits, draws, noise_of(draws, steps, 100)[COARSE])
    for number, part in enumerate(parts):
        rows = slice(2 * number, 2 * number + 2)
        alone = choose(logits[rows], part, noise_of(part, steps[rows], 100)[COARSE])
        assert torch.equal(alone, together[rows])


@pytest.mark.parametrize(
    ("field", "value"),
    [("temperature", -1.0), ("temperature", float("nan")), ("top_k", -1), ("top_p", -0.1), ("sample_count", 0)],
)
def test_sampling_out_of_range_is_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        Sampling(**{field: value})  # type: ignore[arg-type]
