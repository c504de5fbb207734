"""Plan: what to train and how, as ``plan.json`` says it."""

from __future__ import annotations

import difflib
import json
import math
import os
import sys
from dataclasses import dataclass, fields
from typing import Any, Final

from engine.core.errors import UserError
from engine.core.json_values import number_from, read_document
from engine.worker.jobs import Measured

PAPER: Final[dict[str, Any]] = {
    "rest": "parts", "start": "noise", "part_dropout": 0.0, "empty": 0.0, "unsaid": "learned",
    "token_rate": 1e-4, "flip": False,
}  # fmt: skip
"""What ``recipe: "paper"`` changes (PartCraft, ECCV 2024, 4.1)."""

SMALL: Final[dict[str, Any]] = {
    "batch": 16, "rank": 32, "rate": 3e-3, "token_rate": 3e-3, "attention_weight": 0.05, "schedule": "cosine",
    "warmup": 20, "weight_decay": 0.0, "flip": False, "part_dropout": 0.1, "empty": 0.05, "steps": 480,
}  # fmt: skip
"""What suits the starter's small base model (docs/training.md): many small pictures a step, a LoRA that may change much
(with tokens alone it cannot draw forms it has never seen), and no mirroring, for all its birds look right."""


def suitable_settings(base: str) -> dict[str, Any]:
    """What a plan should say differently from the defaults for a base model (its id); empty for most."""
    return dict(SMALL) if base.startswith("starter/") else {}


_WORDS: Final = {
    "recipe": ("ours", "paper"),
    "rest": ("start", "parts", "peak"),
    "schedule": ("constant", "cosine"),
    "unsaid": ("ignored", "learned"),
    "optimizer": ("adamw", "adamw8bit"),
    "precision": ("auto", "float32", "bfloat16", "float16"),
}

_MOST: Final = 10**8
_RANGES: Final[dict[str, tuple[float, float]]] = {
    "steps": (1, _MOST), "batch": (1, 4096), "rate": (0, 1e30), "token_rate": (0, 1e30), "warmup": (0, _MOST),
    "weight_decay": (0, math.inf), "clip": (0, math.inf), "rank": (0, 1024), "projection_layers": (0, 8),
    "spread": (0, math.inf), "snr_gamma": (0, math.inf), "attention_weight": (0, math.inf), "grid": (1, 256),
    "size": (0, 8192), "crops": (0, 64), "part_dropout": (0, 1), "empty": (0, 1), "ema": (0, 1),
    "checkpoint_every": (1, _MOST), "sample_every": (1, _MOST), "samples": (0, 64), "seed": (0, 2**63 - 1),
}  # fmt: skip
"""What each number of a plan may be."""


