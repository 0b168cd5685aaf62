"""Trains the demo checkpoint on daily K-lines of bokeh-sampledata and measures it on dates it has not seen.

python examples/train_demo_checkpoint.py examples/demo-checkpoint
"""

import argparse
import logging
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
import torch
from bokeh_sampledata import stocks
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from model import Kronos, KronosPredictor, KronosTokenizer
from model.jobs import COLUMNS, Scaling
from model.klines import calendar_stamps, read_rows

TICKERS = ("AAPL", "GOOG", "IBM", "MSFT")
HELD_OUT_FROM = pd.Timestamp("2011-01-01")
CONTEXT, HORIZON = 96, 32  # rows of a training window; scaled by its context alone, as a forecast is
CLIP = 5.0
BATCH = 8
TOKENIZER_STEPS, MODEL_STEPS = 1500, 2000
LEARNING_RATE = 2e-3
EVALUATED_HORIZON, EVALUATED_PATHS = 10, 30

SHAPE: dict[str, Any] = {"d_model": 64, "n_heads": 4, "ff_dim": 128, "s1_bits": 6, "s2_bits": 6}
QUANTIZER: dict[str, Any] = {"beta": 0.05, "gamma0": 1.0, "gamma": 1.1, "zeta": 0.05, "group_size": 4}
NO_DROPOUT: dict[str, Any] = {"ffn_dropout_p": 0.0, "attn_dropout_p": 0.0, "resid_dropout_p": 0.0}
DROPOUT: dict[str, Any] = {"ffn_dropout_p": 0.1, "attn_dropout_p": 0.0, "resid_dropout_p": 0.1, "token_dropout_p": 0.1}

logger = logging.getLogger("train_demo_checkpoint")


def load_series(ticker: str) -> pd.DataFrame:
    """Daily K-lines by date, prices adjusted for splits and dividends."""
    df = pd.DataFrame(getattr(stocks, ticker))
    adjustment = df["adj_close"] / df["close"]
    prices = {name: df[name] * adjustment for name in ("open", "high", "low", "close")}
    return pd.DataFrame(prices | {"volume": df["volume"]}).set_index(pd.DatetimeIndex(df["date"]))


class Windows:
    """Random windows of the training dates."""

    def __init__(self, series: list[pd.DataFrame], seed: int) -> None:
        self.rows = [read_rows(df).astype(np.float32) for df in series]
        self.stamps = [calendar_stamps(pd.DatetimeIndex(df.index)) for df in series]
        self.rng = np.random.default_rng(seed)
        lengths = np.array([len(rows) - CONTEXT - HORIZON for rows in self.rows])
        self.share = lengths / lengths.sum()

    def batch(self) -> tuple[Tensor, Tensor]:
        """Scaled rows (BATCH, CONTEXT + HORIZON, 6) and their calendar stamps (.., 5)."""
        pairs = [self._one() for _ in range(BATCH)]
        return torch.from_numpy(np.stack([x for x, _ in pairs])), torch.from_numpy(np.stack([y for _, y in pairs]))

    def _one(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        number = self.rng.choice(len(self.rows), p=self.share)
        start = self.rng.integers(len(self.rows[number]) - CONTEXT - HORIZON)
        span = slice(start, start + CONTEXT + HORIZON)
        rows = self.rows[number][span]
        return Scaling.of(rows[:CONTEXT]).apply(rows, CLIP), self.stamps[number][span]


def train(module: nn.Module, loss_of: Callable[[], Tensor], steps: int) -> None:
    """Minimise a loss by AdamW with warm-up and cosine decay."""
    optimizer = torch.optim.AdamW(module.parameters(), lr=LEARNING_RATE, weight_decay=0.05, betas=(0.9, 0.95))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps, pct_start=0.05)
    module.train()
    recent = []
    for step in range(1, steps + 1):
        loss = loss_of()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        recent.append(loss.item())
        if step % 250 == 0:
            logger.info("%s step %d: loss %.4f", type(module).__name__, step, np.mean(recent[-250:]))
    module.eval()


