"""What the authors' repositories, their base model and its eyes are on the hub, tiny and random: in the real layouts,
with the real names and numbers of parts and codes."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from transformers import Dinov2Config, Dinov2Model

from engine.hub.catalogue import pinned_revision
from engine.hub.published import PUBLISHED, PublishedPack
from tests.engine import tiny
from tests.stand_in_hub import StandIn

CODES = 256
RANK = 4


def make_checkpoint(folder: Path, base: Path, codes: int = CODES) -> Path:
    """LoRA and mapper of a training with accelerate before 0.25, for the UNet of a base model: eight parts."""
    torch.manual_seed(6)
    folder.mkdir(parents=True, exist_ok=True)
    unet = UNet2DConditionModel.from_pretrained(base / "unet")
    lora: dict[str, torch.Tensor] = {}
    for name, module in unet.named_modules():
        if name.endswith((".attn1", ".attn2")):
            for layer in ("to_q", "to_k", "to_v", "to_out"):
                linear = module.to_out[0] if layer == "to_out" else getattr(module, layer)
                place = f"{name}.processor.{layer}_lora"
                lora[f"{place}.down.weight"] = torch.randn(RANK, linear.in_features) / RANK
                lora[f"{place}.up.weight"] = torch.randn(linear.out_features, RANK) / 10
    torch.save(lora, folder / "pytorch_model.bin")
    width = tiny.WIDTH
    mapper = {
        "pe": torch.randn(8, width) / 10,
        "embedding.weight": torch.randn((codes + 1) * 8, width) / 10,
        "projection.0.weight": torch.eye(width),
        "projection.0.bias": torch.zeros(width),
    }
    torch.save(mapper, folder / "pytorch_model_1.bin")
    return folder


def make_eyes(folder: Path) -> Path:
    """DINOv2's layout with patches of 14 pixels."""
    torch.manual_seed(1)
    config = Dinov2Config(hidden_size=48, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2, image_size=56)
    Dinov2Model(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text('{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]}')
    return folder


def play_published(hub: StandIn) -> None:
    """Put Stable Diffusion 1.5, DINOv2 base and both checkpoints on a hub, under their names."""
    base = tiny.make_sd15(hub.root / PUBLISHED[0].base_models[0])
    make_eyes(hub.root / PUBLISHED[0].eyes)
    hub.commits = tuple(pinned_revision(id) for id in PUBLISHED[0].needs[1:])
    for published in PUBLISHED:
        play_checkpoint(hub, published, base)


def play_checkpoint(hub: StandIn, published: PublishedPack, base: Path) -> None:
    """Put one of the checkpoints on a hub, with what else lies in such a folder."""
    place = make_checkpoint(hub.root / published.id / published.folder, base)
    (place / "optimizer.bin").write_bytes(b"x" * 2000)
    (hub.root / published.id / "README.md").write_text("a checkpoint")
