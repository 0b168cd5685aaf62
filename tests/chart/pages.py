"""The documentation's pages, and what they tell people to type."""

import re
from collections.abc import Iterator
from pathlib import Path

from chart.helm import ROOT

PAGES = sorted((ROOT / "docs").glob("*.md"))


def blocks(language: str) -> Iterator[tuple[Path, str]]:
    """Every code block of a language, and its page."""
    for page in PAGES:
        for block in re.findall(rf"```{language}\n(.*?)```", page.read_text(), flags=re.DOTALL):
            yield page, block


def commands_of(*beginnings: str) -> list[str]:
    """The commands of all pages that begin so, continued lines joined."""
    lines = [line for _, block in blocks("sh") for line in block.replace("\\\n", " ").splitlines()]
    return [line for line in lines if line.startswith(beginnings)]
