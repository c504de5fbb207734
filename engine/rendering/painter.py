"""Painter: a pipeline and the tokens its prompts can say, from prompts to a batch of pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from PIL import Image
from torch import Tensor

from engine.core.add_on import LORA, AddOn, is_few_step
from engine.core.errors import UserError
from engine.core.on_disk import is_file
from engine.core.recipe import Prompt
from engine.models.add_on_lora import loras_on
from engine.models.components import drawing_in_few_steps
from engine.models.conditioning import encode_prompt
from engine.models.loader import Models
from engine.models.model_config import OWN_WORDS
from engine.models.part_tokens import Tokens, load_tokens
from engine.models.strength_curve import StrengthCurve
from engine.models.text_encoding import TokenizedPrompt, tokenize_prompt
from engine.packs.base_sizes import model_document
from engine.packs.pack import TOKENS, Pack
from engine.rendering.add_ons import OpenAddOns, find_add_ons, open_add_ons
from engine.rendering.decoding import Say, decode, require_numbers

_OF_PIPELINES: Final = 8
"""Stable Diffusion's pipelines take multiples of it alone, also where an autoencoder's own step is smaller."""

Step = Callable[[int, Tensor], None]


@dataclass(frozen=True)
class Painter:
    """A stock pipeline and the tokens its prompts can say (None: plain words only). ``add_ons`` are LoRAs and
    embeddings of others: they change what it paints, and nothing of the pipeline, which others use, too. ``strengths``
    is the base model's own."""

    pipeline: Any
    tokens: Tokens | None = None
    add_ons: OpenAddOns = field(default_factory=OpenAddOns)
    strengths: StrengthCurve = field(default_factory=StrengthCurve)

    @property
    def size(self) -> int:
        """The side in pixels of the base model's own pictures."""
        return int(self.pipeline.unet.config.sample_size * self.pipeline.vae_scale_factor)

    def paint(
        self,
        prompt: Prompt,
        negative: Prompt,
        seeds: Sequence[int],
        *,
        steps: int,
        guidance: float,
        size: int = 0,
        step: Step = lambda _index, _latents: None,
        latents: Tensor | None = None,
        output: str = "pil",
        say: Say = lambda _sentence: None,
    ) -> Any:
        """One batch of RGB pictures, one for each seed.

        The noise of a picture comes from its own seed alone; in float32 its batch moves it by rounding only
        (at most one grey level). ``step`` is called after each step with its index and the predicted clean
        latents (B, C, h, w), and may raise. ``latents`` replaces the noise; ``output`` is "pil" or "latent"; ``say`` as
        in :func:`decode`.
        Raises :class:`UserError` for choices the tokens do not have, prompts that would be cut, and more steps than
        the base model has.
        """
        with self.loras_on():
            embeddings, _ = self.embeddings(prompt, negative)
            made = self._run(embeddings, seeds, len(seeds), steps, guidance, size, step, latents)
        return made if output == "latent" else decode(self.pipeline, made, say)

    def paint_each(
        self,
        prompts: Sequence[Prompt],
        seeds: Sequence[int],
        *,
        steps: int,
        guidance: float,
        size: int = 0,
        step: Step = lambda _index, _latents: None,
        negative: Prompt = (),
        say: Say = lambda _sentence: None,
    ) -> list[Image.Image]:
        """One batch of RGB pictures, one for each prompt and its seed, beside one negative prompt; each as
        :meth:`paint` gives it alone. Raises :class:`UserError` as that."""
        with self.loras_on():
            embeddings, _ = self._encoded(prompts, negative)
            made = self._run(embeddings, seeds, 1, steps, guidance, size, step, None)
        return decode(self.pipeline, made, say)

    def _run(
        self,
        embeddings: dict[str, Tensor],
        seeds: Sequence[int],
        pictures_each: int,
        steps: int,
        guidance: float,
        size: int,
        step: Step,
        latents: Tensor | None,
    ) -> Tensor:
        pipeline = self.pipeline
        require_steps(pipeline.scheduler, steps)

        def after(pipe: Any, index: int, _timestep: Any, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
            require_numbers(tensors["latents"])
            step(index, predicted_clean(pipe, tensors))
            return {}

        side = fitting_size(size or self.size, pipeline.vae_scale_factor)
        return pipeline(
            **embeddings,
            num_images_per_prompt=pictures_each,
            generator=[torch.Generator("cpu").manual_seed(seed) for seed in seeds],
            latents=latents,
            num_inference_steps=steps,
            guidance_scale=guidance,
            height=side,
            width=side,
            callback_on_step_end=after,
            output_type="latent",
        ).images

    def loras_on(self) -> AbstractContextManager[None]:
        """While open, the pipeline paints with the add-ons' LoRAs. Raises :class:`UserError` for one that does not
        fit."""
        return loras_on(self.pipeline, self.add_ons.loras)

    def embeddings(self, prompt: Prompt, negative: Prompt) -> tuple[dict[str, Tensor], TokenizedPrompt]:
        """What any pipeline of this base model is told of a prompt (its arguments by name), and the prompt's tokens.
        Raises :class:`UserError` as :meth:`paint`."""
        embeddings, sentences = self._encoded((prompt,), negative)
        return embeddings, sentences[0]

    def _encoded(self, prompts: Sequence[Prompt], negative: Prompt) -> tuple[dict[str, Tensor], list[TokenizedPrompt]]:
        """What any pipeline of this base model is told of prompts, each beside the same negative one; their tokens."""
        pipeline, count = self.pipeline, len(prompts)
        length = pipeline.text_encoder.config.max_position_embeddings
        words = self.add_ons.embeddings
        said = [self.strengths.applied(prompt) for prompt in (*prompts, negative)]
        sentences = [tokenize_prompt(prompt, pipeline.tokenizer, length, words) for prompt in said]
        with torch.no_grad():
            encoded = encode_prompt(pipeline, sentences, self.tokens)
        hidden, pooled = encoded.hidden, encoded.pooled
        embeddings = {
            "prompt_embeds": hidden[:count],
            "negative_prompt_embeds": hidden[count:].expand(count, -1, -1),
        }
        if pipeline.unet.config.addition_embed_type == "text_time":  # SDXL; it says the sizes itself
            embeddings |= {
                "pooled_prompt_embeds": pooled[:count],
                "negative_pooled_prompt_embeds": pooled[count:].expand(count, -1),
            }
        return embeddings, sentences


def predicted_clean(pipe: Any, tensors: dict[str, Tensor]) -> Tensor:
    """The clean latents a pipeline predicted in its last step."""
    # DPM-Solver++ keeps them; other schedulers have only the noisy latents.
    predicted = getattr(pipe.scheduler, "model_outputs", None)
    return predicted[-1] if predicted and predicted[-1] is not None else tensors["latents"]


def open_painter(models: Models, pack: Pack, add_ons: Sequence[AddOn] = ()) -> Painter:
    """What a pack renders with, and add-ons beside it; a few-step LoRA brings its schedule. Raises :class:`UserError`
    if a model or file is missing or does not fit."""
    files = find_add_ons(add_ons)  # first: it is quick, and one may be missing
    pipeline = models.pipeline_of(pack)
    if any(add_on.kind == LORA and is_few_step(path) for add_on, path in files.items()):
        pipeline = drawing_in_few_steps(pipeline)
    path = pack.path / TOKENS
    tokens = load_tokens(path).to(models.device) if is_file(path) else None
    own = model_document(pack.base_model.id, "model_index.json").get(OWN_WORDS)
    strengths = StrengthCurve.from_json(own.get("strengths") if isinstance(own, dict) else None)
    return Painter(pipeline, tokens, open_add_ons(models, pipeline, files), strengths)


def fitting_size(size: int, multiple: int) -> int:
    """The side nearest to one that is asked for, in pixels, of which a base model makes pictures."""
    multiple = math.lcm(multiple, _OF_PIPELINES)
    return max(1, round(size / multiple)) * multiple


def require_steps(scheduler: Any, steps: int) -> None:
    """See that a schedule has so many steps: those of consistency models were taught some (50) and have no more.
    Raises :class:`UserError`."""
    most = scheduler.config.get("original_inference_steps")
    if isinstance(most, int) and steps > most:
        raise UserError(
            f"This base model has {most} steps at most, and {steps} were asked for.",
            f"Choose {most} steps or fewer; it was made to render in 4 to 8.",
        )
