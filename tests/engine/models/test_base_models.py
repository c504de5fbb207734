"""Base models of every layout: opened, trained on, rendered with, and told apart from what does not fit."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from PIL import Image

from engine.core.errors import UserError
from engine.core.paths import models_dir
from engine.core.vocabulary import Choice
from engine.models.conditioning import encode_prompt, encoders_of
from engine.models.cross_attention import best_grid
from engine.models.hub import base_model_entry, check_model, list_models, weight_bytes
from engine.models.loader import Models
from engine.models.lora import lora_state, merge_lora
from engine.models.part_tokens import PartTokens, TokenSet, load_tokens
from engine.models.text_encoding import tokenize_prompt
from engine.models.vae import encode_pictures
from engine.packs.base_sizes import sizes_of
from engine.packs.pack import LORA, TOKENS, BaseModel, Pack
from engine.packs.validation import check_pack
from engine.rendering.painter import Painter, open_painter
from engine.rendering.preview import smooth_noise
from engine.rendering.render import render
from engine.training.train import train
from engine.worker.jobs import News, Render, Train
from tests.engine import tiny

KINDS = ("sd15", "sd2", "turbo", "lcm", "sdxl")
SAMPLERS = {"turbo": "Euler", "lcm": "LCM"}
"""What other programs call the schedules that distilled models keep; all others are drawn with DPM++ 2M."""
WORDS = ("a photo of a ", Choice(0, 1), " ", Choice(2, 2), " bird")


def silent(_news: News) -> None: ...


def pixels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture).astype(int)


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny base model of each kind."""
    folder = tmp_path_factory.mktemp("bases")
    return {kind: getattr(tiny, f"make_{kind}")(folder / kind) for kind in KINDS}


@pytest.fixture
def own(bases: dict[str, Path], tmp_path: Path) -> Any:
    """A copy of a base model, to break."""
    return lambda kind: Path(shutil.copytree(bases[kind], tmp_path / f"own {kind}"))


@pytest.mark.parametrize("kind", KINDS)
def test_its_json_files_say_the_size_that_its_pipeline_paints(bases: dict[str, Path], kind: str) -> None:
    pipeline = Models(device="cpu").pipeline(str(bases[kind]))
    assert sizes_of(BaseModel(str(bases[kind]))).own == Painter(pipeline).size > 0


def told(match: str, do: Any, *words: Any) -> UserError:
    with pytest.raises(UserError, match=match) as caught:
        do(*words)
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("kind", "widths", "asked"),
    [("sd15", (32,), (20, 3.0)), ("sd2", (48,), (20, 3.0)), ("turbo", (48,), (4, 0.0)), ("lcm", (32,), (4, 8.5)),
     ("sdxl", (32, 48), (20, 3.0))],
)  # fmt: skip
def test_a_pack_is_trained_kept_and_rendered_on_every_base(
    bases: dict[str, Path],
    tiny_pack: Path,
    tmp_path: Path,
    kind: str,
    widths: tuple[int, ...],
    asked: tuple[int, float],
) -> None:
    plan = {"pack": str(tiny_pack), "base_model": str(bases[kind]), "run": "run", "out": "out", "steps": 3, "batch": 2,
            "checkpoint_every": 3, "sample_every": 3, "samples": 1, "rate": 0.05, "token_rate": 0.05}  # fmt: skip
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    models = Models(device="cpu")
    pack = Pack.open(train(models, Train(str(tmp_path / "plan.json")), silent))
    check_pack(pack)
    assert pack.base_model.widths == widths and pack.base_model.id == str(bases[kind])
    recipe = pack.new_recipe(WORDS, seed=4)
    assert (recipe.steps, recipe.guidance) == asked
    tokens = load_tokens(pack.path / TOKENS)
    assert tokens.widths == widths and isinstance(tokens, TokenSet) == (kind == "sdxl")
    recipe = replace(recipe, steps=min(recipe.steps, 4))
    (made,) = render(models, Render(str(pack.path), recipe, str(tmp_path / "made")), silent)
    with Image.open(made.path) as picture:
        whole, said = pixels(picture), picture.info["parameters"]
    assert f"Sampler: {SAMPLERS.get(kind, 'DPM++ 2M')}, " in said
    painter = open_painter(models, pack)
    again = painter.paint(recipe.prompt, (), [4], steps=recipe.steps, guidance=recipe.guidance)
    assert np.abs(pixels(again[0]) - whole).max() <= 1
    for changed in (Painter(models.pipeline(str(bases[kind])), painter.tokens), other_tokens(painter)):
        latents = [
            one.paint(recipe.prompt, (), [4], steps=recipe.steps, guidance=recipe.guidance, output="latent")
            for one in (painter, changed)
        ]
        assert (latents[0] - latents[1]).abs().max() > 1e-4, "the LoRA and the tokens of each encoder matter"


