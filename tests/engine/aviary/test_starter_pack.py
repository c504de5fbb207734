"""The starter that ships: opened by the stock libraries, small, and its eyes and pack agree with the drawings."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open

from engine.core.paths import resources_dir
from engine.core.segmentation import NO_PART
from engine.packs.pack import Pack

STARTER = resources_dir() / "starter"
PARTS = ("head", "body", "wing", "tail", "legs")


@pytest.fixture(scope="module")
def pipeline() -> Any:
    from diffusers import StableDiffusionPipeline

    opened: Any = StableDiffusionPipeline.from_pretrained(STARTER / "base")
    opened.set_progress_bar_config(disable=True)
    return opened


def test_weights_are_halves_and_small() -> None:
    files = sorted(STARTER.rglob("*.safetensors"))
    assert sum(file.stat().st_size for file in files) < 60e6
    for folder in ("base", "eyes", "judge"):
        for file in sorted((STARTER / folder).rglob("*.safetensors")):
            with safe_open(file, "np") as opened:
                kinds = {opened.get_slice(name).get_dtype() for name in opened.keys()}  # noqa: SIM118 - not a mapping
            assert kinds <= {"F16", "I64"}, file


def test_base_is_an_ordinary_pipeline_that_opens_as_float32(pipeline: Any) -> None:
    import torch

    assert {pipeline.unet.dtype, pipeline.text_encoder.dtype, pipeline.vae.dtype} == {torch.float32}
    assert pipeline.scheduler.config.prediction_type == "v_prediction"
    assert pipeline.text_encoder.config.eos_token_id == pipeline.tokenizer.eos_token_id


def test_pack_is_whole() -> None:
    pack = Pack.open(STARTER / "pack")
    assert [part.name for part in pack.vocabulary.parts] == list(PARTS)
    assert pack.vocabulary.codes_per_part == 24 == len(pack.references)
    assert pack.codebook().codes.any(axis=2).all()
    assert pack.licence and pack.provenance and {"same", "mixed", "segmentation", "judge"} <= set(pack.metrics)
    for reference in pack.references:
        with Image.open(reference.image) as picture, Image.open(reference.labels) as labels:
            assert picture.size == labels.size
            assert set(np.unique(np.asarray(labels))) == {0, 1, 2, 3, 4, NO_PART}
        assert pack.vocabulary.code_name(0, reference.codes[0]) == reference.title


def test_practice_folders_are_the_held_out_species() -> None:
    pytest.importorskip("skia", reason="the aviary is drawn with skia-python (pip install .[aviary])")
    from engine.aviary.drawing.species import HELD_OUT

    folders = sorted(folder.name for folder in (STARTER / "practice").iterdir())
    assert folders == sorted(HELD_OUT)
    assert not set(folders) & set(Pack.open(STARTER / "pack").vocabulary.code_names[0])
    assert all(len(list((STARTER / "practice" / folder).glob("*.png"))) >= 30 for folder in folders)


def test_one_picture_is_quick(pipeline: Any) -> None:
    prompt = "a photo of a red head blue body green wing black tail orange legs bird"
    pipeline(prompt, num_inference_steps=2)
    began = time.perf_counter()
    picture = pipeline(prompt, num_inference_steps=20, guidance_scale=3.0).images[0]
    print(f"{time.perf_counter() - began:.2f} s a picture")
    assert picture.size == (256, 256) and np.asarray(picture).std() > 10


@pytest.mark.slow
def test_eyes_cut_drawings_into_their_parts() -> None:
    pytest.importorskip("skia", reason="the aviary is drawn with skia-python (pip install .[aviary])")
    from engine.aviary.drawing.species import PACK_SPECIES
    from engine.aviary.evaluation import segmentation_quality
    from engine.aviary.starter_pack import open_starter_dino

    found = segmentation_quality(
        open_starter_dino(STARTER / "eyes").features, Pack.open(STARTER / "pack").codebook(), PACK_SPECIES, 40, seed=123
    )
    print(found)
    assert found["miou"] >= 0.65
    assert np.mean(list(found["codes"].values())) >= 0.8


@pytest.mark.slow
def test_renders_show_the_parts_asked_for(pipeline: Any) -> None:
    pytest.importorskip("skia", reason="the aviary is drawn with skia-python (pip install .[aviary])")
    from engine.aviary.drawing.species import PACK_SPECIES
    from engine.aviary.evaluation import judge_pictures, render_birds, requested_birds
    from engine.aviary.training.judge import Judge
    from engine.models.part_tokens import PartTokens
    from engine.rendering.painter import Painter

    judge = Judge.open(STARTER / "judge")
    painter = Painter(pipeline, PartTokens.load(Path(STARTER) / "pack" / "tokens.safetensors"))
    birds = requested_birds(PACK_SPECIES, 24, 4, seed=5)
    result = judge_pictures(judge, birds, render_birds(painter, PACK_SPECIES, birds))
    print(result.to_document())
    claimed = Pack.open(STARTER / "pack").metrics["mixed"]["emr"]
    assert result.emr > result.floor + 0.2
    assert result.emr > claimed - 0.15
