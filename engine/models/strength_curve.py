"""How far along a part's token a strength goes: linear where a base model says nothing else of itself.

A network answers the way from "some head" to a chosen one with a jump somewhere on it, not evenly; the starter's is
near a third of it. A base model may therefore say, in its ``model_index.json``, where its pictures have come how far
(``strengths``: pairs of a strength and the share of the token's way, from (0, 0) to (1, 1), both increasing), so that
half a strength is half the change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from engine.core.json_values import finite_number
from engine.core.recipe import Prompt
from engine.core.vocabulary import Choice


@dataclass(frozen=True)
class StrengthCurve:
    """``points`` as pairs (strength, share of the way), straight lines between them; beyond 1 both are the same."""

    points: tuple[tuple[float, float], ...] = ((0.0, 0.0), (1.0, 1.0))

    @classmethod
    def from_json(cls, value: Any) -> StrengthCurve:
        """What a model's file says; anything that is no curve from (0, 0) to (1, 1) is the straight one."""
        pairs = [_pair(pair) for pair in value] if isinstance(value, list) else []
        points = tuple(pair for pair in pairs if pair is not None)
        whole = len(points) == len(pairs) >= 2 and points[0] == (0.0, 0.0) and points[-1] == (1.0, 1.0)
        return cls(points) if whole and _increases(points) else cls()

    def share(self, strength: float) -> float:
        """The share of a token's way (0 to 2) for a strength from 0 to 2; 1 is exactly 1."""
        if strength >= 1:
            return strength
        asked, shares = zip(*self.points, strict=True)
        return float(np.interp(strength, asked, shares))

    def applied(self, prompt: Prompt) -> Prompt:
        """A prompt whose strengths are shares of the tokens' ways."""
        return tuple(
            replace(piece, strength=self.share(piece.strength)) if isinstance(piece, Choice) else piece
            for piece in prompt
        )


def _pair(value: Any) -> tuple[float, float] | None:
    if not isinstance(value, list) or len(value) != 2:
        return None
    strength, share = (finite_number(number) for number in value)
    return None if strength is None or share is None else (strength, share)


def _increases(points: Sequence[tuple[float, float]]) -> bool:
    return all(a < b and x < y for (a, x), (b, y) in pairwise(points))
