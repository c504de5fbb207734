"""Models are found where other programs keep them, without a request and without a change."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.core.errors import UserError
from engine.core.model_places import add_folder, added_folders, base_model_ids, remove_folder
from engine.core.paths import models_dir
from engine.hub.records import mark_finished, mark_unfinished
from engine.hub.repository import HubFile
from engine.models.base_models import require_base
from engine.models.components import load_component
from engine.models.dino_families import open_eyes
from engine.models.hub import check_model, find_model_folder, list_models, model_folder, weight_bytes
from engine.models.wholeness import require_whole

MAIN, OLDER = "1" * 40, "2" * 40
WEIGHTS = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model", "text_encoder": "model"}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of the hub's library, empty."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def cached(cache: Path, id: str, source: Path, commit: str = MAIN, main: str = MAIN) -> Path:
    """A model as the hub's library keeps it: with a list of files that names more than were asked for."""
    home = cache / f"models--{id.replace('/', '--')}"
    for name, text in (("refs/main", main), (f"trees/{commit}.json", json.dumps({"v1-5-pruned.safetensors": {}}))):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    return Path(shutil.copytree(source, home / "snapshots" / commit))


def half(folder: Path, component: str, only: bool = True) -> None:
    """A component in half precision, instead of or beside the full one."""
    file = folder / component / f"{WEIGHTS[component]}.safetensors"
    tensors = {name: value.half() if value.is_floating_point() else value for name, value in load_file(file).items()}
    save_file(tensors, file.with_suffix(".fp16.safetensors"), {"format": "pt"})
    if only:
        file.unlink()


def test_a_model_that_another_program_cached_in_part_is_here(cache: Path, tiny_world: Path) -> None:
    snapshot = cached(cache, "somebody/base", tiny_world / "base").resolve()
    assert model_folder("somebody/base") == snapshot and base_model_ids() == ["somebody/base"]
    require_whole(check_model("somebody/base"))
    assert [(one.id, one.kind) for one in list_models() if one.id == "somebody/base"] == [
        ("somebody/base", "base model")
    ]


def test_of_several_snapshots_a_whole_one_is_taken(cache: Path, tiny_world: Path) -> None:
    main = cached(cache, "somebody/base", tiny_world / "base")
    older = cached(cache, "somebody/base", tiny_world / "base", OLDER)
    assert model_folder("somebody/base") == main.resolve()
    (main / "vae/diffusion_pytorch_model.safetensors").unlink()
    assert model_folder("somebody/base") == older.resolve()
    shutil.rmtree(older)
    assert check_model("somebody/base").missing == ("vae/diffusion_pytorch_model.safetensors",)
    shutil.rmtree(main / "unet")
    assert find_model_folder("somebody/base") is None, "a description alone is no model"


def test_what_is_fetched_by_half_is_no_model(cache: Path, tiny_world: Path) -> None:
    folder = Path(shutil.copytree(tiny_world / "base", models_dir() / "somebody/base"))
    mark_unfinished(folder, "somebody/base", MAIN, (HubFile("unet/more.safetensors", 9, "a" * 64),))
    with pytest.raises(UserError, match="was not fetched to its end") as caught:
        model_folder("somebody/base")
    assert "partcraft models fetch somebody/base" in caught.value.hint
    assert base_model_ids() == [] and not [one for one in list_models() if one.id == "somebody/base"]
    snapshot = cached(cache, "somebody/base", tiny_world / "base")
    assert model_folder("somebody/base") == snapshot.resolve(), "a whole one elsewhere goes before it"
    mark_finished(folder)
    assert model_folder("somebody/base") == folder.resolve()


def test_folders_of_other_programs_are_looked_into_and_left_as_they_are(tiny_world: Path, tmp_path: Path) -> None:
    other = tmp_path / "ComfyUI" / "models"
    model = Path(shutil.copytree(tiny_world / "base", other / "diffusers" / "mine")).resolve()
    shutil.copytree(tiny_world / "eyes", other / "somebody" / "eyes")
    before = sorted(path for path in other.rglob("*"))
    add_folder(other)
    add_folder(other)
    assert added_folders() == [other.resolve()] and base_model_ids() == [str(model)]
    assert model_folder(str(model)) == model
    assert model_folder("somebody/eyes") == (other / "somebody/eyes").resolve(), "by the hub's name, too"
    kinds = {one.id: one.kind for one in list_models() if one.id.startswith(str(tmp_path))}
    assert kinds == {str(model): "base model", str((other / "somebody/eyes").resolve()): "eyes"}
    assert sorted(path for path in other.rglob("*")) == before
    remove_folder(other)
    assert added_folders() == base_model_ids() == []
    for wrong, message in ((other, "was not added"), (tmp_path / "gone", "was not added")):
        with pytest.raises(UserError, match=message):
            remove_folder(wrong)
    with pytest.raises(UserError, match="no folder that can be read"):
        add_folder(tmp_path / "gone")


