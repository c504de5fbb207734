"""Prints what a graphics card does: rendering at the sizes of Stable Diffusion 1.5 and XL, eyes, k-means, equality.

    python -m tests.gpu.measure [--device cuda] [--quick]

Weights are random, in the real layouts. Times are seconds of the clock; ours and plain diffusers take turns in one run,
and the faster half of each one's rounds counts. Equality: the same small model in float32 on the card and on the
processor, at most two grey levels apart; in the card's own precision the mean difference is printed. ``--quick`` takes
small models and works on a processor too, to see that the script runs.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, Dinov2Config, Dinov2Model

from engine.core.paths import resources_dir
from engine.core.vocabulary import Choice
from engine.models.conditioning import encoders_of
from engine.models.devices import best_device, best_precision
from engine.models.loader import Models
from engine.models.part_tokens import PartTokens, TokenSet
from engine.models.placement import place
from engine.rendering.decoding import decode
from engine.rendering.painter import Painter
from engine.segmentation.kmeans import kmeans
from tests.engine import tiny

LAYOUTS = {"sd1": ("Stable Diffusion 1.5", 512), "sdxl": ("SDXL", 1024)}
WORDS = ("a photo of a ", *(Choice(part, part) for part in range(4)), " bird")
ALIKE = 2
"""Grey levels that float32 on a card may be away from float32 on a processor."""


def main() -> int:
    """Measure and print; 1 if the card and the processor disagree."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--device", default=str(best_device()))
    parser.add_argument("--quick", action="store_true")
    words = parser.parse_args()
    device = torch.device(words.device)
    precision = best_precision(device)
    named = torch.cuda.get_device_name(device) if device.type == "cuda" else "a processor"
    print(f"== {named}, torch {torch.__version__}, {precision}")
    with tempfile.TemporaryDirectory() as scratch:
        apart = _equality(device, Path(scratch))
        for layout in LAYOUTS:
            _rendering(layout, device, words.quick, Path(scratch))
    _eyes(device, words.quick)
    _kmeans(device, words.quick)
    if device.type == "cuda":
        _matrix_rate(device, precision)
    return int(apart > ALIKE)


def _equality(device: torch.device, scratch: Path) -> int:
    """How many grey levels a picture in float32 is apart on the device and on the processor."""
    base = str(tiny.make_sd15(scratch / "equal"))
    drawn = {}
    for name, models in (
        ("processor", Models("cpu")),
        ("float32", Models(str(device), torch.float32)),
        ("own", Models(str(device))),
    ):
        (picture,) = _painter(models.pipeline(base)).paint(WORDS, ("grey",), [5], steps=6, guidance=3.0)
        drawn[name] = np.asarray(picture).astype(int)
    apart = int(np.abs(drawn["processor"] - drawn["float32"]).max())
    own = np.abs(drawn["processor"] - drawn["own"]).mean()
    print(f"equality with the processor: {apart} grey levels at most in float32 (bar {ALIKE}), {own:.2f} on average "
          "in the device's own precision")  # fmt: skip
    return apart


def _rendering(layout: str, device: torch.device, quick: bool, scratch: Path) -> None:
    title, side = LAYOUTS[layout]
    print(f"== {title}, {side} px")
    steps = 2 if quick else 20
    pipeline = _tiny(layout, device, scratch) if quick else _random(layout, device)
    painter = _painter(pipeline)
    side = painter.size if quick else side

    def ours(batch: int) -> None:
        painter.paint(WORDS, (), list(range(batch)), steps=steps, guidance=3.0, size=side, output="latent")

    def plain(batch: int) -> None:
        pipeline(
            "a photo of a red green blue grey bird", num_inference_steps=steps, guidance_scale=3.0, height=side,
            width=side, num_images_per_prompt=batch, output_type="latent",
            generator=[torch.Generator("cpu").manual_seed(seed) for seed in range(batch)],
        )  # fmt: skip

    for batch in (1, 4):
        mine, stock = _in_turns(lambda b=batch: ours(b), lambda b=batch: plain(b), device, 2 if quick else 4)
        print(f"{steps} steps, batch {batch}: {mine / batch:.2f} s a picture, plain diffusers {stock / batch:.2f} s, "
              f"ratio {mine / stock:.3f}; {steps * batch / mine:.1f} steps a second{_peak(device)}")  # fmt: skip
    latents = painter.paint(WORDS, (), [1], steps=1, guidance=1.0, size=side, output="latent")
    print(f"decoding: {_timed(lambda: decode(pipeline, latents), device):.2f} s a picture{_peak(device)}")
    names = [encoder.name for encoder in encoders_of(pipeline)] + ["unet", "vae"]
    for name in names:
        getattr(pipeline, name).to("cpu")
    place({name: getattr(pipeline, name) for name in names}, device, "turns")
    ours(1)
    print(f"taking turns on the device: {_timed(lambda: ours(1), device):.2f} s a picture{_peak(device)}")


