"""What the pages tell people to type, the chart takes; where they point to, something is."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from chart.helm import ROOT, Helm

PAGES = sorted((ROOT / "docs").glob("*.md"))
# Flags that `helm template` has no use for.
NOT_RENDERING = {"--create-namespace", "--reset-then-reuse-values"}


def commands(page: Path) -> Iterator[str]:
    """The commands of a page's shell blocks, continued lines joined."""
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(), flags=re.DOTALL):
        yield from block.replace("\\\n", " ").splitlines()


def commands_of(*beginnings: str) -> list[str]:
    return [command for page in PAGES for command in commands(page) if command.startswith(beginnings)]


@pytest.mark.parametrize("command", commands_of("helm install", "helm upgrade"))
def test_the_chart_takes_the_values_of_every_command(helm: Helm, command: str) -> None:
    _, _, *arguments = shlex.split(command)
    done = helm.run("template", *(argument for argument in arguments if argument not in NOT_RENDERING))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", commands_of("helm lint"))
def test_a_mistake_is_refused_as_the_page_says(helm: Helm, command: str) -> None:
    done = helm.run(*shlex.split(command, comments=True)[1:])
    expected = command.partition("# fails: ")[2]
    assert done.returncode != 0
    assert expected
    assert expected in done.stdout + done.stderr


@pytest.mark.parametrize("command", commands_of("kubectl patch kronosdeployment"))
def test_a_patch_is_of_fields_that_the_crd_knows(command: str) -> None:
    patch = yaml.safe_load(shlex.split(command)[shlex.split(command).index("--patch") + 1])
    crd = yaml.safe_load((ROOT / "charts/kronos/crds/kronosdeployments.yaml").read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    while isinstance(patch, dict):
        ((key, patch),) = patch.items()
        schema = schema["properties"][key]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_files_are_there(page: Path) -> None:
    text = page.read_text()
    links = [page.parent / link for link in re.findall(r"\]\(([^)#:]+)\)", text)]
    files = [ROOT / name for name in re.findall(r"(?:charts|tests|examples)/[\w./-]*\w", text)]
    assert [str(target) for target in [*links, *files] if not target.exists()] == []
