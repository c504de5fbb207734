"""What training learns from: latents, part masks and codes of pictures, and the sentences that say them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.core.errors import UserError
from engine.core.paths import write_whole
from engine.core.vocabulary import ABSENT, Choice, Vocabulary
from engine.models.part_tokens import Sentence, tokenize
from engine.models.vae import encode_pictures, to_tensor
from engine.packs.codebook import Segmentation

OWN_TEMPLATE = "a photo of a {} {noun}"
"""How the app itself asks; half of the captions say it so."""

TEMPLATES = (
    "a picture of a {} {noun}",
    "a drawing of a {} {noun}",
    "an image of the {} {noun}",
    "a close view of a {} {noun}",
    "a good photo of the {} {noun}",
    "the {} {noun}",
    "a {} {noun}",
    "{}",
)

_SEEN = 0.5
"""A part is visible in a view when its mask adds up to this many cells of the grid."""
_ENCODED_AT_ONCE = 8


@dataclass(frozen=True)
class Examples:
    """N pictures in V views each (plain, mirrored, cropped).

    ``latents`` float (N, V, C, h, w); ``masks`` uint8 (N, V, M, grid, grid), 255 where a cell is wholly the part;
    ``codes`` int64 (N, V, M), ``ABSENT`` where the view does not show the part.
    """

    latents: Tensor
    masks: Tensor
    codes: Tensor

    def __len__(self) -> int:
        return len(self.latents)

    def save(self, path: Path, made_of: str = "") -> None:
        """Keep them beside the run, so that going on needs no second look at the pictures. ``made_of`` says what they
        depend on in the plan."""
        tensors = {"latents": self.latents, "masks": self.masks, "codes": self.codes}
        write_whole(path, lambda beside: save_file(tensors, beside, {"made_of": made_of}), "the examples")

    @staticmethod
    def made_of(path: Path) -> str | None:
        """What the examples in a file depend on; empty if it does not say or is damaged, None if there is no file."""
        try:
            with safe_open(path, "pt") as file:
                return (file.metadata() or {}).get("made_of", "")
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError):
            return ""

    @classmethod
    def load(cls, path: Path) -> Examples:
        """Read what :meth:`save` wrote."""
        return cls(**load_file(path))


def prepare(
    pictures: Iterable[tuple[Image.Image, Segmentation]],
    vae: Any,
    size: int,
    grid: int = 16,
    *,
    flip: bool = True,
    crops: int = 0,
    seed: int = 0,
) -> Examples:
    """Encode pictures (RGB, with segmentations of their own size) once, for all of the training.

    Views: the central square, ``crops`` random squares of 75 to 100% of it, and with ``flip`` the mirror image of
    each; picture and labels are cut and mirrored alike. Raises :class:`UserError` without pictures.
    """
    generator = np.random.default_rng(seed)
    latents: list[Tensor] = []
    masks: list[npt.NDArray[np.uint8]] = []
    codes: list[npt.NDArray[np.int64]] = []
    waiting: list[Image.Image] = []
    views = 0
    for picture, found in pictures:
        views = 0
        for box in _boxes(picture.size, crops, generator):
            square = picture.convert("RGB").resize((size, size), Image.Resampling.BICUBIC, box)
            cells = _masks(found, box, grid)
            for mirrored in (False, True) if flip else (False,):
                waiting.append(square.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else square)
                seen = cells[..., ::-1] if mirrored else cells
                masks.append(seen)
                visible = seen.sum(axis=(1, 2)) >= 255 * _SEEN
                codes.append(np.where(visible, np.array(found.codes), ABSENT))
                views += 1
        if len(waiting) >= _ENCODED_AT_ONCE:
            latents.append(encode_pictures(vae, to_tensor(waiting)).float().cpu())
            waiting = []
    if waiting:
        latents.append(encode_pictures(vae, to_tensor(waiting)).float().cpu())
    if not latents:
        raise UserError("There are no pictures to learn from.", "Choose a folder with pictures.")
    whole = torch.cat(latents).contiguous()
    if not bool(torch.isfinite(whole).all()):
        raise UserError(
            "The base model turned a picture into latents that are no numbers.",
            'Use "precision": "float32" in the plan.',
        )
    return Examples(
        whole.unflatten(0, (-1, views)),
        torch.from_numpy(np.stack(masks)).unflatten(0, (-1, views)),
        torch.from_numpy(np.stack(codes)).unflatten(0, (-1, views)),
    )


class Captions:
    """Draws a sentence for a picture from its own codes.

    Order shuffled; half in the app's own words, half in a random template; each part left out with probability
    ``dropout`` (never all); the empty sentence with probability ``empty``. A part that is not visible is not said.
    With ``paper`` the words are the paper's: half "a photo of a {}", half the parts alone.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        tokenizer: Any,
        length: int = 77,
        *,
        dropout: float = 0.1,
        empty: float = 0.1,
        paper: bool = False,
    ) -> None:
        self.parts = [part.index for part in vocabulary.parts if paper or not part.background]
        self.tokenizer = _Memory(tokenizer)
        self.length = length
        self.dropout = dropout
        self.empty = empty
        own, others = ("a photo of a {}", ("{}",)) if paper else (OWN_TEMPLATE, TEMPLATES)
        self.own = own.replace("{noun}", vocabulary.noun)
        self.others = [template.replace("{noun}", vocabulary.noun) for template in others]

    def draw(self, codes: Sequence[int], generator: np.random.Generator) -> Sentence:
        """A sentence for one picture with these codes (M)."""
        visible = [part for part in self.parts if codes[part] != ABSENT]
        if not visible or generator.random() < self.empty:
            return tokenize(("",), self.tokenizer, self.length)
        said = [part for part in visible if generator.random() >= self.dropout]
        said = said or [visible[generator.integers(len(visible))]]
        said = [said[index] for index in generator.permutation(len(said))]
        template = self.own if generator.random() < 0.5 else self.others[generator.integers(len(self.others))]
        before, after = template.split("{}")
        choices = [Choice(part, int(codes[part])) for part in said]
        return tokenize((before, *choices, after), self.tokenizer, self.length)


class _Memory:
    """A tokenizer that remembers words it has met: captions repeat a few templates thousands of times."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, Any] = {}
        self.bos_token_id = tokenizer.bos_token_id
        self.eos_token_id = tokenizer.eos_token_id
        self.pad_token_id = tokenizer.pad_token_id

    def __call__(self, text: str, **options: Any) -> Any:
        if text not in self._known:
            self._known[text] = self._tokenizer(text, **options)
        return self._known[text]


def _boxes(
    size: tuple[int, int], crops: int, generator: np.random.Generator
) -> list[tuple[float, float, float, float]]:
    """The central square of a picture and ``crops`` random ones: left, upper, right, lower."""
    width, height = size
    side = min(size)
    boxes = [((width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2)]
    for _ in range(crops):
        short = side * generator.uniform(0.75, 1.0)
        left, upper = generator.uniform(0, width - short), generator.uniform(0, height - short)
        boxes.append((left, upper, left + short, upper + short))
    return boxes


def _masks(found: Segmentation, box: tuple[float, float, float, float], grid: int) -> npt.NDArray[np.uint8]:
    """How much of each cell is each part: uint8 (M, grid, grid)."""
    return np.stack(
        [
            np.asarray(
                Image.fromarray(found.mask(part).astype(np.uint8) * 255).resize((grid, grid), Image.Resampling.BOX, box)
            )
            for part in range(len(found.codes))
        ]
    )
