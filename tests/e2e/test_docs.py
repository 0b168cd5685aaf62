"""A real API server takes every kubectl command of the pages, and `helm test` makes its forecast."""

import shlex

import pytest

from chart.pages import commands_of
from cluster import demo
from cluster.layout import REPOSITORY
from cluster.release import RELEASE
from cluster.target import Target

pytestmark = pytest.mark.e2e

WRITES = {"apply", "patch", "annotate", "scale"}


@pytest.fixture(scope="module")
def serving(target: Target) -> Target:
    demo.run_demo()
    return target


@pytest.mark.parametrize("command", commands_of("kubectl "))
def test_kubectl_takes_the_command(serving: Target, command: str) -> None:
    here = command.replace("--namespace kronos ", "").replace(" examples/", f" {REPOSITORY}/examples/")
    words = shlex.split(here, comments=True)
    dry = ["--dry-run=server"] if words[1] in WRITES else []
    serving.kubectl(*words[1:], *dry)


def test_helm_test_makes_a_forecast(serving: Target) -> None:
    assert "K-lines" in serving.helm("test", RELEASE, "--logs")
