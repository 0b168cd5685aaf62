"""What the hashed requirement files take on this machine."""

import re

from packaging.requirements import Requirement

from cluster.layout import REPOSITORY

# Of the images.
PYTHON = {"python_version": "3.13", "python_full_version": "3.13.0"}


def name_of(package: str) -> str:
    """A package's name in its normal form (PEP 503)."""
    return re.sub(r"[-_.]+", "-", package).lower()


def required(program: str) -> dict[str, str]:
    """Versions by name of what is installed for a program."""
    text = (REPOSITORY / f"requirements/{program}.txt").read_text()
    requirements = [Requirement(line) for line in re.findall(r"^\S.*==.*?(?= \\$)", text, flags=re.MULTILINE)]
    taken = [each for each in requirements if each.marker is None or each.marker.evaluate(PYTHON)]
    return {name_of(each.name): str(each.specifier).removeprefix("==") for each in taken}
