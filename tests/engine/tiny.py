"""Tiny random models of the real classes, in the layout of the starter's, and pictures to try them on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderTiny, DDPMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from PIL import Image
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, Dinov2Config, Dinov2Model

from tests.fakes import draw_bird

WIDTH = 32
SIDE = 64


def make_base(folder: Path, width: int = WIDTH) -> Path:
    """A StableDiffusionPipeline folder: 16 x 16 latents of 12 channels at 64 pixels, velocity prediction."""
    torch.manual_seed(0)
    letters = [chr(code) for code in range(33, 127)]
    entries = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {entry: index for index, entry in enumerate(entries)}
    tokenizer: Any = CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77)
    text_config = CLIPTextConfig(
        vocab_size=len(vocabulary),
        hidden_size=width,
        intermediate_size=width * 2,
        projection_dim=width,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=77,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    unet = UNet2DConditionModel(
        sample_size=16,
        in_channels=12,
        out_channels=12,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=width,
        attention_head_dim=2,
        norm_num_groups=8,
    )
    vae = AutoencoderTiny(
        encoder_block_out_channels=(8, 8, 8),
        decoder_block_out_channels=(8, 8, 8),
        num_encoder_blocks=(1, 1, 1),
        num_decoder_blocks=(1, 1, 1),
        latent_channels=12,
    )
    scheduler = DDPMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        clip_sample=False,
        steps_offset=1,
    )
    parts: dict[str, Any] = {"vae": vae, "unet": unet, "scheduler": scheduler, "tokenizer": tokenizer}
    parts |= {"text_encoder": CLIPTextModel(text_config), "safety_checker": None, "feature_extractor": None}
    StableDiffusionPipeline(**parts, requires_safety_checker=False).save_pretrained(folder)
    return folder


def make_eyes(folder: Path) -> Path:
    """A Dinov2Model folder with patches of 8 pixels. Random, but it sees colours: enough to find coloured parts."""
    torch.manual_seed(1)
    config = Dinov2Config(
        hidden_size=48, num_hidden_layers=1, num_attention_heads=2, mlp_ratio=2, image_size=SIDE, patch_size=8
    )
    Dinov2Model(config).save_pretrained(folder)
    preparation = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]}
    (folder / "preprocessor_config.json").write_text(json.dumps(preparation))
    return folder


def make_pictures(folder: Path, kinds: int = 3, each: int = 4) -> Path:
    """Drawn birds in one folder a kind: what the wizard is given."""
    for kind in range(kinds):
        place = folder / f"kind {kind}"
        place.mkdir(parents=True, exist_ok=True)
        for index in range(each):
            picture, _ = draw_bird(kind, 96)
            if index % 2:
                picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            picture.rotate(3 * index, fillcolor=picture.getpixel((0, 0))).save(place / f"{index}.png")
    return folder
