"""A pack's LoRA: whichever program wrote it, it is merged as strongly as stock diffusers fuses it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from diffusers.utils import convert_state_dict_to_diffusers
from peft import LoraConfig, get_peft_model_state_dict
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.core.errors import UserError
from engine.models.lora import TARGETS, load_lora, lora_state, merge_lora, save_lora
from tests.engine.tiny import make_sd15

LORA = "lora.safetensors"
STRONG = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
"""The layer that the files with patterns give a rank and an alpha of its own."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sd15(tmp_path_factory.mktemp("base") / "sd15")


def open_unet(base: Path, dtype: torch.dtype = torch.float32) -> Any:
    return UNet2DConditionModel.from_pretrained(base / "unet", torch_dtype=dtype)


def random_adapter(base: Path, **config: Any) -> tuple[Any, dict[str, Any]]:
    """A UNet with a random adapter, and the adapter's state with peft's names."""
    unet = open_unet(base)
    unet.add_adapter(LoraConfig(**{"r": 4, "lora_alpha": 1, "target_modules": list(TARGETS), **config}))
    generator = torch.Generator().manual_seed(7)
    for parameter in (one for one in unet.parameters() if one.requires_grad):
        parameter.data = torch.randn(parameter.shape, generator=generator)
    return unet, get_peft_model_state_dict(unet)


def write_peft(base: Path, folder: Path, **config: Any) -> None:
    """As diffusers saves a LoRA today: peft's names, and the adapter's config in the file's header."""
    unet, state = random_adapter(base, **config)
    StableDiffusionPipeline.save_lora_weights(
        folder,
        unet_lora_layers=state,
        weight_name=LORA,
        unet_lora_adapter_metadata=unet.peft_config["default"].to_dict(),
    )


def write_patterns(base: Path, folder: Path) -> None:
    """The same with other ranks and alphas in some layers, and a convolution."""
    targets = [*TARGETS, "conv1"]
    write_peft(base, folder, target_modules=targets, rank_pattern={STRONG: 2}, alpha_pattern={STRONG: 6})


def write_rank_stabilized(base: Path, folder: Path) -> None:
    """The same, of the kind whose alpha is divided by the root of the rank."""
    write_peft(base, folder, use_rslora=True)


def write_plain(base: Path, folder: Path) -> None:
    """As diffusers saved a LoRA before: its own names, and no alpha, which means that it is the rank."""
    state = convert_state_dict_to_diffusers(random_adapter(base)[1])
    save_file({f"unet.{name}": value for name, value in state.items()}, folder / LORA)


def write_kohya(base: Path, folder: Path, attention: float = 3.0) -> None:
    """As kohya's scripts do: their names, other ranks in some layers, alphas that are not the rank: 0.5 for
    convolutions, 3 for attention, ``attention`` for one layer of it."""
    _, state = random_adapter(base, target_modules=[*TARGETS, "conv1"], rank_pattern={STRONG: 2})
    tensors: dict[str, Tensor] = {}
    for name, value in state.items():
        layer, matrix = name.removesuffix(".weight").rsplit(".", 1)
        kohya = "lora_unet_" + layer.replace(".", "_")
        tensors[f"{kohya}.lora_{'down' if matrix == 'lora_A' else 'up'}.weight"] = value.contiguous()
        alpha = 0.5 if layer.endswith("conv1") else attention if layer == STRONG else 3.0
        tensors[f"{kohya}.alpha"] = torch.tensor(alpha)
    save_file(tensors, folder / LORA)


@pytest.mark.parametrize("write", [write_peft, write_patterns, write_rank_stabilized, write_plain, write_kohya])
def test_merged_it_is_what_stock_diffusers_fuses(
    base: Path, tmp_path: Path, write: Callable[[Path, Path], None]
) -> None:
    write(base, tmp_path)
    stock: Any = StableDiffusionPipeline.from_pretrained(base, safety_checker=None)
    stock.load_lora_weights(str(tmp_path), weight_name=LORA)
    stock.fuse_lora()
    stock.unload_lora_weights()
    ours, plain = open_unet(base), open_unet(base).state_dict()
    merge_lora(ours, load_lora(tmp_path / LORA))
    assert ours.state_dict().keys() == plain.keys(), "no adapter is left behind"
    for name, weight in stock.unet.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], weight, rtol=0, atol=1e-4, msg=name)
    attention = [name for name in plain if name.endswith(("to_q.weight", "to_k.weight", "to_v.weight", "out.0.weight"))]
    assert attention and not any(torch.equal(ours.state_dict()[name], plain[name]) for name in attention)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_ours_is_added_in_float32_and_rounded_once(base: Path, tmp_path: Path, dtype: torch.dtype) -> None:
    unet, _ = random_adapter(base, lora_alpha=4)
    state = lora_state(unet)
    save_lora(state, tmp_path / LORA)
    merged, before = open_unet(base, dtype), open_unet(base, dtype).state_dict()
    merge_lora(merged, load_lora(tmp_path / LORA))
    for name, down in state.items():
        if name.endswith(".lora_A.weight"):
            layer = name.removesuffix(".lora_A.weight")
            wanted = before[f"{layer}.weight"].float() + state[f"{layer}.lora_B.weight"] @ down
            assert torch.equal(merged.get_submodule(layer).weight, wanted.to(dtype))


