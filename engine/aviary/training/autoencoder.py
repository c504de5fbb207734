"""The latent space of the starter model: 16 numbers for every 8 x 8 patch, anchored on a PCA of
patches, so that the UNet can be trained before the autoencoder is; and the autoencoder itself.

`AutoencoderTiny` learns the PCA's latents (encoder) and to paint pictures from them (decoder, far
sharper than the PCA's own reconstruction).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny
from safetensors.torch import load_file, save_file

from engine.aviary.training.devices import CPU, Rows, noise_like
from engine.aviary.training.schedule import ParameterAverage, TrainingSchedule, load_state, save_state

CHANNELS = 16
#: Unit-variance latents are this much larger than the autoencoder's own: its decoder begins with
#: tanh(x / 3) * 3 and must not saturate.
SCALING = 4.0


@dataclass(frozen=True)
class PatchPCA:
    """mean (192,), encode (192, C), decode (C, 192): pictures in [-1, 1] to latents of variance about 1."""

    mean: torch.Tensor
    encode: torch.Tensor
    decode: torch.Tensor

    @staticmethod
    def fit(images: np.ndarray, channels: int = CHANNELS) -> PatchPCA:
        """images uint8 (N, H, W, 3). Half-whitened: each component divided by the square root of its
        deviation, so that details count without the noise counting as much as the colours."""
        patches = _patches(to_unit(torch.from_numpy(images))).reshape(-1, 192).double()
        mean = patches.mean(0)
        values, vectors = torch.linalg.eigh(torch.cov((patches - mean).T))
        values, vectors = values.flip(0)[:channels], vectors.flip(1)[:, :channels]
        scale = values.sqrt().sqrt()
        whole = (values / scale**2).mean().sqrt()
        return PatchPCA(
            mean.float(),
            (vectors / scale / whole).float().contiguous(),
            (vectors * scale * whole).T.contiguous().float(),
        )

    def latents(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) in [-1, 1] to (B, C, H/8, W/8)."""
        return ((_patches(images) - self.mean) @ self.encode).permute(0, 3, 1, 2)

    def pictures(self, latents: torch.Tensor) -> torch.Tensor:
        """(B, C, h, w) to (B, 3, 8h, 8w) in [-1, 1]: what the PCA alone can tell."""
        patches = latents.permute(0, 2, 3, 1) @ self.decode + self.mean
        b, h, w, _ = patches.shape
        return patches.reshape(b, h, w, 3, 8, 8).permute(0, 3, 1, 4, 2, 5).reshape(b, 3, h * 8, w * 8).clamp(-1, 1)

    def to(self, device: torch.device) -> PatchPCA:
        """The same on a device."""
        return PatchPCA(self.mean.to(device), self.encode.to(device), self.decode.to(device))

    def save(self, path: Path) -> None:
        save_file({"mean": self.mean, "encode": self.encode, "decode": self.decode}, path)

    @staticmethod
    def load(path: Path) -> PatchPCA:
        return PatchPCA(**load_file(path))


