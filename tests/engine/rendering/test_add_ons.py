"""Other people's LoRAs and embeddings beside a pack: as stock diffusers paints with them, and nothing left of them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline, DPMSolverMultistepScheduler, LCMScheduler
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.core.add_on import EMBEDDING, AddOn
from engine.core.add_on_file import look_at_add_on, require_fit
from engine.core.add_on_places import add_on_of
from engine.core.errors import UserError
from engine.core.model_places import add_folder
from engine.core.paths import models_dir
from engine.core.png_metadata import read_creation
from engine.core.recipe import Recipe
from engine.core.vocabulary import Choice
from engine.models.add_on_lora import read_add_on_lora
from engine.models.loader import Models
from engine.packs.pack import LORA, TOKENS, BaseModel, Pack
from engine.rendering.painter import Painter, open_painter
from engine.rendering.render import render
from engine.worker.jobs import Render
from tests.engine import add_on_files, tiny

WIDTHS = {"sd15": (32,), "sdxl": (32, 48)}


def near(theirs: Tensor, ours: Tensor) -> None:
    torch.testing.assert_close(theirs, ours, rtol=0, atol=1e-4)


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny ``sd15`` and a tiny ``sdxl`` of as many blocks a level as the real one."""
    folder = tmp_path_factory.mktemp("bases")
    tiny.make_sd15(folder / "sd15", layers_per_block=2)
    tiny.make_sdxl(folder / "sdxl", layers_per_block=2)
    return folder


@pytest.fixture
def pack_for(bases: Path, tiny_pack: Path, tmp_path: Path) -> Callable[[str], Pack]:
    """A pack without tokens or a LoRA of its own, so that plain words are all there is."""

    def make(kind: str) -> Pack:
        folder = Path(shutil.copytree(tiny_pack, tmp_path / f"birds-{kind}"))
        for name in (TOKENS, LORA):
            (folder / name).unlink()
        pack = replace(Pack.open(folder), id=folder.name, base_model=BaseModel(str(bases / kind), "", WIDTHS[kind]))
        pack.save()
        return Pack.open(folder)

    return make


def stock_of(folder: Path) -> Any:
    """Stock diffusers, drawing as the app does."""
    stock: Any = DiffusionPipeline.from_pretrained(folder)
    options = {"algorithm_type": "dpmsolver++", "solver_order": 2, "final_sigmas_type": "zero"}
    stock.scheduler = DPMSolverMultistepScheduler.from_config(stock.scheduler.config, **options)
    stock.set_progress_bar_config(disable=True)
    if getattr(stock, "text_encoder_2", None) is not None:  # its config names a wrong end token: docs say how
        stock.text_encoder_2.text_model.eos_token_id = stock.tokenizer_2.eos_token_id
    return stock


def stock_latents(stock: Any, prompt: str, negative: str = "") -> Tensor:
    seed = torch.Generator("cpu").manual_seed(3)
    return stock(
        prompt, negative_prompt=negative or None, generator=seed, num_inference_steps=3, guidance_scale=3.0,
        output_type="latent",
    ).images  # fmt: skip


def our_latents(painter: Painter, prompt: str, negative: str = "") -> Tensor:
    return painter.paint((prompt,), (negative,), [3], steps=3, guidance=3.0, output="latent")


def writers(kind: str) -> dict[str, Callable[[Any, Path], Path]]:
    forms: dict[str, Callable[[Any, Path], Path]] = {
        "kohya": lambda stock, path: add_on_files.kohya(stock, path),
        "kohya-unet": lambda stock, path: add_on_files.kohya(stock, path, text=False),
        "peft": lambda stock, path: add_on_files.peft(stock, path),
        "patterned": add_on_files.patterned,
    }
    if kind == "sd15":
        forms["former"] = add_on_files.former
        forms["residual"] = lambda stock, path: add_on_files.kohya(stock, path, text=False, residual=True)
    return forms


