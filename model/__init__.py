"""The Kronos model: exact, fast K-line forecasts."""

from model.kronos import Kronos
from model.predictor import KronosPredictor
from model.tokenizer import KronosTokenizer

__all__ = ["Kronos", "KronosPredictor", "KronosTokenizer"]
