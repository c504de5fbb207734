"""The receipt of one creation: which of the chosen parts arrived."""

from __future__ import annotations

from PIL import Image

from engine.core.recipe import Receipt, Recipe
from engine.models.loader import Models
from engine.packs.pack import CODEBOOK, Pack
from engine.segmentation.dino import open_dino


def receipt_of(models: Models, pack: Pack, picture: Image.Image, recipe: Recipe) -> Receipt:
    """What became of each choice of a recipe in its picture: seen again by the pack's eyes and codebook.

    Empty without choices, and where the pack has no codebook or its eyes are not on this computer: a picture
    is worth keeping without a receipt. Raises :class:`UserError` when they are there but do not fit together.
    """
    if not recipe.choices or not (pack.path / CODEBOOK).is_file() or not models.has(pack.backbone.id):
        return ()
    (features,) = open_dino(models, pack.backbone).features([picture])
    return pack.codebook().receipt(features, recipe.choices)
