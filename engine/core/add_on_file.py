"""What a file of another program is, told from its header alone: a LoRA or an embedding, of which family of models.

LoRAs are told by the endings of their tensors' names: ``.lora_down.weight`` (kohya), ``.lora_A.weight`` (peft),
``.lora.down.weight`` (diffusers before). Those of LyCORIS (https://github.com/KohakuBlueleaf/LyCORIS) have others.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from safetensors import SafetensorError, safe_open

from engine.core.add_on import EMBEDDING, LORA
from engine.core.atomic_files import plain_file
from engine.core.errors import UserError

DOWN: Final = re.compile(
    r"(?:\.lora_down\.weight|\.lora_A(?:\.\w+)?\.weight|\.lora\.down\.weight|_lora\.down\.weight"
    r"|\.lora_linear_layer\.down\.weight)$"
)
UP: Final = re.compile(
    r"(?:\.lora_up\.weight|\.lora_B(?:\.\w+)?\.weight|\.lora\.up\.weight|_lora\.up\.weight"
    r"|\.lora_linear_layer\.up\.weight)$"
)
ALPHA: Final = ".alpha"
TWO_ENCODERS: Final = (("clip_l", "clip_g"), ("text_encoders_0", "text_encoders_1"))
"""The names of the vectors of SDXL's two text encoders, first and second."""

_LYCORIS: Final = (
    (re.compile(r"\.hada_"), "LoHa"), (re.compile(r"\.lokr_"), "LoKr"), (re.compile(r"\.(oft|boft)_"), "OFT"),
    (re.compile(r"\.on_input$"), "IA3"), (re.compile(r"\.lora_mid\."), "LoCon of three matrices"),
    (re.compile(r"\.(dora_scale|lora_magnitude_vector)"), "DoRA"),
    (re.compile(r"\.(diff|diff_b|w_norm|b_norm)$"), "full difference"), (re.compile(r"\.[ab][12]\.weight$"), "GLoRA"),
)  # fmt: skip
_OTHERS: Final = (
    (re.compile(r"double_blocks|single_blocks|single_transformer_blocks"), "Flux"),
    (re.compile(r"joint_blocks|^transformer\.transformer_blocks\.\d+\.attn\.add_"), "Stable Diffusion 3"),
    (re.compile(r"^lora_(te3|t5|unet_blocks)|^transformer\."), "another kind of model"),
    (re.compile(r"^lora_prior_|decoder_1_up_blocks|stable_cascade"), "Stable Cascade"),
)
_READS_WORDS: Final = re.compile(r"attn2[._](?:processor\.)?to_[kv]")
_SECOND: Final = re.compile(r"^(lora_te2_|text_encoder_2\.)")
FAMILIES: Final[Mapping[tuple[int, ...], str]] = {
    (768,): "Stable Diffusion 1", (1024,): "Stable Diffusion 2", (768, 1280): "SDXL",
}  # fmt: skip
"""Families of base models by how wide the words of their text encoders are."""
_PICKLES: Final = (".ckpt", ".pt", ".pth", ".bin", ".pkl")
_DIGITS_AT_ONCE: Final = 1 << 20
_GET_AGAIN: Final = "Get the file again."


@dataclass(frozen=True)
class AddOnFile:
    """``kind`` is "lora" or "embedding". ``widths``: how wide the words are that it was made for, one for each text
    encoder, or their sum alone for a LoRA (empty: that cannot be told)."""

    kind: str
    widths: tuple[int, ...] = ()

    @property
    def family(self) -> str:
        """The family of base models it was made for, in words; empty if that is not known."""
        return family_of(self.widths)


def family_of(widths: tuple[int, ...]) -> str:
    """A family of base models in words, by the widths of its words or their sum."""
    return next((name for known, name in FAMILIES.items() if widths in (known, (sum(known),))), "")


