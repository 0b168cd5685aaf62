"""Parsing a resource."""

from collections.abc import Callable

import pytest
from pydantic import ValidationError

from kronos_operator.api import Server


@pytest.mark.parametrize(
    ("spec", "single", "batch"),
    [
        ({"cpu": {}}, "cpu", "cpu"),
        ({"gpu": {}}, "gpu", "gpu"),
        ({"cpu": {}, "gpu": {}}, "cpu", "gpu"),
        ({"cpu": {}, "gpu": {}, "routing": {"single": "gpu"}}, "gpu", "gpu"),
        ({"cpu": {}, "gpu": {}, "routing": {"batch": "cpu"}}, "cpu", "cpu"),
    ],
)
def test_routes_prefer_the_hardware_they_suit(
    make_server: Callable[..., Server], spec: dict[str, object], single: str, batch: str
) -> None:
    server = make_server(spec)
    assert server.spec.preferred("single") == single
    assert server.spec.preferred("batch") == batch


def test_declared_pools_come_cpu_first(make_server: Callable[..., Server]) -> None:
    assert list(make_server({"gpu": {}, "cpu": {}}).pools) == ["cpu", "gpu"]


def test_an_undeclared_pool_is_no_pool(make_server: Callable[..., Server]) -> None:
    assert list(make_server({"gpu": {}}).pools) == ["gpu"]


def test_a_field_of_a_newer_schema_is_not_ignored(make_server: Callable[..., Server]) -> None:
    with pytest.raises(ValidationError, match="sharding"):
        make_server({"cpu": {"sharding": True}})


def test_a_newer_status_is_no_obstacle(make_server: Callable[..., Server]) -> None:
    assert make_server({"cpu": {}}, status={"forecasts": 3, "observedGeneration": 2}).status.observed_generation == 2
