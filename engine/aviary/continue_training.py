"""Train a shipped starter's base model further: python -m engine.aviary further OUT.

The base of the first build saw some 62,000 pictures; this shows it more of them, with more random parts, and refreshes
what depends on it: the pack's tokens and its beginnings. Eyes, judge, autoencoder and codebook stay as they are.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny
from safetensors.torch import save_file
from transformers import CLIPTextModel, CLIPTokenizer

from engine.aviary import starter_pack as starter
from engine.aviary.build import Log
from engine.aviary.dataset import BirdDataset, make_pool
from engine.aviary.drawing.attributes import PARTS
from engine.aviary.training.autoencoder import SCALING, PatchPCA, encode_pool, to_unit
from engine.aviary.training.base_model import SAMPLED_FROM, train_base
from engine.aviary.training.devices import CPU
from engine.packs.pack import BEGINNINGS, TOKENS, Pack

RANDOM_SHARE, PICTURES, STEPS, RATE = 0.4, 72_000, 4000, 6e-4
_FITTED_ON = 1536


def continue_training(
    source: Path, out: Path, steps: int = STEPS, log: Log = print, device: torch.device = CPU
) -> None:
    """Train the base of the starter in ``source`` for ``steps`` more and write the refreshed starter into ``out``.
    Goes on from ``out/work`` when started again."""
    torch.set_num_threads(1)
    work = out / "work"
    pack = Pack.open(source / "pack")
    names = pack.vocabulary.code_names[0]
    flock = BirdDataset(5, names, RANDOM_SHARE)
    images, labels = make_pool(work / "pool", PICTURES, flock, log=log)
    latents, masks = encode_pool(images, labels, latents_of(source / "base" / "vae", images), log, device)
    tokenizer = CLIPTokenizer.from_pretrained(source / "base" / "tokenizer")
    model = train_base(work / "base", latents, masks, tokenizer, flock, steps, rate=RATE, start=source, device=device)
    model.export(work / "export", flock)
    for name in ("eyes", "judge", "practice", "pack"):
        shutil.copytree(source / name, out / name, dirs_exist_ok=True)
    export = work / "export"
    starter.assemble_base(
        export / "unet", export / "text_encoder", source / "base" / "tokenizer", source / "base" / "vae", out / "base"
    )
    text: CLIPTextModel = CLIPTextModel.from_pretrained(out / "base" / "text_encoder")
    learned = starter.learned_tokens(export)
    tokens = starter.around_words(learned["species"], text.float(), tokenizer)
    save_file(tokens.tensors(), out / "pack" / TOKENS)
    look = starter.open_starter_dino(out / "eyes")
    beginnings = starter.fit_beginnings(look, pack.codebook(), flock, learned["sample"], SAMPLED_FROM)
    save_file(beginnings, out / "pack" / BEGINNINGS)
    log(f"{len(PARTS)} x {len(names)} tokens and {learned['sample'].shape[1]} looks are written")


@torch.no_grad()
def latents_of(vae: Path, images: np.ndarray) -> PatchPCA:
    """The linear map from patches to latents that an autoencoder's encoder learned, by least squares.

    The encoder was taught a linear map, and comes close to it; the decoder knows the map itself, and paints from it
    half a decibel better. images uint8 (N, 128, 128, 3), of which the first are looked at."""
    model: AutoencoderTiny = AutoencoderTiny.from_pretrained(vae).float()
    times = 2 ** (len(model.config.encoder_block_out_channels) - 4)  # pyright: ignore
    rows, encoded = [], []
    for first in range(0, min(_FITTED_ON, len(images)), 64):
        unit = to_unit(torch.from_numpy(np.array(images[first : first + 64])))
        b, _, h, w = unit.shape
        rows.append(unit.reshape(b, 3, h // 8, 8, w // 8, 8).permute(0, 2, 4, 1, 3, 5).reshape(-1, 192))
        large = F.interpolate(unit, scale_factor=times)  # one of 256 pixels halves its pictures
        encoded.append((model.encode(large).latents * SCALING).permute(0, 2, 3, 1).flatten(0, 2))  # pyright: ignore
    patches, targets = torch.cat(rows).double(), torch.cat(encoded).double()
    mean, middle = patches.mean(0), targets.mean(0)
    centred = patches - mean
    square = centred.T @ centred
    square += 1e-6 * square.diagonal().mean() * torch.eye(len(square), dtype=square.dtype)
    encode = torch.linalg.solve(square, centred.T @ (targets - middle))
    mean = mean - middle @ torch.linalg.pinv(encode)
    latents = (patches - mean) @ encode
    decode = torch.linalg.lstsq(latents, patches - mean).solution
    return PatchPCA(mean.float(), encode.float().contiguous(), decode.float().contiguous())
