"""Contact sheets: every kind of one part down, of another across, and the creature of each pair where they meet."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from unicodedata import category

from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from engine.collage.assemble import CollageMaker
from engine.collage.layers import Collage, flatten
from engine.collage.sheet_axes import Axis, cell_recipe
from engine.core.atomic_files import write_whole
from engine.core.errors import UserError
from engine.core.image_files import open_picture
from engine.core.on_disk import is_file
from engine.core.paths import resources_dir
from engine.core.recipe import Recipe
from engine.core.source_mark import add_mark
from engine.core.vocabulary import Choice, Vocabulary
from engine.packs.pack import Pack

SMALLEST_SIDE: Final = 160
LARGEST_SIDE: Final = 512
"""Pixels of a cell's picture."""

MOST_PIXELS: Final = 40_000_000
"""Of a whole sheet, which takes 120 MB: larger ones get smaller cells."""

PAPER_INCHES: Final = 11.69
"""The longer side of a PDF's page: that of A4."""

SUFFIXES: Final = (".png", ".pdf")

_LONGEST_LINE: Final = 200
_GROUND: Final = "#ffffff"
_INK: Final = "#1d1f24"
_QUIET: Final = "#6a6f7a"
_LINE: Final = "#d9dce2"


@dataclass(frozen=True)
class CellPicture:
    """What a cell shows, and a line below it (what arrived, or why there is no picture)."""

    picture: Image.Image | None
    note: str = ""


Report = Callable[[int, int], None]
"""Cells done, of how many. What it raises ends the work."""


