"""A cluster with the operator of this tree, and a namespace for each test."""

import os
from collections.abc import Iterator

import pytest

from cluster.release import RELEASE, install, prepare
from cluster.target import Target, choose_target
from e2e.hybrid import Hybrid, own_hybrid
from e2e.workbench import MARK, Workbench, own_namespace


def pytest_configure(config: pytest.Config) -> None:
    """Let pytest-kind drive the cluster that fits the machine, and keep it: bringing it up is what takes long."""
    target = choose_target()
    if target.kind:
        config.option.kind_bin = str(target.kind)
        config.option.cluster_name = "kronos"
        config.option.kubeconfig = str(target.kubeconfig)
        config.option.keep_cluster = True


@pytest.fixture(scope="session")
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    """A cluster with the operator of this tree; a release that was not there before is gone afterwards.

    With KRONOS_USE_RELEASE=1 the release that is installed is tested as it is: several runs may then share a cluster.
    """
    chosen = choose_target()
    if os.environ.get("KRONOS_USE_RELEASE") == "1":
        yield chosen
        return
    prepare(chosen)
    if chosen.kind:
        request.getfixturevalue("kind_cluster")
    found = RELEASE in chosen.helm("list", "--short").split()
    install(chosen)
    yield chosen
    chosen.kubectl("wait", "namespace", "-l", MARK, "--for=delete", "--timeout=120s")
    if not found:
        chosen.helm("uninstall", RELEASE, "--wait")


@pytest.fixture
def bench(target: Target) -> Iterator[Workbench]:
    """A namespace of the test's own, deleted with all that is in it."""
    with own_namespace(target) as bench:
        yield bench


@pytest.fixture(scope="module")
def hybrid(target: Target) -> Iterator[Hybrid]:
    """One resource for all tests of a file: both pools are up before the first test, and after each."""
    with own_hybrid(target) as hybrid:
        yield hybrid
