"""The starter base model: an ordinary StableDiffusionPipeline, small, trained on birds by parts.

In its captions every part is either described in words or given by one *soft token*: a vector put in
place of a token embedding, which is just how a pack's tokens enter later. During this training the soft
tokens come from a small network that reads the part's attributes (forms and colours), so the base learns
that *any* vector of that kind means a part, and learns it on mixtures, part by part.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler, DPMSolverMultistepScheduler, UNet2DConditionModel
from safetensors.torch import save_file
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from engine.aviary.captions import CaptionTokenizer
from engine.aviary.dataset import BirdDataset
from engine.aviary.drawing.attributes import PARTS, Look, attribute_width, attributes
from engine.aviary.drawing.species import SPECIES
from engine.aviary.training.autoencoder import CHANNELS
from engine.aviary.training.devices import CPU, noise_like
from engine.aviary.training.schedule import ParameterAverage, TrainingSchedule, load_state, save_state
from engine.models.part_tokens import PartTokens
from engine.packs.pack import TOKENS, Pack

WIDTH = 128
#: Size of an ordinary token's coordinates at the start, and of a soft token's distance from its word.
TOKEN_SCALE = 0.1
#: From this share of the training on, most pictures have no random parts and captions fewer words: what the
#: pack needs is practised most while the rate falls.
FINISHING, FINISHING_SHARE = 0.35, 0.7
#: Birds whose soft tokens are exported, to learn from them what a part's look says of its token.
SAMPLED_FROM, SAMPLED = 10_000_000, 1500


class SoftEmbedding(nn.Module):
    """Token embeddings in which ids >= the vocabulary's size take a row of `vectors` instead."""

    def __init__(self, table: nn.Embedding) -> None:
        super().__init__()
        self.table = table
        self.vectors: torch.Tensor | None = None  # (B, parts, width)

    @property
    def weight(self) -> torch.Tensor:
        return self.table.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """ids (B, L) to (B, L, width)."""
        size = self.table.num_embeddings
        embedded = self.table(ids.clamp(max=size - 1))
        if self.vectors is None:
            return embedded
        soft = ids >= size
        index = (ids - size).clamp(min=0)
        rows = self.vectors.gather(1, index[..., None].expand(-1, -1, self.vectors.shape[-1]))
        return torch.where(soft[..., None], rows, embedded)


class AttributeEncoder(nn.Module):
    """Per part: attributes (A,) to a soft token of fixed size. Thrown away after the base's training."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList(
            nn.Sequential(nn.Linear(attribute_width(part), 256), nn.GELU(), nn.Linear(256, WIDTH)) for part in PARTS
        )

    def forward(self, values: Sequence[torch.Tensor]) -> torch.Tensor:
        """Five tensors (B, A_part) to (B, 5, WIDTH), root mean square TOKEN_SCALE."""
        rows = torch.stack([net(value) for net, value in zip(self.parts, values, strict=True)], 1)
        return F.normalize(rows, dim=-1) * (TOKEN_SCALE * math.sqrt(WIDTH))


class _Recorder:
    """Cross-attention that keeps its probabilities at the 16 x 16 layers."""

    def __init__(self, maps: list[torch.Tensor]) -> None:
        self.maps = maps

    def __call__(
        self, attn: Any, hidden_states: torch.Tensor, encoder_hidden_states: torch.Tensor, **_: Any
    ) -> torch.Tensor:
        """(B, Q, width) and (B, L, WIDTH) to (B, Q, width)."""
        b, q, width = hidden_states.shape
        heads = attn.heads

        def split(x: torch.Tensor) -> torch.Tensor:
            return x.view(b, -1, heads, width // heads).transpose(1, 2)

        query = split(attn.to_q(hidden_states)) * (width // heads) ** -0.5
        weights = (query @ split(attn.to_k(encoder_hidden_states)).transpose(-1, -2)).softmax(-1)
        self.maps.append(weights.mean(1))
        mixed = (weights @ split(attn.to_v(encoder_hidden_states))).transpose(1, 2).reshape(b, q, width)
        return attn.to_out[0](mixed)


def base_attention_loss(maps: torch.Tensor, slots: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """How far the attention of background (BOS) and parts is from their masks.

    maps (B, 256, L) averaged probabilities; slots int (B, L), 0 BOS, 1..5 parts, -1 other; masks float
    (B, 6, 256). Both are normalised over the slots present in the caption; pixels mostly covered by a part
    that is not mentioned, and captions with no part, do not count.
    """
    columns = F.one_hot(slots + 1, 7)[..., 1:].to(maps.dtype)
    present = columns.amax(1)  # (B, 6)
    attended = maps @ columns
    attended = attended / attended.sum(-1, keepdim=True).clamp(min=1e-6)
    target = masks.transpose(1, 2) * present[:, None]
    covered = target.sum(-1, keepdim=True)
    target = target / covered.clamp(min=1e-6)
    counts = (covered > 0.5) * present[:, None] * (present.sum(-1) > 1)[:, None, None]
    loss = F.binary_cross_entropy(attended.clamp(1e-5, 1 - 1e-5), target.clamp(0, 1), reduction="none")
    return (loss * counts).sum() / counts.sum().clamp(min=1)


#: Channels of the UNet's three levels.
UNET_WIDTHS = (64, 128, 192)


def new_unet(widths: tuple[int, int, int] = UNET_WIDTHS) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        block_out_channels=widths,
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=WIDTH,
        # The number of heads, in diffusers' words.
        attention_head_dim=(2, 4, 4),  # pyright: ignore[reportArgumentType]
        norm_num_groups=16,
    )


def new_text_encoder(tokenizer: Any) -> CLIPTextModel:
    """Two layers, 128 wide, with the tokenizer's real end token and its length."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        projection_dim=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=tokenizer.model_max_length,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = CLIPTextModel(config)
    table: Any = model.get_input_embeddings()
    nn.init.normal_(table.weight, std=TOKEN_SCALE)
    return model