def look_at_add_on(path: Path) -> AddOnFile:
    """Say what a file is. Raises :class:`UserError` with one sentence for what cannot be used: another form than
    safetensors, a damaged file, LyCORIS, another kind of model, no LoRA or embedding at all."""
    if path.suffix.lower() in _PICKLES:
        raise UserError(
            f"“{path.name}” can run programs when it is opened, so it is not.", "Get it as .safetensors, or convert it."
        )
    return told_by(path.name, header_of(path))


def header_of(path: Path) -> dict[str, tuple[int, ...]]:
    """The shapes of a safetensors file's tensors by name. Raises :class:`UserError`."""
    try:
        with safe_open(plain_file(path), "np") as opened:
            return {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise UserError(f"“{path.name}” is not there any more.", "It may have been moved or deleted.") from error
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"“{path.name}” is no whole safetensors file.", _GET_AGAIN) from error


def told_by(name: str, shapes: Mapping[str, tuple[int, ...]]) -> AddOnFile:
    """As :func:`look_at_add_on`, of the shapes of a file's tensors by their names."""
    for marker, kind in _LYCORIS:
        if any(marker.search(key) for key in shapes):
            raise UserError(
                f"“{name}” is no plain LoRA but {kind} (LyCORIS), which cannot be used.", "Choose an ordinary LoRA."
            )
    if any(DOWN.search(key) for key in shapes):
        for marker, family in _OTHERS:
            if any(marker.search(key) for key in shapes):
                raise UserError(
                    f"“{name}” is a LoRA for {family}.", "Choose one for Stable Diffusion 1, 2 or SDXL, as the pack is."
                )
        return AddOnFile(LORA, _lora_widths(shapes))
    if (vectors := vectors_in(shapes)) is not None:
        return AddOnFile(EMBEDDING, tuple(shapes[key][-1] for key in vectors))
    raise UserError(f"“{name}” is neither a LoRA nor an embedding.", "Choose another file.")


def vectors_in(shapes: Mapping[str, tuple[int, ...]]) -> tuple[str, ...] | None:
    """The names of an embedding's vectors, one for each text encoder it was made for: ``emb_params``, ``clip_l`` and
    ``clip_g``, or the only tensor there is, as A1111 and diffusers take it. None for no embedding."""
    for pair in TWO_ENCODERS:
        if set(pair) <= shapes.keys():
            return pair
    names = [name for name in ("emb_params",) if name in shapes] or list(shapes)
    is_one = len(names) == 1 and len(shapes[names[0]]) in (1, 2) and all(shapes[names[0]])
    return (names[0],) if is_one else None


def require_fit(name: str, file: AddOnFile, widths: tuple[int, ...]) -> None:
    """See that a file was made for base models whose words are so wide, as far as its header says. Raises
    :class:`UserError`."""
    if not file.widths or not widths or file.widths == widths or (file.kind == LORA and file.widths == (sum(widths),)):
        return
    what = "a LoRA" if file.kind == LORA else "an embedding"
    own, theirs = _described(file.widths), _described(widths)
    raise UserError(
        f"“{name}” is {what} for {own}; this pack’s base model is {theirs}.", "Choose one that was made for it."
    )


def _described(widths: tuple[int, ...]) -> str:
    return family_of(widths) or f"a model whose words are {' and '.join(map(str, widths))} wide"


def _lora_widths(shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    """What a LoRA's UNet reads, by the layers that read words; several widths are no family known here."""
    read = {shape[1] for key, shape in shapes.items() if DOWN.search(key) and _READS_WORDS.search(key)}
    if read:
        return tuple(sorted(read))
    return (768, 1280) if any(_SECOND.search(key) for key in shapes) else ()


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, 64 hex digits. Raises ``OSError``."""
    digest = hashlib.sha256()
    with plain_file(path).open("rb") as file:
        while block := file.read(_DIGITS_AT_ONCE):
            digest.update(block)
    return digest.hexdigest()
