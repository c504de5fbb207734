"""What the app ships: the trained models as stock half-precision folders, the starter pack with its references,
and the held-out species as folders of pictures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderTiny, StableDiffusionPipeline, UNet2DConditionModel
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel, CLIPTokenizer, Dinov2Model

from engine.aviary.captions import taught_words
from engine.aviary.dataset import BirdDataset
from engine.aviary.drawing.attributes import PARTS, Bird
from engine.aviary.drawing.bird import Drawing, Pose, draw_bird
from engine.aviary.drawing.species import HELD_OUT, mixed_bird, species
from engine.aviary.training.base_model import inference_scheduler
from engine.aviary.training.devices import CPU
from engine.aviary.training.dino import PATCH, save_dino
from engine.core.palette import PALETTE
from engine.core.segmentation import NO_PART
from engine.core.vocabulary import Part, Vocabulary
from engine.models.base_models import base_model_in
from engine.models.dino_families import Eyes
from engine.models.model_config import OWN_WORDS
from engine.models.part_tokens import PartTokens
from engine.models.text_encoding import word_embeddings
from engine.packs.codebook import Codebook
from engine.packs.known_words import KNOWN_WORDS, known_words_document
from engine.packs.pack import BEGINNINGS, CODEBOOK, TOKENS, Backbone, Pack, Reference
from engine.segmentation.codebook_fitting import unit_rows
from engine.segmentation.dino import Dino

REVISION = "2026-11-27"
"""What tells this base from those that had its id before it."""
STEPS, GUIDANCE = 8, 3.0
"""How the base wants to be asked: more steps make no difference that the judge or an eye sees (docs/starter.md)."""
STRENGTHS = ((0.0, 0.0), (0.25, 0.18), (0.5, 0.38), (0.75, 0.54), (1.0, 1.0))
"""How far along its token a part's strength goes, so that its looks come evenly (``tests.bench.starter_behaviour``)."""
REFERENCE_SIZE = 512
EYES_SIZE = 192
LICENCE = "Apache-2.0; the pictures are also CC0-1.0"