def _eyes(device: torch.device, quick: bool) -> None:
    print("== eyes")
    config = Dinov2Config(hidden_size=384, num_attention_heads=6, num_hidden_layers=2 if quick else 12, image_size=518)
    model: Any = Dinov2Model(config)
    model.eval().to(device)
    side, batch = (112, 2) if quick else (448, 32)
    pixels = torch.randn(batch, 3, side, side, device=device)

    def look() -> None:
        with torch.no_grad(), torch.autocast(device.type, torch.float16, enabled=device.type == "cuda"):
            model(pixels)

    look()
    print(f"DINOv2 small, {side} px: {batch / _timed(look, device):.1f} pictures a second")


def _kmeans(device: torch.device, quick: bool) -> None:
    print("== k-means")
    rows = torch.randn(2_000 if quick else 200_000, 768, generator=torch.Generator().manual_seed(1))
    times = {}
    for where in dict.fromkeys((str(device), "cpu")):
        there = rows.to(where)
        times[where] = _timed(lambda data=there: kmeans(data, 8, seed=0, restarts=1), torch.device(where))
        print(f"{len(rows)} rows, 8 centroids, {where}: {times[where]:.2f} s")
    if len(times) > 1:
        print(f"ratio {times['cpu'] / times[str(device)]:.1f}")


def _matrix_rate(device: torch.device, precision: torch.dtype) -> None:
    side = 8192
    one = torch.randn(side, side, device=device, dtype=precision)

    def multiply() -> None:
        for _ in range(20):
            torch.mm(one, one)

    multiply()
    print(f"== matrix rate: {20 * 2 * side**3 / _timed(multiply, device) / 1e12:.0f} TFLOP/s in {precision}")


def _painter(pipeline: Any) -> Painter:
    torch.manual_seed(6)
    sets = {one.name: PartTokens(4, 4, one.width) for one in encoders_of(pipeline)}
    tokens: Any = TokenSet(sets) if len(sets) > 1 else sets["text_encoder"]
    return Painter(pipeline, tokens.to(pipeline._execution_device))


def _tiny(layout: str, device: torch.device, scratch: Path) -> Any:
    make = tiny.make_sdxl if layout == "sdxl" else tiny.make_sd15
    return Models(str(device)).pipeline(str(make(scratch / layout)))


def _random(layout: str, device: torch.device) -> Any:
    """A pipeline of the real size of a layout, its weights at random, made on the device."""
    from diffusers import (
        AutoencoderKL,
        DPMSolverMultistepScheduler,
        StableDiffusionPipeline,
        StableDiffusionXLPipeline,
        UNet2DConditionModel,
    )

    folder, precision = resources_dir() / "layouts" / layout, best_precision(device)
    torch.manual_seed(1)
    kinds: dict[str, Any] = {"unet": UNet2DConditionModel, "vae": AutoencoderKL, "text_encoder": CLIPTextModel}
    if layout == "sdxl":
        kinds["text_encoder_2"] = CLIPTextModelWithProjection
    parts: dict[str, Any] = {}
    for name, kind in kinds.items():
        with torch.device(device):
            if name.startswith("text"):
                parts[name] = kind(CLIPTextConfig.from_pretrained(folder / name))
            else:
                parts[name] = kind.from_config(kind.load_config(folder / name))
        parts[name] = parts[name].to(precision).eval().requires_grad_(False)
    tokenizer = tiny.make_tokenizer()
    parts |= {"tokenizer": tokenizer, "scheduler": DPMSolverMultistepScheduler(**tiny.NOISE)}
    if layout == "sdxl":
        pipeline: Any = StableDiffusionXLPipeline(**parts, tokenizer_2=tokenizer, add_watermarker=False)
    else:
        checked: Any = StableDiffusionPipeline
        pipeline = checked(**parts, **tiny.UNGUARDED, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _in_turns(one: Callable[[], None], other: Callable[[], None], device: torch.device, rounds: int) -> list[float]:
    """The mean of the faster half of the rounds of each, after one to warm up."""
    times: tuple[list[float], list[float]] = ([], [])
    for round in range(rounds + 1):
        for way, kept in zip((one, other), times, strict=True):
            taken = _timed(way, device)
            if round:
                kept.append(taken)
    return [statistics.mean(sorted(kept)[: max(1, len(kept) // 2)]) for kept in times]


def _timed(work: Callable[[], Any], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    began = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began


def _peak(device: torch.device) -> str:
    """The most of a card's memory that was used since it was asked last."""
    if device.type != "cuda":
        return ""
    peak = torch.cuda.max_memory_allocated(device) / 2**30
    torch.cuda.reset_peak_memory_stats(device)
    return f", {peak:.1f} GiB at most"


if __name__ == "__main__":
    sys.exit(main())
