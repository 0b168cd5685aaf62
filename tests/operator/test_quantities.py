"""Quantities in the API server's own spelling."""

import pytest

from kronos_operator.render.quantities import canonical


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (2, "2"),
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("0.5", "500m"),
        (".5", "500m"),
        ("2.0", "2"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("1000Ki", "1000Ki"),
        ("0.5Ki", "512"),
        ("1000M", "1G"),
        (1000, "1k"),
        ("0.0005", "500u"),
        ("0.0000000001", "1n"),
        ("0", "0"),
    ],
)
def test_an_amount_gets_the_largest_suffix_without_a_fraction(given: int | str, stored: str) -> None:
    assert canonical(given) == stored
