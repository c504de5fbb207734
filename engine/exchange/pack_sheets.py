"""Pictures of a pack for its card: a sheet for each part, with a tile and a word for each of its codes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from engine.collage.contact_sheet import font_for
from engine.core.atomic_files import make_folder, write_whole
from engine.core.errors import UserError
from engine.core.image_files import open_picture, read_label_map
from engine.core.on_disk import is_file
from engine.core.paths import slug
from engine.core.vocabulary import Part
from engine.exchange.textual_inversion import Word
from engine.packs.pack import CODE_PICTURES, Pack, Reference

SHEETS: Final = "sheets"
MOST_TILES: Final = 60
"""Of one part: a card is looked at as a whole."""
_TILE: Final = 128
_CAPTION: Final = 22
_GAP: Final = 8
_ACROSS: Final = 6
_LETTERS: Final = 12
_AROUND: Final = 0.1
"""How much of a part's size is shown around it."""


def write_sheets(pack: Pack, words: Sequence[Word], folder: Path) -> tuple[Path, ...]:
    """Write ``sheets/<part>.png`` for each part of a pack that has pictures; the files. Raises :class:`UserError` where
    they cannot be written; a picture that cannot be read is left out."""
    place = make_folder(folder / SHEETS, "the sheets")
    written: list[Path] = []
    for part in pack.vocabulary.visible_parts:
        tiles = [(tile, word) for word in words if word.part == part.index for tile in _tile(pack, part, word.code)]
        if not tiles:
            continue
        name = slug(part.name, "part", lower=False)
        file = place / f"{name if place / f'{name}.png' not in written else f'{name}-{part.index}'}.png"
        sheet = _sheet(tiles[:MOST_TILES])
        write_whole(file, lambda beside, sheet=sheet: sheet.save(beside, "PNG"), "a sheet")
        written.append(file)
    return tuple(written)


def _sheet(tiles: Sequence[tuple[Image.Image, Word]]) -> Image.Image:
    across = min(_ACROSS, len(tiles))
    down = -(-len(tiles) // across)
    step_x, step_y = _TILE + _GAP, _TILE + _CAPTION + _GAP
    sheet = Image.new("RGB", (_GAP + across * step_x, _GAP + down * step_y), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (tile, word) in enumerate(tiles):
        row, column = divmod(index, across)
        left, top = _GAP + column * step_x, _GAP + row * step_y
        sheet.paste(tile, (left + (_TILE - tile.width) // 2, top + (_TILE - tile.height) // 2), tile)
        font = font_for(word.text, _LETTERS)
        text = word.text
        while len(text) > 1 and draw.textlength(text, font) > _TILE:
            text = f"{text[:-2]}…"
        draw.text((left + _TILE / 2, top + _TILE + _CAPTION / 2), text, "#333333", font, anchor="mm")
    return sheet


def _tile(pack: Pack, part: Part, code: int) -> Iterator[Image.Image]:
    """What a code looks like, RGBA, at most a tile; nothing where no picture shows it."""
    kept = pack.path / CODE_PICTURES / f"{part.index}-{code}.png"
    try:
        if is_file(kept):
            picture = open_picture(kept).convert("RGBA")
        else:
            shown = (one for one in pack.references if one.codes[part.index : part.index + 1] == (code,) and one.labels)
            found = next(filter(None, (_cut(reference, part.index) for reference in shown)), None)
            if found is None:
                return
            picture = found
    except UserError:
        return
    picture.thumbnail((_TILE, _TILE), Image.Resampling.LANCZOS)
    yield picture


def _cut(reference: Reference, part: int) -> Image.Image | None:
    """A square of a reference around one of its parts."""
    labels = read_label_map(reference.labels)
    rows, columns = np.nonzero(labels == part)
    if not len(rows):
        return None
    picture = open_picture(reference.image)
    scale = picture.width / labels.shape[1]
    middle_x, middle_y = (columns.min() + columns.max() + 1) / 2, (rows.min() + rows.max() + 1) / 2
    half = max(np.ptp(rows), np.ptp(columns)) / 2 * (1 + 2 * _AROUND) + 1
    box = [round(float(edge * scale)) for edge in (middle_x - half, middle_y - half, middle_x + half, middle_y + half)]
    box = [max(box[0], 0), max(box[1], 0), min(box[2], picture.width), min(box[3], picture.height)]
    return picture.crop((box[0], box[1], box[2], box[3])).convert("RGBA")
