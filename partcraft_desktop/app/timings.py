"""Timings: how long loading and rendering took on this computer, kept from one start to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from engine.core.json_values import finite_number
from engine.core.recipe import Recipe
from engine.core.start import steps_taken
from engine.packs.pack import BaseModel, Pack

MOST: Final = 64
"""So many of each are kept, the newest."""


@dataclass(frozen=True)
class Timings:
    """Seconds as measured last: ``engine`` to start the engine's process, ``loads`` to load what a base model needs,
    ``paces`` for one step of one picture, all in all (0 or missing: never measured)."""

    engine: float = 0.0
    loads: Mapping[str, float] = field(default_factory=dict)
    paces: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_document(cls, document: object) -> Timings:
        """From JSON values; whatever is wrong is left out."""
        if not isinstance(document, dict):
            return cls()
        return cls(
            _seconds(document.get("engine")) or 0.0, _table(document.get("loads")), _table(document.get("paces"))
        )

    def to_document(self) -> dict[str, Any]:
        """JSON values, read back by :meth:`from_document`."""
        return {"engine": self.engine, "loads": dict(self.loads), "paces": dict(self.paces)}

    def load_of(self, pack: Pack) -> float:
        """Seconds to load what a pack needs; 0 if never measured."""
        return self.loads.get(_base_key(pack.base_model), 0.0)

    def with_load(self, pack: Pack, seconds: float) -> Timings:
        """With a load that was just measured."""
        return replace(self, loads=_with(self.loads, _base_key(pack.base_model), seconds))

    def seconds_of(self, recipe: Recipe, pack: Pack) -> float:
        """Seconds a recipe's pictures take once its models are loaded; 0 if nothing like it was measured, or
        nobody knows how often it is tried."""
        if recipe.tries > 1:
            return 0.0
        return self.paces.get(pace_key(recipe, pack), 0.0) * steps_of(recipe)

    def step_of(self, base_model: str) -> float:
        """Seconds of a step of one picture at a base model's own size, asked twice where that was measured; 0 if it
        never drew."""
        paces = (self.paces.get(f"{base_model} 0 {asked}", 0.0) for asked in ("guided", "plain"))
        return next(filter(None, paces), 0.0)

    def with_pace(self, recipe: Recipe, pack: Pack, seconds: float) -> Timings:
        """With a whole render that was just measured; one that kept its picture took no steps, and says nothing, nor
        does one that was tried several times."""
        if recipe.tries > 1 or (recipe.start is not None and recipe.start.freedom <= 0):
            return self
        pace = seconds / steps_of(recipe)
        return replace(self, paces=_with(self.paces, pace_key(recipe, pack), pace))


def _base_key(base: BaseModel) -> str:
    return f"{base.id} {base.unet}".strip()


def steps_of(recipe: Recipe) -> int:
    """The steps of all of a recipe's pictures together."""
    return recipe.count * steps_taken(recipe.start, recipe.steps)


def pace_key(recipe: Recipe, pack: Pack) -> str:
    """What the time of a step depends on: the model, the size, whether each step is asked twice, and whether there is a
    picture to begin with, which costs time of its own."""
    key = f"{_base_key(pack.base_model)} {recipe.size} {'guided' if recipe.guidance > 1 else 'plain'}"
    return key if recipe.start is None or recipe.start.is_ignored else f"{key} started"


def _with(table: Mapping[str, float], key: str, seconds: float) -> dict[str, float]:
    kept = {name: value for name, value in table.items() if name != key} | {key: seconds}
    return dict(list(kept.items())[-MOST:])


def _seconds(value: object) -> float | None:
    number = finite_number(value)
    return number if number is not None and 0 < number < 1e6 else None


def _table(value: object) -> dict[str, float]:
    if not isinstance(value, dict):
        return {}
    read = {str(key): _seconds(seconds) for key, seconds in list(value.items())[-MOST:]}
    return {key: seconds for key, seconds in read.items() if seconds is not None}
