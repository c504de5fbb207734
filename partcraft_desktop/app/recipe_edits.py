"""What can be done to a recipe at a press: a plain one for a pack, a random mix, one setting changed."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Final

from engine.core.recipe import Recipe
from engine.core.vocabulary import ABSENT, Choice
from engine.packs.pack import Pack

LIMITS: Final[dict[str, tuple[float, float]]] = {
    "steps": (1, 1000),
    "guidance": (0.0, 30.0),
    "seed": (0, 2**31 - 1),
    "count": (1, 64),
    "size": (0, 8192),
}
"""What a setting can be; a value outside is moved to the nearest end."""


def random_seed() -> int:
    """A seed like no other."""
    return random.randrange(2**31)


def empty_recipe(pack: Pack | None) -> Recipe:
    """A recipe without choices."""
    if pack is None:
        return Recipe(pack="")
    return pack.new_recipe((f"a photo of a {pack.vocabulary.noun}",), random_seed())


def random_recipe(recipe: Recipe, pack: Pack) -> Recipe:
    """Every slot filled with a part of a random reference, or a random code in a pack without references."""
    for part in pack.vocabulary.visible_parts:
        offers = [Choice(part.index, r.codes[part.index], 1.0, r.id) for r in pack.references]
        offers = [offer for offer in offers if offer.code != ABSENT]
        chance = Choice(part.index, random.randrange(pack.vocabulary.codes_per_part))
        recipe = recipe.with_choice(random.choice(offers) if offers else chance, pack.vocabulary.noun)
    return recipe


def with_setting(recipe: Recipe, name: str, value: str | float) -> Recipe:
    """``negative`` (text) or one of ``LIMITS`` (a number) changed. Raises ``KeyError`` for any other name."""
    if name == "negative":
        return replace(recipe, negative=str(value))
    low, high = LIMITS[name]
    number = min(max(float(value), low), high)
    return replace(recipe, **{name: number if name == "guidance" else int(number)})
