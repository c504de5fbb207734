"""The UNet with LoRA, its attention maps and the attention loss agree with the original."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from safetensors.torch import load_file

from engine.exchange.original_checkpoint import original_lora
from engine.models.attention_capture import AttentionCapture, part_attention
from engine.models.lora import add_lora
from engine.training.attention_loss import attention_loss


@pytest.fixture(scope="module")
def unet(golden: Path) -> UNet2DConditionModel:
    unet = UNet2DConditionModel.from_pretrained(golden / "tiny_sd/unet").eval()
    state = torch.load(golden / "ckpt/checkpoint-20/pytorch_model.bin", weights_only=True)
    add_lora(unet, rank=4, state=original_lora(state))
    return unet


def test_maps_and_sample_are_the_originals(golden: Path, golden_index: dict[str, Any], unet: Any) -> None:
    data = load_file(golden / "unet.safetensors")
    inputs = (data["latents"], data["timesteps"], data["encoder_hidden_states"])
    with torch.no_grad(), AttentionCapture(unet, grid=16) as capture:
        sample = unet(*inputs).sample
        torch.testing.assert_close(sample, data["sample"], rtol=0, atol=2e-5)
        assert sorted(capture.maps) == sorted(golden_index["unet.safetensors"]["recorded_layers"])
        for layer, ours in capture.maps.items():
            ours = ours.unflatten(2, (16, 16))
            torch.testing.assert_close(ours[..., :12], data[f"attn.{layer}"], rtol=0, atol=1e-5)
        torch.testing.assert_close(capture.take(), data["avg_attn_map"], rtol=0, atol=1e-5)
        assert not capture.maps
    with torch.no_grad():
        torch.testing.assert_close(unet(*inputs).sample, sample, rtol=0, atol=2e-5)
        unet.disable_adapters()
        without = unet(*inputs).sample
        unet.enable_adapters()
    effect = (without - data["sample"]).abs().max().item()
    assert effect == pytest.approx(golden_index["unet.safetensors"]["max_abs_effect_of_lora"], abs=1e-4)


def columns_of(ids: torch.Tensor) -> torch.Tensor:
    """Where each of the eight placeholder ids stands: (B, 8), -1 where it does not."""
    found = ids[:, None, :] == torch.arange(567, 575)[None, :, None]
    return torch.where(found.any(-1), found.int().argmax(-1), -1)


def test_part_attention_is_the_originals(golden: Path) -> None:
    data = load_file(golden / "attn_loss.safetensors")
    columns = columns_of(data["input_ids"])
    ours = part_attention(data["avg_attn_map"], columns, rest="parts")
    torch.testing.assert_close(ours, data["norm_map"], rtol=0, atol=1e-6)
    plain = load_file(golden / "norm_map.safetensors")
    as_attention = plain["located"].permute(0, 2, 3, 1)
    ours = part_attention(as_attention, torch.arange(8).expand(3, 8), rest="parts")
    torch.testing.assert_close(ours, plain["norm"], rtol=0, atol=1e-6)


def test_attention_loss_and_its_gradient_are_the_originals(golden: Path, unet: Any) -> None:
    data = load_file(golden / "attn_loss.safetensors")
    hidden = data["encoder_hidden_states"].clone().requires_grad_()
    noisy = noised(golden, data["latents"], data["noise"], data["timesteps"])
    unet.zero_grad()
    with AttentionCapture(unet) as capture:
        predicted = unet(noisy, data["timesteps"], hidden).sample
        torch.testing.assert_close(predicted, data["model_pred"], rtol=0, atol=5e-5)
        loss = attention_loss(capture.take(), columns_of(data["input_ids"]), data["segmasks"], rest="parts")
    assert loss.item() == pytest.approx(data["attn_loss"].item(), abs=1e-5)
    loss.backward()
    ours = {
        name.replace("lora_A.default", "down").replace("lora_B.default", "up"): p.grad
        for name, p in unet.named_parameters()
        if p.requires_grad
    }
    compared = 0
    for key, theirs in data.items():
        if not key.startswith("grad_attn.unet."):
            continue
        name = key.removeprefix("grad_attn.unet.")
        grad = ours[name.replace("lora_layer.", "")]
        assert grad is not None
        torch.testing.assert_close(grad, theirs, rtol=1e-3, atol=1e-6)
        compared += 1
    assert compared == 24


def noised(golden: Path, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
    scheduler = DDPMScheduler.from_pretrained(golden / "tiny_sd/scheduler")
    return scheduler.add_noise(latents, noise, timesteps)  # type: ignore[arg-type]
