"""What the page of models shows: what is here and what it takes, what is fetched by half, what is proposed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from engine.core.model_places import add_folder
from engine.core.paths import models_dir
from engine.hub.catalogue import CATALOGUE, catalogue_model
from engine.hub.records import mark_unfinished
from engine.hub.repository import HubFile
from engine.hub.shelf import look_at_shelf, memory_needed
from engine.models.hub import weight_bytes

EYES, SD15, LORA = (
    "facebook/dinov2-base",
    "stable-diffusion-v1-5/stable-diffusion-v1-5",
    "latent-consistency/lcm-lora-sdv1-5",
)


def test_models_here_with_what_they_take(tiny_world: Path, tmp_path: Path) -> None:
    base = Path(shutil.copytree(tiny_world / "base", models_dir() / SD15))
    shutil.copytree(tiny_world / "eyes", tmp_path / "others" / EYES)
    (models_dir() / LORA).mkdir(parents=True)
    weights = {"lora_unet_x.lora_up.weight": np.zeros(4, np.float32)}
    save_file(weights, models_dir() / LORA / "pytorch_lora_weights.safetensors")
    add_folder(tmp_path / "others")
    shelf = look_at_shelf()
    here = {model.id: model for model in shelf.here}
    assert here[SD15].kind == "base model" and here[SD15].known is catalogue_model(SD15)
    assert here[SD15].memory == sum(weight_bytes(base).values()) and here[SD15].size > here[SD15].memory
    assert here[LORA].kind == "few-step LoRA" and here[EYES].kind == "eyes", "found by its name in an added folder"
    assert shelf.folders == (str(tmp_path / "others"),)
    proposed = {model.id for model in shelf.proposed}
    assert proposed and not proposed & set(here) and proposed | set(here) >= {model.id for model in CATALOGUE}
    assert len({model.folder for model in shelf.here}) == len(shelf.here), "each once"
    assert not [model for model in shelf.here if model.single_file], "a LoRA's folder is no single file"


def test_half_fetched_models_wait_and_other_kinds_are_left_out(tiny_world: Path) -> None:
    folder = Path(shutil.copytree(tiny_world / "base", models_dir() / SD15))
    mark_unfinished(folder, SD15, "1" * 40, (HubFile("unet/more.safetensors", 9, "a" * 64),))
    other = Path(shutil.copytree(tiny_world / "base", models_dir() / "somebody/flux"))
    (other / "model_index.json").write_text(json.dumps({"_class_name": "FluxPipeline"}))
    shelf = look_at_shelf()
    assert [(one.id, one.size, one.here) for one in shelf.unfinished] == [(SD15, 9, 0)]
    assert not {SD15, "somebody/flux"} & {model.id for model in shelf.here}
    assert SD15 not in {model.id for model in shelf.proposed}


def test_memory_is_what_full_precision_takes() -> None:
    known = catalogue_model(SD15)
    assert known is not None and 4.5e9 < memory_needed(known) < 6e9