@pytest.mark.parametrize(("kind", "form"), [(kind, form) for kind in WIDTHS for form in writers(kind)])
def test_a_lora_paints_as_stock_diffusers_loads_it(
    bases: Path, pack_for: Callable[[str], Pack], models: Models, tmp_path: Path, kind: str, form: str
) -> None:
    stock = stock_of(bases / kind)
    file = writers(kind)[form](stock, tmp_path / "style.safetensors")
    pack = pack_for(kind)
    plain = our_latents(open_painter(models, pack), "a red bird", "grey")
    near(stock_latents(stock, "a red bird", "grey"), plain)
    stock.load_lora_weights(str(tmp_path), weight_name=file.name, adapter_name="style")
    for weight in (1.0, -0.7):
        stock.set_adapters(["style"], [weight])
        painter = open_painter(models, pack, [add_on_of(file, weight)])
        ours = our_latents(painter, "a red bird", "grey")
        near(stock_latents(stock, "a red bird", "grey"), ours)
        assert (ours - plain).abs().max() > 0.02
    assert torch.equal(our_latents(open_painter(models, pack), "a red bird", "grey"), plain)


@pytest.mark.parametrize("kind", WIDTHS)
def test_an_embedding_paints_as_stock_diffusers_loads_it(
    bases: Path, pack_for: Callable[[str], Pack], models: Models, tmp_path: Path, kind: str
) -> None:
    file = add_on_files.embedding(tmp_path / "EasyNegative.safetensors", WIDTHS[kind])
    stock = stock_of(bases / kind)
    vectors = load_file(file)
    if kind == "sd15":
        stock.load_textual_inversion(str(file), token="easynegative")
    else:
        for key, suffix in (("clip_l", ""), ("clip_g", "_2")):
            place = {"text_encoder": getattr(stock, f"text_encoder{suffix}")}
            place["tokenizer"] = getattr(stock, f"tokenizer{suffix}")
            stock.load_textual_inversion(vectors[key], token="easynegative", **place)
    pack = pack_for(kind)
    painter = open_painter(models, pack, [add_on_of(file)])
    for prompt, negative in (
        ("a bird, easynegative, grey", "blue"),
        ("a bird", "easynegative, blue"),
        ("easynegative", ""),
    ):
        theirs = stock_latents(stock, prompt, negative)
        near(theirs, our_latents(painter, prompt, negative))
        capitals = our_latents(painter, prompt.replace("easy", "embedding:Easy"), negative)
        near(theirs, capitals)
        plain = our_latents(open_painter(models, pack), prompt, negative)
        assert (theirs - plain).abs().max() > 0.005, "without the add-on it is a plain word"


@pytest.mark.parametrize("key", ["emb_params", "*", "<bird>", "string_to_param.*"])
def test_an_embedding_may_be_the_only_tensor_of_its_file(tmp_path: Path, key: str) -> None:
    file = add_on_files.embedding(tmp_path / "a.safetensors", (32,), key=key)
    assert add_on_of(file).kind == EMBEDDING
    save_file({key: torch.randn(32)}, file)  # one vector without a row
    assert add_on_of(file).kind == EMBEDDING


def weights_of(pipeline: Any) -> dict[str, Tensor]:
    parts = ("unet", "text_encoder", "text_encoder_2", "vae")
    found = [(name, part) for name in parts if (part := getattr(pipeline, name, None)) is not None]
    return {f"{name}.{key}": value.clone() for name, part in found for key, value in part.state_dict().items()}


def hooks_of(pipeline: Any) -> int:
    return sum(
        len(module._forward_hooks) for part in (pipeline.unet, pipeline.text_encoder) for module in part.modules()
    )


