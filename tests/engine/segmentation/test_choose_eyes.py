"""Drawings like the aviary's are told from photographs and from other people's art, and each gets its eyes."""

from __future__ import annotations

import io
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from engine.aviary.dataset import BirdDataset
from engine.aviary.drawing.bird import draw_bird
from engine.aviary.drawing.species import PACK_SPECIES, SPECIES
from engine.core.image_files import open_picture
from engine.core.paths import resources_dir, starter_pack
from engine.models.dinov2_wheel import EYES
from engine.models.loader import Models
from engine.packs.pack import BEGINNINGS, Pack
from engine.segmentation import choose_eyes as module
from engine.segmentation.choose_eyes import STARTER_EYES, are_familiar, are_seen, can_see, choose_eyes, eyes_here
from engine.segmentation.find_parts import find_parts
from engine.segmentation.segment import segment
from engine.worker.jobs import FindParts, News, Segment

SOURCES = ("random", "held out", "jpeg")


def silent(news: News) -> None:
    pass


def aviary(folder: Path, source: str, count: int = 12) -> list[Path]:
    """Birds nobody has seen: of random parts, of species the starter was not trained on, or saved again as JPEG."""
    names = tuple(sorted({*SPECIES} - {*PACK_SPECIES}))
    held_out = source == "held out"
    flock = BirdDataset(987, names, 0.0, 1.0) if held_out else BirdDataset(987)
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for index in range(count):
        picture = Image.fromarray(draw_bird(*flock.bird(index)).image)
        files.append(folder / f"{index}.{'jpg' if source == 'jpeg' else 'png'}")
        if source == "jpeg":
            turned = picture.resize((512, 512), Image.Resampling.BICUBIC).rotate(8 * (index % 5 - 2), fillcolor="white")
            turned.save(files[-1], quality=70)
        else:
            picture.save(files[-1])
    return files


