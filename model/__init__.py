"""The Kronos model: exact, fast K-line forecasts."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model.kronos import Kronos
    from model.predictor import KronosPredictor
    from model.tokenizer import KronosTokenizer

__all__ = ["Kronos", "KronosPredictor", "KronosTokenizer"]

_HOMES = {"Kronos": "model.kronos", "KronosPredictor": "model.predictor", "KronosTokenizer": "model.tokenizer"}


def __getattr__(name: str) -> Any:
    """Loads a class when it is first asked for (PEP 562): what a job costs can be told without torch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