def other_tokens(painter: Painter) -> Painter:
    """The same painter with another last set of tokens (of the second encoder, where there are two)."""
    torch.manual_seed(8)
    assert painter.tokens is not None
    if isinstance(painter.tokens, PartTokens):
        return Painter(painter.pipeline, PartTokens(4, 3, painter.tokens.width))
    first, second = painter.tokens.of("text_encoder"), painter.tokens.of("text_encoder_2")
    return Painter(
        painter.pipeline, TokenSet({"text_encoder": first, "text_encoder_2": PartTokens(4, 3, second.width)})
    )


def test_sdxl_is_told_what_its_own_pipeline_tells_it(bases: dict[str, Path], models: Models) -> None:
    pipeline: Any = models.pipeline(str(bases["sdxl"]))
    said = ("a red bird", "")
    sentences = [tokenize_prompt((words,), pipeline.tokenizer) for words in said]
    hidden, _, pooled, _ = pipeline.encode_prompt(said[0], do_classifier_free_guidance=False)
    ours = encode_prompt(pipeline, sentences, None)
    torch.testing.assert_close(ours.hidden[:1], hidden)
    torch.testing.assert_close(ours.pooled[:1], pooled)
    assert not ours.hidden[1].any() and not ours.pooled[1].any(), "it was taught that nothing said is zeros"
    painter = Painter(pipeline)
    latents = painter.paint((said[0],), (), [3], steps=3, guidance=4.0, output="latent")
    theirs = pipeline(said[0], generator=torch.Generator("cpu").manual_seed(3), num_inference_steps=3,
                      guidance_scale=4.0, output_type="latent").images  # fmt: skip
    torch.testing.assert_close(latents, theirs, rtol=0, atol=1e-4)


def test_sdxl_pools_at_the_end_token_whatever_is_said(bases: dict[str, Path], models: Models) -> None:
    pipeline: Any = models.pipeline(str(bases["sdxl"]))
    sentence = tokenize_prompt(WORDS, pipeline.tokenizer)
    assert sentence.ids[sentence.end] == pipeline.tokenizer.eos_token_id
    tokens = TokenSet({one.name: PartTokens(4, 3, one.width) for one in encoders_of(pipeline)})
    encoder = pipeline.text_encoder_2
    seen: list[torch.Tensor] = []
    handle = encoder.text_model.final_layer_norm.register_forward_hook(lambda _m, _i, out: seen.append(out))
    ours = encode_prompt(pipeline, [sentence], tokens)
    handle.remove()
    torch.testing.assert_close(ours.pooled[0], encoder.text_projection(seen[-1][0, sentence.end]))
    with torch.no_grad():  # an id that is larger than the end token's moves the library's own pooling, not ours
        moved = replace(sentence, ids=(*sentence.ids[:2], sentence.ids[sentence.end], *sentence.ids[3:]))
        assert moved.end == sentence.end and not torch.equal(
            encode_prompt(pipeline, [moved], tokens).pooled, ours.pooled
        )
    told("other text encoders", encode_prompt, pipeline, [sentence], PartTokens(4, 3, 32))


def test_an_sdxl_lora_is_an_ordinary_diffusers_lora(bases: dict[str, Path], tmp_path: Path) -> None:
    from engine.models.lora import add_lora, load_lora, save_lora

    models = Models(device="cpu")
    trained: Any = models.own_pipeline(str(bases["sdxl"]))
    add_lora(trained.unet, 2)
    state = {name: torch.randn_like(value) * 0.3 for name, value in lora_state(trained.unet).items()}
    save_lora(state, tmp_path / LORA)
    stock: Any = StableDiffusionXLPipeline.from_pretrained(bases["sdxl"], add_watermarker=False)
    stock.load_lora_weights(str(tmp_path), weight_name=LORA)
    stock.set_progress_bar_config(disable=True)
    ours: Any = models.pipeline(str(bases["sdxl"]), tmp_path / LORA)
    stock.scheduler = ours.scheduler
    latents = [
        Painter(pipeline).paint(("a bird",), (), [1], steps=3, guidance=3.0, output="latent")
        for pipeline in (ours, stock, models.pipeline(str(bases["sdxl"])))
    ]
    torch.testing.assert_close(latents[0], latents[1], rtol=0, atol=1e-4)
    assert (latents[0] - latents[2]).abs().max() > 1e-2
    with pytest.raises(UserError, match="does not fit"):
        merge_lora(models.pipeline(str(bases["sd15"])).unet, load_lora(tmp_path / LORA))


