"""Which files of a model on the hub are needed: one format of weights, half precision where there is one, whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from engine.core.byte_sizes import byte_size
from engine.core.errors import UserError
from engine.core.model_places import PIPELINES
from engine.hub.repository import HubFile, Repository

_TOKENIZER: Final = ("vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                     "added_tokens.json")  # fmt: skip
_LORA: Final = "pytorch_lora_weights.safetensors"
_ORIGINAL: Final = ("pytorch_model.bin", "pytorch_model_1.bin")
"""The two files of a checkpoint of the original PartCraft, which ``partcraft packs import`` reads."""
_LICENSE: Final = re.compile(r"LICEN[CS]E(\.\w+)?", re.IGNORECASE)
_LARGEST_TEXT: Final = 1 << 20


def choose_files(repository: Repository) -> tuple[HubFile, ...]:
    """The files to fetch, in their order on the hub. Raises :class:`UserError` where a model cannot be used here, or
    its weights are only there in a form that could hold programs."""
    files = {file.path: file for file in repository.files}
    if "model_index.json" in files:
        chosen = _pipeline(repository, files)
    elif "config.json" in files:
        stem = "diffusion_pytorch_model" if any(name.startswith("diffusion_pytorch") for name in files) else "model"
        chosen = {"config.json", "preprocessor_config.json", *_weights(repository, files, "", stem, (False, True))}
    elif _LORA in files:
        chosen = {_LORA}
    elif original := _original_checkpoint(files):
        chosen = original
    else:
        raise _no_model(repository)
    chosen |= {name for name in files if _LICENSE.fullmatch(name) and files[name].size <= _LARGEST_TEXT}
    return tuple(file for file in repository.files if file.path in chosen)


def _pipeline(repository: Repository, files: Mapping[str, HubFile]) -> set[str]:
    kind = repository.pipeline
    if kind not in ("", *PIPELINES) or (not kind and "unet/config.json" not in files):
        raise UserError(
            f"{repository.id} is {f'a {kind}' if kind else 'of a kind'}{',' if kind else ''} that cannot be used here.",
            "Take Stable Diffusion 1.x, 2.x or SDXL, or one that was made of these.",
        )
    second = "text_encoder_2" if "text_encoder_2/config.json" in files else ""
    components = PIPELINES.get(kind) or (*PIPELINES["StableDiffusionPipeline"], *filter(None, [second]))
    chosen = {"model_index.json", "scheduler/scheduler_config.json"}
    for component in components:
        stem = "model" if component.startswith("text") else "diffusion_pytorch_model"
        chosen |= {f"{component}/config.json", *_weights(repository, files, f"{component}/", stem, (True, False))}
        if component.startswith("text"):
            chosen |= {f"{component.replace('text_encoder', 'tokenizer')}/{name}" for name in _TOKENIZER}
    return chosen


def _weights(
    repository: Repository, files: Mapping[str, HubFile], place: str, stem: str, order: tuple[bool, bool]
) -> set[str]:
    """The one file of weights in a place, or an index with all its shards, of the first precision that is whole."""
    for half in order:
        middle = ".fp16" if half else ""
        if (single := f"{place}{stem}{middle}.safetensors") in files:
            return {single}
        index = f"{place}{stem}.safetensors.index{middle}.json"
        if index in files and (shards := set(_whole_shards(files, f"{place}{stem}{middle}"))):
            return {index, *shards}
    pickled = [name for name in files if name.startswith(place) and name.endswith((".bin", ".ckpt", ".pt", ".pth"))]
    if pickled:
        raise UserError(
            f"{repository.id} has its weights only in a form that can hold programs ({pickled[0]}).",
            "Take a copy of it that has .safetensors files.",
        )
    raise UserError(
        f"{repository.id} lacks the weights {place}{stem}.safetensors.", "Take another copy, or another revision of it."
    )


def _whole_shards(files: Mapping[str, HubFile], stem: str) -> Iterator[str]:
    pattern = re.compile(re.escape(stem) + r"-(\d{5})-of-(\d{5})\.safetensors")
    found = {name: (int(match[1]), int(match[2])) for name in files if (match := pattern.fullmatch(name))}
    counts = {count for _, count in found.values()}
    if len(counts) == 1 and {number for number, _ in found.values()} == set(range(1, counts.pop() + 1)):
        yield from found


def _original_checkpoint(files: Mapping[str, HubFile]) -> set[str]:
    """The newest checkpoint of the original PartCraft: ``checkpoint-74900/pytorch_model.bin`` and its neighbour."""
    steps = [
        (int(match[1]), match[0])
        for name in files
        if (match := re.match(r"checkpoint-(\d+)/", name)) and all(f"{match[0]}{one}" in files for one in _ORIGINAL)
    ]
    return {f"{max(steps)[1]}{name}" for name in _ORIGINAL} if steps else set()


def _no_model(repository: Repository) -> UserError:
    single = max(
        (file for file in repository.files if file.path.endswith((".safetensors", ".ckpt"))),
        key=lambda file: file.size,
        default=None,
    )
    if single is None:
        return UserError(f"{repository.id} is no model that can be used here.", "See the README for those that can.")
    return UserError(
        f"{repository.id} holds only single files ({single.path}, {byte_size(single.size)}); a model is a folder here.",
        "Take a copy of it in the layout of diffusers, with a model_index.json.",
    )
