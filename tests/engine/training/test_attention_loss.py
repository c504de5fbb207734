"""The attention loss is well posed where the original's was not, and recording leaves the UNet alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.attention_processor import Attention
from hypothesis import given
from hypothesis import strategies as st

from engine.models.attention_capture import AttentionCapture, _Recorder, part_attention
from engine.training.attention_loss import attention_loss


def random_attention(seed: int, batch: int = 2, grid: int = 4, tokens: int = 9) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, grid, grid, tokens, generator=generator).softmax(-1)


@given(st.integers(0, 1000), st.lists(st.integers(-1, 8), min_size=3, max_size=3, unique=True))
def test_shares_are_shares(seed: int, columns: list[int]) -> None:
    located = torch.tensor([columns, columns])
    share = part_attention(random_attention(seed), located)
    assert share.min() >= 0
    assert share.sum(1).max() <= 1 + 1e-5
    for part, column in enumerate(columns):
        if column < 0:
            assert not share[:, part].any()


def test_one_part_alone_has_something_to_learn() -> None:
    """The paper's map of a caption with one part is 1 everywhere, whatever the attention is."""
    masks = torch.zeros(2, 3, 4, 4)
    masks[:, 1, :2] = 1
    columns = torch.tensor([[-1, 2, -1]] * 2)
    one, other = random_attention(0), random_attention(1)
    paper = [attention_loss(attention, columns, masks, rest="parts").item() for attention in (one, other)]
    assert paper[0] == pytest.approx(paper[1], rel=1e-5)
    one.requires_grad_()
    loss = attention_loss(one, columns, masks)
    loss.backward()
    assert one.grad is not None and 0.1 < one.grad.norm().item() < 10
    downhill = (one - 0.01 * one.grad).detach()
    assert attention_loss(downhill, columns, masks).item() < loss.item() - 0.001


def test_the_right_attention_costs_nothing_and_the_wrong_one_much() -> None:
    masks = torch.zeros(1, 2, 4, 4)
    masks[0, 0, :, :2] = 1
    masks[0, 1, :2, 2:] = 1
    right = torch.zeros(1, 4, 4, 9)
    right[..., 3], right[..., 5] = masks[0, 0], masks[0, 1]
    right[..., 0] = 1 - masks[0].sum(0)
    columns = torch.tensor([[3, 5]])
    assert attention_loss(right, columns, masks).item() == pytest.approx(0, abs=1e-5)
    swapped = torch.tensor([[5, 3]])
    assert attention_loss(right, swapped, masks).item() > 10


def test_a_visible_part_left_unsaid_costs_no_constant() -> None:
    masks = torch.ones(1, 2, 4, 4)
    columns = torch.tensor([[3, -1]])
    attention = random_attention(1, batch=1)
    assert attention_loss(attention, columns, masks, rest="parts").item() > 40
    assert attention_loss(attention, columns, masks).item() < 5


def test_a_batch_without_parts_costs_nothing_and_has_a_gradient() -> None:
    attention = random_attention(2).requires_grad_()
    loss = attention_loss(attention, torch.full((2, 3), -1), torch.zeros(2, 3, 4, 4))
    loss.backward()
    assert loss.item() == 0
    assert attention.grad is not None and not attention.grad.any()


def test_recording_at_full_resolution_changes_nothing(tiny_world: Path, models: Any) -> None:
    unet = models.pipeline(str(tiny_world / "base")).unet
    before = unet.attn_processors
    inputs = torch.randn(2, 12, 16, 16), torch.tensor([5, 900]), torch.randn(2, 77, 32)
    with torch.no_grad():
        plain = unet(*inputs).sample
        with AttentionCapture(unet, grid=16) as capture:
            recorded = unet(*inputs).sample
            assert {name.split(".")[0] for name in capture.maps} == {"down_blocks", "up_blocks"}
            attention = capture.take()
        with AttentionCapture(unet, grid=5) as none, pytest.raises(ValueError, match="no cross-attention layer of 5"):
            unet(*inputs)
            none.take()
    torch.testing.assert_close(recorded, plain, rtol=0, atol=1e-5)
    assert attention.shape == (2, 16, 16, 77)
    torch.testing.assert_close(attention.sum(-1), torch.ones(2, 16, 16))
    assert unet.attn_processors == before


def test_by_peaks_each_part_is_compared_with_its_own_largest_value() -> None:
    attention = torch.zeros(1, 4, 4, 8)
    attention[0, :2, :, 3] = 0.2  # weak, yet only where the part is
    masks = torch.zeros(1, 2, 4, 4)
    masks[0, 0, :2] = 1
    columns = torch.tensor([[3, -1]])
    assert attention_loss(attention, columns, masks, rest="peak").item() == pytest.approx(0, abs=1e-6)
    masks[0, 0] = 1 - masks[0, 0]
    assert attention_loss(attention, columns, masks, rest="peak").item() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("upcast", [False, True])
def test_scores_that_overflow_in_half_precision_are_taken_in_full_where_the_model_says_so(upcast: bool) -> None:
    torch.manual_seed(3)
    layer: Any = Attention(16, cross_attention_dim=8, heads=1, dim_head=16, upcast_attention=upcast).half()
    pixels, words = torch.randn(1, 16, 16).half() * 60, torch.randn(1, 5, 8).half() * 60
    layer.to_q.weight.data *= 40
    layer.to_k.weight.data *= 40
    capture = AttentionCapture(torch.nn.Identity(), 4)
    capture.recording = True
    made = _Recorder(capture, "layer", layer.processor)(layer, pixels, words)
    assert bool(torch.isfinite(made).all()) == bool(torch.isfinite(capture.maps["layer"]).all()) == upcast