def others(folder: Path, kind: str, count: int = 12) -> list[Path]:
    """What is no aviary: blots on a plain ground, rows of text, soft colours, noise."""
    generator = np.random.default_rng(1)
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        if kind == "noise":
            picture = Image.fromarray(generator.integers(0, 255, (128, 128, 3), np.uint8))
        elif kind == "soft":
            colours = Image.fromarray(generator.integers(0, 255, (6, 6, 3), np.uint8))
            picture = colours.resize((256, 256), Image.Resampling.BICUBIC)
        elif kind == "text":
            picture = Image.new("RGB", (400, 300), "white")
            for y in range(10, 290, 14):
                ImageDraw.Draw(picture).text((10, y), "The quick brown fox jumps over the lazy dog " * 2, "black")
        else:
            picture = Image.new("RGB", (256, 256), tuple(generator.integers(150, 255, 3).tolist()))
            for x, y, size in generator.integers(20, 200, (6, 3)).tolist():
                colour = tuple(generator.integers(0, 255, 3).tolist())
                ImageDraw.Draw(picture).ellipse((x, y, x + size // 2, y + 2 * size // 5), colour)
        picture.save(folder / f"{index}.png")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def starter(models: Any) -> Any:
    if not starter_pack().is_dir():
        pytest.skip("needs the starter")
    return models


@pytest.mark.parametrize("source", SOURCES)
def test_the_starter_s_eyes_see_the_aviary(source: str, starter: Any, tmp_path: Path) -> None:
    files = aviary(tmp_path, source)
    assert are_familiar(starter, files) and choose_eyes(starter, files).id == STARTER_EYES
    assert not choose_eyes(starter, files).missing
    backbone = Pack.open(starter_pack()).backbone
    assert all(can_see(starter, backbone, open_picture(file)) for file in files)


def test_the_starter_s_eyes_see_what_the_app_ships(starter: Any) -> None:
    practice = sorted((resources_dir() / "starter/practice").rglob("*.png"))
    references = [Path(reference.image) for reference in Pack.open(starter_pack()).references]
    for files in (practice, references, practice[:1], practice[-3:]):
        assert files and are_familiar(starter, files)


@pytest.mark.parametrize("kind", ["blots", "text", "soft", "noise"])
def test_other_people_s_pictures_are_not_the_aviary(kind: str, starter: Any, tmp_path: Path) -> None:
    files = others(tmp_path, kind)
    assert not are_familiar(starter, files)
    backbone = Pack.open(starter_pack()).backbone
    assert not are_seen(starter, backbone, files)
    assert are_seen(starter, replace(backbone, sees="photos"), files)


@pytest.mark.slow
def test_photographs_are_not_the_aviary(starter: Any, photos: Path) -> None:
    backbone = Pack.open(starter_pack()).backbone
    files = sorted(photos.rglob("*.jpg"))
    seen = [file.name for file in files if can_see(starter, backbone, open_picture(file, max_side=512))]
    assert len(seen) <= len(files) // 50, seen
    for folder in photos.iterdir():
        assert not are_familiar(starter, sorted(folder.iterdir()))


def test_a_mixture_goes_with_most_of_it(starter: Any, tmp_path: Path) -> None:
    birds, strangers = aviary(tmp_path / "birds", "random", 8), others(tmp_path / "others", "soft", 8)
    assert are_familiar(starter, [*birds, *strangers[:3]])
    assert not are_familiar(starter, [*birds[:3], *strangers])


def test_pictures_that_are_gone_are_no_reason_to_fail(starter: Any, tmp_path: Path) -> None:
    assert are_familiar(starter, [tmp_path / "gone.png"])
    assert are_familiar(starter, [])


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An app with the real starter, and no eyes beside it. Returns its models' folder."""
    app = tmp_path / "app/resources"
    app.mkdir(parents=True)
    (app / "starter").symlink_to(resources_dir() / "starter")
    monkeypatch.setattr(sys, "_MEIPASS", str(tmp_path / "app"), raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    return app / "models"


def test_without_eyes_for_them_it_is_said_and_the_starter_s_look(
    starter: Any, world: Path, tiny_world: Path, tmp_path: Path
) -> None:
    models = Models(device="cpu")
    folder = others(tmp_path / "soft", "soft", 4)[0].parent
    found = find_parts(models, FindParts(str(folder), 2), silent)
    assert (found.eyes, found.eyes_missing, found.eyes_here) == (STARTER_EYES, True, (STARTER_EYES,))
    assert "partcraft eyes get" in found.note and found.note.count("eyes get") == 1
    shutil.copytree(tiny_world / "eyes", world / EYES)  # they come, and are used at once
    assert eyes_here() == (STARTER_EYES, EYES)
    found = find_parts(models, FindParts(str(folder), 2), silent)
    assert (found.eyes, found.eyes_missing) == (EYES, False) and "DINOv2" in found.eyes_reason
    assert EYES not in found.note
    chosen = find_parts(models, FindParts(str(folder), 2, STARTER_EYES), silent)
    assert (chosen.eyes, chosen.eyes_reason, chosen.eyes_missing) == (STARTER_EYES, "", False)
    assert f"{EYES} does" in chosen.note, "a person may choose, and is told"
    assert not found.familiar and not chosen.familiar, "whoever looks, they are what they are"
    birds = aviary(tmp_path / "birds", "random", 4)[0].parent
    found = find_parts(models, FindParts(str(birds), 3), silent)
    assert (found.eyes, found.eyes_missing, found.note) == (STARTER_EYES, False, "") and found.familiar
    assert find_parts(models, FindParts(str(birds), 3, EYES), silent).familiar


def test_a_picture_that_the_starter_cannot_see_has_no_wrong_parts(starter: Any, tmp_path: Path) -> None:
    strange, bird = others(tmp_path / "soft", "soft", 1)[0], aviary(tmp_path / "birds", "random", 1)[0]
    assert segment(starter, Segment(str(starter_pack()), str(strange)), silent).unseen
    assert not segment(starter, Segment(str(starter_pack()), str(bird)), silent).unseen


def test_without_a_whole_starter_the_grain_decides(world: Path, starter: Any, tmp_path: Path) -> None:
    (world.parent / "starter").unlink()
    pack = Path(shutil.copytree(starter_pack_of_the_app(), world.parent / "starter/pack"))
    (pack / BEGINNINGS).write_bytes(b"no tensors")
    drawn, noise = others(tmp_path / "blots", "blots", 3), others(tmp_path / "noise", "noise", 3)
    assert are_familiar(Models(device="cpu"), drawn) and not are_familiar(Models(device="cpu"), noise)


def starter_pack_of_the_app() -> Path:
    return Path(module.__file__).resolve().parents[2] / "resources/starter/pack"


def test_a_picture_s_size_and_format_do_not_matter(starter: Any, tmp_path: Path) -> None:
    picture = Image.open(aviary(tmp_path, "random", 1)[0]).convert("RGB")
    backbone = Pack.open(starter_pack()).backbone
    for side in (96, 512, 2000):
        data = io.BytesIO()
        picture.resize((side, side), Image.Resampling.BICUBIC).save(data, "JPEG", quality=60)
        assert can_see(starter, backbone, Image.open(data).convert("RGB")), side
