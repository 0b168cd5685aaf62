"""Gives the chart's tests the real helm, and the schemas of what it installs."""

import os

import pytest

from chart.helm import Helm
from chart.schemas import write_schemas
from cluster.binaries import program


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """helm of KRONOS_HELM, say an older one; else the local cluster's, which is Helm 4."""
    return Helm(os.environ.get("KRONOS_HELM") or str(program("helm")), tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def helm3(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm(str(program("helm3")), tmp_path_factory.mktemp("helm3"))


@pytest.fixture(scope="session")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where kubeconform finds the schemas of every kind."""
    return write_schemas(tmp_path_factory.mktemp("schemas"))
