"""A recipe as a ComfyUI workflow: in the form its server takes (API), and in the one its window opens.

Nodes, inputs and names are ComfyUI's own (https://github.com/comfyanonymous/ComfyUI, nodes.py): a checkpoint, the
pack's LoRA and others, prompts with embeddings, a sampler, a picture that is saved. Files are named as
they lie in ComfyUI's folders after ``partcraft packs export --plain``. Needs no model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from engine.core.add_on import LORA, AddOn, working
from engine.core.add_on_words import rewritten, with_all_words
from engine.core.errors import UserError
from engine.core.on_disk import is_file
from engine.core.part_words import part_words
from engine.core.paths import slug
from engine.core.prompt import parse
from engine.core.recipe import Prompt, Recipe
from engine.core.start import schedule_of
from engine.packs.base_sizes import model_document, sizes_of
from engine.packs.pack import LORA as PACK_LORA
from engine.packs.pack import Pack
from engine.packs.unsaid_parts import spoken_recipe

_CHECKPOINTS: Final = {
    "stable-diffusion-v1-5/stable-diffusion-v1-5": "v1-5-pruned-emaonly.safetensors",
    "runwayml/stable-diffusion-v1-5": "v1-5-pruned-emaonly.safetensors",
    "CompVis/stable-diffusion-v1-4": "sd-v1-4.ckpt",
    "stabilityai/stable-diffusion-2": "768-v-ema.safetensors",
    "stabilityai/stable-diffusion-2-1": "v2-1_768-ema-pruned.safetensors",
    "stabilityai/stable-diffusion-2-1-base": "v2-1_512-ema-pruned.safetensors",
    "stabilityai/sd-turbo": "sd_turbo.safetensors",
    "stabilityai/stable-diffusion-xl-base-1.0": "sd_xl_base_1.0.safetensors",
    "stabilityai/sdxl-turbo": "sd_xl_turbo_1.0_fp16.safetensors",
}
"""What the makers of base models call their checkpoints in one file."""
_OWN_SIDES: Final = {(768,): 512, (1024,): 768, (768, 1280): 1024}
_SAMPLERS: Final = {
    "EulerDiscreteScheduler": "euler", "EulerAncestralDiscreteScheduler": "euler_ancestral", "LCMScheduler": "lcm",
    "TCDScheduler": "lcm",
}  # fmt: skip
"""With which distilled base models draw; all others draw with DPM-Solver++ of second order."""
_SPACINGS: Final = {"linspace": "normal", "leading": "ddim_uniform", "trailing": "sgm_uniform"}
"""ComfyUI's schedules, by how diffusers spaces the steps."""
_LINSPACE: Final = ("Euler", "DPMSolver", "LMS", "Heun", "UniPC", "KDPM2", "DEIS")
"""Schedulers of diffusers that space their steps so where nothing is said."""


@dataclass(frozen=True)
class Workflow:
    """A workflow: ``nodes`` by id as ComfyUI's server takes them, and sentences on what it cannot say."""

    nodes: Mapping[str, Mapping[str, Any]]
    notes: tuple[str, ...] = ()


def workflow_of(recipe: Recipe, pack: Pack, start_image: str = "") -> Workflow:
    """The workflow of a recipe's first picture. ``start_image`` is the name of the picture to begin with, in ComfyUI's
    folder of inputs; empty: noise. Raises :class:`UserError` for a negative prompt that the pack does not know."""
    base, graph = pack.base_model, _Graph()
    said = spoken_recipe(pack, with_all_words(recipe))
    side = recipe.size or sizes_of(base).own or _OWN_SIDES.get(base.widths, 512)
    side = max(8, round(side / 8) * 8)
    schedule = model_document(base.id, "scheduler/scheduler_config.json")
    sampler, spacing = _sampler_of(pack, schedule)

    checkpoint = graph.add("CheckpointLoaderSimple", "Base model", ckpt_name=_checkpoint_of(pack))
    model, clip, vae = (checkpoint, 0), (checkpoint, 1), (checkpoint, 2)
    if base.unet:
        name = re.split(r"[/\\]", base.unet.rstrip("/\\"))[-1]
        file = f"{name}.safetensors"
        model = graph.add("UNETLoader", "The pack's UNet", unet_name=file, weight_dtype="default"), 0
    if is_file(pack.path / PACK_LORA):
        model = graph.add(
            "LoraLoaderModelOnly", "The pack's LoRA", model=model, lora_name=f"{lora_stem(pack)}.safetensors",
            strength_model=1.0,
        ), 0  # fmt: skip
    for lora in working(recipe.add_ons, LORA):
        loader = graph.add(
            "LoraLoader", lora.word, model=model, clip=clip, lora_name=lora.name, strength_model=lora.weight,
            strength_clip=lora.weight,
        )  # fmt: skip
        model, clip = (loader, 0), (loader, 1)
    if sampling := _sampling_of(sampler, schedule):
        model = graph.add("ModelSamplingDiscrete", "Sampling", model=model, sampling=sampling, zsnr=_zero(schedule)), 0
    positive = graph.add("CLIPTextEncode", "Prompt", clip=clip, text=_prompt_text(said.prompt, pack, recipe.add_ons))
    negative_prompt = _parsed(said.negative, pack)
    negative = graph.add(
        "CLIPTextEncode", "Negative prompt", clip=clip, text=_prompt_text(negative_prompt, pack, recipe.add_ons)
    )
    steps, denoise = recipe.steps, 1.0
    if start_image and recipe.start is not None and not recipe.start.is_ignored:
        steps, denoise = max(schedule_of(recipe.start.freedom, recipe.steps)[1], 1), recipe.start.freedom
        loaded = graph.add("LoadImage", "Begin with", image=start_image)
        scaled = graph.add(
            "ImageScale", "Size", image=(loaded, 0), upscale_method="lanczos", width=side, height=side, crop="center"
        )
        latents = graph.add("VAEEncode", "To latents", pixels=(scaled, 0), vae=vae), 0
    else:
        latents = graph.add("EmptyLatentImage", "Size", width=side, height=side, batch_size=1), 0
    drawn = graph.add(
        "KSampler", "Draw", model=model, seed=recipe.seed, steps=steps, cfg=float(recipe.guidance),
        sampler_name=sampler, scheduler=spacing, positive=(positive, 0), negative=(negative, 0), latent_image=latents,
        denoise=denoise,
    )  # fmt: skip
    decoded = graph.add("VAEDecode", "To a picture", samples=(drawn, 0), vae=vae)
    graph.add("SaveImage", "Save", images=(decoded, 0), filename_prefix=lora_stem(pack))
    return Workflow(graph.nodes, tuple(_notes(recipe, pack, bool(start_image))))


