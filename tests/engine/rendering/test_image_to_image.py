"""Rendering that begins with a picture, on every layout of base model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from engine.core.errors import JobCancelled, UserError
from engine.core.segmentation import NO_PART
from engine.core.vocabulary import Choice
from engine.models.conditioning import encoders_of
from engine.models.loader import Models
from engine.models.part_tokens import PartTokens, TokenSet
from engine.models.vae import encode_pictures, to_tensor
from engine.rendering.change_map import change_map, reach_of
from engine.rendering.image_to_image import paint_from
from engine.rendering.painter import Painter
from engine.rendering.start_picture import StartPicture
from tests.engine import tiny
from tests.fakes import sketch_bird

KINDS = ("base", "sd15", "sd2", "turbo", "lcm", "sdxl")
FEW = ("turbo", "lcm")
WORDS = ("a photo of a ", Choice(0, 1), " ", Choice(2, 2), " bird")


@pytest.fixture(scope="module")
def painters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Painter]:
    """A painter of each kind of tiny base model, with random tokens."""
    folder, models = tmp_path_factory.mktemp("bases"), Models(device="cpu")
    made = {}
    for kind in KINDS:
        pipeline = models.pipeline(str(getattr(tiny, f"make_{kind}")(folder / kind)))
        torch.manual_seed(6)
        sets = {one.name: PartTokens(5, 3, one.width) for one in encoders_of(pipeline)}
        made[kind] = Painter(pipeline, TokenSet(sets) if len(sets) > 1 else sets["text_encoder"])
    return made


@pytest.fixture
def start() -> StartPicture:
    image, labels = sketch_bird(3, tiny.SIDE)
    return StartPicture(image, labels, 0.5)


def paint(painter: Painter, start: StartPicture, seeds: tuple[int, ...] = (4,), **more: Any) -> list[np.ndarray]:
    more = {"steps": 6, "guidance": 3.0, **more}
    return [np.asarray(one).astype(int) for one in paint_from(painter, start, WORDS, (), seeds, **more)]


def through_autoencoder(painter: Painter, image: Image.Image) -> np.ndarray:
    pipeline = painter.pipeline
    with torch.no_grad():
        latents = encode_pictures(pipeline.vae, to_tensor([image])) / pipeline.vae.config.scaling_factor
        decoded = pipeline.vae.decode(latents).sample
    return ((decoded[0].clamp(-1, 1) + 1) * 127.5).round().permute(1, 2, 0).numpy().astype(int)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, 9, 100])
def test_any_size_is_the_nearest_that_can_be_painted(painters: dict[str, Painter], kind: str, size: int) -> None:
    (made,) = painters[kind].paint(WORDS, (), [4], steps=1, guidance=1.0, size=size)
    assert made.width == made.height and made.width % 8 == 0 and abs(made.width - size) <= 8


@pytest.mark.parametrize("steps", [51, 1000])
def test_more_steps_than_a_consistency_model_has_are_told(
    painters: dict[str, Painter], start: StartPicture, steps: int
) -> None:
    for ask in (
        lambda: painters["lcm"].paint(WORDS, (), [4], steps=steps, guidance=1.0),
        lambda: paint(painters["lcm"], start, steps=steps),
    ):
        with pytest.raises(UserError, match=f"50 steps at most, and {steps}") as told:
            ask()
        assert "50 steps or fewer" in told.value.hint


@pytest.mark.parametrize("kind", KINDS)
def test_no_freedom_gives_the_picture_back(painters: dict[str, Painter], start: StartPicture, kind: str) -> None:
    (made,) = paint(painters[kind], replace(start, freedom=0.0))
    picture = np.asarray(start.image).astype(int)
    error = np.abs(through_autoencoder(painters[kind], start.image) - picture).mean()
    assert np.abs(made - picture).mean() <= error
    assert made.shape == picture.shape


@pytest.mark.parametrize("kind", KINDS)
def test_repeated_it_is_equal_to_the_bit_and_seeds_differ(
    painters: dict[str, Painter], start: StartPicture, kind: str
) -> None:
    first, again = (paint(painters[kind], start, (4, 5)) for _ in range(2))
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    assert np.abs(first[0] - first[1]).max() > 2
    (alone,) = paint(painters[kind], start, (5,))
    assert np.abs(alone - first[1]).max() <= 1, "its company moves a picture by rounding only"


@pytest.mark.parametrize("kind", KINDS)
def test_more_freedom_goes_farther(painters: dict[str, Painter], start: StartPicture, kind: str) -> None:
    clean = encode_pictures(painters[kind].pipeline.vae, to_tensor([start.image]))

    def distance(freedom: float) -> float:
        seen: list[torch.Tensor] = []
        steps = 3 if kind in FEW else 6
        paint(
            painters[kind], replace(start, freedom=freedom), steps=steps, step=lambda _i, latents: seen.append(latents)
        )
        return float((seen[-1] - clean).abs().mean())

    near, far = distance(0.2), distance(0.95)
    assert 0 < near < far


@pytest.mark.parametrize("kind", KINDS)
def test_a_free_render_after_it_is_what_it_was(painters: dict[str, Painter], start: StartPicture, kind: str) -> None:
    def free() -> np.ndarray:
        (picture,) = painters[kind].paint(WORDS, (), [4], steps=4, guidance=3.0)
        return np.asarray(picture)

    before = free()
    paint(painters[kind], start)
    assert np.array_equal(before, free())


def test_nothing_is_copied(painters: dict[str, Painter], start: StartPicture) -> None:
    """The models that work are those that were loaded."""
    painter = painters["sd15"]
    used: list[Any] = []
    handles = [
        module.register_forward_pre_hook(lambda module, _inputs: used.append(module))
        for module in (painter.pipeline.unet, painter.pipeline.text_encoder)
    ]
    paint(painter, start)
    for handle in handles:
        handle.remove()
    assert {id(module) for module in used} == {id(painter.pipeline.unet), id(painter.pipeline.text_encoder)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("freedom", [0.6, 1.0])
def test_only_one_part_changes(painters: dict[str, Painter], start: StartPicture, kind: str, freedom: float) -> None:
    labels: Any = start.labels
    cell = painters[kind].pipeline.vae_scale_factor
    local = replace(start, freedom=freedom, changes=change_map(labels, (), (3,), cell))
    (made,) = paint(painters[kind], local)
    picture = np.asarray(start.image).astype(int)
    rows, columns = np.nonzero(labels == 3)
    grown = np.zeros(labels.shape, bool)
    reach = int(2 * reach_of(labels.shape, cell)) + 1
    grown[max(rows.min() - reach, 0) : rows.max() + reach, max(columns.min() - reach, 0) : columns.max() + reach] = True
    assert np.array_equal(made[~grown], picture[~grown]) and (~grown).mean() > 0.3
    assert np.abs(made - picture)[labels == 3].mean() > 1


def test_a_kept_part_stays_and_the_rest_changes(painters: dict[str, Painter], start: StartPicture) -> None:
    labels: Any = start.labels
    local = replace(start, freedom=0.8, changes=change_map(labels, (3,), (), 4))
    (made,) = paint(painters["sd15"], local)
    picture = np.asarray(start.image).astype(int)
    assert np.array_equal(made[labels == 3], picture[labels == 3])
    assert np.abs(made - picture)[labels == 0].mean() > 1


@pytest.mark.parametrize("kind", ["base", "sd15", "sdxl"])
def test_what_is_held_keeps_its_latents(painters: dict[str, Painter], start: StartPicture, kind: str) -> None:
    """Not only pasted back: while the picture forms, what is held looks as it will, so that the rest fits it."""
    seen: list[torch.Tensor] = []
    painter = painters[kind]
    clean = encode_pictures(painter.pipeline.vae, to_tensor([start.image]))
    changes = np.zeros((tiny.SIDE, tiny.SIDE), np.float32)
    changes[:, 32:] = 1
    hook = painter.pipeline.vae.decode

    def decode(latents: torch.Tensor, *more: Any, **options: Any) -> Any:
        seen.append(latents * painter.pipeline.vae.config.scaling_factor)
        return hook(latents, *more, **options)

    painter.pipeline.vae.decode = decode
    try:
        paint(painter, replace(start, changes=changes))
    finally:
        del painter.pipeline.vae.decode
    half = clean.shape[-1] // 2
    torch.testing.assert_close(seen[0][..., :half], clean[..., :half])
    assert (seen[0][..., half:] - clean[..., half:]).abs().max() > 0.01


def test_cancelling_takes_no_further_step_and_leaves_the_model_as_it_was(
    painters: dict[str, Painter], start: StartPicture
) -> None:
    painter, taken = painters["sd15"], []
    before = dict(painter.pipeline.unet.attn_processors)
    whole = paint(painter, start)

    def cancel(index: int, _latents: torch.Tensor) -> None:
        taken.append(index)
        if index == 1:
            raise JobCancelled

    with pytest.raises(JobCancelled):
        paint(painter, start, step=cancel)
    assert taken == [0, 1]
    after = painter.pipeline.unet.attn_processors
    assert after.keys() == before.keys() and all(after[name] is before[name] for name in before)
    assert np.array_equal(whole[0], paint(painter, start)[0])


@pytest.mark.parametrize("size", [(64, 48), (40, 64), (128, 64)])
def test_other_shapes(painters: dict[str, Painter], size: tuple[int, int]) -> None:
    labels = np.full(size[::-1], NO_PART, np.uint8)
    labels[: size[1] // 2] = 0
    start = StartPicture(Image.new("RGB", size, "teal"), labels, 0.6)
    for kind in ("base", "sdxl"):
        (made,) = paint(painters[kind], start)
        assert made.shape[:2] == size[::-1]
