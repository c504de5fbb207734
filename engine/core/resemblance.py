"""How much the renders of a training resemble the pictures it learned from, as a number and in words.

What the number means and how it is measured: :mod:`engine.training.resemblance`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from engine.core.json_values import finite_number

LINE: Final = 0.85
"""From here on renders resemble the pictures; docs/training.md says how the line was chosen."""

RESEMBLANCE: Final = "resemblance"
"""The key among a pack's ``metrics``."""

_STARTER_BASE: Final = "starter/base"


@dataclass(frozen=True)
class Resemblance:
    """``share``, 0 to 1: 0 is noise, 1 the pictures as the base model's own autoencoder gives them back.

    ``base_model`` is the id of the one that was trained, for what to do next; empty where it is not known.
    """

    share: float
    base_model: str = ""

    @property
    def resembles(self) -> bool:
        """Whether the renders look like the pictures."""
        return self.share >= LINE

    @property
    def advice(self) -> str:
        """What a person should know and do, in a sentence; empty where the renders resemble the pictures."""
        if self.resembles:
            return ""
        other = "learn on Stable Diffusion" if self.base_model == _STARTER_BASE else "learn longer"
        return f"The renders do not resemble your pictures: mix collages now, or {other}."

    @property
    def words(self) -> str:
        """``0.21 where likeness begins at 0.85: the renders do not resemble the pictures``."""
        verdict = "resemble" if self.resembles else "do not resemble"
        return f"{self.share:.2f} where likeness begins at {LINE:.2f}: the renders {verdict} the pictures"

    def to_document(self) -> dict[str, Any]:
        """JSON values for a command's answer."""
        return {"share": self.share, "resembles": self.resembles}

    def to_metrics(self) -> dict[str, float]:
        """As a pack's ``metrics`` keep it."""
        return {RESEMBLANCE: self.share}

    @classmethod
    def from_metrics(cls, metrics: Mapping[str, Any], base_model: str = "") -> Resemblance | None:
        """What a pack's ``metrics`` say. None if it was not measured, as in packs of earlier versions, or is no share
        at all."""
        share = finite_number(metrics.get(RESEMBLANCE))
        return cls(float(share), base_model) if share is not None and 0 <= share <= 1 else None
