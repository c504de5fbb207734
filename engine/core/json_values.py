"""Values from JSON that somebody else wrote."""

from __future__ import annotations

import math
from typing import Any


def finite_number(value: Any) -> float | None:
    """A number that a float can hold; None for anything else: true and false, NaN, infinity, integers of 400 digits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
