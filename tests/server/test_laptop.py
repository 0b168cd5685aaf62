"""The README's command for a laptop."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from running_server import ROOT, RunningServer

COMMAND = re.compile(r"`make install && KRONOS_MODEL_PATH=(\S+) \.venv/bin/(kronos-server)`")


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server as the README starts it, but on a free port of loopback."""
    found = COMMAND.search((ROOT / "README.md").read_text())
    assert found, "the README starts a server with one command"
    script = str(Path(sys.executable).with_name(found[2]))
    settings = {"model_path": str(ROOT / found[1]), "model_id": "", "tokenizer_id": "", "threads": "0"}
    running = RunningServer(tmp_path_factory.mktemp("laptop"), program=(script,), **settings)
    try:
        yield running.wait_ready()
    finally:
        running.close()


def test_the_command_of_the_readme_starts_a_server_with_docs(laptop: RunningServer) -> None:
    page = laptop.client.get("/docs")
    assert page.status_code == 200
    assert "/openapi.json" in page.text


def test_the_example_of_the_docs_is_forecast_with_the_demo_checkpoint(laptop: RunningServer) -> None:
    described = laptop.client.get("/openapi.json").json()["paths"]["/v1/predict/single"]["post"]
    example = described["requestBody"]["content"]["application/json"]["example"]
    answer = laptop.client.post("/v1/predict/single", json=example).json()
    assert answer["model_version"].startswith("demo-checkpoint@")
    assert len(answer["prediction"]) == 2
