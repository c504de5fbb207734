"""The learner: the models of a training, the losses of a step, and the step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from engine.core.errors import UserError
from engine.models.attention_capture import AttentionCapture
from engine.models.base_models import TAUGHT_GUIDANCE
from engine.models.conditioning import added_cond_kwargs, encode_prompt
from engine.models.lora import add_lora
from engine.models.part_tokens import Tokens
from engine.models.text_encoding import TokenizedPrompt
from engine.runs.plan import Plan
from engine.training.attention_loss import attention_loss
from engine.training.cpu_convolutions import speed_up_convolutions
from engine.training.diffusion_loss import diffusion_loss, noise_scheduler


def _flat(state: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The values of an optimiser's state with dotted names: bitsandbytes keeps one mapping in another."""
    for name, value in state.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", item) for inner, item in _flat(value))
        else:
            yield name, value


def _optimizer(name: str) -> Any:
    """The class of a plan's optimiser. Raises :class:`UserError` if its library is not there."""
    if name == "adamw":
        return torch.optim.AdamW
    try:
        from bitsandbytes.optim import AdamW8bit  # pyright: ignore[reportMissingImports]  not among the dependencies
    except ImportError as error:
        raise UserError(
            "The 8-bit optimiser needs bitsandbytes, which is not installed.",
            'Say "optimizer": "adamw" in the plan, or install it: pip install bitsandbytes',
        ) from error
    return AdamW8bit


