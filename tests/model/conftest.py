"""Golden checkpoints and values for the tests of the model library."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from model import Kronos, KronosTokenizer

GOLDEN = Path(__file__).parent / "golden"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what is marked cuda where there is a CUDA device only."""
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("cuda"):
                item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)  # the checkpoints are so small that more only wait for each other


@pytest.fixture(params=["tiny", "odd"], scope="session")
def shape(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def kronos(shape: str) -> Kronos:
    return Kronos.from_pretrained(GOLDEN / shape / "model")


@pytest.fixture(scope="session")
def tokenizer(shape: str) -> KronosTokenizer:
    return KronosTokenizer.from_pretrained(GOLDEN / shape / "tokenizer")


@pytest.fixture(scope="session")
def layers(shape: str) -> dict[str, NDArray[Any]]:
    with np.load(GOLDEN / shape / "layers.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="session")
def forecasts(shape: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((GOLDEN / shape / "forecasts.json").read_text())
    return loaded