def test_a_distilled_base_keeps_its_schedule_and_leaves_out_the_unconditional_half(bases: dict[str, Path]) -> None:
    models = Models(device="cpu")
    kept = {kind: type(models.pipeline(str(bases[kind])).scheduler).__name__ for kind in KINDS}
    ours = "DPMSolverMultistepScheduler"
    assert kept == {"sd15": ours, "sd2": ours, "sdxl": ours, "turbo": "EulerDiscreteScheduler", "lcm": "LCMScheduler"}
    for kind, guidance, rows in (("turbo", 0.0, 1), ("turbo", 1.0, 1), ("turbo", 2.0, 2), ("lcm", 8.5, 1)):
        pipeline: Any = models.pipeline(str(bases[kind]))
        seen: list[int] = []
        handle = pipeline.unet.register_forward_pre_hook(lambda _unet, inputs, seen=seen: seen.append(len(inputs[0])))
        for steps in (1, 4):
            Painter(pipeline).paint(("a bird",), ("grey",), [0], steps=steps, guidance=guidance)
        handle.remove()
        assert seen == [rows] * 5, kind


@pytest.mark.slow
def test_another_unet_takes_the_place_of_the_bases_own(
    bases: dict[str, Path], tiny_pack: Path, own: Any, tmp_path: Path
) -> None:
    models = Models(device="cpu")
    other = tiny.make_sd15(tmp_path / "other", act_fn="gelu")
    alone = Path(shutil.copytree(other / "unet", tmp_path / "unet alone"))
    whole = own("sd15")
    shutil.rmtree(whole / "unet")  # its own is not needed then
    for unet in (other, alone):
        pipeline: Any = models.pipeline(str(whole), unet=str(unet))
        assert pipeline.unet.config.act_fn == "gelu"
        plan = {"pack": str(tiny_pack), "base_model": str(whole), "unet": str(unet), "run": f"run of {unet.name}",
                "out": f"out of {unet.name}", "steps": 1, "batch": 1, "rank": 2}  # fmt: skip
        (tmp_path / "plan.json").write_text(json.dumps(plan))
        pack = Pack.open(train(Models(device="cpu"), Train(str(tmp_path / "plan.json")), silent))
        assert pack.base_model.unet == str(unet)
        opened: Any = open_painter(models, pack).pipeline
        assert opened.unet.config.act_fn == "gelu" and opened is not pipeline
    told("wide", models.pipeline, str(bases["sd15"]), None, str(bases["sd2"]))
    told("There is no UNet in", models.pipeline, str(bases["sd15"]), None, str(bases["sd15"] / "vae"))
    told("not on this computer", models.own_pipeline, str(bases["sd15"]), "nobody/unet")
    (models_dir() / "mine").mkdir(parents=True)
    shutil.copytree(alone, models_dir() / "mine/unet")
    assert [(one.id, one.kind) for one in list_models() if one.id.startswith("mine")] == [("mine/unet", "UNet")]


def changed(file: Path, **words: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | words))


def test_what_is_no_base_model_is_told_in_one_sentence(own: Any, tiny_world: Path, tmp_path: Path) -> None:
    models = Models(device="cpu")
    told("is a dinov2, not a base model", models.pipeline, str(tiny_world / "eyes"))
    for name in ("FluxPipeline", "StableDiffusion3Pipeline", "StableDiffusionXLImg2ImgPipeline"):
        folder = own("sd15")
        changed(folder / "model_index.json", _class_name=name)
        told(f"is a {name}, which cannot be used", models.pipeline, str(folder))
        assert check_model(str(folder)).kind == ""
        shutil.rmtree(folder)
    (tmp_path / "model.safetensors").write_bytes(b"")
    told("single file", models.pipeline, str(tmp_path / "model.safetensors"))
    folder = own("sdxl")
    for gone in ("tokenizer_2/tokenizer_config.json", "text_encoder_2/model.safetensors"):
        (folder / gone).unlink()
        assert check_model(str(folder)).missing[0] == gone
        told(f"lacks {gone}", models.pipeline, str(folder))
        break
    shutil.rmtree(folder)
    folder = own("sd15")
    changed(folder / "unet/config.json", in_channels=9)
    told("9 channels", models.pipeline, str(folder))
    shutil.rmtree(folder)
    folder = own("sdxl")
    changed(folder / "unet/config.json", cross_attention_dim=32)
    told("32 wide; this base model's are 32 and 48", models.pipeline, str(folder))
    shutil.rmtree(folder)
    folder = own("sdxl")
    changed(folder / "text_encoder_2/config.json", projection_dim=32)
    told("second text encoder", models.pipeline, str(folder))
    changed(folder / "unet/config.json", addition_embed_type=None)
    told("different kinds", models.pipeline, str(folder))


