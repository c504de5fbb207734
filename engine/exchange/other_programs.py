"""A pack for other programs: its LoRA in two forms, its tokens as textual inversions, and a card that says how."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from engine.core.atomic_files import make_folder, write_bytes
from engine.core.on_disk import is_file
from engine.core.paths import slug
from engine.exchange.lora_file import kohya_header, modelspec_header, write_kohya, write_peft
from engine.exchange.model_card import CARD, model_card
from engine.exchange.pack_sheets import write_sheets
from engine.exchange.textual_inversion import words_of, write_embedding
from engine.models.conditioning import ENCODERS
from engine.models.lora import load_lora, lora_layers
from engine.models.part_tokens import load_tokens
from engine.packs.pack import LORA, TOKENS, Pack
from engine.worker.jobs import ExportPack, Progress, Report

PEFT_FILE: Final = "pytorch_lora_weights.safetensors"
"""Where diffusers looks for a LoRA in a folder."""
EMBEDDINGS: Final = "embeddings"


def export_pack(models: object, job: ExportPack, report: Report) -> tuple[str, ...]:
    """Write a pack for other programs; the files. The engine's handler of :class:`ExportPack`. Raises
    :class:`UserError`."""

    def told(done: int, total: int) -> None:
        report(Progress("Writing for other programs", done, total))

    folder = make_folder(Path(job.folder), "the pack")
    return tuple(map(str, export_for_other_programs(Pack.open(job.pack), folder, told)))


def export_for_other_programs(
    pack: Pack, folder: Path, report: Callable[[int, int], None] = lambda done, total: None
) -> tuple[Path, ...]:
    """Write a pack for other programs; see ``docs/interoperability.md``.

    ``<pack>.safetensors`` (kohya's names) and ``pytorch_lora_weights.safetensors`` (peft's) if the pack has a LoRA,
    ``embeddings/<word>.safetensors`` for each (part, code) but the background's, ``sheets/<part>.png`` with a picture
    of each, and ``README.md``. ``report(done, total)`` is called on the way. Returns the files. Raises
    :class:`UserError`.
    """
    tokens = load_tokens(pack.path / TOKENS)
    widths = tokens.widths
    words = words_of(pack)
    place = make_folder(folder / EMBEDDINGS, "the embeddings")
    written: list[Path] = []
    total = len(words) + 2
    report(0, total)
    if is_file(pack.path / LORA):
        layers = lora_layers(load_lora(pack.path / LORA))
        spec = modelspec_header(pack, widths, "lora", pack.title, ", ".join(word.text for word in words[:8]))
        peft, kohya = folder / PEFT_FILE, folder / f"{slug(pack.id, 'pack', lower=False)}.safetensors"
        write_peft(layers, peft, spec)
        header = spec | kohya_header(layers, pack, widths, [word.text for word in words])
        write_kohya(layers, kohya, header, sdxl=len(widths) > 1)
        written += [peft, kohya]
    sets = [tokens.of(name).projected().detach() for name in ENCODERS[: len(widths)]]
    for done, word in enumerate(words, 1):
        report(done, total)
        header = modelspec_header(pack, widths, "textual-inversion", word.text, word.text)
        write_embedding([vectors[word.part, word.code] for vectors in sets], place / word.file_name, header)
        written.append(place / word.file_name)
    loras = [file.name for file in written[: len(written) - len(words)]]
    sheets = write_sheets(pack, words, folder)
    report(total - 1, total)
    card = folder / CARD
    text = model_card(pack, words, loras, sdxl=len(widths) > 1, sheets=[sheet.name for sheet in sheets])
    write_bytes(card, text.encode(), "the card")
    report(total, total)
    return (*written, *sheets, card)