class ContactSheet:
    """A sheet of ``rows`` by ``columns``: its labels are there from the start, its cells as they are :meth:`put`.

    ``side`` is a cell's in pixels, fitted to the number of cells; ``notes``: whether there is a line below each.
    Raises :class:`UserError` where both sides are of the same part, or one has nothing to show.
    """

    def __init__(self, pack: Pack, rows: Axis, columns: Axis, side: int = LARGEST_SIDE, notes: bool = False) -> None:
        if rows.part == columns.part:
            raise UserError("Rows and columns show the same part.", "Choose two parts.")
        if not rows.codes or not columns.codes:
            raise UserError("There is nothing to show on one side of the sheet.", "Choose at least one kind.")
        self.rows, self.columns = rows, columns
        self._vocabulary = pack.vocabulary
        fitting = math.isqrt(MOST_PIXELS // ((len(rows.codes) + 1) * (len(columns.codes) + 1)))
        self.side = max(min(side, LARGEST_SIDE, fitting), 8)
        self._text = max(self.side // 11, 9)
        self._gap = max(self.side // 24, 2)
        self._note = self._text * 3 // 2 if notes else 0
        self._left = self._gutter(rows)
        self._top = 4 * self._text + self._gap
        self.image = Image.new("RGB", self._size(), _GROUND)
        self._draw = ImageDraw.Draw(self.image)
        self._write_labels()

    @property
    def cells(self) -> Iterator[tuple[int, int, Choice, Choice]]:
        """Row, column and the two choices of each cell, row by row."""
        for row, code in enumerate(self.rows.codes):
            for column, other in enumerate(self.columns.codes):
                yield row, column, Choice(self.rows.part, code), Choice(self.columns.part, other)

    def put(self, row: int, column: int, cell: CellPicture) -> None:
        """Show a picture, fitted into its cell, and its note."""
        x, y = self._corner(row, column)
        side = self.side
        if cell.picture is None:
            self._draw.rectangle((x, y, x + side - 1, y + side - 1), outline=_LINE)
        else:
            picture = cell.picture
            scale = side / max(picture.size)
            size = max(round(picture.width * scale), 1), max(round(picture.height * scale), 1)
            fitted = picture.convert("RGBA").resize(size, Image.Resampling.LANCZOS)
            self.image.paste(fitted, (x + (side - size[0]) // 2, y + (side - size[1]) // 2), fitted)
        if cell.note and cell.picture is None:
            self._say(cell.note, x + self._gap, y + side // 2, side - 2 * self._gap, _QUIET)
        elif cell.note:
            self._say(cell.note, x, y + side + self._note // 2, side, _QUIET)

    def _size(self) -> tuple[int, int]:
        across, down = len(self.columns.codes), len(self.rows.codes)
        step = self.side + self._gap
        return self._left + across * step + self._gap, self._top + down * (step + self._note) + self._gap

    def _corner(self, row: int, column: int) -> tuple[int, int]:
        step = self.side + self._gap
        return self._left + column * step, self._top + row * (step + self._note)

    def _gutter(self, rows: Axis) -> int:
        """How wide the names of the rows are, up to a cell."""
        names = [_line(self._vocabulary.parts[rows.part].name), *self._names(rows)]
        widest = max(font_for(name, self._text).getlength(name) for name in names)
        return min(math.ceil(widest), self.side) + 2 * self._gap

    def _names(self, axis: Axis) -> list[str]:
        return [_line(self._vocabulary.code_name(axis.part, code)) for code in axis.codes]

    def _write_labels(self) -> None:
        parts = self._vocabulary.parts
        room = self._left - 2 * self._gap
        self._say(parts[self.rows.part].name, self._gap, self._top - self._text, room, _QUIET)
        self._say(parts[self.columns.part].name, self._left, self._gap + self._text, self.side, _QUIET)
        for column, name in enumerate(self._names(self.columns)):
            self._say(name, self._corner(0, column)[0], self._top - self._text, self.side, _INK)
        for row, name in enumerate(self._names(self.rows)):
            self._say(name, self._gap, self._corner(row, 0)[1] + self.side // 2, room, _INK)

    def _say(self, text: str, x: int, middle: int, room: int, ink: str) -> None:
        """A line of text with its middle at a height, cut short where it needs more room."""
        text = _line(text)
        font = font_for(text, self._text)
        if font.getlength(text) > room:
            while text and font.getlength(f"{text}…") > room:
                text = text[:-1]
            text = f"{text.rstrip()}…"
        self._draw.text((x, middle), text, ink, font, anchor="lm")


def _line(text: str) -> str:
    """A name as one line that can be drawn: of somebody's pack, where it may hold anything."""
    breaks = ("Cc", "Cs", "Zl", "Zp")  # controls, halves of surrogate pairs, ends of lines
    return "".join(" " if category(letter) in breaks else letter for letter in text[:_LONGEST_LINE])


def fill_sheet(
    sheet: ContactSheet, recipe: Recipe, vocabulary: Vocabulary, show: Callable[[Recipe], CellPicture], report: Report
) -> None:
    """Put all cells of a sheet, each made by ``show`` of its recipe. A cell that cannot be made says why; if none can,
    the first reason is raised."""
    total = len(sheet.rows.codes) * len(sheet.columns.codes)
    report(0, total)
    reasons: list[UserError] = []
    for done, (row, column, first, second) in enumerate(sheet.cells, 1):
        try:
            cell = show(cell_recipe(recipe, vocabulary, first, second))
        except UserError as error:
            reasons.append(error)
            cell = CellPicture(None, error.message)
        sheet.put(row, column, cell)
        report(done, total)
    if len(reasons) == total:
        raise reasons[0]


def collage_sheet(
    pack: Pack, recipe: Recipe, rows: Axis, columns: Axis, report: Report = lambda done, total: None, side: int = 0
) -> ContactSheet:
    """A whole sheet of collages. ``side`` 0: that of the pictures, within limits. Raises :class:`UserError`."""
    sheet = ContactSheet(pack, rows, columns, side or side_of(pack))
    fill_sheet(sheet, recipe, pack.vocabulary, collage_cells(CollageMaker(pack).make, sheet), report)
    return sheet


def collage_cells(make: Callable[[Recipe], Collage], sheet: ContactSheet) -> Callable[[Recipe], CellPicture]:
    """What shows each cell of a sheet as the collage that ``make`` makes."""

    def show(recipe: Recipe) -> CellPicture:
        collage = make(recipe)
        for missing in collage.missing:
            if missing.part in (sheet.rows.part, sheet.columns.part):  # without it, the cell would show another pair
                raise UserError(missing.message, missing.hint)
        return CellPicture(Image.fromarray(flatten(collage)))

    return show


def side_of(pack: Pack) -> int:
    """A side at which the references lose nothing, and small ones can be seen."""
    for reference in pack.references:
        try:
            picture = open_picture(reference.image, max_side=LARGEST_SIDE)
        except UserError:  # it is missed when it is needed
            continue
        return max(*picture.size, SMALLEST_SIDE)
    return SMALLEST_SIDE


def check_sheet_name(path: Path) -> None:
    """Raises :class:`UserError` for a file that sheets are not saved as."""
    if path.suffix.lower() not in SUFFIXES:
        form = f"{path.suffix} files" if path.suffix else "a file without an ending"
        raise UserError(f"Contact sheets cannot be saved as {form}.", f"Choose one of {', '.join(SUFFIXES)}.")


def save_sheet(image: Image.Image, path: Path, source: str = "") -> None:
    """Save a sheet as a PNG, or as a PDF of one page, whole or not at all. ``source`` is a digital source type for the
    PNG (:mod:`engine.core.source_mark`). Raises :class:`UserError`."""
    check_sheet_name(path)
    info = PngInfo()
    add_mark(info, source)

    def write(beside: Path) -> None:
        if path.suffix.lower() == ".png":
            image.save(beside, "PNG", pnginfo=info)
        else:
            image.save(beside, "PDF", resolution=max(image.size) / PAPER_INCHES, quality=92, title=path.stem)

    write_whole(path, write, "the contact sheet")


FONTS: Final = ("Inter-Regular.ttf", "DejaVuSans.ttf", "NotoSansCJK-Regular.ttc", "msyh.ttc", "Arial Unicode.ttf")
"""Where letters are looked for: our own font first, then what systems have for other scripts."""

_fonts: dict[tuple[str, int], ImageFont.FreeTypeFont | None] = {}


def font_for(text: str, size: int) -> ImageFont.FreeTypeFont:
    """The first font that can draw all of a text, in pixels; our own where none can."""
    for name in FONTS:
        font = _font(name, size)
        if font is not None and _draws(font, text):
            return font
    font = _font(FONTS[0], size)
    assert font is not None, "the bundled font is part of the program"
    return font


def _font(name: str, size: int) -> ImageFont.FreeTypeFont | None:
    if (name, size) not in _fonts:
        bundled = resources_dir() / "fonts" / name
        try:
            _fonts[name, size] = ImageFont.truetype(str(bundled) if is_file(bundled) else name, size)
        except OSError:
            _fonts[name, size] = None
    return _fonts[name, size]


def _draws(font: ImageFont.FreeTypeFont, text: str) -> bool:
    """Whether a font has all letters of a text: one that it lacks looks like what no font has."""
    lacking = drawn(font, "\U0010ffff")
    return all(letter.isspace() or drawn(font, letter) != lacking for letter in set(text))


def drawn(font: ImageFont.FreeTypeFont, letter: str) -> bytes:
    """The pixels of a letter."""
    x, y, right, bottom = font.getbbox(letter)
    picture = Image.new("L", (max(math.ceil(right - x), 1), max(math.ceil(bottom - y), 1)))
    ImageDraw.Draw(picture).text((-x, -y), letter, 255, font)
    return picture.tobytes()
