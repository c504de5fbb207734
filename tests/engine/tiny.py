"""Tiny random models of the real classes, in the layout of the starter's, and pictures to try them on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    DDIMScheduler,
    DDPMScheduler,
    EulerDiscreteScheduler,
    LatentConsistencyModelPipeline,
    LCMScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from PIL import Image
from safetensors.torch import save_file
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    Dinov2Config,
    Dinov2Model,
)

from engine.models.lora import add_lora, lora_state, save_lora
from engine.models.part_tokens import PartTokens
from engine.segmentation.discover import discover
from engine.worker.jobs import Discover, EyeSettings
from tests.fakes import sketch_bird

WIDTH = 32
SIDE = 64
NOISE: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
}
UNGUARDED: dict[str, Any] = {"safety_checker": None, "feature_extractor": None}


def make_base(folder: Path, width: int = WIDTH) -> Path:
    """A StableDiffusionPipeline folder: 16 x 16 latents of 12 channels at 64 pixels, velocity prediction."""
    torch.manual_seed(0)
    tokenizer = make_tokenizer()
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
    scheduler = DDPMScheduler(**NOISE, prediction_type="v_prediction", clip_sample=False)
    parts: dict[str, Any] = {"vae": vae, "unet": unet, "scheduler": scheduler, "tokenizer": tokenizer}
    parts |= {"text_encoder": CLIPTextModel(text_config(tokenizer, width)), **UNGUARDED}
    StableDiffusionPipeline(**parts, requires_safety_checker=False).save_pretrained(folder)
    return folder


def make_tokenizer(pad: str = "<|endoftext|>") -> Any:
    """A CLIP tokenizer that knows letters only."""
    letters = [chr(code) for code in range(33, 127)]
    entries = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {entry: index for index, entry in enumerate(entries)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77, pad_token=pad)


def text_config(tokenizer: Any, width: int, **changes: Any) -> CLIPTextConfig:
    """A text encoder of one layer for a tokenizer."""
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=width * 2,
        **{
            "projection_dim": width,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "max_position_embeddings": 77,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            **changes,
        },
    )


def make_sd15(folder: Path, **unet: Any) -> Path:
    """The layout of Stable Diffusion 1.5: an AutoencoderKL of 4 channels, noise prediction, PNDM, and a text encoder
    whose config still says that its end token is 2."""
    torch.manual_seed(3)
    tokenizer = make_tokenizer()
    text = CLIPTextModel(text_config(tokenizer, WIDTH, eos_token_id=2, num_hidden_layers=2))
    parts: dict[str, Any] = {"vae": _autoencoder(), "tokenizer": tokenizer, "text_encoder": text, **UNGUARDED}
    parts |= {"unet": _unet(WIDTH, attention_head_dim=2, **unet), "scheduler": PNDMScheduler(**NOISE)}
    StableDiffusionPipeline(**parts, requires_safety_checker=False).save_pretrained(folder)
    return folder


def make_sd2(folder: Path, scheduler: Any = None) -> Path:
    """The layout of Stable Diffusion 2.x: wider words, heads by level, linear projections, velocity prediction, GELU, a
    tokenizer that pads with "!"; with another scheduler, that of SD Turbo."""
    torch.manual_seed(4)
    tokenizer = make_tokenizer("!")
    text = CLIPTextModel(text_config(tokenizer, 48, eos_token_id=2, hidden_act="gelu", num_hidden_layers=2))
    parts: dict[str, Any] = {"vae": _autoencoder(), "tokenizer": tokenizer, "text_encoder": text, **UNGUARDED}
    parts["unet"] = _unet(48, attention_head_dim=[2, 4], use_linear_projection=True)
    parts["scheduler"] = scheduler or DDIMScheduler(**NOISE, prediction_type="v_prediction", clip_sample=False)
    StableDiffusionPipeline(**parts, requires_safety_checker=False).save_pretrained(folder)
    return folder


def make_turbo(folder: Path) -> Path:
    """The layout of SD Turbo: SD 2.x with Euler's schedule of trailing steps."""
    return make_sd2(folder, EulerDiscreteScheduler(**NOISE, timestep_spacing="trailing"))


