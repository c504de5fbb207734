"""Making a reader: trained on a pack's own pictures, then asked about pictures it has not seen, so that it is known
what its answers are worth."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from engine.core.atomic_files import plain_file, write_whole
from engine.core.on_disk import is_file
from engine.core.vocabulary import ABSENT
from engine.models.extended_reader import ExtendedReader
from engine.models.part_reader import CELLS, SIDE, PartReader, to_unit
from engine.segmentation.reader_examples import IGNORED, LabelledPictures, Pixels, changed_example, changed_examples

Rebuild = Callable[[Pixels], Pixels]
"""Pictures uint8 (N, SIDE, SIDE, 3) as the base model's autoencoder gives them back."""

_POOL, _STATE, _KEPT_EVERY = "pool.safetensors", "state.safetensors", 100
_LEAST_ASKED: Final = 240
"""Changed pictures that a reader is measured on, at least: of few kept out each is asked about several times."""
_MOST_MISSED, _MOST_DOUBTED = 0.015, 0.03
"""Of parts that are there, so many may be called missing, and so many may be doubted."""
_SURELY: Final = 0.2
"""The probability from which on each part has arrived, whatever was measured, so that above it none is missing.
Chosen on renders of other seeds than those of any table (docs/receipts.md)."""


@dataclass(frozen=True)
class ReaderPlan:
    """How a reader is made. ``examples`` pictures are composed once and seen ``steps`` times ``batch``; ``held_out`` is
    the share of the pictures that it is measured on. ``broken``, ``swapped`` and ``rebuilt`` (the share of pictures
    that go through the autoencoder) can be left out, to see what they are good for."""

    examples: int = 2000
    steps: int = 240
    batch: int = 32
    width: int = 16
    rate: float = 3e-3
    held_out: float = 0.15
    seed: int = 0
    broken: bool = True
    swapped: bool = True
    rebuilt: float = 0.5


@dataclass(frozen=True)
class ReaderScores:
    """How a reader answers on pictures that it has not seen: ``arrived``, the share of parts that it calls so where
    pictures are as they are; and where parts were changed, Cohen's ``kappa`` between its answers (unsure counts as not
    arrived) and the truth, and how much is ``unsure``. All 0 to 1, but for kappa, which may be below 0."""

    arrived: float
    kappa: float
    unsure: float

    def to_metrics(self) -> dict[str, Any]:
        """As a pack's ``metrics`` keep it."""
        return {"arrived": round(self.arrived, 4), "kappa": round(self.kappa, 4), "unsure": round(self.unsure, 4)}


def make_reader(
    source: LabelledPictures,
    codes: int,
    plan: ReaderPlan,
    rebuild: Rebuild | None = None,
    begin: PartReader | None = None,
    report: Callable[[int, int], None] = lambda _done, _total: None,
    log: Callable[[str], None] = lambda _text: None,
    folder: Path | None = None,
    device: torch.device | None = None,
) -> tuple[PartReader, ReaderScores]:
    """A reader of ``codes`` codes a part, trained on pictures and measured on some that were kept out; and its scores.

    ``begin`` is a reader to begin with (:meth:`PartReader.begin_like`). ``report`` is told how many steps of how many
    are done, those of composing among them. A ``folder`` keeps what was made so far, to go on from there. ``device`` is
    where it learns (None: the processor, where the reader that is returned always is).
    """
    rng = np.random.default_rng((plan.seed, 1))
    order = rng.permutation(len(source))
    kept = max(1, round(plan.held_out * len(source)))
    asked, taught = source.rows(order[:kept]), source.rows(order[kept:] if kept < len(source) else order)
    total = plan.examples + plan.steps
    pool = LabelledPictures.load(folder / _POOL) if folder and is_file(folder / _POOL) else None
    if pool is None:
        pool = changed_examples(
            taught, plan.examples, rng, broken=plan.broken, swapped=plan.swapped,
            report=lambda done: report(done, total),
        )  # fmt: skip
        if rebuild is not None and plan.rebuilt:
            rows = np.flatnonzero(rng.random(len(pool)) < plan.rebuilt)
            pool.pictures[rows] = rebuild(pool.pictures[rows])
        if folder:
            pool.save(folder / _POOL)
    log(f"{len(pool)} examples are ready")
    reader = train_reader(
        pool, codes, plan, begin, lambda done: report(plan.examples + done, total), log, folder and folder / _STATE,
        device,
    )  # fmt: skip
    return reader, measure_reader(reader, asked, rebuild, plan.seed, min(_LEAST_ASKED, plan.examples))


