"""Discovery where the truth is known: drawn birds over grounds of photographs, seen with the real eyes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from engine.packs.pack import Pack
from engine.segmentation.dino import open_dino
from engine.segmentation.discover import discover
from engine.segmentation.find_parts import find_parts
from engine.segmentation.mask_refinement import segment_picture
from engine.worker.jobs import Discover, EyeSettings, FindParts, News
from tests.conftest import REPOSITORY
from tests.engine.segmentation.scenes import SIDE, foreground_iou, make_scenes, parts_miou


def silent(_news: News) -> None: ...


@pytest.mark.slow
@pytest.mark.eyes
def test_birds_are_told_from_grounds_and_heads_are_one_part(real_eyes: Path, models: Any, tmp_path: Path) -> None:
    photos = sorted((REPOSITORY.parent / "shared" / "photos").glob("*-many/*.jpg"))
    scenes = make_scenes(28, photos)
    known, new = scenes[:24], scenes[24:]
    folder = tmp_path / "scenes"
    folder.mkdir()
    for index, scene in enumerate(known):
        Image.fromarray(scene.image).save(folder / f"{index:02d}.png")
    job = Discover(
        str(folder), str(tmp_path / "out"), 5, 4, "bird", str(real_eyes), references=24,
        eye_settings=EyeSettings(image_size=SIDE),
    )  # fmt: skip
    pack = Pack.open(discover(models, job, silent))
    assert pack.backbone.centred and pack.metrics["without_object"] == 0
    dino, book = open_dino(models, pack.backbone), pack.codebook()
    seen = [
        segment_picture(book, dino.features([Image.fromarray(scene.image)])[0], scene.image).labels for scene in scenes
    ]
    miou, by_part = parts_miou(seen, scenes, 5)
    print(f"foreground {foreground_iou(seen, scenes):.3f}, parts {miou:.3f}", by_part)
    assert foreground_iou(seen[:24], known) >= 0.80
    assert foreground_iou(seen[24:], new) >= 0.70, "pictures the votes have not seen"
    assert miou >= 0.60 and by_part["head"] >= 0.75
    assert [part.name for part in pack.vocabulary.parts] == ["head", "body", "wing", "tail", "legs"]


def pages(folder: Path) -> Path:
    """Twelve pages of text, which show no thing at all."""
    folder.mkdir()
    for index in range(12):
        generator = np.random.default_rng(index)
        page = Image.new("RGB", (640, 400), "white")
        pen = ImageDraw.Draw(page)
        for top in range(10, 390, 14):
            letters = generator.choice(list("abcdefg hijklm nop"), int(generator.integers(10, 90)))
            pen.text((10, top), "".join(letters), fill="black")
        page.save(folder / f"{index}.png")
    return folder


@pytest.mark.slow
@pytest.mark.eyes
def test_pages_of_text_have_no_object_and_it_is_said(real_eyes: Path, models: Any, tmp_path: Path) -> None:
    photos = sorted((REPOSITORY.parent / "shared" / "photos").glob("*-many/*.jpg"))
    birds = tmp_path / "birds"
    birds.mkdir()
    for index, scene in enumerate(make_scenes(12, photos)):
        Image.fromarray(scene.image).save(birds / f"{index:02d}.png")
    said = [
        find_parts(models, FindParts(str(folder), 4, str(real_eyes)), silent).note
        for folder in (pages(tmp_path / "pages"), birds)
    ]
    assert ["No object stands out" in note for note in said] == [True, False]
