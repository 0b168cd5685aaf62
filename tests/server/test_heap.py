"""Freed memory goes back to the system."""

import platform
import subprocess
import sys

import pytest

SCRIPT = """
import re, sys
from pathlib import Path
from kronos_server import heap

def resident():
    return int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

blocks = [bytes(50_000) for _ in range(2_000)]
kept = blocks[::20]
del blocks
before = resident()
assert heap.trim()
sys.exit(0 if resident() < before - 50 else f"{before:.0f} MB before, {resident():.0f} MB after")
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc returns memory when asked")
def test_holes_in_the_heap_are_given_back() -> None:
    ended = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
