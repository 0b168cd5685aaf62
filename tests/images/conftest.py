"""The images of this tree, built once for all tests."""

import pytest

from cluster.images import OPERATOR, SERVER, SERVER_GPU
from images.built import Built, built


@pytest.fixture(scope="session")
def operator() -> Built:
    return built(OPERATOR)


@pytest.fixture(scope="session")
def server() -> Built:
    return built(SERVER)


@pytest.fixture(scope="session")
def server_gpu() -> Built:
    return built(SERVER_GPU)


@pytest.fixture(params=["operator", "server", "server_gpu"])
def image(request: pytest.FixtureRequest) -> Built:
    """Each of them in turn."""
    found: Built = request.getfixturevalue(request.param)
    return found