def test_a_pack_of_another_base_is_told(bases: dict[str, Path], tiny_pack: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_pack, tmp_path / "pack"))
    pack = Pack.open(folder)
    replace(pack, base_model=BaseModel(str(bases["sdxl"]), "", (32, 64))).save()
    told("words are 32 and 48 wide, the pack's 32 and 64", open_painter, Models(device="cpu"), Pack.open(folder))


def test_packs_say_what_their_base_wants_and_old_ones_open(bases: dict[str, Path], tiny_pack: Path, home: Path) -> None:
    pack = Pack.open(tiny_pack)
    assert set(pack.to_document()["base_model"]) == {"id", "revision", "widths"}
    shutil.copytree(bases["lcm"], models_dir() / "some/lcm")
    base = base_model_entry("some/lcm", str(bases["sd15"]))
    assert (base.steps, base.guidance, base.unet) == (4, 1.0, str(bases["sd15"])), "this UNet was taught no guidance"
    document = replace(pack, base_model=base).to_document()["base_model"]
    assert document == {"id": "some/lcm", "revision": "", "widths": [32], "unet": base.unet, "steps": 4,
                        "guidance": 1.0}  # fmt: skip


@pytest.mark.parametrize(
    ("words", "steps", "guidance"),
    [({"steps": 8, "guidance": 3.0}, 8, 3.0), ({"steps": "x", "guidance": 3.0}, 0, 0.0), ({"steps": 8}, 0, 0.0)],
)
def test_a_base_of_ours_says_how_it_wants_to_be_asked(
    own: Any, tiny_pack: Path, words: dict[str, Any], steps: int, guidance: float
) -> None:
    folder = own("sd15")
    changed(folder / "model_index.json", _partcraft={"revision": "two", **words})
    base = base_model_entry(str(folder), "")
    assert (base.revision, base.steps, base.guidance, base.distilled) == ("two", steps, guidance, False)
    pack = replace(Pack.open(tiny_pack), base_model=base)
    assert pack.new_recipe().steps == (steps or 20)
    told = pack.to_document()["base_model"]
    assert told.get("distilled", bool(told.get("steps"))) is False, "so that earlier packs are still read as they were"
    Models(device="cpu").pipeline(str(folder))  # diffusers opens it all the same


def test_only_what_is_loaded_counts_as_memory(own: Any) -> None:
    folder = own("sdxl")
    before = weight_bytes(folder)
    assert {name.partition("/")[0] for name in before} == {"unet", "vae", "text_encoder", "text_encoder_2"}
    shutil.copy(folder / "unet/diffusion_pytorch_model.safetensors", folder / "sd_xl_base_1.0.safetensors")
    assert weight_bytes(folder) == before


def test_the_nearest_grid_is_recorded_where_there_is_no_16(bases: dict[str, Path], models: Models) -> None:
    unet = models.pipeline(str(bases["sd15"])).unet
    assert [best_grid(unet, side, 16) for side in (16, 32, 64, 128, 20)] == [16, 16, 32, 64, 20]
    told("does not look at the words", best_grid, type("U", (), {"config": type("C", (), {
        "down_block_types": ("DownBlock2D",), "mid_block_type": None})})(), 16, 16)  # fmt: skip


def test_an_autoencoder_that_wants_float32_gets_it(bases: dict[str, Path]) -> None:
    vae: Any = StableDiffusionPipeline.from_pretrained(bases["sd15"], safety_checker=None).vae
    pictures = smooth_noise(1, 64)
    half = vae.to(torch.bfloat16)
    rough = half.encode(pictures.to(torch.bfloat16)).latent_dist.mean.float() * vae.config.scaling_factor
    latents = encode_pictures(half, pictures)
    assert half.dtype is torch.bfloat16 and latents.dtype is torch.float32
    exact = half.to(torch.float32).encode(pictures).latent_dist.mean * vae.config.scaling_factor
    torch.testing.assert_close(latents, exact)
    assert (rough - exact).abs().max() > (latents - exact).abs().max()
