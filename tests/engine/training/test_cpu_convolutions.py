"""Large convolutions over small grids give the same numbers the quick way."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from engine.training.cpu_convolutions import _FastForward, speed_up_convolutions


@pytest.mark.parametrize(("side", "stride"), [(8, 1), (16, 2), (20, 1)])
def test_the_quick_way_is_the_same_there_and_back(side: int, stride: int) -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(512, 512, 3, stride, padding=1), nn.Conv2d(512, 8, 1)).requires_grad_(False)
    quick = copy.deepcopy(plain)
    speed_up_convolutions(quick)
    assert isinstance(quick[0].forward, _FastForward) and not isinstance(quick[1].forward, _FastForward)
    found = []
    for model in (plain, quick):
        x = torch.randn(2, 512, side, side, generator=torch.Generator().manual_seed(1), requires_grad=True)
        made = model(x)
        made.square().sum().backward()
        assert x.grad is not None
        found.append((made.detach(), x.grad))
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found[0][1], found[1][1], rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        assert quick(torch.zeros(1, 512, side, side)).shape == plain(torch.zeros(1, 512, side, side)).shape
    assert torch.backends.mkldnn.enabled


def test_what_is_learned_small_or_in_half_precision_is_left_alone() -> None:
    model = nn.Sequential(nn.Conv2d(512, 512, 3), nn.Conv2d(64, 64, 3), nn.Conv2d(512, 512, 3))
    model[1:].requires_grad_(False)
    model[2].to(torch.bfloat16)
    speed_up_convolutions(model)
    assert not any(isinstance(module.forward, _FastForward) for module in model)
