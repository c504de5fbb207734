"""What can be done to a recipe at a press: a plain one for a pack, a random mix, one setting changed."""

from __future__ import annotations

import random
from dataclasses import replace

from engine.core.recipe import LIMITS, MOST_SEED, Recipe
from engine.core.start import default_start
from engine.core.vocabulary import ABSENT, Choice
from engine.packs.base_sizes import BaseSizes
from engine.packs.pack import Pack


def random_seed() -> int:
    """A seed like no other."""
    return random.randrange(MOST_SEED + 1)


def empty_recipe(pack: Pack | None) -> Recipe:
    """A recipe without choices."""
    if pack is None:
        return Recipe(pack="")
    recipe = pack.new_recipe((f"a photo of a {pack.vocabulary.noun}",), random_seed())
    return replace(recipe, start=default_start(pack.base_model.id))


def random_recipe(recipe: Recipe, pack: Pack) -> Recipe:
    """Every slot filled with a part of a random reference, or a random code in a pack without references."""
    for part in pack.vocabulary.visible_parts:
        offers = [Choice(part.index, r.codes[part.index], 1.0, r.id) for r in pack.references]
        offers = [offer for offer in offers if offer.code != ABSENT]
        chance = Choice(part.index, random.randrange(pack.vocabulary.codes_per_part))
        recipe = recipe.with_choice(random.choice(offers) if offers else chance, pack.vocabulary.noun)
    return recipe


def with_setting(recipe: Recipe, name: str, value: str | float, sizes: BaseSizes) -> Recipe:
    """``negative``, ``rest`` (texts) or one of :data:`LIMITS` (a number, moved into its range) changed; a size becomes
    the nearest one that the base model can paint. Raises ``KeyError`` for any other name."""
    if name in ("negative", "rest"):
        return replace(recipe, **{name: str(value)})
    if name == "size":
        return replace(recipe, size=sizes.nearest(int(value)))
    low, high = LIMITS[name]
    # A whole number stays one: as a float, a large seed would become another.
    number = float(value) if name == "guidance" else int(value)
    return replace(recipe, **{name: min(max(number, low), high)})


def part_name(pack: Pack | None, part: int) -> str:
    """What a part is called, "a part" where it has no name."""
    parts = pack.vocabulary.parts if pack is not None else ()
    return parts[part].name if 0 <= part < len(parts) else "a part"


def code_name(pack: Pack, part: int, code: int) -> str:
    """What a code of a part is called, its number where it has no name."""
    words = pack.vocabulary
    known = 0 <= part < len(words.parts) and 0 <= code < words.codes_per_part
    return words.code_name(part, code) if known else str(code)
