"""Sheets of a pack's parts, for its card."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from PIL import Image

from engine.core.image_files import open_picture
from engine.exchange.model_card import model_card
from engine.exchange.pack_sheets import write_sheets
from engine.exchange.textual_inversion import words_of
from engine.packs.pack import CODE_PICTURES, Pack
from tests import fakes


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    return fakes.make_pack(tmp_path / "birds")


def test_a_sheet_for_each_part_that_the_card_shows(pack: Pack, tmp_path: Path) -> None:
    words = words_of(pack)
    sheets = write_sheets(pack, words, tmp_path / "out")
    assert [sheet.name for sheet in sheets] == [f"{part.name}.png" for part in pack.vocabulary.visible_parts]
    head = open_picture(sheets[3])
    assert head.size == (8 + 6 * 136, 8 + 158), "six references, one code each; two codes have no picture"
    with Image.open(pack.references[0].image) as picture:
        middle = picture.convert("RGB").getpixel((round(0.77 * 128), round(0.29 * 128)))
    assert head.convert("RGB").getpixel((8 + 64, 8 + 64)) == middle, "the head of the first bird"
    card = model_card(pack, words, (), sdxl=False, sheets=[sheet.name for sheet in sheets])
    shown = [unquote(link) for link in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", card)]
    assert shown and all((tmp_path / "out" / link).is_file() for link in shown)
    assert "Pictures" not in model_card(pack, words, (), sdxl=False)


def test_pictures_of_codes_come_first_and_what_is_damaged_is_left_out(pack: Pack, tmp_path: Path) -> None:
    kept = pack.path / CODE_PICTURES
    kept.mkdir(parents=True)
    Image.new("RGBA", (300, 150), "#123456").save(kept / "3-0.png")
    (kept / "3-1.png").write_bytes(b"no picture")
    for reference in pack.references[2:]:
        Path(reference.image).unlink()
    sheets = write_sheets(pack, words_of(pack), tmp_path / "out")
    head = open_picture(next(sheet for sheet in sheets if sheet.stem == "head")).convert("RGB")
    assert head.size == (8 + 136, 8 + 158) and head.getpixel((8 + 64, 8 + 64)) == (0x12, 0x34, 0x56)
    assert head.getpixel((8 + 64, 8 + 10)) == (255, 255, 255), "not stretched"
