"""Models in one file are told apart by the names of their weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from engine.core.model_places import add_folder
from engine.hub.shelf import look_at_shelf
from engine.hub.single_files import single_file_kind, single_files

FIRST = "model.diffusion_model.input_blocks.0.0.weight"
KINDS = {
    "Stable Diffusion 1 checkpoint": ({FIRST: 4}, "cond_stage_model.transformer.text_model.x"),
    "Stable Diffusion 1 inpainting checkpoint": ({FIRST: 9}, "cond_stage_model.transformer.text_model.x"),
    "Stable Diffusion 2 checkpoint": ({FIRST: 4}, "cond_stage_model.model.x"),
    "SDXL checkpoint": ({FIRST: 4}, "conditioner.embedders.1.model.x"),
    "SDXL refiner checkpoint": ({FIRST: 4}, "conditioner.embedders.0.model.x"),
    "LoRA": ({}, "lora_unet_down_blocks_0_attentions_0.lora_up.weight"),
    "embedding": ({}, "emb_params"),
    "autoencoder": ({}, "first_stage_model.decoder.conv_in.weight"),
    "": ({}, "something.else"),
}


def write(file: Path, kind: str) -> Path:
    inputs, name = KINDS[kind]
    file.parent.mkdir(parents=True, exist_ok=True)
    tensors = {one: np.zeros((2, channels, 1, 1), np.float16) for one, channels in inputs.items()}
    save_file(tensors | {name: np.zeros(2, np.float16)}, file)
    return file


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_file_is(kind: str, tmp_path: Path) -> None:
    assert single_file_kind(write(tmp_path / "file.safetensors", kind)) == kind


def test_damaged_files_are_nothing(tmp_path: Path) -> None:
    file = write(tmp_path / "file.safetensors", "LoRA")
    file.write_bytes(file.read_bytes()[:20])
    assert single_file_kind(file) == single_file_kind(tmp_path) == single_file_kind(tmp_path / "gone") == ""


def test_those_of_another_program_are_listed_and_those_of_folders_are_not(tmp_path: Path, tiny_world: Path) -> None:
    models = tmp_path / "ComfyUI" / "models"
    shutil.copytree(tiny_world / "base", models / "diffusers" / "mine")
    checkpoint = write(models / "checkpoints" / "dreamshaper_8.safetensors", "Stable Diffusion 1 checkpoint")
    lora = write(models / "loras" / "paper.safetensors", "LoRA")
    write(models / ".hidden" / "paper.safetensors", "LoRA")
    assert dict(single_files(models)) == {checkpoint: "Stable Diffusion 1 checkpoint", lora: "LoRA"}
    add_folder(models)
    listed = {Path(one.folder): one for one in look_at_shelf().here}
    assert listed[checkpoint].kind == "Stable Diffusion 1 checkpoint" and listed[checkpoint].single_file
    assert listed[checkpoint].size == checkpoint.stat().st_size and listed[lora].kind == "LoRA"
    assert not listed[models / "diffusers" / "mine"].single_file
