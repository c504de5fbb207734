"""Models are found, checked before they are loaded, and kept within a budget."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from engine.core.errors import UserError
from engine.core.model_places import add_folder, id_of_folder
from engine.core.paths import models_dir
from engine.models import loader
from engine.models.base_models import missing_files
from engine.models.hub import check_model, list_models, model_folder, weight_bytes
from engine.models.loader import Models


@pytest.fixture
def base(tiny_world: Path, tmp_path: Path) -> Path:
    """A base model of one's own, to break."""
    return Path(shutil.copytree(tiny_world / "base", tmp_path / "base"))


def told(match: str, load: Any, *arguments: Any) -> UserError:
    with pytest.raises(UserError, match=match) as caught:
        load(*arguments)
    assert caught.value.hint
    return caught.value


def test_ids_are_looked_up_in_order(tiny_world: Path, home: Path) -> None:
    assert model_folder(str(tiny_world / "eyes")) == tiny_world / "eyes"
    error = told("nobody/eyes is not on this computer", model_folder, "nobody/eyes")
    assert str(models_dir() / "nobody/eyes") in error.hint and "models fetch nobody/eyes" in error.hint
    (models_dir() / "nobody").mkdir(parents=True)
    shutil.copytree(tiny_world / "eyes", models_dir() / "nobody/eyes")
    assert model_folder("nobody/eyes") == (home / "models/nobody/eyes").resolve()
    for wrong in ("", "starter/nothing"):
        told("not on this computer", model_folder, wrong)


@pytest.mark.parametrize("id", ["a/b/c", "./gone", "~/models/gone", "../gone", "/no/such/folder", "C:\\\\gone"])
def test_a_path_to_nothing_is_no_model_to_be_fetched(home: Path, id: str) -> None:
    error = told("There is no folder", model_folder, id)
    assert id in error.message and "fetch" not in error.hint
    # There is nothing to get; but where a pack's base model was moved, the page of models helps to find it.
    assert error.model == (id if Path(id).is_absolute() else "")
    assert ("add the folder in which it is now" in error.hint) == Path(id).is_absolute()


def test_a_model_that_was_moved_is_found_by_its_name_in_an_added_folder(
    tiny_world: Path, home: Path, tmp_path: Path
) -> None:
    there = tmp_path / "now here" / "my base"
    shutil.copytree(tiny_world / "base", there)
    gone = str(tmp_path / "was here" / "my base")
    told("There is no folder", model_folder, gone)
    add_folder(there.parent)
    assert model_folder(gone) == there
    assert id_of_folder(there) == "my base", "and is known by it"


def test_lists_and_checks_without_loading(tiny_world: Path, home: Path) -> None:
    shutil.copytree(tiny_world / "eyes", models_dir() / "somebody/eyes")
    shutil.copytree(tiny_world / "base", models_dir() / "somebody/base")
    (models_dir() / "somebody/base/vae/diffusion_pytorch_model.safetensors").unlink()
    found = {one.id: one for one in list_models() if one.folder.startswith(str(home.resolve()))}
    assert found["somebody/eyes"].kind == "eyes" and not found["somebody/eyes"].missing
    assert found["somebody/base"].kind == "base model" and len(found) == 2
    assert found["somebody/base"].missing == ("vae/diffusion_pytorch_model.safetensors",)
    assert check_model("somebody/eyes") == found["somebody/eyes"]


@pytest.mark.parametrize(
    "gone", ["unet/diffusion_pytorch_model.safetensors", "text_encoder/config.json", "scheduler/scheduler_config.json",
             "model_index.json", "tokenizer/tokenizer_config.json"],
)  # fmt: skip
def test_missing_files_are_named(base: Path, gone: str) -> None:
    assert missing_files(base) == []
    (base / gone).unlink()
    assert missing_files(base) == [gone]
    told(f"lacks {gone}", Models(device="cpu").pipeline, str(base))


@pytest.mark.parametrize("part", ["unet/diffusion_pytorch_model", "text_encoder/model", "vae/diffusion_pytorch_model"])
def test_truncated_weights_are_told(base: Path, part: str) -> None:
    file = base / f"{part}.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    told("cannot be read", Models(device="cpu").pipeline, str(base))


def test_damaged_and_other_descriptions_are_told(base: Path, tiny_world: Path, tmp_path: Path) -> None:
    models = Models(device="cpu")
    index = base / "model_index.json"
    index.write_text(json.dumps({**json.loads(index.read_text()), "_class_name": "FluxPipeline"}))
    told("FluxPipeline", models.pipeline, str(base))
    index.write_text("{")
    told("cannot be read", models.pipeline, str(base))
    eyes = Path(shutil.copytree(tiny_world / "eyes", tmp_path / "eyes"))
    (eyes / "config.json").write_text("{")
    told("cannot be read", models.eyes, str(eyes))
    told("it is no model that is known here", models.eyes, str(tmp_path))


def test_half_precision_folders_open_in_full(base: Path) -> None:
    import torch
    from diffusers import StableDiffusionPipeline

    pipeline: Any = StableDiffusionPipeline.from_pretrained(base, safety_checker=None)
    shutil.rmtree(base)
    pipeline.to(torch.float16).save_pretrained(base, variant="fp16")
    opened = Models(device="cpu").pipeline(str(base))
    assert opened.unet.dtype == opened.text_encoder.dtype == opened.vae.dtype == torch.float32
    assert sum(weight_bytes(base).values()) == 4 * sum(
        parameter.numel() for part in (opened.unet, opened.vae, opened.text_encoder) for parameter in part.parameters()
    )


def test_the_last_used_are_kept_while_they_fit(base: Path, tiny_world: Path) -> None:
    size = sum(weight_bytes(base).values())
    models = Models(device="cpu", budget=int(1.5 * size))
    first = models.pipeline(str(base))
    assert models.pipeline(str(base)) is first
    eyes = models.eyes(str(tiny_world / "eyes"))
    models.pipeline(str(tiny_world / "base"))  # of the same size: the first one has to go
    assert models.eyes(str(tiny_world / "eyes")) is eyes
    assert models.pipeline(str(base)) is not first


def test_memory_is_checked_before_loading(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "memory_of", lambda _device: (100_000, 2**34))
    told("needs .* of memory and .* are free", Models(device="cpu").pipeline, str(base))
