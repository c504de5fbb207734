"""The starter's painter: an autoencoder whose latents are those of the picture at half its size.

The base model's latents are 16 numbers for every 8 x 8 patch of a 128-pixel picture (see autoencoder.py). Here an
`AutoencoderTiny` of five levels maps 256-pixel pictures to just those latents and paints 256-pixel pictures from
them, so that UNet, text encoder and tokens stay as they are. The encoder is linear, as the PCA is, and is written
down, not trained. The decoder is trained on drawings, then, against an adversary, on latents that the base model made.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny
from diffusers.models.unets.unet_2d_blocks import AutoencoderTinyBlock
from torch import nn

from engine.aviary.dataset import BirdDataset
from engine.aviary.drawing.bird import draw_bird
from engine.aviary.training.autoencoder import CHANNELS, SCALING, PatchPCA, psnr, to_unit
from engine.aviary.training.devices import CPU, in_bfloat16, noise_like
from engine.aviary.training.schedule import ParameterAverage, TrainingSchedule, load_state, save_state

SIZE = 256
#: Channels of the decoder, alike on all levels, and of the encoder: 48 are the 4 x 4 patches of three colours.
WIDTH, ENCODER_WIDTH = 64, 48
BLOCKS = (4, 4, 3, 2, 0)
#: The decoder is shown latents this far off, at most (root mean square; latents are about 1).
NOISE = 0.12
#: From this share of the training on an adversary joins, slowly; its gradient has this share of the painting loss's,
#: and it sees windows of the picture. ALIKE: what its features of a picture and its drawing count beside its verdict.
ADVERSARY_FROM, ADVERSARY, WINDOW, ALIKE = 0.35, 0.9, 128, 4.0
#: What a mended picture's difference from its drawing counts: it is never quite in its place, and the mean is a blur.
MENDED_WEIGHT = 0.35
HELD_OUT_FROM = 5_000_000


def new_large_autoencoder(pca: PatchPCA) -> AutoencoderTiny:
    """Five levels, so that 256 pixels become 16 x 16; the encoder already knows the PCA's latents."""
    model = AutoencoderTiny(
        encoder_block_out_channels=(ENCODER_WIDTH,) * 5,
        decoder_block_out_channels=(WIDTH,) * 5,
        num_encoder_blocks=(0,) * 5,
        num_decoder_blocks=BLOCKS,
        latent_channels=CHANNELS,
        scaling_factor=SCALING,
    )
    write_linear_encoder(model, pca)
    return model