def test_nothing_is_left_of_an_add_on_in_the_models_that_are_kept(
    bases: Path, pack_for: Callable[[str], Pack], tmp_path: Path
) -> None:
    models = Models(device="cpu")
    pack = pack_for("sd15")
    lora = add_on_files.kohya(stock_of(bases / "sd15"), tmp_path / "style.safetensors", residual=True)
    word = add_on_files.embedding(tmp_path / "soft.safetensors", WIDTHS["sd15"])
    kept: Any = models.pipeline_of(pack)
    before, hooks, names = weights_of(kept), hooks_of(kept), set(dict(kept.unet.named_modules()))
    recipe = Recipe(pack.id, ("a soft bird",), steps=2, seed=5)
    plain = rendered(models, pack, recipe, tmp_path / "before")
    changed = rendered(models, pack, replace(recipe, add_ons=(add_on_of(lora, 2.0), add_on_of(word))), tmp_path)
    again = rendered(models, pack, recipe, tmp_path / "after")
    assert models.pipeline_of(pack) is kept, "the models in memory are those of before"
    after = weights_of(kept)
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
    assert hooks_of(kept) == hooks and set(dict(kept.unet.named_modules())) == names
    assert np.array_equal(plain, again) and not np.array_equal(plain, changed)

    # The same if it fails half-way: a LoRA that fits, one that does not.
    other = add_on_files.peft(stock_of(bases / "sd15"), tmp_path / "other.safetensors")
    state = load_file(other)
    name = next(name for name in state if "to_out" in name and "lora_B" in name)
    save_file(state | {name: torch.randn(7, 2)}, other)
    with pytest.raises(UserError, match=r"“other.safetensors” was made for another model: 1 of its \d+ layers"):
        rendered(models, pack, replace(recipe, add_ons=(add_on_of(lora), add_on_of(other))), tmp_path)
    assert hooks_of(kept) == hooks


def rendered(models: Models, pack: Pack, recipe: Recipe, out: Path) -> np.ndarray:
    (creation,) = render(models, Render(str(pack.path), recipe, str(out)), lambda _: None)
    with Image.open(creation.path) as picture:
        return np.asarray(picture)


def test_beside_a_pack_its_own_parts_and_lora_stay(tiny_pack: Path, models: Models, tmp_path: Path) -> None:
    """An add-on's share comes on top of the pack's merged LoRA and of its tokens."""
    pack = Pack.open(tiny_pack)
    pipeline: Any = models.pipeline_of(pack)
    file = add_on_files.peft(pipeline, tmp_path / "style.safetensors")
    word = add_on_files.embedding(tmp_path / "soft.safetensors", (32,))
    prompt = ("a soft ", Choice(0, 1), " bird")

    def painted(*add_ons: AddOn) -> Tensor:
        return open_painter(models, pack, add_ons).paint(prompt, (), [1], steps=2, guidance=2.0, output="latent")

    plain, both = painted(), painted(add_on_of(file), add_on_of(word))
    one, other = painted(add_on_of(file)), painted(add_on_of(word))
    assert len({tuple(latents.flatten()[:9].tolist()) for latents in (plain, both, one, other)}) == 4
    assert torch.equal(painted(replace(add_on_of(file), weight=0.0)), plain), "a weight of 0 is without"


@pytest.mark.parametrize(
    ("key", "shape", "sentence"),
    [
        ("lora_unet_mid_block_attentions_0_proj_in.hada_w1_a", (4, 2), "but LoHa"),
        ("lora_unet_mid_block_attentions_0_proj_in.lokr_w1", (4, 2), "but LoKr"),
        ("lora_unet_mid_block_attentions_0_proj_in.lora_mid.weight", (2, 2, 3, 3), "but LoCon of three matrices"),
        ("lora_unet_mid_block_attentions_0_proj_in.dora_scale", (4, 1), "but DoRA"),
        ("lora_unet_mid_block_attentions_0_proj_in.oft_blocks", (4, 2, 2), "but OFT"),
        ("lora_unet_double_blocks_0_img_attn_proj.lora_down.weight", (4, 8), "a LoRA for Flux"),
        ("transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight", (4, 8), "a LoRA for Flux"),
        ("unet.joint_blocks.0.to_q.lora_A.weight", (4, 8), "a LoRA for Stable Diffusion 3"),
        ("model.diffusion_model.input_blocks.0.0.weight", (4, 4, 3, 3), "neither a LoRA nor an embedding"),
    ],
)
def test_what_is_no_plain_lora_is_refused_in_one_sentence(
    tmp_path: Path, key: str, shape: tuple[int, ...], sentence: str
) -> None:
    file = tmp_path / "x.safetensors"
    save_file({key: torch.zeros(shape)}, file)
    with pytest.raises(UserError, match=sentence) as refused:
        add_on_of(file)
    assert "“x.safetensors”" in refused.value.message and refused.value.message.count(".") == 2 and refused.value.hint


