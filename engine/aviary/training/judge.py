"""The judge: a small network that says, part by part, which species' part a picture shows, or none.

It is trained on drawings only, never on rendered pictures, and is given what renders suffer from (blur,
noise, lost detail) as well as what must not pass: parts of no species, parts whose shape is broken, and
mere blobs of the right colour. All of these are "none".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

from engine.aviary.drawing.attributes import PARTS, Bird, random_part
from engine.aviary.drawing.bird import Pose, draw_bird
from engine.aviary.drawing.species import SPECIES, compose
from engine.aviary.training.autoencoder import PatchPCA, to_unit
from engine.aviary.training.devices import CPU, Rows, noise_like
from engine.aviary.training.schedule import ParameterAverage, TrainingSchedule, load_state, save_state

NAMES: tuple[str, ...] = tuple(sorted(SPECIES))
#: The class of parts that belong to no species.
NONE = len(NAMES)
#: Channels of the first full level.
WIDTH = 48


class Judge(nn.Module):
    """Pictures (B, 3, 128, 128) in [-1, 1] to logits (B, 5, species + 1)."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()

        def block(inside: int, outside: int, stride: int) -> nn.Sequential:
            return nn.Sequential(
                nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(inplace=True)
            )

        self.trunk = nn.Sequential(
            block(3, width // 2, 2),
            block(width // 2, width, 2),
            block(width, width, 1),
            block(width, 2 * width, 2),
            block(2 * width, 2 * width, 1),
            block(2 * width, 3 * width, 1),
        )
        # Where each part is (5 maps), and what is there.
        self.where = nn.Conv2d(3 * width, len(PARTS), 3, padding=1)
        self.what = nn.ModuleList(
            nn.Sequential(nn.Linear(6 * width, 128), nn.ReLU(), nn.Dropout(0.1), nn.Linear(128, NONE + 1))
            for _ in PARTS
        )

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (B, 5, NONE + 1) and the attention's logits (B, 5, 256) over the 16 x 16 cells."""
        pooled, where = self._pooled(images)
        return torch.stack([net(pooled[:, m]) for m, net in enumerate(self.what)], 1), where

    def _pooled(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and deviation of the features where each part is (B, 5, 6 width), and the attention's logits."""
        features = self.trunk(images).flatten(2)
        where = self.where(features.unflatten(2, (16, 16))).flatten(2)
        weights = where.softmax(-1)
        mean = weights @ features.transpose(1, 2)  # (B, 5, width)
        square = weights @ features.square().transpose(1, 2)
        return torch.cat([mean, (square - mean.square()).clamp(min=0).add(1e-4).sqrt()], -1), where

    @torch.no_grad()
    def verdicts(self, images: np.ndarray) -> np.ndarray:
        """uint8 (N, H, W, 3) to int (N, 5): index into NAMES, or NONE."""
        return torch.cat([self(unit)[0].argmax(-1) for unit in self._batches(images)]).cpu().numpy()

    @torch.no_grad()
    def impressions(self, images: np.ndarray) -> np.ndarray:
        """uint8 (N, H, W, 3) to float32 (N, 5, 128): what the judge knows of each part before it names the species,
        of length 1. Their cosines say how alike parts look to it."""
        batches = []
        for unit in self._batches(images):
            pooled, _ = self._pooled(unit)
            batches.append(torch.stack([net[1](net[0](pooled[:, m])) for m, net in enumerate(self.what)], 1))  # pyright: ignore
        return F.normalize(torch.cat(batches), dim=-1).cpu().numpy()

    def _batches(self, images: np.ndarray) -> Iterator[torch.Tensor]:
        """Pictures uint8 (N, H, W, 3) as the judge wants them, 64 at a time."""
        self.eval()
        for first in range(0, len(images), 64):
            unit = to_unit(torch.from_numpy(images[first : first + 64]).to(self.where.weight.device))
            if unit.shape[-1] != 128:
                unit = F.interpolate(unit, (128, 128), mode="bilinear", antialias=True)
            yield unit

    @staticmethod
    def open(folder: Path) -> Judge:
        """The judge saved in a folder."""
        judge = Judge(json.loads((folder / "config.json").read_text())["width"])
        judge.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in
                               load_file(folder / "model.safetensors").items()})  # fmt: skip
        return judge.eval()

    def save(self, folder: Path, accuracy: Sequence[float]) -> None:
        """Half-precision weights and a config that names the classes and the held-out accuracy per part."""
        folder.mkdir(parents=True, exist_ok=True)
        weights = {k: (v.half() if v.is_floating_point() else v).contiguous() for k, v in self.state_dict().items()}
        save_file(weights, folder / "model.safetensors")
        config = {
            "width": self.trunk[1][0].out_channels,  # pyright: ignore
            "classes": [*NAMES, "none"],
            "parts": list(PARTS),
            "accuracy": dict(zip(PARTS, [round(a, 4) for a in accuracy], strict=True)),
        }
        (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")


def judge_example(index: int, seed: int, names: Sequence[str] = NAMES) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training picture number `index`: image uint8 (128, 128, 3), labels uint8 (128, 128), truth int (5,).

    A mixture of the named species; a fifth of the parts are negatives: random parts, or parts whose
    pixels were scrambled or melted into a blob of their own colour.
    """
    rng = np.random.default_rng((seed, index))
    parts, truth, breaking = {}, [], []
    for name in PARTS:
        kind = rng.random()
        if kind < 0.1:
            parts[name] = random_part(name, rng)
            truth.append(NONE)
            continue
        source = names[int(rng.integers(len(names)))]
        parts[name] = SPECIES[source].part(name)
        truth.append(NONE if kind < 0.2 else NAMES.index(source))
        if kind < 0.2:
            breaking.append(name)
    drawing = draw_bird(Bird(**parts), Pose.random(rng))  # pyright: ignore[reportArgumentType]
    image, labels = drawing.image, drawing.labels
    for name in breaking:
        mask = labels == PARTS.index(name) + 1
        image = _melted(image, mask) if rng.random() < 0.5 else _scrambled(image, mask, rng)
    return image, labels, np.array(truth)


def _melted(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The part as a soft blob of its mean colour."""
    if not mask.any():
        return image
    soft = torch.from_numpy(mask.astype(np.float32))[None, None]
    for _ in range(2):
        soft = F.avg_pool2d(F.pad(soft, (4, 4, 4, 4)), 9, 1)
    weight = torch.maximum(soft[0, 0], torch.from_numpy(mask.astype(np.float32))).numpy()[..., None]
    return np.round(image * (1 - weight) + image[mask].mean(0) * weight).astype(np.uint8)


def _scrambled(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The 8 x 8 blocks that the part covers, shuffled among themselves."""
    blocks = image.reshape(16, 8, 16, 8, 3).transpose(0, 2, 1, 3, 4).copy()
    covered = mask.reshape(16, 8, 16, 8).any(axis=(1, 3))
    rows = np.argwhere(covered)
    if len(rows) < 2:
        return image
    other = rows[rng.permutation(len(rows))]
    blocks[rows[:, 0], rows[:, 1]] = blocks[other[:, 0], other[:, 1]]
    return blocks.transpose(0, 2, 1, 3, 4).reshape(128, 128, 3)


def degraded(images: torch.Tensor, pca: PatchPCA) -> tuple[torch.Tensor, torch.Tensor]:
    """What renders suffer from, at random: latents with noise, blur, grain, other brightness; and mirrored, which
    (B,) says."""
    count = len(images)

    def chosen(share: float) -> torch.Tensor:
        return torch.rand(count, 1, 1, 1).to(images.device) < share

    latents = pca.latents(images)
    rebuilt = pca.pictures(latents + noise_like(latents) * torch.rand(count, 1, 1, 1).to(images.device) * 0.25)
    images = torch.where(chosen(0.35), rebuilt, images)
    blurred = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, 1)
    amount = torch.rand(count, 1, 1, 1).to(images.device) * chosen(0.5)
    images = images + (blurred - images) * amount
    images = images + noise_like(images) * torch.rand(count, 1, 1, 1).to(images.device) * 0.08
    gain, shift = (torch.randn(2, count, 3, 1, 1).to(images.device) * 0.05).unbind(0)
    images = (images * (1 + gain) + shift).clamp(-1, 1)
    mirrored = chosen(0.5)
    return torch.where(mirrored, images.flip(-1), images), mirrored.flatten()


def where_loss(where: torch.Tensor, labels: torch.Tensor, mirrored: torch.Tensor) -> torch.Tensor:
    """How far the judge's attention, logits (B, 5, 256), is from where the parts are: cross entropy with the share of
    each part in each cell. labels uint8 (B, 128, 128), not mirrored yet. Parts that are hidden do not count."""
    labels = torch.where(mirrored[:, None, None], labels.flip(-1), labels)
    planes = F.one_hot(labels.long(), len(PARTS) + 1).permute(0, 3, 1, 2)[:, 1:].float()
    cells = F.avg_pool2d(planes, 8).flatten(2)
    visible = cells.sum(-1)
    shares = cells / visible.clamp(min=1e-6)[..., None]
    return -(shares * where.log_softmax(-1)).sum(-1)[visible > 0].mean()


def train_judge(
    folder: Path, pca: PatchPCA, steps: int, pictures: int = 12000, batch: int = 32,
    names: Sequence[str] = NAMES, width: int = WIDTH, shown_where: float = 0.0,
    device: torch.device = CPU,
) -> Judge:  # fmt: skip
    """Trains on `pictures` drawings of the named species, made once; resumes from folder/state.pt; saves into
    folder/model. ``shown_where`` is what it counts that the judge looks where the parts are; 0 leaves it to find out,
    which takes longer."""
    torch.manual_seed(4)
    images, labels, truth = _clean_examples(pictures, 4, names)
    judge = Judge(width).to(device=device, memory_format=torch.channels_last)  # pyright: ignore
    pca, shown, maps, answers = pca.to(device), *(Rows(column, device) for column in (images, labels, truth))
    parameters = list(judge.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=2e-3, weight_decay=0.02)
    average, pace = ParameterAverage(parameters, 0.995), TrainingSchedule(folder, steps)
    state = load_state(folder / "state.pt")
    if state is not None:
        judge.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        average.load(state["average"])
        pace.resume(state["step"], state["progress"])
    rng = np.random.default_rng((4, pace.step))
    smooth = 0.0
    while not pace.finished:
        factor = pace.advance()
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * factor
        rows = rng.integers(0, pictures, batch)
        unit, mirrored = degraded(to_unit(shown[rows]), pca)
        logits, where = judge.train()(unit.contiguous(memory_format=torch.channels_last))
        loss = F.cross_entropy(logits.flatten(0, 1), answers[rows].flatten(), label_smoothing=0.02)
        if shown_where:
            loss = loss + shown_where * where_loss(where, maps[rows], mirrored)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        average.update()
        smooth = loss.item() if not smooth else 0.98 * smooth + 0.02 * loss.item()
        if pace.step % 200 == 0 or pace.finished:
            average.swap()
            right = accuracy(judge, 256, names)
            pace.log(loss=smooth, **dict(zip(PARTS, right, strict=True)))
            average.swap()
            save_state(folder / "state.pt", {
                "model": judge.state_dict(), "optimizer": optimizer.state_dict(),
                "average": average.state(), "step": pace.step, "progress": pace.progress,
            })  # fmt: skip
    average.swap()
    judge.save(folder / "model", accuracy(judge, 1000, names))
    return judge.eval()


def _clean_examples(count: int, seed: int, names: Sequence[str] = NAMES) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    examples = [judge_example(index, seed, names) for index in range(count)]
    return tuple(np.stack(column) for column in zip(*examples, strict=True))  # pyright: ignore


def accuracy(judge: Judge, count: int, names: Sequence[str] = NAMES, seed: int = 1_000_003) -> list[float]:
    """Share of right answers per part on clean mixtures of the named species, never seen in training."""
    rng = np.random.default_rng(seed)
    images, truth = [], []
    for _ in range(count):
        sources = [str(names[code]) for code in rng.integers(0, len(names), len(PARTS))]
        images.append(draw_bird(compose(sources), rng).image)
        truth.append([NAMES.index(source) for source in sources])
    return (judge.verdicts(np.stack(images)) == np.stack(truth)).mean(0).tolist()


def rejection(judge: Judge, count: int = 300, names: Sequence[str] = NAMES) -> float:
    """Share of negatives (random, broken, melted parts) that the judge calls "none"."""
    images, _, truth = _clean_examples(count, 1_000_033, names)
    return float((judge.verdicts(images) == truth)[truth == NONE].mean())
