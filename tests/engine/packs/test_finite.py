"""What is no number is found where it comes in: a pack's tokens, LoRA and codebook, in any precision."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.core.errors import UserError
from engine.models.part_tokens import PartTokens, load_tokens
from engine.packs.finite import first_not_finite
from engine.packs.library import PackLibrary
from engine.packs.pack import CODEBOOK, LORA, TOKENS, Pack
from engine.packs.validation import check_pack
from tests.fakes import make_pack

PRECISIONS = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
STRANGE = [float("nan"), float("inf"), float("-inf")]


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    return make_pack(tmp_path / "made" / "birds")


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("value", STRANGE)
def test_one_among_millions_is_found(dtype: torch.dtype, value: float, tmp_path: Path) -> None:
    largest = torch.finfo(dtype).max
    rows = torch.full((3, 700_001), largest, dtype=dtype)
    rows[0, :9] = -largest
    tensors = {"a": rows.clone(), "count": torch.full((5,), -1), "none": torch.zeros(0, 3, dtype=dtype), "z": rows}
    save_file(tensors, tmp_path / "a.safetensors", {"a": "note"})
    assert first_not_finite(tmp_path / "a.safetensors") == ""
    tensors["z"][2, -1] = value
    save_file(tensors, tmp_path / "a.safetensors")
    assert first_not_finite(tmp_path / "a.safetensors") == "z"


def lora(pack: Pack, dtype: torch.dtype = torch.float32) -> Path:
    layer = "unet.mid_block.attentions.0.to_q"
    tensors = {f"{layer}.lora_A.weight": torch.ones(4, 16), f"{layer}.lora_B.weight": torch.ones(16, 4)}
    save_file({name: value.to(dtype) for name, value in tensors.items()}, pack.path / LORA)
    return pack.path / LORA


def spoilt(file: Path, value: float) -> str:
    tensors = {name: tensor.clone() for name, tensor in load_file(file).items()}
    name = sorted(name for name, tensor in tensors.items() if tensor.is_floating_point())[0]
    tensors[name].view(-1)[-1] = value
    save_file(tensors, file)
    return name


@pytest.mark.parametrize("name", [TOKENS, LORA, CODEBOOK])
@pytest.mark.parametrize("value", STRANGE)
def test_a_pack_with_it_is_neither_whole_nor_taken_in(name: str, value: float, pack: Pack, tmp_path: Path) -> None:
    lora(pack, torch.bfloat16)
    file = PackLibrary(own=tmp_path / "made").export_pack(pack, tmp_path / "birds.partpack")
    assert PackLibrary(own=tmp_path / "other").import_pack(file)
    spoilt(pack.path / name, value)
    with pytest.raises(UserError) as caught:
        check_pack(Pack.open(pack.path), thorough=True)
    assert "damaged" in caught.value.message and caught.value.hint


@pytest.mark.parametrize("value", STRANGE)
def test_tokens_with_it_are_not_loaded(value: float, pack: Pack) -> None:
    save_file(PartTokens(6, 8, 64).tensors(), pack.path / TOKENS)
    name = spoilt(pack.path / TOKENS, value)
    with pytest.raises(UserError, match="no number") as caught:
        load_tokens(pack.path / TOKENS)
    assert name in caught.value.message


@pytest.mark.parametrize(
    ("down", "up"),
    [
        ("unet.mid.to_q.lora_A.weight", "unet.mid.to_q.lora_B.weight"),
        ("unet.mid.to_q.lora.down.weight", "unet.mid.to_q.lora.up.weight"),
        ("unet.mid.processor.to_q_lora.down.weight", "unet.mid.processor.to_q_lora.up.weight"),
        ("lora_unet_mid_to_q.lora_down.weight", "lora_unet_mid_to_q.lora_up.weight"),
        ("base_model.model.mid.to_q.lora_A.default.weight", "base_model.model.mid.to_q.lora_B.default.weight"),
        ("unet.mid.to_q_lora_linear_layer.down.weight", "unet.mid.to_q_lora_linear_layer.up.weight"),
    ],
)
def test_a_lora_of_one_side_is_not_whole(down: str, up: str, pack: Pack) -> None:
    both = {down: torch.ones(4, 16), up: torch.ones(16, 4), "lora_unet_mid_to_q.alpha": torch.tensor(4.0)}
    save_file(both, pack.path / LORA)
    check_pack(pack)
    for one in (down, up):
        save_file({name: value for name, value in both.items() if name != one}, pack.path / LORA)
        with pytest.raises(UserError, match="only one of two matrices"):
            check_pack(pack)