@pytest.mark.parametrize(
    ("config", "sentence"),
    [({"unet.use_dora": True}, "is a DoRA"), ({"unet.alpha_pattern": {"(a+)+$": 2}}, "in a way that cannot be read"),
     ({"unet.alpha_pattern": {"to_q": "much"}}, "in a way that cannot be read"), ([], "no whole safetensors file")],
)  # fmt: skip
def test_strengths_that_cannot_be_read_are_refused_and_named(tmp_path: Path, config: Any, sentence: str) -> None:
    file = tmp_path / "x.safetensors"
    pair = {"unet.a.to_q.lora_A.weight": torch.zeros(2, 4), "unet.a.to_q.lora_B.weight": torch.zeros(4, 2)}
    save_file(pair, file, {"lora_adapter_metadata": json.dumps(config)})
    with pytest.raises(UserError, match=sentence) as refused:
        read_add_on_lora(file)
    assert "“x.safetensors”" in refused.value.message and refused.value.hint


def test_files_of_another_family_are_refused_and_named(
    bases: Path, pack_for: Callable[[str], Pack], models: Models, tmp_path: Path
) -> None:
    style = add_on_files.kohya(stock_of(bases / "sdxl"), tmp_path / "style.safetensors")
    for name, file in (("style", style), ("soft", add_on_files.embedding(tmp_path / "soft.safetensors", (32, 48)))):
        with pytest.raises(UserError, match=f"“{name}.safetensors” is an? .* whose words are .* wide"):
            open_painter(models, pack_for("sd15"), [add_on_of(file)])
        shutil.rmtree(tmp_path / "birds-sd15")
    real = tmp_path / "real.safetensors"
    save_file({"lora_unet_x_attn2_to_k.lora_down.weight": torch.zeros(4, 2048)}, real)
    with pytest.raises(UserError, match="“real.safetensors” is a LoRA for SDXL; this pack’s base model is Stable Diff"):
        require_fit(real.name, look_at_add_on(real), (768,))


def test_damaged_files_and_pickles_are_refused(tmp_path: Path) -> None:
    for name, data in (("x.safetensors", b"{}"), ("x.pt", b"\x80\x02."), ("y.safetensors", b"")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UserError) as refused:
            add_on_of(tmp_path / name)
        assert name in refused.value.message and refused.value.hint
    with pytest.raises(UserError, match="not there any more"):
        add_on_of(tmp_path / "gone.safetensors")


@pytest.fixture
def birds(tiny_pack: Path, home: Path) -> Pack:
    """The tiny pack, in a home of this test."""
    return Pack.open(tiny_pack)