def noise_schedule() -> DDPMScheduler:
    """Stable Diffusion's own betas, predicting velocity."""
    return DDPMScheduler(
        1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
        prediction_type="v_prediction", clip_sample=False, steps_offset=1,
    )  # fmt: skip


class TinyStableDiffusion(nn.Module):
    """UNet, text encoder and attribute encoder, trained together."""

    def __init__(self, tokenizer: CLIPTokenizer, widths: tuple[int, int, int] = UNET_WIDTHS) -> None:
        super().__init__()
        self.unet = new_unet(widths)
        self.text = new_text_encoder(tokenizer)
        self.soft = SoftEmbedding(self.text.get_input_embeddings())  # pyright: ignore[reportArgumentType]
        self.text.set_input_embeddings(self.soft)
        self.attributes = AttributeEncoder()
        word_ids = [tokenizer(part, add_special_tokens=False)["input_ids"] for part in PARTS]
        if any(len(word) != 1 for word in word_ids):
            raise ValueError("the tokenizer must know every part's name as one token")
        self.part_words: torch.Tensor
        self.register_buffer("part_words", torch.tensor(word_ids)[:, 0], persistent=False)
        self.maps: list[torch.Tensor] = []
        recorder = _Recorder(self.maps)
        for name, module in self.unet.named_modules():
            # The first and the last blocks work at 16 x 16.
            if name.endswith("attn2") and (name.startswith("down_blocks.0") or name.startswith("up_blocks.2")):
                module.set_processor(recorder)  # pyright: ignore

    def soft_tokens(self, values: Sequence[torch.Tensor]) -> torch.Tensor:
        """(B, 5, WIDTH): the part's own word moved by its attributes, so that "head" is where every head's
        token begins, and a pack can start learning from the plain word."""
        return self.soft.weight[self.part_words] + self.attributes(values)

    def read(self, ids: torch.Tensor, vectors: torch.Tensor | None) -> torch.Tensor:
        """ids (B, L) and soft tokens (B, 5, WIDTH) to text states (B, L, WIDTH)."""
        self.soft.vectors = vectors
        states = self.text(ids).last_hidden_state
        self.soft.vectors = None
        return states

    def forward(self, noisy: torch.Tensor, times: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        self.maps.clear()
        return self.unet(noisy, times, states).sample

    def attention(self) -> torch.Tensor:
        """(B, 256, L): mean over the recorded layers and heads of the last forward."""
        return torch.stack(self.maps).mean(0)

    def take_over(self, starter: Path) -> None:
        """Begin with a shipped starter's UNet and text encoder. Its attribute encoder was thrown away: a new one is
        fitted to the tokens of the pack's species, and learns the rest of the space while training goes on."""
        unet: Any = UNet2DConditionModel.from_pretrained(starter / "base" / "unet")
        text: Any = CLIPTextModel.from_pretrained(starter / "base" / "text_encoder")
        self.unet.load_state_dict(unet.float().state_dict())
        self.text.set_input_embeddings(self.soft.table)
        self.text.load_state_dict(text.float().state_dict())
        self.text.set_input_embeddings(self.soft)
        pack = Pack.open(starter / "pack")
        targets = PartTokens.load(pack.path / TOKENS).projected().detach().transpose(0, 1)
        names = pack.vocabulary.code_names[0]
        values = [_attribute_rows([SPECIES[name].part(part) for name in names], part) for part in PARTS]
        targets = targets - self.soft.weight[self.part_words].detach()
        optimizer = torch.optim.AdamW(self.attributes.parameters(), lr=2e-3, weight_decay=0.05)
        for _ in range(400):
            noisy = [value + 0.05 * torch.randn_like(value) for value in values]
            optimizer.zero_grad()
            (self.attributes(noisy) - targets).square().mean().backward()
            optimizer.step()

    @torch.no_grad()
    def species_tokens(self, names: Sequence[str]) -> torch.Tensor:
        """(parts, species, WIDTH): the soft token of every part of every named species."""
        return self._tokens_of([{part: SPECIES[name].part(part) for part in PARTS} for name in names])

    def _tokens_of(self, birds: Sequence[Mapping[str, Look]]) -> torch.Tensor:
        """(parts, birds, WIDTH), on the processor: the soft tokens of birds, given as the look of each part."""
        device = self.part_words.device
        values = [_attribute_rows([bird[part] for bird in birds], part).to(device) for part in PARTS]
        return self.soft_tokens(values).transpose(0, 1).contiguous().cpu()

    def export(self, folder: Path, flock: BirdDataset) -> None:
        """Plain diffusers and transformers folders, and beside them the soft tokens of the flock's species
        (5, species, WIDTH) and of SAMPLED of its birds (5, SAMPLED, WIDTH), which no training picture shows."""
        self.unet.save_pretrained(folder / "unet")
        self.text.set_input_embeddings(self.soft.table)
        self.text.save_pretrained(folder / "text_encoder")
        self.text.set_input_embeddings(self.soft)
        birds = [flock.bird(SAMPLED_FROM + i)[0] for i in range(SAMPLED)]
        with torch.no_grad():
            sample = self._tokens_of([{part: bird.part(part) for part in PARTS} for bird in birds])
        save_file({"species": self.species_tokens(flock.names), "sample": sample}, folder / "part_tokens.safetensors")


def _attribute_rows(looks: Sequence[Look], part: str) -> torch.Tensor:
    """(B, A) float32."""
    return torch.from_numpy(np.stack([attributes(look, part) for look in looks]))


class CaptionBatches:
    """Batches of captions for the birds of a pool, drawn anew at every step."""

    def __init__(self, tokenizer: CLIPTokenizer, count: int, flock: BirdDataset) -> None:
        self.prompter = CaptionTokenizer(tokenizer)
        self.birds = [flock.bird(row)[0] for row in range(count)]
        self.named = np.flatnonzero([all(bird.sources) for bird in self.birds])
        self.values = [
            torch.from_numpy(np.stack([attributes(bird.part(part), part) for bird in self.birds]).astype(np.float16))
            for part in PARTS
        ]

    def rows(self, count: int, rng: np.random.Generator, finishing: bool) -> np.ndarray:
        """Which birds a step shows: any of them or, finishing, mostly those without random parts."""
        rows = rng.integers(0, len(self.birds), count)
        if finishing and len(self.named):
            rows = np.where(
                rng.random(count) < FINISHING_SHARE, self.named[rng.integers(0, len(self.named), count)], rows
            )
        return rows

    def batch(
        self, rows: np.ndarray, rng: np.random.Generator, soft: float = 0.85
    ) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]:
        """ids (B, L), slots (B, L), attributes: five (B, A_part)."""
        pairs = [
            self.prompter.caption([self.birds[row].part(part) for part in PARTS], rng, soft) for row in rows.tolist()
        ]
        ids, slots = (torch.from_numpy(np.stack(column)) for column in zip(*pairs, strict=True))
        index = torch.from_numpy(rows)
        return ids, slots, [values[index].float() for values in self.values]


