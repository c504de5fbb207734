"""Whether what a training paints resembles what it learned from: a match rate cannot say, for it only asks which of the
codes a blot is nearest to.

Samples and pictures are compared as two sets of descriptors, by how far apart their means are: the squared maximum mean
discrepancy with a linear kernel, unbiased (Gretton et al. 2012, A Kernel Two-Sample Test, lemma 6), so that few
pictures, and mixes that are like no single picture, count for what they are. A descriptor is what the pack's eyes see,
pooled over the picture and over its foreground. The scale has two ends: the pictures as the base model's autoencoder
gives them back (1; nothing it paints can be nearer), and decoded random latents (0).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from engine.core.on_disk import is_file
from engine.core.resemblance import Resemblance
from engine.models.loader import Models
from engine.models.vae import decode_latents
from engine.packs.codebook import Codebook
from engine.packs.pack import CODEBOOK, Pack
from engine.segmentation.codebook_fitting import unit_rows
from engine.segmentation.dino import Dino, open_dino
from engine.training.examples import Examples
from engine.worker.jobs import Progress, Report

Floats = npt.NDArray[np.float32]

STAGE: Final = "Comparing with your pictures"
_PICTURES: Final = 16
_NOISE: Final = 6
_APART: Final = 0.01
"""Squared distance: where noise is not even so far from the pictures, these eyes can tell nothing of them."""


def measure_resemblance(
    models: Models, pack: Pack, vae: torch.nn.Module, samples: Sequence[Image.Image], examples: Path, report: Report
) -> Resemblance | None:
    """How much samples resemble what was learned from, the kept ``examples`` of a run. None where nobody can say: no
    samples, a pack without codebook, eyes that are not on this computer or that cannot tell the pictures from noise.
    Raises :class:`UserError` where eyes and pack do not fit together."""
    if not samples or not is_file(pack.path / CODEBOOK) or not models.has(pack.backbone.id):
        return None
    dino, codebook = open_dino(models, pack.backbone), pack.codebook()
    parts = [part.index for part in pack.vocabulary.visible_parts]
    total = len(samples)
    known = Examples.load(examples).latents[:, 0]  # of the views the plain one
    known = known[np.linspace(0, len(known) - 1, min(len(known), _PICTURES)).astype(int)]
    noise = torch.randn((_NOISE, *known.shape[1:]), generator=torch.Generator().manual_seed(0))
    total += len(known) + len(noise)
    seen = _Looking(dino, codebook, parts, report, total)
    own = seen.descriptors(samples)
    near = seen.descriptors(_decoded(vae, known))
    far = seen.descriptors(_decoded(vae, noise))
    share = share_between(own, near, far)
    return None if share is None else Resemblance(share, pack.base_model.id)


def share_between(samples: Floats, near: Floats, far: Floats) -> float | None:
    """Where samples are between ``far`` (0) and ``near`` (1), all descriptors (N, D) with N at least 1; what is beyond
    an end is at it. None where the ends are not apart."""
    length = squared_distance(far, near)
    if not length >= _APART:  # also where it is no number
        return None
    share = 1 - squared_distance(samples, near) / length
    return min(1.0, max(0.0, share)) if np.isfinite(share) else None


def squared_distance(one: Floats, other: Floats) -> float:
    """The squared distance of the means of what two sets are drawn from, (N, D) and (K, D), without bias: it may be
    slightly negative. Of a set of one the spread is not known and counts as none."""
    return _within(one) + _within(other) - 2 * float((one @ other.T).mean())


def _within(rows: Floats) -> float:
    """The mean product of two different rows."""
    products, count = rows @ rows.T, len(rows)
    if count == 1:
        return float(products[0, 0])
    return float((products.sum() - np.trace(products)) / (count * (count - 1)))


def descriptor(features: Floats, foreground: npt.NDArray[np.bool_]) -> Floats:
    """One picture of features (C, H, W) as float32 (2 C,), at most 1 long: the mean of its cells' directions, and the
    mean over its ``foreground`` (H, W); zeros for a foreground without cells."""
    rows = unit_rows(np.nan_to_num(features.reshape(len(features), -1).T))
    inside = rows[foreground.reshape(-1)]
    pooled = np.stack([rows.mean(axis=0), inside.mean(axis=0) if len(inside) else np.zeros(rows.shape[1])])
    return (unit_rows(pooled.astype(np.float32)) / np.sqrt(2)).reshape(-1).astype(np.float32)


class _Looking:
    """The pack's eyes, which say how many of ``total`` pictures they have seen."""

    def __init__(self, dino: Dino, codebook: Codebook, parts: Sequence[int], report: Report, total: int) -> None:
        self._dino, self._codebook, self._parts = dino, codebook, parts
        self._report, self._total = report, total
        self._done = 0

    def descriptors(self, pictures: Sequence[Image.Image] | Iterator[Image.Image]) -> Floats:
        """Descriptors of pictures, (N, 2 C)."""
        rows = []
        for picture in pictures:
            self._report(Progress(STAGE, self._done, self._total))
            self._done += 1
            (features,) = self._dino.features([picture])
            foreground = np.isin(self._codebook.segment(features).labels, self._parts)
            rows.append(descriptor(features, foreground))
        return np.stack(rows)


def _decoded(vae: torch.nn.Module, latents: torch.Tensor) -> Iterator[Image.Image]:
    """Latents (N, C, h, w) as pictures, one at a time: what a base model takes for one is known to fit."""
    for one in latents:
        pixels = decode_latents(vae, one[None])[0]
        yield Image.fromarray(((pixels + 1) * 127.5).round().byte().permute(1, 2, 0).numpy())
