"""Small packs of creatures that are not birds, drawn with exact label maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from engine.core.segmentation import NO_PART
from engine.core.vocabulary import ABSENT, Part, Vocabulary
from engine.packs.pack import Backbone, BaseModel, Pack, Reference

Box = tuple[float, float, float, float]

CRAB = {"claw": (0.62, 0.30, 0.90, 0.50), "eye": (0.50, 0.42, 0.58, 0.50), "shell": (0.25, 0.35, 0.70, 0.70),
        "feet": (0.35, 0.64, 0.60, 0.85)}  # fmt: skip
"""Parts of a crab that faces right, by name, as ellipses in shares of the picture's side."""
BACK_TO_FRONT = ("feet", "shell", "claw", "eye")


def draw(parts: dict[str, Box], names: Sequence[str], colour: int, size: int, mirror: bool) -> tuple[np.ndarray, ...]:
    """A picture uint8 (size, size, 3) on ground of its own and its label map; part m has green 40 + 40 m."""
    picture = Image.new("RGB", (size, size), (230, 230, 255 - colour))
    labels = Image.new("L", (size, size), NO_PART)
    for name in BACK_TO_FRONT:
        if name in parts:
            place = [round(side * size) for side in parts[name]]
            part = names.index(name)
            ImageDraw.Draw(picture).ellipse(place, fill=(colour, 40 + 40 * part, 10))
            ImageDraw.Draw(labels).ellipse(place, fill=part)
    made = np.asarray(picture), np.asarray(labels)
    return tuple(np.ascontiguousarray(array[:, ::-1]) for array in made) if mirror else made


def make_crabs(
    folder: Path, count: int = 4, size: int = 160, mirrored: Sequence[int] = (), without: Sequence[str] = (),
    names: Sequence[str] = ("eye", "feet", "claw", "shell"),
) -> Pack:  # fmt: skip
    """A pack of crabs, each a code of its own and a little larger than the one before; some face left."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = tuple(Part(index, name, "#808080") for index, name in enumerate(names))
    background = Part(len(parts), "ground", "#404040", True)
    references = []
    for number in range(count):
        grown = 1 + 0.06 * number
        boxes: dict[str, Box] = {}
        for name, box in CRAB.items():
            if name in names and name not in without:
                left, top, right, bottom = (0.5 + (side - 0.5) * grown for side in box)
                boxes[name] = left, top, right, bottom
        picture, labels = draw(boxes, names, 20 + 40 * number, size, number in mirrored)
        Image.fromarray(picture).save(folder / f"{number}.png")
        Image.fromarray(labels).save(folder / f"{number}-labels.png")
        codes = (*(number if part.name in boxes else ABSENT for part in parts), ABSENT)
        image, map = str(folder / f"{number}.png"), str(folder / f"{number}-labels.png")
        references.append(Reference(str(number), f"Crab {number}", image, image, map, codes))
    words = Vocabulary("crab", (*parts, background), max(count, 1))
    return Pack(folder.resolve(), "crabs", "Crabs", words, Backbone("eyes"), BaseModel("base"), tuple(references))
