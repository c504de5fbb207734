"""Latents as a base model makes them, for its decoder to learn on: mended from noisy drawings, and free from noise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from engine.aviary.captions import TEMPLATES
from engine.aviary.dataset import BirdDataset
from engine.aviary.drawing.attributes import Bird
from engine.aviary.training.autoencoder import PatchPCA
from engine.aviary.training.decoder import Rehearsal, drawn, halved_latents
from engine.core.vocabulary import Choice
from engine.models.conditioning import encode_prompt
from engine.models.text_encoding import tokenize_prompt
from engine.rendering.painter import Painter

GUIDANCE = 3.0
#: Steps of the whole way, and how many of its last ones a noisy drawing goes: with 8, another bird begins to come out.
STEPS, LAST_STEPS = 10, (5, 6, 6, 7)
_GROUP = 16


def rehearse(
    folder: Path, painter: Painter, flock: BirdDataset, pca: PatchPCA, mended: int = 1200, free: int = 400
) -> Rehearsal:
    """Have the base paint the flock's first birds by the pack's tokens (the flock has no random parts, and its names
    are in the pack's order): ``mended`` from their drawings with noise, ``free`` more from noise alone. Kept in
    folder/rehearsal.safetensors, and read from there the next time."""
    path = folder / "rehearsal.safetensors"
    if not path.exists():
        rng = np.random.default_rng((8, flock.seed))
        parts: dict[str, list[torch.Tensor]] = {"mended": [], "free": []}
        for first in range(0, mended, _GROUP):
            rows = np.arange(first, min(first + _GROUP, mended))
            clean = halved_latents(pca, drawn(flock, rows))
            last = int(rng.choice(LAST_STEPS))
            parts["mended"].append(_painted(painter, flock, rows, rng, clean, last))
        for first in range(0, free, _GROUP):
            rows = mended + np.arange(first, min(first + _GROUP, free))
            parts["free"].append(_painted(painter, flock, rows, rng, None, STEPS))
        folder.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".part")
        save_file({name: torch.cat(groups).half().contiguous() for name, groups in parts.items()}, beside)
        beside.replace(path)
    kept = load_file(path)
    return Rehearsal(flock, kept["mended"], kept["free"])


@torch.no_grad()
def _painted(
    painter: Painter, flock: BirdDataset, rows: np.ndarray, rng: np.random.Generator, clean: torch.Tensor | None,
    last: int,
) -> torch.Tensor:  # fmt: skip
    """Latents (B, C, 16, 16) of birds after the ``last`` of STEPS steps with guidance."""
    pipeline: Any = painter.pipeline
    unet, scheduler, device = pipeline.unet, pipeline.scheduler, pipeline.unet.device
    shape = (len(rows), unet.config.in_channels, unet.config.sample_size, unet.config.sample_size)
    noise = torch.from_numpy(rng.standard_normal(shape, np.float32)).to(device)
    hidden = _states(painter, [flock.bird(int(row))[0] for row in rows], flock.names, rng)
    scheduler.set_timesteps(STEPS, device)
    scheduler.set_begin_index(STEPS - last)
    times = scheduler.timesteps[STEPS - last :]
    latents = noise if clean is None else scheduler.add_noise(clean.to(device), noise, times[:1].expand(len(rows)))
    for time in times:
        empty, told = unet(torch.cat([latents, latents]), time, hidden).sample.chunk(2)
        latents = scheduler.step(empty + GUIDANCE * (told - empty), time, latents).prev_sample
    scheduler.set_begin_index(0)
    return latents.cpu()


def _states(painter: Painter, birds: list[Bird], names: tuple[str, ...], rng: np.random.Generator) -> torch.Tensor:
    """Text states (2 B, L, width): of nothing, then of each bird, its parts in any order."""
    pipeline = painter.pipeline
    length = pipeline.text_encoder.config.max_position_embeddings
    sentences = []
    for bird in birds:
        choices = [Choice(part, names.index(source)) for part, source in enumerate(bird.sources)]
        spaced = [piece for at in rng.permutation(len(choices)).tolist() for piece in (choices[at], " ")]
        before, after = TEMPLATES[0].split("{} ")
        sentences.append(tokenize_prompt((before, *spaced, after), pipeline.tokenizer, length))
    hidden = encode_prompt(pipeline, sentences, painter.tokens).hidden
    empty = encode_prompt(pipeline, [tokenize_prompt(("",), pipeline.tokenizer, length)], None).hidden
    return torch.cat([empty.expand(len(birds), -1, -1), hidden])
