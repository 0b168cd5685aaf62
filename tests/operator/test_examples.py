"""The examples of the repository: they parse, and their manifests are compared with files.

To accept a change: KRONOS_UPDATE_GOLDEN=1 pytest tests/operator/test_examples.py
"""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from kronos_operator.api import parse
from kronos_operator.api.spec import Spec
from kronos_operator.api.structure import Structure
from kronos_operator.observed import Observed
from kronos_operator.plan import plan
from kronos_operator.render import render, templates
from kronos_operator.settings import Settings

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
GOLDEN = Path(__file__).parent / "golden"


def rendered(example: Path, settings: Settings) -> str:
    """Everything that a fresh cluster would get for an example."""
    body = yaml.safe_load(example.read_text())
    body["metadata"] |= {"namespace": "demo", "uid": "00000000-0000-0000-0000-000000000001", "generation": 1}
    server = parse(body)
    planned = plan(server, templates(server, settings), Observed(), datetime(2026, 1, 1, tzinfo=UTC))
    return yaml.safe_dump_all(render(server, planned), sort_keys=False, width=120)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_an_example_renders_its_golden_manifests(example: Path, settings: Settings) -> None:
    text = rendered(example, settings)
    golden = GOLDEN / example.name
    if os.environ.get("KRONOS_UPDATE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        golden.write_text(text)
    assert text == golden.read_text(), "see the head of this file for how to accept the change"


def missing(structure: Structure, given: dict[str, Any], path: str) -> list[str]:
    """Fields of a structure that are not in the example, at any depth that the example reaches."""
    found = []
    for name, field in type(structure).model_fields.items():
        alias = field.alias or name
        value = getattr(structure, name)
        if alias not in given:
            found.append(f"{path}.{alias}")
        elif isinstance(value, Structure):
            found += missing(value, given[alias], f"{path}.{alias}")
    return found


def test_the_complete_example_is_complete() -> None:
    example = next(each for each in EXAMPLES if each.stem == "complete")
    given = yaml.safe_load(example.read_text())["spec"]
    absent = missing(Spec.model_validate(given), given, "spec")
    alternatives = {
        "spec.cpu.replicas",  # it has autoscaling
        "spec.gpu.autoscaling",
        "spec.cpu.runtimeClassName",
        "spec.model.source.persistentVolumeClaim",
        "spec.model.source.image",
        "spec.cpu.autoscaling.behavior.scaleUp",
    }
    of_both_pools = {
        path for path in absent if path.startswith("spec.gpu.") and path.replace("gpu", "cpu") not in absent
    }
    rules = {path for path in absent if ".scaleDown." in path}
    assert set(absent) - alternatives - of_both_pools - rules == set()
