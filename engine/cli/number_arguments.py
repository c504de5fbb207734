"""Numbers on the command line: what argparse reads them with, and what it says of those that are none."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """A reader of whole numbers from ``low`` to ``high``."""

    def read(text: str) -> int:
        return int(_within(_whole(text), low, high))

    return read


def fraction(low: float, high: float) -> Callable[[str], float]:
    """A reader of numbers from ``low`` to ``high``."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            right = text.strip().replace(",", ".")
            advice = f"write {right}" if re.fullmatch(r"-?\d+\.\d+", right) else "write one such as 7.5"
            raise argparse.ArgumentTypeError(f"“{text}” is not a number; {advice}") from None
        return _within(number, low, high)

    return read


def whole_numbers(text: str) -> list[int]:
    """Whole numbers with commas between, such as 2,5."""
    return [_whole(number) for number in text.split(",")]


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"“{text}” is not a whole number; write digits, such as 20") from None


def _within(number: float, low: float, high: float) -> float:
    if not low <= number <= high:
        raise argparse.ArgumentTypeError(f"{number} is not between {low} and {high}")
    return number
