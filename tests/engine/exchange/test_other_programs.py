"""A pack given to other programs: stock diffusers paints our picture from the files alone, and ComfyUI, A1111, InvokeAI
and kohya's scripts find a layer for every name, by the rules with which each of them reads."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline, UNet2DConditionModel
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.core.errors import UserError
from engine.core.paths import resources_dir
from engine.core.vocabulary import Choice
from engine.exchange.lora_file import kohya_names
from engine.exchange.other_programs import PEFT_FILE, export_for_other_programs
from engine.exchange.textual_inversion import words_of
from engine.models.loader import Models
from engine.models.lora import Lora, add_lora, load_lora, lora_layers, lora_state, merge_lora, save_lora
from engine.models.part_tokens import PartTokens, TokenSet
from engine.packs.pack import LORA, TOKENS, BaseModel, Pack
from engine.rendering.painter import open_painter
from tests.engine import tiny

WIDTHS = {"sd15": (32,), "sdxl": (32, 48)}


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny ``sd15`` and a tiny ``sdxl`` of as many blocks a level as the real one."""
    folder = tmp_path_factory.mktemp("bases")
    tiny.make_sd15(folder / "sd15")
    tiny.make_sdxl(folder / "sdxl", layers_per_block=2)
    return folder


@pytest.fixture
def pack_for(bases: Path, tiny_pack: Path, tmp_path: Path, models: Models) -> Callable[[str], Pack]:
    """A pack with random tokens and a random LoRA for one of the bases."""

    def make(kind: str) -> Pack:
        folder = Path(shutil.copytree(tiny_pack, tmp_path / f"birds-{kind}"))
        torch.manual_seed(6)
        sets = [PartTokens(4, 3, width) for width in WIDTHS[kind]]
        tokens = TokenSet(dict(zip(("text_encoder", "text_encoder_2"), sets, strict=True))) if sets[1:] else sets[0]
        save_file(tokens.tensors(), folder / TOKENS)
        unet: Any = models.own_pipeline(str(bases / kind)).unet
        add_lora(unet, 2)
        save_lora({name: torch.randn_like(value) * 0.3 for name, value in lora_state(unet).items()}, folder / LORA)
        pack = replace(Pack.open(folder), id=folder.name, base_model=BaseModel(str(bases / kind), "", WIDTHS[kind]))
        pack.save()
        return Pack.open(folder)

    return make


