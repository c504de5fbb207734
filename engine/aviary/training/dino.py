"""The starter eyes: a small Dinov2Model whose patch features tell the parts of drawn birds apart.

Training pulls every patch towards the direction of its part (the background's direction is opposite to
all parts', so that two clusters split background from bird and five find the parts), and asks the mean
feature of a part, without those directions, which variant of the part it is: for the pack's species by
name, for random parts by their attributes. Birds are mixtures, so a part's feature has to be about that
part and not about its neighbours. Held-out species are never seen.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import Dinov2Config, Dinov2Model

from engine.aviary.dataset import BirdDataset
from engine.aviary.drawing.attributes import PARTS, attribute_width, attributes
from engine.aviary.training.devices import CPU, Rows, noise_like
from engine.aviary.training.schedule import ParameterAverage, TrainingSchedule, load_state, save_state

WIDTH = 128
PATCH = 8
#: Sides of training pictures in pixels with how often each is used: the eyes look at 192 in the app.
SIZES = {128: 0.55, 160: 0.15, 192: 0.1, 256: 0.2}


def new_dino() -> Dinov2Model:
    """About 1.2 M parameters; positions are learned on a 16 x 16 grid and interpolated for finer ones."""
    return Dinov2Model(
        Dinov2Config(
            hidden_size=WIDTH, num_hidden_layers=6, num_attention_heads=4, mlp_ratio=4,
            image_size=128, patch_size=PATCH, layerscale_value=1.0, drop_path_rate=0.0,
        )
    )  # fmt: skip


def part_directions() -> torch.Tensor:
    """(6, WIDTH) unit rows: background, then the parts. Parts have cosine 0.35 with one another and
    -0.59 with the background."""
    generator = torch.Generator().manual_seed(7)
    basis = torch.randn(WIDTH, len(PARTS) + 1, generator=generator)
    basis = torch.linalg.qr(basis - basis.mean(0)).Q.T  # zero-mean rows: what a layer norm can produce
    common, own = basis[0], basis[1:]
    return torch.cat([-common[None], 0.35**0.5 * common + 0.65**0.5 * own])


class DinoTrainingHeads(nn.Module):
    """The heads that exist only during training."""

    def __init__(self, variants: int) -> None:
        super().__init__()
        directions = part_directions()
        self.register_buffer("directions", directions)
        self.register_buffer("span", torch.linalg.qr(directions.T).Q.T)
        self.variants = nn.Parameter(torch.randn(len(PARTS), variants, WIDTH) * 0.1)
        self.attributes = nn.ModuleList(nn.Linear(WIDTH, attribute_width(part)) for part in PARTS)

    def forward(
        self, cells: torch.Tensor, coverage: torch.Tensor, codes: torch.Tensor, targets: list[torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """Losses. cells (B, T, WIDTH); coverage (B, T, 6) shares; codes (B, 5), -1 where random; targets:
        five (B, A_part)."""
        unit = F.normalize(cells, dim=-1)
        logits = unit @ self.directions.T / 0.1  # pyright: ignore
        share = -(coverage * logits.log_softmax(-1)).sum(-1)
        # Parts cover few cells; legs fewest. Weigh each class by the root of its rarity.
        rarity = coverage.mean((0, 1)).clamp(min=1e-3).rsqrt()
        weight = coverage @ (rarity / rarity.mean())
        losses = {"part": (share * weight).mean()}
        hard = F.one_hot(coverage.argmax(-1), 6)[..., 1:].to(cells.dtype)  # (B, T, 5)
        visible = hard.sum(1) >= 2
        pooled = hard.transpose(1, 2) @ cells / hard.sum(1).clamp(min=1)[..., None]  # (B, 5, WIDTH)
        pooled = F.normalize(pooled, dim=-1)
        residual = pooled - pooled @ self.span.T @ self.span  # pyright: ignore
        size = residual.norm(dim=-1)
        variant = F.normalize(residual, dim=-1)
        likeness = torch.einsum("bmw,mkw->bmk", variant, F.normalize(self.variants, dim=-1)) / 0.08
        labelled = visible & (codes >= 0)
        losses["code"] = F.cross_entropy(likeness[labelled], codes[labelled])
        losses["attributes"] = torch.stack([
            (head(variant[:, m])[visible[:, m]] - targets[m][visible[:, m]]).square().mean()
            for m, head in enumerate(self.attributes)
        ]).mean()  # fmt: skip
        # The variant shall be visible beside the part, yet never outweigh it.
        losses["size"] = (size - 0.5).square()[visible].mean()
        return losses


def _coverage(labels: torch.Tensor, side: int) -> torch.Tensor:
    """Label maps uint8 (B, 128, 128) to shares (B, side * side, 6)."""
    planes = F.one_hot(labels.long(), 6).permute(0, 3, 1, 2).float()
    return F.adaptive_avg_pool2d(planes, side).flatten(2).transpose(1, 2)


def train_dino(
    folder: Path,
    images: np.ndarray,
    labels: np.ndarray,
    flock: BirdDataset,
    steps: int,
    batch: int = 16,
    rate: float = 1.5e-3,
    device: torch.device = CPU,
) -> Dinov2Model:
    """images uint8 (N, 128, 128, 3) and labels (N, 128, 128) of the flock's first N birds.
    Resumes from folder/state.pt; saves the averaged weights into folder/model at every checkpoint."""
    torch.manual_seed(5)
    model, lesson = new_dino(), DinoTrainingHeads(len(flock.names)).to(device)
    model.to(device)  # pyright: ignore
    pictures, maps = Rows(images, device), Rows(labels, device)
    parameters = [*model.parameters(), *lesson.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=rate, betas=(0.9, 0.99), weight_decay=0.02)
    average, pace = ParameterAverage(parameters, 0.995), TrainingSchedule(folder, steps)
    state = load_state(folder / "state.pt")
    if state is not None:
        model.load_state_dict(state["model"])
        lesson.load_state_dict(state["lesson"])
        optimizer.load_state_dict(state["optimizer"])
        average.load(state["average"])
        pace.resume(state["step"], state["progress"])
    rng = np.random.default_rng((5, pace.step))
    sums: dict[str, float] = {}
    while not pace.finished:
        factor = pace.advance()
        for group in optimizer.param_groups:
            group["lr"] = rate * factor
        size = int(rng.choice(list(SIZES), p=list(SIZES.values())))
        count = max(4, round(batch * (128 / size) ** 2))
        rows = rng.integers(0, len(images), count)
        birds = [flock.bird(row)[0] for row in rows.tolist()]
        codes = torch.tensor([[flock.names.index(s) if s else -1 for s in bird.sources] for bird in birds])
        targets = [torch.from_numpy(np.stack([attributes(b.part(part), part) for b in birds])) for part in PARTS]
        codes, targets = codes.to(device), [target.to(device) for target in targets]
        picture, truth = augmented(pictures[rows], maps[rows], size, rng)
        cells = model(picture).last_hidden_state[:, 1:]
        losses = lesson(cells, _coverage(truth, size // PATCH), codes, targets)
        loss = losses["part"] + 0.5 * losses["code"] + losses["attributes"] + losses["size"]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        average.update()
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + value.item()
        if pace.step % 50 == 0 or pace.finished:
            pace.log(**{name: value / ((pace.step - 1) % 50 + 1) for name, value in sums.items()})
            sums = {}
        if pace.step % 200 == 0 or pace.finished:
            average.swap()
            save_dino(model, folder / "model")
            average.swap()
            save_state(folder / "state.pt", {
                "model": model.state_dict(), "lesson": lesson.state_dict(), "optimizer": optimizer.state_dict(),
                "average": average.state(), "step": pace.step, "progress": pace.progress,
            })  # fmt: skip
    average.swap()
    return model.eval()


def augmented(
    images: torch.Tensor, labels: torch.Tensor, size: int, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures (B, 3, size, size) in about [-1, 1] and their label maps (B, 128, 128) of uint8 (B, 128, 128, 3) and
    (B, 128, 128): mirrored, moved and scaled a little, brighter or darker, with grain."""
    picture, truth = images.permute(0, 3, 1, 2).float() / 127.5 - 1, labels
    count = len(picture)
    scale = torch.from_numpy(rng.uniform(0.85, 1.2, count)).float()
    mirror = torch.where(torch.from_numpy(rng.random(count) < 0.5), -1.0, 1.0)
    move = torch.from_numpy(rng.uniform(-0.1, 0.1, (count, 2))).float()
    affine = torch.zeros(count, 2, 3)
    affine[:, 0, 0], affine[:, 1, 1], affine[:, :, 2] = mirror / scale, 1 / scale, move
    where = F.affine_grid(affine.to(picture.device), [count, 3, 128, 128], align_corners=False)
    picture = F.grid_sample(picture, where, padding_mode="border", align_corners=False)
    truth = F.grid_sample(truth[:, None].float(), where, mode="nearest", align_corners=False)[:, 0].byte()
    if size != 128:
        picture = F.interpolate(picture, (size, size), mode="bicubic", antialias=True)
    gain, shift = (torch.from_numpy(rng.normal(0, 0.06, (2, count, 3, 1, 1))).float()).to(picture.device).unbind(0)
    grain = torch.from_numpy(rng.uniform(0, 0.08, (count, 1, 1, 1))).float().to(picture.device) * noise_like(picture)
    return picture * (1 + gain) + shift + grain, truth


def save_dino(model: Dinov2Model, folder: Path) -> None:
    """A Dinov2Model folder with the preprocessing it was trained for."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    preprocessing = {
        "image_processor_type": "BitImageProcessor",
        "do_convert_rgb": True, "do_resize": True, "size": {"shortest_edge": 192}, "resample": 3,
        "do_center_crop": False, "do_rescale": True, "rescale_factor": 1 / 255,
        "do_normalize": True, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
    }  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessing, indent=1) + "\n")