def assemble_base(unet: Path, text: Path, tokenizer: Path, vae: Path, out: Path) -> None:
    """An ordinary StableDiffusionPipeline folder in half precision from the trained pieces."""
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderTiny.from_pretrained(vae),  # pyright: ignore[reportArgumentType]
        text_encoder=CLIPTextModel.from_pretrained(text),
        tokenizer=CLIPTokenizer.from_pretrained(tokenizer),
        unet=UNet2DConditionModel.from_pretrained(unet),  # pyright: ignore[reportArgumentType]
        scheduler=inference_scheduler(),  # pyright: ignore[reportArgumentType]
        safety_checker=None,  # pyright: ignore[reportArgumentType]
        feature_extractor=None,  # pyright: ignore[reportArgumentType]
        requires_safety_checker=False,
    )
    shutil.rmtree(out, ignore_errors=True)
    pipeline.to(torch.float16).save_pretrained(out)
    _open_as_float32(out / "text_encoder" / "config.json")
    index = json.loads((out / "model_index.json").read_text())
    index[OWN_WORDS] = {"revision": REVISION, "steps": STEPS, "guidance": GUIDANCE, "strengths": STRENGTHS}
    (out / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    for name in ("vae", "unet"):
        _plain_config(out / name / "config.json")
    write_known_words(out)


def write_known_words(base: Path) -> None:
    """Put the words that the base model was taught beside it."""
    document = known_words_document("The starter", "birds", taught_words())
    (base / KNOWN_WORDS).write_text(json.dumps(document) + "\n")


def _plain_config(config: Path) -> None:
    # diffusers writes the first key for an AutoencoderTiny but warns when it reads it; the second would name a folder
    # of the build.
    document = json.loads(config.read_text())
    if "decoder_block_out_channels" in document:
        document.pop("block_out_channels", None)
    document.pop("_name_or_path", None)
    config.write_text(json.dumps(document, indent=2) + "\n")


def assemble_dino(model: Path, out: Path) -> None:
    """The eyes in half precision."""
    shutil.rmtree(out, ignore_errors=True)
    save_dino(Dinov2Model.from_pretrained(model).half(), out)  # pyright: ignore[reportArgumentType]
    _open_as_float32(out / "config.json")


def _open_as_float32(config: Path) -> None:
    # transformers opens a model in the precision its config names; the halves are only for the disk.
    document = json.loads(config.read_text())
    document["dtype"] = "float32"
    config.write_text(json.dumps(document, indent=2) + "\n")


def open_starter_dino(eyes: Path, size: int = EYES_SIZE, device: torch.device = CPU) -> Dino:
    """The starter eyes as the engine uses them."""
    document = json.loads((eyes / "preprocessor_config.json").read_text())
    model = Dinov2Model.from_pretrained(eyes).float().eval().to(device)  # pyright: ignore[reportArgumentType]
    wrapped = Eyes(model, PATCH, tuple(document["image_mean"]), tuple(document["image_std"]))
    return Dino(wrapped, Backbone("starter/eyes", image_size=size, patch=PATCH))


def fit_starter_codebook(look: Dino, names: Sequence[str], mixes: int = 600, seed: int = 11) -> Codebook:
    """Centroids from drawings whose parts are known: means of unit features of background, foreground and each
    part's cells, then, with those, of each (part, species)'s pooled features. Fitted on mixtures, so that a code's
    centroid is about its part alone."""
    rng = np.random.default_rng(seed)
    drawings = [draw_bird(mixed_bird(rng, names), rng) for _ in range(mixes)]
    width = look.eyes.model.config.hidden_size
    sums, pooled = np.zeros((len(PARTS) + 1, width)), np.zeros((len(PARTS), len(names), width), np.float32)
    maps: list[np.ndarray] = []
    for first in range(0, mixes, 8):
        group = drawings[first : first + 8]
        for drawing, features in zip(group, look.features([Image.fromarray(d.image) for d in group]), strict=True):
            maps.append(features)
            rows = unit_rows(features.reshape(width, -1).T)
            cells = _cells(drawing, features.shape[1])
            for label in range(len(PARTS) + 1):
                sums[label] += rows[cells == label].sum(0)
    centroids = unit_rows(sums).astype(np.float32)
    front = unit_rows(centroids[1:].mean(0, keepdims=True))
    book = Codebook(np.concatenate([centroids[:1], front]), centroids[1:], pooled[:, :1])
    for drawing, features in zip(drawings, maps, strict=True):
        part_features = book.pooled(features, book.segment(features).labels)
        for part, source in enumerate(drawing.bird.sources):
            if part_features[part].any():
                pooled[part, names.index(source)] += unit_rows(part_features[part][None])[0]
    return Codebook(book.foreground, book.parts, unit_rows(pooled).astype(np.float32))


def fit_beginnings(
    look: Dino, codebook: Codebook, flock: BirdDataset, sample: torch.Tensor, first: int
) -> dict[str, Any]:
    """What helps new packs begin: how the parts of a flock's birds look, ``looks`` (5, N, C), and the tokens that say
    them (5, N, width), both fp16. ``sample`` are the soft tokens of birds number ``first`` and following."""
    looks = np.zeros((len(PARTS), sample.shape[1], look.eyes.model.config.hidden_size), np.float16)
    for index in range(sample.shape[1]):
        bird, pose = flock.bird(first + index)
        (features,) = look.features([Image.fromarray(draw_bird(bird, pose).image)])
        looks[:, index] = codebook.pooled(features, codebook.segment(features).labels)
    return {"looks": torch.from_numpy(looks), "text_encoder": sample.half()}


def _cells(drawing: Drawing, side: int) -> np.ndarray:
    """The label that covers most of each cell, flat (side * side,)."""
    planes = np.stack([drawing.labels == label for label in range(len(PARTS) + 1)])
    shares = torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(planes).float(), side)
    return shares.argmax(0).flatten().numpy()


