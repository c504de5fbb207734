"""What training the starter's base further relies on."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from engine.aviary.continue_training import latents_of
from engine.aviary.drawing.bird import draw_bird
from engine.aviary.drawing.species import mixed_bird
from engine.aviary.training.autoencoder import SCALING, to_unit
from engine.core.paths import resources_dir


def test_the_linear_map_of_an_encoder_is_found_again() -> None:
    from diffusers import AutoencoderTiny

    folder = resources_dir() / "starter" / "base" / "vae"
    rng = np.random.default_rng(1)
    birds = [mixed_bird(rng, ("Jay", "Owl", "Puffin")) for _ in range(24)]
    pictures = [draw_bird(bird, index, 256).image for index, bird in enumerate(birds)]
    large = to_unit(torch.from_numpy(np.stack(pictures[16:])))
    unit = F.avg_pool2d(large, 2)
    found = latents_of(folder, np.stack([draw_bird(bird, index).image for index, bird in enumerate(birds[:16])]))
    vae = AutoencoderTiny.from_pretrained(folder).float()
    with torch.no_grad():
        own = vae.encode(large).latents * SCALING  # pyright: ignore
        mapped = found.latents(unit)
        assert (mapped - own).square().mean() < 0.01 * own.square().mean()
        painted = vae.decode(mapped / SCALING).sample.clamp(-1, 1)  # pyright: ignore
    assert (painted - large).square().mean() < 0.03