@pytest.mark.parametrize("kind", WIDTHS)
def test_stock_diffusers_paints_our_picture_as_the_card_says(
    bases: Path,
    pack_for: Callable[[str], Pack],
    tmp_path: Path,
    models: Models,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    pack = pack_for(kind)
    files = export_for_other_programs(pack, tmp_path / "plain")
    assert len(files) == 2 + 4 * 3 + 4 + 1 and all(file.is_file() for file in files)
    card = (tmp_path / "plain/README.md").read_text("utf-8")
    assert str(bases) not in card, "where the base is on this computer is nobody else's business"
    (example,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    monkeypatch.chdir(bases)  # the card names the base by its folder
    space: dict[str, Any] = {}
    steps = f"num_inference_steps={pack.new_recipe().steps}"
    assert steps in example
    example = example.replace('folder = "."', f'folder = "{tmp_path / "plain"}"').replace(
        steps, "num_inference_steps=4"
    )
    exec(example, space)  # noqa: S102 - what the card says
    stock = space["pipeline"]
    stock.set_progress_bar_config(disable=True)

    painter = open_painter(models, pack)
    recipe = pack.new_recipe()
    prompt = ("a photo of a ", Choice(0, 0), " ", Choice(1, 0), " bird")
    (ours,) = painter.paint(prompt, (), [0], steps=4, guidance=recipe.guidance)
    assert np.abs(np.asarray(ours, int) - np.asarray(space["picture"], int)).max() <= 1
    latents = painter.paint(prompt, (), [3], steps=4, guidance=3.0, output="latent")

    def theirs(words: str) -> Tensor:
        seed = torch.Generator("cpu").manual_seed(3)
        return stock(words, generator=seed, num_inference_steps=4, guidance_scale=3.0, output_type="latent").images

    said = [word.text for word in words_of(pack) if word.code == 0]
    torch.testing.assert_close(theirs(f"a photo of a <{said[0]}> <{said[1]}> bird"), latents, rtol=0, atol=1e-4)
    assert (theirs("a photo of a head wing bird") - latents).abs().max() > 0.1

    # The other form of the LoRA changes the UNet likewise.
    stock.unload_lora_weights()
    stock.load_lora_weights(str(tmp_path / "plain"), weight_name=f"{pack.id}.safetensors")
    torch.testing.assert_close(theirs(f"a photo of a <{said[0]}> <{said[1]}> bird"), latents, rtol=0, atol=1e-4)


@pytest.mark.slow
def test_without_the_end_token_sdxl_would_sum_up_at_the_last_word(
    bases: Path, pack_for: Callable[[str], Pack], tmp_path: Path
) -> None:
    """Why the card gives SDXL's second encoder its end token: a check of the check above."""
    pack = pack_for("sdxl")
    export_for_other_programs(pack, tmp_path / "plain")
    word = words_of(pack)[0].text
    vectors = load_file(tmp_path / "plain/embeddings" / f"{word}.safetensors")
    pooled = []
    for changed in (False, True):
        stock: Any = DiffusionPipeline.from_pretrained(bases / "sdxl")
        if changed:
            stock.text_encoder_2.text_model.eos_token_id = stock.tokenizer_2.eos_token_id
        for key, encoder, tokenizer in (
            ("clip_l", "text_encoder", "tokenizer"),
            ("clip_g", "text_encoder_2", "tokenizer_2"),
        ):
            stock.load_textual_inversion(
                vectors[key],
                token=f"<{word}>",
                text_encoder=getattr(stock, encoder),
                tokenizer=getattr(stock, tokenizer),
            )
        pooled.append(stock.encode_prompt(f"a <{word}> bird", do_classifier_free_guidance=False)[2])
    assert (pooled[0] - pooled[1]).abs().max() > 1e-2


def test_embeddings_have_the_names_that_programs_look_for(pack_for: Callable[[str], Pack], tmp_path: Path) -> None:
    for kind, names in (("sd15", {"emb_params": (1, 32)}), ("sdxl", {"clip_l": (1, 32), "clip_g": (1, 48)})):
        pack = pack_for(kind)
        same = (("a b", "a_b", "a  b"),) * 4
        pack = replace(pack, vocabulary=replace(pack.vocabulary, code_names=same))
        files = export_for_other_programs(pack, tmp_path / kind)
        assert len({file.name.casefold() for file in files}) == len(files), "no word takes another's file"
        state = load_file(tmp_path / kind / "embeddings/wing-a_b.safetensors")
        assert {name: tuple(tensor.shape) for name, tensor in state.items()} == names
        with safe_open(tmp_path / kind / "embeddings/wing-a_b.safetensors", "pt") as file:
            header = file.metadata()
        assert header["modelspec.trigger_phrase"] == "wing-a_b" == header["modelspec.title"]
        assert header["modelspec.architecture"].endswith("/textual-inversion")


def _attention_layers(layout: str) -> list[str]:
    """The layers a pack's LoRA changes in the real UNet of a layout, without its weights."""
    config = json.loads((resources_dir() / "layouts" / layout / "unet/config.json").read_text("utf-8"))
    with torch.device("meta"):
        unet: Any = UNet2DConditionModel.from_config(config)
    names = [name for name, _ in unet.named_modules()]
    return [name for name in names if re.search(r"attn[12]\.to_(q|k|v|out\.0)$", name)]


_ORIGINAL = {
    "sd1": {"down": {(0, 0): 1, (0, 1): 2, (1, 0): 4, (1, 1): 5, (2, 0): 7, (2, 1): 8},
            "up": {(1, 0): 3, (1, 1): 4, (1, 2): 5, (2, 0): 6, (2, 1): 7, (2, 2): 8,
                   (3, 0): 9, (3, 1): 10, (3, 2): 11}},
    "sdxl": {"down": {(1, 0): 4, (1, 1): 5, (2, 0): 7, (2, 1): 8},
             "up": {(0, 0): 0, (0, 1): 1, (0, 2): 2, (1, 0): 3, (1, 1): 4, (1, 2): 5}},
}  # fmt: skip
"""In which block of the original UNet the attention of each (level, place) of diffusers' UNet is: written down from the
published weights. SD 2.x is as SD 1.x."""


def _in_original(layout: str, layer: str) -> str:
    side, _, rest = layer.partition("_block")
    if side == "mid":
        return "middle_block.1." + rest.removeprefix(".attentions.0.")
    numbers = re.match(r"s\.(\d)\.attentions\.(\d)\.", rest)
    assert numbers
    block = _ORIGINAL["sdxl" if layout == "sdxl" else "sd1"][side][int(numbers[1]), int(numbers[2])]
    return f"{'input' if side == 'down' else 'output'}_blocks.{block}.1.{rest[numbers.end() :]}"


@pytest.mark.parametrize(("layout", "count"), [("sd1", 128), ("sd2", 128), ("sdxl", 560)])
def test_every_program_finds_a_layer_for_every_name(layout: str, count: int) -> None:
    layers = _attention_layers(layout)
    assert len(layers) == count
    ours = kohya_names(layers, layout == "sdxl")
    keys = set(ours.values())
    original = {layer: _in_original(layout, layer).replace(".", "_") for layer in layers}
    assert len(keys) == len(set(original.values())) == count

    # kohya: "lora_unet_" and the path in its own UNet; that is diffusers' for SD 1.x and 2.x, the original for SDXL.
    own = original if layout == "sdxl" else {layer: layer.replace(".", "_") for layer in layers}
    assert ours == {layer: f"lora_unet_{path}" for layer, path in own.items()}

    # ComfyUI: the same prefix before the path in the original or in diffusers' UNet.
    assert keys <= {
        f"lora_unet_{path}" for path in [*original.values(), *(layer.replace(".", "_") for layer in layers)]
    }

    # A1111: a path of diffusers is counted over to the original (three blocks a level, one before the first), a path of
    # the original stays; then there must be such a layer.
    def counted(key: str) -> str:
        path = key.removeprefix("lora_unet_")
        if match := re.fullmatch(r"down_blocks_(\d+)_attentions_(\d+)_(.+)", path):
            return f"input_blocks_{1 + 3 * int(match[1]) + int(match[2])}_1_{match[3]}"
        if match := re.fullmatch(r"up_blocks_(\d+)_attentions_(\d+)_(.+)", path):
            return f"output_blocks_{3 * int(match[1]) + int(match[2])}_1_{match[3]}"
        return re.sub(r"^mid_block_attentions_0_", "middle_block_1_", path)

    assert {layer: counted(key) for layer, key in ours.items()} == original

    # InvokeAI: a layer's name ends at the first dot; what is behind is "lora_down.weight", "lora_up.weight" or "alpha".
    assert not [key for key in keys if "." in key]


def test_a_kohya_file_is_whole_and_says_what_it_is(pack_for: Callable[[str], Pack], tmp_path: Path) -> None:
    pack = pack_for("sd15")
    tokens = PartTokens(4, 3, 768)  # as wide as the real ones, so that the file says their family
    save_file(tokens.tensors(), pack.path / TOKENS)
    export_for_other_programs(pack, tmp_path / "plain")
    with safe_open(tmp_path / "plain" / f"{pack.id}.safetensors", "pt") as file:
        header = file.metadata()
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a mapping
    layers = {name.split(".")[0] for name in state}
    endings = ("lora_down.weight", "lora_up.weight", "alpha")
    assert set(state) == {f"{layer}.{ending}" for layer in layers for ending in endings}
    for layer in layers:
        down, up, alpha = (state[f"{layer}.{ending}"] for ending in endings)
        assert down.shape[0] == up.shape[1] == 2 and alpha.shape == () and alpha == 2
    assert {name: header[name] for name in header if name.startswith("ss_")} == {
        "ss_network_module": "networks.lora", "ss_network_dim": "2", "ss_network_alpha": "2", "ss_output_name": pack.id,
        "ss_sd_model_name": "sd15", "ss_base_model_version": "sd_v1", "ss_v2": "False",
        "ss_tag_frequency": json.dumps({pack.id: {word.text: 1 for word in words_of(pack)}}),
    }  # fmt: skip
    assert header["modelspec.architecture"] == "stable-diffusion-v1/lora"
    assert header["modelspec.sai_model_spec"] == "1.0.0" and header["modelspec.title"] == pack.title
    assert header["modelspec.resolution"] == "64x64"


_LAYER = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"


@pytest.mark.parametrize("form", ["kohya", "peft", "rslora", "pattern"])
def test_a_lora_of_any_form_goes_out_as_strong_as_we_render_it(
    bases: Path, models: Models, tmp_path: Path, pack_for: Callable[[str], Pack], form: str
) -> None:
    pack = pack_for("sd15")
    unet: Any = models.own_pipeline(str(bases / "sd15")).unet
    weight = unet.get_submodule(_LAYER).weight
    before = weight.detach().clone()
    torch.manual_seed(9)
    down, up = torch.randn(4, weight.shape[1]), torch.randn(weight.shape[0], 4)
    if form == "kohya":
        name = "lora_unet_" + _LAYER.replace(".", "_")
        state = {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up, f"{name}.alpha": torch.tensor(1.0)}
        save_file(state, pack.path / LORA, {"format": "pt"})
    else:
        config: dict[str, Any] = {"r": 4, "lora_alpha": 1, "target_modules": ["attn1.to_q"]}
        config |= {"use_rslora": form == "rslora", "alpha_pattern": {"attn1.to_q": 8} if form == "pattern" else {}}
        metadata = {f"unet.{name}": value for name, value in config.items()}
        state = {f"unet.{_LAYER}.lora_A.weight": down, f"unet.{_LAYER}.lora_B.weight": up}
        save_file(state, pack.path / LORA, {"format": "pt", "lora_adapter_metadata": json.dumps(metadata)})
    merge_lora(unet, load_lora(pack.path / LORA))
    change = unet.get_submodule(_LAYER).weight.detach() - before
    assert change.abs().max() > 0.1
    export_for_other_programs(pack, tmp_path / "plain")
    for file in (PEFT_FILE, f"{pack.id}.safetensors"):
        (layer,) = lora_layers(load_lora(tmp_path / "plain" / file)).values()
        torch.testing.assert_close(layer.alpha / 4 * layer.up @ layer.down, change, rtol=1e-4, atol=1e-4)


def test_a_lora_that_is_more_than_two_matrices_a_layer_is_refused() -> None:
    state = {f"unet.{_LAYER}.lora_A.weight": torch.zeros(2, 4), f"unet.{_LAYER}.lora_B.weight": torch.zeros(4, 2)}
    more = {f"unet.{_LAYER}.lora_magnitude_vector": torch.zeros(4)}
    with pytest.raises(UserError, match="other programs"):
        lora_layers(Lora(state | more))
