"""The aviary's judge as an examiner of the starter pack's renders: it knows the species, which the pack's eyes learned
from the same pictures as the pack."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from engine.aviary.drawing.attributes import PARTS
from engine.aviary.drawing.bird import draw_bird
from engine.aviary.drawing.species import compose
from engine.aviary.training.judge import NAMES, Judge
from engine.core.on_disk import is_file
from engine.core.paths import starter_pack
from engine.core.recipe import Arrival, Receipt, Recipe
from engine.core.vocabulary import ABSENT
from engine.models.loader import Models
from engine.packs.pack import Pack

DRAWINGS = "drawings of the same mixes"


class StarterJudge:
    """Says which species each part of a picture shows; a species that the pack does not have counts as none."""

    title = "the starter's judge"

    def __init__(self, judge: Judge, pack: Pack) -> None:
        self._judge = judge
        self._pack = pack
        words = pack.vocabulary
        self._rows = {part.index: PARTS.index(part.name) for part in words.visible_parts}
        self._codes = {
            part.index: {words.code_name(part.index, code): code for code in range(words.codes_per_part)}
            for part in words.visible_parts
        }

    def receipts(self, pictures: Sequence[Image.Image], recipes: Sequence[Recipe]) -> list[Receipt]:
        """What became of each choice, as the judge sees it; ``similarity`` is 1 where it arrived, else 0."""
        told = []
        for picture, recipe in zip(pictures, recipes, strict=True):
            verdict = self._judge.verdicts(np.asarray(picture.convert("RGB"))[None])[0]
            receipt = []
            for choice in recipe.choices:
                seen = int(verdict[self._rows[choice.part]])
                name = NAMES[seen] if seen < len(NAMES) else ""
                found = self._codes[choice.part].get(name, ABSENT)
                receipt.append(Arrival(choice.part, choice.code, found, float(found == choice.code)))
            told.append(tuple(receipt))
        return told

    def ideals(self, recipes: Sequence[Recipe]) -> dict[str, list[Image.Image]]:
        """The mixes as the aviary draws them."""
        pictures = []
        for index, recipe in enumerate(recipes):
            names = {self._rows[choice.part]: self._pack.vocabulary.code_name(choice.part, choice.code)
                     for choice in recipe.choices}  # fmt: skip
            if len(names) < len(PARTS):
                return {}
            bird = compose([names[row] for row in range(len(PARTS))])
            pictures.append(Image.fromarray(draw_bird(bird, np.random.default_rng((recipe.seed, index))).image))
        return {DRAWINGS: pictures}


def open_starter_judge(_models: Models, pack: Pack) -> StarterJudge | None:
    """The judge, if this is the starter's own pack; None for any other, whose codes may be anything."""
    words, folder = pack.vocabulary, starter_pack().parent / "judge"
    if pack.path != starter_pack().resolve() or not is_file(folder / "model.safetensors"):
        return None
    if any(part.name not in PARTS for part in words.visible_parts):
        return None
    names = {words.code_name(part.index, code) for part in words.visible_parts for code in range(words.codes_per_part)}
    return StarterJudge(Judge.open(folder), pack) if names <= set(NAMES) else None
