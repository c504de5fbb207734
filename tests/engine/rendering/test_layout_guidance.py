"""Layout guidance: tokens are drawn to their places, on the recorded layers, but not for the negative prompt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline

from engine.models.cross_attention import recorded_grid
from engine.rendering.layout_guidance import LayoutGuidance
from tests.engine.tiny import make_sd15

LENGTH, COLUMNS = 77, (5, 7)


@pytest.fixture(scope="module")
def unet(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = make_sd15(tmp_path_factory.mktemp("base") / "sd15")
    return StableDiffusionPipeline.from_pretrained(folder, safety_checker=None).unet


def halves() -> torch.Tensor:
    """Two places: the left half and the right half."""
    masks = torch.zeros(2, 64, 64)
    masks[0, :, :32], masks[1, :, 32:] = 1, 1
    return masks


def inputs(batch: int = 2) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(batch, 4, 16, 16, generator=generator),
        torch.tensor(500),
        torch.randn(batch, LENGTH, 32, generator=generator),
    )


@torch.no_grad()
def test_a_picture_changes_and_the_negative_prompts_half_does_not(unet: Any) -> None:
    plain = unet(*inputs()).sample
    with LayoutGuidance(unet, halves(), COLUMNS, LENGTH, (16, 16), True):
        guided = unet(*inputs()).sample
    assert torch.equal(guided[0], plain[0]) and (guided[1] - plain[1]).abs().max() > 1e-4
    torch.testing.assert_close(unet(*inputs()).sample, plain, rtol=0, atol=0)


@torch.no_grad()
def test_each_token_is_drawn_to_its_place_and_away_from_the_others(unet: Any) -> None:
    guidance = LayoutGuidance(unet, halves(), COLUMNS, LENGTH, (16, 16), False, strength=2.0)
    bias = guidance.bias(torch.zeros(1, 256, 16)).unflatten(1, (16, 16))[0]
    assert (bias[:, :8, 5] == 2).all() and (bias[:, 8:, 5] == -2).all()
    assert (bias[:, :8, 7] == -2).all() and (bias[:, 8:, 7] == 2).all()
    others = [column for column in range(LENGTH) if column not in COLUMNS]
    assert not bias[..., others].any()
    guidance.weaken(0.5)
    assert guidance.bias(torch.zeros(1, 256, 16)).max() == 0.5


def test_two_tokens_of_one_place_do_not_push_each_other_away(unet: Any) -> None:
    masks = halves()[[0, 0, 1]]
    guidance = LayoutGuidance(unet, masks, (3, 4, 9), LENGTH, (16, 16), False, strength=1.0)
    bias = guidance.bias(torch.zeros(1, 256, 16)).unflatten(1, (16, 16))[0]
    assert (bias[:, :8, 3] == 1).all() and (bias[:, :8, 4] == 1).all() and (bias[:, 8:, 3] == -1).all()


@torch.no_grad()
def test_no_strength_changes_nothing_that_can_be_seen(unet: Any) -> None:
    plain = unet(*inputs()).sample
    with LayoutGuidance(unet, halves(), COLUMNS, LENGTH, (16, 16), False) as guidance:
        guidance.weaken(0.0)
        torch.testing.assert_close(unet(*inputs()).sample, plain)


def test_the_recorded_layers_follow_the_shape_of_the_picture(unet: Any) -> None:
    assert recorded_grid(unet, 16, 16) == (16, 16) and recorded_grid(unet, 32, 32) == (16, 16)
    assert recorded_grid(unet, 24, 12) == (24, 12) and recorded_grid(unet, 48, 20) == (24, 10)