def test_a_recipe_and_its_png_keep_add_ons_and_files_are_found_again(
    birds: Pack, models: Models, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "secret place"
    elsewhere.mkdir()
    file = add_on_files.peft(models.pipeline_of(birds), elsewhere / "style.safetensors")
    recipe = Recipe(birds.id, ("a bird",), steps=1, seed=2, add_ons=(add_on_of(file, 0.8),))
    assert Recipe.from_json(recipe.to_json()) == recipe
    (creation,) = render(models, Render(str(birds.path), recipe, str(tmp_path / "out")), lambda _: None)
    with Image.open(creation.path) as picture:
        chunks = picture.text  # pyright: ignore[reportAttributeAccessIssue]
    assert chunks["parameters"].startswith("a bird <lora:style:0.8>\n")
    assert "secret place" not in str(chunks), "where files lie on this computer is nobody else's business"
    remembered = read_creation(creation.path).recipe
    (add_on,) = remembered.add_ons
    assert (add_on.name, add_on.weight, len(add_on.sha256), add_on.path) == ("style.safetensors", 0.8, 64, "")
    first = np.asarray(Image.open(creation.path))
    assert np.array_equal(rendered(models, birds, remembered, tmp_path / "again"), first), "where it was seen before"

    moved = models_dir() / "loras/sub/style.safetensors"
    moved.parent.mkdir(parents=True)
    file.rename(moved)
    assert np.array_equal(rendered(models, birds, remembered, tmp_path / "again"), first), "in the models folder"
    (creation,) = render(models, Render(str(birds.path), remembered, str(tmp_path / "out")), lambda _: None)
    (hint,) = json.loads(Image.open(creation.path).text["partcraft"])["recipe"]["add_ons"]  # type: ignore[attr-defined]
    assert hint["path"] == "loras/sub/style.safetensors"

    other = tmp_path / "comfy/models/loras/renamed.safetensors"
    other.parent.mkdir(parents=True)
    moved.rename(other.with_name("style.safetensors"))
    with pytest.raises(UserError, match="The LoRA “style.safetensors” of this recipe is not on this computer") as lost:
        rendered(models, birds, remembered, tmp_path / "again")
    assert Path(lost.value.model).is_absolute(), "which the window makes a button of that leads to the page of models"
    assert Path(lost.value.model).name == "style.safetensors"
    add_folder(tmp_path / "comfy")
    assert np.array_equal(rendered(models, birds, remembered, tmp_path / "again"), first), "in a folder that was added"


def test_another_file_of_the_same_name_is_not_it(birds: Pack, models: Models, tmp_path: Path) -> None:
    file = add_on_files.peft(models.pipeline_of(birds), tmp_path / "style.safetensors")
    add_on = add_on_of(file)
    add_on_files.former(models.pipeline_of(birds), file)
    os.utime(file, ns=(0, 10**9))
    with pytest.raises(UserError, match="is not on this computer"):
        open_painter(models, birds, [add_on])
    unknown = replace(add_on, sha256="")
    assert open_painter(models, birds, [unknown]).add_ons.loras, "without a hash, the name is all there is"


def test_an_embedding_that_no_word_says_is_said_at_the_end(birds: Pack, models: Models, tmp_path: Path) -> None:
    file = add_on_files.embedding(tmp_path / "soft.safetensors", (32,))
    base = Recipe(birds.id, ("a bird",), negative="blue", steps=1, seed=2)

    def painted(recipe: Recipe) -> np.ndarray:
        return rendered(models, birds, recipe, tmp_path / "out")

    told = painted(replace(base, add_ons=(add_on_of(file),)))
    assert np.array_equal(told, painted(replace(base, prompt=("a bird, soft",), add_ons=(add_on_of(file),))))
    kept_out = painted(replace(base, add_ons=(add_on_of(file, -1.0),)))
    assert np.array_equal(kept_out, painted(replace(base, negative="blue, soft", add_ons=(add_on_of(file),))))
    assert not np.array_equal(told, kept_out)
    long = replace(base, prompt=("a bird " + "x " * 80,), add_ons=(add_on_of(file),))
    with pytest.raises(UserError, match="too long: the embedding “soft” would be cut off"):
        painted(long)


def test_a_few_step_lora_brings_its_schedule_and_leaves_the_others(
    bases: Path, pack_for: Callable[[str], Pack], models: Models, tmp_path: Path
) -> None:
    stock = stock_of(bases / "sd15")
    folder = tmp_path / "latent-consistency" / "LCM-lora-sdv1-5"
    folder.mkdir(parents=True)
    file = add_on_files.peft(stock, folder / "pytorch_lora_weights.safetensors")
    pack = pack_for("sd15")
    plain = our_latents(open_painter(models, pack), "a red bird", "grey")
    painter = open_painter(models, pack, [add_on_of(file)])
    stock.load_lora_weights(str(folder), weight_name=file.name)
    stock.scheduler = LCMScheduler.from_config(stock.scheduler.config)
    drawn = painter.paint(("a red bird",), (), [3], steps=4, guidance=1.0, output="latent")
    seed = torch.Generator("cpu").manual_seed(3)
    few = {"num_inference_steps": 4, "guidance_scale": 1.0, "output_type": "latent"}
    near(stock("a red bird", generator=seed, **few).images, drawn)
    assert torch.equal(our_latents(open_painter(models, pack), "a red bird", "grey"), plain), "the other as before"
    recipe = Recipe(pack.id, ("a red bird",), steps=4, guidance=1.0, seed=3, add_ons=(add_on_of(file),))
    (made,) = render(models, Render(str(pack.path), recipe, str(tmp_path / "out")), lambda _news: None)
    with Image.open(made.path) as picture:
        assert "Sampler: LCM, " in picture.info["parameters"]
