"""The bill of materials lists what is in the images."""

import json

import pytest

from cluster.layout import REPOSITORY
from cluster.processes import run
from images.requirement_files import name_of, required


@pytest.fixture(scope="module", autouse=True)
def _made() -> None:
    run("make", "sbom", cwd=REPOSITORY)


@pytest.mark.parametrize("program", ["operator", "server"])
def test_it_names_every_package_and_version(program: str) -> None:
    bill = json.loads((REPOSITORY / f"build/sbom/kronos-{program}.cdx.json").read_text())
    assert bill["bomFormat"] == "CycloneDX"
    listed = {name_of(part["name"]): part["version"] for part in bill["components"] if part["type"] == "library"}
    assert listed == required(program)
