"""Models that do not fit a card whole take turns on it, and draw the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from engine.core.vocabulary import Choice
from engine.models.conditioning import encoders_of
from engine.models.devices import best_precision, memory_of, precision_of
from engine.models.loader import Models
from engine.models.part_tokens import PartTokens, TokenSet
from engine.models.placement import Placement, bytes_on_device, device_of, place, placement_for
from engine.models.vae import encode_pictures
from engine.rendering.decoding import decode
from engine.rendering.painter import Painter
from engine.rendering.preview import smooth_noise
from tests.engine import tiny

SDXL = {"text_encoder": 1, "text_encoder_2": 5, "unet": 20, "vae": 1}
WORDS = ("a photo of a ", Choice(0, 1), " ", Choice(2, 2), " bird")


@pytest.mark.parametrize(
    ("room", "placement", "taken"), [(27, "whole", 27), (26, "turns", 20), (20, "turns", 20), (19, "layers", 0)]
)
def test_the_fastest_placement_that_fits_is_taken(room: int, placement: Placement, taken: int) -> None:
    assert placement_for(SDXL, room) == placement
    assert bytes_on_device(SDXL, placement) == taken


@pytest.mark.parametrize(
    ("kind", "capability", "precision"),
    [("cpu", (0, 0), torch.float32), ("mps", (0, 0), torch.float16), ("cuda", (6, 1), torch.float16),
     ("cuda", (7, 5), torch.float16), ("cuda", (8, 0), torch.bfloat16), ("cuda", (9, 0), torch.bfloat16)],
)  # fmt: skip
def test_cards_that_only_imitate_bfloat16_work_in_float16(
    kind: str, capability: tuple[int, int], precision: torch.dtype
) -> None:
    assert precision_of(kind, capability) == precision


def test_the_cpu_is_known() -> None:
    cpu = torch.device("cpu")
    free, total = memory_of(cpu)
    assert 0 < free < total and best_precision(cpu) == torch.float32


@pytest.mark.parametrize("kind", ["sd15", "sdxl", "lcm"])
@pytest.mark.parametrize("placement", ["turns", "layers"])
def test_models_that_take_turns_draw_the_same(kind: str, placement: Placement, tmp_path: Path) -> None:
    made = Path(getattr(tiny, f"make_{kind}")(tmp_path / kind))
    drawn, latents = [], []
    for how in ("whole", placement):
        pipeline: Any = Models(device="cpu").pipeline(str(made))
        names = [encoder.name for encoder in encoders_of(pipeline)] + ["unet", "vae"]
        place({name: getattr(pipeline, name) for name in names}, torch.device("cpu"), how)
        torch.manual_seed(6)
        sets = {one.name: PartTokens(5, 3, one.width) for one in encoders_of(pipeline)}
        painter = Painter(pipeline, TokenSet(sets) if len(sets) > 1 else sets["text_encoder"])
        drawn.append(painter.paint(WORDS, ("grey",), [4, 5], steps=3, guidance=3.0, output="latent"))
        latents.append(encode_pictures(pipeline.vae, smooth_noise(1, painter.size)))
        (picture, _) = decode(pipeline, drawn[-1])
        assert picture.width == painter.size and device_of(pipeline.unet).type == "cpu"
    assert torch.equal(*drawn) and torch.equal(*latents)


def test_layers_that_wait_take_nothing_of_the_device(tmp_path: Path) -> None:
    pipeline: Any = Models(device="cpu").pipeline(str(tiny.make_sd15(tmp_path / "sd15")))
    place({"unet": pipeline.unet}, torch.device("cpu"), "layers")
    assert all(parameter.device.type == "meta" for parameter in pipeline.unet.parameters())
    assert device_of(pipeline.unet).type == "cpu"