def test_a_file_of_the_unets_own_is_read_too(base: Path, tmp_path: Path) -> None:
    unet, state = random_adapter(base)
    unet.save_lora_adapter(tmp_path, adapter_name="default", weight_name=LORA)
    assert not any(name.startswith("unet.") for name in load_file(tmp_path / LORA))
    merged, layer = open_unet(base), STRONG
    before = merged.get_submodule(layer).weight.clone()
    merge_lora(merged, load_lora(tmp_path / LORA))
    difference = state[f"{layer}.lora_B.weight"] @ state[f"{layer}.lora_A.weight"] / 4
    torch.testing.assert_close(merged.get_submodule(layer).weight, before + difference)


def test_kohyas_alphas_hold_layer_by_layer(base: Path, tmp_path: Path) -> None:
    """Stock diffusers overlooks an attention layer's alpha that differs from the others', so the rule is asked here:
    the product of the matrices, times alpha over rank."""
    write_kohya(base, tmp_path, attention=5.0)
    state = random_adapter(base, target_modules=[*TARGETS, "conv1"], rank_pattern={STRONG: 2})[1]
    merged, before = open_unet(base), open_unet(base).state_dict()
    merge_lora(merged, load_lora(tmp_path / LORA))
    for layer, scale in ((STRONG, 5 / 2), (STRONG.replace("to_q", "to_k"), 3 / 4)):
        difference = state[f"{layer}.lora_B.weight"] @ state[f"{layer}.lora_A.weight"] * scale
        torch.testing.assert_close(merged.get_submodule(layer).weight, before[f"{layer}.weight"] + difference)
    tensors = load_file(tmp_path / LORA)
    del tensors["lora_unet_" + STRONG.replace(".", "_") + ".alpha"]  # then it is the rank
    save_file(tensors, tmp_path / LORA)
    merged = open_unet(base)
    merge_lora(merged, load_lora(tmp_path / LORA))
    difference = state[f"{STRONG}.lora_B.weight"] @ state[f"{STRONG}.lora_A.weight"]
    torch.testing.assert_close(merged.get_submodule(STRONG).weight, before[f"{STRONG}.weight"] + difference)


def test_what_cannot_be_used_is_told_and_nothing_changes(base: Path, tmp_path: Path) -> None:
    _, state = random_adapter(base)
    good = {f"unet.{name}": value.contiguous() for name, value in state.items()}
    down = f"unet.{STRONG}.lora_A.weight"
    unfit, unknown, single = "does not fit the base model", "of a kind that cannot be used", "only one of two matrices"
    wrong: dict[str, tuple[str, dict[str, Tensor]]] = {
        "a layer that is not there": (unfit, {**good, "unet.nowhere.lora_A.weight": torch.zeros(4, 16),
                                              "unet.nowhere.lora_B.weight": torch.zeros(16, 4)}),
        "one matrix of two": (single, {name: value for name, value in good.items() if name != down}),
        "another width": (unfit, {**good, down: torch.zeros(4, 17)}),
        "another rank": (unfit, {**good, down: torch.zeros(3, 16)}),
        "a vector": (unknown, {**good, down: torch.zeros(4)}),
        "a scale of DoRA": (unknown, {**good, f"unet.{STRONG}.dora_scale": torch.zeros(1)}),
        "something else": (unfit, {**good, "unet.conv_in.weight": torch.zeros(3)}),
        "another program's kind": (unknown, {"lora_unet_mid_block_attentions_0_proj_in.hada_w1_a": torch.zeros(4, 4)}),
    }  # fmt: skip
    unet, before = open_unet(base), open_unet(base).state_dict()
    for what, (match, tensors) in wrong.items():
        save_file(tensors, tmp_path / LORA)
        with pytest.raises(UserError, match=match) as caught:
            merge_lora(unet, load_lora(tmp_path / LORA))
        assert caught.value.hint, what
        assert unet.state_dict().keys() == before.keys(), what
        assert all(torch.equal(weight, before[name]) for name, weight in unet.state_dict().items()), what


@pytest.mark.parametrize(
    "name", ["text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_A.weight",
             "lora_te_text_model_encoder_layers_0_self_attn_q_proj.lora_down.weight"],
)  # fmt: skip
def test_a_lora_of_the_text_encoder_is_refused(base: Path, tmp_path: Path, name: str) -> None:
    _, state = random_adapter(base)
    save_file({**{f"unet.{key}": value for key, value in state.items()}, name: torch.zeros(4, 32)}, tmp_path / LORA)
    with pytest.raises(UserError, match="changes the text encoder too"):
        load_lora(tmp_path / LORA)


def test_a_pickle_is_never_read(tmp_path: Path) -> None:
    torch.save({"unet.a.lora_A.weight": torch.zeros(1)}, tmp_path / LORA)
    with pytest.raises(UserError, match="cannot be read"):
        load_lora(tmp_path / LORA)


