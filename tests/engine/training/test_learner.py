"""The step: gradient checkpointing, half precision, the 8-bit optimiser, and what several processes share."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.core.errors import UserError
from engine.core.vocabulary import Choice
from engine.models.attention_capture import AttentionCapture
from engine.models.loader import Models
from engine.models.part_tokens import PartTokens
from engine.models.text_encoding import tokenize_prompt
from engine.runs.plan import Plan
from engine.training.learner import Learner
from tests.engine import tiny


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make_sd15(tmp_path_factory.mktemp("base") / "sd15")


def make(base: Path, **plan: Any) -> Learner:
    """A learner of four parts in three codes, always from the same beginning."""
    document = {"pack": "p", "rate": 1e-2, "token_rate": 1e-2, "attention_weight": 0.5, **plan}
    made = Plan.from_json(json.dumps(document))
    pipeline = Models(device="cpu").own_pipeline(str(base), precision=made.precision)
    torch.manual_seed(0)
    return Learner(pipeline, PartTokens(4, 3, tiny.WIDTH), made)


def take(
    learner: Learner, steps: int, average: Callable[[Sequence[torch.Tensor]], None] | None = None
) -> list[tuple[float, float]]:
    """Steps on noise; the losses of each."""
    generator = torch.Generator().manual_seed(1)
    prompts = (("a ", Choice(0, 1), " ", Choice(1, 2)), (Choice(3, 0), " bird"))
    sentences = [tokenize_prompt(prompt, learner.pipeline.tokenizer) for prompt in prompts]
    masks = (torch.rand(2, 4, 16, 16, generator=generator) > 0.5).float()
    found = []
    with AttentionCapture(learner.pipeline.unet, 16) as capture:
        for step in range(steps):
            latents, noise = (torch.randn(2, 4, 16, 16, generator=generator) for _ in range(2))
            levels = torch.randint(1000, (2,), generator=generator)
            diffusion, attention = learner.losses(capture, latents, noise, levels, sentences, masks)
            learner.update(diffusion + 0.5 * attention, step, average)
            found.append((diffusion.item(), attention.item()))
            assert not capture.maps, "nothing is recorded on the way back"
    return found


def test_checkpointing_computes_the_same_step(base: Path) -> None:
    plain, twice = make(base), make(base, checkpointing=True)
    calls: list[int] = []
    block = twice.pipeline.unet.mid_block.attentions[0].transformer_blocks[0]
    block.register_forward_pre_hook(lambda *_: calls.append(1))
    one, other = take(plain, 3), take(twice, 3)
    assert len(calls) == 6, "each step computes it twice"
    assert torch.allclose(torch.tensor(one), torch.tensor(other), rtol=0, atol=1e-6)
    for ours, theirs in zip(plain.parameters, twice.parameters, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_learns_almost_the_same_in_float32(base: Path, precision: str) -> None:
    full, half = make(base), make(base, precision=precision)
    assert half.pipeline.unet.dtype is getattr(torch, precision)
    assert {one.dtype for one in half.parameters} == {torch.float32}
    assert half.scaler.is_enabled() == (precision == "float16")
    before = [one.detach().clone() for one in half.parameters]
    for ours, theirs in zip(take(half, 3), take(full, 3), strict=True):
        assert ours == pytest.approx(theirs, rel=0.05)
    assert all(torch.isfinite(one).all() for one in half.parameters)
    assert any(not torch.equal(one, now) for one, now in zip(before, half.parameters, strict=True))
    kept = half.tensors()
    again = make(base, precision=precision)
    again.restore(kept)
    assert again.scaler.state_dict() == half.scaler.state_dict()
    assert take(again, 1) == take(half, 1)


@pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is not None, reason="bitsandbytes is installed here")
def test_an_8_bit_optimiser_that_is_not_there_is_told(base: Path) -> None:
    with pytest.raises(UserError, match="bitsandbytes") as caught:
        make(base, optimizer="adamw8bit")
    assert "pip install" in caught.value.hint


def test_processes_share_one_gradient_for_each_parameter(base: Path) -> None:
    learner, alone = make(base), make(base)
    seen: list[int] = []

    def average(gradients: Sequence[torch.Tensor]) -> None:
        seen.append(len(gradients))
        for gradient, parameter in zip(gradients, learner.parameters, strict=True):
            assert gradient.shape == parameter.shape and gradient.dtype is torch.float32
            gradient.mul_(0)

    before = [one.detach().clone() for one in learner.parameters]
    for group in learner.optimizer.param_groups:
        group["weight_decay"] = 0.0
    take(learner, 1, average)
    assert seen == [len(learner.parameters)]
    assert all(torch.equal(one, now) for one, now in zip(before, learner.parameters, strict=True))
    take(alone, 1)
    assert not any(torch.equal(one, now) for one, now in zip(before[:2], alone.parameters[:2], strict=True))


def test_tokens_that_are_kept_are_not_learned(base: Path) -> None:
    tokens = PartTokens(4, 3, tiny.WIDTH)
    tokens.keep(1)
    plan = Plan.from_json('{"pack": "p", "attention_weight": 0.5, "weight_decay": 0.1}')
    learner = Learner(Models(device="cpu").own_pipeline(str(base)), tokens, plan)
    assert all(one is not tokens.position for one in learner.parameters)
    kept, raw = tokens.position.detach().clone(), tokens.raw.detach().clone()
    take(learner, 1, lambda _gradients: None)
    assert torch.equal(kept, tokens.position) and torch.equal(raw[:, :1], tokens.raw[:, :1])
    assert not torch.equal(raw[:, 1:], tokens.raw[:, 1:])
