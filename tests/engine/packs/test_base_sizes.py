"""Which sizes a base model can paint, told from its JSON files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from engine.core.paths import starter_pack
from engine.packs.base_sizes import BaseSizes, size_warning, sizes_of
from engine.packs.pack import BaseModel, Pack
from tests.fakes import make_base_config


def sides(low: int, high: int) -> tuple[int, ...]:
    return tuple(range(low, high + 1, 64))


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, BaseSizes(512, sides(512, 768))),
        ({"width": 1024}, BaseSizes(512, sides(512, 640))),
        ({"width": 1024, "sample_size": 96}, BaseSizes(768, sides(768, 1024))),
        ({"width": 2048, "sample_size": 128, "sdxl": True}, BaseSizes(1024, sides(768, 1344))),
        ({"width": 2048, "sample_size": 64, "sdxl": True}, BaseSizes(512, sides(384, 640))),
        ({"width": 128, "sample_size": 16}, BaseSizes(128, (128,))),  # the starter's: its own alone
        ({"width": 2048, "sample_size": 64}, BaseSizes(512, (512,))),  # SDXL's words, but not told the size
        ({"width": 768, "sample_size": 50}, BaseSizes(400, (400, *sides(448, 576)))),
        ({"width": [768, 768]}, BaseSizes(512, (512,))),
        ({"sample_size": None}, BaseSizes()),
        ({"sample_size": [64, 64]}, BaseSizes()),
        ({"sample_size": -1}, BaseSizes()),
        ({"sample_size": True}, BaseSizes()),
        ({"blocks": 0}, BaseSizes()),
    ],
)
def test_sizes_of_a_kind_of_base(tmp_path: Path, config: dict[str, Any], expected: BaseSizes) -> None:
    make_base_config(tmp_path / "base", **config)
    assert sizes_of(BaseModel(str(tmp_path / "base"))) == expected


def test_another_unet_says_its_own_size(tmp_path: Path) -> None:
    base = make_base_config(tmp_path / "base")
    other = make_base_config(tmp_path / "other", sample_size=96)
    for unet in (other, other / "unet"):  # a whole base model's, or alone
        assert sizes_of(BaseModel(str(base), unet=str(unet))).own == 768
    assert sizes_of(BaseModel(str(base), unet=str(tmp_path / "gone"))) == BaseSizes()


@pytest.mark.parametrize("id", ["", "nowhere", "no/where", "a/b/c", "x" * 300, "~nobody/x", "a\0b", "https://x/y"])
def test_a_base_that_is_not_here_says_nothing(id: str) -> None:
    assert sizes_of(BaseModel(id)) == BaseSizes()


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"sample_size": "64"}', "[" * 100_000])
def test_damaged_files_say_nothing(tmp_path: Path, text: str) -> None:
    base = make_base_config(tmp_path / "base")
    (base / "unet" / "config.json").write_text(text)
    assert sizes_of(BaseModel(str(base))) == BaseSizes()


def test_a_base_in_the_cache_of_the_hub_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    folder = tmp_path / "models--some--base"
    make_base_config(folder / "snapshots" / "abc", width=2048, sample_size=128, sdxl=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("abc")
    assert sizes_of(BaseModel("some/base")).own == 1024


def test_what_is_offered_and_what_is_told() -> None:
    sizes = BaseSizes(512, sides(512, 768))
    assert [sizes.nearest(size) for size in (0, 128, 512, 600, 630, 2048)] == [0, 0, 0, 576, 640, 768]
    assert all(sizes.paints(size) for size in (0, 512, 520, 768)) and not sizes.paints(448) and not sizes.paints(1024)
    assert size_warning(sizes, 1024) == "This model paints 512 to 768 px; this recipe asks for 1024 px."
    assert size_warning(BaseSizes(128, (128,)), 64) == "This model paints 128 px; this recipe asks for 64 px."
    scaled = BaseSizes(128, (128,), scaled=True)
    assert size_warning(scaled, 64) == "This model paints 128 px; its picture is scaled to 64 px."
    assert not size_warning(scaled, 128) and not size_warning(scaled, 0)
    unknown = BaseSizes()
    assert unknown.nearest(512) == 0 and size_warning(unknown, 512) == size_warning(sizes, 640) == ""


def test_the_starter_paints_its_own_size_alone() -> None:
    if not starter_pack().is_dir():
        pytest.skip("the starter was not built")
    assert sizes_of(Pack.open(starter_pack()).base_model) == BaseSizes(256, (256,), scaled=True)
