"""The eyes: Dino as a function from pictures to feature maps, and the cache that looks at each picture only once.

The cache is keyed by what is in a file, not by its name, and by the eyes: their weights, layer and size. It is a
folder of safetensors files with the feature maps of a few pictures each, float16 (H, W, C) named by the pictures'
digests, that are mapped into memory and read a few rows at a time. Each file is written whole or not at all, so what a
killed run has looked at is not looked at again, and several processes can fill one cache.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from engine.core.errors import UserError
from engine.models.dino_families import Eyes
from engine.models.loader import Models
from engine.packs.pack import Backbone

Floats = npt.NDArray[np.float32]


class Dino:
    """A vision transformer as a function from pictures to feature maps, the way a pack's backbone says."""

    def __init__(self, eyes: Eyes, backbone: Backbone) -> None:
        self.eyes = eyes
        self.backbone = backbone

    def pixels(self, picture: Image.Image) -> torch.Tensor:
        """A picture as the model wants it: float32 (3, H, W), sides multiples of the patch.

        The aspect ratio is kept (at most 1:4) and the area is about ``image_size`` squared.
        """
        patch, size = self.eyes.patch, self.backbone.image_size
        ratio = math.sqrt(min(max(picture.width / picture.height, 0.25), 4.0))
        width, height = (max(1, round(side / patch)) * patch for side in (size * ratio, size / ratio))
        scaled = picture.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
        pixels = torch.from_numpy(np.array(scaled)).permute(2, 0, 1).float() / 255
        mean, std = (torch.tensor(values)[:, None, None] for values in (self.eyes.mean, self.eyes.std))
        return (pixels - mean) / std

    @torch.no_grad()
    def features(self, pictures: Sequence[Image.Image]) -> list[Floats]:
        """Feature maps, float32 (C, H/patch, W/patch) each; class and register tokens are left out."""
        batches: dict[tuple[int, ...], list[int]] = {}
        pixels = [self.pixels(picture) for picture in pictures]
        for index, tensor in enumerate(pixels):
            batches.setdefault(tuple(tensor.shape), []).append(index)
        features: dict[int, Floats] = {}
        for shape, members in batches.items():
            batch = torch.stack([pixels[index] for index in members]).to(self.eyes.model.device)
            states = self.eyes.states(batch, self.backbone.feature_layer)
            grid = (shape[1] // self.eyes.patch, shape[2] // self.eyes.patch)
            arranged = states.transpose(1, 2).unflatten(2, grid).cpu().contiguous().numpy()
            features.update(zip(members, arranged, strict=True))
        return [features[index] for index in range(len(pictures))]


def open_dino(models: Models, backbone: Backbone) -> Dino:
    """The eyes a backbone names. Raises :class:`UserError` if they are not on this computer or do not fit."""
    eyes = models.eyes(backbone.id)
    if eyes.patch != backbone.patch:
        raise UserError(
            f"The eyes {backbone.id} see patches of {eyes.patch} pixels, the pack was made with {backbone.patch}.",
            "Use the eyes the pack was made with.",
        )
    if not _is_layer(backbone.feature_layer, eyes.layers):
        raise UserError(
            f"The eyes {backbone.id} have no layer {backbone.feature_layer}.",
            f"Use last_hidden_state, or a number from 0 to {eyes.layers}.",
        )
    return Dino(eyes, backbone)


def _is_layer(name: str, layers: int) -> bool:
    """Whether a name is that of a layer's output: "last_hidden_state", or a number that may count from the end."""
    try:
        return name == "last_hidden_state" or -layers - 1 <= int(name) <= layers
    except ValueError:
        return False
