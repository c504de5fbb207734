"""How sharp and how recognisable the starter's pictures are, by its autoencoder:
``python -m tests.bench.starter_decoder [--vae FOLDER ...] [--count 128] [--steps 8 12 20] [--out FOLDER]``.

For each autoencoder (the starter's own, and others of the same latents): drawings of mixes of four through it (PSNR in
its own size, sharpness beside the drawings', what the judge still sees), then renders by the starter's UNet, unseen
mixes of four and birds of one species, from the very same latents (EMR, all five parts right, sharpness, seconds).
Sharpness is the mean absolute Laplacian in grey levels; it falls with the size, so ratios are to drawings of the same
size. Sheets, three times as large as a 128-pixel picture, go into the folder: drawings, and what each autoencoder makes
of them; and renders of each.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny, StableDiffusionPipeline
from PIL import Image
from safetensors.torch import load_file, save_file

from engine.aviary.drawing.bird import draw_bird
from engine.aviary.drawing.species import PACK_SPECIES, mixed_bird
from engine.aviary.evaluation import judge_pictures, render_birds, requested_birds
from engine.aviary.training.autoencoder import from_unit, psnr, to_unit
from engine.aviary.training.decoder import sharpness
from engine.aviary.training.judge import Judge
from engine.core.paths import resources_dir
from engine.models.part_tokens import PartTokens
from engine.rendering.painter import Painter

STARTER = resources_dir() / "starter"
KINDS = {"mixed": 4, "same": 1}
SHOWN, SHOWN_SIDE = 8, 384
Birds = Sequence[Any]


@contextmanager
def kept_latents(pipeline: Any) -> Iterator[list[torch.Tensor]]:
    """While open, the pipeline paints nothing; its latents are put into the list."""
    latents: list[torch.Tensor] = []
    decode = pipeline.vae.decode

    def keep(scaled: torch.Tensor, **_: Any) -> tuple[torch.Tensor]:
        latents.append(scaled)
        return (torch.zeros(len(scaled), 3, 8, 8),)

    pipeline.vae.decode = keep
    try:
        yield latents
    finally:
        pipeline.vae.decode = decode


def rendered_latents(out: Path, count: int, steps: int, kind: str) -> tuple[Birds, torch.Tensor]:
    """Birds asked for, and the autoencoder's latents (N, C, 16, 16) of their renders; kept in a file."""
    birds = requested_birds(PACK_SPECIES, count, KINDS[kind], seed=300 + KINDS[kind])
    file = out / f"latents-{kind}-{steps}-{count}.safetensors"
    if not file.exists():
        pipeline: Any = StableDiffusionPipeline.from_pretrained(STARTER / "base", dtype=torch.float32)
        pipeline.set_progress_bar_config(disable=True)
        painter = Painter(pipeline, PartTokens.load(STARTER / "pack" / "tokens.safetensors"))
        began = time.process_time()
        with kept_latents(pipeline) as latents:
            render_birds(painter, PACK_SPECIES, birds, seed=70_000 * KINDS[kind], steps=steps, batch=16)
        print(f"{kind}, {steps} steps: {(time.process_time() - began) / count:.2f} CPU s a picture before the decoder")
        save_file({"latents": torch.cat(latents).contiguous()}, file)
    return birds, load_file(file)["latents"]


@torch.no_grad()
def painted(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """(N, 3, H, W) in [-1, 1]."""
    return torch.cat([vae.decode(some).sample.clamp(-1, 1) for some in latents.split(8)])


def shown(images: torch.Tensor) -> np.ndarray:
    """The first pictures in a row."""
    large = F.interpolate(images[:SHOWN], (SHOWN_SIDE, SHOWN_SIDE), mode="bicubic", antialias=True)
    return np.concatenate(list(from_unit(large)), 1)


def drawn(birds: Birds, size: int) -> np.ndarray:
    return np.stack([draw_bird(bird, np.random.default_rng((98, row)), size).image for row, bird in enumerate(birds)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vae", type=Path, nargs="*", default=[], help="others, beside the starter's own")
    parser.add_argument("--count", type=int, default=128)
    parser.add_argument("--steps", type=int, nargs="*", default=[8, 12, 20])
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "starter-decoder")
    arguments = parser.parse_args()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    judge = Judge.open(STARTER / "judge")
    rng = np.random.default_rng(4242)
    mixes = [mixed_bird(rng, PACK_SPECIES, 4) for _ in range(arguments.count)]
    sheets = {"drawings": [shown(to_unit(torch.from_numpy(drawn(mixes[:SHOWN], 256))))], "mixed": [], "same": []}
    for folder in (*arguments.vae, STARTER / "base" / "vae"):
        vae: Any = AutoencoderTiny.from_pretrained(folder).float().eval()
        size = 16 * 2 ** (len(vae.config.decoder_block_out_channels) - 1)
        images = drawn(mixes, size)
        true = to_unit(torch.from_numpy(images))
        with torch.no_grad():
            through = painted(vae, torch.cat([vae.encode(some).latents for some in true.split(8)]))
        clean, ceiling = (judge_pictures(judge, mixes, some) for some in (images, from_unit(through)))
        sharp, most = sharpness(through), sharpness(true)
        print(
            f"{folder}: {size} px; drawings through it {psnr(through, true):.2f} dB, sharpness {sharp:.2f} of "
            f"{most:.2f} ({sharp / most:.3f}), judge {ceiling.emr:.4f} of {clean.emr:.4f}"
        )
        sheets["drawings"].append(shown(through))
        for steps in arguments.steps:
            for kind in KINDS:
                birds, latents = rendered_latents(out, arguments.count, steps, kind)
                began = time.process_time()
                pictures = painted(vae, latents)
                seconds = (time.process_time() - began) / len(latents)
                result = judge_pictures(judge, birds, from_unit(pictures))
                whole, parts = (result.asked == result.seen).all(1).mean(), [round(rate, 3) for rate in result.parts]
                sharp = sharpness(pictures)
                print(
                    f"  {kind}, {steps} steps: EMR {result.emr:.4f}, parts {parts}, all five {whole:.3f}, "
                    f"sharpness {sharp:.2f} ({sharp / most:.3f}), decoder {seconds:.2f} CPU s",
                    flush=True,
                )
                if steps == max(arguments.steps):
                    sheets[kind].append(shown(pictures))
    for name, rows in sheets.items():
        Image.fromarray(np.concatenate(rows)).save(out / f"{name}.png")
    print(f"sheets: {out}")


if __name__ == "__main__":
    main()
