"""What LoRAs beside a pack cost a step: ``python -m tests.bench.lora_hooks [--base starter sd15] [--rank 16]``.

A LoRA of somebody else's is not merged: hooks add its share to each layer's output. This prints the ratio of a UNet's
step with one and with two of them to a step without, in turns in one process, processor seconds, the faster half of
the rounds: on the starter's UNet and on Stable Diffusion 1.5's (random weights, latents of 32 x 32). The LoRAs change
all projections of attention, as most files do; ``--all`` adds every other layer, convolutions too.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import torch
from diffusers import UNet2DConditionModel

from engine.core.paths import resources_dir
from engine.models.add_on_lora import AddOnLora, loras_on
from engine.models.lora import TARGETS, LoraLayer

SIDES = {"starter": 16, "sd15": 32}


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print a line for each base."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", nargs="+", choices=list(SIDES), default=list(SIDES))
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    for base in options.base:
        unet = _unet(base)
        pipeline = SimpleNamespace(unet=unet)
        lora = _lora(unet, options.rank, options.all)
        times: dict[int, list[float]] = {0: [], 1: [], 2: []}
        for round in range(options.rounds + 1):
            for count, taken in times.items():
                seconds = _step(pipeline, [(lora, 0.7)] * count, SIDES[base])
                if round:  # the first one warms up
                    taken.append(seconds)
        none, one, two = (statistics.mean(sorted(taken)[: max(1, len(taken) // 2)]) for taken in times.values())
        print(
            f"{base}, {len(lora.layers)} layers, rank {options.rank}: without {none * 1000:.0f} ms a step, one "
            f"{one / none:.3f} times that, two {two / none:.3f}",
            flush=True,
        )


def _unet(base: str) -> Any:
    if base == "starter":
        return UNet2DConditionModel.from_pretrained(resources_dir() / "starter" / "base" / "unet").float().eval()
    return UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8).eval()  # of SD 1.5


def _lora(unet: Any, rank: int, all_layers: bool) -> AddOnLora:
    generator = torch.Generator().manual_seed(0)
    layers = {}
    for name, module in unet.named_modules():
        is_wanted = isinstance(module, torch.nn.Linear | torch.nn.Conv2d)
        if not is_wanted or not (all_layers or name.endswith(TARGETS)):
            continue
        weight: Any = module.weight
        down = torch.randn(rank, *weight.shape[1:], generator=generator) / rank
        up = torch.randn(weight.shape[0], rank, *([1] * (weight.ndim - 2)), generator=generator) / rank
        layers[name] = LoraLayer(down, up, float(rank))
    return AddOnLora("random", layers)


@torch.no_grad()
def _step(pipeline: Any, loras: list[tuple[AddOnLora, float]], side: int) -> float:
    unet = pipeline.unet
    latents = torch.zeros(2, unet.config.in_channels, side, side)
    states = torch.zeros(2, 77, unet.config.cross_attention_dim)
    with loras_on(pipeline, loras):
        began = time.process_time()
        unet(latents, 500, states)
        return time.process_time() - began


if __name__ == "__main__":
    main()