@pytest.mark.parametrize("side", ["lora_A", "lora_B"])
def test_a_lora_of_one_side_is_told(base: Path, tmp_path: Path, side: str) -> None:
    _, state = random_adapter(base)
    save_file({f"unet.{name}": value.contiguous() for name, value in state.items() if side in name}, tmp_path / LORA)
    with pytest.raises(UserError, match="only one of two matrices"):
        merge_lora(open_unet(base), load_lora(tmp_path / LORA))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_lora_that_is_no_number_is_told(base: Path, tmp_path: Path, value: float, dtype: torch.dtype) -> None:
    _, state = random_adapter(base)
    tensors = {f"unet.{name}": tensor.to(dtype).contiguous() for name, tensor in state.items()}
    name = sorted(tensors)[3]
    tensors[name].view(-1)[-1] = value
    save_file(tensors, tmp_path / LORA)
    with pytest.raises(UserError, match="no number") as caught:
        load_lora(tmp_path / LORA)
    assert name in caught.value.message


def attn_processor(name: str) -> str:
    """A name of diffusers before 0.22: the matrices belonged to a processor of the attention layer."""
    layer, _, rest = name.partition(".lora_")
    parent, _, projection = layer.removesuffix(".0").rpartition(".")
    return f"unet.{parent}.processor.{projection}_lora.{'down' if rest[0] == 'A' else 'up'}.weight"


FORMS: dict[str, Callable[[str], str]] = {
    "today": lambda name: f"unet.{name}",
    "peft": lambda name: f"base_model.model.{name}",
    "lora.down": lambda name: f"unet.{name}".replace("lora_A", "lora.down").replace("lora_B", "lora.up"),
    "attention processor": attn_processor,
    "kohya": lambda name: "lora_unet_" + name.partition(".lora_")[0].replace(".", "_")
    + (".lora_down.weight" if "lora_A" in name else ".lora_up.weight"),
    "alone": lambda name: name,
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_of_one_lora_paint_the_same(base: Path, tmp_path: Path, form: str) -> None:
    _, state = random_adapter(base)
    save_file({FORMS[form](name): value.contiguous() for name, value in state.items()}, tmp_path / LORA)
    unet, before = open_unet(base), open_unet(base).state_dict()
    merge_lora(unet, load_lora(tmp_path / LORA))
    down, up = (state[f"{STRONG}.lora_{side}.weight"] for side in "AB")
    torch.testing.assert_close(unet.get_submodule(STRONG).weight, before[f"{STRONG}.weight"] + up @ down)
    changed = [name for name, value in unet.state_dict().items() if not torch.equal(value, before[name])]
    assert changed == [name for name in before if name.removesuffix(".weight").endswith(TARGETS)]


@pytest.mark.parametrize("prefix", ["unet.", ""])
def test_metadata_that_says_only_how_strong_it_is(base: Path, tmp_path: Path, prefix: str) -> None:
    _, state = random_adapter(base)
    metadata = {"lora_adapter_metadata": json.dumps({f"{prefix}lora_alpha": 1, f"{prefix}r": 4})}
    save_file({prefix + name: value.contiguous() for name, value in state.items()}, tmp_path / LORA, metadata)
    unet, before = open_unet(base), open_unet(base).state_dict()
    merge_lora(unet, load_lora(tmp_path / LORA))
    difference = 0.25 * state[f"{STRONG}.lora_B.weight"] @ state[f"{STRONG}.lora_A.weight"]
    torch.testing.assert_close(unet.get_submodule(STRONG).weight, before[f"{STRONG}.weight"] + difference)


def test_metadata_names_no_code(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """peft imports the module that ``megatron_core`` names."""
    (tmp_path / "evil_core.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    write_peft(base, tmp_path)
    tensors, metadata = load_file(tmp_path / LORA), {}
    with safe_open(tmp_path / LORA, "pt") as file:
        metadata = json.loads(file.metadata()["lora_adapter_metadata"])
    evil = {
        "unet.megatron_config": {"a": 1},
        "unet.megatron_core": "evil_core",
        "unet.auto_mapping": {"a": "evil_core"},
    }
    save_file(tensors, tmp_path / LORA, {"lora_adapter_metadata": json.dumps(metadata | evil)})
    merge_lora(open_unet(base), load_lora(tmp_path / LORA))
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "words", [{"unet.target_modules": "(a*)*b"}, {"unet.rank_pattern": {"(a|a)*$": 2}}, {"unet.alpha_pattern": 3}]
)
def test_patterns_that_are_no_names_are_told(words: dict[str, Any], base: Path, tmp_path: Path) -> None:
    _, state = random_adapter(base)
    tensors = {f"unet.{name}": value.contiguous() for name, value in state.items()}
    save_file(tensors, tmp_path / LORA, {"lora_adapter_metadata": json.dumps({"unet.r": 4, **words})})
    with pytest.raises(UserError, match="names its layers"):
        load_lora(tmp_path / LORA)