def train_reader(
    pool: LabelledPictures,
    codes: int,
    plan: ReaderPlan,
    begin: PartReader | None = None,
    report: Callable[[int], None] = lambda _done: None,
    log: Callable[[str], None] = lambda _text: None,
    state: Path | None = None,
    device: torch.device | None = None,
    *,
    extends: bool = False,
) -> PartReader:
    """A reader trained on examples: what each part is, and where it is. Its weights are averages over the steps.

    ``extends``: what ``begin`` says of its codes, which come first, stays as it is (:class:`ExtendedReader`).

    Goes on from the file ``state``, and keeps there how far it is every hundred steps, if one is given.
    """
    parts = pool.codes.shape[1]
    truth = torch.from_numpy(np.where(pool.codes == ABSENT, codes, pool.codes))
    covers = _covers(pool.labels, parts)
    with torch.random.fork_rng([]):
        torch.manual_seed(plan.seed)
        if begin is not None and extends:
            reader = ExtendedReader(begin, codes)
        elif begin is not None:
            reader = PartReader(parts, codes, begin.width, begin.hidden)
            reader.begin_like(begin)
        else:
            reader = PartReader(parts, codes, plan.width)
        training = _Training(reader.to(device=device, memory_format=torch.channels_last), plan.rate)  # pyright: ignore
        first = training.resume(state) if state else 0
        smooth = 0.0
        for step in range(first + 1, plan.steps + 1):
            # Each step has a chance of its own, so that a training that was stopped goes on as if it had not been.
            torch.manual_seed(plan.seed * 1_000_003 + step)
            rows = np.random.default_rng((plan.seed, 2, step)).integers(0, len(pool), plan.batch)
            picture, cover = worn(to_unit(pool.pictures[rows]), covers[rows].float() / 255)
            loss = training.step(
                picture.to(device), cover.to(device), truth[rows].to(device), _factor(step, plan.steps)
            )
            smooth = 0.98 * smooth + 0.02 * loss if smooth else loss
            if step % _KEPT_EVERY == 0 or step == plan.steps:
                log(f"step {step} of {plan.steps}: loss {smooth:.3f}")
                if state:
                    training.keep(state, step)
            report(step)
    trained = training.averaged().cpu()
    return trained.merged() if isinstance(trained, ExtendedReader) else trained


