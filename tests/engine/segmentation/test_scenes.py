"""Discovery where the truth is known: drawn birds over grounds of photographs, seen with the real eyes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.packs.pack import Pack
from engine.segmentation.dino import open_dino
from engine.segmentation.discover import discover
from engine.segmentation.mask_refinement import segment_picture
from engine.worker.jobs import Discover, EyeSettings, News
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
    assert by_part["head"] >= 0.60
    # The aim is 0.60 for the five parts; what is reached is in docs/photos.md.
    assert miou >= 0.35
