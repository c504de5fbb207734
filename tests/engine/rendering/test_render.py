"""Rendering through the stock pipeline: seeds, batches, previews, cancelling, memory, and what can go wrong."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from engine.core.errors import JobCancelled, UserError
from engine.core.paths import starter_pack
from engine.core.png_metadata import read_creation
from engine.core.recipe import Recipe
from engine.core.start import Start
from engine.core.vocabulary import Choice
from engine.handlers import HANDLERS
from engine.models import base_models, hub, loader
from engine.models.loader import Models
from engine.models.model_config import OWN_WORDS
from engine.models.vae import encode_pictures
from engine.packs.pack import Pack
from engine.packs.unsaid_parts import rest_of
from engine.rendering.painter import open_painter
from engine.rendering.preview import LatentPreview, smooth_noise
from engine.rendering.render import render
from engine.worker.jobs import News, Prepare, Preview, Progress, Render, Rendered

RECIPE = Recipe("tiny", ("a photo of a ", Choice(0, 1), " ", Choice(2, 2), " bird"), seed=5, count=3, steps=4)


def silent(_news: News) -> None: ...


def pixels(path: str) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture).astype(int)


@pytest.mark.parametrize("size", [128, 320])
def test_the_starter_paints_at_its_own_size_and_is_scaled_to_another(models: Models, tmp_path: Path, size: int) -> None:
    recipe = Recipe("starter", ("a photo of a ", Choice(0, 1), " bird"), steps=1, seed=5)
    ask = [Render(str(starter_pack()), one, str(tmp_path)) for one in (recipe, replace(recipe, size=size))]
    (own,), (other,) = (render(models, one, silent) for one in ask)
    expected = Image.fromarray(pixels(own.path).astype(np.uint8)).resize((size, size), Image.Resampling.LANCZOS)
    assert np.array_equal(pixels(other.path), np.asarray(expected))
    assert other.recipe.size == read_creation(other.path).recipe.size == size and other.receipt == own.receipt


def test_creations_are_on_disk_with_their_recipe_as_soon_as_they_are_whole(
    tiny_pack: Path, models: Models, tmp_path: Path
) -> None:
    seen: list[News] = []

    def watch(news: News) -> None:
        seen.append(news)
        if isinstance(news, Rendered):
            assert read_creation(news.creation.path).recipe == news.creation.recipe

    made = render(models, Render(str(tiny_pack), RECIPE, str(tmp_path / "out")), watch)
    assert [creation.recipe.seed for creation in made] == [5, 6, 7] and {one.recipe.count for one in made} == {1}
    assert [news.creation for news in seen if isinstance(news, Rendered)] == list(made)
    for creation in made:
        kept = read_creation(creation.path)
        assert kept.recipe.prompt == RECIPE.prompt and len(kept.receipt) == 2
    previews = [news for news in seen if isinstance(news, Preview)]
    assert {news.index for news in previews} == {0, 1, 2}
    assert all(news.image.shape == (64, 64, 3) and news.image.dtype == np.uint8 for news in previews)
    done = [news.done for news in seen if isinstance(news, Progress) and news.total]
    assert done == sorted(done) and done[-1] == 12


def test_a_render_finds_and_checks_its_base_model_once(
    tiny_pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: dict[str, list[str]] = {"model_folder": [], "require_base": []}
    for name, arguments in calls.items():
        original = getattr(base_models if name == "require_base" else hub, name)

        def counted(first: Any, *more: Any, original: Any = original, arguments: list[str] = arguments) -> Any:
            arguments.append(str(first))
            return original(first, *more)

        for module in (base_models, hub, loader):  # wherever it is called from
            if hasattr(module, name):
                monkeypatch.setattr(module, name, counted)
    base = Pack.open(tiny_pack).base_model.id
    fresh = Models(device="cpu")
    for opened in (1, 2):  # read from disk, and from memory
        render(fresh, Render(str(tiny_pack), replace(RECIPE, count=1, steps=1), str(tmp_path)), silent)
        assert calls["require_base"] == [str(Path(base).resolve())] * opened
        assert calls["model_folder"].count(base) == opened


def test_a_picture_alone_is_the_one_of_its_batch(tiny_pack: Path, models: Models, tmp_path: Path) -> None:
    """In float32 its company moves a picture by rounding only: one grey level at most."""
    together = render(models, Render(str(tiny_pack), RECIPE, str(tmp_path)), silent)
    alone = render(models, Render(str(tiny_pack), together[2].recipe, str(tmp_path)), silent)
    assert np.abs(pixels(alone[0].path) - pixels(together[2].path)).max() <= 1
    again = render(models, Render(str(tiny_pack), together[2].recipe, str(tmp_path)), silent)
    assert np.array_equal(pixels(again[0].path), pixels(alone[0].path)) and again[0].path != alone[0].path
    assert np.abs(pixels(together[0].path) - pixels(together[1].path)).max() > 5


def test_the_lora_and_the_tokens_matter(tiny_pack: Path, models: Models, tmp_path: Path) -> None:
    one = replace(RECIPE, count=1, guidance=9.0)
    whole = pixels(render(models, Render(str(tiny_pack), one, str(tmp_path)), silent)[0].path)
    bare = tmp_path / "bare"
    shutil.copytree(tiny_pack, bare)
    (bare / "lora.safetensors").unlink()
    without = pixels(render(models, Render(str(bare), one, str(tmp_path)), silent)[0].path)
    assert np.abs(without - whole).max() > 3
    other = replace(one, prompt=("a photo of a ", Choice(0, 2), " ", Choice(2, 0), " bird"))
    assert (
        np.abs(pixels(render(models, Render(str(tiny_pack), other, str(tmp_path)), silent)[0].path) - whole).max() > 3
    )


def test_a_strength_goes_as_far_as_the_base_model_says(tiny_pack: Path, models: Models, tmp_path: Path) -> None:
    pack, base = Pack.open(tiny_pack), tmp_path / "base"
    shutil.copytree(pack.base_model.id, base)
    pack = replace(pack, base_model=replace(pack.base_model, id=str(base)))

    def painted(strength: float) -> np.ndarray:
        prompt = ("a photo of a ", Choice(0, 1, strength), " bird")
        (picture,) = open_painter(models, pack).paint(prompt, (), [3], steps=2, guidance=9.0)
        return np.asarray(picture)

    plainly = painted(0.2)
    index = json.loads((base / "model_index.json").read_text())
    index[OWN_WORDS] = {"strengths": [[0, 0], [0.5, 0.2], [1, 1]]}
    (base / "model_index.json").write_text(json.dumps(index))
    assert np.array_equal(painted(0.5), plainly) and not np.array_equal(painted(0.2), plainly)


@pytest.mark.parametrize("at", [1, 3])
def test_a_render_after_a_cancelled_one_is_identical(tiny_pack: Path, models: Models, tmp_path: Path, at: int) -> None:
    job = Render(str(tiny_pack), replace(RECIPE, count=2), str(tmp_path))
    before = render(models, job, silent)
    steps: list[News] = []

    def cancel(news: News) -> None:
        if isinstance(news, Progress) and news.total:
            steps.append(news)
            if len(steps) == at:
                raise JobCancelled

    with pytest.raises(JobCancelled):
        render(models, replace(job, recipe=replace(RECIPE, count=2, seed=99)), cancel)
    assert len(steps) == at, "no step is taken after cancelling"
    after = render(models, job, silent)
    for one, other in zip(before, after, strict=True):
        assert np.array_equal(pixels(one.path), pixels(other.path))


def test_memory_that_runs_out_halves_the_batch(tiny_pack: Path, models: Models, tmp_path: Path) -> None:
    unet = open_painter(models, Pack.open(tiny_pack)).pipeline.unet
    sizes: list[int] = []

    def small(limit: int) -> Any:
        def hook(_module: Any, inputs: Any) -> None:
            sizes.append(len(inputs[0]))
            if len(inputs[0]) > limit:
                raise torch.OutOfMemoryError("CUDA out of memory")

        return hook

    job = Render(str(tiny_pack), replace(RECIPE, count=4), str(tmp_path))
    whole = render(models, job, silent)
    handle = unet.register_forward_pre_hook(small(2))  # two pictures with guidance are four
    made = render(models, job, silent)
    handle.remove()
    assert sizes[:2] == [8, 4] and sizes[2] == 2
    for one, other in zip(whole, made, strict=True):
        assert np.abs(pixels(one.path) - pixels(other.path)).max() <= 1
    handle = unet.register_forward_pre_hook(small(1))
    with pytest.raises(UserError, match="not enough memory for a picture of 64 pixels"):
        render(models, job, silent)
    handle.remove()


def test_what_cannot_be_rendered_is_told(tiny_pack: Path, models: Models, tmp_path: Path) -> None:
    def told(match: str, pack: Path = tiny_pack, out: Path = tmp_path, **changes: Any) -> None:
        with pytest.raises(UserError, match=match):
            render(models, Render(str(pack), replace(RECIPE, **changes), str(out)), silent)

    told("not in this pack", prompt=("a ", Choice(0, 77)))
    told("too long", prompt=("bird " * 80, Choice(0, 1)))
    told("not a pack", pack=tmp_path / "none")
    (tmp_path / "file").write_text("")
    told("could not be saved", out=tmp_path / "file")
    told("head", negative="<head:nobody>")


def test_packs_that_do_not_fit_the_base_model_are_told(tiny_pack: Path, models: Models, tmp_path: Path) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    def changed(name: str) -> Path:
        shutil.copytree(tiny_pack, tmp_path / name)
        return tmp_path / name

    def told(match: str, folder: Path) -> None:
        with pytest.raises(UserError, match=match):
            render(models, Render(str(folder), RECIPE, str(tmp_path)), silent)

    widths = changed("widths")
    pack = Pack.open(widths)
    replace(pack, base_model=replace(pack.base_model, widths=(768,))).save()
    told("does not fit the pack", widths)
    gone = changed("gone")
    replace(Pack.open(gone), base_model=replace(pack.base_model, id="nobody/base")).save()
    told("nobody/base is not on this computer", gone)
    lora = changed("lora")
    tensors = load_file(lora / "lora.safetensors")
    save_file({name: value[..., :3].contiguous() for name, value in tensors.items()}, lora / "lora.safetensors")
    told("LoRA does not fit", lora)
    (lora / "lora.safetensors").write_bytes(b"half")
    told("LoRA of lora cannot be read", lora)
    untrained = changed("untrained")
    (untrained / "tokens.safetensors").unlink()
    told("no tokens yet", untrained)


def test_prepare_makes_ready(tiny_pack: Path) -> None:
    models = Models(device="cpu")
    seen: list[News] = []
    HANDLERS[Prepare](models, Prepare(str(tiny_pack)), seen.append)
    assert seen[-1] == Progress("Ready", 2, 2)


def test_a_preview_is_near_the_picture_where_the_map_is_linear() -> None:
    class Patches(torch.nn.Module):
        """An autoencoder whose latents are 12 fixed directions of 4 x 4 patches."""

        config = type("Config", (), {"scaling_factor": 2.0})
        device, dtype = torch.device("cpu"), torch.float32

        def encode(self, pictures: torch.Tensor) -> Any:
            pooled = torch.nn.functional.pixel_unshuffle(torch.nn.functional.avg_pool2d(pictures, 2), 2)
            return type("Encoded", (), {"latents": pooled})

    pictures = smooth_noise(6, 64)
    look = LatentPreview(Patches(), pictures[:5])
    latents = encode_pictures(Patches(), pictures[5:])[0]
    shown = look(latents)
    truth = ((pictures[5].permute(1, 2, 0) + 1) * 127.5).numpy()
    assert shown.shape == (64, 64, 3)
    assert np.abs(shown - truth).mean() < 9


def test_parts_that_are_not_said_are_painted_as_if_they_were_and_do_not_count(models: Models, tmp_path: Path) -> None:
    pack = Pack.open(starter_pack())
    recipe = replace(pack.new_recipe(("a photo of a ", Choice(0, 1), " bird"), seed=5), steps=2, count=2)
    job = Render(str(pack.path), recipe, str(tmp_path))
    made = render(models, job, silent)
    for creation in made:
        rest = rest_of(pack, creation.recipe)
        assert rest is not None and creation.rest == rest == read_creation(creation.path).rest
        assert [arrival.part for arrival in creation.receipt] == [0]
        assert creation.recipe.choices == (Choice(0, 1),)
        said = replace(rest.added_to(creation.recipe, pack.vocabulary.noun), rest="")
        for again in (said, creation.recipe):
            (same,) = render(models, replace(job, recipe=again), silent)
            assert np.abs(pixels(same.path) - pixels(creation.path)).max() <= 1
        with Image.open(creation.path) as picture:
            assert f"legs-{rest.title}" in picture.info["parameters"]
    assert made[0].rest != made[1].rest


def test_a_recipe_of_an_earlier_version_is_painted_as_it_was(models: Models, tmp_path: Path) -> None:
    pack = Pack.open(starter_pack())
    recipe = Recipe(pack.id, ("a photo of a ", Choice(0, 1), " bird"), seed=5, steps=2, guidance=3.0)
    (made,) = render(models, Render(str(pack.path), recipe, str(tmp_path)), silent)
    (before,) = open_painter(models, pack).paint(recipe.prompt, (), [5], steps=2, guidance=3.0)
    assert made.rest is None and np.array_equal(pixels(made.path), np.asarray(before).astype(int))


def test_a_render_that_begins_with_the_collage_begins_with_a_whole_one(models: Models, tmp_path: Path) -> None:
    pack = Pack.open(starter_pack())
    recipe = pack.new_recipe(("a photo of a ", Choice(0, 1, source="cardinal"), " bird"), seed=5)
    recipe = replace(recipe, start=Start(0.0), count=2)
    made = render(models, Render(str(pack.path), recipe, str(tmp_path)), silent)
    for creation in made:
        assert creation.rest is not None
        said = replace(creation.rest.added_to(creation.recipe, "bird"), rest="")
        (whole,) = render(models, Render(str(pack.path), said, str(tmp_path)), silent)
        assert np.array_equal(pixels(whole.path), pixels(creation.path))