def make_lcm(folder: Path) -> Path:
    """A latent consistency model's folder: SD 1.5's with a UNet that is told its guidance."""
    base: Any = StableDiffusionPipeline.from_pretrained(make_sd15(folder, time_cond_proj_dim=16), safety_checker=None)
    parts = {name: part for name, part in base.components.items() if name not in ("scheduler", "image_encoder")}
    pipeline = LatentConsistencyModelPipeline(**parts, scheduler=LCMScheduler(**NOISE), requires_safety_checker=False)
    pipeline.save_pretrained(folder)
    return folder


def make_sdxl(folder: Path, **more: Any) -> Path:
    """The layout of SDXL: two tokenizers, two text encoders (the second with a projection), sizes told to the UNet, an
    autoencoder that wants float32."""
    torch.manual_seed(5)
    first, second = make_tokenizer(), make_tokenizer("!")
    one, other = text_config(first, WIDTH, eos_token_id=2, num_hidden_layers=2), text_config(
        second, 48, eos_token_id=2, num_hidden_layers=3, projection_dim=24, hidden_act="gelu"
    )  # fmt: skip
    unet = _unet(
        WIDTH + 48,
        attention_head_dim=[2, 4],
        transformer_layers_per_block=[1, 2],
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + 24,
        **more,
    )
    parts: dict[str, Any] = {"tokenizer": first, "tokenizer_2": second, "unet": unet, "vae": _autoencoder(0.13)}
    parts |= {"text_encoder": CLIPTextModel(one), "text_encoder_2": CLIPTextModelWithProjection(other)}
    parts["scheduler"] = EulerDiscreteScheduler(**NOISE, timestep_spacing="leading")
    StableDiffusionXLPipeline(**parts, add_watermarker=False).save_pretrained(folder)
    return folder


def _unet(width: int, **more: Any) -> UNet2DConditionModel:
    """16 x 16 latents, cross-attention at 16 x 16 and 8 x 8."""
    config = {"layers_per_block": 1, **more}
    return UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(16, 32),
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=width,
        norm_num_groups=8,
        **config,
    )


def _autoencoder(scaling: float = 0.18215) -> AutoencoderKL:
    """Pictures of 64 pixels to 4 x 16 x 16."""
    blocks: dict[str, Any] = {
        "block_out_channels": (8, 8, 16),
        "down_block_types": ("DownEncoderBlock2D",) * 3,
        "up_block_types": ("UpDecoderBlock2D",) * 3,
    }
    return AutoencoderKL(
        **blocks,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=64,
        scaling_factor=scaling,
        force_upcast=True,
    )


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
            picture, _ = sketch_bird(kind, 96)
            if index % 2:
                picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            picture.rotate(3 * index, fillcolor=picture.getpixel((0, 0))).save(place / f"{index}.png")
    return folder


def make_tiny_pack(folder: Path, world: Path, models: Any) -> Path:
    """A pack of four parts in three kinds, found in a world's ``pictures`` by its ``eyes`` for its ``base``, with
    random tokens and a random LoRA."""
    job = Discover(
        str(world / "pictures"), str(folder), 4, 3, "bird", str(world / "eyes"), str(world / "base"),
        part_names=["head", "wing", "tail", "body"], eye_settings=EyeSettings(image_size=64, sees="drawings"),
    )  # fmt: skip
    discover(models, job, lambda news: None)
    torch.manual_seed(2)
    save_file(PartTokens(4, 3, WIDTH).tensors(), folder / "tokens.safetensors")
    unet = models.own_pipeline(str(world / "base")).unet
    add_lora(unet, 2)
    random = {name: torch.randn_like(value) * 0.5 for name, value in lora_state(unet).items()}
    save_lora(random, folder / "lora.safetensors")
    return folder