@dataclass(frozen=True)
class Plan:
    """What to train, as ``plan.json`` says it.

    ``pack`` is the folder of a pack with codebook; ``pictures`` a folder (empty: the pack's references); ``run``
    the run's folder; ``out`` the pack to write (empty: one named after ``pack`` among the user's packs). ``start``
    is where tokens begin: "words" (the embedding of the part's name), "noise" (the paper), the folder of a pack
    that knows similar things, or a safetensors file with ``start`` (M, W). ``rest`` is what part attention is
    normalised over (see :func:`engine.training.attention_loss.part_attention`); ``unsaid`` whether places of parts
    that a caption leaves out are "ignored" or "learned". ``size`` 0 is the base model's own; ``rank`` 0 learns
    tokens only; ``ema`` 0 keeps no running average. ``unet`` is a folder or id whose UNet takes the place of the
    base model's (empty: its own). ``precision`` is the frozen models' ("auto": what the device does best; what is
    learned is always float32). ``checkpointing`` computes the UNet a second time on the way back, for less memory;
    ``optimizer`` "adamw8bit" keeps its state in 8 bits, with bitsandbytes. Every ``sample_every`` steps a picture
    of a whole sentence is painted and one of each of its parts alone, ``samples`` at most (0 paints none).
    """

    pack: str
    pictures: str = ""
    run: str = ""
    out: str = ""
    base_model: str = ""
    unet: str = ""
    precision: str = "auto"
    checkpointing: bool = False
    optimizer: str = "adamw"
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
    samples: int = 16
    seed: int = 0

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Read a plan; raises :class:`UserError` that names what is wrong."""
        try:
            document = read_document(text)
        except ValueError as error:
            where = f"Look at line {error.lineno}." if isinstance(error, json.JSONDecodeError) else f"It is {error}."
            raise UserError("The plan is not JSON.", where) from error
        if not isinstance(document, dict) or not isinstance(document.get("pack"), str) or not document["pack"]:
            raise UserError("The plan names no pack.", 'Add "pack": with the folder of a pack.')
        if document.get("recipe") == "paper":
            document = {**PAPER, **document}
        defaults = {spec.name: spec.default for spec in fields(cls)}
        for key, value in list(document.items()):
            if key not in defaults:
                near = difflib.get_close_matches(key, defaults, 1)
                raise UserError(
                    f"The plan has a word it should not have: {_shown(key)}.",
                    f"Did you mean {near[0]}?" if near else f"It may have: {', '.join(defaults)}.",
                )
            expected = str if key == "pack" else type(defaults[key])
            if isinstance(value, str) and expected in (int, float) and (number := number_from(value)) is not None:
                document[key] = value = number  # "100" for 100
            _check(key, value, expected)
        plan = cls(**document)
        if plan.projection_layers > 1 and plan.start != "noise":
            raise UserError(
                f"The plan's projection_layers cannot be {plan.projection_layers} with this start.",
                'Use 1 or 0, or "start": "noise".',
            )
        return plan

    def factor(self, step: int) -> float:
        """What the learning rates are multiplied with in a step (0-based)."""
        rising = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        if self.schedule == "constant":
            return rising
        return rising * 0.5 * (1 + math.cos(math.pi * step / max(self.steps, 1)))


def predict_cost(measured: Measured, plan: Plan) -> tuple[float, int]:
    """The seconds a plan will take and the bytes at its peak, from a few steps measured on the same computer.

    For another number of pictures a step than was measured, what one more picture costs is added or taken away; for
    another size that part grows with the pixels, which says too little of a UNet's attention at large sizes. Samples,
    checkpoints and looking at the pictures are not in it.
    """
    pixels = (plan.size / measured.size) ** 2 if plan.size and measured.size else 1.0
    pictures = measured.batch or plan.batch
    rest = max(0.0, measured.seconds - pictures * measured.seconds_each)
    fixed = max(0, measured.memory - pictures * measured.memory_each)
    step = rest + plan.batch * measured.seconds_each * pixels
    return measured.start + plan.steps * step, int(fixed + plan.batch * measured.memory_each * pixels)


def _check(key: str, value: Any, expected: type) -> None:
    """See that a word of a plan has a value it may have. Raises :class:`UserError` that names it."""
    fits = isinstance(value, int | float) if expected is float else isinstance(value, expected)
    if not fits or (isinstance(value, bool) and expected is not bool):
        kind = {float: "number", int: "whole number", str: "text", bool: "true or false"}[expected]
        raise UserError(f"The plan's {key} should be a {kind}.", f"It is {_shown(value)}.")
    if isinstance(value, str):
        try:
            bad = b"\0" in os.fsencode(value)  # a file's name need not be Unicode
        except UnicodeEncodeError:
            bad = True
        if bad:
            raise UserError(f"The plan's {key} is not text that can be used.", "Write it again.")
    if key in _WORDS and value not in _WORDS[key]:
        raise UserError(f"The plan's {key} cannot be {_shown(value)}.", f"It is {' or '.join(_WORDS[key])}.")
    if key in _RANGES and isinstance(value, int | float):
        low, high = _RANGES[key]
        most = sys.float_info.max if high == math.inf else high
        if not low <= value <= most:
            allowed = f"at least {low}" if high == math.inf else f"{low} to {high}"
            raise UserError(f"The plan's {key} cannot be {_shown(value)}.", f"It is {allowed}.")


def _shown(value: Any) -> str:
    """A value as a sentence may say it: short, and of characters that can be written."""
    try:
        text = ascii(value)
    except (ValueError, RecursionError):  # a whole number of more digits than Python writes
        text = "what it is"
    return text if len(text) <= 60 else f"{text[:57]}..."
