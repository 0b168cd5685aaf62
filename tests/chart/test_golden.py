"""The chart's manifests with default values, compared with a file.

To accept a change: KRONOS_UPDATE_GOLDEN=1 pytest tests/chart/test_golden.py
"""

import os
from pathlib import Path

from chart.helm import Helm

GOLDEN = Path(__file__).parent / "golden/defaults.yaml"


def test_default_values_render_the_golden_manifests(helm: Helm) -> None:
    text = helm.render().text
    if os.environ.get("KRONOS_UPDATE_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text(), "see the head of this file for how to accept the change"
