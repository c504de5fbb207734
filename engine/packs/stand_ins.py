"""Drawn stand-ins: what a pack without pictures shows until it has painted its own.

All codes share one drawing: a tile for each part with the part's symbol. It has a label map, so that parts are picked
from it as from any reference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from PIL import Image, ImageColor, ImageDraw

from engine.core.atomic_files import make_folder, write_whole
from engine.core.part_looks import part_signs, shown_parts
from engine.core.paths import slug
from engine.core.recipe import Recipe
from engine.core.segmentation import NO_PART
from engine.core.vocabulary import ABSENT
from engine.packs.pack import Pack, Reference

STAND_IN: Final = "stand-in.png"
_SIDE: Final = 512
_SMALL: Final = 256
_TIMES: Final = 4
"""Drawn so many times larger, then scaled down: Pillow's shapes have no soft edges."""
_GROUND: Final = "#bfc3c8"
_TINT: Final = 0.24
"""How much of a part's colour its tile has."""


def is_stand_in(reference: Reference) -> bool:
    """Whether a reference is drawn, because its picture is not painted yet."""
    return Path(reference.image).name == STAND_IN


def pictures_of(pack: Pack) -> tuple[Reference, ...]:
    """The references that are pictures, from which something can be learned; stand-ins are none."""
    return tuple(reference for reference in pack.references if not is_stand_in(reference))


def codes_to_paint(pack: Pack) -> tuple[int, ...]:
    """The codes whose references are stand-ins, in their order."""
    return tuple(code_of(reference) for reference in pack.references if is_stand_in(reference))


def code_of(reference: Reference) -> int:
    """The code that a stand-in or painted reference is of."""
    number = reference.id.partition("-")[0]
    return int(number) if number.isascii() and number.isdigit() else max(reference.codes)


def uses_stand_ins(pack: Pack, recipe: Recipe) -> bool:
    """Whether a recipe takes a part from a drawing: nothing to render from."""
    for choice in recipe.choices:
        source = pack.reference(choice.source) or next(
            (one for one in pack.references if one.codes[choice.part : choice.part + 1] == (choice.code,)), None
        )
        if source is not None and is_stand_in(source):
            return True
    return False


def is_painted(pack: Pack) -> bool:
    """Whether a pack's references are pictures of its own: painted ones, or stand-ins for them."""
    return any(is_stand_in(one) or Path(one.image).name.startswith(PAINTED) for one in pack.references)


PAINTED: Final = "painted-"
"""How the files of painted references begin."""


def reference_id(pack: Pack, code: int) -> str:
    """The id of the reference of a code, the same for its stand-in and its picture: recipes remember it."""
    return f"{code:05d}-{slug(_title(pack, code), 'code', lower=False)}"


def with_stand_ins(pack: Pack) -> Pack:
    """The pack with a stand-in for each code that has no reference of its own. Writes their pictures into the pack's
    folder, not its description. Raises :class:`UserError`."""
    parts = shown_parts(pack.vocabulary)
    signs = part_signs(tuple(part.name for part in pack.vocabulary.parts))
    picture, labels = _drawn([(part.index, part.colour, signs[part.index]) for part in parts])
    files = []
    for folder, image in (
        ("references", picture),
        ("thumbnails", picture.resize((_SMALL, _SMALL), Image.Resampling.LANCZOS)),
        ("labels", labels),
    ):
        file = make_folder(pack.path / folder, "the pack") / STAND_IN
        write_whole(file, lambda beside, image=image: image.save(beside, "PNG"), "the pack")
        files.append(str(file))
    visible = {part.index for part in parts}
    known = {reference.id for reference in pack.references}
    drawn = []
    for code in range(pack.vocabulary.codes_per_part):
        if (id := reference_id(pack, code)) not in known:
            codes = tuple(code if part.index in visible else ABSENT for part in pack.vocabulary.parts)
            drawn.append(Reference(id, _title(pack, code), files[0], files[1], files[2], codes))
    return replace(pack, references=(*pack.references, *drawn))


def _title(pack: Pack, code: int) -> str:
    parts = pack.vocabulary.visible_parts
    return pack.vocabulary.code_name(parts[0].index, code) if parts else str(code)


def _drawn(parts: Sequence[tuple[int, str, int]]) -> tuple[Image.Image, Image.Image]:
    """The drawing and its labels, of parts' numbers, colours and symbols."""
    side = _SIDE * _TIMES
    picture, labels = Image.new("RGB", (side, side), _GROUND), Image.new("L", (_SIDE, _SIDE), NO_PART)
    pen, marker = ImageDraw.Draw(picture), ImageDraw.Draw(labels)
    columns = max(1, math.ceil(math.sqrt(len(parts))))
    rows = max(1, math.ceil(len(parts) / columns))
    cell = 0.86 / max(columns, rows)
    for place, (part, colour, sign) in enumerate(parts):
        row = place // columns
        across = min(columns, len(parts) - row * columns)  # the last row stands in the middle
        x = 0.5 + (place % columns - (across - 1) / 2) * cell
        y = 0.5 + (row - (rows - 1) / 2) * cell
        box = _box(x, y, cell * 0.9)
        pen.rounded_rectangle([edge * side for edge in box], cell * 0.14 * side, _mixed(_GROUND, colour, _TINT))
        marker.rounded_rectangle([round(edge * _SIDE) for edge in box], cell * 0.14 * _SIDE, part)
        _glyph(pen, sign, x * side, y * side, cell * 0.2 * side, colour, _mixed(_GROUND, colour, _TINT))
    return picture.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS), labels


def _glyph(pen: ImageDraw.ImageDraw, sign: int, x: float, y: float, reach: float, colour: str, hole: str) -> None:
    """A part's symbol, as the window paints it beside the part's name."""
    _shape(pen, sign % 8, x, y, reach, colour)
    if sign % 16 >= 8:
        _shape(pen, sign % 8, x, y, reach * 0.44, hole)


_CORNERS: Final = {2: (3, -90.0, 1.12, 0.2), 3: (4, -90.0, 1.08, 0.0), 4: (5, -90.0, 1.06, 0.0),
                   5: (3, 90.0, 1.12, -0.2), 6: (6, 0.0, 1.04, 0.0)}  # fmt: skip


def _shape(pen: ImageDraw.ImageDraw, kind: int, x: float, y: float, reach: float, colour: str) -> None:
    if kind == 0:
        pen.ellipse([x - reach, y - reach, x + reach, y + reach], colour)
    elif kind == 1:
        inner = reach * 0.88
        pen.rounded_rectangle([x - inner, y - inner, x + inner, y + inner], reach * 0.3, colour)
    elif kind in _CORNERS:
        count, first, grow, shift = _CORNERS[kind]
        turns = [math.radians(first + 360 * corner / count) for corner in range(count)]
        far = reach * grow
        pen.polygon([(x + far * math.cos(t), y + far * math.sin(t) + reach * shift) for t in turns], colour)
    else:
        star = [(math.radians(45 * corner - 90), reach * (1.15 if corner % 2 == 0 else 0.5)) for corner in range(8)]
        pen.polygon([(x + far * math.cos(turn), y + far * math.sin(turn)) for turn, far in star], colour)


def _box(x: float, y: float, side: float) -> tuple[float, float, float, float]:
    return x - side / 2, y - side / 2, x + side / 2, y + side / 2


def _mixed(first: str, second: str, share: float) -> str:
    one, other = ImageColor.getrgb(first), ImageColor.getrgb(second)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(one, other, strict=True))