def write_starter_pack(
    out: Path, names: Sequence[str], tokens: torch.Tensor, base: Path, codebook: Codebook, provenance: str,
    beginnings: dict[str, torch.Tensor],
) -> Pack:  # fmt: skip
    """The starter pack: codes are the species in the order of ``names``.

    tokens (5, species, width): each part's vectors for the text encoder; kept as the part's own word plus what
    makes the species. Metrics are added when it has been examined.
    """
    shutil.rmtree(out, ignore_errors=True)
    for folder in ("references", "thumbnails", "labels"):
        (out / folder).mkdir(parents=True)
    codebook.save(out / CODEBOOK)
    text = CLIPTextModel.from_pretrained(base / "text_encoder").float()  # pyright: ignore[reportArgumentType]
    part_tokens = around_words(tokens, text, CLIPTokenizer.from_pretrained(base / "tokenizer"))
    save_file(part_tokens.tensors(), out / TOKENS)
    save_file(beginnings, out / BEGINNINGS)
    pack = Pack(
        path=out.resolve(),
        id="starter",
        title="Starter aviary",
        vocabulary=Vocabulary(
            "bird",
            tuple(Part(m, part, PALETTE[m]) for m, part in enumerate(PARTS)),
            len(names),
            (tuple(names),) * len(PARTS),
        ),
        backbone=Backbone("starter/eyes", image_size=EYES_SIZE, patch=PATCH, sees="drawings"),
        base_model=base_model_in(base, "starter/base"),
        references=tuple(_reference(out.resolve(), name, code) for code, name in enumerate(names)),
        licence=LICENCE,
        provenance=provenance,
    )
    pack.save()
    return pack


def around_words(tokens: torch.Tensor, text: Any, tokenizer: Any) -> PartTokens:
    """Tokens (5, K, width), kept as the part's own word plus what makes the species."""
    word_vectors = word_embeddings(PARTS, tokenizer, text)
    part_tokens = PartTokens(*tokens.shape, layers=0)
    with torch.no_grad():
        part_tokens.position.copy_(word_vectors)
        part_tokens.embedding.copy_(tokens - word_vectors[:, None])
    return part_tokens


def _reference(out: Path, name: str, code: int) -> Reference:
    """One large drawing of a species, its part labels exact, since it was drawn."""
    pose = Pose.random(np.random.default_rng((21, code)), 0.5)
    drawing = draw_bird(species(name), replace(pose, left=False), REFERENCE_SIZE)
    id = name.lower()
    paths = {folder: out / folder / f"{id}.png" for folder in ("references", "thumbnails", "labels")}
    large = Image.fromarray(drawing.image)
    large.save(paths["references"], optimize=True)
    large.resize((160, 160), Image.Resampling.LANCZOS).save(paths["thumbnails"], optimize=True)
    labels = np.where(drawing.labels == 0, NO_PART, drawing.labels - 1).astype(np.uint8)
    Image.fromarray(labels).save(paths["labels"], optimize=True)
    picture, thumbnail, shown = (str(paths[folder]) for folder in ("references", "thumbnails", "labels"))
    return Reference(id, name, picture, thumbnail, shown, (code,) * len(PARTS))


def write_practice(out: Path, each: int = 32, size: int = 256) -> None:
    """The species kept out of everything, unmixed, a folder each: something to try the wizard on."""
    shutil.rmtree(out, ignore_errors=True)
    for name in HELD_OUT:
        (out / name).mkdir(parents=True)
        for index, drawing in enumerate(portraits(species(name), each, 31 + HELD_OUT.index(name), size)):
            Image.fromarray(drawing.image).quantize(128).save(out / name / f"{index:02d}.png", optimize=True)


def portraits(bird: Bird, count: int, seed: int, size: int = 128) -> list[Drawing]:
    """A bird in several poses, looking right as the base model's birds do."""
    rng = np.random.default_rng(seed)
    poses = [replace(Pose.random(rng, 0.5), left=False) for _ in range(count)]
    return [draw_bird(bird, pose, size) for pose in poses]


def learned_tokens(export: Path) -> dict[str, torch.Tensor]:
    """``species`` (5, species, width) and ``sample`` (5, 500, width): the soft tokens of the base's training."""
    return load_file(export / "part_tokens.safetensors")


def add_metrics(pack: Path, metrics: dict[str, Any]) -> None:
    """Put figures of the examination into pack.json."""
    opened = Pack.open(pack)
    replace(opened, metrics={**opened.metrics, **metrics}).save()