def test_a_damaged_list_of_folders_is_none(home: Path) -> None:
    home.mkdir()
    for text in ("", "[1]", '{"folders": 3}', '{"folders": [3, ""]}'):
        (home / "model_folders.json").write_text(text)
        assert added_folders() == []


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_linked_folders_are_listed_and_circles_end(tiny_world: Path, tmp_path: Path) -> None:
    elsewhere = Path(shutil.copytree(tiny_world / "base", tmp_path / "large disk" / "base"))
    (models_dir() / "somebody").mkdir(parents=True)
    (models_dir() / "somebody" / "base").symlink_to(elsewhere, target_is_directory=True)
    (models_dir() / "somebody" / "circle").symlink_to(models_dir(), target_is_directory=True)
    assert base_model_ids() == ["somebody/base"]
    assert [one.kind for one in list_models() if one.id == "somebody/base"] == ["base model"]
    assert model_folder("somebody/base") == elsewhere.resolve()


@pytest.mark.parametrize("kind", ["FluxPipeline", "StableDiffusion3Pipeline", "PixArtAlphaPipeline"])
def test_models_of_other_kinds_are_not_offered(tiny_world: Path, kind: str) -> None:
    folder = Path(shutil.copytree(tiny_world / "base", models_dir() / "somebody/other"))
    index = folder / "model_index.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | {"_class_name": kind}))
    assert base_model_ids() == [] and not [one for one in list_models() if one.id == "somebody/other"]


@pytest.mark.parametrize("pieces", [("unet",), ("vae",), ("text_encoder",), tuple(WEIGHTS)])
def test_half_precision_in_some_pieces_only_opens(tiny_world: Path, tmp_path: Path, pieces: tuple[str, ...]) -> None:
    folder = Path(shutil.copytree(tiny_world / "base", tmp_path / "mixed"))
    for component in pieces:
        half(folder, component)
    require_whole(check_model(str(folder)))
    for component in WEIGHTS:
        model = load_component(folder / component, component, torch.float32)
        assert all(torch.isfinite(value).all() for value in model.state_dict().values() if value.is_floating_point())


@pytest.mark.parametrize("ending", ["bin", "ckpt", "onnx"])
@pytest.mark.parametrize("component", ["unet", "vae", "text_encoder"])
def test_weights_in_another_form_only_are_told_from_missing_ones(
    tiny_world: Path, tmp_path: Path, component: str, ending: str
) -> None:
    folder = Path(shutil.copytree(tiny_world / "base", tmp_path / "base"))
    file = folder / component / f"{WEIGHTS[component]}.safetensors"
    other = file.rename(file.with_suffix(f".{ending}"))
    for ask in (lambda: require_base(folder), lambda: require_whole(check_model(str(folder)))):
        with pytest.raises(UserError, match="not safetensors") as told:
            ask()
        assert other.name in told.value.message and "again" not in told.value.hint
    other.unlink()
    with pytest.raises(UserError, match="lacks"):
        require_base(folder)


def test_eyes_with_a_pickle_only_are_told(tiny_world: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_world / "eyes", tmp_path / "eyes"))
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    for ask in (lambda: open_eyes(folder, torch.device("cpu")), lambda: require_whole(check_model(str(folder)))):
        with pytest.raises(UserError, match="not safetensors but pytorch_model.bin"):
            ask()


def test_only_what_is_loaded_counts_in_memory(tiny_world: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_world / "base", tmp_path / "full"))
    before = weight_bytes(folder)
    unet = folder / "unet/diffusion_pytorch_model.safetensors"
    shutil.copy(unet, unet.with_name("diffusion_pytorch_model.non_ema.safetensors"))
    shutil.copy(unet, folder / "v1-5-pruned.safetensors")
    half(folder, "unet", only=False)
    assert weight_bytes(folder) == before
