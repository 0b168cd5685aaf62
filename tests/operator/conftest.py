"""Resources and settings that the operator's tests start from."""

from collections.abc import Callable
from typing import Any

import pytest

from kronos_operator.api import Server, parse
from kronos_operator.settings import Settings

MakeServer = Callable[..., Server]


@pytest.fixture
def settings() -> Settings:
    return Settings(cpu_image="registry/server@sha256:1", gpu_image="registry/server-gpu@sha256:2")


@pytest.fixture
def make_server() -> MakeServer:
    """Builds a resource called kronos in the namespace demo from its spec and, if wanted, its status."""

    def make(spec: dict[str, Any], status: dict[str, Any] | None = None, **metadata: Any) -> Server:
        identity = {"name": "kronos", "namespace": "demo", "uid": "uid-1", "generation": 1}
        return parse({"metadata": {**identity, **metadata}, "spec": spec, "status": status or {}})

    return make