@dataclass
class Learner:
    """The models of a training and its optimiser: everything a step changes."""

    pipeline: Any
    tokens: Tokens
    plan: Plan
    scheduler: Any = field(init=False)
    optimizer: torch.optim.Optimizer = field(init=False)
    scaler: torch.GradScaler = field(init=False)
    average: list[Tensor] = field(init=False)

    def __post_init__(self) -> None:
        plan, device = self.plan, self.pipeline.unet.device
        self.tokens.to(device)
        self.scheduler = noise_scheduler(self.pipeline.scheduler.config)
        speed_up_convolutions(self.pipeline.unet)
        groups: list[dict[str, Any]] = [
            {
                "params": [parameter for parameter in self.tokens.parameters() if parameter.requires_grad],
                "lr": plan.token_rate,
            }
        ]
        if plan.rank:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(plan.seed)
                lora = add_lora(self.pipeline.unet, plan.rank)
            for parameter in lora:  # a half-precision base still learns in full precision
                parameter.data = parameter.data.float()
            groups.append({"params": lora, "lr": plan.rate})
        if plan.checkpointing:
            self.pipeline.unet.enable_gradient_checkpointing()
        self.optimizer = _optimizer(plan.optimizer)(groups, weight_decay=plan.weight_decay)
        # In float16 small gradients would vanish: the loss is scaled up before the way back. Else it does nothing.
        self.scaler = torch.GradScaler(device.type, enabled=self.pipeline.unet.dtype is torch.float16)
        self.rates = [group["lr"] for group in groups]
        self.parameters: list[Tensor] = [parameter for group in groups for parameter in group["params"]]
        self.average = [parameter.detach().clone() for parameter in self.parameters] if plan.ema else []

    def losses(
        self,
        capture: AttentionCapture | None,
        latents: Tensor,
        noise: Tensor,
        timesteps: Tensor,
        sentences: Sequence[TokenizedPrompt],
        masks: Tensor,
        counts: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Diffusion and attention loss of one batch: latents and noise (B, C, h, w), timesteps (B,), masks (B, M, g, g)
        and counts (B, g, g) in 0..1."""
        unet = self.pipeline.unet
        noisy: Any = self.scheduler.add_noise(latents, noise, timesteps)
        with torch.autocast(unet.device.type, unet.dtype, enabled=unet.dtype is not torch.float32):
            encoded = encode_prompt(self.pipeline, sentences, self.tokens)
            side = latents.shape[-1] * self.pipeline.vae_scale_factor
            more = added_cond_kwargs(self.pipeline, encoded, side, TAUGHT_GUIDANCE)
            predicted = unet(noisy.to(unet.dtype), timesteps, encoded.hidden.to(unet.dtype), **more).sample
        diffusion = diffusion_loss(predicted, latents, noise, timesteps, self.scheduler, self.plan.snr_gamma, counts)
        if capture is None:
            return diffusion, torch.zeros((), device=diffusion.device)
        columns = [[sentence.column_of(part) for part in range(masks.shape[1])] for sentence in sentences]
        located = torch.tensor(columns, device=masks.device)
        rest: Any = self.plan.rest
        return diffusion, attention_loss(capture.take(), located, masks, rest)

    def update(
        self, loss: Tensor, step: int, average_gradients: Callable[[Sequence[Tensor]], None] | None = None
    ) -> None:
        """One optimiser step (0-based) from a loss.

        ``average_gradients`` is called between the backward pass and clipping with one gradient for each of
        ``parameters`` (float32, to be changed in place): where several processes learn together, they take their mean
        there. What it raises, this raises, before any weight has changed.
        """
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * self.plan.factor(step)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        if average_gradients is not None:
            average_gradients(self._gradients())
        self.scaler.unscale_(self.optimizer)
        torch.nn.utils.clip_grad_norm_(self.parameters, self.plan.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        with torch.no_grad():
            for average, now in zip(self.average, self.parameters, strict=False):
                average.lerp_(now, 1 - min(self.plan.ema, (step + 1) / (step + 10)))

    def _gradients(self) -> list[Tensor]:
        """The gradient of each parameter; zeros where this batch said no token, for others may have."""
        for parameter in self.parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        return [parameter.grad for parameter in self.parameters if parameter.grad is not None]

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """While open, the running average stands in for the weights (if one is kept)."""
        now = [parameter.detach().clone() for parameter in self.parameters] if self.average else []
        self._assign(self.average)
        try:
            yield
        finally:
            self._assign(now)

    def tensors(self) -> dict[str, Tensor]:
        """All that a step changes, for a checkpoint: weights, optimiser state, running average."""
        tensors = {f"weight.{i}": parameter.detach() for i, parameter in enumerate(self.parameters)}
        tensors |= {f"average.{i}": average for i, average in enumerate(self.average)}
        for i, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{i}.{name}": torch.as_tensor(value) for name, value in _flat(state)}
        tensors |= {f"scaler.{name}": torch.as_tensor(value) for name, value in self.scaler.state_dict().items()}
        return {name: value.cpu().contiguous() for name, value in tensors.items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take back what :meth:`tensors` gave. Raises ``ValueError`` if it belongs to another plan."""
        weights = [tensors.get(f"weight.{i}") for i in range(len(self.parameters))]
        if any(
            weight is None or weight.shape != now.shape for weight, now in zip(weights, self.parameters, strict=True)
        ):
            raise ValueError("the checkpoint has other weights than the plan")
        self._assign([weight for weight in weights if weight is not None])
        self.average = (
            [tensors[f"average.{i}"].to(now.device) for i, now in enumerate(self.parameters)] if self.average else []
        )
        state: dict[int, dict[str, Any]] = {}
        for name, value in tensors.items():
            if name.startswith("optimizer."):
                _, index, *names, last = name.split(".")
                place = state.setdefault(int(index), {})
                for key in names:
                    place = place.setdefault(key, {})
                # Counts of steps are tensors of float32 in PyTorch's optimiser and whole numbers in bitsandbytes'.
                place[last] = value.item() if value.dtype is torch.int64 else value
        document = self.optimizer.state_dict()
        document["state"] = state
        self.optimizer.load_state_dict(document)
        if self.scaler.is_enabled():
            self.scaler.load_state_dict({name: tensors[f"scaler.{name}"].item() for name in self.scaler.state_dict()})

    @torch.no_grad()
    def _assign(self, values: Sequence[Tensor]) -> None:
        for parameter, value in zip(self.parameters, values, strict=False):
            parameter.copy_(value)
