"""The hybrid profile on this machine: a server of each pool behind nginx, started once for all tests."""

from collections.abc import Iterator

import pytest

from compose.machine import free_port, nginx, server


@pytest.fixture(scope="session")
def ports() -> tuple[int, int]:
    """The ports of the CPU pool and of the GPU pool."""
    return free_port(), free_port()


@pytest.fixture(scope="session")
def cpu_pool(ports: tuple[int, int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with server("cpu", ports[0], "gpu", ports[1], tmp_path_factory.mktemp("cpu")) as port:
        yield port


@pytest.fixture(scope="session")
def gpu_pool(ports: tuple[int, int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with server("gpu", ports[1], "cpu", ports[0], tmp_path_factory.mktemp("gpu")) as port:
        yield port


@pytest.fixture(scope="session")
def edge(cpu_pool: int, gpu_pool: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of nginx."""
    with nginx(cpu_pool, gpu_pool, tmp_path_factory.mktemp("nginx")) as url:
        yield url