def lora_stem(pack: Pack) -> str:
    """What the file of a pack's LoRA is called in other programs, without its suffix."""
    return slug(pack.id, "pack", lower=False)


@dataclass
class _Graph:
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, kind: str, title: str, **inputs: Any) -> str:
        """Add a node; a pair (node, output) among its inputs is a link."""
        number = str(len(self.nodes) + 1)
        told = {name: list(value) if isinstance(value, tuple) else value for name, value in inputs.items()}
        self.nodes[number] = {"class_type": kind, "inputs": told, "_meta": {"title": title}}
        return number


def _sampler_of(pack: Pack, schedule: Mapping[str, Any]) -> tuple[str, str]:
    name = str(schedule.get("_class_name", ""))
    if pack.base_model.distilled:
        return _SAMPLERS.get(name, "lcm"), "sgm_uniform"
    default = "linspace" if name.startswith(_LINSPACE) else "leading"
    first_order = name == "DPMSolverMultistepScheduler" and schedule.get("solver_order") == 1
    spacing = _SPACINGS.get(str(schedule.get("timestep_spacing") or default), "normal")
    return "ddim" if first_order else "dpmpp_2m", spacing


def _sampling_of(sampler: str, schedule: Mapping[str, Any]) -> str:
    """What ComfyUI has to be told of what the model predicts; empty where it sees by itself."""
    if sampler == "lcm":
        return "lcm"
    return "v_prediction" if schedule.get("prediction_type") == "v_prediction" else ""


def _zero(schedule: Mapping[str, Any]) -> bool:
    return schedule.get("rescale_betas_zero_snr") is True


def _checkpoint_of(pack: Pack) -> str:
    return _CHECKPOINTS.get(pack.base_model.id, f"{pack.base_model.name.rpartition('/')[2]}.safetensors")


def _parsed(negative: str, pack: Pack) -> Prompt:
    try:
        return parse(negative, pack.vocabulary)
    except UserError:  # of a pack that has changed since: its words as they are
        return (negative,)


def _prompt_text(prompt: Prompt, pack: Pack, add_ons: tuple[AddOn, ...]) -> str:
    """A prompt as ComfyUI reads it: an embedding's name goes on to the next space, brackets are emphasis."""
    words = part_words(pack.vocabulary)
    text = ""
    for piece in prompt:
        if isinstance(piece, str):
            plain = re.sub(r"([()])", r"\\\1", piece)
            text += rewritten(plain, add_ons, lambda add_on: _embedding(add_on.word, abs(add_on.weight)))
        else:
            word = words.get((piece.part, piece.code), f"part_{piece.part}-code_{piece.code}")
            text += _embedding(word, piece.strength)
    return re.sub(r" {2,}", " ", text).strip()


def _embedding(word: str, weight: float) -> str:
    return f" embedding:{word} " if weight == 1 else f" (embedding:{word}:{weight:g}) "


