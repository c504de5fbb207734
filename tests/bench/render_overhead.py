"""How much longer a step takes in our rendering than in plain diffusers: prints the ratio (bar: 1.03).

    python tests/bench/render_overhead.py [PACK_OR_BASE_FOLDER] [--rounds N] [--steps N] [--size PIXELS]

Both paint the same prompt with the same scheduler and size in this process, in turns, and the faster half of
each one's rounds counts, so that a busy machine disturbs both alike. Ours has the pack's LoRA merged, its tokens in the
prompt, progress and previews; plain diffusers has words only. Without a folder it takes a random UNet of middling
size, with which a step costs about what the starter's does.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch

from engine.core.vocabulary import Choice
from engine.models.loader import Models
from engine.models.part_tokens import PartTokens
from engine.packs.pack import MANIFEST, Pack
from engine.rendering.painter import Painter, open_painter
from engine.rendering.preview import LatentPreview, open_preview, smooth_noise


def main() -> None:
    """Measure and print one line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", help="a pack, or a base model's folder")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--size", type=int, default=0)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        painter, plain, look = _open(words.folder, Path(scratch))
        ours, theirs = [], []
        for round in range(words.rounds + 1):
            one, other = _ours(painter, look, words), _plain(plain, painter, words)
            if round:  # the first one warms up
                ours.append(one)
                theirs.append(other)
    mine, stock = (statistics.mean(sorted(times)[: max(1, len(times) // 2)]) for times in (ours, theirs))
    print(
        f"ours {mine / words.steps * 1000:.2f} ms a step, plain diffusers {stock / words.steps * 1000:.2f} ms, "
        f"ratio {mine / stock:.3f} (bar 1.03)"
    )


def _clock() -> float:
    """Seconds of work: on a CPU of this process alone, which other programs do not disturb."""
    return time.perf_counter() if torch.cuda.is_available() else time.process_time()


def _open(folder: str | None, scratch: Path) -> tuple[Painter, Any, Any]:
    """Our painter, a plain pipeline of the same base model, and the preview."""
    models, other = Models(), Models()
    if folder and (Path(folder) / MANIFEST).is_file():
        pack = Pack.open(folder)
        painter = open_painter(models, pack)
        return painter, other.pipeline(pack.base_model.id), open_preview(models, pack, painter)
    base = folder or str(_middling(scratch))
    pipeline = models.pipeline(base)
    painter = Painter(pipeline, PartTokens(4, 4, pipeline.text_encoder.config.hidden_size).to(models.device))
    return painter, other.pipeline(base), LatentPreview(pipeline.vae, smooth_noise(4, painter.size))


def _ours(painter: Painter, look: Any, words: argparse.Namespace) -> float:
    shown = -(-words.steps // 10)

    def step(index: int, latents: torch.Tensor) -> None:
        if index % shown == shown - 1:
            look(latents[0])

    prompt = ("a photo of a ", *(Choice(part, part) for part in range(4)), " bird")
    begin = _clock()
    painter.paint(prompt, (), [0], steps=words.steps, guidance=3.0, size=words.size, step=step, output="latent")
    return _clock() - begin


def _plain(pipeline: Any, painter: Painter, words: argparse.Namespace) -> float:
    side = words.size or painter.size
    begin = _clock()
    pipeline(
        "a photo of a red green blue grey bird",
        num_inference_steps=words.steps,
        guidance_scale=3.0,
        height=side,
        width=side,
        generator=torch.Generator("cpu").manual_seed(0),
        output_type="latent",
    )
    return _clock() - begin


def _middling(scratch: Path) -> Path:
    from diffusers import UNet2DConditionModel

    from tests.engine.tiny import WIDTH, make_base

    make_base(scratch)
    unet = UNet2DConditionModel(
        sample_size=16, in_channels=12, out_channels=12, block_out_channels=(64, 128, 192), layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=WIDTH, attention_head_dim=4, norm_num_groups=16,
    )  # fmt: skip
    unet.save_pretrained(scratch / "unet")
    return scratch


if __name__ == "__main__":
    main()
