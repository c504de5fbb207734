"""Plan: what to train and how, as ``plan.json`` says it."""

from __future__ import annotations

import difflib
import json
import math
from dataclasses import dataclass, fields
from typing import Any, Final

from engine.errors import UserError

PAPER: Final[dict[str, Any]] = {
    "rest": "parts", "start": "noise", "part_dropout": 0.0, "empty": 0.0, "unsaid": "learned",
    "token_rate": 1e-4, "flip": False,
}  # fmt: skip
"""What ``recipe: "paper"`` changes (PartCraft, ECCV 2024, 4.1)."""


_WORDS: Final = {
    "recipe": ("ours", "paper"),
    "rest": ("start", "parts"),
    "schedule": ("constant", "cosine"),
    "unsaid": ("ignored", "learned"),
}


@dataclass(frozen=True)
class Plan:
    """What to train, as ``plan.json`` says it.

    ``pack`` is the folder of a pack with codebook; ``pictures`` a folder (empty: the pack's references); ``run`` the
    run's folder; ``out`` the pack to write (empty: ``pack`` itself). ``start`` is where tokens begin: "words" (the
    embedding of the part's name), "noise" (the paper), or a safetensors file with ``start`` (M, W). ``rest`` is
    what part attention is normalised over (see :func:`engine.attention.part_attention`); ``unsaid`` whether places
    of parts that a caption leaves out are "ignored" or "learned". ``size`` 0 is the base model's own; ``rank`` 0
    learns tokens only; ``ema`` 0 keeps no running average.
    """

    pack: str
    pictures: str = ""
    run: str = ""
    out: str = ""
    base_model: str = ""
    recipe: str = "ours"
    steps: int = 2000
    batch: int = 4
    rate: float = 1e-4
    token_rate: float = 1e-3
    schedule: str = "constant"
    warmup: int = 0
    weight_decay: float = 0.01
    clip: float = 1.0
    rank: int = 4
    projection_layers: int = 1
    start: str = "words"
    spread: float = 0.01
    snr_gamma: float = 5.0
    attention_weight: float = 0.01
    rest: str = "start"
    grid: int = 16
    size: int = 0
    flip: bool = True
    crops: int = 0
    part_dropout: float = 0.3
    unsaid: str = "ignored"
    empty: float = 0.1
    ema: float = 0.0
    checkpoint_every: int = 500
    sample_every: int = 500
    samples: int = 4
    seed: int = 0

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Read a plan; raises :class:`UserError` that names what is wrong."""
        try:
            document = json.loads(text)
        except ValueError as error:
            raise UserError("The plan is not JSON.", f"Look at line {getattr(error, 'lineno', 1)}.") from error
        if not isinstance(document, dict) or not isinstance(document.get("pack"), str):
            raise UserError("The plan names no pack.", 'Add "pack": with the folder of a pack.')
        if document.get("recipe") == "paper":
            document = {**PAPER, **document}
        known = {spec.name: spec for spec in fields(cls)}
        for key, value in document.items():
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                raise UserError(
                    f"The plan has a word it should not have: {key}.",
                    f"Did you mean {near[0]}?" if near else f"It may have: {', '.join(known)}.",
                )
            if known[key].default is not known["pack"].default:
                wanted = type(known[key].default)
                fits = isinstance(value, int | float) if wanted is float else isinstance(value, wanted)
                if not fits or (isinstance(value, bool) and wanted is not bool):
                    raise UserError(f"The plan's {key} should be a {wanted.__name__}.", f"It is {value!r}.")
        plan = cls(**document)
        if min(plan.steps, plan.batch, plan.grid, plan.checkpoint_every, plan.sample_every) < 1 or plan.rank < 0:
            raise UserError("The plan has a number that is too small.", "Steps, batch and the like are at least 1.")
        for key, allowed in _WORDS.items():
            if getattr(plan, key) not in allowed:
                raise UserError(f"The plan's {key} cannot be {getattr(plan, key)!r}.", f"It is {' or '.join(allowed)}.")
        return plan

    def factor(self, step: int) -> float:
        """What the learning rates are multiplied with in a step (0-based)."""
        rising = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        if self.schedule == "constant":
            return rising
        return rising * 0.5 * (1 + math.cos(math.pi * step / max(self.steps, 1)))
