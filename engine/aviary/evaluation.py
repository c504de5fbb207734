"""The examination of a starter: what its renders show, by the judge, beside a floor and a ceiling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image

from engine.aviary.drawing.attributes import PARTS, Bird
from engine.aviary.drawing.bird import Drawing, draw_bird
from engine.aviary.drawing.species import compose, mixed_bird
from engine.aviary.starter_pack import GUIDANCE, STEPS
from engine.aviary.training.autoencoder import from_unit, to_unit
from engine.aviary.training.judge import NAMES, Judge
from engine.core.segmentation import NO_PART
from engine.core.vocabulary import Choice
from engine.models.conditioning import encode_prompt
from engine.models.text_encoding import tokenize_prompt
from engine.packs.codebook import Codebook
from engine.rendering.painter import Painter
from engine.segmentation.mask_refinement import segment_picture


@dataclass(frozen=True)
class EvaluationResult:
    """Exact match rates in 0..1: in all, and per part in PARTS order. ``asked`` and ``seen`` are indices into the
    judge's classes, (N, 5)."""

    asked: np.ndarray
    seen: np.ndarray

    @property
    def parts(self) -> list[float]:
        return (self.asked == self.seen).mean(0).tolist()

    @property
    def emr(self) -> float:
        return float((self.asked == self.seen).mean())

    @property
    def floor(self) -> float:
        """What the same pictures score for requests of other pictures: the rate of parts right by accident."""
        count = len(self.asked)
        others = [np.roll(self.asked, shift, axis=0) for shift in range(1, count)]
        return float(np.mean([(other == self.seen).mean() for other in others]))

    def to_document(self) -> dict[str, Any]:
        return {
            "count": len(self.asked),
            "emr": round(self.emr, 4),
            "parts": {part: round(rate, 4) for part, rate in zip(PARTS, self.parts, strict=True)},
            "floor": round(self.floor, 4),
        }


def requested_birds(names: Sequence[str], count: int, different: int, seed: int) -> list[Bird]:
    """Birds to ask for: of one species each (different 1, all species equally often) or of several."""
    rng = np.random.default_rng(seed)
    if different == 1:
        return [compose([names[index % len(names)]] * len(PARTS)) for index in range(count)]
    return [mixed_bird(rng, names, different) for _ in range(count)]


def true_classes(birds: Sequence[Bird]) -> np.ndarray:
    """int (N, 5): the judge's class of each part asked for."""
    return np.array([[NAMES.index(source) for source in bird.sources] for bird in birds])


@torch.no_grad()
def render_birds(
    painter: Painter,
    names: Sequence[str],
    birds: Sequence[Bird],
    seed: int = 0,
    steps: int = STEPS,
    guidance: float = GUIDANCE,
    batch: int = 8,
    report: Callable[[int, int], None] = lambda _done, _total: None,
) -> np.ndarray:
    """Render each bird with the pack's tokens (codes in the order of ``names``) in the app's own words; picture i
    has seed + i. Steps and guidance are the starter's own unless given. uint8 (N, H, W, 3)."""
    pipeline = painter.pipeline
    length = pipeline.text_encoder.config.max_position_embeddings
    pictures: list[np.ndarray] = []
    for first in range(0, len(birds), batch):
        group = birds[first : first + batch]
        sentences = []
        for bird in group:
            choices = [Choice(m, names.index(source)) for m, source in enumerate(bird.sources)]
            spaced = [piece for choice in choices for piece in (choice, " ")]
            sentences.append(tokenize_prompt(("a photo of a ", *spaced, "bird"), pipeline.tokenizer, length))
        hidden = encode_prompt(pipeline, sentences, painter.tokens).hidden
        empty = encode_prompt(pipeline, [tokenize_prompt(("",), pipeline.tokenizer, length)], None).hidden
        rendered = pipeline(
            prompt_embeds=hidden,
            negative_prompt_embeds=empty.expand(len(group), -1, -1),
            generator=[torch.Generator("cpu").manual_seed(seed + first + i) for i in range(len(group))],
            num_inference_steps=steps,
            guidance_scale=guidance,
            output_type="np",
        ).images
        pictures += list(np.round(rendered * 255).astype(np.uint8))
        report(first + len(group), len(birds))
    return np.stack(pictures)


def judge_pictures(judge: Judge, birds: Sequence[Bird], pictures: np.ndarray) -> EvaluationResult:
    """What the judge sees in pictures of these birds."""
    return EvaluationResult(true_classes(birds), judge.verdicts(pictures))


@torch.no_grad()
def through_autoencoder(vae: Any, birds: Sequence[Bird], seed: int = 0) -> np.ndarray:
    """Drawings of the birds, in the autoencoder's own size, after encoding and decoding, uint8 (N, H, W, 3): the
    ceiling of any render."""
    size = 16 * 2 ** (len(vae.config.decoder_block_out_channels) - 1)
    drawn = [draw_bird(bird, np.random.default_rng((seed, index)), size).image for index, bird in enumerate(birds)]
    decoded = []
    for first in range(0, len(drawn), 16):
        unit = to_unit(torch.from_numpy(np.stack(drawn[first : first + 16])).to(vae.device))
        decoded.append(from_unit(vae.decode(vae.encode(unit).latents).sample))
    return np.concatenate(decoded)


def segmentation_quality(
    look: Callable[[list[Image.Image]], list[np.ndarray]],
    codebook: Codebook,
    names: Sequence[str],
    count: int,
    seed: int,
) -> dict[str, Any]:
    """How well drawings of mixtures are cut into parts and their codes read.

    ``look`` gives feature maps (C, h, w) of pictures. Result: ``miou`` over the five parts at pixel level, ``iou`` per
    part and of the background, ``codes``: share of parts whose code is the species' own, per part.
    """
    rng = np.random.default_rng(seed)
    drawings: list[Drawing] = [draw_bird(mixed_bird(rng, names), rng) for _ in range(count)]
    together = np.zeros((2, len(PARTS) + 1))
    right = np.zeros((2, len(PARTS)))
    for drawing in drawings:
        (features,) = look([Image.fromarray(drawing.image)])
        segmentation = segment_picture(codebook, features, drawing.image)
        labels = np.where(segmentation.labels == NO_PART, 0, segmentation.labels + 1)
        for label in range(len(PARTS) + 1):
            predicted, actual = labels == label, drawing.labels == label
            together[:, label] += (predicted & actual).sum(), (predicted | actual).sum()
        for part, source in enumerate(drawing.bird.sources):
            if drawing.mask(PARTS[part]).sum() >= 32:
                right[:, part] += segmentation.codes[part] == names.index(source), 1
    iou = together[0] / np.maximum(together[1], 1)
    codes = right[0] / np.maximum(right[1], 1)
    return {
        "count": count,
        "miou": round(float(iou[1:].mean()), 4),
        "iou": {name: round(float(value), 4) for name, value in zip(("background", *PARTS), iou, strict=True)},
        "codes": {name: round(float(value), 4) for name, value in zip(PARTS, codes, strict=True)},
    }
