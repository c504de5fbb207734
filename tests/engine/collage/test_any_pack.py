"""Whatever a pack's pictures, label maps and recipes are like: a collage that can be saved, or one sentence why not."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from psd_tools import PSDImage

from engine.collage.anatomy import measure_pack
from engine.collage.arrangement import Adjustment, Arrangement, arrangement_of
from engine.collage.assemble import CollageMaker
from engine.collage.layers import flatten
from engine.collage.placement import place
from engine.core.errors import UserError
from engine.core.recipe import Recipe
from engine.core.segmentation import NO_PART
from engine.core.vocabulary import Choice, Part, Vocabulary
from engine.exchange.layers import save_layers
from engine.packs.pack import Backbone, BaseModel, Pack, Reference
from tests.engine.collage.creatures import make_crabs

SIDES = (1, 2, 3, 7, 40, 130, 300, 600)
MODES = ("RGB", "RGBA", "P", "L", "LA", "1", "CMYK", "I;16")
LABELS = ("blobs", "blobs", "background", "one pixel", "one part", "noise", "stripes", "other size", "gone")
NUMBERS = (0, 1, -1, 0.5, 10, -10, 37, 90, 1e308, 1e-300, float("nan"), float("inf"), 10**400, "x", None)
NAMES = ("part", "長" * 300, "🦜‍", "\u202eذيل", "a/b\\\n", "\ud800")


def any_picture(of: random.Random, width: int, height: int, path: Path) -> None:
    generator = np.random.default_rng(of.randrange(1 << 30))
    pixels = generator.integers(0, 256, (height, width, 3), np.uint8)
    if of.random() < 0.6:
        pixels[:] = pixels[0, 0]
        pixels[height // 3 :, : width // 2 + 1] = (20, 30, 200)
    mode = of.choice(MODES)
    sixteen = mode == "I;16"
    image = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257) if sixteen else Image.fromarray(pixels)
    (image if sixteen else image.convert(mode)).save(path, "TIFF" if mode == "CMYK" else "PNG")


def any_labels(of: random.Random, width: int, height: int, parts: int, path: Path) -> None:
    labels, kind = np.full((height, width), NO_PART, np.uint8), of.choice(LABELS)
    if kind == "one pixel":
        labels[of.randrange(height), of.randrange(width)] = of.randrange(parts)
    elif kind == "one part":
        labels[:] = of.randrange(parts)
    elif kind == "noise":
        labels = np.random.default_rng(of.randrange(1 << 30)).integers(0, 256, (height, width), np.uint8)
    elif kind == "stripes":
        labels[:] = (np.arange(height) % parts)[:, None]
    elif kind == "other size":
        labels = np.zeros((height + 1, width), np.uint8)
    elif kind == "blobs":
        for part in range(parts):
            x, y = of.randrange(width), of.randrange(height)
            labels[y : y + of.randrange(1, height + 1), x : x + of.randrange(1, width + 1)] = part
    if kind != "gone":
        Image.fromarray(labels).save(path, "PNG")


def any_pack(of: random.Random, folder: Path) -> Pack:
    parts, codes = of.choice((1, 2, 5, 16)), of.choice((1, 3))
    names = tuple(Part(part, f"{of.choice(NAMES)}{part}", "#808080") for part in range(parts))
    references = []
    for number in range(of.choice((1, 2, 3))):
        width, height = of.choice(SIDES), of.choice(SIDES)
        image, labels = folder / f"{number}.png", folder / f"{number}-labels.png"
        if of.random() > 0.05:
            any_picture(of, width, height, image)
        any_labels(of, width, height, parts, labels)
        shown = tuple(of.randrange(-1, codes) for _ in range(parts))
        references.append(Reference(str(number), str(number), str(image), str(image), str(labels), shown))
    words = Vocabulary("bird", names, codes)
    return Pack(folder, "any", "Any", words, Backbone("eyes"), BaseModel("base"), tuple(references))


def any_recipe(of: random.Random, pack: Pack) -> Recipe:
    parts, codes = len(pack.vocabulary.parts), pack.vocabulary.codes_per_part
    known = [*range(parts)] * 4
    choices = [
        Choice(of.choice([*known, parts, -1, 10**30]), of.randrange(-1, codes + 1), source=of.choice(("", "0", "gone")))
        for _ in range(of.choice((1, 2, 5, 16)))
    ]
    adjustments = [
        {
            "part": of.choice([*known, 99]), "nth": of.choice((0, 0, 1, *NUMBERS)),
            "move": [of.choice(NUMBERS), of.choice(NUMBERS)], "scale": of.choice(NUMBERS),
            "turn": of.choice(NUMBERS), "mirror": of.random() < 0.5, "hidden": of.random() < 0.2,
        }
        for _ in range(of.choice((0, 2, 20)))
    ]  # fmt: skip
    arrangement = {
        "version": 1, "pose": of.choice(("", "0", "gone", 7)),
        "ground": of.choice(("pose", "none", [1, 2, 3], [[1, 2, 3], [4, 5, 6]], [-1, 2, 3], None)),
        "adjustments": adjustments, "match_colours": of.random() < 0.3, "blend": of.random() < 0.3,
        "order": [[of.choice([*known, 99]), of.choice((0, 1))] for _ in range(of.choice((0, 3)))],
    }  # fmt: skip
    return Recipe("any", tuple(choices), extra={"collage": arrangement})


@settings(max_examples=60)
@given(st.integers(0, 1 << 30))
def test_a_collage_or_a_sentence(seed: int) -> None:
    of = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        pack = any_pack(of, Path(folder))
        maker = CollageMaker(pack)
        for _ in range(2):
            try:
                collage = maker.make(any_recipe(of, pack))
            except UserError as error:
                assert error.message.endswith(".") and error.hint.endswith(".")
                continue
            assert flatten(collage).shape == (collage.height, collage.width, 4)
            if sum(layer.image.size for layer in collage.layers) < 2_000_000:
                for suffix in (".png", ".psd", ".ora"):
                    save_layers(collage, Path(folder) / f"made{suffix}")
                assert PSDImage.open(Path(folder) / "made.psd").size == (collage.width, collage.height)


@pytest.mark.parametrize("size", [(4096, 1), (1, 4096), (4096, 12), (12, 4096)])
def test_a_thin_picture_spoils_no_pack(tmp_path: Path, size: tuple[int, int]) -> None:
    pack = make_crabs(tmp_path)
    Image.new("RGB", size, "red").save(tmp_path / "0.png")
    Image.new("L", size, 0).save(tmp_path / "0-labels.png")
    assert set(measure_pack(pack).references) == {"0", "1", "2", "3"}
    recipe = Recipe("crabs", (Choice(0, 0, source="0"), Choice(3, 1, source="1")))
    assert len(CollageMaker(pack).make(recipe).layers) == 2


def test_changes_upon_changes_lead_no_further_than_one(tmp_path: Path) -> None:
    """A recipe that was written by hand: the saved PSD has places for no more than two thousand million pixels."""
    pack = make_crabs(tmp_path)
    recipe = Recipe("crabs", (Choice(2, 1, source="1"), Choice(3, 1, source="1")))
    many = (Adjustment(2, (10.0, -10.0), scale=10.0),) * 400
    once = place(recipe, pack, measure_pack(pack), adjustments=many[:1])
    often = place(recipe, pack, measure_pack(pack), adjustments=many)
    scales = [next(one.transform.scale for one in made.parts if one.part == 2) for made in (once, often)]
    assert scales[0] == pytest.approx(scales[1])
    kept = Arrangement(adjustments=many).adjustment_of(2)
    assert (kept.move, kept.scale) == ((10.0, -10.0), 10.0)
    collage = CollageMaker(pack).make(recipe, Arrangement(adjustments=many))
    save_layers(collage, tmp_path / "far.psd")
    assert arrangement_of(recipe) == Arrangement()


def test_a_long_thin_part_that_is_turned_stays_within_memory(tmp_path: Path) -> None:
    pack = make_crabs(tmp_path)
    labels = np.full((2000, 2000), NO_PART, np.uint8)
    labels[10:1990, 995:1005] = 1
    Image.fromarray(np.where(labels == 1, np.uint8(0), np.uint8(200))).save(tmp_path / "0.png")
    Image.fromarray(labels).save(tmp_path / "0-labels.png")
    maker = CollageMaker(pack)
    recipe = Recipe("crabs", (Choice(1, 0, source="0"),))
    maker.make(recipe)
    collage = maker.make(recipe, Arrangement(adjustments=(Adjustment(1, scale=10.0, turn=45.0),)))
    height, width = collage.layers[0].image.shape[:2]
    assert height * width <= 65_000_000
    assert collage.layers[0].size[1] < 10 * 2000
