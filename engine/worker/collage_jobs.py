"""What can be asked of the engine about a recipe's collage. ``pack`` is the pack's folder."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.core.recipe import Receipt, Recipe


@dataclass(frozen=True)
class Examine:
    """Look at a recipe's collage as at a creation: which parts does it show, and where? Result: :class:`Examined`."""

    pack: str
    recipe: Recipe


@dataclass(frozen=True)
class Examined:
    """The receipt of a recipe's collage; empty where the pack's eyes are not on this computer."""

    recipe: Recipe
    receipt: Receipt


@dataclass(frozen=True)
class Sketch:
    """Paint a recipe's collage once, with the recipe's seed; nothing is kept, and nobody looks at what arrived.
    News: Progress. Result: :class:`Sketched`."""

    pack: str
    recipe: Recipe


@dataclass(frozen=True)
class Sketched:
    """A painted collage, uint8 (H, W, 3). ``box`` says which part of the collage it is (left, top, right and bottom in
    shares of its sides): all of it, or the middle of one whose shape the base model cannot paint."""

    recipe: Recipe
    image: npt.NDArray[np.uint8]
    box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
