"""The requests on the pages are answered by real servers behind nginx."""

import shlex
import subprocess

import pytest

from chart.pages import commands_of
from compose.machine import ROOT


@pytest.mark.parametrize("command", commands_of("curl "))
def test_a_request_of_a_page_is_answered_with_a_forecast(edge: str, command: str) -> None:
    done = subprocess.run(
        shlex.split(command.replace("http://localhost:8000", edge)),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert '"prediction"' in done.stdout
