"""The line that A1111 and programs like it keep in a PNG: prompt, negative prompt, and settings with commas between.

The settings are the last line; the negative prompt begins with a line that says "Negative prompt:".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import Final

from engine.core.add_on import LORA, AddOn, bounded, with_add_on, working
from engine.core.add_on_words import rewritten, with_all_words
from engine.core.errors import UserError
from engine.core.json_values import number_from
from engine.core.part_words import from_part_words, to_part_words
from engine.core.prompt import parse, to_text
from engine.core.recipe import LIMITS, Prompt, Recipe
from engine.core.vocabulary import Vocabulary

_NEGATIVE: Final = "Negative prompt:"
_SETTING: Final = re.compile(r'\s*(\w[\w /-]*):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
_LORA: Final = re.compile(r"<lora:([^:<>]+):([0-9.+-]+)(?::[^<>]*)?>")
_NO_NAME: Final = re.compile(r"[:<>\n]")
_OURS: Final = {"Steps": "steps", "CFG scale": "guidance", "Seed": "seed"}


def parameters_line(
    recipe: Recipe, size: tuple[int, int], vocabulary: Vocabulary | None = None, model: str = "", sampler: str = ""
) -> str:
    """The text for a picture of ``size`` (width, height) in pixels; choices are words (:mod:`engine.core.part_words`).
    ``model`` and ``sampler`` are left out where they are empty."""
    settings = {
        "Steps": recipe.steps,
        "Sampler": sampler,
        "CFG scale": f"{recipe.guidance:g}",
        "Seed": recipe.seed,
        "Size": f"{size[0]}x{size[1]}",
        "Model": re.sub(r"[,\n]", " ", model),
    }
    if recipe.start and not recipe.start.is_ignored:
        settings["Denoising strength"] = f"{recipe.start.freedom:g}"
    said = with_all_words(recipe)
    words = [to_part_words(_with_weights(said.prompt, recipe.add_ons), vocabulary)]
    words += [f"<lora:{_NO_NAME.sub('_', lora.word)}:{lora.weight:g}>" for lora in working(recipe.add_ons, LORA)]
    lines = [" ".join(filter(None, words))]
    if said.negative:
        negative = _negative_words(_weighted(said.negative, recipe.add_ons), vocabulary)
        lines.append(f"{_NEGATIVE} {negative}")
    lines.append(", ".join(f"{name}: {value}" for name, value in settings.items() if value != ""))
    return "\n".join(lines)


def read_parameters(text: str, vocabulary: Vocabulary) -> Recipe | None:
    """The recipe of such a text, of a pack that it does not name; None for a text without settings. Only square sizes
    are taken, numbers beyond what they may be are left out."""
    *lines, last = text.rstrip().split("\n")
    settings = dict(_SETTING.findall(last))
    if "Steps" not in settings:
        return None
    at = next((index for index, line in enumerate(lines) if line.startswith(_NEGATIVE)), len(lines))
    negative = "\n".join(lines[at:]).removeprefix(_NEGATIVE).strip()
    values = {field: number_from(settings.get(name)) for name, field in _OURS.items()}
    if square := re.fullmatch(r"(\d{1,5})x\1", settings.get("Size", "")):
        values["size"] = int(square[1])
    text = "\n".join(lines[:at])
    loras = [AddOn(LORA, f"{name}.safetensors", bounded(float(weight))) for name, weight in _loras_in(text)]
    recipe = Recipe(
        "",
        from_part_words(_LORA.sub("", text).rstrip() if loras else text, vocabulary),
        to_text(from_part_words(negative, vocabulary), vocabulary),
        add_ons=reduce(with_add_on, loras, ()),
    )
    for field, value in values.items():
        if value is not None and LIMITS[field][0] <= value <= LIMITS[field][1]:
            recipe = replace(recipe, **{field: float(value) if field == "guidance" else int(value)})
    return recipe


def _loras_in(text: str) -> list[tuple[str, str]]:
    return [(name, weight) for name, weight in _LORA.findall(text) if number_from(weight) is not None]


def _with_weights(prompt: Prompt, add_ons: Sequence[AddOn]) -> Prompt:
    return tuple(_weighted(piece, add_ons) if isinstance(piece, str) else piece for piece in prompt)


def _weighted(text: str, add_ons: Sequence[AddOn]) -> str:
    """A text with the words of embeddings as A1111 writes them: weights as emphasis."""

    def write(add_on: AddOn) -> str:
        weight = abs(add_on.weight)
        return add_on.word if weight == 1 else f"({add_on.word}:{weight:g})"

    return rewritten(text, add_ons, write)


def _negative_words(negative: str, vocabulary: Vocabulary | None) -> str:
    try:
        prompt = parse(negative, vocabulary) if vocabulary else (negative,)
    except UserError:  # of a pack that has changed since: its words as they are
        prompt = (negative,)
    return to_part_words(prompt, vocabulary)
