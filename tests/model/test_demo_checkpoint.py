"""The committed demo checkpoint: small, sound, and no noise."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from model import Kronos, KronosPredictor, KronosTokenizer

FOLDER = Path(__file__).parents[2] / "examples" / "demo-checkpoint"


@pytest.fixture(scope="module")
def predictor() -> KronosPredictor:
    pair = Kronos.from_pretrained(FOLDER), KronosTokenizer.from_pretrained(FOLDER / "tokenizer")
    return KronosPredictor(*pair, device="cpu")


def test_it_is_small(predictor: KronosPredictor) -> None:
    parameters = [p for module in (predictor.model, predictor.tokenizer) for p in module.parameters()]
    assert 200_000 < sum(p.numel() for p in parameters) < 500_000
    assert sum(file.stat().st_size for file in FOLDER.rglob("*") if file.is_file()) < 2_000_000


def test_it_continues_a_series_near_its_level_with_highs_above_lows(predictor: KronosPredictor) -> None:
    rng = np.random.default_rng(0)
    close = 50 + rng.normal(scale=0.5, size=96).cumsum()
    spread = rng.uniform(0.2, 0.8, 96)
    df = pd.DataFrame({"open": close - 0.1, "high": close + spread, "low": close - spread, "close": close})
    df["volume"] = rng.uniform(1e6, 2e6, 96)
    past, future = pd.bdate_range("2012-01-02", periods=96), pd.bdate_range("2012-05-15", periods=10)
    found = predictor.predict(df, past, future, 10, sample_count=30, seed=1)
    assert ((found["close"] - close[-1]).abs() < 4 * close.std()).all()
    assert (found["high"] > found["low"]).all()
    assert found["volume"].between(1e6, 2e6).all()
