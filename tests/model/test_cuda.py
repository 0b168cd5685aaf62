"""The same forecasts on a CUDA device as on the CPU."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from model import Kronos, KronosPredictor, KronosTokenizer
from model.sampling import COARSE, Draws, Sampling, choose, noise_of

pytestmark = pytest.mark.cuda


def test_noise_and_filters_are_those_of_the_cpu() -> None:
    chosen, noise = [], []
    for device in (torch.device("cpu"), torch.device("cuda")):
        draws = Draws.of(Sampling(sample_count=64), 3, device)
        steps = torch.arange(64, device=device)
        logits = torch.randn(64, 1024, generator=torch.Generator().manual_seed(0)).to(device)
        noise.append(noise_of(draws, steps, 1024).cpu())
        chosen.append(choose(logits, draws, noise[-1][COARSE].to(device)).cpu())
    torch.testing.assert_close(noise[0], noise[1], rtol=1e-6, atol=1e-6)
    assert torch.equal(*chosen)


@pytest.mark.parametrize("arguments", [{"top_k": 1}, {"seed": 5, "sample_count": 3}])
@pytest.mark.parametrize("name", ["fits", "window_slides", "context_longer_than_window"])
def test_forecasts_are_those_of_the_cpu(
    kronos: Kronos, tokenizer: KronosTokenizer, forecasts: dict[str, Any], name: str, arguments: dict[str, int]
) -> None:
    case = forecasts[name]
    found = []
    for device in ("cpu", "cuda"):
        copies = Kronos(**kronos.config), KronosTokenizer(**tokenizer.config)
        for copy, module in zip(copies, (kronos, tokenizer), strict=True):
            copy.load_state_dict(module.state_dict())
        predictor = KronosPredictor(*copies, device=device, max_context=case["max_context"])
        df, past, future = pd.DataFrame(case["candles"]), case["timestamps"], case["prediction_timestamps"]
        found.append(predictor.predict(df, past, future, len(future), **arguments).to_numpy())  # type: ignore[arg-type]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-4, atol=1e-4 * np.abs(found[0]).max())


def test_the_first_cuda_device_is_the_default(kronos: Kronos, tokenizer: KronosTokenizer) -> None:
    predictor = KronosPredictor(Kronos(**kronos.config), KronosTokenizer(**tokenizer.config))
    assert predictor.device == torch.device("cuda:0")
