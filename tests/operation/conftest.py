"""A control plane on loopback, the rights that the chart grants, and a namespace for each test."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from cluster.plane import Plane, control_plane
from operation.desk import Desk
from operation.fault_proxy import FaultProxy
from running_operator import Installed, install_rights


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("operation")


@pytest.fixture(scope="session")
def plane(folder: Path) -> Iterator[Plane]:
    """etcd, API server and Kubernetes' controllers; nothing that runs pods."""
    with control_plane(folder) as started:
        yield started


@pytest.fixture(scope="session")
def installed(plane: Plane, folder: Path) -> Installed:
    """What the chart grants by default: to serve every namespace."""
    return install_rights(plane, folder)


@pytest.fixture
def desk(plane: Plane) -> Desk:
    """A namespace of the test's own."""
    namespace = f"desk-{uuid4().hex[:8]}"
    plane.create_namespace(namespace)
    return Desk(plane, namespace)


@pytest.fixture
def proxy(plane: Plane) -> Iterator[FaultProxy]:
    """A way to the API server that makes trouble when told to."""
    made = FaultProxy(plane)
    yield made
    made.close()
