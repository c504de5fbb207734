"""Samples of a training beside what it learned from: two ends, what lies between, and where nobody can say."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from engine.core.image_files import open_picture
from engine.models.vae import decode_latents, encode_pictures, to_tensor
from engine.packs.pack import CODEBOOK, Pack
from engine.training.examples import Examples
from engine.training.resemblance import descriptor, measure_resemblance, share_between, squared_distance
from engine.worker.jobs import News, Progress


def drawn(count: int, middle: float, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Rows of spread 1 around a middle on the first axis."""
    rows = np.random.default_rng(seed).normal(size=(count, 8)).astype(np.float32)
    rows[:, 0] += middle
    return rows


def test_sets_drawn_from_the_same_are_not_apart_however_few() -> None:
    distances = [squared_distance(drawn(4, 3, seed), drawn(6, 3, seed + 1000)) for seed in range(300)]
    assert abs(np.mean(distances)) < 0.25, "their plain distance would be 8/4 + 8/6"
    shifted = [squared_distance(drawn(4, 5, seed), drawn(6, 3, seed + 1000)) for seed in range(300)]
    assert np.mean(shifted) == pytest.approx(4, abs=0.4)


def test_what_lies_between_the_ends_lies_between_0_and_1() -> None:
    near, far = drawn(200, 0, 1), drawn(200, 10, 2)
    shares = [share_between(drawn(200, middle, 3), near, far) for middle in (0, 3, 6, 10, 30)]
    assert shares == [pytest.approx(value, abs=0.06) for value in (1, 0.91, 0.64, 0, 0)]
    assert share_between(near[:1], near[:1], far[:1]) == 1.0, "one picture is enough"
    assert share_between(near, near, near) is None, "noise that is like the pictures tells nothing"
    assert share_between(near * np.nan, near, far) is None and share_between(near, near, far * np.nan) is None


def test_a_descriptor_has_the_whole_picture_and_its_foreground() -> None:
    features = np.zeros((2, 2, 2), np.float32)
    features[0, 0], features[1, 1] = 5, 3  # directions count, not lengths
    front = np.array([[True, True], [False, False]])
    assert descriptor(features, front) == pytest.approx([0.5, 0.5, 2**-0.5, 0])
    assert descriptor(features, ~front & front) == pytest.approx([0.5, 0.5, 0, 0])
    assert np.isfinite(descriptor(features * np.nan, front)).all()


def test_latents_decode_to_the_pictures_that_the_autoencoder_gives_back(tiny_world: Path, models: Any) -> None:
    vae = models.pipeline(str(tiny_world / "base")).vae
    pixels = to_tensor([Image.new("RGB", (64, 64), "teal")])
    latents = encode_pictures(vae, pixels)
    with torch.no_grad():
        expected = vae.decode(vae.encode(pixels).latents).sample.clamp(-1, 1)
    assert torch.allclose(decode_latents(vae, latents), expected, atol=1e-5)
    assert decode_latents(vae, latents * torch.nan).eq(0).all()


class EasyAutoencoder(torch.nn.Module):
    """Its latents are small pictures: tiny random autoencoders turn pictures and noise alike into the same grey."""

    dtype, device = torch.float32, torch.device("cpu")
    config = SimpleNamespace(scaling_factor=1.0)

    def decode(self, latents: torch.Tensor) -> Any:
        return SimpleNamespace(sample=latents.repeat_interleave(2, -1).repeat_interleave(2, -2))


def keep(latents: torch.Tensor, path: Path) -> Path:
    """Latents (N, C, h, w) as a run keeps its examples."""
    path.parent.mkdir(exist_ok=True)
    masks, codes = torch.zeros(len(latents), 1, 4, 1, 1, dtype=torch.uint8), torch.zeros(len(latents), 1, 4).long()
    Examples(latents[:, None].contiguous(), masks, codes).save(path)
    return path


def small_pictures(pack: Path) -> torch.Tensor:
    """The references of the tiny pack, float32 (N, 3, 32, 32)."""
    return to_tensor([open_picture(one.image).resize((32, 32)) for one in Pack.open(pack).references])


def test_the_pictures_themselves_resemble_and_noise_does_not(tiny_pack: Path, models: Any, tmp_path: Path) -> None:
    pack, pictures = Pack.open(tiny_pack), small_pictures(tiny_pack)
    examples = keep(pictures, tmp_path / "run" / "examples.safetensors")
    news: list[News] = []

    def asked(latents: torch.Tensor) -> float:
        pixels = ((decode_latents(EasyAutoencoder(), latents) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
        samples = [Image.fromarray(one) for one in pixels]
        result = measure_resemblance(models, pack, EasyAutoencoder(), samples, examples, news.append)
        assert result is not None and result.base_model == pack.base_model.id
        return result.share

    noise = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(7))
    assert asked(pictures) > 0.9 and asked(noise) < 0.1
    mixed = asked(torch.cat([pictures[::2], noise[::2]]))
    assert 0.5 < mixed < 0.95, mixed
    told = [one for one in news if isinstance(one, Progress)]
    assert told[0].done == 0 and told[0].total == 2 * len(pictures) + 6 and "pictures" in told[0].stage


def test_where_nobody_can_say_nothing_is_said(tiny_pack: Path, tiny_world: Path, models: Any, tmp_path: Path) -> None:
    pack = Pack.open(tiny_pack)
    examples = keep(small_pictures(tiny_pack), tmp_path / "easy" / "examples.safetensors")
    vae = models.pipeline(str(tiny_world / "base")).vae
    picture = Image.new("RGB", (64, 64))

    def asked(pack: Pack, *samples: Image.Image) -> Any:
        return measure_resemblance(models, pack, EasyAutoencoder(), samples, examples, lambda news: None)

    assert asked(pack) is None, "no samples"
    assert asked(replace(pack, backbone=replace(pack.backbone, id="nobody/eyes")), picture) is None
    shutil.copytree(tiny_pack, tmp_path / "pack")
    (tmp_path / "pack" / CODEBOOK).unlink()
    assert asked(replace(pack, path=tmp_path / "pack"), picture) is None
    grey = keep(encode_pictures(vae, small_pictures(tiny_pack)), tmp_path / "grey" / "examples.safetensors")
    assert measure_resemblance(models, pack, vae, [picture], grey, lambda news: None) is None, "all is the same grey"