def tokenizer_loss(tokenizer: KronosTokenizer, windows: Windows) -> Tensor:
    """Reconstruction from the coarse bits and from all bits, and the quantizer's loss."""
    x, _ = windows.batch()
    (coarse, full), quantizer_loss, _ = tokenizer(x)
    loss: Tensor = (functional.mse_loss(coarse, x) + functional.mse_loss(full, x) + quantizer_loss) / 2
    return loss


def model_loss(kronos: Kronos, tokenizer: KronosTokenizer, windows: Windows) -> Tensor:
    """Cross-entropy of the next coarse token, and of the next fine one given the true coarse one."""
    x, stamps = windows.batch()
    with torch.no_grad():
        s1, s2 = tokenizer.encode(x, half=True)
    s1_logits, s2_logits = kronos(s1[:, :-1], s2[:, :-1], stamps[:, :-1], s1_targets=s1[:, 1:])
    coarse = functional.cross_entropy(s1_logits.flatten(0, 1), s1[:, 1:].flatten())
    return (coarse + functional.cross_entropy(s2_logits.flatten(0, 1), s2[:, 1:].flatten())) / 2


def evaluate(predictor: KronosPredictor, series: list[pd.DataFrame]) -> pd.DataFrame:
    """Mean absolute percentage error on held-out dates, beside that of repeating the last row: by column."""
    contexts, futures = [], []
    for df in series:
        first = int(df.index.searchsorted(HELD_OUT_FROM))
        for start in range(first, len(df) - EVALUATED_HORIZON, EVALUATED_HORIZON):
            contexts.append(df.iloc[start - CONTEXT : start])
            futures.append(df.iloc[start : start + EVALUATED_HORIZON])
    forecasts = predictor.predict_batch(
        contexts,
        [df.index for df in contexts],
        [df.index for df in futures],
        EVALUATED_HORIZON,
        sample_count=EVALUATED_PATHS,
        seed=0,
        verbose=False,
    )
    errors = {}
    for column in ("open", "high", "low", "close", "volume"):
        truth = np.stack([df[column].to_numpy() for df in futures])
        forecast = np.stack([df[column].to_numpy() for df in forecasts])
        naive = np.stack([df[column].to_numpy()[-1:] for df in contexts])
        errors[column] = {"forecast": np.abs(forecast / truth - 1).mean(), "last row": np.abs(naive / truth - 1).mean()}
    logger.info("evaluated %d forecasts of %d days", len(forecasts), EVALUATED_HORIZON)
    return pd.DataFrame(errors).T * 100


def main() -> None:
    """Train the tokenizer, then the model on its tokens; save both; print the errors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the checkpoint is written")
    folder = parser.parse_args().folder
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.manual_seed(0)
    torch.set_num_threads(1)  # the networks are so small that more only wait for each other
    start = perf_counter()
    series = [load_series(ticker) for ticker in TICKERS]
    windows = Windows([df[df.index < HELD_OUT_FROM] for df in series], seed=0)
    tokenizer = KronosTokenizer(d_in=len(COLUMNS), n_enc_layers=3, n_dec_layers=3, **SHAPE, **NO_DROPOUT, **QUANTIZER)
    train(tokenizer, lambda: tokenizer_loss(tokenizer, windows), TOKENIZER_STEPS)
    kronos = Kronos(n_layers=3, learn_te=True, **SHAPE, **DROPOUT)
    train(kronos, lambda: model_loss(kronos, tokenizer, windows), MODEL_STEPS)
    logger.info("trained in %.0f s", perf_counter() - start)
    kronos.save_pretrained(folder)
    tokenizer.save_pretrained(folder / "tokenizer")
    errors = evaluate(KronosPredictor(kronos, tokenizer, device="cpu"), series)
    logger.info("mean absolute percentage error\n%s", errors.round(2).to_string())


if __name__ == "__main__":
    main()
