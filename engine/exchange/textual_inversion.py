"""A pack for other programs: its LoRA, which diffusers reads as it is, and its tokens as textual inversions."""

from __future__ import annotations

import re
from pathlib import Path

from safetensors.torch import save_file

from engine.core.atomic_files import make_folder, write_bytes, write_whole
from engine.models.conditioning import ENCODERS
from engine.models.lora import load_lora
from engine.models.part_tokens import load_tokens
from engine.packs.pack import LORA, TOKENS, Pack


def export_for_other_programs(pack: Pack, folder: Path) -> tuple[Path, ...]:
    """Write a pack for other programs: its LoRA, and a textual inversion for each (part, code).

    ``lora.safetensors`` (if the pack has one) and ``embeddings/<part>-<code>.safetensors``, which holds one tensor (W,)
    named as the word that says it, ``<part-code>``; for SDXL ``clip_l`` and ``clip_g`` (1, W). Parts of the background
    are left out. Returns the files. Raises :class:`UserError`.
    """
    tokens = load_tokens(pack.path / TOKENS)
    place = make_folder(folder / "embeddings", "the embeddings")
    written: list[Path] = []
    words: set[str] = set()
    if (pack.path / LORA).is_file():
        written.append(folder / LORA)
        load_lora(pack.path / LORA)  # refuses a damaged one
        write_bytes(written[-1], (pack.path / LORA).read_bytes(), "the pack's LoRA")
    sets = [tokens.of(name).projected().detach() for name in ENCODERS[: len(tokens.widths)]]
    for part in pack.vocabulary.visible_parts:
        for code in range(pack.vocabulary.codes_per_part):
            word = textual_inversion_word(part.name, pack.vocabulary.code_name(part.index, code))
            if word.casefold() in words:  # two names that differ in signs, or in capitals, only
                word = f"{word}-{part.index}-{code}"
            words.add(word.casefold())
            file = place / f"{word}.safetensors"
            vectors = [projected[part.index, code].clone() for projected in sets]
            state = {f"<{word}>": vectors[0]}
            if len(vectors) > 1:
                state = {"clip_l": vectors[0][None], "clip_g": vectors[1][None]}
            write_whole(file, lambda beside, state=state: save_file(state, beside), "the embedding")
            written.append(file)
    return tuple(written)


def textual_inversion_word(part: str, code: str) -> str:
    """A word for a part's code that is a file's name everywhere and that tokenizers keep whole: ``head-red_crest``."""
    return re.sub(r"[^\w-]+", "_", f"{part}-{code}").strip("_")
