"""The learner: the models of a training, the losses of a step, and the step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler
from safetensors.torch import load_file
from torch import Tensor

from engine.attention import AttentionCapture, attention_loss
from engine.errors import UserError
from engine.lora import add_lora
from engine.packs import Pack
from engine.plan import Plan
from engine.tokens import PartTokens, Sentence, encode, word_embeddings


def noise_of(scheduler_config: Any) -> DDPMScheduler:
    """The forward process a base model was trained with."""
    scheduler: Any = DDPMScheduler.from_config(scheduler_config)
    if scheduler.config.prediction_type not in ("epsilon", "v_prediction"):
        raise UserError(
            f"The base model predicts {scheduler.config.prediction_type}, which cannot be trained here.",
            "Choose a base model that predicts epsilon or v_prediction.",
        )
    return scheduler


def diffusion_loss(
    predicted: Tensor,
    latents: Tensor,
    noise: Tensor,
    timesteps: Tensor,
    scheduler: Any,
    gamma: float,
    counts: Tensor | None = None,
) -> Tensor:
    """Mean squared error weighted by min-SNR (arXiv 2303.09556); gamma 0 weighs all noise levels alike.

    Tensors are (B, C, h, w), ``timesteps`` (B,) int64. The target is the noise or the velocity, as the base predicts.
    ``counts`` (B, g, g) in 0..1 says how much each place counts.
    """
    velocity = scheduler.config.prediction_type == "v_prediction"
    target = scheduler.get_velocity(latents, noise, timesteps) if velocity else noise
    error = F.mse_loss(predicted.float(), target.float(), reduction="none").mean(dim=1)
    if counts is None:
        error = error.mean(dim=(1, 2))
    else:
        counts = F.interpolate(counts[:, None], error.shape[1:])[:, 0]
        error = (error * counts).sum(dim=(1, 2)) / counts.sum(dim=(1, 2)).clamp(min=1.0)
    if gamma:
        signal = scheduler.alphas_cumprod.to(error.device)[timesteps]
        snr = signal / (1 - signal)
        error = error * snr.clamp(max=gamma) / (snr + 1 if velocity else snr)
    return error.mean()


def what_counts(masks: Tensor, sentences: Sequence[Sentence], parts: Sequence[int]) -> Tensor:
    """How much each place counts in the diffusion loss: (B, g, g) in 0..1, from masks (B, M, g, g).

    Where a part is shown that its sentence leaves unsaid, nothing is learned: else the words that are said would
    have to stand for it, and a head would learn to bring its wing. The empty sentence learns the whole picture.
    """
    counts = torch.ones(len(masks), *masks.shape[2:])
    for row, sentence in enumerate(sentences):
        if sentence.places:
            unsaid = [part for part in parts if sentence.column_of(part) < 0]
            counts[row] -= masks[row, unsaid].sum(dim=0)
    return counts.clamp(0.0, 1.0)


@dataclass
class Learner:
    """The models of a training and its optimiser: everything a step changes."""

    pipeline: Any
    tokens: PartTokens
    plan: Plan
    scheduler: Any = field(init=False)
    optimizer: torch.optim.AdamW = field(init=False)
    average: list[Tensor] = field(init=False)

    def __post_init__(self) -> None:
        plan, device = self.plan, self.pipeline.unet.device
        self.tokens.to(device)
        self.scheduler = noise_of(self.pipeline.scheduler.config)
        groups: list[dict[str, Any]] = [{"params": list(self.tokens.parameters()), "lr": plan.token_rate}]
        if plan.rank:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(plan.seed)
                lora = add_lora(self.pipeline.unet, plan.rank)
            for parameter in lora:  # a half-precision base still learns in full precision
                parameter.data = parameter.data.float()
            groups.append({"params": lora, "lr": plan.rate})
        self.optimizer = torch.optim.AdamW(groups, weight_decay=plan.weight_decay)
        self.rates = [group["lr"] for group in groups]
        self.parameters: list[Tensor] = [one for group in groups for one in group["params"]]
        self.average = [one.detach().clone() for one in self.parameters] if plan.ema else []

    def losses(
        self,
        capture: AttentionCapture | None,
        latents: Tensor,
        noise: Tensor,
        timesteps: Tensor,
        sentences: Sequence[Sentence],
        masks: Tensor,
        counts: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Diffusion and attention loss of one batch: latents and noise (B, C, h, w), timesteps (B,), masks (B, M, g, g)
        and counts (B, g, g) in 0..1."""
        unet = self.pipeline.unet
        hidden = encode(sentences, self.pipeline.text_encoder, self.tokens).hidden.to(unet.dtype)
        noisy: Any = self.scheduler.add_noise(latents, noise, timesteps)
        predicted = unet(noisy.to(unet.dtype), timesteps, hidden).sample
        diffusion = diffusion_loss(predicted, latents, noise, timesteps, self.scheduler, self.plan.snr_gamma, counts)
        if capture is None:
            return diffusion, torch.zeros((), device=diffusion.device)
        columns = [[sentence.column_of(part) for part in range(masks.shape[1])] for sentence in sentences]
        located = torch.tensor(columns, device=masks.device)
        rest: Any = self.plan.rest
        return diffusion, attention_loss(capture.take(), located, masks, rest)

    def update(self, loss: Tensor, step: int) -> None:
        """One optimiser step (0-based) from a loss."""
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * self.plan.factor(step)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, self.plan.clip)
        self.optimizer.step()
        with torch.no_grad():
            for kept, now in zip(self.average, self.parameters, strict=False):
                kept.lerp_(now, 1 - min(self.plan.ema, (step + 1) / (step + 10)))

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """While open, the running average stands in for the weights (if one is kept)."""
        now = [one.detach().clone() for one in self.parameters] if self.average else []
        self._assign(self.average)
        try:
            yield
        finally:
            self._assign(now)

    def tensors(self) -> dict[str, Tensor]:
        """All that a step changes, for a checkpoint: weights, optimiser state, running average."""
        kept = {f"weight.{i}": one.detach() for i, one in enumerate(self.parameters)}
        kept |= {f"average.{i}": one for i, one in enumerate(self.average)}
        for i, state in self.optimizer.state_dict()["state"].items():
            kept |= {f"optimizer.{i}.{name}": value for name, value in state.items()}
        return {name: value.cpu().contiguous() for name, value in kept.items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take back what :meth:`tensors` gave. Raises ``ValueError`` if it belongs to another plan."""
        weights = [tensors.get(f"weight.{i}") for i in range(len(self.parameters))]
        if any(one is None or one.shape != now.shape for one, now in zip(weights, self.parameters, strict=True)):
            raise ValueError("the checkpoint has other weights than the plan")
        self._assign([one for one in weights if one is not None])
        self.average = (
            [tensors[f"average.{i}"].to(now.device) for i, now in enumerate(self.parameters)] if self.average else []
        )
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith("optimizer."):
                _, index, key = name.split(".")
                state.setdefault(int(index), {})[key] = value
        document = self.optimizer.state_dict()
        document["state"] = state
        self.optimizer.load_state_dict(document)

    @torch.no_grad()
    def _assign(self, values: Sequence[Tensor]) -> None:
        for parameter, value in zip(self.parameters, values, strict=False):
            parameter.copy_(value)


def start_tokens(plan: Plan, pack: Pack, pipeline: Any) -> PartTokens:
    """Tokens as they are before the first step (seeded)."""
    words = pack.vocabulary
    width = pipeline.text_encoder.config.hidden_size
    shape = (len(words.parts), words.codes_per_part, width, plan.projection_layers)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        if plan.start == "noise":
            return PartTokens(*shape)
        if plan.start == "words":
            around = word_embeddings(
                [part.name for part in words.parts], pipeline.tokenizer, pipeline.text_encoder
            ).cpu()
        else:
            try:
                around = load_file(plan.start)["start"].float()
            except Exception as error:
                raise UserError(
                    f"The plan's start, {plan.start}, cannot be read.", 'Use "words" or "noise".'
                ) from error
        if around.shape != (len(words.parts), width):
            raise UserError("The plan's start does not fit the pack's parts and the base model.", 'Use "words".')
        return PartTokens(*shape, around=around, spread=plan.spread)
