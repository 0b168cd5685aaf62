"""Gives the chart's tests the real helm."""

import os
import subprocess
import sys

import pytest

from chart.helm import ROOT, Helm


def cached_helm() -> str:
    """Path of the helm that the local cluster keeps; built if it is missing."""
    done = subprocess.run(
        [sys.executable, "-m", "cluster", "which", "helm"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout.strip()


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """helm of KRONOS_HELM, else the local cluster's."""
    return Helm(os.environ.get("KRONOS_HELM") or cached_helm(), tmp_path_factory.mktemp("helm"))