def _notes(recipe: Recipe, pack: Pack, has_start: bool) -> list[str]:
    notes = []
    if pack.base_model.id.startswith("starter/"):
        notes.append("This pack’s base model is the app’s own small one, which ComfyUI does not have.")
    start = recipe.start
    if start is not None and not start.is_ignored:
        if not has_start:
            notes.append("The workflow begins with noise, not with the recipe’s picture.")
        if start.is_local:
            notes.append("Parts that are kept, or rendered alone, cannot be told there.")
    if recipe.count > 1:
        notes.append("It makes the first picture; the others have the next seeds.")
    spaced = [add_on.word for add_on in recipe.add_ons if add_on.kind != LORA and " " in add_on.word]
    if spaced:
        notes.append(f"ComfyUI reads no embedding with a space in its name: rename “{spaced[0]}” there.")
    return notes


# The form that ComfyUI's window opens


@dataclass(frozen=True)
class _Node:
    """What the window knows of a kind of node: its inputs that are links, in order, its outputs, and its fields."""

    links: tuple[tuple[str, str], ...]
    outputs: tuple[str, ...]
    fields: tuple[str, ...] = ()


_NODES: Final[Mapping[str, _Node]] = {
    "CheckpointLoaderSimple": _Node((), ("MODEL", "CLIP", "VAE"), ("ckpt_name",)),
    "UNETLoader": _Node((), ("MODEL",), ("unet_name", "weight_dtype")),
    "LoraLoaderModelOnly": _Node((("model", "MODEL"),), ("MODEL",), ("lora_name", "strength_model")),
    "LoraLoader": _Node(
        (("model", "MODEL"), ("clip", "CLIP")), ("MODEL", "CLIP"), ("lora_name", "strength_model", "strength_clip")
    ),
    "ModelSamplingDiscrete": _Node((("model", "MODEL"),), ("MODEL",), ("sampling", "zsnr")),
    "CLIPTextEncode": _Node((("clip", "CLIP"),), ("CONDITIONING",), ("text",)),
    "LoadImage": _Node((), ("IMAGE", "MASK"), ("image",)),
    "ImageScale": _Node((("image", "IMAGE"),), ("IMAGE",), ("upscale_method", "width", "height", "crop")),
    "VAEEncode": _Node((("pixels", "IMAGE"), ("vae", "VAE")), ("LATENT",)),
    "EmptyLatentImage": _Node((), ("LATENT",), ("width", "height", "batch_size")),
    "KSampler": _Node(
        (("model", "MODEL"), ("positive", "CONDITIONING"), ("negative", "CONDITIONING"), ("latent_image", "LATENT")),
        ("LATENT",),
        ("seed", "steps", "cfg", "sampler_name", "scheduler", "denoise"),
    ),
    "VAEDecode": _Node((("samples", "LATENT"), ("vae", "VAE")), ("IMAGE",)),
    "SaveImage": _Node((("images", "IMAGE"),), (), ("filename_prefix",)),
}
_COLUMN: Final = 360
_ROW: Final = 240
_ROWS: Final = 3


def window_form(workflow: Workflow) -> dict[str, Any]:
    """A workflow as ComfyUI's window saves and opens it (its format 0.4): nodes with places, numbered links."""
    nodes: list[dict[str, Any]] = []
    links: list[list[Any]] = []
    numbers = count(1)
    outgoing: dict[tuple[str, int], list[int]] = {}
    for order, (number, node) in enumerate(workflow.nodes.items()):
        kind = _NODES[node["class_type"]]
        inputs = []
        for slot, (name, sort) in enumerate(kind.links):
            source, output = node["inputs"][name]
            link = next(numbers)
            links.append([link, int(source), output, int(number), slot, sort])
            outgoing.setdefault((source, output), []).append(link)
            inputs.append({"name": name, "type": sort, "link": link})
        column, row = divmod(order, _ROWS)
        nodes.append({
            "id": int(number), "type": node["class_type"], "title": node["_meta"]["title"],
            "pos": [column * _COLUMN, row * _ROW], "size": [_COLUMN - 40, _ROW - 80], "flags": {}, "order": order,
            "mode": 0, "inputs": inputs, "properties": {"Node name for S&R": node["class_type"]},
            "widgets_values": _fields(node, kind),
        })  # fmt: skip
    for node in nodes:
        node["outputs"] = [
            {"name": sort, "type": sort, "links": outgoing.get((str(node["id"]), slot), []), "slot_index": slot}
            for slot, sort in enumerate(_NODES[node["type"]].outputs)
        ]
    last = max(node["id"] for node in nodes)
    return {
        "last_node_id": last, "last_link_id": len(links), "nodes": nodes, "links": links, "groups": [], "config": {},
        "extra": {}, "version": 0.4,
    }  # fmt: skip


def _fields(node: Mapping[str, Any], kind: _Node) -> list[Any]:
    values = [node["inputs"][name] for name in kind.fields]
    if node["class_type"] == "KSampler":
        values.insert(1, "fixed")  # what becomes of the seed after each picture: a field of the window's own
    if node["class_type"] == "LoadImage":
        values.append("image")  # the button that uploads one
    return values