def train_base(
    folder: Path, latents: torch.Tensor, masks: torch.Tensor, tokenizer: CLIPTokenizer, flock: BirdDataset, steps: int,
    batch: int = 16, rate: float = 8e-4, attention_weight: float = 0.05, every: int = 100, start: Path | None = None,
    widths: tuple[int, int, int] = UNET_WIDTHS, device: torch.device = CPU,
) -> TinyStableDiffusion:  # fmt: skip
    """latents fp16 (N, C, 16, 16) and masks uint8 (N, 6, 16, 16) of the flock's first N birds.

    Resumes from folder/state.pt; the export with averaged weights is refreshed at each checkpoint. ``start`` is the
    folder of a starter (base, pack) to begin from instead of from nothing. Returns the averaged model.
    """
    torch.manual_seed(2)
    model = TinyStableDiffusion(tokenizer, widths)
    if start is not None:
        model.take_over(start)
    model.to(device).unet.to(memory_format=torch.channels_last)  # pyright: ignore
    latents, masks = latents.to(device), masks.to(device)
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=rate, betas=(0.9, 0.99), weight_decay=0.01)
    average, pace = ParameterAverage(parameters, 0.998), TrainingSchedule(folder, steps, warmup=200)
    state = load_state(folder / "state.pt")
    if state is not None:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        average.load(state["average"])
        pace.resume(state["step"], state["progress"])
    schedule = noise_schedule()
    alphas = schedule.alphas_cumprod.to(device).sqrt()
    sigmas = (1 - schedule.alphas_cumprod.to(device)).sqrt()
    weights = (alphas / sigmas).square().clamp(max=5) / ((alphas / sigmas).square() + 1)  # min-SNR 5, velocity
    captions = CaptionBatches(tokenizer, len(latents), flock)
    rng = np.random.default_rng((2, pace.step))
    sums = {"diffusion": 0.0, "attention": 0.0}
    while not pace.finished:
        factor = pace.advance()
        for group in optimizer.param_groups:
            group["lr"] = rate * factor
        finishing = pace.progress > FINISHING
        rows = captions.rows(batch, rng, finishing)
        ids, slots, values = captions.batch(rows, rng, soft=0.95 if finishing else 0.85)
        ids, slots, values = ids.to(device), slots.to(device), [value.to(device) for value in values]
        index = torch.from_numpy(rows).to(device)
        clean = latents[index].float().contiguous(memory_format=torch.channels_last)
        # Stratified over the batch: every step sees all noise levels.
        times = ((torch.arange(batch) + torch.rand(batch)) * (1000 / batch)).long().clamp(max=999)
        times = times.to(device)
        alpha, sigma = (x[times].view(-1, 1, 1, 1) for x in (alphas, sigmas))
        noise = noise_like(clean)
        states = model.read(ids, model.soft_tokens(values))
        velocity = model(alpha * clean + sigma * noise, times, states)
        error = (velocity - (alpha * noise - sigma * clean)).square().mean(dim=(1, 2, 3))
        diffusion = (error * weights[times]).mean()
        focus = base_attention_loss(model.attention(), slots, masks[index].float().div(255).flatten(2))
        optimizer.zero_grad(set_to_none=True)
        (diffusion + attention_weight * focus).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        average.update()
        sums["diffusion"] += diffusion.item()
        sums["attention"] += focus.item()
        if pace.step % every == 0:
            pace.log(rate=rate * factor, **{name: total / every for name, total in sums.items()})
            sums = dict.fromkeys(sums, 0.0)
        if pace.step % (4 * every) == 0 or pace.finished:
            average.swap()
            model.export(folder / "export", flock)
            average.swap()
            save_state(folder / "state.pt", {
                "model": model.state_dict(), "optimizer": optimizer.state_dict(),
                "average": average.state(), "step": pace.step, "progress": pace.progress,
            })  # fmt: skip
    average.swap()
    return model.eval()


def inference_scheduler() -> DPMSolverMultistepScheduler:
    """The scheduler shipped with the base: DPM-Solver++ of first order on the training's noise, steps evenly spaced
    from the end. Measured against Karras' spacing and second order, it needs the fewest steps (docs/starter.md)."""
    return DPMSolverMultistepScheduler.from_config(  # pyright: ignore[reportReturnType]
        noise_schedule().config, algorithm_type="dpmsolver++", solver_order=1, timestep_spacing="trailing"
    )
