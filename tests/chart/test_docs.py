"""What the pages tell people to type, the chart takes; where they point to, something is."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.helm import ROOT, Helm
from chart.pages import PAGES, blocks, commands_of
from chart.schemas import check

# Flags that `helm template` has no use for.
NOT_RENDERING = {"--create-namespace", "--reset-then-reuse-values"}


@pytest.mark.parametrize("command", commands_of("helm install", "helm upgrade"))
def test_the_chart_takes_the_values_of_every_command(helm: Helm, command: str) -> None:
    _, _, *arguments = shlex.split(command, comments=True)
    done = helm.run("template", *(argument for argument in arguments if argument not in NOT_RENDERING))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", commands_of("helm lint"))
def test_a_mistake_is_refused_as_the_page_says(helm: Helm, command: str) -> None:
    done = helm.run(*shlex.split(command, comments=True)[1:])
    expected = command.partition("# fails: ")[2]
    assert done.returncode != 0
    assert expected
    assert expected in done.stdout + done.stderr


@pytest.mark.parametrize("command", commands_of("docker build"))
def test_an_image_is_built_from_a_file_and_a_stage_that_are_there(command: str) -> None:
    words = shlex.split(command, comments=True)
    options = dict(zip(words[2:-1:2], words[3:-1:2], strict=True))
    text = (ROOT / options.get("--file", "Dockerfile")).read_text()
    assert f" AS {options.get('--target', 'server')}\n" in text
    arguments = re.findall(r"--build-arg (\w+)=", command)
    assert [name for name in arguments if f"ARG {name}\n" not in text] == []


def test_every_command_is_run_by_a_test_or_says_what_hardware_it_needs() -> None:
    checked_here = ("helm install", "helm upgrade", "helm lint", "docker build")
    # tests/compose/test_docs_requests.py, tests/e2e/test_docs.py and test_chart.py, tests/images/test_sbom.py
    run_elsewhere = ("curl ", "kubectl ", "helm test", "helm uninstall", "make sbom")
    others = set(commands_of("")) - set(commands_of(*checked_here, *run_elsewhere))
    assert [command for command in others if not re.search(r"  # needs an? \w+", command)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_files_are_there(page: Path) -> None:
    text = page.read_text()
    links = [page.parent / link for link in re.findall(r"\]\(([^)#:]+)\)", text)]
    files = [ROOT / name for name in re.findall(r"(?:charts|tests|examples)/[\w./-]*\w", text)]
    assert [str(target) for target in [*links, *files] if not target.exists()] == []


def complete(fragment: dict[str, Any]) -> dict[str, Any]:
    """A KronosDeployment with what a page shows of it."""
    head = {"apiVersion": "kronos.dev/v1alpha1", "kind": "KronosDeployment", "metadata": {"name": "kronos"}}
    return {**head, **fragment}


def without_removals(patch: Any) -> Any:
    """A merge patch without its nulls, which are no values of the fields."""
    if not isinstance(patch, dict):
        return patch
    return {key: without_removals(value) for key, value in patch.items() if value is not None}


@pytest.mark.parametrize("command", commands_of("kubectl patch kronosdeployment"))
def test_a_patch_is_of_fields_that_the_crd_knows(schemas: str, command: str) -> None:
    words = shlex.split(command)
    patch = yaml.safe_load(words[words.index("--patch") + 1])
    done = check(schemas, yaml.safe_dump(complete(without_removals(patch))))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("block", [block for _, block in blocks("yaml")])
def test_what_a_page_declares_is_a_valid_resource(schemas: str, block: str) -> None:
    done = check(schemas, yaml.safe_dump(complete(yaml.safe_load(block))))
    assert done.returncode == 0, done.stdout + done.stderr
