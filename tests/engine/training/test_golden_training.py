"""Twenty training steps agree with the original's, from the same inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import set_peft_model_state_dict
from safetensors.torch import load_file

from engine.core.vocabulary import Choice
from engine.exchange.original_checkpoint import original_lora
from engine.models.attention_capture import AttentionCapture
from engine.models.loader import Models
from engine.models.lora import lora_state
from engine.models.text_encoding import TokenizedPrompt
from engine.runs.plan import PAPER, Plan
from engine.training.learner import Learner
from tests.engine.models.test_golden_tokens import tokens_from_original

PLACEHOLDER = 567
END = 566


def said(ids: list[int], codes: list[int]) -> TokenizedPrompt:
    """A recorded caption: the original's placeholder ids become choices."""
    places = [(place, id - PLACEHOLDER) for place, id in enumerate(ids) if id >= PLACEHOLDER]
    plain = tuple(0 if id >= PLACEHOLDER else id for id in ids)
    end = ids.index(END)
    return TokenizedPrompt(plain, tuple((place, Choice(part, codes[part])) for place, part in places), end)


def test_twenty_steps_are_the_originals(golden: Path, golden_index: dict[str, Any]) -> None:
    data = load_file(golden / "train_runA.safetensors")
    micro = golden_index["train_runA.safetensors"]["micro"]

    def at(prefix: str) -> dict[str, torch.Tensor]:
        return {name.removeprefix(prefix): value for name, value in data.items() if name.startswith(prefix)}

    plan = Plan.from_json('{"pack": "p", "recipe": "paper", "rate": 1e-3, "token_rate": 1e-3, "steps": 20}')
    assert plan.rest == PAPER["rest"] and plan.attention_weight == 0.01
    pipeline = Models(device="cpu").own_pipeline(str(golden / "tiny_sd"))
    learner = Learner(pipeline, tokens_from_original(at("init.mapper.")), plan)
    set_peft_model_state_dict(pipeline.unet, original_lora(at("init.lora.")))
    with AttentionCapture(pipeline.unet, 16) as capture:
        for step in range(20):
            batch = at(f"m{step:02d}.")
            codes = batch["codes"].long().tolist()
            sentences = [said(*row) for row in zip(batch["input_ids"].tolist(), codes, strict=True)]
            diffusion, attention = learner.losses(
                capture, batch["latents"], batch["noise"], batch["timesteps"].long(), sentences, batch["segmasks"]
            )
            loss = diffusion + plan.attention_weight * attention
            assert loss.item() == pytest.approx(micro[step]["loss"], abs=1e-5), step
            assert attention.item() == pytest.approx(micro[step]["attn_loss"], abs=1e-5), step
            learner.update(loss, step)
    tokens = learner.tokens.state_dict()
    theirs = at("final.mapper.")
    for ours, name in (("position", "pe"), ("embedding", "embedding.weight")):
        torch.testing.assert_close(tokens[ours].flatten(), theirs[name].flatten(), rtol=0, atol=1e-4)
    torch.testing.assert_close(tokens["projection.0.weight"], theirs["projection.0.weight"], rtol=0, atol=1e-4)
    lora = lora_state(pipeline.unet)
    final = original_lora(at("final.lora."))
    assert lora.keys() == final.keys()
    for name, value in final.items():
        torch.testing.assert_close(lora[name], value, rtol=0, atol=1e-4)
