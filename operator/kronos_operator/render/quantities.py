"""Quantities as the API server writes them, so that what is stored equals what was applied.

Source: the canonical form in https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/.
"""

import math
from fractions import Fraction

DECIMAL = ("n", "u", "m", "", "k", "M", "G", "T", "P", "E")
BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
UNIT = DECIMAL.index("")
NANO = 10**9


def canonical(quantity: int | str) -> str:
    """The same amount with the largest suffix that needs no fraction: 1000m is 1, 1.5Gi is 1536Mi."""
    text = str(quantity)
    digits = text.rstrip("EGKMPTikmnu")
    suffix = text[len(digits) :]
    number = Fraction(digits)
    if suffix.endswith("i"):
        value = number * 1024 ** BINARY.index(suffix)
        # Below one Ki there is nothing binary to say.
        return _shortest(value, 1024, BINARY, 0) if value >= 1024 else canonical(str(value))
    value = number * Fraction(1000) ** (DECIMAL.index(suffix) - UNIT)
    value = Fraction(math.ceil(value * NANO), NANO)  # nothing smaller is kept
    return _shortest(value, 1000, DECIMAL, UNIT)


def _shortest(value: Fraction, step: int, suffixes: tuple[str, ...], unit: int) -> str:
    if value == 0:
        return "0"
    whole = (
        f"{value / power}{suffix}"
        for power, suffix in reversed([(Fraction(step) ** (i - unit), name) for i, name in enumerate(suffixes)])
        if (value / power).denominator == 1
    )
    return next(whole)