@torch.no_grad()
def write_linear_encoder(model: AutoencoderTiny, pca: PatchPCA) -> None:
    """The encoder as the PCA of 8 x 8 patches of the picture at half its size: a mean over 2 x 2 pixels, then twice
    2 x 2 pixels side by side as channels, then the PCA on what is a 4 x 4 patch of 2 x 2 by now. Exact, since the
    encoder without blocks is linear, and a step of two with a kernel of three sees whole 2 x 2 squares."""
    convolutions: list[Any] = [layer for layer in model.encoder.layers if isinstance(layer, nn.Conv2d)]  # pyright: ignore
    for layer in convolutions:
        layer.weight.zero_()
    first, halving, second, third, fourth, last = convolutions
    colours = torch.arange(3)
    # The encoder maps [-1, 1] to [0, 1] before; the PCA wants the former.
    first.weight[colours, colours, 1, 1], first.bias[:] = 2.0, 0.0
    first.bias[:3] = -1.0
    halving.weight[colours, colours, 1:, 1:] = 0.25
    for layer, count in ((second, 3), (third, 12)):
        for place in range(4):
            rows = torch.arange(count)
            layer.weight[place * count + rows, rows, 1 + place // 2, 1 + place % 2] = 1.0
    for y in range(8):
        for x in range(8):
            # Channel of the pixel (y % 4, x % 4) of a 4 x 4 patch: the last bits were put aside first.
            channel = 12 * (2 * (y // 2 % 2) + x // 2 % 2) + 3 * (2 * (y % 2) + x % 2)
            rows = pca.encode.reshape(3, 8, 8, CHANNELS)[:, y, x]
            fourth.weight[:CHANNELS, channel : channel + 3, 1 + y // 4, 1 + x // 4] = rows.T / SCALING
    latents = torch.arange(CHANNELS)
    last.weight[latents, latents, 1, 1] = 1.0
    last.bias[:] = -(pca.mean @ pca.encode) / SCALING


@torch.no_grad()
def take_over(painter: DecoderInTraining, small: Any) -> None:
    """Begin with the decoder of a trained 128-pixel autoencoder, ``small``, of fewer channels and blocks: the same
    pictures, every pixel four times. New channels are not listened to yet, new blocks change nothing yet."""
    old, width = list(small.layers), small.layers[0].out_channels
    new = list(painter.body)
    at = 0
    for layer in old[:-1]:
        while isinstance(new[at], AutoencoderTinyBlock) and not isinstance(layer, AutoencoderTinyBlock):
            _silence(new[at])
            at += 1
        for mine, other in zip(_convolutions(new[at]), _convolutions(layer), strict=True):
            inside = min(other.weight.shape[1], width)
            mine.weight[:width, inside if inside < mine.weight.shape[1] else None :] = 0
            mine.weight[:width, :inside] = other.weight
            if mine.bias is not None:
                mine.bias[:width] = other.bias
        at += 1
    for block in new[at:]:
        if isinstance(block, AutoencoderTinyBlock):
            _silence(block)
    # On nearest neighbours a kernel with holes is the old kernel on the old pixels.
    painter.kernel.zero_()
    painter.kernel[:, :width, ::2, ::2] = old[-1].weight
    painter.bias.copy_(old[-1].bias)


def _convolutions(layer: nn.Module) -> list[Any]:
    return [module for module in layer.modules() if isinstance(module, nn.Conv2d)]


def _silence(block: nn.Module) -> None:
    # What enters a block that follows another one is not negative, so its last ReLU lets it through.
    last = _convolutions(block)[-1]
    last.weight.zero_()
    last.bias.zero_()


class DecoderInTraining(nn.Module):
    """The decoder as it is trained. Its last level is a convolution of nearest neighbours and one more, with nothing
    in between: together one kernel of 5 x 5, and in sum a convolution at half the size whose result is four pixels.
    That is a tenth of the work; :meth:`write` takes it apart again."""

    def __init__(self, decoder: Any) -> None:
        super().__init__()
        self.body = nn.Sequential(*list(decoder.layers)[:-3])
        self.kernel = nn.Parameter((torch.rand(3, WIDTH, 5, 5) * 2 - 1) / WIDTH**0.5 / 5)
        self.bias = nn.Parameter(torch.full((3,), 0.5))
        taps = torch.tensor([[[1, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1.0]],
                             [[1, 0, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 0, 1, 1.0]]])  # fmt: skip
        self.taps: torch.Tensor
        self.register_buffer("taps", taps, persistent=False)

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        """(B, C, 16, 16) in the autoencoder's own measure to (B, 3, 256, 256), about -1..1. Half of it in bfloat16."""
        with in_bfloat16(latents.device):
            features = self.body(torch.tanh(latents / 3) * 3)
        # (colour, phase y, phase x) in the order that pixel_shuffle wants.
        small = torch.einsum("pay,qbx,cwyx->cpqwab", self.taps, self.taps, self.kernel).reshape(12, WIDTH, 3, 3)
        painted = F.conv2d(features.float(), small, self.bias.repeat_interleave(4), padding=1)
        return F.pixel_shuffle(painted, 2) * 2 - 1

    @torch.no_grad()
    def write(self, decoder: Any) -> None:
        """Put the kernel into the decoder's last two convolutions: the inner 3 x 3 as it is, the ring around it as
        shifted 3 x 3. The body is the decoder's own."""
        spread, gather = decoder.layers[-2], decoder.layers[-1]
        spread.weight.zero_()
        gather.weight.zero_()
        gather.bias.copy_(self.bias)
        shifts = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
        for y in range(-2, 3):
            for x in range(-2, 3):
                shift = (int(y / 2), int(x / 2))
                rows = 3 * shifts.index(shift) + torch.arange(3)
                spread.weight[rows, :, y - shift[0] + 1, x - shift[1] + 1] = self.kernel[:, :, y + 2, x + 2]
                gather.weight[torch.arange(3), rows, shift[0] + 1, shift[1] + 1] = 1.0


class Adversary(nn.Module):
    """Tells drawings from painted pictures, patch by patch (about 40 pixels wide)."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        sizes = ((3, width, 2), (width, 2 * width, 2), (2 * width, 4 * width, 2), (4 * width, 4 * width, 1))
        self.blocks = nn.ModuleList(
            nn.utils.parametrizations.spectral_norm(nn.Conv2d(inside, outside, 4 if stride == 2 else 3, stride, 1))
            for inside, outside, stride in sizes
        )
        self.verdict = nn.utils.parametrizations.spectral_norm(nn.Conv2d(4 * width, 1, 3, 1, 1))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """(B, 3, H, W) to verdicts (B, 1, H/8, W/8), larger for drawings, and the features of every level."""
        features = []
        with in_bfloat16(images.device):
            for block in self.blocks:
                images = F.leaky_relu(block(images), 0.2)
                features.append(images)
            return self.verdict(images).float(), features


def painting_loss(decoded: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """(B,): absolute error, four times as dear at outlines, squared error, error of gradients over one and two
    pixels, and of 16 x 16 means (hues)."""
    difference = decoded - true
    steep = F.pad((true[..., 1:] - true[..., :-1]).abs(), (0, 1)) + F.pad(
        (true[..., 1:, :] - true[..., :-1, :]).abs(), (0, 0, 0, 1)
    )
    edges = F.max_pool2d(steep.amax(1, keepdim=True), 3, 1, 1).div(0.3).clamp(max=1)
    loss = ((1 + 3 * edges) * difference.abs()).mean((1, 2, 3)) + 2 * difference.square().mean((1, 2, 3))
    for gap in (1, 2):
        across, down = (
            difference[..., gap:] - difference[..., :-gap],
            difference[..., gap:, :] - difference[..., :-gap, :],
        )
        loss = loss + 0.5 * (across.abs().mean((1, 2, 3)) + down.abs().mean((1, 2, 3)))
    return loss + F.avg_pool2d(difference, 16).abs().mean((1, 2, 3))


def sharpness(images: torch.Tensor) -> float:
    """Mean absolute Laplacian of (B, 3, H, W) in [-1, 1], in steps of 0..255."""
    middle = images[..., 1:-1, 1:-1]
    around = images[..., :-2, 1:-1] + images[..., 2:, 1:-1] + images[..., 1:-1, :-2] + images[..., 1:-1, 2:]
    return float((around - 4 * middle).abs().mean() * 127.5)


@dataclass(frozen=True)
class Rehearsal:
    """Latents that the base model made, unit variance, fp16 (N, C, 16, 16): ``mended`` of the flock's first birds,
    whose drawings it was shown with noise, and ``free`` of its own, made from noise alone."""

    flock: BirdDataset
    mended: torch.Tensor
    free: torch.Tensor


def drawn(flock: BirdDataset, rows: np.ndarray, size: int = SIZE) -> torch.Tensor:
    """Birds of a flock as (B, 3, size, size) in [-1, 1]."""
    return to_unit(torch.from_numpy(np.stack([draw_bird(*flock.bird(int(row)), size).image for row in rows])))


def halved_latents(pca: PatchPCA, images: torch.Tensor) -> torch.Tensor:
    """Latents, of about unit variance, of pictures twice as large as the PCA's."""
    return pca.latents(F.avg_pool2d(images, 2))


def train_decoder(
    folder: Path, flock: BirdDataset, pca: PatchPCA, steps: int, batch: int = 4, rate: float = 1e-3,
    start: AutoencoderTiny | None = None, rehearsal: Rehearsal | None = None, adversary_from: float = ADVERSARY_FROM,
    device: torch.device = CPU,
) -> AutoencoderTiny:  # fmt: skip
    """Train on drawings of ``flock`` at 256 pixels; a third of them in any pose. With a rehearsal, half of
    the pictures are painted from the base's latents. The adversary joins late.

    Resumes from folder/state.pt, else begins with the decoder of the 128-pixel autoencoder ``start``; returns the
    averaged weights, which are also kept in folder/model.
    """
    torch.manual_seed(3)
    model = new_large_autoencoder(pca)
    painter, opponent = DecoderInTraining(model.decoder), Adversary()
    if start is not None:
        take_over(painter, start.decoder)
    model.to(device)  # pyright: ignore
    pca = pca.to(device)
    painter.to(device=device, memory_format=torch.channels_last)  # pyright: ignore
    opponent.to(device=device, memory_format=torch.channels_last)  # pyright: ignore
    parameters = list(painter.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=rate, betas=(0.9, 0.99), weight_decay=1e-4)
    against = torch.optim.AdamW(opponent.parameters(), lr=4e-4, betas=(0.5, 0.99))
    average, pace = ParameterAverage(parameters, 0.997), TrainingSchedule(folder, steps)
    state = load_state(folder / "state.pt")
    if state is not None:
        painter.load_state_dict(state["model"])
        opponent.load_state_dict(state["opponent"])
        optimizer.load_state_dict(state["optimizer"])
        against.load_state_dict(state["against"])
        average.load(state["average"])
        pace.resume(state["step"], state["progress"])
    rng = np.random.default_rng((3, pace.step))
    lively = BirdDataset(flock.seed + 1, flock.names, flock.random_share, 1.0)
    held_out = drawn(BirdDataset(flock.seed, flock.names, 0.0), np.arange(HELD_OUT_FROM, HELD_OUT_FROM + 32)).to(device)
    exact = halved_latents(pca, held_out) / SCALING
    sums: dict[str, float] = {}
    while not pace.finished:
        factor = pace.advance()
        for group in optimizer.param_groups:
            group["lr"] = rate * factor
        true, latents, own, paired = _batch(rng, batch, flock, lively, pca, rehearsal, device)
        decoded = painter((latents / SCALING).contiguous(memory_format=torch.channels_last))
        different = painting_loss(decoded[:paired], true[:paired])
        painting = (different[:own].sum() + MENDED_WEIGHT * different[own:].sum()) / batch
        if paired < batch:  # no drawing to compare with: at least it has to be a picture of these latents
            painting = painting + (halved_latents(pca, decoded[paired:]) - latents[paired:]).abs().mean() * 0.5
        (gradient,) = torch.autograd.grad(painting, decoded, retain_graph=True)
        figures = {"painting": painting.item()}
        if (weight := ADVERSARY * min(1.0, (pace.progress - adversary_from) / 0.1)) > 0:
            top, left = (int(corner) for corner in rng.integers(0, SIZE - WINDOW + 1, 2))
            window = (..., slice(top, top + WINDOW), slice(left, left + WINDOW))
            verdict, features = opponent(decoded[window])
            seen, truly = opponent(true[window])
            alike = torch.stack([
                (a[:paired] - b[:paired].detach()).abs().mean() for a, b in zip(features, truly, strict=True)
            ]).sum()  # fmt: skip
            (pull,) = torch.autograd.grad(-verdict.mean() + ALIKE * alike, decoded)
            needed, offered = gradient[:paired][window], pull[:paired][window]
            scale = needed.square().mean().sqrt() / offered.square().mean().sqrt().clamp(min=1e-12)
            gradient = gradient + pull * scale * weight
            false, _ = opponent(decoded[window].detach())
            telling = F.relu(1 - seen).mean() + F.relu(1 + false).mean()
            against.zero_grad(set_to_none=True)
            telling.backward()
            against.step()
            figures |= {"telling": telling.item(), "alike": alike.item()}
        optimizer.zero_grad(set_to_none=True)
        decoded.backward(gradient)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        average.update()
        for name, value in figures.items():
            sums[name] = sums.get(name, value) * 0.98 + value * 0.02
        if pace.step % 100 == 0 or pace.finished:
            average.swap()
            with torch.no_grad():
                through = torch.cat([painter(some) for some in exact.split(8)])
            pace.log(decoder_db=psnr(through, held_out), sharp=sharpness(through) / sharpness(held_out), **sums)
            painter.write(model.decoder)
            model.save_pretrained(folder / "model")
            average.swap()
            save_state(folder / "state.pt", {
                "model": painter.state_dict(), "opponent": opponent.state_dict(),
                "optimizer": optimizer.state_dict(), "against": against.state_dict(),
                "average": average.state(), "step": pace.step, "progress": pace.progress,
            })  # fmt: skip
    average.swap()
    painter.write(model.decoder)
    return model.eval()


def _batch(
    rng: np.random.Generator, count: int, flock: BirdDataset, lively: BirdDataset, pca: PatchPCA,
    rehearsal: Rehearsal | None, device: torch.device,
) -> tuple[torch.Tensor, torch.Tensor, int, int]:  # fmt: skip
    """Drawings (count, 3, 256, 256) and latents (count, C, 16, 16); how many of them, the first, are a drawing and its
    own, and how many are pairs at all."""
    mended, free = (count // 4, count // 4) if rehearsal is not None else (0, 0)
    own = count - mended - free
    supplies = [lively if rng.random() < 1 / 3 else flock for _ in range(own + free)]
    rows = rng.integers(0, HELD_OUT_FROM, own + free)
    pictures = torch.cat([drawn(supply, row[None]) for supply, row in zip(supplies, rows, strict=True)]).to(device)
    true, others = pictures[:own], pictures[own:]
    latents = halved_latents(pca, true)
    latents = latents + noise_like(latents) * torch.rand(own, 1, 1, 1).to(device) * NOISE
    if rehearsal is not None:
        chosen = rng.integers(0, len(rehearsal.mended), mended)
        true = torch.cat([true, drawn(rehearsal.flock, chosen).to(device), others])
        alone = rehearsal.free[rng.integers(0, len(rehearsal.free), free)]
        latents = torch.cat([latents, rehearsal.mended[chosen].float().to(device), alone.float().to(device)])
    return true.contiguous(memory_format=torch.channels_last), latents, own, own + mended
