"""Contact sheets: the creature of each pair in its cell, names along both sides, a PNG or a PDF of it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.collage.assemble import assemble
from engine.collage.contact_sheet import (
    MOST_PIXELS,
    CellPicture,
    ContactSheet,
    collage_sheet,
    drawn,
    font_for,
    save_sheet,
)
from engine.collage.layers import flatten
from engine.collage.sheet_axes import Axis, cell_recipe, read_axis, shown_codes
from engine.core.errors import UserError
from engine.core.recipe import Recipe
from engine.core.vocabulary import Choice, Part, Vocabulary
from engine.packs.pack import Pack
from tests.fakes import make_pack

WING, HEAD = 1, 3
RECIPE = Recipe("fake-birds", ("a photo of a ", Choice(HEAD, 1), " ", Choice(0, 2), " bird"))


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    return make_pack(tmp_path / "pack")


def cell_of(sheet: ContactSheet, row: int, column: int) -> np.ndarray:
    """The pixels of a cell."""
    x, y = sheet._corner(row, column)
    return np.asarray(sheet.image.crop((x, y, x + sheet.side, y + sheet.side))).astype(int)


def test_each_cell_is_the_collage_of_its_pair(pack: Pack) -> None:
    done: list[tuple[int, int]] = []
    sheet = collage_sheet(
        pack, RECIPE, Axis(HEAD, (0, 3)), Axis(WING, (1, 4, 5)), report=lambda *steps: done.append(steps), side=128
    )
    assert done == [(number, 6) for number in range(7)]
    for row, column, head, wing in sheet.cells:
        alone = flatten(assemble(RECIPE.with_choice(head).with_choice(wing), pack))[..., :3].astype(int)
        assert np.abs(cell_of(sheet, row, column) - alone).max() <= 1, "references of 128 px are shown as they are"


def test_both_sides_are_labelled(pack: Pack) -> None:
    sheet = ContactSheet(pack, Axis(HEAD, (0, 3)), Axis(WING, (1, 4)), side=128)
    ink = np.asarray(sheet.image).min(-1) < 128
    first, second = (sheet._corner(row, 0)[1] for row in (0, 1))
    left, top = sheet._left, sheet._top
    assert ink[first : first + 128, :left].any() and ink[second : second + 128, :left].any()
    assert ink[:top, left : left + 128].any() and ink[:top, left + 140 :].any()
    assert not ink[top:, left:].any(), "nothing is written where the creatures go"


def test_the_choices_of_a_cell_stand_where_the_recipe_had_them() -> None:
    vocabulary = Vocabulary("bird", (Part(0, "head", "#0"), Part(1, "wing", "#1"), Part(2, "tail", "#2")), 9)
    recipe = Recipe("x", ("a ", Choice(0, 1), " ", Choice(0, 2, 1.5), " bird"))
    made = cell_recipe(recipe, vocabulary, Choice(0, 7), Choice(1, 8))
    assert made.choices == (Choice(0, 7), Choice(1, 8)), "of two heads one is left"
    assert made.prompt[0] == "a " and str(made.prompt[-1]).endswith("bird")


def test_axes_as_people_write_them(pack: Pack) -> None:
    assert shown_codes(pack, HEAD) == (0, 1, 2, 3, 4, 5)
    assert read_axis(pack, " Head ", most=2) == Axis(HEAD, (0, 1))
    assert read_axis(pack, "head: kiwi, Ёжик,kiwi") == Axis(HEAD, (4, 3))


def test_a_cell_that_cannot_be_made_says_why(pack: Pack) -> None:
    sheet = collage_sheet(pack, RECIPE, Axis(HEAD, (0, 7)), Axis(WING, (1,)), side=128)  # nothing shows code 7
    assert (cell_of(sheet, 1, 0)[8:-8, 8:-8].min() < 200) and (cell_of(sheet, 1, 0) == 255).mean() > 0.5
    with pytest.raises(UserError, match="shows"):
        collage_sheet(pack, RECIPE, Axis(HEAD, (7,)), Axis(WING, (1,)), side=128)


def test_what_a_report_raises_ends_the_work(pack: Pack) -> None:
    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collage_sheet(pack, RECIPE, Axis(HEAD, (0, 1)), Axis(WING, (0, 1)), report=stop, side=64)


def test_one_side_without_kinds_or_twice_the_same_part(pack: Pack) -> None:
    with pytest.raises(UserError, match="nothing to show"):
        ContactSheet(pack, Axis(HEAD, ()), Axis(WING, (1,)))
    with pytest.raises(UserError, match="same part"):
        ContactSheet(pack, Axis(HEAD, (1,)), Axis(HEAD, (2,)))


def test_sixteen_by_sixteen_stays_within_memory(tmp_path: Path) -> None:
    pack = make_pack(tmp_path / "large", codes=16, references=16)
    sheet = ContactSheet(pack, read_axis(pack, "head"), read_axis(pack, "wing"), notes=True)
    assert sum(1 for _ in sheet.cells) == 256
    assert sheet.image.width * sheet.image.height < 1.2 * MOST_PIXELS and sheet.side > 300


def test_pictures_of_any_shape_are_fitted(pack: Pack) -> None:
    sheet = ContactSheet(pack, Axis(HEAD, (0,)), Axis(WING, (0,)), side=100, notes=True)
    sheet.put(0, 0, CellPicture(Image.new("RGBA", (400, 100), (200, 0, 0, 255)), "all arrived " * 30))
    cell = cell_of(sheet, 0, 0)
    assert (cell[45:55, 2:98] == (200, 0, 0)).all() and (cell[:30] == 255).all() and (cell[70:] == 255).all()
    sheet.put(0, 0, CellPicture(Image.new("RGBA", (1, 1), (0, 0, 0, 0))))  # a creature of nothing: no black square
    assert (cell_of(sheet, 0, 0)[45:55, 45:55] == (200, 0, 0)).all()


@pytest.mark.parametrize(
    "odd", ["a\nb", "長" * 300, "🦜\u200d" * 300, "\u202eذيل", "\ud800", "\u2028", "\0", "x" * 5000]
)
def test_names_of_any_kind_are_written(pack: Pack, odd: str) -> None:
    words = pack.vocabulary
    parts = tuple(replace(part, name=f"{odd}{part.index}") for part in words.parts)
    names = tuple(tuple(f"{odd}{code}" for code in range(words.codes_per_part)) for _ in parts)
    strange = replace(pack, vocabulary=Vocabulary(odd, parts, words.codes_per_part, names))
    sheet = ContactSheet(strange, Axis(HEAD, (0, 1)), Axis(WING, (0,)), side=100, notes=True)
    sheet.put(0, 0, CellPicture(None, odd))
    assert sheet.image.width < 500


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".PDF"])
def test_saved_sheets_are_whole(suffix: str, tmp_path: Path) -> None:
    image = Image.effect_noise((300, 200), 60).convert("RGB")
    path = tmp_path / f"sheet{suffix}"
    save_sheet(image, path)
    if suffix == ".png":
        assert np.array_equal(np.asarray(Image.open(path)), np.asarray(image))
        return
    data = path.read_bytes()
    assert data.startswith(b"%PDF-") and data.rstrip().endswith(b"%%EOF")
    box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+) ?\]", data)
    assert box is not None and abs(float(box[1]) - 11.69 * 72) < 1 and abs(float(box[2]) - 11.69 * 48) < 1
    assert b"/Width 300" in data and b"/Height 200" in data, "at its full resolution"


def test_a_folder_that_is_gone_is_one_sentence(tmp_path: Path) -> None:
    image = Image.new("RGB", (4, 4))
    with pytest.raises(UserError, match="The contact sheet could not be saved: the folder .* is not there"):
        save_sheet(image, tmp_path / "gone" / "x.pdf")
    with pytest.raises(UserError, match=r"cannot be saved as a file without an ending.*\.png, \.pdf"):
        save_sheet(image, tmp_path / "x")


def test_letters_that_our_font_lacks_are_looked_for_elsewhere() -> None:
    assert font_for("Ёжик", 12).getname()[0] == "Inter"
    lacking = drawn(font_for("x", 12), "\U0010ffff")
    other = font_for("冠", 12)
    assert other.getname()[0] == "Inter" or drawn(other, "冠") != lacking
    assert drawn(font_for("a", 12), "a") != lacking