def _patches(images: torch.Tensor) -> torch.Tensor:
    """(B, 3, H, W) to (B, H/8, W/8, 192)."""
    b, _, h, w = images.shape
    return images.reshape(b, 3, h // 8, 8, w // 8, 8).permute(0, 2, 4, 1, 3, 5).reshape(b, h // 8, w // 8, 192)


def to_unit(images: torch.Tensor) -> torch.Tensor:
    """uint8 (B, H, W, 3) to float (B, 3, H, W) in [-1, 1]."""
    return images.permute(0, 3, 1, 2).float() / 127.5 - 1


def from_unit(images: torch.Tensor) -> np.ndarray:
    """float (B, 3, H, W) in [-1, 1] to uint8 (B, H, W, 3)."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    """Peak signal to noise, in dB, of pictures in [-1, 1]."""
    return float(-10 * torch.log10(((a - b) / 2).square().mean()))


def new_autoencoder() -> AutoencoderTiny:
    """32 wide, 16 latent channels, about 0.4 M parameters."""
    wide = (32, 32, 32, 32)
    return AutoencoderTiny(
        encoder_block_out_channels=wide,
        decoder_block_out_channels=wide,
        # The encoder only has to learn a linear map; the work goes into the decoder, at coarse scales.
        num_encoder_blocks=(0, 1, 1, 1),
        num_decoder_blocks=(3, 3, 2, 1),
        latent_channels=CHANNELS,
        scaling_factor=SCALING,
    )


def picture_loss(decoded: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """L1, squared error, L1 of gradients (sharp outlines) and of 8 x 8 means (true hues)."""
    difference = decoded - true
    across = (difference[..., 1:] - difference[..., :-1]).abs().mean()
    down = (difference[..., 1:, :] - difference[..., :-1, :]).abs().mean()
    means = F.avg_pool2d(difference, 8).abs().mean()
    return difference.abs().mean() + 2 * difference.square().mean() + 0.5 * (across + down) + 0.5 * means


def train_autoencoder(
    folder: Path, images: np.ndarray, pca: PatchPCA, steps: int, batch: int = 4, rate: float = 1.5e-3,
    device: torch.device = CPU,
) -> AutoencoderTiny:  # fmt: skip
    """images uint8 (N, 128, 128, 3). Resumes from folder/state.pt; returns the averaged weights."""
    torch.manual_seed(1)
    model = new_autoencoder().to(device=device, memory_format=torch.channels_last)  # pyright: ignore
    pca, pool = pca.to(device), Rows(images, device)
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=rate, betas=(0.9, 0.99), weight_decay=1e-4)
    average, pace = ParameterAverage(parameters, 0.997), TrainingSchedule(folder, steps)
    state = load_state(folder / "state.pt")
    if state is not None:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        average.load(state["average"])
        pace.resume(state["step"], state["progress"])
    rng = np.random.default_rng((1, pace.step))
    held_out = to_unit(torch.from_numpy(np.array(images[-64:])).to(device))
    smooth = 0.0
    while not pace.finished:
        factor = pace.advance()
        for group in optimizer.param_groups:
            group["lr"] = rate * factor
        rows = np.sort(rng.integers(0, len(images) - 64, batch))
        true = to_unit(pool[rows]).contiguous(memory_format=torch.channels_last)
        target = pca.latents(true) / SCALING
        # The UNet's latents are never exact: the decoder is taught not to mind a little noise.
        noisy = target + noise_like(target) * (0.06 / SCALING) * torch.rand(batch, 1, 1, 1).to(device) * 2
        # Decoder.forward maps [0, 1] to [-1, 1] itself.
        decoded = model.decoder(noisy)
        painting = picture_loss(decoded, true)
        optimizer.zero_grad(set_to_none=True)
        painting.backward()
        if pace.step % 3 == 0:  # the encoder's task is far easier than the decoder's
            F.smooth_l1_loss(model.encoder(true) * SCALING, target * SCALING).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        average.update()
        smooth = painting.item() if not smooth else 0.98 * smooth + 0.02 * painting.item()
        if pace.step % 200 == 0 or pace.finished:
            average.swap()
            with torch.no_grad():
                exact = pca.latents(held_out)
                through = model.decoder(exact / SCALING)
                whole = model.decoder(model.encoder(held_out))
                error = (model.encoder(held_out) * SCALING - exact).square().mean().sqrt()
            pace.log(
                loss=smooth, decoder_db=psnr(through, held_out), whole_db=psnr(whole, held_out),
                encoder_rmse=float(error), pca_db=psnr(pca.pictures(exact), held_out),
            )  # fmt: skip
            model.save_pretrained(folder / "model")
            average.swap()
            save_state(folder / "state.pt", {
                "model": model.state_dict(), "optimizer": optimizer.state_dict(),
                "average": average.state(), "step": pace.step, "progress": pace.progress,
            })  # fmt: skip
    average.swap()
    return model.eval()


def encode_pool(
    images: np.ndarray, labels: np.ndarray, pca: PatchPCA, log: Callable[[str], None] = print,
    device: torch.device = CPU,
) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
    """Pictures and label maps of a pool to latents fp16 (N, C, 16, 16) and soft masks uint8 (N, 6, 16, 16), there."""
    pca = pca.to(device)
    latents = torch.empty(len(images), CHANNELS, 16, 16, dtype=torch.float16, device=device)
    masks = torch.empty(len(images), 6, 16, 16, dtype=torch.uint8, device=device)
    for first in range(0, len(images), 500):
        rows = slice(first, first + 500)
        latents[rows] = pca.latents(to_unit(torch.from_numpy(np.array(images[rows])).to(device))).half()
        cells = torch.from_numpy(np.array(labels[rows])).to(device).reshape(-1, 16, 8, 16, 8)
        for label in range(6):
            masks[rows, label] = ((cells == label).float().mean(dim=(2, 4)) * 255).round().byte()
        if first % 20000 == 0:
            log(f"encoded {first}/{len(images)}")
    return latents, masks