class _Training:
    """A reader, its optimizer, and the average of its weights over the steps."""

    def __init__(self, reader: PartReader | ExtendedReader, rate: float) -> None:
        self.reader = reader
        self._rate = rate
        self._parameters = {name: value for name, value in reader.named_parameters() if value.requires_grad}
        self._optimizer = torch.optim.AdamW(self._parameters.values(), lr=rate, weight_decay=0.02)
        self._average = [value.detach().clone() for value in self._parameters.values()]
        self._steps = 0

    def step(self, pictures: Tensor, cover: Tensor, truth: Tensor, factor: float) -> float:
        """Learn from pictures (B, 3, H, W) with their parts (B, M, h, w) and codes (B, M); the loss."""
        self._steps += 1
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate * factor
        logits, where = self.reader.train()(pictures.contiguous(memory_format=torch.channels_last))
        what = F.cross_entropy(logits.flatten(0, 1), truth.flatten(), ignore_index=IGNORED, label_smoothing=0.02)
        loss = what + 0.1 * _where_loss(where, cover)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._optimizer.step()
        with torch.no_grad():
            decay = min(0.995, (1 + self._steps) / (10 + self._steps))
            torch._foreach_lerp_(self._average, [value.detach() for value in self._parameters.values()], 1 - decay)
        return loss.item()

    def averaged(self) -> PartReader | ExtendedReader:
        """The reader with its averaged weights, done with learning."""
        with torch.no_grad():
            for value, mean in zip(self._parameters.values(), self._average, strict=True):
                value.copy_(mean)
        return self.reader.eval()

    def keep(self, path: Path, step: int) -> None:
        """Keep everything in a safetensors file, to go on from there."""
        tensors = {f"model.{name}": value for name, value in self.reader.state_dict().items()}
        for (name, value), mean in zip(self._parameters.items(), self._average, strict=True):
            moments = self._optimizer.state[value]
            tensors |= {f"average.{name}": mean, f"first.{name}": moments["exp_avg"]}
            tensors |= {f"second.{name}": moments["exp_avg_sq"], f"steps.{name}": moments["step"]}
        whole = {name: value.detach().contiguous() for name, value in tensors.items()}
        write_whole(path, lambda beside: save_file(whole, beside, {"step": str(step)}), "the training's state")

    def resume(self, path: Path) -> int:
        """Take up what a file keeps; the step that was done last, 0 without a file."""
        if not is_file(path):
            return 0
        with safe_open(plain_file(path), "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            self._steps = int((file.metadata() or {})["step"])
        names = self.reader.state_dict()
        self.reader.load_state_dict({name: tensors[f"model.{name}"] for name in names})
        for (name, value), mean in zip(self._parameters.items(), self._average, strict=True):
            mean.copy_(tensors[f"average.{name}"])
            self._optimizer.state[value] = {
                "step": tensors[f"steps.{name}"],
                "exp_avg": tensors[f"first.{name}"].to(value.device),
                "exp_avg_sq": tensors[f"second.{name}"].to(value.device),
            }
        return self._steps


def _factor(step: int, steps: int) -> float:
    """The factor of the rate: it warms up in a twentieth of the steps, then falls as a cosine."""
    return min(1.0, step / (0.05 * steps)) * (0.01 + 0.99 * (0.5 + 0.5 * math.cos(math.pi * step / steps)))


def worn(pictures: Tensor, cover: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures (B, 3, H, W) in -1..1 as renders may be, at random: moved and scaled a little, mirrored, blurred, with
    grain, of other brightness and tint; ``cover`` (B, M, h, w) goes along."""
    count = len(pictures)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand(count, *shape) * (high - low) + low

    affine = torch.zeros(count, 2, 3)
    scale = uniform(0.88, 1.14)
    affine[:, 0, 0] = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0) / scale
    affine[:, 1, 1], affine[:, :, 2] = 1 / scale, uniform(-0.08, 0.08, 2)
    where = F.affine_grid(affine, [count, 1, *cover.shape[-2:]], align_corners=False)
    cover = F.grid_sample(cover, where, align_corners=False)
    where = F.affine_grid(affine, [count, 3, *pictures.shape[-2:]], align_corners=False)
    pictures = F.grid_sample(pictures, where, padding_mode="border", align_corners=False)
    for size, share in ((3, 0.5), (5, 0.15)):
        edge, some = size // 2, torch.rand(count) < share
        blurred = F.avg_pool2d(F.pad(pictures[some], (edge,) * 4, mode="replicate"), size, 1)
        pictures[some] = torch.lerp(pictures[some], blurred, uniform(0, 1, 1, 1, 1)[some])
    pictures = pictures + torch.randn(pictures.shape) * uniform(0, 0.08, 1, 1, 1)
    gain, shift = torch.randn(2, count, 3, 1, 1) * 0.05
    return (pictures * (1 + gain) + shift).clamp(-1, 1), cover


def _covers(labels: Pixels, parts: int) -> Tensor:
    """Label maps (N, SIDE, SIDE) as how much of each cell is each part: uint8 (N, M, CELLS, CELLS), 255 for all."""
    blocks = labels.reshape(len(labels), CELLS, SIDE // CELLS, CELLS, SIDE // CELLS)
    shares = [(blocks == part).mean(axis=(2, 4), dtype=np.float32) for part in range(parts)]
    return torch.from_numpy(np.round(np.stack(shares, 1) * 255).astype(np.uint8))


def _where_loss(where: Tensor, cover: Tensor) -> Tensor:
    """How badly maps (B, M, cells) say where parts are that cover (B, M, h, w); parts not there do not count."""
    cover = cover.flatten(2)
    size = cover.sum(-1)
    seen = size > 0.25
    goal = cover[seen] / size[seen][:, None]
    return -(goal * where[seen].log_softmax(-1)).sum(-1).mean() if bool(seen.any()) else where.sum() * 0


def measure_reader(
    reader: PartReader, source: LabelledPictures, rebuild: Rebuild | None, seed: int = 0, least: int = _LEAST_ASKED
) -> ReaderScores:
    """Set what a reader's answers mean, part by part, by pictures whose truth is known and that it has not seen: as
    they are, rebuilt by the autoencoder, and changed. Returns how well it then answers on them."""
    rng = np.random.default_rng((seed, 3))
    some = source.rows(np.resize(np.arange(len(source)), max(len(source), least)))
    changed, asked = changed_each(some, rng)
    seen, truth, wanted = [source.pictures, changed.pictures], [source.codes, changed.codes], [source.codes, asked]
    if rebuild is not None:
        seen, truth, wanted = seen + [rebuild(pictures) for pictures in seen], truth * 2, wanted * 2
    shown = np.where(np.concatenate(truth) == ABSENT, reader.codes, np.concatenate(truth))
    reader.temperature.fill_(1.0)
    pictures = np.concatenate(seen)
    logits = np.log(np.maximum(reader.probabilities(pictures), 1e-9))
    for part in range(reader.parts):
        told = shown[:, part] != IGNORED
        reader.temperature[part] = _temperature(logits[told, part], shown[told, part])
    chances = reader.probabilities(pictures)
    for part in range(reader.parts):
        rows = np.flatnonzero((shown[:, part] >= 0) & (shown[:, part] < reader.codes))
        reader.missing[part], reader.arrived[part] = bounds(chances[rows, part, shown[rows, part]])
    return scores_of(reader, chances, shown, np.concatenate(wanted), len(source))


def changed_each(source: LabelledPictures, rng: np.random.Generator) -> tuple[LabelledPictures, npt.NDArray[np.int64]]:
    """Each picture changed, in turn, and the codes it had before: what somebody would have asked for."""
    made = [changed_example(source, index, rng) for index in range(len(source))]
    images, labels, codes = (np.stack(column) for column in zip(*made, strict=True))
    return LabelledPictures(images, labels, codes), source.codes


def bounds(right: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Up to where a part counts as missing, and from where on as arrived, by how likely parts that were there were
    held to be, (N,)."""
    if not len(right):
        return 0.05, _SURELY
    missing = min(float(np.quantile(right, _MOST_MISSED)), _SURELY)
    arrived = min(float(np.quantile(right, _MOST_DOUBTED)), _SURELY)
    return missing, max(arrived, missing)


def scores_of(
    reader: PartReader,
    chances: npt.NDArray[np.float32],
    shown: npt.NDArray[np.int64],
    asked: npt.NDArray[np.int64],
    plain: int,
) -> ReaderScores:
    """Scores for what pictures show (N, M) and what was asked of them (N, M); the first ``plain`` are as they are."""
    here, part = np.nonzero((asked != ABSENT) & (shown != IGNORED))
    likely = chances[here, part, asked[here, part]]
    code = asked[here, part]
    arrived = likely >= reader.arrived.numpy()[part, code]
    unsure = ~arrived & (likely > reader.missing.numpy()[part, code])
    as_they_are = here < plain
    if not as_they_are.any():
        return ReaderScores(0.0, 0.0, 0.0)
    return ReaderScores(
        float(arrived[as_they_are].mean()),
        kappa(arrived[~as_they_are], (shown == asked)[here, part][~as_they_are]),
        float(unsure.mean()),
    )


def kappa(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> float:
    """Cohen's kappa of two lists of answers, yes or no; 0 where there are none, or both always say the same."""
    if not len(one):
        return 0.0
    agree = float((one == other).mean())
    chance = float(one.mean() * other.mean() + (1 - one.mean()) * (1 - other.mean()))
    return (agree - chance) / (1 - chance) if chance < 1 else 0.0


def _temperature(logits: npt.NDArray[np.float32], truth: npt.NDArray[np.int64]) -> float:
    """What to divide logits (N, K + 1) by, so that they say the truth (N,) as surely as they should."""
    if not len(truth):
        return 1.0
    rows, goal = torch.from_numpy(logits), torch.from_numpy(truth)
    tried = np.geomspace(0.5, 4.0, 25).tolist()
    return min(tried, key=lambda one: float(F.cross_entropy(rows / one, goal)))
