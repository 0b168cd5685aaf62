"""The generated definition."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kronos_operator.crd import crd, structural

COMMITTED = Path(__file__).parents[2] / "charts/kronos/crds/kronosdeployments.yaml"


def schema_of(part: str) -> dict[str, Any]:
    version = crd()["spec"]["versions"][0]
    schema: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"][part]
    return schema


def walk(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from walk(part, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from walk(schema[key], f"{path}[]")


NODES = [pytest.param(node, id=path) for path, node in walk(schema_of("spec"), "spec")]


@pytest.mark.parametrize("node", NODES)
def test_every_part_is_structural(node: dict[str, Any]) -> None:
    typed = "type" in node or node.get("x-kubernetes-int-or-string")
    assert typed
    assert not {"$ref", "allOf", "oneOf", "title", "$defs"} & set(node)
    assert "anyOf" not in node or node.get("x-kubernetes-int-or-string")


@pytest.mark.parametrize("node", NODES)
def test_every_collection_is_bounded(node: dict[str, Any]) -> None:
    """Rules are refused by the API server where they may walk something unbounded."""
    if node.get("type") == "array":
        assert "maxItems" in node
    if "additionalProperties" in node:
        assert "maxProperties" in node


def test_every_field_is_explained() -> None:
    silent = [path for path, node in walk(schema_of("spec"), "spec") if "[]" not in path and "description" not in node]
    assert silent == []


def test_the_definition_is_small_enough_for_client_side_tools() -> None:
    assert len(yaml.safe_dump(crd())) < 100_000


def test_a_new_object_is_not_ready_before_the_operator_looked() -> None:
    (condition,) = schema_of("status")["default"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == ("Ready", "Unknown", "Pending")


def test_the_spec_has_no_defaults_of_the_schema() -> None:
    """A default of routing.single would refuse an object that declares a GPU pool only."""
    assert [path for path, node in walk(schema_of("spec")) if "default" in node] == []


def test_defaults_are_told_in_words() -> None:
    timeout = schema_of("spec")["properties"]["server"]["properties"]["requestTimeoutSeconds"]
    assert timeout["description"].endswith("Default: 60.")


def test_references_are_inlined_and_null_is_dropped() -> None:
    schema = {
        "$defs": {"Part": {"type": "object", "title": "Part", "description": "generic"}},
        "type": "object",
        "properties": {
            "part": {"anyOf": [{"$ref": "#/$defs/Part"}, {"type": "null"}], "default": None, "description": "specific"}
        },
    }
    assert structural(schema) == {
        "type": "object",
        "properties": {"part": {"type": "object", "description": "specific"}},
    }


def test_the_committed_definition_is_current() -> None:
    assert yaml.safe_load(COMMITTED.read_text()) == crd()
