"""Convolutions of a frozen UNet on a CPU.

oneDNN, which PyTorch takes for most of them, puts a layer's weights into another order at every call. Where a layer has
millions of weights and the picture is down to a few cells, as in the middle of a UNet, that costs more than the
convolution itself: PyTorch's own way, a matrix product, was 2.5 times faster at 8 x 8 cells of 1280 channels and 1.5
times at 16 x 16, there and back, in float32 on one thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.grad import conv2d_input

_CELLS: Final = 256
_WEIGHTS: Final = 2_000_000


def speed_up_convolutions(unet: nn.Module) -> None:
    """Let the UNet's large convolutions be matrix products where the grid is small: the same numbers but for rounding.

    For weights that are not learned; does nothing but on a CPU in float32.
    """
    for module in unet.modules():
        if type(module) is not nn.Conv2d or module.padding_mode != "zeros":
            continue
        weight = module.weight
        frozen = not weight.requires_grad and weight.device.type == "cpu" and weight.dtype is torch.float32
        if frozen and weight.numel() >= _WEIGHTS:
            module.forward = _FastForward(module)


class _FastForward:
    """Stands for the forward method of one convolution."""

    def __init__(self, layer: nn.Conv2d) -> None:
        self.layer = layer

    def __call__(self, input: Tensor) -> Any:
        if input.shape[-2] * input.shape[-1] > _CELLS:
            return _convolve(input, self.layer)
        return _MatrixProduct.apply(input, self.layer)


class _MatrixProduct(torch.autograd.Function):
    """The convolution without oneDNN, there and back. Only its input has a gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: nn.Conv2d) -> Tensor:
        """(B, C, h, w) to what the layer makes of it."""
        ctx.shape, ctx.layer = x.shape, layer
        with _without_onednn():
            return _convolve(x, layer)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """The gradient of the input."""
        layer = ctx.layer
        with _without_onednn():
            gradient = conv2d_input(
                ctx.shape, layer.weight, gradients[0], layer.stride, layer.padding, layer.dilation, layer.groups
            )
        return gradient, None


def _convolve(x: Tensor, layer: nn.Conv2d) -> Tensor:
    return F.conv2d(x, layer.weight, layer.bias, layer.stride, layer.padding, layer.dilation, layer.groups)


@contextmanager
def _without_onednn() -> Iterator[None]:
    before = torch.backends.mkldnn.enabled
    torch.backends.mkldnn.enabled = False
    try:
        yield
    finally:
        torch.backends.mkldnn.enabled = before
